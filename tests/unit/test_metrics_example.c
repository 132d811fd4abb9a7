/* SPDX-License-Identifier: MIT */
/* Promise: every metric of every profile has the value that numpy, pandas and scipy give for one
 * small run; a row of proto/metric.def that is not looked at here fails. (backtesting.py's own are
 * compared with that engine: test_metrics_engines.c.) */
#include "proto/spec.h"
#include "tests/unit/metrics_fixture.h"

/* Sixteen days from Sunday 2024-01-14, of two months; a risk-free rate of 2 %. */
static const double equity[] = {10000, 10120, 10080, 10080, 10250, 10110, 9940,  10020,
                                10300, 10290, 10410, 10380, 10150, 10220, 10400, 10560};
static const double benchmark[] = {100, 101,   100.5, 102, 103, 101, 99,  100,
                                   103, 102.5, 104,   103, 101, 102, 104, 105};
static const struct trade trades[] = {
    {.entry_bar = 0,
     .exit_bar = 3,
     .qty = 10,
     .entry_px = 100,
     .pnl = 50,
     .mae = -0.02,
     .mfe = 0.05},
    {.entry_bar = 3,
     .exit_bar = 5,
     .qty = -5,
     .entry_px = 102,
     .pnl = -20,
     .mae = -0.04,
     .mfe = 0.01},
    {.entry_bar = 6,
     .exit_bar = 9,
     .qty = 10,
     .entry_px = 99,
     .pnl = 30,
     .mae = -0.01,
     .mfe = 0.08},
    {.entry_bar = 9, .exit_bar = 10, .qty = -10, .entry_px = 102.5, .mae = -0.03, .mfe = 0.02},
    {.entry_bar = 11, .exit_bar = 12, .qty = 10, .entry_px = 103, .pnl = -25, .mae = -0.05},
    {.entry_bar = 13, .exit_bar = TRADE_OPEN, .qty = 10, .entry_px = 102, .pnl = NAN, .mfe = 0.03},
};
#define DAYS_N   (sizeof equity / sizeof *equity)
#define CLOSED_N 5

static struct run *example(enum metric_profile profile)
{
    struct run *run = run_create(profile);

    for (size_t i = 0; i < DAYS_N; i++)
        run_add_bar(run, (19736 + (int64_t)i) * NS_PER_DAY, equity[i], benchmark[i]);
    for (size_t i = 0; i < CLOSED_N; i++)
        run_add_trade(run, trades[i]);
    run->trades[CLOSED_N] = trades[CLOSED_N];
    run->in.open_trades_n = 1;
    run->in.risk_free = 0.02;
    run->in.facts = (struct metrics_facts){
        .fills_n = 11,
        .orders_n = 9,
        .vetoes_n = 2,
        .resizes_n = 3,
        .dropped_n = 4,
        .exposed_bars_n = 12,
        .exposure_gross_sum = 8,
        .exposure_net_sum = -4,
        .exposure_gross_max = 1.25,
        .traded_value = 20413.75,
        .commissions = 11,
        .slippage_cost = 4,
        .borrow_cost = 5,
        .interest_cost = 6,
        .dividends = -7,
        .debt_forgiven = 8,
        .open_pnl = 29,
    };
    return run;
}

struct expected {
    enum metric metric;
    double value;
};

/* What the run did; in no profile is it anything else, but for native's turnover_ann and what
 * backtesting.py and quantstats have of their own. */
static const struct expected facts[] = {
    {METRIC_FILLS, 11},
    {METRIC_RISK_VETOES, 2},
    {METRIC_RISK_RESIZES, 3},
    {METRIC_ENTRIES_DROPPED, 4},
    {METRIC_DEBT_FORGIVEN, 8},
    {METRIC_EXPOSURE_GROSS_PCT, 50},
    {METRIC_EXPOSURE_NET_PCT, -25},
    {METRIC_EXPOSURE_GROSS_MAX_PCT, 125},
    {METRIC_TURNOVER, 2},
    {METRIC_BORROW_COST, 5},
    {METRIC_INTEREST_COST, 6},
    {METRIC_DIVIDENDS, -7},
    {METRIC_OPEN_TRADES, 1},
    {METRIC_BANKRUPT, 0},
    {METRIC_EQUITY_FINAL, 10560},
    {METRIC_EQUITY_PEAK, 10560},
};
static const struct expected facts_of_native[] = {
    {METRIC_EXPOSURE_PCT, 75}, {METRIC_COMMISSIONS, 11},    {METRIC_SLIPPAGE_COST, 4},
    {METRIC_OPEN_PNL, 29},     {METRIC_TURNOVER_ANN, 33.6}, {METRIC_DURATION_DAYS, 15},
    {METRIC_ORDERS, 9},        {METRIC_CLOSED_TRADES, 5},
};
static const struct expected facts_of_vectorbt[] = {
    {METRIC_EXPOSURE_PCT, 75},
    {METRIC_COMMISSIONS, 11},
    {METRIC_SLIPPAGE_COST, 4},
    {METRIC_OPEN_PNL, 29},
    {METRIC_ORDERS, 9},
    {METRIC_RETURN_PCT, 5.6},
    {METRIC_BUY_HOLD_RETURN_PCT, 5},
    {METRIC_DURATION_DAYS, 16},
    {METRIC_VOLATILITY_ANN_PCT, 26.0736442712561},
};
static const struct expected facts_of_quantstats[] = {
    {METRIC_COMMISSIONS, 11},
    {METRIC_SLIPPAGE_COST, 4},
    {METRIC_OPEN_PNL, 29},
    {METRIC_TRADES, 5},
    {METRIC_BUY_HOLD_RETURN_PCT, 5},
    {METRIC_RETURN_ANN_PCT, 149.777794034091},
    {METRIC_TIME_UNDER_WATER_PCT, 62.5},
    {METRIC_DURATION_DAYS, 15},
};

static const struct expected native[] = {
    {METRIC_RETURN_PCT, 5.6},
    {METRIC_BUY_HOLD_RETURN_PCT, 5},
    {METRIC_RETURN_ANN_PCT, 149.777794034091},
    {METRIC_VOLATILITY_ANN_PCT, 22.3727869035545},
    {METRIC_CAGR_PCT, 276.891556547892},
    {METRIC_SHARPE, 4.11392156788275},
    {METRIC_SORTINO, 7.11961870598731},
    {METRIC_CALMAR, 91.5528533747061},
    {METRIC_ALPHA_PCT, 1.04865177965402},
    {METRIC_BETA, 0.850449406781994},
    {METRIC_MAX_DRAWDOWN_PCT, -3.02439024390244},
    {METRIC_AVG_DRAWDOWN_PCT, -1.5035832506389},
    {METRIC_MAX_DRAWDOWN_DURATION_DAYS, 5},
    {METRIC_AVG_DRAWDOWN_DURATION_DAYS, 3.5},
    {METRIC_TRADES, 5},
    {METRIC_WIN_RATE_PCT, 40},
    {METRIC_BEST_TRADE_PCT, 5},
    {METRIC_WORST_TRADE_PCT, -3.92156862745098},
    {METRIC_AVG_TRADE_PCT, 0.336309987366527},
    {METRIC_MAX_TRADE_DURATION_DAYS, 3},
    {METRIC_AVG_TRADE_DURATION_DAYS, 2},
    {METRIC_PROFIT_FACTOR, 1.77777777777778},
    {METRIC_EXPECTANCY_PCT, 0.336309987366527},
    {METRIC_SQN, 0.484200124706252},
    {METRIC_KELLY, 0.0625},
    {METRIC_EXPECTANCY, 7},
    {METRIC_PAYOFF_RATIO, 1.77777777777778},
    {METRIC_AVG_WINNING_TRADE_PCT, 4.01515151515152},
    {METRIC_AVG_LOSING_TRADE_PCT, -3.1743765467352},
    {METRIC_AVG_WINNING_TRADE_DURATION_DAYS, 3},
    {METRIC_AVG_LOSING_TRADE_DURATION_DAYS, 1.5},
    {METRIC_MAX_WIN_STREAK, 1},
    {METRIC_MAX_LOSS_STREAK, 1},
    {METRIC_TRADES_LONG, 3},
    {METRIC_TRADES_SHORT, 2},
    {METRIC_WIN_RATE_LONG_PCT, 66.6666666666667},
    {METRIC_WIN_RATE_SHORT_PCT, 0},
    {METRIC_PNL_LONG, 55},
    {METRIC_PNL_SHORT, -20},
    {METRIC_PROFIT_FACTOR_LONG, 3.2},
    {METRIC_PROFIT_FACTOR_SHORT, 0},
    {METRIC_AVG_MAE_PCT, -3},
    {METRIC_AVG_MFE_PCT, 3.2},
    {METRIC_WORST_MAE_PCT, -5},
    {METRIC_BEST_MFE_PCT, 8},
    {METRIC_VALUE_AT_RISK_95_PCT, -1.84179230773628},
    {METRIC_VALUE_AT_RISK_99_PCT, -2.14099815326209},
    {METRIC_EXPECTED_SHORTFALL_95_PCT, -2.21579961464354},
    {METRIC_EXPECTED_SHORTFALL_99_PCT, -2.21579961464354},
    {METRIC_SKEW, -0.303051188762345},
    {METRIC_KURTOSIS, -0.52957051359992},
    {METRIC_TAIL_RATIO, 1.12455680096083},
    {METRIC_OMEGA, 1.89823715662211},
    {METRIC_COMMON_SENSE_RATIO, 2.16611220239722},
    {METRIC_GAIN_TO_PAIN, 0.92619190115295},
    {METRIC_BEST_DAY_PCT, 2.79441117764472},
    {METRIC_WORST_DAY_PCT, -2.21579961464354},
    {METRIC_PSR, 0.822044016662616},
    {METRIC_TIME_UNDER_WATER_PCT, 62.5},
    {METRIC_ULCER_INDEX_PCT, 1.27551429630687},
    {METRIC_ULCER_PERFORMANCE, 215.514288898066},
    {METRIC_RECOVERY_FACTOR, 1.85161290322581},
    {METRIC_EQUITY_R2, 0.523978497858649},
    {METRIC_MIN_TRACK_RECORD, 45.4433890827307},
    {METRIC_INFORMATION_RATIO, 1.01719921351968},
    {METRIC_ADJUSTED_SORTINO, 5.03433066646622},
    {METRIC_SMART_SHARPE, 3.90886831027682},
    {METRIC_SMART_SORTINO, 6.7647502466632},
    {METRIC_SERENITY_INDEX, 1.3521897476346},
    {METRIC_RISK_OF_RUIN, 0.0144582614386863},
    {METRIC_CPC_INDEX, 1.2641975308642},
    {METRIC_OUTLIER_WIN_RATIO, 2.04856198946782},
    {METRIC_OUTLIER_LOSS_RATIO, 2.12552241276278},
    {METRIC_MARKET_R2, 0.86520565643613},
    {METRIC_TREYNOR, 1.0822500414745},
    {METRIC_EXPECTED_DAY_PCT, 0.363915137575233},
    {METRIC_EXPECTED_MONTH_PCT, 5.6},
    {METRIC_EXPECTED_YEAR_PCT, 5.6},
    {METRIC_BEST_MONTH_PCT, 5.6},
    {METRIC_WORST_MONTH_PCT, 5.6},
    {METRIC_WIN_MONTHS_PCT, 100},
    {METRIC_BEST_YEAR_PCT, 5.6},
    {METRIC_WORST_YEAR_PCT, 5.6},
};

static const struct expected vectorbt[] = {
    {METRIC_RETURN_ANN_PCT, 246.603651623337},
    {METRIC_SHARPE, 4.82078894039381},
    {METRIC_SORTINO, 8.35646028964412},
    {METRIC_CALMAR, 81.5383041657808},
    {METRIC_ALPHA_PCT, 33.9856701616336},
    {METRIC_BETA, 0.851269706373228},
    {METRIC_MAX_DRAWDOWN_PCT, -3.02439024390244},
    {METRIC_AVG_DRAWDOWN_PCT, -1.5035832506389},
    {METRIC_MAX_DRAWDOWN_DURATION_DAYS, 4},
    {METRIC_AVG_DRAWDOWN_DURATION_DAYS, 2.5},
    {METRIC_TRADES, 6},
    {METRIC_WIN_RATE_PCT, 40},
    {METRIC_BEST_TRADE_PCT, 5},
    {METRIC_WORST_TRADE_PCT, -3.92156862745098},
    {METRIC_AVG_TRADE_PCT, 0.336309987366527},
    {METRIC_MAX_TRADE_DURATION_DAYS, 3},
    {METRIC_AVG_TRADE_DURATION_DAYS, 2},
    {METRIC_PROFIT_FACTOR, 1.77777777777778},
    {METRIC_EXPECTANCY_PCT, 0.336309987366527},
    {METRIC_SQN, 0.484200124706252},
    {METRIC_EXPECTANCY, 2.5},
    {METRIC_AVG_WINNING_TRADE_PCT, 4.01515151515152},
    {METRIC_AVG_LOSING_TRADE_PCT, -3.1743765467352},
    {METRIC_AVG_WINNING_TRADE_DURATION_DAYS, 3},
    {METRIC_AVG_LOSING_TRADE_DURATION_DAYS, 1.5},
    {METRIC_MAX_WIN_STREAK, 1},
    {METRIC_MAX_LOSS_STREAK, 1},
    {METRIC_TRADES_LONG, 4},
    {METRIC_TRADES_SHORT, 2},
    {METRIC_WIN_RATE_LONG_PCT, 66.6666666666667},
    {METRIC_WIN_RATE_SHORT_PCT, 0},
    {METRIC_PNL_LONG, 55},
    {METRIC_PNL_SHORT, -20},
    {METRIC_PROFIT_FACTOR_LONG, 3.2},
    {METRIC_PROFIT_FACTOR_SHORT, 0},
    {METRIC_AVG_MAE_PCT, -3},
    {METRIC_AVG_MFE_PCT, 3.2},
    {METRIC_WORST_MAE_PCT, -5},
    {METRIC_BEST_MFE_PCT, 8},
    {METRIC_VALUE_AT_RISK_95_PCT, -1.81507750010005},
    {METRIC_VALUE_AT_RISK_99_PCT, -2.13565519173484},
    {METRIC_EXPECTED_SHORTFALL_95_PCT, -2.21579961464354},
    {METRIC_EXPECTED_SHORTFALL_99_PCT, -2.21579961464354},
    {METRIC_SKEW, -0.251483045701942},
    {METRIC_KURTOSIS, -0.392882572752077},
    {METRIC_TAIL_RATIO, 1.11264787808665},
    {METRIC_OMEGA, 1.90512069269085},
    {METRIC_COMMON_SENSE_RATIO, 3.8564781751579},
    {METRIC_INFORMATION_RATIO, 0.0621725867306721},
    {METRIC_CLOSED_TRADES, 5},
};

static const struct expected quantstats[] = {
    {METRIC_RETURN_PCT, 5.6},
    {METRIC_VOLATILITY_ANN_PCT, 22.3727869035545},
    {METRIC_CAGR_PCT, 149.777794034091},
    {METRIC_SHARPE, 4.11480028996916},
    {METRIC_SORTINO, 7.12148006321118},
    {METRIC_CALMAR, 49.5233028661108},
    {METRIC_ALPHA_PCT, 21.8427732016524},
    {METRIC_BETA, 0.850449406781994},
    {METRIC_MAX_DRAWDOWN_PCT, -3.02439024390243},
    {METRIC_AVG_DRAWDOWN_PCT, -1.5035832506389},
    {METRIC_MAX_DRAWDOWN_DURATION_DAYS, 4},
    {METRIC_AVG_DRAWDOWN_DURATION_DAYS, 2.5},
    {METRIC_EXPOSURE_PCT, 94},
    {METRIC_WIN_RATE_PCT, 57.1428571428571},
    {METRIC_PROFIT_FACTOR, 1.92619190115295},
    {METRIC_KELLY, 0.274766244540718},
    {METRIC_PAYOFF_RATIO, 1.44464392586471},
    {METRIC_MAX_WIN_STREAK, 3},
    {METRIC_MAX_LOSS_STREAK, 2},
    {METRIC_VALUE_AT_RISK_95_PCT, -1.94500539245831},
    {METRIC_VALUE_AT_RISK_99_PCT, -2.90547142356044},
    {METRIC_EXPECTED_SHORTFALL_95_PCT, -2.53391652475659},
    {METRIC_EXPECTED_SHORTFALL_99_PCT, -3.38305375987461},
    {METRIC_SKEW, -0.303051188762345},
    {METRIC_KURTOSIS, -0.52957051359992},
    {METRIC_TAIL_RATIO, 1.12455680096083},
    {METRIC_OMEGA, 1.89850946569116},
    {METRIC_COMMON_SENSE_RATIO, 2.16611220239722},
    {METRIC_GAIN_TO_PAIN, 0.92619190115295},
    {METRIC_BEST_DAY_PCT, 2.79441117764472},
    {METRIC_WORST_DAY_PCT, -2.21579961464354},
    {METRIC_PSR, 0.822092405587234},
    {METRIC_ULCER_INDEX_PCT, 1.3635821396321},
    {METRIC_ULCER_PERFORMANCE, 2.64010498184678},
    {METRIC_RECOVERY_FACTOR, 1.85082349924313},
    {METRIC_INFORMATION_RATIO, 0.064077527447228},
    {METRIC_ADJUSTED_SORTINO, 5.03564684478143},
    {METRIC_SMART_SHARPE, 3.91090936027656},
    {METRIC_SMART_SORTINO, 6.76860626896772},
    {METRIC_SERENITY_INDEX, 1.22937006021495},
    {METRIC_RISK_OF_RUIN, 3.43501425293754e-09},
    {METRIC_CPC_INDEX, 1.59009224574309},
    {METRIC_OUTLIER_WIN_RATIO, 2.04856198946782},
    {METRIC_OUTLIER_LOSS_RATIO, 2.12552241276278},
    {METRIC_MARKET_R2, 0.86520565643613},
    {METRIC_TREYNOR, 0.0423305604224243},
    {METRIC_EXPECTED_DAY_PCT, 0.363915137575233},
    {METRIC_EXPECTED_MONTH_PCT, 5.6},
    {METRIC_EXPECTED_YEAR_PCT, 5.6},
    {METRIC_BEST_MONTH_PCT, 5.6},
    {METRIC_WORST_MONTH_PCT, 5.6},
    {METRIC_WIN_MONTHS_PCT, 100},
    {METRIC_BEST_YEAR_PCT, 5.6},
    {METRIC_WORST_YEAR_PCT, 5.6},
};

struct part {
    const struct expected *rows;
    size_t n;
};
#define PART(rows)                                                                                 \
    {                                                                                              \
        rows, sizeof(rows) / sizeof *(rows)                                                        \
    }

static void expect_part(const struct run *run, const struct part *part, bool *is_seen)
{
    for (size_t i = 0; i < part->n; i++) {
        const struct expected *row = &part->rows[i];
        double got = run->metrics[row->metric];

        cr_expect(fabs(got - row->value) <= 1e-9 * fmax(fabs(row->value), 1e-3),
                  "%s: %s is %.17g, expected %.17g", metric_profile_name(run->in.profile),
                  metric_row(row->metric)->name, got, row->value);
        is_seen[row->metric] = true;
    }
}

static void expect_example(enum metric_profile profile, const struct part *parts, size_t n)
{
    struct run *run = example(profile);
    bool is_seen[METRIC_N] = {false};

    run_compute(run);
    for (size_t i = 0; i < n; i++)
        expect_part(run, &parts[i], is_seen);
    for (int m = 0; m < METRIC_N; m++) {
        bool is_wanted = metric_is_of((enum metric)m, profile);

        cr_expect_eq(is_seen[m], is_wanted, "%s: no value is expected of %s",
                     metric_profile_name(profile), metric_row((enum metric)m)->name);
        cr_expect(is_wanted || isnan(run->metrics[m]));
    }
    free(run);
}

Test(metrics_example, native)
{
    static const struct part parts[] = {PART(native), PART(facts), PART(facts_of_native)};

    expect_example(PROFILE_NATIVE, parts, 3);
}

Test(metrics_example, vectorbt)
{
    static const struct part parts[] = {PART(vectorbt), PART(facts), PART(facts_of_vectorbt)};

    expect_example(PROFILE_VECTORBT, parts, 3);
}

Test(metrics_example, quantstats)
{
    static const struct part parts[] = {PART(quantstats), PART(facts), PART(facts_of_quantstats)};

    expect_example(PROFILE_QUANTSTATS, parts, 3);
}

Test(metrics_example, native_has_every_metric)
{
    for (int m = 0; m < METRIC_N; m++)
        cr_expect(metric_is_of((enum metric)m, PROFILE_NATIVE), "%s",
                  metric_row((enum metric)m)->name);
}

Test(metrics_example, a_result_is_sent_and_stored_without_the_undefined_rows_at_its_end)
{
    struct run *run = example(PROFILE_NATIVE);
    struct result result = {.combination = 7}, back;
    struct buf b = {0};
    struct reader r;
    size_t last = METRIC_MIN_TRACK_RECORD;

    memcpy(result.metrics, run_compute(run), sizeof result.metrics);
    for (size_t m = last + 1; m < METRIC_N; m++)
        result.metrics[m] = NAN;
    result_encode(&b, &result);
    cr_expect_leq(b.n_bytes, 17 + 8 * (last + 1), "%zu bytes", b.n_bytes);
    r = rd_of(b.data, b.n_bytes);
    cr_assert_eq(result_decode(&r, &back), 0);
    for (int m = 0; m < METRIC_N; m++)
        cr_expect(back.metrics[m] == result.metrics[m] ||
                  (isnan(back.metrics[m]) && isnan(result.metrics[m])));
    buf_fini(&b);
    free(run);
}
