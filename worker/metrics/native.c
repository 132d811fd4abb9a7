/* SPDX-License-Identifier: MIT */
/* The native profile. Returns, their deviation, beta, average drawdown and durations rest on daily
 * equity, the last of each UTC day; maximum drawdown, peak and exposure rest on every bar. Sharpe
 * and Sortino are arithmetic; deviations divide by n - 1.
 *
 * The return of a day is that from the day before, so there is one fewer than days. A day that
 * starts without equity has no return, and none follows it. */
#include <math.h>

#include "proto/units.h"
#include "worker/metrics/exact.h"
#include "worker/metrics/stats.h"

#define PERIODS_PER_YEAR 252
#define CHUNK_N          128 /* days of the market at a time; a multiple of LANES_N */

static void day_equity(const struct metrics_input *in, double *ret_equity)
{
    for (uint32_t day = 0; day < in->days_n; day++)
        ret_equity[day] = in->equity[in->day_end[day]];
}

/* The equity of days becomes returns, in place; returns how many there are. */
static uint32_t day_returns(double *equity, uint32_t days_n)
{
    uint32_t n = 0;

    while (n < days_n && equity[n] > 0)
        n++;
    n = n < days_n ? n : days_n - 1;
    for (uint32_t i = 0; i < n; i++)
        equity[i] = equity[i + 1] / equity[i] - 1;
    return n;
}

static void ratios(const struct metrics_input *in, const double *returns, uint32_t n,
                   double *metrics)
{
    double per_year = isnan(in->periods_per_year) ? PERIODS_PER_YEAR : in->periods_per_year;
    double risk_free = isnan(in->risk_free) ? 0 : in->risk_free / per_year;
    double mean = ratio(lanes_sum(returns, n), n);
    double excess = mean - risk_free;
    double std = n > 1 ? sqrt(lanes_sum_sq(returns, n, mean) / (n - 1.0)) : NAN;
    double downside = sqrt(ratio(lanes_sum_down_sq(returns, n, risk_free), n));
    double growth = in->equity[in->bars_n - 1] / in->initial_capital;

    if (in->days_n > 1)
        metrics[METRIC_RETURN_ANN_PCT] =
            (exact_pow(growth, per_year / (in->days_n - 1.0)) - 1) * 100;
    metrics[METRIC_VOLATILITY_ANN_PCT] = std * sqrt(per_year) * 100;
    metrics[METRIC_SHARPE] = ratio(excess, std) * sqrt(per_year);
    metrics[METRIC_SORTINO] = ratio(excess * per_year, downside * sqrt(per_year));
}

/* Sums for beta, one lane tree each. The market's return is taken from the first one of all:
 * shifted data keep their digits when squared. */
struct beta_sums {
    struct lanes r, m, rm, mm;
    double shift;
};

/* Adds n <= CHUNK_N days: returns r, and closes from the day before the first. */
static void beta_add(struct beta_sums *sums, const double *r, const double *close, uint32_t n)
{
    double m[CHUNK_N];

    for (uint32_t i = 0; i < n; i++)
        m[i] = close[i + 1] / close[i] - 1 - sums->shift;
    for (uint32_t i = 0; i < n; i += LANES_N)
        for (uint32_t j = 0; j < LANES_N && i + j < n; j++) {
            sums->r.lane[j] += r[i + j];
            sums->m.lane[j] += m[i + j];
            sums->rm.lane[j] += r[i + j] * m[i + j];
            sums->mm.lane[j] += m[i + j] * m[i + j];
        }
}

/* Beta over the days on which both have a return; the market has none before its first close.
 * returns[i] is that of day i + 1. */
static double beta(const struct metrics_input *in, const double *returns, uint32_t returns_n)
{
    struct beta_sums sums = {0};
    const uint32_t *day_end = in->day_end;
    double close[CHUNK_N + 1];
    uint32_t first = 0;
    double mean_m;

    while (first < returns_n && isnan(in->benchmark[day_end[first]]))
        first++;
    if (returns_n < first + 2)
        return NAN;
    sums.shift = in->benchmark[day_end[first + 1]] / in->benchmark[day_end[first]] - 1;
    for (uint32_t i = first; i < returns_n; i += CHUNK_N) {
        uint32_t n = returns_n - i < CHUNK_N ? returns_n - i : CHUNK_N;

        for (uint32_t j = 0; j <= n; j++)
            close[j] = in->benchmark[day_end[i + j]];
        beta_add(&sums, returns + i, close, n);
    }
    mean_m = lanes_total(&sums.m) / (returns_n - first);
    return ratio(lanes_total(&sums.rm) - mean_m * lanes_total(&sums.r),
                 lanes_total(&sums.mm) - mean_m * lanes_total(&sums.m));
}

static void market(const struct metrics_input *in, const double *returns, uint32_t n,
                   double *metrics)
{
    double risk_free = isnan(in->risk_free) ? 0 : in->risk_free;
    double held = in->benchmark[in->bars_n - 1] / in->benchmark[0] - 1;
    double made = metrics[METRIC_RETURN_PCT] / 100;

    metrics[METRIC_BUY_HOLD_RETURN_PCT] = held * 100;
    metrics[METRIC_BETA] = beta(in, returns, n);
    metrics[METRIC_ALPHA_PCT] =
        (made - risk_free - metrics[METRIC_BETA] * (held - risk_free)) * 100;
}

static void drawdowns(const struct metrics_input *in, const double *equity, double *metrics)
{
    struct drawdown_spells spells = drawdown_spells(&(struct drawdown_points){
        .equity = equity,
        .time_ns = in->time_ns,
        .pick = in->day_end,
        .n = in->days_n,
    });
    double max = -metrics[METRIC_MAX_DRAWDOWN_PCT];

    metrics[METRIC_CALMAR] = max > 0 ? ratio(metrics[METRIC_CAGR_PCT], max) : NAN;
    if (spells.n == 0)
        return;
    metrics[METRIC_AVG_DRAWDOWN_PCT] = -spells.depth_sum / spells.n * 100;
    metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS] = spells.longest_ns / NS_PER_DAY;
    metrics[METRIC_AVG_DRAWDOWN_DURATION_DAYS] = spells.length_sum_ns / spells.n / NS_PER_DAY;
}

void metrics_native(const struct metrics_input *in, double *scratch, double *metrics)
{
    struct trade_stats trades = trade_stats(in);
    uint32_t returns_n;

    metrics_common(in, &trades, metrics);
    day_equity(in, scratch);
    drawdowns(in, scratch, metrics);
    returns_n = day_returns(scratch, in->days_n);
    ratios(in, scratch, returns_n, metrics);
    market(in, scratch, returns_n, metrics);
    metrics[METRIC_EXPOSURE_PCT] = (double)in->exposed_bars_n / in->bars_n * 100;
    metrics[METRIC_AVG_TRADE_PCT] = trades.return_mean * 100;
    metrics[METRIC_MAX_TRADE_DURATION_DAYS] = trades.longest_ns / NS_PER_DAY;
    metrics[METRIC_AVG_TRADE_DURATION_DAYS] = trades.length_mean_ns / NS_PER_DAY;
    metrics[METRIC_PROFIT_FACTOR] = ratio(trades.pnl_gain_sum, -trades.pnl_loss_sum);
    metrics[METRIC_COMMISSIONS] = in->commissions;
    metrics[METRIC_SLIPPAGE_COST] = in->slippage_cost;
}
