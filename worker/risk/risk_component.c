/* SPDX-License-Identifier: MIT */
/* The risk manager of a container: turns the strategy's signals into orders. */
#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/risk/risk.h"

struct risk_manager_state {
    struct risk_view view;
    struct risk_state state;
    const struct combo *combo;
    const struct bus *bus;
    uint32_t lane;
};

static int risk_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                          struct err *err)
{
    ((struct risk_manager_state *)self)->combo = combo;
    return 0;
}

static int risk_initialize(void *self, struct container *c, struct err *err)
{
    struct risk_manager_state *r = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    r->bus = container_resolve(c, "event_bus");
    r->lane = c->lane;
    r->view = (struct risk_view){
        .combo = r->combo,
        .market = container_resolve(c, "market_data"),
        .account = portfolio->type->portfolio->account(portfolio->self),
    };
    return 0;
}

static void manager_reset(void *self)
{
    struct risk_manager_state *r = self;
    risk_reset(&r->view, &r->state);
}

/* Orders that fill at once may end the account: then no more is placed. */
static void risk_on_signal(void *self, const void *event)
{
    const struct risk_manager_state *r = self;
    struct risk_decision decision;
    risk_decide(&r->view, &r->state, event, &decision);
    for (unsigned i = 0; i < decision.n && !r->view.account->is_bankrupt; i++)
        bus_publish(r->bus, EVENT_ORDER, &decision.order[i]);
    if (decision.is_vetoed && !r->view.account->is_bankrupt) {
        const struct fill notice = risk_notice(event);
        bus_publish(r->bus, EVENT_FILL, &notice);
    }
}

static void publish_order(void *ctx, const struct order *order)
{
    const struct risk_manager_state *r = ctx;
    struct order own = *order;
    own.target_portfolio = r->lane;
    bus_publish(r->bus, EVENT_ORDER, &own);
}

static void risk_before_bar(void *self, const void *event)
{
    struct risk_manager_state *r = self;
    risk_before_close(&r->view, &r->state);
}

static void risk_on_bar(void *self, const void *event)
{
    struct risk_manager_state *r = self;
    risk_watch(&r->view, &r->state, ((const struct bar_event *)event)->step, publish_order, r);
}

static int risk_subscribe(void *self, struct bus *bus)
{
    const struct risk_manager_state *r = self;
    if (!risk_watches(&r->combo->risk))
        return 0;
    int e =
        bus_subscribe(bus, EVENT_BAR, RANK_MATCH, (struct bus_handler){risk_before_bar, self, 0});
    return e ? e
             : bus_subscribe(bus, EVENT_BAR, RANK_GUARD,
                             (struct bus_handler){risk_on_bar, self, 0});
}

const struct component_type type_risk_manager = {
    .name = "risk_manager",
    .kind = "risk",
    .what =
        "Turns signals into orders: direction, reversal, limits, cooldown, and stops on equity. "
        "Configured by the keys of `risk`: docs/CONFIGURATION.md.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS | 1 << CAPABILITY_RESET,
    .state_bytes = sizeof(struct risk_manager_state),
    .lifecycle = &(const struct lifecycle){.initialize = risk_initialize},
    .configurable = &(const struct configurable){risk_configure},
    .event_subscriber = &(const struct event_subscriber){risk_subscribe},
    .resettable = &(const struct resettable){manager_reset},
    .risk_manager = &(const struct risk_manager){risk_on_signal},
};
