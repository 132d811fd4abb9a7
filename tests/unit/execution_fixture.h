/* SPDX-License-Identifier: MIT */
/* One account over bars made by hand, so that every price and size can be checked on paper. Signals
 * go through risk and execution as in a container: orders meet the bar, the close is marked, what
 * is said at the close becomes orders. */
#pragma once

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "worker/broker/execution.h"
#include "worker/risk/risk.h"

#define SIM_BARS_MAX    256
#define SIM_SYMBOLS_MAX 3
#define SIM_FILLS_MAX   4096
#define MINUTE_NS       INT64_C(60000000000)

struct sim {
    int64_t clock[SIM_BARS_MAX];
    double px[SIM_SYMBOLS_MAX][5][SIM_BARS_MAX]; /* open high low close volume, by row */
    int64_t time_ns[SIM_SYMBOLS_MAX][SIM_BARS_MAX];
    int32_t row_of_step[SIM_SYMBOLS_MAX][SIM_BARS_MAX];
    struct plane_view view[SIM_SYMBOLS_MAX];
    struct plane plane;
    struct market *market;
    struct arena arena;
    struct position pos[SIM_SYMBOLS_MAX];
    double mark_px[SIM_SYMBOLS_MAX];
    struct account account;
    struct order_book book;
    struct execution execution;
    struct combo combo;
    struct risk_view view_of_risk;
    struct risk_state risk;
    struct fill fill[SIM_FILLS_MAX];
    uint32_t fills_n, notices_n;
    struct trade trade[SIM_FILLS_MAX];
    uint32_t trades_n;
};

static inline void sim_keep_fill(void *ctx, const struct fill *f)
{
    struct sim *m = ctx;
    struct trade t;
    if (f->qty == 0.0) {
        m->notices_n++;
        return;
    }
    cr_assert_lt(m->fills_n, SIM_FILLS_MAX);
    m->fill[m->fills_n++] = *f;
    if (account_apply(&m->account, f, &t))
        m->trade[m->trades_n++] = t;
}

/* Zeroed, but for money and a clock of minutes. */
static inline void sim_init(struct sim *m)
{
    *m = (struct sim){
        .combo = {.symbol_idx = COMBO_ALL_SYMBOLS,
                  .risk = {.commission_frac = NAN},
                  .portfolio = {.initial_capital = 1000, .leverage = 1, .sizing_value = 1}},
    };
    for (uint32_t i = 0; i < SIM_BARS_MAX; i++)
        m->clock[i] = i * MINUTE_NS;
}

/* rows_n bars of symbol s are in px; row_of_step says where they are, if has_gaps. */
static inline void sim_set_view(struct sim *m, uint32_t s, uint32_t rows_n, bool has_gaps)
{
    for (uint32_t t = 0; has_gaps && t < SIM_BARS_MAX; t++)
        if (m->row_of_step[s][t] >= 0 && m->row_of_step[s][t] < (int32_t)rows_n)
            m->time_ns[s][m->row_of_step[s][t]] = m->clock[t];
    m->view[s] = (struct plane_view){.bars = {.symbol = "S",
                                              .rows_n = rows_n,
                                              .time_ns = has_gaps ? m->time_ns[s] : m->clock,
                                              .open = m->px[s][0],
                                              .high = m->px[s][1],
                                              .low = m->px[s][2],
                                              .close = m->px[s][3],
                                              .volume = m->px[s][4]},
                                     .row_of_step = has_gaps ? m->row_of_step[s] : NULL};
}

/* Configuration and bars are set before. */
static inline void sim_open(struct sim *m, uint32_t symbols_n, uint32_t steps_n)
{
    m->plane = (struct plane){.symbols_n = symbols_n,
                              .traded_n = symbols_n,
                              .steps_n = steps_n,
                              .clock_ns = m->clock,
                              .symbol = m->view};
    cr_assert_eq(market_create(&m->plane, COMBO_ALL_SYMBOLS, &m->market), 0);
    m->account = (struct account){.symbols_n = symbols_n, .pos = m->pos, .mark_px = m->mark_px};
    account_init(&m->account, m->combo.portfolio.initial_capital, m->combo.portfolio.leverage);
    cr_assert_eq(order_book_init(&m->book, &m->arena, symbols_n), 0);
    m->execution = (struct execution){.combo = &m->combo,
                                      .market = m->market,
                                      .account = &m->account,
                                      .book = &m->book,
                                      .emit = sim_keep_fill,
                                      .ctx = m};
    m->view_of_risk = (struct risk_view){&m->combo, m->market, &m->account};
    risk_reset(&m->view_of_risk, &m->risk);
}

static inline void sim_close(struct sim *m)
{
    market_destroy(m->market);
    arena_fini(&m->arena);
}

static inline void sim_mark(struct sim *m, uint32_t step)
{
    for (uint32_t s = 0; s < m->market->symbols_n; s++) {
        int32_t row = market_row(m->market, s, step);
        if (row >= 0)
            m->mark_px[s] = m->px[s][3][row];
    }
    m->account.equity = account_equity(&m->account);
}

/* A signal at the close of a bar; entries have the terms, if any. */
static inline void sim_say(struct sim *m, uint16_t s, uint32_t step, unsigned kinds,
                           const struct order_terms *terms)
{
    struct risk_decision decision;
    int32_t row = market_row(m->market, s, step);
    if (row < 0 || !kinds)
        return;
    struct signal signal = {
        .bar = step, .symbol_idx = s, .kinds = (uint16_t)kinds, .ref_px = m->px[s][3][row]};
    if (terms)
        signal.long_terms = signal.short_terms = *terms;
    risk_decide(&m->view_of_risk, &m->risk, &signal, &decision);
    cr_assert_leq(decision.n, RISK_ORDERS_MAX);
    for (unsigned i = 0; i < decision.n; i++)
        execution_place(&m->execution, &decision.order[i]);
    m->account.equity = account_equity(&m->account);
}

static inline bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

/* ---- scenarios on one symbol ----------------------------------------------------------------- */

#define LE SIGNAL_LONG_ENTRY
#define LX SIGNAL_LONG_EXIT
#define SE SIGNAL_SHORT_ENTRY
#define SX SIGNAL_SHORT_EXIT

#define CASE_BARS_MAX  7
#define CASE_FILLS_MAX 7

#define FLAT                                                                                       \
    {                                                                                              \
        100, 101, 99, 100                                                                          \
    }

struct expected_fill {
    uint32_t bar;
    enum fill_rule rule;
    double qty, px, commission;
};

#define OPEN   FILL_RULE_MARKET_OPEN
#define CLOSE  FILL_RULE_MARKET_CLOSE
#define STOP   FILL_RULE_STOP
#define GAP    FILL_RULE_STOP_GAP
#define TARGET FILL_RULE_TARGET
#define LIMIT  FILL_RULE_LIMIT
#define TRAIL  FILL_RULE_TRAIL
#define TIME   FILL_RULE_TIME
#define END    FILL_RULE_END

/* Zero means the neutral value of a field; but without sizing an entry is for ten units, and money
 * is 1000. */
struct scenario {
    const char *what;
    double bars[CASE_BARS_MAX][5];           /* open high low close volume */
    unsigned kinds[CASE_BARS_MAX];           /* said at the close of each bar */
    struct order_terms terms[CASE_BARS_MAX]; /* of the entries said there */
    uint32_t bars_a_day;                     /* 0: all are of one day */
    struct execution_cfg execution;
    struct risk_cfg risk;
    struct exits_cfg exits;
    struct portfolio_cfg portfolio;
    struct expected_fill fills[CASE_FILLS_MAX];
    double cash;      /* at the end; 0: not checked, 1e-300: nothing is left */
    uint32_t waiting; /* orders that are left in the book */
};

static inline uint32_t scenario_open(const struct scenario *c, struct sim *m)
{
    uint32_t n = 0;
    sim_init(m);
    for (; n < CASE_BARS_MAX && c->bars[n][0] != 0; n++) {
        for (int k = 0; k < 5; k++)
            m->px[0][k][n] = c->bars[n][k];
        if (c->bars_a_day)
            m->clock[n] = (n / c->bars_a_day * 1440 + n % c->bars_a_day) * MINUTE_NS;
    }
    m->combo.execution = c->execution;
    m->combo.risk = c->risk;
    if (m->combo.risk.commission_frac == 0)
        m->combo.risk.commission_frac = NAN;
    m->combo.exits = c->exits;
    m->combo.portfolio = c->portfolio;
    if (m->combo.portfolio.sizing_value == 0) {
        m->combo.portfolio.sizing = SIZING_UNITS;
        m->combo.portfolio.sizing_value = 10;
    }
    if (m->combo.portfolio.initial_capital == 0)
        m->combo.portfolio.initial_capital = 1000;
    if (m->combo.portfolio.leverage == 0)
        m->combo.portfolio.leverage = 1;
    sim_set_view(m, 0, n, false);
    sim_open(m, 1, n);
    return n;
}

static inline void expect_fills(const struct sim *m, const struct scenario *c)
{
    uint32_t n = 0;
    while (n < CASE_FILLS_MAX && c->fills[n].qty != 0)
        n++;
    cr_expect_eq(m->fills_n, n, "%s: %u fills, not %u", c->what, m->fills_n, n);
    for (uint32_t i = 0; i < n && i < m->fills_n; i++) {
        const struct fill *f = &m->fill[i];
        const struct expected_fill *e = &c->fills[i];
        cr_expect_eq(f->bar, e->bar, "%s: fill %u at bar %u", c->what, i, f->bar);
        cr_expect_eq(f->rule, e->rule, "%s: fill %u by %s", c->what, i,
                     fill_rule_name((enum fill_rule)f->rule));
        cr_expect(is_near(f->qty, e->qty), "%s: fill %u of %.17g", c->what, i, f->qty);
        cr_expect(is_near(f->px, e->px), "%s: fill %u at %.17g", c->what, i, f->px);
        cr_expect(is_near(f->commission, e->commission), "%s: fill %u costs %.17g", c->what, i,
                  f->commission);
    }
}

static inline void scenario_run(const struct scenario *c)
{
    static struct sim m;
    uint32_t n = scenario_open(c, &m);
    for (uint32_t step = 0; step < n; step++) {
        execution_bar(&m.execution, step);
        sim_mark(&m, step);
        sim_say(&m, 0, step, c->kinds[step], &c->terms[step]);
    }
    cr_expect_eq(m.book.n, c->waiting, "%s: %u orders wait", c->what, m.book.n);
    execution_end(&m.execution, n - 1);
    expect_fills(&m, c);
    if (c->cash)
        cr_expect(is_near(m.account.cash, c->cash), "%s: cash %.17g", c->what, m.account.cash);
    sim_close(&m);
}

#define SCENARIOS_RUN(table)                                                                       \
    for (unsigned i = 0; i < sizeof(table) / sizeof(table)[0]; i++)                                \
    scenario_run(&(table)[i])

/* ---- random numbers -------------------------------------------------------------------------- */

static inline uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline double uniform(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}
