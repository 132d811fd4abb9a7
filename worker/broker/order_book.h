/* SPDX-License-Identifier: MIT */
/* Orders that wait for a bar, and the brackets of open positions, of one account. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/trade.h"
#include "worker/arena.h"

/* An order as risk let it through. The size of an entry is found when it first fills, from what it
 * costs then and what the account then holds. */
struct order {
    uint32_t target_portfolio;
    uint32_t bar; /* step at whose close it was placed */
    uint16_t symbol_idx;
    uint8_t is_close;     /* 1: closes what stands; terms are unused */
    uint8_t is_reversing; /* 1: one of the two orders of a reversal */
    uint8_t rule;         /* enum fill_rule of a fill at the market; NONE: market_open or _close */
    /* +1 buys, -1 sells. Of a close: 0 takes back entries of either side, else only those that wait
     * on the other one. */
    int8_t side;
    double ref_px;   /* close of the bar that made the signal */
    double ref_cash; /* cash that the account would have had there, with what stood closed */
    struct order_terms terms; /* of entries; time_in_force is resolved */

    /* How it stands; execution_place() sets it. */
    uint8_t is_triggered; /* a stop that was touched: a market order, or with a limit a limit */
    uint8_t flags;        /* of enum fill_flag: of its fills */
    int32_t first_row;    /* of the symbol: the first bar whose prices it may meet */
    int32_t last_row;     /* likewise the last one */
    double left;          /* units still to fill, once a part has filled; 0 before */
};

/* Stop, target, trail and time limit of one open position: one of them closes it, and the others
 * are gone with it. A price of 0 is none. Rows are those of the symbol. */
struct bracket {
    bool is_set;
    bool is_triggered; /* the stop was touched, and the bar had no room for all of it */
    bool is_trailing;
    int8_t side;       /* of the position: +1 long, -1 short */
    uint8_t stop_rule; /* enum fill_rule: of the nearer of the fixed stop and the trail */
    double stop_px;
    double target_px;
    double trail_frac;   /* of best_px; 0: none */
    double trail_amount; /* price units from best_px; 0: none */
    double best_px;      /* best price since the entry, of bars before follow_row */
    int32_t entry_row;   /* of the entry's first fill */
    int32_t live_row;    /* first row that it meets */
    int32_t follow_row;  /* first row whose best price is not in best_px yet */
    int32_t due_row;     /* row at which time is up; INT32_MAX: never */
    double quiet_low;    /* a bar with low > quiet_low and high < quiet_high touches neither */
    double quiet_high;   /* stop nor target */
};

/* What was traded of the last bar that a symbol traded in. */
struct bar_use {
    int32_t row;
    bool is_closed; /* a bracket closed its one order of the bar: nothing else is traded in it */
    double qty;     /* units */
};

/* Of one account: an exit and an entry a symbol at most. */
struct order_book {
    struct order *order; /* [2 * symbols_n], as they were placed */
    uint32_t n;
    uint32_t capacity;
    struct bracket *bracket; /* [symbols_n] */
    struct bar_use *use;     /* [symbols_n] */
    uint32_t brackets_n;     /* that are set */
    uint32_t symbols_n;
};

/* 0 or -ENOMEM. */
int order_book_init(struct order_book *book, struct arena *arena,
                    uint32_t symbols_n) ADMF_MUST_CHECK;
/* Adds an order. One that stands for the same symbol and intent is replaced; a close takes entries
 * of earlier bars off the book, those of the side that it leaves. */
void order_book_place(struct order_book *book, const struct order *order);
void order_book_drop(struct order_book *book, uint32_t i); /* keeps the order of the others */
void order_book_drop_symbol(struct order_book *book, uint16_t symbol_idx);
void order_book_set_bracket(struct order_book *book, uint16_t symbol_idx,
                            const struct bracket *bracket);
void order_book_unset_bracket(struct order_book *book, uint16_t symbol_idx);
void order_book_clear(struct order_book *book);
