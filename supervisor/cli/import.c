/* SPDX-License-Identifier: MIT */
/* admf import: bars from a CSV file into the store. */
#include <inttypes.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/common.h"
#include "supervisor/import/csv.h"

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

static int print_json(const struct bars *bars, const struct csv_report *report, struct err *err)
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
    return cli_print_json(json, err);
}

static int print_line(const struct bars *bars, struct err *err)
{
    char first[TIME_ISO_BYTES], last[TIME_ISO_BYTES];
    printf("%s: %" PRIu32 " bar%s, %s to %s", bars->symbol, bars->rows_n, cli_s(bars->rows_n),
           time_format_iso(bars->time_ns[0], first),
           time_format_iso(bars->time_ns[bars->rows_n - 1], last));
    for (uint32_t i = 0; i < bars->extra_n; i++)
        printf("%s %s", i ? "," : "; series", bars->extra_names[i]);
    putchar('\n');
    return cli_finish_stdout(err);
}

static int put(const struct cli_args *args, const struct bars *bars, struct err *err)
{
    struct store *store = NULL;
    int rc = cli_store_open(args, STORE_WRITE, &store, err);
    if (rc == 0)
        rc = store_put_bars(store, bars, args->positional[0], err);
    store_close(store);
    return rc;
}

int cmd_import(const struct cli_args *args, struct err *err)
{
    struct csv_options options = {args->symbol, args->lenient, args->tz};
    struct csv_report report;
    struct bars *bars = NULL;
    int rc = check_symbol(args->symbol, err);
    if (rc == 0)
        rc = csv_read(args->positional[0], &options, &bars, &report, err);
    if (rc != 0)
        return rc;
    print_report(&report);
    rc = put(args, bars, err);
    if (rc == 0)
        rc = args->json ? print_json(bars, &report, err) : print_line(bars, err);
    bars_free(bars);
    return rc;
}
