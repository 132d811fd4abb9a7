/* SPDX-License-Identifier: MIT */
/* The promise: what a combination reads is told without binding its rules, and the counts of users
 * are those of looking at every combination. */
#include "shm/graph.h"
#include "supervisor/plan/conditions.h"
#include "tests/unit/plan_fixture.h"

static const struct planned_series *find(const struct series_plan *plan, const char *key)
{
    for (uint32_t i = 0; i < plan->n; i++)
        if (strcmp(plan->series[i].key, key) == 0)
            return &plan->series[i];
    return NULL;
}

#define EXPECT_USERS(plan, key_, direct, users)                                                    \
    do {                                                                                           \
        const struct planned_series *s_ = find(plan, key_);                                        \
        cr_assert_not_null(s_, "%s", key_);                                                        \
        cr_expect_eq(s_->direct_n, direct, "%s: %llu", key_, (unsigned long long)s_->direct_n);    \
        cr_expect_eq(s_->users_n, users, "%s: %llu", key_, (unsigned long long)s_->users_n);       \
    } while (0)

/* series_plan_of() of every combination, added up, gives direct_n. */
static void expect_counts_are_those_of_all(const struct config *config,
                                           const struct series_plan *plan)
{
    uint64_t counted[256] = {0};
    uint32_t list[256];
    struct combo combo;
    cr_assert_leq(plan->n, 256);
    cr_assert_leq(series_plan_of_most(plan), 256);
    for (uint64_t n = 0; n < config->combinations_n; n++) {
        if (!grid_combo(config, n, &combo))
            continue;
        uint32_t got = series_plan_of(plan, &combo, list, 256);
        cr_assert_leq(got, series_plan_of_most(plan));
        for (uint32_t i = 0; i < got; i++)
            counted[list[i]]++;
    }
    for (uint32_t i = 0; i < plan->n; i++) {
        cr_expect_eq(plan->series[i].direct_n, counted[i], "%s", plan->series[i].key);
        cr_expect(plan->series[i].is_exact);
        cr_expect_geq(plan->series[i].users_n, plan->series[i].direct_n);
    }
}

Test(users, a_combination_that_names_a_series_twice_is_one_user)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: sma_cross\n"
                                      "    parameters: {fast_period: [5, 10, 20], "
                                      "slow_period: [10, 20, 40]}\n");
    struct series_plan *plan = series_of(config, 1);
    EXPECT_USERS(plan, "sma(close,5)", 3, 3);
    EXPECT_USERS(plan, "sma(close,10)", 5, 5);
    EXPECT_USERS(plan, "sma(close,20)", 5, 5);
    EXPECT_USERS(plan, "sma(close,40)", 3, 3);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(users, where_leaves_those_that_it_keeps)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: sma_cross\n"
                                      "    parameters: {fast_period: [5, 10, 20], "
                                      "slow_period: [10, 20, 40]}\n"
                                      "    where: fast_period < slow_period\n"
                                      "optimization:\n"
                                      "  parameter_grids: {commission: [0.001, 0.002]}\n");
    struct series_plan *plan = series_of(config, 1);
    EXPECT_USERS(plan, "sma(close,5)", 6, 6);
    EXPECT_USERS(plan, "sma(close,10)", 6, 6);
    EXPECT_USERS(plan, "sma(close,20)", 6, 6);
    EXPECT_USERS(plan, "sma(close,40)", 6, 6);
    cr_expect_eq(plan->combinations_n, 12);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(users, refused_values_need_nothing)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [0, 3, 4], m: [5, 6]}\n"
                                      "    long_entry: sma(close, n) > max(high, m)\n");
    struct series_plan *plan = series_of(config, 1);
    uint32_t list[4];
    struct combo combo;
    cr_assert(grid_combo(config, 0, &combo));
    cr_expect_eq(series_plan_of(plan, &combo, list, 4), 0);
    cr_assert(grid_combo(config, 2, &combo));
    cr_expect_eq(series_plan_of(plan, &combo, list, 4), 2);
    EXPECT_USERS(plan, "max(high,5)", 2, 2);
    EXPECT_USERS(plan, "sma(close,3)", 2, 2);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(users, what_an_indicator_is_made_of_is_used_but_not_read)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [3, 4]}\n"
                                      "    long_entry: sma(ema(close, n), 5) > 1\n"
                                      "    long_exit: close > bbands(close, n, 2, 2).upper\n");
    struct series_plan *plan = series_of(config, 1);
    EXPECT_USERS(plan, "ema(close,3)", 0, 1);
    EXPECT_USERS(plan, "sma(ema(close,4),5)", 1, 1);
    EXPECT_USERS(plan, "stddev(close,4)", 1, 1);
    cr_expect_eq(find(plan, "ema(close,3)")->level, LEVEL_DERIVED);
    cr_expect_eq(find(plan, "sma(ema(close,3),5)")->level, LEVEL_COMPLEX);
    cr_expect_eq(find(plan, "ema(close,3)")->bytes, 8 * ROWS);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(users, each_symbol_is_used_by_its_own_combinations)
{
    struct config *config = config_of(
        "type: optimization\ndata: {symbols: [SPX, BTC], each_symbol: true}\nstrategies:\n"
        "  - {type: momentum, parameters: {lookback_period: [5, 6, 7], "
        "signal_threshold: [0.1, 0.2]}}\n");
    struct series_plan *plan = series_of(config, 2);
    cr_assert_eq(plan->n, 6);
    for (uint32_t i = 0; i < plan->n; i++)
        cr_expect_eq(plan->series[i].direct_n, 2);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(users, two_strategies_add_up)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - {type: mean_reversion, parameters: {rsi_period: [14, "
                                      "21]}}\n"
                                      "  - {type: rules, parameters: {depth: [20, 30, 40]}, "
                                      "long_entry: 'rsi(close, 14) < depth'}\n");
    struct series_plan *plan = series_of(config, 1);
    EXPECT_USERS(plan, "rsi(close,14)", 4, 4);
    EXPECT_USERS(plan, "rsi(close,21)", 1, 1);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

/* Neither is enumerated: 10^9 combinations. */
Test(users, counts_of_a_huge_grid_are_exact_where_nothing_filters)
{
    struct config *config =
        config_of("type: optimization\n" DATA "strategies:\n"
                  "  - type: sma_cross\n"
                  "    parameters: {fast_period: {from: 1, to: 1000, step: 1}, "
                  "slow_period: {from: 1, to: 1000, step: 1}}\n"
                  "optimization:\n"
                  "  parameter_grids: {initial_capital: {from: 1000, to: 1000000, step: 1000}}\n");
    struct series_plan *plan = series_of(config, 1);
    EXPECT_USERS(plan, "sma(close,10)", 1999000, 1999000);
    cr_expect(plan->is_exact);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(users, counts_of_a_huge_filtered_grid_are_estimates_and_say_so)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: sma_cross\n"
                                      "    parameters: {fast_period: {from: 1, to: 1500, step: 1}, "
                                      "slow_period: {from: 1, to: 1500, step: 1}}\n"
                                      "    where: fast_period < slow_period\n");
    struct series_plan *plan = series_of(config, 1);
    const struct planned_series *s = find(plan, "sma(close,500)");
    cr_expect_not(plan->is_exact);
    cr_expect_gt(s->users_n, 900);
    cr_expect_lt(s->users_n, 2100);
    cr_expect_gt(plan->combinations_n, 1100000);
    cr_expect_lt(plan->combinations_n, 1150000);
    series_plan_destroy(plan);
    config_destroy(config);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

Test(clocks, other_symbols_and_timeframes_have_series_of_their_own)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [2, 3]}\n"
                                      "    long_entry: sma(close,2) > BTC:sma(close,n) and "
                                      "rsi(close@1d,14) < rsi(close,14)@1d\n");
    cr_assert_eq(config->references_n, 1);
    cr_expect_str_eq(config->symbols[1].name, "BTC");
    struct series_plan *plan = series_of(config, 1);
    cr_assert_eq(plan->n, 4);
    cr_assert_eq(plan->clocks_n, 1);
    cr_expect_eq(plan->clocks[0].symbol_idx, 0);
    cr_expect_eq(plan->clocks[0].timeframe.unit, TIMEFRAME_DAY);
    for (uint32_t i = 0; i < plan->n; i++) {
        const struct planned_series *s = &plan->series[i];
        bool is_rsi = strcmp(s->key, "rsi(close,14)") == 0;
        cr_expect_eq(s->rows_n, is_rsi ? 1 : ROWS);
        cr_expect(is_rsi ? s->clock_idx == 2 : s->clock_idx < 2);
    }
    EXPECT_USERS(plan, "rsi(close,14)", 2, 2);
    EXPECT_USERS(plan, "sma(close,3)", 1, 1);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(clocks, a_traded_symbol_by_name_is_its_own_series)
{
    struct config *config = config_of("type: optimization\ndata: {symbols: [SPX, BTC]}\n"
                                      "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [2, 3]}\n"
                                      "    long_entry: sma(close,n) > SPX:sma(close,n)\n");
    struct series_plan *plan = series_of(config, 2);
    uint32_t list[8];
    struct combo combo;
    cr_assert_eq(plan->n, 4);
    cr_expect(plan->is_named[0] && !plan->is_named[1]);
    cr_assert(grid_combo(config, 0, &combo));
    cr_expect_eq(series_plan_of(plan, &combo, list, 8), 2);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(clocks, an_unknown_symbol_or_column_of_it_is_refused)
{
    static const struct {
        const char *rule, *why;
    } wrong[] = {{"BTC:forecast > 1", "BTC"}, {"close > ETH:close", "ETH"}};
    for (size_t i = 0; i < 2; i++) {
        char yaml[512];
        struct series_plan *plan = NULL;
        snprintf(yaml, sizeof yaml,
                 "type: backtest\ndata: {symbols: [SPX]}\nstrategies: [{type: rules, "
                 "long_entry: '%s'}]\n",
                 wrong[i].rule);
        struct config *config = config_of(yaml);
        struct bars named[2] = {bars[0], bars[1]};
        cr_assert_eq(config->references_n, 1);
        cr_expect_lt(series_plan_make(config, &describe, named, 1, 1000, &plan, &err), 0);
        cr_expect_not_null(strstr(err.text, wrong[i].why), "%s", err.text);
        config_destroy(config);
    }
}

/* ---- conditions ----------------------------------------------------------------------------- */

Test(conditions, one_serves_every_stop_loss)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - {type: rules, long_entry: 'rsi(close,14) < 30'}\n"
                                      "exits: {stop_loss: {from: 0.01, to: 0.1, step: 0.01}}\n");
    struct series_plan *plan = whole_series_of(config, 1);
    uint32_t list[8];
    struct combo combo;
    cr_assert_eq(plan->n, 2);
    cr_expect_eq(plan->conditions_n, 1);
    EXPECT_USERS(plan, "rsi(close,14) < 30", 10, 10);
    EXPECT_USERS(plan, "rsi(close,14)", 0, 10);
    cr_expect_eq(plan->series[1].dtype, SERIES_BITS);
    cr_expect_eq(plan->series[1].bytes, 8);
    cr_assert(grid_combo(config, 7, &combo));
    cr_assert_eq(series_plan_of(plan, &combo, list, 8), 1);
    cr_expect_eq(list[0], 1);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(conditions, only_what_several_combinations_share_is_planned)
{
    struct config *config = config_of("type: optimization\n" DATA "strategies:\n"
                                      "  - type: rules\n"
                                      "    parameters: {n: [3, 4], m: [5, 6, 7]}\n"
                                      "    long_entry: close > open and rsi(close,n) < 30 and "
                                      "close > sma(close,m)\n"
                                      "    long_exit: close > sma(close,m) * n\n");
    struct series_plan *plan = whole_series_of(config, 1);
    EXPECT_USERS(plan, "close > open and rsi(close,3) < 30", 3, 3);
    EXPECT_USERS(plan, "close > sma(close,5)", 2, 2);
    EXPECT_USERS(plan, "rsi(close,4)", 0, 3);
    EXPECT_USERS(plan, "sma(close,5)", 2, 2);
    cr_expect_eq(plan->conditions_n, 5);
    expect_counts_are_those_of_all(config, plan);
    series_plan_destroy(plan);
    config_destroy(config);
}

Test(conditions, another_symbol_shares_none)
{
    struct config *config = config_of(
        "type: optimization\ndata: {symbols: [SPX, BTC], each_symbol: true}\nstrategies:\n"
        "  - {type: mean_reversion, parameters: {rsi_period: [5, 6, 7]}}\n");
    struct series_plan *plan = whole_series_of(config, 2);
    cr_expect_eq(plan->conditions_n, 0);
    cr_expect_eq(plan->n, 6);
    series_plan_destroy(plan);
    config_destroy(config);
}

static bool names_no_z(void *ctx, const char *text)
{
    (void)ctx;
    return !strchr(text, 'z');
}

static const struct {
    const char *rule;
    const char *parts[5]; /* shared ones begin with + */
} cuts[] = {
    {"a > b", {"+a > b"}},
    {"z > b", {"z > b"}},
    {"(a > b or c > d) or z > 1", {"+a > b or c > d", "z > 1"}},
    {"a > 1 or b > 2 or z > 3", {"+a > 1 or b > 2", "z > 3"}},
    {"a > 1 or z > 2 or c > 3", {"+a > 1", "z > 2", "+c > 3"}},
    {"not (z > 1 or ( a > 2 ))", {"z > 1", "+a > 2"}},
    {"a > 1 and z > 2 or b > 3 and c > 4", {"+a > 1", "z > 2", "+b > 3 and c > 4"}},
    {"f(a, b) > 1 or f(z) > 2", {"+f(a, b) > 1", "f(z) > 2"}},
    {"oracle > 1 or z > 2", {"+oracle > 1", "z > 2"}},
    {"or:close > 1 and not z > 2", {"+or:close > 1", "z > 2"}},
    {"(a > z and b > 1)@1d or c@1d > 1", {"(a > z and b > 1)@1d", "+c@1d > 1"}},
};

Test(conditions, a_rule_is_cut_where_the_parser_groups_it)
{
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct condition_parts parts;
        size_t n = 0;
        while (n < 5 && cuts[i].parts[n])
            n++;
        cr_assert_eq(conditions_cut(cuts[i].rule, names_no_z, NULL, &parts), 0);
        cr_assert_eq(parts.n, n, "%s: %zu", cuts[i].rule, parts.n);
        for (size_t k = 0; k < n; k++) {
            bool shared = cuts[i].parts[k][0] == '+';
            cr_expect_str_eq(parts.part[k].text, cuts[i].parts[k] + shared);
            cr_expect_eq(parts.part[k].is_shared, shared, "%s", parts.part[k].text);
        }
        conditions_fini(&parts);
    }
}
