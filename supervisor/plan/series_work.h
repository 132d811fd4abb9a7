/* SPDX-License-Identifier: MIT */
/* The inside of a series plan while it is made, for supervisor/plan/series*.c alone. */
#pragma once

#include "shm/expr.h"
#include "shm/graph.h"
#include "supervisor/plan/conditions.h"
#include "supervisor/plan/pieces.h"
#include "supervisor/plan/series.h"

#define SERIES_RULES_N   DESCRIBE_RULES_N
#define SERIES_PARTS_MAX 2048 /* different pieces and conditions of one strategy */
#define SERIES_NODES_MAX 4096 /* nodes that one combination reads */

/* ---- tables --------------------------------------------------------------------------------- */

/* What a tuple of digits of one piece comes to: a node, a list of them, or one of these. */
#define ENTRY_REFUSED UINT32_MAX /* no combination with it runs through */
#define ENTRY_LIST    0x80000000u

/* A piece of a strategy's rules, over the dims that it names; the last of them runs fastest. */
struct needs_piece {
    uint32_t dims_n;
    uint32_t *dims;
    uint64_t tuples_n;
    uint32_t *entry; /* [tuples_n] */
};

struct needs_strategy {
    const struct config_strategy *config;
    const struct describe_component *known; /* NULL: not of the catalogue */
    uint64_t combinations_n;
    struct expr *accepts; /* NULL: everything */
    const char *names[SPEC_PARAMS_MAX];
    uint32_t pieces_n;
    struct needs_piece *pieces;
    bool has_refused; /* some tuple of some piece */
};

struct series_needs {
    const struct config *config;
    uint32_t strategies_n;
    struct needs_strategy *strategies;
    uint32_t *lists; /* each: how many, then the nodes */
    size_t lists_n, lists_capacity;
    uint32_t nodes_most; /* of one combination */
};

int needs_create(const struct config *config, struct series_needs **ret_needs);
void needs_destroy(struct series_needs *needs); /* accepts NULL */
/* An entry for the series nodes through which `root` is read: itself where `whole` is set, else the
 * indicators nearest to it. */
int needs_entry(struct series_needs *needs, const struct graph *graph, uint32_t root, bool whole,
                uint32_t *ret_entry);
/* The nodes that a combination reads, each once, at most `most` of them; their count. `digits` are
 * those of its strategy's dims, `params` its parameters. */
uint32_t needs_nodes(const struct series_needs *needs, const struct needs_strategy *s,
                     const uint64_t *digits, const double *params, uint32_t *ret_nodes,
                     uint32_t most);
/* The nodes of one entry. */
uint32_t needs_of_entry(const struct series_needs *needs, const uint32_t *entry,
                        const uint32_t **ret_nodes);

struct work;
/* Lists what the graph holds as the plan's series, symbol by symbol. */
int series_list(struct series_plan *plan, const struct work *w) ADMF_MUST_CHECK;
/* Where a node lives, seen from a traded symbol. */
struct series_place {
    uint32_t symbol_idx;
    uint32_t clock; /* of the graph */
};
int series_clock(struct series_plan *plan, const struct work *w, const struct series_place *place,
                 uint32_t *ret_clock) ADMF_MUST_CHECK;
/* Index of a symbol; all_n where there is none. */
uint32_t series_symbol_find(const struct work *w, const char *name);
/* Fills direct_n, users_n and is_exact of the plan's series. 0 or -ENOMEM. */
int series_count_users(struct series_plan *plan);

/* ---- making it ------------------------------------------------------------------------------ */

/* A text of the strategy's rules that is bound to values. */
struct part {
    char *text; /* owned */
    int rule;   /* the first that has it */
    bool is_condition;
    bool is_read; /* combinations read it themselves, not only conditions that are planned */
};

struct work {
    const struct series_plan_options *options;
    const struct config *config;
    const struct bars *bars;
    uint32_t symbols_n; /* that are traded */
    uint32_t all_n;     /* those of reference too */
    struct graph *graph;
    struct series_needs *needs;
    bool *is_planned_condition; /* [nodes_capacity] by node */
    uint32_t marks_capacity;
    uint32_t seen_n;   /* nodes of the graph that are counted */
    uint32_t series_n; /* of one symbol */
    uint64_t asked_n;  /* bindings of all pieces so far */
    const struct config_strategy *strategy;
    struct needs_strategy *needing;
    struct expr *kept_by[2]; /* the strategy's `where` and what its type accepts; NULL: anything */
    uint64_t conditions_n;   /* tuples of its conditions */
    int rule;
    uint32_t parts_n;
    struct part parts[SERIES_PARTS_MAX];
    uint64_t refused_n;
    struct err refused; /* the first; text "" before it */
    struct err *err;
};

/* One piece of a rule, with the dims that its names stand for. */
struct series_binding {
    struct expr_env env;
    const char *names[EXPR_NAMES_MAX];
    double values[EXPR_NAMES_MAX];
    const struct dim *dims[EXPR_NAMES_MAX]; /* NULL: one value */
    uint64_t digit[EXPR_NAMES_MAX];
    uint64_t n; /* bindings in all; UINT64_MAX: more than that */
};

/* Every name must be a parameter, or a column of every symbol. */
int series_bind_names(const struct work *w, const struct expr *expr, struct series_binding *ret);
/* The next values, the last name fastest; false after the last ones. */
bool series_binding_next(struct series_binding *b);
/* Whether some combination that the strategy's `where` and its type's `accepts` keep has them, as
 * far as these values settle it. */
bool series_some_combination_has(const struct work *w, const struct series_binding *b);
const struct dim *series_dim_of_param(const struct config_strategy *s, uint32_t param_idx);
