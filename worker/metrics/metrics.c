/* SPDX-License-Identifier: MIT */
/* The door to the profiles, and the metrics that mean the same in each of them. */
#include "worker/metrics/metrics.h"

#include <math.h>

#include "worker/metrics/exact.h"
#include "worker/metrics/stats.h"

#define YEAR_NS (365.25 * 86400e9)

static double cagr_pct(const struct metrics_input *in, double start)
{
    uint32_t last = in->bars_n - 1;
    double years = (double)(in->time_ns[last] - in->time_ns[0]) / YEAR_NS;

    return years > 0 ? (exact_pow(in->equity[last] / start, 1 / years) - 1) * 100 : NAN;
}

void metrics_common(const struct metrics_input *in, const struct trade_stats *trades,
                    double *metrics)
{
    bool is_native = in->profile == PROFILE_NATIVE;
    double start = is_native ? in->initial_capital : in->equity[0];
    double final = in->equity[in->bars_n - 1];
    struct equity_extremes extremes = equity_extremes(in->equity, in->bars_n, start);

    metrics[METRIC_RETURN_PCT] = (ratio(final, start) - 1) * 100;
    metrics[METRIC_EQUITY_FINAL] = final;
    metrics[METRIC_EQUITY_PEAK] = extremes.highest;
    metrics[METRIC_CAGR_PCT] = cagr_pct(in, start);
    metrics[METRIC_MAX_DRAWDOWN_PCT] = extremes.max_drawdown * 100;
    metrics[METRIC_TRADES] = trades->n;
    metrics[METRIC_WIN_RATE_PCT] = trades->win_share * 100;
    metrics[METRIC_BEST_TRADE_PCT] = trades->return_best * 100;
    metrics[METRIC_WORST_TRADE_PCT] = trades->return_worst * 100;
    metrics[METRIC_EXPECTANCY_PCT] = trades->return_mean * 100;
    metrics[METRIC_SQN] = ratio(sqrt(trades->n) * trades->pnl_mean, trades->pnl_std);
    metrics[METRIC_KELLY] = trades->kelly;
    metrics[METRIC_OPEN_TRADES] = in->open_trades_n;
    metrics[METRIC_BANKRUPT] = in->is_bankrupt ? 1 : 0;
}

void metrics_compute(const struct metrics_input *in, double *scratch,
                     double ret_metrics[static METRIC_N])
{
    for (int i = 0; i < METRIC_N; i++)
        ret_metrics[i] = NAN;
    if (in->bars_n == 0)
        return;
    if (in->profile == PROFILE_BACKTESTING_PY)
        metrics_backtesting_py(in, scratch, ret_metrics);
    else
        metrics_native(in, scratch, ret_metrics);
    for (int i = 0; i < METRIC_N; i++)
        if (!isfinite(ret_metrics[i]))
            ret_metrics[i] = NAN;
}
