/* SPDX-License-Identifier: MIT */
/* The first look at a store: is the data file what it claims to be, before this process maps it.
 *
 * 1. The two meta pages are read with pread: magic, version, page size, transaction numbers (they
 * follow each other, and each belongs to its page), and the file is as long as the last page says.
 * 2. A child process opens it and looks at the beginning and end of each tree, at all of `meta`,
 * and, before a writer comes, at the list of free pages. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/store/child.h"
#include "supervisor/store/internal.h"

/* Offsets inside a meta page of LMDB 0.9 (data version 1). */
#define META_MAGIC_OFF   16
#define META_VERSION_OFF 20
#define META_PSIZE_OFF   40
#define META_LAST_PG_OFF 136
#define META_TXNID_OFF   144
#define META_BYTES       152
#define LMDB_MAGIC       0xBEEFC0DEu

/* ---- the environment ------------------------------------------------------------------------ */

static uint64_t map_bytes_for(const char *dir)
{
    char path[PATH_MAX + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    uint64_t bytes = STORE_MAP_START_BYTES;
    if (stat(path, &st) == 0)
        while (bytes < (uint64_t)st.st_size * 2 && bytes < UINT64_C(1) << 46)
            bytes *= 2;
    return bytes;
}

static int foreign(const struct store *s, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "%s holds an LMDB environment of another program; name another directory with "
                   "--store",
                   s->dir);
}

static int trees_open(struct store_op *op, bool is_create, struct err *err)
{
    MDB_stat stat;
    for (unsigned t = 0; t < TREE_N; t++) {
        int rc = mdb_dbi_open(op->txn, tree_name(t), 0, &op->s->dbi[t]);
        if (rc == MDB_NOTFOUND && t == TREE_META) {
            rc = mdb_stat(op->txn, 1, &stat); /* 1 is LMDB's unnamed main tree */
            if (rc == 0 && stat.ms_entries > 0)
                return foreign(op->s, err);
            if (!is_create)
                return STORE_E_NOT_FOUND;
            rc = MDB_NOTFOUND;
        }
        if (rc == MDB_NOTFOUND && is_create)
            rc = mdb_dbi_open(op->txn, tree_name(t), MDB_CREATE, &op->s->dbi[t]);
        if (rc != 0)
            return store_mdb_err(op->s, rc, tree_name(t), err);
    }
    return 0;
}

static int format_check(struct store_op *op, bool is_create, struct err *err)
{
    struct key key = key_of_text(TREE_META, "format");
    struct reader r;
    int rc = op_get(op, &key, KIND_FORMAT, &r, err);
    if (rc == STORE_E_NOT_FOUND && is_create) {
        value_begin(&op->value);
        wr_u32(&op->value, STORE_FORMAT_VERSION);
        return op_put(op, &key, KIND_FORMAT, err);
    }
    if (rc == STORE_E_NOT_FOUND)
        return foreign(op->s, err);
    if (rc != 0)
        return rc;
    uint32_t version = rd_u32(&r);
    if (version != STORE_FORMAT_VERSION)
        return err_set(err, ERR_DATA,
                       "store %s has format %" PRIu32 ", and this admf knows %d; use the version "
                       "that wrote it",
                       op->s->dir, version, STORE_FORMAT_VERSION);
    return 0;
}

static int open_read_op(struct store_op *op, void *ctx, struct err *err)
{
    (void)ctx;
    int rc = trees_open(op, false, err);
    return rc != 0 ? rc : format_check(op, false, err);
}

static int open_write_op(struct store_op *op, void *ctx, struct err *err)
{
    (void)ctx;
    int rc = trees_open(op, true, err);
    return rc != 0 ? rc : format_check(op, true, err);
}

/* LMDB 0.9.24 leaves two descriptors of the data file open across exec, and tells of one of them.
 */
static void close_on_exec(MDB_env *env)
{
    mdb_filehandle_t fd;
    struct stat data, st;
    DIR *list = opendir("/proc/self/fd");
    if (!list)
        return;
    if (mdb_env_get_fd(env, &fd) == 0 && fstat(fd, &data) == 0)
        for (struct dirent *e = readdir(list); e; e = readdir(list)) {
            fd = (int)strtol(e->d_name, NULL, 10);
            if (fd > 2 && fstat(fd, &st) == 0 && st.st_dev == data.st_dev &&
                st.st_ino == data.st_ino)
                (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* cannot fail on an open one */
        }
    (void)closedir(list); /* it was only read */
}

static int env_open_raw(struct store *s, struct err *err)
{
    unsigned flags = MDB_NOTLS | (s->mode == STORE_READ ? MDB_RDONLY : 0);
    int dead, rc = mdb_env_create(&s->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(s->env, TREE_N + 2);
    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, map_bytes_for(s->dir));
    if (rc == 0)
        rc = mdb_env_open(s->env, s->dir, flags, 0600);
    if (rc == 0)
        rc = mdb_reader_check(s->env, &dead); /* slots of dead readers keep old pages alive */
    if (rc == 0)
        close_on_exec(s->env);
    return rc == 0 ? 0 : store_mdb_err(s, rc, "cannot open", err);
}

int store_env_open(struct store *s, bool is_create, struct err *err)
{
    int rc = store_guarded(s, env_open_raw, err);
    if (rc == 0 && is_create)
        rc = store_do(s, STORE_WRITE, open_write_op, NULL, err);
    else if (rc == 0)
        rc = store_do(s, STORE_READ, open_read_op, NULL, err);
    if (rc != 0)
        store_env_close(s);
    return rc;
}

static int env_close_raw(struct store *s, struct err *err)
{
    (void)err;
    mdb_env_close(s->env);
    s->env = NULL;
    return 0;
}

void store_env_close(struct store *s)
{
    struct err ignored;
    if (s->env && store_guarded(s, env_close_raw, &ignored) != 0)
        s->env = NULL; /* a damaged one that cannot be closed ends with the process */
}

/* ---- meta pages ----------------------------------------------------------------------------- */

struct meta {
    uint32_t magic, version, psize;
    uint64_t last_pg, txnid;
};

static struct meta meta_parse(const uint8_t *page)
{
    struct meta m;
    struct reader r = rd_of(page, META_BYTES);
    r.pos = META_MAGIC_OFF;
    m.magic = rd_u32(&r);
    r.pos = META_VERSION_OFF;
    m.version = rd_u32(&r);
    r.pos = META_PSIZE_OFF;
    m.psize = rd_u32(&r);
    r.pos = META_LAST_PG_OFF;
    m.last_pg = rd_u64(&r);
    r.pos = META_TXNID_OFF;
    m.txnid = rd_u64(&r);
    return m;
}

static bool meta_is_sane(const struct meta *m, uint64_t page)
{
    bool fits = m->txnid == 0 || (m->txnid & 1) == page;
    return m->magic == LMDB_MAGIC && m->version == 1 && m->psize >= 512 && m->psize <= 65536 &&
           (m->psize & (m->psize - 1)) == 0 && m->last_pg >= 1 && m->last_pg < UINT64_C(1) << 40 &&
           fits;
}

/* NULL, or what is wrong. */
static const char *metas_check(int fd)
{
    uint8_t page[META_BYTES];
    if (pread(fd, page, sizeof page, 0) != (ssize_t)sizeof page)
        return "it is too short";
    struct meta m[2] = {meta_parse(page)};
    if (m[0].magic != LMDB_MAGIC)
        return "it is no LMDB file";
    if (!meta_is_sane(&m[0], 0))
        return "its first page is damaged";
    if (pread(fd, page, sizeof page, m[0].psize) != (ssize_t)sizeof page)
        return "it is too short";
    m[1] = meta_parse(page);
    uint64_t low = m[0].txnid < m[1].txnid ? m[0].txnid : m[1].txnid;
    uint64_t high = m[0].txnid + m[1].txnid - low;
    if (!meta_is_sane(&m[1], 1) || m[1].psize != m[0].psize || (high > 0 && high - low != 1))
        return "its second page is damaged, or the numbers of its last transactions do not follow";
    const struct meta *newest = m[0].txnid > m[1].txnid ? &m[0] : &m[1];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return "its length cannot be read";
    bool is_short = (uint64_t)st.st_size / m[0].psize < newest->last_pg + 1;
    return is_short ? "it is shorter than its last page says" : NULL;
}

static int file_err(const char *dir, const char *what, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "damaged store %s: data.mdb: %s; `admf store verify` tells more, and the store "
                   "has to be restored from a copy or made anew",
                   dir, what);
}

/* A writer may be between two writes: a wrong look is repeated before it counts. */
static int file_look(const char *dir, int fd, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, ERR_IO, errno, "cannot read %s/data.mdb", dir);
    if (!S_ISREG(st.st_mode))
        return file_err(dir, "it is no regular file", err);
    if (st.st_size == 0)
        return STORE_E_NOT_FOUND;
    const char *what = metas_check(fd);
    for (int tries = 0; what && tries < 3; tries++) {
        struct timespec pause = {.tv_nsec = 2000000};
        (void)nanosleep(&pause, NULL);
        what = metas_check(fd);
    }
    return what ? file_err(dir, what, err) : 0;
}

/* ---- in the child --------------------------------------------------------------------------- */

struct look {
    const char *dir;
    enum store_mode mode; /* what comes after the look */
};

static int look_pages(struct store_op *op, uint64_t free_n, uint64_t pages_n, struct err *err)
{
    uint64_t used_n = 2 + free_n;
    for (unsigned t = 0; t < TREE_N + 2; t++) {
        MDB_stat st;
        int rc = mdb_stat(op->txn, t < 2 ? t : op->s->dbi[t - 2], &st);
        if (rc != 0)
            return store_mdb_err(op->s, rc, "cannot count pages", err);
        used_n += st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
    }
    if (used_n > pages_n)
        return err_set(err, ERR_DATA,
                       "damaged store %s: pages are both free and in use; `admf store verify` "
                       "lists what is damaged",
                       op->s->dir);
    return 0;
}

/* One record of the list: a count, then page numbers from high to low. */
static bool free_record_is_sane(const MDB_val *value, uint64_t pages_n, uint64_t *free_n)
{
    struct reader r = rd_of(value->mv_data, value->mv_size);
    uint64_t n = rd_u64(&r);
    if (r.bad || n > value->mv_size / 8 - 1)
        return false;
    for (uint64_t i = 0, before = pages_n; i < n; i++) {
        uint64_t page = rd_u64(&r);
        if (page < 2 || page >= before)
            return false;
        before = page;
    }
    *free_n += n;
    return true;
}

static int look_free(struct store_op *op, struct err *err)
{
    MDB_envinfo info;
    uint64_t free_n = 0;
    int rc = mdb_env_info(op->s->env, &info);
    MDB_cursor *cursor = NULL;
    if (rc == 0)
        rc = mdb_cursor_open(op->txn, 0, &cursor); /* 0 is LMDB's tree of free pages */
    if (rc != 0)
        return store_mdb_err(op->s, rc, "cannot read the list of free pages", err);
    MDB_val key, value;
    for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
        if (key.mv_size != 8 || !free_record_is_sane(&value, info.me_last_pgno + 1, &free_n)) {
            rc = MDB_CORRUPTED;
            break;
        }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND)
        return store_mdb_err(op->s, rc, "the list of free pages", err);
    return look_pages(op, free_n, info.me_last_pgno + 1, err);
}

static int touch(struct store_op *op, const MDB_val *key, const MDB_val *value, void *ctx,
                 struct err *err)
{
    (void)ctx;
    struct reader r;
    const char *what = value_check(key, value, value_kind_of(value), &r);
    return what ? store_damaged(op->s, TREE_META, key, what, err) : 0;
}

static int look_ends(struct store_op *op, enum tree tree, struct err *err)
{
    static const MDB_cursor_op ends[] = {MDB_FIRST, MDB_LAST};
    int rc = op_cursor(op, tree, err);
    for (unsigned i = 0; rc == 0 && i < 2; i++) {
        MDB_val key, value;
        struct reader r;
        rc = op_step(op, &key, &value, ends[i], err);
        if (rc != 0)
            break;
        const char *what = value_check(&key, &value, value_kind_of(&value), &r);
        if (what)
            rc = store_damaged(op->s, tree, &key, what, err);
    }
    return rc == STORE_E_NOT_FOUND ? 0 : rc;
}

static int look_op(struct store_op *op, void *ctx, struct err *err)
{
    const struct look *look = ctx;
    int rc = look->mode == STORE_WRITE ? look_free(op, err) : 0;
    for (unsigned t = 0; rc == 0 && t < TREE_N; t++) {
        struct key all = {.tree = t};
        if (t == TREE_META)
            rc = op_walk(op, &all, touch, NULL, err);
        else
            rc = look_ends(op, t, err);
    }
    return rc;
}

static int look_child(void *ctx, FILE *out, struct err *err)
{
    const struct look *look = ctx;
    struct store s = {.mode = STORE_READ, .lock_fd = -1};
    snprintf(s.dir, sizeof s.dir, "%s", look->dir);
    int rc = store_env_open(&s, false, err);
    if (rc == STORE_E_NOT_FOUND) {
        fputs("empty\n", out);
        return 0;
    }
    if (rc == 0)
        rc = store_do(&s, STORE_READ, look_op, ctx, err);
    store_env_close(&s);
    return rc;
}

static int look_in_child(struct look *look, struct err *err)
{
    struct child_end end;
    int rc = store_child(look_child, look, &end, err);
    if (rc != 0)
        return rc;
    if (end.how == CHILD_OK)
        rc = end.text.data && strncmp(end.text.data, "empty", 5) == 0 ? STORE_E_NOT_FOUND : 0;
    else if (end.how == CHILD_ERR)
        rc = end.rc;
    else
        rc = err_set(err, ERR_DATA,
                     "damaged store %s: a process that looked at it died (%s); `admf store "
                     "verify` lists what is damaged",
                     look->dir,
                     WIFSIGNALED(end.exit_status) ? strsignal(WTERMSIG(end.exit_status))
                                                  : "it gave no answer");
    buf_fini(&end.text);
    return rc;
}

int store_look(const char *dir, enum store_mode mode, struct err *err)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return STORE_E_NOT_FOUND;
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "cannot open %s", path);
    int rc = file_look(dir, fd, err);
    (void)close(fd);
    if (rc != 0)
        return rc;
    struct look look = {.dir = dir, .mode = mode};
    return look_in_child(&look, err);
}
