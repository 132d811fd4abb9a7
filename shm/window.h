/* SPDX-License-Identifier: MIT */
/* Looking back: the last n values of a series or column up to a row, where they lie; and bars of
 * one's own that may be altered, which share every page that is not. */
#pragma once

#include "shm/plane.h"

/* Rows [first_row, first_row + n) of a series; borrowed as the series is. */
struct window {
    enum series_dtype dtype;
    const void *values; /* of first_row; of SERIES_BITS, of row 0 */
    uint32_t first_row;
    uint32_t n;
};

/* The n rows that end at `row`, itself included; fewer where the series has no more. Nothing is
 * copied. `row` lies within the series. */
static inline struct window window_of(const struct series_view *series, uint32_t row, uint32_t n)
{
    struct window w = {.dtype = series->dtype, .values = series->values};
    w.n = n <= row ? n : row + 1;
    w.first_row = row + 1 - w.n;
    if (w.dtype == SERIES_F64)
        w.values = (const double *)series->values + w.first_row;
    else if (w.dtype == SERIES_F32)
        w.values = (const float *)series->values + w.first_row;
    return w;
}

/* Value i of the window, 0 the oldest; of bits, 0 or 1. */
static inline double window_value(const struct window *w, uint32_t i)
{
    uint32_t row = w->first_row + i;
    switch (w->dtype) {
    case SERIES_F32:
        return (double)((const float *)w->values)[i];
    case SERIES_BITS:
        return (double)(((const uint64_t *)w->values)[row / 64] >> row % 64 & 1);
    default:
        return ((const double *)w->values)[i];
    }
}

/* Bars of one clock as a private copy-on-write map of the plane's own pages: the kernel copies a
 * page when it is first written, all others stay shared. The plane and every other map of it never
 * see a change. Extra columns are not in it. The map counts in full against RLIMIT_DATA. */
struct private_bars {
    struct bars bars; /* views of what follows; extra_n is 0 */
    double *open;     /* [bars.rows_n], as are the next */
    double *high;
    double *low;
    double *close;
    double *volume;
    void *map;
    size_t map_bytes;
};

/* ERR_SYSTEM where memory or the plane's descriptor is wanting; *ret_bars is then untouched. */
int private_bars_map(const struct plane *plane, uint32_t clock_idx, struct private_bars *ret_bars,
                     struct err *err) ADMF_MUST_CHECK;
void private_bars_unmap(struct private_bars *bars); /* accepts zeroed memory */
