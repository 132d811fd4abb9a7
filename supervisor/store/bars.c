/* SPDX-License-Identifier: MIT */
/* Bars in the store, kept by content, and the names that point to them.
 *
 * A header (column 0 of the hash) has rows and names; each column follows in chunks of 16,384 rows,
 * so that no value is large and each has a checksum of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "proto/units.h"
#include "supervisor/store/bars_heap.h"
#include "supervisor/store/internal.h"

/* ---- symbols -------------------------------------------------------------------------------- */

static void symbol_encode(struct buf *b, const struct symbol_info *info)
{
    wr_str(b, info->name);
    wr_u64(b, info->data_hash[0]);
    wr_u64(b, info->data_hash[1]);
    wr_u32(b, info->rows_n);
    wr_i64(b, info->first_ns);
    wr_i64(b, info->last_ns);
    wr_u32(b, info->extra_n);
    wr_str(b, info->source);
    wr_i64(b, info->imported_ns);
    if (info->actions.source[0] == '\0')
        return;
    wr_str(b, info->actions.source);
    wr_u32(b, info->actions.splits_n);
    wr_u32(b, info->actions.dividends_n);
    wr_u8(b, info->actions.dividends);
}

int symbol_decode(struct reader *r, struct symbol_info *ret_info)
{
    struct symbol_info info = {0};
    rd_str(r, info.name, sizeof info.name);
    info.data_hash[0] = rd_u64(r);
    info.data_hash[1] = rd_u64(r);
    info.rows_n = rd_u32(r);
    info.first_ns = rd_i64(r);
    info.last_ns = rd_i64(r);
    info.extra_n = rd_u32(r);
    rd_str(r, info.source, sizeof info.source);
    info.imported_ns = rd_i64(r);
    if (!r->bad && r->pos < r->n_bytes) {
        rd_str(r, info.actions.source, sizeof info.actions.source);
        info.actions.splits_n = rd_u32(r);
        info.actions.dividends_n = rd_u32(r);
        info.actions.dividends = rd_u8(r);
    }
    if (!rd_done(r))
        return -EBADMSG;
    *ret_info = info;
    return 0;
}

static int symbol_of(struct store_op *op, const MDB_val *key, const MDB_val *value,
                     struct symbol_info *ret_info, struct err *err)
{
    struct reader r;
    const char *what = value_check(key, value, KIND_SYMBOL, &r);
    if (!what && symbol_decode(&r, ret_info) != 0)
        what = "the record is malformed";
    return what ? store_damaged(op->s, TREE_SYMBOLS, key, what, err) : 0;
}

/* ---- headers and columns -------------------------------------------------------------------- */

static void header_encode(struct buf *b, const struct bars *bars)
{
    wr_u32(b, bars->rows_n);
    wr_u32(b, bars->extra_n);
    for (uint32_t i = 0; i < bars->extra_n; i++)
        wr_str(b, bars->extra_names[i]);
}

static int heap_of_header(struct reader *r, const char *symbol, struct bars_heap **ret_heap)
{
    uint32_t rows_n = rd_u32(r);
    uint32_t extra_n = rd_count(r, BARS_EXTRA_MAX, 4);
    char(*names)[SPEC_NAME_BYTES] = calloc(extra_n + 1, sizeof *names);
    const char **list = calloc(extra_n + 1, sizeof *list);
    int rc = names && list ? 0 : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < extra_n; i++) {
        rd_str(r, names[i], sizeof names[i]);
        list[i] = names[i];
    }
    if (rc == 0 && (!rd_done(r) || rows_n == 0 || rows_n > BARS_ROWS_MAX))
        rc = -EBADMSG;
    if (rc == 0)
        rc = bars_heap_create(symbol, extra_n, list, ret_heap);
    if (rc == 0 && bars_heap_reserve(*ret_heap, rows_n) != 0) {
        bars_heap_destroy(*ret_heap);
        rc = -ENOMEM;
    }
    if (rc == 0)
        bars_heap_view(*ret_heap, rows_n);
    free(list);
    free(names);
    return rc;
}

/* Column 0 is the times, then open high low close volume, then the extra ones. */
static const void *column_of(const struct bars *bars, uint32_t i)
{
    const void *first[] = {bars->time_ns, bars->open,  bars->high,
                           bars->low,     bars->close, bars->volume};
    return i < 6 ? first[i] : bars->extra[i - 6];
}

static void *heap_column_of(struct bars_heap *heap, uint32_t i)
{
    if (i == 0)
        return heap->time_ns;
    return i < 6 ? heap->column[i - 1] : heap->extra[i - 6];
}

static uint32_t chunk_rows(uint32_t rows_n, uint32_t chunk)
{
    uint32_t left = rows_n - chunk * BARS_CHUNK_ROWS;
    return left < BARS_CHUNK_ROWS ? left : BARS_CHUNK_ROWS;
}

static uint32_t chunks_n(uint32_t rows_n)
{
    return (rows_n + BARS_CHUNK_ROWS - 1) / BARS_CHUNK_ROWS;
}

static int put_column(struct store_op *op, const struct bars *bars, const uint64_t hash[2],
                      uint32_t column, struct err *err)
{
    const uint8_t *bytes = column_of(bars, column);
    int rc = 0;
    for (uint32_t c = 0; rc == 0 && c < chunks_n(bars->rows_n); c++) {
        struct key key = key_of_bars(hash, (uint16_t)(column + 1), c);
        value_begin(&op->value); /* 8-byte values are little-endian in memory on what we run on */
        buf_append(&op->value, bytes + (size_t)c * BARS_CHUNK_ROWS * 8,
                   (size_t)chunk_rows(bars->rows_n, c) * 8);
        rc = op_put(op, &key, KIND_BARS_COLUMN, err);
    }
    return rc;
}

static int get_column(struct store_op *op, struct bars_heap *heap, const uint64_t hash[2],
                      uint32_t column, struct err *err)
{
    uint8_t *bytes = heap_column_of(heap, column);
    uint32_t rows_n = heap->bars.rows_n;
    for (uint32_t c = 0; c < chunks_n(rows_n); c++) {
        struct key key = key_of_bars(hash, (uint16_t)(column + 1), c);
        MDB_val k = {.mv_size = key.n_bytes, .mv_data = key.bytes};
        struct reader r;
        int rc = op_get(op, &key, KIND_BARS_COLUMN, &r, err);
        if (rc == STORE_E_NOT_FOUND)
            return store_damaged(op->s, TREE_BARS, &k, "the value is missing", err);
        if (rc != 0)
            return rc;
        if (r.n_bytes != (size_t)chunk_rows(rows_n, c) * 8)
            return store_damaged(op->s, TREE_BARS, &k, "the chunk has another length", err);
        memcpy(bytes + (size_t)c * BARS_CHUNK_ROWS * 8, r.data, r.n_bytes);
    }
    return 0;
}

static int load_columns(struct store_op *op, struct bars_heap *heap, const uint64_t hash[2],
                        struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < 6 + heap->extra_n; i++)
        rc = get_column(op, heap, hash, i, err);
    if (rc != 0)
        return rc;
    uint64_t found[2];
    bars_hash(&heap->bars, found);
    struct key key = key_of_bars(hash, 0, 0);
    MDB_val k = {.mv_size = key.n_bytes, .mv_data = key.bytes};
    if (found[0] != hash[0] || found[1] != hash[1])
        return store_damaged(op->s, TREE_BARS, &k, "the bars do not hash to their name", err);
    return 0;
}

/* Heap bars of a hash, in *ret_heap even when an error follows: the caller frees them. */
static int load_bars(struct store_op *op, const char *symbol, const uint64_t hash[2],
                     struct bars_heap **ret_heap, struct err *err)
{
    struct key key = key_of_bars(hash, 0, 0);
    MDB_val k = {.mv_size = key.n_bytes, .mv_data = key.bytes};
    struct reader r;
    int rc = op_get(op, &key, KIND_BARS_HEADER, &r, err);
    if (rc == STORE_E_NOT_FOUND)
        return store_damaged(op->s, TREE_BARS, &k, "the value is missing", err);
    if (rc != 0)
        return rc;
    rc = heap_of_header(&r, symbol, ret_heap);
    if (rc == -ENOMEM)
        return err_set(err, ERR_SYSTEM, "out of memory for the bars of %s", symbol);
    if (rc != 0)
        return store_damaged(op->s, TREE_BARS, &k, "the header is malformed", err);
    return load_columns(op, *ret_heap, hash, err);
}

int bars_check(struct store_op *op, const uint64_t hash[2], struct err *err)
{
    struct bars_heap *heap = NULL;
    int rc = load_bars(op, "bars", hash, &heap, err);
    bars_heap_destroy(heap);
    return rc;
}

/* ---- putting -------------------------------------------------------------------------------- */

struct put {
    const struct bars *bars;
    struct symbol_info info;
};

static int put_bars_op(struct store_op *op, void *ctx, struct err *err)
{
    const struct put *put = ctx;
    struct key header = key_of_bars(put->info.data_hash, 0, 0);
    int rc = op_has(op, &header, err);
    bool is_damaged = rc == 0 && bars_check(op, put->info.data_hash, err) != 0;
    if (rc == STORE_E_NOT_FOUND || is_damaged) { /* importing again mends damaged bars */
        value_begin(&op->value);
        header_encode(&op->value, put->bars);
        rc = op_put(op, &header, KIND_BARS_HEADER, err);
        for (uint32_t i = 0; rc == 0 && i < 6 + put->bars->extra_n; i++)
            rc = put_column(op, put->bars, put->info.data_hash, i, err);
    }
    if (rc != 0 || put->info.name[0] == '\0')
        return rc;
    struct key symbol = key_of_text(TREE_SYMBOLS, put->info.name);
    value_begin(&op->value);
    symbol_encode(&op->value, &put->info);
    return op_put(op, &symbol, KIND_SYMBOL, err);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* `from` says name ("" where the bars get none), source and actions. */
static int put_bars(struct store *s, const struct bars *bars, const struct symbol_info *from,
                    struct err *err)
{
    if (bars->rows_n == 0)
        return err_set(err, ERR_DATA, "%s has no bars to store", bars->symbol);
    struct put put = {.bars = bars, .info = *from};
    put.info.rows_n = bars->rows_n;
    put.info.first_ns = bars->time_ns[0];
    put.info.last_ns = bars->time_ns[bars->rows_n - 1];
    put.info.extra_n = bars->extra_n;
    put.info.imported_ns = now_ns();
    bars_hash(bars, put.info.data_hash);
    return store_do(s, STORE_WRITE, put_bars_op, &put, err);
}

int store_put_bars_adjusted(struct store *s, const struct bars *bars, const char *source,
                            const struct symbol_actions *actions, struct err *err)
{
    struct symbol_info from = {.actions = *actions};
    snprintf(from.name, sizeof from.name, "%s", bars->symbol);
    snprintf(from.source, sizeof from.source, "%s", source ? source : "");
    return put_bars(s, bars, &from, err);
}

int store_put_bars(struct store *s, const struct bars *bars, const char *source, struct err *err)
{
    return store_put_bars_adjusted(s, bars, source, &(struct symbol_actions){0}, err);
}

int store_put_bars_content(struct store *s, const struct bars *bars, struct err *err)
{
    return put_bars(s, bars, &(struct symbol_info){0}, err);
}

/* ---- getting -------------------------------------------------------------------------------- */

struct get {
    const char *name;
    const uint64_t *hash;
    struct bars_heap *heap;
    struct symbol_info info;
    struct buf names; /* of all symbols, each with its NUL, for a suggestion */
};

static int name_add(struct store_op *op, const MDB_val *key, const MDB_val *value, void *ctx,
                    struct err *err)
{
    (void)op;
    (void)value;
    (void)err;
    struct get *get = ctx;
    buf_append(&get->names, key->mv_data, key->mv_size);
    buf_append(&get->names, "", 1);
    return 0;
}

static int unknown_symbol(struct store_op *op, struct get *get, struct err *err)
{
    struct key all = {.tree = TREE_SYMBOLS};
    int rc = op_walk(op, &all, name_add, get, err);
    if (rc != 0)
        return rc;
    const char *names[1024] = {NULL};
    size_t n = 0;
    for (size_t at = 0; at < get->names.n_bytes && n < 1024; n++) {
        names[n] = get->names.data + at;
        at += strlen(names[n]) + 1;
    }
    const char *close = err_suggest(get->name, names, n);
    for (size_t i = 0; i < n && !close; i++)
        close = strcasecmp(get->name, names[i]) == 0 ? names[i] : NULL;
    char name[256];
    err_printable(get->name, name, sizeof name);
    return err_set(err, ERR_NO_INPUT,
                   "there is no symbol \"%s\" in the store%s%s%s; `admf data list` shows what "
                   "there is",
                   name, close ? ", did you mean \"" : "", close ? close : "", close ? "\"" : "");
}

static int find_symbol(struct store_op *op, struct get *get, struct err *err)
{
    size_t name_n = strlen(get->name);
    if (!get->hash && (name_n == 0 || name_n >= SPEC_NAME_BYTES)) /* LMDB takes no such key */
        return unknown_symbol(op, get, err);
    struct key key = key_of_text(TREE_SYMBOLS, get->name);
    MDB_val k = {.mv_size = key.n_bytes, .mv_data = key.bytes};
    struct reader r;
    int rc = op_get(op, &key, KIND_SYMBOL, &r, err);
    if (rc == STORE_E_NOT_FOUND && !get->hash)
        return unknown_symbol(op, get, err);
    if (rc == 0 && symbol_decode(&r, &get->info) != 0)
        return store_damaged(op->s, TREE_SYMBOLS, &k, "the record is malformed", err);
    return rc == STORE_E_NOT_FOUND ? 0 : rc;
}

/* What is known of bars whose name has moved on. */
static void info_of_bars(struct get *get)
{
    const struct bars *bars = &get->heap->bars;
    get->info = (struct symbol_info){.data_hash = {get->hash[0], get->hash[1]},
                                     .rows_n = bars->rows_n,
                                     .first_ns = bars->time_ns[0],
                                     .last_ns = bars->time_ns[bars->rows_n - 1],
                                     .extra_n = bars->extra_n};
    snprintf(get->info.name, sizeof get->info.name, "%s", get->name);
}

static int get_bars_op(struct store_op *op, void *ctx, struct err *err)
{
    struct get *get = ctx;
    int rc = find_symbol(op, get, err);
    if (rc != 0)
        return rc;
    const uint64_t *hash = get->hash ? get->hash : get->info.data_hash;
    rc = load_bars(op, get->name, hash, &get->heap, err);
    if (rc == 0 && get->hash && memcmp(get->hash, get->info.data_hash, 16) != 0)
        info_of_bars(get);
    return rc;
}

int store_get_bars(struct store *s, const char *name, const uint64_t *data_hash,
                   struct bars **ret_bars, struct symbol_info *ret_info, struct err *err)
{
    struct get get = {.name = name, .hash = data_hash};
    int rc = store_do(s, STORE_READ, get_bars_op, &get, err);
    buf_fini(&get.names);
    if (rc != 0) {
        bars_heap_destroy(get.heap);
        return rc;
    }
    *ret_bars = &get.heap->bars;
    if (ret_info)
        *ret_info = get.info;
    return 0;
}

struct each_symbol {
    symbol_fn fn;
    void *ctx;
};

#define WALK_ENDED 3 /* the caller's function has seen enough */

static int each_symbol_value(struct store_op *op, const MDB_val *key, const MDB_val *value,
                             void *ctx, struct err *err)
{
    const struct each_symbol *each = ctx;
    struct symbol_info info;
    int rc = symbol_of(op, key, value, &info, err);
    if (rc != 0)
        return rc;
    void *paused = store_guard_pause();
    rc = each->fn(each->ctx, &info);
    store_guard_resume(paused);
    return rc != 0 ? WALK_ENDED : 0;
}

static int each_symbol_op(struct store_op *op, void *ctx, struct err *err)
{
    struct key all = {.tree = TREE_SYMBOLS};
    return op_walk(op, &all, each_symbol_value, ctx, err);
}

int store_each_symbol(struct store *s, symbol_fn fn, void *ctx, struct err *err)
{
    struct each_symbol each = {fn, ctx};
    int rc = store_do(s, STORE_READ, each_symbol_op, &each, err);
    return rc == WALK_ENDED ? 0 : rc;
}
