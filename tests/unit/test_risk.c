/* SPDX-License-Identifier: MIT */
/* Promise: what becomes of a signal follows from what is held, the configuration and the limits;
 * equity that falls too far closes everything; each veto is counted; an exit takes waiting entries
 * back. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"
#include "worker/risk/risk.h"

/* ---- one decision --------------------------------------------------------------------------- */

#define LE SIGNAL_LONG_ENTRY
#define LX SIGNAL_LONG_EXIT
#define SE SIGNAL_SHORT_ENTRY
#define SX SIGNAL_SHORT_EXIT

/* Ten daily bars of one symbol, and an account that holds what the test says. */
struct stand {
    struct combo combo;
    struct plane_view view;
    const struct plane_view *views[1];
    int64_t time_ns[10];
    double close[10];
    struct market market;
    struct position position;
    double mark_px;
    struct account account;
    struct risk_state state;
};

static struct risk_view stand_make(struct stand *s, double held)
{
    *s = (struct stand){.combo = desk_new_combo(0)};
    for (int i = 0; i < 10; i++) {
        s->time_ns[i] = i * DAY_NS;
        s->close[i] = 100;
    }
    s->view.bars = (struct bars){.rows_n = 10, .time_ns = s->time_ns, .close = s->close};
    s->views[0] = &s->view;
    s->market =
        (struct market){.symbols_n = 1, .symbol = s->views, .steps_n = 10, .time_ns = s->time_ns};
    s->position = (struct position){.qty = held, .last_exit_bar = NO_EXIT_YET};
    s->mark_px = 100;
    s->account = (struct account){.cash = 5000,
                                  .leverage = 1,
                                  .symbols_n = 1,
                                  .open_n = held != 0,
                                  .pos = &s->position,
                                  .mark_px = &s->mark_px};
    return (struct risk_view){&s->combo, &s->market, &s->account};
}

/* Orders as a word: c close, r close of a reversal, e close to enter again, x a cancel of waiting
 * longs, y of shorts, L and S entries, ! a veto. */
static const char *decided(const struct risk_view *v, const struct risk_state *state,
                           unsigned kinds, char word[static 8])
{
    const struct signal g = {.bar = 5, .kinds = (uint16_t)kinds, .ref_px = 100};
    struct risk_decision d;
    char *w = word;
    risk_decide(v, state, &g, &d);
    for (unsigned i = 0; i < d.n; i++) {
        const struct order *o = &d.order[i];
        bool is_cancel = o->is_close && o->side;
        *w++ = is_cancel                      ? (o->side < 0 ? 'x' : 'y')
               : !o->is_close                 ? (o->side > 0 ? 'L' : 'S')
               : o->rule == FILL_RULE_REVERSE ? 'r'
               : o->rule == FILL_RULE_REENTER ? 'e'
                                              : 'c';
    }
    if (d.is_vetoed)
        *w++ = '!';
    *w = 0;
    return word;
}

struct decision_case {
    const char *what;
    double held;
    unsigned kinds;
    const char *orders;
    struct risk_cfg risk;
    uint8_t direction, sizing;
    bool is_out, is_out_today;
};

static const struct decision_case decisions[] = {
    {.what = "an entry", .held = 0, .kinds = LE, .orders = "L"},
    {.what = "a short entry", .held = 0, .kinds = SE, .orders = "S"},
    {.what = "both entries: long wins", .held = 0, .kinds = LE | SE, .orders = "L"},
    {.what = "both, shorts alone allowed",
     .held = 0,
     .kinds = LE | SE,
     .orders = "S",
     .direction = DIRECTION_SHORT},
    {.what = "a direction that is not allowed",
     .held = 0,
     .kinds = SE,
     .orders = "",
     .direction = DIRECTION_LONG},
    {.what = "an exit", .held = 7, .kinds = LX, .orders = "c"},
    {.what = "an exit of the other side", .held = 7, .kinds = SX, .orders = ""},
    {.what = "a reversal", .held = 7, .kinds = SE, .orders = "rS"},
    {.what = "a reversal of a short", .held = -7, .kinds = LE, .orders = "rL"},
    {.what = "an opposite entry that is not allowed only closes",
     .held = 7,
     .kinds = SE,
     .orders = "c",
     .direction = DIRECTION_LONG},
    {.what = "opposite: close",
     .held = 7,
     .kinds = SE,
     .orders = "c",
     .risk = {.opposite_signal = OPPOSITE_CLOSE}},
    {.what = "opposite: ignore",
     .held = 7,
     .kinds = SE,
     .orders = "",
     .risk = {.opposite_signal = OPPOSITE_IGNORE}},
    {.what = "the same side again", .held = 7, .kinds = LE, .orders = ""},
    {.what = "the same side again: reenter",
     .held = 7,
     .kinds = LE,
     .orders = "eL",
     .risk = {.same_signal = SAME_SIGNAL_REENTER}},
    {.what = "a target that is adjusted",
     .held = 7,
     .kinds = LE,
     .orders = "L",
     .sizing = SIZING_TARGET_PERCENT},
    {.what = "an entry goes before an exit", .held = 7, .kinds = SE | LX, .orders = "rS"},
    {.what = "an entry that changes nothing leaves the exit",
     .held = 7,
     .kinds = LE | LX,
     .orders = "c"},
    {.what = "entry and exit of one side, ignored",
     .held = 0,
     .kinds = LE | LX,
     .orders = "",
     .risk = {.conflicting_signals = CONFLICT_IGNORE}},
    {.what = "the same, held",
     .held = 7,
     .kinds = LE | LX,
     .orders = "",
     .risk = {.conflicting_signals = CONFLICT_IGNORE}},
    {.what = "both entries, ignored",
     .held = 0,
     .kinds = LE | SE,
     .orders = "",
     .risk = {.conflicting_signals = CONFLICT_IGNORE}},
    {.what = "a long contradiction leaves the short entry",
     .held = 0,
     .kinds = LE | LX | SE,
     .orders = "S",
     .risk = {.conflicting_signals = CONFLICT_IGNORE}},
    {.what = "out of one, into the other is no contradiction",
     .held = 7,
     .kinds = LX | SE,
     .orders = "rS",
     .risk = {.conflicting_signals = CONFLICT_IGNORE}},
    {.what = "an exit of nothing takes waiting longs back", .held = 0, .kinds = LX, .orders = "x"},
    {.what = "and waiting shorts", .held = 0, .kinds = SX, .orders = "y"},
    {.what = "and both", .held = 0, .kinds = LX | SX, .orders = "xy"},
    {.what = "out for good: no entry", .held = 0, .kinds = LE, .orders = "!", .is_out = true},
    {.what = "out for good: a reversal only closes",
     .held = 7,
     .kinds = SE,
     .orders = "c!",
     .is_out = true},
    {.what = "out for good: an exit is no veto",
     .held = 7,
     .kinds = LX,
     .orders = "c",
     .is_out = true},
    {.what = "out for the day: no entry",
     .held = 0,
     .kinds = SE,
     .orders = "!",
     .is_out_today = true},
    {.what = "out: not entered again",
     .held = 7,
     .kinds = LE,
     .orders = "!",
     .risk = {.same_signal = SAME_SIGNAL_REENTER},
     .is_out = true},
    {.what = "out: an entry that would not be heard is no veto",
     .held = 7,
     .kinds = LE,
     .orders = "",
     .is_out = true},
    {.what = "out: an exit is heard behind a veto",
     .held = 0,
     .kinds = LE | SX,
     .orders = "y!",
     .is_out = true},
};

Test(risk, decides_by_what_is_held_and_configured)
{
    for (unsigned i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        const struct decision_case *c = &decisions[i];
        struct stand s;
        char word[8];
        const struct risk_view v = stand_make(&s, c->held);
        s.combo.risk = c->risk;
        s.combo.portfolio.direction = c->direction;
        s.combo.portfolio.sizing = c->sizing;
        s.state.is_out = c->is_out;
        s.state.is_out_today = c->is_out_today;
        cr_expect_str_eq(decided(&v, &s.state, c->kinds, word), c->orders, "%s: %s", c->what, word);
        bool is_relevant = c->kinds & risk_relevant(&v, &s.position, true);
        cr_expect(is_relevant || !c->orders[0], "%s is said", c->what);
    }
}

Test(risk, signals_that_make_no_order_need_not_be_said)
{
    for (unsigned kinds = 1; kinds < 16; kinds++)
        for (int held = -7; held <= 7; held += 7)
            for (unsigned cfg = 0; cfg < 3 * 2 * 3; cfg++) {
                struct stand s;
                char word[8];
                const struct risk_view v = stand_make(&s, held);
                s.combo.risk.opposite_signal = (uint8_t)(cfg % 3);
                s.combo.risk.same_signal = (uint8_t)(cfg / 3 % 2);
                s.combo.portfolio.direction = (uint8_t)(cfg / 6);
                if (!(kinds & risk_relevant(&v, &s.position, true)))
                    cr_expect_str_eq(decided(&v, &s.state, kinds, word), "", "%u %d %u", kinds,
                                     held, cfg);
            }
}

Test(risk, a_position_that_ended_is_followed_by_rows_without_entries)
{
    static const struct {
        uint32_t exit_bar, cooldown;
        const char *orders;
    } rows[] = {
        {NO_EXIT_YET, 3, "L"}, {5, 0, "L"}, {5, 1, "!"}, {4, 1, "L"},
        {3, 2, "L"},           {4, 2, "!"}, {0, 5, "L"}, {1, 5, "!"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stand s;
        char word[8];
        const struct risk_view v = stand_make(&s, 0);
        s.combo.risk.cooldown_bars = rows[i].cooldown;
        s.position.last_exit_bar = rows[i].exit_bar;
        cr_expect_str_eq(decided(&v, &s.state, LE, word), rows[i].orders, "row %u: %s", i, word);
    }
}

Test(risk, an_entry_knows_the_cash_of_its_signals_close)
{
    struct stand s;
    struct risk_decision d;
    const struct signal g = {.bar = 5, .kinds = SE, .ref_px = 90};
    const struct risk_view v = stand_make(&s, 7);
    s.combo.execution.commission = (struct commission_cfg){.fixed = 2};
    risk_decide(&v, &s.state, &g, &d);
    cr_assert_eq(d.n, 2);
    cr_expect_eq(d.order[1].ref_cash, 5000 + 7 * 90 - 2, "with what stands sold there");
    const struct risk_view flat = stand_make(&s, 0);
    risk_decide(&flat, &s.state, &g, &d);
    cr_expect_eq(d.order[0].ref_cash, 5000);
}

Test(risk, terms_of_the_side_that_enters_go_with_its_order)
{
    struct stand s;
    struct risk_decision d;
    const struct signal g = {.bar = 5,
                             .kinds = LE,
                             .ref_px = 100,
                             .long_terms = {.limit_px = 99, .qty = 3},
                             .short_terms = {.limit_px = 101}};
    const struct risk_view v = stand_make(&s, 0);
    s.combo.execution.time_in_force = TIF_DAY;
    risk_decide(&v, &s.state, &g, &d);
    cr_assert_eq(d.n, 1);
    cr_expect(d.order[0].terms.limit_px == 99 && d.order[0].terms.qty == 3);
    cr_expect_eq(d.order[0].terms.time_in_force, TIF_DAY);
}

/* ---- equity that falls ---------------------------------------------------------------------- */

/* Flat bars at each price of a list; `bars_a_day` of them make a day. */
static void list_bars(struct column_set *c, const double *px, uint32_t n, int64_t bars_a_day)
{
    *c = (struct column_set){.rows_n = n};
    for (uint32_t i = 0; i < n; i++) {
        c->time_ns[i] = i * (DAY_NS / bars_a_day);
        c->open[i] = c->high[i] = c->low[i] = c->close[i] = px[i];
        c->volume[i] = 1e6;
    }
}

static struct outcome *run_listed(const double *px, uint32_t n, int64_t bars_a_day,
                                  const struct combo *combo, const char *long_entry)
{
    static struct column_set c;
    list_bars(&c, px, n, bars_a_day);
    struct desk d = desk_of_one(&c, combo, "rules");
    desk_set_rule(d.specs[0].long_entry, long_entry);
    desk_open(&d);
    struct outcome *o = desk_run(&d, combo);
    desk_close(&d);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    return o;
}

static struct combo units_combo(double units)
{
    struct combo c = desk_new_combo(0);
    c.execution = (struct execution_cfg){0};
    c.portfolio.sizing = SIZING_UNITS;
    c.portfolio.sizing_value = units;
    c.portfolio.initial_capital = 1000;
    return c;
}

static void expect_exit(const struct outcome *o, uint32_t trade, uint32_t bar, const char *what)
{
    cr_assert_gt(o->trades_n, trade, "%s: %u trades", what, o->trades_n);
    cr_expect_eq(o->trades[trade].exit_rule, FILL_RULE_RISK, "%s: %s", what,
                 fill_rule_name((enum fill_rule)o->trades[trade].exit_rule));
    cr_expect_eq(o->trades[trade].exit_bar, bar, "%s: %u", what, o->trades[trade].exit_bar);
}

/* 10 units from 100: equity 1000, 1050, 1000, 945: a tenth below the highest, at bar 4's close. */
static const double falling[] = {100, 100, 105, 100, 94.5, 90, 95, 100, 120, 130};

Test(risk, a_drawdown_ends_trading_for_good)
{
    struct combo c = units_combo(10);
    c.risk.max_drawdown = 0.1;
    struct outcome *o = run_listed(falling, 10, 1, &c, "close > 0");
    cr_expect_eq(o->trades_n, 1);
    expect_exit(o, 0, 5, "next open");
    cr_expect_eq(o->trades[0].exit_px, 90);
    /* entries that could be: at bars 5 to 9, when it is flat; while it is held none is heard */
    cr_expect_eq(o->result.metrics[METRIC_RISK_VETOES], 5);
    free(o);

    c.execution.fill = FILL_THIS_CLOSE;
    o = run_listed(falling, 10, 1, &c, "close > 0");
    cr_expect_eq(o->trades_n, 1);
    expect_exit(o, 0, 4, "this close");
    cr_expect_eq(o->equity[4], 945);
    cr_expect_eq(o->result.metrics[METRIC_RISK_VETOES], 6);
    free(o);

    c.risk.max_drawdown = 0.15;
    o = run_listed(falling, 10, 1, &c, "close > 0");
    cr_expect_eq(o->trades[0].exit_bar, TRADE_OPEN, "not that far");
    free(o);
}

Test(risk, a_daily_loss_ends_the_day)
{
    /* Two bars a day, 10 units from 100. Days end at 1000 (bar 1), 1000 (bar 3); bar 4 closes at
     * 960, 4 % below; bar 5 is the same day, bar 6 the next. */
    static const double px[] = {100, 100, 101, 100, 96, 95, 90, 91, 92, 93};
    struct combo c = units_combo(10);
    c.risk.max_daily_loss = 0.03;
    struct outcome *o = run_listed(px, 10, 2, &c, "close > 0");
    cr_expect_eq(o->trades_n, 2);
    expect_exit(o, 0, 5, "next open");
    cr_expect_eq(o->trades[1].entry_bar, 7, "heard at the close of bar 6, a new day");
    cr_expect_eq(o->trades[1].exit_bar, TRADE_OPEN);
    cr_expect_eq(o->result.metrics[METRIC_RISK_VETOES], 1, "at bar 5");
    free(o);
}

Test(risk, the_days_first_equity_knows_what_filled_at_the_last_close)
{
    /* At this close, with a fee of 5 at each fill: equity at the end of day 0 is 995. Bar 1 closes
     * at 974: 2.1 % below 995, and 2.6 % below 1000. */
    static const double px[] = {100, 97.9, 97.9};
    struct combo c = units_combo(10);
    c.execution.fill = FILL_THIS_CLOSE;
    c.execution.commission.fixed = 5;
    c.portfolio.initial_capital = 1005;
    c.risk.max_daily_loss = 0.0212;
    struct outcome *o = run_listed(px, 3, 1, &c, "close == 100");
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].exit_bar, TRADE_OPEN, "21 of 1000 are 2.1 %%");
    free(o);
    c.risk.max_daily_loss = 0.0208;
    o = run_listed(px, 3, 1, &c, "close == 100");
    expect_exit(o, 0, 1, "21 of 1000 are more than 2.08 %%");
    free(o);
}

/* ---- through the whole container ------------------------------------------------------------ */

Test(risk, a_target_is_adjusted_by_every_signal_of_its_side)
{
    static const double px[] = {100, 100, 200, 200, 100, 100, 100};
    struct combo c = units_combo(0);
    c.portfolio.sizing = SIZING_TARGET_PERCENT;
    c.portfolio.sizing_value = 0.5;
    struct outcome *o = run_listed(px, 7, 1, &c, "close > 0");
    /* 5 units at 100. What is heard at bar 1's close fills at 200, where half of the 1000 that were
     * known then are 2.5 units: 3 go. */
    cr_assert_gt(o->trades_n, 1);
    cr_expect_eq(o->trades[0].entry_bar, 1);
    cr_expect_eq(o->trades[0].exit_bar, 2);
    cr_expect_eq(o->trades[0].qty, 3);
    cr_expect_eq(o->trades[o->trades_n - 1].exit_bar, TRADE_OPEN);
    free(o);
}

Test(risk, an_entry_that_comes_to_nothing_is_counted)
{
    static const double px[] = {100, 100, 100, 100};
    struct combo c = units_combo(11), unknown = units_combo(0), small = units_combo(2);
    c.portfolio.unaffordable = UNAFFORDABLE_DROP;
    unknown.portfolio.sizing = SIZING_TARGET_VOLATILITY;
    unknown.portfolio.sizing_value = 0.1;
    unknown.portfolio.sizing_lookback = 20;
    small.portfolio.min_notional = 201;
    struct combo *const combos[] = {&c, &unknown, &small};
    for (size_t i = 0; i < 3; i++) {
        struct outcome *o = run_listed(px, 4, 1, combos[i], "close > 0");
        cr_expect_eq(o->trades_n, 0);
        cr_expect_eq(o->result.metrics[METRIC_ENTRIES_DROPPED], 3, "combo %zu: %g", i,
                     o->result.metrics[METRIC_ENTRIES_DROPPED]);
        cr_expect_eq(o->result.metrics[METRIC_RISK_VETOES], 0);
        free(o);
    }
    c.portfolio.sizing_value = 10;
    struct outcome *o = run_listed(px, 4, 1, &c, "close > 0");
    cr_expect_eq(o->result.metrics[METRIC_ENTRIES_DROPPED], 0, "what is held needs no more");
    free(o);
}

Test(risk, an_entry_that_a_limit_cuts_is_counted)
{
    static const double px[] = {100, 100, 100, 100};
    struct combo c = units_combo(8);
    c.risk.max_position_size = 3;
    struct outcome *o = run_listed(px, 4, 1, &c, "close > 0");
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].qty, 3);
    cr_expect_eq(o->result.metrics[METRIC_RISK_RESIZES], 1);
    cr_expect_eq(o->result.metrics[METRIC_RISK_VETOES], 0);
    free(o);
}
