/* SPDX-License-Identifier: MIT */
/* The free-running loop. Batches are cut to a time: long enough that messages cost nothing, short
 * enough that a death or the end of the run finds little in flight. Two are with each worker, so
 * that it never waits.
 *
 * A batch is prepared before it is given: its series are pinned, and made where they are absent. A
 * few more than are asked for are kept prepared, so that builders are ahead of workers. */
#include "supervisor/pool/free.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"

#define BATCH_NS       60e6 /* what a batch should take */
#define BATCH_FIRST    4    /* combinations of a batch while nobody knows how long one takes */
#define BATCH_LEAST_NS 2e6  /* even at the end of a run */

/* Taken from the work, and not given to a worker yet. */
struct prepared {
    struct hub_pin *pin;
    struct combo *combo; /* [n] owned, as the next */
    uint64_t *number;
    uint32_t n;
    bool is_retry;
    struct work_retry retry;
};

struct feeder {
    struct pool *p;
    struct prepared *batch; /* [most] in the order of the work */
    uint32_t most, n;
    struct prepared retry;
    bool has_retry;
    uint64_t combos_n; /* of all of these */
    struct err trouble;
};

/* ---- preparing ------------------------------------------------------------------------------ */

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

static void prepared_fini(struct feeder *f, struct prepared *b)
{
    hub_unpin(f->p->data->hub, b->pin);
    f->combos_n -= b->n;
    free(b->combo);
    free(b->number);
    *b = (struct prepared){0};
}

/* From the pool's scratch arrays. */
static int prepare(struct feeder *f, uint32_t n, struct prepared *ret_batch)
{
    struct pool *p = f->p;
    struct prepared b = {.n = n};
    f->combos_n += n;
    b.combo = malloc(n * sizeof *b.combo);
    b.number = malloc(n * sizeof *b.number);
    if (!b.combo || !b.number || hub_need(p->data->hub, p->combo, n, &b.pin, &f->trouble) < 0) {
        p->is_out_of_memory = true;
        prepared_fini(f, &b);
        return -ENOMEM;
    }
    memcpy(b.combo, p->combo, n * sizeof *b.combo);
    memcpy(b.number, p->number, n * sizeof *b.number);
    *ret_batch = b;
    return 0;
}

static bool prepare_retry(struct feeder *f)
{
    struct pool *p = f->p;
    struct work_retry retry;
    if (f->has_retry || !work_pop_retry(&p->work, &retry, &p->combo[0]))
        return f->has_retry;
    p->number[0] = retry.combination;
    f->has_retry = prepare(f, 1, &f->retry) == 0;
    f->retry.is_retry = true;
    f->retry.retry = retry;
    return f->has_retry;
}

static bool prepare_next(struct feeder *f)
{
    struct pool *p = f->p;
    uint32_t n = f->n < f->most ? work_take(&p->work, batch_size(p), p->combo, p->number) : 0;
    if (n == 0 || prepare(f, n, &f->batch[f->n]) < 0)
        return false;
    f->n++;
    return true;
}

/* ---- giving --------------------------------------------------------------------------------- */

static bool give(struct feeder *f, struct worker_ref *w, struct prepared *b)
{
    struct pool *p = f->p;
    bool is_given = pool_give(p, w,
                              &(struct pool_gift){.type = MSG_BATCH,
                                                  .n = b->n,
                                                  .combos = b->combo,
                                                  .numbers = b->number,
                                                  .retry = b->is_retry ? &b->retry : NULL,
                                                  .pin = b->pin,
                                                  .owns_pin = true});
    b->pin = NULL; /* the pool's, given or not */
    prepared_fini(f, b);
    return is_given;
}

/* A retry runs alone in a fresh worker; where no fresh one is to come, in any that has nothing to
 * do. */
static bool feed_retry(struct feeder *f, struct worker_ref *w)
{
    struct pool *p = f->p;
    if (w->batches_n > 0 || (!w->is_fresh && pool_has_newcomer(p)) || !prepare_retry(f) ||
        !hub_is_ready(p->data->hub, f->retry.pin))
        return false;
    f->has_retry = false;
    return give(f, w, &f->retry);
}

/* The first that is ready. */
static bool feed_batch(struct feeder *f, struct worker_ref *w)
{
    uint32_t i = 0;
    while (i < f->n && !hub_is_ready(f->p->data->hub, f->batch[i].pin))
        i++;
    if (i == f->n && (!prepare_next(f) || !hub_is_ready(f->p->data->hub, f->batch[i].pin)))
        return false;
    struct prepared b = f->batch[i];
    f->n--;
    memmove(&f->batch[i], &f->batch[i + 1], (f->n - i) * sizeof b);
    return give(f, w, &b);
}

static void feed(struct feeder *f)
{
    struct pool *p = f->p;
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        while ((w->state == WORKER_IDLE || w->state == WORKER_BUSY) &&
               w->batches_n < WORKER_BATCHES_MAX && !(w->batches_n > 0 && w->batch[0].is_retry))
            if (!feed_retry(f, w) && !feed_batch(f, w))
                break;
    }
    while (prepare_next(f))
        continue;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool has_work(const struct feeder *f)
{
    const struct pool *p = f->p;
    return !work_is_given_out(&p->work) || p->work.retry_n > 0 || f->combos_n > 0;
}

static bool is_busy(const struct pool *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++)
        if (p->worker[i].batches_n > 0)
            return true;
    return false;
}

/* Starts workers for the work that waits: not more than there are combinations. */
static int staff(const struct feeder *f, struct err *err)
{
    struct pool *p = f->p;
    int64_t now = mono_now_ns();
    uint64_t wanted = p->work.left_n + p->work.retry_n + f->combos_n;
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

static bool is_over(const struct feeder *f)
{
    const struct pool *p = f->p;
    if (p->is_stop_now)
        return true;
    if (is_busy(p))
        return false;
    return pool_is_stopping(p) || !has_work(f);
}

/* The grid goes on behind a long stretch of numbers that `where` excludes. */
static bool is_scanning(const struct feeder *f)
{
    const struct pool *p = f->p;
    return !pool_is_stopping(p) && !work_is_given_out(&p->work) && f->combos_n == 0 &&
           !is_busy(p) && pool_alive_n(p) > 0 && !pool_has_newcomer(p);
}

static int run(struct feeder *f, struct err *err)
{
    struct pool *p = f->p;
    int r = 0;
    while (r == 0 && !is_over(f)) {
        if (!pool_is_stopping(p)) {
            feed(f); /* before workers start: builders are at work already while they do */
            r = staff(f, err);
        }
        if (r == 0)
            r = pool_turn(p, is_scanning(f) ? 0 : POOL_TICK_MS, err);
    }
    return r;
}

int free_run(struct pool *p, struct err *err)
{
    struct feeder f = {.p = p, .most = 2 + p->workers_n};
    f.batch = calloc(f.most, sizeof *f.batch);
    if (!f.batch)
        return err_set(err, ERR_SYSTEM, "out of memory for batches");
    p->enforces_time = true;
    int r = run(&f, err);
    while (f.n > 0)
        prepared_fini(&f, &f.batch[--f.n]);
    if (f.has_retry)
        prepared_fini(&f, &f.retry);
    free(f.batch);
    return r < 0 ? r : pool_dismiss(p, err);
}
