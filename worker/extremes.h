/* SPDX-License-Identifier: MIT */
/* Highest high and lowest low of blocks of bars, so that the range of a long stretch costs a look
 * at each block. Made once for a symbol and lent to every container. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "shm/plane.h"

#define EXTREMES_BLOCK_N 64

struct extremes {
    const double *high, *low;          /* [rows_n] of the bars */
    double *highest_high, *lowest_low; /* [rows_n / EXTREMES_BLOCK_N], whole blocks alone */
};

struct price_range {
    double low, high;
};

/* The bars must outlive it. 0 or -ENOMEM. */
int extremes_init(struct extremes *e, const struct bars *bars) ADMF_MUST_CHECK;
void extremes_fini(struct extremes *e); /* accepts zeroed memory */
/* The range of the rows from .. to - 1, widened from what range holds already. */
void extremes_widen(const struct extremes *e, uint32_t from, uint32_t to,
                    struct price_range *range);
