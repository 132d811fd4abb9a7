/* SPDX-License-Identifier: MIT */
/* Records of runs, their ids, and the counter of container numbers. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "proto/units.h"
#include "supervisor/store/internal.h"

#define RUN_CONFIG_BYTES_MAX (UINT32_C(64) << 20)

void run_record_fini(struct run_record *run)
{
    free(run->config);
    run->config = NULL;
}

/* ---- codec ---------------------------------------------------------------------------------- */

static void run_encode(struct buf *b, const struct run_record *run)
{
    wr_str(b, run->id);
    wr_i64(b, run->started_ns);
    wr_i64(b, run->ended_ns);
    wr_u8(b, run->state);
    wr_u64(b, run->config_hash[0]);
    wr_u64(b, run->config_hash[1]);
    wr_u64(b, run->data_hash[0]);
    wr_u64(b, run->data_hash[1]);
    wr_str(b, run->engine_version);
    wr_u64(b, run->first_container_seq);
    wr_u64(b, run->combinations_n);
    wr_u64(b, run->ok_n);
    wr_u64(b, run->failed_n);
    wr_u64(b, run->invalid_n);
    wr_u64(b, run->retried_n);
    wr_u64(b, run->bar_steps);
    wr_f64(b, run->wall_s);
    wr_u32(b, run->workers);
    wr_u32(b, run->symbols_n);
    for (uint32_t i = 0; i < run->symbols_n; i++) {
        wr_u64(b, run->symbol_hash[i][0]);
        wr_u64(b, run->symbol_hash[i][1]);
    }
    wr_str(b, run->config ? run->config : "");
}

static void counts_decode(struct reader *r, struct run_record *run)
{
    run->first_container_seq = rd_u64(r);
    run->combinations_n = rd_u64(r);
    run->ok_n = rd_u64(r);
    run->failed_n = rd_u64(r);
    run->invalid_n = rd_u64(r);
    run->retried_n = rd_u64(r);
    run->bar_steps = rd_u64(r);
    run->wall_s = rd_f64(r);
    run->workers = rd_u32(r);
}

int run_decode(struct reader *r, struct run_record *ret_run)
{
    struct run_record run = {0};
    rd_str(r, run.id, sizeof run.id);
    run.started_ns = rd_i64(r);
    run.ended_ns = rd_i64(r);
    run.state = rd_u8(r);
    run.config_hash[0] = rd_u64(r);
    run.config_hash[1] = rd_u64(r);
    run.data_hash[0] = rd_u64(r);
    run.data_hash[1] = rd_u64(r);
    rd_str(r, run.engine_version, sizeof run.engine_version);
    counts_decode(r, &run);
    run.symbols_n = rd_count(r, SPEC_SYMBOLS_MAX, 16);
    for (uint32_t i = 0; i < run.symbols_n; i++) {
        run.symbol_hash[i][0] = rd_u64(r);
        run.symbol_hash[i][1] = rd_u64(r);
    }
    size_t config_bytes = 0;
    const char *config = rd_borrow_str(r, RUN_CONFIG_BYTES_MAX, &config_bytes);
    if (!rd_done(r) || run.state > RUN_STATE_INTERRUPTED || !config)
        return -EBADMSG;
    run.config = strndup(config, config_bytes);
    if (!run.config)
        return -ENOMEM;
    *ret_run = run;
    return 0;
}

/* A record out of a value; the caller frees it after 0. */
static int run_of(struct store_op *op, const MDB_val *key, const MDB_val *value,
                  struct run_record *ret_run, struct err *err)
{
    struct reader r;
    const char *what = value_check(key, value, KIND_RUN, &r);
    int rc = what ? -EBADMSG : run_decode(&r, ret_run);
    if (rc == -ENOMEM)
        return err_set(err, ERR_SYSTEM, "out of memory");
    if (rc != 0)
        return store_damaged(op->s, TREE_RUNS, key, what ? what : "the record is malformed", err);
    return 0;
}

int op_put_run(struct store_op *op, const struct run_record *run, struct err *err)
{
    struct key key = key_of_text(TREE_RUNS, run->id);
    value_begin(&op->value);
    run_encode(&op->value, run);
    return op_put(op, &key, KIND_RUN, err);
}

/* ---- creating ------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Second, then microsecond and a random digit in hex: ids sort by the time of their start. */
static int make_id(struct run_record *run, unsigned attempt, struct err *err)
{
    uint8_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set_errno(err, ERR_SYSTEM, errno, "no random bytes for the id of the run");
    unsigned microsecond = (unsigned)(run->started_ns % NS_PER_S / 1000);
    time_t seconds = (time_t)(run->started_ns / NS_PER_S);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < 0 || tm.tm_year > 8099)
        return err_set(err, ERR_SYSTEM, "the clock shows a year that no run id can have");
    snprintf(run->id, sizeof run->id, "%04u%02u%02u-%02u%02u%02u-%06x",
             (unsigned)tm.tm_year + 1900u, (unsigned)tm.tm_mon + 1u, (unsigned)tm.tm_mday % 100u,
             (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u,
             ((microsecond + attempt) << 4 | (random & 15u)) & 0xffffffu);
    return 0;
}

/* A new id, and never one that is there. */
static int new_id(struct store_op *op, struct run_record *run, struct err *err)
{
    int rc = 0;
    for (unsigned attempt = 0; rc == 0; attempt++) {
        rc = make_id(run, attempt, err);
        if (rc != 0)
            return rc;
        struct key key = key_of_text(TREE_RUNS, run->id);
        rc = op_has(op, &key, err);
    }
    return rc == STORE_E_NOT_FOUND ? 0 : rc;
}

struct create {
    struct run_record *run;
    uint64_t numbers_n;
};

static int take_numbers(struct store_op *op, struct create *create, struct err *err)
{
    struct key key = key_of_text(TREE_META, "numbers");
    struct reader r;
    uint64_t next = 1; /* containers are numbered from 1 */
    int rc = op_get(op, &key, KIND_COUNTER, &r, err);
    if (rc == 0)
        next = rd_u64(&r);
    else if (rc != STORE_E_NOT_FOUND)
        return rc;
    if (next > UINT64_MAX - create->numbers_n)
        return err_set(err, ERR_SYSTEM, "store %s has no container numbers left; begin a new store",
                       op->s->dir);
    create->run->first_container_seq = next;
    value_begin(&op->value);
    wr_u64(&op->value, next + create->numbers_n);
    return op_put(op, &key, KIND_COUNTER, err);
}

static int create_op(struct store_op *op, void *ctx, struct err *err)
{
    struct create *create = ctx;
    int rc = new_id(op, create->run, err);
    if (rc == 0)
        rc = take_numbers(op, create, err);
    if (rc == 0)
        rc = op_put_run(op, create->run, err);
    if (rc != 0)
        return rc;
    struct key last = key_of_text(TREE_META, "last_run");
    value_begin(&op->value);
    wr_str(&op->value, create->run->id);
    return op_put(op, &last, KIND_LAST_RUN, err);
}

int store_run_create(struct store *s, struct run_record *run, uint64_t numbers_n, struct err *err)
{
    struct create create = {run, numbers_n};
    if (run->started_ns == 0)
        run->started_ns = now_ns();
    return store_do(s, STORE_WRITE, create_op, &create, err);
}

static int update_op(struct store_op *op, void *ctx, struct err *err)
{
    struct run_record *const *run = ctx;
    struct key key = key_of_text(TREE_RUNS, (*run)->id);
    int rc = op_has(op, &key, err);
    if (rc == STORE_E_NOT_FOUND)
        return err_set(err, ERR_NO_INPUT, "there is no run %s in the store", (*run)->id);
    return rc != 0 ? rc : op_put_run(op, *run, err);
}

int store_run_update(struct store *s, const struct run_record *run, struct err *err)
{
    return store_do(s, STORE_WRITE, update_op, &run, err);
}

/* ---- finding -------------------------------------------------------------------------------- */

struct find {
    const char *id;
    struct run_record *run; /* what was found */
    unsigned found_n;
    char candidates[512];
};

static int candidate(struct store_op *op, const MDB_val *key, const MDB_val *value, void *ctx,
                     struct err *err)
{
    struct find *find = ctx;
    char text[STORE_KEY_TEXT_BYTES];
    find->found_n++;
    if (find->found_n <= 8) {
        size_t n = strlen(find->candidates);
        snprintf(find->candidates + n, sizeof find->candidates - n, "%s%s", n ? ", " : "",
                 key_text(TREE_RUNS, key, text) + strlen("runs/"));
    }
    return find->found_n == 1 ? run_of(op, key, value, find->run, err) : 0;
}

static int last_id(struct store_op *op, char out[static RUN_ID_BYTES], struct err *err)
{
    struct key key = key_of_text(TREE_META, "last_run");
    struct reader r;
    int rc = op_get(op, &key, KIND_LAST_RUN, &r, err);
    if (rc == STORE_E_NOT_FOUND)
        return err_set(err, ERR_NO_INPUT,
                       "there is no run in store %s yet; `admf run CONFIG` makes one", op->s->dir);
    if (rc == 0)
        rd_str(&r, out, RUN_ID_BYTES);
    return rc;
}

static int not_found(const struct find *find, struct err *err)
{
    char id[256];
    err_printable(find->id, id, sizeof id);
    if (find->found_n == 0)
        return err_set(err, ERR_NO_INPUT,
                       "there is no run \"%s\"; `admf runs` lists them, and `last` is the newest",
                       id);
    return err_set(err, ERR_USAGE, "\"%s\" is the beginning of %u runs: %s%s; write more of it", id,
                   find->found_n, find->candidates, find->found_n > 8 ? ", ..." : "");
}

static int find_op(struct store_op *op, void *ctx, struct err *err)
{
    struct find *find = ctx;
    char last[RUN_ID_BYTES] = "";
    if (strcmp(find->id, "last") == 0) {
        int rc = last_id(op, last, err);
        if (rc != 0)
            return rc;
        find->id = last;
    }
    struct key prefix = key_of_text(TREE_RUNS, find->id);
    int rc = *find->id ? op_walk(op, &prefix, candidate, find, err) : 0;
    if (rc == 0 && find->found_n != 1)
        rc = not_found(find, err);
    return rc;
}

int store_run_get(struct store *s, const char *id, struct run_record *ret_run, struct err *err)
{
    struct run_record run = {0};
    struct find find = {.id = id, .run = &run};
    int rc = store_do(s, STORE_READ, find_op, &find, err);
    if (rc != 0) {
        run_record_fini(&run);
        return rc;
    }
    *ret_run = run;
    return 0;
}

/* ---- walking -------------------------------------------------------------------------------- */

struct each_run {
    run_fn fn;
    void *ctx;
};

#define WALK_ENDED 3 /* the caller's function has seen enough */

static int each_run_value(struct store_op *op, const MDB_val *key, const MDB_val *value, void *ctx,
                          struct err *err)
{
    const struct each_run *each = ctx;
    struct run_record run;
    int rc = run_of(op, key, value, &run, err);
    if (rc != 0)
        return rc;
    void *paused = store_guard_pause();
    rc = each->fn(each->ctx, &run);
    store_guard_resume(paused);
    run_record_fini(&run);
    return rc != 0 ? WALK_ENDED : 0;
}

static int each_run_op(struct store_op *op, void *ctx, struct err *err)
{
    struct key all = {.tree = TREE_RUNS};
    return op_walk(op, &all, each_run_value, ctx, err);
}

int store_each_run(struct store *s, run_fn fn, void *ctx, struct err *err)
{
    struct each_run each = {fn, ctx};
    int rc = store_do(s, STORE_READ, each_run_op, &each, err);
    return rc == WALK_ENDED ? 0 : rc;
}
