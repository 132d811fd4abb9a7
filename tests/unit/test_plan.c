/* SPDX-License-Identifier: MIT */
/* The promise: equal configurations share one container, finding that out costs what is distinct
 * and not the size of the grid, and the plan shows every key of them. */
#include <stdlib.h>

#include "tests/unit/plan_fixture.h"

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

/* Swept keys by the containers whose configuration they are part of. */
Test(plan, each_swept_key_multiplies_the_containers_that_it_shapes)
{
    static const struct {
        const char *grid;
        uint32_t risk_n, execution_n;
    } rows[] = {
        {"commission_fixed: [0, 1, 2]", 1, 3},
        {"commission_maximum: [none, 50]", 1, 2},
        {"slippage_volume_share: [none, 0.5]", 1, 2},
        {"slippage_impact: [0, 1]", 1, 2},
        {"spread: {from: 0, to: 0.003, step: 0.001}", 1, 4},
        {"delay: [0, 1, 2]", 1, 3},
        {"borrow_fee: [0, 0.1]", 1, 2},
        {"margin_interest: [0, 0.1]", 1, 2},
        {"max_exposure: [none, 0.5]", 2, 1},
        {"max_leverage: [1, 2]", 2, 1},
        {"max_drawdown: [0.2, none]", 2, 1},
        {"max_daily_loss: [none, 0.5]", 2, 1},
        {"cooldown_bars: {from: 0, to: 4, step: 2}", 3, 1},
        {"min_notional: [0, 10]", 1, 1},
        {"maintenance_margin: [0, 0.5]", 1, 1},
        {"max_bars: [none, 5]", 1, 1},
        {"trailing_amount: [none, 5]", 1, 1},
        {"target_percent: [0.5, 1]", 1, 1},
        {"delay: [0, 1], cooldown_bars: [0, 1, 2]", 3, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char yaml[512];
        struct config *config;
        snprintf(yaml, sizeof yaml,
                 "type: optimization\n" DATA "strategies: [{type: momentum}]\n"
                 "optimization: {parameter_grids: {%s}}\n",
                 rows[i].grid);
        struct sharing *s = sharing_of_yaml(yaml, &config);
        cr_expect_eq(s->risk_n, rows[i].risk_n, "%s: %u", rows[i].grid, s->risk_n);
        cr_expect_eq(s->execution_n, rows[i].execution_n, "%s: %u", rows[i].grid, s->execution_n);
        expect_lists_agree(config, s, s->risk, s->risk_n, true);
        expect_lists_agree(config, s, s->execution, s->execution_n, false);
        sharing_destroy(s);
        config_destroy(config);
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

/* The value at a path of keys below the configuration of the first container of a kind. */
static const json_t *config_value(const json_t *plan, const char *kind, const char *path)
{
    const json_t *list = json_object_get(json_object_get(plan, "containers"), kind);
    const json_t *at = json_object_get(json_array_get(list, 0), "config");
    char key[64];
    while (at && *path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        at = json_object_get(at, key);
        path += path[n] ? n + 1 : n;
    }
    return at;
}

Test(plan, json_shows_every_key_of_a_containers_configuration)
{
    static const struct {
        const char *kind, *path, *value;
    } rows[] = {
        {"execution", "fill", "\"next_open\""},
        {"execution", "delay", "2"},
        {"execution", "time_in_force", "\"day\""},
        {"execution", "stops_exact", "true"},
        {"execution", "slips_in_bar", "false"},
        {"execution", "commission.fixed", "1"},
        {"execution", "commission.maximum", "null"},
        {"execution", "slippage", "0.5"},
        {"execution", "spread", "0.25"},
        {"execution", "borrow_fee", "0"},
        {"risk", "max_exposure", "0.5"},
        {"risk", "max_drawdown", "null"},
        {"risk", "cooldown_bars", "4"},
        {"risk", "conflicting_signals", "\"enter\""},
        {"risk", "commission", "null"},
        {"portfolio", "sizing", "{\"target_volatility\": 0.5, \"lookback\": 30}"},
        {"portfolio", "min_notional", "0"},
        {"portfolio", "bankruptcy", "\"end\""},
        {"portfolio", "cash_check", "\"at_fill\""},
        {"strategy", "exits.max_bars", "9"},
        {"strategy", "exits.stop_loss", "null"},
        {"strategy", "exits.base", "\"fill_price\""},
        {"strategy", "rules.long_limit", "\"low\""},
        {"strategy", "parameters", "{}"},
    };
    json_t *plan =
        json_of(DATA "strategies: [{type: rules, long_entry: close > 1, long_limit: low}]\n"
                     "execution: {commission: {fixed: 1}, slippage: 0.5, spread: 0.25, delay: 2,\n"
                     "  time_in_force: day, stops_exact: true}\n"
                     "risk: {max_exposure: 0.5, cooldown_bars: 4}\n"
                     "exits: {max_bars: 9}\n"
                     "portfolio: {sizing: {target_volatility: 0.5, lookback: 30}}\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json_t *value = config_value(plan, rows[i].kind, rows[i].path);
        char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        cr_expect(text && strcmp(text, rows[i].value) == 0, "%s %s: %s", rows[i].kind, rows[i].path,
                  text ? text : "missing");
        free(text);
    }
    json_decref(plan);
}

Test(plan, strategies_with_other_prices_have_other_hashes)
{
    json_t *plan = json_of(DATA "strategies:\n"
                                "  - {type: rules, long_entry: close > 1}\n"
                                "  - {type: rules, long_entry: close > 1, long_limit: low}\n"
                                "  - {type: rules, long_entry: close > 1, long_stop: low}\n"
                                "  - {type: rules, long_entry: close > 1, long_stop: low}\n");
    expect_hashes(json_object_get(plan, "containers"), "strategy", 3);
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
