/* SPDX-License-Identifier: MIT */
/* Execution: how orders that were placed at the close of one bar meet the next one.
 *
 * The rules (docs/EXECUTION.md): the open comes before the rest of the bar, so a stop or target
 * that the open has already passed fills at it, then market orders fill at it, by symbol in
 * configuration order and within one as they were placed; only then can the bar's range touch what
 * still stands. Stop and target in one range: by `same_bar`. Market and stop fills slip against the
 * trader; a target is a limit and fills at its price or better. */
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
    const struct execution_cfg *cfg;
    const struct market *market;
    struct account *account;
    struct order_book *book;
    void (*emit)(void *ctx, const struct fill *fill);
    void *ctx;
    uint32_t target_portfolio;
};

/* The orders and the stops and targets of open positions meet the bar of `step`. */
void execution_bar(const struct execution *x, uint32_t step);
/* After the last bar: what at_end closes. `step` is the last one. */
void execution_end(const struct execution *x, uint32_t step);
/* True when execution_bar(step) could do nothing but return: no order, no stop, no target. */
static inline bool execution_is_idle(const struct execution *x)
{
    return x->book->n == 0 && x->account->exits_n == 0;
}
/* First step in [from, steps_n) at which a waiting order, stop or target of this account meets a
 * bar that fills it; UINT32_MAX if none. */
uint32_t execution_next_fill(const struct execution *x, uint32_t from);
