/* SPDX-License-Identifier: MIT */
/* The performance tracker: records equity at each close and every trade, and measures them at the
 * end. The service "details" (a bool) makes it record cash and positions as well. */
#include "worker/monitor/tracker.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/metrics/metrics.h"

struct tracker_state {
    struct arena *arena;
    const struct market *market;
    const struct account *account;
    const struct run_spec *run;
    const struct combo *combo;
    const struct component *strategy;
    double *equity, *cash, *position, *scratch;
    struct trade *trades;
    uint32_t trades_n, trades_capacity, closed_n;
    uint64_t exposed_n;    /* bars that closed with a position, up to the last one closed */
    uint32_t exposed_from; /* step since when there is one */
    bool is_short_of_memory;
    double commissions, slippage_cost;
};

static int tracker_configure(void *self, const struct combo *combo,
                             const struct strategy_spec *spec, struct err *err)
{
    ((struct tracker_state *)self)->combo = combo;
    return 0;
}

static uint32_t bars_n(const struct tracker_state *t)
{
    return t->market->steps_n - t->market->first_step;
}

static int tracker_initialize(void *self, struct container *c, struct err *err)
{
    struct tracker_state *t = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    t->arena = c->arena;
    t->market = container_resolve(c, "market_data");
    t->run = container_resolve(c, "config");
    t->strategy = container_find(c, PROTOCOL_SIGNAL_GENERATOR);
    t->account = portfolio->type->portfolio->account(portfolio->self);
    size_t bytes = (bars_n(t) + 1) * sizeof(double);
    t->equity = arena_take(c->arena, bytes);
    t->scratch = arena_take(c->arena, 2 * bytes); /* as metrics_compute() asks */
    const bool *details = container_resolve(c, "details");
    if (details && *details) {
        t->cash = arena_take(c->arena, bytes);
        t->position = arena_take(c->arena, bytes * t->market->symbols_n);
        if (!t->cash || !t->position)
            return -ENOMEM;
    }
    return t->equity && t->scratch ? 0 : -ENOMEM;
}

static void tracker_reset(void *self)
{
    struct tracker_state *t = self;
    t->trades_n = 0;
    t->exposed_n = 0;
    t->commissions = 0.0;
    t->slippage_cost = 0.0;
}

static void record_details(struct tracker_state *t, uint32_t i)
{
    t->cash[i] = t->account->cash;
    for (uint32_t s = 0; s < t->market->symbols_n; s++)
        t->position[(size_t)i * t->market->symbols_n + s] = t->account->pos[s].qty;
}

static void tracker_on_bar(void *self, const void *event)
{
    struct tracker_state *t = self;
    uint32_t step = ((const struct bar_event *)event)->step;
    uint32_t i = step - t->market->first_step;
    t->equity[i] = t->account->equity;
    if (t->cash)
        record_details(t, i);
}

static void tracker_on_fill(void *self, const void *event)
{
    struct tracker_state *t = self;
    const struct fill *f = event;
    t->commissions += f->commission;
    t->slippage_cost += f->slippage;
    if (f->is_close && t->account->open_n == 0)
        t->exposed_n += f->bar - t->exposed_from;
    else if (!f->is_close && t->account->open_n == 1)
        t->exposed_from = f->bar;
}

static void keep_trade(struct tracker_state *t, const struct trade *trade)
{
    if (t->trades_n == t->trades_capacity) {
        uint32_t capacity = t->trades_capacity ? 2 * t->trades_capacity : 64;
        struct trade *grown = arena_take(t->arena, capacity * sizeof *grown);
        if (!grown) {
            t->is_short_of_memory = true;
            return;
        }
        if (t->trades_n)
            memcpy(grown, t->trades, t->trades_n * sizeof *grown);
        t->trades = grown;
        t->trades_capacity = capacity;
    }
    struct trade *kept = &t->trades[t->trades_n++];
    *kept = *trade;
    kept->entry_bar -= t->market->first_step;
    if (kept->exit_bar != TRADE_OPEN)
        kept->exit_bar -= t->market->first_step;
}

static void tracker_on_trade(void *self, const void *event)
{
    keep_trade(self, event);
}

/* Fills of the end came after the last bar was recorded. A bankrupt account stays at 0. */
static void tracker_stop(void *self)
{
    struct tracker_state *t = self;
    uint32_t end = t->account->is_bankrupt ? t->account->end_bar : t->market->steps_n - 1;
    uint32_t last = end - t->market->first_step;
    if (t->account->open_n > 0)
        t->exposed_n += t->market->steps_n - t->exposed_from;
    if (bars_n(t) == 0)
        return;
    t->equity[last] = t->account->equity;
    if (t->cash)
        record_details(t, last);
    for (uint32_t i = last + 1; i < bars_n(t); i++) {
        t->equity[i] = t->account->equity;
        if (t->cash)
            record_details(t, i);
    }
    t->closed_n = t->trades_n;
    for (uint32_t s = 0; s < t->market->symbols_n; s++) {
        if (t->account->pos[s].qty == 0.0)
            continue;
        struct trade open = account_open_trade(t->account, (uint16_t)s);
        keep_trade(t, &open);
    }
}

static uint32_t warm_up_bar(const struct tracker_state *t)
{
    uint32_t step = t->strategy->type->signal_generator->warm_up_step(t->strategy->self);
    uint32_t bar = step - t->market->first_step;
    return bar < bars_n(t) ? bar : bars_n(t) ? bars_n(t) - 1 : 0;
}

static void tracker_measure(void *self, struct result *ret_result)
{
    struct tracker_state *t = self;
    if (t->is_short_of_memory) {
        ret_result->status = STATUS_OUT_OF_MEMORY;
        return;
    }
    const struct market *m = t->market;
    const struct metrics_input in = {
        .profile = (enum metric_profile)t->run->profile,
        .periods_per_year = t->run->periods_per_year,
        .risk_free = t->run->risk_free,
        .initial_capital = t->combo->portfolio.initial_capital,
        .bars_n = bars_n(t),
        .time_ns = m->time_ns + m->first_step,
        .equity = t->equity,
        .benchmark = m->benchmark + m->first_step,
        .days_n = m->days_n,
        .day_end = m->day_end,
        .warm_up_bar = warm_up_bar(t),
        .trades_n = t->closed_n,
        .trades = t->trades,
        .open_trades_n = t->trades_n - t->closed_n,
        .exposed_bars_n = t->exposed_n,
        .commissions = t->commissions,
        .slippage_cost = t->slippage_cost,
        .is_bankrupt = t->account->is_bankrupt,
    };
    ret_result->status = STATUS_OK;
    metrics_compute(&in, t->scratch, ret_result->metrics);
}

static int tracker_subscribe(void *self, struct bus *bus)
{
    int r =
        bus_subscribe(bus, EVENT_BAR, RANK_RECORD, (struct bus_handler){tracker_on_bar, self, 0});
    if (r == 0)
        r = bus_subscribe(bus, EVENT_FILL, RANK_RECORD,
                          (struct bus_handler){tracker_on_fill, self, 0});
    return r ? r
             : bus_subscribe(bus, EVENT_TRADE, RANK_RECORD,
                             (struct bus_handler){tracker_on_trade, self, 0});
}

struct tracker_record tracker_record(const void *self)
{
    const struct tracker_state *t = self;
    return (struct tracker_record){
        .market = t->market,
        .bars_n = bars_n(t),
        .equity = t->equity,
        .cash = t->cash,
        .position = t->position,
        .trades_n = t->trades_n,
        .trades = t->trades,
    };
}

const struct component_type type_performance_tracker = {
    .name = "performance_tracker",
    .kind = "monitor",
    .what =
        "Records equity at each close and every trade, and measures them by the metric profile.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS | 1 << CAPABILITY_RESET |
                    1 << CAPABILITY_MONITORING,
    .state_bytes = sizeof(struct tracker_state),
    .lifecycle = &(const struct lifecycle){.initialize = tracker_initialize, .stop = tracker_stop},
    .configurable = &(const struct configurable){tracker_configure},
    .event_subscriber = &(const struct event_subscriber){tracker_subscribe},
    .resettable = &(const struct resettable){tracker_reset},
    .monitor = &(const struct monitor){tracker_measure},
};
