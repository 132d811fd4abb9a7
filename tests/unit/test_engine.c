/* SPDX-License-Identifier: MIT */
/* Promise: a session runs combinations in fresh containers and gives what an independent loop
 * gives; nothing of one combination is seen by the next; no future bar changes a past one. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"

/* ---- against an independent loop ------------------------------------------------------------ */

#define COST 0.0005
#define SLIP 0.0002

/* sma_cross long and short with reversal, whole units, all of the equity, written without any of
 * the engine. */
struct naive {
    double cash, qty, entry_px, entry_cost, equity[BARS_MAX];
    uint32_t entry_bar, trades_n;
    struct trade trades[TRADES_MAX];
};

static void naive_close(struct naive *v, uint32_t t, double open)
{
    double px = open * (v->qty > 0 ? 1 - SLIP : 1 + SLIP), cost = fabs(v->qty) * px * COST;
    v->cash += v->qty * px - cost;
    v->trades[v->trades_n++] = (struct trade){
        .entry_bar = v->entry_bar,
        .exit_bar = t,
        .qty = v->qty,
        .entry_px = v->entry_px,
        .exit_px = px,
        .pnl = v->qty * (px - v->entry_px) - cost - v->entry_cost,
        .commission = cost + v->entry_cost,
    };
    v->qty = 0;
}

static void naive_enter(struct naive *v, uint32_t t, double open, int side)
{
    v->entry_px = open * (1 + side * SLIP);
    v->qty = side * floor(v->cash / (v->entry_px * (1 + COST)));
    v->entry_cost = fabs(v->qty) * v->entry_px * COST;
    v->entry_bar = t;
    v->cash -= v->qty * v->entry_px + v->entry_cost;
}

static double naive_sma(const double *x, uint32_t t, uint32_t n)
{
    double sum = 0;
    if (t + 1 < n)
        return NAN;
    for (uint32_t i = 0; i < n; i++)
        sum += x[t - i];
    return sum / n;
}

static void naive_run(struct naive *v, const struct column_set *c, uint32_t fast, uint32_t slow)
{
    int wanted = 0;
    *v = (struct naive){.cash = 100000};
    for (uint32_t t = 0; t < c->rows_n; t++) {
        if (wanted && wanted * v->qty <= 0) {
            if (v->qty != 0)
                naive_close(v, t, c->open[t]);
            naive_enter(v, t, c->open[t], wanted);
        }
        v->equity[t] = v->cash + v->qty * c->close[t];
        wanted = 0;
        if (t < slow)
            continue;
        double before = naive_sma(c->close, t - 1, fast) - naive_sma(c->close, t - 1, slow);
        double now = naive_sma(c->close, t, fast) - naive_sma(c->close, t, slow);
        wanted = before < 0 && now > 0 ? 1 : before > 0 && now < 0 ? -1 : 0;
    }
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fmax(1, fmax(fabs(a), fabs(b)));
}

static void expect_naive(const struct outcome *o, const struct naive *v)
{
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    uint32_t open_n = v->qty != 0;
    cr_assert_eq(o->trades_n, v->trades_n + open_n);
    cr_expect_eq(o->result.metrics[METRIC_TRADES], v->trades_n);
    for (uint32_t t = 0; t < o->bars_n; t++)
        cr_assert(near(o->equity[t], v->equity[t]), "bar %u: %.17g %.17g", t, o->equity[t],
                  v->equity[t]);
    for (uint32_t i = 0; i < v->trades_n; i++) {
        const struct trade *a = &o->trades[i], *b = &v->trades[i];
        cr_assert(a->entry_bar == b->entry_bar && a->exit_bar == b->exit_bar && a->qty == b->qty,
                  "trade %u", i);
        cr_assert(near(a->entry_px, b->entry_px) && near(a->exit_px, b->exit_px) &&
                      near(a->commission, b->commission) && fabs(a->pnl - b->pnl) < 1e-8,
                  "trade %u", i);
    }
    cr_expect(near(o->result.metrics[METRIC_EQUITY_FINAL], v->equity[o->bars_n - 1]));
    if (open_n)
        cr_expect_eq(o->trades[v->trades_n].exit_bar, TRADE_OPEN);
}

Test(engine, sma_cross_equals_a_naive_loop)
{
    static struct column_set columns;
    static struct naive naive;
    static const uint32_t periods[][2] = {{1, 2}, {3, 8}, {5, 20}, {10, 60}};
    desk_walk(&columns, BARS_MAX, 11, 0);
    struct combo combos[4];
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = desk_new_specs(1),
                     .specs_n = 1,
                     .combos = combos,
                     .combos_n = 4};
    desk_set_strategy(&d.specs[0], "sma_cross");
    for (int i = 0; i < 4; i++) {
        combos[i] = desk_new_combo((uint64_t)i);
        combos[i].params_n = 2;
        combos[i].params[0] = periods[i][0];
        combos[i].params[1] = periods[i][1];
    }
    desk_open(&d);
    for (int i = 0; i < 4; i++) {
        struct outcome *o = desk_run(&d, &combos[i]);
        naive_run(&naive, &columns, periods[i][0], periods[i][1]);
        cr_expect_gt(naive.trades_n, 5);
        expect_naive(o, &naive);
        free(o);
    }
    desk_close(&d);
}

/* ---- every strategy ---- */

Test(engine, a_combination_gives_the_same_bytes_again_and_in_another_order)
{
    static struct column_set columns[2];
    desk_walk(&columns[0], 700, 5, 9);
    desk_walk(&columns[1], 600, 6, 7);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&columns[0], &columns[1]}, .symbols_n = 2};
    desk_every_strategy(&d, combos);
    desk_open(&d);
    struct outcome *first[EVERY_N];
    unsigned trades_n = 0;
    for (int i = 0; i < EVERY_N; i++) {
        first[i] = desk_run(&d, &combos[i]);
        cr_assert_eq(first[i]->result.status, STATUS_OK, "%s: %s", d.session.run.strategies[i].type,
                     first[i]->result.message);
        cr_expect_gt(first[i]->trades_n, 0, "%s", d.session.run.strategies[i].type);
        trades_n += first[i]->trades_n;
    }
    cr_expect_gt(trades_n, 100);
    for (int i = EVERY_N - 1; i >= 0; i--)
        for (int twice = 0; twice < 2; twice++) {
            struct outcome *again = desk_run(&d, &combos[i]);
            cr_expect(outcome_equals(first[i], again), "%s", d.session.run.strategies[i].type);
            free(again);
        }
    for (int i = 0; i < EVERY_N; i++)
        free(first[i]);
    desk_close(&d);
}

Test(engine, no_malloc_after_the_first_container_of_a_kind)
{
    static struct column_set columns;
    desk_walk(&columns, 700, 5, 0);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&columns}, .symbols_n = 1};
    desk_every_strategy(&d, combos);
    desk_open(&d);
    free(desk_run(&d, &combos[1]));
    const void *block = d.arena.block;
    size_t total = d.arena.total_bytes;
    for (int i = 0; i < 3; i++)
        free(desk_run(&d, &combos[1]));
    cr_expect_eq(d.arena.block, block);
    cr_expect_eq(d.arena.total_bytes, total);
    desk_close(&d);
}

Test(engine, the_future_changes_nothing_of_the_past)
{
    static struct column_set whole[2], cut[2];
    struct combo combos[EVERY_N], cut_combos[EVERY_N];
    struct desk d = {.columns = {&whole[0], &whole[1]}, .symbols_n = 2};
    struct desk e = {.columns = {&cut[0], &cut[1]}, .symbols_n = 2};
    const int64_t last_ns = 400 * DAY_NS;
    for (int s = 0; s < 2; s++) {
        desk_walk(&whole[s], 700, 21 + (uint64_t)s, 8);
        cut[s] = whole[s];
        while (cut[s].time_ns[cut[s].rows_n - 1] > last_ns)
            cut[s].rows_n--;
    }
    desk_every_strategy(&d, combos);
    desk_every_strategy(&e, cut_combos);
    desk_open(&d);
    desk_open(&e);
    for (int i = 0; i < EVERY_N; i++) {
        struct outcome *o = desk_run(&d, &combos[i]), *p = desk_run(&e, &cut_combos[i]);
        cr_assert_lt(p->bars_n, o->bars_n);
        cr_expect_eq(memcmp(o->equity, p->equity, p->bars_n * sizeof(double)), 0, "strategy %d", i);
        cr_expect_eq(memcmp(o->cash, p->cash, p->bars_n * sizeof(double)), 0, "strategy %d", i);
        for (uint32_t k = 0; k < p->trades_n; k++)
            if (p->trades[k].exit_bar != TRADE_OPEN)
                cr_expect(trade_equals(&o->trades[k], &p->trades[k]), "strategy %d trade %u", i, k);
        free(o);
        free(p);
    }
    desk_close(&d);
    desk_close(&e);
}

Test(engine, one_symbol_of_many_gives_what_it_gives_alone)
{
    static struct column_set columns[2];
    struct combo combos[EVERY_N], alone_combos[EVERY_N];
    struct desk d = {.columns = {&columns[0], &columns[1]}, .symbols_n = 2};
    struct desk alone = {.columns = {&columns[1]}, .symbols_n = 1};
    desk_walk(&columns[0], 700, 31, 6);
    desk_walk(&columns[1], 500, 32, 5);
    desk_every_strategy(&d, combos);
    desk_every_strategy(&alone, alone_combos);
    desk_open(&d);
    desk_open(&alone);
    for (int i = 0; i < EVERY_N; i++) {
        combos[i].symbol_idx = 1;
        struct outcome *o = desk_run(&d, &combos[i]), *p = desk_run(&alone, &alone_combos[i]);
        cr_expect(outcome_equals(o, p), "%s", d.session.run.strategies[i].type);
        free(o);
        free(p);
    }
    desk_close(&d);
    desk_close(&alone);
}
