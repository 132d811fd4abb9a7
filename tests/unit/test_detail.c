/* SPDX-License-Identifier: MIT */
/* Promise: a stored combination is computed again to the same bits, one after another in one
 * worker; whatever does not come out as it is stored ends at once with its reason. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/trade.h"
#include "supervisor/pool/run.h"

enum { FAULT_NONE = 0, FAULT_SEGV = 1, FAULT_EXIT = 7, FAULT_HANG = 8, FAULT_MEMORY = 12 };

static char dir[256];
static struct run_stored stored; /* owns all that it points to */
static struct run_summary summary;

static bool has_faulty_worker(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
    cr_assert(n > 0);
    path[n] = '\0';
    strcpy(strrchr(path, '/'), "/../fault/faulty-worker");
    setenv("ADMF_WORKER", path, 1);
    return access(path, X_OK) == 0;
}

static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/admf-detail-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
    if (!has_faulty_worker())
        cr_skip("there is no faulty worker beside this test");
}

static void remove_dir(void)
{
    run_summary_fini(&summary);
    store_close(stored.store);
    config_destroy((struct config *)(uintptr_t)stored.config);
    describe_destroy((struct describe *)(uintptr_t)stored.describe);
    DIR *list = opendir(dir);
    for (const struct dirent *entry; list && (entry = readdir(list));)
        (void)unlinkat(dirfd(list), entry->d_name, 0);
    if (list)
        closedir(list);
    rmdir(dir);
}

TestSuite(detail, .init = make_dir, .fini = remove_dir, .timeout = 100);

/* Combinations 0 and 1 misbehave, 2 and 3 do not; FAULT_NONE: on a bar that there is not. */
static void run(int kind, const char *limits)
{
    char text[1024];
    struct err err = {0};
    struct describe *describe;
    struct config *config;
    struct store *store;
    snprintf(text, sizeof text,
             "type: optimization\n"
             "data: {csv: {SPX: \"%s/examples/sp500-2000.csv\"}}\n"
             "strategies:\n"
             "  - {type: fault, parameters: {bar: %d, kind: [%d, 0], salt: [1, 2]}}\n"
             "limits: {%s}\n",
             ADMF_SOURCE, kind == FAULT_NONE ? 100000 : 100, kind == FAULT_NONE ? FAULT_SEGV : kind,
             limits);
    cr_assert_eq(describe_load(describe_worker_path(), &describe, &err), 0, "%s", err.text);
    cr_assert_eq(config_parse(text, strlen(text), "x", NULL, 0, describe, &config, &err), 0, "%s",
                 err.text);
    cr_assert_eq(store_open(dir, STORE_WRITE, &store, &err), 0, "%s", err.text);
    stored = (struct run_stored){config, describe, store, &summary.record};
    struct run_options options = {.workers = 1};
    cr_assert_eq(run_execute(config, describe, store, &options, &summary, &err), 0, "%s", err.text);
}

static void put(const struct result *result)
{
    struct err err = {0};
    const struct run_commit commit = {.results = result, .results_n = 1};
    cr_assert_eq(store_commit(stored.store, summary.record.id, &commit, &err), 0, "%s", err.text);
}

/* As if it had ended well: what recomputing meets is a surprise then. */
static void store_as_ok(uint64_t combination)
{
    struct err err = {0};
    struct result result;
    cr_assert_eq(store_get_result(stored.store, summary.record.id, combination, &result, &err), 0);
    cr_assert_neq(result.status, STATUS_OK);
    result.status = STATUS_OK;
    put(&result);
}

static struct run_detailer *open_session(void)
{
    struct run_detailer *x = NULL;
    struct err err = {0};
    cr_assert_eq(run_detailer_open(&stored, &x, &err), 0, "%s", err.text);
    return x;
}

static unsigned descriptors_n(void)
{
    unsigned n = 0;
    DIR *list = opendir("/proc/self/fd");
    while (readdir(list))
        n++;
    closedir(list);
    return n;
}

Test(detail, one_session_computes_any_number_of_combinations)
{
    run(FAULT_NONE, "");
    struct run_detailer *x = open_session();
    const struct run_detail *d;
    struct err err = {0};
    unsigned before = 0;
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_eq(run_detailer_next(x, i % 4, &d, &err), 0, "%s", err.text);
        cr_assert_eq(d->combo.combination, i % 4);
        cr_assert_eq(d->steps_n, 5105);
        cr_assert_eq(d->trades_n, 1);
        cr_assert_eq(d->trades[0].exit_bar, TRADE_OPEN);
        cr_assert(d->equity[5104] == d->result.metrics[METRIC_EQUITY_FINAL]);
        if (i == 0)
            before = descriptors_n();
    }
    cr_assert_eq(descriptors_n(), before, "descriptors do not pile up");
    run_detailer_close(x);
}

Test(detail, one_that_did_not_end_well_is_refused_and_the_next_is_not)
{
    run(FAULT_SEGV, "retries: 0");
    struct run_detailer *x = open_session();
    const struct run_detail *d = NULL;
    struct err err = {0};
    cr_assert_eq(run_detailer_next(x, 0, &d, &err), RUN_E_NO_DETAIL);
    cr_assert_null(d);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_not_null(strstr(err.text, "is crashed"), "%s", err.text);
    cr_assert_eq(run_detailer_next(x, 4, &d, &err), RUN_E_NO_DETAIL);
    cr_assert_eq(run_detailer_next(x, 2, &d, &err), 0, "%s", err.text);
    run_detailer_close(x);
}

/* Ends with a reason, whatever the retries, and the session goes on with another worker. */
static void expect_surprise(int kind, const char *limits, const char *word)
{
    run(kind, limits);
    store_as_ok(0);
    struct run_detailer *x = open_session();
    const struct run_detail *d = NULL;
    struct err err = {0};
    cr_assert_lt(run_detailer_next(x, 0, &d, &err), 0);
    cr_assert_null(d);
    cr_assert_eq(err.kind, ERR_SYSTEM, "%s", err.text);
    cr_assert_not_null(strstr(err.text, word), "%s", err.text);
    cr_assert_null(strstr(err.text, "altered"), "%s", err.text);
    cr_assert_eq(run_detailer_next(x, 3, &d, &err), 0, "%s", err.text);
    run_detailer_close(x);
}

Test(detail, a_crash_ends_with_its_reason)
{
    expect_surprise(FAULT_SEGV, "retries: 3", "crashed");
}

Test(detail, a_crash_ends_with_its_reason_where_nothing_is_retried)
{
    expect_surprise(FAULT_SEGV, "retries: 0", "SIGSEGV");
}

Test(detail, an_early_exit_ends_with_its_reason)
{
    expect_surprise(FAULT_EXIT, "retries: 3", "protocol");
}

Test(detail, an_endless_loop_ends_at_the_time_limit)
{
    expect_surprise(FAULT_HANG, "retries: 3, time_per_combination: 300ms", "timeout");
}

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

Test(detail, too_little_memory_ends_with_its_reason)
{
    if (IS_SANITIZED)
        cr_skip("memory limits and sanitizers exclude each other");
    expect_surprise(FAULT_MEMORY, "retries: 3, memory: 64MiB", "out_of_memory");
}

Test(detail, a_result_that_was_altered_is_told)
{
    run(FAULT_NONE, "");
    struct err err = {0};
    struct result result;
    cr_assert_eq(store_get_result(stored.store, summary.record.id, 1, &result, &err), 0);
    result.metrics[METRIC_EQUITY_FINAL] += 1;
    put(&result);
    struct run_detailer *x = open_session();
    const struct run_detail *d = NULL;
    cr_assert_lt(run_detailer_next(x, 1, &d, &err), 0);
    cr_assert_eq(err.kind, ERR_DATA, "%s", err.text);
    cr_assert_null(d);
    run_detailer_close(x);
}
