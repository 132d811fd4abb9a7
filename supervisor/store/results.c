/* SPDX-License-Identifier: MIT */
/* Results and faults of runs, and the digest over results. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the state as a plain struct */
#include <xxhash.h>

#include "supervisor/store/internal.h"

#define WALK_ENDED 3 /* the caller's function has seen enough */

/* ---- faults' codec -------------------------------------------------------------------------- */

static void fault_encode(struct buf *b, const struct fault *fault)
{
    wr_u64(b, fault->combination);
    wr_u32(b, fault->attempt);
    wr_u8(b, fault->status);
    wr_u32(b, (uint32_t)fault->signal);
    wr_u32(b, fault->bar);
    wr_u32(b, fault->symbol_idx);
    wr_u8(b, fault->phase);
    wr_u64(b, fault->limit);
    wr_u64(b, fault->peak_bytes);
    wr_str(b, fault->message);
}

int fault_decode(struct reader *r, struct fault *ret_fault)
{
    struct fault fault = {0};
    fault.combination = rd_u64(r);
    fault.attempt = rd_u32(r);
    fault.status = rd_u8(r);
    fault.signal = (int32_t)rd_u32(r);
    fault.bar = rd_u32(r);
    fault.symbol_idx = rd_u32(r);
    fault.phase = rd_u8(r);
    fault.limit = rd_u64(r);
    fault.peak_bytes = rd_u64(r);
    rd_str(r, fault.message, sizeof fault.message);
    if (!rd_done(r) || fault.status >= STATUS_N)
        return -EBADMSG;
    *ret_fault = fault;
    return 0;
}

/* ---- putting -------------------------------------------------------------------------------- */

struct put {
    const char *run_id;
    const struct run_commit *commit;
};

struct tally {
    uint64_t results_n, faults_n;
};

static int tally_get(struct store_op *op, const char *run_id, struct tally *ret_tally,
                     struct err *err)
{
    struct key key = key_of_tally(run_id);
    struct reader r;
    struct tally tally = {0};
    int rc = op_get(op, &key, KIND_TALLY, &r, err);
    if (rc == 0) {
        tally.results_n = rd_u64(&r);
        tally.faults_n = rd_u64(&r);
    }
    if (rc == 0 || rc == STORE_E_NOT_FOUND)
        *ret_tally = tally;
    return rc == STORE_E_NOT_FOUND ? 0 : rc;
}

static int tally_put(struct store_op *op, const char *run_id, const struct tally *tally,
                     struct err *err)
{
    struct key key = key_of_tally(run_id);
    value_begin(&op->value);
    wr_u64(&op->value, tally->results_n);
    wr_u64(&op->value, tally->faults_n);
    return op_put(op, &key, KIND_TALLY, err);
}

static int put_result(struct store_op *op, const char *run_id, const struct result *result,
                      struct tally *tally, struct err *err)
{
    bool is_new = false;
    struct key key = key_of_result(run_id, result->combination);
    value_begin(&op->value);
    result_encode(&op->value, result);
    int rc = op_put_new(op, &key, KIND_RESULT, &is_new, err);
    tally->results_n += is_new;
    return rc;
}

static int put_fault(struct store_op *op, const char *run_id, const struct fault *fault,
                     struct tally *tally, struct err *err)
{
    bool is_new = false;
    struct key key = key_of_fault(run_id, fault->combination, fault->attempt);
    value_begin(&op->value);
    fault_encode(&op->value, fault);
    int rc = op_put_new(op, &key, KIND_FAULT, &is_new, err);
    tally->faults_n += is_new;
    return rc;
}

static int put_op(struct store_op *op, void *ctx, struct err *err)
{
    const struct put *put = ctx;
    const struct run_commit *c = put->commit;
    struct tally tally;
    int rc = tally_get(op, put->run_id, &tally, err);
    for (size_t i = 0; rc == 0 && i < c->results_n; i++)
        rc = put_result(op, put->run_id, &c->results[i], &tally, err);
    for (size_t i = 0; rc == 0 && i < c->faults_n; i++)
        rc = put_fault(op, put->run_id, &c->faults[i], &tally, err);
    if (rc == 0 && c->record)
        rc = op_put_run(op, c->record, err);
    return rc == 0 ? tally_put(op, put->run_id, &tally, err) : rc;
}

int store_commit(struct store *s, const char *run_id, const struct run_commit *commit,
                 struct err *err)
{
    struct put put = {run_id, commit};
    return store_do(s, STORE_WRITE, put_op, &put, err);
}

/* ---- walking -------------------------------------------------------------------------------- */

struct each {
    const char *run_id;
    result_fn result;
    fault_fn fault;
    void *ctx;
    uint64_t seen_n;
};

static int lost(struct store_op *op, const char *run_id, const char *what, uint64_t seen_n,
                uint64_t want_n, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "damaged store %s: %" PRIu64 " %s of run %s are there, and %" PRIu64
                   " should be; `admf store verify` lists what is damaged",
                   op->s->dir, seen_n, what, run_id, want_n);
}

static struct key run_prefix(enum tree tree, const char *run_id)
{
    struct key key = key_of_result(run_id, 0);
    key.tree = tree;
    key.n_bytes = key_run_bytes(run_id);
    return key;
}

static int result_of(struct store_op *op, const MDB_val *key, const MDB_val *value,
                     struct result *ret_result, struct err *err)
{
    struct reader r;
    const char *what = value_check(key, value, KIND_RESULT, &r);
    if (!what && (result_decode(&r, ret_result) != 0 || !rd_done(&r)))
        what = "the result is malformed";
    return what ? store_damaged(op->s, TREE_RESULTS, key, what, err) : 0;
}

static int each_result_value(struct store_op *op, const MDB_val *key, const MDB_val *value,
                             void *ctx, struct err *err)
{
    struct each *each = ctx;
    struct result result;
    each->seen_n++;
    int rc = result_of(op, key, value, &result, err);
    if (rc != 0)
        return rc;
    void *paused = store_guard_pause();
    rc = each->result(each->ctx, &result);
    store_guard_resume(paused);
    return rc != 0 ? WALK_ENDED : 0;
}

static int each_result_op(struct store_op *op, void *ctx, struct err *err)
{
    struct each *each = ctx;
    struct key prefix = run_prefix(TREE_RESULTS, each->run_id);
    struct tally tally;
    int rc = op_walk(op, &prefix, each_result_value, each, err);
    if (rc == 0)
        rc = tally_get(op, each->run_id, &tally, err);
    if (rc == 0 && tally.results_n != each->seen_n)
        rc = lost(op, each->run_id, "results", each->seen_n, tally.results_n, err);
    return rc;
}

int store_each_result(struct store *s, const char *run_id, result_fn fn, void *ctx, struct err *err)
{
    struct each each = {.run_id = run_id, .result = fn, .ctx = ctx};
    int rc = store_do(s, STORE_READ, each_result_op, &each, err);
    return rc == WALK_ENDED ? 0 : rc;
}

static int each_fault_value(struct store_op *op, const MDB_val *key, const MDB_val *value,
                            void *ctx, struct err *err)
{
    struct each *each = ctx;
    struct fault fault;
    struct reader r;
    each->seen_n++;
    const char *what = value_check(key, value, KIND_FAULT, &r);
    if (!what && fault_decode(&r, &fault) != 0)
        what = "the fault is malformed";
    if (what)
        return store_damaged(op->s, TREE_FAULTS, key, what, err);
    void *paused = store_guard_pause();
    int rc = each->fault(each->ctx, &fault);
    store_guard_resume(paused);
    return rc != 0 ? WALK_ENDED : 0;
}

static int each_fault_op(struct store_op *op, void *ctx, struct err *err)
{
    struct each *each = ctx;
    struct key prefix = run_prefix(TREE_FAULTS, each->run_id);
    struct tally tally;
    int rc = op_walk(op, &prefix, each_fault_value, each, err);
    if (rc == 0)
        rc = tally_get(op, each->run_id, &tally, err);
    if (rc == 0 && tally.faults_n != each->seen_n)
        rc = lost(op, each->run_id, "faults", each->seen_n, tally.faults_n, err);
    return rc;
}

int store_each_fault(struct store *s, const char *run_id, fault_fn fn, void *ctx, struct err *err)
{
    struct each each = {.run_id = run_id, .fault = fn, .ctx = ctx};
    int rc = store_do(s, STORE_READ, each_fault_op, &each, err);
    return rc == WALK_ENDED ? 0 : rc;
}

/* ---- one ------------------------------------------------------------------------------------ */

struct get {
    const char *run_id;
    uint64_t combination;
    struct result result;
};

static int get_op(struct store_op *op, void *ctx, struct err *err)
{
    struct get *get = ctx;
    struct key key = key_of_result(get->run_id, get->combination);
    MDB_val k = {.mv_size = key.n_bytes, .mv_data = key.bytes};
    struct reader r;
    int rc = op_get(op, &key, KIND_RESULT, &r, err);
    if (rc == STORE_E_NOT_FOUND)
        return err_set(err, ERR_NO_INPUT, "run %s has no result of combination %" PRIu64,
                       get->run_id, get->combination);
    if (rc == 0 && (result_decode(&r, &get->result) != 0 || !rd_done(&r)))
        rc = store_damaged(op->s, TREE_RESULTS, &k, "the result is malformed", err);
    return rc;
}

int store_get_result(struct store *s, const char *run_id, uint64_t combination,
                     struct result *ret_result, struct err *err)
{
    struct get get = {.run_id = run_id, .combination = combination};
    int rc = store_do(s, STORE_READ, get_op, &get, err);
    if (rc == 0)
        *ret_result = get.result;
    return rc;
}

/* ---- the digest ----------------------------------------------------------------------------- */

static uint64_t le64(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(v);
#else
    return v;
#endif
}

static int digest_result(void *ctx, const struct result *result)
{
    XXH3_state_t *state = ctx;
    uint64_t words[1 + METRIC_N];
    if (result->status == STATUS_NOT_RUN)
        return 0;
    words[0] = le64(result->combination);
    for (unsigned i = 0; i < METRIC_N; i++) {
        double value = result->metrics[i];
        uint64_t bits = UINT64_C(0x7ff8000000000000); /* each NaN is this one */
        if (value == value)
            memcpy(&bits, &value, sizeof bits);
        words[1 + i] = le64(bits);
    }
    XXH3_128bits_update(state, words, 8);
    XXH3_128bits_update(state, &result->status, 1);
    XXH3_128bits_update(state, words + 1, sizeof words - 8);
    return 0;
}

int store_digest(struct store *s, const char *run_id, char ret_hex[static 33], struct err *err)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    int rc = store_each_result(s, run_id, digest_result, &state, err);
    if (rc != 0)
        return rc;
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    snprintf(ret_hex, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
    return 0;
}
