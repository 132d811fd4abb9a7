/* SPDX-License-Identifier: MIT */
/* The shared side of a lockstep wave: every portfolio that shared containers serve, as they see it.
 */
#pragma once

#include "worker/broker/broker.h"
#include "worker/risk/risk.h"
#include "worker/session.h"

/* One target portfolio: its orders, and a mirror of its account that the same fills keep equal to
 * the original. */
struct shared_lane {
    const struct combo *combo;
    const struct market *market;
    struct risk_view view;
    struct account account;
    struct order_book book;
    struct execution execution;
    uint32_t risk_idx, execution_idx; /* of shared_lanes.risk and .execution */
    uint32_t fills_n;                 /* of this step */
    uint32_t next_step; /* of the plane's clock: when a standing order next meets its bar */
    bool is_touched;    /* it got orders in this step */
};

/* One shared container: it is there for the lanes of this wave that hash to it, and no others. */
struct shared_group {
    uint32_t number; /* among the shared containers of the run: its name */
    uint32_t lanes_n;
    uint32_t *lane; /* [lanes_n] ascending */
    struct container *container;
};

struct shared_groups {
    struct shared_group *group; /* [n] ascending by number */
    uint32_t n;
};

struct shared_lanes {
    struct shared_lane *lane; /* by target_portfolio */
    uint32_t n;
    struct shared_groups risk, execution;
    uint32_t step; /* plane step whose bar the orders meet now */
    bool is_final;
};
