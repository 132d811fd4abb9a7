/* SPDX-License-Identifier: MIT */
/* The event bus of one container. */
#include "worker/bus.h"

#include <errno.h>
#include <string.h>

int bus_subscribe(struct bus *bus, enum bus_event event, int rank, struct bus_handler handler)
{
    uint32_t n = bus->n[event];
    if (n == BUS_HANDLERS_MAX)
        return -ENOSPC;
    struct bus_handler *h = bus->handler[event];
    uint32_t at = n;
    while (at > 0 && h[at - 1].rank > rank)
        at--;
    memmove(&h[at + 1], &h[at], (n - at) * sizeof *h);
    h[at] = handler;
    h[at].rank = rank;
    bus->n[event] = n + 1;
    return 0;
}
