/* SPDX-License-Identifier: MIT */
/* admf import: bars from a CSV file into the store. */
#include <inttypes.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/common.h"
#include "supervisor/import/actions.h"
#include "supervisor/import/csv.h"

/* What --actions and --dividends ask for, and what came of it. */
struct applied {
    enum dividends how;
    struct actions actions;
    struct actions_report report;
};

static int check_symbol(const char *name, struct err *err)
{
    if (!name)
        return err_set(err, ERR_USAGE, "--symbol NAME is missing: what are these bars called?");
    if (spec_symbol_is_good(name))
        return 0;
    char printable[256];
    return err_set(err, ERR_USAGE, "--symbol \"%s\": expected " SPEC_SYMBOL_RULE,
                   err_printable(name, printable, sizeof printable));
}

static void print_report(const struct csv_report *report)
{
    static const char *const what[] = {
#define X(symbol, name, text) text,
        CSV_FAULTS(X)
#undef X
    };
    fputs(report->notes, stderr);
    for (unsigned i = 0; i < CSV_FAULT_N; i++)
        if (report->skipped[i])
            fprintf(stderr, "skipped %" PRIu64 " row%s (%s: %s), first in line %" PRIu64 "\n",
                    report->skipped[i], cli_s(report->skipped[i]), csv_fault_name(i), what[i],
                    report->first_skipped_line[i]);
    if (report->gaps_n)
        fprintf(stderr, "%" PRIu64 " step%s longer than 1.5 usual ones (nights, weekends, gaps)\n",
                report->gaps_n, report->gaps_n == 1 ? " is" : "s are");
}

static json_t *skipped_json(const struct csv_report *report)
{
    json_t *all = json_object();
    for (unsigned i = 0; i < CSV_FAULT_N; i++)
        if (report->skipped[i])
            json_object_set_new(all, csv_fault_name(i),
                                json_pack("{s:o,s:o}", "rows", cli_json_count(report->skipped[i]),
                                          "first_line",
                                          cli_json_count(report->first_skipped_line[i])));
    return all;
}

static json_t *names_json(const struct bars *bars)
{
    json_t *names = json_array();
    for (uint32_t i = 0; i < bars->extra_n; i++)
        json_array_append_new(names, json_string(bars->extra_names[i]));
    return names;
}

static json_t *actions_json(const struct applied *applied)
{
    const struct actions_report *report = &applied->report;
    return json_pack("{s:s,s:o,s:o,s:s,s:o,s:o,s:o}", "source", applied->actions.path, "splits",
                     cli_json_count(report->splits_n), "dividends",
                     cli_json_count(report->dividends_n), "dividends_as",
                     dividends_name(applied->how), "outside", cli_json_count(report->outside_n),
                     "other_symbols", cli_json_count(applied->actions.other_n), "without_jump",
                     cli_json_count(report->no_jump_n));
}

static int print_json(const struct cli_args *args, const struct bars *bars,
                      const struct csv_report *report, const struct applied *applied,
                      struct err *err)
{
    uint64_t hash[2];
    bars_hash(bars, hash);
    char first[TIME_ISO_BYTES], last[TIME_ISO_BYTES];
    time_format_iso(bars->time_ns[0], first);
    time_format_iso(bars->time_ns[bars->rows_n - 1], last);
    json_t *json = json_pack("{s:s,s:o,s:s,s:s,s:o,s:o,s:o,s:o}", "symbol", bars->symbol, "rows",
                             cli_json_count(bars->rows_n), "first", first, "last", last,
                             "data_hash", cli_json_hash(hash), "extra", names_json(bars), "gaps",
                             cli_json_count(report->gaps_n), "skipped", skipped_json(report));
    if (args->actions && json)
        json_object_set_new(json, "actions", actions_json(applied));
    return cli_print_json(json, err);
}

static int print_line(const struct cli_args *args, const struct bars *bars,
                      const struct applied *applied, struct err *err)
{
    const struct actions_report *done = &applied->report;
    char first[TIME_ISO_BYTES], last[TIME_ISO_BYTES];
    printf("%s: %" PRIu32 " bar%s, %s to %s", bars->symbol, bars->rows_n, cli_s(bars->rows_n),
           time_format_iso(bars->time_ns[0], first),
           time_format_iso(bars->time_ns[bars->rows_n - 1], last));
    for (uint32_t i = 0; i < bars->extra_n; i++)
        printf("%s %s", i ? "," : "; series", bars->extra_names[i]);
    if (args->actions)
        printf("; %" PRIu32 " split%s adjusted, %" PRIu32 " dividend%s %s", done->splits_n,
               cli_s(done->splits_n), done->dividends_n, cli_s(done->dividends_n),
               applied->how == DIVIDENDS_CASH ? "as cash" : "adjusted");
    putchar('\n');
    return cli_finish_stdout(err);
}

static int put(const struct cli_args *args, const struct bars *bars, const struct applied *applied,
               struct err *err)
{
    struct store *store = NULL;
    struct symbol_actions actions = {0};
    int rc = cli_store_open(args, STORE_WRITE, &store, err);
    if (args->actions) {
        snprintf(actions.source, sizeof actions.source, "%s", args->actions);
        actions.splits_n = applied->report.splits_n;
        actions.dividends_n = applied->report.dividends_n;
        actions.dividends = (uint8_t)applied->how;
    }
    if (rc == 0)
        rc = store_put_bars_adjusted(store, bars, args->positional[0], &actions, err);
    store_close(store);
    return rc;
}

/* ---- corporate actions ---------------------------------------------------------------------- */

static int check_actions(const struct cli_args *args, struct applied *applied, struct err *err)
{
    if (args->dividends && !args->actions)
        return err_set(err, ERR_USAGE,
                       "--dividends says what becomes of the dividends in --actions FILE, which is "
                       "missing");
    if (args->actions && strcmp(args->actions, "-") == 0 && strcmp(args->positional[0], "-") == 0)
        return err_set(err, ERR_USAGE,
                       "both the bars and the actions from standard input: name a file for one");
    return args->dividends ? dividends_parse(args->dividends, &applied->how, err) : 0;
}

static void print_actions(const struct bars *bars, const struct applied *applied)
{
    const struct actions *actions = &applied->actions;
    const struct actions_report *report = &applied->report;
    const char *path = actions->path;
    char like[4 * sizeof actions->like];
    if (actions->n + actions->silent_n == 0)
        fprintf(stderr, "%s has no row of %s%s%s%s\n", path, bars->symbol,
                actions->like[0] ? ", but of \"" : "",
                err_printable(actions->like, like, sizeof like), actions->like[0] ? "\"" : "");
    if (actions->other_n)
        fprintf(stderr, "%s: %" PRIu64 " row%s of other symbols passed over\n", path,
                actions->other_n, cli_s(actions->other_n));
    if (actions->silent_n)
        fprintf(stderr, "%s: %" PRIu64 " row%s with neither split nor dividend\n", path,
                actions->silent_n, cli_s(actions->silent_n));
    if (report->outside_n)
        fprintf(stderr,
                "%s: %" PRIu64 " action%s outside of the bars, without effect: no bar lies before "
                "the date, or none at or after it\n",
                path, report->outside_n, cli_s(report->outside_n));
    if (report->no_jump_n)
        fprintf(stderr,
                "%s:%" PRIu64 ": the prices do not jump at this split%s: are the bars adjusted "
                "already?\n",
                path, report->no_jump_line, report->no_jump_n > 1 ? ", nor at others" : "");
    for (uint32_t i = 0; report->splits_n > 0 && i < bars->extra_n; i++)
        if (strcmp(bars->extra_names[i], COLUMN_CASH_DIVIDEND) != 0)
            fprintf(stderr, "column %s is kept as it is: splits do not adjust further columns\n",
                    bars->extra_names[i]);
}

static int apply_actions(const struct cli_args *args, struct bars *bars, struct applied *applied,
                         struct err *err)
{
    if (!args->actions)
        return 0;
    struct actions_options options = {args->actions, bars->symbol, args->tz};
    int rc = actions_read(&options, &applied->actions, err);
    if (rc == 0)
        rc = actions_apply(&applied->actions, applied->how, bars, &applied->report, err);
    if (rc == 0)
        print_actions(bars, applied);
    return rc;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int import(const struct cli_args *args, struct bars *bars, const struct csv_report *report,
                  struct applied *applied, struct err *err)
{
    print_report(report);
    int rc = apply_actions(args, bars, applied, err);
    if (rc == 0)
        rc = put(args, bars, applied, err);
    if (rc != 0)
        return rc;
    return args->json ? print_json(args, bars, report, applied, err)
                      : print_line(args, bars, applied, err);
}

int cmd_import(const struct cli_args *args, struct err *err)
{
    struct csv_options options = {args->symbol, args->lenient, args->tz};
    struct csv_report report;
    struct applied applied = {.how = DIVIDENDS_ADJUST};
    struct bars *bars = NULL;
    int rc = check_symbol(args->symbol, err);
    if (rc == 0)
        rc = check_actions(args, &applied, err);
    if (rc == 0)
        rc = csv_read(args->positional[0], &options, &bars, &report, err);
    if (rc != 0)
        return rc;
    rc = import(args, bars, &report, &applied, err);
    actions_fini(&applied.actions);
    bars_free(bars);
    return rc;
}
