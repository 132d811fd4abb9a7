/* SPDX-License-Identifier: MIT */
/* For tests: a session over random bars. */
#include "tests/unit/desk.h"
#include "shm/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERIES_MAX 128

/* ---- bars ----------------------------------------------------------------------------------- */

uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double random_uniform(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

/* Daily bars of a random walk; one day in `gap_every` is missing (0: none). */
void desk_walk(struct column_set *c, uint32_t rows_n, uint64_t seed, unsigned gap_every)
{
    double px = 100;
    int64_t day = 0;
    *c = (struct column_set){.rows_n = rows_n};
    for (uint32_t i = 0; i < rows_n; i++, day++) {
        while (gap_every && random_next(&seed) % gap_every == 0)
            day++;
        c->time_ns[i] = day * DAY_NS;
        c->open[i] = px * (1 + 0.01 * (random_uniform(&seed) - 0.5));
        px = c->open[i] * (1 + 0.04 * (random_uniform(&seed) - 0.498));
        c->close[i] = px;
        c->high[i] = fmax(c->open[i], px) * (1 + 0.01 * random_uniform(&seed));
        c->low[i] = fmin(c->open[i], px) * (1 - 0.01 * random_uniform(&seed));
        c->volume[i] = 1000;
    }
}

/* ---- a session over them -------------------------------------------------------------------- */

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
    const char *const texts[] = {
        r ? r->long_entry : s->long_entry,   r ? r->long_exit : s->long_exit,
        r ? r->short_entry : s->short_entry, r ? r->short_exit : s->short_exit,
        r ? r->long_limit : s->long_limit,   r ? r->long_stop : s->long_stop,
        r ? r->short_limit : s->short_limit, r ? r->short_stop : s->short_stop,
    };
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add_rule(graph, texts[i], &env);
}

static void make_series(struct made *m, const struct graph *graph)
{
    struct err err = {0};
    for (uint32_t n = 0; n < graph_nodes_n(graph); n++) {
        if (!graph_is_series(graph, n) || graph_is_column(graph, n))
            continue;
        cr_assert_lt(m->n, SERIES_MAX);
        double *values = malloc((m->columns->rows_n + 1) * sizeof *values);
        const struct lookup_source lookup = {m->columns->rows_n, m->columns->time_ns, m,
                                             made_lookup};
        const struct graph_source source = lookup_source_of(&lookup);
        cr_assert_eq(
            graph_compute(graph, &n, 1, &source, SERIES_F64, (void *[]){values}, NULL, &err), 0,
            "%s", err.text);
        (void)snprintf(m->key[m->n], sizeof m->key[0], "%s", graph_key(graph, n));
        m->values[m->n++] = values;
    }
}

static void add_dividends(struct made *m)
{
    if (!m->columns->has_dividends)
        return;
    double *values = malloc((m->columns->rows_n + 1) * sizeof *values);
    cr_assert(values != NULL && m->n < SERIES_MAX);
    memcpy(values, m->columns->dividend, m->columns->rows_n * sizeof *values);
    (void)snprintf(m->key[m->n], sizeof m->key[0], "cash_dividend");
    m->values[m->n++] = values;
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

static struct plane_writer *plane_of(const struct desk *d, struct made *made)
{
    struct bars bars[SYMBOLS_MAX];
    uint32_t first_row[SYMBOLS_MAX], n = 0;
    struct plane_series_plan series[SYMBOLS_MAX * SERIES_MAX];
    struct plane_writer *writer;
    struct err err = {0};
    for (uint32_t s = 0; s < d->symbols_n; s++) {
        bars[s] = bars_of(d->columns[s], s);
        first_row[s] = d->columns[s]->first_row;
        for (uint32_t i = 0; i < made[s].n; i++, n++)
            series[n] = (struct plane_series_plan){s, made[s].key[i], SERIES_F64};
    }
    const struct plane_plan plan = {.symbols_n = d->symbols_n,
                                    .traded_n = d->symbols_n,
                                    .bars = bars,
                                    .first_row = first_row,
                                    .series_n = n,
                                    .series = series,
                                    .series_budget_bytes = UINT64_MAX};
    cr_assert_eq(plane_create(&plan, &writer, &err), 0, "%s", err.text);
    n = 0;
    for (uint32_t s = 0; s < d->symbols_n; s++)
        for (uint32_t i = 0; i < made[s].n; i++, n++) {
            uint32_t rows_n = d->columns[s]->rows_n;
            memcpy(plane_place(writer, n), made[s].values[i], rows_n * sizeof(double));
            plane_publish(writer, n, plane_first_defined(SERIES_F64, made[s].values[i], rows_n));
            free(made[s].values[i]);
        }
    return writer;
}

/* Makes the plane with every series that the combinations name, and the session over it. */
void desk_open(struct desk *d)
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
        add_dividends(&made[s]);
    }
    graph_destroy(graph);
    struct plane_writer *writer = plane_of(d, made);
    struct run_spec run = {.profile = PROFILE_NATIVE,
                           .periods_per_year = 252,
                           .container_prefix = "test",
                           .container_suffix = "20260101_120000",
                           .strategies_n = d->specs_n,
                           .strategies = d->specs};
    cr_assert_eq(session_init(&d->session, &run, plane_writer_fds(writer), &d->slot, &err), 0, "%s",
                 err.text);
    plane_writer_destroy(writer);
}

void desk_close(struct desk *d)
{
    session_fini(&d->session);
    arena_fini(&d->arena);
}

/* ---- what came of a combination ------------------------------------------------------------- */

void outcome_keep(struct outcome *o, const struct tracker_record *rec)
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

struct outcome *desk_run(struct desk *d, const struct combo *combo)
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
        outcome_keep(o, &rec);
    }
    arena_reset(&d->arena);
    return o;
}

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

bool trade_equals(const struct trade *a, const struct trade *b)
{
    return a->symbol_idx == b->symbol_idx && a->entry_rule == b->entry_rule &&
           a->exit_rule == b->exit_rule && a->entry_bar == b->entry_bar &&
           a->exit_bar == b->exit_bar && same_double(a->qty, b->qty) &&
           same_double(a->entry_px, b->entry_px) && same_double(a->exit_px, b->exit_px) &&
           same_double(a->pnl, b->pnl) && same_double(a->commission, b->commission);
}

bool outcome_equals(const struct outcome *a, const struct outcome *b)
{
    if (a->result.status != b->result.status || strcmp(a->result.message, b->result.message) ||
        memcmp(a->result.metrics, b->result.metrics, sizeof a->result.metrics) ||
        a->bars_n != b->bars_n || a->trades_n != b->trades_n ||
        memcmp(a->equity, b->equity, a->bars_n * sizeof(double)) ||
        memcmp(a->cash, b->cash, a->bars_n * sizeof(double)))
        return false;
    for (uint32_t i = 0; i < a->trades_n; i++)
        if (!trade_equals(&a->trades[i], &b->trades[i]))
            return false;
    return true;
}

/* ---- strategies and combinations ------------------------------------------------------------ */

struct strategy_spec *desk_new_specs(uint32_t n)
{
    struct strategy_spec *s = calloc(n, sizeof *s);
    cr_assert_not_null(s);
    return s;
}

void desk_set_strategy(struct strategy_spec *s, const char *type)
{
    const struct component_type *t = registry_find(type);
    cr_assert_not_null(t);
    (void)snprintf(s->type, sizeof s->type, "%s", type);
    (void)snprintf(s->name, sizeof s->name, "%s", type);
    s->params_n = t->params_n;
    for (unsigned i = 0; i < t->params_n; i++)
        (void)snprintf(s->param_names[i], SPEC_NAME_BYTES, "%s", t->params[i].name);
}

struct desk desk_of_one(const struct column_set *columns, const struct combo *combo,
                        const char *strategy)
{
    struct desk d = {.columns = {columns},
                     .symbols_n = 1,
                     .specs = desk_new_specs(1),
                     .specs_n = 1,
                     .combos = combo,
                     .combos_n = 1};
    desk_set_strategy(&d.specs[0], strategy);
    return d;
}

void desk_set_rule(char *rule, const char *text)
{
    (void)snprintf(rule, SPEC_RULE_BYTES, "%s", text);
}

struct combo desk_new_combo(uint64_t number)
{
    return (struct combo){
        .combination = number,
        .container_seq = number + 1,
        .symbol_idx = COMBO_ALL_SYMBOLS,
        .execution = {.commission.percent_frac = 0.0005, .slippage.percent_frac = 0.0002},
        .risk = {.commission_frac = NAN},
        .portfolio = {.sizing_value = 1, .initial_capital = 100000, .leverage = 1, .lot = 1},
    };
}

/* Each strategy of the catalogue with its defaults, costs, a stop and a target on some. */
void desk_every_strategy(struct desk *d, struct combo *combos)
{
    const struct component_type *types[EVERY_N];
    cr_assert_eq(registry_find_by_protocol(PROTOCOL_SIGNAL_GENERATOR, types, EVERY_N), EVERY_N);
    d->specs = desk_new_specs(EVERY_N);
    d->specs_n = EVERY_N;
    d->combos = combos;
    d->combos_n = EVERY_N;
    for (uint32_t i = 0; i < EVERY_N; i++) {
        desk_set_strategy(&d->specs[i], types[i]->name);
        combos[i] = desk_new_combo(i);
        combos[i].strategy_idx = i;
        combos[i].params_n = types[i]->params_n;
        for (unsigned p = 0; p < types[i]->params_n; p++)
            combos[i].params[p] = types[i]->params[p].default_value;
        combos[i].exits.stop_loss = i % 2 ? 0.03 : 0.0;
        combos[i].exits.take_profit = i % 3 ? 0.05 : 0.0;
        combos[i].portfolio.sizing_value = 0.5;
        if (strcmp(types[i]->name, "rules") != 0)
            continue;
        desk_set_rule(d->specs[i].long_entry, "close > sma(close, 12) and close > open");
        desk_set_rule(d->specs[i].short_entry,
                      "close < min(low, 30)  or close < sma(close, 12) * 0.97");
        desk_set_rule(d->specs[i].long_exit, "rsi(close, 9) > 75");
    }
}
