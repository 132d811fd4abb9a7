/* SPDX-License-Identifier: MIT */
/* Orders that wait for the next bar, of one account. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "worker/arena.h"

/* A market order for the next open. The size of an entry is found when it fills, from what it costs
 * then. */
struct order {
    uint32_t target_portfolio;
    uint16_t symbol_idx;
    uint8_t is_close; /* 1: closes what stands; side is unused */
    uint8_t rule;     /* enum fill_rule that the fill will carry */
    int8_t side;      /* +1 buys, -1 sells */
    uint8_t sizing;   /* enum sizing_kind */
    double sizing_value;
    double lot;
    double qty_max;         /* units; +inf: no limit */
    double commission_frac; /* set aside per unit */
    double stop_loss;       /* fraction; NaN: none */
    double take_profit;     /* fraction; NaN: none */
    double base_px;         /* of stop and target; NaN: the fill's price */
    uint8_t live_from;      /* enum live_from, of stop and target */
};

/* Orders that wait, of one account: an exit and an entry a symbol at most. */
struct order_book {
    struct order *order; /* [2 * symbols_n] */
    uint32_t n;
    uint32_t capacity;
    uint8_t *live_from; /* [symbols_n] enum live_from of each open position's stop and target */
};

/* 0 or -ENOMEM. */
int order_book_init(struct order_book *book, struct arena *arena,
                    uint32_t symbols_n) ADMF_MUST_CHECK;
/* Places an order; one that stands for the same symbol and intent is replaced. */
void order_book_place(struct order_book *book, const struct order *order);
void order_book_drop(struct order_book *book, uint32_t i); /* keeps the order of the others */
void order_book_clear(struct order_book *book);
