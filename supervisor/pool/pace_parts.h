/* SPDX-License-Identifier: MIT */
/* What the files of a lockstep run share: waves (pace.c), their steps (pace_step.c), and the
 * signals that workers say in them (pace_signals.c). */
#pragma once

#include "proto/body.h"
#include "shm/plane.h"
#include "supervisor/plan/plan.h"
#include "supervisor/pool/pace.h"

/* Positive ends of a wave. */
enum {
    PACE_E_EMPTY = 1, /* no worker is left in it */
    PACE_E_SERVICE,   /* the service is lost */
    PACE_E_STOP,      /* the run is to end now */
};

struct pace {
    struct pool *p;
    struct sharing *sharing;
    const struct plane *plane; /* to check signals against */
    struct worker_ref *service;
    struct hub_pin *pin; /* of the wave's series; NULL: none */
    uint32_t lanes_most; /* of one wave */
    uint32_t risk_idx[SPEC_BATCH_MAX], execution_idx[SPEC_BATCH_MAX];
    uint32_t next_step; /* at which standing orders meet their bar; UINT32_MAX: none */
    struct signal *signal;
    uint32_t signals_n, signals_capacity;
    uint32_t service_deaths, service_kills; /* in a row; by SIGKILL from outside */
};

static inline bool pace_has(const struct worker_ref *w)
{
    return w->role == ROLE_LANES && w->lanes_n > 0 && w->state == WORKER_BUSY;
}

/* ---- steps (pace_step.c) -------------------------------------------------------------------- */

/* Every step of the range, for those who are in the wave. 0 or one of the ends above. */
int pace_walk(struct pace *c) ADMF_MUST_CHECK;
/* Gives up a worker that keeps the wave waiting; what it is at is blamed. */
void pace_condemn_laggard(struct pace *c, struct worker_ref *w);
/* Waits for the end of one that closed its channel or was condemned: why it was lost is known once
 * it is dead. False where it lives on. */
bool pace_await_end(struct pace *c, struct worker_ref *w);
/* A frame of `type` from a worker that owes one. False where it is lost. */
bool pace_receive_owed(struct pace *c, struct worker_ref *w, enum msg_type type,
                       struct reader *ret_body);

/* ---- signals (pace_signals.c) --------------------------------------------------------------- */

/* Of everyone in the wave at the close of `step`, in lane order: pace.signal. Workers that say what
 * cannot be are condemned. */
void pace_gather_signals(struct pace *c, uint32_t step);
