/* SPDX-License-Identifier: MIT */
/* The kernels behind indicator_table, one function an indicator, grouped by how they compute.
 *
 * NaN rules. Stateless: a row is NaN if any value it looks at is. Rolling: a row is NaN exactly
 * where its window holds a NaN, so nothing spreads further. Recursive: NaN or infinity in the input
 * makes the row NaN and starts the seeding anew behind it; leading NaNs therefore just shift the
 * seed. */
#pragma once

#include <math.h>

#include "shm/indicator/indicator.h"

/* stateless.c: a fixed number of rows each */
int kernel_medprice(const struct indicator_call *call);
int kernel_mom(const struct indicator_call *call);
int kernel_roc(const struct indicator_call *call);
int kernel_trange(const struct indicator_call *call);
int kernel_typprice(const struct indicator_call *call);

/* rolling.c: a window of the last n rows */
int kernel_max(const struct indicator_call *call);
int kernel_min(const struct indicator_call *call);
int kernel_rolling_mean(const struct indicator_call *call);
int kernel_sma(const struct indicator_call *call);
int kernel_stddev(const struct indicator_call *call);
int kernel_sum(const struct indicator_call *call);
int kernel_wma(const struct indicator_call *call);

/* recursive.c: each row from the one before */
int kernel_atr(const struct indicator_call *call);
int kernel_cross(const struct indicator_call *call);
int kernel_ema(const struct indicator_call *call);
int kernel_macd(const struct indicator_call *call);
int kernel_rsi(const struct indicator_call *call);

/* max(high - low, |high - close before|, |low - close before|), Wilder 1978. */
static inline double true_range(double high, double low, double close_before)
{
    double range = high - low;
    double up = fabs(high - close_before);
    double down = fabs(low - close_before);
    range = up > range ? up : range;
    return down > range ? down : range;
}
