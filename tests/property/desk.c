/* SPDX-License-Identifier: MIT */
/* Runs subjects as a worker does, plane, session and container, and records what is said on the bus
 * and what the account holds after every step. A failure here is one of the tests themselves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/source.h"
#include "tests/property/property.h"
#include "worker/builtin.h"
#include "worker/driver_reference.h"
#include "worker/monitor/tracker.h"
#include "worker/registry.h"
#include "worker/session.h"

#define SERIES_MAX 256

/* Before all others, and behind them. */
#define RANK_FIRST 0
#define RANK_LAST  1000

struct series {
    char key[160];
    double values[ROWS_MAX];
};

struct made {
    const struct tape *tape;
    struct series series[SERIES_MAX];
    uint32_t n;
};

struct desk {
    bool is_open;
    const struct subject *const *subjects;
    struct slot slot;
    struct session session;
    struct arena arena;
    struct made made[SYMBOLS_MAX];
};

static void must(bool is_true, const char *what, const char *detail)
{
    if (is_true)
        return;
    (void)fprintf(stderr, "property tests: %s: %s\n", what, detail ? detail : "");
    abort();
}

/* ---- series --------------------------------------------------------------------------------- */

static const double *made_lookup(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    static const char *const names[] = {"open", "high", "low", "close", "volume"};
    const struct made *m = ctx;
    const struct tape *t = m->tape;
    const double *const columns[] = {t->open, t->high, t->low, t->close, t->volume};
    const double *found = NULL;
    for (unsigned i = 0; i < 5; i++)
        if (strcmp(names[i], key) == 0)
            found = columns[i];
    for (uint32_t i = 0; i < m->n; i++)
        if (strcmp(m->series[i].key, key) == 0)
            found = m->series[i].values;
    if (found && ret_first_defined)
        for (*ret_first_defined = 0;
             *ret_first_defined < t->rows_n && isnan(found[*ret_first_defined]);)
            ++*ret_first_defined;
    return found;
}

static struct expr_env env_of(const struct subject *s, const char *names[SPEC_PARAMS_MAX])
{
    for (uint32_t i = 0; i < s->spec.params_n; i++)
        names[i] = s->spec.param_names[i];
    return (struct expr_env){s->spec.params_n, names, s->combo.params};
}

/* The texts of a strategy: its own, or those of its type. "" where there is none. */
static void rules_of(const struct subject *s, const char *ret_rules[RULES_N])
{
    const struct strategy_rules *r = registry_find(s->spec.type)->rules;
    const struct strategy_spec *p = &s->spec;
    const char *const texts[RULES_N] = {
        r ? r->long_entry : p->long_entry,
        r ? r->long_exit : p->long_exit,
        r ? r->short_entry : p->short_entry,
        r ? r->short_exit : p->short_exit,
        p->long_limit,
        p->long_stop,
        p->short_limit,
        p->short_stop,
    };
    for (int i = 0; i < RULES_N; i++)
        ret_rules[i] = texts[i] ? texts[i] : "";
}

static uint32_t add_rule(struct graph *graph, const char *text, const struct expr_env *env)
{
    struct expr *expr;
    struct err err = {0};
    uint32_t node = 0;
    must(expr_parse(text, &expr, &err) == 0, text, err.text);
    must(graph_add(graph, expr, env, &node, &err) == 0, text, err.text);
    expr_destroy(expr);
    return node;
}

static void make_series(struct made *m, const struct graph *graph)
{
    struct err err = {0};
    for (uint32_t n = 0; n < graph_nodes_n(graph); n++) {
        if (!graph_is_series(graph, n) || graph_is_column(graph, n))
            continue;
        must(m->n < SERIES_MAX, "too many series", NULL);
        struct series *s = &m->series[m->n];
        const struct lookup_source lookup = {m->tape->rows_n, m->tape->time_ns, m, made_lookup};
        const struct graph_source source = lookup_source_of(&lookup);
        must(graph_compute(graph, &n, 1, &source, SERIES_F64, (void *[]){s->values}, NULL, &err) ==
                 0,
             graph_key(graph, n), err.text);
        must(strlen(graph_key(graph, n)) < sizeof s->key, "long key", graph_key(graph, n));
        (void)snprintf(s->key, sizeof s->key, "%s", graph_key(graph, n));
        m->n++;
    }
}

static void make_all_series(struct desk *d, uint32_t n)
{
    struct graph *graph;
    must(graph_create(&graph) == 0, "graph", NULL);
    for (uint32_t i = 0; i < n; i++) {
        const char *names[SPEC_PARAMS_MAX], *rules[RULES_N];
        const struct expr_env env = env_of(d->subjects[i], names);
        rules_of(d->subjects[i], rules);
        for (int k = 0; k < RULES_N; k++)
            if (*rules[k])
                (void)add_rule(graph, rules[k], &env);
    }
    for (uint32_t s = 0; s < d->subjects[0]->symbols_n; s++) {
        d->made[s].tape = &d->subjects[0]->tape[s];
        d->made[s].n = 0;
        make_series(&d->made[s], graph);
    }
    graph_destroy(graph);
}

/* ---- the plane and the session -------------------------------------------------------------- */

static struct plane_writer *make_plane(const struct desk *d)
{
    static const char *const names[SYMBOLS_MAX] = {"AAA", "BBB", "CCC"};
    static const char *const extra_names[] = {"cash_dividend"};
    const struct subject *s = d->subjects[0];
    struct bars bars[SYMBOLS_MAX];
    const double *extra[SYMBOLS_MAX];
    uint32_t first_row[SYMBOLS_MAX], n = 0;
    struct plane_series_plan series[SYMBOLS_MAX * SERIES_MAX];
    for (uint32_t i = 0; i < s->symbols_n; i++) {
        const struct tape *t = &s->tape[i];
        extra[i] = t->dividend;
        bars[i] = (struct bars){names[i], t->rows_n, t->time_ns, t->open,     t->high,  t->low,
                                t->close, t->volume, 1,          extra_names, &extra[i]};
        first_row[i] = t->first_row;
        for (uint32_t k = 0; k < d->made[i].n; k++, n++)
            series[n] = (struct plane_series_plan){i, d->made[i].series[k].key, SERIES_F64};
    }
    const struct plane_plan plan = {.symbols_n = s->symbols_n,
                                    .traded_n = s->symbols_n,
                                    .bars = bars,
                                    .first_row = first_row,
                                    .series_n = n,
                                    .series = series,
                                    .series_budget_bytes = UINT64_MAX};
    struct plane_writer *writer;
    struct err err = {0};
    must(plane_create(&plan, &writer, &err) == 0, "plane", err.text);
    n = 0;
    for (uint32_t i = 0; i < s->symbols_n; i++)
        for (uint32_t k = 0; k < d->made[i].n; k++, n++) {
            const double *values = d->made[i].series[k].values;
            uint32_t rows_n = s->tape[i].rows_n;
            memcpy(plane_place(writer, n), values, rows_n * sizeof(double));
            plane_publish(writer, n, plane_first_defined(SERIES_F64, values, rows_n));
        }
    return writer;
}

struct desk *desk_open(const struct subject *const *subjects, uint32_t n)
{
    static struct desk desk; /* one at a time: its series are too large to be asked for each time */
    struct desk *d = &desk;
    struct strategy_spec *specs = calloc(n, sizeof *specs);
    struct err err = {0};
    must(specs && !d->is_open, "memory", NULL);
    d->is_open = true;
    d->subjects = subjects;
    d->slot = (struct slot){0};
    d->arena = (struct arena){0};
    make_all_series(d, n);
    struct plane_writer *writer = make_plane(d);
    for (uint32_t i = 0; i < n; i++)
        specs[i] = subjects[i]->spec;
    struct run_spec run = {.profile = subjects[0]->profile,
                           .periods_per_year = subjects[0]->periods_per_year,
                           .risk_free = subjects[0]->risk_free,
                           .container_prefix = "test",
                           .container_suffix = "20260101_120000",
                           .strategies_n = n,
                           .strategies = specs};
    must(session_init(&d->session, &run, plane_writer_fds(writer), &d->slot, &err) == 0, "session",
         err.text);
    plane_writer_destroy(writer);
    return d;
}

void desk_close(struct desk *d)
{
    session_fini(&d->session);
    arena_fini(&d->arena);
    d->is_open = false;
}

/* ---- recording ------------------------------------------------------------------------------ */

struct recorder {
    struct record *record;
    const struct account *account;
    uint32_t step;
    bool is_end;
};

static struct event *next_event(struct recorder *k, enum event_kind kind)
{
    struct record *r = k->record;
    if (r->events_n == r->events_capacity) {
        r->events_capacity = r->events_capacity ? 2 * r->events_capacity : 256;
        r->events = realloc(r->events, r->events_capacity * sizeof *r->events);
        must(r->events != NULL, "memory", NULL);
    }
    struct event *e = &r->events[r->events_n++];
    memset(e, 0, sizeof *e);
    e->step = k->step;
    e->is_end = k->is_end;
    e->kind = (uint8_t)kind;
    return e;
}

static void on_signal(void *self, const void *event)
{
    next_event(self, EVENT_IS_SIGNAL)->signal = *(const struct signal *)event;
}

static void on_order(void *self, const void *event)
{
    next_event(self, EVENT_IS_ORDER)->order = *(const struct order *)event;
}

static void on_fill(void *self, const void *event)
{
    next_event(self, EVENT_IS_FILL)->fill = *(const struct fill *)event;
}

static void on_trade(void *self, const void *event)
{
    next_event(self, EVENT_IS_TRADE)->trade = *(const struct trade *)event;
}

static void take_snapshot(const struct recorder *k)
{
    struct snapshot *to = &k->record->snapshot[k->step];
    const struct account *a = k->account;
    *to = (struct snapshot){.cash = a->cash,
                            .equity = a->equity,
                            .borrow_cost = a->borrow_cost,
                            .interest_cost = a->interest_cost,
                            .dividends = a->dividends,
                            .debt_forgiven = a->debt_forgiven,
                            .is_bankrupt = a->is_bankrupt};
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        to->qty[s] = a->pos[s].qty;
        to->mark_px[s] = a->mark_px[s];
    }
}

/* Behind all others: what is said from here on belongs to the next step, or to the end. */
static void on_bar(void *self, const void *event)
{
    struct recorder *k = self;
    k->step = ((const struct bar_event *)event)->step;
    take_snapshot(k);
    k->is_end = k->step + 1 == k->record->steps_n;
    k->step += !k->is_end;
}

static void subscribe(struct recorder *k, struct bus *bus)
{
    const struct {
        enum bus_event event;
        int rank;
        bus_handler_fn fn;
    } rows[] = {
        {EVENT_BAR, RANK_LAST, on_bar},      {EVENT_SIGNAL, RANK_FIRST, on_signal},
        {EVENT_ORDER, RANK_FIRST, on_order}, {EVENT_FILL, RANK_FIRST, on_fill},
        {EVENT_TRADE, RANK_FIRST, on_trade},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        must(bus_subscribe(bus, rows[i].event, rows[i].rank,
                           (struct bus_handler){rows[i].fn, k, 0}) == 0,
             "bus", NULL);
}

static void keep_market(struct record *r, const struct market *m)
{
    r->symbols_n = m->symbols_n;
    r->steps_n = m->steps_n;
    r->first_step = m->first_step;
    memcpy(r->time_ns, m->time_ns, m->steps_n * sizeof *m->time_ns);
    for (uint32_t s = 0; s < m->symbols_n; s++) {
        r->symbol_idx[s] = m->symbol_idx[s];
        for (uint32_t t = 0; t < m->steps_n; t++)
            r->row[s][t] = market_row(m, s, t);
    }
}

static void keep_tracked(struct record *r, const struct tracker_record *rec)
{
    size_t n = rec->bars_n;
    r->bars_n = rec->bars_n;
    r->trades_n = rec->trades_n;
    memcpy(r->equity, rec->equity, n * sizeof(double));
    memcpy(r->cash, rec->cash, n * sizeof(double));
    memcpy(r->position, rec->position, n * r->symbols_n * sizeof(double));
    if (rec->trades_n) {
        r->trades = malloc(rec->trades_n * sizeof *r->trades);
        must(r->trades != NULL, "memory", NULL);
        memcpy(r->trades, rec->trades, rec->trades_n * sizeof *r->trades);
    }
}

/* What the rules say of every row, by themselves. */
static void keep_said(struct record *r, struct desk *d, const struct subject *s)
{
    const char *names[SPEC_PARAMS_MAX], *rules[RULES_N];
    const struct expr_env env = env_of(s, names);
    struct graph *graph;
    struct err err = {0};
    rules_of(s, rules);
    must(graph_create(&graph) == 0, "graph", NULL);
    for (int i = 0; i < 4; i++) {
        uint32_t node = *rules[i] ? add_rule(graph, rules[i], &env) : 0;
        for (uint32_t k = 0; k < r->symbols_n && *rules[i]; k++) {
            const struct tape *t = record_tape(r, k);
            const struct lookup_source lookup = {t->rows_n, t->time_ns, &d->made[r->symbol_idx[k]],
                                                 made_lookup};
            const struct graph_source source = lookup_source_of(&lookup);
            must(graph_eval_bits(graph, node, &source, r->said[k][i], NULL, &err) == 0, rules[i],
                 err.text);
        }
    }
    graph_destroy(graph);
}

static void walk(struct recorder *k, struct container *c)
{
    struct record *r = k->record;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    k->account = portfolio->type->portfolio->account(portfolio->self);
    keep_market(r, c->market);
    k->step = r->first_step;
    subscribe(k, &c->bus);
    container_start(c);
    r->walked_n = (uint32_t)driver_reference_run(c);
    if (r->walked_n) { /* again, after what at_end closed */
        k->step = r->first_step + r->walked_n - 1;
        take_snapshot(k);
    }
}

void desk_run(struct desk *d, uint32_t i, struct record *ret_record)
{
    const struct subject *s = d->subjects[i];
    struct record *r = ret_record;
    struct combo combo = s->combo;
    struct container *c;
    struct err err = {0};
    bool details = true;
    const struct container_request q = {
        .shape = SHAPE_FULL, .combo = &combo, .arena = &d->arena, .details = &details};
    memset(r, 0, sizeof *r);
    r->subject = s;
    combo.strategy_idx = i;
    int e = session_container(&d->session, &q, &c, &err);
    must(e == 0, "container", err.text);
    struct recorder recorder = {.record = r};
    walk(&recorder, c);
    const void *tracker = container_resolve(c, "performance_tracker");
    session_finish(c, &combo, &r->result);
    const struct tracker_record rec = tracker_record(tracker);
    keep_tracked(r, &rec);
    keep_said(r, d, s);
    arena_reset(&d->arena);
}

void run_alone(const struct subject *s, struct record *ret_record)
{
    struct desk *d = desk_open(&s, 1);
    desk_run(d, 0, ret_record);
    desk_close(d);
}

/* ---- records -------------------------------------------------------------------------------- */

const struct tape *record_tape(const struct record *r, uint32_t s)
{
    return &r->subject->tape[r->symbol_idx[s]];
}

int32_t record_last_row(const struct record *r, uint32_t s, uint32_t step)
{
    for (uint32_t t = step + 1; t > 0; t--)
        if (r->row[s][t - 1] >= 0)
            return r->row[s][t - 1];
    return -1;
}

void record_fini(struct record *r)
{
    free(r->events);
    free(r->trades);
    r->events = NULL;
    r->trades = NULL;
}

void record_print_fills(const struct record *r, FILE *to)
{
    for (uint32_t i = 0; i < r->events_n; i++) {
        const struct event *e = &r->events[i];
        if (e->kind == EVENT_IS_ORDER)
            (void)fprintf(to,
                          "#   step %u: order, bar %u, symbol %u, %s, limit %.17g, stop %.17g\n",
                          e->step, e->order.bar, e->order.symbol_idx,
                          e->order.is_close   ? "close"
                          : e->order.side > 0 ? "buy"
                                              : "sell",
                          e->order.terms.limit_px, e->order.terms.stop_px);
        if (e->kind == EVENT_IS_FILL)
            (void)fprintf(to,
                          "#   step %u: fill, bar %u, symbol %u, %s, %s, flags %u, qty %.17g, px "
                          "%.17g, commission %.17g, slippage %.17g\n",
                          e->step, e->fill.bar, e->fill.symbol_idx,
                          fill_rule_name((enum fill_rule)e->fill.rule),
                          e->fill.is_close ? "closes" : "opens", e->fill.flags, e->fill.qty,
                          e->fill.px, e->fill.commission, e->fill.slippage);
    }
}
