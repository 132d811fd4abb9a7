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
    bool has_call;   /* an indicator, here or below */
    uint8_t level;   /* enum graph_level */
    uint32_t clock;  /* on whose rows it lives; 0 for numbers and conditions */
    uint32_t leaves; /* the clock of all series that it is arithmetic of, or CLOCK_… */
    uint32_t key_n;  /* bytes of the key */
    uint32_t local_n;
    uint32_t hash;
    uint32_t arg[INDICATOR_INPUTS_MAX];
    uint32_t lag; /* of a shift; its argument is a series */
    double value; /* of a number */
    double param[INDICATOR_PARAMS_MAX];
    const struct indicator *indicator;
    const char *key;
    const char *local_key; /* as seen on its clock; the same text as the key on clock 0 */
};

#define CLOCK_NONE  UINT32_MAX       /* numbers alone */
#define CLOCK_MIXED (UINT32_MAX - 1) /* clocks meet */

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

/* A text of an indicator's row, parsed: one of `made_of` or of `implied`. */
struct definition {
    struct expr *expr;
    uint8_t role[EXPR_NAMES_MAX]; /* what each of its names stands for: ROLE_… + index */
};
#define ROLE_SERIES  0u
#define ROLE_PARAM   16u
#define ROLE_DERIVED 32u
#define ROLE_COLUMN  48u /* an imported column of that name */

/* What an indicator needs beyond its kernel; kept as long as the graph. */
struct recipe {
    const struct indicator *indicator;
    struct definition *made_of[INDICATOR_OUTPUTS_MAX]; /* NULL: from the kernel */
    struct definition *implied[INDICATOR_INPUTS_MAX];
    uint32_t implied_n;
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
    struct key_chunk *chunk;  /* the one being filled; NULL before the first key */
    struct binding *bindings; /* a stack: definitions are bound while rules are */
    uint32_t bindings_n;
    uint32_t bindings_capacity;
    struct recipe **recipes; /* [recipes_n] */
    uint32_t recipes_n;
    struct graph_clock *clocks; /* [clocks_n] */
    uint32_t clocks_n;
    uint32_t clocks_capacity;
    size_t key_n;    /* bytes of the key being built; past the end where it grew too long */
    char *key;       /* [GRAPH_KEY_BYTES] */
    char *local_key; /* [GRAPH_KEY_BYTES]; NULL until a node lives on another clock */
    size_t local_n;
    bool is_local; /* arguments are written by their local keys */
    struct eval *eval;
};

/* The clock of that description. 0 or -ENOMEM. */
int graph_clock_find(struct graph *graph, const struct graph_clock *clock, uint32_t *ret_clock);

/* Builds the key of a description, and its local one where it lives on another clock. 0, -ENOMEM,
 * or -E2BIG where it is too long. */
int graph_build_key(struct graph *graph, const struct graph_node *node);

/* Gives the node of a description, in which clock and level are filled in; arguments must be in the
 * graph already. Columns, and indicators without arguments, say their clock. 0, -ENOMEM, or
 * -E2BIG where the key is too long. */
int graph_intern(struct graph *graph, struct graph_node *node, uint32_t *ret_node);

/* The recipe of an indicator, parsed when it is first asked for. Its texts are ours: what is wrong
 * with them is ERR_BUG. */
int graph_recipe(struct graph *graph, const struct indicator *indicator,
                 const struct recipe **ret_recipe, struct err *err);
void graph_recipes_fini(struct graph *graph);

/* Forgets the nodes from nodes_n on, and the clocks from clocks_n on. */
void graph_truncate(struct graph *graph, uint32_t nodes_n, uint32_t clocks_n);

int eval_create(struct eval **ret_eval); /* 0 or -ENOMEM */
void eval_destroy(struct eval *eval);    /* accepts NULL */
