/* SPDX-License-Identifier: MIT */
/* Promise: a portfolio carries, fills and marks its account in this order at every bar, whether a
 * fill comes behind its bar's event or before it, and ends, or runs on, when equity is gone. */
#include <math.h>

#include <criterion/criterion.h>

#include "proto/units.h"
#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/market.h"

#define STEPS 8

struct shop {
    int64_t time_ns[STEPS];
    double close[STEPS], dividend[STEPS];
    struct plane_view view;
    const struct plane_view *symbol[1];
    const double *dividends[1];
    struct market market;
    struct combo combo;
    struct arena arena;
    struct container *c;
    const struct account *account;
};

/* A bar a day, at 100. */
static struct shop *new_shop(void)
{
    static struct shop p;
    p = (struct shop){
        .combo.portfolio = {.initial_capital = 1000, .leverage = 1},
        .market = {.symbols_n = 1, .steps_n = STEPS},
    };
    for (int t = 0; t < STEPS; t++) {
        p.time_ns[t] = t * NS_PER_DAY;
        p.close[t] = 100;
    }
    p.view.bars = (struct bars){.rows_n = STEPS, .time_ns = p.time_ns, .close = p.close};
    p.symbol[0] = &p.view;
    p.dividends[0] = p.dividend;
    p.market.symbol = p.symbol;
    p.market.time_ns = p.time_ns;
    return &p;
}

static void open_shop(struct shop *p)
{
    struct err err = {0};
    p->c = container_create(&p->arena, "shop", NULL);
    cr_assert_not_null(p->c);
    cr_assert_eq(container_register_service(p->c, "market_data", &p->market), 0);
    cr_assert_eq(container_add(p->c, "portfolio", &type_portfolio, NULL, &err), 0);
    cr_assert_eq(
        container_initialize(p->c, &(const struct container_subject){.combo = &p->combo}, &err), 0);
    container_start(p->c);
    const struct component *k = container_find(p->c, PROTOCOL_PORTFOLIO);
    p->account = k->type->portfolio->account(k->self);
}

static void close_shop(struct shop *p)
{
    container_teardown(p->c);
    arena_fini(&p->arena);
}

static void bar(struct shop *p, uint32_t step)
{
    bus_publish(&p->c->bus, EVENT_BAR, &(struct bar_event){step});
}

static void fill(struct shop *p, uint32_t step, double qty, double px, uint8_t flags)
{
    double held = p->account->pos[0].qty;
    bus_publish(&p->c->bus, EVENT_FILL,
                &(struct fill){
                    .bar = step, .qty = qty, .px = px, .is_close = held * qty < 0, .flags = flags});
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

/* ---- carry ----------------------------------------------------------------------------------- */

Test(portfolio, a_dividend_is_for_those_who_held_at_the_close_before)
{
    struct shop *p = new_shop();
    p->market.dividend = p->dividends;
    p->dividend[2] = 3;
    p->dividend[4] = 5;
    open_shop(p);
    bar(p, 0);
    bar(p, 1);
    fill(p, 1, 2, 100, 0); /* at this close */
    bar(p, 2);
    cr_expect(near(p->account->dividends, 6));
    cr_expect(near(p->account->equity, 1006));
    bar(p, 3);
    fill(p, 4, 7, 100, 0); /* of step 4, told before its event: it holds from here on */
    cr_expect(near(p->account->dividends, 6 + 10), "carried before the fill");
    bar(p, 4);
    cr_expect(near(p->account->dividends, 16));
    close_shop(p);
}

Test(portfolio, a_fill_booked_with_the_next_bar_comes_behind_its_carry)
{
    struct shop *p = new_shop();
    p->market.dividend = p->dividends;
    p->dividend[2] = 3;
    open_shop(p);
    bar(p, 0);
    bar(p, 1);
    double equity = p->account->equity;
    fill(p, 1, 2, 90, FILL_BOOKED_NEXT_BAR); /* while bar 2 is processed */
    cr_expect_eq(p->account->equity, equity, "bar 1 is not marked again");
    bar(p, 2);
    cr_expect_eq(p->account->dividends, 0, "it was not held when bar 2 began");
    cr_expect(near(p->account->equity, 1020));
    close_shop(p);
}

Test(portfolio, a_fill_at_a_marked_close_marks_it_again)
{
    struct shop *p = new_shop();
    open_shop(p);
    bar(p, 0);
    fill(p, 0, 2, 90, 0);
    cr_expect(near(p->account->equity, 1020));
    close_shop(p);
}

Test(portfolio, borrowing_costs_interest_and_shorts_a_fee)
{
    struct shop *p = new_shop();
    p->combo.portfolio.leverage = 4;
    p->combo.execution.margin_interest_frac = 0.073;
    p->combo.execution.borrow_fee_frac = 0.0365;
    open_shop(p);
    bar(p, 0);
    fill(p, 1, 20, 100, 0); /* borrows 1,000 */
    bar(p, 1);
    bar(p, 2);
    cr_expect(near(p->account->interest_cost, 0.2));
    fill(p, 3, -20, 100, 0);
    fill(p, 3, -10, 100, 0);
    bar(p, 3);
    cr_expect(near(p->account->borrow_cost, 0));
    bar(p, 4);
    cr_expect(near(p->account->borrow_cost, 0.1));
    cr_expect(near(p->account->equity, 1000 - p->account->interest_cost - p->account->borrow_cost));
    close_shop(p);
}

Test(portfolio, starts_anew)
{
    struct shop *p = new_shop();
    p->combo.execution.borrow_fee_frac = 0.0365;
    open_shop(p);
    for (int i = 0; i < 2; i++) {
        container_start(p->c); /* resets */
        cr_expect_eq(p->account->cash, 1000);
        bar(p, 0);
        fill(p, 1, -10, 100, 0);
        bar(p, 1);
        bar(p, 2);
        cr_expect(near(p->account->borrow_cost, 0.1));
    }
    close_shop(p);
}

/* ---- bankruptcy ------------------------------------------------------------------------------ */

/* A short of 10 at 100 with 1,000: nothing is left at 200. */
static void go_broke(struct shop *p)
{
    p->close[2] = 250;
    p->close[3] = 50;
    p->combo.execution.commission.fixed = 1;
    open_shop(p);
    bar(p, 0);
    fill(p, 1, -10, 100, 0);
    bar(p, 1);
    bar(p, 2);
}

Test(bankruptcy, ends_the_account_at_that_close)
{
    struct shop *p = new_shop();
    go_broke(p);
    cr_expect(p->account->is_bankrupt);
    cr_expect_eq(p->account->end_bar, 2u);
    cr_expect(p->account->equity == 0 && p->account->cash == 0 && p->account->open_n == 0);
    cr_expect(near(p->account->debt_forgiven, 501), "2000 bought 10 at 250, and a fee");
    bar(p, 3);
    cr_expect_eq(p->account->equity, 0, "for good");
    close_shop(p);
}

Test(bankruptcy, may_run_on_with_debts)
{
    struct shop *p = new_shop();
    p->combo.portfolio.bankruptcy = BANKRUPTCY_RUN_ON;
    go_broke(p);
    cr_expect_not(p->account->is_bankrupt);
    cr_expect(near(p->account->equity, -500));
    bar(p, 3);
    cr_expect(near(p->account->equity, 1500), "and recover");
    cr_expect_eq(p->account->debt_forgiven, 0);
    close_shop(p);
}

Test(bankruptcy, forgives_a_flat_account_what_it_owes)
{
    struct shop *p = new_shop();
    open_shop(p);
    bar(p, 0);
    fill(p, 1, -10, 100, 0);
    bar(p, 1);
    fill(p, 2, 10, 230, 0);
    bar(p, 2);
    cr_expect(p->account->is_bankrupt);
    cr_expect_eq(p->account->equity, 0);
    cr_expect(near(p->account->debt_forgiven, 300));
    close_shop(p);
}

Test(bankruptcy, comes_sooner_with_leverage)
{
    struct shop *p = new_shop();
    p->combo.portfolio.leverage = 5;
    p->close[2] = 81;
    p->close[3] = 80;
    open_shop(p);
    bar(p, 0);
    fill(p, 1, 50, 100, 0);
    bar(p, 1);
    bar(p, 2);
    cr_expect_not(p->account->is_bankrupt);
    cr_expect(near(p->account->equity, 50));
    bar(p, 3);
    cr_expect(p->account->is_bankrupt, "equity of exactly zero is the end");
    close_shop(p);
}
