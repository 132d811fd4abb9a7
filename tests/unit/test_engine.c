/* SPDX-License-Identifier: MIT */
/* Promise: a session runs combinations in fresh containers and gives what an independent loop
 * gives; nothing of one combination is seen by the next; no future bar changes a past one; a
 * combination that the strategy refuses is told why. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "worker/builtin.h"
#include "worker/driver_reference.h"
#include "worker/lockstep/shared.h"
#include "worker/lockstep/uplink.h"
#include "worker/monitor/tracker.h"
#include "worker/registry.h"
#include "worker/session.h"

#define BARS_MAX    1500
#define SYMBOLS_MAX 2
#define SERIES_MAX  128
#define TRADES_MAX  1024
#define DAY_NS      INT64_C(86400000000000)

/* ---- bars ----------------------------------------------------------------------------------- */

struct column_set {
    int64_t time_ns[BARS_MAX];
    double open[BARS_MAX], high[BARS_MAX], low[BARS_MAX], close[BARS_MAX], volume[BARS_MAX];
    uint32_t rows_n, first_row;
};

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

/* Daily bars of a random walk; one day in `gap_every` is missing (0: none). */
static void walk(struct column_set *c, uint32_t rows_n, uint64_t seed, unsigned gap_every)
{
    double px = 100;
    int64_t day = 0;
    *c = (struct column_set){.rows_n = rows_n};
    for (uint32_t i = 0; i < rows_n; i++, day++) {
        while (gap_every && random_next(&seed) % gap_every == 0)
            day++;
        c->time_ns[i] = day * DAY_NS;
        c->open[i] = px * (1 + 0.01 * (uniform(&seed) - 0.5));
        px = c->open[i] * (1 + 0.04 * (uniform(&seed) - 0.498));
        c->close[i] = px;
        c->high[i] = fmax(c->open[i], px) * (1 + 0.01 * uniform(&seed));
        c->low[i] = fmin(c->open[i], px) * (1 - 0.01 * uniform(&seed));
        c->volume[i] = 1000;
    }
}

/* ---- a session over them -------------------------------------------------------------------- */

struct desk {
    const struct column_set *columns[SYMBOLS_MAX];
    uint32_t symbols_n;
    struct strategy_spec *specs; /* taken over by the session */
    uint32_t specs_n;
    const struct combo *combos;
    uint32_t combos_n;
    struct slot slot;
    struct session session;
    struct arena arena;
};

/* Series computed so far, of one symbol. */
struct made {
    const struct column_set *columns;
    char key[SERIES_MAX][128];
    double *values[SERIES_MAX];
    uint32_t n;
};

static const double *made_lookup(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    const struct made *m = ctx;
    const struct column_set *c = m->columns;
    const struct {
        const char *key;
        const double *values;
    } columns[] = {{"open", c->open},
                   {"high", c->high},
                   {"low", c->low},
                   {"close", c->close},
                   {"volume", c->volume}};
    const double *found = NULL;
    for (unsigned i = 0; i < 5; i++)
        if (strcmp(columns[i].key, key) == 0)
            found = columns[i].values;
    for (uint32_t i = 0; i < m->n; i++)
        if (strcmp(m->key[i], key) == 0)
            found = m->values[i];
    if (found && ret_first_defined) {
        *ret_first_defined = 0;
        while (*ret_first_defined < c->rows_n && isnan(found[*ret_first_defined]))
            ++*ret_first_defined;
    }
    return found;
}

static void add_rule(struct graph *graph, const char *text, const struct expr_env *env)
{
    struct expr *expr;
    struct err err = {0};
    uint32_t node;
    if (!text || !*text)
        return;
    cr_assert_eq(expr_parse(text, &expr, &err), 0, "%s", err.text);
    cr_assert_eq(graph_add(graph, expr, env, &node, &err), 0, "%s", err.text);
    expr_destroy(expr);
}

static void add_rules(struct graph *graph, const struct strategy_spec *s, const struct combo *c)
{
    const char *names[SPEC_PARAMS_MAX];
    for (uint32_t i = 0; i < s->params_n; i++)
        names[i] = s->param_names[i];
    const struct expr_env env = {c->params_n, names, c->params};
    const struct strategy_rules *r = registry_find(s->type)->rules;
    add_rule(graph, r ? r->long_entry : s->long_entry, &env);
    add_rule(graph, r ? r->long_exit : s->long_exit, &env);
    add_rule(graph, r ? r->short_entry : s->short_entry, &env);
    add_rule(graph, r ? r->short_exit : s->short_exit, &env);
}

static void make_series(struct made *m, const struct graph *graph)
{
    struct err err = {0};
    for (uint32_t n = 0; n < graph_nodes_n(graph); n++) {
        if (!graph_is_series(graph, n) || graph_is_column(graph, n))
            continue;
        cr_assert_lt(m->n, SERIES_MAX);
        double *values = malloc((m->columns->rows_n + 1) * sizeof *values);
        cr_assert_eq(graph_compute(graph, n, made_lookup, m, m->columns->rows_n, values, &err), 0,
                     "%s", err.text);
        (void)snprintf(m->key[m->n], sizeof m->key[0], "%s", graph_key(graph, n));
        m->values[m->n++] = values;
    }
}

static struct bars bars_of(const struct column_set *c, uint32_t s)
{
    static const char *const names[] = {"AAA", "BBB"};
    return (struct bars){.symbol = names[s],
                         .rows_n = c->rows_n,
                         .time_ns = c->time_ns,
                         .open = c->open,
                         .high = c->high,
                         .low = c->low,
                         .close = c->close,
                         .volume = c->volume};
}

static int plane_of(const struct desk *d, struct made *made)
{
    struct bars bars[SYMBOLS_MAX];
    uint32_t first_row[SYMBOLS_MAX], symbol[SYMBOLS_MAX * SERIES_MAX], n = 0;
    const char *keys[SYMBOLS_MAX * SERIES_MAX];
    struct plane_builder *builder;
    struct err err = {0};
    int fd;
    for (uint32_t s = 0; s < d->symbols_n; s++) {
        bars[s] = bars_of(d->columns[s], s);
        first_row[s] = d->columns[s]->first_row;
        for (uint32_t i = 0; i < made[s].n; i++, n++) {
            symbol[n] = s;
            keys[n] = made[s].key[i];
        }
    }
    const struct plane_plan plan = {d->symbols_n, bars, first_row, n, symbol, keys, {0, 0}};
    cr_assert_eq(plane_build(&plan, &builder, &err), 0, "%s", err.text);
    n = 0;
    for (uint32_t s = 0; s < d->symbols_n; s++)
        for (uint32_t i = 0; i < made[s].n; i++, n++) {
            memcpy(plane_builder_series(builder, n), made[s].values[i],
                   d->columns[s]->rows_n * sizeof(double));
            free(made[s].values[i]);
        }
    cr_assert_eq(plane_seal(builder, &fd, &err), 0, "%s", err.text);
    return fd;
}

/* Makes the plane with every series that the combinations name, and the session over it. */
static void desk_open(struct desk *d)
{
    static struct made made[SYMBOLS_MAX];
    struct graph *graph;
    struct err err = {0};
    cr_assert_eq(graph_create(&graph), 0);
    for (uint32_t i = 0; i < d->combos_n; i++)
        add_rules(graph, &d->specs[d->combos[i].strategy_idx], &d->combos[i]);
    for (uint32_t s = 0; s < d->symbols_n; s++) {
        made[s].columns = d->columns[s];
        made[s].n = 0;
        make_series(&made[s], graph);
    }
    graph_destroy(graph);
    int fd = plane_of(d, made);
    struct run_spec run = {.profile = PROFILE_NATIVE,
                           .periods_per_year = 252,
                           .container_prefix = "test",
                           .container_suffix = "20260101_120000",
                           .strategies_n = d->specs_n,
                           .strategies = d->specs};
    cr_assert_eq(session_init(&d->session, &run, fd, &d->slot, &err), 0, "%s", err.text);
    (void)close(fd);
}

static void desk_close(struct desk *d)
{
    session_fini(&d->session);
    arena_fini(&d->arena);
}

/* ---- what came of a combination ------------------------------------------------------------- */

struct outcome {
    struct result result;
    uint32_t bars_n, trades_n;
    double equity[BARS_MAX], cash[BARS_MAX];
    struct trade trades[TRADES_MAX];
};

static void keep_record(struct outcome *o, const struct tracker_record *rec)
{
    o->bars_n = rec->bars_n;
    o->trades_n = rec->trades_n;
    cr_assert_leq(rec->trades_n, TRADES_MAX);
    memcpy(o->equity, rec->equity, rec->bars_n * sizeof(double));
    if (rec->cash)
        memcpy(o->cash, rec->cash, rec->bars_n * sizeof(double));
    if (rec->trades_n)
        memcpy(o->trades, rec->trades, rec->trades_n * sizeof *rec->trades);
}

static struct outcome *run(struct desk *d, const struct combo *combo)
{
    struct outcome *o = calloc(1, sizeof *o);
    struct container *c;
    struct err err = {0};
    bool details = true;
    const struct container_request q = {
        .shape = SHAPE_FULL, .combo = combo, .arena = &d->arena, .details = &details};
    cr_assert_not_null(o);
    session_tell(&d->session, combo);
    int r = session_container(&d->session, &q, &c, &err);
    if (r < 0) {
        session_refused(combo, r, &err, &o->result);
    } else {
        container_start(c);
        (void)driver_reference_run(c);
        const void *tracker = container_resolve(c, "performance_tracker");
        session_finish(c, combo, &o->result);
        const struct tracker_record rec = tracker_record(tracker);
        keep_record(o, &rec);
    }
    arena_reset(&d->arena);
    return o;
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool same_trade(const struct trade *a, const struct trade *b)
{
    return a->symbol_idx == b->symbol_idx && a->entry_rule == b->entry_rule &&
           a->exit_rule == b->exit_rule && a->entry_bar == b->entry_bar &&
           a->exit_bar == b->exit_bar && same_double(a->qty, b->qty) &&
           same_double(a->entry_px, b->entry_px) && same_double(a->exit_px, b->exit_px) &&
           same_double(a->pnl, b->pnl) && same_double(a->commission, b->commission);
}

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
    if (a->result.status != b->result.status || strcmp(a->result.message, b->result.message) ||
        memcmp(a->result.metrics, b->result.metrics, sizeof a->result.metrics) ||
        a->bars_n != b->bars_n || a->trades_n != b->trades_n ||
        memcmp(a->equity, b->equity, a->bars_n * sizeof(double)) ||
        memcmp(a->cash, b->cash, a->bars_n * sizeof(double)))
        return false;
    for (uint32_t i = 0; i < a->trades_n; i++)
        if (!same_trade(&a->trades[i], &b->trades[i]))
            return false;
    return true;
}

/* ---- strategies and combinations ------------------------------------------------------------ */

static struct strategy_spec *new_specs(uint32_t n)
{
    struct strategy_spec *s = calloc(n, sizeof *s);
    cr_assert_not_null(s);
    return s;
}

static void set_strategy(struct strategy_spec *s, const char *type)
{
    const struct component_type *t = registry_find(type);
    cr_assert_not_null(t);
    (void)snprintf(s->type, sizeof s->type, "%s", type);
    (void)snprintf(s->name, sizeof s->name, "%s", type);
    s->params_n = t->params_n;
    for (unsigned i = 0; i < t->params_n; i++)
        (void)snprintf(s->param_names[i], SPEC_NAME_BYTES, "%s", t->params[i].name);
}

static void set_rule(char *rule, const char *text)
{
    (void)snprintf(rule, SPEC_RULE_BYTES, "%s", text);
}

static struct combo new_combo(uint64_t number)
{
    return (struct combo){
        .combination = number,
        .container_seq = number + 1,
        .symbol_idx = COMBO_ALL_SYMBOLS,
        .execution = {.commission_frac = 0.0005, .slippage_frac = 0.0002},
        .risk = {.max_position_size = INFINITY, .commission_frac = NAN},
        .exits = {.stop_loss = NAN, .take_profit = NAN},
        .portfolio = {.sizing_value = 1, .initial_capital = 100000, .leverage = 1, .lot = 1},
    };
}

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
    walk(&columns, BARS_MAX, 11, 0);
    struct combo combos[4];
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = new_specs(1),
                     .specs_n = 1,
                     .combos = combos,
                     .combos_n = 4};
    set_strategy(&d.specs[0], "sma_cross");
    for (int i = 0; i < 4; i++) {
        combos[i] = new_combo((uint64_t)i);
        combos[i].params_n = 2;
        combos[i].params[0] = periods[i][0];
        combos[i].params[1] = periods[i][1];
    }
    desk_open(&d);
    for (int i = 0; i < 4; i++) {
        struct outcome *o = run(&d, &combos[i]);
        naive_run(&naive, &columns, periods[i][0], periods[i][1]);
        cr_expect_gt(naive.trades_n, 5);
        expect_naive(o, &naive);
        free(o);
    }
    desk_close(&d);
}

/* ---- a desk with every strategy ------------------------------------------------------------- */

#define EVERY_N 8

/* Each strategy of the catalogue with its defaults, costs, a stop and a target on some. */
static void every_strategy(struct desk *d, struct combo *combos)
{
    const struct component_type *types[EVERY_N];
    cr_assert_eq(registry_find_by_protocol(PROTOCOL_SIGNAL_GENERATOR, types, EVERY_N), EVERY_N);
    d->specs = new_specs(EVERY_N);
    d->specs_n = EVERY_N;
    d->combos = combos;
    d->combos_n = EVERY_N;
    for (uint32_t i = 0; i < EVERY_N; i++) {
        set_strategy(&d->specs[i], types[i]->name);
        combos[i] = new_combo(i);
        combos[i].strategy_idx = i;
        combos[i].params_n = types[i]->params_n;
        for (unsigned p = 0; p < types[i]->params_n; p++)
            combos[i].params[p] = types[i]->params[p].default_value;
        combos[i].exits.stop_loss = i % 2 ? 0.03 : NAN;
        combos[i].exits.take_profit = i % 3 ? 0.05 : NAN;
        combos[i].portfolio.sizing_value = 0.5;
        if (strcmp(types[i]->name, "rules") != 0)
            continue;
        set_rule(d->specs[i].long_entry, "close > sma(close, 12) and close > open");
        set_rule(d->specs[i].short_entry, "close < min(low, 30)  or close < sma(close, 12) * 0.97");
        set_rule(d->specs[i].long_exit, "rsi(close, 9) > 75");
    }
}

Test(engine, a_combination_gives_the_same_bytes_again_and_in_another_order)
{
    static struct column_set columns[2];
    walk(&columns[0], 700, 5, 9);
    walk(&columns[1], 600, 6, 7);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&columns[0], &columns[1]}, .symbols_n = 2};
    every_strategy(&d, combos);
    desk_open(&d);
    struct outcome *first[EVERY_N];
    unsigned trades_n = 0;
    for (int i = 0; i < EVERY_N; i++) {
        first[i] = run(&d, &combos[i]);
        cr_assert_eq(first[i]->result.status, STATUS_OK, "%s: %s", d.session.run.strategies[i].type,
                     first[i]->result.message);
        cr_expect_gt(first[i]->trades_n, 0, "%s", d.session.run.strategies[i].type);
        trades_n += first[i]->trades_n;
    }
    cr_expect_gt(trades_n, 100);
    for (int i = EVERY_N - 1; i >= 0; i--)
        for (int twice = 0; twice < 2; twice++) {
            struct outcome *again = run(&d, &combos[i]);
            cr_expect(same_outcome(first[i], again), "%s", d.session.run.strategies[i].type);
            free(again);
        }
    for (int i = 0; i < EVERY_N; i++)
        free(first[i]);
    desk_close(&d);
}

Test(engine, no_malloc_after_the_first_container_of_a_kind)
{
    static struct column_set columns;
    walk(&columns, 700, 5, 0);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&columns}, .symbols_n = 1};
    every_strategy(&d, combos);
    desk_open(&d);
    free(run(&d, &combos[1]));
    const void *block = d.arena.block;
    size_t total = d.arena.total_bytes;
    for (int i = 0; i < 3; i++)
        free(run(&d, &combos[1]));
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
        walk(&whole[s], 700, 21 + (uint64_t)s, 8);
        cut[s] = whole[s];
        while (cut[s].time_ns[cut[s].rows_n - 1] > last_ns)
            cut[s].rows_n--;
    }
    every_strategy(&d, combos);
    every_strategy(&e, cut_combos);
    desk_open(&d);
    desk_open(&e);
    for (int i = 0; i < EVERY_N; i++) {
        struct outcome *o = run(&d, &combos[i]), *p = run(&e, &cut_combos[i]);
        cr_assert_lt(p->bars_n, o->bars_n);
        cr_expect_eq(memcmp(o->equity, p->equity, p->bars_n * sizeof(double)), 0, "strategy %d", i);
        cr_expect_eq(memcmp(o->cash, p->cash, p->bars_n * sizeof(double)), 0, "strategy %d", i);
        for (uint32_t k = 0; k < p->trades_n; k++)
            if (p->trades[k].exit_bar != TRADE_OPEN)
                cr_expect(same_trade(&o->trades[k], &p->trades[k]), "strategy %d trade %u", i, k);
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
    walk(&columns[0], 700, 31, 6);
    walk(&columns[1], 500, 32, 5);
    every_strategy(&d, combos);
    every_strategy(&alone, alone_combos);
    desk_open(&d);
    desk_open(&alone);
    for (int i = 0; i < EVERY_N; i++) {
        combos[i].symbol_idx = 1;
        struct outcome *o = run(&d, &combos[i]), *p = run(&alone, &alone_combos[i]);
        cr_expect(same_outcome(o, p), "%s", d.session.run.strategies[i].type);
        free(o);
        free(p);
    }
    desk_close(&d);
    desk_close(&alone);
}

/* ---- when a strategy may begin -------------------------------------------------------------- */

static struct outcome *run_rule(uint32_t first_row, uint8_t first_signal)
{
    static struct column_set columns;
    walk(&columns, 60, 3, 0);
    columns.first_row = first_row;
    struct combo combo = new_combo(0);
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = new_specs(1),
                     .specs_n = 1,
                     .combos = &combo,
                     .combos_n = 1};
    set_strategy(&d.specs[0], "rules");
    d.specs[0].first_signal = first_signal;
    set_rule(d.specs[0].long_entry, "close > 0 or close > sma(close, 5)");
    desk_open(&d);
    struct outcome *o = run(&d, &combo);
    desk_close(&d);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->bars_n, 60 - first_row);
    return o;
}

Test(engine, rules_act_from_the_first_bar_or_one_bar_after_their_series_are_defined)
{
    static const struct {
        const char *what;
        uint32_t first_row;
        uint8_t first_signal;
        uint32_t entry_bar;
    } rows[] = {
        {"the first bar's signal fills at the second", 0, FIRST_SIGNAL_FIRST_BAR, 1},
        {"sma(5) is defined at bar 4, acts at 5, fills at 6", 0, FIRST_SIGNAL_AFTER_WARM_UP, 6},
        {"bars before the range feed the series, not the account", 20, FIRST_SIGNAL_FIRST_BAR, 1},
        {"what is warm before the range acts one bar into it", 20, FIRST_SIGNAL_AFTER_WARM_UP, 2},
        {"warm-up that ends inside the range", 2, FIRST_SIGNAL_AFTER_WARM_UP, 4},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome *o = run_rule(rows[i].first_row, rows[i].first_signal);
        cr_expect_eq(o->trades[0].entry_bar, rows[i].entry_bar, "%s: %u", rows[i].what,
                     o->trades[0].entry_bar);
        free(o);
    }
}

/* ---- both sides at once, and the end -------------------------------------------------------- */

static struct outcome *run_rules(const struct strategy_spec *rules, struct combo combo)
{
    static struct column_set columns;
    walk(&columns, 60, 3, 0);
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = new_specs(1),
                     .specs_n = 1,
                     .combos = &combo,
                     .combos_n = 1};
    d.specs[0] = *rules;
    set_strategy(&d.specs[0], "rules");
    desk_open(&d);
    struct outcome *o = run(&d, &combo);
    desk_close(&d);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    return o;
}

Test(engine, a_strategy_that_says_both_sides_on_every_bar_is_long_and_stays)
{
    struct strategy_spec rules = {0};
    set_rule(rules.long_entry, "close > 0");
    set_rule(rules.short_entry, "close > 0");
    struct outcome *o = run_rules(&rules, new_combo(0));
    cr_assert_eq(o->trades_n, 1);
    cr_expect_gt(o->trades[0].qty, 0);
    cr_expect_eq(o->trades[0].exit_bar, TRADE_OPEN);
    free(o);
}

Test(engine, equity_of_the_last_bar_knows_what_closing_at_the_end_cost)
{
    struct strategy_spec rules = {0};
    set_rule(rules.long_entry, "close > 0");
    struct combo combo = new_combo(0);
    struct outcome *marked = run_rules(&rules, combo);
    combo.execution.at_end = AT_END_CLOSE_AT_CLOSE;
    struct outcome *closed = run_rules(&rules, combo);
    cr_assert_eq(closed->trades_n, 1);
    const struct trade *t = &closed->trades[0];
    cr_expect(t->exit_bar == 59 && t->exit_rule == FILL_RULE_END);
    cr_expect_lt(closed->equity[59], marked->equity[59]);
    cr_expect_eq(closed->equity[59], closed->cash[59]);
    cr_expect(near(closed->equity[59], 100000 + t->pnl));
    cr_expect_eq(memcmp(closed->equity, marked->equity, 59 * sizeof(double)), 0);
    cr_expect_eq(closed->result.metrics[METRIC_TRADES], 1);
    cr_expect_eq(marked->result.metrics[METRIC_TRADES], 0);
    cr_expect_lt(closed->result.metrics[METRIC_EXPOSURE_PCT],
                 marked->result.metrics[METRIC_EXPOSURE_PCT], "flat at the last close");
    free(marked);
    free(closed);
}

/* ---- refusals ------------------------------------------------------------------------------- */

Test(engine, parameters_that_the_strategy_refuses_are_invalid_and_say_why)
{
    static struct column_set columns;
    walk(&columns, 100, 3, 0);
    struct combo combos[2] = {new_combo(0), new_combo(1)};
    struct desk d = {.columns = {&columns},
                     .symbols_n = 1,
                     .specs = new_specs(1),
                     .specs_n = 1,
                     .combos = combos,
                     .combos_n = 2};
    set_strategy(&d.specs[0], "sma_cross");
    combos[0].params_n = combos[1].params_n = 2;
    combos[0].params[0] = 20;
    combos[0].params[1] = 10;
    combos[1].params[0] = 5;
    combos[1].params[1] = 10;
    desk_open(&d);
    struct outcome *o = run(&d, &combos[0]);
    cr_expect_eq(o->result.status, STATUS_INVALID);
    cr_expect(strstr(o->result.message, "fast_period < slow_period"), "%s", o->result.message);
    cr_expect(isnan(o->result.metrics[0]));
    struct outcome *next = run(&d, &combos[1]);
    cr_expect_eq(next->result.status, STATUS_OK, "%s", next->result.message);
    combos[1].strategy_idx = 7;
    struct outcome *unknown = run(&d, &combos[1]);
    cr_expect_eq(unknown->result.status, STATUS_INVALID);
    combos[1].strategy_idx = 0;
    combos[1].symbol_idx = 9;
    struct outcome *elsewhere = run(&d, &combos[1]);
    cr_expect_eq(elsewhere->result.status, STATUS_INVALID);
    cr_expect(strstr(elsewhere->result.message, "symbol 9"), "%s", elsewhere->result.message);
    free(o);
    free(next);
    free(unknown);
    free(elsewhere);
    desk_close(&d);
}

/* ---- bankruptcy ----------------------------------------------------------------------------- */

Test(engine, an_account_without_equity_ends_at_that_close_and_stays_at_nothing)
{
    static struct column_set c;
    walk(&c, 40, 3, 0);
    for (uint32_t i = 0; i < 40; i++) {
        c.open[i] = c.close[i] = i < 10 ? 100 : 250;
        c.high[i] = c.open[i];
        c.low[i] = c.open[i];
    }
    struct combo combo = new_combo(0);
    struct desk d = {.columns = {&c},
                     .symbols_n = 1,
                     .specs = new_specs(1),
                     .specs_n = 1,
                     .combos = &combo,
                     .combos_n = 1};
    set_strategy(&d.specs[0], "rules");
    set_rule(d.specs[0].short_entry, "close > 0");
    desk_open(&d);
    struct outcome *o = run(&d, &combo);
    cr_assert_eq(o->result.status, STATUS_OK);
    cr_assert_eq(o->trades_n, 1);
    cr_expect_eq(o->trades[0].exit_rule, FILL_RULE_BANKRUPT);
    cr_expect_eq(o->trades[0].exit_bar, 10);
    cr_expect_eq(o->trades[0].exit_px, 250);
    cr_expect_gt(o->equity[9], 0);
    for (uint32_t t = 10; t < 40; t++)
        cr_expect(o->equity[t] == 0 && o->cash[t] == 0, "bar %u", t);
    cr_expect_eq(o->result.metrics[METRIC_EQUITY_FINAL], 0);
    free(o);
    desk_close(&d);
}

static void count_signal(void *self, const void *event)
{
    uint32_t *n = self;
    *n += ((const struct signal *)event)->kinds != 0;
}

/* It has no account to look at: every condition that holds is said. */
Test(engine, a_minimal_container_is_a_strategy_alone_that_says_every_signal)
{
    static struct column_set c;
    walk(&c, 50, 11, 0);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&c}, .symbols_n = 1};
    every_strategy(&d, combos);
    desk_open(&d);
    for (int i = 0; i < EVERY_N; i++) {
        struct container *minimal;
        struct result result;
        struct err err;
        uint32_t said_n = 0;
        const struct container_request q = {
            .shape = SHAPE_MINIMAL, .combo = &combos[i], .arena = &d.arena};
        cr_assert_eq(session_container(&d.session, &q, &minimal, &err), 0, "%s", err.text);
        cr_assert_eq(minimal->components_n, 1);
        cr_assert_eq(bus_subscribe(&minimal->bus, EVENT_SIGNAL, RANK_RECORD,
                                   (struct bus_handler){count_signal, &said_n, 0}),
                     0);
        container_start(minimal);
        cr_expect_eq(driver_reference_run(minimal), 50);
        session_finish(minimal, &combos[i], &result);
        cr_expect_eq(result.status, STATUS_OK);
        if (strcmp(d.session.run.strategies[combos[i].strategy_idx].type, "buy_and_hold") == 0)
            cr_expect_eq(said_n, 50, "every bar says so");
        arena_reset(&d.arena);
    }
    desk_close(&d);
}

Test(engine, a_range_of_one_bar_runs)
{
    static struct column_set c;
    walk(&c, 1, 3, 0);
    struct combo combos[EVERY_N];
    struct desk d = {.columns = {&c}, .symbols_n = 1};
    every_strategy(&d, combos);
    desk_open(&d);
    for (int i = 0; i < EVERY_N; i++) {
        combos[i].execution.at_end = (uint8_t)(i % 3);
        struct outcome *o = run(&d, &combos[i]);
        cr_expect_eq(o->result.status, STATUS_OK, "%s", o->result.message);
        cr_expect_eq(o->bars_n, 1);
        free(o);
    }
    desk_close(&d);
}

/* ---- shared risk and execution -------------------------------------------------------------- */

#define WAVE_FILLS_MAX 4096

/* The two halves of a lockstep wave in one process: lanes with an uplink, and the shared
 * containers. */
struct wave {
    struct desk *desk;
    struct container *lane[EVERY_N];
    const struct market *market[EVERY_N];
    struct arena lane_arena[EVERY_N], shared_arena;
    struct uplink_queue queue, *queue_ref;
    struct signal signals[EVERY_N * SYMBOLS_MAX];
    struct shared_lane shared_lane[EVERY_N];
    struct shared_lanes lanes, *lanes_ref;
    struct shared_group group; /* one risk and one execution container serve all lanes */
    uint32_t all[EVERY_N];
    struct container *risk, *execution;
    struct fill fills[WAVE_FILLS_MAX];
    uint32_t fills_n;
    bool details;
};

static void wave_emit(void *ctx, const struct fill *f)
{
    struct wave *v = ctx;
    struct trade unused;
    cr_assert_lt(v->fills_n, WAVE_FILLS_MAX);
    (void)account_apply(&v->lanes.lane[f->target_portfolio].account, f, &unused);
    v->fills[v->fills_n++] = *f;
}

static void wave_forward(void *self, const void *order)
{
    const struct wave *v = self;
    bus_publish(&v->execution->bus, EVENT_ORDER, order);
}

static void wave_lane_open(struct wave *v, uint32_t i)
{
    const struct combo *combo = &v->desk->combos[i];
    struct shared_lane *l = &v->shared_lane[i];
    struct market *market;
    struct err err = {0};
    const struct container_request q = {.shape = SHAPE_LANE,
                                        .combo = combo,
                                        .arena = &v->lane_arena[i],
                                        .details = &v->details,
                                        .uplink = &v->queue_ref,
                                        .lane = i};
    cr_assert_eq(session_container(&v->desk->session, &q, &v->lane[i], &err), 0, "%s", err.text);
    cr_assert_eq(session_market(&v->desk->session, combo, &market, &err), 0);
    v->market[i] = market;
    container_start(v->lane[i]);
    uint32_t n = market->symbols_n;
    *l = (struct shared_lane){
        .combo = combo,
        .market = market,
        .view = {&combo->risk, &combo->portfolio, &combo->execution, &combo->exits},
        .account = {.symbols_n = n,
                    .pos = arena_take_zeroed(&v->shared_arena, n * sizeof(struct position)),
                    .mark_px = arena_take_zeroed(&v->shared_arena, n * sizeof(double))},
        .execution = {&combo->execution, market, &l->account, &l->book, wave_emit, v, i},
        .next_step = UINT32_MAX,
    };
    account_init(&l->account, combo->portfolio.initial_capital, combo->portfolio.leverage);
    cr_assert_eq(order_book_init(&l->book, &v->shared_arena, n), 0);
}

static struct container *wave_shared(struct wave *v, const struct component_type *type)
{
    struct err err = {0};
    struct container *c = container_create(&v->shared_arena, type->name, NULL);
    cr_assert_not_null(c);
    cr_assert_eq(container_register_service(c, "portfolios", &v->lanes_ref), 0);
    cr_assert_eq(container_register_service(c, "group", &v->group), 0);
    cr_assert_eq(container_add(c, type->name, type, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(container_initialize(c, &(const struct container_subject){0}, &err), 0);
    container_start(c);
    return c;
}

static void wave_open(struct wave *v, struct desk *d)
{
    v->desk = d;
    v->details = true;
    v->queue = (struct uplink_queue){.signals = v->signals, .capacity = EVERY_N * SYMBOLS_MAX};
    v->queue_ref = &v->queue;
    for (uint32_t i = 0; i < d->combos_n; i++)
        v->all[i] = i;
    v->group = (struct shared_group){.lanes_n = d->combos_n, .lane = v->all};
    v->lanes = (struct shared_lanes){.lane = v->shared_lane, .n = d->combos_n};
    v->lanes_ref = &v->lanes;
    for (uint32_t i = 0; i < d->combos_n; i++)
        wave_lane_open(v, i);
    v->execution = wave_shared(v, &type_shared_broker);
    v->risk = wave_shared(v, &type_shared_risk_manager);
    cr_assert_eq(bus_subscribe(&v->risk->bus, EVENT_ORDER, RANK_MATCH,
                               (struct bus_handler){wave_forward, v, 0}),
                 0);
}

static const struct account *lane_account(const struct wave *v, uint32_t i)
{
    const struct component *p = container_find(v->lane[i], PROTOCOL_PORTFOLIO);
    return p->type->portfolio->account(p->self);
}

/* Fills of the step, routed to lanes that have not ended. */
static void wave_route(struct wave *v)
{
    for (uint32_t k = 0; k < v->fills_n; k++) {
        uint32_t i = v->fills[k].target_portfolio;
        if (!lane_account(v, i)->is_bankrupt)
            bus_publish(&v->lane[i]->bus, EVENT_FILL, &v->fills[k]);
    }
    v->fills_n = 0;
}

/* The service is asked only when there are signals, a standing order is due, or the run ends. */
static void wave_serve(struct wave *v, uint32_t plane_step, bool is_final)
{
    uint32_t next = UINT32_MAX;
    for (uint32_t i = 0; i < v->lanes.n; i++)
        next = v->shared_lane[i].next_step < next ? v->shared_lane[i].next_step : next;
    if (v->queue.n == 0 && next > plane_step + 1 && !is_final)
        return;
    for (uint32_t k = 0; k < v->queue.n; k++)
        bus_publish(&v->risk->bus, EVENT_SIGNAL, &v->signals[k]);
    v->queue.n = 0;
    v->lanes.is_final = is_final;
    bus_publish(&v->execution->bus, EVENT_BAR,
                &(struct bar_event){is_final ? plane_step : plane_step + 1});
}

static void wave_walk(struct wave *v)
{
    const struct plane *p = v->desk->session.plane;
    for (uint32_t t = p->first_step; t < p->steps_n; t++) {
        wave_route(v);
        for (uint32_t i = 0; i < v->lanes.n; i++) {
            int64_t step = market_step(v->market[i], t);
            if (step >= (int64_t)v->market[i]->first_step && !lane_account(v, i)->is_bankrupt)
                bus_publish(&v->lane[i]->bus, EVENT_BAR, &(struct bar_event){(uint32_t)step});
        }
        wave_serve(v, t, t + 1 == p->steps_n);
    }
    wave_route(v);
}

static struct outcome *wave_outcome(struct wave *v, uint32_t i)
{
    struct outcome *o = calloc(1, sizeof *o);
    cr_assert_not_null(o);
    const struct component *p = container_find(v->lane[i], PROTOCOL_PORTFOLIO);
    const void *tracker = container_resolve(v->lane[i], "performance_tracker");
    if (!lane_account(v, i)->is_bankrupt)
        p->type->portfolio->mark(p->self, v->market[i]->steps_n - 1);
    session_finish(v->lane[i], &v->desk->combos[i], &o->result);
    const struct tracker_record rec = tracker_record(tracker);
    keep_record(o, &rec);
    return o;
}

static void random_combos(struct combo *combos, uint64_t *state)
{
    static const double lots[] = {1, 0, 0.1};
    for (int i = 0; i < EVERY_N; i++) {
        struct combo *c = &combos[i];
        c->symbol_idx = random_next(state) % 2 ? COMBO_ALL_SYMBOLS : 0;
        c->execution.same_bar = (uint8_t)(random_next(state) % 3);
        c->execution.at_end = (uint8_t)(random_next(state) % 3);
        c->risk.opposite_signal = (uint8_t)(random_next(state) % 3);
        c->risk.same_signal = (uint8_t)(random_next(state) % 2);
        c->exits.base = (uint8_t)(random_next(state) % 2);
        c->exits.live_from = (uint8_t)(random_next(state) % 2);
        c->exits.stop_loss = random_next(state) % 3 ? 0.02 : NAN;
        c->exits.take_profit = random_next(state) % 3 ? 0.03 : NAN;
        c->portfolio.direction = (uint8_t)(random_next(state) % 3);
        c->portfolio.sizing = (uint8_t)(random_next(state) % 3);
        c->portfolio.sizing_value = c->portfolio.sizing == SIZING_UNITS ? 300 : 0.7;
        c->portfolio.leverage = random_next(state) % 4 ? 1 : 30; /* some go bankrupt */
        c->portfolio.sizing_value *= c->portfolio.leverage;
        c->portfolio.lot = lots[random_next(state) % 3];
    }
}

Test(engine, shared_risk_and_execution_give_the_bytes_of_full_containers)
{
    static struct column_set columns[2];
    static struct wave wave;
    uint64_t state = 77;
    unsigned trades_n = 0, bankrupt_n = 0;
    for (unsigned round = 0; round < 12; round++) {
        struct combo combos[EVERY_N];
        struct desk d = {.columns = {&columns[0], &columns[1]}, .symbols_n = 1 + round % 2};
        walk(&columns[0], 300, 100 + round, round % 3 ? 6 : 0);
        walk(&columns[1], 250, 200 + round, 5);
        columns[0].first_row = columns[1].first_row = round % 4 == 3 ? 25 : 0;
        every_strategy(&d, combos);
        random_combos(combos, &state);
        desk_open(&d);
        wave = (struct wave){0};
        wave_open(&wave, &d);
        wave_walk(&wave);
        for (uint32_t i = 0; i < EVERY_N; i++) {
            struct outcome *shared = wave_outcome(&wave, i), *full = run(&d, &combos[i]);
            cr_expect(same_outcome(shared, full), "round %u, %s", round,
                      d.session.run.strategies[i].type);
            trades_n += full->trades_n;
            bankrupt_n += full->equity[full->bars_n - 1] == 0;
            free(shared);
            free(full);
            arena_fini(&wave.lane_arena[i]);
        }
        container_teardown(wave.risk);
        container_teardown(wave.execution);
        arena_fini(&wave.shared_arena);
        desk_close(&d);
    }
    cr_expect_gt(trades_n, 500);
    cr_expect_gt(bankrupt_n, 3);
}
