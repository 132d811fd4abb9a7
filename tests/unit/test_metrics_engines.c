/* SPDX-License-Identifier: MIT */
/* Promise: the profiles of other engines are what these report for the same equity and trades. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>

#include "tests/unit/metrics_fixture.h"

/* ---- golden: backtesting.py ----------------------------------------------------------------- */

static const struct {
    const char *key;
    enum metric metric;
} golden_stats[] = {
    {"# Trades", METRIC_TRADES},
    {"Alpha [%]", METRIC_ALPHA_PCT},
    {"Avg. Drawdown [%]", METRIC_AVG_DRAWDOWN_PCT},
    {"Avg. Trade [%]", METRIC_AVG_TRADE_PCT},
    {"Best Trade [%]", METRIC_BEST_TRADE_PCT},
    {"Beta", METRIC_BETA},
    {"Buy & Hold Return [%]", METRIC_BUY_HOLD_RETURN_PCT},
    {"CAGR [%]", METRIC_CAGR_PCT},
    {"Calmar Ratio", METRIC_CALMAR},
    {"Equity Final [$]", METRIC_EQUITY_FINAL},
    {"Equity Peak [$]", METRIC_EQUITY_PEAK},
    {"Expectancy [%]", METRIC_EXPECTANCY_PCT},
    {"Exposure Time [%]", METRIC_EXPOSURE_PCT},
    {"Kelly Criterion", METRIC_KELLY},
    {"Max. Drawdown [%]", METRIC_MAX_DRAWDOWN_PCT},
    {"Profit Factor", METRIC_PROFIT_FACTOR},
    {"Return (Ann.) [%]", METRIC_RETURN_ANN_PCT},
    {"Return [%]", METRIC_RETURN_PCT},
    {"SQN", METRIC_SQN},
    {"Sharpe Ratio", METRIC_SHARPE},
    {"Sortino Ratio", METRIC_SORTINO},
    {"Volatility (Ann.) [%]", METRIC_VOLATILITY_ANN_PCT},
    {"Win Rate [%]", METRIC_WIN_RATE_PCT},
    {"Worst Trade [%]", METRIC_WORST_TRADE_PCT},
};

static const struct {
    const char *key;
    enum metric metric;
} golden_durations[] = {
    {"Avg. Drawdown Duration", METRIC_AVG_DRAWDOWN_DURATION_DAYS},
    {"Avg. Trade Duration", METRIC_AVG_TRADE_DURATION_DAYS},
    {"Max. Drawdown Duration", METRIC_MAX_DRAWDOWN_DURATION_DAYS},
    {"Max. Trade Duration", METRIC_MAX_TRADE_DURATION_DAYS},
};

/* "90 days 04:00:00" in days. */
static double duration_days(const char *text)
{
    int days, hours, minutes, seconds;

    cr_assert_eq(sscanf(text, "%d days %d:%d:%d", &days, &hours, &minutes, &seconds), 4, "%s",
                 text);
    return days + ((hours * 60 + minutes) * 60 + seconds) / 86400.0;
}

static FILE *golden_open(const char *folder, const char *name)
{
    char path[1024];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "r");
    cr_assert_not_null(file, "cannot open %s", path);
    return file;
}

/* Splits a line at its commas, in place. */
static int split(char *line, char **fields, int fields_max)
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    for (char *rest = line; rest && n < fields_max;)
        fields[n++] = strsep(&rest, ",");
    return n;
}

/* Columns: bar, timestamp, open, high, low, close, indicators…, equity. */
static void golden_bars(struct run *run, const char *folder)
{
    FILE *file = golden_open(folder, "bars.csv");
    char line[1024];
    char *field[32];

    cr_assert_not_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        int n = split(line, field, 32);
        int64_t time_ns;
        bool has_offset;

        cr_assert_geq(n, 7);
        cr_assert_eq(time_parse_iso(field[1], strlen(field[1]), &time_ns, &has_offset), 0);
        for (int i = 6; i < n - 1; i++)
            if (isnan(strtod(field[i], NULL)) && run->in.warm_up_bar <= run->in.bars_n)
                run->in.warm_up_bar = run->in.bars_n + 1;
        run_add_bar(run, time_ns, strtod(field[n - 1], NULL), strtod(field[5], NULL));
    }
    fclose(file);
}

/* Columns: size, entry_bar, exit_bar, entry_price, exit_price, sl, tp, pnl, commission, … */
static void golden_trades(struct run *run, const char *folder)
{
    FILE *file = golden_open(folder, "trades.csv");
    char line[1024];
    char *field[16];

    cr_assert_not_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        cr_assert_geq(split(line, field, 16), 9);
        run_add_trade(run, (struct trade){
                               .qty = strtod(field[0], NULL),
                               .entry_bar = (uint32_t)strtoul(field[1], NULL, 10),
                               .exit_bar = (uint32_t)strtoul(field[2], NULL, 10),
                               .entry_px = strtod(field[3], NULL),
                               .exit_px = strtod(field[4], NULL),
                               .pnl = strtod(field[7], NULL),
                               .commission = strtod(field[8], NULL),
                           });
    }
    fclose(file);
}

static void golden_expect(const struct run *run, const json_t *stats, const char *name)
{
    double commissions = json_number_value(json_object_get(stats, "Commissions [$]"));

    for (size_t i = 0; i < sizeof golden_stats / sizeof *golden_stats; i++) {
        const json_t *value = json_object_get(stats, golden_stats[i].key);
        double expected = json_is_null(value) ? NAN : json_number_value(value);
        double got = run->metrics[golden_stats[i].metric];

        cr_assert_not_null(value, "%s: no %s", name, golden_stats[i].key);
        cr_expect(is_near(got, expected, 1e-9), "%s: %s is %.17g, expected %.17g", name,
                  golden_stats[i].key, got, expected);
    }
    for (size_t i = 0; i < sizeof golden_durations / sizeof *golden_durations; i++) {
        const char *text = json_string_value(json_object_get(stats, golden_durations[i].key));
        double expected = text ? duration_days(text) : NAN;
        double got = run->metrics[golden_durations[i].metric];

        cr_expect(is_near(got, expected, 1e-9), "%s: %s is %.17g days, expected %s", name,
                  golden_durations[i].key, got, text ? text : "nothing");
    }
    cr_expect(is_near(run->metrics[METRIC_COMMISSIONS], commissions, 1e-9), "%s: commissions",
              name);
}

static json_t *golden_json(const char *folder)
{
    FILE *file = golden_open(folder, "case.json");
    json_error_t error;
    json_t *root = json_loadf(file, 0, &error);

    cr_assert_not_null(root, "%s/case.json:%d: %s", folder, error.line, error.text);
    fclose(file);
    return root;
}

static void golden_case(const char *folder, const char *name)
{
    struct run *run = run_create(PROFILE_BACKTESTING_PY);
    json_t *root = golden_json(folder);

    golden_bars(run, folder);
    golden_trades(run, folder);
    run_compute(run);
    golden_expect(run, json_object_get(root, "stats"), name);
    json_decref(root);
    free(run);
}

static void each_case(const char *which, void (*check)(const char *folder, const char *name))
{
    const char *shared = getenv("ADMF_SHARED");
    char root[512];
    DIR *dir;
    int cases_n = 0;

    snprintf(root, sizeof root, "%s/golden/%s", shared ? shared : "", which);
    dir = shared ? opendir(root) : NULL;
    if (!dir)
        cr_skip("no golden data: ADMF_SHARED does not lead to golden/%s", which);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char folder[1024];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(folder, sizeof folder, "%s/%s", root, entry->d_name);
        check(folder, entry->d_name);
        cases_n++;
    }
    closedir(dir);
    cr_expect_gt(cases_n, 0, "%s holds no case", root);
}

Test(metrics, backtesting_py_profile_reports_what_backtesting_py_reports)
{
    each_case("backtests_backtestingpy", golden_case);
}

/* ---- golden: vectorbt ----------------------------------------------------------------------- */

/* What one of ours is of theirs. */
static const struct {
    const char *key;
    enum metric metric;
    double factor;
} vectorbt_stats[] = {
    {"total_return", METRIC_RETURN_PCT, 100},
    {"annualized_return", METRIC_RETURN_ANN_PCT, 100},
    {"annualized_volatility", METRIC_VOLATILITY_ANN_PCT, 100},
    {"sharpe_ratio", METRIC_SHARPE, 1},
    {"sortino_ratio", METRIC_SORTINO, 1},
    {"calmar_ratio", METRIC_CALMAR, 1},
    {"max_drawdown", METRIC_MAX_DRAWDOWN_PCT, 100},
    {"omega_ratio", METRIC_OMEGA, 1},
    {"trades", METRIC_TRADES, 1},
    {"closed_trades", METRIC_CLOSED_TRADES, 1},
    {"final_value", METRIC_EQUITY_FINAL, 1},
};

/* Columns: entry_bar, entry_price, entry_fees, exit_bar, exit_price, exit_fees, size, pnl, return,
 * direction, status; open ones may stand anywhere. */
static void vectorbt_trades(struct run *run, const char *folder, bool are_open)
{
    FILE *file = golden_open(folder, "trades.csv");
    char line[1024];
    char *field[16];

    cr_assert_not_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        uint32_t at = run->in.trades_n + run->in.open_trades_n;

        cr_assert_geq(split(line, field, 16), 11);
        if ((strcmp(field[10], "open") == 0) != are_open)
            continue;
        cr_assert_lt(at, TRADES_MAX);
        run->trades[at] = (struct trade){
            .entry_bar = (uint32_t)strtoul(field[0], NULL, 10),
            .exit_bar = are_open ? TRADE_OPEN : (uint32_t)strtoul(field[3], NULL, 10),
            .qty = strtod(field[6], NULL) * (strcmp(field[9], "long") == 0 ? 1 : -1),
            .entry_px = strtod(field[1], NULL),
            .pnl = strtod(field[7], NULL),
        };
        *(are_open ? &run->in.open_trades_n : &run->in.trades_n) += 1;
    }
    fclose(file);
}

static void vectorbt_case(const char *folder, const char *name)
{
    struct run *run = run_create(PROFILE_VECTORBT);
    json_t *root = golden_json(folder);
    const json_t *stats = json_object_get(root, "stats");

    golden_bars(run, folder);
    vectorbt_trades(run, folder, false);
    vectorbt_trades(run, folder, true);
    run->in.initial_capital = json_number_value(json_object_get(root, "init_cash"));
    run_compute(run);
    for (size_t i = 0; i < sizeof vectorbt_stats / sizeof *vectorbt_stats; i++) {
        const json_t *value = json_object_get(stats, vectorbt_stats[i].key);
        double expected = json_number_value(value) * vectorbt_stats[i].factor;
        double got = run->metrics[vectorbt_stats[i].metric];

        cr_assert_not_null(value, "%s: no %s", name, vectorbt_stats[i].key);
        cr_expect(is_near(got, expected, 1e-9), "%s: %s is %.17g, expected %.17g", name,
                  vectorbt_stats[i].key, got, expected);
    }
    json_decref(root);
    free(run);
}

Test(metrics, vectorbt_profile_reports_what_vectorbt_reports)
{
    each_case("backtests_vectorbt", vectorbt_case);
}

/* ---- what backtesting.py guesses from the times --------------------------------------------- */

static double volatility_of(struct run *run)
{
    return run_compute(run)[METRIC_VOLATILITY_ANN_PCT];
}

Test(metrics, backtesting_py_guesses_periods_a_year_from_the_calendar)
{
    static const struct {
        const char *what;
        int64_t days_apart;
        double per_year;
    } rows[] = {
        {"every day, weekends too", 1, 365},
        {"every week", 7, 52},
        {"every 31 days", 31, 12},
        {"every 365 days", 365, 1},
    };

    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct run *run = run_create(PROFILE_BACKTESTING_PY);
        double guessed;

        for (int64_t i = 0; i < 20; i++)
            run_add_bar(run, (19724 + i * rows[row].days_apart) * NS_PER_DAY, 10000 + i % 4, 100);
        guessed = volatility_of(run);
        run->in.periods_per_year = rows[row].per_year;
        cr_expect_eq(volatility_of(run), guessed, "%s", rows[row].what);
        run->in.periods_per_year = 250;
        cr_expect_neq(volatility_of(run), guessed, "%s", rows[row].what);
        free(run);
    }
}

Test(metrics, backtesting_py_weeks_end_on_sunday)
{
    /* Four Sundays, then the Monday, Tuesday of the week that follows: five weeks. */
    static const int64_t days_from_monday[] = {-1, 6, 13, 20, 21, 22};
    static const double equity[] = {10000, 10010, 10040, 10090, 11000, 10160};
    struct run *run = run_create(PROFILE_BACKTESTING_PY);
    double growth = pow(1.016, 1 / 4.0);

    for (int i = 0; i < 6; i++)
        run_add_bar(run, (19723 + days_from_monday[i]) * NS_PER_DAY, equity[i], 100);
    run_compute(run);
    cr_expect(is_near(run->metrics[METRIC_RETURN_ANN_PCT], (pow(growth, 52) - 1) * 100, 1e-9));
    free(run);
}
