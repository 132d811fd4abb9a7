/* SPDX-License-Identifier: MIT */
/* For tests: a combination in which nothing is at its default. */
#pragma once

#include <math.h>

#include "proto/spec.h"
#include "proto/trade.h"

/* No two numbers of it are equal: a codec that swaps fields is found. */
static inline struct combo make_combo(uint32_t n)
{
    struct combo c = {
        .combination = n,
        .container_seq = n + 1000,
        .strategy_idx = n % SPEC_STRATEGIES_MAX,
        .symbol_idx = n % 2 ? COMBO_ALL_SYMBOLS : 3,
        .execution = {.fill = FILL_THIS_CLOSE,
                      .close_booked = CLOSE_BOOKED_NEXT_BAR,
                      .market_on = MARKET_ON_CLOSE,
                      .time_in_force = TIF_DAY,
                      .same_bar = SAME_BAR_OPTIMISTIC,
                      .at_end = AT_END_CLOSE_AT_OPEN,
                      .orders_per_bar = ORDERS_PER_BAR_ONE,
                      .slips_in_bar = 1,
                      .stops_exact = 1,
                      .spread_paid = SPREAD_ON_ENTRY,
                      .volume_rest = VOLUME_REST_CANCEL,
                      .reversal_fee = REVERSAL_FEE_ONCE,
                      .delay = 7,
                      .commission = {0.001, 1.5, 0.005, 2, 99},
                      .slippage = {0.0005, 3, 0.25, 0.1, 0.7},
                      .spread_frac = 0.0003,
                      .borrow_fee_frac = 0.03,
                      .margin_interest_frac = 0.06},
        .risk = {.opposite_signal = OPPOSITE_CLOSE,
                 .same_signal = SAME_SIGNAL_REENTER,
                 .conflicting_signals = CONFLICT_IGNORE,
                 .cooldown_bars = 11,
                 .commission_frac = NAN,
                 .max_position_size = 500,
                 .max_exposure = 0.4,
                 .max_leverage = 2.5,
                 .max_drawdown = 0.2,
                 .max_daily_loss = 0.02},
        .exits = {.base = EXIT_BASE_ENTRY_CLOSE,
                  .live_from = LIVE_FROM_NEXT_BAR,
                  .max_bars = 13,
                  .stop_loss = 0.021,
                  .take_profit = 0.035,
                  .trailing_stop = 0.045,
                  .trailing_amount = 4.5},
        .portfolio = {.direction = DIRECTION_SHORT,
                      .sizing = SIZING_TARGET_PERCENT,
                      .unaffordable = UNAFFORDABLE_REDUCE,
                      .commission_reserve = RESERVE_EACH_UNIT,
                      .short_margin = SHORT_MARGIN_NONE,
                      .cash_check = CASH_CHECK_SIGNAL_CLOSE_TOO,
                      .bankruptcy = BANKRUPTCY_RUN_ON,
                      .sizing_lookback = 17,
                      .sizing_value = 10,
                      .initial_capital = 100000,
                      .leverage = 1.25,
                      .lot = 0.01,
                      .min_notional = 25,
                      .maintenance_margin = 0.15},
        .params_n = 3,
        .params = {1, -2.5, 1e300},
    };
    return c;
}
