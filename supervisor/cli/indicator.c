/* SPDX-License-Identifier: MIT */
/* admf indicator: expressions over the bars of a symbol, and of others that they name, as CSV. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/expr.h"
#include "shm/graph.h"
#include "shm/source.h"
#include "supervisor/cli/common.h"
#include "supervisor/cli/plugins.h"
#include "supervisor/cli/rows.h"
#include "supervisor/import/csv.h"

/* One column of the output. */
struct column {
    struct expr *expr;
    uint32_t node;
    double *values; /* or, for a condition, */
    uint64_t *bits;
};

struct job {
    const struct cli_args *args;
    struct store *store;
    uint32_t symbols_n;
    struct bars *owned[SPEC_SYMBOLS_MAX]; /* [symbols_n]; the first one's rows are printed */
    struct bars bars[SPEC_SYMBOLS_MAX];   /* the same, side by side */
    struct graph *graph;
    unsigned columns_n;
    struct column *columns; /* [columns_n] */
    struct bars_source *source;
    struct plane_writer *plane; /* NULL: no plugin is called */
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory while computing");
}

/* ---- bars ----------------------------------------------------------------------------------- */

static int bars_from_csv(const struct cli_args *args, struct bars **ret_bars, struct err *err)
{
    struct csv_report report;
    struct csv_options options = {.symbol = "CSV", .lenient = args->lenient, .tz = args->tz};
    int rc = csv_read(args->csv, &options, ret_bars, &report, err);
    if (rc < 0)
        return rc;
    for (int f = 0; f < CSV_FAULT_N; f++)
        if (report.skipped[f])
            fprintf(stderr, "skipped %llu row%s: %s, first at line %llu\n",
                    (unsigned long long)report.skipped[f], cli_s(report.skipped[f]),
                    csv_fault_name((enum csv_fault)f),
                    (unsigned long long)report.first_skipped_line[f]);
    return 0;
}

/* Makes them the next symbol of the job. */
static void take_bars(struct job *job, struct bars *bars)
{
    job->owned[job->symbols_n] = bars;
    job->bars[job->symbols_n++] = *bars;
}

static int load_first(struct job *job)
{
    const struct cli_args *args = job->args;
    struct bars *bars = NULL;
    struct symbol_info info;
    int rc;
    if (args->csv && args->symbol)
        return err_set(job->err, ERR_USAGE, "admf indicator takes --csv or --symbol, not both");
    if (!args->csv && !args->symbol)
        return err_set(job->err, ERR_USAGE, "admf indicator needs --csv FILE or --symbol S");
    if (args->csv) {
        rc = bars_from_csv(args, &bars, job->err);
    } else {
        rc = cli_store_open(args, STORE_READ, &job->store, job->err);
        if (rc == 0)
            rc = store_get_bars(job->store, args->symbol, NULL, &bars, &info, job->err);
    }
    if (rc == 0)
        take_bars(job, bars);
    return rc;
}

static int symbol_find(const struct job *job, const char *name)
{
    for (uint32_t s = 0; s < job->symbols_n; s++)
        if (strcmp(job->bars[s].symbol, name) == 0)
            return (int)s;
    return -1;
}

/* Another symbol that an expression names, from the store. */
static int load_other(struct job *job, const char *name)
{
    struct bars *bars;
    struct symbol_info info;
    char shown[256];
    if (symbol_find(job, name) >= 0)
        return 0;
    if (!job->store)
        return err_set(job->err, ERR_USAGE,
                       "%s: with --csv there are the bars of its file alone; import both and take "
                       "--symbol",
                       err_printable(name, shown, sizeof shown));
    if (job->symbols_n == SPEC_SYMBOLS_MAX)
        return err_set(job->err, ERR_USAGE, "more than %d symbols", SPEC_SYMBOLS_MAX);
    int rc = store_get_bars(job->store, name, NULL, &bars, &info, job->err);
    if (rc == 0)
        take_bars(job, bars);
    return rc;
}

/* ---- computing ------------------------------------------------------------------------------ */

static int check_name(const struct job *job, const struct expr_use *use)
{
    char shown[256], near_shown[256];
    const struct bars *bars = &job->bars[use->symbol ? symbol_find(job, use->symbol) : 0];
    if (bars_column(bars, use->name))
        return 0;
    const char *const *columns;
    const char *known[64 + EXPR_NAMES_MAX];
    size_t n = expr_columns(&columns);
    memcpy(known, columns, n * sizeof *known);
    for (uint32_t i = 0; i < bars->extra_n && n < sizeof known / sizeof *known; i++)
        known[n++] = bars->extra_names[i];
    const char *near = err_suggest(use->name, known, n);
    return err_set(job->err, ERR_USAGE, "\"%s\" is not a column of these bars%s%s%s",
                   err_printable(use->name, shown, sizeof shown), near ? "; did you mean \"" : "",
                   near ? err_printable(near, near_shown, sizeof near_shown) : "",
                   near ? "\"?" : "");
}

/* Loads what the expression names, and checks the names of columns. */
static int check_names(struct job *job, const struct expr *expr)
{
    const char *const *symbols;
    struct expr_use uses[4 * EXPR_NAMES_MAX];
    size_t symbols_n = expr_symbols(expr, &symbols), n;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < symbols_n; i++)
        rc = load_other(job, symbols[i]);
    if (rc < 0)
        return rc;
    n = expr_uses(expr, uses, 4 * EXPR_NAMES_MAX);
    for (size_t i = 0; rc == 0 && i < n && i < 4 * EXPR_NAMES_MAX; i++)
        rc = check_name(job, &uses[i]);
    return rc;
}

/* An expression comes from the command line: what is wrong with it is wrong usage. A symbol that
 * the store lacks is missing input. */
static int add_column(struct job *job, struct column *c, const char *text)
{
    struct expr_env none = {0};
    char shown[256];
    int rc = expr_parse(text, &c->expr, job->err);
    if (rc == 0)
        rc = check_names(job, c->expr);
    if (rc == 0)
        rc = graph_add(job->graph, c->expr, &none, &c->node, job->err);
    if (rc == -ENOMEM && job->err->kind == ERR_NONE)
        return no_memory(job->err);
    bool is_usage = job->err->kind == ERR_CONFIG || job->err->kind == ERR_USAGE;
    if (rc < 0 && is_usage) {
        err_prefix(job->err, "\"%s\"", err_printable(text, shown, sizeof shown));
        job->err->kind = ERR_USAGE;
    }
    return rc;
}

/* Refuses timeframes that are shorter than the bars they are made of. */
static int check_clocks(struct job *job)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < graph_clocks_n(job->graph); i++) {
        const struct graph_clock *clock = graph_clock(job->graph, i);
        const struct bars *bars = &job->bars[clock->symbol ? symbol_find(job, clock->symbol) : 0];
        int64_t spacing_ns = 0;
        if (clock->timeframe.unit == TIMEFRAME_OWN)
            continue;
        if (timeframe_spacing(bars->time_ns, bars->rows_n, &spacing_ns) < 0)
            return no_memory(job->err);
        rc = timeframe_check(clock->timeframe, bars->symbol, spacing_ns, job->err);
    }
    if (rc < 0 && job->err->kind == ERR_CONFIG)
        job->err->kind = ERR_USAGE;
    return rc;
}

static int evaluate_foreign(struct job *job, struct column *c, const char *text)
{
    const struct cli_plugins_call call = {job->plane, text, expr_is_condition(c->expr),
                                          job->bars[0].rows_n};
    c->bits = call.is_condition ? calloc((size_t)call.rows_n / 64 + 1, sizeof *c->bits) : NULL;
    c->values = call.is_condition ? NULL : calloc((size_t)call.rows_n + 1, sizeof *c->values);
    if (!c->bits && !c->values)
        return no_memory(job->err);
    return cli_plugins_eval(job->args, &call, c->bits ? (void *)c->bits : (void *)c->values,
                            job->err);
}

static int evaluate(struct job *job, struct column *c)
{
    uint32_t rows_n = job->bars[0].rows_n;
    const struct graph_source source = bars_source_of(job->source);
    if (expr_is_condition(c->expr)) {
        c->bits = calloc((size_t)rows_n / 64 + 1, sizeof *c->bits);
        return c->bits ? graph_eval_bits(job->graph, c->node, &source, c->bits, NULL, job->err)
                       : no_memory(job->err);
    }
    c->values = calloc((size_t)rows_n + 1, sizeof *c->values);
    return c->values ? graph_eval(job->graph, c->node, &source, c->values, NULL, job->err)
                     : no_memory(job->err);
}

static int compute(struct job *job, const char *const *texts)
{
    int rc = 0;
    job->columns = calloc(job->columns_n, sizeof *job->columns);
    if (!job->columns || graph_create(&job->graph) < 0)
        return no_memory(job->err);
    for (unsigned i = 0; rc == 0 && i < job->columns_n; i++)
        rc = add_column(job, &job->columns[i], texts[i]);
    if (rc == 0)
        rc = check_clocks(job);
    if (rc == 0 && cli_plugins_are_used(job->graph))
        rc = cli_plugins_plane(job->bars, job->symbols_n, job->graph, &job->plane, job->err);
    if (rc == 0 && bars_source_create(job->bars, job->symbols_n, 0, &job->source) < 0)
        return no_memory(job->err);
    for (unsigned i = 0; rc == 0 && i < job->columns_n; i++)
        rc = job->plane ? evaluate_foreign(job, &job->columns[i], texts[i])
                        : evaluate(job, &job->columns[i]);
    return rc;
}

static void job_fini(struct job *job)
{
    for (unsigned i = 0; job->columns && i < job->columns_n; i++) {
        expr_destroy(job->columns[i].expr);
        free(job->columns[i].values);
        free(job->columns[i].bits);
    }
    free(job->columns);
    bars_source_destroy(job->source);
    plane_writer_destroy(job->plane);
    graph_destroy(job->graph);
    for (uint32_t s = 0; s < job->symbols_n; s++)
        bars_free(job->owned[s]);
    store_close(job->store);
}

/* ---- printing ------------------------------------------------------------------------------- */

static void put_value(const struct column *c, uint32_t row)
{
    char text[F64_BYTES];
    putchar(',');
    if (c->bits)
        putchar(c->bits[row / 64] >> (row % 64) & 1 ? '1' : '0');
    else
        fputs(f64_format(c->values[row], text), stdout);
}

static void print_all(const struct job *job, const char *const *texts)
{
    char time[TIME_ISO_BYTES];
    fputs("timestamp", stdout);
    for (unsigned i = 0; i < job->columns_n; i++) {
        putchar(',');
        csv_put_field(stdout, "", texts[i]);
    }
    putchar('\n');
    for (uint32_t row = 0; row < job->bars[0].rows_n && !ferror(stdout); row++) {
        fputs(time_format_iso(job->bars[0].time_ns[row], time), stdout);
        for (unsigned i = 0; i < job->columns_n; i++)
            put_value(&job->columns[i], row);
        putchar('\n');
    }
}

int cmd_indicator(const struct cli_args *args, struct err *err)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return no_memory(err);
    *job = (struct job){.args = args, .columns_n = args->positional_n, .err = err};
    int rc = cli_plugins_take(args, err);
    if (rc == 0)
        rc = load_first(job);
    if (rc == 0)
        rc = compute(job, args->positional);
    if (rc == 0) {
        print_all(job, args->positional);
        rc = cli_finish_stdout(err);
    }
    job_fini(job);
    free(job);
    return rc;
}
