/* SPDX-License-Identifier: MIT */
/* Sources of a graph without a plane: columns found by name, and bars in memory. */
#pragma once

#include "shm/graph.h"

struct bars;

/* Columns and series of one symbol's own bars, as doubles; no other clock. */
struct lookup_source {
    uint32_t rows_n;
    const int64_t *time_ns; /* NULL where no series needs times */
    void *ctx;
    /* NULL: not there. ret_first_defined may not be NULL. */
    const double *(*find)(void *ctx, const char *key, uint32_t *ret_first_defined);
};
/* Borrows the lookup. */
struct graph_source lookup_source_of(const struct lookup_source *lookup);

/* Bars of several symbols, seen from one of them: every timeframe is made when it is first asked
 * for. Nothing but columns is there, so all series are computed. */
struct bars_source;
/* bars [symbols_n] are borrowed; `traded` is an index of them. 0 or -ENOMEM. */
int bars_source_create(const struct bars *bars, uint32_t symbols_n, uint32_t traded,
                       struct bars_source **ret_source) ADMF_MUST_CHECK;
void bars_source_destroy(struct bars_source *source); /* accepts NULL */
struct graph_source bars_source_of(struct bars_source *source);

/* A column of bars by its name, extra ones too; NULL if there is none. */
const double *bars_column(const struct bars *bars, const char *name);
