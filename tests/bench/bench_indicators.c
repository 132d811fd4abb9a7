/* SPDX-License-Identifier: MIT */
/* What a value of each indicator costs: every row of the catalogue over seeded bars, by its kernel
 * alone and as a builder of the plane computes it, in turns with a plain running sum and, where it
 * is there, TA-Lib. Prints one JSON object a line: ns a row with all outputs, medians with best and
 * worst. Parameters are those of talib.def; an indicator that TA-Lib lacks has those that its
 * parameters' names say.
 *
 *     [ADMF_BENCH_TALIB=FILE.so] bench_indicators [BARS [RUNS [INDICATOR...]]] */
#include <dlfcn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/graph.h"
#include "shm/indicator/indicator.h"
#include "shm/source.h"
#include "tests/bench/talib_case.h"
#include "tests/bench/turns.h"

#define TEXT_BYTES     256
#define BUFFERS_MAX    96 /* series beneath an indicator, and its outputs */
#define ALIGNMENT      64u
#define PARAMETERS_MAX INDICATOR_PARAMS_MAX

struct bench {
    struct bench_bars bars;
    uint32_t runs_n;
    uint32_t failures_n;
    double *buffer[BUFFERS_MAX]; /* of rows_n values each; made as they are needed, then kept */
    char *const *names;          /* NULL: all */
    talib_case_fn talib_case;    /* NULL: TA-Lib is not there */
};

static const char *const column_names[BARS_COLUMNS_N] = {"open", "high", "low", "close", "volume"};

/* What stands for the series that can be chosen, in this order. */
static const int series_args[INDICATOR_INPUTS_MAX] = {BARS_CLOSE, BARS_OPEN,   BARS_HIGH,
                                                      BARS_LOW,   BARS_VOLUME, BARS_CLOSE};

static const struct usual {
    const char *indicator, *parameters;
} usual[] = {
#define CASE(indicator, parameters, call) {indicator, parameters},
#include "tests/bench/talib.def"
#undef CASE
};

#define USUAL_N (sizeof(usual) / sizeof(usual[0]))

/* By the name of a parameter. */
static const struct {
    const char *name;
    double value;
} defaults[] = {
    {"n", 14},    {"fast", 12},   {"slow", 26}, {"signal", 9}, {"k", 14},    {"d", 3},
    {"a", 7},     {"b", 14},      {"c", 28},    {"up", 2},     {"down", 2},  {"short", 2},
    {"long", 20}, {"alpha", 0.2}, {"v", 0.7},   {"slowk", 3},  {"slowd", 3},
};

static double *buffer_at(struct bench *b, uint32_t i)
{
    if (i >= BUFFERS_MAX) {
        (void)fprintf(stderr, "bench_indicators: too many series\n");
        exit(70);
    }
    if (!b->buffer[i])
        b->buffer[i] = bench_series(b->bars.rows_n);
    return b->buffer[i];
}

static const double *column_find(const struct bench *b, const char *name)
{
    for (int i = 0; i < BARS_COLUMNS_N; i++)
        if (strcmp(name, column_names[i]) == 0)
            return b->bars.column[i];
    return NULL;
}

/* ---- an indicator with its parameters ------------------------------------------------------ */

struct subject {
    const struct indicator *indicator;
    double param[PARAMETERS_MAX];
    char parameters[TEXT_BYTES]; /* as in an expression */
    size_t usual;                /* its row of talib.def; USUAL_N: none */
};

static double default_of(const struct indicator_param *param)
{
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (!param->choices && strcmp(param->name, defaults[i].name) == 0)
            return defaults[i].value;
    return param->choices ? 0.0 : param->minimum;
}

static void append(char *text, const char *more)
{
    size_t n = strlen(text);
    (void)snprintf(text + n, TEXT_BYTES - n, "%s", more);
}

static void subject_of_defaults(const struct indicator *indicator, struct subject *ret_subject)
{
    struct subject s = {.indicator = indicator, .usual = USUAL_N};
    for (unsigned i = 0; i < indicator->params_n; i++) {
        const struct indicator_param *param = &indicator->params[i];
        char number[32];
        s.param[i] = default_of(param);
        (void)snprintf(number, sizeof(number), "%.15g", s.param[i]);
        append(s.parameters, i ? "," : "");
        append(s.parameters, param->choices ? param->choices[0] : number);
    }
    *ret_subject = s;
}

static void subject_of_usual(const struct indicator *indicator, size_t i,
                             struct subject *ret_subject)
{
    struct subject s = {.indicator = indicator, .usual = i};
    const char *rest = usual[i].parameters;
    append(s.parameters, rest);
    for (unsigned k = 0; k < indicator->params_n; k++) {
        char *end;
        s.param[k] = strtod(rest, &end);
        rest = *end ? end + 1 : end;
    }
    *ret_subject = s;
}

/* The expression of an output, e.g. "stoch(14,3,3).k". */
static void expression_of(const struct subject *s, unsigned output, char *ret_text)
{
    const struct indicator *indicator = s->indicator;
    (void)snprintf(ret_text, TEXT_BYTES, "%s(", indicator->name);
    for (unsigned i = 0; i < indicator->series_args_n; i++) {
        append(ret_text, i ? "," : "");
        append(ret_text, column_names[series_args[i]]);
    }
    append(ret_text, indicator->series_args_n > 0 && s->parameters[0] ? "," : "");
    append(ret_text, s->parameters);
    append(ret_text, ")");
    if (indicator->outputs_n > 1) {
        append(ret_text, ".");
        append(ret_text, indicator->outputs[output]);
    }
}

/* ---- as a builder computes it: whatever series lie beneath, then what is left of the outputs  */

struct path {
    struct bench *bench;
    struct graph *graph;
    uint32_t root[INDICATOR_OUTPUTS_MAX];
    uint32_t roots_n;
    uint32_t made_n; /* series that are there; values in the bench's buffers, in this order */
    uint32_t made[BUFFERS_MAX];
    uint32_t first_defined[BUFFERS_MAX];
};

static bool path_clock(void *ctx, const struct graph_clock *clock, struct clock_view *ret_view)
{
    const struct path *p = ctx;
    *ret_view = (struct clock_view){p->bench->bars.rows_n, p->bench->bars.time_ns, NULL};
    return !clock->symbol && clock->timeframe.unit == TIMEFRAME_OWN;
}

static bool path_series(void *ctx, const struct graph_clock *clock, const char *key,
                        struct series_view *ret_view)
{
    const struct path *p = ctx;
    struct series_view view = {.values = column_find(p->bench, key)};
    for (uint32_t i = 0; !view.values && i < p->made_n; i++)
        if (strcmp(graph_key(p->graph, p->made[i]), key) == 0)
            view = (struct series_view){SERIES_F64, p->bench->buffer[i], p->first_defined[i]};
    *ret_view = view;
    return view.values != NULL;
}

/* 0, or -1 with a line on stderr. */
static int path_add(struct path *p, const char *text)
{
    struct expr *expr = NULL;
    struct err err;
    const struct expr_env env = {0, NULL, NULL};
    int r = expr_parse(text, &expr, &err);
    if (r == 0)
        r = graph_add(p->graph, expr, &env, &p->root[p->roots_n], &err);
    if (r == 0)
        p->roots_n++;
    else
        (void)fprintf(stderr, "bench_indicators: %s: %s\n", text, err.text);
    expr_destroy(expr);
    return r == 0 ? 0 : -1;
}

static bool is_made(const struct path *p, uint32_t node)
{
    bool is_there = !graph_is_series(p->graph, node) || graph_is_column(p->graph, node);
    for (uint32_t i = 0; !is_there && i < p->made_n; i++)
        is_there = p->made[i] == node;
    return is_there;
}

/* Makes a series, and with it all that are one pass over the same rows. */
static int make_group(struct path *p, const struct graph_source *source, uint32_t node,
                      struct err *err)
{
    void *outs[BUFFERS_MAX];
    uint32_t n = 0;
    for (uint32_t i = node; i < graph_nodes_n(p->graph); i++) {
        if (is_made(p, i) || graph_group(p->graph, i) != graph_group(p->graph, node))
            continue;
        outs[n] = buffer_at(p->bench, p->made_n + n);
        p->made[p->made_n + n++] = i;
    }
    int r = graph_compute(p->graph, p->made + p->made_n, n, source, SERIES_F64, outs,
                          p->first_defined + p->made_n, err);
    p->made_n += n;
    return r;
}

static int run_path(void *ctx)
{
    struct path *p = ctx;
    const struct graph_source source = {.ctx = p, .clock = path_clock, .series = path_series};
    struct err err;
    int r = 0;
    p->made_n = 0;
    for (uint32_t i = 0; r == 0 && i < graph_nodes_n(p->graph); i++)
        if (!is_made(p, i))
            r = make_group(p, &source, i, &err);
    for (uint32_t i = 0; r == 0 && i < p->roots_n; i++)
        if (!graph_is_series(p->graph, p->root[i]))
            r = graph_eval(p->graph, p->root[i], &source, buffer_at(p->bench, p->made_n + i), NULL,
                           &err);
    if (r != 0)
        (void)fprintf(stderr, "bench_indicators: %s\n", err.text);
    return r;
}

/* All outputs of a subject. */
static int path_init(struct path *p, struct bench *b, const struct subject *s)
{
    char text[TEXT_BYTES];
    int r;
    *p = (struct path){.bench = b};
    r = graph_create(&p->graph);
    for (unsigned i = 0; r == 0 && i < s->indicator->outputs_n; i++) {
        expression_of(s, i, text);
        r = path_add(p, text);
    }
    return r;
}

/* ---- by its kernel alone ------------------------------------------------------------------- */

struct kernel {
    struct bench *bench;
    const struct indicator *indicator;
    struct indicator_span span;
    int has_plain_inputs; /* columns, all of them */
    _Alignas(ALIGNMENT) unsigned char state[INDICATOR_STATE_BYTES_MAX];
};

/* Values of an implied input that is an expression; NULL where they cannot be had. */
static double *values_of(struct bench *b, const char *text)
{
    struct path p = {.bench = b};
    double *values = NULL;
    if (graph_create(&p.graph) == 0 && path_add(&p, text) == 0 && run_path(&p) == 0) {
        uint32_t at = p.made_n; /* of what is no series */
        for (uint32_t i = 0; i < p.made_n; i++)
            at = p.made[i] == p.root[0] ? i : at;
        values = bench_series(b->bars.rows_n);
        memcpy(values, b->buffer[at], b->bars.rows_n * sizeof(double));
    }
    graph_destroy(p.graph);
    return values;
}

static int kernel_add_input(struct kernel *k, unsigned i, const char *text)
{
    k->span.input[i] = column_find(k->bench, text);
    if (!k->span.input[i]) {
        k->span.input[i] = values_of(k->bench, text);
        k->has_plain_inputs = 0;
    }
    return k->span.input[i] ? 0 : -1;
}

static int kernel_init(struct kernel *k, struct bench *b, const struct subject *s)
{
    const struct indicator *indicator = s->indicator;
    char implied[TEXT_BYTES] = "";
    unsigned n = 0;
    int r = 0;
    *k = (struct kernel){.bench = b, .indicator = indicator, .has_plain_inputs = 1};
    k->span.rows_n = b->bars.rows_n;
    k->span.time_ns = indicator->uses_time ? b->bars.time_ns : NULL;
    k->span.param = s->param;
    k->span.state = k->state;
    for (; n < indicator->series_args_n; n++)
        k->span.input[n] = b->bars.column[series_args[n]];
    append(implied, indicator->implied ? indicator->implied : "");
    char *rest = implied;
    for (char *word; r == 0 && (word = strsep(&rest, " "));)
        if (*word)
            r = kernel_add_input(k, n++, word);
    for (unsigned i = 0; i < indicator->outputs_n; i++)
        k->span.out[i] = buffer_at(b, i);
    return r;
}

static int run_kernel(void *ctx)
{
    struct kernel *k = ctx;
    memset(k->state, 0, sizeof(k->state));
    return k->indicator->advance(&k->span);
}

static int run_plain(void *ctx)
{
    struct bench *b = ctx;
    bench_plain_sma(b->bars.column[BARS_CLOSE], b->bars.rows_n, buffer_at(b, 0));
    return 0;
}

/* ---- an indicator's line ------------------------------------------------------------------- */

struct talib {
    talib_case_fn run_case;
    size_t i;
    const struct bench_bars *bars;
    double *out[TALIB_OUTPUTS_MAX];
};

static int run_talib(void *ctx)
{
    struct talib *t = ctx;
    return t->run_case(t->i, t->bars, t->out);
}

static void talib_init(struct talib *t, struct bench *b, const struct subject *s)
{
    *t = (struct talib){.run_case = b->talib_case, .i = s->usual, .bars = &b->bars};
    for (uint32_t i = 0; i < TALIB_OUTPUTS_MAX; i++)
        t->out[i] = buffer_at(b, i);
}

static void report(struct bench *b, const struct subject *s)
{
    struct path path;
    struct kernel kernel = {0};
    struct talib talib;
    int has_path = path_init(&path, b, s) == 0;
    int has_kernel = s->indicator->advance && kernel_init(&kernel, b, s) == 0;
    int has_talib = b->talib_case && s->usual < USUAL_N;
    talib_init(&talib, b, s);
    struct entrant entrants[] = {
        {.name = "plain", .run = run_plain, .ctx = b},
        {.name = "kernel", .run = has_kernel ? run_kernel : NULL, .ctx = &kernel},
        {.name = "talib", .run = has_talib ? run_talib : NULL, .ctx = &talib},
        {.name = "path", .run = has_path ? run_path : NULL, .ctx = &path},
    };
    size_t entrants_n = sizeof(entrants) / sizeof(entrants[0]);
    turns_measure(entrants, entrants_n, b->bars.rows_n, b->runs_n);
    (void)printf("{\"indicator\": \"%s\", \"parameters\": \"%s\", \"class\": \"%s\", "
                 "\"has_plain_inputs\": %s",
                 s->indicator->name, s->parameters, indicator_class_name(s->indicator->cls),
                 has_kernel && kernel.has_plain_inputs ? "true" : "false");
    turns_print(entrants, entrants_n, 1.0);
    graph_destroy(path.graph);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int is_chosen(const struct bench *b, const char *name)
{
    int is_any = !b->names || !b->names[0];
    for (char *const *each = b->names; !is_any && *each; each++)
        is_any = strcmp(*each, name) == 0;
    return is_any;
}

/* In a process of its own: none finds memory as another left it, and a kernel that breaks takes no
 * other with it. */
static void report_apart(struct bench *b, const struct subject *s)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        report(b, s);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        (void)fprintf(stderr, "bench_indicators: %s(%s) failed\n", s->indicator->name,
                      s->parameters);
        b->failures_n++;
    }
}

static void report_indicator(struct bench *b, const struct indicator *indicator)
{
    struct subject s;
    int is_usual = 0;
    for (size_t i = 0; i < USUAL_N; i++) {
        if (strcmp(usual[i].indicator, indicator->name) != 0)
            continue;
        is_usual = 1;
        subject_of_usual(indicator, i, &s);
        report_apart(b, &s);
    }
    if (!is_usual) {
        subject_of_defaults(indicator, &s);
        report_apart(b, &s);
    }
}

/* ADMF_BENCH_TALIB names what talib.py has built. */
static void talib_load(struct bench *b)
{
    const char *path = getenv("ADMF_BENCH_TALIB");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library ? dlsym(library, "talib_case") : NULL;
    if (path && !symbol)
        (void)fprintf(stderr, "bench_indicators: %s\n", dlerror());
    memcpy(&b->talib_case, &symbol, sizeof(symbol));
}

int main(int argc, char **argv)
{
    uint32_t rows_n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct bench b = {
        .runs_n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 7,
        .names = argc > 3 ? argv + 3 : NULL,
    };
    if (rows_n < 1000 || !b.runs_n)
        return 2;
    talib_load(&b);
    bench_bars_init(&b.bars, rows_n);
    for (size_t i = 0; i < indicator_count(); i++)
        if (is_chosen(&b, indicator_at(i)->name))
            report_indicator(&b, indicator_at(i));
    free(b.bars.time_ns);
    return b.failures_n ? 1 : 0;
}
