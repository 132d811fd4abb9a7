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
    r->view = risk_view_of(r->combo);
    return 0;
}

static void risk_on_signal(void *self, const void *event)
{
    const struct risk_state *r = self;
    const struct signal *signal = event;
    struct order order[RISK_ORDERS_MAX];
    unsigned n = risk_decide(&r->view, &r->account->pos[signal->symbol_idx], signal, order);
    for (unsigned i = 0; i < n; i++)
        bus_publish(r->bus, EVENT_ORDER, &order[i]);
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
    .risk_manager = &(const struct risk_manager){risk_on_signal},
};
