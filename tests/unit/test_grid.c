/* SPDX-License-Identifier: MIT */
/* The promise: combinations have numbers that never change, any of 10^12 is found at once, and
 * counting neither overflows nor walks the grid. */
#include <errno.h>
#include <math.h>

#include "tests/unit/config_fixture.h"

static const char *const four_origins =
    "data: {symbols: [A, B], each_symbol: true}\n"
    "strategies:\n"
    "  - type: sma_cross\n"
    "    parameters: {slow: [50, 100], fast: {from: 5, to: 15, step: 5}}\n"
    "  - type: momentum\n"
    "exits: {take_profit: [0.3, none], stop_loss: [0.1, 0.2]}\n"
    "optimization: {parameter_grids: {leverage: [1, 2], initial_capital: [1000, 2000]}}\n";

Test(grid, dimensions_run_from_grids_over_symbols_and_exits_to_parameters)
{
    static const char *const want[] = {
        "leverage", "initial_capital", "symbol", "take_profit", "stop_loss", "slow", "fast"};
    struct config *c = fixture_load(four_origins, NULL);
    const struct config_strategy *s = c->strategies;
    cr_assert(s[0].dims_n == 7);
    for (size_t i = 0; i < 7; i++)
        cr_expect_str_eq(s[0].dims[i].name, want[i]);
    cr_expect(s[0].combinations_n == 2 * 2 * 2 * 2 * 2 * 2 * 3 && s[0].first == 0);
    cr_expect(s[1].combinations_n == 32 && s[1].first == 192 && c->combinations_n == 224);
    config_destroy(c);
}

Test(grid, the_last_dimension_runs_fastest)
{
    struct config *c = fixture_load(four_origins, NULL);
    struct combo combo;
    for (uint64_t n = 0; n < 192; n++) {
        cr_assert(grid_combo(c, n, &combo));
        cr_expect(combo.params[0] == 5.0 + 5.0 * (double)(n % 3));
        cr_expect(combo.params[1] == (n / 3 % 2 ? 100 : 50));
        cr_expect(combo.exits.stop_loss == (n / 6 % 2 ? 0.2 : 0.1));
        cr_expect(combo.exits.take_profit == (n / 12 % 2 ? 0 : 0.3));
        cr_expect(combo.symbol_idx == n / 24 % 2);
        cr_expect(combo.portfolio.initial_capital == (n / 48 % 2 ? 2000 : 1000));
        cr_expect(combo.portfolio.leverage == (n / 96 % 2 ? 2 : 1));
        cr_expect(combo.combination == n && combo.strategy_idx == 0);
    }
    cr_assert(grid_combo(c, 223, &combo));
    cr_expect(combo.strategy_idx == 1 && combo.portfolio.leverage == 2 && combo.symbol_idx == 1);
    cr_expect(grid_strategy(c, 191) == &c->strategies[0]);
    cr_expect(grid_strategy(c, 192) == &c->strategies[1]);
    cr_expect_null(grid_strategy(c, 224));
    cr_expect(!grid_combo(c, 224, &combo));
    config_destroy(c);
}

Test(grid, columns_are_each_swept_name_once)
{
    const char *names[CONFIG_DIMS_MAX * 4], *symbol = NULL;
    struct config *c = fixture_load(four_origins, NULL);
    cr_expect(grid_columns(c, names) == 7);
    cr_expect_str_eq(names[2], "symbol");
    cr_expect(grid_value(c, 2, "fast", &symbol) == 15 && symbol == NULL);
    cr_expect(grid_value(c, 191, "slow", &symbol) == 100);
    cr_expect(isnan(grid_value(c, 192, "slow", &symbol))); /* the second strategy has none */
    cr_expect(isnan(grid_value(c, 12, "take_profit", &symbol)));
    (void)grid_value(c, 24, "symbol", &symbol);
    cr_assert_not_null(symbol);
    cr_expect_str_eq(symbol, "B");
    (void)grid_value(c, 192, "symbol", &symbol);
    cr_expect_str_eq(symbol, "A");
    config_destroy(c);
}

Test(grid, where_excludes_and_keeps_numbers)
{
    struct config *c = fixture_load(
        "data: {symbols: [SPX]}\n"
        "strategies:\n"
        "  - type: sma_cross\n"
        "    parameters: {fast: {from: 5, to: 50, step: 5}, slow: {from: 20, to: 200, step: 10}}\n"
        "    where: fast < slow_period and leverage <= 2\n"
        "optimization: {parameter_grids: {leverage: [1, 2, 3], initial_capital: [1, 2, 3, 4]}}\n",
        NULL);
    struct combo combo;
    uint64_t kept = 0;
    for (uint64_t n = 0; n < c->combinations_n; n++) {
        bool keeps = grid_combo(c, n, &combo);
        cr_expect(keeps == (combo.params[0] < combo.params[1] && combo.portfolio.leverage <= 2));
        kept += keeps;
    }
    cr_expect(c->combinations_n == 10 * 19 * 12);
    cr_expect(kept == 174 * 8 && grid_count(c) == kept);
    config_destroy(c);
}

Test(grid, where_on_fixed_values_keeps_all_or_is_refused)
{
    struct config *c = fixture_load(FIXTURE_BASE, "strategies.0.where=fast < slow");
    cr_expect(grid_count(c) == 1);
    config_destroy(c);
    const char *const sets[] = {"strategies.0.where=fast > slow", NULL};
    struct err err = {0};
    c = NULL;
    cr_expect(fixture_parse(FIXTURE_BASE, sets, &c, &err) == -EDOM);
    cr_expect(strstr(err.text, "keeps none of 1 combinations") != NULL, "%s", err.text);
}

Test(grid, ranges_hold_both_ends_against_rounding)
{
    static const struct {
        const char *range;
        uint64_t n;
        double last;
    } rows[] = {
        {"{from: 0.1, to: 0.3, step: 0.1}", 3, 0.1 + 2 * 0.1},
        {"{from: 0, to: 1, step: 0.1}", 11, 1},
        {"{from: 1, to: 10, step: 4}", 3, 9},
        {"{from: 5, to: 5, step: 1}", 1, 5},
        {"{from: -1, to: 1, step: 0.5}", 5, 1},
        {"[3, 1, 2]", 3, 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct combo combo;
        snprintf(text, sizeof(text),
                 "data: {symbols: [SPX]}\n"
                 "strategies: [{type: rules, long_entry: close > x, parameters: {x: %s}}]\n",
                 rows[i].range);
        struct config *c = fixture_load(text, NULL);
        cr_expect(c->combinations_n == rows[i].n, "%s", rows[i].range);
        cr_assert(grid_combo(c, c->combinations_n - 1, &combo));
        cr_expect(combo.params[0] == rows[i].last, "%s: %.17g", rows[i].range, combo.params[0]);
        config_destroy(c);
    }
}

/* A grid of a x b x c values, as text. */
static void big_grid(char *out, size_t out_bytes, const char *const ends[3])
{
    snprintf(out, out_bytes,
             "data: {symbols: [SPX]}\n"
             "strategies: [{type: rules, long_entry: close > a + b + c, parameters: {\n"
             "  a: {from: 1, to: %s, step: 1}, b: {from: 1, to: %s, step: 1},\n"
             "  c: {from: 1, to: %s, step: 1}}}]\n",
             ends[0], ends[1], ends[2]);
}

Test(grid, a_thousand_billion_combinations_load_and_any_is_found)
{
    char text[512];
    struct combo combo;
    big_grid(text, sizeof(text), (const char *const[3]){"10000", "10000", "10000"});
    struct config *c = fixture_load(text, NULL);
    cr_expect(c->combinations_n == UINT64_C(1000000000000) && grid_count(c) == c->combinations_n);
    cr_assert(grid_combo(c, UINT64_C(123456789012), &combo));
    cr_expect(combo.params[0] == 1235 && combo.params[1] == 5679 && combo.params[2] == 9013);
    cr_assert(grid_combo(c, c->combinations_n - 1, &combo));
    cr_expect(combo.params[0] == 10000 && combo.params[2] == 10000);
    config_destroy(c);
}

Test(grid, larger_grids_are_refused_with_their_count)
{
    static const struct {
        const char *ends[3];
        const char *text;
    } rows[] = {
        {{"10000", "10000", "10001"},
         "1000100000000 combinations (at 10,000 a second, 3.17 years)"},
        {{"2097152", "2097152", "2097152"}, "9223372036854775808 combinations"},
        {{"4194304", "2097152", "2097152"}, "more than 2^64 combinations"},
        {{"1e15", "1e15", "1e15"}, "more than 2^64 combinations"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct config *c = NULL;
        struct err err = {0};
        big_grid(text, sizeof(text), rows[i].ends);
        cr_expect(fixture_parse(text, NULL, &c, &err) == -EDOM, "%s", rows[i].text);
        cr_expect(strstr(err.text, rows[i].text) != NULL, "%s\n  got %s", rows[i].text, err.text);
        cr_expect(strstr(err.text, "at most 1000000000000") != NULL, "%s", err.text);
    }
}

Test(grid, where_counts_by_the_values_that_it_names)
{
    struct config *c = fixture_load(
        "data: {symbols: [SPX]}\n"
        "strategies:\n"
        "  - type: rules\n"
        "    long_entry: close > a + b + c\n"
        "    parameters: {a: {from: 1, to: 1000, step: 1}, c: {from: 1, to: 1000, step: 1},\n"
        "                 b: {from: 1, to: 1000, step: 1}}\n"
        "    where: a < b\n",
        NULL);
    cr_expect(c->combinations_n == 1000000000);
    cr_expect(grid_count(c) == UINT64_C(499500) * 1000);
    config_destroy(c);
}

Test(grid, lists_are_shared_and_not_copied_for_each_strategy)
{
    char *text = calloc(1, 1 << 20);
    cr_assert_not_null(text);
    strcpy(text, "data: {symbols: [A]}\noptimization: {parameter_grids: {initial_capital: [");
    for (int i = 1; i <= 1000; i++)
        sprintf(text + strlen(text), "%d,", i);
    strcat(text, "]}}\nstrategies: [{type: momentum}, {type: sma_cross}]\n");
    struct config *c = fixture_load(text, NULL);
    cr_expect(c->strategies[0].dims[0].values == c->strategies[1].dims[0].values);
    cr_expect(c->combinations_n == 2000);
    config_destroy(c);
    free(text);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void check_limit(const char *text, const char *fragment)
{
    struct config *c = NULL;
    struct err err = {0};
    cr_expect(fixture_parse(text, NULL, &c, &err) == -EDOM, "%s", fragment);
    cr_expect(strstr(err.text, fragment) != NULL, "%s\n  got %s", fragment, err.text);
}

Test(grid, tables_have_limits_and_say_so)
{
    char *text = calloc(1, 1 << 18);
    cr_assert_not_null(text);

    strcpy(text, "data: {symbols: [A]}\nstrategies: [");
    for (int i = 0; i < SPEC_STRATEGIES_MAX + 1; i++)
        strcat(text, "{type: momentum}, ");
    strcat(text, "]\n");
    check_limit(text, "strategies: 65 entries; at most 64");

    strcpy(text, "data: {symbols: [A]}\nstrategies: [");
    for (int i = 0; i < SPEC_STRATEGIES_MAX; i++)
        sprintf(text + strlen(text),
                "{type: rules, long_entry: close > a%d + b%d + c%d + d%d + e%d, parameters: "
                "{a%d: [1], b%d: [1], c%d: [1], d%d: [1], e%d: [1]}}, ",
                i, i, i, i, i, i, i, i, i, i);
    strcat(text, "]\n");
    check_limit(text, "more than 256 different swept names");

    strcpy(text, "data: {symbols: [A]}\nstrategies: [{type: rules, long_entry: close > 1, "
                 "parameters: {");
    for (int i = 0; i < SPEC_PARAMS_MAX + 1; i++)
        sprintf(text + strlen(text), "a%d: 1, ", i);
    strcat(text, "}}]\n");
    check_limit(text, "more than 32 parameters");

    strcpy(text, FIXTURE_BASE "optimization: {parameter_grids: {");
    for (int i = 0; i < CONFIG_DIMS_MAX + 1; i++)
        sprintf(text + strlen(text), "a%d: [1], ", i);
    strcat(text, "}}\n");
    check_limit(text, "65 names; at most 64");
    free(text);
}

Test(grid, the_work_of_all_conditions_together_has_a_limit)
{
    check_limit("data: {symbols: [A]}\n"
                "strategies:\n"
                "  - {type: rules, long_entry: close > a + b, where: a < b, parameters:\n"
                "      {a: {from: 1, to: 3000, step: 1}, b: {from: 1, to: 3000, step: 1}}}\n"
                "  - {type: rules, long_entry: close > a + b, where: a < b, parameters:\n"
                "      {a: {from: 1, to: 3000, step: 1}, b: {from: 1, to: 3000, step: 1}}}\n",
                "test.yaml:5:53: where: it ranges over 9000000 combinations");
}
