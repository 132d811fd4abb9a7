/* SPDX-License-Identifier: MIT */
/* admf check: the look-ahead test of a configuration. A table of what the future changed, and a
 * verdict as the last line, or one JSON object. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "proto/body.h"
#include "proto/status.h"
#include "proto/units.h"
#include "supervisor/check/check.h"
#include "supervisor/cli/common.h"

#define COMBINATIONS_DEFAULT 16
#define CUTS_DEFAULT         8
#define ROWS_SHOWN           20
#define SHOW_EVERY_NS        (NS_PER_S / 10)

struct job {
    const struct cli_args *args;
    struct describe *describe;
    struct config *config;
    struct store *store; /* NULL where files of data.csv are all that is needed */
    struct check_report report;
    int64_t shown_ns;
    bool has_line; /* an unfinished line is on the terminal */
};

/* ---- verdicts ------------------------------------------------------------------------------- */

enum verdict { VERDICT_CLEAN, VERDICT_LOOK_AHEAD, VERDICT_UNSTABLE, VERDICT_INCOMPLETE };

static const char *const verdict_names[] = {"clean", "look_ahead", "unstable", "incomplete"};

/* The earliest difference of a kind: at a cut, or of the same computed twice. NULL: none. */
static const struct check_difference *earliest(const struct check_report *r, bool is_again)
{
    const struct check_difference *first = NULL;
    for (uint32_t i = 0; i < r->differences_n; i++) {
        const struct check_difference *d = &r->difference[i];
        if ((d->future == CHECK_AGAIN) == is_again && (!first || d->time_ns < first->time_ns))
            first = d;
    }
    return first;
}

static enum verdict verdict_of(const struct check_report *r)
{
    if (earliest(r, false))
        return VERDICT_LOOK_AHEAD;
    if (r->differences_n > 0)
        return VERDICT_UNSTABLE;
    return r->failures_n > 0 ? VERDICT_INCOMPLETE : VERDICT_CLEAN;
}

/* ---- words ---------------------------------------------------------------------------------- */

static const char *symbol_name(const struct job *job, uint32_t symbol_idx)
{
    return symbol_idx < job->config->symbols_n + job->config->references_n
               ? job->config->symbols[symbol_idx].name
               : "";
}

static const char *number_text(double value, char out[static F64_BYTES])
{
    return isnan(value) ? "none" : f64_format_short(value, out);
}

static const char *combination_text(uint64_t combination, char out[static 32])
{
    if (combination == CHECK_ALL)
        return "all";
    snprintf(out, 32, "%" PRIu64, combination);
    return out;
}

/* ---- for people ----------------------------------------------------------------------------- */

static void difference_row(const struct job *job, struct cli_table *t,
                           const struct check_difference *d)
{
    const struct check_report *r = &job->report;
    char text[64], number[F64_BYTES], what[4 * sizeof d->what];
    cli_table_add(t, 0, combination_text(d->combination, text), true);
    cli_table_add(t, 1, symbol_name(job, d->symbol_idx), false);
    snprintf(text, sizeof text, "%" PRIu32, d->bar);
    cli_table_add(t, 2, text, true);
    cli_table_add(t, 3, cli_time_text(d->time_ns, text), false);
    cli_table_add(t, 4, err_printable(d->what, what, sizeof what), false);
    cli_table_add(t, 5, number_text(d->whole, number), true);
    cli_table_add(t, 6, number_text(d->cut, number), true);
    cli_table_add(t, 7, check_future_name(d->future), false);
    if (d->cut_idx < r->cuts_n)
        snprintf(text, sizeof text, "%" PRIu32, r->cut[d->cut_idx].step);
    cli_table_add(t, 8, d->cut_idx < r->cuts_n ? text : "", true);
}

static int print_differences(const struct job *job, struct err *err)
{
    static const char *const headers[] = {"combination", "symbol", "first bar",
                                          "time",        "what",   "whole range",
                                          "at the cut",  "future", "from bar"};
    const struct check_report *r = &job->report;
    if (r->differences_n == 0)
        return 0;
    struct cli_table *t = cli_table_create(9, headers);
    if (!t)
        return err_set(err, ERR_SYSTEM, "out of memory");
    for (uint32_t i = 0; i < r->differences_n && i < ROWS_SHOWN; i++)
        difference_row(job, t, &r->difference[i]);
    cli_table_print(t, stdout);
    cli_table_destroy(t);
    if (r->differences_n > ROWS_SHOWN)
        printf("and %" PRIu32 " more: --json lists all\n", r->differences_n - ROWS_SHOWN);
    putchar('\n');
    return 0;
}

static void print_failures(const struct check_report *r)
{
    char why[1024], when[40], where[128];
    for (uint32_t i = 0; i < r->failures_n && i < ROWS_SHOWN; i++) {
        const struct check_failure *f = &r->failure[i];
        snprintf(where, sizeof where, "over the whole range");
        if (f->cut_idx < r->cuts_n)
            snprintf(where, sizeof where, "with the future %s from bar %" PRIu32 " (%s)",
                     check_future_name(f->future), r->cut[f->cut_idx].step,
                     cli_time_text(r->cut[f->cut_idx].time_ns, when));
        printf("combination %" PRIu64 " %s: %s\n", f->combination, where,
               err_printable(f->why, why, sizeof why));
    }
    if (r->failures_n > ROWS_SHOWN)
        printf("and %" PRIu32 " more: --json lists all\n", r->failures_n - ROWS_SHOWN);
}

static void print_scope(const struct check_report *r)
{
    char first[40], last[40];
    printf("%" PRIu32 " of %" PRIu64 " combination%s compared at %" PRIu32
           " cut%s from bar %" PRIu32 " (%s) to bar %" PRIu32 " (%s): %" PRIu64 " values\n",
           r->compared_n, r->grid_n, cli_s(r->grid_n), r->cuts_n, cli_s(r->cuts_n), r->cut[0].step,
           cli_time_text(r->cut[0].time_ns, first), r->cut[r->cuts_n - 1].step,
           cli_time_text(r->cut[r->cuts_n - 1].time_ns, last), r->values_n);
    if (r->refused_n)
        printf("%" PRIu32 " more %s invalid: the strategy or an indicator refuses the parameters\n",
               r->refused_n, r->refused_n == 1 ? "is" : "are");
}

static void write_clean(const struct check_report *r, struct buf *out)
{
    buf_puts(out, r->columns_n ? "clean but for columns taken as given: " : "clean");
    for (uint32_t i = 0; i < r->columns_n; i++)
        buf_printf(out, "%s%s", i ? ", " : "", r->column[i]);
    buf_puts(out, r->columns_n ? "; whether they look ahead cannot be seen here"
                               : ", no look-ahead found");
}

/* One line without its end. */
static void write_verdict(const struct job *job, struct buf *out)
{
    const struct check_report *r = &job->report;
    enum verdict verdict = verdict_of(r);
    const struct check_difference *first = earliest(r, verdict == VERDICT_UNSTABLE);
    char when[40], who[32];
    switch (verdict) {
    case VERDICT_CLEAN:
        write_clean(r, out);
        return;
    case VERDICT_INCOMPLETE:
        buf_printf(out,
                   "incomplete, %" PRIu32 " combination%s did not end well; what was compared "
                   "is the same",
                   r->failures_n, cli_s(r->failures_n));
        return;
    default:
        buf_printf(out, "%s, first at bar %" PRIu32 " (%s) in %s%s: %s",
                   verdict == VERDICT_UNSTABLE ? "unstable, it is not the same when computed twice"
                                               : "look-ahead, the future changes the past",
                   first->bar, cli_time_text(first->time_ns, when),
                   first->combination == CHECK_ALL ? symbol_name(job, first->symbol_idx)
                                                   : "combination ",
                   first->combination == CHECK_ALL ? "" : combination_text(first->combination, who),
                   first->what);
    }
}

static int print_text(const struct job *job, struct err *err)
{
    struct buf verdict = {0};
    int r = print_differences(job, err);
    if (r < 0)
        return r;
    print_failures(&job->report);
    print_scope(&job->report);
    write_verdict(job, &verdict);
    if (verdict.failed)
        r = err_set(err, ERR_SYSTEM, "out of memory");
    else
        printf("verdict: %s\n", verdict.data);
    buf_fini(&verdict);
    return r < 0 ? r : cli_finish_stdout(err);
}

/* ---- for programs --------------------------------------------------------------------------- */

static json_t *cut_json(const struct check_report *r, uint32_t cut_idx)
{
    if (cut_idx >= r->cuts_n)
        return json_null();
    return json_pack("{s:o,s:o}", "bar", cli_json_count(r->cut[cut_idx].step), "time",
                     cli_json_time(r->cut[cut_idx].time_ns));
}

static json_t *difference_json(const struct job *job, const struct check_difference *d)
{
    bool is_all = d->combination == CHECK_ALL;
    const struct config_strategy *strategy =
        is_all ? NULL : grid_strategy(job->config, d->combination);
    const char *symbol = symbol_name(job, d->symbol_idx);
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:o}", "combination",
                     is_all ? json_null() : cli_json_count(d->combination), "strategy",
                     strategy ? cli_json_text(strategy->spec.name) : json_null(), "parameters",
                     is_all ? json_null() : cli_json_parameters(job->config, d->combination),
                     "symbol", *symbol ? cli_json_text(symbol) : json_null(), "bar",
                     cli_json_count(d->bar), "time", cli_json_time(d->time_ns), "what",
                     cli_json_text(d->what), "whole", cli_json_number(d->whole), "at_cut",
                     cli_json_number(d->cut), "future", check_future_name(d->future), "cut",
                     cut_json(&job->report, d->cut_idx));
}

static json_t *differences_json(const struct job *job)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < job->report.differences_n; i++)
        json_array_append_new(all, difference_json(job, &job->report.difference[i]));
    return all;
}

static json_t *failures_json(const struct check_report *r)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < r->failures_n; i++) {
        const struct check_failure *f = &r->failure[i];
        json_array_append_new(
            all, json_pack("{s:o,s:s,s:o,s:s,s:o}", "combination", cli_json_count(f->combination),
                           "status", status_name(f->status), "why", cli_json_text(f->why), "future",
                           f->cut_idx < r->cuts_n ? check_future_name(f->future) : "the whole",
                           "cut", cut_json(r, f->cut_idx)));
    }
    return all;
}

static int print_json(const struct job *job, struct err *err)
{
    const struct check_report *r = &job->report;
    uint64_t hash[2];
    struct buf verdict = {0};
    config_hash(job->config, hash);
    write_verdict(job, &verdict);
    json_t *text = verdict.failed ? NULL : cli_json_text(verdict.data);
    buf_fini(&verdict);
    json_t *cuts = json_array(), *columns = json_array();
    for (uint32_t i = 0; i < r->cuts_n; i++)
        json_array_append_new(cuts, cut_json(r, i));
    for (uint32_t i = 0; i < r->columns_n; i++)
        json_array_append_new(columns, cli_json_text(r->column[i]));
    json_t *json = json_pack(
        "{s:s,s:o,s:o,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "verdict",
        verdict_names[verdict_of(r)], "verdict_text", text, "config_hash", cli_json_hash(hash),
        "data_hash", cli_json_hash(r->data_hash), "engine_version", ENGINE_VERSION, "combinations",
        cli_json_count(r->grid_n), "compared", cli_json_count(r->compared_n), "invalid",
        cli_json_count(r->refused_n), "bars", cli_json_count(r->steps_n), "values",
        cli_json_count(r->values_n), "cuts", cuts, "taken_as_imported", columns, "differences",
        differences_json(job), "failures", failures_json(r));
    return cli_print_json(json, err);
}

/* ---- the command ---------------------------------------------------------------------------- */

static void show_progress(void *ctx, uint64_t done_n, uint64_t total_n)
{
    struct job *job = ctx;
    int64_t now = mono_now_ns();
    if (now - job->shown_ns < SHOW_EVERY_NS)
        return;
    job->shown_ns = now;
    job->has_line = true;
    fprintf(stderr, "\r%" PRIu64 "/%" PRIu64 "\033[K", done_n, total_n);
    fflush(stderr);
}

static int count_option(const char *name, bool is_given, uint64_t value, uint64_t otherwise,
                        uint64_t most, uint32_t *ret_n, struct err *err)
{
    uint64_t n = is_given ? value : otherwise;
    if (n < 1 || n > most)
        return err_set(err, ERR_USAGE, "--%s is a number from 1 to %" PRIu64, name, most);
    *ret_n = (uint32_t)n;
    return 0;
}

/* The store is opened where a symbol has no file of its own. */
static int open_store(struct job *job, struct err *err)
{
    for (uint32_t s = 0; s < job->config->symbols_n + job->config->references_n; s++)
        if (job->config->symbols[s].csv[0] == '\0')
            return cli_store_open(job->args, STORE_READ, &job->store, err);
    return 0;
}

static int job_run(struct job *job, struct err *err)
{
    const struct cli_args *args = job->args;
    struct check_options options = {.seed = args->seed_given ? args->seed : job->config->seed};
    if (!args->quiet && isatty(STDERR_FILENO)) {
        options.progress = show_progress;
        options.progress_ctx = job;
    }
    int r =
        count_option("combinations", args->combinations_given, args->combinations,
                     COMBINATIONS_DEFAULT, CHECK_COMBINATIONS_MAX, &options.combinations_n, err);
    if (r == 0)
        r = count_option("cuts", args->cuts_given, args->cuts, CUTS_DEFAULT, CHECK_CUTS_MAX,
                         &options.cuts_n, err);
    if (r == 0)
        r = open_store(job, err);
    if (r == 0)
        r = check_run(job->config, job->describe, job->store, &options, &job->report, err);
    if (job->has_line)
        fputs("\r\033[K", stderr);
    if (r < 0)
        return r;
    return args->json ? print_json(job, err) : print_text(job, err);
}

int cmd_check(const struct cli_args *args, struct err *err)
{
    struct job job = {.args = args};
    int r = cli_describe(&job.describe, err);
    if (r == 0)
        r = config_load(args->positional[0], args->sets, args->sets_n, job.describe, &job.config,
                        err);
    if (r == 0)
        r = job_run(&job, err);
    if (r < 0 && err->kind == ERR_INTERRUPTED)
        r = 128 + job.report.stop_signal;
    else if (r == 0 && verdict_of(&job.report) != VERDICT_CLEAN)
        r = err_exit_code(ERR_COMBINATIONS);
    check_report_fini(&job.report);
    store_close(job.store);
    config_destroy(job.config);
    describe_destroy(job.describe);
    return r;
}
