/* SPDX-License-Identifier: MIT */
/* Ranges of stretches of bars. */
#include "worker/extremes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static void widen_by_rows(const struct extremes *e, uint32_t from, uint32_t to,
                          struct price_range *range)
{
    for (uint32_t row = from; row < to; row++) {
        range->high = e->high[row] > range->high ? e->high[row] : range->high;
        range->low = e->low[row] < range->low ? e->low[row] : range->low;
    }
}

int extremes_init(struct extremes *e, const struct bars *bars)
{
    uint32_t blocks_n = (uint32_t)bars->rows_n / EXTREMES_BLOCK_N;
    double *columns = malloc((2 * (size_t)blocks_n + 1) * sizeof *columns);
    if (!columns)
        return -ENOMEM;
    *e = (struct extremes){bars->high, bars->low, columns, columns + blocks_n};
    for (uint32_t b = 0; b < blocks_n; b++) {
        struct price_range range = {INFINITY, -INFINITY};
        widen_by_rows(e, b * EXTREMES_BLOCK_N, (b + 1) * EXTREMES_BLOCK_N, &range);
        e->highest_high[b] = range.high;
        e->lowest_low[b] = range.low;
    }
    return 0;
}

void extremes_fini(struct extremes *e)
{
    free(e->highest_high);
    *e = (struct extremes){0};
}

void extremes_widen(const struct extremes *e, uint32_t from, uint32_t to, struct price_range *range)
{
    uint32_t first = (from + EXTREMES_BLOCK_N - 1) / EXTREMES_BLOCK_N, end = to / EXTREMES_BLOCK_N;
    if (first >= end) {
        widen_by_rows(e, from, to, range);
        return;
    }
    widen_by_rows(e, from, first * EXTREMES_BLOCK_N, range);
    for (uint32_t b = first; b < end; b++) {
        range->high = e->highest_high[b] > range->high ? e->highest_high[b] : range->high;
        range->low = e->lowest_low[b] < range->low ? e->lowest_low[b] : range->low;
    }
    widen_by_rows(e, end * EXTREMES_BLOCK_N, to, range);
}
