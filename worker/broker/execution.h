/* SPDX-License-Identifier: MIT */
/* Execution: how orders that were placed at the close of one bar meet the bars that follow.
 *
 * The rules (docs/EXECUTION.md): the open comes before the rest of the bar, so a stop or target
 * that the open has already passed fills at it, then orders fill at it, by symbol in configuration
 * order and within one as they were placed; only then can the bar's range touch what still stands;
 * orders at the close come last. Market and stop fills slip against the trader; limits and targets
 * fill at their price or better. */
#pragma once

#include <stdint.h>

#include "proto/spec.h"
#include "proto/trade.h"
#include "worker/broker/order_book.h"
#include "worker/market.h"
#include "worker/portfolio/account.h"

/* Everything that one account's orders need to meet a bar. `emit` is called for each fill in order,
 * and must apply it to the account before it returns. */
struct execution {
    const struct combo *combo;
    const struct market *market;
    struct account *account;
    struct order_book *book;
    void (*emit)(void *ctx, const struct fill *fill);
    void *ctx;
    uint32_t target_portfolio;
};

/* The orders and the brackets of open positions meet the bar of `step`. */
void execution_bar(const struct execution *x, uint32_t step);
/* An order is placed; under `fill: this_close` a market order fills at once. */
void execution_place(const struct execution *x, const struct order *order);
/* After the last bar: what at_end closes. `step` is the last one. */
void execution_end(const struct execution *x, uint32_t step);
/* True when execution_bar() could do nothing but return: no order, no bracket, no margin to watch.
 */
static inline bool execution_is_idle(const struct execution *x)
{
    return x->book->n == 0 && x->book->brackets_n == 0 &&
           (x->account->open_n == 0 || x->combo->portfolio.maintenance_margin == 0.0);
}
/* First step in [from, steps_n) at which execution_bar() might do something; UINT32_MAX if none.
 * Until then it need not be called, however prices move: trails and times in force are found again
 * from the bars. A new order, or a change of the account, asks anew. */
uint32_t execution_next_fill(const struct execution *x, uint32_t from);
