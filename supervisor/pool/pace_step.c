/* SPDX-License-Identifier: MIT */
/* One step of a lockstep wave: it is published, workers arrive, their signals go to the service,
 * its fills go to those who host the portfolios. */
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "proto/units.h"
#include "shm/step.h"
#include "supervisor/pool/pace_parts.h"

#define SLICE_MS      20 /* between looks at who died while others are waited for */
#define SLICE_NS      INT64_C(20000000)
#define END_GRACE_NS  INT64_C(500000000) /* channel gone to process gone */
#define SIGNALS_EVERY 64                 /* steps between looks at the signal descriptor */

/* ---- arrivals ------------------------------------------------------------------------------- */

void pace_condemn_laggard(struct pace *c, struct worker_ref *w)
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

static uint32_t in_wave_n(const struct pace *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++)
        n += pace_has(&c->p->worker[i]);
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
        if (!pace_has(w) || has_arrived(c, w, sequence))
            continue;
        if (is_slice_over && pool_reap(c->p, w)) {
            (void)step_excuse(c->p->slots.header, sequence); /* all are counted here, by name */
            continue;
        }
        waiting_n++;
        if (is_late) {
            pace_condemn_laggard(c, w);
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

/* ---- what is owed --------------------------------------------------------------------------- */

bool pace_await_end(struct pace *c, struct worker_ref *w)
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

bool pace_receive_owed(struct pace *c, struct worker_ref *w, enum msg_type type,
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
            if (!pace_await_end(c, w))
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
        if (!pace_has(w))
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
    if (!pool_send(c->p, service) || !pace_receive_owed(c, service, MSG_FILLS, &body))
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

/* ---- steps ---------------------------------------------------------------------------------- */

static int do_step(struct pace *c, uint32_t step, bool is_final)
{
    struct pool *p = c->p;
    uint32_t n = in_wave_n(c);
    if (n == 0)
        return PACE_E_EMPTY;
    for (uint32_t i = 0; i < p->workers_n;
         i++) /* before the step is published, which orders them */
        if (pace_has(&p->worker[i]))
            atomic_store_explicit(&pool_slot(p, &p->worker[i])->fills_expected,
                                  p->worker[i].fills_sent, memory_order_release);
    int r = await_arrivals(c, step_publish(p->slots.header, step, n));
    if (r != 0)
        return r;
    pace_gather_signals(c, step);
    if (!is_final && c->signals_n == 0 && c->next_step != step + 1)
        return 0;
    return exchange(c, step, is_final);
}

int pace_walk(struct pace *c)
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
