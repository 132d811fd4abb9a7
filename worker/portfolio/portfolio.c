/* SPDX-License-Identifier: MIT */
/* The portfolio component: applies fills to its account, marks it at each close, and says when it
 * is bankrupt.
 *
 * Equity at or below zero ends the account at that close: what is open is closed at the mark with
 * its commission, and cash is 0 from there on. That is the portfolio's own rule, so that it holds
 * wherever orders are executed. */
#include <errno.h>
#include <math.h>

#include "worker/builtin.h"
#include "worker/container.h"

struct portfolio_state {
    struct account account;
    const struct combo *combo;
    const struct market *market;
    const double *close; /* of the first symbol */
    const struct bus *bus;
};

static int portfolio_configure(void *self, const struct combo *combo,
                               const struct strategy_spec *spec, struct err *err)
{
    ((struct portfolio_state *)self)->combo = combo;
    return 0;
}

static int portfolio_initialize(void *self, struct container *c, struct err *err)
{
    struct portfolio_state *p = self;
    p->market = container_resolve(c, "market_data");
    p->close = p->market->symbol[0]->bars.close;
    p->bus = container_resolve(c, "event_bus");
    struct account *a = &p->account;
    a->symbols_n = p->market->symbols_n;
    a->pos = arena_take_zeroed(c->arena, a->symbols_n * sizeof *a->pos);
    a->mark_px = arena_take_zeroed(c->arena, a->symbols_n * sizeof *a->mark_px);
    return a->pos && a->mark_px ? 0 : -ENOMEM;
}

static void portfolio_reset(void *self)
{
    struct portfolio_state *p = self;
    account_init(&p->account, p->combo->portfolio.initial_capital, p->combo->portfolio.leverage);
}

static void portfolio_on_fill(void *self, const void *event)
{
    struct portfolio_state *p = self;
    struct trade trade;
    if (account_apply(&p->account, event, &trade))
        bus_publish(p->bus, EVENT_TRADE, &trade);
}

static __attribute__((noinline)) void liquidate(struct portfolio_state *p, uint32_t step)
{
    struct account *a = &p->account;
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        if (a->pos[s].qty == 0.0)
            continue;
        struct fill f = {
            .bar = step,
            .symbol_idx = (uint16_t)s,
            .rule = FILL_RULE_BANKRUPT,
            .is_close = 1,
            .qty = -a->pos[s].qty,
            .px = a->mark_px[s],
        };
        f.commission = fabs(f.qty) * f.px * p->combo->execution.commission_frac;
        bus_publish(p->bus, EVENT_FILL, &f);
    }
    a->cash = 0.0;
    a->equity = 0.0;
    a->is_bankrupt = true;
    a->end_bar = step;
}

static __attribute__((noinline)) void mark_symbols(struct portfolio_state *p, uint32_t step)
{
    struct account *a = &p->account;
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        int32_t row = market_row(p->market, s, step);
        if (row >= 0)
            a->mark_px[s] = p->market->symbol[s]->bars.close[row];
    }
    a->equity = account_equity(a);
    if (a->equity <= 0.0)
        liquidate(p, step);
}

/* One symbol is the usual case: a few instructions, and nothing kept on the stack. */
static void portfolio_mark(void *self, uint32_t step)
{
    struct portfolio_state *p = self;
    struct account *a = &p->account;
    if (a->is_bankrupt)
        return;
    if (a->symbols_n != 1) {
        mark_symbols(p, step);
        return;
    }
    double close = p->close[step];
    a->mark_px[0] = close;
    a->equity = a->cash + a->pos[0].qty * close;
    if (a->equity <= 0.0)
        liquidate(p, step);
}

static void portfolio_on_bar(void *self, const void *event)
{
    const struct bar_event *bar = event;
    portfolio_mark(self, bar->step);
}

static int portfolio_subscribe(void *self, struct bus *bus)
{
    int r = bus_subscribe(bus, EVENT_BAR, RANK_ACCOUNT,
                          (struct bus_handler){portfolio_on_bar, self, 0});
    return r ? r
             : bus_subscribe(bus, EVENT_FILL, RANK_ACCOUNT,
                             (struct bus_handler){portfolio_on_fill, self, 0});
}

static struct account *portfolio_account(void *self)
{
    return &((struct portfolio_state *)self)->account;
}

static const struct component_param portfolio_params[] = {
    {"initial_capital", NULL, 100000, 1e-9, 1e15, 0, "money at the first bar"},
    {"leverage", NULL, 1, 1e-3, 1e4, 0, "buying power as a multiple of free equity"},
    {"lot", NULL, 1, 0, 1e12, 0, "1: whole units, 0: fractions, else the step of sizes"},
};

const struct component_type type_portfolio = {
    .name = "portfolio",
    .kind = "portfolio",
    .what = "One cash account over all symbols: applies fills, marks equity at each close.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS | 1 << CAPABILITY_RESET,
    .state_bytes = sizeof(struct portfolio_state),
    .params = portfolio_params,
    .params_n = sizeof portfolio_params / sizeof portfolio_params[0],
    .lifecycle = &(const struct lifecycle){.initialize = portfolio_initialize},
    .configurable = &(const struct configurable){portfolio_configure},
    .event_subscriber = &(const struct event_subscriber){portfolio_subscribe},
    .resettable = &(const struct resettable){portfolio_reset},
    .portfolio = &(const struct portfolio){portfolio_account, portfolio_mark},
};
