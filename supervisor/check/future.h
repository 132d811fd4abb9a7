/* SPDX-License-Identifier: MIT */
/* Ranges whose future is missing or another one, and where to cut them. */
#pragma once

#include <stdint.h>

#include "supervisor/check/check.h"
#include "supervisor/plan/range.h"

/* The next of a stream of random numbers, the same for the same seed: uniform in [0, n), n > 0. */
uint64_t check_random_below(uint64_t *state, uint64_t n);

struct future {
    struct range range; /* borrows what it does not change; to be given to run_data_build() */
    double *prices;     /* altered columns; owned */
};

struct future_plan {
    const struct range *of;
    enum check_future kind;
    int64_t time_ns;       /* where the future begins */
    bool keeps_cut_volume; /* the first bar's volume bounds what fills at its open */
};
/* *ret_future lives no longer than the range. */
int future_make(const struct future_plan *plan, struct future *ret_future,
                struct err *err) ADMF_MUST_CHECK;
void future_fini(struct future *future); /* accepts zeroed memory */

/* Times that draw cuts near them, such as those of fills. */
struct cut_plan {
    const int64_t *clock_ns; /* [steps_n] of the range */
    uint32_t steps_n;
    const struct range *range;
    const int64_t *fill_ns; /* [fills_n] */
    size_t fills_n;
    uint64_t seed;
    uint32_t cuts_n; /* at most */
};

/* A third evenly spread, a third at or right after a fill, a third anywhere; ascending. Every
 * symbol has a bar before the first of them. ERR_CONFIG where there is no room. */
int cuts_choose(const struct cut_plan *plan, struct check_cut *ret_cuts, uint32_t *ret_n,
                struct err *err) ADMF_MUST_CHECK;
