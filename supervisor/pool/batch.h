/* SPDX-License-Identifier: MIT */
/* The work of a run: which combinations have not been given out, which came back unfinished, and
 * which are to be tried once more alone. Costs one bit a combination, and a list of what is in
 * flight. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "supervisor/config/config.h"

/* A combination whose worker died while running it. */
struct work_retry {
    uint64_t combination;
    uint32_t attempts; /* that failed by its own doing */
    uint32_t kills;    /* that ended by a SIGKILL from outside */
};

struct hub_pin; /* supervisor/hub/hub.h */

struct work {
    const struct config *config;
    uint64_t first_container_seq;
    uint64_t next;      /* numbers below it were given out, or are done, or excluded */
    uint64_t numbers_n; /* numbers in use */
    uint64_t left_n;    /* combinations to be given out still, retries not among them */
    uint8_t *done;      /* a bit a number: has its final result */
    size_t done_bytes;
    uint64_t *requeued;
    size_t requeued_n, requeued_capacity;
    struct work_retry *retry;
    size_t retry_n, retry_capacity;
};

/* What one worker was given in one message. */
struct work_batch {
    uint64_t id;
    uint32_t n, done_n;
    uint64_t *combination; /* [n] ascending; owned */
    uint64_t *is_done;     /* a bit each; owned */
    uint32_t hint;         /* where the next result is expected */
    bool is_retry;
    struct work_retry retry;
    int64_t sent_ns;
    struct hub_pin *pin; /* of its series; NULL: none */
    uint32_t pin_first;  /* which of the pin's combinations its first one is */
    bool owns_pin;       /* it goes with the batch */
};

/* Every number is to be done; those that have a result already are told by work_mark_done(). */
int work_init(struct work *w, const struct config *config, struct err *err) ADMF_MUST_CHECK;
void work_fini(struct work *w); /* accepts zeroed memory */
/* True the first time; false where the number has a result already, or is none. */
bool work_mark_done(struct work *w, uint64_t combination);
bool work_is_done(const struct work *w, uint64_t combination);

/* Takes up to `most` combinations in ascending order. May give fewer, even none, while
 * work_is_given_out() is still false: numbers that `where` excludes are passed over in slices, so
 * that the caller's loop never stalls. */
uint32_t work_take(struct work *w, uint32_t most, struct combo *ret_combos, uint64_t *ret_numbers);
bool work_is_given_out(const struct work *w);
/* Gives back one that was not finished, by no fault of its own. 0 or -ENOMEM. */
int work_give_back(struct work *w, uint64_t combination) ADMF_MUST_CHECK;
/* Has one tried again, alone. 0 or -ENOMEM. */
int work_push_retry(struct work *w, const struct work_retry *retry) ADMF_MUST_CHECK;
bool work_pop_retry(struct work *w, struct work_retry *ret_retry, struct combo *ret_combo);

/* Batches. */
int batch_ref_set(struct work_batch *b, uint64_t id, const uint64_t *numbers,
                  uint32_t n) ADMF_MUST_CHECK;
void batch_ref_fini(struct work_batch *b);
/* Index of a combination in it, or -1. */
int64_t batch_ref_find(struct work_batch *b, uint64_t combination);
bool batch_ref_is_done(const struct work_batch *b, uint32_t idx);
void batch_ref_mark_done(struct work_batch *b, uint32_t idx);
