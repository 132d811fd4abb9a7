/* SPDX-License-Identifier: MIT */
/* Comparisons of doubles as bits: bit r % 64 of word r / 64 says whether row r holds. A comparison
 * with NaN does not hold, != neither. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/expr_node.h"

/* What stands right of the comparison: a column, or one value for all rows. */
struct mask_right {
    const double *column; /* NULL: value */
    double value;
};

/* Compares rows [0, rows_n); writes all of the (rows_n + 63) / 64 words, bits past the end as 0. */
void mask_compare(enum expr_kind kind, const double *left, struct mask_right right, uint32_t rows_n,
                  uint64_t *words);
/* The same in plain C: for other machines, for the rows behind the last full word, and as the twin
 * in tests. */
void mask_compare_plain(enum expr_kind kind, const double *left, struct mask_right right,
                        uint32_t rows_n, uint64_t *words);
