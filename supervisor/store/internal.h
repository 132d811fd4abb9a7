/* SPDX-License-Identifier: MIT */
/* What the files of the store share: trees, keys, the envelope of values, guarded transactions.
 *
 * A value is an envelope of 24 bytes and a payload (proto/codec.h):
 *   u32 magic | u16 format version | u16 kind | u64 payload bytes | u64 XXH3-64 of key and payload
 * Integers inside keys are big-endian, so that keys sort as the numbers do. */
#pragma once

#include <limits.h>
#include <lmdb.h>
#include <stdio.h>

#include "proto/codec.h"
#include "supervisor/store/store.h"

#define STORE_FORMAT_VERSION  1
#define VALUE_MAGIC           0x56464d41u /* "AMFV" */
#define VALUE_HEADER_BYTES    24
#define STORE_KEY_BYTES       128 /* more than any key of the store */
#define STORE_KEY_TEXT_BYTES  256
#define STORE_MAP_START_BYTES (UINT64_C(1) << 20)
#define BARS_CHUNK_ROWS       16384u

/* Tree of LMDB, its name. */
#define STORE_TREES(X)                                                                             \
    X(META, "meta")                                                                                \
    X(SYMBOLS, "symbols")                                                                          \
    X(BARS, "bars")                                                                                \
    X(RUNS, "runs")                                                                                \
    X(RESULTS, "results")                                                                          \
    X(FAULTS, "faults")

enum tree {
#define X(symbol, name) TREE_##symbol,
    STORE_TREES(X)
#undef X
        TREE_N
};

/* Stored in every value: never renumbered. */
enum value_kind {
    KIND_FORMAT = 1,
    KIND_COUNTER = 2,
    KIND_LAST_RUN = 3,
    KIND_SYMBOL = 4,
    KIND_BARS_HEADER = 5,
    KIND_BARS_COLUMN = 6,
    KIND_RUN = 7,
    KIND_RESULT = 8,
    KIND_FAULT = 9,
    KIND_TALLY = 10, /* how many results and faults a run has, so that a lost one is missed */
};

struct store {
    MDB_env *env;
    enum store_mode mode;
    int lock_fd;    /* -1: none */
    bool is_broken; /* damage was met: nothing is read or written any more */
    MDB_dbi dbi[TREE_N];
    char dir[PATH_MAX];
};

const char *tree_name(enum tree tree);

/* ---- keys and values (value.c) -------------------------------------------------------------- */

struct key {
    enum tree tree;
    size_t n_bytes;
    uint8_t bytes[STORE_KEY_BYTES];
};

struct key key_of_text(enum tree tree, const char *text);
struct key key_of_bars(const uint64_t hash[2], uint16_t column, uint32_t chunk);
struct key key_of_result(const char *run_id, uint64_t combination);
struct key key_of_tally(const char *run_id);
struct key key_of_fault(const char *run_id, uint64_t combination, uint32_t attempt);
/* Bytes of results and faults keys that name the run. */
size_t key_run_bytes(const char *run_id);
/* "results/20260102-150405-3fa9c1/17", for people; returns out. */
const char *key_text(enum tree tree, const MDB_val *key, char out[static STORE_KEY_TEXT_BYTES]);

/* Clears b and leaves room for the envelope; the payload is then appended. */
void value_begin(struct buf *b);
void value_seal(struct buf *b, const struct key *key, enum value_kind kind);
/* NULL and the payload, or what is wrong with the value in words. */
const char *value_check(const MDB_val *key, const MDB_val *value, enum value_kind kind,
                        struct reader *ret_payload);
/* The kind that an envelope claims; 0 where there is no envelope. */
unsigned value_kind_of(const MDB_val *value);

/* ---- transactions (txn.c) ------------------------------------------------------------------- */

/* Positive results of an operation; handled by store_do. */
enum { STORE_E_MAP_FULL = 1, STORE_E_NOT_FOUND = 2 };

struct store_op {
    struct store *s;
    MDB_txn *txn;
    MDB_cursor *cursor;
    struct buf value;
};

/* One operation inside a transaction. It may run again from its start after the map has grown. */
typedef int (*store_op_fn)(struct store_op *op, void *ctx, struct err *err);
/* Runs fn in a read or a write transaction; commits the latter. A fault of memory inside it (a page
 * that is not what it claims, a file cut short) is ERR_DATA. */
int store_do(struct store *s, enum store_mode mode, store_op_fn fn, void *ctx,
             struct err *err) ADMF_MUST_CHECK;

/* Seals op->value under the key and writes it. 0, STORE_E_MAP_FULL, or a negative errno. */
/* A run's record (runs.c). */
int op_put_run(struct store_op *op, const struct run_record *run, struct err *err) ADMF_MUST_CHECK;
int op_put(struct store_op *op, const struct key *key, enum value_kind kind,
           struct err *err) ADMF_MUST_CHECK;
/* As op_put; *ret_is_new says whether the key was not there before. */
int op_put_new(struct store_op *op, const struct key *key, enum value_kind kind, bool *ret_is_new,
               struct err *err) ADMF_MUST_CHECK;
/* 0 and a reader into the map, STORE_E_NOT_FOUND, or a negative errno. */
int op_get(struct store_op *op, const struct key *key, enum value_kind kind,
           struct reader *ret_payload, struct err *err) ADMF_MUST_CHECK;
/* Whether the key is there: 0, STORE_E_NOT_FOUND, or a negative errno. */
int op_has(struct store_op *op, const struct key *key, struct err *err) ADMF_MUST_CHECK;
/* Opens op->cursor on a tree (closing the one before). */
int op_cursor(struct store_op *op, enum tree tree, struct err *err) ADMF_MUST_CHECK;
/* As mdb_cursor_get. 0, STORE_E_NOT_FOUND, or a negative errno. */
int op_step(struct store_op *op, MDB_val *key, MDB_val *value, MDB_cursor_op step,
            struct err *err) ADMF_MUST_CHECK;

/* A walk over keys that begin with prefix; fn gets each value unchecked. Keys must ascend, and a
 * walk over a whole tree must meet as many as the tree counts. */
typedef int (*op_value_fn)(struct store_op *op, const MDB_val *key, const MDB_val *value, void *ctx,
                           struct err *err);
int op_walk(struct store_op *op, const struct key *prefix, op_value_fn fn, void *ctx,
            struct err *err) ADMF_MUST_CHECK;

/* Around calls of a caller's function inside an operation: its faults are its own. */
void *store_guard_pause(void);
void store_guard_resume(void *paused);

int store_damaged(const struct store *s, enum tree tree, const MDB_val *key, const char *what,
                  struct err *err);
int store_mdb_err(const struct store *s, int rc, const char *what, struct err *err);
/* Runs fn under the guard without a transaction; 0, or ERR_DATA. */
int store_guarded(struct store *s, int (*fn)(struct store *s, struct err *err),
                  struct err *err) ADMF_MUST_CHECK;

/* ---- the first look (look.c) ---------------------------------------------------------------- */

/* Opens env on dir; the trees too (made where is_create). Fills s->env and s->dbi. */
int store_env_open(struct store *s, bool is_create, struct err *err) ADMF_MUST_CHECK;
void store_env_close(struct store *s);
/* That a directory is named, and that what has its name is one. */
int store_check_dir(const char *dir, struct err *err) ADMF_MUST_CHECK;
/* 0; STORE_E_NOT_FOUND where there is no data file or an empty one; ERR_DATA where it is damaged.
 */
int store_look(const char *dir, enum store_mode mode, struct err *err) ADMF_MUST_CHECK;

/* ---- the writer's lock (lock.c) ------------------------------------------------------------- */

int store_lock(const char *dir, int *ret_fd, struct err *err) ADMF_MUST_CHECK;

/* ---- decoders that verify uses too ---------------------------------------------------------- */

int symbol_decode(struct reader *r, struct symbol_info *ret_info) ADMF_MUST_CHECK;
int run_decode(struct reader *r, struct run_record *ret_run) ADMF_MUST_CHECK;
int fault_decode(struct reader *r, struct fault *ret_fault) ADMF_MUST_CHECK;
/* 0, or a negative errno with err filled: bars of a hash are all there and hash to it. */
int bars_check(struct store_op *op, const uint64_t hash[2], struct err *err) ADMF_MUST_CHECK;
