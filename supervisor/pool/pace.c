/* SPDX-License-Identifier: MIT */
/* The pace of a lockstep run.
 *
 *   wave:   LANES to all ── LANES_READY of all ── steps ── final fills ── RESULTS of all
 *   step t: publish ── workers apply fills, run, send signals, arrive ── signals are gathered in
 * lane order ── ORDERS to the service ── FILLS of t+1 ── routed to the workers that host their
 * portfolios
 *
 * A worker that dies or comes too late leaves the wave; its lanes are run again in a later one, its
 * culprit alone. Sharing is pure, so that neither changes the results of the others. Where the
 * service dies the wave is run again. */
#include "supervisor/pool/pace.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/units.h"
#include "shm/plane.h"
#include "shm/step.h"
#include "supervisor/plan/plan.h"

#define SLICE_NS INT64_C(20000000)
#define SLICE_MS 20
#define COLLECT_EXTRA_NS                                                                           \
    INT64_C(30000000000)      /* opening and closing 64 containers, beyond the barrier's time */
#define SIGNALS_EVERY      64 /* steps between looks at the signal descriptor */
#define SERVICE_DEATHS_MAX 3
#define SERVICE_KILLS_MAX  1000
#define END_GRACE_NS       INT64_C(500000000) /* channel gone to process gone */

/* Positive ends of a wave. */
enum {
    PACE_E_EMPTY = 1, /* no worker is left in it */
    PACE_E_SERVICE,   /* the service is lost */
    PACE_E_STOP,      /* the run is to end now */
};

/* Fills of one symbol of one lane in one step: what closes at the open, what opens, what the bar's
 * range closes. */
#define STEP_FILLS_MAX 3
/* Of a FILLS body beside its fills. */
#define FILLS_HEAD_BYTES 13

struct pace {
    struct pool *p;
    struct sharing *sharing;
    struct plane *plane; /* to check signals against */
    struct worker_ref *service;
    uint32_t lanes_most; /* of one wave */
    uint32_t risk_idx[SPEC_BATCH_MAX], execution_idx[SPEC_BATCH_MAX];
    uint32_t next_step; /* at which standing orders meet their bar; UINT32_MAX: none */
    struct signal *signal;
    uint32_t signals_n, signals_capacity;
    uint32_t service_deaths, service_kills; /* in a row; by SIGKILL from outside */
};

static bool is_in_wave(const struct worker_ref *w)
{
    return w->role == ROLE_LANES && w->lanes_n > 0 && w->state == WORKER_BUSY;
}

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
    uint32_t lane_bytes = symbols_n * STEP_FILLS_MAX * FILL_BYTES;
    uint32_t n = (uint32_t)(MSG_FRAME_MAX - MSG_HEADER_BYTES - FILLS_HEAD_BYTES) / lane_bytes;
    return n < SPEC_BATCH_MAX ? n : SPEC_BATCH_MAX;
}

/* Contiguous lanes for each idle worker, as even as can be. Returns the number of lanes. */
static uint32_t assign_lanes(struct pace *c)
{
    struct pool *p = c->p;
    struct work_retry retry;
    if (work_pop_retry(&p->work, &retry, &p->combo[0])) {
        p->number[0] = retry.combination;
        look_up_shared(c, 1);
        give_lanes(c, pick_for_retry(c), 0, 1, &retry);
        return 1;
    }
    uint32_t idle_n = 0;
    for (uint32_t i = 0; i < p->workers_n; i++)
        idle_n += p->worker[i].state == WORKER_IDLE && &p->worker[i] != c->service;
    uint32_t most = idle_n * PACE_LANES_MAX;
    uint32_t n =
        work_take(&p->work, most < c->lanes_most ? most : c->lanes_most, p->combo, p->number);
    look_up_shared(c, n);
    uint32_t first = 0;
    for (uint32_t i = 0; i < p->workers_n && first < n; i++) {
        struct worker_ref *w = &p->worker[i];
        if (w->state != WORKER_IDLE || w == c->service)
            continue;
        uint32_t share = (n - first + idle_n - 1) / idle_n;
        idle_n--;
        give_lanes(c, w, first, share, NULL);
        first += share;
    }
    return n;
}

/* ---- waiting for all ------------------------------------------------------------------------ */

static void condemn_laggard(struct pace *c, struct worker_ref *w)
{
    const struct slot *slot = pool_slot(c->p, w);
    char limit[32];
    uint64_t at = atomic_load_explicit(&slot->combination, memory_order_acquire);
    bool is_running = atomic_load_explicit(&slot->state, memory_order_acquire) == SLOT_RUNNING;
    pool_condemn(c->p, w, STATUS_TIMEOUT, "it kept the others waiting for %s",
                 duration_format(c->p->config->barrier_timeout_ns, limit, sizeof limit));
    w->verdict.has_culprit = is_running;
    w->verdict.combination = at;
}

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
            if (!is_in_wave(w) || is_ready(w))
                continue;
            is_waiting = true;
            if (is_late)
                condemn_laggard(c, w);
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

/* ---- one step ------------------------------------------------------------------------------- */

static uint32_t in_wave_n(const struct pace *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++)
        n += is_in_wave(&c->p->worker[i]);
    return n;
}

static bool has_arrived(struct pace *c, const struct worker_ref *w, uint32_t sequence)
{
    /* Pairs with the release store in step_arrive(): what it wrote before is seen. */
    return atomic_load_explicit(&pool_slot(c->p, w)->arrived_step, memory_order_acquire) ==
           sequence;
}

/* Those in the wave who have not arrived: buried if dead, given up if it is late. Returns how many
 * still wait. */
static uint32_t settle_absentees(struct pace *c, uint32_t sequence, bool is_slice_over,
                                 bool is_late)
{
    uint32_t waiting_n = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++) {
        struct worker_ref *w = &c->p->worker[i];
        if (!is_in_wave(w) || has_arrived(c, w, sequence))
            continue;
        if (is_slice_over && pool_reap(c->p, w)) {
            (void)step_excuse(c->p->slots.header, sequence); /* all are counted here, by name */
            continue;
        }
        waiting_n++;
        if (is_late) {
            condemn_laggard(c, w);
            (void)step_excuse(c->p->slots.header, sequence); /* likewise */
        }
    }
    return waiting_n;
}

static int await_arrivals(struct pace *c, uint32_t sequence)
{
    struct pool *p = c->p;
    int64_t deadline_ns = mono_now_ns() + p->config->barrier_timeout_ns;
    for (;;) {
        int64_t now = mono_now_ns();
        int64_t slice_ns = now + SLICE_NS < deadline_ns ? now + SLICE_NS : deadline_ns;
        int r = step_wait_done(p->slots.header, sequence, slice_ns);
        if (settle_absentees(c, sequence, r != 0, mono_now_ns() >= deadline_ns) == 0)
            return 0;
        if (r == 0)
            continue; /* the last arrival is counted before it is seen */
        pool_bury_condemned(p);
        pool_check_signals(p);
        if (p->is_stop_now)
            return PACE_E_STOP;
    }
}

/* Waits for the end of one that closed its channel or was condemned: why it was lost is known once
 * it is dead. False where it lives on. */
static bool await_end(struct pace *c, struct worker_ref *w)
{
    int64_t deadline_ns = mono_now_ns() + END_GRACE_NS;
    const struct timespec pause = {.tv_nsec = 1000000};
    while (!pool_reap(c->p, w)) {
        if (mono_now_ns() >= deadline_ns)
            return false;
        (void)nanosleep(&pause, NULL); /* woken early: looks again */
    }
    return true;
}

/* A frame of `type` from a worker that owes one. False where it is lost. */
static bool receive_owed(struct pace *c, struct worker_ref *w, enum msg_type type,
                         struct reader *ret_body)
{
    int64_t deadline_ns = mono_now_ns() + c->p->config->barrier_timeout_ns;
    for (;;) {
        struct msg_head head;
        enum msg_verdict verdict = MSG_E_OK;
        int r = channel_recv(w->channel, SLICE_MS, &head, ret_body, &verdict);
        if (r == 0 && head.type == type)
            return true;
        if (r == 0 || r == -EPROTO) {
            c->p->messages_refused_n += r != 0;
            pool_condemn(c->p, w, STATUS_PROTOCOL, "worker says %s where it owes %s",
                         r == 0 ? msg_name(head.type) : msg_verdict_name(verdict), msg_name(type));
            return false;
        }
        if (r != -EAGAIN) { /* no frame will come any more */
            c->p->is_out_of_memory |= r == -ENOMEM;
            if (!await_end(c, w))
                pool_condemn(c->p, w, STATUS_PROTOCOL, "worker closed its channel");
            return false;
        }
        if (pool_reap(c->p, w))
            return false;
        pool_check_signals(c->p);
        if (mono_now_ns() >= deadline_ns || c->p->is_stop_now) {
            pool_condemn(c->p, w, STATUS_PROTOCOL, "worker owes %s", msg_name(type));
            w->verdict.is_blameless = c->p->is_stop_now;
            return false;
        }
    }
}

static int signals_reserve(struct pace *c, uint32_t more)
{
    if (c->signals_n + more <= c->signals_capacity)
        return 0;
    uint32_t capacity = 2 * (c->signals_n + more);
    struct signal *bigger = realloc(c->signal, capacity * sizeof *bigger);
    if (!bigger)
        return -ENOMEM;
    c->signal = bigger;
    c->signals_capacity = capacity;
    return 0;
}

/* What is wrong with a signal that a lane made at the close of a step; NULL: nothing. The kinds are
 * checked by its decoder. */
static const char *signal_flaw(const struct pace *c, const struct signal *g, uint32_t step)
{
    const struct plane *plane = c->plane;
    uint32_t symbol = c->p->combo[g->target_portfolio].symbol_idx, symbols_n = 1;
    if (symbol == COMBO_ALL_SYMBOLS) {
        symbol = g->symbol_idx;
        symbols_n = plane->symbols_n;
    }
    if (g->symbol_idx >= symbols_n)
        return "a signal for a symbol that it does not trade";
    const struct plane_view *view = &plane->symbol[symbol];
    int32_t row = plane_row(view, step);
    /* Who trades one symbol counts its bars, and begins with its range; who trades many counts the
     * steps of the clock, where one symbol's range may begin before another's. */
    bool is_one = symbols_n == 1;
    int32_t least = is_one ? (int32_t)view->first_row : 0;
    if (row < least || g->bar != (is_one ? (uint32_t)row : step))
        return "a signal of another bar";
    if (g->ref_px != view->bars.close[row])
        return "a signal whose price is not its bar's close";
    return NULL;
}

static void condemn_liar(struct pace *c, struct worker_ref *w, uint32_t lane, const char *flaw)
{
    pool_condemn(c->p, w, STATUS_PROTOCOL, "worker says %s", flaw);
    w->verdict.has_culprit = true;
    w->verdict.combination = c->p->number[lane];
}

/* Signals are input: of lanes of this worker in their order, one a symbol, and true. A worker that
 * says others is condemned, and the lane that it says them for is blamed. */
static bool are_signals_sound(struct pace *c, struct worker_ref *w, const struct signals *s,
                              uint32_t step)
{
    uint64_t seen[(SPEC_SYMBOLS_MAX + 63) / 64] = {0}; /* symbols of the lane that is at hand */
    uint32_t lane = w->lanes_0;
    if (s->step != step || s->is_final) {
        pool_condemn(c->p, w, STATUS_PROTOCOL, "worker says SIGNALS of another step");
        return false;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct signal *g = &s->signals[i];
        if (g->target_portfolio < lane || g->target_portfolio >= w->lanes_0 + w->lanes_n) {
            pool_condemn(c->p, w, STATUS_PROTOCOL, "worker says SIGNALS for others");
            return false;
        }
        if (g->target_portfolio != lane)
            memset(seen, 0, sizeof seen);
        lane = g->target_portfolio;
        const char *flaw = signal_flaw(c, g, step);
        uint64_t bit = UINT64_C(1) << (g->symbol_idx % 64);
        if (!flaw && (seen[g->symbol_idx / 64] & bit))
            flaw = "two signals for one symbol";
        if (flaw) {
            condemn_liar(c, w, lane, flaw);
            return false;
        }
        seen[g->symbol_idx / 64] |= bit;
    }
    return true;
}

static void take_signals(struct pace *c, struct worker_ref *w, uint32_t step)
{
    struct reader body;
    struct signals s;
    if (!receive_owed(c, w, MSG_SIGNALS, &body))
        return;
    w->signals_received++;
    int r = signals_decode(&body, &s);
    if (r == -ENOMEM)
        c->p->is_out_of_memory = true;
    if (r < 0) {
        pool_condemn(c->p, w, STATUS_PROTOCOL, "worker says wrong SIGNALS");
        return;
    }
    bool is_sound = are_signals_sound(c, w, &s, step);
    if (is_sound && signals_reserve(c, s.n) < 0) {
        c->p->is_out_of_memory = true;
    } else if (is_sound && s.n > 0) {
        memcpy(c->signal + c->signals_n, s.signals, s.n * sizeof *s.signals);
        c->signals_n += s.n;
    }
    signals_fini(&s);
}

/* Workers host contiguous lanes in order, so that one after another is lane order. */
static void gather_signals(struct pace *c, uint32_t step)
{
    c->signals_n = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++) {
        struct worker_ref *w = &c->p->worker[i];
        if (!is_in_wave(w))
            continue;
        uint32_t sent =
            atomic_load_explicit(&pool_slot(c->p, w)->signals_sent, memory_order_acquire);
        if (sent == w->signals_received + 1)
            take_signals(c, w, step);
        else if (sent != w->signals_received)
            pool_condemn(c->p, w, STATUS_PROTOCOL, "worker counts its SIGNALS wrongly");
    }
}

/* ---- orders and fills ----------------------------------------------------------------------- */

/* Those of one worker: a contiguous part, as fills come in lane order. */
static struct fills fills_of(const struct worker_ref *w, const struct fills *all, uint32_t *at)
{
    struct fills part = {.step = all->step, .is_final = all->is_final, .next_step = UINT32_MAX};
    while (*at < all->n && all->fills[*at].target_portfolio < w->lanes_0)
        ++*at; /* of a worker that left the wave */
    part.fills = all->fills + *at;
    while (*at < all->n && all->fills[*at].target_portfolio < w->lanes_0 + w->lanes_n) {
        ++*at;
        part.n++;
    }
    return part;
}

static void route_fills(struct pace *c, const struct fills *all)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++) {
        struct worker_ref *w = &c->p->worker[i];
        if (!is_in_wave(w))
            continue;
        struct fills part = fills_of(w, all, &at);
        if (part.n == 0 && !all->is_final)
            continue;
        fills_encode(channel_begin(w->channel, MSG_ROUTED_FILLS), &part);
        w->fills_sent += !all->is_final; /* the last frame is of no step: it ends the wave */
        (void)pool_send(c->p, w);        /* one that is gone is buried at the next barrier */
    }
}

static bool are_fills_sound(const struct fills *f, uint32_t step, bool is_final)
{
    for (uint32_t i = 1; i < f->n; i++)
        if (f->fills[i].target_portfolio < f->fills[i - 1].target_portfolio)
            return false;
    return f->step == step && f->is_final == (is_final ? 1 : 0);
}

static int exchange(struct pace *c, uint32_t step, bool is_final)
{
    struct worker_ref *service = c->service;
    struct signals orders = {
        .step = step, .is_final = is_final, .n = c->signals_n, .signals = c->signal};
    struct reader body;
    struct fills fills;
    signals_encode(channel_begin(service->channel, MSG_ORDERS), &orders);
    if (!pool_send(c->p, service) || !receive_owed(c, service, MSG_FILLS, &body))
        return c->p->is_stop_now ? PACE_E_STOP : PACE_E_SERVICE;
    int r = fills_decode(&body, &fills);
    if (r < 0) {
        pool_condemn(c->p, service, STATUS_PROTOCOL, "the service says wrong FILLS");
        return PACE_E_SERVICE;
    }
    bool is_sound = are_fills_sound(&fills, is_final ? step : step + 1, is_final);
    if (is_sound) {
        c->next_step = fills.next_step;
        route_fills(c, &fills);
    } else {
        pool_condemn(c->p, service, STATUS_PROTOCOL,
                     "the service says FILLS that were not asked for");
    }
    fills_fini(&fills);
    return is_sound ? 0 : PACE_E_SERVICE;
}

static int do_step(struct pace *c, uint32_t step, bool is_final)
{
    struct pool *p = c->p;
    uint32_t n = in_wave_n(c);
    if (n == 0)
        return PACE_E_EMPTY;
    for (uint32_t i = 0; i < p->workers_n;
         i++) /* before the step is published, which orders them */
        if (is_in_wave(&p->worker[i]))
            atomic_store_explicit(&pool_slot(p, &p->worker[i])->fills_expected,
                                  p->worker[i].fills_sent, memory_order_release);
    int r = await_arrivals(c, step_publish(p->slots.header, step, n));
    if (r != 0)
        return r;
    gather_signals(c, step);
    if (!is_final && c->signals_n == 0 && c->next_step != step + 1)
        return 0;
    return exchange(c, step, is_final);
}

static int walk(struct pace *c)
{
    struct pool *p = c->p;
    uint32_t first = p->data->first_step, n = p->data->steps_n;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < n; i++) {
        r = do_step(c, first + i, i + 1 == n);
        if (r == 0 && i % SIGNALS_EVERY == 0) {
            pool_check_signals(p);
            pool_bury_condemned(p);
            ledger_show(&p->ledger, mono_now_ns(), false);
            if (p->is_stop_now)
                r = PACE_E_STOP;
        }
    }
    return r;
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
    uint32_t n = assign_lanes(c);
    if (n == 0)
        return pool_turn(c->p, 0, err); /* the grid's scan goes on */
    give_service(c, n);
    int r = collect(c, has_opened, true, err);
    if (r == 0)
        r = walk(c);
    if (r == 0) {
        (void)worker_ref_move(c->service, WORKER_EV_DRAINED);
        r = collect(c, has_closed, false, err);
    }
    if (r == 0)
        c->service_deaths = c->service_kills = 0;
    if (r == PACE_E_SERVICE)
        (void)await_end(c, c->service); /* abandoned with the others if it lives on */
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
    if (r == 0)
        r = plane_open(p->data->plane_fd, &c->plane, err);
    while (r == 0 && !is_pace_over(p)) {
        r = staff(c, err);
        if (r == 0 && !is_pace_over(p))
            r = wave(c, err);
        /* Those who left their wave have given their work back when they are buried. */
        for (uint32_t i = 0; r == 0 && i < p->workers_n; i++)
            while (r == 0 && p->worker[i].state == WORKER_CONDEMNED)
                r = pool_turn(p, POOL_TICK_MS, err);
    }
    if (r == 0)
        r = pool_dismiss(p, err);
    if (c->sharing)
        sharing_destroy(c->sharing);
    plane_close(c->plane);
    free(c->signal);
    free(c);
    return r;
}
