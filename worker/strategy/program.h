/* SPDX-License-Identifier: MIT */
/* A strategy of a run, made ready once per worker: its type and its parsed rules. Read-only
 * afterwards, lent to every container of it as the service "strategy_program". */
#pragma once

#include "shm/graph.h"
#include "worker/component.h"

/* Conditions first, then the prices of entries. */
enum rule {
    RULE_LONG_ENTRY,
    RULE_LONG_EXIT,
    RULE_SHORT_ENTRY,
    RULE_SHORT_EXIT,
    RULE_CONDITION_N,
    RULE_LONG_LIMIT = RULE_CONDITION_N,
    RULE_LONG_STOP,
    RULE_SHORT_LIMIT,
    RULE_SHORT_STOP,
    RULE_N
};
#define RULE_PRICE_N (RULE_N - RULE_CONDITION_N)

struct strategy_program {
    const struct strategy_spec *spec;
    const struct component_type *type;
    struct expr *rule[RULE_N]; /* NULL where there is none */
    struct expr *accepts;      /* NULL: every combination */
    bool has_prices;           /* entries may wait for a price */
    const char *param_name[SPEC_PARAMS_MAX];
    struct graph *graph; /* scratch of the worker, cleared for each container */
};

/* `graph` is borrowed. Fails with ERR_CONFIG on an unknown type or a rule that does not parse. */
int strategy_program_init(struct strategy_program *program, const struct strategy_spec *spec,
                          struct graph *graph, struct err *err) ADMF_MUST_CHECK;
void strategy_program_fini(struct strategy_program *program); /* accepts zeroed memory */

/* 0, or ERR_CONFIG saying what the strategy refuses in these parameters. */
int strategy_program_accepts(const struct strategy_program *program, const struct combo *combo,
                             struct err *err) ADMF_MUST_CHECK;
