/* SPDX-License-Identifier: MIT */
/* The components of shared containers: one risk manager, one broker, each for all portfolios whose
 * configuration hashes to theirs. They decide and fill by the same functions as those of a full
 * container. */
#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/lockstep/shared.h"

struct shared_state {
    struct shared_lanes *lanes;
    const struct shared_group *group; /* the lanes that this container serves */
    const struct bus *bus;
};

static int shared_initialize(void *self, struct container *c, struct err *err)
{
    struct shared_state *s = self;
    struct shared_lanes *const *lanes = container_resolve(c, "portfolios");
    s->lanes = *lanes;
    s->bus = container_resolve(c, "event_bus");
    s->group = container_resolve(c, "group");
    return 0;
}

/* ---- risk ----------------------------------------------------------------------------------- */

static void shared_on_signal(void *self, const void *event)
{
    const struct shared_state *s = self;
    const struct signal *signal = event;
    const struct shared_lane *lane = &s->lanes->lane[signal->target_portfolio];
    struct order order[RISK_ORDERS_MAX];
    unsigned n = risk_decide(&lane->view, &lane->account.pos[signal->symbol_idx], signal, order);
    for (unsigned i = 0; i < n; i++)
        bus_publish(s->bus, EVENT_ORDER, &order[i]);
}

const struct component_type type_shared_risk_manager = {
    .name = "shared_risk_manager",
    .kind = "risk",
    .what = "The risk manager of many portfolios with one configuration, in lockstep runs.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct shared_state),
    .lifecycle = &(const struct lifecycle){.initialize = shared_initialize},
    .risk_manager = &(const struct risk_manager){shared_on_signal},
};

/* ---- execution ------------------------------------------------------------------------------ */

static void shared_on_order(void *self, const void *event)
{
    const struct shared_state *s = self;
    const struct order *order = event;
    struct shared_lane *lane = &s->lanes->lane[order->target_portfolio];
    order_book_place(&lane->book, order);
    lane->is_touched = true;
}

/* Sizes of entries rest on the last close that each symbol had before this bar. */
static void mark_before(struct shared_lane *lane, uint32_t step)
{
    for (uint32_t i = 0; i < lane->market->symbols_n; i++) {
        int32_t row =
            step > lane->market->first_step ? market_last_row(lane->market, i, step - 1) : -1;
        if (row >= 0)
            lane->account.mark_px[i] = lane->market->symbol[i]->bars.close[row];
    }
}

/* When a standing order of this lane next meets a bar that fills it, from plane step `from` on. */
static uint32_t next_plane_step(const struct shared_lane *lane, uint32_t from)
{
    uint32_t step = execution_next_fill(&lane->execution, market_step_from(lane->market, from));
    return step == UINT32_MAX ? step : market_plane_step(lane->market, step);
}

static void lane_bar(struct shared_lane *lane, uint32_t plane_step)
{
    if (!lane->is_touched && lane->next_step > plane_step)
        return;
    lane->is_touched = false;
    int64_t step = market_step(lane->market, plane_step);
    if (step >= 0) {
        mark_before(lane, (uint32_t)step);
        execution_bar(&lane->execution, (uint32_t)step);
    }
    lane->next_step = next_plane_step(lane, plane_step + 1);
}

static void lane_end(struct shared_lane *lane)
{
    if (lane->market->steps_n == lane->market->first_step)
        return;
    mark_before(lane, lane->market->steps_n);
    execution_end(&lane->execution, lane->market->steps_n - 1);
}

static void shared_on_bar(void *self, const void *event)
{
    const struct shared_state *s = self;
    for (uint32_t i = 0; i < s->group->lanes_n; i++) {
        struct shared_lane *lane = &s->lanes->lane[s->group->lane[i]];
        if (s->lanes->is_final)
            lane_end(lane);
        else
            lane_bar(lane, ((const struct bar_event *)event)->step);
    }
}

static int shared_broker_subscribe(void *self, struct bus *bus)
{
    int r = bus_subscribe(bus, EVENT_BAR, RANK_MATCH, (struct bus_handler){shared_on_bar, self, 0});
    return r ? r
             : bus_subscribe(bus, EVENT_ORDER, RANK_MATCH,
                             (struct bus_handler){shared_on_order, self, 0});
}

static void shared_finish(void *self, uint32_t last_step)
{
    const struct bar_event bar = {last_step};
    shared_on_bar(self, &bar);
}

const struct component_type type_shared_broker = {
    .name = "shared_broker",
    .kind = "execution",
    .what = "The broker of many portfolios with one configuration, in lockstep runs.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct shared_state),
    .lifecycle = &(const struct lifecycle){.initialize = shared_initialize},
    .event_subscriber = &(const struct event_subscriber){shared_broker_subscribe},
    .executor = &(const struct executor){shared_finish},
};
