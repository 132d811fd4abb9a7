/* SPDX-License-Identifier: MIT */
/* The walk that reads a file by the table of keys, and the docs that are made of it. */
#include "supervisor/config/schema.h"

#include <stdio.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"

/* ---- rows by name --------------------------------------------------------------------------- */

/* In the order of the resolved text. */
static const struct schema_part *const parts[] = {&schema_data, &schema_strategies,
                                                  &schema_execution, &schema_account, &schema_run};

const struct schema_row *schema_row_at(size_t i)
{
    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        if (i < parts[p]->n)
            return &parts[p]->rows[i];
        i -= parts[p]->n;
    }
    return NULL;
}

const struct schema_row *schema_at(const char *path)
{
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++)
        if (!strcmp(row->path, path))
            return row;
    return NULL;
}

bool schema_is_under(const struct schema_row *row, const char *prefix)
{
    size_t n = strlen(prefix);
    if (!n)
        return !strchr(row->path, '.');
    return !strncmp(row->path, prefix, n) && row->path[n] == '.' && !strchr(row->path + n + 1, '.');
}

const char *schema_key(const struct schema_row *row)
{
    const char *dot = strrchr(row->path, '.');
    return dot ? dot + 1 : row->path;
}

const struct schema_row *schema_find(const char *prefix, const char *key)
{
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++)
        if (schema_is_under(row, prefix) && !strcmp(schema_key(row), key))
            return row;
    return NULL;
}

/* Keys right under a prefix: of "" those without a dot. */
static size_t keys_of(const char *prefix, const char *names[static 64])
{
    const struct schema_row *row;
    size_t n = 0;
    for (size_t i = 0; (row = schema_row_at(i)) && n < 64; i++)
        if (schema_is_under(row, prefix) && row->kind != SCHEMA_ABSENT)
            names[n++] = schema_key(row);
    return n;
}

/* A row elsewhere whose last part is `key`. */
static const struct schema_row *row_elsewhere(const char *key)
{
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++)
        if (!strcmp(schema_key(row), key))
            return row;
    return NULL;
}

/* The first of the names that has `key` among its words: of "percent" `percent_of_equity`. */
static const char *name_with_word(const char *key, const char *const *names, size_t n)
{
    size_t key_n = strlen(key);
    for (size_t i = 0; i < n && key_n > 0; i++)
        for (const char *at = names[i]; (at = strstr(at, key)); at++)
            if ((at == names[i] || at[-1] == '_') && (at[key_n] == '_' || at[key_n] == '\0'))
                return names[i];
    return NULL;
}

#define HINT_BYTES 128

/* What may have been meant by an unknown key, of the same map rather than of another; "" where
 * nothing is like it. */
static void hint_key(const char *key, const char *const *names, size_t n,
                     char out[static HINT_BYTES])
{
    const char *alike = err_suggest(key, names, n);
    const char *close = alike ? alike : name_with_word(key, names, n);
    const struct schema_row *elsewhere = row_elsewhere(key);
    *out = '\0';
    if (close)
        snprintf(out, HINT_BYTES, "did you mean \"%s\"? ", close);
    else if (elsewhere && strchr(elsewhere->path, '.'))
        snprintf(out, HINT_BYTES, "did you mean %s? ", elsewhere->path);
    else if (elsewhere)
        snprintf(out, HINT_BYTES, "it stands at the top of the file; ");
    else if (strchr(key, ')'))
        snprintf(out, HINT_BYTES, "between { and } an expression with a comma needs quotes; ");
}

static int unknown_key(struct loader *l, const char *prefix, const struct node *key)
{
    const char *names[64];
    size_t n = keys_of(prefix, names);
    char known[640] = "", hint[HINT_BYTES];
    for (size_t i = 0, used = 0; i < n && used < sizeof(known); i++)
        used +=
            (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", names[i]);
    hint_key(key->text, names, n, hint);
    return node_error(key, l->err, "%s is no key %s%s; %sknown here: %s", node_show(key).text,
                      *prefix ? "of " : "of a configuration", prefix, hint, known);
}

int schema_absent(struct loader *l, const struct node *at, const char *what)
{
    return node_error(
        at, l->err, "`%s` is not available in this version of admf (" ADMF_VERSION "); take it out",
        what);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void *field_of(struct loader *l, const struct schema_row *row)
{
    char *base = row->place == PLACE_CONFIG ? (char *)l->config : (char *)l->top;
    return base + row->offset;
}

/* Whole values go to fields of 1, 4 or 8 bytes. */
static void store_whole(struct loader *l, const struct schema_row *row, int64_t value)
{
    if (row->place == PLACE_NONE)
        return;
    void *field = field_of(l, row);
    uint8_t narrow = (uint8_t)value;
    uint32_t middle = (uint32_t)value;
    if (row->width == sizeof(narrow))
        memcpy(field, &narrow, sizeof(narrow));
    else if (row->width == sizeof(middle))
        memcpy(field, &middle, sizeof(middle));
    else
        memcpy(field, &value, sizeof(value));
}

/* "256MiB" or "30s", or the word. */
static int read_quantity(struct loader *l, const struct schema_row *row, const struct node *v)
{
    bool is_bytes = row->kind == SCHEMA_BYTES;
    const char *wanted = is_bytes ? "a size such as 256MiB" : "a duration such as 30s";
    uint64_t bytes = 0;
    int64_t ns = 0;
    if (v->kind != NODE_SCALAR || node_is_null(v))
        return node_error(v, l->err, "%s: %s; %s is expected", row->path, node_show(v).text,
                          wanted);
    if (row->rule.word && !strcmp(v->text, row->rule.word)) {
        store_whole(l, row, (int64_t)row->rule.word_value);
        return 0;
    }
    int rc = is_bytes ? bytes_parse(v->text, &bytes) : duration_parse(v->text, &ns);
    double value = is_bytes ? (double)bytes : (double)ns;
    if (rc < 0 || value < row->rule.minimum || value > row->rule.maximum)
        return node_error(v, l->err, "%s: %s; %s is expected (%s)", row->path, node_show(v).text,
                          wanted, row->values);
    store_whole(l, row, is_bytes ? (int64_t)bytes : ns);
    return 0;
}

struct number_rule schema_rule(const struct schema_row *row)
{
    struct number_rule rule = row->rule;
    rule.is_whole = row->kind == SCHEMA_WHOLE;
    return rule;
}

int schema_read_number(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (sweep_is(v) && row->sweep)
        return node_error(v, l->err,
                          "%s: %s; one number is expected here. To sweep it, write it under "
                          "optimization.parameter_grids as `%s: [ … ]`",
                          row->path, node_show(v).text, row->sweep);
    const struct number_rule rule = schema_rule(row);
    double value = 0;
    int rc = value_number(v, row->path, &rule, &value, l->err);
    if (rc < 0)
        return rc;
    if (rule.is_whole)
        store_whole(l, row, (int64_t)value);
    else
        memcpy(field_of(l, row), &value, sizeof(value));
    return 0;
}

/* A list or a range at the key itself: a dimension of all strategies. */
static int read_swept(struct loader *l, const struct schema_row *row, const struct node *v)
{
    const struct number_rule rule = schema_rule(row);
    struct dim *d = &l->exit_dims[l->exit_dims_n];
    *d = (struct dim){.target = DIM_FIELD, .row = row, .origin = DIM_FROM_EXITS};
    int rc = sweep_read(v, row->path, &rule, d, l->err);
    if (rc < 0)
        return rc;
    snprintf(d->name, sizeof(d->name), "%s", row->sweep);
    l->exit_nodes[l->exit_dims_n++] = v;
    return 0;
}

int schema_read_row(struct loader *l, const struct schema_row *row, const struct node *v)
{
    int rc = 0, choice = 0;
    bool is_true = false;
    switch (row->kind) {
    case SCHEMA_MAP:
        return schema_read_map(l, row->path, v);
    case SCHEMA_NUMBER:
    case SCHEMA_WHOLE:
        return row->is_swept_here && sweep_is(v) ? read_swept(l, row, v)
                                                 : schema_read_number(l, row, v);
    case SCHEMA_BOOL:
        rc = value_bool(v, row->path, &is_true, l->err);
        if (rc == 0)
            store_whole(l, row, is_true);
        return rc;
    case SCHEMA_CHOICE:
        rc = value_choice(l, v, row, &choice);
        if (rc == 0)
            store_whole(l, row, choice);
        return rc;
    case SCHEMA_BYTES:
    case SCHEMA_DURATION:
        return read_quantity(l, row, v);
    case SCHEMA_OWN:
        return row->read(l, row, v);
    case SCHEMA_LATER:
        return 0;
    case SCHEMA_ABSENT:
        return schema_absent(l, v->key ? v->key : v, row->path);
    }
    return 0;
}

static int walk_map(struct loader *l, const char *prefix, const struct node *map, bool do_read)
{
    if (node_is_null(map))
        return 0;
    if (map->kind != NODE_MAP)
        return node_error(map, l->err, "%s: %s; a map of keys is expected",
                          *prefix ? prefix : "the configuration", node_show(map).text);
    for (const struct node *v = map->first; v; v = v->next) {
        const struct schema_row *row = schema_find(prefix, v->key->text);
        int rc = 0;
        if (!row)
            rc = unknown_key(l, prefix, v->key);
        else if (do_read || row->kind == SCHEMA_ABSENT)
            rc = schema_read_row(l, row, v);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int schema_read_map(struct loader *l, const char *prefix, const struct node *map)
{
    return walk_map(l, prefix, map, true);
}

int schema_check_keys(struct loader *l, const char *prefix, const struct node *map)
{
    return walk_map(l, prefix, map, false);
}

/* ---- names and docs ------------------------------------------------------------------------- */

const char *choice_name(const struct choice *choices, int value)
{
    for (; choices->name; choices++)
        if (choices->value == value)
            return choices->name;
    return "?";
}

int choice_value(const struct choice *choices, const char *name)
{
    for (; choices->name; choices++)
        if (!strcmp(choices->name, name))
            return choices->value;
    return -1;
}

static void doc_values(const struct schema_row *row, struct buf *out)
{
    char text[96];
    if (row->kind == SCHEMA_ABSENT) {
        return;
    } else if (row->values) {
        buf_puts(out, row->values);
    } else if (row->kind == SCHEMA_MAP) {
        buf_puts(out, "map");
    } else if (row->kind == SCHEMA_BOOL) {
        buf_puts(out, "`true`, `false`");
    } else if (row->choices) {
        const char *comma = "";
        for (const struct choice *c = row->choices; c->name; c++) {
            if (c->value == CHOICE_ABSENT || c->is_spelling)
                continue;
            buf_printf(out, "%s`%s`", comma, c->name);
            comma = ", ";
        }
    } else {
        const struct number_rule rule = schema_rule(row);
        buf_puts(out, rule_text(&rule, text, sizeof(text)));
    }
}

void schema_doc_row(const struct schema_row *row, struct buf *out)
{
    buf_printf(out, "| `%s`%s | ", row->path, convention_find(row->path) ? " *" : "");
    doc_values(row, out);
    if (row->unit)
        buf_printf(out, " (%s)", row->unit);
    bool is_value = row->dflt && *row->dflt && !strchr(row->dflt, ' ');
    const char *quote = is_value || (row->dflt && *row->dflt == '{') ? "`" : "";
    if (row->kind == SCHEMA_ABSENT)
        buf_puts(out, " | not available | ");
    else if (row->dflt && !*row->dflt)
        buf_puts(out, " | required | ");
    else
        buf_printf(out, " | %s%s%s | ", quote, row->dflt ? row->dflt : "", quote);
    buf_puts(out, row->doc);
    if (row->is_swept_here)
        buf_puts(out, " May be swept in place.");
    if (row->sweep)
        buf_printf(out, " Swept as `%s`.", row->sweep);
    buf_puts(out, " |");
}
