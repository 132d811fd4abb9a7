/* SPDX-License-Identifier: MIT */
/* Indicators: what each is (one row of a family's table) and how its rows are made.
 *
 * A kernel advances: it takes rows [row, row + rows_n) behind those that it has seen, whether that
 * is one bar of a live feed, a tile of 1,024, or the whole history, and the bytes do not depend on
 * how the rows were cut. What it remembers is its inputs' last `lookback` rows, which stand before
 * the span, and a state of fixed size without pointers, so that a checkpoint is a copy.
 *
 * Rows are numbered from the beginning of the data and cut into tiles of INDICATOR_TILE_ROWS. A
 * series can be computed from any tile onward:
 *   stateless   no state; any rows in any order
 *   rolling     at a tile's first row the state is made anew from the lookback alone, so rounding
 *               does not build up, and tiles are independent of each other
 *   cumulative  state carried; a checkpoint at each tile's first row
 *   recursive   likewise
 *
 * Definitions are TA-Lib's (seeding, warm-up, population deviations, unstable period 0) but where a
 * row's source says otherwise.
 *
 * NaN rules. Stateless: a row is NaN if any value it looks at is. Rolling: a row is NaN exactly
 * where its window holds a value that is not finite, so nothing spreads further. Recursive: what is
 * not finite in an input makes the row NaN and starts the seeding anew behind it; leading NaNs
 * therefore just shift the seed. Cumulative: such a row is NaN and adds nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDICATOR_INPUTS_MAX      6
#define INDICATOR_PARAMS_MAX      4
#define INDICATOR_OUTPUTS_MAX     6
#define INDICATOR_DERIVED_MAX     4
#define INDICATOR_STATE_BYTES_MAX 4096
#define INDICATOR_TILE_ROWS       32768u

enum indicator_class { CLASS_STATELESS, CLASS_ROLLING, CLASS_CUMULATIVE, CLASS_RECURSIVE };

struct indicator_param {
    const char *name;
    double minimum, maximum;
    int is_whole;
    const char *const *choices; /* NULL-terminated words that stand for 0, 1, …; NULL: numbers */
};

/* Rows to be made. Inputs may begin with NaNs (their own warm-up) and may hold NaNs. */
struct indicator_span {
    uint32_t row;    /* number of the first one; 0 only with a state of zeros */
    uint32_t rows_n; /* at least 1 */
    /* At `row`. The min(row, lookback) rows before it can be read too; later ones than the one
     * being made are never read. */
    const double *input[INDICATOR_INPUTS_MAX];
    const int64_t *time_ns; /* at `row`, as the inputs; NULL where the row says no uses_time */
    const double *param;
    void *state; /* [state_bytes], aligned to 64; zeroed before row 0, and for a rolling one before
                    any tile's first row */
    double *out[INDICATOR_OUTPUTS_MAX]; /* [rows_n] each; NULL: not wanted */
};

/* 0, or -ENOMEM where it needs scratch memory and cannot have it (nothing is changed then). */
typedef int (*indicator_advance_fn)(const struct indicator_span *span);

struct indicator {
    const char *name;
    enum indicator_class cls;
    unsigned series_args_n; /* leading arguments that are series, chosen by the user */
    /* Series that are implied, behind those: expressions parted by blanks, e.g. "high low close";
     * NULL for none. */
    const char *implied;
    unsigned params_n;
    struct indicator_param params[INDICATOR_PARAMS_MAX];
    unsigned outputs_n;
    const char *outputs[INDICATOR_OUTPUTS_MAX]; /* a call says which where there are several */
    /* First defined row of every output, given that inputs are defined from row 0: parameters and
     * whole numbers, added and subtracted. */
    const char *warm_up_text;
    const char *formula;
    const char *edges; /* what constants, zero ranges, zero volume give; NULL: nothing special */
    const char *source;
    const char *tolerance; /* by which batch and stream differ; NULL: same bytes */

    /* Either it is made of other indicators: an expression an output over its series (x, y), its
     * parameters and, where `derive` is given, further whole numbers named in `derived`. */
    const char *made_of[INDICATOR_OUTPUTS_MAX];
    const char *derived[INDICATOR_DERIVED_MAX];
    void (*derive)(const double *param, double *ret_derived);

    /* Or it has a kernel. */
    uint32_t (*lookback)(const double *param); /* NULL: 0 */
    uint32_t state_bytes;
    bool uses_time;
    indicator_advance_fn advance;
    /* Or it is of a plugin: the file that it comes from, and, where that is loaded, how it is
     * called with its own description. NULL otherwise. */
    const char *library;
    int (*advance_foreign)(const void *foreign, const struct indicator_span *span);
    const void *foreign;
    /* Many sets of parameters over the same inputs and rows, in one pass; the bytes are those of
     * `advance`. NULL: one after another. */
    int (*advance_family)(const struct indicator_span *spans, uint32_t spans_n);
};

/* A family of indicators: one file, one table. */
struct indicator_family {
    const char *title;
    const struct indicator *rows;
    size_t rows_n;
};
#define INDICATOR_FAMILY(title_, rows_)                                                            \
    {                                                                                              \
        .title = title_, .rows = rows_, .rows_n = sizeof(rows_) / sizeof((rows_)[0])               \
    }

/* All rows of all families, in the order of names. */
size_t indicator_count(void);
const struct indicator *indicator_at(size_t i);
/* NULL if there is none. */
const struct indicator *indicator_find(const char *name);
const char *indicator_class_name(enum indicator_class cls);

/* Adds the indicators of a plugin; the rows must stay where they are. 0; -EEXIST where a name is
 * taken; -ENOMEM. */
int indicator_register(const struct indicator *rows, size_t rows_n);

/* Advances by whatever kernel it has; not for what is made of others, nor for a plugin's that is
 * not loaded. */
static inline int indicator_advance(const struct indicator *indicator,
                                    const struct indicator_span *span)
{
    return indicator->advance ? indicator->advance(span)
                              : indicator->advance_foreign(indicator->foreign, span);
}

/* Rows that a call looks back. */
static inline uint32_t indicator_lookback(const struct indicator *indicator, const double *param)
{
    return indicator->lookback ? indicator->lookback(param) : 0;
}
