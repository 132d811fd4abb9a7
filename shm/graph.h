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
 * tiles where they are used (graph_eval_*). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/expr.h"

struct graph;

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

/* Where a series node's values are: rows_n doubles, NULL if unknown. */
typedef const double *(*series_lookup_fn)(void *ctx, const char *key, uint32_t *ret_first_defined);

/* Computes series node `node` into out[rows_n]; its arguments are found through `lookup`.
 * Undefined rows are NaN. Not for columns. */
int graph_compute(const struct graph *graph, uint32_t node, series_lookup_fn lookup, void *ctx,
                  uint32_t rows_n, double *out, struct err *err) ADMF_MUST_CHECK;

/* Evaluates any node over rows [0, rows_n): numbers into out[rows_n], or a condition into bits
 * (bit r % 64 of word r / 64; bits past rows_n are 0). ret_first_defined, if not NULL, is the first
 * row at which every series below is defined. */
int graph_eval(const struct graph *graph, uint32_t node, series_lookup_fn lookup, void *ctx,
               uint32_t rows_n, double *out, uint32_t *ret_first_defined,
               struct err *err) ADMF_MUST_CHECK;
int graph_eval_bits(const struct graph *graph, uint32_t node, series_lookup_fn lookup, void *ctx,
                    uint32_t rows_n, uint64_t *bits, uint32_t *ret_first_defined,
                    struct err *err) ADMF_MUST_CHECK;
