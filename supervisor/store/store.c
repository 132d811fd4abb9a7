/* SPDX-License-Identifier: MIT */
/* Opening, closing and counting a store. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/store/internal.h"

const char *store_default_dir(const char *option)
{
    static char dir[PATH_MAX];
    const char *env = getenv("ADMF_STORE"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (option && *option)
        return option;
    if (env && *env)
        return env;
    if (data && data[0] == '/')
        snprintf(dir, sizeof dir, "%s/admf", data);
    else if (home && *home)
        snprintf(dir, sizeof dir, "%s/.local/share/admf", home);
    else
        dir[0] = '\0';
    return dir;
}

static int no_directory(const char *dir, struct err *err)
{
    return err_set(err, ERR_CREATE, "the store %s is no directory; name one with --store", dir);
}

static int make_dirs(const char *dir, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", dir);
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST && errno != EISDIR && errno != EROFS)
            return err_set_errno(err, ERR_CREATE, errno, "cannot create the store directory %s",
                                 path);
        *at = kept;
        if (kept == '\0')
            break;
    }
    struct stat st;
    return stat(dir, &st) != 0 || !S_ISDIR(st.st_mode) ? no_directory(dir, err) : 0;
}

static int no_store(const char *dir, struct err *err)
{
    return err_set(err, ERR_NO_INPUT,
                   "there is no store at %s; `admf import FILE.csv --symbol NAME` makes one, "
                   "--store DIR names another",
                   dir);
}

static int open_for_writing(struct store *s, struct err *err)
{
    int rc = make_dirs(s->dir, err);
    if (rc == 0)
        rc = store_lock(s->dir, &s->lock_fd, err);
    if (rc == 0)
        rc = store_look(s->dir, STORE_WRITE, err);
    if (rc == STORE_E_NOT_FOUND)
        rc = 0;
    return rc != 0 ? rc : store_env_open(s, true, err);
}

static int open_for_reading(struct store *s, struct err *err)
{
    int rc = store_look(s->dir, STORE_READ, err);
    if (rc == 0)
        rc = store_env_open(s, false, err);
    return rc == STORE_E_NOT_FOUND ? no_store(s->dir, err) : rc;
}

int store_check_dir(const char *dir, struct err *err)
{
    struct stat st;
    if (*dir == '\0')
        return err_set(err, ERR_USAGE,
                       "no store is named and there is no home to keep one in: give --store DIR or "
                       "set $ADMF_STORE");
    if (strlen(dir) >= PATH_MAX - 16)
        return err_set(err, ERR_USAGE, "the name of the store directory is too long");
    return stat(dir, &st) == 0 && !S_ISDIR(st.st_mode) ? no_directory(dir, err) : 0;
}

int store_open(const char *dir, enum store_mode mode, struct store **ret_store, struct err *err)
{
    int rc = store_check_dir(dir, err);
    if (rc != 0)
        return rc;
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_SYSTEM, "out of memory");
    s->mode = mode;
    s->lock_fd = -1;
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    rc = mode == STORE_WRITE ? open_for_writing(s, err) : open_for_reading(s, err);
    if (rc != 0) {
        store_close(s);
        return rc;
    }
    *ret_store = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_env_close(s);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd); /* the lock goes with it */
    free(s);
}

bool store_is_owned(const struct store *s)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/lock", s->dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool is_owned = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(fd); /* nothing was written through it */
    return is_owned;
}

/* ---- counts --------------------------------------------------------------------------------- */

static int count_of(struct store_op *op, enum tree tree, uint64_t *ret_n, struct err *err)
{
    MDB_stat st;
    int rc = mdb_stat(op->txn, op->s->dbi[tree], &st);
    if (rc != 0)
        return store_mdb_err(op->s, rc, "cannot count", err);
    *ret_n = st.ms_entries;
    return 0;
}

/* From header to header of the bars; their columns are leapt over. */
static int count_rows(struct store_op *op, uint64_t *ret_rows_n, struct err *err)
{
    MDB_val key, value;
    int rc = op_cursor(op, TREE_BARS, err);
    if (rc == 0)
        rc = op_step(op, &key, &value, MDB_FIRST, err);
    while (rc == 0) {
        struct reader r;
        const char *what = value_check(&key, &value, KIND_BARS_HEADER, &r);
        if (!what && key.mv_size != 22)
            what = "the key is malformed";
        if (what)
            return store_damaged(op->s, TREE_BARS, &key, what, err);
        *ret_rows_n += rd_u32(&r);
        uint8_t next[22];
        memcpy(next, key.mv_data, 16);
        memset(next + 16, 0xff, 6);
        key = (MDB_val){.mv_size = sizeof next, .mv_data = next};
        rc = op_step(op, &key, &value, MDB_SET_RANGE, err);
    }
    return rc == STORE_E_NOT_FOUND ? 0 : rc;
}

static int info_op(struct store_op *op, void *ctx, struct err *err)
{
    struct store_info *info = ctx;
    MDB_envinfo env;
    struct stat st;
    mdb_filehandle_t fd;
    memset(info, 0, sizeof *info);
    int rc = mdb_env_info(op->s->env, &env);
    if (rc == 0)
        rc = mdb_env_get_fd(op->s->env, &fd);
    if (rc != 0)
        return store_mdb_err(op->s, rc, "cannot read its sizes", err);
    info->map_bytes = env.me_mapsize;
    info->file_bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    info->format_version = STORE_FORMAT_VERSION;
    rc = count_of(op, TREE_SYMBOLS, &info->symbols_n, err);
    if (rc == 0)
        rc = count_of(op, TREE_RUNS, &info->runs_n, err);
    if (rc == 0)
        rc = count_of(op, TREE_RESULTS, &info->results_n, err);
    if (rc == 0)
        rc = count_of(op, TREE_FAULTS, &info->faults_n, err);
    return rc != 0 ? rc : count_rows(op, &info->bars_rows_n, err);
}

int store_info(struct store *s, struct store_info *ret_info, struct err *err)
{
    struct store_info info;
    int rc = store_do(s, STORE_READ, info_op, &info, err);
    if (rc == 0)
        *ret_info = info;
    return rc;
}
