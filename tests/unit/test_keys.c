/* SPDX-License-Identifier: MIT */
/* The promise: every key of execution, exits, portfolio and risk reaches its field, has the default
 * that is documented, refuses what it cannot be, survives being written out, and counts for the
 * run's identity; what contradicts itself is refused where it stands; each engine's conventions are
 * those of the table. */
#include <errno.h>
#include <math.h>

#include "proto/trade.h"
#include "supervisor/config/loader.h"
#include "tests/unit/config_fixture.h"

/* ---- keys of the execution model ------------------------------------------------------------ */

enum field_type { A_DOUBLE, A_WORD, A_BYTE };

#define FIELD(member, type) offsetof(struct combo, member), type

/* A key, the field that it must reach, a value, the default, and a value that must be refused. */
static const struct {
    const char *path;
    size_t offset;
    enum field_type type;
    const char *value;
    double want, dflt;
    const char *bad, *why;
} keys[] = {
    {"execution.fill", FIELD(execution.fill, A_BYTE), "this_close", FILL_THIS_CLOSE, FILL_NEXT_OPEN,
     "next_close", "expected: next_open, this_close"},
    {"execution.close_booked", FIELD(execution.close_booked, A_BYTE), "next_bar",
     CLOSE_BOOKED_NEXT_BAR, CLOSE_BOOKED_THIS_BAR, "later", "expected: this_bar, next_bar"},
    {"execution.market_on", FIELD(execution.market_on, A_BYTE), "close", MARKET_ON_CLOSE,
     MARKET_ON_OPEN, "high", "expected: open, close"},
    {"execution.delay", FIELD(execution.delay, A_WORD), "1000", 1000, 0, "1001", "0 to 1000"},
    {"execution.time_in_force", FIELD(execution.time_in_force, A_BYTE), "ioc", TIF_IOC, TIF_GTC,
     "fok", "expected: gtc, day, ioc"},
    {"execution.same_bar", FIELD(execution.same_bar, A_BYTE), "stop_first", SAME_BAR_STOP_FIRST,
     SAME_BAR_PESSIMISTIC, "stop", "pessimistic, optimistic, nearest_open, stop_first"},
    {"execution.orders_per_bar", FIELD(execution.orders_per_bar, A_BYTE), "one", ORDERS_PER_BAR_ONE,
     ORDERS_PER_BAR_ANY, "1", "expected: any, one"},
    {"execution.at_end", FIELD(execution.at_end, A_BYTE), "close_at_open", AT_END_CLOSE_AT_OPEN,
     AT_END_MARK, "close", "expected: mark"},
    {"execution.opposite_signal", FIELD(risk.opposite_signal, A_BYTE), "ignore", OPPOSITE_IGNORE,
     OPPOSITE_REVERSE, "revers", "did you mean \"reverse\"?"},
    {"execution.same_signal", FIELD(risk.same_signal, A_BYTE), "reenter", SAME_SIGNAL_REENTER,
     SAME_SIGNAL_IGNORE, "add", "expected: ignore, reenter"},
    {"execution.conflicting_signals", FIELD(risk.conflicting_signals, A_BYTE), "ignore",
     CONFLICT_IGNORE, CONFLICT_ENTER, "none", "expected: enter, ignore"},
    {"execution.commission.percent", FIELD(execution.commission.percent_frac, A_DOUBLE), "0.002",
     0.002, 0, "0.6", "0 to 0.5"},
    {"execution.commission.fixed", FIELD(execution.commission.fixed, A_DOUBLE), "5", 5, 0, "-1",
     "out of range"},
    {"execution.commission.per_share", FIELD(execution.commission.per_share, A_DOUBLE), "0.005",
     0.005, 0, "-0.1", "out of range"},
    {"execution.commission.minimum", FIELD(execution.commission.minimum, A_DOUBLE), "1", 1, 0,
     "none", "is not a number"},
    {"execution.commission.maximum", FIELD(execution.commission.maximum, A_DOUBLE), "30", 30, 0,
     "-1", "out of range; expected: 0 to 1000000000000, or `none`"},
    {"execution.slippage.percent", FIELD(execution.slippage.percent_frac, A_DOUBLE), "0.002", 0.002,
     0, "1%", "write a fraction"},
    {"execution.slippage.ticks", FIELD(execution.slippage.ticks, A_DOUBLE), "1.5", 1.5, 0, "-1",
     "out of range"},
    {"execution.slippage.tick", FIELD(execution.slippage.tick, A_DOUBLE), "0.01", 0.01, 0, "-1",
     "or `none`"},
    {"execution.slippage.volume_share", FIELD(execution.slippage.volume_share, A_DOUBLE), "1", 1, 0,
     "1.5", "expected: 0 to 1, or `none`"},
    {"execution.slippage.impact", FIELD(execution.slippage.impact, A_DOUBLE), "0.1", 0.1, 0, "-1",
     "out of range"},
    {"execution.volume_rest", FIELD(execution.volume_rest, A_BYTE), "cancel", VOLUME_REST_CANCEL,
     VOLUME_REST_WAIT, "drop", "expected: wait, cancel"},
    {"execution.slips_in_bar", FIELD(execution.slips_in_bar, A_BYTE), "true", 1, 0, "yes",
     "expected: true or false"},
    {"execution.stops_exact", FIELD(execution.stops_exact, A_BYTE), "true", 1, 0, "1",
     "expected: true or false"},
    {"execution.spread", FIELD(execution.spread_frac, A_DOUBLE), "0.0002", 0.0002, 0, "0.51",
     "0 to 0.5"},
    {"execution.spread_paid", FIELD(execution.spread_paid, A_BYTE), "on_entry", SPREAD_ON_ENTRY,
     SPREAD_HALF_EACH, "both", "expected: half_each, on_entry"},
    {"execution.reversal_fee", FIELD(execution.reversal_fee, A_BYTE), "once", REVERSAL_FEE_ONCE,
     REVERSAL_FEE_EACH_FILL, "twice", "expected: each_fill, once"},
    {"execution.borrow_fee", FIELD(execution.borrow_fee_frac, A_DOUBLE), "0.03", 0.03, 0, "11",
     "0 to 10"},
    {"execution.margin_interest", FIELD(execution.margin_interest_frac, A_DOUBLE), "0.06", 0.06, 0,
     "-0.01", "0 to 10"},
    {"exits.stop_loss", FIELD(exits.stop_loss, A_DOUBLE), "0.05", 0.05, 0, "0",
     "0 is out of range; expected: above 0, below 1, or `none`"},
    {"exits.take_profit", FIELD(exits.take_profit, A_DOUBLE), "2", 2, 0, "0", "or `none`"},
    {"exits.trailing_stop", FIELD(exits.trailing_stop, A_DOUBLE), "0.1", 0.1, 0, "1",
     "above 0, below 1"},
    {"exits.trailing_amount", FIELD(exits.trailing_amount, A_DOUBLE), "2.5", 2.5, 0, "0",
     "or `none`"},
    {"exits.max_bars", FIELD(exits.max_bars, A_WORD), "10", 10, 0, "0.5", "or `none`"},
    {"exits.base", FIELD(exits.base, A_BYTE), "entry_close", EXIT_BASE_ENTRY_CLOSE,
     EXIT_BASE_FILL_PRICE, "close", "fill_price, signal_close, entry_close"},
    {"exits.live_from", FIELD(exits.live_from, A_BYTE), "next_bar", LIVE_FROM_NEXT_BAR,
     LIVE_FROM_FILL_BAR, "bar", "expected: fill_bar, next_bar"},
    {"portfolio.sizing.percent_of_equity", FIELD(portfolio.sizing_value, A_DOUBLE), "0.5", 0.5, 1,
     "0", "above 0"},
    {"portfolio.sizing.percent_of_cash", FIELD(portfolio.sizing_value, A_DOUBLE), "0.5", 0.5, 1,
     "1.1", "at most 1"},
    {"portfolio.sizing.units", FIELD(portfolio.sizing_value, A_DOUBLE), "3", 3, 1, "-3", "above 0"},
    {"portfolio.sizing.cash", FIELD(portfolio.sizing_value, A_DOUBLE), "2500", 2500, 1, "0",
     "above 0"},
    {"portfolio.sizing.risk_frac", FIELD(portfolio.sizing_value, A_DOUBLE), "0.01", 0.01, 1, "2",
     "at most 1"},
    {"portfolio.sizing.target_volatility", FIELD(portfolio.sizing_value, A_DOUBLE), "0.1", 0.1, 1,
     "none", "is not a number"},
    {"portfolio.sizing.target_percent", FIELD(portfolio.sizing_value, A_DOUBLE), "0.3", 0.3, 1, "0",
     "above 0"},
    {"portfolio.sizing.lookback", FIELD(portfolio.sizing_lookback, A_WORD), "60", 60, 20, "1",
     "whole number, 2 to 10000"},
    {"portfolio.min_notional", FIELD(portfolio.min_notional, A_DOUBLE), "10", 10, 0, "-1",
     "out of range"},
    {"portfolio.maintenance_margin", FIELD(portfolio.maintenance_margin, A_DOUBLE), "0.25", 0.25, 0,
     "25", "0 to 1"},
    {"portfolio.unaffordable", FIELD(portfolio.unaffordable, A_BYTE), "reduce", UNAFFORDABLE_REDUCE,
     UNAFFORDABLE_DROP, "cut", "expected: drop, reduce"},
    {"portfolio.commission_reserve", FIELD(portfolio.commission_reserve, A_BYTE), "each_unit",
     RESERVE_EACH_UNIT, RESERVE_WHOLE_ORDER, "none", "expected: whole_order, each_unit"},
    {"portfolio.short_margin", FIELD(portfolio.short_margin, A_BYTE), "none", SHORT_MARGIN_NONE,
     SHORT_MARGIN_EQUITY, "cash", "expected: equity, none"},
    {"portfolio.cash_check", FIELD(portfolio.cash_check, A_BYTE), "signal_close_too",
     CASH_CHECK_SIGNAL_CLOSE_TOO, CASH_CHECK_AT_FILL, "never", "expected: at_fill"},
    {"portfolio.bankruptcy", FIELD(portfolio.bankruptcy, A_BYTE), "run_on", BANKRUPTCY_RUN_ON,
     BANKRUPTCY_END, "ignore", "expected: end, run_on"},
    {"risk.max_position_size", FIELD(risk.max_position_size, A_DOUBLE), "1000", 1000, 0, "0",
     "or `none`"},
    {"risk.max_exposure", FIELD(risk.max_exposure, A_DOUBLE), "0.25", 0.25, 0, "0", "or `none`"},
    {"risk.max_leverage", FIELD(risk.max_leverage, A_DOUBLE), "1.5", 1.5, 0, "-1", "or `none`"},
    {"risk.max_drawdown", FIELD(risk.max_drawdown, A_DOUBLE), "0.2", 0.2, 0, "20",
     "above 0, below 1"},
    {"risk.max_daily_loss", FIELD(risk.max_daily_loss, A_DOUBLE), "0.03", 0.03, 0, "0",
     "or `none`"},
    {"risk.cooldown_bars", FIELD(risk.cooldown_bars, A_WORD), "5", 5, 0, "2.5", "is not whole"},
};
#define KEYS_N (sizeof(keys) / sizeof(keys[0]))

static double value_at(const struct combo *combo, size_t offset, enum field_type type)
{
    double value;
    uint32_t word;
    memcpy(&value, (const char *)combo + offset, sizeof(value));
    memcpy(&word, (const char *)combo + offset, sizeof(word));
    return type == A_DOUBLE ? value : type == A_WORD ? word : ((const uint8_t *)combo)[offset];
}

Test(keys, keys_reach_their_fields_and_nothing_else_changes_without_them)
{
    struct config *plain = fixture_load(FIXTURE_BASE, NULL);
    for (size_t i = 0; i < KEYS_N; i++) {
        double dflt = value_at(&plain->strategies[0].base, keys[i].offset, keys[i].type);
        cr_expect(dflt == keys[i].dflt, "%s: default %g", keys[i].path, dflt);
        struct config *c = fixture_key(keys[i].path, keys[i].value);
        double got = value_at(&c->strategies[0].base, keys[i].offset, keys[i].type);
        cr_expect(got == keys[i].want, "%s: %s gives %g", keys[i].path, keys[i].value, got);
        config_destroy(c);
    }
    config_destroy(plain);
}

Test(keys, values_out_of_range_are_refused_with_what_is_expected)
{
    for (size_t i = 0; i < KEYS_N; i++) {
        char set[256];
        snprintf(set, sizeof(set), "%s=%s", keys[i].path, keys[i].bad);
        const char *companion = fixture_companion(keys[i].path, keys[i].bad);
        const char *sets[] = {companion ? companion : set, companion ? set : NULL, NULL};
        struct config *c = NULL;
        struct err err = {0};
        cr_expect(fixture_parse(FIXTURE_BASE, sets, &c, &err) == -EDOM, "%s was taken", set);
        cr_expect(strstr(err.text, keys[i].why) != NULL, "%s\n  got %s", set, err.text);
        config_destroy(c);
    }
}

Test(keys, keys_are_written_out_read_back_and_part_of_the_identity)
{
    for (size_t i = 0; i < KEYS_N; i++) {
        uint64_t plain_hash[2], hash[2], again_hash[2];
        const char *companion = fixture_companion(keys[i].path, keys[i].value);
        struct config *plain = fixture_load(
            FIXTURE_BASE, companion && strncmp(companion, "portfolio", 9) ? companion : NULL);
        struct config *c = fixture_key(keys[i].path, keys[i].value);
        char *text = fixture_resolved(c);
        struct config *again = fixture_load(text, NULL);
        config_hash(plain, plain_hash);
        config_hash(c, hash);
        config_hash(again, again_hash);
        cr_expect(memcmp(plain_hash, hash, sizeof(hash)) != 0, "%s is not hashed", keys[i].path);
        cr_expect(memcmp(hash, again_hash, sizeof(hash)) == 0, "%s\n%s", keys[i].path, text);
        cr_expect(value_at(&again->strategies[0].base, keys[i].offset, keys[i].type) ==
                      keys[i].want,
                  "%s\n%s", keys[i].path, text);
        free(text);
        config_destroy(plain);
        config_destroy(c);
        config_destroy(again);
    }
}

Test(keys, sizings_are_told_apart)
{
    for (const struct choice *s = choices_sizing; s->name; s++) {
        char path[64];
        snprintf(path, sizeof(path), "portfolio.sizing.%s", s->name);
        struct config *c = fixture_key(path, "0.5");
        cr_expect(c->strategies[0].base.portfolio.sizing == s->value, "%s", s->name);
        char *text = fixture_resolved(c), want[64];
        snprintf(want, sizeof(want), "sizing: {%s: 0.5", s->name);
        cr_expect(strstr(text, want) != NULL, "%s\n%s", want, text);
        free(text);
        config_destroy(c);
    }
}

Test(keys, none_is_written_as_a_word)
{
    struct config *c = fixture_load(FIXTURE_BASE "exits: {stop_loss: none, max_bars: none}\n"
                                                 "risk: {max_drawdown: none}\n",
                                    "execution.commission={maximum: none}");
    static const char *const lines[] = {
        "  stop_loss: none\n",
        "  trailing_stop: none\n",
        "  trailing_amount: none\n",
        "  max_bars: none\n",
        "  max_drawdown: none\n",
        "  max_exposure: none\n",
        "  max_daily_loss: none\n",
        "  max_leverage: none\n",
        "  max_position_size: none\n",
        "  cooldown_bars: 0\n",
        "  delay: 0\n",
        "  min_notional: 0\n",
        "  commission: {percent: 0, fixed: 0, per_share: 0, minimum: 0, maximum: none}\n",
        "  slippage: {percent: 0, ticks: 0, tick: none, volume_share: none, impact: 0}\n",
    };
    char *text = fixture_resolved(c);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        cr_expect(strstr(text, lines[i]) != NULL, "%s is missing\n%s", lines[i], text);
    free(text);
    config_destroy(c);
}

Test(keys, zero_is_none_where_it_is_taken)
{
    struct config *c = fixture_load(
        FIXTURE_BASE
        "execution: {commission: {maximum: 0}, slippage: {tick: 0, volume_share: 0}}\n",
        NULL);
    struct config *none = fixture_load(FIXTURE_BASE, NULL);
    char *text = fixture_resolved(c), *want = fixture_resolved(none);
    cr_expect_str_eq(text, want);
    free(text);
    free(want);
    config_destroy(c);
    config_destroy(none);
}

Test(keys, every_exit_may_be_swept_in_place_with_none_among_its_values)
{
    static const char *const names[] = {"stop_loss", "take_profit", "trailing_stop",
                                        "trailing_amount", "max_bars"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char set[128];
        struct combo combo;
        const char *symbol;
        const struct schema_row *row = sweep_find(names[i]);
        bool is_bars = !strcmp(names[i], "max_bars");
        snprintf(set, sizeof(set), "exits.%s=[none, %s]", names[i], is_bars ? "7" : "0.25");
        struct config *c = fixture_load(FIXTURE_BASE, set);
        cr_assert(c->combinations_n == 2 && grid_combo(c, 0, &combo));
        cr_expect(field_get(&combo, row) == 0 && isnan(grid_value(c, 0, names[i], &symbol)));
        cr_assert(grid_combo(c, 1, &combo));
        cr_expect(field_get(&combo, row) == (is_bars ? 7 : 0.25), "%s", set);
        cr_expect(grid_value(c, 1, names[i], &symbol) == (is_bars ? 7 : 0.25));
        config_destroy(c);
    }
}

Test(keys, none_is_undefined_in_where)
{
    struct config *c = fixture_load("data: {symbols: [A]}\n"
                                    "strategies: [{type: sma_cross, where: stop_loss < 0.2}]\n"
                                    "exits: {stop_loss: [none, 0.1, 0.3]}\n",
                                    NULL);
    struct combo combo;
    cr_expect(grid_count(c) == 1 && grid_combo(c, 1, &combo));
    config_destroy(c);
}

/* ---- conventions ---------------------------------------------------------------------------- */

/* Each engine's value of each key reaches the resolved configuration, and one key overrides it. */
Test(keys, conventions_set_every_key_that_the_table_names)
{
    const struct convention *c;
    for (int engine = 0; engine < CONVENTIONS_N; engine++) {
        char set[64];
        snprintf(set, sizeof(set), "conventions=%s", choice_name(choices_conventions, engine));
        struct config *config = fixture_load(FIXTURE_BASE, set);
        char *text = fixture_resolved(config);
        for (size_t i = 0; (c = convention_at(i)); i++) {
            const struct schema_row *row = schema_at(c->path);
            char line[128];
            cr_assert_not_null(row, "%s is no key", c->path);
            snprintf(line, sizeof(line), "\n  %s: %s\n", schema_key(row),
                     convention_value(row, (enum conventions)engine));
            cr_expect(strstr(text, line) != NULL, "%s lacks%s", set, line);
        }
        free(text);
        config_destroy(config);
    }
}

Test(keys, starred_keys_of_the_contract_are_conventions)
{
    static const char *const paths[] = {
        "exits.base",         "exits.live_from",  "execution.fill", "execution.spread_paid",
        "execution.same_bar", "execution.at_end", "portfolio.lot",  "execution.opposite_signal",
        "portfolio.sizing",   "metrics.profile",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        cr_expect_not_null(convention_find(paths[i]), "%s", paths[i]);
    cr_expect_null(convention_find("execution.commission"));
}

Test(keys, engines_differ_where_they_do)
{
    struct config *c = fixture_load(FIXTURE_BASE "conventions: vectorbt\n", NULL);
    const struct combo *b = &c->strategies[0].base;
    cr_expect(b->portfolio.lot == 0 && b->portfolio.sizing == SIZING_PERCENT_OF_CASH);
    cr_expect(b->portfolio.sizing_value == 1 && b->exits.base == EXIT_BASE_ENTRY_CLOSE);
    cr_expect(b->exits.live_from == LIVE_FROM_NEXT_BAR && b->execution.stops_exact);
    cr_expect(b->execution.orders_per_bar == ORDERS_PER_BAR_ONE);
    cr_expect(b->execution.reversal_fee == REVERSAL_FEE_ONCE && c->profile == PROFILE_VECTORBT);
    cr_expect(b->risk.conflicting_signals == CONFLICT_IGNORE);
    config_destroy(c);
    c = fixture_load(FIXTURE_BASE "conventions: backtrader\n", "execution.close_booked=next_bar");
    b = &c->strategies[0].base;
    cr_expect(b->portfolio.sizing == SIZING_UNITS && b->portfolio.sizing_value == 1);
    cr_expect(b->portfolio.cash_check == CASH_CHECK_SIGNAL_CLOSE_TOO);
    cr_expect(b->portfolio.short_margin == SHORT_MARGIN_NONE && c->profile == PROFILE_NATIVE);
    cr_expect(b->exits.base == EXIT_BASE_SIGNAL_CLOSE && b->execution.slips_in_bar);
    cr_expect(b->execution.close_booked == CLOSE_BOOKED_NEXT_BAR);
    config_destroy(c);
}

/* ---- contradictions ------------------------------------------------------------------------- */

Test(keys, contradictions_are_refused_at_a_key_that_was_written)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {FIXTURE_BASE "execution: {fill: this_close, market_on: close}\n",
         "test.yaml:3:31: execution.market_on: close is for fill: next_open"},
        {FIXTURE_BASE "conventions: vectorbt\nexecution: {market_on: close}\n",
         "test.yaml:4:13: execution.market_on: close is for fill: next_open"},
        {FIXTURE_BASE "exits: {base: entry_close}\n",
         "test.yaml:3:9: exits.base: entry_close is not known"},
        {FIXTURE_BASE "conventions: vectorbt\nexits: {live_from: fill_bar}\n",
         "test.yaml:4:9: exits.base: entry_close is not known"},
        {FIXTURE_BASE "execution: {slippage: {ticks: 2}}\n",
         "test.yaml:3:24: execution.slippage.ticks needs the size of a tick"},
        {FIXTURE_BASE "optimization: {parameter_grids: {slippage_ticks: [0, 1]}}\n",
         "test.yaml:3:34: execution.slippage.ticks needs the size of a tick"},
        {FIXTURE_BASE "execution: {commission: {maximum: 1, minimum: 2}}\n",
         "test.yaml:3:38: execution.commission: the minimum 2 is more than the maximum 1"},
        {"data: {symbols: [A]}\nexecution: {commission: {minimum: 3}}\nstrategies:\n"
         "  - {type: sma_cross}\n  - {type: momentum, execution_config: {commission: {minimum: 3,\n"
         "      maximum: 2}}}\n",
         "test.yaml:5:54: execution.commission: the minimum 3 is more than the maximum 2"},
        {FIXTURE_BASE "execution: {commission: {minimum: 3}}\n"
                      "optimization: {parameter_grids: {commission_maximum: [none, 2, 9]}}\n",
         "test.yaml:3:26: execution.commission: the minimum 3 is more than the maximum 2"},
        {FIXTURE_BASE "portfolio: {sizing: {risk_frac: 0.01}}\n",
         "test.yaml:3:22: portfolio.sizing.risk_frac divides by the distance of the stop"},
        {FIXTURE_BASE "portfolio: {sizing: {risk_frac: 0.01}}\nexits: {stop_loss: [0.1, none]}\n",
         "set exits.stop_loss, exits.trailing_stop or exits.trailing_amount"},
        {FIXTURE_BASE "optimization: {parameter_grids: {risk_frac: [0.01, 0.02]}}\n",
         "test.yaml:3:34: portfolio.sizing.risk_frac divides"},
        {FIXTURE_BASE "optimization: {parameter_grids: {sizing_lookback: [10, 20]}}\n",
         "test.yaml:3:34: sizing_lookback is swept, but portfolio.sizing is not"},
        {FIXTURE_BASE "portfolio: {sizing: {units: 3, lookback: 9}}\n",
         "test.yaml:3:32: portfolio.sizing.lookback goes with target_volatility alone"},
        {FIXTURE_BASE "portfolio: {sizing: {lookback: 9}}\n", "a map with exactly one of"},
        {FIXTURE_BASE "metrics: {profile: vectorbt}\n"
                      "optimization: {parameter_grids: {max_drawdown: [0.1, 0.2]}}\n",
         "test.yaml:4:34: max_drawdown is swept, and is a metric of metrics.profile vectorbt"},
        {FIXTURE_BASE "execution: {delay: [1, 2]}\n",
         "write it under optimization.parameter_grids as `delay: [ … ]`"},
        {FIXTURE_BASE "execution: {commission: [0.1, 0.2]}\n",
         "write it under optimization.parameter_grids as `commission: [ … ]`"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *c = NULL;
        struct err err = {0};
        cr_expect(fixture_parse(rows[i].text, NULL, &c, &err) == -EDOM, "%s", rows[i].text);
        cr_expect(strstr(err.text, rows[i].error) != NULL, "want %s\n  got %s", rows[i].error,
                  err.text);
        config_destroy(c);
    }
}

Test(keys, what_a_contradiction_needs_mends_it)
{
    static const char *const texts[] = {
        FIXTURE_BASE "conventions: vectorbt\nexecution: {fill: next_open, market_on: close}\n",
        FIXTURE_BASE "exits: {base: entry_close, live_from: next_bar}\n",
        FIXTURE_BASE "execution: {slippage: {ticks: 2, tick: 0.5}}\n",
        FIXTURE_BASE "execution: {commission: {minimum: 3, maximum: 3}}\n",
        FIXTURE_BASE "portfolio: {sizing: {risk_frac: 0.01}}\nexits: {trailing_stop: [0.1, 0.2]}\n",
        FIXTURE_BASE "portfolio: {sizing: {risk_frac: 0.01}}\n"
                     "exits: {stop_loss: [0.1, none], trailing_amount: 3}\n",
        FIXTURE_BASE "portfolio: {sizing: {target_volatility: 0.2}}\n"
                     "optimization: {parameter_grids: {sizing_lookback: [10, 20]}}\n",
        FIXTURE_BASE "optimization: {parameter_grids: {max_drawdown: [0.1, 0.2]}}\n",
        FIXTURE_BASE "portfolio: {leverage: 10, maintenance_margin: 0.099}\n",
        FIXTURE_BASE "portfolio: {maintenance_margin: 1}\n", /* no debt to be called */
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        config_destroy(fixture_load(texts[i], NULL));
}

/* ---- what has no effect --------------------------------------------------------------------- */

Test(keys, what_has_no_effect_is_noted_where_it_was_written)
{
    static const struct {
        const char *text, *notes;
    } rows[] = {
        {FIXTURE_BASE "execution: {volume_rest: cancel}\n",
         "test.yaml:3:13: note: execution.volume_rest has no effect without "
         "execution.slippage.volume_share\n"},
        {FIXTURE_BASE "execution: {volume_rest: wait}\n", ""},
        {FIXTURE_BASE "execution: {volume_rest: cancel}\n"
                      "optimization: {parameter_grids: {slippage_volume_share: [none, 0.1]}}\n",
         ""},
        {"data: {symbols: [A], warm_up: 3}\nstrategies: [{type: sma_cross}]\n",
         "test.yaml:1:22: note: data.warm_up has no effect without data.from: no bar stands before "
         "the range\n"},
        {"data: {symbols: [A], warm_up: 3, from: 10}\nstrategies: [{type: sma_cross}]\n", ""},
        {FIXTURE_BASE "conventions: backtrader\nexecution: {spread_paid: half_each}\n", ""},
        {"data: {symbols: [A]}\nexecution: {spread_paid: on_entry}\nstrategies:\n"
         "  - {type: sma_cross, execution_config: {spread: 0.01}}\n  - {type: momentum}\n",
         ""}, /* one of them heeds it */
        {"data: {symbols: [A]}\nexecution: {time_in_force: day}\nstrategies:\n"
         "  - {type: sma_cross}\n  - {type: rules, long_entry: close > 1, long_limit: close}\n",
         ""},
        {"data: {symbols: [A]}\nstrategies:\n"
         "  - {type: sma_cross, execution_config: {close_booked: next_bar}}\n",
         "test.yaml:3:42: note: execution.close_booked has no effect without fill: this_close\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *c = fixture_load(rows[i].text, NULL);
        cr_expect_str_eq(c->notes.n_bytes ? c->notes.data : "", rows[i].notes, "%s", rows[i].text);
        config_destroy(c);
    }
}

/* ---- prices of entries ---------------------------------------------------------------------- */

#define RULES "data: {symbols: [A]}\nstrategies:\n  - type: rules\n"

Test(keys, entries_have_prices)
{
    struct config *c = fixture_load(RULES "    long_entry: close > 1\n"
                                          "    long_limit: close * (1 - d)\n"
                                          "    long_stop: shift(high, 1)\n"
                                          "    short_entry: close < 1\n"
                                          "    short_limit: sma(close, n)\n"
                                          "    short_stop: low - 1\n"
                                          "    parameters: {d: 0.01, n: [5, 10]}\n",
                                    NULL);
    const struct config_strategy *s = &c->strategies[0];
    cr_expect_str_eq(s->spec.long_limit, "close * (1 - d)");
    cr_expect_str_eq(s->spec.long_stop, "shift(high, 1)");
    cr_expect_str_eq(s->spec.short_limit, "sma(close, n)");
    cr_expect_str_eq(s->spec.short_stop, "low - 1");
    cr_expect_str_eq(s->rule_at[4].text, "test.yaml:5:17");
    cr_expect(c->combinations_n == 2 && s->spec.params_n == 2);
    config_destroy(c);
}

Test(keys, prices_are_numbers_beside_their_entries)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {RULES "    long_entry: close > 1\n    long_limit: close > 2\n",
         "test.yaml:5:17: long_limit: \"close > 2\" is a condition, not a price"},
        {RULES "    short_entry: close > 1\n    long_stop: close + 2\n",
         "test.yaml:5:5: long_stop is the price of an entry, and there is no long_entry"},
        {RULES "    long_entry: close > 1\n    short_limit: close + 2\n",
         "test.yaml:5:5: short_limit is the price of an entry, and there is no short_entry"},
        {RULES "    long_entry: close > 1\n    long_limit: shift(close, -1)\n", "long_limit: "},
        {"data: {symbols: [A]}\nstrategies: [{type: sma_cross, long_limit: close}]\n",
         "`long_limit` is for strategies of type rules"},
        {RULES "    long_entry: close > 1\n    long_limits: close + 2\n",
         "did you mean \"long_limit\"?"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *c = NULL;
        struct err err = {0};
        cr_expect(fixture_parse(rows[i].text, NULL, &c, &err) == -EDOM, "%s", rows[i].text);
        cr_expect(strstr(err.text, rows[i].error) != NULL, "want %s\n  got %s", rows[i].error,
                  err.text);
    }
}

/* A parameter may be called as a key that could be swept, unless the file sweeps that key. */
Test(keys, names_of_grids_are_free_where_no_grid_has_them)
{
    const char *text = RULES "    long_entry: shift(close, delay) > 1\n"
                             "    parameters: {delay: [1, 2]}\n";
    struct config *c = fixture_load(text, NULL);
    struct combo combo;
    cr_assert(grid_combo(c, 1, &combo));
    cr_expect(combo.params[0] == 2 && combo.execution.delay == 0);
    config_destroy(c);
    const char *const sets[] = {"optimization.parameter_grids.delay=[1, 2]", NULL};
    struct err err = {0};
    c = NULL;
    cr_expect(fixture_parse(text, sets, &c, &err) == -EDOM);
    cr_expect(strstr(err.text, "it is a name of parameter_grids") != NULL, "%s", err.text);
}
