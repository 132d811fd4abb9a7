/* SPDX-License-Identifier: MIT */
/* Risk: what becomes of a signal. It is vetoed (wrong direction, already there), or becomes a
 * close, an entry, or both; entries carry their sizing and the largest position that is allowed. A
 * pure function, so that a risk manager of a container and a shared risk container decide alike. */
#pragma once

#include "proto/spec.h"
#include "proto/trade.h"
#include "worker/broker/broker.h"
#include "worker/portfolio/account.h"

/* What the decision rests on besides the signal. */
struct risk_view {
    const struct risk_cfg *cfg;
    const struct portfolio_cfg *portfolio;
    const struct execution_cfg *execution; /* what its costs will be */
    const struct exits_cfg *exits;
};

/* All of it from one combination; borrows the combo. */
struct risk_view risk_view_of(const struct combo *combo);

#define RISK_ORDERS_MAX 2

/* Writes at most RISK_ORDERS_MAX orders in the order in which they are to be placed; returns how
 * many. */
unsigned risk_decide(const struct risk_view *view, const struct position *position,
                     const struct signal *signal, struct order ret_orders[static RISK_ORDERS_MAX]);

/* The kinds of signal that could change anything for a position. A signal with none of them makes
 * no order and need not be said; one with some is said whole, because its other kinds may still
 * weigh against them. */
unsigned risk_relevant(const struct risk_view *view, const struct position *position);
