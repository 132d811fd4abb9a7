/* SPDX-License-Identifier: MIT */
/* The event bus of one container: handlers by event, in order of rank. Publishing allocates nothing
 * and calls each handler before it returns, so that cause and effect stay in the order of design:
 * orders meet the bar, fills change the portfolio, equity is marked, it is recorded, risk watches
 * it, the strategy decides. */
#pragma once

#include <stdint.h>

#include "proto/trade.h"

#define BUS_HANDLERS_MAX 8 /* of one event */

/* event, what a handler is given */
#define BUS_EVENTS(X)                                                                              \
    X(BAR, "const struct bar_event *")                                                             \
    X(SIGNAL, "const struct signal *")                                                             \
    X(ORDER, "const struct order *")                                                               \
    X(FILL, "const struct fill *")                                                                 \
    X(TRADE, "const struct trade *, its bars as steps")

enum bus_event {
#define X(symbol, payload) EVENT_##symbol,
    BUS_EVENTS(X)
#undef X
        EVENT_N
};

struct bar_event {
    uint32_t step; /* of the container's market */
};

/* Ranks of handlers: lower ones are called first. */
enum bus_rank {
    RANK_CARRY = 5,
    RANK_MATCH = 10,
    RANK_ACCOUNT = 20,
    RANK_RECORD = 30,
    RANK_GUARD = 35,
    RANK_DECIDE = 40,
};

typedef void (*bus_handler_fn)(void *self, const void *event);

struct bus_handler {
    bus_handler_fn fn;
    void *self;
    int rank;
};

struct bus {
    uint32_t n[EVENT_N];
    struct bus_handler handler[EVENT_N][BUS_HANDLERS_MAX];
};

/* 0, or -ENOSPC beyond BUS_HANDLERS_MAX. Equal ranks keep the order of subscription. */
int bus_subscribe(struct bus *bus, enum bus_event event, int rank, struct bus_handler handler)
    __attribute__((warn_unused_result));

static inline void bus_publish(const struct bus *bus, enum bus_event event, const void *payload)
{
    const struct bus_handler *h = bus->handler[event];
    for (uint32_t i = 0, n = bus->n[event]; i < n; i++)
        h[i].fn(h[i].self, payload);
}
