/* SPDX-License-Identifier: MIT */
/* Promise: the native metrics are what proto/metric.def says, and in every profile undefined is
 * NaN, never an infinity. */
#include "tests/unit/metrics_fixture.h"

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
    run->in.facts.exposed_bars_n = 3;
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

Test(metrics, a_peak_that_rounding_keeps_from_being_regained_ends_a_drawdown)
{
    static const double fallen[] = {10000, 9000, 10000 * (1 - 0x1p-52), 9500, 10000};
    static const double flat[] = {10000, 10000 * (1 - 0x1p-52), 10000 * (1 - 0x1p-52)};
    struct run *run = run_of_days(PROFILE_NATIVE, fallen, 5);

    cr_expect(is_near(run_compute(run)[METRIC_AVG_DRAWDOWN_PCT], -7.5, 1e-12));
    cr_expect_eq(run->metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS], 2);
    free(run);
    run = run_of_days(PROFILE_NATIVE, flat, 3);
    cr_expect(isnan(run_compute(run)[METRIC_AVG_DRAWDOWN_PCT]), "nothing but rounding");
    free(run);
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
    run->in.facts.commissions = 7;
    run->in.facts.slippage_cost = 3;
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
    cr_expect_eq(m[METRIC_SLIPPAGE_COST], 3);
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

/* ---- degenerate runs ------------------------------------------------------------------------ */

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

        run->in.facts.is_bankrupt = 1;
        run_compute(run);
        cr_expect_eq(run->metrics[METRIC_BANKRUPT], 1);
        cr_expect_eq(run->metrics[METRIC_RETURN_PCT], -100);
        cr_expect_eq(run->metrics[METRIC_RETURN_ANN_PCT],
                     profile == PROFILE_BACKTESTING_PY ? 0 : -100);
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
