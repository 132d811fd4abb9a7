/* SPDX-License-Identifier: MIT */
/* One entry of strategies[] while it is read: shared by the files that read its parts. */
#pragma once

#include <assert.h>

#include "shm/expr.h"
#include "supervisor/config/loader.h"

/* Conditions, which built-in strategies bring too, and prices beside entries. */
enum {
    RULE_LONG_ENTRY,
    RULE_LONG_EXIT,
    RULE_SHORT_ENTRY,
    RULE_SHORT_EXIT,
    RULE_CONDITIONS_N,
    RULE_LONG_LIMIT = RULE_CONDITIONS_N,
    RULE_LONG_STOP,
    RULE_SHORT_LIMIT,
    RULE_SHORT_STOP,
    RULES_N
};
static_assert((int)RULES_N == (int)DESCRIBE_RULES_N, "components have the same rules");

struct reading {
    struct loader *l;
    struct config_strategy *s;
    const struct node *node;                    /* the entry */
    const struct describe_component *component; /* NULL for rules */
    struct expr *rules[RULES_N];                /* of `rules`; owned */
    uint32_t own_n;
    struct dim own[SPEC_PARAMS_MAX];                /* swept under `parameters`, as written */
    bool is_swept[SPEC_PARAMS_MAX];                 /* by `parameters` or a grid */
    const struct node *param_node[SPEC_PARAMS_MAX]; /* where it was given; NULL: default */
};

/* Index of a parameter by name or alias, or -1. */
int reading_param(const struct reading *r, const char *name);
/* What a parameter may be. */
struct number_rule reading_rule(const struct reading *r, uint32_t param_idx);

/* ---- rules and their names (config/rules.c) ------------------------------------------------- */

/* The text of rule i in a spec, and its key. */
const char *rule_of(const struct strategy_spec *spec, unsigned i);
extern const char *const rule_keys[RULES_N];
/* Reads and parses the rules of `rules`, or takes those of the component. */
int rules_read(struct reading *r) ADMF_MUST_CHECK;
/* The error of an expression, at the scalar that it stands in; lack of memory stays what it is. */
int rules_error(const struct node *v, const char *what, const struct err *inner, struct err *err);
/* A name that a rule uses and that is neither a column nor a parameter yet. */
bool rules_use(const struct reading *r, const char *name);
/* Refuses parameters of `rules` that neither a rule nor `where` names: sweeping one would run equal
 * combinations again and again. */
int rules_check_used(const struct reading *r) ADMF_MUST_CHECK;
/* Refuses names that are no identifiers or mean something else. */
int rules_check_param(const struct reading *r, const struct node *key) ADMF_MUST_CHECK;

/* ---- dimensions (config/dims.c) ------------------------------------------------------------- */

/* Grids, symbols, exits and own parameters, in this order, into s->dims. grid_used[i] is set for
 * each grid that the strategy takes. */
int dims_assemble(struct reading *r, bool *grid_used) ADMF_MUST_CHECK;
/* Refuses a grid that nothing took, with a suggestion. */
int grids_check_used(struct loader *l, const bool *grid_used) ADMF_MUST_CHECK;

/* ---- what contradicts itself (config/check.c) ----------------------------------------------- */

/* Where a value of the schema was written for this strategy, or NULL. */
const struct node *reading_written(const struct reading *r, const char *path);
/* Whether and between which values a field is set; the values of none apart. */
struct span {
    double lowest, highest;
    bool may_be_none;
};
struct span reading_span(const struct reading *r, const char *path);

/* Of a strategy that was read, its dimensions included: keys that cannot stand together. Notes
 * which of them need volumes. */
int strategy_check(const struct reading *r) ADMF_MUST_CHECK;

/* ---- what has no effect (config/notes.c) ---------------------------------------------------- */

/* Of a strategy that passed strategy_check(). */
void notes_see(const struct reading *r);
