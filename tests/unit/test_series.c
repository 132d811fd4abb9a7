/* SPDX-License-Identifier: MIT */
/* The promise: equal keys are one series, and finding the series of a parameter space costs what is
 * distinct, not the size of the grid. */
#include <math.h>

#include "shm/graph.h"
#include "supervisor/plan/pieces.h"
#include "tests/unit/plan_fixture.h"

static bool has_key(const struct series_plan *plan, const char *key)
{
    for (uint32_t i = 0; i < plan->n; i++)
        if (strcmp(plan->key[i], key) == 0)
            return true;
    return false;
}

Test(series, a_series_that_two_rules_name_is_planned_once)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: sma_cross\n"
                                      "    parameters: {fast_period: [5, 10, 20], "
                                      "slow_period: [10, 20, 40]}\n");
    struct series_plan *plan = series_of(config, 1);
    cr_expect_eq(plan->n, 4);
    cr_expect(has_key(plan, "sma(close,5)"));
    cr_expect(has_key(plan, "sma(close,40)"));
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(series, each_symbol_has_its_own_series)
{
    struct config *config = config_of("type: optimization\ndata: {symbols: [SPX, BTC]}\n"
                                      "strategies: [{type: momentum}]\n");
    struct series_plan *plan = series_of(config, 2);
    cr_expect_eq(plan->n, 2);
    cr_expect_eq(plan->symbol[0], 0);
    cr_expect_eq(plan->symbol[1], 1);
    cr_expect_str_eq(plan->key[0], plan->key[1]);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(series, the_prices_of_entries_have_theirs_for_every_value_that_they_name)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [3, 4], m: 7}\n"
                                      "    long_entry: close > 0\n"
                                      "    long_limit: min(low, n) - 1\n"
                                      "    long_stop: max(high, m)\n"
                                      "    short_entry: close < max(high, m)\n"
                                      "    short_limit: max(high, n)\n"
                                      "    short_stop: shift(min(low, 9), 2)\n");
    struct series_plan *plan = series_of(config, 1);
    static const char *const keys[] = {"min(low,3)",  "min(low,4)",  "max(high,7)",
                                       "max(high,3)", "max(high,4)", "min(low,9)"};
    cr_expect_eq(plan->n, 6);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cr_expect(has_key(plan, keys[i]), "%s", keys[i]);
    series_plan_destroy(plan);
    config_destroy(config);
}

static const char rules_yaml[] = "type: backtest\n" DATA "strategies:\n"
                                 "  - type: rules\n"
                                 "    parameters: {n: 3}\n"
                                 "    long_entry: %s\n";

static int plan_rule(const char *rule, uint32_t symbols_n)
{
    char yaml[1024];
    struct series_plan *plan = NULL;
    snprintf(yaml, sizeof yaml, rules_yaml, rule);
    struct config *config = config_of(yaml);
    int rc = series_plan_make(config, &describe, bars, symbols_n, 100000, &plan, &err);
    series_plan_destroy(plan);
    config_destroy(config);
    return rc;
}

Test(series, an_unknown_name_is_refused_with_a_suggestion)
{
    cr_expect_eq(plan_rule("sma(forecast, n) > 0", 1), 0, "%s", err.text);
    cr_expect_lt(plan_rule("sma(forecats, n) > 0", 1), 0);
    cr_expect_eq(err.kind, ERR_CONFIG);
    cr_expect_not_null(strstr(err.text, "forecast"), "%s", err.text);
    cr_expect_lt(plan_rule("close * n > forecast", 2), 0);
    cr_expect_not_null(strstr(err.text, "BTC"), "%s", err.text);
    cr_expect_lt(plan_rule("clos > sma(close, n)", 1), 0);
    cr_expect_not_null(strstr(err.text, "did you mean \"close\"?"), "%s", err.text);
}

Test(series, an_error_of_a_rule_names_its_place_in_the_file)
{
    static const char *const wrong[] = {"clos > sma(close, n)", "sma(close, n / 2) > 1",
                                        "shift(close, 0 - n) > close", "sma(n, 3) > 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_lt(plan_rule(wrong[i], 1), 0, "%s", wrong[i]);
        cr_expect_eq(err.kind, ERR_CONFIG);
        cr_expect_eq(strncmp(err.text, "test:6:17: long_entry: ", 23), 0, "%s", err.text);
    }
}

Test(series, values_that_an_indicator_refuses_are_counted_once_and_the_first_is_told)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [0, 1, 2.5, 3], lag: [1, -1]}\n"
                                      "    long_entry: close > sma(close, n)\n"
                                      "    long_exit: close < sma(close, n) or close < "
                                      "shift(close, lag)\n");
    struct series_plan *plan = series_of(config, 1);
    cr_expect_eq(plan->n, 2);
    cr_expect_eq(plan->refused_n, 3);
    cr_expect_eq(strncmp(plan->refused.text, "test:6:17: long_entry: `sma(close, n)`: ", 40), 0,
                 "%s", plan->refused.text);
    series_plan_destroy(plan);
    config_destroy(config);
}

/* 10^9 combinations of 1,000 periods by 1,000 periods by 1,000 capitals need 1,999 series at most.
 */
Test(series, a_billion_combinations_cost_their_distinct_series)
{
    struct config *config;
    struct sharing *s = sharing_of_yaml(
        "type: optimization\n" DATA "strategies:\n"
        "  - type: sma_cross\n"
        "    parameters: {fast_period: {from: 1, to: 1000, step: 1}, "
        "slow_period: {from: 1, to: 1000, step: 1}}\n"
        "optimization:\n"
        "  parameter_grids: {initial_capital: {from: 1000, to: 1000000, step: 1000}}\n",
        &config);
    struct series_plan *plan = series_of(config, 1);
    cr_expect_eq(s->combinations_n, 1000000000);
    cr_expect_eq(s->total, 2000000003);
    cr_expect_eq(s->naive_total, 4000000001);
    cr_expect_eq(plan->n, 1000);
    cr_expect_leq(graph_nodes_n(plan->graph), 1001);
    series_plan_destroy(plan);
    sharing_destroy(s);
    config_destroy(config);
}

Test(series, too_many_series_are_refused_with_their_number)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: momentum\n"
                                      "    parameters: {lookback_period: {from: 1, to: 5000, "
                                      "step: 1}}\n");
    struct series_plan *plan = NULL;
    cr_expect_lt(series_plan_make(config, &describe, bars, 1, 100, &plan, &err), 0);
    cr_expect_null(plan);
    cr_expect_eq(err.kind, ERR_CONFIG);
    cr_expect_not_null(strstr(err.text, "5000"), "%s", err.text);
    config_destroy(config);
}

/* ---- pieces --------------------------------------------------------------------------------- */

static const struct {
    const char *rule;
    const char *pieces[4];
} cuts[] = {
    {"crosses_above(sma(close,f), sma(close,s))", {"sma(close,f)", "sma(close,s)"}},
    {"sma(ema(close,3),4) > 1e5", {"sma(ema(close,3),4)"}},
    {"macd(close,12,26,9).hist > 0 and rsi(close,n) < 30",
     {"macd(close,12,26,9).hist", "rsi(close,n)"}},
    {"rsi(close,n) < 30 or rsi(close,n) > 70", {"rsi(close,n)"}},
    {"close > shift(max(high,n),1)", {"max(high,n)"}},
    {"close > open * 1.5", {NULL}},
    {"close > shift(close,2e1)", {NULL}},
    {"shift(shift(max(high,n), f ),1e0 + n) > 1",
     {"shift(close,1e0 + n)", "shift(close, f )", "max(high,n)"}},
    {"not (atr( n ) > 2)", {"atr( n )"}},
    {"SPX:sma(close,n) > rsi(close,n)@1d", {"SPX:sma(close,n)", "rsi(close,n)@1d"}},
    {"macd(close,12,26,9).hist @ 4h > 0", {"macd(close,12,26,9).hist @ 4h"}},
    {"^GSPC:(sma(close,n) - sma(open,3))@1w > 0",
     {"^GSPC:(sma(close,n))@1w", "^GSPC:(sma(open,3))@1w"}},
    {"\"BRK-B\":close > `A=F`:max(high,n)", {"\"BRK-B\":close", "`A=F`:max(high,n)"}},
    {"(shift(max(high,n),k) > close)@1d",
     {"(shift(close,k))@1d", "(max(high,n))@1d", "(k)@1d", "(close)@1d"}},
    {"SPX:(close > open and not low > 1) or close @ 4h > 1e5",
     {"SPX:(close)", "SPX:(open)", "SPX:(low)", "close @ 4h"}},
};

Test(series, a_rule_is_cut_into_its_outermost_indicators)
{
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct pieces pieces;
        size_t n = 0;
        while (n < 4 && cuts[i].pieces[n])
            n++;
        cr_assert_eq(pieces_find(cuts[i].rule, &pieces), 0);
        cr_assert_eq(pieces.n, n, "%s", cuts[i].rule);
        for (size_t k = 0; k < n; k++)
            cr_expect_str_eq(pieces.text[k], cuts[i].pieces[k]);
        pieces_fini(&pieces);
    }
}
