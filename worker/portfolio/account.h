/* SPDX-License-Identifier: MIT */
/* The account: cash, positions and what they are worth. Pure state and arithmetic, shared by the
 * portfolio of a container and by the mirror that a shared execution container keeps: both apply
 * the same fills in the same order and so hold the same bits.
 *
 *   equity = cash + sum over symbols of qty * mark, always: a purchase moves cash into a position
 *
 *   available margin = max(0, equity - sum over symbols of |qty| * mark / leverage)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/trade.h"

struct position {
    double qty;             /* signed units; 0: flat */
    double entry_px;        /* average of the entry fills */
    double commission;      /* of the entries of what is still held */
    uint32_t entry_bar;     /* of the first of them */
    uint8_t entry_rule;     /* likewise */
    uint32_t last_exit_bar; /* of the last position in this symbol that ended; NO_EXIT_YET */
};
#define NO_EXIT_YET UINT32_MAX

struct account {
    double cash;
    double leverage;
    uint32_t symbols_n;
    uint32_t open_n;      /* positions that are not flat */
    struct position *pos; /* [symbols_n] */
    double *mark_px;      /* [symbols_n] last known close; 0 before the first */
    double equity;        /* at the last mark */
    double borrow_cost;   /* paid on shorts */
    double interest_cost; /* paid on borrowed cash */
    double dividends;     /* received, less those paid on shorts */
    double debt_forgiven; /* what a bankrupt account owed when it ended, >= 0 */
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

/* Applies a fill; a notice without units changes nothing. True when it closed a position or a part
 * of it: *ret_trade is then what came of that, with bars as steps. */
bool account_apply(struct account *a, const struct fill *fill, struct trade *ret_trade);
/* A position as a trade that is still open. */
struct trade account_open_trade(const struct account *a, uint16_t symbol_idx);
