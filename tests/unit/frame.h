/* SPDX-License-Identifier: MIT */
/* For tests: columns in memory, and any expression evaluated over them as a run would do it:
 * parsed, bound, its series computed in the graph's order, then evaluated. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "shm/graph.h"
#include "shm/source.h"

#define FRAME_SERIES_MAX 512

struct frame {
    uint32_t rows_n;
    const int64_t *time_ns;
    uint32_t series_n;
    char *key[FRAME_SERIES_MAX];
    double *series[FRAME_SERIES_MAX];
    uint32_t first[FRAME_SERIES_MAX];
};

static inline uint32_t frame_first_defined(const double *series, uint32_t rows_n)
{
    uint32_t first = 0;
    while (first < rows_n && series[first] != series[first])
        first++;
    return first;
}

/* Adds a copy of a column. */
static inline void frame_add(struct frame *f, const char *key, const double *values)
{
    uint32_t i = f->series_n++;
    cr_assert(i < FRAME_SERIES_MAX);
    f->key[i] = strdup(key);
    f->series[i] = malloc((f->rows_n + 1) * sizeof(double));
    if (f->rows_n)
        memcpy(f->series[i], values, f->rows_n * sizeof(double));
    f->first[i] = frame_first_defined(values, f->rows_n);
}

static inline void frame_fini(struct frame *f)
{
    for (uint32_t i = 0; i < f->series_n; i++) {
        free(f->key[i]);
        free(f->series[i]);
    }
    *f = (struct frame){0};
}

/* For lookup_source. */
static inline const double *frame_lookup(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    struct frame *f = ctx;
    for (uint32_t i = 0; i < f->series_n; i++) {
        if (strcmp(f->key[i], key) == 0) {
            *ret_first_defined = f->first[i];
            return f->series[i];
        }
    }
    return NULL;
}

static inline struct lookup_source frame_lookup_of(struct frame *f)
{
    return (struct lookup_source){f->rows_n, f->time_ns, f, frame_lookup};
}

/* Computes the graph's series that the frame lacks. */
static inline void frame_compute(struct frame *f, const struct graph *graph)
{
    uint32_t first;
    struct err err = {0};
    double *out = malloc((f->rows_n + 1) * sizeof(double));
    void *outs[] = {out};
    const struct lookup_source lookup = frame_lookup_of(f);
    const struct graph_source source = lookup_source_of(&lookup);
    for (uint32_t n = 0; n < graph_nodes_n(graph); n++) {
        const char *key = graph_key(graph, n);
        if (!graph_is_series(graph, n) || graph_is_column(graph, n) || frame_lookup(f, key, &first))
            continue;
        cr_assert_eq(graph_compute(graph, &n, 1, &source, SERIES_F64, outs, NULL, &err), 0,
                     "%s: %s", key, err.text);
        frame_add(f, key, out);
    }
    free(out);
}

/* Binds text, computes what it needs; the graph is the caller's. */
static inline struct graph *frame_bind(struct frame *f, const char *text,
                                       const struct expr_env *env, uint32_t *ret_node)
{
    struct err err = {0};
    struct expr *expr = NULL;
    struct graph *graph = NULL;
    cr_assert_eq(expr_parse(text, &expr, &err), 0, "%s: %s", text, err.text);
    cr_assert_eq(graph_create(&graph), 0);
    cr_assert_eq(graph_add(graph, expr, env, ret_node, &err), 0, "%s: %s", text, err.text);
    expr_destroy(expr);
    frame_compute(f, graph);
    return graph;
}

/* Numbers, or 1 and 0 of a condition, into out[rows_n]; returns the first defined row. */
static inline uint32_t frame_eval(struct frame *f, const char *text, double *out)
{
    struct err err = {0};
    uint32_t node = 0, first = 0;
    struct graph *graph = frame_bind(f, text, NULL, &node);
    const struct lookup_source lookup = frame_lookup_of(f);
    const struct graph_source source = lookup_source_of(&lookup);
    cr_assert_eq(graph_eval(graph, node, &source, out, &first, &err), 0, "%s: %s", text, err.text);
    graph_destroy(graph);
    return first;
}
