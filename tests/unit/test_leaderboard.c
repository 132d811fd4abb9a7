/* SPDX-License-Identifier: MIT */
/* The promise: the leaderboard is the top of all results by the metric's own sense, the same
 * whatever its length, with undefined values last and equal ones by number. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/cli/leaderboard.h"
#include "supervisor/config/describe.h"

#define RESULTS_N 200

static struct describe_component component = {.name = "momentum",
                                              .kind = "strategy",
                                              .protocols = {"SignalGenerator"},
                                              .protocols_n = 1,
                                              .params = {{.name = "lookback_period",
                                                          .default_value = 20,
                                                          .minimum = 1,
                                                          .maximum = 100000,
                                                          .is_whole = 1}},
                                              .params_n = 1,
                                              .rules = {"roc(close, lookback_period) > 0"}};
static const struct describe describe = {.components_n = 1, .components = &component};

static const char yaml[] = "type: optimization\n"
                           "data: {symbols: [SPX]}\n"
                           "strategies:\n"
                           "  - type: momentum\n"
                           "    parameters: {lookback_period: {from: 1, to: 200, step: 1}}\n"
                           "optimization: {objective: sharpe, min_trades: 5}\n";

static char dir[64];
static struct store *store;
static struct config *config;
static struct run_record run;
static struct err err;

/* Sharpe repeats every 50 numbers; every tenth is undefined; some trade little; one crashed. */
static struct result result_of(uint64_t n)
{
    struct result r = {.combination = n, .status = n == 7 ? STATUS_CRASHED : STATUS_OK};
    for (int m = 0; m < METRIC_N; m++)
        r.metrics[m] = (double)n;
    r.metrics[METRIC_SHARPE] = n % 10 == 0 ? (double)NAN : (double)(n * 7 % 50);
    r.metrics[METRIC_TRADES] = n % 13 == 0 ? 4 : 100;
    r.metrics[METRIC_VOLATILITY_ANN_PCT] = (double)(n % 17);
    return r;
}

static void setup(void)
{
    static struct result results[RESULTS_N];
    strcpy(dir, "/tmp/admf-test-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(config_parse(yaml, strlen(yaml), "test", NULL, 0, &describe, &config, &err), 0,
                 "%s", err.text);
    cr_assert_eq(store_open(dir, STORE_WRITE, &store, &err), 0, "%s", err.text);
    run = (struct run_record){.combinations_n = RESULTS_N, .config = strdup(yaml)};
    cr_assert_eq(store_run_create(store, &run, RESULTS_N, &err), 0, "%s", err.text);
    for (uint64_t n = 0; n < RESULTS_N; n++)
        results[n] = result_of(n);
    cr_assert_eq(store_commit(store, run.id,
                              &(const struct run_commit){NULL, results, RESULTS_N, NULL, 0}, &err),
                 0, "%s", err.text);
}

static void teardown(void)
{
    char command[128];
    run_record_fini(&run);
    store_close(store);
    config_destroy(config);
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(leaderboard, .init = setup, .fini = teardown);

static int make(const struct leaderboard_options *options, struct leaderboard *ret)
{
    err = (struct err){0};
    return leaderboard_make(store, config, &run, options, ret, &err);
}

/* Whether a may stand right before b. */
static bool in_order(const struct leaderboard *board, size_t i)
{
    const struct leaderboard_entry *a = &board->entries[i], *b = &board->entries[i + 1];
    if (isnan(a->rank_value))
        return isnan(b->rank_value) && a->combination < b->combination;
    if (isnan(b->rank_value))
        return true;
    if (a->rank_value == b->rank_value)
        return a->combination < b->combination;
    return (a->rank_value > b->rank_value) == (board->direction > 0);
}

Test(leaderboard, ranks_by_the_objective_with_undefined_values_last)
{
    struct leaderboard board;
    cr_assert_eq(make(&(struct leaderboard_options){.top_n = 1000}, &board), 0, "%s", err.text);
    cr_expect_eq(board.metric, METRIC_SHARPE);
    cr_expect_eq(board.direction, 1);
    cr_expect_eq(board.left_out_n, 16);
    cr_expect_eq(board.matched_n, RESULTS_N - 16 - 1);
    cr_assert_eq(board.n, board.matched_n);
    cr_expect_eq(board.status_n[STATUS_CRASHED], 1);
    for (size_t i = 0; i + 1 < board.n; i++)
        cr_expect(in_order(&board, i), "at %zu", i);
    cr_expect(isnan(board.entries[board.n - 1].rank_value));
    leaderboard_fini(&board);
}

Test(leaderboard, a_short_one_is_the_head_of_a_long_one)
{
    struct leaderboard all, top;
    cr_assert_eq(make(&(struct leaderboard_options){.top_n = 1000}, &all), 0);
    for (uint64_t n = 1; n < 60; n += 7) {
        cr_assert_eq(make(&(struct leaderboard_options){.top_n = n}, &top), 0);
        cr_assert_eq(top.n, n);
        for (size_t i = 0; i < n; i++)
            cr_expect_eq(top.entries[i].combination, all.entries[i].combination);
        leaderboard_fini(&top);
    }
    leaderboard_fini(&all);
}

Test(leaderboard, sorts_by_the_sense_of_the_metric)
{
    struct leaderboard board;
    cr_assert_eq(make(&(struct leaderboard_options){.sort = "volatility_ann_pct"}, &board), 0);
    cr_expect_eq(board.direction, -1);
    cr_expect_eq(board.n, LEADERBOARD_TOP_DEFAULT);
    cr_expect_eq(board.entries[0].rank_value, 0);
    leaderboard_fini(&board);
    cr_assert_eq(make(&(struct leaderboard_options){.sort = "return_pct"}, &board), 0);
    cr_expect_eq(board.entries[0].combination, RESULTS_N - 1);
    leaderboard_fini(&board);
}

Test(leaderboard, where_speaks_of_metrics_and_swept_values)
{
    struct leaderboard board;
    struct leaderboard_options options = {.where = "lookback_period <= 20 and return_pct > 10"};
    cr_assert_eq(make(&options, &board), 0, "%s", err.text);
    cr_assert_eq(board.n, 8); /* 11 to 19 without 13 */
    for (size_t i = 0; i < board.n; i++)
        cr_expect(board.entries[i].combination > 10 && board.entries[i].combination < 20);
    leaderboard_fini(&board);
}

/* ---- what is said of combinations that did not run ------------------------------------------ */

static const struct {
    uint64_t all_n, ok_n, invalid_n, crashed_n;
    bool is_terse;
    const char *says;
} explained[] = {
    {5, 5, 0, 0, false, ""},
    {5, 4, 1, 0, false, "1 of 5 combinations is invalid, the first is 3: a\\x1b < b\n"},
    {5, 3, 2, 0, false, "2 of 5 combinations are invalid, the first is 3: a\\x1b < b\n"},
    {5, 3, 2, 0, true, ""},
    {5, 0, 5, 0, true, "no combination ran: all 5 are invalid: a\\x1b < b\n"},
    {1, 0, 1, 0, false, "no combination ran: the only one is invalid: a\\x1b < b\n"},
    {3, 0, 1, 2, false, "no combination ran to its end: 1 of 3 is invalid: a\\x1b < b\n"},
    {3, 0, 0, 3, false, "no combination ran to its end\n"},
    {5, 0, 2, 0, true, ""}, /* stopped before the others */
};

Test(leaderboard, invalid_combinations_are_explained)
{
    for (size_t i = 0; i < sizeof explained / sizeof *explained; i++) {
        struct leaderboard board = {.invalid_first = 3, .invalid_message = "a\033 < b"};
        struct run_record record = {.combinations_n = explained[i].all_n};
        char *text = NULL;
        size_t text_bytes = 0;
        FILE *out = open_memstream(&text, &text_bytes);
        cr_assert_not_null(out);
        board.status_n[STATUS_OK] = explained[i].ok_n;
        board.status_n[STATUS_INVALID] = explained[i].invalid_n;
        board.status_n[STATUS_CRASHED] = explained[i].crashed_n;
        leaderboard_explain(out, &board, &record, explained[i].is_terse);
        fclose(out);
        cr_expect_str_eq(text, explained[i].says, "row %zu", i);
        free(text);
    }
}

/* ---- wrong options -------------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct leaderboard_options options;
    const char *says;
} wrong[] = {
    {"an unknown metric", {.sort = "sharp"}, "sharpe"},
    {"a swept value is no metric", {.sort = "lookback_period"}, "no metric"},
    {"an unknown name", {.where = "lookback_perod > 3"}, "lookback_period"},
    {"no condition", {.where = "trades"}, "condition"},
    {"not an expression", {.where = "trades >"}, "--where"},
    {"a series", {.where = "sma(close,3) > 1"}, "--where"},
    {"too long a list", {.top_n = LEADERBOARD_TOP_MAX + 1}, "--top"},
};

Test(leaderboard, wrong_options_are_usage_errors)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct leaderboard board = {.n = 77};
        cr_assert_lt(make(&wrong[i].options, &board), 0, "%s", wrong[i].what);
        cr_expect_eq(err.kind, ERR_USAGE, "%s", wrong[i].what);
        cr_expect_not_null(strstr(err.text, wrong[i].says), "%s: %s", wrong[i].what, err.text);
        cr_expect_eq(board.n, 77, "%s", wrong[i].what);
    }
}

Test(leaderboard, aliases_of_metrics_are_understood)
{
    cr_expect_eq(leaderboard_metric("sharpe_ratio"), METRIC_SHARPE);
    cr_expect_eq(leaderboard_metric("kelly_criterion"), METRIC_KELLY);
    cr_expect_eq(leaderboard_metric("nonsense"), -1);
}
