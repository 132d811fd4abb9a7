/* SPDX-License-Identifier: MIT */
/* What a bar-step costs: the reference driver in a full container, against a plain inlined loop
 * over the same signals with the same accounting. Prints one JSON object a line; numbers are
 * medians with best and worst.
 *
 *     bench_driver [BARS [COMBINATIONS [RUNS]]] */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/units.h"
#include "shm/source.h"
#include "worker/driver_reference.h"
#include "worker/monitor/tracker.h"
#include "worker/session.h"

#define FAST_PERIOD 10
#define COMMISSION  0.0005
#define SLIPPAGE    0.0002

struct bench {
    uint32_t bars_n, combos_n, runs_n;
    int64_t *time_ns;
    double *open, *high, *low, *close, *volume;
    struct exits_cfg exits; /* of every combination */
    double equity_final;    /* of the last combination run, so that nothing is optimised away */
};

static void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "bench_driver: %s: %s\n", what, err ? err->text : "out of memory");
    exit(70);
}

/* A seeded geometric walk of minute bars without gaps, 3e-4 a bar. */
static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void walk(struct bench *b)
{
    uint64_t state = 7;
    double px = 100.0;
    for (uint32_t i = 0; i < b->bars_n; i++) {
        double gauss = -6.0; /* the sum of twelve uniforms */
        for (int k = 0; k < 12; k++)
            gauss += (double)(random_next(&state) >> 11) * 0x1p-53;
        b->time_ns[i] = i * 60 * NS_PER_S;
        b->open[i] = px;
        px *= 1.0 + 3e-4 * gauss;
        b->close[i] = px;
        b->high[i] = fmax(b->open[i], px) * 1.0001;
        b->low[i] = fmin(b->open[i], px) * 0.9999;
        b->volume[i] = 1.0;
    }
}

static void bench_init(struct bench *b)
{
    size_t n = b->bars_n;
    b->time_ns = malloc(n * sizeof *b->time_ns);
    double *columns = malloc(5 * n * sizeof *columns);
    if (!b->time_ns || !columns)
        die("bars", NULL);
    b->open = columns;
    b->high = columns + n;
    b->low = columns + 2 * n;
    b->close = columns + 3 * n;
    b->volume = columns + 4 * n;
    walk(b);
}

/* ---- the engine ----------------------------------------------------------------------------- */

static double slow_period(uint32_t i)
{
    return 213 + 5 * i;
}

static void combo_fill(const struct bench *b, struct combo *c, uint32_t i)
{
    *c = (struct combo){
        .combination = i,
        .container_seq = i + 1,
        .symbol_idx = COMBO_ALL_SYMBOLS,
        .execution = {.commission = {.percent_frac = COMMISSION},
                      .slippage = {.percent_frac = SLIPPAGE}},
        .risk = {.commission_frac = NAN},
        .exits = b->exits,
        .portfolio = {.direction = DIRECTION_LONG,
                      .sizing_value = 1,
                      .initial_capital = 100000,
                      .leverage = 1,
                      .lot = 1},
        .params_n = 2,
        .params = {FAST_PERIOD, slow_period(i)},
    };
}

struct keys {
    struct graph *graph;
    char **key;
    uint32_t *node;
    uint32_t n;
};

static const double *lookup(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    const struct bench *b = ctx;
    if (ret_first_defined)
        *ret_first_defined = 0;
    return strcmp(key, "close") == 0 ? b->close : NULL;
}

static struct plane_writer *plane_of(struct bench *b)
{
    struct err err;
    struct graph *graph;
    struct expr *expr;
    uint32_t n = b->combos_n + 1;
    struct plane_series_plan *series = calloc(n, sizeof *series);
    uint32_t *node = calloc(n, sizeof *node), first_row = 0;
    if (!series || !node || graph_create(&graph) < 0)
        die("graph", NULL);
    if (expr_parse("sma(close, n)", &expr, &err) < 0)
        die("expression", &err);
    for (uint32_t i = 0; i < n; i++) {
        double period = i ? slow_period(i - 1) : FAST_PERIOD;
        const struct expr_env env = {1, (const char *const[]){"n"}, &period};
        if (graph_add(graph, expr, &env, &node[i], &err) < 0)
            die("series", &err);
    }
    for (uint32_t i = 0; i < n; i++)
        series[i] = (struct plane_series_plan){0, graph_key(graph, node[i]), SERIES_F64};
    const struct bars bars = {"BENCH",  b->bars_n, b->time_ns, b->open, b->high, b->low,
                              b->close, b->volume, 0,          NULL,    NULL};
    const struct plane_plan plan = {.symbols_n = 1,
                                    .traded_n = 1,
                                    .bars = &bars,
                                    .first_row = &first_row,
                                    .series_n = n,
                                    .series = series,
                                    .series_budget_bytes = UINT64_MAX};
    struct plane_writer *writer;
    if (plane_create(&plan, &writer, &err) < 0)
        die("plane", &err);
    const struct lookup_source columns = {b->bars_n, b->time_ns, b, lookup};
    const struct graph_source source = lookup_source_of(&columns);
    for (uint32_t i = 0; i < n; i++) {
        double *out = plane_place(writer, i);
        if (!out ||
            graph_compute(graph, &node[i], 1, &source, SERIES_F64, (void *[]){out}, NULL, &err) < 0)
            die("series", &err);
        plane_publish(writer, i, plane_first_defined(SERIES_F64, out, b->bars_n));
    }
    expr_destroy(expr);
    graph_destroy(graph);
    free(series);
    free(node);
    return writer;
}

static void session_of(struct bench *b, struct slot *slot, struct session *ret_session)
{
    struct err err;
    struct run_spec run = {.profile = PROFILE_NATIVE, .periods_per_year = 252, .strategies_n = 1};
    run.strategies = calloc(1, sizeof *run.strategies);
    if (!run.strategies)
        die("session", NULL);
    struct strategy_spec *s = run.strategies;
    (void)snprintf(s->type, sizeof s->type, "sma_cross");
    (void)snprintf(s->name, sizeof s->name, "sma_cross");
    (void)snprintf(s->param_names[0], SPEC_NAME_BYTES, "fast_period");
    (void)snprintf(s->param_names[1], SPEC_NAME_BYTES, "slow_period");
    s->params_n = 2;
    struct plane_writer *writer = plane_of(b);
    if (session_init(ret_session, &run, plane_writer_fds(writer), slot, &err) < 0)
        die("session", &err);
    plane_writer_destroy(writer);
}

static void run_engine(struct bench *b, struct session *s)
{
    struct arena arena = {0};
    for (uint32_t i = 0; i < b->combos_n; i++) {
        struct combo combo;
        struct container *c;
        struct result result;
        struct err err;
        combo_fill(b, &combo, i);
        const struct container_request q = {.shape = SHAPE_FULL, .combo = &combo, .arena = &arena};
        if (session_container(s, &q, &c, &err) < 0)
            die("container", &err);
        container_start(c);
        (void)driver_reference_run(c);
        session_finish(c, &combo, &result);
        b->equity_final = result.metrics[METRIC_EQUITY_FINAL];
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

/* ---- the plain twin: one inlined loop, series from the plane, equity kept and its drawdown -- */

static void run_plain(struct bench *b, struct session *s)
{
    double *equity = malloc(b->bars_n * sizeof *equity);
    if (!equity)
        die("equity", NULL);
    const double *fast = plane_f64(s->plane, 0, "sma(close,10)", NULL);
    for (uint32_t i = 0; i < b->combos_n; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "sma(close,%d)", (int)slow_period(i));
        const double *slow = plane_f64(s->plane, 0, key, NULL);
        double cash = 100000, qty = 0, peak = 100000, drawdown = 0;
        int order = 0;
        for (uint32_t t = 0; t < b->bars_n; t++) {
            if (order > 0) {
                double px = b->open[t] * (1 + SLIPPAGE);
                qty = floor(cash / (px * (1 + COMMISSION)));
                cash -= qty * px * (1 + COMMISSION);
            } else if (order < 0) {
                cash += qty * b->open[t] * (1 - SLIPPAGE) * (1 - COMMISSION);
                qty = 0;
            }
            order = 0;
            equity[t] = cash + qty * b->close[t];
            peak = equity[t] > peak ? equity[t] : peak;
            drawdown = fmin(drawdown, equity[t] / peak - 1);
            if (t && qty == 0 && fast[t - 1] < slow[t - 1] && fast[t] > slow[t])
                order = 1;
            else if (t && qty > 0 && fast[t - 1] > slow[t - 1] && fast[t] < slow[t])
                order = -1;
        }
        b->equity_final = equity[b->bars_n - 1] + 0 * drawdown;
    }
    free(equity);
}

/* ---- timing --------------------------------------------------------------------------------- */

static int compare_f64(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void measure(struct bench *b, struct session *s, const char *what,
                    void (*run)(struct bench *, struct session *))
{
    double *ns = calloc(b->runs_n, sizeof *ns);
    if (!ns)
        die("times", NULL);
    run(b, s); /* faults pages in */
    for (uint32_t i = 0; i < b->runs_n; i++) {
        int64_t start = mono_now_ns();
        run(b, s);
        ns[i] = (double)(mono_now_ns() - start) / ((double)b->bars_n * b->combos_n);
    }
    qsort(ns, b->runs_n, sizeof *ns, compare_f64);
    (void)printf("{\"what\": \"%s\", \"unit\": \"ns/bar-step\", \"median\": %.3f, \"best\": %.3f, "
                 "\"worst\": %.3f, \"equity_final\": %.17g}\n",
                 what, ns[b->runs_n / 2], ns[0], ns[b->runs_n - 1], b->equity_final);
    free(ns);
}

int main(int argc, char **argv)
{
    struct bench b = {
        .bars_n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200000,
        .combos_n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 20,
        .runs_n = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 7,
    };
    struct slots slots;
    struct session session;
    struct err err;
    int fd;
    if (b.bars_n < 2 || !b.combos_n || !b.runs_n)
        return 2;
    bench_init(&b);
    if (slots_create(1, &slots, &fd, &err) < 0)
        die("slots", &err);
    session_of(&b, &slots.slot[0], &session);
    measure(&b, &session, "reference driver", run_engine);
    measure(&b, &session, "plain loop", run_plain);
    b.exits = (struct exits_cfg){.stop_loss = 0.005, .take_profit = 0.01};
    measure(&b, &session, "reference driver, stop and target", run_engine);
    b.exits = (struct exits_cfg){.take_profit = 0.01, .trailing_stop = 0.005, .max_bars = 2000};
    measure(&b, &session, "reference driver, target, trail and time", run_engine);
    session_fini(&session);
    slots_close(&slots);
    (void)close(fd);
    free(b.time_ns);
    free(b.open);
    return 0;
}
