/* SPDX-License-Identifier: MIT */
/* The inside of a graph, for graph*.c alone.
 *
 *   nodes     an array, arguments before what uses them
 *   keys      in chunks that stay where they are until the graph is cleared
 *   slots     open addressing, from a key's hash to its node; a slot of an older round is empty
 *   bindings  what each node of the expression being added came to
 *   eval      buffers and program of graph_eval*, grown as needed, which is why a graph serves one
 *             thread at a time even where it is const */
#pragma once

#include "shm/expr_node.h"
#include "shm/graph.h"

#define GRAPH_KEY_BYTES 65536 /* a key with its NUL; longer ones are refused */

struct graph_node {
    uint8_t kind; /* enum expr_kind; a column is EXPR_BAR or EXPR_NAME */
    uint8_t args_n;
    uint8_t output; /* of a call */
    bool is_series;
    bool is_condition;
    uint32_t key_n; /* bytes of the key */
    uint32_t hash;
    uint32_t arg[INDICATOR_INPUTS_MAX];
    uint32_t lag; /* of a shift; its argument is a series */
    double value; /* of a number */
    double param[INDICATOR_PARAMS_MAX];
    const struct indicator *indicator;
    const char *key;
};

struct key_chunk {
    struct key_chunk *next;
    size_t used_bytes;
    size_t capacity_bytes;
    char data[];
};

struct graph_slot {
    uint32_t round;
    uint32_t node;
};

/* What a node of an expression comes to: a constant, or a node of the graph. */
struct binding {
    double value;
    uint32_t node;
    uint32_t lag; /* rows by which the shifts around it move it */
    bool is_constant;
};

struct eval;

struct graph {
    struct graph_node *nodes;
    uint32_t nodes_n;
    uint32_t nodes_capacity;
    struct graph_slot *slots;
    uint32_t slots_capacity; /* a power of two */
    uint32_t round;          /* of slots; never 0 */
    struct key_chunk *chunks;
    struct key_chunk *chunk; /* the one being filled; NULL before the first key */
    struct binding *bindings;
    uint32_t bindings_capacity;
    size_t key_n; /* bytes of the key being built; past the end where it grew too long */
    char *key;    /* [GRAPH_KEY_BYTES] */
    struct eval *eval;
};

/* Gives the node of a description whose key is made here; arguments must be in the graph already.
 * 0, -ENOMEM, or -E2BIG where the key is too long. */
int graph_intern(struct graph *graph, const struct graph_node *node, uint32_t *ret_node);

/* Forgets the nodes from nodes_n on. */
void graph_truncate(struct graph *graph, uint32_t nodes_n);

int eval_create(struct eval **ret_eval); /* 0 or -ENOMEM */
void eval_destroy(struct eval *eval);    /* accepts NULL */
