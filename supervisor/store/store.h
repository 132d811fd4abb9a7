/* SPDX-License-Identifier: MIT */
/* The store: one LMDB environment, one owner at a time, every value with version and checksum.
 *
 * Writers take the store's lock (an OFD lock on DIR/lock with the owner's pid in it, so that a dead
 * process holds nothing); readers never wait. A commit is one transaction and durable when it
 * returns. The map grows by itself. Damage is an error with the key's name, never a signal: a store
 * is first looked at in a child process. An environment never crosses a fork: open it after
 * describe_load and before workers, and let children close what they inherit (close-on-exec). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/spec.h"
#include "shm/plane.h"

#define RUN_ID_BYTES 40 /* "20260102-150405-3fa9c1" and its NUL */

struct store;
enum store_mode { STORE_READ, STORE_WRITE };

/* --store, else $ADMF_STORE, else $XDG_DATA_HOME/admf, else ~/.local/share/admf. Static memory. ""
 * where none of them is set: store_open and store_verify then say so. */
const char *store_default_dir(const char *option);
/* STORE_WRITE creates what is missing, and fails with ERR_BUSY naming the owner's pid. STORE_READ
 * of a directory without a store fails with ERR_NO_INPUT. */
int store_open(const char *dir, enum store_mode mode, struct store **ret_store,
               struct err *err) ADMF_MUST_CHECK;
void store_close(struct store *s); /* accepts NULL */
/* Whether a process holds the writer's lock of this store. */
bool store_is_owned(const struct store *s);

/* ---- bars, kept by content ------------------------------------------------------------------ */

/* Corporate actions that went into bars at their import, for people. */
struct symbol_actions {
    char source[256]; /* file name; "": there were none */
    uint32_t splits_n, dividends_n;
    uint8_t dividends; /* enum dividends: adjusted, or kept as cash */
};

struct symbol_info {
    char name[SPEC_NAME_BYTES];
    uint64_t data_hash[2];
    uint32_t rows_n;
    int64_t first_ns, last_ns;
    uint32_t extra_n;
    char source[256]; /* file name it came from, for people */
    int64_t imported_ns;
    struct symbol_actions actions;
};

/* XXH3-128 over times, columns and names of extra columns. */
void bars_hash(const struct bars *bars, uint64_t ret_hash[2]);
/* Stores bars under their hash (nothing to write if they are there) and moves the name to them. */
int store_put_bars(struct store *s, const struct bars *bars, const char *source,
                   struct err *err) ADMF_MUST_CHECK;
/* The same for bars that corporate actions were applied to. */
int store_put_bars_adjusted(struct store *s, const struct bars *bars, const char *source,
                            const struct symbol_actions *actions, struct err *err) ADMF_MUST_CHECK;
/* The same without a name: they are found by their hash alone. */
int store_put_bars_content(struct store *s, const struct bars *bars,
                           struct err *err) ADMF_MUST_CHECK;
/* A symbol by name, or by hash where data_hash is given (older runs). *ret_bars is to be freed by
 * bars_free(). ERR_NO_INPUT with a suggestion where there is none. */
int store_get_bars(struct store *s, const char *name, const uint64_t *data_hash,
                   struct bars **ret_bars, struct symbol_info *ret_info,
                   struct err *err) ADMF_MUST_CHECK;
void bars_free(struct bars *bars); /* heap bars of store_get_bars and csv_read; accepts NULL */
typedef int (*symbol_fn)(void *ctx, const struct symbol_info *info); /* non-zero ends the walk */
int store_each_symbol(struct store *s, symbol_fn fn, void *ctx, struct err *err) ADMF_MUST_CHECK;

/* ---- runs ----------------------------------------------------------------------------------- */

enum run_state { RUN_STATE_RUNNING, RUN_STATE_DONE, RUN_STATE_INTERRUPTED };

struct run_record {
    char id[RUN_ID_BYTES];
    int64_t started_ns, ended_ns; /* wall clock; 0: not ended */
    uint8_t state;                /* enum run_state */
    uint64_t config_hash[2];
    uint64_t data_hash[2]; /* of all symbols in order, and the range */
    char engine_version[32];
    uint64_t first_container_seq; /* combination n has container number first + n */
    uint64_t combinations_n;      /* that run */
    uint64_t ok_n, failed_n, invalid_n, retried_n;
    uint64_t bar_steps;
    double wall_s;
    uint32_t workers;
    uint32_t symbols_n;
    uint64_t symbol_hash[SPEC_SYMBOLS_MAX][2]; /* the bars it used */
    char *config;                              /* resolved YAML; owned: run_record_fini */
};

void run_record_fini(struct run_record *run);
/* Writes a new run: gives it an id, and container numbers for `numbers_n` combinations. */
int store_run_create(struct store *s, struct run_record *run, uint64_t numbers_n,
                     struct err *err) ADMF_MUST_CHECK;
int store_run_update(struct store *s, const struct run_record *run,
                     struct err *err) ADMF_MUST_CHECK;
/* `id` is a whole id, a unique prefix, or "last". */
int store_run_get(struct store *s, const char *id, struct run_record *ret_run,
                  struct err *err) ADMF_MUST_CHECK;
typedef int (*run_fn)(void *ctx, const struct run_record *run);
int store_each_run(struct store *s, run_fn fn, void *ctx,
                   struct err *err) ADMF_MUST_CHECK; /* oldest first */

/* ---- results and faults --------------------------------------------------------------------- */

struct fault {
    uint64_t combination;
    uint32_t attempt; /* from 1 */
    uint8_t status;   /* enum status */
    int32_t signal;   /* 0: none */
    uint32_t bar;     /* UINT32_MAX: unknown */
    uint32_t symbol_idx;
    uint8_t phase;  /* enum slot_phase */
    uint64_t limit; /* bytes or ns of the limit that was met; 0 */
    uint64_t peak_bytes;
    char message[256];
};

/* What is committed together. */
struct run_commit {
    const struct run_record *record; /* the run's record as it is then; NULL: it stays */
    const struct result *results;
    size_t results_n;
    const struct fault *faults;
    size_t faults_n;
};

/* One transaction, durable when it returns 0. Results that are there already are replaced. */
int store_commit(struct store *s, const char *run_id, const struct run_commit *commit,
                 struct err *err) ADMF_MUST_CHECK;
typedef int (*result_fn)(void *ctx, const struct result *result);
typedef int (*fault_fn)(void *ctx, const struct fault *fault);
/* In order of combination (and attempt), from one read transaction. Damage: ERR_DATA with the key.
 */
int store_each_result(struct store *s, const char *run_id, result_fn fn, void *ctx,
                      struct err *err) ADMF_MUST_CHECK;
int store_each_fault(struct store *s, const char *run_id, fault_fn fn, void *ctx,
                     struct err *err) ADMF_MUST_CHECK;
/* 0, or ERR_NO_INPUT. */
int store_get_result(struct store *s, const char *run_id, uint64_t combination,
                     struct result *ret_result, struct err *err) ADMF_MUST_CHECK;
/* XXH3-128 over combination, status and metrics of every result in order; 32 hex digits. */
int store_digest(struct store *s, const char *run_id, char ret_hex[static 33],
                 struct err *err) ADMF_MUST_CHECK;

/* ---- the store itself ----------------------------------------------------------------------- */

struct store_info {
    uint64_t file_bytes, map_bytes, symbols_n, bars_rows_n, runs_n, results_n, faults_n;
    uint32_t format_version;
};
int store_info(struct store *s, struct store_info *ret_info, struct err *err) ADMF_MUST_CHECK;
/* Reads every value in a child process. Each damaged key is given to fn; the number found is
 * *ret_damaged. */
typedef void (*damage_fn)(void *ctx, const char *key, const char *what);
int store_verify(const char *dir, damage_fn fn, void *ctx, uint64_t *ret_values_n,
                 uint64_t *ret_damaged_n, struct err *err) ADMF_MUST_CHECK;
