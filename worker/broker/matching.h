/* SPDX-License-Identifier: MIT */
/* What the files of execution share: fills, and the two kinds of order that meet a bar. */
#pragma once

#include "worker/broker/execution.h"

/* One symbol at one step. */
struct meeting {
    const struct execution *x;
    uint16_t s; /* symbol of the market */
    uint32_t step;
    int32_t row;
    double open, high, low, close, volume;
};

/* The bar of the symbol before this one; row is -1 where there is none. */
struct meeting meeting_before(const struct meeting *m);

static inline struct position *meeting_position(const struct meeting *m)
{
    return &m->x->account->pos[m->s];
}

static inline struct bracket *meeting_bracket(const struct meeting *m)
{
    return &m->x->book->bracket[m->s];
}

/* Whether market orders fill at closes: at the bar's own, or at that of the bar they meet. */
static inline bool market_is_at_close(const struct execution_cfg *cfg)
{
    return cfg->fill == FILL_THIS_CLOSE || cfg->market_on == MARKET_ON_CLOSE;
}

/* Whether fills at a close wait for the next bar, to be told before anything else of it. */
static inline bool close_is_booked_next(const struct execution_cfg *cfg)
{
    return cfg->fill == FILL_THIS_CLOSE && cfg->close_booked == CLOSE_BOOKED_NEXT_BAR;
}

/* ---- fills (broker/fills.c) ----------------------------------------------------------------- */

/* Where and why a fill happens. */
struct execution_point {
    double px; /* before costs */
    enum fill_rule rule;
    uint8_t flags;
    bool is_limit, is_stop; /* as of struct quote */
    double limit_px;        /* likewise */
    bool is_at_close;       /* nothing of the bar comes after it */
    bool skips_best;        /* of an entry: the best price of its bar may have come before it */
    bool has_no_limit;      /* of volume */
};

/* Closes what stands, or as much of it as the bar's volume allows; true when nothing is left. */
bool fill_close(const struct meeting *m, const struct execution_point *at);
/* Fills an entry, or as much of it as can be; true when nothing of the order is left to wait. */
bool fill_entry(const struct meeting *m, struct order *order, const struct execution_point *at);
/* Both orders of a reversal, whose commission is that of one order. */
void fill_reversal(const struct meeting *m, const struct order *close, struct order *entry,
                   const struct execution_point *at);

/* ---- brackets (broker/brackets.c) ----------------------------------------------------------- */

/* The bracket of a position that was just opened by `order` at px (after costs). */
void bracket_open(const struct meeting *m, const struct order *order,
                  const struct execution_point *at, double px);
/* Brings a trail to where the bars before `row` put it. */
void bracket_follow(struct bracket *b, const struct bars *bars, int32_t row);
/* Whether the bar leaves the bracket alone: all that most bars need to be asked. */
static inline bool bracket_is_quiet(struct bracket *b, const struct bars *bars, int32_t row)
{
    if (b->is_trailing)
        bracket_follow(b, bars, row);
    return bars->low[row] > b->quiet_low && bars->high[row] < b->quiet_high && row < b->due_row;
}
/* What the open has already passed, and the time limit. */
void brackets_meet_open(const struct meeting *m);
/* What the bar's range touches. */
void brackets_meet_range(const struct meeting *m);
/* A position that was opened inside this bar's range at entry_px: what the rest of the bar may
 * still do to it. `way`: +1 where all of the range above entry_px is known to come after it, -1
 * where all below it is, 0 where neither is. */
void brackets_meet_rest(const struct meeting *m, double entry_px, int way);
/* The time limit where market orders fill at closes. */
void brackets_meet_close(const struct meeting *m);
/* The same of the bar before, where its fills are booked with this one. */
void brackets_meet_last_close(const struct meeting *m);
/* One order a bar: a bracket that the bar touches goes before the orders that wait for the bar, and
 * drops them. */
void brackets_meet_alone(const struct meeting *m);

/* ---- waiting orders (broker/orders.c) ------------------------------------------------------- */

/* Whether the bar neither fills nor changes nor ends the order. */
bool order_is_quiet(const struct order *o, const struct bars *bars, int32_t row);
/* From `row` on the order may meet prices, for as long as it is in force. */
void order_starts(const struct execution *x, struct order *o, int32_t row);
/* Orders fill at the open: market orders, and limits and stops that it has already passed. */
void orders_meet_open(const struct meeting *m);
/* The range touches limits and stops. */
void orders_meet_range(const struct meeting *m);
/* Market orders at the close fill. */
void orders_meet_close(const struct meeting *m);
/* `fill: this_close` booked with the next bar: market orders fill at the close of the bar before.
 */
void orders_meet_last_close(const struct meeting *m);
