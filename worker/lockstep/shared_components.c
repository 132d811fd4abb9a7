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

/* ---- closes --------------------------------------------------------------------------------- */

static void mark_prices(struct shared_lane *lane, uint32_t step)
{
    for (uint32_t i = 0; i < lane->market->symbols_n; i++) {
        int32_t row = market_last_row(lane->market, i, step);
        if (row >= 0)
            lane->account.mark_px[i] = lane->market->symbol[i]->bars.close[row];
    }
}

void shared_lane_mark(struct shared_lane *lane, uint32_t step)
{
    struct account *a = &lane->account;
    mark_prices(lane, step);
    a->equity = account_equity(a);
    lane->closed_step = step;
    if (a->equity <= 0.0 && lane->combo->portfolio.bankruptcy == BANKRUPTCY_END)
        a->is_bankrupt =
            true; /* its portfolio closes what stands, and hears no more of this side */
}

struct lane_place {
    const struct bus *bus;
    uint32_t lane;
};

static void place_order(void *ctx, const struct order *order)
{
    const struct lane_place *p = ctx;
    struct order own = *order;
    own.target_portfolio = p->lane;
    bus_publish(p->bus, EVENT_ORDER, &own);
}

/* What happens at a close before the strategy is heard, once a step: the account is marked as its
 * portfolio marks it, and risk looks at it. */
static void lane_close(const struct shared_state *s, uint32_t number, uint32_t step)
{
    struct shared_lane *lane = &s->lanes->lane[number];
    if (lane->closed_step == step || lane->account.is_bankrupt)
        return;
    carry_to(&lane->carry, &lane->account, step);
    if (lane->is_watched)
        risk_before_close(&lane->view, &lane->risk);
    shared_lane_mark(lane, step);
    if (!lane->is_watched)
        return;
    lane->is_unsettled = false;
    lane->watch_step = UINT32_MAX;
    risk_watch(&lane->view, &lane->risk, step, place_order, &(struct lane_place){s->bus, number});
}

/* ---- risk ----------------------------------------------------------------------------------- */

static void shared_on_close(void *self, const void *event)
{
    const struct shared_state *s = self;
    uint32_t plane_step = ((const struct bar_event *)event)->step;
    for (uint32_t i = 0; i < s->group->lanes_n; i++) {
        const struct shared_lane *lane = &s->lanes->lane[s->group->lane[i]];
        if (lane->watch_step > plane_step)
            continue;
        int64_t step = market_step(lane->market, plane_step);
        if (step >= (int64_t)lane->market->first_step)
            lane_close(s, s->group->lane[i], (uint32_t)step);
    }
}

static void shared_on_signal(void *self, const void *event)
{
    const struct shared_state *s = self;
    const struct signal *signal = event;
    struct shared_lane *lane = &s->lanes->lane[signal->target_portfolio];
    struct risk_decision decision;
    lane_close(s, signal->target_portfolio, signal->bar);
    risk_decide(&lane->view, &lane->risk, signal, &decision);
    for (unsigned i = 0; i < decision.n; i++)
        bus_publish(s->bus, EVENT_ORDER, &decision.order[i]);
    if (decision.is_vetoed) {
        const struct fill notice = risk_notice(signal);
        lane->execution.emit(lane->execution.ctx, &notice);
    }
}

static int shared_risk_subscribe(void *self, struct bus *bus)
{
    return bus_subscribe(bus, EVENT_BAR, RANK_GUARD,
                         (struct bus_handler){shared_on_close, self, 0});
}

const struct component_type type_shared_risk_manager = {
    .name = "shared_risk_manager",
    .kind = "risk",
    .what = "The risk manager of many portfolios with one configuration, in lockstep runs.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct shared_state),
    .lifecycle = &(const struct lifecycle){.initialize = shared_initialize},
    .event_subscriber = &(const struct event_subscriber){shared_risk_subscribe},
    .risk_manager = &(const struct risk_manager){shared_on_signal},
};

/* ---- execution ------------------------------------------------------------------------------ */

static void shared_on_order(void *self, const void *event)
{
    const struct shared_state *s = self;
    const struct order *order = event;
    struct shared_lane *lane = &s->lanes->lane[order->target_portfolio];
    execution_place(&lane->execution, order);
    lane->is_touched = true;
}

/* When a standing order of this lane next meets a bar that does something to it, from plane step
 * `from` on. */
static uint32_t next_plane_step(const struct shared_lane *lane, uint32_t from)
{
    uint32_t step = execution_next_fill(&lane->execution, market_step_from(lane->market, from));
    return step == UINT32_MAX ? step : market_plane_step(lane->market, step);
}

/* Equity moves while positions are open; what a position has left is seen at one more close. */
static uint32_t next_watch_step(const struct shared_lane *lane, uint32_t from)
{
    if (!lane->is_watched || (lane->account.open_n == 0 && !lane->is_unsettled))
        return UINT32_MAX;
    uint32_t step = market_step_from(lane->market, from);
    return step < lane->market->steps_n ? market_plane_step(lane->market, step) : UINT32_MAX;
}

static void lane_bar(struct shared_lane *lane, uint32_t plane_step)
{
    bool is_due = lane->is_touched || lane->next_step <= plane_step;
    int64_t step = market_step(lane->market, plane_step);
    lane->is_touched = false;
    if (lane->account.is_bankrupt) {
        lane->next_step = lane->watch_step = UINT32_MAX;
        return;
    }
    if (is_due && step >= (int64_t)lane->market->first_step) {
        if ((uint32_t)step > lane->market->first_step)
            mark_prices(lane, (uint32_t)step - 1);
        carry_to(&lane->carry, &lane->account, (uint32_t)step);
        execution_bar(&lane->execution, (uint32_t)step);
    }
    if (is_due)
        lane->next_step = next_plane_step(lane, plane_step + 1);
    if (lane->watch_step == UINT32_MAX)
        lane->watch_step = next_watch_step(lane, plane_step);
}

static void lane_end(struct shared_lane *lane)
{
    if (lane->market->steps_n == lane->market->first_step || lane->account.is_bankrupt)
        return;
    carry_to(&lane->carry, &lane->account, lane->market->steps_n - 1);
    mark_prices(lane, lane->market->steps_n - 1);
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
