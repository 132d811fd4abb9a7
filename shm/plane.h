/* SPDX-License-Identifier: MIT */
/* The data plane: bars and series of a whole run in one sealed memory file.
 *
 * The supervisor builds it (plane_builder), seals it against every write, growth and shrinking, and
 * hands workers a read-only descriptor. A worker opens it, which checks header, tables and every
 * offset. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/layout.h"

/* The extra column that accounts take as money a unit, paid at the start of its bar. */
#define COLUMN_CASH_DIVIDEND "cash_dividend"

/* Bars of one symbol as columns; borrowed views. Extra columns are series under their own names. */
struct bars {
    const char *symbol;
    uint32_t rows_n;
    const int64_t *time_ns; /* ascending, unique */
    const double *open;
    const double *high;
    const double *low;
    const double *close;
    const double *volume;
    uint32_t extra_n;
    const char *const *extra_names;
    const double *const *extra; /* [extra_n][rows_n]; NaN: undefined */
};

/* One symbol of an opened plane. */
struct plane_view {
    struct bars bars;           /* extra_n is 0: extra columns are series here */
    const int32_t *row_of_step; /* [steps_n], -1: no bar; NULL: row == step */
    uint32_t first_row;
};

struct plane {
    const struct plane_header *header;
    const uint8_t *base;
    size_t size_bytes;
    uint32_t symbols_n;
    uint32_t steps_n;
    uint32_t first_step;
    const int64_t *clock_ns;
    struct plane_view *symbol; /* [symbols_n], owned */
};

/* ---- building: supervisor ------------------------------------------------------------------- */

struct plane_builder;

/* What goes in. Series keys are given by symbol; columns of `bars` (extra ones too) need no key. */
struct plane_plan {
    uint32_t symbols_n;
    const struct bars *bars;   /* [symbols_n], warm-up rows included */
    const uint32_t *first_row; /* [symbols_n]: rows before it are warm-up */
    uint32_t series_n;
    const uint32_t *series_symbol; /* [series_n] */
    const char *const *series_key; /* [series_n] canonical keys, unique within a symbol */
    uint64_t data_hash[2];
};

/* Bytes that the plan takes. */
uint64_t plane_plan_bytes(const struct plane_plan *plan);
/* Creates the file, writes clock, bars, extra columns (as series) and tables. */
int plane_build(const struct plane_plan *plan, struct plane_builder **ret_builder,
                struct err *err) ADMF_MUST_CHECK;
/* The values of planned series i, to be filled; rows_n of its symbol. */
double *plane_builder_series(struct plane_builder *b, uint32_t series_idx);
/* Records where series i becomes defined (scans it), seals all, closes the builder's map, and gives
 * a read-only close-on-exec descriptor. Frees the builder in any case. */
int plane_seal(struct plane_builder *b, int *ret_fd, struct err *err) ADMF_MUST_CHECK;
void plane_builder_destroy(struct plane_builder *b); /* accepts NULL */

/* ---- reading: workers, and the supervisor for its own checks -------------------------------- */

int plane_open(int fd, struct plane **ret_plane, struct err *err) ADMF_MUST_CHECK;
void plane_close(struct plane *plane); /* accepts NULL */

/* Values of a series, rows_n of its symbol, and the first defined row; NULL where there is none.
 * The columns open high low close volume are found by these names too. */
const double *plane_series(const struct plane *plane, uint32_t symbol_idx, const char *key,
                           uint32_t *ret_first_defined);
/* Row of a symbol at a step, or -1. */
static inline int32_t plane_row(const struct plane_view *view, uint32_t step)
{
    return view->row_of_step ? view->row_of_step[step] : (int32_t)step;
}
