/* SPDX-License-Identifier: MIT */
/* Promise: metrics are what proto/metric.def says, the backtesting.py profile is what that engine
 * reports for the same equity and trades, and undefined is NaN, never an infinity. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "worker/metrics/exact.h"
#include "worker/metrics/metrics.h"

#define BARS_MAX   16384
#define TRADES_MAX 1024

/* A run as metrics see it, with room of its own. */
struct run {
    struct metrics_input in;
    int64_t time_ns[BARS_MAX];
    double equity[BARS_MAX];
    double benchmark[BARS_MAX];
    uint32_t day_end[BARS_MAX];
    struct trade trades[TRADES_MAX];
    double scratch[2 * BARS_MAX];
    double metrics[METRIC_N];
};

static struct run *run_create(enum metric_profile profile)
{
    struct run *run = calloc(1, sizeof *run);

    cr_assert_not_null(run);
    run->in = (struct metrics_input){
        .profile = profile,
        .periods_per_year = NAN,
        .risk_free = 0,
        .initial_capital = 10000,
        .time_ns = run->time_ns,
        .equity = run->equity,
        .benchmark = run->benchmark,
        .day_end = run->day_end,
        .trades = run->trades,
    };
    return run;
}

static void run_add_bar(struct run *run, int64_t time_ns, double equity, double benchmark)
{
    uint32_t bar = run->in.bars_n++;

    cr_assert_lt(bar, BARS_MAX);
    run->time_ns[bar] = time_ns;
    run->equity[bar] = equity;
    run->benchmark[bar] = benchmark;
    if (bar == 0 || time_day(time_ns) != time_day(run->time_ns[bar - 1]))
        run->in.days_n++;
    run->day_end[run->in.days_n - 1] = bar;
}

static void run_add_trade(struct run *run, struct trade trade)
{
    cr_assert_lt(run->in.trades_n, TRADES_MAX);
    run->trades[run->in.trades_n++] = trade;
}

static const double *run_compute(struct run *run)
{
    metrics_compute(&run->in, run->scratch, run->metrics);
    for (int i = 0; i < METRIC_N; i++)
        cr_expect(!isinf(run->metrics[i]), "metric %d is infinite", i);
    return run->metrics;
}

/* One bar a day from 2024-01-01, a Monday. */
static struct run *run_of_days(enum metric_profile profile, const double *equity, uint32_t n)
{
    struct run *run = run_create(profile);

    for (uint32_t i = 0; i < n; i++)
        run_add_bar(run, (19723 + (int64_t)i) * NS_PER_DAY, equity[i], 100 + i % 3);
    return run;
}

static bool is_near(double got, double expected, double tolerance)
{
    if (isnan(got) || isnan(expected))
        return isnan(got) && isnan(expected);
    return fabs(got - expected) <= tolerance * fabs(expected);
}

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

static void golden_case(const char *folder, const char *name)
{
    struct run *run = run_create(PROFILE_BACKTESTING_PY);
    FILE *file = golden_open(folder, "case.json");
    json_error_t error;
    json_t *root = json_loadf(file, 0, &error);

    cr_assert_not_null(root, "%s/case.json:%d: %s", folder, error.line, error.text);
    golden_bars(run, folder);
    golden_trades(run, folder);
    run_compute(run);
    golden_expect(run, json_object_get(root, "stats"), name);
    json_decref(root);
    fclose(file);
    free(run);
}

Test(metrics, backtesting_py_profile_reports_what_backtesting_py_reports)
{
    const char *shared = getenv("ADMF_SHARED");
    char root[512];
    DIR *dir;
    int cases_n = 0;

    snprintf(root, sizeof root, "%s/golden/backtests_backtestingpy", shared ? shared : "");
    dir = shared ? opendir(root) : NULL;
    if (!dir)
        cr_skip("no golden data: ADMF_SHARED does not lead to golden/backtests_backtestingpy");
    for (struct dirent *entry; (entry = readdir(dir));) {
        char folder[1024];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(folder, sizeof folder, "%s/%s", root, entry->d_name);
        golden_case(folder, entry->d_name);
        cases_n++;
    }
    closedir(dir);
    cr_expect_gt(cases_n, 0, "%s holds no case", root);
}

/* ---- native --------------------------------------------------------------------------------- */

Test(metrics, native_ratios_rest_on_daily_returns)
{
    static const double equity[] = {10000, 10100, 9999, 10498.95};
    static const double r[] = {0.01, -0.01, 0.05};
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 4);
    double mean = (r[0] + r[1] + r[2]) / 3;
    double std = sqrt(((r[0] - mean) * (r[0] - mean) + (r[1] - mean) * (r[1] - mean) +
                       (r[2] - mean) * (r[2] - mean)) /
                      2);
    const double *m = run_compute(run);

    cr_expect(is_near(m[METRIC_RETURN_PCT], 4.9895, 1e-12));
    cr_expect(is_near(m[METRIC_RETURN_ANN_PCT], (pow(1.049895, 84) - 1) * 100, 1e-12));
    cr_expect(is_near(m[METRIC_VOLATILITY_ANN_PCT], std * sqrt(252) * 100, 1e-12));
    cr_expect(is_near(m[METRIC_SHARPE], mean / std * sqrt(252), 1e-12));
    cr_expect(is_near(m[METRIC_SORTINO], mean * sqrt(252) / sqrt(0.0001 / 3), 1e-12));
    cr_expect(is_near(m[METRIC_CAGR_PCT], (pow(1.049895, 365.25 / 3) - 1) * 100, 1e-12));
    cr_expect(is_near(m[METRIC_MAX_DRAWDOWN_PCT], -1, 1e-12));
    cr_expect(is_near(m[METRIC_CALMAR], m[METRIC_CAGR_PCT], 1e-12));
    cr_expect(is_near(m[METRIC_AVG_DRAWDOWN_PCT], -1, 1e-12));
    cr_expect_eq(m[METRIC_MAX_DRAWDOWN_DURATION_DAYS], 2);
    cr_expect_eq(m[METRIC_AVG_DRAWDOWN_DURATION_DAYS], 2);
    free(run);
}

Test(metrics, native_uses_the_given_periods_and_risk_free_rate)
{
    static const double equity[] = {10000, 10200, 10098, 10400};
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 4);
    double plain = run_compute(run)[METRIC_SHARPE];
    double volatility = run->metrics[METRIC_VOLATILITY_ANN_PCT];

    run->in.periods_per_year = 365;
    run->in.risk_free = 0.0365;
    run_compute(run);
    cr_expect(
        is_near(run->metrics[METRIC_VOLATILITY_ANN_PCT], volatility * sqrt(365.0 / 252), 1e-12));
    cr_expect(is_near(run->metrics[METRIC_SHARPE],
                      plain * sqrt(365.0 / 252) - 0.0001 * 36500 / volatility * sqrt(252.0 / 365),
                      1e-12));
    free(run);
}

Test(metrics, native_returns_take_the_last_equity_of_each_day_drawdown_every_bar)
{
    struct run *run = run_create(PROFILE_NATIVE);
    const double *m;

    for (int day = 0; day < 3; day++) {
        run_add_bar(run, day * NS_PER_DAY, day == 1 ? 5000 : 10000, 1);
        run_add_bar(run, day * NS_PER_DAY + NS_PER_DAY / 2, 10000 + 100 * day, 1);
    }
    run->in.exposed_bars_n = 3;
    m = run_compute(run);
    cr_expect_eq(m[METRIC_MAX_DRAWDOWN_PCT], -50);
    cr_expect(isnan(m[METRIC_AVG_DRAWDOWN_PCT]), "daily equity never falls");
    cr_expect(isnan(m[METRIC_SORTINO]), "no day loses");
    cr_expect_eq(m[METRIC_EXPOSURE_PCT], 50);
    cr_expect(is_near(m[METRIC_RETURN_ANN_PCT], (pow(1.02, 126) - 1) * 100, 1e-12));
    free(run);
}

Test(metrics, native_drawdown_starts_from_the_initial_capital)
{
    static const double equity[] = {9000, 9500};
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 2);

    run_compute(run);
    cr_expect(is_near(run->metrics[METRIC_MAX_DRAWDOWN_PCT], -10, 1e-12));
    cr_expect_eq(run->metrics[METRIC_EQUITY_PEAK], 9500);
    free(run);
}

static double walk_step(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) / (double)(UINT64_C(1) << 53) - 0.5) * 0.02;
}

Test(metrics, drawdown_has_the_bits_of_a_division_at_every_bar)
{
    uint64_t state = 7;

    for (uint32_t n = 1; n < 400; n += 7) {
        struct run *run = run_create(PROFILE_NATIVE);
        double equity = 10000;
        double peak = 10000;
        double least = 0;
        double highest = 0;

        for (uint32_t i = 0; i < n; i++) {
            equity *= 1 + walk_step(&state);
            peak = fmax(peak, equity);
            highest = fmax(highest, equity);
            least = fmin(least, equity / peak - 1);
            run_add_bar(run, (int64_t)i * 60 * NS_PER_S, equity, 1);
        }
        run_compute(run);
        cr_expect_eq(run->metrics[METRIC_MAX_DRAWDOWN_PCT], least * 100, "%u bars", n);
        cr_expect_eq(run->metrics[METRIC_EQUITY_PEAK], highest, "%u bars", n);
        free(run);
    }
}

Test(metrics, beta_of_the_market_itself_is_one)
{
    struct run *run = run_create(PROFILE_NATIVE);
    uint64_t state = 3;
    double px = 100;

    for (int64_t day = 0; day < 50; day++) {
        px *= 1 + walk_step(&state);
        run_add_bar(run, day * NS_PER_DAY, px * 50, px);
    }
    run->in.initial_capital = run->equity[0];
    run_compute(run);
    cr_expect(is_near(run->metrics[METRIC_BETA], 1, 1e-12));
    cr_expect(fabs(run->metrics[METRIC_ALPHA_PCT]) < 1e-9);
    run->benchmark[0] = run->benchmark[1] = NAN;
    run_compute(run);
    cr_expect(is_near(run->metrics[METRIC_BETA], 1, 1e-12), "days before the market are left out");
    cr_expect(isnan(run->metrics[METRIC_BUY_HOLD_RETURN_PCT]));
    free(run);
}

static struct trade trade_of(uint32_t entry_bar, uint32_t exit_bar, double pnl)
{
    return (struct trade){
        .entry_bar = entry_bar,
        .exit_bar = exit_bar,
        .qty = -10,
        .entry_px = 100,
        .pnl = pnl,
        .commission = 2,
    };
}

Test(metrics, trades_count_money_in_native_and_fractions_in_backtesting_py)
{
    static const double equity[] = {10000, 10010, 10020, 10030, 10040, 10040};
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 6);
    double std = sqrt((80 * 80 + 70 * 70 + 10 * 10) / 2.0);
    const double *m = run_compute(run);

    run_add_trade(run, trade_of(0, 1, 100));
    run_add_trade(run, trade_of(1, 4, -50));
    run_add_trade(run, trade_of(4, 5, 10));
    run->trades[2].qty = 1;
    run->in.commissions = 7;
    run->in.slippage_cost = 3;
    run->in.open_trades_n = 2;
    run_compute(run);
    cr_expect_eq(m[METRIC_TRADES], 3);
    cr_expect(is_near(m[METRIC_WIN_RATE_PCT], 200 / 3.0, 1e-12));
    cr_expect(is_near(m[METRIC_BEST_TRADE_PCT], 10, 1e-12));
    cr_expect(is_near(m[METRIC_WORST_TRADE_PCT], -5, 1e-12));
    cr_expect(is_near(m[METRIC_AVG_TRADE_PCT], 5, 1e-12));
    cr_expect(is_near(m[METRIC_EXPECTANCY_PCT], 5, 1e-12));
    cr_expect_eq(m[METRIC_MAX_TRADE_DURATION_DAYS], 3);
    cr_expect(is_near(m[METRIC_AVG_TRADE_DURATION_DAYS], 5 / 3.0, 1e-12));
    cr_expect(is_near(m[METRIC_PROFIT_FACTOR], 2.2, 1e-12));
    cr_expect(is_near(m[METRIC_SQN], sqrt(3) * 20 / std, 1e-12));
    cr_expect(is_near(m[METRIC_KELLY], 2 / 3.0 - (1 / 3.0) / (55 / 50.0), 1e-12));
    cr_expect_eq(m[METRIC_COMMISSIONS], 7);
    cr_expect_eq(m[METRIC_SLIPPAGE_COST], 3);
    cr_expect_eq(m[METRIC_OPEN_TRADES], 2);

    run->in.profile = PROFILE_BACKTESTING_PY;
    run_compute(run);
    cr_expect(is_near(m[METRIC_PROFIT_FACTOR], 4, 1e-12));
    cr_expect(is_near(m[METRIC_AVG_TRADE_PCT], (cbrt(1.1 * 0.95 * 1.1) - 1) * 100, 1e-12));
    cr_expect_eq(m[METRIC_AVG_TRADE_DURATION_DAYS], 2, "rounded up to whole days");
    cr_expect_eq(m[METRIC_EXPOSURE_PCT], 100, "shared bars count once");
    cr_expect_eq(m[METRIC_COMMISSIONS], 6);
    cr_expect(isnan(m[METRIC_SLIPPAGE_COST]));
    free(run);
}

Test(metrics, a_trade_that_loses_everything_makes_the_geometric_mean_zero)
{
    static const double equity[] = {10000, 9000, 9000};
    struct run *run = run_of_days(PROFILE_BACKTESTING_PY, equity, 3);

    run_add_trade(run, trade_of(0, 1, -1000));
    run_add_trade(run, trade_of(1, 2, 500));
    cr_expect_eq(run_compute(run)[METRIC_AVG_TRADE_PCT], 0);
    free(run);
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

/* ---- degenerate runs ------------------------------------------------------------------------ */

static void expect_nan(const struct run *run, const enum metric *metrics, size_t n,
                       const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_expect(isnan(run->metrics[metrics[i]]), "%s: metric %d is %g", what, metrics[i],
                  run->metrics[metrics[i]]);
}

static const enum metric of_returns[] = {
    METRIC_VOLATILITY_ANN_PCT,
    METRIC_SHARPE,
    METRIC_SORTINO,
    METRIC_CALMAR,
    METRIC_ALPHA_PCT,
    METRIC_BETA,
    METRIC_CAGR_PCT,
    METRIC_AVG_DRAWDOWN_PCT,
    METRIC_MAX_DRAWDOWN_DURATION_DAYS,
    METRIC_AVG_DRAWDOWN_DURATION_DAYS,
};
static const enum metric of_trades[] = {
    METRIC_WIN_RATE_PCT,  METRIC_BEST_TRADE_PCT,          METRIC_WORST_TRADE_PCT,
    METRIC_AVG_TRADE_PCT, METRIC_MAX_TRADE_DURATION_DAYS, METRIC_AVG_TRADE_DURATION_DAYS,
    METRIC_PROFIT_FACTOR, METRIC_EXPECTANCY_PCT,          METRIC_SQN,
    METRIC_KELLY,
};

Test(metrics, one_bar_without_trades_leaves_ratios_undefined)
{
    static const double equity[] = {10000};

    for (int profile = 0; profile < PROFILE_N; profile++) {
        struct run *run = run_of_days((enum metric_profile)profile, equity, 1);

        run_compute(run);
        expect_nan(run, of_returns, sizeof of_returns / sizeof *of_returns, "one bar");
        expect_nan(run, of_trades, sizeof of_trades / sizeof *of_trades, "one bar");
        cr_expect_eq(run->metrics[METRIC_RETURN_PCT], 0);
        cr_expect_eq(run->metrics[METRIC_MAX_DRAWDOWN_PCT], 0);
        cr_expect_eq(run->metrics[METRIC_TRADES], 0);
        free(run);
    }
}

Test(metrics, no_bars_leave_everything_undefined)
{
    struct run *run = run_create(PROFILE_NATIVE);

    run_compute(run);
    for (int i = 0; i < METRIC_N; i++)
        cr_expect(isnan(run->metrics[i]));
    free(run);
}

Test(metrics, constant_equity_has_no_ratio)
{
    static const double equity[] = {10000, 10000, 10000, 10000, 10000};
    static const enum metric undefined[] = {
        METRIC_SHARPE,
        METRIC_SORTINO,
        METRIC_CALMAR,
        METRIC_AVG_DRAWDOWN_PCT,
    };

    for (int profile = 0; profile < PROFILE_N; profile++) {
        struct run *run = run_of_days((enum metric_profile)profile, equity, 5);

        run_compute(run);
        expect_nan(run, undefined, sizeof undefined / sizeof *undefined, "constant equity");
        cr_expect_eq(run->metrics[METRIC_VOLATILITY_ANN_PCT], 0);
        cr_expect_eq(run->metrics[METRIC_RETURN_ANN_PCT], 0);
        cr_expect_eq(run->metrics[METRIC_BETA], 0);
        free(run);
    }
}

Test(metrics, bankruptcy_loses_all_and_stays_finite)
{
    static const double equity[] = {10000, 11000, 5500, 0, 0, 0};

    for (int profile = 0; profile < PROFILE_N; profile++) {
        struct run *run = run_of_days((enum metric_profile)profile, equity, 6);

        run->in.is_bankrupt = 1;
        run_compute(run);
        cr_expect_eq(run->metrics[METRIC_BANKRUPT], 1);
        cr_expect_eq(run->metrics[METRIC_RETURN_PCT], -100);
        cr_expect_eq(run->metrics[METRIC_CAGR_PCT], -100);
        cr_expect_eq(run->metrics[METRIC_MAX_DRAWDOWN_PCT], -100);
        cr_expect_eq(run->metrics[METRIC_AVG_DRAWDOWN_PCT], -100);
        cr_expect_eq(run->metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS], 4);
        free(run);
    }
}

Test(metrics, one_day_of_minutes_has_drawdown_but_no_daily_ratio)
{
    static const enum metric undefined[] = {
        METRIC_RETURN_ANN_PCT, METRIC_VOLATILITY_ANN_PCT, METRIC_SHARPE, METRIC_SORTINO,
        METRIC_BETA,           METRIC_AVG_DRAWDOWN_PCT,
    };
    struct run *run = run_create(PROFILE_NATIVE);

    for (int64_t i = 0; i < 390; i++)
        run_add_bar(run, i * 60 * NS_PER_S, i == 200 ? 9000 : 10000, 100 + (double)i);
    run_compute(run);
    expect_nan(run, undefined, sizeof undefined / sizeof *undefined, "one day");
    cr_expect(is_near(run->metrics[METRIC_MAX_DRAWDOWN_PCT], -10, 1e-12));
    cr_expect(is_near(run->metrics[METRIC_BUY_HOLD_RETURN_PCT], 389, 1e-12));
    free(run);
}

Test(metrics, an_unknown_market_leaves_only_its_own_metrics_undefined)
{
    static const double equity[] = {10000, 10100, 9900, 10200};
    static const enum metric undefined[] = {
        METRIC_BUY_HOLD_RETURN_PCT,
        METRIC_BETA,
        METRIC_ALPHA_PCT,
    };

    for (int profile = 0; profile < PROFILE_N; profile++) {
        struct run *run = run_of_days((enum metric_profile)profile, equity, 4);

        for (int i = 0; i < 4; i++)
            run->benchmark[i] = NAN;
        run_compute(run);
        expect_nan(run, undefined, sizeof undefined / sizeof *undefined, "no market");
        cr_expect_not(isnan(run->metrics[METRIC_SHARPE]));
        free(run);
    }
}

Test(metrics, same_input_gives_the_same_bytes)
{
    struct run *run = run_create(PROFILE_NATIVE);
    double first[METRIC_N];
    uint64_t state = 11;
    double equity = 10000;

    for (int64_t i = 0; i < 1000; i++) {
        equity *= 1 + walk_step(&state);
        run_add_bar(run, i * 3600 * NS_PER_S, equity, 100 + (double)(i % 7));
    }
    memcpy(first, run_compute(run), sizeof first);
    memset(run->scratch, 0x5a, sizeof run->scratch);
    run_compute(run);
    cr_expect_arr_eq((const char *)first, (const char *)run->metrics, sizeof first);
    free(run);
}

/* ---- logarithm, exponential, power ---------------------------------------------------------- */

static double random_between(double low, double high)
{
    static uint64_t state = UINT64_C(88172645463325252);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

static double ulps_off(double found, long double expected)
{
    double ulp = nextafter(fabs((double)expected), INFINITY) - fabs((double)expected);

    return (double)(fabsl(found - expected) / ulp);
}

Test(exact, results_are_within_an_ulp_of_long_double_ones)
{
    for (int i = 0; i < 200000; i++) {
        double exponent = random_between(-700, 700), base = random_between(0.5, 2);
        double near_one = random_between(0.95, 1.05), power = random_between(-500, 500);
        double scaled = ldexp(base, (int)exponent);

        cr_assert(ulps_off(exact_exp(exponent), expl(exponent)) < 1, "exp(%a)", exponent);
        cr_assert(ulps_off(exact_log(scaled), logl(scaled)) < 1, "log(%a)", scaled);
        cr_assert(ulps_off(exact_log(near_one), logl(near_one)) < 1, "log(%a)", near_one);
        cr_assert(ulps_off(exact_pow(near_one, power), powl(near_one, power)) < 1, "pow(%a, %a)",
                  near_one, power);
    }
}

static bool is_same_or_near(double got, double expected)
{
    return got == expected || is_near(got, expected, 1e-15);
}

Test(exact, special_values_are_those_of_the_c_library)
{
    static const double values[] = {0,    1,     -1,  INFINITY, NAN,     2,     -2,
                                    3,    0.5,   -3,  5e-324,   1.7e308, -0.25, 1e-310,
                                    1000, -1000, 709, 710,      -744,    -746};
    const size_t n = sizeof values / sizeof values[0];

    for (size_t i = 0; i < n; i++) {
        double x = values[i];

        cr_expect(is_same_or_near(exact_log(x), log(x)), "log(%g): %g", x, exact_log(x));
        cr_expect(is_same_or_near(exact_exp(x), exp(x)), "exp(%g): %g", x, exact_exp(x));
        for (size_t k = 0; k < n; k++)
            cr_expect(is_same_or_near(exact_pow(x, values[k]), pow(x, values[k])),
                      "pow(%g, %g): %g", x, values[k], exact_pow(x, values[k]));
    }
}

/* The digest of a run rests on these bits: no CPU, compiler or C library may change them. */
Test(exact, bits_are_the_same_everywhere)
{
    uint64_t mixed = 0;

    for (int i = 1; i <= 20000; i++) {
        double x = i * 0x1p-10, y = i * 0x1p-9 - 20;
        double found[] = {exact_log(x), exact_exp(y), exact_pow(x, y / 4)};

        for (size_t k = 0; k < sizeof found / sizeof found[0]; k++) {
            uint64_t bits;
            memcpy(&bits, &found[k], sizeof bits);
            mixed = mixed * UINT64_C(0x9e3779b97f4a7c15) + bits;
        }
    }
    cr_expect_eq(mixed, UINT64_C(0xb0099c34536bf20a), "%llx", (unsigned long long)mixed);
}
