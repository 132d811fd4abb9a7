/* SPDX-License-Identifier: MIT */
/* Risk: what becomes of a signal. It is vetoed (wrong direction, already there, a limit), or
 * becomes a close, an entry, or both. Sizes are found when orders fill; the limits that cut them
 * are looked at there (broker/sizing.h). Pure functions, so that the risk manager of a container
 * and a shared risk container decide alike. */
#pragma once

#include "proto/spec.h"
#include "proto/trade.h"
#include "worker/broker/order_book.h"
#include "worker/market.h"
#include "worker/portfolio/account.h"

/* What the decision rests on besides the signal. */
struct risk_view {
    const struct combo *combo;
    const struct market *market;
    const struct account *account;
};

/* What risk remembers from bar to bar: only where the configuration watches equity. */
struct risk_state {
    double peak_equity; /* highest at a close */
    double last_equity; /* at the last close watched, what filled there included */
    double day_equity;  /* at the last close of the day before */
    int64_t day;        /* UTC day of the last bar watched, counted from 1970 */
    bool is_out;        /* max_drawdown was reached: for good */
    bool is_out_today;  /* max_daily_loss was reached */
};

/* The close of what stands and an entry; or what takes the waiting entries of each side back. */
#define RISK_ORDERS_MAX 2

struct risk_decision {
    struct order order[RISK_ORDERS_MAX]; /* in the order in which they are to be placed */
    unsigned n;
    bool is_vetoed; /* a limit of risk forbids the entry that the signal asks for */
};

void risk_decide(const struct risk_view *view, const struct risk_state *state,
                 const struct signal *signal, struct risk_decision *ret_decision);

/* Whether a configuration makes risk watch equity at every close. */
bool risk_watches(const struct risk_cfg *cfg);
void risk_reset(const struct risk_view *view, struct risk_state *ret_state);
/* Before the bar's close is marked: account.equity is still that of the close before. */
void risk_before_close(const struct risk_view *view, struct risk_state *state);
/* At the close of `step`, when the account is marked: what of it is to be closed, and which entries
 * are to wait no longer. Calls `place` for each order; target_portfolio is the caller's to set. A
 * flat account may skip steps: its equity stands still. */
void risk_watch(const struct risk_view *view, struct risk_state *state, uint32_t step,
                void (*place)(void *ctx, const struct order *order), void *ctx);

/* Tells that an entry was not let through: a notice for the portfolio of the signal. */
struct fill risk_notice(const struct signal *signal);

/* The kinds of signal that could change anything for a position. A signal with none of them makes
 * no order and need not be said; one with some is said whole, because its other kinds may still
 * weigh against them. `entries_wait`: entries may stand in the book while the position is flat. */
unsigned risk_relevant(const struct risk_view *view, const struct position *position,
                       bool entries_wait);
