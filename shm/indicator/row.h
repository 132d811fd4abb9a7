/* SPDX-License-Identifier: MIT */
/* What rows of a family's table and their kernels are written with. */
#pragma once

#include <math.h>
#include <stdint.h>

#include "shm/indicator/indicator.h"

#define TALIB      "TA-Lib, unstable period 0"
#define PERIOD_MAX 1e9

/* A whole number from `least` on. */
#define PERIOD(name_, least)                                                                       \
    {                                                                                              \
        .name = name_, .minimum = least, .maximum = PERIOD_MAX, .is_whole = 1                      \
    }
/* Any number between two. */
#define FRACTION(name_, least, greatest)                                                           \
    {                                                                                              \
        .name = name_, .minimum = least, .maximum = greatest                                       \
    }

/* The lookback of an indicator whose first parameter is a period n and that reads n rows back. */
static inline uint32_t lookback_n(const double *param)
{
    return (uint32_t)param[0];
}

/* One row back. */
static inline uint32_t lookback_1(const double *param)
{
    (void)param;
    return 1;
}

/* Rows of the span that lie before row `first` of the data: NaN in `out` where it is wanted. How
 * many there are. */
static inline uint32_t fill_before(const struct indicator_span *span, uint32_t first, double *out)
{
    uint32_t n = span->row < first ? first - span->row : 0;
    n = n < span->rows_n ? n : span->rows_n;
    for (uint32_t i = 0; out && i < n; i++)
        out[i] = NAN;
    return n;
}
