/* SPDX-License-Identifier: MIT */
/* Signals of a lockstep step: received, checked, put in lane order. What a worker says is input. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/pool/pace_parts.h"

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
    const struct combo *combo = &c->p->combo[g->target_portfolio];
    uint32_t symbol = combo->symbol_idx, symbols_n = 1;
    if (symbol == COMBO_ALL_SYMBOLS) {
        symbol = g->symbol_idx;
        symbols_n = plane->traded_n;
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
    int64_t made_at = (int64_t)row - combo->execution.delay;
    if (made_at < 0 || g->ref_px != view->bars.close[made_at])
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
    if (!pace_receive_owed(c, w, MSG_SIGNALS, &body))
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
void pace_gather_signals(struct pace *c, uint32_t step)
{
    c->signals_n = 0;
    for (uint32_t i = 0; i < c->p->workers_n; i++) {
        struct worker_ref *w = &c->p->worker[i];
        if (!pace_has(w))
            continue;
        uint32_t sent =
            atomic_load_explicit(&pool_slot(c->p, w)->signals_sent, memory_order_acquire);
        if (sent == w->signals_received + 1)
            take_signals(c, w, step);
        else if (sent != w->signals_received)
            pool_condemn(c->p, w, STATUS_PROTOCOL, "worker counts its SIGNALS wrongly");
    }
}
