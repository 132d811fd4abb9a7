/* SPDX-License-Identifier: MIT */
/* The door to the profiles, and the metrics that mean the same in several of them. */
#include "worker/metrics/metrics.h"

#include <math.h>

#include "proto/units.h"
#include "shm/exact.h"
#include "worker/metrics/stats.h"

#define YEAR_NS (365.25 * 86400e9)

static double cagr_pct(const struct metrics_input *in, double start)
{
    uint32_t last = in->bars_n - 1;
    double years = (double)(in->time_ns[last] - in->time_ns[0]) / YEAR_NS;

    return years > 0 ? (exact_pow(in->equity[last] / start, 1 / years) - 1) * 100 : NAN;
}

static void day_equity(const struct metrics_input *in, double *ret_equity)
{
    for (uint32_t day = 0; day < in->days_n; day++)
        ret_equity[day] = in->equity[in->day_end[day]];
}

/* What the run did, in any profile. */
static void facts(const struct metrics_input *in, double *metrics)
{
    const struct metrics_facts *f = &in->facts;

    metrics[METRIC_DURATION_DAYS] =
        (double)(in->time_ns[in->bars_n - 1] - in->time_ns[0]) / NS_PER_DAY;
    metrics[METRIC_FILLS] = (double)f->fills_n;
    metrics[METRIC_RISK_VETOES] = (double)f->vetoes_n;
    metrics[METRIC_RISK_RESIZES] = (double)f->resizes_n;
    metrics[METRIC_ENTRIES_DROPPED] = (double)f->dropped_n;
    metrics[METRIC_DEBT_FORGIVEN] = f->debt_forgiven;
    metrics[METRIC_COMMISSIONS] = f->commissions;
    metrics[METRIC_SLIPPAGE_COST] = f->slippage_cost;
    metrics[METRIC_BORROW_COST] = f->borrow_cost;
    metrics[METRIC_INTEREST_COST] = f->interest_cost;
    metrics[METRIC_DIVIDENDS] = f->dividends;
    metrics[METRIC_EXPOSURE_PCT] = (double)f->exposed_bars_n / in->bars_n * 100;
    metrics[METRIC_EXPOSURE_GROSS_PCT] = f->exposure_gross_sum / in->bars_n * 100;
    metrics[METRIC_EXPOSURE_NET_PCT] = f->exposure_net_sum / in->bars_n * 100;
    metrics[METRIC_EXPOSURE_GROSS_MAX_PCT] = f->exposure_gross_max * 100;
    metrics[METRIC_OPEN_TRADES] = in->open_trades_n;
    metrics[METRIC_OPEN_PNL] = f->open_pnl;
    metrics[METRIC_BANKRUPT] = f->is_bankrupt ? 1 : 0;
}

void metrics_common(const struct metrics_input *in, const struct trade_stats *trades,
                    double *ret_day_equity, double *metrics)
{
    bool starts_before = in->profile == PROFILE_NATIVE || in->profile == PROFILE_VECTORBT;
    bool peaks_before = in->profile == PROFILE_NATIVE;
    double start = starts_before ? in->initial_capital : in->equity[0];
    double peak = peaks_before ? in->initial_capital : in->equity[0];
    double final = in->equity[in->bars_n - 1];
    struct equity_extremes extremes = equity_extremes(in->equity, in->bars_n, peak);

    facts(in, metrics);
    day_equity(in, ret_day_equity);
    metrics[METRIC_TURNOVER] =
        ratio(in->facts.traded_value, lanes_sum(ret_day_equity, in->days_n) / in->days_n);
    metrics[METRIC_RETURN_PCT] = (ratio(final, start) - 1) * 100;
    metrics[METRIC_EQUITY_FINAL] = final;
    metrics[METRIC_EQUITY_PEAK] = extremes.highest;
    metrics[METRIC_CAGR_PCT] = cagr_pct(in, start);
    metrics[METRIC_MAX_DRAWDOWN_PCT] = extremes.max_drawdown * 100;
    metrics[METRIC_TRADES] = in->trades_n;
    metrics[METRIC_WIN_RATE_PCT] = trades->win_share * 100;
    metrics[METRIC_BEST_TRADE_PCT] = trades->return_best * 100;
    metrics[METRIC_WORST_TRADE_PCT] = trades->return_worst * 100;
    metrics[METRIC_EXPECTANCY_PCT] = trades->return_mean * 100;
    metrics[METRIC_SQN] = ratio(sqrt(in->trades_n) * trades->pnl_mean, trades->pnl_std);
    metrics[METRIC_KELLY] = trades->kelly;
}

void metrics_compute(const struct metrics_input *in, double *scratch,
                     double ret_metrics[static METRIC_N])
{
    static void (*const compute[PROFILE_N])(const struct metrics_input *, double *, double *) = {
        [PROFILE_NATIVE] = metrics_native,
        [PROFILE_BACKTESTING_PY] = metrics_backtesting_py,
        [PROFILE_VECTORBT] = metrics_vectorbt,
        [PROFILE_QUANTSTATS] = metrics_quantstats,
    };

    for (int i = 0; i < METRIC_N; i++)
        ret_metrics[i] = NAN;
    if (in->bars_n == 0)
        return;
    compute[in->profile](in, scratch, ret_metrics);
    for (int i = 0; i < METRIC_N; i++)
        if (!isfinite(ret_metrics[i]) || !metric_is_of((enum metric)i, in->profile))
            ret_metrics[i] = NAN;
}
