/* SPDX-License-Identifier: MIT */
/* Promise: entries of rules wait at the prices that stand beside them; a price that is none makes
 * no entry; an exit takes a waiting entry back; with a delay, what a bar said is heard so many bars
 * later. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"

/* Bars by hand: open, high, low, close. */
struct ohlc {
    double open, high, low, close;
};

static struct outcome *run_bars_of(const char *type, const struct ohlc *bars, uint32_t n,
                                   const struct strategy_spec *rules, const struct combo *combo)
{
    static struct column_set c;
    c = (struct column_set){.rows_n = n};
    for (uint32_t i = 0; i < n; i++) {
        c.time_ns[i] = i * DAY_NS;
        c.open[i] = bars[i].open;
        c.high[i] = bars[i].high;
        c.low[i] = bars[i].low;
        c.close[i] = bars[i].close;
        c.volume[i] = 1e6;
    }
    struct desk d = desk_of_one(&c, combo, type);
    d.specs[0] = *rules;
    desk_set_strategy(&d.specs[0], type);
    desk_open(&d);
    struct outcome *o = desk_run(&d, combo);
    desk_close(&d);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    return o;
}

static struct outcome *run_bars(const struct ohlc *bars, uint32_t n,
                                const struct strategy_spec *rules, const struct combo *combo)
{
    return run_bars_of("rules", bars, n, rules, combo);
}

static struct combo plain_combo(void)
{
    struct combo c = desk_new_combo(0);
    c.execution = (struct execution_cfg){0};
    c.portfolio.sizing = SIZING_UNITS;
    c.portfolio.sizing_value = 10;
    return c;
}

/* The close of bar 0 alone is 100. Bar 2 falls to 95, bar 3 rises to 107. */
static const struct ohlc swing[] = {
    {100, 101, 99, 100}, {101, 102, 100, 101}, {101, 101, 95, 99},
    {99, 107, 98, 106},  {106, 108, 104, 105}, {105, 106, 90, 92},
};
#define SWING_N 6

struct price_case {
    const char *what;
    const char *long_limit, *long_stop, *long_exit;
    int entry_bar; /* -1: none */
    double entry_px;
    enum fill_rule rule;
};

static const struct price_case priced[] = {
    {"a limit that bar 2 reaches", "close - 3", "", "", 2, 97, FILL_RULE_LIMIT},
    {"a limit that no bar reaches", "close - 50", "", "", -1, 0, FILL_RULE_NONE},
    {"a limit that the open is under", "close + 5", "", "", 1, 101, FILL_RULE_LIMIT},
    {"a stop that bar 3 reaches", "", "close + 4", "", 3, 104, FILL_RULE_STOP},
    {"a stop that the open has passed", "", "close + 0.5", "", 1, 101, FILL_RULE_STOP_GAP},
    {"a stop that becomes a limit, which bar 5 reaches", "close + 3", "close + 4", "", 5, 103,
     FILL_RULE_LIMIT},
    {"a price below nothing makes no entry", "close - 100", "", "", -1, 0, FILL_RULE_NONE},
    {"nor does one that is not defined yet", "min(low, 3)", "", "", -1, 0, FILL_RULE_NONE},
    {"nor one that is no number", "close / (open - 100)", "", "", -1, 0, FILL_RULE_NONE},
    {"an exit while flat takes it back", "close - 3", "", "close == 101", -1, 0, FILL_RULE_NONE},
    {"an exit that comes too late does not", "close - 3", "", "close == 99", 2, 97,
     FILL_RULE_LIMIT},
};

Test(prices, entries_wait_for_them)
{
    const struct combo combo = plain_combo();
    for (unsigned i = 0; i < sizeof priced / sizeof priced[0]; i++) {
        const struct price_case *c = &priced[i];
        struct strategy_spec rules = {0};
        desk_set_rule(rules.long_entry, "close == 100");
        desk_set_rule(rules.long_limit, c->long_limit);
        desk_set_rule(rules.long_stop, c->long_stop);
        desk_set_rule(rules.long_exit, c->long_exit);
        struct outcome *o = run_bars(swing, SWING_N, &rules, &combo);
        cr_assert_eq(o->trades_n, c->entry_bar >= 0, "%s: %u trades", c->what, o->trades_n);
        if (c->entry_bar >= 0) {
            cr_expect_eq(o->trades[0].entry_bar, (uint32_t)c->entry_bar, "%s: bar %u", c->what,
                         o->trades[0].entry_bar);
            cr_expect_eq(o->trades[0].entry_px, c->entry_px, "%s: %g", c->what,
                         o->trades[0].entry_px);
            cr_expect_eq(o->trades[0].entry_rule, c->rule, "%s: %s", c->what,
                         fill_rule_name((enum fill_rule)o->trades[0].entry_rule));
        }
        free(o);
    }
}

Test(prices, each_side_has_its_own)
{
    const struct combo combo = plain_combo();
    struct strategy_spec rules = {0};
    desk_set_rule(rules.short_entry, "close == 100");
    desk_set_rule(rules.long_limit, "close - 3");
    desk_set_rule(rules.short_limit, "close + 6");
    struct outcome *o = run_bars(swing, SWING_N, &rules, &combo);
    cr_assert_eq(o->trades_n, 1);
    cr_expect(o->trades[0].qty == -10 && o->trades[0].entry_px == 106, "%g at %g", o->trades[0].qty,
              o->trades[0].entry_px);
    free(o);
}

Test(prices, their_series_count_in_the_warm_up)
{
    const struct combo combo = plain_combo();
    struct strategy_spec rules = {.first_signal = FIRST_SIGNAL_AFTER_WARM_UP};
    desk_set_rule(rules.long_entry, "close > 0");
    desk_set_rule(rules.long_limit, "max(high, 3) + 100");
    struct outcome *o = run_bars(swing, SWING_N, &rules, &combo);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].entry_bar, 4, "defined at bar 2, acts at 3, fills at 4");
    free(o);
}

Test(prices, a_condition_is_no_price_and_a_number_no_rule)
{
    static const struct {
        const char *entry, *limit, *words;
    } rows[] = {{"close > 0", "close > 1", "long_limit"}, {"close", "", "long_entry"}};
    for (int i = 0; i < 2; i++) {
        struct strategy_spec rules = {.type = "rules", .name = "mine"};
        struct strategy_program program;
        struct graph *graph;
        struct err err = {0};
        desk_set_rule(rules.long_entry, rows[i].entry);
        desk_set_rule(rules.long_limit, rows[i].limit);
        cr_assert_eq(graph_create(&graph), 0);
        cr_expect_lt(strategy_program_init(&program, &rules, graph, &err), 0);
        cr_expect(strstr(err.text, rows[i].words), "%s", err.text);
        graph_destroy(graph);
    }
}

/* ---- delay ---------------------------------------------------------------------------------- */

Test(delay, a_signal_is_heard_so_many_bars_later_with_its_own_bars_price)
{
    for (uint32_t delay = 0; delay < 4; delay++) {
        struct combo combo = plain_combo();
        struct strategy_spec rules = {0};
        combo.execution.delay = delay;
        combo.exits = (struct exits_cfg){.base = EXIT_BASE_SIGNAL_CLOSE, .stop_loss = 0.07};
        desk_set_rule(rules.long_entry, "close == 100");
        struct outcome *o = run_bars(swing, SWING_N, &rules, &combo);
        cr_assert_eq(o->trades_n, 1);
        cr_expect_eq(o->trades[0].entry_bar, 1 + delay, "delay %u", delay);
        cr_expect_eq(o->trades[0].entry_px, swing[1 + delay].open, "delay %u", delay);
        cr_expect_eq(o->trades[0].exit_bar, 5, "delay %u", delay);
        cr_expect(fabs(o->trades[0].exit_px - 93) < 1e-9, "7 %% below the signal's 100: %g",
                  o->trades[0].exit_px);
        free(o);
    }
}

Test(delay, waiting_prices_are_those_of_the_signals_bar)
{
    struct combo combo = plain_combo();
    struct strategy_spec rules = {0};
    combo.execution.delay = 1;
    desk_set_rule(rules.long_entry, "close == 100");
    desk_set_rule(rules.long_limit, "low - 2");
    struct outcome *o = run_bars(swing, SWING_N, &rules, &combo);
    cr_assert_eq(o->trades_n, 1);
    cr_expect(o->trades[0].entry_bar == 2 && o->trades[0].entry_px == 97, "%g",
              o->trades[0].entry_px);
    free(o);
}

Test(delay, counts_from_the_first_bar_that_may_signal)
{
    static struct column_set c;
    desk_walk(&c, 60, 3, 0);
    c.first_row = 20;
    struct combo combo = plain_combo();
    combo.execution.delay = 2;
    struct desk d = desk_of_one(&c, &combo, "rules");
    desk_set_rule(d.specs[0].long_entry, "close > 0");
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combo);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].entry_bar, 3,
                 "said at the range's first bar, heard at 2, filled at 3");
    free(o);
    desk_close(&d);
}

/* ---- a built-in that uses them -------------------------------------------------------------- */

Test(prices, channel_breakout_enters_at_the_edges_of_its_channel)
{
    static struct column_set c;
    desk_walk(&c, 400, 9, 0);
    struct combo combo = plain_combo();
    struct desk d = desk_of_one(&c, &combo, "channel_breakout");
    combo.params_n = 2;
    combo.params[0] = 20;
    combo.params[1] = 10;
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combo);
    cr_assert_gt(o->trades_n, 5);
    for (uint32_t i = 0; i < o->trades_n; i++) {
        const struct trade *t = &o->trades[i];
        double edge = t->qty > 0 ? 0 : INFINITY; /* of the 20 bars before the fill */
        for (uint32_t k = t->entry_bar - 20; k < t->entry_bar; k++)
            edge = t->qty > 0 ? fmax(edge, c.high[k]) : fmin(edge, c.low[k]);
        double at_open = c.open[t->entry_bar];
        double px = t->qty > 0 ? fmax(edge, at_open) : fmin(edge, at_open);
        cr_expect_eq(t->entry_px, px, "trade %u", i);
        cr_expect(t->entry_rule == FILL_RULE_STOP || t->entry_rule == FILL_RULE_STOP_GAP);
    }
    free(o);
    desk_close(&d);
}

/* ---- the order interface -------------------------------------------------------------------- */

/* A strategy in C: at bar 0, an entry of its own size with a bracket of its own. */
struct prober {
    const struct market *market;
    const struct bus *bus;
    uint32_t lane;
};

static int prober_initialize(void *self, struct container *c, struct err *e)
{
    struct prober *p = self;
    p->market = container_resolve(c, "market_data");
    p->bus = container_resolve(c, "event_bus");
    p->lane = c->lane;
    return 0;
}

static void prober_on_bar(void *self, const void *event)
{
    const struct prober *p = self;
    const struct bar_event *bar = event;
    const struct signal s = {
        .target_portfolio = p->lane,
        .bar = bar->step,
        .kinds = SIGNAL_LONG_ENTRY,
        .ref_px = p->market->symbol[0]->bars.close[bar->step],
        .long_terms = {.limit_px = 98, .qty = 3, .stop_loss_px = 91, .take_profit_px = 105.5},
    };
    if (bar->step == 0)
        bus_publish(p->bus, EVENT_SIGNAL, &s);
}

static uint32_t prober_warm_up(const void *self)
{
    return 0;
}

static const struct component_type type_prober = {
    .name = "prober",
    .kind = "strategy",
    .what = "Enters once, on terms of its own.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct prober),
    .lifecycle = &(const struct lifecycle){.initialize = prober_initialize},
    .signal_generator = &(const struct signal_generator){prober_on_bar, prober_warm_up},
};

Test(prices, a_strategy_in_c_enters_on_terms_of_its_own)
{
    struct strategy_spec rules = {0};
    struct combo combo = plain_combo();
    combo.exits = (struct exits_cfg){.stop_loss = 0.01, .take_profit = 0.5};
    cr_assert_eq(registry_add(&type_prober), 0);
    struct outcome *o = run_bars_of("prober", swing, SWING_N, &rules, &combo);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].qty, 3, "not portfolio.sizing");
    cr_expect_eq(o->trades[0].entry_px, 98);
    cr_expect_eq(o->trades[0].exit_rule, FILL_RULE_TARGET);
    cr_expect_eq(o->trades[0].exit_px, 105.5, "not exits.take_profit");
    free(o);
}
