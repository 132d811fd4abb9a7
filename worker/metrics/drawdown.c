/* SPDX-License-Identifier: MIT */
/* Drawdowns: the deepest, their spells, and how far below the peak each point is. */
#include <math.h>

#include "proto/units.h"
#include "worker/metrics/stats.h"

#define BLOCK_N 64    /* bars a block of equity_extremes() */
#define HAIR    1e-13 /* of a peak: what rounding may keep from regaining it */

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
    double regained; /* the least equity that counts as the peak again */
    double trough;
    uint32_t start;
};

static void spell_begin(struct spell_walk *walk, uint32_t start, double equity)
{
    walk->peak = walk->trough = equity;
    walk->regained = equity - HAIR * fabs(equity);
    walk->start = start;
}

static uint32_t point_bar(const struct drawdown_points *points, uint32_t i)
{
    return points->pick ? points->pick[i] : i;
}

/* end is the point that regained the peak, or the last one. */
static double spell_length(const struct spell_walk *walk, uint32_t end, bool is_regained)
{
    const struct drawdown_points *points = walk->points;
    uint32_t last_under = is_regained ? end - 1 : end;
    int64_t from_ns, to_ns;

    switch (points->measure) {
    case SPELL_BARS:
        return last_under - walk->start;
    case SPELL_DAYS:
        from_ns = points->time_ns[point_bar(points, walk->start + 1)];
        to_ns = points->time_ns[point_bar(points, last_under)];
        return (double)(time_day(to_ns) - time_day(from_ns) + 1);
    default:
        from_ns = points->time_ns[point_bar(points, walk->start)];
        to_ns = points->time_ns[point_bar(points, end)];
        return (double)(to_ns - from_ns);
    }
}

static void spell_end(struct spell_walk *walk, uint32_t end, bool is_regained)
{
    double length;

    if (!(walk->trough < walk->peak && walk->peak > 0))
        return;
    length = spell_length(walk, end, is_regained);
    walk->spells.n++;
    walk->spells.depth_sum += 1 - walk->trough / walk->peak;
    walk->spells.length_sum += length;
    walk->spells.longest = fmax(walk->spells.longest, length);
}

static void spell_points(struct spell_walk *walk, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        double now = walk->points->equity[i];

        if (now >= walk->regained) {
            spell_end(walk, i, true);
            spell_begin(walk, i, fmax(now, walk->peak));
        } else if (now < walk->trough) {
            walk->trough = now;
        }
    }
}

struct drawdown_spells drawdown_spells(const struct drawdown_points *points)
{
    struct spell_walk walk = {.points = points};
    uint32_t last = points->n - 1;
    uint32_t i = 0;

    spell_begin(&walk, 0, points->equity[0]);
    for (; i + BLOCK_N <= points->n; i += BLOCK_N) {
        double low;
        double high;

        block_range(points->equity + i, &low, &high);
        if (high >= walk.regained)
            spell_points(&walk, i, i + BLOCK_N);
        else
            walk.trough = low < walk.trough ? low : walk.trough;
    }
    spell_points(&walk, i, points->n);
    if (walk.start < last && !(points->skips_one_bar_at_end && walk.start + 1 == last))
        spell_end(&walk, last, false);
    return walk.spells;
}

/* Adds n <= BLOCK_N points; *peak runs on. */
static void under_water_block(const double *equity, size_t n, double *peak, struct lanes *below,
                              struct lanes *sum, struct lanes *sq)
{
    double fall[BLOCK_N] = {0};

    for (size_t i = 0; i < n; i++)
        fall[i] = *peak = equity[i] > *peak ? equity[i] : *peak;
    for (size_t i = 0; i < n; i++)
        fall[i] = equity[i] / fall[i] - 1;
    for (size_t i = 0; i < BLOCK_N; i += LANES_N)
        for (size_t j = 0; j < LANES_N; j++) {
            below->lane[j] += fall[i + j] < 0 ? 1.0 : 0.0;
            sum->lane[j] += fall[i + j];
            sq->lane[j] += fall[i + j] * fall[i + j];
        }
}

struct under_water under_water(const double *equity, uint32_t n, double start_peak)
{
    struct lanes below = {{0}}, sum = {{0}}, sq = {{0}};
    double peak = start_peak;

    for (uint32_t i = 0; i < n; i += BLOCK_N)
        under_water_block(equity + i, n - i < BLOCK_N ? n - i : BLOCK_N, &peak, &below, &sum, &sq);
    return (struct under_water){.points_n = (uint32_t)lanes_total(&below),
                                .sum = lanes_total(&sum),
                                .sq_sum = lanes_total(&sq)};
}
