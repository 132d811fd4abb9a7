/* SPDX-License-Identifier: MIT */
/* Verifying: each value of each tree is read, checked and decoded, a child process for each tree,
 * so that pages that kill one leave the others to be looked at. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "supervisor/store/child.h"
#include "supervisor/store/internal.h"

struct verify {
    const char *dir;
    enum tree tree;
    FILE *out;
    uint64_t values_n;
    /* in the parent */
    damage_fn fn;
    void *ctx;
    uint64_t damaged_n;
};

static void damaged(struct verify *v, const MDB_val *key, const char *what)
{
    char text[STORE_KEY_TEXT_BYTES];
    fprintf(v->out, "D\t%s\t%s\n", key_text(v->tree, key, text), what);
}

static const char *decode_symbol(struct store_op *op, struct reader *r)
{
    struct symbol_info info;
    struct err ignored; /* the answer says it in fewer words */
    if (symbol_decode(r, &info) != 0)
        return "the record is malformed";
    struct key header = key_of_bars(info.data_hash, 0, 0);
    return op_has(op, &header, &ignored) == 0 ? NULL : "its bars are missing";
}

static const char *decode_run(struct reader *r)
{
    struct run_record run = {0};
    int rc = run_decode(r, &run);
    run_record_fini(&run);
    return rc == 0 ? NULL : "the record is malformed";
}

static const char *decode_header(struct store_op *op, const MDB_val *key)
{
    struct err ignored; /* damaged columns are listed under their own keys */
    uint64_t hash[2] = {0, 0};
    if (key->mv_size != 22)
        return "the key is malformed";
    const uint8_t *k = key->mv_data;
    for (unsigned i = 0; i < 16; i++)
        hash[i / 8] = hash[i / 8] << 8 | k[i];
    return bars_check(op, hash, &ignored) == 0
               ? NULL
               : "a column of these bars is missing or damaged, or they do not hash to their name";
}

static const char *decode(struct store_op *op, const MDB_val *key, unsigned kind, struct reader *r)
{
    struct result result;
    struct fault fault;
    switch (kind) {
    case KIND_SYMBOL:
        return decode_symbol(op, r);
    case KIND_RUN:
        return decode_run(r);
    case KIND_BARS_HEADER:
        return decode_header(op, key);
    case KIND_RESULT:
        return result_decode(r, &result) == 0 && rd_done(r) ? NULL : "the result is malformed";
    case KIND_FAULT:
        return fault_decode(r, &fault) == 0 ? NULL : "the fault is malformed";
    default:
        return NULL;
    }
}

static bool kind_belongs(unsigned kind, enum tree tree)
{
    static const enum tree of_kind[] = {
        [KIND_FORMAT] = TREE_META,      [KIND_COUNTER] = TREE_META,
        [KIND_LAST_RUN] = TREE_META,    [KIND_SYMBOL] = TREE_SYMBOLS,
        [KIND_BARS_HEADER] = TREE_BARS, [KIND_BARS_COLUMN] = TREE_BARS,
        [KIND_RUN] = TREE_RUNS,         [KIND_RESULT] = TREE_RESULTS,
        [KIND_FAULT] = TREE_FAULTS,     [KIND_TALLY] = TREE_META,
    };
    return kind >= KIND_FORMAT && kind <= KIND_TALLY && of_kind[kind] == tree;
}

static int verify_value(struct store_op *op, const MDB_val *key, const MDB_val *value, void *ctx,
                        struct err *err)
{
    (void)err;
    struct verify *v = ctx;
    struct reader r;
    unsigned kind = value_kind_of(value);
    const char *what = kind_belongs(kind, v->tree) ? value_check(key, value, kind, &r)
                                                   : "the value is of another kind";
    if (!what)
        what = decode(op, key, kind, &r);
    if (what)
        damaged(v, key, what);
    v->values_n++;
    return 0;
}

static int verify_op(struct store_op *op, void *ctx, struct err *err)
{
    struct verify *v = ctx;
    struct key all = {.tree = v->tree};
    int rc = op_walk(op, &all, verify_value, v, err);
    fprintf(v->out, "N\t%" PRIu64 "\n", v->values_n);
    return rc;
}

static int verify_child(void *ctx, FILE *out, struct err *err)
{
    struct verify *v = ctx;
    struct store s = {.mode = STORE_READ, .lock_fd = -1};
    snprintf(s.dir, sizeof s.dir, "%s", v->dir);
    v->out = out;
    int rc = store_env_open(&s, false, err);
    if (rc == STORE_E_NOT_FOUND)
        return err_set(err, ERR_DATA, "the trees are missing");
    if (rc == 0)
        rc = store_do(&s, STORE_READ, verify_op, v, err);
    store_env_close(&s);
    return rc;
}

static void report(struct verify *v, const char *key, const char *what)
{
    v->damaged_n++;
    if (v->fn)
        v->fn(v->ctx, key, what);
}

/* Lines of a child: "D key what" and "N values". */
static void take_lines(struct verify *v, char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *key = strchr(line, '\t');
        char *what = key ? strchr(key + 1, '\t') : NULL;
        if (*line == 'N' && key) {
            v->values_n += strtoull(key + 1, NULL, 10);
        } else if (*line == 'D' && what) {
            *what = '\0';
            report(v, key + 1, what + 1);
        }
    }
}

static int verify_tree(struct verify *v, struct err *err)
{
    struct child_end end;
    struct verify of_child = {.dir = v->dir, .tree = v->tree};
    int rc = store_child(verify_child, &of_child, &end, err);
    if (rc != 0)
        return rc;
    if (end.text.data)
        take_lines(v, end.text.data);
    if (end.how == CHILD_DIED)
        report(v, tree_name(v->tree),
               WIFSIGNALED(end.exit_status) ? strsignal(WTERMSIG(end.exit_status))
                                            : "the process that read it gave no answer");
    else if (end.how == CHILD_ERR && err->kind == ERR_DATA)
        report(v, tree_name(v->tree), err->text);
    else if (end.how == CHILD_ERR)
        rc = end.rc;
    buf_fini(&end.text);
    return rc;
}

int store_verify(const char *dir, damage_fn fn, void *ctx, uint64_t *ret_values_n,
                 uint64_t *ret_damaged_n, struct err *err)
{
    struct verify v = {.dir = dir, .fn = fn, .ctx = ctx};
    int rc = store_check_dir(dir, err);
    if (rc != 0)
        return rc;
    rc = store_look(dir, STORE_WRITE, err);
    if (rc == STORE_E_NOT_FOUND)
        return err_set(err, ERR_NO_INPUT, "there is no store at %s; --store DIR names another",
                       dir);
    if (rc != 0 && err->kind != ERR_DATA)
        return rc;
    bool is_file_damaged = rc != 0;
    struct err first = *err;
    for (rc = 0; rc == 0 && v.tree < TREE_N; v.tree++)
        rc = verify_tree(&v, err);
    if (rc != 0)
        return rc;
    if (is_file_damaged && v.damaged_n == 0)
        report(&v, "data.mdb", first.text);
    *ret_values_n = v.values_n;
    *ret_damaged_n = v.damaged_n;
    return 0;
}
