/* SPDX-License-Identifier: MIT */
/* Expressions bound to values, as one graph in which equal subexpressions are one node.
 *
 * A node's key is its canonical text: parameters replaced by shortest numbers, spaces and needless
 * parentheses gone, defaults written out, composite indicators in terms of what they are made of
 * where that shares work. Equal keys are equal series. Nodes are numbered so that arguments come
 * first.
 *
 * Series nodes (columns, indicator outputs, and whatever is an argument of an indicator) live in
 * the plane; the lighter arithmetic, comparisons, shifts and crossings above them are evaluated by
 * tiles where they are used (graph_eval_*).
 *
 * A node lives on a clock: the rows of a symbol and a timeframe. Arithmetic and indicators all of
 * whose series share one live there; where clocks meet, and in conditions, values come to the rows
 * of the traded symbol: at each row that of the last finished bar of the other clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/expr.h"
#include "shm/indicator/indicator.h"
#include "shm/series.h"
#include "shm/timeframe.h"

struct graph;

/* On whose rows a node lives. */
struct graph_clock {
    const char *symbol;         /* NULL: the one that is traded */
    struct timeframe timeframe; /* TIMEFRAME_OWN: that symbol's bars as they are */
};

/* Columns; what is made of columns; what is made of that, such as conditions on indicators. */
enum graph_level { LEVEL_BASE, LEVEL_DERIVED, LEVEL_COMPLEX };
const char *graph_level_name(enum graph_level level);

/* What a node is; all borrowed until clear or destroy. */
struct graph_info {
    const char *key;       /* unique in the graph */
    const char *local_key; /* as seen on its own clock: `sma(close,20)` of `SPX:sma(close,20)` */
    uint32_t clock;        /* for graph_clock() */
    enum graph_level level;
    bool is_series; /* a column, an indicator, or an argument of one */
    bool is_column;
    bool is_condition;
    const struct indicator *indicator; /* NULL: not a call */
    const double *param;               /* [indicator->params_n] */
    unsigned output;
    uint32_t args_n;
    const uint32_t *arg; /* nodes */
};

int graph_create(struct graph **ret_graph);
void graph_destroy(struct graph *graph); /* accepts NULL */
void graph_clear(struct graph *graph);   /* forgets all nodes, keeps the memory: no allocation when
                                            as many are added again */

/* Adds expr bound to env; names that env lacks are taken as imported columns. Fails on parameters
 * out of an indicator's range (a period that is not a whole number >= its minimum, say), naming
 * both. */
int graph_add(struct graph *graph, const struct expr *expr, const struct expr_env *env,
              uint32_t *ret_node, struct err *err) ADMF_MUST_CHECK;

uint32_t graph_nodes_n(const struct graph *graph);
const char *graph_key(const struct graph *graph, uint32_t node); /* borrowed until clear/destroy */
bool graph_is_series(const struct graph *graph, uint32_t node);  /* lives in the plane */
bool graph_is_column(const struct graph *graph, uint32_t node);  /* a bar or imported column */
void graph_info(const struct graph *graph, uint32_t node, struct graph_info *ret_info);

/* Clocks that nodes live on; 0 is the traded symbol's own bars. */
uint32_t graph_clocks_n(const struct graph *graph);
const struct graph_clock *graph_clock(const struct graph *graph, uint32_t idx);

/* Equal numbers are one pass over the same rows: the same indicator of the same arguments, where
 * only parameters and outputs differ. What is no indicator has a number of its own. */
uint64_t graph_group(const struct graph *graph, uint32_t node);

/* The rows of a clock, and which of them each row of the traded symbol may see. */
struct clock_view {
    uint32_t rows_n;
    const int64_t *time_ns; /* [rows_n] */
    const int32_t *row_of; /* [own rows]: the last finished row, -1: none; NULL for the own clock */
};

/* What a graph is evaluated over, seen from one traded symbol. Views are borrowed, and stay as they
 * are while a call lasts. */
struct graph_source {
    void *ctx;
    /* False: there are no such bars. */
    bool (*clock)(void *ctx, const struct graph_clock *clock, struct clock_view *ret_view);
    /* A column, a stored series or a stored condition; false: it is to be computed. */
    bool (*series)(void *ctx, const struct graph_clock *clock, const char *local_key,
                   struct series_view *ret_view);
    bool rounds_to_f32; /* whatever is or would be stored */
};

/* Computes series of one group (graph_group), or one condition, for all rows of their clock into
 * outs[i] of series_bytes(dtype, rows). Arguments that the source lacks are computed too. Undefined
 * rows are NaN. Not for columns. ret_first_defined [n], if not NULL, as series_view has it. */
int graph_compute(const struct graph *graph, const uint32_t *nodes, uint32_t n,
                  const struct graph_source *source, enum series_dtype dtype, void *const *outs,
                  uint32_t *ret_first_defined, struct err *err) ADMF_MUST_CHECK;

/* Evaluates any node over the traded symbol's rows: numbers into out[rows], or a condition into
 * bits (bit r % 64 of word r / 64; bits past the end are 0). What the source lacks is computed on
 * the way, by tiles: the bytes are the same. ret_first_defined, if not NULL, is the first row at
 * which every series below is defined. */
int graph_eval(const struct graph *graph, uint32_t node, const struct graph_source *source,
               double *out, uint32_t *ret_first_defined, struct err *err) ADMF_MUST_CHECK;
int graph_eval_bits(const struct graph *graph, uint32_t node, const struct graph_source *source,
                    uint64_t *bits, uint32_t *ret_first_defined, struct err *err) ADMF_MUST_CHECK;
