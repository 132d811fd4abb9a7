/* SPDX-License-Identifier: MIT */
/* admf run: every combination computed, stored and ranked. Talk and progress go to stderr; stdout
 * has the leaderboard and `run ID`, or one JSON object. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "proto/metric.h"
#include "proto/status.h"
#include "proto/units.h"
#include "supervisor/cli/common.h"
#include "supervisor/cli/leaderboard.h"
#include "supervisor/pool/run.h"

#define PLAIN_EVERY_NS  (INT64_C(2) * NS_PER_S)
#define FAILURES_SHOWN  5
#define PROGRESS_BYTES  256
#define COLUMNS_DEFAULT 80 /* of a terminal that does not say */

struct job {
    const struct cli_args *args;
    struct describe *describe;
    struct config *config;
    struct store *store;
    struct run_summary summary;
    struct leaderboard board;
    /* progress */
    bool is_terminal;
    bool has_line; /* an unfinished line is on the terminal */
    int64_t shown_ns;
    uint64_t failures_n; /* printed so far */
};

/* ---- progress ------------------------------------------------------------------------------- */

static void write_progress(const struct job *job, const struct run_progress *p,
                           char out[static PROGRESS_BYTES])
{
    char left[32], best[64] = "";
    if (isfinite(p->seconds_left))
        duration_format((int64_t)(p->seconds_left * 1e9), left, sizeof left);
    else
        strcpy(left, "?");
    if (p->has_best)
        snprintf(best, sizeof best, ", best %s %.4g (%" PRIu64 ")",
                 metric_row((enum metric)job->config->objective)->name, p->best.objective,
                 p->best.combination);
    double percent = p->total_n > 0 ? 100.0 * (double)p->done_n / (double)p->total_n : 100.0;
    snprintf(out, PROGRESS_BYTES,
             "%" PRIu64 "/%" PRIu64 " (%.0f %%), %.0f/s, %s left, %" PRIu64 " failed%s", p->done_n,
             p->total_n, percent, p->per_second, left, p->failed_n, best);
}

/* Over the line before, and cut where the terminal ends: a line that wraps cannot be taken back. */
static void print_over(const char *text)
{
    unsigned columns_n = cli_columns_n(STDERR_FILENO);
    int most = (int)(columns_n ? columns_n : COLUMNS_DEFAULT) - 1;
    fprintf(stderr, "\r%.*s\033[K", most, text);
    fflush(stderr);
}

static void show_progress(void *ctx, const struct run_progress *p)
{
    struct job *job = ctx;
    char text[PROGRESS_BYTES];
    int64_t now = mono_now_ns();
    if (!job->is_terminal && now - job->shown_ns < PLAIN_EVERY_NS)
        return;
    write_progress(job, p, text);
    if (job->is_terminal) {
        print_over(text);
        job->has_line = true;
    } else {
        job->shown_ns = now;
        fprintf(stderr, "%s\n", text);
    }
}

static void end_line(struct job *job)
{
    if (job->has_line)
        fputs("\r\033[K", stderr);
    job->has_line = false;
}

/* ---- talk ----------------------------------------------------------------------------------- */

/* One word for a shell: quoted where it needs it. */
static void print_word(const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@+%";
    if (word[0] && word[strspn(word, plain)] == '\0') {
        fprintf(stderr, " %s", word);
        return;
    }
    fputs(" '", stderr);
    for (const char *c = word; *c; c++)
        fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, stderr);
    fputc('\'', stderr);
}

static void print_resume_command(const struct cli_args *args, const char *run_id)
{
    fputs("  admf run", stderr);
    print_word(args->positional[0]);
    fputs(" --resume", stderr);
    print_word(run_id);
    if (args->store) {
        fputs(" --store", stderr);
        print_word(args->store);
    }
    for (unsigned i = 0; i < args->sets_n; i++) {
        fputs(" --set", stderr);
        print_word(args->sets[i]);
    }
    fputc('\n', stderr);
}

static int print_failure(void *ctx, const struct result *result)
{
    struct job *job = ctx;
    char message[300];
    if (!status_is_failure((enum status)result->status))
        return 0;
    fprintf(stderr, "  combination %" PRIu64 ": %s, %s\n", result->combination,
            status_name((enum status)result->status),
            err_printable(result->message, message, sizeof message));
    return ++job->failures_n >= FAILURES_SHOWN;
}

static void print_failures(struct job *job)
{
    const struct run_record *r = &job->summary.record;
    struct err ignored; /* the store was read for the leaderboard: what is wrong was said there */
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " combination%s failed:\n", r->failed_n,
            r->combinations_n, cli_s(r->combinations_n));
    (void)!store_each_result(job->store, r->id, print_failure, job, &ignored);
    if (r->failed_n > FAILURES_SHOWN)
        fprintf(stderr, "  and %" PRIu64 " more\n", r->failed_n - FAILURES_SHOWN);
    fprintf(stderr, "admf export %s --what faults lists every one with its reason\n", r->id);
}

/* What came of computing each series once, measured. */
static void print_series(const struct hub_stats *s)
{
    char bytes[32];
    if (s->users_n > 0)
        fprintf(stderr,
                "series: %" PRIu64 " built for %" PRIu64 " uses, %" PRIu64
                " recomputed, %s at most; %.4g %% of computing and %.4g %% of memory saved "
                "against a copy for each combination\n",
                s->built_n, s->users_n, s->recomputed_n,
                bytes_format(s->bytes_peak, bytes, sizeof bytes), 100 * s->efficiency,
                100 * s->memory_saved_frac);
    if (s->builder_deaths_n > 0)
        fprintf(stderr, "%u builder%s of series died; no series was lost by it\n",
                s->builder_deaths_n, s->builder_deaths_n == 1 ? "" : "s");
    if (s->left_n > 0)
        fprintf(stderr,
                "warning: %" PRIu64 " series could not be built and %s left to workers: %s\n",
                s->left_n, s->left_n == 1 ? "was" : "were", s->left_why);
}

static void print_talk(struct job *job)
{
    const struct run_summary *s = &job->summary;
    char took[32], plane[32];
    uint64_t done_n = s->record.combinations_n - s->not_run_n;
    fprintf(stderr, "%" PRIu64 " combination%s in %s on %u worker%s, %u series, plane of %s\n",
            done_n, cli_s(done_n),
            duration_format((int64_t)(s->record.wall_s * 1e9), took, sizeof took),
            s->record.workers, cli_s(s->record.workers), s->series.series_n,
            bytes_format(s->plane_bytes, plane, sizeof plane));
    print_series(&s->series);
}

static void print_end(struct job *job)
{
    const struct run_summary *s = &job->summary;
    if (s->record.failed_n > 0)
        print_failures(job);
    leaderboard_explain(stderr, &job->board, &s->record, job->args->quiet);
    if (s->interrupted_by) {
        fprintf(stderr, "stopped by %s, %" PRIu64 " combination%s left. To go on:\n",
                s->interrupted_by == SIGTERM ? "SIGTERM" : "SIGINT", s->not_run_n,
                s->not_run_n == 1 ? " is" : "s are");
        print_resume_command(job->args, s->record.id);
    }
}

/* ---- data ----------------------------------------------------------------------------------- */

static json_t *best_json(const struct job *job)
{
    const struct run_summary *s = &job->summary;
    if (!s->has_best)
        return json_null();
    const struct config_strategy *strategy = grid_strategy(job->config, s->best.combination);
    return json_pack("{s:o, s:s, s:s, s:o, s:o}", "combination",
                     cli_json_count(s->best.combination), "strategy",
                     strategy ? strategy->spec.name : "", "objective",
                     metric_row((enum metric)job->config->objective)->name, "value",
                     cli_json_number(s->best.objective), "parameters",
                     cli_json_parameters(job->config, s->best.combination));
}

static json_t *series_json(const struct hub_stats *s)
{
    json_t *json = json_object();
    const struct {
        const char *name;
        json_t *value;
    } values[] = {
        {"planned", cli_json_count(s->series_n)},
        {"built", cli_json_count(s->built_n)},
        {"users", cli_json_count(s->users_n)},
        {"recomputed", cli_json_count(s->recomputed_n)},
        {"evicted", cli_json_count(s->evicted_n)},
        {"released", cli_json_count(s->released_n)},
        {"left_to_workers", cli_json_count(s->left_n)},
        {"bytes", cli_json_count(s->bytes_peak)},
        {"calculations", cli_json_count(s->calculations)},
        {"calculations_saved", cli_json_count(s->calculations_saved)},
        {"efficiency", cli_json_number(s->efficiency)},
        {"memory_saved_frac", cli_json_number(s->memory_saved_frac)},
        {"computing_speedup", cli_json_number(s->computing_speedup)},
        {"build_s", json_real(s->build_s)},
        {"builders", cli_json_count(s->builders_started_n)},
        {"builder_deaths", cli_json_count(s->builder_deaths_n)},
    };
    bool failed = !json;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        failed |= json_object_set_new(json, values[i].name, values[i].value) < 0;
    if (!failed)
        return json;
    json_decref(json);
    return NULL;
}

static int print_json(const struct job *job, struct err *err)
{
    const struct run_summary *s = &job->summary;
    const struct run_record *r = &s->record;
    json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "run", r->id, "digest",
                             s->digest, "config_hash", cli_json_hash(r->config_hash), "data_hash",
                             cli_json_hash(r->data_hash), "engine_version", r->engine_version,
                             "combinations", cli_json_count(r->combinations_n), "ok",
                             cli_json_count(r->ok_n), "failed", cli_json_count(r->failed_n));
    const struct {
        const char *name;
        json_t *value;
    } more[] = {
        {"invalid", cli_json_count(r->invalid_n)},
        {"not_run", cli_json_count(s->not_run_n)},
        {"retried", cli_json_count(r->retried_n)},
        {"workers", cli_json_count(r->workers)},
        {"limit_backend", json_string(s->limit_backend)},
        {"wall_s", json_real(r->wall_s)},
        {"bar_steps", cli_json_count(r->bar_steps)},
        {"series", series_json(&s->series)},
        {"plane_bytes", cli_json_count(s->plane_bytes)},
        {"interrupted", json_boolean(s->interrupted_by != 0)},
        {"best", best_json(job)},
    };
    bool failed = !json;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        failed |= json_object_set_new(json, more[i].name, more[i].value) < 0;
    if (failed) {
        json_decref(json);
        json = NULL;
    }
    return cli_print_json(json, err);
}

static int print_table(const struct job *job, struct err *err)
{
    leaderboard_write(stdout, &job->board, job->config);
    printf("\nrun %s\n", job->summary.record.id);
    return cli_finish_stdout(err);
}

/* ---- the command ---------------------------------------------------------------------------- */

static int job_run(struct job *job, struct err *err)
{
    const struct cli_args *args = job->args;
    bool is_quiet = args->quiet;
    job->is_terminal = isatty(STDERR_FILENO);
    job->shown_ns = mono_now_ns();
    struct run_options options = {
        .workers = (uint32_t)args->workers,
        .resume = args->resume,
        .progress = is_quiet ? NULL : show_progress,
        .progress_ctx = job,
    };
    int r = run_execute(job->config, job->describe, job->store, &options, &job->summary, err);
    end_line(job);
    if (r < 0)
        return r;
    if (!is_quiet)
        print_talk(job);
    struct leaderboard_options leaders = {0};
    r = leaderboard_make(job->store, job->config, &job->summary.record, &leaders, &job->board, err);
    if (r == 0)
        r = args->json ? print_json(job, err) : print_table(job, err);
    print_end(job);
    if (r < 0)
        fprintf(stderr, "run %s is stored: admf show %s\n", job->summary.record.id,
                job->summary.record.id);
    return r;
}

/* The id of the run that `name` names; "" where there is none. */
static void find_run(struct store *store, const char *name, char ret_id[static RUN_ID_BYTES])
{
    struct run_record record;
    struct err ignored; /* there need not be one */
    ret_id[0] = '\0';
    if (store_run_get(store, name, &record, &ignored) < 0)
        return;
    memcpy(ret_id, record.id, RUN_ID_BYTES);
    run_record_fini(&record);
}

/* After a run that could not go on: how to, where it has left a record. `before` is the last run of
 * the store before it. The store is opened again, as LMDB refuses all work after a failed write. */
static void print_way_on(struct job *job, const char *before, enum err_kind kind)
{
    char id[RUN_ID_BYTES];
    struct err ignored; /* the failure itself is what is reported */
    const char *resume = job->args->resume;
    bool is_refused = kind == ERR_CONFIG || kind == ERR_DATA || kind == ERR_NO_INPUT;
    store_close(job->store);
    job->store = NULL;
    if (cli_store_open(job->args, STORE_READ, &job->store, &ignored) < 0)
        return;
    find_run(job->store, resume ? resume : "last", id);
    if (id[0] == '\0' || (resume ? is_refused : strcmp(id, before) == 0))
        return;
    fprintf(stderr, "run %s keeps what was committed. To go on:\n", id);
    print_resume_command(job->args, id);
}

static int exit_code(const struct run_summary *s)
{
    if (s->interrupted_by)
        return 128 + s->interrupted_by;
    return s->record.failed_n > 0 ? err_exit_code(ERR_COMBINATIONS) : 0;
}

int cmd_run(const struct cli_args *args, struct err *err)
{
    struct job job = {.args = args};
    if (args->workers_given && (args->workers == 0 || args->workers > UINT32_MAX))
        return err_set(err, ERR_USAGE, "--workers is a number from 1 up");
    int r = cli_describe(&job.describe, err);
    if (r == 0)
        r = config_load(args->positional[0], args->sets, args->sets_n, job.describe, &job.config,
                        err);
    if (r == 0 && !args->quiet)
        cli_print_notes(job.config);
    if (r == 0)
        r = cli_store_open(args, STORE_WRITE, &job.store, err);
    char before[RUN_ID_BYTES] = "";
    if (r == 0) {
        find_run(job.store, "last", before);
        r = job_run(&job, err);
        if (r < 0 && job.summary.record.id[0] == '\0')
            print_way_on(&job, before, err->kind);
    }
    if (r == 0)
        r = exit_code(&job.summary);
    leaderboard_fini(&job.board);
    run_summary_fini(&job.summary);
    store_close(job.store);
    config_destroy(job.config);
    describe_destroy(job.describe);
    return r;
}
