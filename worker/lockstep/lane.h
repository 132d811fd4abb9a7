/* SPDX-License-Identifier: MIT */
/* One lane: a container whose risk and execution are shared, one step at a time. Strategy,
 * portfolio and performance tracker are here. Free of processes, so that tests drive it as a worker
 * does. */
#pragma once

#include "worker/lockstep/uplink.h"
#include "worker/session.h"

struct lane {
    const struct combo *combo;
    struct arena arena;
    struct container *container; /* NULL: refused, `result` is final */
    const struct market *market;
    const struct component *portfolio;
    const struct account *account;
    uint32_t last_step; /* of the bar that was last seen; UINT32_MAX before the first */
    struct result result;
};

struct lane_request {
    const struct combo *combo;
    struct uplink_queue *const *uplink;
    uint32_t number;     /* target_portfolio of its signals and fills */
    const bool *details; /* as of struct container_request */
};

/* A combination that cannot be made has its result at once. */
void lane_open(struct lane *lane, struct session *session, const struct lane_request *request);
/* A fill among those of `fills`. Fills for an account that has ended are passed over: the shared
 * side may not know. -EPROTO for one that makes no sense for the account. */
int lane_apply(struct lane *lane, const struct fills *fills,
               const struct fill *fill) ADMF_MUST_CHECK;
/* The bar of a step of the plane; nothing where this lane has none. */
void lane_step(struct lane *lane, struct slot *slot, uint32_t plane_step);
/* After the last fills: measures, tears down. Returns the bars that it settled. */
uint64_t lane_close(struct lane *lane, struct slot *slot);
