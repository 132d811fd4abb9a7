/* SPDX-License-Identifier: MIT */
/* Indicators of the last n rows, in O(rows) whatever n is.
 *
 * Sums and plain averages run: what enters is added, what leaves is subtracted, as TA-Lib does.
 *
 * The others never subtract what left the window. Rows are cut into blocks of n. A window of n rows
 * holds exactly one block start b, so it is a suffix of the block before b and a prefix of the
 * block at b: two totals that only grow, joined at the row (van Herk 1992, Gil and Werman 1993, who
 * did it for minima). So rounding does not build up over a million rows, and a NaN or an infinity
 * dies with its window.
 *
 *        b-n+1 ......... b-1 | b .............. b+n-1        window of row t: [t-n+1, t]
 *        <- suffix[t-n+1] -> | <- prefix[t] ->
 *
 * Weighted averages and deviations total x - r, where r is the value at b. It is in every window of
 * the block: a constant window has mean r and deviation 0 exactly, and the variance loses at most a
 * factor of n to cancellation, whatever the level of prices. And no row behind a window has a part
 * in it, not even in its last bit. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "shm/indicator/kernel.h"

/* A block: rows [start, end), end - start <= n, and its r. */
struct block {
    uint32_t n;
    uint32_t start;
    uint32_t end;
    double level;
};

static void fill_nan(double *out, uint32_t rows_n)
{
    for (uint32_t t = 0; t < rows_n; t++)
        out[t] = NAN;
}

/* Moves to the next block, or to the first from a zeroed one; false past the end. */
static bool next_block(const struct indicator_call *call, struct block *k)
{
    k->start = k->end;
    if (k->start >= call->rows_n)
        return false;
    k->n = (uint32_t)call->param[0];
    k->end = call->rows_n - k->start < k->n ? call->rows_n : k->start + k->n;
    k->level = isfinite(call->input[0][k->start]) ? call->input[0][k->start] : 0.0;
    return true;
}

/* Whether there is any full window; if not, all of out is NaN. */
static bool has_window(const struct indicator_call *call)
{
    if (call->param[0] <= call->rows_n)
        return true;
    fill_nan(call->out, call->rows_n);
    return false;
}

/* Rows before n - 1 have no window. */
static void mark_warm_up(const struct indicator_call *call)
{
    fill_nan(call->out, (uint32_t)call->param[0] - 1);
}

/* ---- running sums --------------------------------------------------------------------------- */

/* What a window's total has seen since it was last added up afresh. */
struct running {
    double total;
    double weight; /* total of absolute values */
    double peak;   /* greatest weight: rounding errors are parts in 1e16 of this */
    uint32_t seen; /* good values in a row */
};

#define RUNNING_INPUT_MAX 1e290 /* greater values count as infinite, so that no total overflows */
#define RUNNING_PEAK_MAX                                                                           \
    1000.0 /* times the weight; beyond, what is left may be rounding errors                        \
            */

/* Adds the window up afresh, oldest first. */
static void running_seed(struct running *s, const double *window, uint32_t n)
{
    s->total = s->weight = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        s->total += window[i];
        s->weight += fabs(window[i]);
    }
    s->peak = s->weight;
}

/* The total of the window that ends at row t, of n values. */
static inline double running_total(struct running *s, const double *x, uint32_t t, uint32_t n)
{
    s->peak = s->weight > s->peak ? s->weight : s->peak;
    if (s->peak > RUNNING_PEAK_MAX * s->weight)
        running_seed(s, x + t + 1 - n, n);
    double total = s->total;
    s->total -= x[t + 1 - n];
    s->weight -= fabs(x[t + 1 - n]);
    return total;
}

/* Totals over the last n rows by divisor. The order of additions is TA-Lib's: prices lie on a grid
 * of ticks, averages of them tie often, and a crossing hangs on the last bit of a tie. Where a far
 * larger value has left the window, it is added up afresh; so it is behind what is not finite. */
static int running_means(const struct indicator_call *call, double divisor)
{
    const double *x = call->input[0];
    struct running s = {0};
    if (!has_window(call))
        return 0;
    uint32_t n = (uint32_t)call->param[0];
    for (uint32_t t = 0; t < call->rows_n; t++) {
        call->out[t] = NAN;
        if (!(fabs(x[t]) <= RUNNING_INPUT_MAX)) {
            s = (struct running){0};
            continue;
        }
        s.total += x[t];
        s.weight += fabs(x[t]);
        if (++s.seen >= n)
            call->out[t] = running_total(&s, x, t, n) / divisor;
    }
    return 0;
}

int kernel_sum(const struct indicator_call *call)
{
    return running_means(call, 1.0);
}

int kernel_sma(const struct indicator_call *call)
{
    return running_means(call, call->param[0]);
}

/* ---- cumulative means ----------------------------------------------------------------------- */

/* The cumulative total up to each row, then differences of it, as vectorbt's averages: other last
 * bits than a running sum, and so other ties. What is not finite counts as 0 in the total. */
int kernel_rolling_mean(const struct indicator_call *call)
{
    const double *x = call->input[0], n = call->param[0];
    uint32_t seen = 0; /* good values in a row */
    if (!has_window(call))
        return 0;
    double *total = malloc((size_t)call->rows_n * sizeof(*total));
    if (!total)
        return -ENOMEM;
    for (uint32_t t = 0; t < call->rows_n; t++) {
        bool is_good = fabs(x[t]) <= RUNNING_INPUT_MAX;
        seen = is_good ? seen + 1 : 0;
        total[t] = (t ? total[t - 1] : 0.0) + (is_good ? x[t] : 0.0);
        double before = t >= n ? total[t - (uint32_t)n] : 0.0;
        call->out[t] = seen >= n ? (total[t] - before) / n : NAN;
    }
    free(total);
    return 0;
}

/* ---- weighted ------------------------------------------------------------------------------- */

/* Weights 1 .. n, the newest heaviest. A suffix that grows by one older row raises every weight in
 * it by one; in a prefix, row i has weight n less the rows since. */
static void suffix_weighted(const double *x, const struct block *k, double *out)
{
    double plain = 0.0, weighted = 0.0;
    uint32_t j = k->start;
    for (uint32_t t = k->start; t < k->end; t++)
        out[t] = 0.0;
    if (k->start == 0)
        return;
    for (; j > k->start - k->n + 1; j--) {
        plain += x[j - 1] - k->level;
        weighted += plain;
        if (j - 1 + k->n - 1 < k->end)
            out[j - 1 + k->n - 1] = weighted;
    }
}

int kernel_wma(const struct indicator_call *call)
{
    const double *x = call->input[0], n = call->param[0];
    double *out = call->out, divisor = n * (n + 1.0) / 2.0;
    struct block k = {0};
    if (!has_window(call))
        return 0;
    while (next_block(call, &k)) {
        double plain = 0.0, aged = 0.0;
        suffix_weighted(x, &k, out);
        for (uint32_t t = k.start; t < k.end; t++) {
            aged += plain;
            plain += x[t] - k.level;
            out[t] = k.level + (out[t] + (n * plain - aged)) / divisor;
        }
    }
    mark_warm_up(call);
    return 0;
}

/* ---- deviations ----------------------------------------------------------------------------- */

/* out[t] = the total over rows t-n+1 .. start-1, which is what the window of t has before the
 * block. The rows whose slots lie past the end of the data still count towards the others. */
static void suffix_totals(const double *x, const struct block *k, double level, double *out)
{
    double total = 0.0;
    uint32_t j = k->start;
    if (k->start == 0) {
        for (uint32_t t = 0; t < k->end; t++)
            out[t] = 0.0;
        return;
    }
    if (k->end == k->start + k->n)
        out[k->end - 1] = 0.0;
    for (; j - 1 + k->n - 1 >= k->end; j--)
        total += x[j - 1] - level;
    for (; j > k->start - k->n + 1; j--) {
        total += x[j - 1] - level;
        out[j - 1 + k->n - 1] = total;
    }
}

/* Totals of squares of x - level, as suffix_totals; squares[] has room for n. */
static void suffix_squares(const double *x, const struct block *k, double *squares)
{
    double total = 0.0;
    for (uint32_t i = 0; i < k->n; i++)
        squares[i] = 0.0;
    if (k->start == 0)
        return;
    for (uint32_t j = k->start; j > k->start - k->n + 1; j--) {
        double d = x[j - 1] - k->level;
        total += d * d;
        squares[j - 1 + k->n - 1 - k->start] = total;
    }
}

static double deviation(double total, double squares, double n)
{
    double variance = (squares - total * total / n) / n;
    return variance <= 0.0 ? 0.0 : sqrt(variance);
}

/* Population deviation; 0 exactly where the window is constant. */
int kernel_stddev(const struct indicator_call *call)
{
    const double *x = call->input[0], n = call->param[0];
    struct block k = {0};
    if (!has_window(call))
        return 0;
    double *squares_before = malloc((size_t)n * sizeof(*squares_before));
    if (!squares_before)
        return -ENOMEM;
    while (next_block(call, &k)) {
        double total = 0.0, squares = 0.0;
        suffix_totals(x, &k, k.level, call->out);
        suffix_squares(x, &k, squares_before);
        for (uint32_t t = k.start; t < k.end; t++) {
            double d = x[t] - k.level;
            total += d;
            squares += d * d;
            call->out[t] =
                deviation(call->out[t] + total, squares_before[t - k.start] + squares, n);
        }
    }
    free(squares_before);
    mark_warm_up(call);
    return 0;
}

/* ---- extremes ------------------------------------------------------------------------------- */

/* The greater, or the first if the second is NaN: one instruction where the machine has one. */
static inline double greater(double a, double b)
{
    return b > a ? b : a;
}

static inline double lesser(double a, double b)
{
    return b < a ? b : a;
}

/* What the windows leave out because it is NaN makes them NaN. */
static void mark_undefined(const struct indicator_call *call)
{
    uint32_t n = (uint32_t)call->param[0], since = n; /* rows since the last NaN */
    for (uint32_t t = 0; t < call->rows_n; t++) {
        since = isnan(call->input[0][t]) ? 0 : since + (since < n);
        if (since < n)
            call->out[t] = NAN;
    }
}

/* `least` is what any value replaces. */
static inline __attribute__((always_inline)) int
extreme(const struct indicator_call *call, double (*pick)(double, double), double least)
{
    const double *x = call->input[0];
    double *out = call->out;
    struct block k = {0};
    if (!has_window(call))
        return 0;
    while (next_block(call, &k)) {
        double best = least;
        for (uint32_t t = k.start; t < k.end; t++) {
            best = pick(best, x[t]);
            out[t] = best;
        }
        best = least;
        for (uint32_t j = k.start; k.start > 0 && j > k.start - k.n + 1; j--) {
            uint32_t t = j - 1 + k.n - 1;
            best = pick(best, x[j - 1]);
            if (t < k.end)
                out[t] = pick(out[t], best);
        }
    }
    mark_warm_up(call);
    mark_undefined(call);
    return 0;
}

int kernel_max(const struct indicator_call *call)
{
    return extreme(call, greater, -INFINITY);
}

int kernel_min(const struct indicator_call *call)
{
    return extreme(call, lesser, INFINITY);
}
