/* SPDX-License-Identifier: MIT */
/* The life of a worker as a table. */
#include "supervisor/pool/worker_ref.h"

#include <string.h>

#define NOWHERE WORKER_STATE_N

/* Row: state; column: event. */
static const enum worker_state transition[WORKER_STATE_N][WORKER_EVENT_N] = {
    [WORKER_ABSENT] = {WORKER_STARTING, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE,
                       NOWHERE},
    [WORKER_STARTING] = {NOWHERE, WORKER_SETTING_UP, NOWHERE, NOWHERE, NOWHERE, NOWHERE,
                         WORKER_CONDEMNED, WORKER_ABSENT},
    [WORKER_SETTING_UP] = {NOWHERE, NOWHERE, WORKER_IDLE, NOWHERE, NOWHERE, NOWHERE,
                           WORKER_CONDEMNED, WORKER_ABSENT},
    [WORKER_IDLE] = {NOWHERE, NOWHERE, NOWHERE, WORKER_BUSY, NOWHERE, WORKER_FINISHING,
                     WORKER_CONDEMNED, WORKER_ABSENT},
    [WORKER_BUSY] = {NOWHERE, NOWHERE, NOWHERE, WORKER_BUSY, WORKER_IDLE, NOWHERE, WORKER_CONDEMNED,
                     WORKER_ABSENT},
    [WORKER_FINISHING] = {NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, WORKER_CONDEMNED,
                          WORKER_ABSENT},
    [WORKER_CONDEMNED] = {NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE,
                          WORKER_ABSENT},
};

bool worker_ref_move(struct worker_ref *w, enum worker_event event)
{
    enum worker_state to = transition[w->state][event];
    if (to == NOWHERE)
        return false;
    w->state = to;
    return true;
}

bool worker_ref_is_alive(const struct worker_ref *w)
{
    return w->state != WORKER_ABSENT && w->state != WORKER_CONDEMNED;
}

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[WORKER_STATE_N] = {
        "absent", "starting", "setting up", "idle", "busy", "finishing", "condemned",
    };
    return state < WORKER_STATE_N ? names[state] : "?";
}

void worker_ref_pop_batch(struct worker_ref *w)
{
    batch_ref_fini(&w->batch[0]);
    w->batches_n--;
    memmove(&w->batch[0], &w->batch[1], w->batches_n * sizeof w->batch[0]);
    memset(&w->batch[w->batches_n], 0, sizeof w->batch[0]);
}
