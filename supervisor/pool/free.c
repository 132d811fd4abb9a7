/* SPDX-License-Identifier: MIT */
/* The free-running loop. Batches are cut to a time: long enough that messages cost nothing, short
 * enough that a death or the end of the run finds little in flight. Two are with each worker, so
 * that it never waits. */
#include "supervisor/pool/free.h"

#include <errno.h>

#include "proto/units.h"

#define BATCH_NS       60e6 /* what a batch should take */
#define BATCH_FIRST    4    /* combinations of a batch while nobody knows how long one takes */
#define BATCH_LEAST_NS 2e6  /* even at the end of a run */

static bool has_work(const struct pool *p)
{
    return !work_is_given_out(&p->work) || p->work.retry_n > 0;
}

static uint32_t batch_size(const struct pool *p)
{
    double share = (double)p->work.left_n / (2.0 * p->workers_n);
    double n = BATCH_FIRST, least = 1;
    if (p->ns_per_combination > 0) {
        n = BATCH_NS / p->ns_per_combination;
        least = BATCH_LEAST_NS / p->ns_per_combination;
    }
    if (share < least)
        share = least;
    if (n > share)
        n = share;
    return n < 1 ? 1 : n > SPEC_BATCH_MAX ? SPEC_BATCH_MAX : (uint32_t)n;
}

/* A retry runs alone in a fresh worker; where no fresh one is to come, in any that has nothing to
 * do. */
static bool feed_retry(struct pool *p, struct worker_ref *w)
{
    struct work_retry retry;
    if (w->batches_n > 0 || p->work.retry_n == 0 || (!w->is_fresh && pool_has_newcomer(p)) ||
        !work_pop_retry(&p->work, &retry, &p->combo[0]))
        return false;
    p->number[0] = retry.combination;
    return pool_give(
        p, w,
        &(struct pool_gift){
            .type = MSG_BATCH, .n = 1, .combos = p->combo, .numbers = p->number, .retry = &retry});
}

static bool feed_batch(struct pool *p, struct worker_ref *w)
{
    uint32_t n = work_take(&p->work, batch_size(p), p->combo, p->number);
    if (n == 0)
        return false;
    return pool_give(
        p, w,
        &(struct pool_gift){.type = MSG_BATCH, .n = n, .combos = p->combo, .numbers = p->number});
}

static void feed(struct pool *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        while ((w->state == WORKER_IDLE || w->state == WORKER_BUSY) &&
               w->batches_n < WORKER_BATCHES_MAX && !(w->batches_n > 0 && w->batch[0].is_retry))
            if (!feed_retry(p, w) && !feed_batch(p, w))
                break;
    }
}

static bool is_busy(const struct pool *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++)
        if (p->worker[i].batches_n > 0)
            return true;
    return false;
}

/* Starts workers for the work that waits: not more than there are combinations. */
static int staff(struct pool *p, struct err *err)
{
    int64_t now = mono_now_ns();
    uint64_t wanted = p->work.left_n + p->work.retry_n;
    for (uint32_t i = 0; i < p->workers_n; i++)
        if (worker_ref_is_alive(&p->worker[i]) && p->worker[i].is_fresh && wanted > 0)
            wanted--;
    for (uint32_t i = 0; i < p->workers_n && wanted > 0 && pool_may_spawn(p, now); i++) {
        if (p->worker[i].state != WORKER_ABSENT)
            continue;
        int r = pool_start(p, i, ROLE_FREE, err);
        if (r == -EAGAIN)
            return 0;
        if (r < 0)
            return r;
        wanted--;
    }
    return 0;
}

static bool is_over(const struct pool *p)
{
    if (p->is_stop_now)
        return true;
    if (is_busy(p))
        return false;
    return pool_is_stopping(p) || !has_work(p);
}

int free_run(struct pool *p, struct err *err)
{
    p->enforces_time = true;
    while (!is_over(p)) {
        int r = 0;
        if (!pool_is_stopping(p)) {
            r = staff(p, err);
            feed(p);
        }
        bool is_scanning = !pool_is_stopping(p) && !work_is_given_out(&p->work) && !is_busy(p) &&
                           pool_alive_n(p) > 0 && !pool_has_newcomer(p);
        if (r == 0)
            r = pool_turn(p, is_scanning ? 0 : POOL_TICK_MS, err);
        if (r < 0)
            return r;
    }
    return pool_dismiss(p, err);
}
