/* SPDX-License-Identifier: MIT */
/* admf indicator: expressions over the bars of one symbol, as CSV. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/expr.h"
#include "shm/graph.h"
#include "supervisor/cli/common.h"
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
    struct bars *bars;
    struct graph *graph;
    unsigned columns_n;
    struct column *columns; /* [columns_n] */
    uint32_t series_n;
    double **series; /* [series_n], by node; NULL: not a computed one */
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

static int load_bars(const struct cli_args *args, struct bars **ret_bars, struct err *err)
{
    struct store *store = NULL;
    struct symbol_info info;
    if (args->csv && args->symbol)
        return err_set(err, ERR_USAGE, "admf indicator takes --csv or --symbol, not both");
    if (args->csv)
        return bars_from_csv(args, ret_bars, err);
    if (!args->symbol)
        return err_set(err, ERR_USAGE, "admf indicator needs --csv FILE or --symbol S");
    int rc = cli_store_open(args, STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    rc = store_get_bars(store, args->symbol, NULL, ret_bars, &info, err);
    store_close(store);
    return rc;
}

/* ---- computing ------------------------------------------------------------------------------ */

/* First row that is not NaN; rows_n if there is none. */
static uint32_t first_defined_of(const double *values, uint32_t rows_n)
{
    uint32_t row = 0;
    while (row < rows_n && isnan(values[row]))
        row++;
    return row;
}

static const double *bar_column(const struct bars *b, const char *key)
{
    const char *const names[] = {"open", "high", "low", "close", "volume"};
    const double *const columns[] = {b->open, b->high, b->low, b->close, b->volume};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0)
            return columns[i];
    for (uint32_t i = 0; i < b->extra_n; i++)
        if (strcmp(key, b->extra_names[i]) == 0)
            return b->extra[i];
    return NULL;
}

/* Values by key: columns of the bars, then what is computed already. */
static const double *lookup(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    const struct job *job = ctx;
    const double *values = bar_column(job->bars, key);
    for (uint32_t n = 0; !values && n < job->series_n; n++)
        if (job->series[n] && strcmp(key, graph_key(job->graph, n)) == 0)
            values = job->series[n];
    if (values && ret_first_defined)
        *ret_first_defined = first_defined_of(values, job->bars->rows_n);
    return values;
}

static bool has_column(const struct bars *bars, const char *name)
{
    for (uint32_t i = 0; i < bars->extra_n; i++)
        if (strcmp(bars->extra_names[i], name) == 0)
            return true;
    return false;
}

static int check_names(const struct job *job, const struct expr *expr)
{
    const char *const *names;
    char shown[256], near_shown[256];
    size_t n = expr_names(expr, &names);
    for (size_t i = 0; i < n; i++) {
        if (has_column(job->bars, names[i]))
            continue;
        const char *near = err_suggest(names[i], job->bars->extra_names, job->bars->extra_n);
        return err_set(
            job->err, ERR_USAGE, "\"%s\" is not a column of these bars%s%s%s",
            err_printable(names[i], shown, sizeof shown), near ? "; did you mean \"" : "",
            near ? err_printable(near, near_shown, sizeof near_shown) : "", near ? "\"?" : "");
    }
    return 0;
}

/* An expression comes from the command line: what is wrong with it is wrong usage. */
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
    if (rc < 0 && job->err->kind != ERR_SYSTEM) {
        err_prefix(job->err, "\"%s\"", err_printable(text, shown, sizeof shown));
        job->err->kind = ERR_USAGE;
    }
    return rc;
}

static int compute_series(struct job *job)
{
    uint32_t rows_n = job->bars->rows_n;
    job->series_n = graph_nodes_n(job->graph);
    job->series = calloc(job->series_n + 1, sizeof *job->series);
    if (!job->series)
        return no_memory(job->err);
    for (uint32_t n = 0; n < job->series_n; n++) {
        if (!graph_is_series(job->graph, n) || graph_is_column(job->graph, n))
            continue;
        double *out = malloc(((size_t)rows_n + 1) * sizeof *out);
        if (!out)
            return no_memory(job->err);
        int rc = graph_compute(job->graph, n, lookup, job, rows_n, out, job->err);
        job->series[n] = out;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int evaluate(struct job *job, struct column *c)
{
    uint32_t rows_n = job->bars->rows_n;
    if (expr_is_condition(c->expr)) {
        c->bits = calloc((size_t)rows_n / 64 + 1, sizeof *c->bits);
        return c->bits ? graph_eval_bits(job->graph, c->node, lookup, job, rows_n, c->bits, NULL,
                                         job->err)
                       : no_memory(job->err);
    }
    c->values = calloc((size_t)rows_n + 1, sizeof *c->values);
    return c->values
               ? graph_eval(job->graph, c->node, lookup, job, rows_n, c->values, NULL, job->err)
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
        rc = compute_series(job);
    for (unsigned i = 0; rc == 0 && i < job->columns_n; i++)
        rc = evaluate(job, &job->columns[i]);
    return rc;
}

static void job_fini(struct job *job)
{
    for (unsigned i = 0; job->columns && i < job->columns_n; i++) {
        expr_destroy(job->columns[i].expr);
        free(job->columns[i].values);
        free(job->columns[i].bits);
    }
    for (uint32_t n = 0; job->series && n < job->series_n; n++)
        free(job->series[n]);
    free(job->columns);
    free(job->series);
    graph_destroy(job->graph);
    bars_free(job->bars);
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
    for (uint32_t row = 0; row < job->bars->rows_n && !ferror(stdout); row++) {
        fputs(time_format_iso(job->bars->time_ns[row], time), stdout);
        for (unsigned i = 0; i < job->columns_n; i++)
            put_value(&job->columns[i], row);
        putchar('\n');
    }
}

int cmd_indicator(const struct cli_args *args, struct err *err)
{
    struct job job = {.columns_n = args->positional_n, .err = err};
    int rc = load_bars(args, &job.bars, err);
    if (rc == 0)
        rc = compute(&job, args->positional);
    if (rc == 0) {
        print_all(&job, args->positional);
        rc = cli_finish_stdout(err);
    }
    job_fini(&job);
    return rc;
}
