/* SPDX-License-Identifier: MIT */
/* Sums, drawdowns and figures of trades that the profiles share. */
#include "worker/metrics/stats.h"

#include <math.h>

#include "worker/metrics/exact.h"

#define BLOCK_N 64 /* bars a block of equity_extremes() */

double ratio(double numerator, double denominator)
{
    double value = numerator / denominator;

    return isfinite(value) ? value : NAN;
}

double lanes_sum(const double *x, size_t n)
{
    struct lanes sum = {{0}};
    size_t i = 0;

    for (; i + LANES_N <= n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            sum.lane[j] += x[i + j];
    for (size_t j = 0; i + j < n; j++)
        sum.lane[j] += x[i + j];
    return lanes_total(&sum);
}

double lanes_sum_sq(const double *x, size_t n, double centre)
{
    struct lanes sum = {{0}};
    size_t i = 0;

    for (; i + LANES_N <= n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            sum.lane[j] += (x[i + j] - centre) * (x[i + j] - centre);
    for (size_t j = 0; i + j < n; j++)
        sum.lane[j] += (x[i + j] - centre) * (x[i + j] - centre);
    return lanes_total(&sum);
}

static inline double square_below(double x)
{
    double below = x < 0 ? x : 0;

    return below * below;
}

double lanes_sum_down_sq(const double *x, size_t n, double centre)
{
    struct lanes sum = {{0}};
    size_t i = 0;

    for (; i + LANES_N <= n; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++)
            sum.lane[j] += square_below(x[i + j] - centre);
    for (size_t j = 0; i + j < n; j++)
        sum.lane[j] += square_below(x[i + j] - centre);
    return lanes_total(&sum);
}

/* Lowest and highest of BLOCK_N values. */
static void block_range(const double *x, double *ret_low, double *ret_high)
{
    struct lanes low;
    struct lanes high;

    for (size_t j = 0; j < LANES_N; j++)
        low.lane[j] = high.lane[j] = x[j];
    for (size_t i = LANES_N; i < BLOCK_N; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++) {
            low.lane[j] = x[i + j] < low.lane[j] ? x[i + j] : low.lane[j];
            high.lane[j] = x[i + j] > high.lane[j] ? x[i + j] : high.lane[j];
        }
    for (size_t j = 1; j < LANES_N; j++) {
        low.lane[0] = low.lane[j] < low.lane[0] ? low.lane[j] : low.lane[0];
        high.lane[0] = high.lane[j] > high.lane[0] ? high.lane[j] : high.lane[0];
    }
    *ret_low = low.lane[0];
    *ret_high = high.lane[0];
}

static inline double quotient_or_one(double equity, double peak)
{
    return peak > 0 ? equity / peak : 1;
}

/* Least equity / peak of up to BLOCK_N bars; *peak runs on. */
static double block_least_quotient(const double *equity, size_t n, double *peak)
{
    double peaks[BLOCK_N];
    double least = 1;

    for (size_t i = 0; i < n; i++)
        peaks[i] = *peak = equity[i] > *peak ? equity[i] : *peak;
    for (size_t i = 0; i < n; i++) {
        double quotient = quotient_or_one(equity[i], peaks[i]);

        least = quotient < least ? quotient : least;
    }
    return least;
}

/* Blocks without a new peak cost a comparison a bar: their least equity waits in trough until the
 * peak changes, and is divided once. */
struct equity_extremes equity_extremes(const double *equity, uint32_t n, double start_peak)
{
    double highest = equity[0];
    double peak = start_peak;
    double trough = start_peak;
    double least = 1;
    double low;
    double high;
    size_t i = 0;

    for (; i + BLOCK_N <= n; i += BLOCK_N) {
        block_range(equity + i, &low, &high);
        highest = high > highest ? high : highest;
        if (high > peak) {
            least = fmin(least, quotient_or_one(trough, peak));
            least = fmin(least, block_least_quotient(equity + i, BLOCK_N, &peak));
            trough = peak;
        } else {
            trough = low < trough ? low : trough;
        }
    }
    least = fmin(least, quotient_or_one(trough, peak));
    least = fmin(least, block_least_quotient(equity + i, n - i, &peak));
    for (; i < n; i++)
        highest = equity[i] > highest ? equity[i] : highest;
    return (struct equity_extremes){.highest = highest, .max_drawdown = least - 1};
}

/* Where drawdown_spells() stands: the point of the peak, and the least equity since. */
struct spell_walk {
    const struct drawdown_points *points;
    struct drawdown_spells spells;
    double peak;
    double trough;
    uint32_t start;
};

static void spell_end(struct spell_walk *walk, uint32_t end)
{
    const struct drawdown_points *points = walk->points;
    uint32_t start_bar = points->pick ? points->pick[walk->start] : walk->start;
    uint32_t end_bar = points->pick ? points->pick[end] : end;
    double length_ns = (double)(points->time_ns[end_bar] - points->time_ns[start_bar]);

    if (!(walk->trough < walk->peak && walk->peak > 0))
        return;
    walk->spells.n++;
    walk->spells.depth_sum += 1 - walk->trough / walk->peak;
    walk->spells.length_sum_ns += length_ns;
    walk->spells.longest_ns = fmax(walk->spells.longest_ns, length_ns);
}

static void spell_points(struct spell_walk *walk, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        double now = walk->points->equity[i];

        if (now >= walk->peak) {
            spell_end(walk, i);
            walk->peak = walk->trough = now;
            walk->start = i;
        } else if (now < walk->trough) {
            walk->trough = now;
        }
    }
}

struct drawdown_spells drawdown_spells(const struct drawdown_points *points)
{
    struct spell_walk walk = {
        .points = points, .peak = points->equity[0], .trough = points->equity[0]};
    uint32_t last = points->n - 1;
    uint32_t i = 0;

    for (; i + BLOCK_N <= points->n; i += BLOCK_N) {
        double low;
        double high;

        block_range(points->equity + i, &low, &high);
        if (high >= walk.peak)
            spell_points(&walk, i, i + BLOCK_N);
        else
            walk.trough = low < walk.trough ? low : walk.trough;
    }
    spell_points(&walk, i, points->n);
    if (walk.start < last && !(points->skips_one_bar_at_end && walk.start + 1 == last))
        spell_end(&walk, last);
    return walk.spells;
}

/* The first walk over the trades: everything but the deviation. */
struct trade_sums {
    uint32_t gains_n, losses_n;
    double pnl, return_frac, log1p, length_ns;
};

static void trade_add(const struct metrics_input *in, const struct trade *trade,
                      struct trade_stats *stats, struct trade_sums *sums)
{
    double return_frac = trade->pnl / (fabs(trade->qty) * trade->entry_px);
    double length_ns = (double)(in->time_ns[trade->exit_bar] - in->time_ns[trade->entry_bar]);

    sums->pnl += trade->pnl;
    sums->return_frac += return_frac;
    sums->log1p += return_frac > -1 ? exact_log(1 + return_frac) : -INFINITY;
    sums->length_ns += length_ns;
    sums->gains_n += trade->pnl > 0;
    sums->losses_n += trade->pnl < 0;
    stats->pnl_gain_sum += trade->pnl > 0 ? trade->pnl : 0;
    stats->pnl_loss_sum += trade->pnl < 0 ? trade->pnl : 0;
    stats->return_gain_sum += return_frac > 0 ? return_frac : 0;
    stats->return_loss_sum += return_frac < 0 ? return_frac : 0;
    stats->commission_sum += trade->commission;
    stats->return_best = fmax(stats->return_best, return_frac);
    stats->return_worst = fmin(stats->return_worst, return_frac);
    stats->longest_ns = fmax(stats->longest_ns, length_ns);
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
    struct trade_stats stats = {
        .n = in->trades_n,
        .return_best = NAN,
        .return_worst = NAN,
        .longest_ns = NAN,
    };
    struct trade_sums sums = {0};
    double n = in->trades_n;

    for (uint32_t i = 0; i < in->trades_n; i++)
        trade_add(in, &in->trades[i], &stats, &sums);
    stats.win_share = ratio(sums.gains_n, n);
    stats.return_mean = ratio(sums.return_frac, n);
    stats.return_log_mean = n > 0 ? sums.log1p / n : NAN;
    stats.length_mean_ns = ratio(sums.length_ns, n);
    stats.pnl_mean = ratio(sums.pnl, n);
    stats.pnl_std = in->trades_n > 1 ? pnl_std(in, stats.pnl_mean) : NAN;
    if (sums.gains_n > 0 && sums.losses_n > 0) {
        double gain_mean = stats.pnl_gain_sum / sums.gains_n;
        double loss_mean = stats.pnl_loss_sum / sums.losses_n;

        stats.kelly = stats.win_share - (1 - stats.win_share) / (gain_mean / -loss_mean);
    } else {
        stats.kelly = NAN;
    }
    return stats;
}
