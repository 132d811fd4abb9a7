/* SPDX-License-Identifier: MIT */
/* What a run will be, before it is: the unique series of the parameter space, the containers and
 * who shares them, the wiring between them, memory and time. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/plane.h"
#include "supervisor/config/config.h"
#include "supervisor/plan/series.h"

/* Entries of a list in a plan's JSON; its full count stands beside it. */
#define PLAN_LIST_MAX 1000
/* Entries of all lists inside the containers and the wiring of a plan together: with more than 100
 * shared containers each of their lists is shorter than PLAN_LIST_MAX. */
#define PLAN_NESTED_MAX        100000
#define SHARING_CONTAINERS_MAX 1000000 /* shared containers of one kind */

/* ---- sharing: containers and wiring --------------------------------------------------------- */

/* A container that serves many combinations; `hash` is XXH3-128 of its encoded configuration. */
struct shared_container {
    char container_id[SPEC_NAME_BYTES]; /* "risk_0", "execution_3" */
    uint64_t hash[2];
    struct risk_cfg risk;           /* of a risk container */
    struct execution_cfg execution; /* of an execution container */
    uint64_t serves_n;              /* combinations */
    uint32_t parts_n;
    struct sharing_part *parts; /* [parts_n] which combinations it serves; see sharing_serves() */
};

/* The combinations of one strategy in which the dims that shape a container have the digits of
 * `tuple` (the last of these dims runs fastest). */
struct sharing_part {
    uint32_t strategy_idx;
    uint64_t tuple;
};

enum sharing_kind { SHARING_RISK, SHARING_EXECUTION, SHARING_KIND_N };

/* The dims of one strategy that shape its containers of one kind. */
struct sharing_shape {
    uint32_t dims_n;
    uint32_t dims[CONFIG_DIMS_MAX];
};

struct sharing {
    uint32_t risk_n, execution_n;
    struct shared_container *risk, *execution;
    uint64_t combinations_n; /* that run */
    uint64_t total, naive_total;
    uint32_t strategies_n;
    struct sharing_shape (*shape)[SHARING_KIND_N]; /* [strategies_n] */
    uint32_t *slots[SHARING_KIND_N];               /* hash table: container + 1, or 0 */
    uint32_t slots_n[SHARING_KIND_N];              /* a power of two */
};

/* Cost follows the number of distinct risk and execution configurations, not the grid. */
int sharing_make(const struct config *config, struct sharing **ret_sharing,
                 struct err *err) ADMF_MUST_CHECK;
void sharing_destroy(struct sharing *sharing); /* accepts NULL */
/* The first combinations, at most `most`, that a container serves, ascending. Costs what it lists,
 * and what `where` excludes among them. Returns how many; -ENOMEM. */
int sharing_serves(const struct config *config, const struct sharing *sharing,
                   const struct shared_container *container, uint32_t most,
                   uint64_t *ret_combinations);
/* Whether some combination has both: a risk container and an execution container. */
bool sharing_meets(const struct config *config, const struct sharing *sharing,
                   const struct shared_container *risk, const struct shared_container *execution);
/* Indexes of the risk and execution containers that serve a combination. */
void sharing_of(const struct sharing *sharing, const struct combo *combo, uint32_t *ret_risk,
                uint32_t *ret_execution);

/* ---- for programs --------------------------------------------------------------------------- */

/* "stateless", "rolling", …; "column", "condition". */
const char *planned_class_name(const struct series_plan *plan, const struct planned_series *s);
/* The key, with the symbol where there are several or it is of reference, and the timeframe. */
void planned_put_key(const struct config *config, const struct series_plan *plan,
                     const struct planned_series *s, struct buf *out);
/* Adds the keys that tell of series to the plan's object. */
void series_plan_json(const struct config *config, const struct series_plan *plan, json_t *json);
/* The series of one symbol as a graph for Graphviz, a cluster for each level; at most
 * PLAN_LIST_MAX of them. */
void series_plan_dot(const struct config *config, const struct series_plan *plan, struct buf *out);

/* The contract's object of `admf plan --json`; a new reference, or NULL without memory. `bars_n` is
 * steps of the range, `memory_bytes` the plane's. */
json_t *plan_json(const struct config *config, const struct sharing *sharing,
                  const struct series_plan *series, uint64_t bars_n, uint64_t memory_bytes,
                  double seconds_estimate);
