/* SPDX-License-Identifier: MIT */
/* What workers offer, as `admf-worker --describe` says it: the supervisor's whole knowledge of
 * components. It is asked once a command; nothing of a component runs in the supervisor. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"

#define DESCRIBE_RULES_N 8

struct describe_param {
    char name[SPEC_NAME_BYTES];
    char alias[SPEC_NAME_BYTES]; /* a short name that is understood too; "" for none */
    double default_value, minimum, maximum;
    int is_whole;
    char what[256];
};

/* One component. Strategies alone have rules; `accepts`: a condition on parameters, "" for none. */
struct describe_component {
    char name[SPEC_NAME_BYTES];
    char kind[32]; /* "strategy", "risk", "execution", "portfolio", "monitor" */
    char what[512];
    char protocols[8][SPEC_NAME_BYTES];
    uint32_t protocols_n;
    char capabilities[8][SPEC_NAME_BYTES];
    uint32_t capabilities_n;
    struct describe_param params[SPEC_PARAMS_MAX];
    uint32_t params_n;
    char accepts[SPEC_RULE_BYTES];
    /* long_entry, long_exit, short_entry, short_exit; long_limit, long_stop, short_limit,
     * short_stop; "" for none */
    char rules[DESCRIBE_RULES_N][SPEC_RULE_BYTES];
};

struct describe {
    uint32_t components_n;
    struct describe_component *components;
};

/* Forks and execs the worker with --describe and parses its JSON, which is checked as input. */
int describe_load(const char *worker_path, struct describe **ret_describe,
                  struct err *err) ADMF_MUST_CHECK;
void describe_destroy(struct describe *d); /* accepts NULL */
const struct describe_component *describe_find(const struct describe *d, const char *name);
/* $ADMF_WORKER, else admf-worker beside this program, else the installed one. */
const char *describe_worker_path(void);
