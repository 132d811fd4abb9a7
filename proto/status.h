/* SPDX-License-Identifier: MIT */
/* How a combination ended. The numbers are stored and sent: never renumbered. */
#pragma once

#include <stdint.h>

/* value, symbol, name, whether it counts as failed, what it means */
#define STATUS_TABLE(X)                                                                            \
    X(0, NOT_RUN, "not_run", 0, "not reached before the run stopped")                              \
    X(1, OK, "ok", 0, "ran to its last bar")                                                       \
    X(2, CRASHED, "crashed", 1, "its worker died by a signal while running it, twice")             \
    X(3, TIMEOUT, "timeout", 1, "it ran longer than limits.time_per_combination, twice")           \
    X(4, OUT_OF_MEMORY, "out_of_memory", 1, "it asked for more memory than limits.memory, twice")  \
    X(5, PROTOCOL, "protocol", 1, "its worker broke the protocol or left early, twice")            \
    X(6, INVALID, "invalid", 0, "the strategy refuses these parameters")                           \
    X(7, PRUNED, "pruned", 0, "a search method gave it up early")

enum status {
#define X(value, symbol, name, failed, what) STATUS_##symbol = value,
    STATUS_TABLE(X)
#undef X
        STATUS_N
};

const char *status_name(enum status status); /* "?" beyond the table */
int status_is_failure(enum status status);

#define SIGNAL_NAME_BYTES 24
/* "SIGSEGV", or "signal 64" where it has no name. Returns out. */
const char *signal_name(int number, char out[static SIGNAL_NAME_BYTES]);
