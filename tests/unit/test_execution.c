/* SPDX-License-Identifier: MIT */
/* Promise: signals become fills at the market as docs/EXECUTION.md says: at the open or the close,
 * with reversals, margin calls, one order a bar, several symbols and the end of a run. */
#include "tests/unit/execution_fixture.h"

/* ---- at the open ----------------------------------------------------------------------------- */

static const struct scenario at_open[] = {
    {.what = "a signal on the close fills at the next open",
     .bars = {FLAT, {102, 103, 101, 102.5}, {104, 105, 103, 104}},
     .kinds = {LE, LX},
     .terms = {{.qty = 5}},
     .fills = {{1, OPEN, 5, 102, 0}, {2, OPEN, -5, 104, 0}},
     .cash = 1010},
    {.what = "a short mirrors it",
     .bars = {FLAT, {102, 103, 101, 102.5}, {104, 105, 103, 104}},
     .kinds = {SE, SX},
     .terms = {{.qty = 5}},
     .fills = {{1, OPEN, -5, 102, 0}, {2, OPEN, 5, 104, 0}},
     .cash = 990},
    {.what = "a signal on the last bar never fills when positions are marked",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {0, 0, LE},
     .waiting = 1},
    {.what = "slippage is paid on both sides of a long",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, LX},
     .terms = {{.qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}},
     .fills = {{1, OPEN, 5, 101, 0}, {2, OPEN, -5, 99, 0}},
     .cash = 990},
    {.what = "slippage is paid on both sides of a short",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {SE, SX},
     .terms = {{.qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}},
     .fills = {{1, OPEN, -5, 99, 0}, {2, OPEN, 5, 101, 0}},
     .cash = 990},
    {.what = "commission is a fraction of the value of each fill",
     .bars = {FLAT, FLAT, {110, 110, 110, 110}},
     .kinds = {LE, LX},
     .terms = {{.qty = 5}},
     .execution = {.commission = {.percent_frac = 0.01}},
     .fills = {{1, OPEN, 5, 100, 5}, {2, OPEN, -5, 110, 5.5}},
     .cash = 1039.5},
    {.what = "a reversal closes, then enters with the new cash",
     .bars = {FLAT, FLAT, {150, 150, 150, 150}},
     .kinds = {LE, SE},
     .portfolio = {.sizing_value = 1, .lot = 1},
     .execution = {.commission = {.percent_frac = 0.01}},
     .fills = {{1, OPEN, 9, 100, 9},
               {2, FILL_RULE_REVERSE, -9, 150, 13.5},
               {2, OPEN, -9, 150, 13.5}}},
    {.what = "an opposite signal closes, where that is chosen",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, SE},
     .risk = {.opposite_signal = OPPOSITE_CLOSE},
     .fills = {{1, OPEN, 10, 100, 0}, {2, OPEN, -10, 100, 0}}},
    {.what = "an opposite signal is ignored, where that is chosen, and an exit is not",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, SE, SE | LX},
     .risk = {.opposite_signal = OPPOSITE_IGNORE},
     .fills = {{1, OPEN, 10, 100, 0}, {3, OPEN, -10, 100, 0}}},
    {.what = "a short signal of a long-only account closes and enters nothing",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, SE, SE},
     .portfolio = {.direction = DIRECTION_LONG},
     .fills = {{1, OPEN, 10, 100, 0}, {2, OPEN, -10, 100, 0}}},
    {.what = "a long signal of a short-only account closes and enters nothing",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {SE, LE, LE},
     .portfolio = {.direction = DIRECTION_SHORT},
     .fills = {{1, OPEN, -10, 100, 0}, {2, OPEN, 10, 100, 0}}},
    {.what = "the same signal again is ignored",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, LE, LE},
     .fills = {{1, OPEN, 10, 100, 0}}},
    {.what = "the same signal again closes and enters anew, where that is chosen",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, LE},
     .risk = {.same_signal = SAME_SIGNAL_REENTER},
     .fills = {{1, OPEN, 10, 100, 0}, {2, FILL_RULE_REENTER, -10, 100, 0}, {2, OPEN, 10, 100, 0}}},
    {.what = "long wins where both sides are said, and stays",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE | SE, LE | SE, LE | SE},
     .fills = {{1, OPEN, 10, 100, 0}}},
    {.what = "both sides said in a short-only account are a short",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE | SE, LE | SE, LE | SE},
     .portfolio = {.direction = DIRECTION_SHORT},
     .fills = {{1, OPEN, -10, 100, 0}}},
    {.what = "an exit without a position is nothing",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LX | SX, SX}},
    {.what = "an exit of the other side is nothing",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, SX},
     .fills = {{1, OPEN, 10, 100, 0}}},
};

Test(execution, market_orders_fill_at_the_next_open)
{
    SCENARIOS_RUN(at_open);
}

/* ---- at closes ------------------------------------------------------------------------------- */

static const struct scenario at_close[] = {
    {.what = "market_on: close fills at the close of the next bar",
     .bars = {FLAT, {102, 104, 101, 103}, {104, 106, 103, 105}},
     .kinds = {LE, LX},
     .terms = {{.qty = 5}},
     .execution = {.market_on = MARKET_ON_CLOSE, .slippage = {.percent_frac = 0.01}},
     .fills = {{1, CLOSE, 5, 103 * 1.01, 0}, {2, CLOSE, -5, 105 * 0.99, 0}}},
    {.what = "this_close fills at the close that made the signal",
     .bars = {{99, 101, 98, 100}, {102, 104, 101, 103}, FLAT},
     .kinds = {LE, LX},
     .execution = {.fill = FILL_THIS_CLOSE},
     .fills = {{0, CLOSE, 10, 100, 0}, {1, CLOSE, -10, 103, 0}}},
    {.what = "a reversal at this close is two fills at it",
     .bars = {FLAT, {102, 104, 101, 103}, FLAT},
     .kinds = {LE, SE},
     .execution = {.fill = FILL_THIS_CLOSE},
     .fills = {{0, CLOSE, 10, 100, 0},
               {1, FILL_RULE_REVERSE, -10, 103, 0},
               {1, CLOSE, -10, 103, 0}}},
    {.what = "a stop in the bar comes before the close, which may enter anew",
     .bars = {FLAT, {100, 101, 94, 96}, FLAT},
     .kinds = {LE, LE},
     .terms = {{.qty = 5}, {.qty = 5}},
     .exits = {.stop_loss = 0.05},
     .execution = {.fill = FILL_THIS_CLOSE},
     .fills = {{0, CLOSE, 5, 100, 0}, {1, STOP, -5, 95, 0}, {1, CLOSE, 5, 96, 0}}},
    {.what = "a fill at the last close is one",
     .bars = {FLAT, FLAT},
     .kinds = {0, LE},
     .execution = {.fill = FILL_THIS_CLOSE},
     .fills = {{1, CLOSE, 10, 100, 0}}},
    {.what = "booked with the next bar, it is told there and stamped with its own",
     .bars = {FLAT, {102, 104, 101, 103}, FLAT, FLAT},
     .kinds = {LE, LX},
     .execution = {.fill = FILL_THIS_CLOSE, .close_booked = CLOSE_BOOKED_NEXT_BAR},
     .fills = {{0, CLOSE, 10, 100, 0}, {1, CLOSE, -10, 103, 0}}},
    {.what = "booked with the next bar, the last one's never comes",
     .bars = {FLAT, FLAT},
     .kinds = {0, LE},
     .execution = {.fill = FILL_THIS_CLOSE, .close_booked = CLOSE_BOOKED_NEXT_BAR},
     .waiting = 1},
    {.what = "booked with the next bar, a stop lives in that bar",
     .bars = {{100, 101, 90, 100}, {100, 101, 94, 96}, FLAT},
     .kinds = {LE},
     .exits = {.stop_loss = 0.05},
     .execution = {.fill = FILL_THIS_CLOSE, .close_booked = CLOSE_BOOKED_NEXT_BAR},
     .fills = {{0, CLOSE, 10, 100, 0}, {1, STOP, -10, 95, 0}}},
};

Test(execution, market_orders_fill_at_a_close_where_that_is_chosen)
{
    SCENARIOS_RUN(at_close);
}

/* ---- one order a bar, one fee a reversal ----------------------------------------------------- */

static const struct scenario ones[] = {
    {.what = "one order a bar: a stop that the bar touches goes before what the open would do",
     .bars = {FLAT, FLAT, {98, 99, 90, 95}, FLAT},
     .kinds = {LE, SE},
     .exits = {.stop_loss = 0.05},
     .execution = {.orders_per_bar = ORDERS_PER_BAR_ONE},
     .fills = {{1, OPEN, 10, 100, 0}, {2, STOP, -10, 95, 0}}},
    {.what = "one order a bar: a bar that touches nothing is left to the orders",
     .bars = {FLAT, FLAT, {98, 99, 96, 97}, FLAT},
     .kinds = {LE, SE},
     .exits = {.stop_loss = 0.05},
     .execution = {.orders_per_bar = ORDERS_PER_BAR_ONE},
     .fills = {{1, OPEN, 10, 100, 0}, {2, FILL_RULE_REVERSE, -10, 98, 0}, {2, OPEN, -10, 98, 0}}},
    {.what = "one order a bar: after a stop the close of the bar is not heard",
     .bars = {FLAT, {100, 101, 94, 96}, FLAT},
     .kinds = {LE, SE},
     .terms = {{.qty = 5}, {.qty = 5}},
     .exits = {.stop_loss = 0.05},
     .execution = {.fill = FILL_THIS_CLOSE, .orders_per_bar = ORDERS_PER_BAR_ONE},
     .fills = {{0, CLOSE, 5, 100, 0}, {1, STOP, -5, 95, 0}}},
    {.what = "one order a bar: the entry's own bar does nothing more to it",
     .bars = {FLAT, {100, 101, 94, 96}, FLAT},
     .kinds = {LE},
     .exits = {.stop_loss = 0.05},
     .execution = {.orders_per_bar = ORDERS_PER_BAR_ONE},
     .fills = {{1, OPEN, 10, 100, 0}}},
    {.what = "each fill of a reversal pays its commission",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, SE},
     .terms = {{.qty = 5}, {.qty = 3}},
     .execution = {.commission = {.fixed = 8}},
     .fills = {{1, OPEN, 5, 100, 8}, {2, FILL_RULE_REVERSE, -5, 100, 8}, {2, OPEN, -3, 100, 8}}},
    {.what = "a reversal pays one commission, shared by size",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, SE},
     .terms = {{.qty = 5}, {.qty = 3}},
     .execution = {.commission = {.fixed = 8}, .reversal_fee = REVERSAL_FEE_ONCE},
     .fills = {{1, OPEN, 5, 100, 8}, {2, FILL_RULE_REVERSE, -5, 100, 5}, {2, OPEN, -3, 100, 3}}},
    {.what = "a reversal at this close pays one commission as well",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, SE},
     .terms = {{.qty = 5}, {.qty = 3}},
     .execution = {.fill = FILL_THIS_CLOSE,
                   .commission = {.fixed = 8},
                   .reversal_fee = REVERSAL_FEE_ONCE},
     .fills = {{0, CLOSE, 5, 100, 8}, {1, FILL_RULE_REVERSE, -5, 100, 5}, {1, CLOSE, -3, 100, 3}}},
    {.what = "to enter the same side anew is no reversal: it pays twice",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, LE},
     .terms = {{.qty = 5}, {.qty = 3}},
     .risk = {.same_signal = SAME_SIGNAL_REENTER},
     .execution = {.commission = {.fixed = 8}, .reversal_fee = REVERSAL_FEE_ONCE},
     .fills = {{1, OPEN, 5, 100, 8}, {2, FILL_RULE_REENTER, -5, 100, 8}, {2, OPEN, 3, 100, 8}}},
    {.what = "all the money of a reversal, less one commission",
     .bars = {FLAT, FLAT, {110, 110, 110, 110}},
     .kinds = {LE, SE},
     .portfolio = {.sizing = SIZING_PERCENT_OF_CASH, .sizing_value = 1},
     .execution = {.commission = {.fixed = 100}, .reversal_fee = REVERSAL_FEE_ONCE},
     /* 900 buys 9; sold for 990, of which 890 is free for a short of 890 / 110 */
     .fills = {{1, OPEN, 9, 100, 100},
               {2, FILL_RULE_REVERSE, -9, 110, 100 * 9 / (9 + 890.0 / 110)},
               {2, OPEN, -890.0 / 110, 110, 100 * (890.0 / 110) / (9 + 890.0 / 110)}}},
};

Test(execution, one_order_a_bar_and_one_fee_a_reversal)
{
    SCENARIOS_RUN(ones);
}

/* ---- margin ---------------------------------------------------------------------------------- */

static const struct scenario margins[] = {
    {.what = "equity below what positions need closes them at the next open, and drops orders",
     .bars = {FLAT, {100, 100, 94, 94}, {93, 95, 92, 94}, FLAT},
     .kinds = {LE, SE},
     .terms = {{0}, {.qty = 5}},
     .portfolio =
         {.sizing = SIZING_UNITS, .sizing_value = 40, .leverage = 5, .maintenance_margin = 0.25},
     /* at 94 equity is 1000 - 240 = 760, and 0.25 * 3760 = 940 */
     .fills = {{1, OPEN, 40, 100, 0}, {2, FILL_RULE_MARGIN_CALL, -40, 93, 0}}},
    {.what = "equity that just covers it does not",
     .bars = {FLAT, {100, 100, 94, 96}, {96, 97, 95, 96}, FLAT},
     .kinds = {LE},
     .portfolio = {.sizing = SIZING_UNITS,
                   .sizing_value = 40,
                   .leverage = 5,
                   .maintenance_margin = 0.21875}, /* of 3840 is 840 */
     .fills = {{1, OPEN, 40, 100, 0}}},
};

Test(execution, a_margin_call_closes_at_the_open)
{
    SCENARIOS_RUN(margins);
}

/* ---- the end --------------------------------------------------------------------------------- */

static const struct scenario ends[] = {
    {.what = "close_at_close closes at the last close",
     .bars = {FLAT, FLAT, {100, 109, 99, 108}},
     .kinds = {LE},
     .terms = {{.qty = 5}},
     .execution = {.at_end = AT_END_CLOSE_AT_CLOSE,
                   .slippage = {.percent_frac = 0.5},
                   .commission = {.percent_frac = 0.1}},
     .fills = {{1, OPEN, 5, 150, 75}, {2, END, -5, 54, 27}}},
    {.what = "close_at_close leaves orders of the last bar unfilled",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, 0, SE},
     .execution = {.at_end = AT_END_CLOSE_AT_CLOSE},
     .fills = {{1, OPEN, 10, 100, 0}, {2, END, -10, 100, 0}},
     .waiting = 2},
    {.what = "close_at_open closes at the last open",
     .bars = {FLAT, FLAT, {103, 109, 99, 108}},
     .kinds = {LE},
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN},
     .fills = {{1, OPEN, 10, 100, 0}, {2, END, -10, 103, 0}}},
    {.what = "close_at_open replays the last bar: its orders fill at its own open",
     .bars = {FLAT, FLAT, {103, 109, 99, 108}},
     .kinds = {LE, 0, SE},
     .terms = {{.qty = 5}, {0}, {.qty = 5}},
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN},
     .fills = {{1, OPEN, 5, 100, 0}, {2, END, -5, 103, 0}, {2, OPEN, -5, 103, 0}},
     .waiting = 2},
    {.what = "close_at_open, booked with the next bar: at the close before the last bar",
     .bars = {FLAT, {100, 105, 99, 104}, {103, 109, 99, 108}},
     .kinds = {LE, 0, SE},
     .terms = {{.qty = 5}, {0}, {.qty = 5}},
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN,
                   .fill = FILL_THIS_CLOSE,
                   .close_booked = CLOSE_BOOKED_NEXT_BAR},
     .fills = {{0, CLOSE, 5, 100, 0}, {1, END, -5, 104, 0}, {1, CLOSE, -5, 104, 0}},
     .waiting = 2},
    {.what = "mark leaves the position open, and orders with it",
     .bars = {FLAT, FLAT, {103, 109, 99, 108}},
     .kinds = {LE, 0, LX},
     .fills = {{1, OPEN, 10, 100, 0}},
     .waiting = 1},
    {.what = "a limit that still waits at the end is nothing",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE},
     .terms = {{.limit_px = 90}},
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN},
     .waiting = 1},
};

Test(execution, the_end_is_one_of_three)
{
    SCENARIOS_RUN(ends);
}

/* ---- several symbols in one account ---------------------------------------------------------- */

/* Symbols A, B, C; B has no bar at step 1, C none at the last. All flat at 100. */
static struct sim *three_symbols(void)
{
    static struct sim m;
    static const int32_t rows[3][4] = {{0, 1, 2, 3}, {0, -1, 1, 2}, {0, 1, 2, -1}};
    static const uint32_t rows_n[3] = {4, 3, 3};
    sim_init(&m);
    for (uint32_t s = 0; s < 3; s++) {
        for (uint32_t t = 0; t < SIM_BARS_MAX; t++)
            m.row_of_step[s][t] = t < 4 ? rows[s][t] : -1;
        for (uint32_t t = 0; t < 4; t++)
            for (int k = 0; k < 4; k++)
                m.px[s][k][t] = 100 + (k == 1) - (k == 2);
        sim_set_view(&m, s, rows_n[s], true);
    }
    m.combo.portfolio.sizing = SIZING_PERCENT_OF_CASH;
    m.combo.portfolio.sizing_value = 0.5;
    return &m;
}

static void bar(struct sim *m, uint32_t step)
{
    execution_bar(&m->execution, step);
    sim_mark(m, step);
}

Test(execution, symbols_share_cash_in_the_order_of_the_configuration)
{
    struct sim *m = three_symbols();
    sim_open(m, 3, 4);
    bar(m, 0);
    for (int s = 2; s >= 0; s--) /* said backwards: the order of symbols counts */
        sim_say(m, (uint16_t)s, 0, LE, NULL);
    bar(m, 1);
    cr_assert_eq(m->fills_n, 2);
    cr_expect_eq(m->fill[0].symbol_idx, 0);
    cr_expect(is_near(m->fill[0].qty, 5));
    cr_expect_eq(m->fill[1].symbol_idx, 2);
    cr_expect(is_near(m->fill[1].qty, 2.5), "half of what is left");
    cr_expect_eq(m->book.n, 1, "B's order waits for B's next bar");
    cr_expect_eq(execution_next_fill(&m->execution, 2), 2);
    bar(m, 2);
    cr_assert_eq(m->fills_n, 3);
    cr_expect_eq(m->fill[2].symbol_idx, 1);
    cr_expect_eq(m->fill[2].bar, 2);
    cr_expect(is_near(m->fill[2].qty, 1.25));
    sim_close(m);
}

/* C gaps through its stop at the open at which A enters: A's size knows the money that C gives
 * back. */
Test(execution, a_gap_through_a_stop_comes_before_the_orders_of_every_symbol)
{
    struct sim *m = three_symbols();
    m->combo.exits.stop_loss = 0.05;
    for (int k = 0; k < 4; k++)
        m->px[2][k][2] = 80;
    sim_open(m, 3, 4);
    bar(m, 0);
    sim_say(m, 2, 0, LE, NULL);
    bar(m, 1);
    sim_say(m, 0, 1, LE, NULL);
    bar(m, 2);
    cr_assert_eq(m->fills_n, 3);
    cr_expect_eq(m->fill[1].rule, FILL_RULE_STOP_GAP);
    cr_expect_eq(m->fill[1].symbol_idx, 2);
    cr_expect_eq(m->fill[2].symbol_idx, 0);
    cr_expect(is_near(m->fill[2].qty, 4.5), "half of 900, at 100: %g", m->fill[2].qty);
    sim_close(m);
}

Test(execution, at_the_end_a_symbol_without_a_bar_closes_at_its_last_known_price)
{
    struct sim *m = three_symbols();
    m->combo.execution.at_end = AT_END_CLOSE_AT_CLOSE;
    m->px[2][3][2] = 104;
    sim_open(m, 3, 4);
    bar(m, 0);
    sim_say(m, 2, 0, LE, NULL);
    for (uint32_t step = 1; step < 4; step++)
        bar(m, step);
    execution_end(&m->execution, 3);
    cr_assert_eq(m->fills_n, 2);
    cr_expect_eq(m->fill[1].rule, FILL_RULE_END);
    cr_expect_eq(m->fill[1].bar, 3);
    cr_expect(is_near(m->fill[1].px, 104));
    sim_close(m);
}

Test(execution, time_counts_the_bars_of_the_symbol)
{
    struct sim *m = three_symbols();
    m->combo.exits.max_bars = 1;
    sim_open(m, 3, 4);
    bar(m, 0);
    sim_say(m, 1, 0, LE, NULL);
    cr_expect_eq(execution_next_fill(&m->execution, 1), 2, "B has no bar at step 1");
    for (uint32_t step = 1; step < 4; step++)
        bar(m, step);
    cr_assert_eq(m->fills_n, 2);
    cr_expect_eq(m->fill[0].bar, 2);
    cr_expect(m->fill[1].bar == 3 && m->fill[1].rule == FILL_RULE_TIME);
    sim_close(m);
}

Test(execution, an_order_of_a_close_without_a_bar_fills_at_the_next_one)
{
    struct sim *m = three_symbols();
    m->combo.execution.fill = FILL_THIS_CLOSE;
    sim_open(m, 3, 4);
    bar(m, 0);
    sim_say(m, 1, 0, LE, NULL);
    bar(m, 1);
    execution_place(
        &m->execution,
        &(struct order){.bar = 1, .symbol_idx = 1, .is_close = 1, .rule = FILL_RULE_RISK});
    cr_expect_eq(m->fills_n, 1);
    bar(m, 2);
    cr_assert_eq(m->fills_n, 2);
    cr_expect(m->fill[1].bar == 2 && m->fill[1].rule == FILL_RULE_RISK);
    sim_close(m);
}

/* ---- positions that are moved to a target ---------------------------------------------------- */

static const struct scenario targets[] = {
    {.what = "half of equity, at the closes last known, over the price of the fill",
     .bars = {FLAT, FLAT, {150, 150, 150, 150}, {75, 75, 75, 75}, FLAT},
     .kinds = {LE, LE, LE, LE},
     .portfolio = {.sizing = SIZING_TARGET_PERCENT, .sizing_value = 0.5},
     .fills = {{1, OPEN, 5, 100, 0},               /* 500 / 100 */
               {2, OPEN, 500.0 / 150 - 5, 150, 0}, /* equity 1000: to 500 / 150 */
               {3, OPEN, 5, 75, 0},                /* equity 1250: to 625 / 75 */
               {4, OPEN, 5 - 625.0 / 75, 100, 0}}},
    {.what = "what is bought back of a short is bought at the market, whatever the order's limit",
     .bars = {FLAT, FLAT, {125, 126, 124, 125}},
     .kinds = {SE, SE},
     .terms = {{0}, {.limit_px = 90}},
     .portfolio = {.sizing = SIZING_TARGET_PERCENT, .sizing_value = 0.5},
     .execution = {.slippage = {.ticks = 1, .tick = 0.5}, .slips_in_bar = 1},
     .fills = {{1, OPEN, -500 / 99.5, 99.5, 0},
               {2, LIMIT, 500 / 99.5 - (1500 - 50000 / 99.5) / 2 / 124.5, 125.5, 0}}},
};

Test(execution, an_entry_moves_a_position_to_its_target_either_way)
{
    SCENARIOS_RUN(targets);
}
