/* SPDX-License-Identifier: MIT */
/* The workers of one run and the loop that watches them: starting, talking, burying. What is given
 * to whom is decided by the mode (free.c, pace.c, detail.c) between two turns of the loop. */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/body.h"
#include "shm/slot.h"
#include "supervisor/hub/hub.h"
#include "supervisor/pool/batch.h"
#include "supervisor/pool/ledger.h"
#include "supervisor/pool/run.h"
#include "supervisor/pool/worker_ref.h"

#define POOL_DIR_BYTES 80 /* a unix socket's path has 108 bytes */
#define POOL_DRAIN_NS                                                                              \
    INT64_C(5000000000) /* from the first signal to giving up what is in flight                    \
                         */
#define POOL_TICK_MS           50
#define POOL_BARREN_DEATHS_MAX 100 /* in a row, with no one to blame and no result between */

struct pool;
/* A frame that is not part of every worker's life. True when it was right; else the worker is
 * condemned. */
typedef bool (*pool_frame_fn)(struct pool *p, struct worker_ref *w, const struct msg_head *head,
                              struct reader *body);

struct pool {
    const struct config *config;
    const struct run_data *data;
    struct run_spec spec; /* strategies are owned */
    struct work work;
    struct ledger ledger;
    char dir[POOL_DIR_BYTES];
    int dir_fd; /* locked, so that a later start knows whether this run lives */
    const char *worker_path;
    struct slots slots;
    int slots_fd;
    uint32_t workers_n;
    struct worker_ref *worker; /* [workers_n] */
    uint32_t starts_n;
    uint64_t batches_n;
    struct pollfd *poll;    /* [2 + 2 * workers_n] */
    struct combo *combo;    /* [SPEC_BATCH_MAX] scratch */
    uint64_t *number;       /* [SPEC_BATCH_MAX] scratch */
    pool_frame_fn on_frame; /* may be NULL */
    void *mode;
    bool enforces_time;        /* limits.time_per_combination */
    double ns_per_combination; /* 0: not known yet */
    int64_t last_tick_ns;
    /* trouble */
    uint32_t early_deaths, early_kills, barren_deaths;
    uint32_t spawn_failures;
    int64_t spawn_again_ns;
    struct err trouble;    /* the last reason why a worker was lost before it could work */
    bool is_refused;       /* a worker refused the run itself: `trouble` says why */
    bool is_out_of_memory; /* of the supervisor itself */
    uint64_t messages_refused_n;
    /* being stopped */
    int signal_fd;
    sigset_t old_mask;
    struct sigaction old_int, old_term;
    int stop_signal;
    bool is_stop_now;
    int64_t stop_deadline_ns;
};

struct pool_options {
    uint32_t workers_n;
    struct run_record *record;
    struct store *store; /* NULL: results stay in the ledger */
};

int pool_init(struct pool *p, const struct config *config, const struct run_data *data,
              const struct pool_options *options, struct err *err) ADMF_MUST_CHECK;
void pool_fini(struct pool *p); /* kills what still runs */

/* Starts the worker of slot idx. 0; -EAGAIN: not now, pool_may_spawn() says when; else fatal. */
int pool_start(struct pool *p, uint32_t idx, enum worker_role role,
               struct err *err) ADMF_MUST_CHECK;
bool pool_may_spawn(const struct pool *p, int64_t now_ns);
/* Waits for events at most timeout_ms and settles them: frames, deaths, deadlines, signals,
 * commits. Fails only where the run cannot go on. */
int pool_turn(struct pool *p, int timeout_ms, struct err *err) ADMF_MUST_CHECK;
/* Sends the frame that was built; a worker that cannot take it is condemned. */
bool pool_send(struct pool *p, struct worker_ref *w);
/* Gives a worker `numbers`, with their combos, as a message of `type` (BATCH, LANES, DETAIL). */
struct pool_gift {
    enum msg_type type;
    uint32_t n, lanes_0;
    struct combo *combos;
    const uint64_t *numbers;
    const struct work_retry *retry;     /* NULL: none */
    uint32_t *risk_idx, *execution_idx; /* NULL: zeros */
    bool is_shared;                     /* the receiver owes no results for it */
    struct hub_pin *pin;                /* of their series, ready; NULL: none */
    uint32_t pin_first;                 /* which of its combinations the first one is */
    bool owns_pin;                      /* the pin is taken over, whatever comes */
};
bool pool_give(struct pool *p, struct worker_ref *w, const struct pool_gift *gift);
/* Drops the first batch of a worker, which nobody works at any more. */
void pool_pop_batch(struct pool *p, struct worker_ref *w);
/* Kills a worker for a reason. Its work is settled when it is dead. */
void pool_condemn(struct pool *p, struct worker_ref *w, enum status status, const char *fmt, ...)
    ADMF_PRINTF(4, 5);
/* Kills a worker whose work is to be given back without blame. */
void pool_discard(struct pool *p, struct worker_ref *w, const char *reason);
/* Buries it if it is dead; true if so. For waits outside of the loop. */
bool pool_reap(struct pool *p, struct worker_ref *w);
/* Kills those whose grace is over, and buries the dead among the condemned. For waits outside of
 * the loop. */
void pool_bury_condemned(struct pool *p);
/* Looks for signals that ask the run to stop. */
void pool_check_signals(struct pool *p);
/* Lets idle workers leave and kills the others. */
int pool_dismiss(struct pool *p, struct err *err) ADMF_MUST_CHECK;

struct slot *pool_slot(struct pool *p, const struct worker_ref *w);
bool pool_is_stopping(const struct pool *p);
/* Whether someone is on the way to be idle and fresh. */
bool pool_has_newcomer(const struct pool *p);
uint32_t pool_alive_n(const struct pool *p);

/* settle.c: says what a dead worker's end means for its work. */
void pool_settle(struct pool *p, struct worker_ref *w, int wait_status);
/* settle.c: one more attempt of a combination has failed. */
struct attempt {
    struct work_retry past; /* of its earlier ones, and which */
    enum status status;
    int signal;
    bool is_foreign_kill;    /* a SIGKILL that this supervisor did not send */
    const struct slot *slot; /* where it was; NULL: not known */
    const char *words;       /* of the dead; "" for none */
    const char *reason;
    uint64_t peak_bytes; /* most memory that its worker held; 0: not known */
};
void pool_attempt_failed(struct pool *p, const struct attempt *attempt);
