/* SPDX-License-Identifier: MIT */
/* admf plan --series: every series of the parameter space, by levels. */
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/plan.h"

/* ---- the table ------------------------------------------------------------------------------ */

enum column { LEVEL, KEY, CLASS, DTYPE, USERS, BYTES, SHARE, COLUMNS_N };

static void add_number(struct cli_table *t, enum column column, const char *text)
{
    cli_table_add(t, column, text, true);
}

static void add_row(struct cli_table *t, const struct plan_job *job, const struct planned_series *s,
                    double all_bytes)
{
    char text[64];
    struct buf key = {0};
    planned_put_key(job->config, job->series, s, &key);
    buf_append(&key, "", 1);
    cli_table_add(t, LEVEL, graph_level_name(s->level), false);
    cli_table_add(t, KEY, key.failed ? s->key : (const char *)key.data, false);
    cli_table_add(t, CLASS, planned_class_name(job->series, s), false);
    cli_table_add(t, DTYPE, planned_dtype_name(s->dtype), false);
    snprintf(text, sizeof text, "%s%llu", s->is_exact ? "" : "~", (unsigned long long)s->users_n);
    add_number(t, USERS, text);
    add_number(t, BYTES, bytes_format(s->bytes, text, sizeof text));
    snprintf(text, sizeof text, "%.1f%%", all_bytes > 0 ? 100.0 * (double)s->bytes / all_bytes : 0);
    add_number(t, SHARE, text);
    buf_fini(&key);
}

static double bytes_of(const struct planned_series *series, uint32_t n)
{
    double bytes = 0;
    for (uint32_t i = 0; i < n; i++)
        bytes += (double)series[i].bytes;
    return bytes;
}

static void fill(struct cli_table *t, const struct plan_job *job, double all_bytes)
{
    const struct series_plan *plan = job->series;
    uint32_t shown_n = 0;
    for (uint32_t i = 0; i < plan->columns_n && shown_n < PLAN_LIST_MAX; i++, shown_n++)
        add_row(t, job, &plan->columns[i], all_bytes);
    for (int level = LEVEL_DERIVED; level < GRAPH_LEVELS_N; level++) {
        for (uint32_t i = 0; i < plan->n && shown_n < PLAN_LIST_MAX; i++) {
            if ((int)plan->series[i].level != level)
                continue;
            add_row(t, job, &plan->series[i], all_bytes);
            shown_n++;
        }
    }
}

/* ---- totals --------------------------------------------------------------------------------- */

static const char *bytes_text(double bytes, char *text, size_t n)
{
    return bytes_format(bytes < 1e19 ? (uint64_t)bytes : UINT64_MAX, text, n);
}

static const char *time_text(double seconds, char *text, size_t n)
{
    double ns = seconds * 1e9;
    return duration_format(ns < 9e18 ? (int64_t)ns : INT64_MAX, text, n);
}

void plan_print_savings(const struct series_plan *series)
{
    struct series_statistics s;
    char shared[64], naive[64], cost[64], naive_cost[64];
    series_plan_statistics(series, &s);
    if (s.naive_calculations <= 0)
        return;
    const char *about = s.is_exact ? "" : "about ";
    printf(
        "sharing       %s%.0f uses of %.0f series; %s instead of %s (%.1f %% less), %s instead of "
        "%s of computing (%.1f times less)\n",
        about, s.users_n, s.built_n, bytes_text(s.bytes, shared, sizeof shared),
        bytes_text(s.naive_bytes, naive, sizeof naive),
        s.naive_bytes > 0 ? 100.0 * (1.0 - s.bytes / s.naive_bytes) : 0.0,
        time_text(s.cost_s, cost, sizeof cost),
        time_text(s.naive_cost_s, naive_cost, sizeof naive_cost),
        s.cost_s > 0 ? s.naive_cost_s / s.cost_s : 1.0);
}

static void print_totals(const struct plan_job *job, double all_bytes)
{
    char text[64];
    uint32_t n[GRAPH_LEVELS_N];
    const struct series_plan *plan = job->series;
    series_plan_levels(plan, n);
    uint64_t all_n = (uint64_t)plan->columns_n + plan->n;
    if (all_n > PLAN_LIST_MAX)
        printf("… and %llu more\n", (unsigned long long)(all_n - PLAN_LIST_MAX));
    printf("\nseries        %u base, %u derived, %u complex; %u of them conditions; %s\n",
           n[LEVEL_BASE], n[LEVEL_DERIVED], n[LEVEL_COMPLEX], plan->conditions_n,
           bytes_text(all_bytes, text, sizeof text));
    plan_print_savings(plan);
}

static int print_table(const struct plan_job *job, struct err *err)
{
    static const char *const headers[] = {"level", "series", "class", "dtype",
                                          "users", "bytes",  "share"};
    const struct series_plan *plan = job->series;
    double all_bytes = bytes_of(plan->columns, plan->columns_n) + bytes_of(plan->series, plan->n);
    struct cli_table *t = cli_table_create(COLUMNS_N, headers);
    if (!t)
        return err_set(err, ERR_SYSTEM, "out of memory for a table");
    fill(t, job, all_bytes);
    cli_table_print(t, stdout);
    cli_table_destroy(t);
    print_totals(job, all_bytes);
    return 0;
}

static int print_dot(const struct plan_job *job, struct err *err)
{
    struct buf out = {0};
    series_plan_dot(job->config, job->series, &out);
    bool failed = out.failed;
    if (!failed)
        fwrite(out.data, 1, out.n_bytes, stdout);
    buf_fini(&out);
    return failed ? err_set(err, ERR_SYSTEM, "out of memory for a graph") : 0;
}

int plan_print_series(const struct plan_job *job, struct err *err)
{
    const char *format = job->args->format;
    return format && strcmp(format, "dot") == 0 ? print_dot(job, err) : print_table(job, err);
}
