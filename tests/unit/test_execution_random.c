/* SPDX-License-Identifier: MIT */
/* Promise: whatever is configured and said over random bars, money neither appears nor vanishes, no
 * fill lies outside its bar beyond what slippage and spread take, and a bar that
 * execution_next_fill() passes over may as well be left out. */
#include "tests/unit/execution_fixture.h"

#define STEPS_N 120
#define SEEDS_N 12000

/* ---- bars ------------------------------------------------------------------------------------ */

static void random_symbol(struct sim *m, uint32_t s, bool has_gaps, uint64_t *state)
{
    double px = 50 + 100 * uniform(state);
    uint32_t row = 0;
    for (uint32_t t = 0; t < STEPS_N; t++) {
        bool is_there = !has_gaps || random_next(state) % 4 != 0;
        m->row_of_step[s][t] = is_there ? (int32_t)row : -1;
        if (!is_there)
            continue;
        double open = px * (1 + 0.04 * (uniform(state) - 0.5));
        px = open * (1 + 0.06 * (uniform(state) - 0.5));
        m->px[s][0][row] = open;
        m->px[s][1][row] = fmax(open, px) * (1 + 0.02 * uniform(state));
        m->px[s][2][row] = fmin(open, px) * (1 - 0.02 * uniform(state));
        m->px[s][3][row] = px;
        m->px[s][4][row] = random_next(state) % 8 ? 400 * uniform(state) : 0;
        row++;
    }
    for (uint32_t t = STEPS_N; t < SIM_BARS_MAX; t++)
        m->row_of_step[s][t] = -1;
    sim_set_view(m, s, row, has_gaps);
}

/* ---- configurations -------------------------------------------------------------------------- */

static double any_of(uint64_t *state, double a, double b, double c)
{
    double of[] = {a, b, c};
    return of[random_next(state) % 3];
}

static struct execution_cfg random_execution(uint64_t *state)
{
    return (struct execution_cfg){
        .fill = random_next(state) % 3 == 0 ? FILL_THIS_CLOSE : FILL_NEXT_OPEN,
        .close_booked = (uint8_t)(random_next(state) % 2),
        .market_on = random_next(state) % 4 == 0 ? MARKET_ON_CLOSE : MARKET_ON_OPEN,
        .time_in_force = (uint8_t)(random_next(state) % 4),
        .same_bar = (uint8_t)(random_next(state) % 4),
        .at_end = (uint8_t)(random_next(state) % 3),
        .orders_per_bar = random_next(state) % 4 == 0 ? ORDERS_PER_BAR_ONE : ORDERS_PER_BAR_ANY,
        .slips_in_bar = random_next(state) % 4 == 0,
        .stops_exact = random_next(state) % 4 == 0,
        .spread_paid = (uint8_t)(random_next(state) % 2),
        .volume_rest = (uint8_t)(random_next(state) % 2),
        .reversal_fee = (uint8_t)(random_next(state) % 2),
        .commission = {.percent_frac = any_of(state, 0, 0, 0.002),
                       .fixed = any_of(state, 0, 0, 3),
                       .minimum = any_of(state, 0, 0, 1),
                       .maximum = any_of(state, 0, 0, 20)},
        .slippage = {.percent_frac = any_of(state, 0, 0.001, 0.002),
                     .volume_share = any_of(state, 0, 0, 0.1)},
        .spread_frac = any_of(state, 0, 0, 0.002),
    };
}

static struct exits_cfg random_exits(uint64_t *state)
{
    return (struct exits_cfg){
        .base = (uint8_t)(random_next(state) % 3),
        .live_from = (uint8_t)(random_next(state) % 2),
        .max_bars = (uint32_t)any_of(state, 0, 0, 7),
        .stop_loss = any_of(state, 0, 0.04, 0.02),
        .take_profit = any_of(state, 0, 0.06, 0.02),
        .trailing_stop = any_of(state, 0, 0, 0.05),
        .trailing_amount = any_of(state, 0, 0, 4),
    };
}

static struct portfolio_cfg random_portfolio(uint64_t *state)
{
    static const double values[] = {0.4, 0.6, 20, 1500, 0.01, 0.3, 0.5};
    struct portfolio_cfg p = {
        .direction = (uint8_t)(random_next(state) % 3),
        .sizing = (uint8_t)(random_next(state) % 7),
        .unaffordable = (uint8_t)(random_next(state) % 2),
        .sizing_lookback = 3,
        .initial_capital = 10000,
        .leverage = any_of(state, 1, 1, 3),
        .lot = any_of(state, 1, 0, 0.1),
        .maintenance_margin = any_of(state, 0, 0, 0.5),
    };
    p.sizing_value = values[p.sizing];
    return p;
}

static void random_config(struct sim *m, uint64_t *state)
{
    m->combo.execution = random_execution(state);
    m->combo.exits = random_exits(state);
    m->combo.portfolio = random_portfolio(state);
    m->combo.risk.opposite_signal = (uint8_t)(random_next(state) % 3);
    m->combo.risk.same_signal = (uint8_t)(random_next(state) % 2);
    m->combo.risk.max_position_size = any_of(state, 0, 0, 35.5);
}

static struct order_terms random_terms(const struct sim *m, uint32_t s, uint32_t step,
                                       uint64_t *state)
{
    double px = m->px[s][3][market_row(m->market, s, step)];
    struct order_terms terms = {.time_in_force = (uint8_t)(random_next(state) % 4)};
    unsigned kind = (unsigned)(random_next(state) % 6);
    if (kind == 1 || kind == 3)
        terms.limit_px = px * (1 + 0.06 * (uniform(state) - 0.5));
    if (kind == 2 || kind == 3)
        terms.stop_px = px * (1 + 0.06 * (uniform(state) - 0.5));
    if (random_next(state) % 4 == 0)
        terms.qty = 1 + floor(30 * uniform(state));
    if (random_next(state) % 4 == 0)
        terms.stop_loss_px = px * (1 + 0.1 * (uniform(state) - 0.5));
    if (random_next(state) % 4 == 0)
        terms.take_profit_px = px * (1 + 0.1 * (uniform(state) - 0.5));
    return terms;
}

/* ---- what always holds ----------------------------------------------------------------------- */

static void expect_balance(const struct sim *m, uint64_t seed, uint32_t step)
{
    double value = m->account.cash, pnl = 0;
    uint32_t open_n = 0, brackets_n = 0;
    for (uint32_t s = 0; s < m->market->symbols_n; s++) {
        const struct position *p = &m->pos[s];
        const struct bracket *b = &m->book.bracket[s];
        value += p->qty * m->mark_px[s];
        brackets_n += b->is_set;
        cr_assert(!b->is_set || p->qty * b->side > 0, "seed %lu: a bracket of nothing", seed);
        if (p->qty == 0)
            continue;
        pnl += p->qty * (m->mark_px[s] - p->entry_px) - p->commission;
        open_n++;
    }
    for (uint32_t i = 0; i < m->trades_n; i++)
        pnl += m->trade[i].pnl;
    cr_assert(is_near(value, m->account.equity), "seed %lu step %u", seed, step);
    cr_assert(fabs(10000 + pnl - m->account.equity) < 1e-5, "seed %lu step %u: %.17g, %.17g", seed,
              step, 10000 + pnl, m->account.equity);
    cr_assert_eq(m->account.open_n, open_n);
    cr_assert_eq(m->book.brackets_n, brackets_n);
}

static void expect_fill(const struct sim *m, const struct fill *f, uint64_t seed)
{
    const struct execution_cfg *cfg = &m->combo.execution;
    int32_t row = market_row(m->market, f->symbol_idx, f->bar);
    cr_assert_geq(row, 0, "seed %lu: a fill without a bar", seed);
    double room = (1 + cfg->slippage.percent_frac) * (1 + cfg->spread_frac) + 1e-12;
    double high = m->px[f->symbol_idx][1][row], low = m->px[f->symbol_idx][2][row];
    cr_assert(f->px <= high * room && f->px >= low * (2 - room),
              "seed %lu step %u: %s at %g, outside of %g to %g", seed, f->bar,
              fill_rule_name((enum fill_rule)f->rule), f->px, low, high);
    if (m->combo.risk.max_position_size > 0)
        cr_assert_leq(fabs(f->qty), m->combo.risk.max_position_size * (1 + 1e-9),
                      "seed %lu step %u: %s of %.17g", seed, f->bar,
                      fill_rule_name((enum fill_rule)f->rule), f->qty);
    cr_assert_geq(f->slippage, 0);
}

/* Of each bar no more than its share is traded. */
static void expect_volume(const struct sim *m, uint64_t seed)
{
    double share = m->combo.execution.slippage.volume_share;
    for (uint32_t i = 0; share > 0 && i < m->fills_n; i++) {
        const struct fill *f = &m->fill[i];
        double units = 0;
        for (uint32_t k = 0; k < m->fills_n; k++)
            if (m->fill[k].bar == f->bar && m->fill[k].symbol_idx == f->symbol_idx)
                units += fabs(m->fill[k].qty);
        double volume = m->px[f->symbol_idx][4][market_row(m->market, f->symbol_idx, f->bar)];
        cr_assert_leq(units, share * volume * (1 + 1e-9), "seed %lu step %u", seed, f->bar);
    }
}

/* ---- a walk ---------------------------------------------------------------------------------- */

static void set_up(struct sim *m, uint64_t seed)
{
    uint64_t state = seed;
    uint32_t symbols_n = 1 + (uint32_t)(seed % SIM_SYMBOLS_MAX);
    sim_init(m);
    for (uint32_t t = 0; t < SIM_BARS_MAX; t++)
        m->clock[t] = t * 97 * MINUTE_NS; /* some fifteen a day */
    for (uint32_t s = 0; s < symbols_n; s++)
        random_symbol(m, s, symbols_n > 1, &state);
    random_config(m, &state);
    sim_open(m, symbols_n, STEPS_N);
}

/* What is said depends on the seed alone. */
static void speak(struct sim *m, uint64_t seed, uint32_t step)
{
    uint64_t state = seed * 1000 + step;
    for (uint16_t s = 0; s < m->market->symbols_n; s++) {
        unsigned kinds = (unsigned)(random_next(&state) % 16);
        if (random_next(&state) % 5 || market_row(m->market, s, step) < 0)
            continue;
        const struct order_terms terms = random_terms(m, s, step, &state);
        sim_say(m, s, step, kinds, &terms);
    }
}

/* The walk that asks for every bar. */
static void walk_all(struct sim *m, uint64_t seed)
{
    set_up(m, seed);
    for (uint32_t step = 0; step < STEPS_N; step++) {
        execution_bar(&m->execution, step);
        sim_mark(m, step);
        expect_balance(m, seed, step);
        uint32_t fills_n = m->fills_n;
        speak(m, seed, step);
        cr_assert(m->combo.execution.fill == FILL_THIS_CLOSE || m->fills_n == fills_n,
                  "seed %lu step %u: an order acts on the bar that made it", seed, step);
        expect_balance(m, seed, step);
    }
    for (uint32_t i = 0; i < m->fills_n; i++)
        expect_fill(m, &m->fill[i], seed);
    expect_volume(m, seed);
    execution_end(&m->execution, STEPS_N - 1);
    sim_mark(m, STEPS_N - 1);
    expect_balance(m, seed, STEPS_N);
    if (m->combo.execution.at_end == AT_END_CLOSE_AT_CLOSE)
        cr_expect_eq(m->account.open_n, 0);
}

/* The walk that leaves out what the look ahead says is quiet. */
static uint32_t walk_some(struct sim *m, uint64_t seed)
{
    uint32_t called_n = 0, next = 0;
    set_up(m, seed);
    for (uint32_t step = 0; step < STEPS_N; step++) {
        if (step == next && ++called_n)
            execution_bar(&m->execution, step);
        sim_mark(m, step);
        speak(m, seed, step);
        next = execution_next_fill(&m->execution, step + 1);
    }
    execution_end(&m->execution, STEPS_N - 1);
    return called_n;
}

static bool is_same_fill(const struct fill *a, const struct fill *b)
{
    return a->bar == b->bar && a->symbol_idx == b->symbol_idx && a->rule == b->rule &&
           a->is_close == b->is_close && a->flags == b->flags && a->qty == b->qty &&
           a->px == b->px && a->commission == b->commission;
}

static void expect_same(const struct sim *all, const struct sim *some, uint64_t seed)
{
    cr_assert_eq(all->fills_n, some->fills_n, "seed %lu", seed);
    for (uint32_t i = 0; i < all->fills_n; i++)
        cr_assert(is_same_fill(&all->fill[i], &some->fill[i]), "seed %lu: fill %u of bar %u", seed,
                  i, all->fill[i].bar);
    cr_assert_eq(all->account.cash, some->account.cash);
}

Test(execution_random, keeps_accounts_balanced_and_may_leave_quiet_bars_out)
{
    static struct sim all, some;
    uint32_t called_n = 0, fills_n = 0, rules = 0;
    for (uint64_t seed = 1; seed <= SEEDS_N; seed++) {
        walk_all(&all, seed);
        called_n += walk_some(&some, seed);
        expect_same(&all, &some, seed);
        fills_n += all.fills_n;
        for (uint32_t i = 0; i < all.fills_n; i++)
            rules |= 1u << all.fill[i].rule;
        sim_close(&all);
        sim_close(&some);
    }
    cr_expect_lt(called_n, SEEDS_N * STEPS_N * 3 / 4, "of %u bars %u were looked at",
                 SEEDS_N * STEPS_N, called_n);
    cr_expect_gt(fills_n, SEEDS_N * 5);
    const unsigned never = 1 << FILL_RULE_NONE | 1 << FILL_RULE_BANKRUPT | 1 << FILL_RULE_RISK;
    cr_expect_eq(rules | never, (1u << FILL_RULE_N) - 1, "every rule has made a fill: %x", rules);
}

/* ---- risk ------------------------------------------------------------------------------------ */

/* What risk_relevant keeps quiet about must be nothing, over all signals, positions and
 * configurations. */
Test(risk, makes_no_order_of_a_signal_that_is_not_relevant)
{
    static struct sim m;
    sim_init(&m);
    m.px[0][3][0] = 1;
    sim_set_view(&m, 0, 1, false);
    sim_open(&m, 1, 1);
    for (unsigned i = 0; i < 3 * 2 * 3 * 3 * 16; i++) {
        m.combo.risk = (struct risk_cfg){.opposite_signal = (uint8_t)(i % 3),
                                         .same_signal = (uint8_t)(i / 3 % 2)};
        m.combo.portfolio.direction = (uint8_t)(i / 6 % 3);
        m.pos[0].qty = (double)(i / 18 % 3) - 1;
        const struct signal signal = {.kinds = (uint16_t)(i / 54 % 16), .ref_px = 1};
        enum direction d = (enum direction)m.combo.portfolio.direction;
        if (m.pos[0].qty * (d == DIRECTION_LONG ? -1 : 1) > 0 && d != DIRECTION_BOTH)
            continue; /* a position that the account cannot have */
        struct risk_decision decision;
        risk_decide(&m.view_of_risk, &m.risk, &signal, &decision);
        if (!(signal.kinds & risk_relevant(&m.view_of_risk, &m.pos[0], true)))
            cr_expect_eq(decision.n, 0, "case %u", i);
        for (unsigned k = 0; k < decision.n; k++) {
            const struct order *o = &decision.order[k];
            cr_expect(o->is_close || k + 1 == decision.n, "case %u", i);
            cr_expect(o->is_close || d == DIRECTION_BOTH ||
                          o->side == (d == DIRECTION_LONG ? 1 : -1),
                      "case %u enters where it may not", i);
        }
    }
    sim_close(&m);
}
