/* SPDX-License-Identifier: MIT */
/* What two computations of a combination, or of all series, have in common before a time. */
#pragma once

#include <stdint.h>

#include "shm/plane.h"
#include "supervisor/check/check.h"
#include "supervisor/pool/run.h"

struct comparison {
    const struct run_detail *whole, *cut;
    enum check_future future;
    int64_t cut_ns;     /* bars before it are compared */
    uint64_t *values_n; /* is added to */
};

/* Whether all is the same; where not, *ret_difference says what, where and both values (its
 * combination, cut and future are the caller's). */
bool compare_details(const struct comparison *c, struct check_difference *ret_difference);

/* Calls fn for each series of `whole` that differs in `cut` before the time. */
typedef int (*compare_fn)(void *ctx, const struct check_difference *difference);
int compare_series(const struct plane *whole, const struct plane *cut, int64_t cut_ns,
                   uint64_t *values_n, compare_fn fn, void *ctx);
