/* SPDX-License-Identifier: MIT */
/* Promise: an entry has the size that portfolio.sizing asks for, in whole lots, within buying power
 * and the limits of risk, to the last lot: one lot more could not be paid for. */
#include <math.h>

#include <criterion/criterion.h>

#include "proto/units.h"
#include "worker/broker/sizing.h"
#include "worker/broker/volatility.h"

#define SYMBOLS 2
#define ROWS    512

struct desk {
    struct combo combo;
    struct position pos[SYMBOLS];
    double mark_px[SYMBOLS];
    struct account account;
    struct order order;
    struct execution execution;
    struct sizing sizing;
    int64_t time_ns[ROWS];
    double close[ROWS];
    struct plane_view view;
    const struct plane_view *symbol[SYMBOLS];
    struct market market;
};

/* 10,000 in cash, flat, a market order to buy at 30. */
static struct desk *new_desk(void)
{
    static struct desk d;
    d = (struct desk){
        .combo =
            {.risk.commission_frac = NAN,
             .portfolio = {.sizing_value = 1, .initial_capital = 10000, .leverage = 1, .lot = 1}},
        .order = {.side = 1, .ref_px = 30},
    };
    d.account = (struct account){.symbols_n = SYMBOLS, .pos = d.pos, .mark_px = d.mark_px};
    account_init(&d.account, 10000, 1);
    d.view.bars = (struct bars){.time_ns = d.time_ns, .close = d.close, .rows_n = ROWS};
    d.symbol[0] = d.symbol[1] = &d.view;
    d.market = (struct market){.symbols_n = SYMBOLS, .symbol = d.symbol};
    d.execution = (struct execution){
        .combo = &d.combo, .market = &d.market, .account = &d.account, .target_portfolio = 0};
    d.sizing = (struct sizing){
        .x = &d.execution,
        .order = &d.order,
        .quote = {.px = 30, .side = 1, .is_entry = true, .volume = NAN},
    };
    return &d;
}

static void set_sizing(struct desk *d, enum sizing_kind kind, double value)
{
    d->combo.portfolio.sizing = (uint8_t)kind;
    d->combo.portfolio.sizing_value = value;
}

static void set_side(struct desk *d, int side)
{
    d->order.side = (int8_t)side;
    d->sizing.quote.side = side;
}

static void hold(struct desk *d, uint16_t s, double qty, double px)
{
    struct trade unused;
    d->mark_px[s] = px;
    (void)account_apply(&d->account, &(struct fill){.symbol_idx = s, .qty = qty, .px = px},
                        &unused);
}

static double qty_of(const struct desk *d)
{
    return size_entry(&d->sizing).qty;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

static double random_frac(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

/* ---- lots ------------------------------------------------------------------------------------ */

Test(lots, are_rounded_down_but_for_a_hair)
{
    cr_expect_eq(sizing_round_down(7.9, 1), 7);
    cr_expect_eq(sizing_round_down(0.3, 0.1), 0.3);
    cr_expect(near(sizing_round_down(0.39, 0.1), 0.3));
    cr_expect_eq(sizing_round_down(99, 100), 0);
    cr_expect_eq(sizing_round_down(250, 100), 200);
    cr_expect_eq(sizing_round_down(1.2345, 0), 1.2345);
    cr_expect_eq(sizing_round_down(INFINITY, 1), INFINITY);
    cr_expect_eq(sizing_round_down(99.99999999999858, 1), 100, "whole units come out whole");
}

Test(lots, are_whole_however_many_there_are)
{
    cr_expect_eq(sizing_round_down(1e11 + 0.95, 1), 1e11);
    cr_expect_eq(sizing_round_down(5e12 + 0.5, 1), 5e12);
    cr_expect_eq(sizing_round_down(1e15 + 0.5, 1), 1e15);
}

Test(lots, that_no_double_tells_apart_are_fractions)
{
    static const double lots[] = {5e-324, 1e-320, 1e-200, 1e-18};
    for (unsigned i = 0; i < sizeof lots / sizeof lots[0]; i++) {
        struct desk *d = new_desk();
        d->combo.portfolio.lot = lots[i];
        cr_expect_eq(sizing_round_down(333.25, lots[i]), 333.25);
        cr_expect(near(qty_of(d), 10000.0 / 30), "lot %g: %.17g", lots[i], qty_of(d));
        d->sizing.quote.volume = 1000;
        d->combo.execution.slippage.impact = 1;
        double qty = size_affordable(&d->sizing, 10000.0 / 30);
        cr_expect(qty > 300 && qty < 320, "lot %g with impact: %.17g", lots[i], qty);
    }
}

/* ---- kinds ----------------------------------------------------------------------------------- */

Test(sizing, spends_what_the_kind_says_with_commission_set_aside)
{
    static const struct {
        const char *what;
        enum sizing_kind kind;
        double value, lot, qty;
        struct commission_cfg commission;
    } rows[] = {
        {"all equity", SIZING_PERCENT_OF_EQUITY, 1, 1, 333, {.percent_frac = 0.001}},
        {"half of it", SIZING_PERCENT_OF_EQUITY, 0.5, 1, 166, {.percent_frac = 0.001}},
        {"more than there is is cut", SIZING_PERCENT_OF_EQUITY, 3, 1, 333, {.fixed = 0}},
        {"all cash, fractions",
         SIZING_PERCENT_OF_CASH,
         1,
         0,
         10000 / 1.001 / 30,
         {.percent_frac = 0.001}},
        {"tenths", SIZING_PERCENT_OF_CASH, 1, 0.1, 333.3, {.fixed = 0}},
        {"hundreds", SIZING_PERCENT_OF_CASH, 1, 100, 300, {.fixed = 0}},
        {"money", SIZING_CASH, 301, 1, 10, {.fixed = 0}},
        {"three tenths are three lots", SIZING_CASH, 9, 0.1, 0.3, {.fixed = 0}},
        {"money, commission within it", SIZING_CASH, 300, 1, 9, {.fixed = 1}},
        {"more money than there is", SIZING_CASH, 1e6, 1, 333, {.fixed = 0}},
        {"units", SIZING_UNITS, 12, 1, 12, {.fixed = 0}},
        {"units in whole lots", SIZING_UNITS, 12.7, 1, 12, {.fixed = 0}},
        {"less than a lot is nothing", SIZING_UNITS, 0.7, 1, 0, {.fixed = 0}},
        {"units that cannot be paid for", SIZING_UNITS, 334, 1, 0, {.fixed = 0}},
        {"units that can, but not with commission", SIZING_UNITS, 333, 1, 0, {.fixed = 11}},
        {"fixed, to the last unit", SIZING_PERCENT_OF_CASH, 1, 1, 333, {.fixed = 10}},
        {"fixed, one unit less", SIZING_PERCENT_OF_CASH, 1, 1, 332, {.fixed = 10.01}},
        {"for each unit", SIZING_PERCENT_OF_CASH, 1, 1, 327, {.per_share = 0.5}},
        {"a minimum that binds",
         SIZING_PERCENT_OF_CASH,
         1,
         1,
         330,
         {.percent_frac = 0.001, .minimum = 100}},
        {"one that does not",
         SIZING_PERCENT_OF_CASH,
         1,
         1,
         333,
         {.percent_frac = 0.001, .minimum = 1}},
        {"a maximum that binds",
         SIZING_PERCENT_OF_CASH,
         1,
         1,
         332,
         {.percent_frac = 0.1, .maximum = 25}},
        {"fractions under a maximum",
         SIZING_PERCENT_OF_CASH,
         1,
         0,
         9975.0 / 30,
         {.percent_frac = 0.1, .maximum = 25}},
        {"fractions under a minimum",
         SIZING_PERCENT_OF_CASH,
         1,
         0,
         9900.0 / 30,
         {.percent_frac = 0.001, .minimum = 100}},
        {"fees above all there is", SIZING_PERCENT_OF_CASH, 1, 1, 0, {.fixed = 10001}},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct desk *d = new_desk();
        set_sizing(d, rows[i].kind, rows[i].value);
        d->combo.portfolio.lot = rows[i].lot;
        d->combo.execution.commission = rows[i].commission;
        cr_expect(near(qty_of(d), rows[i].qty), "%s: %.17g", rows[i].what, qty_of(d));
        set_side(d, -1);
        cr_expect(near(qty_of(d), rows[i].qty), "%s, short: %.17g", rows[i].what, qty_of(d));
    }
}

Test(sizing, rests_on_the_price_after_costs)
{
    struct desk *d = new_desk();
    d->combo.execution.slippage.percent_frac = 0.01;
    cr_expect_eq(qty_of(d), floor(10000 / 30.3));
    d->combo.risk.commission_frac = 0.01; /* in place of what execution charges */
    d->combo.execution.commission.fixed = 5000;
    cr_expect_eq(qty_of(d), floor(10000 / (30.3 * 1.01)));
}

Test(sizing, leverage_multiplies_free_equity)
{
    struct desk *d = new_desk();
    d->account.leverage = 4;
    set_sizing(d, SIZING_PERCENT_OF_CASH, 1);
    cr_expect_eq(qty_of(d), floor(40000.0 / 30));
    hold(d, 1, 100, 200); /* 20,000 of the other symbol take 5,000 of margin */
    cr_expect(near(d->account.cash, -10000));
    cr_expect_eq(qty_of(d), floor(20000.0 / 30));
    set_sizing(d, SIZING_PERCENT_OF_EQUITY, 3);
    cr_expect_eq(qty_of(d), floor(20000.0 / 30), "cut to buying power");
}

Test(sizing, an_order_that_says_its_size_has_it)
{
    struct desk *d = new_desk();
    d->order.terms.qty = 7;
    cr_expect_eq(qty_of(d), 7);
    d->order.terms.qty = 1000;
    cr_expect_eq(qty_of(d), 0);
    d->combo.portfolio.unaffordable = UNAFFORDABLE_REDUCE;
    cr_expect_eq(qty_of(d), 333);
    d->combo.execution.commission.fixed = 100;
    cr_expect_eq(qty_of(d), 330);
    d->combo.portfolio.lot = 0;
    d->combo.execution.commission = (struct commission_cfg){.percent_frac = 0.01, .fixed = 10};
    cr_expect(near(qty_of(d), 9990 / 1.01 / 30));
}

Test(sizing, shorts_of_a_fixed_size_may_be_free_of_margin)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_UNITS, 1000);
    set_side(d, -1);
    cr_expect_eq(qty_of(d), 0);
    d->combo.portfolio.short_margin = SHORT_MARGIN_NONE;
    cr_expect_eq(qty_of(d), 1000);
    d->combo.execution.commission.fixed = 30000;
    cr_expect_eq(qty_of(d), 1000);
    d->combo.execution.commission.fixed = 30001;
    cr_expect_eq(qty_of(d), 0, "it does not bring its commission");
    d->combo.execution.commission.fixed = 0;
    set_side(d, 1);
    cr_expect_eq(qty_of(d), 0, "longs are bound by cash");
    hold(d, 1, -100, 50); /* sold short for 5,000 */
    set_sizing(d, SIZING_UNITS, 500);
    cr_expect_eq(qty_of(d), 500, "cash is 15,000");
    d->combo.portfolio.short_margin = SHORT_MARGIN_EQUITY;
    cr_expect_eq(qty_of(d), 0, "free equity is 5,000");
}

Test(sizing, longs_keep_their_margin_where_shorts_have_none)
{
    struct desk *d = new_desk();
    d->account.leverage = 4;
    d->combo.portfolio.short_margin = SHORT_MARGIN_NONE;
    hold(d, 1, 100, 200); /* 20,000, of which 5,000 are margin: cash is -10,000 */
    set_sizing(d, SIZING_PERCENT_OF_CASH, 1);
    cr_expect_eq(qty_of(d), floor(20000.0 / 30));
}

Test(sizing, small_entries_are_dropped)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_UNITS, 10);
    d->combo.portfolio.min_notional = 300;
    cr_expect_eq(qty_of(d), 10);
    d->combo.portfolio.min_notional = 300.01;
    struct sized sized = size_entry(&d->sizing);
    cr_expect(sized.qty == 0.0 && !sized.is_vetoed && !sized.is_resized);
}

/* ---- commission for each unit ---------------------------------------------------------------- */

/* floor((cash * leverage * f) / (px with spread + (fixed + f * px * percent) / f)), as
 * backtesting.py sizes fractions; for units the fixed part is shared by them. */
Test(sizing, each_unit_sets_the_commission_of_its_order_aside)
{
    struct desk *d = new_desk();
    d->combo.portfolio.commission_reserve = RESERVE_EACH_UNIT;
    d->combo.execution = (struct execution_cfg){.commission = {.percent_frac = 0.01, .fixed = 2},
                                                .spread_frac = 0.01,
                                                .spread_paid = SPREAD_ON_ENTRY};
    set_sizing(d, SIZING_PERCENT_OF_CASH, 0.5);
    cr_expect_eq(qty_of(d), floor(5000 / (30 * 1.01 + (2 + 0.5 * 30 * 0.01) / 0.5)));
    set_side(d, -1);
    cr_expect_eq(qty_of(d), floor(5000 / (30 * 0.99 + (2 + 0.5 * 30 * 0.01) / 0.5)));
    set_side(d, 1);
    set_sizing(d, SIZING_UNITS, 100); /* 100 * 30.3 + 2 + 30 = 3,062 */
    d->account.cash = 3062.01;
    cr_expect_eq(qty_of(d), 100);
    d->account.cash = 3061.99;
    cr_expect_eq(qty_of(d), 0);
}

/* ---- the cash of the signal's close ---------------------------------------------------------- */

Test(sizing, the_cash_of_the_signal_must_have_paid_for_it_too)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_UNITS, 100);
    d->combo.execution.commission.percent_frac = 0.01;
    d->order.ref_px = 50;
    d->order.ref_cash = 5050;
    d->combo.portfolio.cash_check = CASH_CHECK_SIGNAL_CLOSE_TOO;
    cr_expect_eq(qty_of(d), 100);
    d->order.ref_cash = 5049.99;
    cr_expect_eq(qty_of(d), 0);
    d->combo.portfolio.cash_check = CASH_CHECK_AT_FILL;
    cr_expect_eq(qty_of(d), 100);
    d->combo.portfolio.cash_check = CASH_CHECK_SIGNAL_CLOSE_TOO;
    d->combo.portfolio.short_margin = SHORT_MARGIN_NONE;
    set_side(d, -1);
    cr_expect_eq(qty_of(d), 100, "a short sale brings cash");
    d->combo.exits = (struct exits_cfg){.stop_loss = 0.1, .take_profit = 0.2};
    /* 5,000 - 50 come in, 5,500 + 55 go out at the stop, 4,000 + 40 at the target */
    d->order.ref_cash = 4645.01;
    cr_expect_eq(qty_of(d), 100);
    d->order.ref_cash = 4644.99;
    cr_expect_eq(qty_of(d), 0, "a short's exits are purchases");
    d->order.terms.take_profit_px = 39;
    cr_expect_eq(qty_of(d), 100);
    d->order.terms.stop_loss_px = 150;
    cr_expect_eq(qty_of(d), 0);
}

/* ---- by risk --------------------------------------------------------------------------------- */

Test(sizing, risk_frac_loses_its_share_of_equity_at_the_nearest_stop)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_RISK_FRAC, 0.01); /* 100 */
    d->combo.portfolio.lot = 0;
    cr_expect_eq(qty_of(d), 0, "no stop, no size");
    d->combo.exits.stop_loss = 0.05; /* of 30: 1.5 away */
    cr_expect(near(qty_of(d), 100 / 1.5));
    d->combo.exits.trailing_amount = 1;
    cr_expect(near(qty_of(d), 100));
    d->combo.exits.trailing_stop = 0.02; /* 0.6 away */
    cr_expect(near(qty_of(d), 100 / 0.6));
    d->order.terms.stop_loss_px = 29.5;
    cr_expect(near(qty_of(d), 200));
    d->order.terms.stop_loss_px = 29.99; /* 10,000 units: more than buying power */
    cr_expect(near(qty_of(d), 10000.0 / 30));
    d->order.terms.stop_loss_px = 30.5;
    cr_expect_eq(qty_of(d), 0, "a stop that is passed already");
}

Test(sizing, risk_frac_measures_from_the_base_of_exits)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_RISK_FRAC, 0.01);
    d->combo.portfolio.lot = 0;
    d->combo.exits = (struct exits_cfg){.base = EXIT_BASE_SIGNAL_CLOSE, .stop_loss = 0.1};
    d->order.ref_px = 32; /* stop 28.8 */
    cr_expect(near(qty_of(d), 100 / 1.2));
    set_side(d, -1);
    d->order.ref_px = 30; /* stop 33 */
    cr_expect(near(qty_of(d), 100 / 3.0));
}

/* Daily closes 100, 110, 99, 108.9, …: +10 %, -10 %, by turns. */
static void set_days(struct desk *d, uint32_t rows_a_day)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t day = i / rows_a_day;
        d->time_ns[i] = (INT64_C(19000) + day) * NS_PER_DAY + (i % rows_a_day) * NS_PER_S;
        bool is_last = (i + 1) % rows_a_day == 0;
        double before = day ? d->close[day * rows_a_day - 1] : 100 / 1.1;
        d->close[i] = is_last ? before * (day % 2 ? 0.9 : 1.1) : 1;
    }
}

Test(sizing, target_volatility_divides_by_the_deviation_of_finished_days)
{
    struct desk *d = new_desk();
    set_days(d, 4);
    /* mean 0, squares 4 * 0.01, sample deviation sqrt(0.04 / 3) */
    double deviation = sqrt(0.04 / 3) * sqrt(252.0);
    cr_expect(near(volatility_of_days(&d->view.bars, 40, 4), deviation));
    cr_expect(near(volatility_of_days(&d->view.bars, 43, 4), deviation),
              "this day is not finished");
    d->close[43] = 1e6;
    cr_expect(near(volatility_of_days(&d->view.bars, 43, 4), deviation), "nor is it looked at");
    cr_expect(isnan(volatility_of_days(&d->view.bars, 19, 4)), "five closes make four returns");
    cr_expect_not(isnan(volatility_of_days(&d->view.bars, 20, 4)));
    cr_expect(isnan(volatility_of_days(&d->view.bars, 400, 1)));
    cr_expect(isnan(volatility_of_days(&d->view.bars, 0, 4)));

    set_sizing(d, SIZING_TARGET_VOLATILITY, 0.2);
    d->combo.portfolio.lot = 0;
    d->combo.portfolio.sizing_lookback = 4;
    d->sizing.row = 40;
    cr_expect(near(qty_of(d), 10000 * 0.2 / deviation / 30));
    d->sizing.row = 12;
    cr_expect_eq(qty_of(d), 0, "no deviation yet");
    for (uint32_t i = 0; i < ROWS; i++)
        d->close[i] = 100;
    d->sizing.row = 40;
    cr_expect(near(qty_of(d), 10000.0 / 30), "what never moves takes all buying power");
}

/* ---- targets --------------------------------------------------------------------------------- */

Test(sizing, a_target_goes_up_and_down_to_it)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_TARGET_PERCENT, 0.5);
    cr_expect_eq(qty_of(d), 166);
    hold(d, 0, 100, 30);
    cr_expect_eq(qty_of(d), 66);
    hold(d, 0, 66, 30);
    cr_expect_eq(qty_of(d), 0);
    hold(d, 0, 100, 30);
    cr_expect_eq(qty_of(d), -100);
    d->combo.portfolio.min_notional = 5000;
    cr_expect_eq(qty_of(d), 0, "an adjustment of 3,000 is too small");
    d->combo.portfolio.min_notional = 0;
    d->order.terms.qty = 10;
    cr_expect_eq(qty_of(d), 0, "a size that was said is no target");
}

Test(sizing, a_target_of_shorts_mirrors_it)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_TARGET_PERCENT, 0.5);
    set_side(d, -1);
    hold(d, 0, -266, 30);
    cr_expect_eq(qty_of(d), -100);
    set_sizing(d, SIZING_TARGET_PERCENT, 1);
    cr_expect_eq(qty_of(d), 67);
    d->combo.execution.commission.fixed = 30; /* buying power is 2,020 */
    cr_expect_eq(qty_of(d), 66);
}

/* ---- limits of risk -------------------------------------------------------------------------- */

Test(limits, cut_an_entry_or_leave_nothing_of_it)
{
    static const struct {
        const char *what;
        struct risk_cfg risk;
        double held, other, qty;
        bool is_resized, is_vetoed;
    } rows[] = {
        {"none", {.max_position_size = 0}, 0, 0, 100, false, false},
        {"units that fit", {.max_position_size = 100}, 0, 0, 100, false, false},
        {"units", {.max_position_size = 60.5}, 0, 0, 60, true, false},
        {"less than a lot", {.max_position_size = 0.5}, 0, 0, 0, false, true},
        {"exposure", {.max_exposure = 0.2}, 0, 0, 66, true, false},
        {"exposure that fits", {.max_exposure = 0.3}, 0, 0, 100, false, false},
        {"leverage", {.max_leverage = 0.1}, 0, 0, 33, true, false},
        {"leverage of what is held elsewhere", {.max_leverage = 0.2}, 0, 50, 33, true, false},
        {"leverage that is used up", {.max_leverage = 0.1}, 0, 50, 0, false, true},
        {"the least of all",
         {.max_position_size = 40, .max_exposure = 0.2, .max_leverage = 0.1},
         0,
         0,
         33,
         true,
         false},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct desk *d = new_desk();
        set_sizing(d, SIZING_UNITS, 100);
        d->combo.risk = rows[i].risk;
        d->combo.risk.commission_frac = NAN;
        if (rows[i].other != 0.0)
            hold(d, 1, rows[i].other, 20);
        struct sized sized = size_entry(&d->sizing);
        cr_expect_eq(sized.qty, rows[i].qty, "%s: %.17g", rows[i].what, sized.qty);
        cr_expect_eq(sized.is_resized, rows[i].is_resized, "%s", rows[i].what);
        cr_expect_eq(sized.is_vetoed, rows[i].is_vetoed, "%s", rows[i].what);
    }
}

Test(limits, count_what_is_held)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_TARGET_PERCENT, 0.9); /* 300 units */
    hold(d, 0, 100, 30);
    d->combo.risk.max_position_size = 150;
    struct sized sized = size_entry(&d->sizing);
    cr_expect(sized.qty == 50 && sized.is_resized);
    d->combo.risk.max_position_size = 100;
    sized = size_entry(&d->sizing);
    cr_expect(sized.qty == 0 && sized.is_vetoed && !sized.is_resized);
}

Test(limits, are_not_blamed_for_what_could_not_be_paid)
{
    struct desk *d = new_desk();
    set_sizing(d, SIZING_UNITS, 1000);
    d->combo.risk.max_position_size = 500; /* 15,000: not affordable either */
    struct sized sized = size_entry(&d->sizing);
    cr_expect(sized.qty == 0 && !sized.is_vetoed && !sized.is_resized);
    d->combo.risk.max_position_size = 200;
    sized = size_entry(&d->sizing);
    cr_expect(sized.qty == 200 && sized.is_resized, "cut, and then it can be paid for");
}

/* ---- reversals of one commission ------------------------------------------------------------- */

Test(reversal, is_sized_after_the_close_with_one_commission)
{
    struct desk *d = new_desk();
    d->combo.portfolio.lot = 0;
    d->combo.execution.commission = (struct commission_cfg){.percent_frac = 0.01, .fixed = 5};
    set_sizing(d, SIZING_PERCENT_OF_CASH, 1);
    hold(d, 0, -100, 40); /* cash 14,000 */
    const struct account before = d->account;
    struct sized sized = size_reversal(&d->sizing, 30);
    /* all that cash buys, once the fixed part is paid, less what closes the short */
    cr_expect(near(sized.qty, (14000 - 5) / 1.01 / 30 - 100));
    cr_expect_eq(d->pos[0].qty, -100);
    cr_expect_eq(d->account.cash, before.cash);
    cr_expect_eq(d->account.open_n, before.open_n);
    double fee = cost_commission(&d->combo.execution.commission, 100 + sized.qty, 30);
    cr_expect(near(14000 - (100 + sized.qty) * 30 - fee, 0), "all of it is spent");
}

/* ---- impact ---------------------------------------------------------------------------------- */

Test(impact, cuts_what_it_makes_unaffordable)
{
    struct desk *d = new_desk();
    d->combo.execution.slippage.impact = 1;
    d->combo.execution.commission.percent_frac = 0.01;
    d->sizing.quote.volume = 1000;
    set_sizing(d, SIZING_PERCENT_OF_CASH, 1);
    double asked = qty_of(d);
    cr_expect_eq(asked, floor(10000 / 30.3), "sized before impact");
    double qty = size_affordable(&d->sizing, asked);
    for (double units = qty; units <= qty + 1; units++) {
        double cost = units * 30 * (1 + units * units / 1e6) * 1.01;
        cr_expect_eq(cost <= 10000, units == qty, "%g units cost %g", units, cost);
    }
    cr_expect_eq(size_affordable(&d->sizing, 10), 10);
    set_side(d, -1);
    cr_expect_eq(size_affordable(&d->sizing, asked), asked, "a seller's price falls");
}

Test(impact, drops_fixed_sizes_or_cuts_them)
{
    struct desk *d = new_desk();
    d->combo.execution.slippage.impact = 1;
    d->sizing.quote.volume = 1000;
    set_sizing(d, SIZING_UNITS, 320);
    cr_expect_eq(qty_of(d), 320);
    cr_expect_eq(size_affordable(&d->sizing, 320), 0);
    d->combo.portfolio.unaffordable = UNAFFORDABLE_REDUCE;
    double qty = size_affordable(&d->sizing, 320);
    cr_expect(qty > 250 && qty < 320 && qty == floor(qty));
    d->combo.portfolio.lot = 0;
    qty = size_affordable(&d->sizing, 320);
    cr_expect(near(qty * 30 * (1 + qty * qty / 1e6), 10000), "fractions spend it all");
}

/* ---- robustness ------------------------------------------------------------------------------ */

Test(sizing, without_a_price_or_money_there_is_nothing)
{
    static const double bad[] = {NAN, 0, -3};
    struct desk *d = new_desk();
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        d->sizing.quote.px = bad[i];
        cr_expect_eq(qty_of(d), 0);
    }
    d->sizing.quote.px = 30;
    for (int kind = SIZING_PERCENT_OF_EQUITY; kind <= SIZING_TARGET_PERCENT; kind++) {
        for (int cash = -1; cash <= 0; cash++) {
            d->account.cash = 100.0 * cash;
            d->combo.exits.stop_loss = 0.1;
            set_sizing(d, (enum sizing_kind)kind, 1);
            cr_expect_eq(qty_of(d), 0, "kind %d, cash %g", kind, d->account.cash);
        }
    }
}

/* ---- properties ------------------------------------------------------------------------------ */

static double pick(uint64_t *seed, const double *values, unsigned n)
{
    return values[(unsigned)(random_frac(seed) * n)];
}

static void roll(struct desk *d, uint64_t *seed)
{
    static const double lots[] = {0, 0.001, 0.1, 1, 10, 100};
    static const double leverages[] = {1, 2, 3.7};
    struct commission_cfg *c = &d->combo.execution.commission;
    if (random_frac(seed) < 0.7)
        c->percent_frac = 0.02 * random_frac(seed);
    if (random_frac(seed) < 0.4)
        c->fixed = 30 * random_frac(seed);
    if (random_frac(seed) < 0.4)
        c->per_share = random_frac(seed);
    if (random_frac(seed) < 0.3)
        c->minimum = 20 * random_frac(seed);
    if (random_frac(seed) < 0.3)
        c->maximum = c->minimum + 100 * random_frac(seed);
    d->combo.execution.slippage.percent_frac = 0.01 * random_frac(seed);
    d->combo.portfolio.lot = pick(seed, lots, sizeof lots / sizeof lots[0]);
    d->account.leverage = pick(seed, leverages, 3);
    d->account.cash = 20000 * random_frac(seed);
    d->sizing.quote.px = 0.5 + 200 * random_frac(seed);
    d->order.ref_px = d->sizing.quote.px;
    set_side(d, random_frac(seed) < 0.5 ? 1 : -1);
    d->combo.exits.stop_loss = 0.01 + 0.2 * random_frac(seed);
    d->combo.portfolio.unaffordable = random_frac(seed) < 0.5;
    int kind = (int)(7 * random_frac(seed));
    double value = kind == SIZING_CASH    ? 30000 * random_frac(seed)
                   : kind == SIZING_UNITS ? floor(1000 * random_frac(seed))
                                          : random_frac(seed);
    set_sizing(d, (enum sizing_kind)kind, value);
}

Test(properties, no_entry_costs_more_than_buying_power_and_none_could_be_a_lot_larger)
{
    uint64_t seed = 3;
    unsigned entries = 0;
    for (int i = 0; i < 50000; i++) {
        struct desk *d = new_desk();
        roll(d, &seed);
        double qty = qty_of(d), lot = d->combo.portfolio.lot;
        double power = d->account.cash * d->account.leverage;
        struct quote q = d->sizing.quote;
        double px = cost_price(&d->combo.execution, &q);
        const struct commission_cfg *c = &d->combo.execution.commission;
        cr_assert_geq(qty, 0);
        double cost = qty * px + (qty > 0 ? cost_commission(c, qty, px) : 0);
        cr_assert_leq(cost, power * (1 + 1e-11), "%g of %g", cost, power);
        if (lot > 0)
            cr_assert(near(qty / lot, round(qty / lot)), "%.17g in lots of %g", qty, lot);
        entries += qty > 0;
        if (d->combo.portfolio.sizing != SIZING_PERCENT_OF_CASH)
            continue;
        double budget = power * d->combo.portfolio.sizing_value;
        double more = lot > 0 ? qty + lot : qty * (1 + 1e-9) + 1e-9;
        cr_assert_gt(more * px + cost_commission(c, more, px), budget * (1 - 1e-11),
                     "%g units, one lot more for %g", qty, budget);
    }
    cr_expect_gt(entries, 20000);
}
