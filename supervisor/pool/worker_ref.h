/* SPDX-License-Identifier: MIT */
/* The supervisor's picture of one worker: one state, one transition function.
 *
 *   ABSENT ──spawned──► STARTING ──hello──► SETTING_UP ──ready──► IDLE ◄──drained── BUSY
 *     ▲                    │                    │                  │ └────given────► │
 *     │                    │                    │               dismissed            │
 *     │                    │                    │                  ▼                 │
 *     │                    │                    │              FINISHING             │
 *     │                    └──────condemned─────┴──────┬───────────┴─────condemned───┘
 *     │                                                ▼
 *     │                                            CONDEMNED   (a signal is on its way to it)
 *     └──────exited── from every state: its process was reaped, its slot and channel are free again
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/body.h"
#include "proto/channel.h"
#include "proto/status.h"
#include "supervisor/pool/batch.h"

#define WORKER_BATCHES_MAX 2 /* one at work, one waiting, so that it never idles */

enum worker_state {
    WORKER_ABSENT,
    WORKER_STARTING,
    WORKER_SETTING_UP,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_FINISHING,
    WORKER_CONDEMNED,
    WORKER_STATE_N
};

enum worker_event {
    WORKER_EV_SPAWNED,
    WORKER_EV_HELLO,
    WORKER_EV_READY,
    WORKER_EV_GIVEN,
    WORKER_EV_DRAINED,
    WORKER_EV_DISMISSED,
    WORKER_EV_CONDEMNED,
    WORKER_EV_EXITED,
    WORKER_EVENT_N
};

/* Why it was condemned. */
struct worker_verdict {
    enum status status;
    bool has_culprit;  /* `combination` is to blame, whatever the slot says later */
    bool is_blameless; /* nobody is: all its work is given back */
    uint64_t combination;
    int64_t kill_at_ns; /* when SIGKILL follows; 0: it was sent */
    char reason[256];
};

struct worker_ref {
    enum worker_state state;
    enum worker_role role;
    uint32_t idx;    /* of its slot */
    uint32_t number; /* of this start, from 1 */
    pid_t pid;       /* 0: none */
    bool is_reaped;  /* its pid may be another's by now: no signals */
    int pidfd;
    struct channel *channel;
    bool is_fresh;  /* was given nothing yet */
    bool is_closed; /* its channel is gone; it has until closed_until_ns to be dead */
    int64_t closed_until_ns;
    int64_t deadline_ns;  /* of the state it is in; 0: none */
    int64_t batch_end_ns; /* when it finished its last batch */
    struct worker_verdict verdict;
    bool was_ready;               /* it said READY */
    bool was_killed_from_outside; /* by a SIGKILL that was not ours; known once it is buried */
    char end_reason[256];         /* likewise */
    bool has_refused;             /* it sent REFUSE */
    struct err refusal;
    struct work_batch batch[WORKER_BATCHES_MAX]; /* in order; [0] is at work */
    uint32_t batches_n;
    /* lockstep: its lanes in this wave, and what went to and fro since its start */
    uint32_t lanes_0, lanes_n;
    bool has_lanes_ready;
    uint32_t fills_sent, signals_received;
};

/* The only place where `state` changes. False, and no change, where the event cannot be. */
bool worker_ref_move(struct worker_ref *w, enum worker_event event);
bool worker_ref_is_alive(const struct worker_ref *w); /* a process that is not condemned */
const char *worker_state_name(enum worker_state state);
/* Drops the first batch. */
void worker_ref_pop_batch(struct worker_ref *w);
