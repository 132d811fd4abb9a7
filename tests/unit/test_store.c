/* SPDX-License-Identifier: MIT */
/* The promise: what the store acknowledged is there, byte for byte, or it says that it is damaged;
 * and no damage of its file ends a program by a signal. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/store/internal.h"

/* ---- a store for each test ------------------------------------------------------------------ */

static char dir[256];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/admf-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(store, .init = make_dir, .fini = remove_dir);

static struct store *open_store(enum store_mode mode)
{
    struct store *s = NULL;
    struct err err = {0};
    int rc = store_open(dir, mode, &s, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return s;
}

static char *data_path(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    return path;
}

static uint64_t rnd_state = 88172645463325252u;

static uint64_t rnd(void)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    return rnd_state ^= rnd_state << 17;
}

/* ---- bars ----------------------------------------------------------------------------------- */

#define ROWS_MAX 40000

static struct bars make_bars(const char *symbol, uint32_t rows_n, double first)
{
    static int64_t time_ns[ROWS_MAX];
    static double column[5][ROWS_MAX], extra[ROWS_MAX];
    static const char *const names[] = {"forecast"};
    static const double *const extras[] = {extra};
    for (uint32_t i = 0; i < rows_n; i++) {
        time_ns[i] = INT64_C(1600000000000000000) + i * INT64_C(60000000000);
        for (unsigned c = 0; c < 5; c++)
            column[c][i] = first + i * 0.25 + c;
        extra[i] = i % 3 ? NAN : (double)i;
    }
    return (struct bars){symbol,    rows_n,    time_ns, column[0], column[1], column[2],
                         column[3], column[4], 1,       names,     extras};
}

static bool bars_equal(const struct bars *a, const struct bars *b)
{
    uint64_t x[2], y[2];
    bars_hash(a, x);
    bars_hash(b, y);
    return a->rows_n == b->rows_n && x[0] == y[0] && x[1] == y[1] &&
           memcmp(a->time_ns, b->time_ns, a->rows_n * sizeof *a->time_ns) == 0 &&
           memcmp(a->close, b->close, a->rows_n * sizeof *a->close) == 0;
}

Test(store, gives_bars_back_as_they_were_with_further_columns)
{
    struct store *s = open_store(STORE_WRITE);
    struct bars bars = make_bars("SPX", 40000, 100), *got = NULL;
    struct symbol_info info;
    struct err err = {0};
    cr_assert_eq(store_put_bars(s, &bars, "spx.csv", &err), 0, "%s", err.text);
    cr_assert_eq(store_get_bars(s, "SPX", NULL, &got, &info, &err), 0, "%s", err.text);
    cr_assert(bars_equal(&bars, got));
    cr_assert_eq(got->extra_n, 1);
    cr_assert_str_eq(got->extra_names[0], "forecast");
    cr_assert(isnan(got->extra[0][1]));
    cr_assert_eq(got->extra[0][3], 3.0);
    cr_assert_str_eq(info.name, "SPX");
    cr_assert_str_eq(info.source, "spx.csv");
    cr_assert_eq(info.rows_n, 40000);
    bars_free(got);
    store_close(s);
}

Test(store, keeps_older_bars_when_a_name_moves_on)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct bars bars = make_bars("SPX", 100, 100), *got = NULL;
    uint64_t old[2];
    bars_hash(&bars, old);
    cr_assert_eq(store_put_bars(s, &bars, "a.csv", &err), 0);
    bars = make_bars("SPX", 200, 500);
    cr_assert_eq(store_put_bars(s, &bars, "b.csv", &err), 0);
    struct symbol_info info;
    cr_assert_eq(store_get_bars(s, "SPX", NULL, &got, &info, &err), 0);
    cr_assert_eq(got->rows_n, 200);
    bars_free(got);
    cr_assert_eq(store_get_bars(s, "SPX", old, &got, &info, &err), 0, "%s", err.text);
    cr_assert_eq(got->rows_n, 100);
    cr_assert_eq(info.rows_n, 100);
    cr_assert_eq(got->open[0], 100.0);
    bars_free(got);
    struct store_info counts;
    cr_assert_eq(store_info(s, &counts, &err), 0);
    cr_assert_eq(counts.symbols_n, 1);
    cr_assert_eq(counts.bars_rows_n, 300);
    store_close(s);
}

Test(store, keeps_which_actions_went_into_bars_with_their_name)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct bars bars = make_bars("SPX", 100, 100), *got = NULL;
    struct symbol_info info;
    const struct symbol_actions actions = {
        .source = "actions.csv", .splits_n = 2, .dividends_n = 70000, .dividends = 1};
    cr_assert_eq(store_put_bars_adjusted(s, &bars, "a.csv", &actions, &err), 0, "%s", err.text);
    cr_assert_eq(store_get_bars(s, "SPX", NULL, &got, &info, &err), 0, "%s", err.text);
    bars_free(got);
    cr_expect_str_eq(info.source, "a.csv");
    cr_expect_str_eq(info.actions.source, "actions.csv");
    cr_expect_eq(info.actions.splits_n, 2);
    cr_expect_eq(info.actions.dividends_n, 70000);
    cr_expect_eq(info.actions.dividends, 1);
    cr_assert_eq(store_put_bars(s, &bars, "b.csv", &err), 0);
    cr_assert_eq(store_get_bars(s, "SPX", NULL, &got, &info, &err), 0, "%s", err.text);
    bars_free(got);
    cr_expect_str_eq(info.actions.source, "", "the same bars as they are have none");
    store_close(s);
}

Test(store, suggests_a_symbol_for_a_misspelt_one)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct bars bars = make_bars("EURUSD", 10, 1), *got = NULL;
    cr_assert_eq(store_put_bars(s, &bars, "x", &err), 0);
    cr_assert_neq(store_get_bars(s, "EURUSB", NULL, &got, NULL, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_not_null(strstr(err.text, "EURUSD"), "%s", err.text);
    cr_assert_null(got);
    store_close(s);
}

/* ---- runs ----------------------------------------------------------------------------------- */

static struct run_record make_run(struct store *s, uint64_t numbers_n)
{
    struct err err = {0};
    struct run_record run = {.combinations_n = numbers_n, .symbols_n = 1, .wall_s = 1.5};
    run.config = strdup("type: backtest\n");
    run.symbol_hash[0][0] = 7;
    int rc = store_run_create(s, &run, numbers_n, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return run;
}

Test(store, finds_runs_by_id_prefix_and_last)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct run_record got = {0}, runs[3];
    for (unsigned i = 0; i < 3; i++)
        runs[i] = make_run(s, 10);
    cr_assert_eq(strlen(runs[0].id), 22);
    cr_assert_eq(store_run_get(s, "last", &got, &err), 0, "%s", err.text);
    cr_assert_str_eq(got.id, runs[2].id);
    cr_assert_str_eq(got.config, "type: backtest\n");
    cr_assert_eq(got.symbol_hash[0][0], 7);
    run_record_fini(&got);
    cr_assert_eq(store_run_get(s, runs[1].id, &got, &err), 0);
    cr_assert_str_eq(got.id, runs[1].id);
    run_record_fini(&got);
    cr_assert_neq(store_run_get(s, "2", &got, &err), 0);
    cr_assert_eq(err.kind, ERR_USAGE);
    cr_assert_not_null(strstr(err.text, runs[0].id), "%s", err.text);
    cr_assert_neq(store_run_get(s, "nosuch", &got, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_neq(store_run_get(s, "", &got, &err), 0);
    for (unsigned i = 0; i < 3; i++)
        run_record_fini(&runs[i]);
    store_close(s);
}

Test(store, gives_each_run_container_numbers_of_its_own)
{
    struct store *s = open_store(STORE_WRITE);
    struct run_record a = make_run(s, 1000), b = make_run(s, 5), c = make_run(s, 1);
    cr_assert_eq(a.first_container_seq, 1);
    cr_assert_eq(b.first_container_seq, 1001);
    cr_assert_eq(c.first_container_seq, 1006);
    run_record_fini(&a);
    run_record_fini(&b);
    run_record_fini(&c);
    store_close(s);
}

static int count_run(void *ctx, const struct run_record *run)
{
    unsigned *n = ctx;
    cr_assert_eq(run->state, *n == 0 ? RUN_STATE_DONE : RUN_STATE_RUNNING);
    (*n)++;
    return 0;
}

Test(store, updates_a_run_and_refuses_one_that_is_not_there)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    unsigned n = 0;
    struct run_record a = make_run(s, 1);
    a.state = RUN_STATE_DONE;
    a.ok_n = 17;
    cr_assert_eq(store_run_update(s, &a, &err), 0);
    cr_assert_eq(store_each_run(s, count_run, &n, &err), 0);
    cr_assert_eq(n, 1);
    snprintf(a.id, sizeof a.id, "20000101-000000-000000");
    cr_assert_neq(store_run_update(s, &a, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    run_record_fini(&a);
    store_close(s);
}

/* ---- results -------------------------------------------------------------------------------- */

static struct result make_result(uint64_t combination)
{
    struct result r = {.combination = combination, .status = STATUS_OK};
    for (unsigned m = 0; m < METRIC_N; m++)
        r.metrics[m] = m % 5 == 4 ? NAN : (double)combination * 0.5 + m;
    return r;
}

static void put_range(struct store *s, const char *id, uint64_t from, uint64_t to)
{
    struct err err = {0};
    struct result *results = calloc(to - from, sizeof *results);
    for (uint64_t i = from; i < to; i++)
        results[i - from] = make_result(i);
    int rc =
        store_commit(s, id, &(const struct run_commit){NULL, results, to - from, NULL, 0}, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    free(results);
}

struct seen {
    uint64_t n, next;
    bool is_ordered;
};

static int see_result(void *ctx, const struct result *r)
{
    struct seen *seen = ctx;
    struct result want = make_result(r->combination);
    seen->is_ordered = seen->is_ordered && r->combination >= seen->next &&
                       memcmp(r->metrics, want.metrics, sizeof want.metrics) == 0;
    seen->next = r->combination + 1;
    seen->n++;
    return 0;
}

Test(store, gives_results_in_order_of_combination_whatever_order_they_came_in)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct run_record a = make_run(s, 1000), b = make_run(s, 1000);
    put_range(s, a.id, 300, 600);
    put_range(s, b.id, 0, 50);
    put_range(s, a.id, 0, 300);
    put_range(s, a.id, 250, 310);
    struct seen seen = {.is_ordered = true};
    cr_assert_eq(store_each_result(s, a.id, see_result, &seen, &err), 0, "%s", err.text);
    cr_assert_eq(seen.n, 600);
    cr_assert(seen.is_ordered);
    struct result r;
    cr_assert_eq(store_get_result(s, b.id, 49, &r, &err), 0);
    cr_assert_eq(r.combination, 49);
    cr_assert_neq(store_get_result(s, b.id, 50, &r, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_eq(r.combination, 49, "untouched by the failed call");
    run_record_fini(&a);
    run_record_fini(&b);
    store_close(s);
}

static int stop_at_three(void *ctx, const struct result *r)
{
    unsigned *n = ctx;
    (void)r;
    return ++*n == 3;
}

Test(store, ends_a_walk_when_its_function_says_so)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct run_record a = make_run(s, 10);
    unsigned n = 0;
    put_range(s, a.id, 0, 10);
    cr_assert_eq(store_each_result(s, a.id, stop_at_three, &n, &err), 0);
    cr_assert_eq(n, 3);
    run_record_fini(&a);
    store_close(s);
}

static int see_fault(void *ctx, const struct fault *f)
{
    struct fault *last = ctx;
    cr_assert(f->combination > last->combination ||
              (f->combination == last->combination && f->attempt > last->attempt));
    *last = *f;
    return 0;
}

Test(store, gives_faults_in_order_of_combination_and_attempt)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct run_record a = make_run(s, 10);
    struct fault faults[3] = {
        {.combination = 9, .attempt = 1, .status = STATUS_TIMEOUT, .bar = UINT32_MAX},
        {.combination = 4, .attempt = 2, .status = STATUS_CRASHED, .signal = 11, .bar = 77},
        {.combination = 4, .attempt = 1, .status = STATUS_CRASHED, .signal = 6, .message = "why"}};
    cr_assert_eq(store_commit(s, a.id, &(const struct run_commit){NULL, NULL, 0, faults, 3}, &err),
                 0, "%s", err.text);
    struct fault last = {0};
    cr_assert_eq(store_each_fault(s, a.id, see_fault, &last, &err), 0);
    cr_assert_eq(last.combination, 9);
    cr_assert_eq(last.bar, UINT32_MAX);
    run_record_fini(&a);
    store_close(s);
}

Test(store, digest_depends_on_results_alone)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct run_record a = make_run(s, 10), b = make_run(s, 10);
    char x[33], y[33], z[33];
    put_range(s, a.id, 0, 100);
    put_range(s, b.id, 50, 100);
    struct result r = make_result(7);
    r.status = STATUS_NOT_RUN;
    cr_assert_eq(store_commit(s, b.id, &(const struct run_commit){NULL, &r, 1, NULL, 0}, &err), 0);
    put_range(s, b.id, 0, 50);
    r = make_result(20);
    r.metrics[4] = -__builtin_nan("0x1234"); /* another NaN is the same undefined */
    snprintf(r.message, sizeof r.message, "words do not count");
    cr_assert_eq(store_commit(s, b.id, &(const struct run_commit){NULL, &r, 1, NULL, 0}, &err), 0);
    cr_assert_eq(store_digest(s, a.id, x, &err), 0);
    cr_assert_eq(store_digest(s, b.id, y, &err), 0);
    cr_assert_eq(strlen(x), 32);
    cr_assert_str_eq(x, y);
    r.metrics[0] = nextafter(r.metrics[0], 1e9);
    cr_assert_eq(store_commit(s, b.id, &(const struct run_commit){NULL, &r, 1, NULL, 0}, &err), 0);
    cr_assert_eq(store_digest(s, b.id, z, &err), 0);
    cr_assert_str_neq(x, z);
    r = make_result(20);
    r.status = STATUS_CRASHED;
    cr_assert_eq(store_commit(s, b.id, &(const struct run_commit){NULL, &r, 1, NULL, 0}, &err), 0);
    cr_assert_eq(store_digest(s, b.id, z, &err), 0);
    cr_assert_str_neq(x, z);
    run_record_fini(&a);
    run_record_fini(&b);
    store_close(s);
}

/* ---- processes ------------------------------------------------------------------------------ */

Test(store, second_writer_is_told_the_pid_of_the_first_and_readers_work)
{
    struct store *s = open_store(STORE_WRITE);
    struct run_record a = make_run(s, 10);
    put_range(s, a.id, 0, 10);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        struct store *other = NULL;
        struct err err = {0};
        char want[32], digest[33];
        snprintf(want, sizeof want, "process %ld", (long)getppid());
        int rc = store_open(dir, STORE_WRITE, &other, &err);
        bool is_refused = rc != 0 && err.kind == ERR_BUSY && strstr(err.text, want);
        rc = store_open(dir, STORE_READ, &other, &err);
        if (rc == 0)
            rc = store_digest(other, a.id, digest, &err);
        _exit(is_refused && rc == 0 ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    run_record_fini(&a);
    store_close(s);
    s = open_store(STORE_WRITE);
    store_close(s);
}

/* Commits batches of ten for ever, and says the number of each once it is acknowledged. */
static _Noreturn void write_for_ever(const char *id, int fd)
{
    struct store *s = NULL;
    struct err err;
    if (store_open(dir, STORE_WRITE, &s, &err) != 0)
        _exit(1);
    for (uint64_t batch = 0;; batch++) {
        struct result results[10];
        for (unsigned i = 0; i < 10; i++)
            results[i] = make_result(batch * 10 + i);
        if (store_commit(s, id, &(const struct run_commit){NULL, results, 10, NULL, 0}, &err) !=
                0 ||
            write(fd, &batch, sizeof batch) != (ssize_t)sizeof batch)
            _exit(1);
    }
}

static uint64_t kill_a_writer(const char *id, unsigned wait_us)
{
    int ends[2];
    uint64_t acknowledged_n = 0, batch;
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        close(ends[0]);
        write_for_ever(id, ends[1]);
    }
    close(ends[1]);
    cr_assert_eq(read(ends[0], &batch, sizeof batch), (ssize_t)sizeof batch);
    acknowledged_n = batch + 1;
    usleep(wait_us);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (read(ends[0], &batch, sizeof batch) == (ssize_t)sizeof batch)
        acknowledged_n = batch + 1;
    close(ends[0]);
    return acknowledged_n;
}

Test(store, loses_nothing_acknowledged_when_its_writer_is_killed)
{
    for (unsigned i = 0; i < 20; i++) {
        struct err err = {0};
        struct store *s = open_store(STORE_WRITE);
        struct run_record a = make_run(s, 10);
        store_close(s);
        uint64_t batches_n = kill_a_writer(a.id, (unsigned)(rnd() % 20000));
        s = open_store(STORE_WRITE);
        struct seen seen = {.is_ordered = true};
        cr_assert_eq(store_each_result(s, a.id, see_result, &seen, &err), 0, "%s", err.text);
        cr_assert(seen.is_ordered);
        cr_assert_geq(seen.n, batches_n * 10);
        cr_assert_eq(seen.n % 10, 0, "a batch is whole or not there");
        store_close(s);
        run_record_fini(&a);
    }
    uint64_t values_n, damaged_n;
    struct err err = {0};
    cr_assert_eq(store_verify(dir, NULL, NULL, &values_n, &damaged_n, &err), 0);
    cr_assert_eq(damaged_n, 0);
}

Test(store, map_grows_by_itself_and_readers_follow)
{
    struct store *s = open_store(STORE_WRITE);
    struct run_record a = make_run(s, 10);
    struct err err = {0};
    int ready[2], done[2];
    char byte = 0;
    cr_assert(pipe(ready) == 0 && pipe(done) == 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        struct store *reader = NULL;
        struct seen seen = {.is_ordered = true};
        if (store_open(dir, STORE_READ, &reader, &err) != 0 || write(ready[1], "r", 1) != 1 ||
            read(done[0], &byte, 1) != 1 ||
            store_each_result(reader, a.id, see_result, &seen, &err) != 0)
            _exit(1);
        _exit(seen.n == 64000 && seen.is_ordered ? 0 : 2);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    for (uint64_t at = 0; at < 64000; at += 4000)
        put_range(s, a.id, at, at + 4000);
    cr_assert_eq(write(done[1], "d", 1), 1);
    int status;
    waitpid(pid, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "reader: %d", status);
    struct store_info info;
    cr_assert_eq(store_info(s, &info, &err), 0);
    cr_assert_geq(info.map_bytes, STORE_MAP_START_BYTES << 4);
    cr_assert_eq(info.results_n, 64000);
    run_record_fini(&a);
    store_close(s);
}

/* ---- the directory -------------------------------------------------------------------------- */

Test(store, is_private_and_made_with_its_parents)
{
    char deep[512];
    struct store *s = NULL;
    struct stat st;
    struct err err = {0};
    snprintf(deep, sizeof deep, "%s/a/b/c", dir);
    cr_assert_eq(store_open(deep, STORE_READ, &s, &err), -ENOENT);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_null(s);
    cr_assert_eq(store_open(deep, STORE_WRITE, &s, &err), 0, "%s", err.text);
    cr_assert_eq(stat(deep, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0700);
    snprintf(deep, sizeof deep, "%s/a/b/c/data.mdb", dir);
    cr_assert_eq(stat(deep, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    store_close(s);
}

static void write_data(const void *bytes, size_t n_bytes)
{
    int fd = open(data_path(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, n_bytes), (ssize_t)n_bytes);
    close(fd);
}

static void expect_damaged(const char *what)
{
    struct store *s = NULL;
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++) {
        struct err err = {0};
        int rc = store_open(dir, mode, &s, &err);
        cr_assert_neq(rc, 0, "%s", what);
        cr_assert_eq(err.kind, ERR_DATA, "%s: %s", what, err.text);
        cr_assert_null(s);
    }
}

Test(store, refuses_files_that_are_none_of_its_own)
{
    char bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)rnd();
    write_data(bytes, sizeof bytes);
    expect_damaged("noise");
    memset(bytes, 0, sizeof bytes);
    write_data(bytes, sizeof bytes);
    expect_damaged("zeros");
    write_data("timestamp,open\n", 15);
    expect_damaged("a text");
}

Test(store, takes_an_empty_data_file_for_a_new_store)
{
    struct store *s = NULL;
    struct err err = {0};
    write_data("", 0);
    cr_assert_neq(store_open(dir, STORE_READ, &s, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_eq(store_open(dir, STORE_WRITE, &s, &err), 0, "%s", err.text);
    store_close(s);
}

Test(store, refuses_an_environment_of_another_program)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char text[] = "abc";
    MDB_val key = {3, text}, value = {3, text};
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, dir, 0, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    cr_assert_eq(mdb_put(txn, dbi, &key, &value, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    expect_damaged("another program's");
}

Test(store, refuses_a_format_that_it_does_not_know)
{
    struct store *s = open_store(STORE_WRITE);
    struct key key = key_of_text(TREE_META, "format");
    struct buf b = {0};
    MDB_txn *txn;
    value_begin(&b);
    wr_u32(&b, STORE_FORMAT_VERSION + 1);
    value_seal(&b, &key, KIND_FORMAT);
    MDB_val k = {key.n_bytes, key.bytes}, v = {b.n_bytes, b.data};
    cr_assert_eq(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_put(txn, s->dbi[TREE_META], &k, &v, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    buf_fini(&b);
    store_close(s);
    expect_damaged("a newer format");
}

/* ---- damage --------------------------------------------------------------------------------- */

static char run_id[RUN_ID_BYTES], digest_of_run[33];

/* A store with something in each tree; its data file in memory. */
static uint8_t *make_victim(size_t *ret_bytes)
{
    struct store *s = open_store(STORE_WRITE);
    struct err err = {0};
    struct bars bars = make_bars("SPX", 3000, 100);
    cr_assert_eq(store_put_bars(s, &bars, "spx.csv", &err), 0);
    struct run_record run = make_run(s, 1000);
    struct fault fault = {.combination = 3, .attempt = 1, .status = STATUS_CRASHED};
    snprintf(run_id, sizeof run_id, "%s", run.id);
    for (uint64_t at = 0; at < 1000; at += 100)
        put_range(s, run.id, at, at + 100);
    cr_assert_eq(
        store_commit(s, run.id, &(const struct run_commit){NULL, NULL, 0, &fault, 1}, &err), 0);
    cr_assert_eq(store_digest(s, run.id, digest_of_run, &err), 0);
    run_record_fini(&run);
    store_close(s);
    struct stat st;
    int fd = open(data_path(), O_RDONLY);
    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    cr_assert_eq(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_bytes = (size_t)st.st_size;
    return bytes;
}

static int count_fault(void *ctx, const struct fault *f)
{
    unsigned *n = ctx;
    *n += f->combination == 3;
    return 0;
}

/* 0: all that was put in is there; 1: an error says that something is not; 2: silently wrong. */
static int read_everything(void)
{
    struct store *s = NULL;
    struct err err = {0};
    struct bars want = make_bars("SPX", 3000, 100), *bars = NULL;
    struct run_record run = {0};
    char digest[33] = "";
    unsigned faults_n = 0;
    if (store_open(dir, STORE_READ, &s, &err) != 0)
        return 1;
    int rc = store_get_bars(s, "SPX", NULL, &bars, NULL, &err);
    bool is_right = rc != 0 || bars_equal(&want, bars);
    if (rc == 0)
        rc = store_run_get(s, "last", &run, &err);
    is_right = is_right && (rc != 0 || strcmp(run.id, run_id) == 0);
    if (rc == 0)
        rc = store_digest(s, run_id, digest, &err);
    is_right = is_right && (rc != 0 || strcmp(digest, digest_of_run) == 0);
    if (rc == 0)
        rc = store_each_fault(s, run_id, count_fault, &faults_n, &err);
    is_right = is_right && (rc != 0 || faults_n == 1);
    bars_free(bars);
    run_record_fini(&run);
    store_close(s);
    if (!is_right)
        fprintf(stderr, "rc %d run %s digest %s faults %u err %s\n", rc, run.id, digest, faults_n,
                err.text);
    return !is_right ? 2 : rc != 0;
}

/* Writing to a damaged store may fail; it may not end the process. */
static void write_something(void)
{
    struct store *s = NULL;
    struct err err = {0};
    struct result r = make_result(2000);
    if (store_open(dir, STORE_WRITE, &s, &err) == 0)
        (void)!store_commit(s, run_id, &(const struct run_commit){NULL, &r, 1, NULL, 0}, &err);
    store_close(s);
}

Test(store, bit_flips_are_found_or_harmless_and_never_a_signal, .timeout = 100)
{
    size_t n_bytes;
    unsigned found_n = 0, harmless_n = 0;
    uint8_t *bytes = make_victim(&n_bytes);
    cr_assert_eq(read_everything(), 0);
    for (unsigned i = 0; i < 200; i++) {
        /* half of them where LMDB keeps its own books: the first pages and the heads of pages */
        size_t at = rnd() % n_bytes;
        if (i % 4 == 0)
            at = at / 4096 * 4096 + rnd() % 64;
        else if (i % 4 == 1)
            at = rnd() % (16 * 4096) % n_bytes;
        bytes[at] ^= (uint8_t)(1u << (i % 8));
        write_data(bytes, n_bytes);
        uint64_t values_n = 0, damaged_n = 0;
        struct err err = {0};
        int seen = read_everything();
        int rc = store_verify(dir, NULL, NULL, &values_n, &damaged_n, &err);
        bool is_found = rc != 0 || damaged_n > 0;
        cr_assert(seen == 0 || is_found, "flip %u at byte %zu: reading says %d, verify says %s", i,
                  at, seen, err.text);
        cr_assert_neq(seen, 2, "flip %u at byte %zu reads wrong without an error", i, at);
        write_something();
        bytes[at] ^= (uint8_t)(1u << (i % 8));
        found_n += is_found;
        harmless_n += !is_found;
    }
    cr_log_info("%u flips found, %u harmless", found_n, harmless_n);
    cr_assert_gt(found_n, 0);
    write_data(bytes, n_bytes);
    cr_assert_eq(read_everything(), 0);
    free(bytes);
}

Test(store, a_file_cut_short_is_an_error_and_never_a_signal, .timeout = 60)
{
    size_t n_bytes;
    uint8_t *bytes = make_victim(&n_bytes);
    for (unsigned i = 0; i < 50; i++) {
        size_t cut = i < 20 ? (size_t)i * 4096 : rnd() % n_bytes;
        uint64_t values_n, damaged_n = 0;
        struct err err = {0};
        write_data(bytes, cut);
        cr_assert_eq(read_everything(), 1, "cut to %zu of %zu bytes", cut, n_bytes);
        int rc = store_verify(dir, NULL, NULL, &values_n, &damaged_n, &err);
        cr_assert(rc != 0 || damaged_n > 0, "cut to %zu of %zu bytes", cut, n_bytes);
        if (cut > 0)
            write_something();
    }
    free(bytes);
}

Test(store, a_file_cut_short_under_an_open_store_is_an_error)
{
    size_t n_bytes;
    free(make_victim(&n_bytes));
    struct store *s = open_store(STORE_READ);
    struct err err = {0};
    char digest[33] = "untouched";
    cr_assert_eq(truncate(data_path(), 8192), 0);
    cr_assert_neq(store_digest(s, run_id, digest, &err), 0);
    cr_assert_eq(err.kind, ERR_DATA, "%s", err.text);
    cr_assert_str_eq(digest, "untouched");
    store_close(s);
}

static void name_damage(void *ctx, const char *key, const char *what)
{
    char *out = ctx;
    (void)what;
    snprintf(out, 256, "%s", key);
}

Test(store, verify_names_the_key_of_a_damaged_value)
{
    size_t n_bytes;
    uint8_t *bytes = make_victim(&n_bytes);
    struct err err = {0};
    double metric = make_result(500).metrics[2];
    char key[256] = "", want[64];
    uint64_t values_n, damaged_n;
    for (size_t at = 0; at + 8 < n_bytes; at += 2)
        if (memcmp(bytes + at, &metric, 8) == 0)
            bytes[at] ^= 1;
    write_data(bytes, n_bytes);
    cr_assert_eq(store_verify(dir, name_damage, key, &values_n, &damaged_n, &err), 0);
    cr_assert_geq(damaged_n, 1);
    snprintf(want, sizeof want, "results/%s/", run_id);
    cr_assert_eq(strncmp(key, want, strlen(want)), 0, "%s", key);
    free(bytes);
}

Test(store, a_first_look_is_cheap_and_leaves_nothing_open)
{
    size_t n_bytes;
    free(make_victim(&n_bytes));
    unsigned before = 0, after = 0;
    for (unsigned round = 0; round < 2; round++) {
        unsigned *n = round ? &after : &before;
        DIR *fds = opendir("/proc/self/fd");
        while (readdir(fds))
            (*n)++;
        closedir(fds);
        for (unsigned i = 0; round == 0 && i < 20; i++)
            store_close(open_store(i % 2 ? STORE_READ : STORE_WRITE));
    }
    cr_assert_eq(before, after);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
}

Test(store, its_descriptors_close_on_exec)
{
    struct store *s = open_store(STORE_WRITE);
    DIR *fds = opendir("/proc/self/fd");
    cr_assert_not_null(fds);
    for (struct dirent *e = readdir(fds); e; e = readdir(fds)) {
        char link[320], target[512] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%s", e->d_name);
        if (readlink(link, target, sizeof target - 1) > 0 && strncmp(target, dir, strlen(dir)) == 0)
            cr_assert(fcntl(atoi(e->d_name), F_GETFD) & FD_CLOEXEC, "%s", target);
    }
    closedir(fds);
    store_close(s);
}
