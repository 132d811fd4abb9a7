/* SPDX-License-Identifier: MIT */
/* The uplink component: stands in a lane's container where the risk manager would, and queues
 * signals for the shared one in another process. */
#include "worker/lockstep/uplink.h"

#include "worker/builtin.h"
#include "worker/container.h"

struct uplink_state {
    struct uplink_queue *const *queue;
    uint32_t lane;
};

static int uplink_initialize(void *self, struct container *c, struct err *err)
{
    struct uplink_state *u = self;
    u->queue = container_resolve(c, "uplink_queue");
    u->lane = c->lane;
    return u->queue ? 0 : err_set(err, ERR_BUG, "container %s has no uplink queue", c->id);
}

static void uplink_on_signal(void *self, const void *event)
{
    const struct uplink_state *u = self;
    struct uplink_queue *q = *u->queue;
    if (q->n == q->capacity) { /* more than one a symbol of each lane */
        q->is_overfull = true;
        return;
    }
    struct signal *signal = &q->signals[q->n++];
    *signal = *(const struct signal *)event;
    signal->target_portfolio = u->lane; /* a strategy speaks for its own portfolio alone */
}

static int uplink_subscribe(void *self, struct bus *bus)
{
    return bus_subscribe(bus, EVENT_SIGNAL, RANK_DECIDE,
                         (struct bus_handler){uplink_on_signal, self, 0});
}

const struct component_type type_uplink = {
    .name = "uplink",
    .kind = "risk",
    .what = "Sends a container's signals to the shared risk container of a lockstep run.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct uplink_state),
    .lifecycle = &(const struct lifecycle){.initialize = uplink_initialize},
    .event_subscriber = &(const struct event_subscriber){uplink_subscribe},
};
