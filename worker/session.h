/* SPDX-License-Identifier: MIT */
/* What a worker process holds for a whole run: the plane, the strategies made ready, the markets.
 * Everything a combination changes is in its container, which is made anew for each. */
#pragma once

#include <stdbool.h>

#include "proto/body.h"
#include "shm/graph.h"
#include "shm/plane.h"
#include "shm/slot.h"
#include "worker/arena.h"
#include "worker/container.h"
#include "worker/market.h"
#include "worker/strategy/program.h"

struct altered;

struct session {
    struct run_spec run;
    struct plane *plane;
    struct slot *slot;
    struct graph *graph;
    struct strategy_program *program; /* [run.strategies_n] */
    struct market *market_all;
    struct altered *altered;    /* the history altered last; NULL: none as yet */
    struct market **market_one; /* [symbols_n], made when first used */
};

/* Takes the run's specification over. The plane is mapped, its descriptors may be closed
 * afterwards. */
int session_init(struct session *s, struct run_spec *run, const struct plane_fds *plane,
                 struct slot *slot, struct err *err) ADMF_MUST_CHECK;
void session_fini(struct session *s);

/* ERR_CONFIG for a combination that names what the run does not have. *ret_market is borrowed. */
int session_market(struct session *s, const struct combo *combo, struct market **ret_market,
                   struct err *err) ADMF_MUST_CHECK;

/* ---- containers by shape -------------------------------------------------------------------- */

enum container_shape {
    SHAPE_FULL,    /* strategy, risk_manager, broker, portfolio, performance_tracker */
    SHAPE_MINIMAL, /* strategy: says every signal, to whoever subscribes */
    SHAPE_LANE,    /* strategy, portfolio, performance_tracker, uplink: risk and broker are shared
                      elsewhere */
};

struct container_request {
    enum container_shape shape;
    const struct combo *combo;
    struct arena *arena;
    const bool *details; /* record cash and positions; NULL: no */
    const void *uplink;  /* SHAPE_LANE: where signals go */
    uint32_t lane;
};

/* Creates, fills and initializes a container. On failure it is torn down already. -ENOMEM stays so.
 */
int session_container(struct session *s, const struct container_request *request,
                      struct container **ret_container, struct err *err) ADMF_MUST_CHECK;

/* The result of a combination whose container could not be made. */
void session_refused(const struct combo *combo, int error, const struct err *err,
                     struct result *ret_result);
/* Stops the container, measures it, tears it down. */
void session_finish(struct container *c, const struct combo *combo, struct result *ret_result);
/* Tells the slot what this worker is at. */
void session_tell(struct session *s, const struct combo *combo);
void session_tell_idle(struct session *s);
