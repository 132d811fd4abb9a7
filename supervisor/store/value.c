/* SPDX-License-Identifier: MIT */
/* Keys and the envelope of values: what turns silent damage into an error. */
#include <inttypes.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the state as a plain struct */
#include <xxhash.h>

#include "supervisor/store/internal.h"

const char *tree_name(enum tree tree)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        STORE_TREES(X)
#undef X
    };
    return tree < TREE_N ? names[tree] : "?";
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void key_add(struct key *key, const void *bytes, size_t n_bytes)
{
    size_t room = sizeof key->bytes - key->n_bytes;
    size_t n = n_bytes < room ? n_bytes : room;
    memcpy(key->bytes + key->n_bytes, bytes, n);
    key->n_bytes += n;
}

static void key_add_be(struct key *key, uint64_t value, unsigned n_bytes)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> (8 * (n_bytes - 1 - i)));
    key_add(key, bytes, n_bytes);
}

struct key key_of_text(enum tree tree, const char *text)
{
    struct key key = {.tree = tree};
    key_add(&key, text, strlen(text));
    return key;
}

struct key key_of_bars(const uint64_t hash[2], uint16_t column, uint32_t chunk)
{
    struct key key = {.tree = TREE_BARS};
    key_add_be(&key, hash[0], 8);
    key_add_be(&key, hash[1], 8);
    key_add_be(&key, column, 2);
    key_add_be(&key, chunk, 4);
    return key;
}

/* The NUL after the id keeps one id from being the beginning of another. */
size_t key_run_bytes(const char *run_id)
{
    return strlen(run_id) + 1;
}

struct key key_of_result(const char *run_id, uint64_t combination)
{
    struct key key = {.tree = TREE_RESULTS};
    key_add(&key, run_id, key_run_bytes(run_id));
    key_add_be(&key, combination, 8);
    return key;
}

struct key key_of_tally(const char *run_id)
{
    struct key key = key_of_text(TREE_META, "tally/");
    key_add(&key, run_id, strlen(run_id));
    return key;
}

struct key key_of_fault(const char *run_id, uint64_t combination, uint32_t attempt)
{
    struct key key = {.tree = TREE_FAULTS};
    key_add(&key, run_id, key_run_bytes(run_id));
    key_add_be(&key, combination, 8);
    key_add_be(&key, attempt, 4);
    return key;
}

static uint64_t be_at(const uint8_t *bytes, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void bars_key_text(const uint8_t *k, size_t n, char *out, size_t out_bytes)
{
    if (n != 22) {
        snprintf(out, out_bytes, "bars/(a key of %zu bytes)", n);
        return;
    }
    snprintf(out, out_bytes, "bars/%016" PRIx64 "%016" PRIx64 "/%" PRIu64 "/%" PRIu64, be_at(k, 8),
             be_at(k + 8, 8), be_at(k + 16, 2), be_at(k + 18, 4));
}

static void run_key_text(enum tree tree, const uint8_t *k, size_t n, char *out, size_t out_bytes)
{
    const uint8_t *end = memchr(k, 0, n);
    size_t id_bytes = end ? (size_t)(end - k) : n;
    size_t rest = end ? n - id_bytes - 1 : 0;
    char id[RUN_ID_BYTES], printable[4 * RUN_ID_BYTES];
    snprintf(id, sizeof id, "%.*s", (int)(id_bytes < 39 ? id_bytes : 39), (const char *)k);
    err_printable(id, printable, sizeof printable);
    if (tree == TREE_RESULTS && rest == 8)
        snprintf(out, out_bytes, "results/%s/%" PRIu64, printable, be_at(end + 1, 8));
    else if (tree == TREE_FAULTS && rest == 12)
        snprintf(out, out_bytes, "faults/%s/%" PRIu64 "/%" PRIu64, printable, be_at(end + 1, 8),
                 be_at(end + 9, 4));
    else
        snprintf(out, out_bytes, "%s/%s/(a key of %zu bytes)", tree_name(tree), printable, n);
}

const char *key_text(enum tree tree, const MDB_val *key, char out[static STORE_KEY_TEXT_BYTES])
{
    const uint8_t *k = key->mv_data;
    if (tree == TREE_BARS) {
        bars_key_text(k, key->mv_size, out, STORE_KEY_TEXT_BYTES);
    } else if (tree == TREE_RESULTS || tree == TREE_FAULTS) {
        run_key_text(tree, k, key->mv_size, out, STORE_KEY_TEXT_BYTES);
    } else {
        char text[SPEC_NAME_BYTES], printable[STORE_KEY_TEXT_BYTES - 16];
        int n = (int)(key->mv_size < sizeof text - 1 ? key->mv_size : sizeof text - 1);
        snprintf(text, sizeof text, "%.*s", n, (const char *)k);
        err_printable(text, printable, sizeof printable);
        snprintf(out, STORE_KEY_TEXT_BYTES, "%s/%s", tree_name(tree), printable);
    }
    return out;
}

/* ---- values --------------------------------------------------------------------------------- */

static uint64_t value_hash(const void *key, size_t key_bytes, const void *payload, size_t n_bytes)
{
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, key, key_bytes);
    XXH3_64bits_update(&state, payload, n_bytes);
    return XXH3_64bits_digest(&state);
}

void value_begin(struct buf *b)
{
    static const uint8_t room[VALUE_HEADER_BYTES];
    buf_clear(b);
    buf_append(b, room, sizeof room);
}

static void put_le(uint8_t *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void value_seal(struct buf *b, const struct key *key, enum value_kind kind)
{
    if (b->failed)
        return;
    uint8_t head[VALUE_HEADER_BYTES];
    size_t n_bytes = b->n_bytes - VALUE_HEADER_BYTES;
    put_le(head, VALUE_MAGIC, 4);
    put_le(head + 4, STORE_FORMAT_VERSION, 2);
    put_le(head + 6, kind, 2);
    put_le(head + 8, n_bytes, 8);
    put_le(head + 16, value_hash(key->bytes, key->n_bytes, b->data + VALUE_HEADER_BYTES, n_bytes),
           8);
    memcpy(b->data, head, sizeof head);
}

unsigned value_kind_of(const MDB_val *value)
{
    if (value->mv_size < VALUE_HEADER_BYTES)
        return 0;
    const uint8_t *bytes = value->mv_data;
    return (unsigned)bytes[6] | (unsigned)bytes[7] << 8;
}

const char *value_check(const MDB_val *key, const MDB_val *value, enum value_kind kind,
                        struct reader *ret_payload)
{
    if (value->mv_size < VALUE_HEADER_BYTES)
        return "the value is shorter than its envelope";
    const uint8_t *bytes = value->mv_data;
    struct reader r = rd_of(bytes, VALUE_HEADER_BYTES);
    uint32_t magic = rd_u32(&r);
    uint16_t version = rd_u16(&r);
    uint16_t found_kind = rd_u16(&r);
    uint64_t n_bytes = rd_u64(&r);
    uint64_t hash = rd_u64(&r);
    if (magic != VALUE_MAGIC)
        return "the envelope has another magic number";
    if (version != STORE_FORMAT_VERSION)
        return "the value has an unknown format version";
    if (found_kind != kind)
        return "the value is of another kind";
    if (n_bytes != value->mv_size - VALUE_HEADER_BYTES)
        return "the value has another length than its envelope says";
    const uint8_t *payload = bytes + VALUE_HEADER_BYTES;
    if (hash != value_hash(key->mv_data, key->mv_size, payload, n_bytes))
        return "the checksum does not match";
    *ret_payload = rd_of(payload, n_bytes);
    return NULL;
}
