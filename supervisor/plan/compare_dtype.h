/* SPDX-License-Identifier: MIT */
/* What float32 series would change: the bits of rules' conditions, computed both ways. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "supervisor/config/config.h"
#include "supervisor/plan/range.h"

/* Rows times conditions that are computed at most, each in both precisions. */
#define COMPARE_ROWS_MAX UINT64_C(200000000)

struct dtype_comparison {
    uint64_t combinations_n; /* looked at */
    bool is_sample;          /* not all of them */
    uint64_t conditions_n;   /* different ones, by symbol */
    uint64_t bits_n, differing_n;
    uint64_t worst_n, worst_bits_n; /* of the condition that differs most; 0: none does */
    uint32_t worst_symbol_idx;
    char *worst_key; /* owned; NULL: none differs */
};

/* Takes all combinations where few are asked for, else some that are spread over the grid.
 * Parameters that are refused are passed over. */
int dtype_compare(const struct config *config, const struct describe *describe,
                  const struct range *range, struct dtype_comparison *ret,
                  struct err *err) ADMF_MUST_CHECK;
void dtype_comparison_fini(struct dtype_comparison *comparison);
