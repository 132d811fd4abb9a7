/* SPDX-License-Identifier: MIT */
/* The shared side of a lockstep wave: risk and execution containers, and every portfolio that they
 * serve, as they see it: a mirror of its account that the same fills keep equal to the original.
 *
 *   step t:  closes of t are marked and watched ── signals of t become orders; at this close, fills
 *            ── orders and brackets meet the bars of t+1 ── fills leave, in lane order
 *
 * A lane is asked only when it has a signal, when a bar may do something to its orders or brackets,
 * or when its equity is to be watched: between these nothing of its mirror moves but marks, which
 * are looked up. Free of processes, so that tests drive it as the service does. */
#pragma once

#include "proto/body.h"
#include "worker/broker/execution.h"
#include "worker/portfolio/carry.h"
#include "worker/risk/risk.h"
#include "worker/session.h"

/* One target portfolio. */
struct shared_lane {
    const struct combo *combo;
    const struct market *market;
    struct risk_view view;
    struct risk_state risk;
    struct account account;
    struct carry carry;
    struct order_book book;
    struct execution execution;
    uint32_t risk_idx, execution_idx; /* of shared_lanes.risk and .execution */
    uint32_t fills_n;                 /* of this step */
    uint32_t closed_step; /* of the market, whose closes were last marked; UINT32_MAX: none */
    uint32_t next_step;   /* of the plane: when a standing order or bracket next meets its bar */
    uint32_t watch_step;  /* of the plane: the next close at which equity is looked at */
    bool is_watched;      /* the risk configuration watches equity */
    bool is_unsettled;    /* it had fills since its equity was last looked at */
    bool is_touched;      /* it got orders in this step */
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
    bool is_final;
};

struct shared {
    struct session *session;
    struct arena arena;
    struct shared_lanes lanes, *lanes_ref;
    struct fill *fills;   /* of this step, as they were made */
    struct fill *ordered; /* the same in lane order */
    uint32_t fills_n, fills_capacity;
    bool is_short_of_memory;
};

/* The wave of `batch`, which is borrowed until shared_close(). On failure shared_close() is still
 * due. */
int shared_open(struct shared *s, struct session *session, const struct batch *batch,
                struct err *err) ADMF_MUST_CHECK;
void shared_close(struct shared *s);

/* Signals at the close of step t, and the bars of t+1 (none, if they are final). *ret_fills is
 * borrowed until the next call. 0, -EPROTO for signals that are not of this wave, -ENOMEM. */
int shared_step(struct shared *s, const struct signals *in,
                struct fills *ret_fills) ADMF_MUST_CHECK;

/* ---- for the components --------------------------------------------------------------------- */

/* Marks of the closes at a step of the market. */
void shared_lane_mark(struct shared_lane *lane, uint32_t step);
