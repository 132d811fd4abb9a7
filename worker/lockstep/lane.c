/* SPDX-License-Identifier: MIT */
/* One lane of a lockstep wave. */
#include "worker/lockstep/lane.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>

void lane_open(struct lane *l, struct session *session, const struct lane_request *request)
{
    struct err err = {0};
    *l = (struct lane){.combo = request->combo, .arena = l->arena, .last_step = UINT32_MAX};
    session_tell(session, l->combo);
    const struct container_request q = {
        .shape = SHAPE_LANE,
        .combo = l->combo,
        .arena = &l->arena,
        .details = request->details,
        .uplink = request->uplink,
        .lane = request->number,
    };
    int r = session_container(session, &q, &l->container, &err);
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

/* ---- fills ---------------------------------------------------------------------------------- */

/* A fill belongs to the step that it comes for, or to the close that was last seen. One that is
 * booked with the next bar, one of the end, and a notice may be of any bar before: of its symbol's
 * last. */
static bool bar_fits(const struct lane *l, const struct fills *fills, const struct fill *f)
{
    if (f->bar < l->market->first_step)
        return false;
    if (fills->is_final)
        return f->bar < l->market->steps_n;
    bool is_of_any = f->flags & (FILL_BOOKED_NEXT_BAR | FILL_NOTICES);
    if (is_of_any && l->last_step != UINT32_MAX && f->bar < l->last_step)
        return true;
    return (int64_t)f->bar == market_step(l->market, fills->step) || f->bar == l->last_step;
}

static bool fill_fits(const struct lane *l, const struct fills *fills, const struct fill *f)
{
    if (f->symbol_idx >= l->market->symbols_n || !bar_fits(l, fills, f))
        return false;
    if (f->qty == 0.0)
        return f->flags & FILL_NOTICES;
    if (!isfinite(f->qty) || !isfinite(f->px) || !isfinite(f->commission) ||
        !isfinite(f->slippage) || f->flags & FILL_NOTICES)
        return false;
    double held = l->account->pos[f->symbol_idx].qty;
    bool is_opposite = held != 0.0 && (held > 0.0) != (f->qty > 0.0);
    bool fits = f->is_close ? is_opposite && fabs(f->qty) <= fabs(held) : !is_opposite;
    return fits && f->px >= 0.0 && f->commission >= 0.0 && f->slippage >= 0.0;
}

int lane_apply(struct lane *l, const struct fills *fills, const struct fill *f)
{
    if (!l->container || l->account->is_bankrupt)
        return 0;
    if (!fill_fits(l, fills, f))
        return -EPROTO;
    bus_publish(&l->container->bus, EVENT_FILL, f);
    return 0;
}

/* ---- steps ---------------------------------------------------------------------------------- */

void lane_step(struct lane *l, struct slot *slot, uint32_t plane_step)
{
    if (!l->container || l->account->is_bankrupt)
        return;
    int64_t step = market_step(l->market, plane_step);
    if (step < (int64_t)l->market->first_step)
        return;
    atomic_store_explicit(&slot->combination, l->combo->combination, memory_order_relaxed);
    atomic_store_explicit(&slot->bar, (uint32_t)step, memory_order_relaxed);
    const struct bar_event bar = {(uint32_t)step};
    l->last_step = bar.step;
    bus_publish(&l->container->bus, EVENT_BAR, &bar);
}

uint64_t lane_close(struct lane *l, struct slot *slot)
{
    if (!l->container)
        return 0;
    atomic_store_explicit(&slot->combination, l->combo->combination, memory_order_relaxed);
    if (l->market->steps_n > l->market->first_step && !l->account->is_bankrupt)
        l->portfolio->type->portfolio->mark(l->portfolio->self, l->market->steps_n - 1);
    session_finish(l->container, l->combo, &l->result);
    return l->market->bars_n;
}
