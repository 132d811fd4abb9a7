/* SPDX-License-Identifier: MIT */
/* How many units an entry is for: by portfolio.sizing, within buying power and the limits of risk,
 * in whole lots. Buying power is free equity (worker/portfolio/account.h) times leverage; under
 * short_margin none it is cash times leverage, as shorts then need no margin. What is set aside for
 * commission is what the order will pay, or as portfolio.commission_reserve and risk.commission
 * say. A hair of 1e-12 of a budget is forgiven, except under commission_reserve each_unit. */
#pragma once

#include <stdint.h>

#include "worker/broker/cost.h"
#include "worker/broker/execution.h"

/* Most whole lots in qty; qty itself where lot is 0, or less than a double of that size resolves. A
 * hair (1e-12 of qty, 1e-6 of a lot at most) is forgiven: 0.3 units are three lots of 0.1, and
 * 99.9999999999999 are 100 whole units. */
double sizing_round_down(double qty, double lot);

/* An entry that is about to fill. */
struct sizing {
    const struct execution *x;
    const struct order *order;
    struct quote quote;  /* the price before costs and what applies to it; qty is not looked at */
    int32_t row;         /* of its symbol: what happened up to the row before may be looked at */
    double reversed_qty; /* units, closed by the same order for one commission; 0: none */
};

/* qty: units to trade now, > 0 on the order's side, < 0 where a target is below what is held; 0:
 * nothing can be bought, or nothing is to be changed. */
struct sized {
    double qty;
    bool is_resized; /* a limit of risk cut it */
    bool is_vetoed;  /* a limit of risk left nothing of it */
};

/* At the price after costs, but before the impact of the order itself. */
struct sized size_entry(const struct sizing *s);
/* The same for the entry of a reversal whose two fills pay the commission of one order
 * (reversal_fee once): sized as if what is held were closed at close_px first, with the commission
 * of both parts still to be paid. The account is left as it was. The order's commission is
 * cost_commission(closed + opened units), of which each fill bears its share by units. */
struct sized size_reversal(const struct sizing *s, double close_px);
/* The part of qty > 0 units, in whole lots, that buying power pays for now with the impact of that
 * part; 0 for a fixed size that it does not pay for whole under unaffordable drop. For entries with
 * impact, after the cut to the bar's volume, and for later parts of an entry that filled in part;
 * the rest of the order is over where it is less than qty. */
double size_affordable(const struct sizing *s, double qty);
