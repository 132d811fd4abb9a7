/* SPDX-License-Identifier: MIT */
/* Promise: distributions, drawdowns and figures of trades are those of plain loops over random
 * runs, and are undefined exactly where proto/metric.def says. */
#include <stdio.h>

#include "tests/unit/metrics_fixture.h"

static int compare_f64(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* ---- against plain loops -------------------------------------------------------------------- */

static double percentile(const double *sorted, uint32_t n, double q)
{
    double at = q * (n - 1.0);
    uint32_t k = (uint32_t)at;
    double next = k + 1 < n ? sorted[k + 1] : sorted[k];
    return sorted[k] + (next - sorted[k]) * (at - k);
}

static double mean_of_lowest(const double *sorted, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += sorted[i];
    return sum / n;
}

static double central(const double *r, uint32_t n, int power)
{
    double mean = mean_of_lowest(r, n), sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += pow(r[i] - mean, power);
    return sum;
}

static void expect_metric(const struct run *run, enum metric metric, double expected,
                          const char *what)
{
    cr_expect(is_near(run->metrics[metric], expected, 1e-9), "%s: %s is %.17g, expected %.17g",
              what, metric_row(metric)->name, run->metrics[metric], expected);
}

static void expect_tails(const struct run *run, double *r, uint32_t n, const char *what)
{
    double p95;

    qsort(r, n, sizeof *r, compare_f64);
    p95 = percentile(r, n, 0.95);
    expect_metric(run, METRIC_VALUE_AT_RISK_95_PCT, percentile(r, n, 0.05) * 100, what);
    expect_metric(run, METRIC_VALUE_AT_RISK_99_PCT, percentile(r, n, 0.01) * 100, what);
    expect_metric(run, METRIC_EXPECTED_SHORTFALL_95_PCT,
                  mean_of_lowest(r, (uint32_t)(0.05 * (n - 1)) + 1) * 100, what);
    expect_metric(run, METRIC_EXPECTED_SHORTFALL_99_PCT,
                  mean_of_lowest(r, (uint32_t)(0.01 * (n - 1)) + 1) * 100, what);
    expect_metric(run, METRIC_BEST_DAY_PCT, r[n - 1] * 100, what);
    expect_metric(run, METRIC_WORST_DAY_PCT, r[0] * 100, what);
    if (percentile(r, n, 0.05) != 0)
        expect_metric(run, METRIC_TAIL_RATIO, fabs(p95 / percentile(r, n, 0.05)), what);
}

static void expect_shape(const struct run *run, const double *r, uint32_t n, const char *what)
{
    double k = n, m2 = central(r, n, 2), m3 = central(r, n, 3), m4 = central(r, n, 4);
    double skew = k * sqrt(k - 1) / (k - 2) * m3 / pow(m2, 1.5);
    double kurtosis = k * (k + 1) * (k - 1) / ((k - 2) * (k - 3)) * m4 / (m2 * m2) -
                      3 * (k - 1) * (k - 1) / ((k - 2) * (k - 3));
    double s = mean_of_lowest(r, n) / sqrt(m2 / (k - 1));
    double spread = 1 - skew * s + (kurtosis + 2) / 4 * s * s;

    expect_metric(run, METRIC_SKEW, skew, what);
    expect_metric(run, METRIC_KURTOSIS, kurtosis, what);
    expect_metric(run, METRIC_PSR, erfc(-s * sqrt(k - 1) / sqrt(spread) / sqrt(2)) / 2, what);
    expect_metric(run, METRIC_MIN_TRACK_RECORD,
                  s > 0 ? 1 + spread * pow(1.6448536269514727 / s, 2) : NAN, what);
}

static void expect_sums(const struct run *run, const double *r, uint32_t n, const char *what)
{
    double gains = 0, losses = 0;

    for (uint32_t i = 0; i < n; i++) {
        gains += r[i] > 0 ? r[i] : 0;
        losses -= r[i] < 0 ? r[i] : 0;
    }
    expect_metric(run, METRIC_OMEGA, losses > 0 ? gains / losses : NAN, what);
    expect_metric(run, METRIC_GAIN_TO_PAIN, losses > 0 ? (gains - losses) / losses : NAN, what);
    expect_metric(run, METRIC_COMMON_SENSE_RATIO,
                  losses > 0 ? gains / losses * run->metrics[METRIC_TAIL_RATIO] : NAN, what);
}

static void expect_falls(const struct run *run, const char *what)
{
    double n = run->in.days_n, peak = run->in.initial_capital, sum_sq = 0, under_n = 0, ulcer;
    long double sum_e = 0, sum_i = 0, sum_ee = 0, sum_ii = 0, sum_ei = 0;

    for (uint32_t i = 0; i < run->in.days_n; i++) {
        long double e = run->equity[run->day_end[i]] / 10000.0L;

        peak = fmax(peak, run->equity[i]);
        under_n += run->equity[i] < peak;
        sum_sq += pow(run->equity[i] / peak - 1, 2);
        sum_e += e;
        sum_i += i;
        sum_ee += e * e;
        sum_ii += (long double)i * i;
        sum_ei += e * i;
    }
    ulcer = sqrt(sum_sq / n);
    expect_metric(run, METRIC_TIME_UNDER_WATER_PCT, under_n / n * 100, what);
    expect_metric(run, METRIC_ULCER_INDEX_PCT, ulcer * 100, what);
    expect_metric(run, METRIC_ULCER_PERFORMANCE,
                  ulcer > 0 ? run->metrics[METRIC_CAGR_PCT] / 100 / ulcer : NAN, what);
    expect_metric(run, METRIC_EQUITY_R2,
                  (double)((n * sum_ei - sum_e * sum_i) * (n * sum_ei - sum_e * sum_i) /
                           ((n * sum_ee - sum_e * sum_e) * (n * sum_ii - sum_i * sum_i))),
                  what);
}

/* A random walk of days, flat on a share of them. */
static struct run *random_run(uint32_t days_n, unsigned flat_percent, uint64_t seed)
{
    struct run *run = run_create(PROFILE_NATIVE);
    double level = 10000;
    uint64_t state = seed;

    for (uint32_t i = 0; i < days_n; i++) {
        double step = walk_step(&state), draw = walk_step(&state);

        level *= draw / 0.02 + 0.5 < flat_percent / 100.0 ? 1 : 1 + step;
        run_add_bar(run, (int64_t)i * NS_PER_DAY, level, 100 + (double)(i % 5));
    }
    run_compute(run);
    return run;
}

Test(returns, distribution_and_drawdowns_are_those_of_plain_loops)
{
    static const uint32_t lengths[] = {6, 7, 8, 9, 17, 64, 65, 129, 500, 2001};
    static const unsigned flats[] = {0, 50, 90, 98};
    static double r[BARS_MAX];

    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (size_t f = 0; f < sizeof flats / sizeof *flats; f++) {
            struct run *run = random_run(lengths[l], l < 4 ? 0 : flats[f], 77 + l * 10 + f);
            uint32_t n = lengths[l] - 1;
            char what[64];

            snprintf(what, sizeof what, "%u days, %u %% flat", lengths[l], flats[f]);
            for (uint32_t i = 0; i < n; i++)
                r[i] = run->equity[i + 1] / run->equity[i] - 1;
            expect_shape(run, r, n, what);
            expect_sums(run, r, n, what);
            expect_falls(run, what);
            expect_tails(run, r, n, what);
            free(run);
        }
}

Test(returns, the_threshold_of_omega_is_the_risk_free_rate_that_of_pain_is_zero)
{
    static const double equity[] = {10000, 10100, 10050.5, 10151.005};
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 4);
    double rf = 0.0005;

    run->in.risk_free = rf * 252;
    run_compute(run);
    expect_metric(run, METRIC_OMEGA, (0.02 - 2 * rf) / (0.0049009900990099 + rf), "omega");
    expect_metric(run, METRIC_GAIN_TO_PAIN, (0.02 - 0.0049009900990099) / 0.0049009900990099,
                  "gain to pain");
    free(run);
}

/* ---- undefined ------------------------------------------------------------------------------ */

Test(returns, what_needs_a_loss_is_undefined_without_one)
{
    static const double equity[] = {10000, 10100, 10200, 10200, 10400, 10500};
    static const enum metric undefined[] = {
        METRIC_SORTINO,       METRIC_CALMAR,     METRIC_OMEGA,
        METRIC_GAIN_TO_PAIN,  METRIC_TAIL_RATIO, METRIC_COMMON_SENSE_RATIO,
        METRIC_PROFIT_FACTOR, METRIC_KELLY,      METRIC_AVG_DRAWDOWN_DURATION_DAYS,
    };
    static const enum metric of_native[] = {METRIC_ULCER_PERFORMANCE, METRIC_RECOVERY_FACTOR,
                                            METRIC_AVG_LOSING_TRADE_PCT, METRIC_PAYOFF_RATIO};
    static const enum metric of_quantstats[] = {METRIC_CPC_INDEX, METRIC_OUTLIER_LOSS_RATIO,
                                                METRIC_SERENITY_INDEX, METRIC_RECOVERY_FACTOR,
                                                METRIC_ULCER_PERFORMANCE};

    for (int profile = 0; profile < PROFILE_N; profile++) {
        struct run *run = run_of_days((enum metric_profile)profile, equity, 6);

        run_add_trade(run, trade_of(0, 1, 100));
        run_compute(run);
        for (size_t i = 0; i < sizeof undefined / sizeof *undefined; i++)
            if (undefined[i] != METRIC_TAIL_RATIO)
                expect_nan(run, &undefined[i], 1, metric_profile_name(run->in.profile));
        free(run);
    }
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 6);
    run_compute(run);
    expect_nan(run, of_native, sizeof of_native / sizeof *of_native, "native");
    cr_expect_eq(run->metrics[METRIC_ULCER_INDEX_PCT], 0);
    cr_expect_eq(run->metrics[METRIC_TIME_UNDER_WATER_PCT], 0);
    run->in.profile = PROFILE_QUANTSTATS;
    run_compute(run);
    expect_nan(run, of_quantstats, sizeof of_quantstats / sizeof *of_quantstats, "quantstats");
    free(run);
}

Test(returns, shape_needs_three_and_four_returns)
{
    static const double equity[] = {10000, 10100, 10050, 10200, 10150};
    static const enum metric from_three[] = {METRIC_SKEW},
                             from_four[] = {METRIC_KURTOSIS, METRIC_PSR, METRIC_MIN_TRACK_RECORD};
    static const enum metric_profile profiles[] = {PROFILE_NATIVE, PROFILE_QUANTSTATS};

    for (size_t p = 0; p < 2; p++)
        for (uint32_t days_n = 2; days_n <= 5; days_n++) {
            struct run *run = run_of_days(profiles[p], equity, days_n);

            run_compute(run);
            if (days_n < 4)
                expect_nan(run, from_three, 1, "two returns");
            else
                cr_expect_not(isnan(run->metrics[METRIC_SKEW]));
            if (days_n < 5)
                expect_nan(run, from_four, 3, "three returns");
            else
                cr_expect_not(isnan(run->metrics[METRIC_PSR]));
            free(run);
        }
}

Test(returns, constant_returns_have_no_shape_and_no_market_no_beta)
{
    static const double equity[] = {10000, 10000, 10000, 10000, 10000, 10000};
    static const enum metric undefined[] = {METRIC_SKEW, METRIC_KURTOSIS, METRIC_PSR,
                                            METRIC_TAIL_RATIO, METRIC_EQUITY_R2};
    struct run *run = run_of_days(PROFILE_NATIVE, equity, 6);

    run_compute(run);
    expect_nan(run, undefined, sizeof undefined / sizeof *undefined, "constant");
    for (int i = 0; i < 6; i++)
        run->benchmark[i] = 7;
    for (int profile = 0; profile < PROFILE_N; profile++) {
        static const enum metric of_market[] = {METRIC_BETA, METRIC_ALPHA_PCT, METRIC_MARKET_R2,
                                                METRIC_TREYNOR};
        run->in.profile = (enum metric_profile)profile;
        run_compute(run);
        expect_nan(run, of_market, 4, metric_profile_name(run->in.profile));
    }
    free(run);
}

/* ---- calendar ------------------------------------------------------------------------------- */

/* Months (or years) of the days `from` to the last, whose first starts from `before`. */
struct plain_periods {
    double best, worst;
    uint32_t n, gains_n, losses_n;
};

static struct plain_periods plain_periods(const struct run *run, uint32_t from, double before,
                                          bool is_by_year)
{
    struct plain_periods p = {.best = -INFINITY, .worst = INFINITY};

    for (uint32_t day = from; day < run->in.days_n; day++) {
        int64_t year[2] = {0}, last = day + 1 == run->in.days_n;
        unsigned month[2] = {0}, unused;
        double change;

        for (uint32_t i = 0; i < 2 && day + i < run->in.days_n; i++)
            civil_from_days(time_day(run->time_ns[run->day_end[day + i]]), &year[i], &month[i],
                            &unused);
        if (!last && year[0] == year[1] && (is_by_year || month[0] == month[1]))
            continue;
        change = run->equity[run->day_end[day]] / before - 1;
        before = run->equity[run->day_end[day]];
        p.n++;
        p.gains_n += change > 0;
        p.losses_n += change < 0;
        p.best = fmax(p.best, change);
        p.worst = fmin(p.worst, change);
    }
    return p;
}

static void expect_calendar(struct run *run, uint32_t from, double before)
{
    struct plain_periods months = plain_periods(run, from, before, false);
    struct plain_periods years = plain_periods(run, from, before, true);
    const double *m = run_compute(run);
    double growth = run->equity[run->in.bars_n - 1] / before;
    double share = (double)months.gains_n / (months.gains_n + months.losses_n);

    cr_expect_eq(m[METRIC_BEST_MONTH_PCT], months.best * 100);
    cr_expect_eq(m[METRIC_WORST_MONTH_PCT], months.worst * 100);
    cr_expect(fabs(m[METRIC_WIN_MONTHS_PCT] - share * 100) < 1e-9);
    cr_expect_eq(m[METRIC_BEST_YEAR_PCT], years.best * 100);
    cr_expect_eq(m[METRIC_WORST_YEAR_PCT], years.worst * 100);
    cr_expect(fabs(m[METRIC_EXPECTED_MONTH_PCT] - (pow(growth, 1.0 / months.n) - 1) * 100) < 1e-9);
    cr_expect(fabs(m[METRIC_EXPECTED_YEAR_PCT] - (pow(growth, 1.0 / years.n) - 1) * 100) < 1e-9);
}

/* Gaps of a day to more than a year, months of one day, runs that begin and end anywhere. */
Test(returns, months_and_years_are_those_of_the_calendar)
{
    uint64_t state = 1;

    for (int i = 0; i < 300; i++) {
        struct run *run = run_create(PROFILE_NATIVE);
        int64_t day = (int64_t)(i * 37) - 4000;

        for (int n = 0; n < 20 + i * 4; n++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            run_add_bar(run, day * NS_PER_DAY, 10000 + (double)(state >> 52), 100 + n % 3);
            day += state >> 40 & 63 ? 1 + (int64_t)(state >> 33 & 1)
                                    : (int64_t)(state >> 34 & 511) + 1;
        }
        expect_calendar(run, 0, 10000);
        run->in.profile = PROFILE_QUANTSTATS;
        expect_calendar(run, 1, run->equity[0]);
        free(run);
    }
}

/* ---- trades --------------------------------------------------------------------------------- */

static const double flat[] = {10000, 10000, 10000, 10000, 10000, 10000, 10000, 10000};

static void add_trades(struct run *run, const double *pnl, const double *qty, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct trade trade = trade_of((uint32_t)i, (uint32_t)i + 1, pnl[i]);

        trade.qty = qty[i];
        trade.mae = -0.01 * (double)i;
        trade.mfe = 0.02 * (double)i;
        run_add_trade(run, trade);
    }
}

Test(returns, streaks_are_broken_by_a_trade_that_makes_nothing)
{
    static const double pnl[] = {5, 5, 0, 5, -1, -1, -1};
    static const double qty[] = {1, 1, 1, 1, 1, 1, 1};
    struct run *run = run_of_days(PROFILE_NATIVE, flat, 8);

    add_trades(run, pnl, qty, 7);
    run_compute(run);
    cr_expect_eq(run->metrics[METRIC_MAX_WIN_STREAK], 2);
    cr_expect_eq(run->metrics[METRIC_MAX_LOSS_STREAK], 3);
    free(run);
}

Test(returns, sides_are_split)
{
    static const double pnl[] = {30, -10, 20, -40};
    static const double qty[] = {10, 10, -10, -10};
    struct run *run = run_of_days(PROFILE_NATIVE, flat, 8);
    const double *m = run->metrics;

    add_trades(run, pnl, qty, 4);
    run_compute(run);
    cr_expect_eq(m[METRIC_TRADES_LONG], 2);
    cr_expect_eq(m[METRIC_TRADES_SHORT], 2);
    cr_expect_eq(m[METRIC_WIN_RATE_LONG_PCT], 50);
    cr_expect_eq(m[METRIC_PNL_LONG], 20);
    cr_expect_eq(m[METRIC_PNL_SHORT], -20);
    cr_expect_eq(m[METRIC_PROFIT_FACTOR_LONG], 3);
    cr_expect_eq(m[METRIC_PROFIT_FACTOR_SHORT], 0.5);
    cr_expect_eq(m[METRIC_EXPECTANCY], 0);
    cr_expect(is_near(m[METRIC_AVG_WINNING_TRADE_PCT], 2.5, 1e-12));
    cr_expect(is_near(m[METRIC_AVG_LOSING_TRADE_PCT], -2.5, 1e-12));
    cr_expect_eq(m[METRIC_PAYOFF_RATIO], 1);
    cr_expect(is_near(m[METRIC_AVG_MAE_PCT], -1.5, 1e-12));
    cr_expect(is_near(m[METRIC_WORST_MAE_PCT], -3, 1e-12));
    cr_expect(is_near(m[METRIC_AVG_MFE_PCT], 3, 1e-12));
    cr_expect(is_near(m[METRIC_BEST_MFE_PCT], 6, 1e-12));
    free(run);
}

Test(returns, a_side_without_trades_is_undefined_but_for_its_sums)
{
    static const double pnl[] = {30, -10};
    static const double qty[] = {10, 10};
    static const enum metric undefined[] = {METRIC_WIN_RATE_SHORT_PCT, METRIC_PROFIT_FACTOR_SHORT};
    struct run *run = run_of_days(PROFILE_NATIVE, flat, 8);

    add_trades(run, pnl, qty, 2);
    run_compute(run);
    expect_nan(run, undefined, 2, "no short");
    cr_expect_eq(run->metrics[METRIC_TRADES_SHORT], 0);
    cr_expect_eq(run->metrics[METRIC_PNL_SHORT], 0);
    free(run);
}

Test(returns, a_loss_of_nothing_makes_no_loss_of_vectorbt_expectancy)
{
    static const double pnl[] = {30, 0, 30, 0};
    static const double qty[] = {10, 10, 10, 10};
    struct run *run = run_of_days(PROFILE_VECTORBT, flat, 8);

    add_trades(run, pnl, qty, 4);
    run_compute(run);
    cr_expect_eq(run->metrics[METRIC_EXPECTANCY], 15);
    free(run);
}
