/* SPDX-License-Identifier: MIT */
/* Lanes: the containers of one worker in a lockstep wave, one step at a time; their risk and
 * execution are shared containers in the service worker.
 *
 * A step: fills that were routed here for it are applied, then each container sees its bar, in lane
 * order; the signals of all leave in one message, if there are any; then the worker arrives at the
 * barrier. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/units.h"
#include "shm/step.h"
#include "worker/lockstep/lane.h"
#include "worker/serve.h"

#define WAIT_NS                                                                                    \
    (INT64_C(60) * NS_PER_S) /* a wait is only a slice: the supervisor's death ends the worker */

struct wave {
    struct serve *w;
    const struct batch *batch;
    struct lane *lane; /* [batch->n] */
    struct uplink_queue queue;
    struct uplink_queue *queue_ref;
    uint32_t frames_before; /* slot.fills_expected when the wave began */
    uint32_t frames;        /* ROUTED_FILLS frames received in this wave */
    uint32_t seen;          /* sequence number of the last step */
    bool is_final;
    uint64_t bar_steps;
};

static int wave_open(struct wave *v)
{
    uint32_t symbols = v->w->session.plane->symbols_n;
    v->queue_ref = &v->queue;
    v->queue.capacity = v->batch->n * symbols;
    v->queue.signals = calloc((size_t)v->queue.capacity + 1, sizeof *v->queue.signals);
    v->lane = calloc(v->batch->n + 1, sizeof *v->lane);
    if (!v->queue.signals || !v->lane)
        return -ENOMEM;
    v->frames_before = atomic_load_explicit(&v->w->slot->fills_expected, memory_order_acquire);
    /* What stands published is of an earlier wave: the next one comes after LANES_READY. */
    v->seen = atomic_load_explicit(&v->w->slots.header->step.step, memory_order_acquire);
    for (uint32_t i = 0; i < v->batch->n; i++)
        lane_open(&v->lane[i], &v->w->session,
                  &(const struct lane_request){.combo = &v->batch->combos[i],
                                               .uplink = &v->queue_ref,
                                               .number = v->batch->lanes_0 + i});
    ready_encode(channel_begin(v->w->channel, MSG_LANES_READY), &(struct ready){v->batch->n, 0});
    return channel_send(v->w->channel, SEND_TIMEOUT_MS);
}

/* ---- fills ---------------------------------------------------------------------------------- */

static int apply_fills(struct wave *v, const struct fills *fills)
{
    for (uint32_t i = 0; i < fills->n; i++) {
        const struct fill *f = &fills->fills[i];
        uint32_t at = f->target_portfolio - v->batch->lanes_0;
        if (f->target_portfolio < v->batch->lanes_0 || at >= v->batch->n)
            return -EPROTO;
        int r = lane_apply(&v->lane[at], fills, f);
        if (r < 0)
            return r;
    }
    v->is_final = fills->is_final;
    return 0;
}

static int receive_fills(struct wave *v)
{
    struct msg_head head;
    struct reader body;
    struct fills fills;
    int r = serve_receive(v->w, &head, &body);
    if (r < 0)
        return r;
    if (head.type != MSG_ROUTED_FILLS)
        return -EPROTO;
    r = fills_decode(&body, &fills);
    if (r < 0)
        return r;
    v->frames++;
    r = apply_fills(v, &fills);
    fills_fini(&fills);
    return r;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static int send_signals(struct wave *v, uint32_t plane_step)
{
    if (v->queue.is_overfull)
        return -EPROTO;
    if (v->queue.n == 0)
        return 0;
    const struct signals s = {.step = plane_step, .n = v->queue.n, .signals = v->queue.signals};
    signals_encode(channel_begin(v->w->channel, MSG_SIGNALS), &s);
    v->queue.n = 0;
    int r = channel_send(v->w->channel, SEND_TIMEOUT_MS);
    if (r == 0) /* published by the arrival that follows */
        atomic_fetch_add_explicit(&v->w->slot->signals_sent, 1, memory_order_relaxed);
    return r;
}

static int wave_step(struct wave *v, uint32_t plane_step)
{
    struct slot *slot = v->w->slot;
    /* written before the step was published, whose load in step_wait ordered this one behind it */
    uint32_t expected = atomic_load_explicit(&slot->fills_expected, memory_order_acquire);
    int r = 0;
    while (r == 0 && v->frames != expected - v->frames_before)
        r = receive_fills(v);
    if (r < 0)
        return r;
    atomic_store_explicit(&slot->started_ns, mono_now_ns(), memory_order_relaxed);
    for (uint32_t i = 0; i < v->batch->n; i++)
        lane_step(&v->lane[i], slot, plane_step);
    atomic_fetch_add_explicit(&slot->heartbeat, 1, memory_order_relaxed);
    return send_signals(v, plane_step);
}

/* Waits for the next step and does it. */
static int wave_next(struct wave *v, uint32_t *ret_plane_step)
{
    struct slots_header *h = v->w->slots.header;
    uint32_t sequence, plane_step;
    int r;
    do
        r = step_wait(h, v->seen, mono_now_ns() + WAIT_NS, &sequence, &plane_step);
    while (r == -ETIMEDOUT || r == -EINTR);
    if (r == 0 && plane_step >= v->w->session.plane->steps_n)
        r = -EPROTO;
    if (r == 0)
        r = wave_step(v, plane_step);
    if (r < 0)
        return r;
    step_arrive(h, v->w->slot, sequence);
    v->seen = sequence;
    *ret_plane_step = plane_step;
    return 0;
}

static int wave_walk(struct wave *v)
{
    uint32_t last = v->w->session.plane->steps_n - 1, plane_step = UINT32_MAX;
    int r = 0;
    while (r == 0 && plane_step != last)
        r = wave_next(v, &plane_step);
    while (r == 0 && !v->is_final)
        r = receive_fills(v);
    return r;
}

/* ---- end ------------------------------------------------------------------------------------ */

static int send_results(struct wave *v)
{
    struct result *all = calloc(v->batch->n + 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (uint32_t i = 0; i < v->batch->n; i++) {
        v->bar_steps += lane_close(&v->lane[i], v->w->slot);
        all[i] = v->lane[i].result;
    }
    const struct results results = {
        .batch_id = v->batch->id,
        .is_last = true,
        .bar_steps = v->bar_steps,
        .n = v->batch->n,
        .results = all,
    };
    results_encode(channel_begin(v->w->channel, MSG_RESULTS), &results);
    int r = channel_send(v->w->channel, SEND_TIMEOUT_MS);
    free(all);
    return r;
}

int serve_lanes(struct serve *w, const struct batch *lanes)
{
    struct wave v = {.w = w, .batch = lanes};
    int r = wave_open(&v);
    if (r == 0)
        r = wave_walk(&v);
    if (r == 0)
        r = send_results(&v);
    session_tell_idle(&w->session);
    for (uint32_t i = 0; v.lane && i < lanes->n; i++)
        arena_fini(&v.lane[i].arena);
    free(v.lane);
    free(v.queue.signals);
    return r;
}
