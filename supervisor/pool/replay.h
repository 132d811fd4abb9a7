/* SPDX-License-Identifier: MIT */
/* Combinations computed with every trade and every bar's equity, one after another in one worker.
 *
 * Nothing is tried twice and nothing is stored. Signals are watched while a combination is
 * computed; between two they do what they did before. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "supervisor/pool/run.h"

#define REPLAY_E_FAILED 1 /* it did not end well: err says how, as ERR_SYSTEM */

struct replay;

struct replay_options {
    const struct config *config; /* copied; what it points to outlives the replay */
    const struct run_data *data; /* outlives it; its plane has the series of what is asked for */
    int64_t started_ns;          /* of the run: containers are named after it */
};

/* The worker starts with the first combination. */
int replay_open(const struct replay_options *options, struct replay **ret_replay,
                struct err *err) ADMF_MUST_CHECK;
/* 0 and a detail that lives until the next call; REPLAY_E_FAILED (*ret_status, where wanted, is
 * what it ended as); else ERR_INTERRUPTED, ERR_SYSTEM, ERR_BUG. `combo` has its number. */
int replay_run(struct replay *x, const struct combo *combo, const struct run_detail **ret_detail,
               uint8_t *ret_status, struct err *err) ADMF_MUST_CHECK;
/* The signal that ended it; 0: none. Accepts NULL. */
int replay_stop_signal(const struct replay *x);
void replay_close(struct replay *x); /* accepts NULL */
