/* SPDX-License-Identifier: MIT */
/* A worker's life: from its start to its last message. One file a role. */
#pragma once

#include "proto/channel.h"
#include "shm/slot.h"
#include "worker/session.h"

#define SEND_TIMEOUT_MS 60000 /* a supervisor that takes nothing for so long is lost */

/* What every role works with. */
struct serve {
    struct session session;
    struct channel *channel;
    struct slots slots;
    struct slot *slot;
};

/* One BATCH, one DETAIL: free-running. 0, or a negative errno that ends the worker. */
int serve_batch(struct serve *w, const struct batch *batch) ADMF_MUST_CHECK;
int serve_detail(struct serve *w, const struct combo *combo) ADMF_MUST_CHECK;
/* One wave of lanes, from LANES to RESULTS. */
int serve_lanes(struct serve *w, const struct batch *lanes) ADMF_MUST_CHECK;
/* One wave of the shared containers, from LANES to the final FILLS. */
int serve_shared(struct serve *w, const struct batch *lanes) ADMF_MUST_CHECK;

/* Tells the supervisor why this worker cannot go on. Returns -EPROTO. */
int serve_refuse(struct serve *w, const struct err *err);
/* Waits for the next frame of one of two types; anything else is refused. */
int serve_receive(struct serve *w, struct msg_head *ret_head,
                  struct reader *ret_body) ADMF_MUST_CHECK;

/* The program: parses the arguments of proto/start.h and lives. Returns the exit status. Components
 * that were registered before are served like built-in ones. */
int worker_main(int argc, char **argv);
/* Prints what this worker offers as JSON. */
int describe_print(int libraries_n, char *const *library);

/* Signal handlers on a stack of their own that write last words into the slot and let the signal
 * kill. */
void deathbed_prepare(struct slot *slot);
