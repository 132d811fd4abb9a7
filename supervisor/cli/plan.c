/* SPDX-License-Identifier: MIT */
/* admf plan: what a run would be. Bars are loaded for their number and columns; nothing is built.
 */
#include "supervisor/cli/plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/schema.h"
#include "supervisor/pool/pace.h"

/* Measured with sma_cross over 5,105 daily bars, on one processor of a machine of 2026: the slopes
 * of a run's time over its bars, its combinations (with commits of their results), and what is
 * left. A step of a wave in lockstep is a barrier of all workers and the shared components' turn.
 */
#define NS_PER_BAR_STEP      21.0
#define NS_PER_COMBINATION   5e3
#define NS_PER_RUN           4e7
#define NS_PER_LOCKSTEP_STEP 8e4

#define SHOWN_MAX 10 /* containers, wires, series of the text */

/* ---- planning ------------------------------------------------------------------------------- */

/* In lockstep every worker takes its lanes through a wave of the range, step by step. */
static double seconds_of(const struct plan_job *job, double rows)
{
    double combinations = (double)job->sharing->combinations_n, workers = job->workers;
    double ns = NS_PER_RUN + combinations * (rows * NS_PER_BAR_STEP + NS_PER_COMBINATION) / workers;
    if (job->config->mode == RUN_LOCKSTEP)
        ns += ceil(combinations / (PACE_LANES_MAX * workers)) * rows * NS_PER_LOCKSTEP_STEP;
    return ns * 1e-9;
}

/* Of series, what the budget has room for. */
static void estimate(struct plan_job *job)
{
    const struct series_plan *series = job->series;
    const struct plane_plan plan = {.symbols_n = job->range.all_n,
                                    .traded_n = job->range.symbols_n,
                                    .bars = job->range.cut,
                                    .first_row = job->range.warm_up_rows,
                                    .clocks_n = series->clocks_n,
                                    .clocks = series->clocks,
                                    .is_named = series->is_named};
    uint64_t bytes = 0, budget = config_plane_budget(job->config);
    double rows =
        (double)range_rows_n(&job->range) / (job->config->each_symbol ? job->range.symbols_n : 1);
    job->memory_bytes = plane_core_bytes(&plan);
    for (uint32_t i = 0; i < series->n; i++)
        bytes += (series->series[i].bytes + 63) / 64 * 64;
    uint64_t room = budget > job->memory_bytes ? budget - job->memory_bytes : 0;
    job->memory_bytes += bytes < room ? bytes : room;
    job->workers = job->config->workers ? job->config->workers : cli_processors_n();
    job->seconds = seconds_of(job, rows);
}

/* The store is opened only where a symbol has to come from it. */
static int load_range(struct plan_job *job, struct err *err)
{
    int rc = 0;
    for (uint32_t s = 0; rc == 0 && s < job->config->symbols_n + job->config->references_n; s++)
        if (!job->config->symbols[s].csv[0] && !job->store)
            rc = cli_store_open(job->args, STORE_READ, &job->store, err);
    if (rc == 0)
        rc = range_load(job->config, job->store, NULL, &job->range, err);
    return rc < 0 ? rc : range_steps_n(&job->range, &job->steps_n, err);
}

static int make_plan(struct plan_job *job, struct err *err)
{
    int rc = load_range(job, err);
    if (rc == 0)
        rc = sharing_make(job->config, &job->sharing, err);
    const struct series_plan_options options = {.config = job->config,
                                                .describe = job->describe,
                                                .bars = job->range.cut,
                                                .symbols_n = job->range.symbols_n,
                                                .most = SERIES_PLAN_MOST,
                                                .wants_conditions = true,
                                                .is_f32 = job->config->series_dtype == SERIES_F32};
    if (rc == 0)
        rc = series_plan_create(&options, &job->series, err);
    if (rc == 0)
        estimate(job);
    return rc;
}

/* ---- for people ----------------------------------------------------------------------------- */

static void print_series(const struct plan_job *job)
{
    char shown[SPEC_RULE_BYTES];
    const struct series_plan *plan = job->series;
    uint32_t shown_n = 0;
    printf("series        %u unique", plan->n - plan->conditions_n);
    for (uint32_t i = 0; i < plan->n && shown_n < SHOWN_MAX; i++) {
        struct buf key = {0};
        if (plan->series[i].is_condition)
            continue;
        planned_put_key(job->config, plan, &plan->series[i], &key);
        buf_append(&key, "", 1);
        printf("%s%s", shown_n++ ? ", " : ": ",
               key.failed ? "" : err_printable((const char *)key.data, shown, sizeof shown));
        buf_fini(&key);
    }
    puts(plan->n - plan->conditions_n > SHOWN_MAX ? ", …" : "");
    if (plan->conditions_n)
        printf("conditions    %u shared\n", plan->conditions_n);
    plan_print_savings(plan);
}

/* Values that an indicator does not take: their combinations end as `invalid`. */
static void print_refused(const struct series_plan *series)
{
    char shown[1024];
    if (series->refused_n)
        printf("invalid       %llu uses of values that an indicator does not take; the first: %s\n",
               (unsigned long long)series->refused_n,
               err_printable(series->refused.text, shown, sizeof shown));
}

static void print_symbols(const struct plan_job *job)
{
    char shown[256];
    printf("bars          %llu of", (unsigned long long)job->steps_n);
    for (uint32_t s = 0; s < job->range.symbols_n && s < SHOWN_MAX; s++)
        printf("%s %s", s ? "," : "",
               err_printable(job->config->symbols[s].name, shown, sizeof shown));
    puts(job->range.symbols_n > SHOWN_MAX ? ", …" : "");
}

/* A value as it is written in a configuration; what is null there is none. */
static const char *plain_text(const json_t *value, char text[static F64_BYTES])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_number(value))
        return f64_format_short(json_number_value(value), text);
    return json_is_boolean(value) ? (json_is_true(value) ? "true" : "false") : "none";
}

/* Keys that are shown though they have their native default. */
static bool is_always_shown(const char *key)
{
    static const char *const keys[] = {"commission", "slippage", "fill", "max_position_size",
                                       "opposite_signal"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static bool is_default(const char *key, const char *text)
{
    const struct schema_row *row = schema_find("execution", key);
    row = row ? row : schema_find("risk", key);
    return row && row->dflt && strcmp(row->dflt, text) == 0;
}

/* The parts of a cost that are charged. */
static void print_parts(json_t *parts)
{
    char text[F64_BYTES];
    const char *before = " {";
    for (void *at = json_object_iter(parts); at; at = json_object_iter_next(parts, at)) {
        const json_t *part = json_object_iter_value(at);
        if (json_number_value(part) == 0.0)
            continue;
        printf("%s%s: %s", before, json_object_iter_key(at), plain_text(part, text));
        before = ", ";
    }
    putchar('}');
}

static void print_value(const char *key, json_t *value)
{
    char buffer[F64_BYTES];
    const char *text = plain_text(value, buffer);
    if (!json_is_object(value) && !is_always_shown(key) && is_default(key, text))
        return;
    printf(" %s", key);
    if (json_is_object(value))
        print_parts(value);
    else /* a risk container's commission that is not configured */
        printf(" %s",
               json_is_null(value) && strcmp(key, "commission") == 0 ? "as execution" : text);
}

static void print_container(const json_t *entry)
{
    json_t *config = json_object_get(entry, "config");
    printf("  %-12s serves %lld:", json_string_value(json_object_get(entry, "container_id")),
           (long long)json_integer_value(json_object_get(entry, "serves_count")));
    for (void *at = json_object_iter(config); at; at = json_object_iter_next(config, at))
        print_value(json_object_iter_key(at), json_object_iter_value(at));
    putchar('\n');
}

/* The first entries of a list, and how many more of `n` there are. */
static void print_list(const json_t *list, uint64_t n, void (*print)(const json_t *entry))
{
    for (size_t i = 0; i < json_array_size(list) && i < SHOWN_MAX; i++)
        print(json_array_get(list, i));
    if (n > SHOWN_MAX)
        printf("  … and %llu more\n", (unsigned long long)n - SHOWN_MAX);
}

/* The one end of a wire, or how many there are. */
static void print_end(const json_t *wire, const char *key, const char *count_key)
{
    long long n = json_integer_value(json_object_get(wire, count_key));
    const json_t *first = json_array_get(json_object_get(wire, key), 0);
    if (n == 1)
        printf(" %s", json_string_value(first));
    else
        printf(" %lld %s", n, strcmp(key, "sources") == 0 ? "sources" : "targets");
}

static void print_wire(const json_t *wire)
{
    const char *routing = json_string_value(json_object_get(wire, "routing_key"));
    const json_t *types = json_object_get(wire, "event_types");
    printf("  %-26s %-9s", json_string_value(json_object_get(wire, "name")),
           json_string_value(json_object_get(wire, "type")));
    for (size_t i = 0; i < json_array_size(types); i++)
        printf("%s%s", i ? "," : " ", json_string_value(json_array_get(types, i)));
    print_end(wire, "sources", "sources_count");
    fputs(" ->", stdout);
    print_end(wire, "targets", "targets_count");
    printf("%s%s\n", routing ? " by " : "", routing ? routing : "");
}

static void print_containers(const struct plan_job *job, const json_t *plan)
{
    const struct sharing *s = job->sharing;
    const json_t *containers = json_object_get(plan, "containers");
    printf("containers    %llu instead of %llu (%.0f %% fewer): 1 hub, %u risk, %u execution, "
           "%llu portfolio, %llu strategy\n",
           (unsigned long long)s->total, (unsigned long long)s->naive_total,
           100.0 * json_real_value(json_object_get(containers, "saving_frac")), s->risk_n,
           s->execution_n, (unsigned long long)s->combinations_n,
           (unsigned long long)s->combinations_n);
    print_list(json_object_get(containers, "risk"), s->risk_n, print_container);
    print_list(json_object_get(containers, "execution"), s->execution_n, print_container);
    puts("wiring");
    print_list(json_object_get(plan, "wiring"), 1 + s->risk_n + UINT64_C(2) * s->execution_n,
               print_wire);
}

static void print_text(const struct plan_job *job, const json_t *plan)
{
    char text[64];
    printf("combinations  %llu", (unsigned long long)job->sharing->combinations_n);
    if (job->sharing->combinations_n != job->config->combinations_n)
        printf(" (`where` excludes %llu of %llu)",
               (unsigned long long)(job->config->combinations_n - job->sharing->combinations_n),
               (unsigned long long)job->config->combinations_n);
    putchar('\n');
    print_symbols(job);
    print_series(job);
    print_refused(job->series);
    print_containers(job, plan);
    printf("memory        %s of shared data\n", bytes_format(job->memory_bytes, text, sizeof text));
    double ns = job->seconds * 1e9;
    printf("time          about %s with %u worker%s, %s\n",
           duration_format(ns < 9e18 ? (int64_t)ns : INT64_MAX, text, sizeof text), job->workers,
           cli_s(job->workers), job->config->mode == RUN_LOCKSTEP ? "in lockstep" : "free");
}

/* ---- the command ---------------------------------------------------------------------------- */

static int print_plan(struct plan_job *job, struct err *err)
{
    const struct cli_args *args = job->args;
    bool is_part = args->series || args->format || args->compare_dtype;
    int rc = 0;
    if (is_part && !args->json && (args->series || args->format))
        rc = plan_print_series(job, err);
    if (rc == 0 && !args->json && args->compare_dtype)
        rc = plan_compare_dtype(job, NULL, err);
    if (rc < 0 || (is_part && !args->json))
        return rc < 0 ? rc : cli_finish_stdout(err);
    json_t *plan = plan_json(job->config, job->sharing, job->series, job->steps_n,
                             job->memory_bytes, job->seconds);
    if (plan && args->compare_dtype)
        rc = plan_compare_dtype(job, plan, err);
    if (rc == 0 && (args->json || !plan))
        return cli_print_json(plan, err);
    if (rc == 0)
        print_text(job, plan);
    json_decref(plan);
    return rc < 0 ? rc : cli_finish_stdout(err);
}

static int print_resolved(const struct config *config, struct err *err)
{
    struct buf out = {0};
    config_resolved(config, &out);
    bool failed = out.failed;
    if (!failed)
        fwrite(out.data, 1, out.n_bytes, stdout);
    buf_fini(&out);
    return failed ? err_set(err, ERR_SYSTEM, "out of memory while writing the configuration")
                  : cli_finish_stdout(err);
}

static void job_fini(struct plan_job *job)
{
    series_plan_destroy(job->series);
    sharing_destroy(job->sharing);
    range_fini(&job->range);
    store_close(job->store);
    config_destroy(job->config);
    describe_destroy(job->describe);
    free(job);
}

static int check_format(const struct cli_args *args, struct err *err)
{
    char shown[64];
    if (!args->format || strcmp(args->format, "text") == 0 || strcmp(args->format, "dot") == 0)
        return 0;
    return err_set(err, ERR_USAGE, "--format is \"%s\"; plan --series knows text and dot",
                   err_printable(args->format, shown, sizeof shown));
}

int cmd_plan(const struct cli_args *args, struct err *err)
{
    if (check_format(args, err) < 0)
        return -EINVAL;
    struct plan_job *job = calloc(1, sizeof *job);
    if (!job)
        return err_set(err, ERR_SYSTEM, "out of memory while planning");
    job->args = args;
    int rc = cli_describe(&job->describe, err);
    if (rc == 0)
        rc = config_load(args->positional[0], args->sets, args->sets_n, job->describe, &job->config,
                         err);
    if (rc == 0)
        cli_print_notes(job->config);
    if (rc == 0 && args->resolved)
        rc = print_resolved(job->config, err);
    else if (rc == 0 && (rc = make_plan(job, err)) == 0)
        rc = print_plan(job, err);
    job_fini(job);
    return rc;
}
