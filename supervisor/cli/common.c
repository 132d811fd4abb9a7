/* SPDX-License-Identifier: MIT */
/* What several commands do alike: terminals, stdout's end, JSON, opening a run. */
#include "supervisor/cli/common.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/status.h"
#include "proto/units.h"

bool cli_may_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (no_color && *no_color)
        return false;
    return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
}

/* Whether the reader of a pipe or socket has left: that is its right, and no error. */
static bool reader_has_left(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

int cli_finish_stdout(struct err *err)
{
    errno = 0;
    bool failed = fflush(stdout) != 0;
    int no = failed ? errno : 0;
    if (!failed && !ferror(stdout))
        return 0;
    clearerr(stdout);
    if (no == EPIPE || reader_has_left(STDOUT_FILENO))
        return 0;
    return err_set_errno(err, ERR_IO, no ? no : EIO, "writing to standard output failed");
}

int cli_print_json(json_t *json, struct err *err)
{
    if (!json)
        return err_set(err, ERR_SYSTEM, "out of memory while writing JSON");
    /* A failed write leaves its mark on stdout, which is looked at next. */
    (void)json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(json);
    return cli_finish_stdout(err);
}

json_t *cli_json_number(double v)
{
    if (!isfinite(v))
        return json_null();
    if (v == floor(v) && fabs(v) < 9007199254740992.0 && !(v == 0.0 && signbit(v)))
        return json_integer((json_int_t)v);
    return json_real(v);
}

json_t *cli_json_count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

json_t *cli_json_text(const char *text)
{
    char shown[4096];
    json_t *json = json_string(text);
    return json ? json : json_string(err_printable(text, shown, sizeof shown));
}

json_t *cli_json_hash(const uint64_t hash[2])
{
    char hex[33];
    snprintf(hex, sizeof hex, "%016llx%016llx", (unsigned long long)hash[0],
             (unsigned long long)hash[1]);
    return json_string(hex);
}

json_t *cli_json_time(int64_t ns)
{
    char text[TIME_ISO_BYTES];
    return ns ? json_string(time_format_iso(ns, text)) : json_null();
}

json_t *cli_json_parameters(const struct config *config, uint64_t combination)
{
    const char *columns[CONFIG_DIMS_MAX * 4];
    uint32_t n = grid_columns(config, columns);
    json_t *json = json_object();
    for (uint32_t i = 0; i < n; i++) {
        const char *symbol = NULL;
        double value = grid_value(config, combination, columns[i], &symbol);
        if (symbol)
            json_object_set_new(json, columns[i], json_string(symbol));
        else if (!isnan(value))
            json_object_set_new(json, columns[i], cli_json_number(value));
    }
    return json;
}

void cli_print_notes(const struct config *config)
{
    if (config->notes.n_bytes > 0)
        fwrite(config->notes.data, 1, config->notes.n_bytes, stderr);
}

int cli_store_open(const struct cli_args *args, enum store_mode mode, struct store **ret_store,
                   struct err *err)
{
    return store_open(store_default_dir(args->store), mode, ret_store, err);
}

int cli_describe(struct describe **ret_describe, struct err *err)
{
    return describe_load(describe_worker_path(), ret_describe, err);
}

int cli_run_open(const struct cli_args *args, const char *id, struct cli_run *ret_run,
                 struct err *err)
{
    struct cli_run run = {0};
    int rc = cli_describe(&run.describe, err);
    if (rc == 0)
        rc = cli_store_open(args, STORE_READ, &run.store, err);
    if (rc == 0)
        rc = store_run_get(run.store, id, &run.record, err);
    if (rc == 0) {
        rc = config_parse(run.record.config, strlen(run.record.config), run.record.id, NULL, 0,
                          run.describe, &run.config, err);
        if (rc < 0)
            err_prefix(err, "the stored configuration of run %s", run.record.id);
    }
    if (rc < 0)
        cli_run_close(&run);
    else
        *ret_run = run;
    return rc;
}

void cli_run_close(struct cli_run *run)
{
    config_destroy(run->config);
    run_record_fini(&run->record);
    store_close(run->store);
    describe_destroy(run->describe);
    *run = (struct cli_run){0};
}

const char *cli_run_state_name(uint8_t state)
{
    static const char *const names[] = {"running", "done", "interrupted"};
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

static int count_status(void *ctx, const struct result *result)
{
    struct run_record *record = ctx;
    enum status status = (enum status)result->status;
    record->ok_n += status == STATUS_OK;
    record->invalid_n += status == STATUS_INVALID;
    record->failed_n += status_is_failure(status);
    return 0;
}

int cli_run_settle(struct store *store, struct run_record *record, struct err *err)
{
    if (record->state != RUN_STATE_RUNNING)
        return 0;
    if (!store_is_owned(store))
        record->state = RUN_STATE_INTERRUPTED;
    record->ok_n = record->failed_n = record->invalid_n = 0;
    return store_each_result(store, record->id, count_status, record, err);
}

const char *cli_s(uint64_t n)
{
    return n == 1 ? "" : "s";
}

uint32_t cli_processors_n(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : (uint32_t)n;
}

unsigned cli_columns_n(int fd)
{
    struct winsize size;
    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const char *cli_time_text(int64_t ns, char out[static 40])
{
    int64_t part_ns = ns % NS_PER_S;
    time_format_iso(ns - part_ns - (part_ns < 0 ? NS_PER_S : 0), out);
    out[10] = ' ';
    out[strcspn(out, "Z")] = '\0';
    return out;
}
