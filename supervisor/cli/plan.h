/* SPDX-License-Identifier: MIT */
/* What the files of `admf plan` share. */
#pragma once

#include "supervisor/cli/common.h"
#include "supervisor/plan/plan.h"
#include "supervisor/plan/range.h"

struct plan_job {
    const struct cli_args *args;
    struct describe *describe;
    struct config *config;
    struct store *store;
    struct range range;
    struct sharing *sharing;
    struct series_plan *series;
    uint64_t steps_n, memory_bytes;
    uint32_t workers;
    double seconds;
};

/* `admf plan --series`: a table by levels with totals, or a graph where --format is dot. */
int plan_print_series(const struct plan_job *job, struct err *err) ADMF_MUST_CHECK;
/* `admf plan --compare-dtype`: on stdout, or as a key of the plan's object where that is given. */
int plan_compare_dtype(const struct plan_job *job, json_t *plan, struct err *err) ADMF_MUST_CHECK;
/* What sharing will save, a line or two. */
void plan_print_savings(const struct series_plan *series);
