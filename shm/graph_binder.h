/* SPDX-License-Identifier: MIT */
/* The inside of binding, for graph_bind.c and graph_call.c. */
#pragma once

#include "shm/graph_node.h"

/* Within a definition: what its names stand for. */
struct within {
    const struct within *outer; /* the definition that this one stands in; NULL: a rule */
    const struct indicator *indicator;
    const struct definition *definition;
    const uint32_t *series; /* nodes of its x and y */
    const double *param;
    double derived[INDICATOR_DERIVED_MAX];
};

struct binder {
    struct graph *graph;
    const struct expr *expr;
    const struct expr_env *env;  /* of a rule */
    const struct within *within; /* NULL: a rule */
    struct err *err;
    uint32_t at;              /* where its bindings begin in the graph's stack of them */
    struct binding *bindings; /* there; set again behind whatever may move the stack */
    uint32_t clock; /* of what says no other: 0 in a rule, that of the call in a definition */
};

static inline struct binding *binding_of(const struct binder *b, const struct expr_node *node,
                                         uint32_t i)
{
    return &b->bindings[b->expr->args[node->args + i]];
}

/* A column of the bars of a clock. */
struct column {
    const char *name;
    uint32_t clock;
};

/* ---- graph_bind.c --------------------------------------------------------------------------- */

int bind_no_memory(const struct binder *b);
/* graph_intern() with an error that a person can read. */
int bind_node(struct binder *b, struct graph_node *node, uint32_t *ret_node);
/* The clock of the bars that a node sees. */
int bind_clock(struct binder *b, const struct expr_node *node, uint32_t *ret_clock);
int bind_column(struct binder *b, const struct column *column, uint32_t lag, uint32_t *ret_node);
/* A series, `lag` rows earlier. */
int bind_shift(struct binder *b, uint32_t lag, uint32_t *io_node);
/* The node of b->expr, `lag` rows earlier. */
int bind_expr(struct binder *b, uint32_t lag, uint32_t *ret_node);

/* ---- graph_call.c --------------------------------------------------------------------------- */

/* The value of argument i of a call, which stands for `param`. */
int bind_param(const struct binder *b, const struct expr_node *call, uint32_t i,
               const struct indicator_param *param, double *ret_value);
/* An indicator, or what it is made of. */
int bind_call(struct binder *b, const struct expr_node *node, uint32_t lag, uint32_t *ret_node);
