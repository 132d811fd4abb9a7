/* SPDX-License-Identifier: MIT */
/* The promise: equal configurations share one container and equal keys are one series, and finding
 * that out costs what is distinct, not the size of the grid. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "shm/graph.h"
#include "supervisor/config/describe.h"
#include "supervisor/plan/pieces.h"
#include "supervisor/plan/plan.h"

static struct describe_component components[] = {
    {.name = "momentum",
     .kind = "strategy",
     .protocols = {"SignalGenerator"},
     .protocols_n = 1,
     .params = {{.name = "lookback_period",
                 .default_value = 20,
                 .minimum = 1,
                 .maximum = 100000,
                 .is_whole = 1},
                {.name = "signal_threshold", .default_value = 0.01, .minimum = 0, .maximum = 1000}},
     .params_n = 2,
     .rules = {"roc(close, lookback_period) > 100 * signal_threshold",
               "roc(close, lookback_period) < 0"}},
    {.name = "mean_reversion",
     .kind = "strategy",
     .protocols = {"SignalGenerator"},
     .protocols_n = 1,
     .params = {{.name = "rsi_period",
                 .default_value = 14,
                 .minimum = 2,
                 .maximum = 100000,
                 .is_whole = 1}},
     .params_n = 1,
     .rules = {"rsi(close, rsi_period) < 30", "rsi(close, rsi_period) > 70"}},
    {.name = "sma_cross",
     .kind = "strategy",
     .protocols = {"SignalGenerator"},
     .protocols_n = 1,
     .params = {{.name = "fast_period",
                 .default_value = 10,
                 .minimum = 1,
                 .maximum = 100000,
                 .is_whole = 1},
                {.name = "slow_period",
                 .default_value = 30,
                 .minimum = 1,
                 .maximum = 100000,
                 .is_whole = 1}},
     .params_n = 2,
     .rules = {"crosses_above(sma(close, fast_period), sma(close, slow_period))",
               "crosses_below(sma(close, fast_period), sma(close, slow_period))"}},
    {.name = "rules", .kind = "strategy", .protocols = {"SignalGenerator"}, .protocols_n = 1},
};
static const struct describe describe = {.components_n = sizeof components / sizeof *components,
                                         .components = components};

static struct err err;

#define DATA "data: {symbols: [SPX]}\n"

static const char seed_example[] = "type: optimization\n" DATA "strategies:\n"
                                   "  - type: momentum\n"
                                   "    parameters:\n"
                                   "      lookback_period: [10, 20]\n"
                                   "      signal_threshold: [0.01, 0.02]\n"
                                   "optimization:\n"
                                   "  parameter_grids:\n"
                                   "    initial_capital: [10000, 50000]\n"
                                   "risk:\n"
                                   "  max_position_size: 1000\n"
                                   "  commission: 0.001\n"
                                   "execution:\n"
                                   "  commission: 0.001\n"
                                   "  slippage: 0.0005\n";

static const char four_executions[] = "type: optimization\n" DATA "strategies:\n"
                                      "  - type: momentum\n"
                                      "    parameters: {lookback_period: [10, 20]}\n"
                                      "optimization:\n"
                                      "  parameter_grids:\n"
                                      "    commission: [0.001, 0.005]\n"
                                      "    initial_capital: [1000, 2000, 3000]\n"
                                      "    slippage: [0.0005, 0.001]\n";

static struct config *config_of(const char *yaml)
{
    struct config *config = NULL;
    err = (struct err){0};
    int rc = config_parse(yaml, strlen(yaml), "test", NULL, 0, &describe, &config, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return config;
}

static struct sharing *sharing_of_yaml(const char *yaml, struct config **ret_config)
{
    struct sharing *sharing = NULL;
    *ret_config = config_of(yaml);
    cr_assert_eq(sharing_make(*ret_config, &sharing, &err), 0, "%s", err.text);
    return sharing;
}

/* ---- sharing -------------------------------------------------------------------------------- */

Test(plan, the_seeds_example_takes_19_containers_instead_of_33)
{
    struct config *config;
    struct sharing *s = sharing_of_yaml(seed_example, &config);
    cr_expect_eq(s->combinations_n, 8);
    cr_expect_eq(s->risk_n, 1);
    cr_expect_eq(s->execution_n, 1);
    cr_expect_eq(s->total, 19);
    cr_expect_eq(s->naive_total, 33);
    cr_expect_str_eq(s->risk[0].container_id, "risk_0");
    cr_expect_str_eq(s->execution[0].container_id, "execution_0");
    cr_expect_eq(s->risk[0].serves_n, 8);
    cr_expect_eq(s->execution[0].serves_n, 8);
    cr_expect_eq(s->risk[0].risk.max_position_size, 1000.0);
    sharing_destroy(s);
    config_destroy(config);
}

/* Every combination is in the list of just the container that sharing_of() names. */
static void expect_lists_agree(const struct config *config, const struct sharing *s,
                               const struct shared_container *list, uint32_t n, bool is_risk)
{
    uint64_t served[64], all_n = 0;
    for (uint32_t i = 0; i < n; i++) {
        int got = sharing_serves(config, s, &list[i], 64, served);
        cr_assert_geq(got, 0);
        cr_expect_eq((uint64_t)got, list[i].serves_n, "%s", list[i].container_id);
        for (int k = 0; k < got; k++) {
            struct combo combo;
            uint32_t risk, execution;
            cr_expect(k == 0 || served[k] > served[k - 1]);
            cr_assert(grid_combo(config, served[k], &combo));
            sharing_of(s, &combo, &risk, &execution);
            cr_expect_eq(is_risk ? risk : execution, i);
        }
        all_n += (uint64_t)got;
    }
    cr_expect_eq(all_n, s->combinations_n);
}

Test(plan, two_commissions_by_two_slippages_take_four_execution_containers)
{
    struct config *config;
    struct sharing *s = sharing_of_yaml(four_executions, &config);
    cr_expect_eq(s->combinations_n, 24);
    cr_expect_eq(s->risk_n, 1);
    cr_expect_eq(s->execution_n, 4);
    cr_expect_eq(s->total, 1 + 1 + 4 + 48);
    for (uint32_t i = 0; i < s->execution_n; i++)
        cr_expect_eq(s->execution[i].serves_n, 6);
    expect_lists_agree(config, s, s->execution, s->execution_n, false);
    expect_lists_agree(config, s, s->risk, s->risk_n, true);
    sharing_destroy(s);
    config_destroy(config);
}

Test(plan, strategies_with_a_risk_config_take_a_risk_container_each)
{
    struct config *config;
    struct sharing *s = sharing_of_yaml("type: optimization\n" DATA "strategies:\n"
                                        "  - type: momentum\n"
                                        "    parameters: {lookback_period: [10, 20]}\n"
                                        "    risk_config: {max_position_size: 1000}\n"
                                        "  - type: mean_reversion\n"
                                        "    parameters: {rsi_period: [14, 21]}\n"
                                        "    risk_config: {max_position_size: 2000}\n",
                                        &config);
    cr_expect_eq(s->combinations_n, 4);
    cr_assert_eq(s->risk_n, 2);
    cr_expect_eq(s->execution_n, 1);
    cr_expect_eq(s->risk[0].risk.max_position_size, 1000.0);
    cr_expect_eq(s->risk[1].risk.max_position_size, 2000.0);
    expect_lists_agree(config, s, s->risk, s->risk_n, true);
    cr_expect(sharing_meets(config, s, &s->risk[1], &s->execution[0]));
    sharing_destroy(s);
    config_destroy(config);
}

Test(plan, equal_configurations_of_two_strategies_share_a_container)
{
    struct config *config;
    struct sharing *s = sharing_of_yaml("type: optimization\n" DATA "strategies:\n"
                                        "  - type: momentum\n"
                                        "    risk_config: {max_position_size: 7}\n"
                                        "  - type: mean_reversion\n"
                                        "    risk_config: {max_position_size: 7}\n",
                                        &config);
    cr_expect_eq(s->risk_n, 1);
    cr_expect_eq(s->risk[0].serves_n, 2);
    expect_lists_agree(config, s, s->risk, s->risk_n, true);
    sharing_destroy(s);
    config_destroy(config);
}

Test(plan, a_condition_on_parameters_is_counted)
{
    struct config *config;
    struct sharing *s =
        sharing_of_yaml("type: optimization\n" DATA "strategies:\n"
                        "  - type: sma_cross\n"
                        "    parameters: {fast_period: [5, 10, 20], slow_period: [10, 20, 40]}\n"
                        "    where: fast_period < slow_period\n"
                        "optimization:\n"
                        "  parameter_grids: {commission: [0.001, 0.002]}\n",
                        &config);
    cr_expect_eq(s->combinations_n, 12);
    cr_assert_eq(s->execution_n, 2);
    cr_expect_eq(s->execution[0].serves_n, 6);
    expect_lists_agree(config, s, s->execution, s->execution_n, false);
    sharing_destroy(s);
    config_destroy(config);
}

/* ---- series --------------------------------------------------------------------------------- */

#define ROWS 4
static const int64_t times[ROWS] = {0, 1, 2, 3};
static const double prices[ROWS] = {1, 2, 3, 4};
static const char *const extra_names[] = {"forecast"};
static const double *const extra[] = {prices};
static const struct bars bars[2] = {
    {.symbol = "SPX",
     .rows_n = ROWS,
     .time_ns = times,
     .open = prices,
     .high = prices,
     .low = prices,
     .close = prices,
     .volume = prices,
     .extra_n = 1,
     .extra_names = extra_names,
     .extra = extra},
    {.symbol = "BTC",
     .rows_n = ROWS,
     .time_ns = times,
     .open = prices,
     .high = prices,
     .low = prices,
     .close = prices,
     .volume = prices},
};

static bool has_key(const struct series_plan *plan, const char *key)
{
    for (uint32_t i = 0; i < plan->n; i++)
        if (strcmp(plan->key[i], key) == 0)
            return true;
    return false;
}

static struct series_plan *series_of(const struct config *config, uint32_t symbols_n)
{
    struct series_plan *plan = NULL;
    int rc = series_plan_make(config, &describe, bars, symbols_n, 100000, &plan, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return plan;
}

Test(plan, a_series_that_two_rules_name_is_planned_once)
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

Test(plan, each_symbol_has_its_own_series)
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

Test(plan, an_unknown_name_is_refused_with_a_suggestion)
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

Test(plan, an_error_of_a_rule_names_its_place_in_the_file)
{
    static const char *const wrong[] = {"clos > sma(close, n)", "sma(close, n / 2) > 1",
                                        "shift(close, 0 - n) > close", "sma(n, 3) > 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_lt(plan_rule(wrong[i], 1), 0, "%s", wrong[i]);
        cr_expect_eq(err.kind, ERR_CONFIG);
        cr_expect_eq(strncmp(err.text, "test:6:17: long_entry: ", 23), 0, "%s", err.text);
    }
}

Test(plan, values_that_an_indicator_refuses_are_counted_once_and_the_first_is_told)
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
Test(plan, a_billion_combinations_cost_their_distinct_series)
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

Test(plan, too_many_series_are_refused_with_their_number)
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
};

Test(plan, a_rule_is_cut_into_its_outermost_indicators)
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

/* ---- the plan as JSON ----------------------------------------------------------------------- */

static json_t *json_of(const char *yaml)
{
    struct config *config;
    struct sharing *s = sharing_of_yaml(yaml, &config);
    struct series_plan *series = series_of(config, 1);
    json_t *plan = plan_json(config, s, series, ROWS, 4096, 0.5);
    cr_assert_not_null(plan);
    series_plan_destroy(series);
    sharing_destroy(s);
    config_destroy(config);
    return plan;
}

static const json_t *wire_of(const json_t *plan, const char *name)
{
    const json_t *wires = json_object_get(plan, "wiring");
    for (size_t i = 0; i < json_array_size(wires); i++) {
        const json_t *wire = json_array_get(wires, i);
        if (strcmp(json_string_value(json_object_get(wire, "name")), name) == 0)
            return wire;
    }
    return NULL;
}

static void expect_wire(const json_t *plan, const char *name, const char *type, size_t sources_n,
                        size_t targets_n)
{
    const json_t *wire = wire_of(plan, name);
    cr_assert_not_null(wire, "%s", name);
    cr_expect_str_eq(json_string_value(json_object_get(wire, "type")), type);
    cr_expect_eq(json_array_size(json_object_get(wire, "sources")), sources_n, "%s", name);
    cr_expect_eq(json_array_size(json_object_get(wire, "targets")), targets_n, "%s", name);
}

/* Equal hashes are equal configurations, among the containers of one kind. */
static void expect_hashes(const json_t *containers, const char *kind, size_t distinct_n)
{
    const json_t *list = json_object_get(containers, kind);
    size_t n = json_array_size(list), found_n = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *a = json_array_get(list, i);
        bool is_new = true;
        cr_assert_eq(json_string_length(json_object_get(a, "hash")), 32, "%s", kind);
        for (size_t k = 0; k < i; k++) {
            const json_t *b = json_array_get(list, k);
            int same = json_equal(json_object_get(a, "hash"), json_object_get(b, "hash"));
            int alike = json_equal(json_object_get(a, "config"), json_object_get(b, "config"));
            cr_expect_eq(same, alike, "%s %zu and %zu", kind, i, k);
            is_new = is_new && !same;
        }
        found_n += is_new;
    }
    cr_expect_eq(found_n, distinct_n, "%s", kind);
}

Test(plan, json_of_the_seeds_example_has_its_containers_and_wiring)
{
    json_t *plan = json_of(seed_example);
    const json_t *containers = json_object_get(plan, "containers");
    const json_t *portfolio = json_array_get(json_object_get(containers, "portfolio"), 4);
    cr_expect_eq(json_integer_value(json_object_get(containers, "total")), 19);
    cr_expect_eq(json_integer_value(json_object_get(containers, "naive_total")), 33);
    cr_expect_float_eq(json_real_value(json_object_get(containers, "saving_frac")), 14.0 / 33.0,
                       1e-12);
    cr_expect_eq(json_array_size(json_object_get(containers, "strategy")), 8);
    cr_expect_str_eq(json_string_value(json_object_get(portfolio, "container_id")),
                     "portfolio_combo_4");
    cr_expect_eq(json_integer_value(
                     json_object_get(json_object_get(portfolio, "config"), "initial_capital")),
                 50000);
    expect_hashes(containers, "portfolio", 2);
    expect_hashes(containers, "strategy", 4);
    expect_wire(plan, "hub_to_strategies", "broadcast", 1, 8);
    expect_wire(plan, "strategies_to_risk_0", "selective", 8, 1);
    expect_wire(plan, "risk_to_execution_0", "pipeline", 1, 1);
    expect_wire(plan, "execution_0_to_portfolios", "selective", 1, 8);
    json_decref(plan);
}

Test(plan, lists_are_cut_and_counted)
{
    json_t *plan =
        json_of("type: optimization\n" DATA "strategies:\n"
                "  - type: momentum\n"
                "    parameters: {signal_threshold: {from: 0, to: 1.999, step: 0.001}}\n");
    const json_t *containers = json_object_get(plan, "containers");
    const json_t *risk = json_array_get(json_object_get(containers, "risk"), 0);
    cr_expect_eq(json_array_size(json_object_get(containers, "portfolio")), PLAN_LIST_MAX);
    cr_expect_eq(json_integer_value(json_object_get(containers, "portfolio_count")), 2000);
    cr_expect_eq(json_array_size(json_object_get(risk, "serves_combinations")), PLAN_LIST_MAX);
    cr_expect_eq(json_integer_value(json_object_get(risk, "serves_count")), 2000);
    json_decref(plan);
}
