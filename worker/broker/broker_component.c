/* SPDX-License-Identifier: MIT */
/* The broker component of a full container: keeps the orders that wait and lets them meet each bar.
 */
#include <errno.h>

#include "worker/broker/execution.h"
#include "worker/builtin.h"
#include "worker/container.h"

struct broker_state {
    struct execution execution;
    struct order_book book;
    const struct bus *bus;
};

/* An account that a fill at its close has ended hears of no more. */
static void broker_emit(void *ctx, const struct fill *fill)
{
    const struct broker_state *b = ctx;
    if (!b->execution.account->is_bankrupt)
        bus_publish(b->bus, EVENT_FILL, fill);
}

static int broker_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                            struct err *err)
{
    ((struct broker_state *)self)->execution.combo = combo;
    return 0;
}

static int broker_initialize(void *self, struct container *c, struct err *err)
{
    struct broker_state *b = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    b->bus = container_resolve(c, "event_bus");
    b->execution.market = container_resolve(c, "market_data");
    b->execution.account = portfolio->type->portfolio->account(portfolio->self);
    b->execution.book = &b->book;
    b->execution.emit = broker_emit;
    b->execution.ctx = b;
    b->execution.target_portfolio = c->lane;
    return order_book_init(&b->book, c->arena, b->execution.market->symbols_n);
}

static void broker_reset(void *self)
{
    order_book_clear(&((struct broker_state *)self)->book);
}

static void broker_on_bar(void *self, const void *event)
{
    const struct broker_state *b = self;
    if (!execution_is_idle(&b->execution))
        execution_bar(&b->execution, ((const struct bar_event *)event)->step);
}

static void broker_on_order(void *self, const void *event)
{
    execution_place(&((const struct broker_state *)self)->execution, event);
}

static int broker_subscribe(void *self, struct bus *bus)
{
    int r = bus_subscribe(bus, EVENT_BAR, RANK_MATCH, (struct bus_handler){broker_on_bar, self, 0});
    return r ? r
             : bus_subscribe(bus, EVENT_ORDER, RANK_MATCH,
                             (struct bus_handler){broker_on_order, self, 0});
}

static void broker_finish(void *self, uint32_t last_step)
{
    const struct broker_state *b = self;
    execution_end(&b->execution, last_step);
}

const struct component_type type_broker = {
    .name = "broker",
    .kind = "execution",
    .what =
        "Fills orders and watches the brackets of open positions, bar by bar. Configured by the "
        "keys of `execution` and `exits`: docs/CONFIGURATION.md.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS | 1 << CAPABILITY_RESET,
    .state_bytes = sizeof(struct broker_state),
    .lifecycle = &(const struct lifecycle){.initialize = broker_initialize},
    .configurable = &(const struct configurable){broker_configure},
    .event_subscriber = &(const struct event_subscriber){broker_subscribe},
    .resettable = &(const struct resettable){broker_reset},
    .executor = &(const struct executor){broker_finish},
};
