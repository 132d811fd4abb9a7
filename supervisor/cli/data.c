/* SPDX-License-Identifier: MIT */
/* admf data list, info, export: the symbols of the store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/common.h"
#include "supervisor/cli/rows.h"
#include "supervisor/import/actions.h"

/* ---- list ----------------------------------------------------------------------------------- */

static json_t *actions_json(const struct symbol_actions *actions)
{
    char source[1024];
    if (actions->source[0] == '\0')
        return json_null();
    return json_pack(
        "{s:s,s:o,s:o,s:s}", "source", err_printable(actions->source, source, sizeof source),
        "splits", cli_json_count(actions->splits_n), "dividends",
        cli_json_count(actions->dividends_n), "dividends_as", dividends_name(actions->dividends));
}

static json_t *symbol_json(const struct symbol_info *info)
{
    char first[TIME_ISO_BYTES], last[TIME_ISO_BYTES], source[1024];
    time_format_iso(info->first_ns, first);
    time_format_iso(info->last_ns, last);
    err_printable(info->source, source, sizeof source);
    return json_pack("{s:s,s:o,s:s,s:s,s:o,s:o,s:s,s:o,s:o}", "symbol", info->name, "rows",
                     cli_json_count(info->rows_n), "first", first, "last", last, "data_hash",
                     cli_json_hash(info->data_hash), "extra_n", cli_json_count(info->extra_n),
                     "source", source, "imported", cli_json_time(info->imported_ns), "actions",
                     actions_json(&info->actions));
}

static int list_json(void *ctx, const struct symbol_info *info)
{
    json_array_append_new(ctx, symbol_json(info));
    return 0;
}

static int list_row(void *ctx, const struct symbol_info *info)
{
    struct cli_table *t = ctx;
    char text[32], when[40], source[1024];
    cli_table_add(t, 0, info->name, false);
    snprintf(text, sizeof text, "%" PRIu32, info->rows_n);
    cli_table_add(t, 1, text, true);
    cli_table_add(t, 2, cli_time_text(info->first_ns, when), false);
    cli_table_add(t, 3, cli_time_text(info->last_ns, when), false);
    snprintf(text, sizeof text, "%" PRIu32, info->extra_n);
    cli_table_add(t, 4, text, true);
    cli_table_add(t, 5, err_printable(info->source, source, sizeof source), false);
    return 0;
}

static int list_table(struct store *store, struct err *err)
{
    static const char *const headers[] = {"symbol", "bars", "first", "last", "extra", "source"};
    struct cli_table *t = cli_table_create(6, headers);
    if (!t)
        return err_set(err, ERR_SYSTEM, "out of memory");
    int rc = store_each_symbol(store, list_row, t, err);
    if (rc == 0)
        cli_table_print(t, stdout);
    cli_table_destroy(t);
    return rc == 0 ? cli_finish_stdout(err) : rc;
}

int cmd_data_list(const struct cli_args *args, struct err *err)
{
    struct store *store = NULL;
    int rc = cli_store_open(args, STORE_READ, &store, err);
    if (rc != 0)
        return rc;
    if (args->json) {
        json_t *all = json_array();
        rc = all ? store_each_symbol(store, list_json, all, err) : 0;
        if (rc == 0)
            rc = cli_print_json(all, err);
        else
            json_decref(all);
    } else {
        rc = list_table(store, err);
    }
    store_close(store);
    return rc;
}

/* ---- info ----------------------------------------------------------------------------------- */

static int load(const struct cli_args *args, struct bars **ret_bars, struct symbol_info *ret_info,
                struct err *err)
{
    struct store *store = NULL;
    int rc = cli_store_open(args, STORE_READ, &store, err);
    if (rc == 0)
        rc = store_get_bars(store, args->positional[0], NULL, ret_bars, ret_info, err);
    store_close(store);
    return rc;
}

static int info_json(const struct bars *bars, const struct symbol_info *info, struct err *err)
{
    json_t *json = symbol_json(info), *names = json_array();
    for (uint32_t i = 0; i < bars->extra_n; i++)
        json_array_append_new(names, json_string(bars->extra_names[i]));
    json_object_set_new(json, "extra", names);
    return cli_print_json(json, err);
}

static void print_actions(const struct symbol_actions *actions)
{
    char source[1024];
    if (actions->source[0] == '\0')
        return;
    printf("actions    %" PRIu32 " split%s adjusted, %" PRIu32 " dividend%s %s, from %s\n",
           actions->splits_n, cli_s(actions->splits_n), actions->dividends_n,
           cli_s(actions->dividends_n),
           actions->dividends == DIVIDENDS_CASH ? "as cash" : "adjusted",
           err_printable(actions->source, source, sizeof source));
}

static int info_text(const struct bars *bars, const struct symbol_info *info, struct err *err)
{
    char when[40], source[1024];
    printf("symbol     %s\n", info->name);
    printf("bars       %" PRIu32 "\n", info->rows_n);
    printf("first      %s\n", cli_time_text(info->first_ns, when));
    printf("last       %s\n", cli_time_text(info->last_ns, when));
    printf("columns    open high low close volume");
    for (uint32_t i = 0; i < bars->extra_n; i++)
        printf(" %s", bars->extra_names[i]);
    printf("\nsource     %s\n", err_printable(info->source, source, sizeof source));
    print_actions(&info->actions);
    printf("imported   %s\n", cli_time_text(info->imported_ns, when));
    printf("data_hash  %016" PRIx64 "%016" PRIx64 "\n", info->data_hash[0], info->data_hash[1]);
    return cli_finish_stdout(err);
}

int cmd_data_info(const struct cli_args *args, struct err *err)
{
    struct bars *bars = NULL;
    struct symbol_info info;
    int rc = load(args, &bars, &info, err);
    if (rc == 0)
        rc = args->json ? info_json(bars, &info, err) : info_text(bars, &info, err);
    bars_free(bars);
    return rc;
}

/* ---- export --------------------------------------------------------------------------------- */

static int write_bars(const struct bars *bars, struct rows *rows, struct cell *cells,
                      struct err *err)
{
    const double *columns[] = {bars->open, bars->high, bars->low, bars->close, bars->volume};
    int rc = 0;
    for (uint32_t row = 0; rc == 0 && row < bars->rows_n; row++) {
        char time[TIME_ISO_BYTES];
        cells[0] = cell_text(time_format_iso(bars->time_ns[row], time));
        for (uint32_t i = 0; i < 5; i++)
            cells[1 + i] = cell_number(columns[i][row]);
        for (uint32_t i = 0; i < bars->extra_n; i++)
            cells[6 + i] = cell_number(bars->extra[i][row]);
        rc = rows_add(rows, cells, err);
    }
    return rc;
}

static int export_bars(const struct cli_args *args, const struct bars *bars, struct err *err)
{
    static const char *const first[] = {"timestamp", "open", "high", "low", "close", "volume"};
    uint32_t n = 6 + bars->extra_n;
    const char **names = calloc(n, sizeof *names);
    struct cell *cells = calloc(n, sizeof *cells);
    struct rows rows = {0};
    struct rows_table table = {"bars", n, names};
    int rc = names && cells ? 0 : err_set(err, ERR_SYSTEM, "out of memory");
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        names[i] = i < 6 ? first[i] : bars->extra_names[i - 6];
    if (rc == 0)
        rc = rows_open(args->format, args->output, &table, &rows, err);
    if (rc == 0)
        rc = write_bars(bars, &rows, cells, err);
    if (rc == 0)
        rc = rows_finish(&rows, err);
    rows_discard(&rows);
    free(cells);
    free(names);
    return rc == ROWS_E_CLOSED ? 0 : rc;
}

int cmd_data_export(const struct cli_args *args, struct err *err)
{
    struct bars *bars = NULL;
    struct symbol_info info;
    int rc = load(args, &bars, &info, err);
    if (rc == 0)
        rc = export_bars(args, bars, err);
    bars_free(bars);
    return rc;
}
