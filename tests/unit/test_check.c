/* SPDX-License-Identifier: MIT */
/* The promise: a cut changes nothing before it and everything behind it, and the first value that
 * differs between two computations is found, whatever it is. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/trade.h"
#include "proto/units.h"
#include "supervisor/check/compare.h"
#include "supervisor/check/future.h"

#define BARS 50

static int64_t time_ns[BARS];
static double prices[5][BARS];
static struct range range; /* one symbol, five bars of warm-up */

static void make_bars(void)
{
    uint64_t random = 7;
    for (int i = 0; i < BARS; i++) {
        double open = 50 + (double)check_random_below(&random, 100);
        double close = 50 + (double)check_random_below(&random, 100);
        time_ns[i] = i * NS_PER_DAY;
        prices[0][i] = open;
        prices[1][i] = fmax(open, close) + 3;
        prices[2][i] = fmin(open, close) - 3;
        prices[3][i] = close;
        prices[4][i] = (double)check_random_below(&random, 10);
    }
    range = (struct range){.symbols_n = 1, .all_n = 1, .warm_up_rows = {5}};
    range.cut[0] = (struct bars){.symbol = "X",
                                 .rows_n = BARS,
                                 .time_ns = time_ns,
                                 .open = prices[0],
                                 .high = prices[1],
                                 .low = prices[2],
                                 .close = prices[3],
                                 .volume = prices[4]};
}

TestSuite(check, .init = make_bars);

Test(check, a_missing_future_ends_at_the_cut)
{
    struct future f;
    struct err err = {0};
    const struct future_plan plan = {&range, CHECK_MISSING, time_ns[20], false};
    cr_assert_eq(future_make(&plan, &f, &err), 0);
    cr_expect_eq(f.range.cut[0].rows_n, 20);
    cr_expect_eq(f.range.cut[0].close, prices[3]);
    cr_expect_null(f.range.bars[0]);
    future_fini(&f);
}

Test(check, an_altered_future_is_another_one_from_the_open_of_the_cut_on)
{
    struct future f;
    struct err err = {0};
    const struct future_plan plan = {&range, CHECK_ALTERED, time_ns[20], true};
    cr_assert_eq(future_make(&plan, &f, &err), 0);
    const struct bars *b = &f.range.cut[0];
    cr_assert_eq(b->rows_n, BARS);
    for (int i = 0; i < 20; i++)
        for (int c = 0; c < 5; c++)
            cr_expect_eq((&b->open)[c][i], prices[c][i], "column %d of bar %d", c, i);
    cr_expect_eq(b->open[20], prices[0][20], "the open of the cut stays");
    cr_expect_eq(b->volume[20], prices[4][20], "and its volume");
    for (int i = 20; i < BARS; i++) {
        cr_expect(b->low[i] <= b->open[i] && b->open[i] <= b->high[i], "bar %d", i);
        cr_expect(b->low[i] <= b->close[i] && b->close[i] <= b->high[i], "bar %d", i);
        cr_expect((b->close[i] > b->open[i]) == (prices[3][i] < prices[0][i]) ||
                      prices[3][i] == prices[0][i],
                  "bar %d goes the other way", i);
    }
    future_fini(&f);
}

Test(check, cuts_are_distinct_ascending_and_leave_bars_on_both_sides)
{
    struct err err = {0};
    for (uint32_t wanted = 1; wanted < 60; wanted++) {
        struct check_cut cuts[60], again[60];
        uint32_t n = 0, again_n = 0;
        const int64_t fills[] = {time_ns[10], time_ns[49], time_ns[5]};
        const struct cut_plan plan = {.clock_ns = time_ns + 5,
                                      .steps_n = BARS - 5,
                                      .range = &range,
                                      .fill_ns = fills,
                                      .fills_n = 3,
                                      .seed = wanted,
                                      .cuts_n = wanted};
        cr_assert_eq(cuts_choose(&plan, cuts, &n, &err), 0, "%s", err.text);
        cr_assert_eq(cuts_choose(&plan, again, &again_n, &err), 0);
        cr_expect_eq(n, wanted < 44 ? wanted : 44, "%u cuts of %u", n, wanted);
        for (uint32_t i = 0; i < n; i++) {
            cr_expect_eq(cuts[i].step, again[i].step, "the same seed, the same cuts");
            cr_expect(cuts[i].step >= 1 && cuts[i].step <= 44, "step %u", cuts[i].step);
            cr_expect_eq(cuts[i].time_ns, time_ns[5 + cuts[i].step]);
            cr_expect(i == 0 || cuts[i - 1].step < cuts[i].step);
        }
    }
}

Test(check, a_single_bar_has_no_room_for_a_cut)
{
    struct check_cut cut;
    uint32_t n = 77;
    struct err err = {0};
    const struct cut_plan plan = {
        .clock_ns = time_ns + 5, .steps_n = 1, .range = &range, .cuts_n = 3};
    cr_expect_lt(cuts_choose(&plan, &cut, &n, &err), 0);
    cr_expect_eq(err.kind, ERR_CONFIG);
    cr_expect_eq(n, 77);
}

/* ---- comparing ------------------------------------------------------------------------------ */

#define STEPS 10

struct made {
    double equity[STEPS], cash[STEPS], position[STEPS];
    struct trade trades[3];
    struct run_detail d;
};

/* A trade from bar 1 to 3, one from 5 to 7, and one from 8 on that stays open. */
static void make_detail(struct made *m)
{
    memset(m, 0, sizeof *m);
    for (int i = 0; i < STEPS; i++) {
        m->equity[i] = 100 + i;
        m->cash[i] = 50;
        m->position[i] = i % 4;
    }
    m->trades[0] = (struct trade){.entry_bar = 1,
                                  .exit_bar = 3,
                                  .qty = 2,
                                  .entry_px = 5,
                                  .exit_px = 6,
                                  .pnl = 2,
                                  .entry_rule = FILL_RULE_MARKET_OPEN,
                                  .exit_rule = FILL_RULE_STOP};
    m->trades[1] = m->trades[0];
    m->trades[1].entry_bar = 5;
    m->trades[1].exit_bar = 7;
    m->trades[1].exit_rule = FILL_RULE_MARKET_OPEN;
    m->trades[2] = m->trades[0];
    m->trades[2].entry_bar = 8;
    m->trades[2].exit_bar = TRADE_OPEN;
    m->trades[2].pnl = NAN;
    m->d = (struct run_detail){.combo = {.symbol_idx = COMBO_ALL_SYMBOLS},
                               .trades_n = 3,
                               .trades = m->trades,
                               .steps_n = STEPS,
                               .symbols_n = 1,
                               .time_ns = time_ns,
                               .equity = m->equity,
                               .cash = m->cash,
                               .position = m->position,
                               .row_time_ns = {time_ns},
                               .rows_n = {STEPS}};
}

static bool compare(const struct made *a, const struct made *b, enum check_future future, int bar,
                    struct check_difference *ret)
{
    uint64_t values_n = 0;
    const struct comparison c = {&a->d, &b->d, future, time_ns[bar], &values_n};
    bool is_same = compare_details(&c, ret);
    cr_expect_gt(values_n, 0);
    return is_same;
}

Test(check, the_first_value_that_differs_is_named_with_its_bar)
{
    static const struct {
        size_t offset;
        double value;
        const char *what;
        int bar; /* first cut at which it shows: one behind it */
    } rows[] = {
        {offsetof(struct made, position) + 4 * sizeof(double), 99, "position", 4},
        {offsetof(struct made, cash) + 2 * sizeof(double), 50.000000000000007, "cash", 2},
        {offsetof(struct made, equity) + 6 * sizeof(double), NAN, "equity", 6},
        {offsetof(struct made, trades[0].exit_px), 6.5, "trade: exit_price", 3},
        {offsetof(struct made, trades[0].pnl), 1, "trade: pnl", 3},
        {offsetof(struct made, trades[1].qty), -2, "trade: size", 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made a, b;
        struct check_difference d;
        make_detail(&a);
        make_detail(&b);
        memcpy((char *)&b + rows[i].offset, &rows[i].value, sizeof(double));
        cr_expect(compare(&a, &b, CHECK_MISSING, rows[i].bar, &d), "%s is not before the cut",
                  rows[i].what);
        cr_assert_not(compare(&a, &b, CHECK_MISSING, rows[i].bar + 1, &d), "%s", rows[i].what);
        cr_expect_str_eq(d.what, rows[i].what);
        cr_expect_eq(d.bar, (uint32_t)rows[i].bar, "%s: bar %u", rows[i].what, d.bar);
        cr_expect_eq(d.time_ns, time_ns[rows[i].bar], "%s", rows[i].what);
    }
}

Test(check, a_trade_that_is_missing_or_new_is_named)
{
    struct made a, b;
    struct check_difference d;
    make_detail(&a);
    make_detail(&b);
    b.d.trades = b.trades + 1;
    b.d.trades_n = 2;
    cr_assert_not(compare(&a, &b, CHECK_MISSING, 4, &d));
    cr_expect_str_eq(d.what, "trade");
    cr_expect(d.whole == 2 && isnan(d.cut));
    cr_assert_not(compare(&b, &a, CHECK_MISSING, 4, &d));
    cr_expect(d.cut == 2 && isnan(d.whole));
}

Test(check, fills_at_the_open_of_an_altered_cut_were_decided_before_it)
{
    struct made a, b;
    struct check_difference d;
    make_detail(&a);
    make_detail(&b);
    b.trades[2].entry_rule = FILL_RULE_LIMIT; /* of the bar itself: no signal of the past */
    cr_expect(compare(&a, &b, CHECK_MISSING, 8, &d), "what is missing shows no fill of its bars");
    cr_assert_not(compare(&a, &b, CHECK_ALTERED, 8, &d));
    cr_expect_str_eq(d.what, "entry at the open of the cut");
    cr_expect_eq(d.bar, 8);
    make_detail(&b);
    b.trades[1].exit_bar = 8;
    cr_assert_not(compare(&a, &b, CHECK_ALTERED, 7, &d));
    cr_expect_str_eq(d.what, "exit at the open of the cut");
    a.d.combo.execution.fill = FILL_THIS_CLOSE; /* then a fill of that bar knows its close */
    cr_expect(compare(&a, &b, CHECK_ALTERED, 7, &d));
}

Test(check, a_fill_at_a_close_that_is_booked_with_the_next_bar_is_not_known_before_it)
{
    struct made a, b;
    struct check_difference d;
    make_detail(&a);
    make_detail(&b);
    b.trades[0].exit_px = 7;
    cr_expect_not(compare(&a, &b, CHECK_MISSING, 4, &d));
    a.d.combo.execution.close_booked = CLOSE_BOOKED_NEXT_BAR;
    cr_expect(compare(&a, &b, CHECK_MISSING, 4, &d));
    cr_expect_not(compare(&a, &b, CHECK_MISSING, 5, &d));
}
