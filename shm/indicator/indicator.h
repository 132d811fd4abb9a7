/* SPDX-License-Identifier: MIT */
/* The table of indicators: one row each, one kernel each. Adding one is a kernel in the file of its
 * class, a row in the table and a golden case.
 *
 * Definitions are TA-Lib's (seeding, warm-up, population deviations, unstable period 0). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define INDICATOR_INPUTS_MAX  6
#define INDICATOR_PARAMS_MAX  4
#define INDICATOR_OUTPUTS_MAX 4

enum indicator_class { CLASS_STATELESS, CLASS_ROLLING, CLASS_CUMULATIVE, CLASS_RECURSIVE };

struct indicator_param {
    const char *name;
    double minimum, maximum;
    int is_whole;
};

/* Everything a kernel needs. Inputs may begin with NaNs (their own warm-up) and may hold NaNs. */
struct indicator_call {
    uint32_t rows_n;
    const double *input[INDICATOR_INPUTS_MAX];
    const double *param;
    uint32_t output; /* which output is wanted */
    double *out;     /* [rows_n] */
};

struct indicator {
    const char *name;
    enum indicator_class cls;
    unsigned series_args_n; /* leading arguments that are series, chosen by the user */
    const char *bar_inputs; /* columns that are implied, e.g. "high low close"; "" for none */
    unsigned params_n;
    struct indicator_param params[INDICATOR_PARAMS_MAX];
    unsigned outputs_n;
    const char
        *outputs[INDICATOR_OUTPUTS_MAX]; /* names; a call says which where there are several */
    /* First defined row of every output, given that inputs are defined from row 0: parameters and
     * whole numbers, added and subtracted. */
    const char *warm_up_text;
    const char *formula;
    const char *source;
    /* 0, or -ENOMEM where it needs scratch memory. NULL: made of other nodes (graph_bind.c). */
    int (*compute)(const struct indicator_call *call);
};

extern const struct indicator *const indicator_table[];
extern const size_t indicator_table_n;

const struct indicator *indicator_find(const char *name);
const char *indicator_class_name(enum indicator_class cls);
