/* SPDX-License-Identifier: MIT */
/* What both profiles are made of: sums in eight lanes, drawdowns, figures of trades.
 *
 * A sum over n values puts value i into lane i % 8 and adds the lanes in one fixed tree, so its
 * bits depend on the values alone. A drawdown is `fl(E / peak) - 1`. Division by one peak is
 * monotone, so the least such value over a stretch of bars with one peak is that of its least
 * equity: one division for each peak gives the same bits as one for each bar. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/metrics/metrics.h"

#define LANES_N 8

struct lanes {
    double lane[LANES_N];
};

static inline double lanes_total(const struct lanes *sum)
{
    const double *x = sum->lane;

    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

/* Sum of x; sum of (x - centre)^2; sum of min(x - centre, 0)^2. */
double lanes_sum(const double *x, size_t n);
double lanes_sum_sq(const double *x, size_t n, double centre);
double lanes_sum_down_sq(const double *x, size_t n, double centre);

/* Highest equity, and the deepest fall from the running maximum that starts at start_peak, as a
 * fraction <= 0. n > 0. Peaks that are not positive are not divided by. */
struct equity_extremes {
    double highest;
    double max_drawdown;
};
struct equity_extremes equity_extremes(const double *equity, uint32_t n, double start_peak);

/* The spells under a running maximum: each lasts from the point of its peak to the one that regains
 * it, or to the last one. Point i of n is at bar pick[i], or at bar i where pick is NULL. */
struct drawdown_spells {
    uint32_t n;
    double depth_sum; /* of 1 - trough / peak, positive */
    double longest_ns;
    double length_sum_ns;
};
struct drawdown_points {
    const double *equity;   /* of each point */
    const int64_t *time_ns; /* of each bar */
    const uint32_t *pick;
    uint32_t n;                /* > 0 */
    bool skips_one_bar_at_end; /* leave out a spell of which the end shows a single bar */
};
struct drawdown_spells drawdown_spells(const struct drawdown_points *points);

/* Figures over the closed trades; those of an empty set are NaN, sums are 0. */
struct trade_stats {
    uint32_t n;
    double win_share;
    double return_best, return_worst, return_mean;
    double return_log_mean; /* mean of log(1 + return); -inf when one loses everything */
    double return_gain_sum, return_loss_sum;
    double pnl_mean, pnl_std;
    double pnl_gain_sum, pnl_loss_sum;
    double kelly;
    double longest_ns, length_mean_ns;
    double commission_sum;
};
struct trade_stats trade_stats(const struct metrics_input *in);

/* numerator / denominator, or NaN where that is not a finite number. */
double ratio(double numerator, double denominator);

/* The metrics whose definition both profiles share. */
void metrics_common(const struct metrics_input *in, const struct trade_stats *trades,
                    double *metrics);

void metrics_native(const struct metrics_input *in, double *scratch, double *metrics);
void metrics_backtesting_py(const struct metrics_input *in, double *scratch, double *metrics);
