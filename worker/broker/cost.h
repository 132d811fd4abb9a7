/* SPDX-License-Identifier: MIT */
/* What trading costs: commission, slippage, spread. Pure functions of the configuration. */
#pragma once

#include <stdbool.h>

#include "proto/spec.h"

/* Commission of one fill of qty units (of either sign) at px. */
double cost_commission(const struct commission_cfg *cfg, double qty, double px);

/* A price that a fill is to have before costs, and what applies to it. */
struct quote {
    double px;
    double side;   /* +1 buys, -1 sells */
    double qty;    /* units > 0; 0: not known yet, and then without impact */
    double volume; /* of the bar, units; 0 or NaN: not known, and then without impact */
    double high;   /* of the bar: how far buyers slip under slips_in_bar; 0 or NaN: not known */
    double low;    /* likewise, sellers */
    bool is_entry;
    bool is_limit;   /* a limit or a target: its price is its price, but for a spread on entry */
    double limit_px; /* of such a one: how far it slips under slips_in_bar; 0: not at all */
    bool is_stop;    /* a stop: its price is its price under stops_exact */
};

/* The price after slippage, then spread; 0 where it would be below zero, or is NaN: there no fill
 * can happen. Limits and targets do not slip and pay no half spread; nor do stops under
 * stops_exact. Under slips_in_bar slippage ends at the bar's high or low, and a limit that fills at
 * a better price than its own slips too, to its own at most. A spread on entry is paid by entries
 * of any kind. */
double cost_price(const struct execution_cfg *cfg, const struct quote *quote);
