/* SPDX-License-Identifier: MIT */
/* Lanes: the containers of one worker in a lockstep wave, one step at a time. Strategy, portfolio
 * and performance tracker are here; risk and execution are shared containers in the service worker.
 *
 * A step: fills that were routed here for it are applied, then each container sees its bar, in lane
 * order; the signals of all leave in one message, if there are any; then the worker arrives at the
 * barrier. */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/units.h"
#include "shm/step.h"
#include "worker/lockstep/uplink.h"
#include "worker/serve.h"

#define WAIT_NS                                                                                    \
    (INT64_C(60) * NS_PER_S) /* a wait is only a slice: the supervisor's death ends the worker */

struct lane {
    const struct combo *combo;
    struct arena arena;
    struct container *container; /* NULL: refused, `result` is final */
    const struct market *market;
    const struct component *portfolio;
    const struct account *account;
    struct result result;
};

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

static void lane_open(struct wave *v, uint32_t i)
{
    struct lane *l = &v->lane[i];
    struct err err = {0};
    l->combo = &v->batch->combos[i];
    session_tell(&v->w->session, l->combo);
    const struct container_request q = {
        .shape = SHAPE_LANE,
        .combo = l->combo,
        .arena = &l->arena,
        .uplink = &v->queue_ref,
        .lane = v->batch->lanes_0 + i,
    };
    int r = session_container(&v->w->session, &q, &l->container, &err);
    if (r < 0) {
        l->container = NULL;
        session_refused(l->combo, r, &err, &l->result);
        return;
    }
    l->market = l->container->market;
    l->portfolio = container_find(l->container, PROTOCOL_PORTFOLIO);
    l->account = l->portfolio->type->portfolio->account(l->portfolio->self);
    container_start(l->container);
}

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
        lane_open(v, i);
    ready_encode(channel_begin(v->w->channel, MSG_LANES_READY), &(struct ready){v->batch->n, 0});
    return channel_send(v->w->channel, SEND_TIMEOUT_MS);
}

/* ---- fills ---------------------------------------------------------------------------------- */

/* A fill is input: it must be of the step that it comes for and make sense for its account. */
static bool fill_fits(const struct lane *l, const struct fills *fills, const struct fill *f)
{
    int64_t step =
        fills->is_final ? (int64_t)l->market->steps_n - 1 : market_step(l->market, fills->step);
    if (f->symbol_idx >= l->market->symbols_n || (int64_t)f->bar != step)
        return false;
    if (!isfinite(f->qty) || f->qty == 0.0 || !isfinite(f->px) || !isfinite(f->commission))
        return false;
    double held = l->account->pos[f->symbol_idx].qty;
    return f->px > 0.0 && f->commission >= 0.0 && (f->is_close ? held == -f->qty : held == 0.0);
}

static int apply_fills(struct wave *v, const struct fills *fills)
{
    for (uint32_t i = 0; i < fills->n; i++) {
        const struct fill *f = &fills->fills[i];
        uint32_t at = f->target_portfolio - v->batch->lanes_0;
        if (f->target_portfolio < v->batch->lanes_0 || at >= v->batch->n)
            return -EPROTO;
        struct lane *l = &v->lane[at];
        if (!l->container || l->account->is_bankrupt)
            continue; /* the shared side does not know that it has ended */
        if (!fill_fits(l, fills, f))
            return -EPROTO;
        bus_publish(&l->container->bus, EVENT_FILL, f);
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

static void lane_step(struct wave *v, struct lane *l, uint32_t plane_step)
{
    if (!l->container || l->account->is_bankrupt)
        return;
    int64_t step = market_step(l->market, plane_step);
    if (step < (int64_t)l->market->first_step)
        return;
    struct slot *slot = v->w->slot;
    atomic_store_explicit(&slot->combination, l->combo->combination, memory_order_relaxed);
    atomic_store_explicit(&slot->bar, (uint32_t)step, memory_order_relaxed);
    const struct bar_event bar = {(uint32_t)step};
    bus_publish(&l->container->bus, EVENT_BAR, &bar);
}

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
        lane_step(v, &v->lane[i], plane_step);
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

static void lane_close(struct wave *v, struct lane *l)
{
    if (!l->container)
        return;
    atomic_store_explicit(&v->w->slot->combination, l->combo->combination, memory_order_relaxed);
    if (l->market->steps_n > l->market->first_step && !l->account->is_bankrupt)
        l->portfolio->type->portfolio->mark(l->portfolio->self, l->market->steps_n - 1);
    v->bar_steps += l->market->bars_n;
    session_finish(l->container, l->combo, &l->result);
}

static int send_results(struct wave *v)
{
    struct result *all = calloc(v->batch->n + 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (uint32_t i = 0; i < v->batch->n; i++) {
        lane_close(v, &v->lane[i]);
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
