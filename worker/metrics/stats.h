/* SPDX-License-Identifier: MIT */
/* What the profiles are made of: sums in eight lanes, returns and their distribution, drawdowns,
 * figures of trades.
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

/* numerator / denominator, or NaN where that is not a finite number. */
double ratio(double numerator, double denominator);
/* As backtesting.py guesses it: the median spacing of the last 100 bars, in ns; 0 for one bar. */
int64_t bar_period_ns(const struct metrics_input *in);

/* ---- returns -------------------------------------------------------------------------------- */

/* Sums over n returns r and what follows from them; threshold is a return. NaN where n is too
 * small, except for sums. */
struct distribution {
    uint32_t n;
    double sum, mean, least, most;
    double std;            /* ddof 1 */
    double skew, kurtosis; /* as pandas: unbiased under the normal law, excess */
    double over_sum;       /* of max(r - threshold, 0) */
    double under_sum;      /* of min(r - threshold, 0) */
    double under_sq_sum;   /* of its square */
    double loss_sum;       /* of min(r, 0) */
};
struct distribution distribution(const double *r, uint32_t n, double threshold);

/* Percentiles, linear between neighbours, and the means of the lowest floor(q (n - 1)) + 1 values;
 * NaN where n is 0. work holds 2 * n doubles. */
struct tails {
    double p01, p05, p95, p99;
    double mean_to_p01, mean_to_p05;
};
struct tails tails(const double *r, const struct distribution *of_r, double *work);

/* The probability that the true Sharpe ratio is above 0, from that of one period; and how many
 * returns would make it 0.95. */
double psr(const struct distribution *r, double sharpe);
double min_track_record(const struct distribution *r, double sharpe);

/* Returns one after the other: how they go with the one before (the sum of products of deviations
 * from the mean over that of squares: within -1 and 1; NaN where they are all equal), and how many
 * are below 0. */
struct in_a_row {
    double correlation;
    uint32_t losses_n;
};
struct in_a_row in_a_row(const double *r, const struct distribution *of_r);

/* Squared correlation of n values with their number; NaN where they are constant. */
double straightness(const double *x, uint32_t n);

/* ---- drawdowns ------------------------------------------------------------------------------ */

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
    double longest;   /* in ns, bars or days, as measured */
    double length_sum;
};
enum spell_measure {
    SPELL_NS,   /* time from peak to recovery or end */
    SPELL_BARS, /* points under the peak */
    SPELL_DAYS, /* calendar days from the first point under the peak to the last, both counted */
};
struct drawdown_points {
    const double *equity;   /* of each point */
    const int64_t *time_ns; /* of each bar */
    const uint32_t *pick;
    uint32_t n; /* > 0 */
    enum spell_measure measure;
    bool skips_one_bar_at_end; /* leave out a spell of which the end shows a single bar */
};
struct drawdown_spells drawdown_spells(const struct drawdown_points *points);

/* How far n points of equity are below their running maximum, which starts at start_peak > 0. */
struct under_water {
    uint32_t points_n;  /* below it */
    double sum, sq_sum; /* of E / peak - 1, and of its square */
};
struct under_water under_water(const double *equity, uint32_t n, double start_peak);

/* ---- calendar (calendar.c) ------------------------------------------------------------------ */

/* Returns of months or of years of UTC. */
struct period_stats {
    uint32_t n, gains_n, losses_n;
    double best, worst; /* NaN where n is 0 */
};
struct calendar_stats {
    struct period_stats months, years;
};
/* Of the days `first` to `last` of a run, from the equity before them; equity is that of each day
 * of the run. A day that is not positive ends what can be measured: last is at most the first of
 * those. */
struct calendar_stats calendar_stats(const struct metrics_input *in, const double *equity,
                                     double equity_before, uint32_t first, uint32_t last);
/* The metrics of both, and growth as that of an average day, month and year; days_n > 0. */
void metrics_calendar(const struct calendar_stats *calendar, double growth, uint32_t days_n,
                      double *metrics);

/* ---- trades --------------------------------------------------------------------------------- */

/* Sums over a part of the closed trades. */
struct trade_sums {
    uint32_t n, gains_n, losses_n;
    double pnl, pnl_gain, pnl_loss;
    double return_gain, return_loss; /* of trades whose pnl gains, loses */
    double length_gain, length_loss;
};

/* Figures over the closed trades; those of an empty set are NaN, sums are 0. A length is in ns, or
 * in bars where the profile is vectorbt. */
struct trade_stats {
    struct trade_sums all, longs, shorts;
    double win_share;
    double return_best, return_worst, return_mean;
    double return_log_mean; /* mean of log(1 + return); -inf when one loses everything */
    double return_gain_sum, return_loss_sum; /* of returns above, below 0 */
    double pnl_mean, pnl_std;
    double payoff; /* mean gain / |mean loss| */
    double kelly;
    double longest, length_mean;
    double commission_sum;
    uint32_t win_streak, loss_streak;
    double mae_mean, mae_worst, mfe_mean, mfe_best;
};
struct trade_stats trade_stats(const struct metrics_input *in);

/* ---- profiles ------------------------------------------------------------------------------- */

/* The returns of days, of which it returns how many there are. A day that starts without equity has
 * no return, and none follows it. */
uint32_t day_returns(const double *equity, uint32_t days_n, double *ret_returns);
/* Returns beside the market's, over those on which both have one: it has none (NaN) before its
 * first close. */
struct market_fit {
    uint32_t n;
    double mean_r, mean_m;
    double cov, var_r, var_m; /* sums of products of deviations, not divided */
    double var_active;        /* of the differences of returns, likewise */
};
struct market_fit market_fit(const double *returns, const double *market, uint32_t n);

/* The metrics whose definition several profiles share, and the last equity of each day. */
void metrics_common(const struct metrics_input *in, const struct trade_stats *trades,
                    double *ret_day_equity, double *metrics);
/* Those of the shape of returns that native and vectorbt share, and what they are made of; work
 * holds 2 * n doubles. */
struct tails metrics_spread(const double *returns, const struct distribution *of_returns,
                            double *work, double *metrics);
/* Those of trades, likewise. */
void metrics_trades(const struct trade_stats *trades, double *metrics);

void metrics_native(const struct metrics_input *in, double *scratch, double *metrics);
void metrics_backtesting_py(const struct metrics_input *in, double *scratch, double *metrics);
void metrics_vectorbt(const struct metrics_input *in, double *scratch, double *metrics);
void metrics_quantstats(const struct metrics_input *in, double *scratch, double *metrics);
