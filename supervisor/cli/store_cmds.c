/* SPDX-License-Identifier: MIT */
/* admf store info and admf store verify. */
#include "proto/units.h"
#include "supervisor/cli/common.h"

static int info_json(const char *dir, const struct store_info *info, struct err *err)
{
    return cli_print_json(
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "path", cli_json_text(dir),
                  "format_version", cli_json_count(info->format_version), "file_bytes",
                  cli_json_count(info->file_bytes), "map_bytes", cli_json_count(info->map_bytes),
                  "symbols", cli_json_count(info->symbols_n), "bars",
                  cli_json_count(info->bars_rows_n), "runs", cli_json_count(info->runs_n),
                  "results", cli_json_count(info->results_n), "faults",
                  cli_json_count(info->faults_n)),
        err);
}

static void info_text(const char *dir, const struct store_info *info)
{
    char shown[4096], size[24];
    printf("path     %s\n", err_printable(dir, shown, sizeof shown));
    printf("format   %u\n", info->format_version);
    printf("size     %s\n", bytes_format(info->file_bytes, size, sizeof size));
    printf("symbols  %llu with %llu bar%s\n", (unsigned long long)info->symbols_n,
           (unsigned long long)info->bars_rows_n, cli_s(info->bars_rows_n));
    printf("runs     %llu\n", (unsigned long long)info->runs_n);
    printf("results  %llu\n", (unsigned long long)info->results_n);
    printf("faults   %llu\n", (unsigned long long)info->faults_n);
}

int cmd_store_info(const struct cli_args *args, struct err *err)
{
    struct store *store = NULL;
    struct store_info info;
    const char *dir = store_default_dir(args->store);
    int rc = cli_store_open(args, STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    rc = store_info(store, &info, err);
    store_close(store);
    if (rc < 0)
        return rc;
    if (args->json)
        return info_json(dir, &info, err);
    info_text(dir, &info);
    return cli_finish_stdout(err);
}

#define DAMAGE_LISTED_MAX 1000

struct damage {
    json_t *list; /* NULL: as text on stdout */
    uint64_t n;
};

static void take_damage(void *ctx, const char *key, const char *what)
{
    struct damage *d = ctx;
    char shown_key[512], shown_what[512];
    err_printable(key, shown_key, sizeof shown_key);
    err_printable(what, shown_what, sizeof shown_what);
    if (d->n++ >= DAMAGE_LISTED_MAX)
        return;
    if (d->list)
        json_array_append_new(d->list,
                              json_pack("{s:s, s:s}", "key", shown_key, "what", shown_what));
    else
        printf("damaged  %s: %s\n", shown_key, shown_what);
}

static int report(const struct cli_args *args, struct damage *d, uint64_t values_n,
                  uint64_t damaged_n, struct err *err)
{
    if (args->json)
        return cli_print_json(json_pack("{s:o, s:o, s:o, s:O}", "path",
                                        cli_json_text(store_default_dir(args->store)), "values",
                                        cli_json_count(values_n), "damaged",
                                        cli_json_count(damaged_n), "list", d->list),
                              err);
    printf("%llu value%s, %llu damaged\n", (unsigned long long)values_n, cli_s(values_n),
           (unsigned long long)damaged_n);
    return cli_finish_stdout(err);
}

int cmd_store_verify(const struct cli_args *args, struct err *err)
{
    struct damage d = {.list = args->json ? json_array() : NULL};
    uint64_t values_n = 0, damaged_n = 0;
    const char *dir = store_default_dir(args->store);
    int rc = store_verify(dir, take_damage, &d, &values_n, &damaged_n, err);
    if (rc == 0)
        rc = report(args, &d, values_n, damaged_n, err);
    json_decref(d.list);
    if (rc == 0 && damaged_n > 0)
        return err_set(err, ERR_DATA, "the store %s is damaged: %llu of %llu value%s", dir,
                       (unsigned long long)damaged_n, (unsigned long long)values_n,
                       cli_s(values_n));
    return rc;
}
