/* SPDX-License-Identifier: MIT */
/* Promise: market, limit, stop and stop-limit orders fill where docs/EXECUTION.md says, for as long
 * as they are good for, and not once they are replaced or taken back. */
#include "tests/unit/execution_fixture.h"

#define RICH .portfolio = {.initial_capital = 2000}

/* ---- limits ---------------------------------------------------------------------------------- */

static const struct scenario limits[] = {
    {.what = "a buy limit that the open has passed fills at the better open",
     .bars = {FLAT, {95, 99, 94, 98}, FLAT},
     .kinds = {LE},
     .terms = {{.limit_px = 98}},
     .fills = {{1, LIMIT, 10, 95, 0}}},
    {.what = "a buy limit at the open fills there",
     .bars = {FLAT, {98, 99, 97, 98}},
     .kinds = {LE},
     .terms = {{.limit_px = 98}},
     .fills = {{1, LIMIT, 10, 98, 0}}},
    {.what = "a buy limit that the range touches fills at it, without slippage",
     .bars = {FLAT, {100, 101, 98, 99}},
     .kinds = {LE},
     .terms = {{.limit_px = 98}},
     .execution = {.slippage = {.percent_frac = 0.01}},
     .fills = {{1, LIMIT, 10, 98, 0}}},
    {.what = "a buy limit that no bar touches waits on",
     .bars = {FLAT, {100, 101, 98.01, 99}, FLAT, {99, 99, 90, 91}},
     .kinds = {LE},
     .terms = {{.limit_px = 98}},
     .fills = {{3, LIMIT, 10, 98, 0}}},
    {.what = "a sell limit that the open has passed fills at the better open",
     RICH,
     .bars = {FLAT, {105, 106, 104, 105}},
     .kinds = {SE},
     .terms = {{.limit_px = 102}},
     .fills = {{1, LIMIT, -10, 105, 0}}},
    {.what = "a sell limit that the range touches fills at it",
     RICH,
     .bars = {FLAT, {101, 102, 99, 100}},
     .kinds = {SE},
     .terms = {{.limit_px = 102}},
     .fills = {{1, LIMIT, -10, 102, 0}}},
    {.what = "a sell limit that no bar touches waits",
     .bars = {FLAT, {101, 101.99, 99, 100}, FLAT},
     .kinds = {SE},
     .terms = {{.limit_px = 102}},
     .waiting = 1},
    {.what = "a limit under fill: this_close waits for the next bar too",
     .bars = {FLAT, {100, 101, 98, 99}},
     .kinds = {LE},
     .terms = {{.limit_px = 103}},
     .execution = {.fill = FILL_THIS_CLOSE},
     .fills = {{1, LIMIT, 10, 100, 0}}},
    {.what = "a limit under market_on: close does not wait for the close",
     .bars = {FLAT, {100, 101, 98, 99}},
     .kinds = {LE},
     .terms = {{.limit_px = 98}},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .fills = {{1, LIMIT, 10, 98, 0}}},
    {.what = "a limit of the last bar meets it where the end replays it",
     .bars = {FLAT, {100, 105, 95, 99}},
     .kinds = {0, LE},
     .terms = {{0}, {.limit_px = 98}},
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN},
     .fills = {{1, LIMIT, 10, 98, 0}},
     .waiting = 1},
    {.what = "an order may bring its own size",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .terms = {{.qty = 3}},
     .fills = {{1, OPEN, 3, 100, 0}}},
};

Test(orders, limits_fill_at_their_price_or_better)
{
    SCENARIOS_RUN(limits);
}

/* ---- stops ----------------------------------------------------------------------------------- */

static const struct scenario stops[] = {
    {.what = "a buy stop that the open has passed fills at the worse open, slipped",
     .bars = {FLAT, {105, 106, 104, 105}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}},
     .fills = {{1, GAP, 5, 105 * 1.01, 0}}},
    {.what = "a buy stop just at the open is touched by it",
     .bars = {FLAT, {102, 103, 101, 102}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .qty = 5}},
     .fills = {{1, STOP, 5, 102, 0}}},
    {.what = "a buy stop that the range touches fills at it, slipped",
     .bars = {FLAT, {100, 102, 99, 100}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}},
     .fills = {{1, STOP, 5, 102 * 1.01, 0}}},
    {.what = "stops do not slip where that is chosen",
     .bars = {FLAT, {100, 102, 99, 100}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}, .stops_exact = 1},
     .fills = {{1, STOP, 5, 102, 0}}},
    {.what = "a buy stop that no bar touches waits",
     .bars = {FLAT, {100, 101.99, 99, 100}, FLAT},
     .kinds = {LE},
     .terms = {{.stop_px = 102}},
     .waiting = 1},
    {.what = "a sell stop that the open has passed fills at the worse open",
     .bars = {FLAT, {95, 99, 94, 98}},
     .kinds = {SE},
     .terms = {{.stop_px = 98}},
     .fills = {{1, GAP, -10, 95, 0}}},
    {.what = "a sell stop that the range touches fills at it",
     .bars = {FLAT, {100, 101, 97, 98}},
     .kinds = {SE},
     .terms = {{.stop_px = 98}},
     .fills = {{1, STOP, -10, 98, 0}}},
    {.what = "slippage stays within the bar where that is chosen",
     .bars = {FLAT, {100, 102.5, 99, 100}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}, .slips_in_bar = 1},
     .fills = {{1, STOP, 5, 102.5, 0}}},
};

Test(orders, stops_fill_at_their_price_or_worse)
{
    SCENARIOS_RUN(stops);
}

/* ---- stop-limits ----------------------------------------------------------------------------- */

static const struct scenario stop_limits[] = {
    {.what = "triggered by the open within the limit: at the open",
     RICH,
     .bars = {FLAT, {103, 106, 102, 105}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .limit_px = 104}},
     .fills = {{1, LIMIT, 10, 103, 0}}},
    {.what = "triggered by the open beyond the limit: at the limit, when the range comes back",
     .bars = {FLAT, {105, 106, 103, 105}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .limit_px = 104, .qty = 5}},
     .fills = {{1, LIMIT, 5, 104, 0}}},
    {.what = "triggered by the open beyond the limit, which then waits as a limit",
     .bars = {FLAT, {105, 106, 104.5, 105}, {104.5, 105, 104.2, 105}, {103, 106, 102, 105}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .limit_px = 104, .qty = 5}},
     .fills = {{3, LIMIT, 5, 103, 0}}},
    {.what = "triggered in the range with the limit beyond the stop: at the stop",
     .bars = {FLAT, {100, 105, 99, 104}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .limit_px = 104, .qty = 5}},
     .execution = {.slippage = {.percent_frac = 0.01}},
     .fills = {{1, LIMIT, 5, 102, 0}}},
    {.what = "triggered in the range with the limit behind the stop: it waits as a limit",
     .bars = {FLAT, {100, 105, 99, 104}, {104, 105, 101, 103}},
     .kinds = {LE},
     .terms = {{.stop_px = 103, .limit_px = 101.5, .qty = 5}},
     .fills = {{2, LIMIT, 5, 101.5, 0}}},
    {.what = "a close behind the limit says that the price came back to it",
     .bars = {FLAT, {100, 105, 99, 101}, FLAT},
     .kinds = {LE},
     .terms = {{.stop_px = 103, .limit_px = 101.5, .qty = 5}},
     .fills = {{1, LIMIT, 5, 101.5, 0}}},
    {.what = "a limit behind a stop that no bar reaches is not touched",
     .bars = {FLAT, {100, 101, 95, 96}, FLAT},
     .kinds = {LE},
     .terms = {{.stop_px = 103, .limit_px = 98}},
     .waiting = 1},
    {.what = "a short mirrors it: triggered in the range, limit beyond",
     .bars = {FLAT, {100, 101, 95, 96}},
     .kinds = {SE},
     .terms = {{.stop_px = 98, .limit_px = 96}},
     .fills = {{1, LIMIT, -10, 98, 0}}},
    {.what = "a short mirrors it: triggered by the open beyond its limit, back in a later bar",
     .bars = {FLAT, {94, 95, 93, 94}, {94, 97, 93, 94}},
     .kinds = {SE},
     .terms = {{.stop_px = 98, .limit_px = 96}},
     .fills = {{2, LIMIT, -10, 96, 0}}},
};

Test(orders, stop_limits_become_limits_once_they_are_touched)
{
    SCENARIOS_RUN(stop_limits);
}

/* ---- how long they wait ---------------------------------------------------------------------- */

static const struct scenario times_in_force[] = {
    {.what = "good till cancelled: over days",
     .bars = {FLAT, FLAT, FLAT, FLAT, {100, 100, 90, 95}},
     .bars_a_day = 2,
     .kinds = {LE},
     .terms = {{.limit_px = 98, .time_in_force = TIF_GTC}},
     .fills = {{4, LIMIT, 10, 98, 0}}},
    {.what = "without a word it is what execution.time_in_force says",
     .bars = {FLAT, FLAT, {100, 100, 90, 95}, FLAT},
     .bars_a_day = 2,
     .kinds = {LE},
     .terms = {{.limit_px = 98}},
     .execution = {.time_in_force = TIF_DAY}},
    {.what = "a day order lives to the last bar of the day of its first bar",
     .bars = {FLAT, FLAT, FLAT, {100, 100, 90, 95}},
     .bars_a_day = 4,
     .kinds = {LE},
     .terms = {{.limit_px = 98, .time_in_force = TIF_DAY}},
     .fills = {{3, LIMIT, 10, 98, 0}}},
    {.what = "a day order placed at the last close of a day lives through the next",
     .bars = {FLAT, FLAT, FLAT, {100, 100, 90, 95}},
     .bars_a_day = 2,
     .kinds = {0, LE},
     .terms = {{0}, {.limit_px = 98, .time_in_force = TIF_DAY}},
     .fills = {{3, LIMIT, 10, 98, 0}}},
    {.what = "a day order does not see the next day",
     .bars = {FLAT, FLAT, {90, 100, 90, 95}, FLAT},
     .bars_a_day = 2,
     .kinds = {LE},
     .terms = {{.limit_px = 98, .time_in_force = TIF_DAY}}},
    {.what = "immediate or cancel: the open of its first bar",
     .bars = {FLAT, {97, 98, 96, 97}},
     .kinds = {LE},
     .terms = {{.limit_px = 98, .time_in_force = TIF_IOC}},
     .fills = {{1, LIMIT, 10, 97, 0}}},
    {.what = "immediate or cancel: not the range of its first bar",
     .bars = {FLAT, {100, 101, 90, 97}, {97, 98, 96, 97}},
     .kinds = {LE},
     .terms = {{.limit_px = 98, .time_in_force = TIF_IOC}}},
    {.what = "immediate or cancel: a stop that the open has passed",
     .bars = {FLAT, {103, 104, 90, 97}},
     .kinds = {LE},
     .terms = {{.stop_px = 102, .qty = 5, .time_in_force = TIF_IOC}},
     .fills = {{1, GAP, 5, 103, 0}}},
};

Test(orders, wait_as_long_as_they_are_good_for)
{
    SCENARIOS_RUN(times_in_force);
}

/* Where an entry waits behind the order that closes what it replaces. */
static const struct scenario behind[] = {
    {.what = "same side anew: its limit is not met while the old position is held",
     .bars = {FLAT, {100, 101, 98, 100}, {100, 101, 98, 100}, {98, 101, 97, 100}},
     .kinds = {LE, LE},
     .terms = {{0}, {.limit_px = 99}},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .risk = {.same_signal = SAME_SIGNAL_REENTER},
     .fills = {{1, CLOSE, 10, 100, 0}, {2, FILL_RULE_REENTER, -10, 100, 0}, {3, LIMIT, 10, 98, 0}}},
    {.what = "same side anew: nor is its stop",
     .bars = {FLAT, FLAT, {100, 102, 99, 100}, FLAT, {100, 102, 99, 100}},
     .kinds = {LE, LE},
     .terms = {{0}, {.stop_px = 101.5}},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .portfolio = {.initial_capital = 2000},
     .risk = {.same_signal = SAME_SIGNAL_REENTER},
     .fills = {{1, CLOSE, 10, 100, 0},
               {2, FILL_RULE_REENTER, -10, 100, 0},
               {4, STOP, 10, 101.5, 0}}},
    {.what = "a reversal: its stop is not touched",
     .bars = {FLAT, FLAT, {100, 102, 98, 101}, {103, 104, 102, 103}},
     .kinds = {LE, SE},
     .terms = {{0}, {.stop_px = 99}},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .fills = {{1, CLOSE, 10, 100, 0}, {2, FILL_RULE_REVERSE, -10, 101, 0}},
     .waiting = 1},
    {.what = "a reversal: its time in force begins once it has closed",
     .bars = {FLAT, FLAT, FLAT, {105, 106, 104, 105}},
     RICH,
     .kinds = {LE, SE},
     .terms = {{0}, {.limit_px = 104, .time_in_force = TIF_IOC}},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .fills = {{1, CLOSE, 10, 100, 0},
               {2, FILL_RULE_REVERSE, -10, 100, 0},
               {3, LIMIT, -10, 105, 0}}},
    {.what = "where a stop inside the bar closes instead, the rest of that bar is not met",
     .bars = {FLAT, FLAT, {100, 101, 94, 97}, {100, 101, 98, 100}},
     RICH,
     .kinds = {LE, SE},
     .terms = {{0}, {.stop_px = 98.5}},
     .exits = {.stop_loss = 0.05},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .fills = {{1, CLOSE, 10, 100, 0}, {2, STOP, -10, 95, 0}, {3, STOP, -10, 98.5, 0}}},
    {.what = "where a stop at the open closes instead, the entry is met, and stays open",
     .bars = {FLAT, FLAT, {94, 96, 93, 95}, FLAT},
     .kinds = {LE, LE},
     .terms = {{0}, {.limit_px = 99}},
     .exits = {.stop_loss = 0.05},
     .execution = {.market_on = MARKET_ON_CLOSE},
     .risk = {.same_signal = SAME_SIGNAL_REENTER},
     .fills = {{1, CLOSE, 10, 100, 0}, {2, GAP, -10, 94, 0}, {2, LIMIT, 10, 94, 0}}},
};

Test(orders, behind_a_close_meet_no_prices)
{
    SCENARIOS_RUN(behind);
}

static const struct scenario taken_back[] = {
    {.what = "a new entry replaces the one that waits",
     .bars = {FLAT, FLAT, {100, 101, 94, 95}, {100, 101, 89, 95}},
     .kinds = {LE, LE},
     .terms = {{.limit_px = 96}, {.limit_px = 90}},
     .fills = {{3, LIMIT, 10, 90, 0}}},
    {.what = "an entry of the other side replaces it as well",
     RICH,
     .bars = {FLAT, FLAT, {100, 105, 94, 95}},
     .kinds = {LE, SE},
     .terms = {{.limit_px = 96}, {.limit_px = 104}},
     .fills = {{2, LIMIT, -10, 104, 0}}},
    {.what = "the exit signal of its side takes it back",
     .bars = {FLAT, FLAT, {100, 105, 94, 95}},
     .kinds = {LE, LX},
     .terms = {{.limit_px = 96}}},
    {.what = "the exit signal of the other side does not",
     .bars = {FLAT, FLAT, {100, 105, 94, 95}},
     .kinds = {LE, SX},
     .terms = {{.limit_px = 96}},
     .fills = {{2, LIMIT, 10, 96, 0}}},
    {.what = "a reversal at a limit closes at the market and waits for its price",
     RICH,
     .bars = {FLAT, FLAT, FLAT, {100, 105, 99, 100}},
     .kinds = {LE, SE},
     .terms = {{0}, {.limit_px = 104}},
     .fills = {{1, OPEN, 10, 100, 0},
               {2, FILL_RULE_REVERSE, -10, 100, 0},
               {3, LIMIT, -10, 104, 0}}},
};

Test(orders, are_replaced_and_taken_back)
{
    SCENARIOS_RUN(taken_back);
}

Test(orders, that_wait_are_next_asked_for_where_a_bar_touches_or_ends_them)
{
    static const struct scenario c = {
        .what = "look ahead",
        .bars = {FLAT, FLAT, FLAT, FLAT, {100, 101, 97, 98}, FLAT},
        .bars_a_day = 3,
    };
    static const struct {
        struct order_terms terms;
        uint32_t next;
    } rows[] = {
        {{.limit_px = 98, .time_in_force = TIF_GTC}, 4},
        {{.stop_px = 101.5, .time_in_force = TIF_GTC}, UINT32_MAX},
        {{.stop_px = 101, .limit_px = 50, .time_in_force = TIF_GTC}, 1},
        {{.limit_px = 98, .time_in_force = TIF_DAY}, 3}, /* the next day's first bar */
        {{.limit_px = 98, .time_in_force = TIF_IOC}, 1},
        {{0}, 1},
    };
    static struct sim m;
    scenario_open(&c, &m);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        order_book_clear(&m.book);
        sim_say(&m, 0, 0, LE, &rows[i].terms);
        cr_expect_eq(execution_next_fill(&m.execution, 1), rows[i].next, "row %u", i);
    }
    sim_close(&m);
}

Test(order_book, a_close_takes_entries_of_earlier_bars_with_it)
{
    struct arena arena = {0};
    struct order_book book;
    cr_assert_eq(order_book_init(&book, &arena, 1), 0);
    order_book_place(&book, &(struct order){.bar = 3, .side = 1});
    order_book_place(&book, &(struct order){.bar = 3, .is_close = 1});
    cr_expect_eq(book.n, 2, "an entry of the same bar stays");
    order_book_place(&book, &(struct order){.bar = 4, .is_close = 1, .side = 1});
    cr_expect_eq(book.n, 2, "an entry of the other side than the one that is left stays");
    order_book_place(&book, &(struct order){.bar = 4, .is_close = 1, .side = -1});
    cr_expect(book.n == 1 && book.order[0].is_close);
    arena_fini(&arena);
}

Test(order_book, replaces_an_order_of_the_same_symbol_and_intent)
{
    struct arena arena = {0};
    struct order_book book;
    cr_assert_eq(order_book_init(&book, &arena, 2), 0);
    order_book_place(&book, &(struct order){.symbol_idx = 1, .side = 1, .ref_px = 1});
    order_book_place(&book, &(struct order){.symbol_idx = 1, .is_close = 1});
    order_book_place(&book, &(struct order){.symbol_idx = 0, .side = 1});
    order_book_place(&book, &(struct order){.symbol_idx = 1, .side = -1, .ref_px = 2});
    cr_assert_eq(book.n, 3);
    cr_expect(book.order[0].is_close && book.order[1].symbol_idx == 0);
    cr_expect(book.order[2].side == -1 && book.order[2].ref_px == 2);
    order_book_drop_symbol(&book, 1);
    cr_expect(book.n == 1 && book.order[0].symbol_idx == 0);
    order_book_set_bracket(&book, 1, &(struct bracket){.stop_px = 7});
    order_book_set_bracket(&book, 1, &(struct bracket){.stop_px = 8});
    cr_expect(book.brackets_n == 1 && book.bracket[1].stop_px == 8);
    order_book_clear(&book);
    cr_expect(book.n == 0 && book.brackets_n == 0 && !book.bracket[1].is_set);
    arena_fini(&arena);
}
