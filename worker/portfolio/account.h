/* SPDX-License-Identifier: MIT */
/* The account: cash, positions and what they are worth. Pure state and arithmetic, shared by the
 * portfolio of a container and by the mirror that a shared execution container keeps: both apply
 * the same fills in the same order and so hold the same bits.
 *
 *   equity = cash + sum over symbols of qty * mark          (always; a purchase moves cash into a
 * position) available margin = max(0, equity - sum |qty| * mark / leverage) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/trade.h"

struct position {
    double qty;        /* signed units; 0: flat */
    double entry_px;   /* the entry fill's */
    double commission; /* paid at entry */
    double stop_px;    /* 0: none */
    double target_px;  /* 0: none */
    uint32_t entry_bar;
    uint8_t entry_rule;
};

static inline bool position_has_exits(const struct position *p)
{
    return p->stop_px != 0.0 || p->target_px != 0.0;
}

struct account {
    double cash;
    double leverage;
    uint32_t symbols_n;
    uint32_t open_n;      /* positions that are not flat */
    uint32_t exits_n;     /* of those, with a stop or a target */
    struct position *pos; /* [symbols_n] */
    double *mark_px;      /* [symbols_n] last known close; 0 before the first */
    double equity;        /* at the last mark */
    bool is_bankrupt;
    uint32_t end_bar; /* of a bankrupt one: the bar at whose close it ended */
};

/* pos and mark_px hold symbols_n elements each and stay the caller's. */
void account_init(struct account *a, double initial_capital, double leverage);
/* Cash and positions at their marks, now. */
static inline double account_equity(const struct account *a)
{
    double equity = a->cash;
    for (uint32_t s = 0; s < a->symbols_n; s++)
        equity += a->pos[s].qty * a->mark_px[s];
    return equity;
}
double account_available(const struct account *a);

/* Applies a fill. True when it closed a position: *ret_trade is then the round trip, with bars as
 * steps. */
bool account_apply(struct account *a, const struct fill *fill, struct trade *ret_trade);
/* A position as a trade that is still open. */
struct trade account_open_trade(const struct account *a, uint16_t symbol_idx);
