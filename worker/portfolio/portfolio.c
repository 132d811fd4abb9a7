/* SPDX-License-Identifier: MIT */
/* The portfolio component: carries its account into each bar, applies fills to it, marks it at each
 * close, and says when it is bankrupt.
 *
 * Equity at or below zero ends the account at that close: what is open is closed at the mark with
 * its commission, and cash is 0 from there on; under `bankruptcy: run_on` it goes on with its
 * debts. That is the portfolio's own rule, so that it holds wherever orders are executed. */
#include <errno.h>

#include "worker/broker/cost.h"
#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/portfolio/carry.h"

struct portfolio_state {
    struct account account;
    struct carry carry;
    const struct combo *combo;
    const struct market *market;
    const double *close; /* of the first symbol */
    const struct bus *bus;
    uint32_t marked_step; /* UINT32_MAX before the first */
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
    carry_init(&p->carry, &p->combo->execution, p->market);
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
    carry_init(&p->carry, &p->combo->execution, p->market);
    p->marked_step = UINT32_MAX;
}

/* ---- marks ---------------------------------------------------------------------------------- */

/* Equity is gone. */
static __attribute__((noinline)) void liquidate(struct portfolio_state *p, uint32_t step)
{
    struct account *a = &p->account;
    if (p->combo->portfolio.bankruptcy == BANKRUPTCY_RUN_ON)
        return;
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
        f.commission = cost_commission(&p->combo->execution.commission, f.qty, f.px);
        bus_publish(p->bus, EVENT_FILL, &f);
    }
    a->debt_forgiven = a->cash < 0.0 ? -a->cash : 0.0;
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
    p->marked_step = step;
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

/* ---- events --------------------------------------------------------------------------------- */

/* The step at which a fill reaches the account. */
static uint32_t step_of_fill(const struct portfolio_state *p, const struct fill *f)
{
    return f->flags & FILL_BOOKED_NEXT_BAR ? p->marked_step + 1 : f->bar;
}

/* A fill of a bar that was marked already, at its close, is marked again. In lockstep runs fills of
 * a step come before its BAR event, so that they carry the account into it. */
static void portfolio_on_fill(void *self, const void *event)
{
    struct portfolio_state *p = self;
    const struct fill *f = event;
    struct trade trade;
    if (p->carry.is_active)
        carry_to(&p->carry, &p->account, step_of_fill(p, f));
    if (account_apply(&p->account, f, &trade))
        bus_publish(p->bus, EVENT_TRADE, &trade);
    bool is_marked_later = f->rule == FILL_RULE_BANKRUPT || f->rule == FILL_RULE_END ||
                           f->flags & FILL_BOOKED_NEXT_BAR;
    if (f->bar == p->marked_step && !is_marked_later)
        portfolio_mark(p, f->bar);
}

static void portfolio_on_bar(void *self, const void *event)
{
    const struct bar_event *bar = event;
    portfolio_mark(self, bar->step);
}

static void portfolio_before_bar(void *self, const void *event)
{
    struct portfolio_state *p = self;
    carry_to(&p->carry, &p->account, ((const struct bar_event *)event)->step);
}

static int portfolio_subscribe(void *self, struct bus *bus)
{
    const struct portfolio_state *p = self;
    int r = 0;
    if (p->carry.is_active)
        r = bus_subscribe(bus, EVENT_BAR, RANK_CARRY,
                          (struct bus_handler){portfolio_before_bar, self, 0});
    if (r == 0)
        r = bus_subscribe(bus, EVENT_BAR, RANK_ACCOUNT,
                          (struct bus_handler){portfolio_on_bar, self, 0});
    return r ? r
             : bus_subscribe(bus, EVENT_FILL, RANK_ACCOUNT,
                             (struct bus_handler){portfolio_on_fill, self, 0});
}

static struct account *portfolio_account(void *self)
{
    return &((struct portfolio_state *)self)->account;
}

const struct component_type type_portfolio = {
    .name = "portfolio",
    .kind = "portfolio",
    .what =
        "One cash account over all symbols: applies fills, marks equity at each close. Configured "
        "by the keys of `portfolio`: docs/CONFIGURATION.md.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS | 1 << CAPABILITY_RESET,
    .state_bytes = sizeof(struct portfolio_state),
    .lifecycle = &(const struct lifecycle){.initialize = portfolio_initialize},
    .configurable = &(const struct configurable){portfolio_configure},
    .event_subscriber = &(const struct event_subscriber){portfolio_subscribe},
    .resettable = &(const struct resettable){portfolio_reset},
    .portfolio = &(const struct portfolio){portfolio_account, portfolio_mark},
};
