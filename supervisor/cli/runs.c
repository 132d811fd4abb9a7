/* SPDX-License-Identifier: MIT */
/* admf runs: every run of the store, the oldest first. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/common.h"
#include "supervisor/cli/record.h"

static const char *const heads[] = {"run",    "started", "state",  "combinations", "ok",
                                    "failed", "invalid", "wall_s", "workers"};

/* Runs whose record says `running`, with their state and counts as they are. */
struct settled {
    struct settled *next;
    struct run_record record; /* without its config */
};

struct walk {
    struct cli_table *table; /* or */
    json_t *list;
    uint64_t n;
    struct settled *settled;
    bool failed; /* out of memory */
};

static void add_count(struct cli_table *t, unsigned column, uint64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    cli_table_add(t, column, text, true);
}

static void add_row(struct cli_table *t, const struct run_record *run)
{
    char text[64];
    cli_table_add(t, 0, run->id, false);
    cli_table_add(t, 1, cli_time_text(run->started_ns, text), false);
    cli_table_add(t, 2, cli_run_state_name(run->state), false);
    add_count(t, 3, run->combinations_n);
    add_count(t, 4, run->ok_n);
    add_count(t, 5, run->failed_n);
    add_count(t, 6, run->invalid_n);
    snprintf(text, sizeof text, "%.2f", run->wall_s);
    cli_table_add(t, 7, run->ended_ns ? text : "-", true);
    snprintf(text, sizeof text, "%u", run->workers);
    cli_table_add(t, 8, run->ended_ns ? text : "-", true);
}

/* Results are counted between walks: a walk is one transaction. */
static int take_running(void *ctx, const struct run_record *run)
{
    struct walk *w = ctx;
    if (run->state != RUN_STATE_RUNNING)
        return 0;
    struct settled *s = calloc(1, sizeof *s);
    w->failed = !s;
    if (!s)
        return 1;
    s->record = *run;
    s->record.config = NULL;
    s->next = w->settled;
    w->settled = s;
    return 0;
}

static int settle_all(struct walk *w, struct store *store, struct err *err)
{
    int rc = store_each_run(store, take_running, w, err);
    if (rc == 0 && w->failed)
        rc = err_set(err, ERR_SYSTEM, "out of memory while listing runs");
    for (struct settled *s = w->settled; rc == 0 && s; s = s->next)
        rc = cli_run_settle(store, &s->record, err);
    return rc;
}

static void settled_free(struct settled *s)
{
    while (s) {
        struct settled *next = s->next;
        free(s);
        s = next;
    }
}

static int take_run(void *ctx, const struct run_record *run)
{
    struct walk *w = ctx;
    w->n++;
    for (const struct settled *s = w->settled; s; s = s->next)
        if (run->state == RUN_STATE_RUNNING && strcmp(s->record.id, run->id) == 0)
            run = &s->record;
    if (w->table)
        add_row(w->table, run);
    else
        json_array_append_new(w->list, cli_record_json(run));
    return 0;
}

json_t *cli_record_json(const struct run_record *run)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "run", run->id, "state", cli_run_state_name(run->state), "started",
                     cli_json_time(run->started_ns), "ended", cli_json_time(run->ended_ns),
                     "config_hash", cli_json_hash(run->config_hash), "data_hash",
                     cli_json_hash(run->data_hash), "engine_version", run->engine_version,
                     "combinations", cli_json_count(run->combinations_n), "ok",
                     cli_json_count(run->ok_n), "failed", cli_json_count(run->failed_n), "invalid",
                     cli_json_count(run->invalid_n), "retried", cli_json_count(run->retried_n),
                     "workers", run->ended_ns ? cli_json_count(run->workers) : json_null(),
                     "wall_s", run->ended_ns ? cli_json_number(run->wall_s) : json_null(),
                     "bar_steps", run->ended_ns ? cli_json_count(run->bar_steps) : json_null());
}

int cmd_runs(const struct cli_args *args, struct err *err)
{
    struct store *store = NULL;
    struct walk w = {0};
    int rc = cli_store_open(args, STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    if (args->json)
        w.list = json_array();
    else
        w.table = cli_table_create(sizeof heads / sizeof *heads, heads);
    if (!w.list && !w.table)
        rc = err_set(err, ERR_SYSTEM, "out of memory while listing runs");
    if (rc == 0)
        rc = settle_all(&w, store, err);
    if (rc == 0)
        rc = store_each_run(store, take_run, &w, err);
    settled_free(w.settled);
    store_close(store);
    if (rc == 0 && w.list)
        return cli_print_json(w.list, err);
    if (rc == 0 && w.n == 0)
        fputs("no runs yet: admf run CONFIG makes one\n", stderr);
    else if (rc == 0)
        cli_table_print(w.table, stdout);
    cli_table_destroy(w.table);
    json_decref(w.list);
    return rc < 0 ? rc : cli_finish_stdout(err);
}
