/* SPDX-License-Identifier: MIT */
/* Promise: money neither appears nor vanishes. Cash and positions at their marks are equity; what
 * trades made, what open positions have made so far and what holding cost and paid is the change of
 * equity. Carrying an account bar by bar, or only where something happens, ends with the same bits.
 */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/units.h"
#include "worker/portfolio/carry.h"

#define SYMBOLS 3
#define STEPS   400
#define HOUR_NS (INT64_C(3600) * NS_PER_S)

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

static double random_frac(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

/* ---- positions and trades -------------------------------------------------------------------- */

struct book {
    struct position pos[SYMBOLS];
    double mark_px[SYMBOLS];
    struct account account;
    struct trade trade;
};

static void open_book(struct book *b, double capital, double leverage)
{
    *b = (struct book){0};
    b->account = (struct account){.symbols_n = SYMBOLS, .pos = b->pos, .mark_px = b->mark_px};
    account_init(&b->account, capital, leverage);
}

static bool fill(struct book *b, bool is_close, double qty, double px, double commission)
{
    static uint32_t bar;
    return account_apply(&b->account,
                         &(struct fill){.bar = ++bar,
                                        .is_close = is_close,
                                        .rule = is_close ? FILL_RULE_STOP : FILL_RULE_LIMIT,
                                        .qty = qty,
                                        .px = px,
                                        .commission = commission},
                         &b->trade);
}

Test(account, averages_entries_and_shares_their_commission_among_closes)
{
    struct book b;
    open_book(&b, 1000, 1);
    const struct position *p = &b.pos[0];
    cr_expect_not(fill(&b, false, 10, 20, 2));
    cr_expect_not(fill(&b, false, 30, 24, 4));
    cr_expect(p->qty == 40 && near(p->entry_px, 23) && near(p->commission, 6));
    cr_expect(near(b.account.cash, 1000 - 200 - 720 - 6));

    cr_expect(fill(&b, true, -10, 30, 1)); /* a quarter of it */
    cr_expect(near(b.trade.qty, 10) && near(b.trade.entry_px, 23) && b.trade.exit_px == 30);
    cr_expect(near(b.trade.commission, 2.5) && near(b.trade.pnl, 67.5));
    cr_expect(p->qty == 30 && near(p->entry_px, 23) && near(p->commission, 4.5));
    cr_expect_eq(b.account.open_n, 1u);
    cr_expect_eq(p->last_exit_bar, NO_EXIT_YET, "the position stands");

    cr_expect(fill(&b, true, -30, 20, 1));
    cr_expect(near(b.trade.pnl, -90 - 5.5) && near(b.trade.commission, 5.5));
    cr_expect_eq(b.account.open_n, 0u);
    cr_expect_eq(p->qty, 0);
    cr_expect_eq(p->last_exit_bar, b.trade.exit_bar);
    cr_expect(near(b.account.cash, 1000 + 67.5 - 95.5));
}

Test(account, keeps_shorts_as_negative_units)
{
    struct book b;
    open_book(&b, 1000, 1);
    fill(&b, false, -10, 50, 1);
    cr_expect(near(b.account.cash, 1499));
    b.mark_px[0] = 45;
    cr_expect(near(account_equity(&b.account), 1049));
    cr_expect(fill(&b, true, 4, 40, 1));
    cr_expect(near(b.trade.qty, -4) && near(b.trade.pnl, 40 - 1.4));
    cr_expect(near(b.pos[0].qty, -6));
}

Test(account, a_notice_changes_nothing)
{
    struct book b;
    open_book(&b, 1000, 1);
    cr_expect_not(
        account_apply(&b.account, &(struct fill){.flags = FILL_VETOED, .bar = 3}, &b.trade));
    cr_expect(b.account.cash == 1000 && b.account.open_n == 0 &&
              b.pos[0].last_exit_bar == NO_EXIT_YET);
}

Test(account, margin_is_value_by_leverage)
{
    struct book b;
    open_book(&b, 1000, 4);
    b.mark_px[0] = 50;
    b.mark_px[1] = 10;
    fill(&b, false, 40, 50, 0); /* 2,000: cash is -1,000 */
    b.pos[1].qty = -50;         /* 500 */
    b.account.cash += 500;
    cr_expect(near(account_equity(&b.account), 1000));
    cr_expect(near(account_available(&b.account), 1000 - 2500.0 / 4));
    b.mark_px[0] = 30;
    cr_expect_eq(account_available(&b.account), 0, "never below zero");
}

/* ---- carrying -------------------------------------------------------------------------------- */

/* Some symbols on one clock; a symbol has no bar where row_of_step says so. */
struct fair {
    int64_t time_ns[STEPS];
    double close[SYMBOLS][STEPS], dividend[SYMBOLS][STEPS];
    int32_t row_of_step[SYMBOLS][STEPS];
    struct plane_view view[SYMBOLS];
    const struct plane_view *symbol[SYMBOLS];
    const double *dividends[SYMBOLS];
    struct market market;
    struct execution_cfg cfg;
};

/* Bars from Thursday, 1970-01-01, on: `hours` from one to the next. */
static struct fair *new_fair(uint32_t symbols_n, int hours)
{
    static struct fair f;
    f = (struct fair){
        .market = {.symbols_n = symbols_n, .steps_n = STEPS, .symbol = f.symbol},
    };
    f.market.time_ns = f.time_ns;
    for (uint32_t t = 0; t < STEPS; t++)
        f.time_ns[t] = t * hours * HOUR_NS;
    for (uint32_t s = 0; s < symbols_n; s++) {
        for (uint32_t t = 0; t < STEPS; t++) {
            f.close[s][t] = 100;
            f.row_of_step[s][t] = (int32_t)t;
        }
        f.view[s] = (struct plane_view){
            .bars = {.rows_n = STEPS, .time_ns = f.time_ns, .close = f.close[s]},
            .row_of_step = f.row_of_step[s]};
        f.symbol[s] = &f.view[s];
    }
    return &f;
}

static void pay_dividend(struct fair *f, uint32_t s, uint32_t row, double money)
{
    f->dividends[s] = f->dividend[s];
    f->dividend[s][row] = money;
    f->market.dividend = f->dividends;
}

Test(carry, charges_shorts_for_the_days_since_the_last_bar)
{
    struct fair *f = new_fair(1, 6); /* four bars a day */
    for (uint32_t t = 6; t < STEPS; t++)
        f->time_ns[t] += 48 * HOUR_NS; /* a weekend within the second day */
    f->cfg.borrow_fee_frac = 0.0365;
    struct book b;
    struct carry c;
    open_book(&b, 1000, 1);
    carry_init(&c, &f->cfg, &f->market);
    cr_expect(c.is_active);
    carry_to(&c, &b.account, 0);
    fill(&b, false, -10, 100, 0);
    f->close[0][3] = 200;
    carry_to(&c, &b.account, 3);
    cr_expect_eq(b.account.borrow_cost, 0, "the same day");
    carry_to(&c, &b.account, 4);
    cr_expect(near(b.account.borrow_cost, 2000 * 0.0001), "at the last close");
    carry_to(&c, &b.account, 5);
    cr_expect(near(b.account.borrow_cost, 0.2));
    carry_to(&c, &b.account, 6);
    cr_expect(near(b.account.borrow_cost, 0.2 + 2 * 1000 * 0.0001), "two days");
    cr_expect(near(b.account.cash, 2000 - 0.4));
    cr_expect_eq(b.account.interest_cost, 0);
}

Test(carry, charges_borrowed_cash)
{
    struct fair *f = new_fair(1, 24);
    f->cfg.margin_interest_frac = 0.073;
    struct book b;
    struct carry c;
    open_book(&b, 1000, 4);
    carry_init(&c, &f->cfg, &f->market);
    fill(&b, false, 10, 100, 0);
    carry_to(&c, &b.account, 5);
    cr_expect_eq(b.account.interest_cost, 0, "paid in full");
    fill(&b, false, 10, 100, 0); /* 1,000 are borrowed */
    carry_to(&c, &b.account, 6);
    cr_expect(near(b.account.interest_cost, 0.2));
    carry_to(&c, &b.account, 7);
    cr_expect(near(b.account.interest_cost, 0.2 + 1000.2 * 0.0002), "interest on interest");
    cr_expect(near(b.account.cash, -1000 - b.account.interest_cost));
    fill(&b, false, -5, 100, 0); /* what a short sale brings covers debts */
    double before = b.account.interest_cost;
    b.account.cash = 0;
    carry_to(&c, &b.account, 8);
    cr_expect_eq(b.account.interest_cost, before);
}

Test(carry, charges_what_is_owed_without_a_position)
{
    struct fair *f = new_fair(1, 24);
    f->cfg.margin_interest_frac = 0.365;
    struct book b;
    struct carry c;
    open_book(&b, 1000, 1);
    carry_init(&c, &f->cfg, &f->market);
    carry_to(&c, &b.account, 2);
    b.account.cash = -1000; /* under bankruptcy: run_on */
    carry_to(&c, &b.account, 3);
    cr_expect(near(b.account.cash, -1001));
}

Test(carry, pays_dividends_to_longs_and_takes_them_from_shorts)
{
    struct fair *f = new_fair(2, 24);
    pay_dividend(f, 0, 3, 0.5);
    pay_dividend(f, 0, 5, NAN);
    pay_dividend(f, 1, 4, 2);
    f->row_of_step[1][3] = -1; /* the second symbol has no bar at step 3: row 4 is step 5 */
    for (uint32_t t = 4; t < STEPS; t++)
        f->row_of_step[1][t] = (int32_t)t - 1;
    struct book b;
    struct carry c;
    open_book(&b, 1000, 1);
    carry_init(&c, &f->cfg, &f->market);
    cr_expect(c.is_active);
    b.pos[0].qty = 10;
    b.pos[1].qty = -3;
    b.account.open_n = 2;
    static const double totals[] = {0, 0, 0, 5, 5, -1, -1, -1};
    for (uint32_t t = 0; t < 8; t++) {
        carry_to(&c, &b.account, t);
        cr_expect(near(b.account.dividends, totals[t]), "step %u: %g", t, b.account.dividends);
        cr_expect(near(b.account.cash, 1000 + totals[t]));
    }
}

Test(carry, does_each_step_once)
{
    struct fair *f = new_fair(1, 24);
    f->cfg.borrow_fee_frac = 0.05;
    pay_dividend(f, 0, 2, 1);
    struct book b;
    struct carry c;
    open_book(&b, 1000, 1);
    carry_init(&c, &f->cfg, &f->market);
    fill(&b, false, -10, 100, 0);
    carry_to(&c, &b.account, 3);
    double cash = b.account.cash;
    for (uint32_t t = 0; t <= 3; t++)
        carry_to(&c, &b.account, t);
    cr_expect_eq(b.account.cash, cash);
    carry_to(&c, &b.account, UINT32_MAX);
    cr_expect_eq(c.next_step, (uint32_t)STEPS, "to the last step");
    cash = b.account.cash;
    carry_to(&c, &b.account, STEPS - 1);
    cr_expect_eq(b.account.cash, cash);
}

Test(carry, is_off_where_nothing_is_configured)
{
    struct fair *f = new_fair(1, 24);
    struct carry c;
    carry_init(&c, &f->cfg, &f->market);
    cr_expect_not(c.is_active);
}

Test(carry, starts_where_the_range_does)
{
    struct fair *f = new_fair(1, 24);
    f->market.first_step = 10;
    f->cfg.borrow_fee_frac = 0.365;
    pay_dividend(f, 0, 9, 1000); /* of a bar that only warms up */
    struct book b;
    struct carry c;
    open_book(&b, 1000, 1);
    carry_init(&c, &f->cfg, &f->market);
    b.pos[0].qty = -1;
    b.account.open_n = 1;
    f->cfg.margin_interest_frac = 1;
    b.account.cash = -1;
    carry_to(&c, &b.account, 10);
    cr_expect_eq(b.account.cash, -1);
    b.account.cash = 1000;
    carry_to(&c, &b.account, 11);
    cr_expect(near(b.account.cash, 1000 - 0.1));
}

/* ---- properties ------------------------------------------------------------------------------ */

static void roll_bars(struct fair *f, uint64_t *seed)
{
    f->cfg.borrow_fee_frac = random_frac(seed) < 0.7 ? 0.1 * random_frac(seed) : 0;
    f->cfg.margin_interest_frac = random_frac(seed) < 0.7 ? 0.1 * random_frac(seed) : 0;
    for (uint32_t s = 0; s < f->market.symbols_n; s++) {
        int32_t row = 0;
        double px = 20 + 80 * random_frac(seed);
        for (uint32_t t = 0; t < STEPS; t++) {
            bool has_bar = random_frac(seed) < 0.8;
            f->row_of_step[s][t] = has_bar ? row++ : -1;
            px *= 0.97 + 0.06 * random_frac(seed);
            f->close[s][t] = px;
            if (random_frac(seed) < 0.02)
                pay_dividend(f, s, t, random_frac(seed));
        }
    }
}

/* Two accounts: one is carried into every step, the other only where it is traded. */
struct pair {
    struct book own, mirror;
    struct carry own_carry, mirror_carry;
    double trades_pnl;
};

static void trade_at_random(struct pair *p, const struct fair *f, uint32_t step, uint64_t *seed)
{
    uint16_t s = (uint16_t)(random_frac(seed) * f->market.symbols_n);
    int32_t row = market_row(&f->market, s, step);
    if (row < 0 || random_frac(seed) < 0.7)
        return;
    double held = p->own.pos[s].qty, units = 1 + floor(50 * random_frac(seed));
    bool is_close = held != 0.0 && random_frac(seed) < 0.6;
    double side = held != 0.0 ? copysign(1.0, held) : random_frac(seed) < 0.5 ? 1.0 : -1.0;
    const struct fill x = {
        .bar = step,
        .symbol_idx = s,
        .is_close = is_close,
        .qty = is_close ? -side * fmin(units, fabs(held)) : side * units,
        .px = f->close[s][row] * (0.99 + 0.02 * random_frac(seed)),
        .commission = 3 * random_frac(seed),
    };
    carry_to(&p->mirror_carry, &p->mirror.account, step);
    if (account_apply(&p->own.account, &x, &p->own.trade))
        p->trades_pnl += p->own.trade.pnl;
    (void)account_apply(&p->mirror.account, &x, &p->mirror.trade);
}

static void mark(struct book *b, const struct fair *f, uint32_t step)
{
    for (uint32_t s = 0; s < f->market.symbols_n; s++) {
        int32_t row = market_row(&f->market, s, step);
        if (row >= 0)
            b->mark_px[s] = f->close[s][row];
    }
}

static void check_identities(const struct pair *p, uint32_t symbols_n, double capital)
{
    const struct account *a = &p->own.account;
    double value = 0, open_pnl = 0;
    for (uint32_t s = 0; s < symbols_n; s++) {
        const struct position *q = &a->pos[s];
        value += q->qty * a->mark_px[s];
        open_pnl += q->qty * (a->mark_px[s] - q->entry_px) - q->commission;
    }
    double carried = a->dividends - a->borrow_cost - a->interest_cost;
    cr_assert(near(a->cash + value, account_equity(a)));
    cr_assert(near(capital + p->trades_pnl + open_pnl + carried, account_equity(a)));
}

Test(properties, trades_open_positions_and_carry_are_the_change_of_equity)
{
    uint64_t seed = 4;
    for (int i = 0; i < 400; i++) {
        struct fair *f = new_fair(1 + i % SYMBOLS, 1 + (int)(30 * random_frac(&seed)));
        roll_bars(f, &seed);
        struct pair p = {0};
        double capital = 1000 + 9000 * random_frac(&seed), leverage = 1 + i % 4;
        open_book(&p.own, capital, leverage);
        open_book(&p.mirror, capital, leverage);
        carry_init(&p.own_carry, &f->cfg, &f->market);
        carry_init(&p.mirror_carry, &f->cfg, &f->market);
        for (uint32_t t = 0; t < STEPS; t++) {
            carry_to(&p.own_carry, &p.own.account, t);
            trade_at_random(&p, f, t, &seed);
            mark(&p.own, f, t);
            check_identities(&p, f->market.symbols_n, capital);
        }
        carry_to(&p.mirror_carry, &p.mirror.account, STEPS - 1);
        cr_assert_eq(memcmp(&p.own.account.cash, &p.mirror.account.cash, sizeof(double)), 0);
        cr_assert_eq(memcmp(p.own.pos, p.mirror.pos, sizeof p.own.pos), 0);
        cr_assert_eq(p.own.account.borrow_cost, p.mirror.account.borrow_cost);
        cr_assert_eq(p.own.account.interest_cost, p.mirror.account.interest_cost);
        cr_assert_eq(p.own.account.dividends, p.mirror.account.dividends);
    }
}
