/* SPDX-License-Identifier: MIT */
/* Figures of the closed trades. */
#include <math.h>

#include "shm/exact.h"
#include "worker/metrics/stats.h"

/* The first walk over the trades: everything but the deviation. */
struct trade_walk {
    const struct metrics_input *in;
    struct trade_stats stats;
    double return_sum, log1p_sum, length_sum;
    double mae_sum, mfe_sum;
    uint32_t wins_in_a_row, losses_in_a_row;
};

static double trade_length(const struct metrics_input *in, const struct trade *trade)
{
    if (in->profile == PROFILE_VECTORBT)
        return trade->exit_bar - trade->entry_bar;
    return (double)(in->time_ns[trade->exit_bar] - in->time_ns[trade->entry_bar]);
}

static void add_to_side(struct trade_sums *sums, double pnl, double return_frac, double length)
{
    sums->n++;
    sums->pnl += pnl;
    if (pnl > 0) {
        sums->gains_n++;
        sums->pnl_gain += pnl;
        sums->return_gain += return_frac;
        sums->length_gain += length;
    } else if (pnl < 0) {
        sums->losses_n++;
        sums->pnl_loss += pnl;
        sums->return_loss += return_frac;
        sums->length_loss += length;
    }
}

static uint32_t longer(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void add_to_streaks(struct trade_walk *walk, double pnl)
{
    walk->wins_in_a_row = pnl > 0 ? walk->wins_in_a_row + 1 : 0;
    walk->losses_in_a_row = pnl < 0 ? walk->losses_in_a_row + 1 : 0;
    walk->stats.win_streak = longer(walk->stats.win_streak, walk->wins_in_a_row);
    walk->stats.loss_streak = longer(walk->stats.loss_streak, walk->losses_in_a_row);
}

static void add_trade(struct trade_walk *walk, const struct trade *trade)
{
    struct trade_stats *stats = &walk->stats;
    double return_frac = trade->pnl / (fabs(trade->qty) * trade->entry_px);
    double length = trade_length(walk->in, trade);

    add_to_side(&stats->all, trade->pnl, return_frac, length);
    add_to_side(trade->qty > 0 ? &stats->longs : &stats->shorts, trade->pnl, return_frac, length);
    add_to_streaks(walk, trade->pnl);
    walk->return_sum += return_frac;
    if (walk->in->profile == PROFILE_BACKTESTING_PY)
        walk->log1p_sum += return_frac > -1 ? exact_log(1 + return_frac) : -INFINITY;
    walk->length_sum += length;
    walk->mae_sum += trade->mae;
    walk->mfe_sum += trade->mfe;
    stats->return_gain_sum += return_frac > 0 ? return_frac : 0;
    stats->return_loss_sum += return_frac < 0 ? return_frac : 0;
    stats->commission_sum += trade->commission;
    stats->return_best = fmax(stats->return_best, return_frac);
    stats->return_worst = fmin(stats->return_worst, return_frac);
    stats->longest = fmax(stats->longest, length);
    stats->mae_worst = fmin(stats->mae_worst, trade->mae);
    stats->mfe_best = fmax(stats->mfe_best, trade->mfe);
}

static double pnl_std(const struct metrics_input *in, double mean)
{
    double sum_sq = 0;

    for (uint32_t i = 0; i < in->trades_n; i++)
        sum_sq += (in->trades[i].pnl - mean) * (in->trades[i].pnl - mean);
    return sqrt(sum_sq / ((double)in->trades_n - 1));
}

struct trade_stats trade_stats(const struct metrics_input *in)
{
    struct trade_walk walk = {
        .in = in,
        .stats = {.return_best = NAN,
                  .return_worst = NAN,
                  .longest = NAN,
                  .mae_worst = NAN,
                  .mfe_best = NAN},
    };
    struct trade_stats *stats = &walk.stats;
    const struct trade_sums *all = &stats->all;
    double n = in->trades_n;

    for (uint32_t i = 0; i < in->trades_n; i++)
        add_trade(&walk, &in->trades[i]);
    stats->win_share = ratio(all->gains_n, n);
    stats->return_mean = ratio(walk.return_sum, n);
    stats->return_log_mean = n > 0 ? walk.log1p_sum / n : NAN;
    stats->length_mean = ratio(walk.length_sum, n);
    stats->mae_mean = ratio(walk.mae_sum, n);
    stats->mfe_mean = ratio(walk.mfe_sum, n);
    stats->pnl_mean = ratio(all->pnl, n);
    stats->pnl_std = in->trades_n > 1 ? pnl_std(in, stats->pnl_mean) : NAN;
    stats->payoff = all->gains_n && all->losses_n
                        ? (all->pnl_gain / all->gains_n) / -(all->pnl_loss / all->losses_n)
                        : NAN;
    stats->kelly = stats->win_share - (1 - stats->win_share) / stats->payoff;
    return walk.stats;
}

void metrics_trades(const struct trade_stats *trades, double *metrics)
{
    const struct trade_sums *all = &trades->all;
    const struct trade_sums *longs = &trades->longs, *shorts = &trades->shorts;

    metrics[METRIC_AVG_TRADE_PCT] = trades->return_mean * 100;
    metrics[METRIC_PROFIT_FACTOR] = ratio(all->pnl_gain, -all->pnl_loss);
    metrics[METRIC_AVG_WINNING_TRADE_PCT] = ratio(all->return_gain, all->gains_n) * 100;
    metrics[METRIC_AVG_LOSING_TRADE_PCT] = ratio(all->return_loss, all->losses_n) * 100;
    metrics[METRIC_MAX_WIN_STREAK] = trades->win_streak;
    metrics[METRIC_MAX_LOSS_STREAK] = trades->loss_streak;
    metrics[METRIC_TRADES_LONG] = longs->n;
    metrics[METRIC_TRADES_SHORT] = shorts->n;
    metrics[METRIC_WIN_RATE_LONG_PCT] = ratio(longs->gains_n, longs->n) * 100;
    metrics[METRIC_WIN_RATE_SHORT_PCT] = ratio(shorts->gains_n, shorts->n) * 100;
    metrics[METRIC_PNL_LONG] = longs->pnl;
    metrics[METRIC_PNL_SHORT] = shorts->pnl;
    metrics[METRIC_PROFIT_FACTOR_LONG] = ratio(longs->pnl_gain, -longs->pnl_loss);
    metrics[METRIC_PROFIT_FACTOR_SHORT] = ratio(shorts->pnl_gain, -shorts->pnl_loss);
    metrics[METRIC_AVG_MAE_PCT] = trades->mae_mean * 100;
    metrics[METRIC_AVG_MFE_PCT] = trades->mfe_mean * 100;
    metrics[METRIC_WORST_MAE_PCT] = trades->mae_worst * 100;
    metrics[METRIC_BEST_MFE_PCT] = trades->mfe_best * 100;
}
