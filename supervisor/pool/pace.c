/* SPDX-License-Identifier: MIT */
/* The pace of a lockstep run.
 *
 *   wave:   LANES to all ── LANES_READY of all ── steps ── final fills ── RESULTS of all
 *   step t: publish ── workers apply fills, run, send signals, arrive
 *           ── signals are gathered in lane order ── ORDERS to the service
 *           ── FILLS of t+1 ── routed to the workers that host their portfolios
 *
 * A worker that dies or comes too late leaves the wave; its lanes are run again in a later one, its
 * culprit alone. Sharing is pure, so that neither changes the results of the others. Where the
 * service dies the wave is run again. */
#include "supervisor/pool/pace.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/units.h"
#include "supervisor/pool/pace_parts.h"

#define COLLECT_EXTRA_NS                                                                           \
    INT64_C(30000000000) /* opening and closing 64 containers, beyond the barrier's time */
#define SERVICE_DEATHS_MAX 3
#define SERVICE_KILLS_MAX  1000

/* Of a FILLS body beside its fills. */
#define FILLS_HEAD_BYTES 13

static bool pace_on_frame(struct pool *p, struct worker_ref *w, const struct msg_head *head,
                          struct reader *body)
{
    struct ready ready;
    (void)p;
    if (head->type == MSG_LANES_READY && !w->has_lanes_ready && ready_decode(body, &ready) == 0) {
        w->has_lanes_ready = true;
        return true;
    }
    return w->is_reaped; /* what the dead sent for a step that goes on without them */
}

/* ---- staff ---------------------------------------------------------------------------------- */

static bool is_coming(const struct worker_ref *w)
{
    return w->state == WORKER_STARTING || w->state == WORKER_SETTING_UP ||
           w->state == WORKER_CONDEMNED;
}

static int start_missing(struct pace *c, struct err *err)
{
    struct pool *p = c->p;
    uint64_t wanted = p->work.left_n + p->work.retry_n;
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        bool is_service = w == c->service;
        if (w->state != WORKER_ABSENT || (!is_service && i >= wanted) ||
            !pool_may_spawn(p, mono_now_ns()))
            continue;
        int r = pool_start(p, i, is_service ? ROLE_SERVICE : ROLE_LANES, err);
        if (r < 0 && r != -EAGAIN)
            return r;
    }
    return 0;
}

/* Until the service and at least one other are idle and nobody is on the way. */
static int staff(struct pace *c, struct err *err)
{
    struct pool *p = c->p;
    for (;;) {
        int r = start_missing(c, err);
        bool is_waiting = false;
        uint32_t idle_n = 0;
        for (uint32_t i = 0; r == 0 && i < p->workers_n; i++) {
            is_waiting |= is_coming(&p->worker[i]);
            idle_n += p->worker[i].state == WORKER_IDLE && &p->worker[i] != c->service;
        }
        if (r < 0 || pool_is_stopping(p))
            return r;
        if (!is_waiting && idle_n > 0 && c->service->state == WORKER_IDLE)
            return 0;
        r = pool_turn(p, POOL_TICK_MS, err);
        if (r < 0)
            return r;
    }
}

/* ---- opening a wave ------------------------------------------------------------------------- */

static struct worker_ref *pick_for_retry(struct pace *c)
{
    struct worker_ref *any = NULL;
    for (uint32_t i = 0; i < c->p->workers_n; i++) {
        struct worker_ref *w = &c->p->worker[i];
        if (w->state != WORKER_IDLE || w == c->service)
            continue;
        if (w->is_fresh)
            return w;
        any = w;
    }
    return any;
}

static void give_lanes(struct pace *c, struct worker_ref *w, uint32_t first, uint32_t n,
                       const struct work_retry *retry)
{
    w->lanes_0 = first;
    w->lanes_n = n;
    w->has_lanes_ready = false;
    (void)pool_give(c->p, w,
                    &(struct pool_gift){.type = MSG_LANES,
                                        .n = n,
                                        .lanes_0 = first,
                                        .combos = c->p->combo + first,
                                        .numbers = c->p->number + first,
                                        .pin = c->pin,
                                        .pin_first = first,
                                        .retry = retry,
                                        .risk_idx = c->risk_idx + first,
                                        .execution_idx = c->execution_idx + first});
}

static void give_service(struct pace *c, uint32_t n)
{
    c->service->has_lanes_ready = false;
    c->next_step = UINT32_MAX;
    (void)pool_give(c->p, c->service,
                    &(struct pool_gift){.type = MSG_LANES,
                                        .n = n,
                                        .combos = c->p->combo,
                                        .numbers = c->p->number,
                                        .risk_idx = c->risk_idx,
                                        .execution_idx = c->execution_idx,
                                        .is_shared = true});
}

static void look_up_shared(struct pace *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        sharing_of(c->sharing, &c->p->combo[i], &c->risk_idx[i], &c->execution_idx[i]);
}

uint32_t pace_wave_lanes_max(uint32_t symbols_n)
{
    uint32_t lane_bytes = symbols_n * PACE_STEP_FILLS_MAX * FILL_BYTES;
    uint32_t n = (uint32_t)(MSG_FRAME_MAX - MSG_HEADER_BYTES - FILLS_HEAD_BYTES) / lane_bytes;
    return n < SPEC_BATCH_MAX ? n : SPEC_BATCH_MAX;
}

static uint32_t idle_n(const struct pace *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++)
        n += c->p->worker[i].state == WORKER_IDLE && &c->p->worker[i] != c->service;
    return n;
}

/* Takes the lanes of the next wave from the work: one alone, or as many as the idle can host. */
static uint32_t take_lanes(struct pace *c, struct work_retry *retry, bool *ret_is_retry)
{
    struct pool *p = c->p;
    *ret_is_retry = work_pop_retry(&p->work, retry, &p->combo[0]);
    if (*ret_is_retry) {
        p->number[0] = retry->combination;
        return 1;
    }
    uint32_t most = idle_n(c) * PACE_LANES_MAX;
    return work_take(&p->work, most < c->lanes_most ? most : c->lanes_most, p->combo, p->number);
}

/* All lanes walk together from the first bar on: what they need is there before. */
static int make_series(struct pace *c, uint32_t n, struct err *err)
{
    struct hub *hub = c->p->data->hub;
    int r = hub_need(hub, c->p->combo, n, &c->pin, err);
    while (r == 0 && !hub_is_ready(hub, c->pin) && !c->p->is_stop_now)
        r = pool_turn(c->p, POOL_TICK_MS, err);
    if (r == 0 && c->pin)
        hub_begin(hub, c->pin);
    return r;
}

static int give_back(struct pace *c, uint32_t n, const struct work_retry *retry)
{
    int r = retry ? work_push_retry(&c->p->work, retry) : 0;
    for (uint32_t i = 0; !retry && r == 0 && i < n; i++)
        r = work_give_back(&c->p->work, c->p->number[i]);
    return r;
}

/* Contiguous lanes for each idle worker, as even as can be. */
static void assign_lanes(struct pace *c, uint32_t n)
{
    struct pool *p = c->p;
    uint32_t first = 0, left_n = idle_n(c);
    for (uint32_t i = 0; i < p->workers_n && first < n; i++) {
        struct worker_ref *w = &p->worker[i];
        if (w->state != WORKER_IDLE || w == c->service)
            continue;
        uint32_t share = (n - first + left_n - 1) / left_n;
        left_n--;
        give_lanes(c, w, first, share, NULL);
        first += share;
    }
}

/* Returns the number of lanes of the wave that is opened; 0: none now. */
static int open_wave(struct pace *c, uint32_t *ret_n, struct err *err)
{
    struct work_retry retry;
    bool is_retry;
    uint32_t n = take_lanes(c, &retry, &is_retry);
    *ret_n = 0;
    if (n == 0)
        return pool_turn(c->p, 0, err); /* the grid's scan goes on */
    int r = make_series(c, n, err);
    if (r < 0)
        return r;
    /* Workers may be lost meanwhile, and the run may be asked to stop. */
    bool has_hosts = idle_n(c) * PACE_LANES_MAX >= n && c->service->state == WORKER_IDLE;
    if (c->p->is_stop_now || !has_hosts) {
        c->p->is_out_of_memory |= give_back(c, n, is_retry ? &retry : NULL) < 0;
        return 0;
    }
    look_up_shared(c, n);
    if (is_retry)
        give_lanes(c, pick_for_retry(c), 0, 1, &retry);
    else
        assign_lanes(c, n);
    *ret_n = n;
    return 0;
}

/* ---- waiting for all ------------------------------------------------------------------------ */

static bool has_opened(const struct worker_ref *w)
{
    return w->has_lanes_ready;
}

static bool has_closed(const struct worker_ref *w)
{
    return w->batches_n == 0;
}

/* Turns the loop until every worker of the wave (and the service, where it is asked for) is
 * `is_ready`. */
static int collect(struct pace *c, bool (*is_ready)(const struct worker_ref *w), bool with_service,
                   struct err *err)
{
    struct pool *p = c->p;
    int64_t deadline_ns = mono_now_ns() + p->config->barrier_timeout_ns + COLLECT_EXTRA_NS;
    for (;;) {
        bool is_late = mono_now_ns() >= deadline_ns, is_waiting = false;
        for (uint32_t i = 0; i < p->workers_n; i++) {
            struct worker_ref *w = &p->worker[i];
            if (!pace_has(w) || is_ready(w))
                continue;
            is_waiting = true;
            if (is_late)
                pace_condemn_laggard(c, w);
        }
        if (with_service && c->service->state != WORKER_BUSY)
            return PACE_E_SERVICE;
        if (with_service && !c->service->has_lanes_ready) {
            is_waiting = true;
            if (is_late)
                return PACE_E_SERVICE;
        }
        if (!is_waiting)
            return 0;
        int r = pool_turn(p, POOL_TICK_MS, err);
        if (r < 0)
            return r;
        if (p->is_stop_now)
            return PACE_E_STOP;
    }
}

/* ---- waves ---------------------------------------------------------------------------------- */

/* Everyone who still is in it goes, without blame. */
static void abandon_wave(struct pace *c)
{
    for (uint32_t i = 0; i < c->p->workers_n; i++)
        if (c->p->worker[i].state == WORKER_BUSY)
            pool_discard(c->p, &c->p->worker[i], "its wave is run again");
}

static int service_lost(struct pace *c, struct err *err)
{
    const struct worker_ref *s = c->service;
    if (s->was_killed_from_outside)
        c->service_kills++;
    else
        c->service_deaths++;
    if (c->service_deaths < SERVICE_DEATHS_MAX && c->service_kills < SERVICE_KILLS_MAX)
        return 0;
    const char *why = s->has_refused ? s->refusal.text : s->end_reason;
    return err_set(err, ERR_SYSTEM,
                   "the worker that hosts shared risk and execution was lost %u times in a row%s%s",
                   c->service_deaths + c->service_kills, why[0] ? ": " : "", why);
}

static int wave(struct pace *c, struct err *err)
{
    for (uint32_t i = 0; i < c->p->workers_n; i++)
        c->p->worker[i].lanes_n = 0;
    uint32_t n;
    int r = open_wave(c, &n, err);
    if (r < 0 || n == 0)
        return r;
    give_service(c, n);
    r = collect(c, has_opened, true, err);
    if (r == 0)
        r = pace_walk(c);
    if (r == 0) {
        (void)worker_ref_move(c->service, WORKER_EV_DRAINED);
        r = collect(c, has_closed, false, err);
    }
    if (r == 0)
        c->service_deaths = c->service_kills = 0;
    if (r == PACE_E_SERVICE)
        (void)pace_await_end(c, c->service); /* abandoned with the others if it lives on */
    if (r != 0)
        abandon_wave(c);
    if (r == PACE_E_SERVICE)
        return service_lost(c, err);
    return r < 0 ? r : 0;
}

static bool is_pace_over(const struct pool *p)
{
    return pool_is_stopping(p) || (work_is_given_out(&p->work) && p->work.retry_n == 0);
}

int pace_run(struct pool *p, struct err *err)
{
    struct pace *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_SYSTEM, "out of memory for a lockstep run");
    c->p = p;
    c->service = &p->worker[p->workers_n - 1];
    p->on_frame = pace_on_frame;
    c->lanes_most = pace_wave_lanes_max(p->config->each_symbol ? 1 : p->data->range.symbols_n);
    int r = sharing_make(p->config, &c->sharing, err);
    c->plane = plane_writer_view(p->data->plane);
    while (r == 0 && !is_pace_over(p)) {
        r = staff(c, err);
        if (r == 0 && !is_pace_over(p))
            r = wave(c, err);
        /* Those who left their wave have given their work back when they are buried. */
        for (uint32_t i = 0; r == 0 && i < p->workers_n; i++)
            while (r == 0 && p->worker[i].state == WORKER_CONDEMNED)
                r = pool_turn(p, POOL_TICK_MS, err);
        if (r == 0) {
            hub_unpin(p->data->hub, c->pin);
            c->pin = NULL;
        }
    }
    if (r == 0)
        r = pool_dismiss(p, err);
    hub_unpin(p->data->hub, c->pin);
    if (c->sharing)
        sharing_destroy(c->sharing);
    free(c->signal);
    free(c);
    return r;
}
