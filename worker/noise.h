/* SPDX-License-Identifier: MIT */
/* Prices altered at random: Monte Carlo over what the history might have been.
 *
 * Random numbers are a function of where they stand (counter-based, Random123's Philox 4x32-10), so
 * a path is the same in every worker, after any crash, and for any order of combinations. */
#pragma once

#include "proto/spec.h"

/* Where a random number stands. */
struct noise_place {
    uint32_t seed;
    uint32_t path;
    uint32_t symbol_idx;
};

/* A standard normal number for one row. */
double noise_normal(const struct noise_place *place, uint32_t row);

/* The columns of one symbol, to be altered in place. */
struct noise_prices {
    uint32_t rows_n;
    double *open, *high, *low, *close;
};
/* Multiplies the four prices of each row by 1 + sigma * z: bars keep their shape. */
void noise_apply(double sigma, const struct noise_place *place, const struct noise_prices *prices);
