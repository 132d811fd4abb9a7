/* SPDX-License-Identifier: MIT */
/* The reference driver: every bar of the range, one BAR event each. */
#include "worker/driver_reference.h"

#include <stdatomic.h>

/* What at_end closes, and the mark after it. */
static void finish(struct container *c, const struct component *portfolio, uint32_t last_step)
{
    const struct component *executor = container_find(c, PROTOCOL_EXECUTOR);
    if (executor)
        executor->type->executor->finish(executor->self, last_step);
    portfolio->type->portfolio->mark(portfolio->self, last_step);
}

uint64_t driver_reference_run(struct container *c)
{
    const struct market *market = c->market;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    const struct account solvent = {0}, *account = &solvent; /* of a container without one */
    if (portfolio)
        account = portfolio->type->portfolio->account(portfolio->self);
    struct slot nowhere = {0}, *slot = c->slot ? c->slot : &nowhere;
    struct bar_event bar = {market->first_step};
    for (; bar.step < market->steps_n && !account->is_bankrupt; bar.step++) {
        /* relaxed: read for progress, or after this process has died */
        atomic_store_explicit(&slot->bar, bar.step, memory_order_relaxed);
        bus_publish(&c->bus, EVENT_BAR, &bar);
    }
    uint64_t steps = bar.step - market->first_step;
    atomic_fetch_add_explicit(&slot->heartbeat, steps, memory_order_relaxed);
    if (steps && portfolio && !account->is_bankrupt)
        finish(c, portfolio, market->steps_n - 1);
    return steps;
}
