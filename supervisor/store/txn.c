/* SPDX-License-Identifier: MIT */
/* Guarded transactions: growth of the map, and damage that shows up as a fault of memory.
 *
 * LMDB trusts its file. A page whose bytes changed on disk can lead it outside the map (SIGSEGV),
 * and a file that was cut short is a SIGBUS. The guard turns such a fault, while an operation runs
 * in this thread, into ERR_DATA and marks the store broken; a fault anywhere else takes its usual
 * course. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/units.h"
#include "supervisor/store/internal.h"

/* ---- the guard ------------------------------------------------------------------------------ */

static _Thread_local sigjmp_buf *guard_jump;
static struct sigaction previous_segv, previous_bus;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)context;
    if (guard_jump)
        siglongjmp(*guard_jump, sig);
    (void)sigaction(sig, sig == SIGSEGV ? &previous_segv : &previous_bus, NULL);
    if (info->si_code <= 0) /* sent by a process: a return would lose it */
        (void)raise(sig);
}

static void on_assert(MDB_env *env, const char *text)
{
    (void)env;
    (void)text;
    if (guard_jump)
        siglongjmp(*guard_jump, SIGABRT);
}

static void guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGSEGV, &action, &previous_segv);
    (void)sigaction(SIGBUS, &action, &previous_bus);
}

void *store_guard_pause(void)
{
    void *paused = guard_jump;
    guard_jump = NULL;
    return paused;
}

void store_guard_resume(void *paused)
{
    guard_jump = paused;
}

static int fault_err(struct store *s, struct err *err)
{
    s->is_broken = true;
    return err_set(err, ERR_DATA,
                   "damaged store %s: its pages lead outside of the file; `admf store verify` "
                   "lists what is damaged",
                   s->dir);
}

int store_guarded(struct store *s, int (*fn)(struct store *s, struct err *err), struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, guard_install);
    sigjmp_buf jump;
    void *outer = store_guard_pause();
    int rc;
    if (sigsetjmp(jump, 0) == 0) {
        guard_jump = &jump;
        rc = fn(s, err);
    } else {
        rc = fault_err(s, err);
    }
    guard_jump = outer;
    if (s->env)
        (void)mdb_env_set_assert(s->env, on_assert); /* cannot fail on an env */
    return rc;
}

/* ---- errors --------------------------------------------------------------------------------- */

int store_damaged(const struct store *s, enum tree tree, const MDB_val *key, const char *what,
                  struct err *err)
{
    char text[STORE_KEY_TEXT_BYTES];
    return err_set(err, ERR_DATA,
                   "damaged store %s: %s: %s; `admf store verify` lists all that is damaged",
                   s->dir, key_text(tree, key, text), what);
}

static int mdb_damage(const struct store *s, int rc, const char *what, struct err *err)
{
    return err_set(err, ERR_DATA, "damaged store %s: %s: %s; `admf store verify` lists it", s->dir,
                   what, mdb_strerror(rc));
}

/* LMDB says EIO for a write that was cut short, which is what a full disk or a limit does. */
static int disk_err(const struct store *s, int rc, const char *what, struct err *err)
{
    struct statvfs fs;
    struct rlimit limit;
    char text[24], left[96] = "", most[96] = "";
    if (statvfs(s->dir, &fs) == 0)
        snprintf(left, sizeof left, " (%s free)",
                 bytes_format((uint64_t)fs.f_bavail * fs.f_frsize, text, sizeof text));
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        snprintf(most, sizeof most, " Files may have %s at most (ulimit -f).",
                 bytes_format(limit.rlim_cur, text, sizeof text));
    return err_set(err, ERR_IO,
                   "store %s: %s: %s. Is the disk full%s?%s What was committed before is kept: "
                   "make space or mend the disk, then run again (a run goes on with --resume)",
                   s->dir, what, mdb_strerror(rc), left, most);
}

int store_mdb_err(const struct store *s, int rc, const char *what, struct err *err)
{
    switch (rc) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EIO:
    case MDB_PANIC:
        return disk_err(s, rc, what, err);
    case EACCES:
    case EPERM:
    case EROFS:
        return err_set(err, ERR_CREATE,
                       "store %s: %s: %s; check the owner and permissions of its files", s->dir,
                       what, mdb_strerror(rc));
    case MDB_READERS_FULL:
        return err_set(err, ERR_SYSTEM, "store %s: too many readers at once; try again", s->dir);
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return err_set(err, ERR_SYSTEM, "store %s: %s: %s", s->dir, what, mdb_strerror(rc));
    default:
        return mdb_damage(s, rc, what, err);
    }
}

/* ---- transactions --------------------------------------------------------------------------- */

static int txn_begin(struct store *s, unsigned flags, MDB_txn **ret_txn, struct err *err)
{
    int rc = mdb_txn_begin(s->env, NULL, flags, ret_txn);
    for (int tries = 0; rc == MDB_MAP_RESIZED && tries < 8; tries++) {
        rc = mdb_env_set_mapsize(s->env, 0);
        if (rc == 0)
            rc = mdb_txn_begin(s->env, NULL, flags, ret_txn);
    }
    return rc == 0 ? 0 : store_mdb_err(s, rc, "cannot begin a transaction", err);
}

static int map_grow(struct store *s, struct err *err)
{
    MDB_envinfo info;
    int rc = mdb_env_info(s->env, &info);
    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, info.me_mapsize * 2);
    return rc == 0 ? 0 : store_mdb_err(s, rc, "cannot grow the map", err);
}

/* LMDB does not write a page at the end that a transaction took and gave back. The file gets its
 * full length all the same, so that a shorter one is known to be cut. */
static void lengthen(struct store *s)
{
    MDB_envinfo info;
    MDB_stat st;
    mdb_filehandle_t fd;
    struct stat file;
    if (mdb_env_info(s->env, &info) != 0 || mdb_env_stat(s->env, &st) != 0 ||
        mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &file) != 0)
        return;
    off_t want = (off_t)((info.me_last_pgno + 1) * st.ms_psize);
    if (file.st_size < want)
        (void)!ftruncate(fd, want); /* the next commit tries again */
}

struct attempt {
    struct store_op op;
    enum store_mode mode;
    store_op_fn fn;
    void *ctx;
};

static int attempt_body(struct attempt *a, struct err *err)
{
    struct store *s = a->op.s;
    int rc = txn_begin(s, a->mode == STORE_READ ? MDB_RDONLY : 0, &a->op.txn, err);
    if (rc == 0)
        rc = a->fn(&a->op, a->ctx, err);
    if (rc != 0)
        return rc;
    MDB_txn *txn = a->op.txn;
    if (a->op.cursor)
        mdb_cursor_close(a->op.cursor);
    a->op.cursor = NULL;
    a->op.txn = NULL; /* the commit frees it in any case; a reader's keeps the handles it opened */
    rc = mdb_txn_commit(txn); /* of a read too: trees that it opened stay open */
    if (rc == MDB_MAP_FULL)
        return STORE_E_MAP_FULL;
    if (rc != 0)
        return store_mdb_err(s, rc, "cannot commit", err);
    if (a->mode == STORE_WRITE)
        lengthen(s);
    return 0;
}

static void attempt_end(struct attempt *a)
{
    sigjmp_buf jump;
    if (sigsetjmp(jump, 0) == 0) {
        guard_jump = &jump;
        if (a->op.cursor)
            mdb_cursor_close(a->op.cursor);
        if (a->op.txn)
            mdb_txn_abort(a->op.txn);
    }
    guard_jump = NULL;
    a->op.cursor = NULL;
    a->op.txn = NULL;
}

static int attempt_run(struct attempt *a, struct err *err)
{
    sigjmp_buf jump;
    int rc;
    if (sigsetjmp(jump, 0) == 0) {
        guard_jump = &jump;
        rc = attempt_body(a, err);
    } else {
        rc = fault_err(a->op.s, err);
    }
    attempt_end(a);
    return rc;
}

int store_do(struct store *s, enum store_mode mode, store_op_fn fn, void *ctx, struct err *err)
{
    if (s->is_broken)
        return err_set(err, ERR_DATA,
                       "damaged store %s: it met damage before; `admf store verify` lists it",
                       s->dir);
    if (mode == STORE_WRITE && s->mode != STORE_WRITE)
        return err_set(err, ERR_BUG, "store %s: a write to a store that is open for reading",
                       s->dir);
    void *outer = store_guard_pause();
    struct attempt a = {.op = {.s = s}, .mode = mode, .fn = fn, .ctx = ctx};
    int rc = attempt_run(&a, err);
    while (rc == STORE_E_MAP_FULL) {
        rc = map_grow(s, err);
        if (rc == 0)
            rc = attempt_run(&a, err);
    }
    buf_fini(&a.op.value);
    store_guard_resume(outer);
    return rc;
}

/* ---- what operations are made of ------------------------------------------------------------ */

static MDB_val val_of_key(const struct key *key)
{
    union {
        const uint8_t *in;
        void *out;
    } bytes = {.in = key->bytes}; /* LMDB does not write through keys that it is given */
    return (MDB_val){.mv_size = key->n_bytes, .mv_data = bytes.out};
}

static int op_put_raw(struct store_op *op, const struct key *key, unsigned flags)
{
    MDB_val k = val_of_key(key);
    MDB_val v = {.mv_size = op->value.n_bytes, .mv_data = op->value.data};
    return mdb_put(op->txn, op->s->dbi[key->tree], &k, &v, flags);
}

int op_put_new(struct store_op *op, const struct key *key, enum value_kind kind, bool *ret_is_new,
               struct err *err)
{
    value_seal(&op->value, key, kind);
    if (op->value.failed)
        return err_set(err, ERR_SYSTEM, "store %s: out of memory", op->s->dir);
    int rc = op_put_raw(op, key, MDB_NOOVERWRITE);
    *ret_is_new = rc != MDB_KEYEXIST;
    if (rc == MDB_KEYEXIST)
        rc = op_put_raw(op, key, 0);
    if (rc == MDB_MAP_FULL)
        return STORE_E_MAP_FULL;
    return rc == 0 ? 0 : store_mdb_err(op->s, rc, "cannot write", err);
}

int op_put(struct store_op *op, const struct key *key, enum value_kind kind, struct err *err)
{
    bool is_new;
    return op_put_new(op, key, kind, &is_new, err);
}

static int op_get_raw(struct store_op *op, const struct key *key, MDB_val *ret_value,
                      struct err *err)
{
    MDB_val k = val_of_key(key);
    int rc = mdb_get(op->txn, op->s->dbi[key->tree], &k, ret_value);
    if (rc == MDB_NOTFOUND)
        return STORE_E_NOT_FOUND;
    return rc == 0 ? 0 : store_mdb_err(op->s, rc, "cannot read", err);
}

int op_get(struct store_op *op, const struct key *key, enum value_kind kind,
           struct reader *ret_payload, struct err *err)
{
    MDB_val k = val_of_key(key), v;
    int rc = op_get_raw(op, key, &v, err);
    if (rc != 0)
        return rc;
    const char *what = value_check(&k, &v, kind, ret_payload);
    return what ? store_damaged(op->s, key->tree, &k, what, err) : 0;
}

int op_has(struct store_op *op, const struct key *key, struct err *err)
{
    MDB_val v;
    return op_get_raw(op, key, &v, err);
}

int op_cursor(struct store_op *op, enum tree tree, struct err *err)
{
    if (op->cursor)
        mdb_cursor_close(op->cursor);
    op->cursor = NULL;
    MDB_stat st; /* reads the root first, so that a damaged one leaves no half-made cursor behind */
    int rc = mdb_stat(op->txn, op->s->dbi[tree], &st);
    if (rc == 0)
        rc = mdb_cursor_open(op->txn, op->s->dbi[tree], &op->cursor);
    return rc == 0 ? 0 : store_mdb_err(op->s, rc, "cannot read", err);
}

int op_step(struct store_op *op, MDB_val *key, MDB_val *value, MDB_cursor_op step, struct err *err)
{
    int rc = mdb_cursor_get(op->cursor, key, value, step);
    if (rc == MDB_NOTFOUND)
        return STORE_E_NOT_FOUND;
    return rc == 0 ? 0 : store_mdb_err(op->s, rc, "cannot read", err);
}

static bool starts_with(const MDB_val *key, const struct key *prefix)
{
    return key->mv_size >= prefix->n_bytes &&
           memcmp(key->mv_data, prefix->bytes, prefix->n_bytes) == 0;
}

static bool ascends(const struct key *before, const MDB_val *key)
{
    size_t n = before->n_bytes < key->mv_size ? before->n_bytes : key->mv_size;
    int order = memcmp(before->bytes, key->mv_data, n);
    return order < 0 || (order == 0 && before->n_bytes < key->mv_size);
}

/* Damaged branch pages can lead in circles: keys that do not ascend end the walk. */
static int walk_check(struct store_op *op, struct key *before, const MDB_val *key, bool is_first,
                      struct err *err)
{
    if (key->mv_size > sizeof before->bytes)
        return store_damaged(op->s, before->tree, key, "the key is too long", err);
    if (!is_first && !ascends(before, key))
        return store_damaged(op->s, before->tree, key, "the key is out of order", err);
    before->n_bytes = key->mv_size;
    memcpy(before->bytes, key->mv_data, key->mv_size);
    return 0;
}

/* A node that a damaged page has lost is found by its absence. */
static int walk_count(struct store_op *op, enum tree tree, uint64_t values_n, struct err *err)
{
    MDB_stat st;
    int rc = mdb_stat(op->txn, op->s->dbi[tree], &st);
    if (rc != 0)
        return store_mdb_err(op->s, rc, "cannot count", err);
    if (st.ms_entries == values_n)
        return 0;
    return err_set(err, ERR_DATA,
                   "damaged store %s: %s holds %" PRIu64 " values, and should hold %zu; `admf "
                   "store verify` lists what is damaged",
                   op->s->dir, tree_name(tree), values_n, st.ms_entries);
}

int op_walk(struct store_op *op, const struct key *prefix, op_value_fn fn, void *ctx,
            struct err *err)
{
    struct key before = {.tree = prefix->tree};
    MDB_val key = val_of_key(prefix), value;
    int rc = op_cursor(op, prefix->tree, err);
    if (rc == 0)
        rc = op_step(op, &key, &value, prefix->n_bytes ? MDB_SET_RANGE : MDB_FIRST, err);
    uint64_t values_n = 0;
    while (rc == 0 && starts_with(&key, prefix)) {
        rc = walk_check(op, &before, &key, values_n == 0, err);
        if (rc == 0)
            rc = fn(op, &key, &value, ctx, err);
        values_n++;
        if (rc == 0)
            rc = op_step(op, &key, &value, MDB_NEXT, err);
    }
    if (rc == STORE_E_NOT_FOUND && prefix->n_bytes == 0)
        return walk_count(op, prefix->tree, values_n, err);
    return rc == STORE_E_NOT_FOUND ? 0 : rc;
}
