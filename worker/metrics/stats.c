/* SPDX-License-Identifier: MIT */
/* Sums in lanes, and what is made of times. */
#include "worker/metrics/stats.h"

#include <math.h>

#define PERIOD_BARS_N 100 /* bars at the end that tell the period */

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

int64_t bar_period_ns(const struct metrics_input *in)
{
    int64_t sorted[PERIOD_BARS_N];
    uint32_t bars_n = in->bars_n < PERIOD_BARS_N ? in->bars_n : PERIOD_BARS_N;
    const int64_t *time_ns = in->time_ns + (in->bars_n - bars_n);
    uint32_t n = bars_n > 0 ? bars_n - 1 : 0;

    if (n == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t step = time_ns[i + 1] - time_ns[i];
        uint32_t j = i;

        for (; j > 0 && sorted[j - 1] > step; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = step;
    }
    return n % 2 ? sorted[n / 2] : sorted[n / 2 - 1] + (sorted[n / 2] - sorted[n / 2 - 1]) / 2;
}
