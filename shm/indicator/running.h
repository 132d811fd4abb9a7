/* SPDX-License-Identifier: MIT */
/* Running totals of the last n: what enters is added, what leaves is subtracted.
 *
 * The order of additions is TA-Lib's, from each tile's first row on: prices lie on a grid of ticks,
 * averages of them tie often, and a crossing hangs on the last bit of a tie. At a tile's first row
 * the n - 1 values before it are added up, oldest first. The same is done where all that is left in
 * the window is less than a 1024th or so of what has been in it: rounding errors would be left of
 * that. What is not finite, or beyond RUNNING_VALUE_MAX, ends the total; the next one starts
 * behind.
 *
 * Whole tiles are made four at a time: their totals do not wait for each other. */
#pragma once

#include <stdint.h>

#include "shm/indicator/indicator.h"

#define RUNNING_VALUE_MAX 1e290 /* greater values count as infinite, so that no total overflows */

/* Between two rows. Exponents are those of the bits of a double, so all but `total` is exact. */
struct running {
    double total;   /* of the last n - 1 */
    uint32_t seen;  /* good values in a row, up to n - 1 */
    uint32_t large; /* of these: with an exponent of at least peak - 10 */
    int32_t peak;   /* greatest exponent since the total was last added up */
};

/* out[0] = totals of the last n of input 0, divided by n if is_mean; n is the first parameter, the
 * state a struct running. Always 0. */
int running_advance(const struct indicator_span *span, bool is_mean);

/* The same for many periods over one input and the same rows. */
int running_advance_family(const struct indicator_span *spans, uint32_t spans_n, bool is_mean);
