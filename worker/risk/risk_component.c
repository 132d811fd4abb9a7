/* SPDX-License-Identifier: MIT */
/* The risk manager of a container: turns the strategy's signals into orders. */
#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/risk/risk.h"

struct risk_state {
    struct risk_view view;
    const struct combo *combo;
    const struct account *account;
    const struct bus *bus;
};

static int risk_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                          struct err *err)
{
    ((struct risk_state *)self)->combo = combo;
    return 0;
}

static int risk_initialize(void *self, struct container *c, struct err *err)
{
    struct risk_state *r = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    r->account = portfolio->type->portfolio->account(portfolio->self);
    r->bus = container_resolve(c, "event_bus");
    r->view = (struct risk_view){
        .cfg = &r->combo->risk,
        .portfolio = &r->combo->portfolio,
        .execution = &r->combo->execution,
        .exits = &r->combo->exits,
    };
    return 0;
}

static unsigned risk_component_decide(void *self, const struct account *account,
                                      const struct signal *signal,
                                      struct order ret_orders[static 2])
{
    const struct risk_state *r = self;
    return risk_decide(&r->view, &account->pos[signal->symbol_idx], signal, ret_orders);
}

static void risk_on_signal(void *self, const void *event)
{
    const struct risk_state *r = self;
    struct order order[RISK_ORDERS_MAX];
    unsigned n = risk_component_decide(self, r->account, event, order);
    for (unsigned i = 0; i < n; i++)
        bus_publish(r->bus, EVENT_ORDER, &order[i]);
}

static int risk_subscribe(void *self, struct bus *bus)
{
    return bus_subscribe(bus, EVENT_SIGNAL, RANK_DECIDE,
                         (struct bus_handler){risk_on_signal, self, 0});
}

static const struct component_param risk_params[] = {
    {"max_position_size", NULL, 0, 0, 1e15, 0, "largest position in units; 0 means no limit here"},
};

const struct component_type type_risk_manager = {
    .name = "risk_manager",
    .kind = "risk",
    .what = "Turns signals into orders: direction, reversal, sizing, the largest position.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct risk_state),
    .params = risk_params,
    .params_n = sizeof risk_params / sizeof risk_params[0],
    .lifecycle = &(const struct lifecycle){.initialize = risk_initialize},
    .configurable = &(const struct configurable){risk_configure},
    .event_subscriber = &(const struct event_subscriber){risk_subscribe},
    .risk_manager = &(const struct risk_manager){risk_component_decide},
};
