/* SPDX-License-Identifier: MIT */
/* Worker slots: who is at which combination and bar, and what a dying worker said last.
 * The supervisor creates the file, hands out slots and afterwards only reads; it never waits for a
 * worker to write. */
#pragma once

#include "proto/err.h"
#include "shm/layout.h"

/*  FREE ──start──► STARTING ──HELLO, SETUP──► IDLE ◄──────────┐
 *                                              │ BATCH, LANES  │ batch done
 *                                              ▼               │
 *                                            RUNNING ──────────┘
 *                                              │ FINISH, or death at any point
 *                                              ▼
 *                                            LEFT            (the supervisor frees the slot) */
enum slot_state { SLOT_FREE, SLOT_STARTING, SLOT_IDLE, SLOT_RUNNING, SLOT_LEFT };

#define SLOT_PHASES(X)                                                                             \
    X(NONE, "none")                                                                                \
    X(CREATE, "create")                                                                            \
    X(INITIALIZE, "initialize")                                                                    \
    X(START, "start")                                                                              \
    X(RUN, "run")                                                                                  \
    X(STOP, "stop")                                                                                \
    X(TEARDOWN, "teardown")

enum slot_phase {
#define X(symbol, name) PHASE_##symbol,
    SLOT_PHASES(X)
#undef X
        SLOT_PHASE_N
};

const char *slot_phase_name(enum slot_phase phase);

/* The mapped file, at either end. */
struct slots {
    struct slots_header *header;
    struct slot *slot; /* [slots_n] */
    uint32_t slots_n;
    size_t size_bytes;
};

/* Creates the memory file; *ret_fd is close-on-exec, of mode read-write. */
int slots_create(uint32_t slots_n, struct slots *ret_slots, int *ret_fd,
                 struct err *err) ADMF_MUST_CHECK;
/* Maps a descriptor that was handed over, after checking magic, version and size. */
int slots_open(int fd, struct slots *ret_slots, struct err *err) ADMF_MUST_CHECK;
void slots_close(struct slots *slots); /* accepts zeroed memory */

/* Supervisor: zeroes slot idx and gives it to a worker start. */
void slot_claim(struct slots *slots, uint32_t idx, uint32_t worker);
void slot_release(struct slots *slots, uint32_t idx);

/* Worker: from a signal handler too (async-signal-safe, bounded, no allocation). */
void slot_last_words(struct slot *slot, int signal_number, const char *text);
/* Supervisor: a NUL-terminated copy with control characters escaped. Returns the signal number. */
int slot_read_last_words(const struct slot *slot, char out[static LAST_WORDS_BYTES]);
