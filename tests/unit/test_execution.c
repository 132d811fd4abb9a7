/* SPDX-License-Identifier: MIT */
/* Promise: orders meet bars by the rules of docs/EXECUTION.md, risk makes of a signal
 * what the configuration says, and money neither appears nor vanishes. Bars here are made by hand,
 * so that every price and size can be checked on paper. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "worker/broker/broker.h"
#include "worker/risk/risk.h"

#define BARS_MAX    256
#define SYMBOLS_MAX 3
#define FILLS_MAX   4096

/* ---- one account over a plane made by hand --------------------------------------------------- */

struct sim {
    int64_t clock[BARS_MAX];
    double px[SYMBOLS_MAX][4][BARS_MAX]; /* open high low close, by row */
    int32_t row_of_step[SYMBOLS_MAX][BARS_MAX];
    struct plane_view view[SYMBOLS_MAX];
    struct plane plane;
    struct market *market;
    struct arena arena;
    struct position pos[SYMBOLS_MAX];
    double mark_px[SYMBOLS_MAX];
    struct account account;
    struct order_book book;
    struct execution execution;
    struct execution_cfg execution_cfg;
    struct risk_cfg risk_cfg;
    struct exits_cfg exits;
    struct portfolio_cfg portfolio;
    struct risk_view view_of_risk;
    struct fill fill[FILLS_MAX];
    uint32_t fills_n;
    struct trade trade[FILLS_MAX];
    uint32_t trades_n;
};

static void keep_fill(void *ctx, const struct fill *f)
{
    struct sim *m = ctx;
    struct trade t;
    cr_assert_lt(m->fills_n, FILLS_MAX);
    m->fill[m->fills_n++] = *f;
    if (account_apply(&m->account, f, &t))
        m->trade[m->trades_n++] = t;
}

/* Configurations and bars are set before. */
static void sim_open(struct sim *m, uint32_t symbols_n, uint32_t steps_n)
{
    m->plane = (struct plane){
        .symbols_n = symbols_n, .steps_n = steps_n, .clock_ns = m->clock, .symbol = m->view};
    cr_assert_eq(market_create(&m->plane, COMBO_ALL_SYMBOLS, &m->market), 0);
    m->account = (struct account){.symbols_n = symbols_n, .pos = m->pos, .mark_px = m->mark_px};
    account_init(&m->account, m->portfolio.initial_capital, m->portfolio.leverage);
    cr_assert_eq(order_book_init(&m->book, &m->arena, symbols_n), 0);
    m->execution =
        (struct execution){&m->execution_cfg, m->market, &m->account, &m->book, keep_fill, m, 0};
    m->view_of_risk = (struct risk_view){&m->risk_cfg, &m->portfolio, &m->execution_cfg, &m->exits};
}

static void sim_close(struct sim *m)
{
    market_destroy(m->market);
    arena_fini(&m->arena);
}

static struct sim *new_sim(void)
{
    static struct sim m;
    m = (struct sim){
        .risk_cfg = {.max_position_size = INFINITY, .commission_frac = NAN},
        .exits = {.stop_loss = NAN, .take_profit = NAN},
        .portfolio = {.initial_capital = 1000, .leverage = 1, .sizing_value = 1},
    };
    for (uint32_t i = 0; i < BARS_MAX; i++)
        m.clock[i] = i * INT64_C(60000000000);
    return &m;
}

static void set_view(struct sim *m, uint32_t s, uint32_t rows_n, bool has_gaps)
{
    m->view[s] = (struct plane_view){.bars = {.symbol = "S",
                                              .rows_n = rows_n,
                                              .time_ns = m->clock,
                                              .open = m->px[s][0],
                                              .high = m->px[s][1],
                                              .low = m->px[s][2],
                                              .close = m->px[s][3]},
                                     .row_of_step = has_gaps ? m->row_of_step[s] : NULL};
}

static void set_bars(struct sim *m, const double (*bars)[4], uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++)
            m->px[0][k][i] = bars[i][k];
    set_view(m, 0, n, false);
}

static void mark(struct sim *m, uint32_t step)
{
    for (uint32_t s = 0; s < m->market->symbols_n; s++) {
        int32_t row = market_row(m->market, s, step);
        if (row >= 0)
            m->mark_px[s] = m->px[s][3][row];
    }
    m->account.equity = account_equity(&m->account);
}

static void say(struct sim *m, uint16_t s, uint32_t step, unsigned kinds)
{
    struct order order[RISK_ORDERS_MAX];
    int32_t row = market_row(m->market, s, step);
    if (row < 0 || !kinds)
        return;
    const struct signal signal = {
        .bar = step, .symbol_idx = s, .kinds = (uint16_t)kinds, .ref_px = m->px[s][3][row]};
    unsigned n = risk_decide(&m->view_of_risk, &m->pos[s], &signal, order);
    cr_assert_leq(n, RISK_ORDERS_MAX);
    for (unsigned i = 0; i < n; i++)
        order_book_place(&m->book, &order[i]);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

/* ---- scenarios on one symbol ----------------------------------------------------------------- */

#define LE SIGNAL_LONG_ENTRY
#define LX SIGNAL_LONG_EXIT
#define SE SIGNAL_SHORT_ENTRY
#define SX SIGNAL_SHORT_EXIT

#define FLAT                                                                                       \
    {                                                                                              \
        100, 101, 99, 100                                                                          \
    }

struct expected_fill {
    uint32_t bar;
    enum fill_rule rule;
    double qty, px, commission;
};

/* Zero means: the default of the field; a stop or target of 0 is none; sizing_value 0 is ten units.
 */
struct scenario {
    const char *what;
    double bars[5][4];
    unsigned kinds[5]; /* said at the close of each bar */
    struct execution_cfg execution;
    enum opposite_signal opposite;
    enum same_signal same;
    double stop, target;
    enum exit_base base;
    enum live_from live_from;
    enum direction direction;
    enum sizing_kind sizing;
    double sizing_value, lot, max_size, leverage, reserve;
    struct expected_fill fills[6];
    double cash; /* at the end; 0: not checked, 1e-300: nothing is left */
};

static const struct scenario scenarios[] = {
    {.what = "a signal on the close fills at the next open",
     .bars = {FLAT, {102, 103, 101, 102.5}, {104, 105, 103, 104}},
     .kinds = {LE, LX},
     .sizing_value = 5,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 102, 0}, {2, FILL_RULE_MARKET_OPEN, -5, 104, 0}},
     .cash = 1010},
    {.what = "a short mirrors it",
     .bars = {FLAT, {102, 103, 101, 102.5}, {104, 105, 103, 104}},
     .kinds = {SE, SX},
     .sizing_value = 5,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -5, 102, 0}, {2, FILL_RULE_MARKET_OPEN, 5, 104, 0}},
     .cash = 990},
    {.what = "a signal on the last bar never fills when positions are marked",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {0, 0, LE}},
    {.what = "slippage is paid on both sides of a long",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, LX},
     .sizing_value = 5,
     .execution = {.slippage_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 101, 0}, {2, FILL_RULE_MARKET_OPEN, -5, 99, 0}},
     .cash = 990},
    {.what = "slippage is paid on both sides of a short",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {SE, SX},
     .sizing_value = 5,
     .execution = {.slippage_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, -5, 99, 0}, {2, FILL_RULE_MARKET_OPEN, 5, 101, 0}},
     .cash = 990},
    {.what = "commission is a fraction of the value of each fill",
     .bars = {FLAT, FLAT, {110, 110, 110, 110}},
     .kinds = {LE, LX},
     .sizing_value = 5,
     .execution = {.commission_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 100, 5}, {2, FILL_RULE_MARKET_OPEN, -5, 110, 5.5}},
     .cash = 1039.5},
    /* sizing */
    {.what = "whole units leave room for commission and slippage",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_EQUITY,
     .sizing_value = 1,
     .lot = 1,
     .execution = {.commission_frac = 0.001, .slippage_frac = 0.001},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 9, 100.1, 0.9009}}},
    {.what = "fractional units spend all of it",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_EQUITY,
     .sizing_value = 1,
     .execution = {.commission_frac = 0.25},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 8, 100, 200}}},
    {.what = "a step of sizes is a multiple of it",
     .bars = {FLAT, {99, 99, 99, 99}},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_CASH,
     .sizing_value = 0.5,
     .lot = 0.1,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 99, 0}}},
    {.what = "a third of a unit asked for in steps of a tenth is three tenths",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing_value = 0.3,
     .lot = 0.1,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 0.3, 100, 0}}},
    {.what = "percent of cash uses leverage",
     .bars = {FLAT, FLAT},
     .kinds = {SE},
     .sizing = SIZING_PERCENT_OF_CASH,
     .sizing_value = 0.5,
     .lot = 1,
     .leverage = 3,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -15, 100, 0}}},
    {.what = "percent of equity beyond one needs leverage",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_EQUITY,
     .sizing_value = 2,
     .lot = 1,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
    {.what = "percent of equity with leverage",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_EQUITY,
     .sizing_value = 2,
     .lot = 1,
     .leverage = 4,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 20, 100, 0}}},
    {.what = "units that cannot be paid are not bought",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE},
     .sizing_value = 11},
    {.what = "units that just can be paid are bought",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing_value = 10,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}},
     .cash = 1e-300},
    {.what = "units that cannot be paid with their commission are not bought",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing_value = 10,
     .execution = {.commission_frac = 1e-6}},
    {.what = "less than a lot is nothing",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_CASH,
     .sizing_value = 0.09,
     .lot = 1},
    {.what = "the largest position caps percent sizing, rounded to the lot",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_EQUITY,
     .sizing_value = 1,
     .lot = 1,
     .max_size = 4.7,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 4, 100, 0}}},
    {.what = "the largest position caps units",
     .bars = {FLAT, FLAT},
     .kinds = {SE},
     .sizing_value = 10,
     .max_size = 3.5,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -3.5, 100, 0}}},
    {.what = "the commission that risk sets aside may differ from the one that is charged",
     .bars = {FLAT, FLAT},
     .kinds = {LE},
     .sizing = SIZING_PERCENT_OF_CASH,
     .sizing_value = 1,
     .lot = 1,
     .reserve = 0.25,
     .execution = {.commission_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 8, 100, 8}}},
    /* stops and targets */
    {.what = "a stop that the bar touches fills at it, slipped",
     .bars = {FLAT, FLAT, {99, 100, 94, 98}},
     .kinds = {LE},
     .stop = 0.05,
     .sizing_value = 5,
     .execution = {.slippage_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 101, 0}, {2, FILL_RULE_STOP, -5, 95.95 * 0.99, 0}}},
    {.what = "a stop that the open has passed fills at the open",
     .bars = {FLAT, FLAT, {90, 97, 89, 96}},
     .kinds = {LE},
     .stop = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_STOP_GAP, -10, 90, 0}}},
    {.what = "an open just at the stop is passed",
     .bars = {FLAT, FLAT, {95, 97, 95, 96}},
     .kinds = {LE},
     .stop = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_STOP_GAP, -10, 95, 0}}},
    {.what = "a target does not slip",
     .bars = {FLAT, FLAT, {100, 112, 99, 100}},
     .kinds = {LE},
     .target = 0.1,
     .sizing_value = 5,
     .execution = {.slippage_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 101, 0}, {2, FILL_RULE_TARGET, -5, 111.1, 0}}},
    {.what = "a target that the open has passed fills at the better open",
     .bars = {FLAT, FLAT, {115, 116, 99, 100}},
     .kinds = {LE},
     .target = 0.1,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_TARGET_GAP, -10, 115, 0}}},
    {.what = "a short's stop is above, and slips",
     .bars = {FLAT, FLAT, {101, 106, 100, 101}},
     .kinds = {SE},
     .stop = 0.05,
     .sizing_value = 5,
     .execution = {.slippage_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, -5, 99, 0}, {2, FILL_RULE_STOP, 5, 103.95 * 1.01, 0}}},
    {.what = "a short's stop gap",
     .bars = {FLAT, FLAT, {107, 108, 100, 101}},
     .kinds = {SE},
     .stop = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -10, 100, 0}, {2, FILL_RULE_STOP_GAP, 10, 107, 0}}},
    {.what = "a short's target is below",
     .bars = {FLAT, FLAT, {100, 101, 89, 100}},
     .kinds = {SE},
     .target = 0.1,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -10, 100, 0}, {2, FILL_RULE_TARGET, 10, 90, 0}}},
    {.what = "a short's target gap",
     .bars = {FLAT, FLAT, {85, 101, 84, 100}},
     .kinds = {SE},
     .target = 0.1,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -10, 100, 0}, {2, FILL_RULE_TARGET_GAP, 10, 85, 0}}},
    {.what = "stop and target in one bar: the stop first, when pessimistic",
     .bars = {FLAT, FLAT, {104, 106, 94, 100}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_STOP, -10, 95, 0}}},
    {.what = "stop and target in one bar: the target first, when optimistic",
     .bars = {FLAT, FLAT, {96, 106, 94, 100}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.05,
     .execution = {.same_bar = SAME_BAR_OPTIMISTIC},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_TARGET, -10, 105, 0}}},
    {.what = "stop and target in one bar: the one nearer to the open, here the target",
     .bars = {FLAT, FLAT, {104, 106, 94, 100}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.05,
     .execution = {.same_bar = SAME_BAR_NEAREST_OPEN},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_TARGET, -10, 105, 0}}},
    {.what = "stop and target in one bar: the one nearer to the open, here the stop",
     .bars = {FLAT, FLAT, {96, 106, 94, 100}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.05,
     .execution = {.same_bar = SAME_BAR_NEAREST_OPEN},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_STOP, -10, 95, 0}}},
    {.what = "an open that has passed the target settles it, however pessimistic",
     .bars = {FLAT, FLAT, {106, 107, 94, 100}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_TARGET_GAP, -10, 106, 0}}},
    {.what = "a stop is live in the bar of its entry",
     .bars = {FLAT, {100, 101, 94, 99}, FLAT},
     .kinds = {LE},
     .stop = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {1, FILL_RULE_STOP, -10, 95, 0}}},
    {.what = "a stop is live from the next bar, where that is chosen",
     .bars = {FLAT, {100, 101, 94, 99}, FLAT, {96, 97, 94, 96}},
     .kinds = {LE},
     .stop = 0.05,
     .live_from = LIVE_FROM_NEXT_BAR,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {3, FILL_RULE_STOP, -10, 95, 0}}},
    {.what = "a stop that the entry's own open has passed fills at it",
     .bars = {FLAT, {94, 96, 93, 95}, FLAT},
     .kinds = {LE},
     .stop = 0.05,
     .base = EXIT_BASE_SIGNAL_CLOSE,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 94, 0}, {1, FILL_RULE_STOP_GAP, -10, 94, 0}}},
    {.what = "stop and target are measured from the close of the signal, where that is chosen",
     .bars = {FLAT, {98, 99, 97, 98}, {96, 97, 94.5, 96}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.5,
     .base = EXIT_BASE_SIGNAL_CLOSE,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 98, 0}, {2, FILL_RULE_STOP, -10, 95, 0}}},
    {.what = "stop and target are measured from the fill's price",
     .bars = {FLAT, {98, 99, 97, 98}, {96, 97, 94.5, 96}, {94, 95, 93, 94}},
     .kinds = {LE},
     .stop = 0.05,
     .target = 0.5,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 98, 0}, {3, FILL_RULE_STOP, -10, 93.1, 0}}},
    {.what = "a market exit and a stop in one bar: the open comes first",
     .bars = {FLAT, FLAT, {98, 99, 90, 95}},
     .kinds = {LE, LX},
     .stop = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_MARKET_OPEN, -10, 98, 0}}},
    {.what = "a stop gap comes before a market exit, which then finds nothing",
     .bars = {FLAT, FLAT, {92, 93, 90, 92}, FLAT},
     .kinds = {LE, LX},
     .stop = 0.05,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_STOP_GAP, -10, 92, 0}}},
    {.what = "a reversal whose close the stop has taken still enters",
     .bars = {FLAT, FLAT, {92, 93, 90, 92}, FLAT},
     .kinds = {LE, SE},
     .stop = 0.05,
     .sizing_value = 5,
     .live_from = LIVE_FROM_NEXT_BAR,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 100, 0},
               {2, FILL_RULE_STOP_GAP, -5, 92, 0},
               {2, FILL_RULE_MARKET_OPEN, -5, 92, 0},
               {3, FILL_RULE_STOP_GAP, 5, 100, 0}}},
    /* signals */
    {.what = "a reversal closes, then enters with the new cash",
     .bars = {FLAT, FLAT, {150, 150, 150, 150}},
     .kinds = {LE, SE},
     .sizing = SIZING_PERCENT_OF_EQUITY,
     .sizing_value = 1,
     .lot = 1,
     .execution = {.commission_frac = 0.01},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 9, 100, 9},
               {2, FILL_RULE_REVERSE, -9, 150, 13.5},
               {2, FILL_RULE_MARKET_OPEN, -9, 150, 13.5}}},
    {.what = "an opposite signal closes, where that is chosen",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, SE},
     .opposite = OPPOSITE_CLOSE,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_MARKET_OPEN, -10, 100, 0}}},
    {.what = "an opposite signal is ignored, where that is chosen, and an exit is not",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, SE, SE | LX},
     .opposite = OPPOSITE_IGNORE,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {3, FILL_RULE_MARKET_OPEN, -10, 100, 0}}},
    {.what = "a short signal of a long-only account closes and enters nothing",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, SE, SE},
     .direction = DIRECTION_LONG,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_MARKET_OPEN, -10, 100, 0}}},
    {.what = "a long signal of a short-only account closes and enters nothing",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {SE, LE, LE},
     .direction = DIRECTION_SHORT,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -10, 100, 0}, {2, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
    {.what = "the same signal again is ignored",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE, LE, LE},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
    {.what = "the same signal again closes and enters anew, where that is chosen",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, LE},
     .same = SAME_SIGNAL_REENTER,
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0},
               {2, FILL_RULE_REENTER, -10, 100, 0},
               {2, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
    {.what = "long wins where both sides are said, and stays",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE | SE, LE | SE, LE | SE},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
    {.what = "both sides said in a short-only account are a short",
     .bars = {FLAT, FLAT, FLAT, FLAT},
     .kinds = {LE | SE, LE | SE, LE | SE},
     .direction = DIRECTION_SHORT,
     .fills = {{1, FILL_RULE_MARKET_OPEN, -10, 100, 0}}},
    {.what = "an exit without a position is nothing",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LX | SX, SX}},
    {.what = "an exit of the other side is nothing",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, SX},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
    /* the end */
    {.what = "close_at_close closes at the last close",
     .bars = {FLAT, FLAT, {100, 109, 99, 108}},
     .kinds = {LE},
     .sizing_value = 5,
     .execution = {.at_end = AT_END_CLOSE_AT_CLOSE, .slippage_frac = 0.5, .commission_frac = 0.1},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 150, 75}, {2, FILL_RULE_END, -5, 54, 27}}},
    {.what = "close_at_close leaves orders of the last bar unfilled",
     .bars = {FLAT, FLAT, FLAT},
     .kinds = {LE, 0, SE},
     .execution = {.at_end = AT_END_CLOSE_AT_CLOSE},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_END, -10, 100, 0}}},
    {.what = "close_at_open closes at the last open",
     .bars = {FLAT, FLAT, {103, 109, 99, 108}},
     .kinds = {LE},
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}, {2, FILL_RULE_END, -10, 103, 0}}},
    {.what = "close_at_open replays the last bar: its orders fill at its own open",
     .bars = {FLAT, FLAT, {103, 109, 99, 108}},
     .kinds = {LE, 0, SE},
     .sizing_value = 5,
     .execution = {.at_end = AT_END_CLOSE_AT_OPEN},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 5, 100, 0},
               {2, FILL_RULE_END, -5, 103, 0},
               {2, FILL_RULE_MARKET_OPEN, -5, 103, 0}}},
    {.what = "mark leaves the position open",
     .bars = {FLAT, FLAT, {103, 109, 99, 108}},
     .kinds = {LE, 0, LX},
     .fills = {{1, FILL_RULE_MARKET_OPEN, 10, 100, 0}}},
};

static struct sim *sim_of(const struct scenario *c, uint32_t *ret_bars_n)
{
    struct sim *m = new_sim();
    uint32_t n = 0;
    while (n < 5 && c->bars[n][0] != 0)
        n++;
    m->execution_cfg = c->execution;
    m->risk_cfg.opposite_signal = (uint8_t)c->opposite;
    m->risk_cfg.same_signal = (uint8_t)c->same;
    m->risk_cfg.max_position_size = c->max_size ? c->max_size : INFINITY;
    m->risk_cfg.commission_frac = c->reserve ? c->reserve : NAN;
    m->exits = (struct exits_cfg){(uint8_t)c->base, (uint8_t)c->live_from, c->stop ? c->stop : NAN,
                                  c->target ? c->target : NAN};
    m->portfolio.direction = (uint8_t)c->direction;
    m->portfolio.leverage = c->leverage ? c->leverage : 1;
    m->portfolio.lot = c->lot;
    bool is_named = c->sizing != SIZING_PERCENT_OF_EQUITY || c->sizing_value == 1 ||
                    c->sizing_value == 2; /* scenarios that mean percent of equity use 1 or 2 */
    m->portfolio.sizing = (uint8_t)(is_named ? c->sizing : SIZING_UNITS);
    m->portfolio.sizing_value = c->sizing_value ? c->sizing_value : 10;
    set_bars(m, c->bars, n);
    sim_open(m, 1, n);
    *ret_bars_n = n;
    return m;
}

static void expect_fills(const struct sim *m, const struct scenario *c)
{
    uint32_t n = 0;
    while (n < 6 && c->fills[n].qty != 0)
        n++;
    cr_expect_eq(m->fills_n, n, "%s: %u fills, not %u", c->what, m->fills_n, n);
    for (uint32_t i = 0; i < n && i < m->fills_n; i++) {
        const struct fill *f = &m->fill[i];
        const struct expected_fill *e = &c->fills[i];
        cr_expect_eq(f->bar, e->bar, "%s: fill %u at bar %u", c->what, i, f->bar);
        cr_expect_eq(f->rule, e->rule, "%s: fill %u by %s", c->what, i,
                     fill_rule_name((enum fill_rule)f->rule));
        cr_expect(near(f->qty, e->qty), "%s: fill %u of %.17g", c->what, i, f->qty);
        cr_expect(near(f->px, e->px), "%s: fill %u at %.17g", c->what, i, f->px);
        cr_expect(near(f->commission, e->commission), "%s: fill %u costs %.17g", c->what, i,
                  f->commission);
    }
}

Test(execution, fills_by_the_written_rules)
{
    for (unsigned i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        const struct scenario *c = &scenarios[i];
        uint32_t n;
        struct sim *m = sim_of(c, &n);
        for (uint32_t step = 0; step < n; step++) {
            execution_bar(&m->execution, step);
            mark(m, step);
            say(m, 0, step, c->kinds[step]);
        }
        execution_end(&m->execution, n - 1);
        expect_fills(m, c);
        if (c->cash)
            cr_expect(near(m->account.cash, c->cash), "%s: cash %.17g", c->what, m->account.cash);
        sim_close(m);
    }
}

Test(execution, a_stop_price_is_said_in_the_fill_that_opens)
{
    struct scenario c = {.what = "x", .bars = {FLAT, FLAT}, .stop = 0.05, .target = 0.1};
    uint32_t n;
    struct sim *m = sim_of(&c, &n);
    say(m, 0, 0, SIGNAL_SHORT_ENTRY);
    execution_bar(&m->execution, 1);
    cr_assert_eq(m->fills_n, 1);
    cr_expect(near(m->fill[0].stop_px, 105) && near(m->fill[0].target_px, 90));
    cr_expect_eq(m->account.exits_n, 1);
    cr_expect_not(execution_is_idle(&m->execution));
    sim_close(m);
}

/* ---- risk ------------------------------------------------------------------------------------ */

/* What risk_relevant keeps quiet about must be nothing, over all signals, positions and
 * configurations. */
Test(risk, makes_no_order_of_a_signal_that_is_not_relevant)
{
    const struct execution_cfg execution = {0};
    const struct exits_cfg exits = {.stop_loss = NAN, .take_profit = NAN};
    for (unsigned i = 0; i < 3 * 2 * 3 * 3 * 16; i++) {
        struct risk_cfg risk = {.opposite_signal = (uint8_t)(i % 3),
                                .same_signal = (uint8_t)(i / 3 % 2)};
        struct portfolio_cfg portfolio = {.direction = (uint8_t)(i / 6 % 3)};
        const struct risk_view view = {&risk, &portfolio, &execution, &exits};
        const struct position position = {.qty = (double)(i / 18 % 3) - 1};
        const struct signal signal = {.kinds = (uint16_t)(i / 54 % 16), .ref_px = 1};
        if (position.qty * (portfolio.direction == DIRECTION_LONG ? -1 : 1) > 0 &&
            portfolio.direction != DIRECTION_BOTH)
            continue; /* a position that the account cannot have */
        struct order order[RISK_ORDERS_MAX];
        unsigned n = risk_decide(&view, &position, &signal, order);
        if (!(signal.kinds & risk_relevant(&view, &position)))
            cr_expect_eq(n, 0, "case %u", i);
        for (unsigned k = 0; k < n; k++) {
            cr_expect(order[k].is_close ? position.qty != 0 : k + 1 == n, "case %u", i);
            int side = order[k].side;
            cr_expect(order[k].is_close || portfolio.direction == DIRECTION_BOTH ||
                          side == (portfolio.direction == DIRECTION_LONG ? 1 : -1),
                      "case %u enters where it may not", i);
        }
    }
}

/* ---- random bars and signals ----------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

/* symbols_n walks; beyond one symbol each lacks some bars of the clock. */
static void random_bars(struct sim *m, uint32_t symbols_n, uint32_t steps_n, uint64_t *state)
{
    for (uint32_t s = 0; s < symbols_n; s++) {
        double px = 50 + 100 * uniform(state);
        uint32_t row = 0;
        for (uint32_t t = 0; t < steps_n; t++) {
            bool is_there = symbols_n == 1 || random_next(state) % 4 != 0;
            m->row_of_step[s][t] = is_there ? (int32_t)row : -1;
            if (!is_there)
                continue;
            double open = px * (1 + 0.04 * (uniform(state) - 0.5));
            px = open * (1 + 0.06 * (uniform(state) - 0.5));
            m->px[s][0][row] = open;
            m->px[s][1][row] = fmax(open, px) * (1 + 0.02 * uniform(state));
            m->px[s][2][row] = fmin(open, px) * (1 - 0.02 * uniform(state));
            m->px[s][3][row] = px;
            row++;
        }
        set_view(m, s, row, symbols_n > 1);
    }
}

static void random_config(struct sim *m, uint64_t *state)
{
    static const double lots[] = {1, 0, 0.1};
    m->execution_cfg = (struct execution_cfg){
        .same_bar = (uint8_t)(random_next(state) % 3),
        .at_end = (uint8_t)(random_next(state) % 3),
        .commission_frac = random_next(state) % 2 ? 0.002 : 0,
        .slippage_frac = random_next(state) % 2 ? 0.001 : 0,
    };
    m->risk_cfg.opposite_signal = (uint8_t)(random_next(state) % 3);
    m->risk_cfg.same_signal = (uint8_t)(random_next(state) % 2);
    m->risk_cfg.max_position_size = random_next(state) % 4 ? INFINITY : 35.5;
    m->exits = (struct exits_cfg){
        .base = (uint8_t)(random_next(state) % 2),
        .live_from = (uint8_t)(random_next(state) % 2),
        .stop_loss = random_next(state) % 2 ? 0.04 : NAN,
        .take_profit = random_next(state) % 2 ? 0.06 : NAN,
    };
    m->portfolio = (struct portfolio_cfg){
        .direction = (uint8_t)(random_next(state) % 3),
        .sizing = (uint8_t)(random_next(state) % 3),
        .initial_capital = 10000,
        .leverage = 1,
        .lot = lots[random_next(state) % 3],
    };
    m->portfolio.sizing_value = m->portfolio.sizing == SIZING_UNITS ? 20 : 0.4;
}

/* A copy that may be walked on without touching the original. */
static struct sim *sim_copy(const struct sim *m, struct order *orders)
{
    static struct sim copy;
    copy = *m;
    copy.account.pos = copy.pos;
    copy.account.mark_px = copy.mark_px;
    memcpy(orders, m->book.order, m->book.n * sizeof *orders);
    copy.book.order = orders;
    copy.execution.account = &copy.account;
    copy.execution.book = &copy.book;
    copy.execution.ctx = &copy;
    return &copy;
}

/* The first step at which the bar fills something or takes an order from the book. */
static uint32_t brute_next(const struct sim *m, uint32_t from)
{
    struct order orders[2 * SYMBOLS_MAX];
    struct sim *copy = sim_copy(m, orders);
    uint32_t orders_n = copy->book.n, fills_n = copy->fills_n;
    for (uint32_t step = from; step < m->market->steps_n; step++) {
        execution_bar(&copy->execution, step);
        if (copy->fills_n != fills_n || copy->book.n != orders_n)
            return step;
    }
    return UINT32_MAX;
}

static void expect_invariants(const struct sim *m, uint64_t seed, uint32_t step)
{
    double value = m->account.cash, pnl = 0;
    uint32_t open_n = 0, exits_n = 0;
    for (uint32_t s = 0; s < m->market->symbols_n; s++) {
        const struct position *p = &m->pos[s];
        value += p->qty * m->mark_px[s];
        if (p->qty == 0)
            continue;
        pnl += p->qty * (m->mark_px[s] - p->entry_px) - p->commission;
        open_n++;
        exits_n += p->stop_px != 0 || p->target_px != 0;
    }
    for (uint32_t i = 0; i < m->trades_n; i++)
        pnl += m->trade[i].pnl;
    cr_assert(near(value, m->account.equity), "seed %lu step %u", seed, step);
    cr_assert(near(10000 + pnl, m->account.equity), "seed %lu step %u: %.17g, %.17g", seed, step,
              10000 + pnl, m->account.equity);
    cr_assert_eq(m->account.open_n, open_n);
    cr_assert_eq(m->account.exits_n, exits_n);
}

static void random_walk(uint64_t seed)
{
    uint64_t state = seed;
    struct sim *m = new_sim();
    uint32_t symbols_n = 1 + (uint32_t)(seed % SYMBOLS_MAX), steps_n = 120;
    random_bars(m, symbols_n, steps_n, &state);
    random_config(m, &state);
    sim_open(m, symbols_n, steps_n);
    for (uint32_t step = 0; step < steps_n; step++) {
        uint32_t fills_n = m->fills_n;
        execution_bar(&m->execution, step);
        for (uint32_t i = fills_n; i < m->fills_n; i++) {
            const struct fill *f = &m->fill[i];
            int32_t row = market_row(m->market, f->symbol_idx, step);
            cr_assert_geq(row, 0, "seed %lu: a fill without a bar", seed);
            double room = 1 + m->execution_cfg.slippage_frac + 1e-12;
            cr_assert(f->px <= m->px[f->symbol_idx][1][row] * room &&
                          f->px >= m->px[f->symbol_idx][2][row] / room,
                      "seed %lu step %u: a price outside of the bar", seed, step);
            cr_assert_leq(fabs(f->qty), m->risk_cfg.max_position_size);
            cr_assert_geq(f->slippage, 0);
        }
        mark(m, step);
        expect_invariants(m, seed, step);
        for (uint16_t s = 0; s < symbols_n; s++)
            if (random_next(&state) % 5 == 0)
                say(m, s, step, (unsigned)(random_next(&state) % 16));
        cr_assert_eq(execution_next_fill(&m->execution, step + 1), brute_next(m, step + 1),
                     "seed %lu step %u", seed, step);
    }
    execution_end(&m->execution, steps_n - 1);
    mark(m, steps_n - 1);
    expect_invariants(m, seed, steps_n);
    if (m->execution_cfg.at_end == AT_END_CLOSE_AT_CLOSE)
        cr_expect_eq(m->account.open_n, 0);
    sim_close(m);
}

Test(execution, keeps_every_account_balanced_and_finds_its_next_fill_on_random_bars)
{
    for (uint64_t seed = 1; seed <= 600; seed++)
        random_walk(seed);
}

/* ---- several symbols in one account ---------------------------------------------------------- */

/* Symbols A, B, C; B has no bar at step 1, C none at the last. All flat at 100. */
static struct sim *three_symbols(void)
{
    struct sim *m = new_sim();
    static const int32_t rows[3][4] = {{0, 1, 2, 3}, {0, -1, 1, 2}, {0, 1, 2, -1}};
    static const uint32_t rows_n[3] = {4, 3, 3};
    for (uint32_t s = 0; s < 3; s++) {
        for (uint32_t t = 0; t < 4; t++) {
            m->row_of_step[s][t] = rows[s][t];
            for (int k = 0; k < 4; k++)
                m->px[s][k][t] = 100 + (k == 1) - (k == 2);
        }
        set_view(m, s, rows_n[s], true);
    }
    m->portfolio.sizing = SIZING_PERCENT_OF_CASH;
    m->portfolio.sizing_value = 0.5;
    return m;
}

Test(execution, symbols_share_cash_in_the_order_of_the_configuration)
{
    struct sim *m = three_symbols();
    sim_open(m, 3, 4);
    execution_bar(&m->execution, 0);
    mark(m, 0);
    for (int s = 2; s >= 0;
         s--) /* said backwards: the order of symbols counts, not that of signals */
        say(m, (uint16_t)s, 0, SIGNAL_LONG_ENTRY);
    execution_bar(&m->execution, 1);
    cr_assert_eq(m->fills_n, 2);
    cr_expect_eq(m->fill[0].symbol_idx, 0);
    cr_expect(near(m->fill[0].qty, 5));
    cr_expect_eq(m->fill[1].symbol_idx, 2);
    cr_expect(near(m->fill[1].qty, 2.5), "half of what is left");
    mark(m, 1);
    cr_expect_eq(m->book.n, 1, "B's order waits for B's next bar");
    execution_bar(&m->execution, 2);
    cr_assert_eq(m->fills_n, 3);
    cr_expect_eq(m->fill[2].symbol_idx, 1);
    cr_expect_eq(m->fill[2].bar, 2);
    cr_expect(near(m->fill[2].qty, 1.25));
    sim_close(m);
}

/* C gaps through its stop at the open at which A enters: A's size knows the money that C gives
 * back. */
Test(execution, a_gap_through_a_stop_comes_before_the_orders_of_every_symbol)
{
    struct sim *m = three_symbols();
    m->exits.stop_loss = 0.05;
    for (int k = 0; k < 4; k++)
        m->px[2][k][2] = 80;
    sim_open(m, 3, 4);
    execution_bar(&m->execution, 0);
    mark(m, 0);
    say(m, 2, 0, SIGNAL_LONG_ENTRY);
    execution_bar(&m->execution, 1);
    mark(m, 1);
    say(m, 0, 1, SIGNAL_LONG_ENTRY);
    execution_bar(&m->execution, 2);
    cr_assert_eq(m->fills_n, 3);
    cr_expect_eq(m->fill[1].rule, FILL_RULE_STOP_GAP);
    cr_expect_eq(m->fill[1].symbol_idx, 2);
    cr_expect_eq(m->fill[2].symbol_idx, 0);
    cr_expect(near(m->fill[2].qty, 4.5), "half of 900, at 100: %g", m->fill[2].qty);
    sim_close(m);
}

Test(execution, at_the_end_a_symbol_without_a_bar_closes_at_its_last_known_price)
{
    struct sim *m = three_symbols();
    m->execution_cfg.at_end = AT_END_CLOSE_AT_CLOSE;
    m->px[2][3][2] = 104;
    sim_open(m, 3, 4);
    say(m, 2, 0, SIGNAL_LONG_ENTRY);
    for (uint32_t step = 0; step < 4; step++) {
        execution_bar(&m->execution, step);
        mark(m, step);
    }
    execution_end(&m->execution, 3);
    cr_assert_eq(m->fills_n, 2);
    cr_expect_eq(m->fill[1].rule, FILL_RULE_END);
    cr_expect_eq(m->fill[1].bar, 3);
    cr_expect(near(m->fill[1].px, 104));
    sim_close(m);
}

/* ---- account and order book ------------------------------------------------------------------ */

Test(account, available_margin_is_what_positions_leave_and_never_negative)
{
    struct position pos[2] = {{.qty = 5}, {.qty = -2}};
    double mark_px[2] = {100, 50};
    struct account a = {.cash = 600, .leverage = 2, .symbols_n = 2, .pos = pos, .mark_px = mark_px};
    cr_expect(near(account_equity(&a), 1000));
    cr_expect(near(account_available(&a), 700));
    a.cash = -300;
    cr_expect_eq(account_available(&a), 0);
}

Test(account, a_round_trip_pays_both_commissions)
{
    struct position pos[1];
    double mark_px[1];
    struct account a = {.symbols_n = 1, .pos = pos, .mark_px = mark_px};
    struct trade t = {.entry_bar = 77};
    account_init(&a, 1000, 1);
    const struct fill in = {
        .bar = 3, .rule = FILL_RULE_MARKET_OPEN, .qty = -4, .px = 100, .commission = 2};
    cr_expect_not(account_apply(&a, &in, &t));
    cr_expect_eq(t.entry_bar, 77, "untouched while it is open");
    cr_expect(near(a.cash, 1398));
    const struct fill out = {
        .bar = 9, .rule = FILL_RULE_STOP, .is_close = 1, .qty = 4, .px = 110, .commission = 3};
    cr_expect(account_apply(&a, &out, &t));
    cr_expect(near(a.cash, 955) && near(t.pnl, -45) && near(t.commission, 5));
    cr_expect(t.entry_bar == 3 && t.exit_bar == 9 && t.entry_rule == FILL_RULE_MARKET_OPEN &&
              t.exit_rule == FILL_RULE_STOP && t.qty == -4 && t.entry_px == 100 &&
              t.exit_px == 110);
    cr_expect_eq(a.open_n, 0);
}

Test(order_book, replaces_an_order_of_the_same_symbol_and_intent_in_its_place)
{
    struct arena arena = {0};
    struct order_book book;
    cr_assert_eq(order_book_init(&book, &arena, 2), 0);
    order_book_place(&book, &(struct order){.symbol_idx = 1, .side = 1, .sizing_value = 1});
    order_book_place(&book, &(struct order){.symbol_idx = 1, .is_close = 1});
    order_book_place(&book, &(struct order){.symbol_idx = 0, .side = 1});
    order_book_place(&book, &(struct order){.symbol_idx = 1, .side = -1, .sizing_value = 2});
    cr_assert_eq(book.n, 3);
    cr_expect(book.order[0].side == -1 && book.order[0].sizing_value == 2);
    order_book_drop(&book, 0);
    cr_expect(book.n == 2 && book.order[0].is_close && book.order[1].symbol_idx == 0);
    order_book_clear(&book);
    cr_expect_eq(book.n, 0);
    arena_fini(&arena);
}
