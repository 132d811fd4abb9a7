/* SPDX-License-Identifier: MIT */
/* Machinery of recursive indicators: each row from the one before, which makes a chain of dependent
 * operations that a processor can only wait for. So it is given several chains at once, as lanes of
 * vectors:
 *
 *   family   many sets of parameters over the same rows, a lane each
 *   chains   one series, cut into RECURSIVE_CHAINS parts of equal length. A chain seeds itself
 *            anew some way before its part, as if the data began there, and by the time it comes to
 *            its part it has, as a rule, forgotten how it began: its values are, bit for bit, those
 *            with which the chain before arrives there. Where they are not, that part is computed
 *            again from where the chain before arrived. So bytes never depend on any of it.
 *
 *        rows      |—————— part 0 ——————|—————— part 1 ——————|—————— part 2 ——————|
 *        chain 0   x————————————————————>
 *        chain 1                seed~~~~x————————————————————>
 *        chain 2                                     seed~~~~x————————————————————>
 *
 * A kernel is a step, written once in a file of steps (lanes.h) and compiled for one row and for
 * vectors of each width, and a function that seeds.
 *
 * A row at which any of the step's values is not finite is NaN, and the next one seeds anew. A step
 * must therefore keep a value that is not finite for good: that is what tells a chain that met such
 * a row, which is then computed again row by row. */
#pragma once

#include "shm/indicator/cpu.h"
#include "shm/indicator/indicator.h"

#define RECURSIVE_INPUTS_MAX    3
#define RECURSIVE_OUTPUTS_MAX   3
#define RECURSIVE_VALUES_MAX    32
#define RECURSIVE_CONSTANTS_MAX 5
#define RECURSIVE_CHAINS        8  /* lanes of a series */
#define RECURSIVE_FAMILY        16 /* lanes of a family */
#define RECURSIVE_BLOCK         8  /* rows that lanes make at a time */

/* The state of any of these indicators: all that is remembered of earlier rows, beside the
 * lookback. */
struct recursive_state {
    double value[RECURSIVE_VALUES_MAX];
    uint64_t seen; /* rows since the seeding began, at most setup.first */
};

/* What follows from the parameters. */
struct recursive_setup {
    double constant[RECURSIVE_CONSTANTS_MAX];
    const double *param;
    uint64_t first;                     /* rows that go to seed(), before the step takes over */
    uint64_t warm_rows;                 /* after which two chains are the same, as a rule */
    uint32_t lag[RECURSIVE_INPUTS_MAX]; /* inputs from series_n on are input 0 that long ago */
    uint32_t
        fresh_rows; /* refresh() is called before each row whose number is a multiple; 0: none */
};

/* A row to be seeded with. */
struct recursive_row {
    const struct recursive_setup *setup;
    uint64_t seen; /* rows before it since the seeding began, all with finite inputs, readable
                      behind `at` */
    const double *at[RECURSIVE_INPUTS_MAX];
    double *value;
    double *out; /* [outputs_n] all NaN */
};

/* Rows for a step that is not vectorised. */
struct recursive_rows {
    const double *in[RECURSIVE_INPUTS_MAX];
    double *out[RECURSIVE_OUTPUTS_MAX];
    const double *constant;
    double *value;
    uint32_t rows_n;
};

/* Rows for lanes; arrays by lane. */
struct recursive_lanes {
    const double *in[RECURSIVE_INPUTS_MAX][RECURSIVE_CHAINS]; /* of a family: lane 0's alone */
    double *out[RECURSIVE_OUTPUTS_MAX][RECURSIVE_FAMILY];     /* NULL: not wanted */
    _Alignas(64) double value[RECURSIVE_VALUES_MAX][RECURSIVE_FAMILY];
    _Alignas(64) double constant[RECURSIVE_CONSTANTS_MAX][RECURSIVE_FAMILY];
    uint32_t rows_n; /* a multiple of RECURSIVE_BLOCK */
};

/* What lanes.h makes of a step. */
struct recursive_code {
    /* How many rows it made; fewer than asked where one left values that are not finite, and then
     * it says nothing about that row. */
    uint32_t (*rows)(const struct recursive_rows *rows);
    void (*chains[CPU_LEVELS_N])(struct recursive_lanes *lanes);
    void (*family[CPU_LEVELS_N])(struct recursive_lanes *lanes);
};

struct recursive {
    unsigned inputs_n, outputs_n, values_n, constants_n; /* of the step */
    unsigned series_n; /* inputs of the indicator: the others of the step are lags */
    struct recursive_code code;
    void (*prepare)(const double *param, struct recursive_setup *setup); /* into a zeroed one */
    void (*seed)(const struct recursive_row *row);
    /* Makes values anew that would gather rounding errors, from the rows behind `at`. */
    void (*refresh)(const struct recursive_setup *setup, const double *at, double *value);
};

int recursive_advance(const struct recursive *kernel, const struct indicator_span *span);
/* Only for kernels without lags and refresh(). */
int recursive_advance_family(const struct recursive *kernel, const struct indicator_span *spans,
                             uint32_t spans_n);

/* advance_NAME and family_of_NAME of the struct recursive NAME. */
#define RECURSIVE_KERNEL(name)                                                                     \
    RECURSIVE_KERNEL_ALONE(name)                                                                   \
    static int family_of_##name(const struct indicator_span *spans, uint32_t spans_n)              \
    {                                                                                              \
        return recursive_advance_family(&name, spans, spans_n);                                    \
    }
#define RECURSIVE_KERNEL_ALONE(name)                                                               \
    static int advance_##name(const struct indicator_span *span)                                   \
    {                                                                                              \
        return recursive_advance(&name, span);                                                     \
    }
#define RECURSIVE_ROW(name)                                                                        \
    .state_bytes = sizeof(struct recursive_state), .advance = advance_##name,                      \
    .advance_family = family_of_##name
#define RECURSIVE_ROW_ALONE(name)                                                                  \
    .state_bytes = sizeof(struct recursive_state), .advance = advance_##name
