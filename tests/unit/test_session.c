/* SPDX-License-Identifier: MIT */
/* Promise: strategies begin and end where the rules say; what a strategy refuses is told why; an
 * account without equity ends; a minimal container says every signal. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"

/* ---- when a strategy may begin -------------------------------------------------------------- */

static struct outcome *run_rule(uint32_t first_row, uint8_t first_signal)
{
    static struct column_set columns;
    desk_walk(&columns, 60, 3, 0);
    columns.first_row = first_row;
    struct combo combo = desk_new_combo(0);
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = desk_new_specs(1),
                     .specs_n = 1,
                     .combos = &combo,
                     .combos_n = 1};
    desk_set_strategy(&d.specs[0], "rules");
    d.specs[0].first_signal = first_signal;
    desk_set_rule(d.specs[0].long_entry, "close > 0 or close > sma(close, 5)");
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combo);
    desk_close(&d);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->bars_n, 60 - first_row);
    return o;
}

Test(session, rules_act_from_the_first_bar_or_one_bar_after_their_series_are_defined)
{
    static const struct {
        const char *what;
        uint32_t first_row;
        uint8_t first_signal;
        uint32_t entry_bar;
    } rows[] = {
        {"the first bar's signal fills at the second", 0, FIRST_SIGNAL_FIRST_BAR, 1},
        {"sma(5) is defined at bar 4, acts at 5, fills at 6", 0, FIRST_SIGNAL_AFTER_WARM_UP, 6},
        {"bars before the range feed the series, not the account", 20, FIRST_SIGNAL_FIRST_BAR, 1},
        {"what is warm before the range acts one bar into it", 20, FIRST_SIGNAL_AFTER_WARM_UP, 2},
        {"warm-up that ends inside the range", 2, FIRST_SIGNAL_AFTER_WARM_UP, 4},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome *o = run_rule(rows[i].first_row, rows[i].first_signal);
        cr_expect_eq(o->trades[0].entry_bar, rows[i].entry_bar, "%s: %u", rows[i].what,
                     o->trades[0].entry_bar);
        free(o);
    }
}

/* ---- both sides at once, and the end -------------------------------------------------------- */

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fmax(1, fmax(fabs(a), fabs(b)));
}

static struct outcome *run_rules(const struct strategy_spec *rules, struct combo combo)
{
    static struct column_set columns;
    desk_walk(&columns, 60, 3, 0);
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = desk_new_specs(1),
                     .specs_n = 1,
                     .combos = &combo,
                     .combos_n = 1};
    d.specs[0] = *rules;
    desk_set_strategy(&d.specs[0], "rules");
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combo);
    desk_close(&d);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    return o;
}

Test(session, a_strategy_that_says_both_sides_on_every_bar_is_long_and_stays)
{
    struct strategy_spec rules = {0};
    desk_set_rule(rules.long_entry, "close > 0");
    desk_set_rule(rules.short_entry, "close > 0");
    struct outcome *o = run_rules(&rules, desk_new_combo(0));
    cr_assert_eq(o->trades_n, 1);
    cr_expect_gt(o->trades[0].qty, 0);
    cr_expect_eq(o->trades[0].exit_bar, TRADE_OPEN);
    free(o);
}

Test(session, equity_of_the_last_bar_knows_what_closing_at_the_end_cost)
{
    struct strategy_spec rules = {0};
    desk_set_rule(rules.long_entry, "close > 0");
    struct combo combo = desk_new_combo(0);
    struct outcome *marked = run_rules(&rules, combo);
    combo.execution.at_end = AT_END_CLOSE_AT_CLOSE;
    struct outcome *closed = run_rules(&rules, combo);
    cr_assert_eq(closed->trades_n, 1);
    const struct trade *t = &closed->trades[0];
    cr_expect(t->exit_bar == 59 && t->exit_rule == FILL_RULE_END);
    cr_expect_lt(closed->equity[59], marked->equity[59]);
    cr_expect_eq(closed->equity[59], closed->cash[59]);
    cr_expect(near(closed->equity[59], 100000 + t->pnl));
    cr_expect_eq(memcmp(closed->equity, marked->equity, 59 * sizeof(double)), 0);
    cr_expect_eq(closed->result.metrics[METRIC_TRADES], 1);
    cr_expect_eq(marked->result.metrics[METRIC_TRADES], 0);
    cr_expect_lt(closed->result.metrics[METRIC_EXPOSURE_PCT],
                 marked->result.metrics[METRIC_EXPOSURE_PCT], "flat at the last close");
    free(marked);
    free(closed);
}

/* ---- refusals ------------------------------------------------------------------------------- */

Test(session, parameters_that_the_strategy_refuses_are_invalid_and_say_why)
{
    static struct column_set columns;
    desk_walk(&columns, 100, 3, 0);
    struct combo combos[2] = {desk_new_combo(0), desk_new_combo(1)};
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = desk_new_specs(1),
                     .specs_n = 1,
                     .combos = combos,
                     .combos_n = 2};
    desk_set_strategy(&d.specs[0], "sma_cross");
    combos[0].params_n = combos[1].params_n = 2;
    combos[0].params[0] = 20;
    combos[0].params[1] = 10;
    combos[1].params[0] = 5;
    combos[1].params[1] = 10;
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combos[0]);
    cr_expect_eq(o->result.status, STATUS_INVALID);
    cr_expect(strstr(o->result.message, "fast_period < slow_period"), "%s", o->result.message);
    cr_expect(isnan(o->result.metrics[0]));
    struct outcome *next = desk_run(&d, &combos[1]);
    cr_expect_eq(next->result.status, STATUS_OK, "%s", next->result.message);
    combos[1].strategy_idx = 7;
    struct outcome *unknown = desk_run(&d, &combos[1]);
    cr_expect_eq(unknown->result.status, STATUS_INVALID);
    combos[1].strategy_idx = 0;
    combos[1].symbol_idx = 9;
    struct outcome *elsewhere = desk_run(&d, &combos[1]);
    cr_expect_eq(elsewhere->result.status, STATUS_INVALID);
    cr_expect(strstr(elsewhere->result.message, "symbol 9"), "%s", elsewhere->result.message);
    free(o);
    free(next);
    free(unknown);
    free(elsewhere);
    desk_close(&d);
}

/* ---- bankruptcy ----------------------------------------------------------------------------- */

Test(session, an_account_without_equity_ends_at_that_close_and_stays_at_nothing)
{
    static struct column_set c;
    desk_walk(&c, 40, 3, 0);
    for (uint32_t i = 0; i < 40; i++) {
        c.open[i] = c.close[i] = i < 10 ? 100 : 250;
        c.high[i] = c.open[i];
        c.low[i] = c.open[i];
    }
    struct combo combo = desk_new_combo(0);
    struct desk d = desk_of_one(&c, &combo, "rules");
    desk_set_rule(d.specs[0].short_entry, "close > 0");
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combo);
    cr_assert_eq(o->result.status, STATUS_OK);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].exit_rule, FILL_RULE_BANKRUPT);
    cr_expect_eq(o->trades[0].exit_bar, 10);
    cr_expect_eq(o->trades[0].exit_px, 250);
    cr_expect_gt(o->equity[9], 0);
    for (uint32_t t = 10; t < 40; t++)
        cr_expect(o->equity[t] == 0 && o->cash[t] == 0, "bar %u", t);
    cr_expect_eq(o->result.metrics[METRIC_EQUITY_FINAL], 0);
    free(o);
    desk_close(&d);
}

static void count_signal(void *self, const void *event)
{
    uint32_t *n = self;
    *n += ((const struct signal *)event)->kinds != 0;
}

/* It has no account to look at: every condition that holds is said. */
Test(session, a_minimal_container_is_a_strategy_alone_that_says_every_signal)
{
    static struct column_set c;
    desk_walk(&c, 50, 11, 0);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&c}, .symbols_n = 1};
    desk_every_strategy(&d, combos);
    desk_open(&d);
    for (int i = 0; i < EVERY_N; i++) {
        struct container *minimal;
        struct result result;
        struct err err;
        uint32_t said_n = 0;
        const struct container_request q = {
            .shape = SHAPE_MINIMAL, .combo = &combos[i], .arena = &d.arena};
        cr_assert_eq(session_container(&d.session, &q, &minimal, &err), 0, "%s", err.text);
        cr_assert_eq(minimal->components_n, 1);
        cr_assert_eq(bus_subscribe(&minimal->bus, EVENT_SIGNAL, RANK_RECORD,
                                   (struct bus_handler){count_signal, &said_n, 0}),
                     0);
        container_start(minimal);
        cr_expect_eq(driver_reference_run(minimal), 50);
        session_finish(minimal, &combos[i], &result);
        cr_expect_eq(result.status, STATUS_OK);
        if (strcmp(d.session.run.strategies[combos[i].strategy_idx].type, "buy_and_hold") == 0)
            cr_expect_eq(said_n, 50, "every bar says so");
        arena_reset(&d.arena);
    }
    desk_close(&d);
}

Test(session, a_range_of_one_bar_runs)
{
    static struct column_set c;
    desk_walk(&c, 1, 3, 0);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&c}, .symbols_n = 1};
    desk_every_strategy(&d, combos);
    desk_open(&d);
    for (int i = 0; i < EVERY_N; i++) {
        combos[i].execution.at_end = (uint8_t)(i % 3);
        struct outcome *o = desk_run(&d, &combos[i]);
        cr_expect_eq(o->result.status, STATUS_OK, "%s", o->result.message);
        cr_expect_eq(o->bars_n, 1);
        free(o);
    }
    desk_close(&d);
}
