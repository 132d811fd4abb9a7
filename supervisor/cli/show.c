/* SPDX-License-Identifier: MIT */
/* admf show: the facts of a run, how its combinations ended, and the best of them. */
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/common.h"
#include "supervisor/cli/leaderboard.h"
#include "supervisor/cli/record.h"

#define SYMBOLS_SHOWN 20

static void print_fact(const char *name, const char *text)
{
    char shown[1024];
    printf("%-14s %s\n", name, err_printable(text, shown, sizeof shown));
}

static void print_hash(const char *name, const uint64_t hash[2])
{
    printf("%-14s %016llx%016llx\n", name, (unsigned long long)hash[0],
           (unsigned long long)hash[1]);
}

/* With the hash of each one's bars, as `data info` has it. */
static void print_symbols(const struct cli_run *run)
{
    char shown[256];
    uint32_t n = run->config->symbols_n + run->config->references_n;
    for (uint32_t i = 0; i < n && i < SYMBOLS_SHOWN; i++) {
        const uint64_t *hash = run->record.symbol_hash[i];
        printf("%-14s %s", "symbol",
               err_printable(run->config->symbols[i].name, shown, sizeof shown));
        printf(", data_hash %016llx%016llx\n", (unsigned long long)hash[0],
               (unsigned long long)hash[1]);
    }
    if (n > SYMBOLS_SHOWN)
        printf("%-14s and %u more\n", "", n - SYMBOLS_SHOWN);
}

static json_t *symbols_json(const struct cli_run *run)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < run->config->symbols_n + run->config->references_n; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "symbol", cli_json_text(run->config->symbols[i].name),
                            "data_hash", cli_json_hash(run->record.symbol_hash[i])));
    return list;
}

static void print_facts(const struct cli_run *run)
{
    char text[64];
    const struct run_record *r = &run->record;
    print_fact("run", r->id);
    print_fact("state", cli_run_state_name(r->state));
    print_fact("started", cli_time_text(r->started_ns, text));
    print_fact("ended", r->ended_ns ? cli_time_text(r->ended_ns, text) : "-");
    print_fact("took",
               r->ended_ns ? duration_format((int64_t)(r->wall_s * 1e9), text, sizeof text) : "-");
    print_symbols(run);
    print_hash("config_hash", r->config_hash);
    print_hash("data_hash", r->data_hash);
    print_fact("engine", r->engine_version);
    if (r->ended_ns) { /* an interrupted supervisor has not noted them */
        printf("%-14s %u\n", "workers", r->workers);
        printf("%-14s %llu\n", "bar_steps", (unsigned long long)r->bar_steps);
    }
}

static uint64_t results_n(const struct leaderboard *board)
{
    uint64_t n = 0;
    for (int s = 0; s < STATUS_N; s++)
        n += board->status_n[s];
    return n;
}

/* Combinations without a result are not run yet. */
static uint64_t status_count(const struct cli_run *run, const struct leaderboard *board, int status)
{
    uint64_t all = run->record.combinations_n, have = results_n(board), n = board->status_n[status];
    return status == STATUS_NOT_RUN && all > have ? n + all - have : n;
}

static void print_counts(const struct cli_run *run, const struct leaderboard *board)
{
    printf("%-14s %llu", "combinations", (unsigned long long)run->record.combinations_n);
    for (int s = 0; s < STATUS_N; s++) {
        uint64_t n = status_count(run, board, s);
        if (n)
            printf(", %llu %s", (unsigned long long)n, status_name((enum status)s));
    }
    if (run->record.retried_n)
        printf("; %llu retried", (unsigned long long)run->record.retried_n);
    putchar('\n');
}

static int print_text(const struct cli_run *run, const struct leaderboard *board, struct err *err)
{
    char why[1024];
    print_facts(run);
    print_counts(run, board);
    if (board->status_n[STATUS_INVALID])
        printf("%-14s %llu: %s\n", "first invalid", (unsigned long long)board->invalid_first,
               err_printable(board->invalid_message, why, sizeof why));
    printf("%-14s %s, %s\n\n", "ranked by", metric_row(board->metric)->name,
           board->direction > 0 ? "the highest first" : "the lowest first");
    leaderboard_write(stdout, board, run->config);
    leaderboard_explain(stderr, board, &run->record, true);
    return cli_finish_stdout(err);
}

static int print_json(const struct cli_run *run, const struct leaderboard *board, struct err *err)
{
    json_t *json = cli_record_json(&run->record), *statuses = json_object();
    for (int s = 0; s < STATUS_N; s++)
        json_object_set_new(statuses, status_name((enum status)s),
                            cli_json_count(status_count(run, board, s)));
    json_object_set_new(json, "statuses", statuses);
    if (board->status_n[STATUS_INVALID])
        json_object_set_new(json, "first_invalid",
                            json_pack("{s:o, s:o}", "combination",
                                      cli_json_count(board->invalid_first), "message",
                                      cli_json_text(board->invalid_message)));
    json_object_set_new(json, "symbols", symbols_json(run));
    json_object_set_new(json, "sort", json_string(metric_row(board->metric)->name));
    json_object_set_new(json, "direction",
                        json_string(board->direction > 0 ? "maximize" : "minimize"));
    json_object_set_new(json, "matched", cli_json_count(board->matched_n));
    json_object_set_new(json, "leaderboard", leaderboard_json(board, run->config));
    return cli_print_json(json, err);
}

int cmd_show(const struct cli_args *args, struct err *err)
{
    struct cli_run run;
    struct leaderboard board;
    struct leaderboard_options options = {
        .top_n = args->top, .sort = args->sort, .where = args->where};
    if (args->top_given && (args->top == 0 || args->top > LEADERBOARD_TOP_MAX))
        return err_set(err, ERR_USAGE, "--top is from 1 to %d", LEADERBOARD_TOP_MAX);
    int rc = cli_run_open(args, args->positional[0], &run, err);
    if (rc < 0)
        return rc;
    rc = cli_run_settle(run.store, &run.record, err);
    if (rc == 0)
        rc = leaderboard_make(run.store, run.config, &run.record, &options, &board, err);
    if (rc == 0) {
        rc = args->json ? print_json(&run, &board, err) : print_text(&run, &board, err);
        leaderboard_fini(&board);
    }
    cli_run_close(&run);
    return rc;
}
