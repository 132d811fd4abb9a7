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
#include "worker/monitor/excursion.h"
#include "worker/monitor/exposure.h"

struct last_order {
    uint32_t bar; /* UINT32_MAX: none yet */
    bool is_buy;
};

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
    uint32_t recorded_step; /* UINT32_MAX before the first */
    bool records_more;      /* than equity, at each close */
    struct exposure exposure;
    bool is_short_of_memory;
    struct metrics_facts facts;
    struct last_order *last_order; /* [symbols_n] */
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
    t->scratch = arena_take(c->arena, METRICS_SCRATCH_COLUMNS * bytes);
    const bool *details = container_resolve(c, "details");
    if (details && *details) {
        t->cash = arena_take(c->arena, bytes);
        t->position = arena_take(c->arena, bytes * t->market->symbols_n);
        if (!t->cash || !t->position)
            return -ENOMEM;
    }
    t->last_order = arena_take(c->arena, t->market->symbols_n * sizeof *t->last_order);
    return t->equity && t->scratch && t->last_order ? 0 : -ENOMEM;
}

static void tracker_reset(void *self)
{
    struct tracker_state *t = self;
    t->trades_n = 0;
    t->recorded_step = UINT32_MAX;
    exposure_init(&t->exposure, t->market, t->account, t->equity);
    t->records_more = t->cash || exposure_wants_bars(&t->exposure);
    t->facts = (struct metrics_facts){0};
    for (uint32_t s = 0; s < t->market->symbols_n; s++)
        t->last_order[s] = (struct last_order){.bar = UINT32_MAX};
}

static void record_details(struct tracker_state *t, uint32_t i)
{
    t->cash[i] = t->account->cash;
    for (uint32_t s = 0; s < t->market->symbols_n; s++)
        t->position[(size_t)i * t->market->symbols_n + s] = t->account->pos[s].qty;
}

/* Kept out of line, so that the usual bar needs no stack. */
static __attribute__((noinline)) void record_more(struct tracker_state *t, uint32_t i)
{
    if (exposure_wants_bars(&t->exposure))
        exposure_bar(&t->exposure, i);
    if (t->cash)
        record_details(t, i);
}

static void record(struct tracker_state *t, uint32_t step)
{
    uint32_t i = step - t->market->first_step;
    t->recorded_step = step;
    t->equity[i] = t->account->equity;
    if (t->records_more)
        record_more(t, i);
}

static void tracker_on_bar(void *self, const void *event)
{
    record(self, ((const struct bar_event *)event)->step);
}

/* A change of sides is one order in two fills: whether this one begins an order. */
static bool begins_order(struct last_order *last, const struct fill *f)
{
    bool is_buy = f->qty > 0, is_new = f->bar != last->bar || is_buy != last->is_buy;
    *last = (struct last_order){f->bar, is_buy};
    return is_new;
}

static void tracker_on_fill(void *self, const void *event)
{
    struct tracker_state *t = self;
    const struct fill *f = event;
    t->facts.vetoes_n += (f->flags & FILL_VETOED) != 0;
    t->facts.dropped_n += (f->flags & FILL_DROPPED) != 0;
    if (f->qty == 0.0)
        return;
    t->facts.resizes_n += (f->flags & FILL_RESIZED) != 0;
    t->facts.fills_n++;
    t->facts.orders_n += begins_order(&t->last_order[f->symbol_idx], f);
    t->facts.traded_value += fabs(f->qty * f->px);
    t->facts.commissions += f->commission;
    t->facts.slippage_cost += f->slippage;
    bool is_late = f->flags & FILL_BOOKED_NEXT_BAR;
    exposure_fill(&t->exposure, f->bar + is_late - t->market->first_step);
    if (f->bar == t->recorded_step && !is_late)
        record(t, f->bar);
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
    excursion_measure(t->market, &t->combo->execution, t->market->steps_n - 1, kept);
    kept->entry_bar -= t->market->first_step;
    if (kept->exit_bar != TRADE_OPEN)
        kept->exit_bar -= t->market->first_step;
}

static void tracker_on_trade(void *self, const void *event)
{
    keep_trade(self, event);
}

static void keep_open_trades(struct tracker_state *t)
{
    const struct account *a = t->account;
    t->closed_n = t->trades_n;
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        const struct position *p = &a->pos[s];
        if (p->qty == 0.0)
            continue;
        struct trade open = account_open_trade(a, (uint16_t)s);
        keep_trade(t, &open);
        t->facts.open_pnl += p->qty * (a->mark_px[s] - p->entry_px) - p->commission;
    }
}

/* Fills of the end came after the last bar was recorded. A bankrupt account stays at 0. */
static void tracker_stop(void *self)
{
    struct tracker_state *t = self;
    uint32_t end = t->account->is_bankrupt ? t->account->end_bar : t->market->steps_n - 1;
    if (bars_n(t) == 0)
        return;
    record(t, end);
    for (uint32_t i = end - t->market->first_step + 1; i < bars_n(t); i++) {
        t->equity[i] = t->account->equity;
        if (t->cash)
            record_details(t, i);
    }
    exposure_end(&t->exposure, bars_n(t));
    keep_open_trades(t);
    t->facts.exposed_bars_n = t->exposure.held_bars_n;
    t->facts.exposure_gross_sum = lanes_total(&t->exposure.gross);
    t->facts.exposure_net_sum = lanes_total(&t->exposure.net);
    t->facts.exposure_gross_max = t->exposure.gross_max;
    t->facts.borrow_cost = t->account->borrow_cost;
    t->facts.interest_cost = t->account->interest_cost;
    t->facts.dividends = t->account->dividends;
    t->facts.debt_forgiven = t->account->debt_forgiven;
    t->facts.is_bankrupt = t->account->is_bankrupt;
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
        .benchmark_return = m->benchmark_return,
        .warm_up_bar = warm_up_bar(t),
        .trades_n = t->closed_n,
        .trades = t->trades,
        .open_trades_n = t->trades_n - t->closed_n,
        .facts = t->facts,
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
