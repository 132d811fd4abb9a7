/* SPDX-License-Identifier: MIT */
/* What holding costs and pays from bar to bar: borrow fees, margin interest, cash dividends.
 *
 * At the first bar of each UTC day after the first, for the calendar days since the bar before:
 *
 *   borrow fee       sum of |qty| * last close of the shorts * borrow_fee_frac * days / 365
 *   margin interest  max(0, -cash) * margin_interest_frac * days / 365, on the cash before the
 *                    borrow fee; cash counts what shorts were sold for
 *
 * At each bar: qty * `cash_dividend` of the symbol's row, paid by shorts and received by longs. All
 * of it happens at the start of the bar, before any fill of it, on what is held then; it is cash,
 * and no part of a trade's pnl. Totals are in struct account. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/spec.h"
#include "worker/market.h"
#include "worker/portfolio/account.h"

/* How far one account was carried. */
struct carry {
    const struct execution_cfg *cfg;
    const struct market *market;
    uint32_t next_step; /* the first step that it was not carried into */
    bool is_active;     /* whether anything costs or pays at all */
};

/* Before the first step of the market's range. */
void carry_init(struct carry *c, const struct execution_cfg *cfg, const struct market *market);

/* Carries the account into `step` from wherever it was: every step on the way is done, once. Again
 * for the same or an earlier step it does nothing; beyond the last step it goes to the last.
 *
 * It must be called before the first fill of a step reaches the account, and rests on the market's
 * closes, not on account.mark_px: so a mirror of the account that sees only steps with fills ends
 * with the same bits as the portfolio, if it calls carry_to(carry, account, step) with the step at
 * which a fill happens before each fill is made (before execution_bar and execution_place, and
 * before it looks at cash or equity). A fill booked with the next bar (FILL_BOOKED_NEXT_BAR)
 * happens at the step that books it, one or more after fill.bar. */
void carry_to(struct carry *c, struct account *account, uint32_t step);
