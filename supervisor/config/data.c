/* SPDX-License-Identifier: MIT */
/* The section `data`: which bars, from where, over which range. */
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"
#include "supervisor/import/actions.h"

static struct config_symbol *find_symbol(struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->symbols_n + c->references_n; i++)
        if (!strcmp(c->symbols[i].name, name))
            return &c->symbols[i];
    return NULL;
}

/* Behind the others, with its name alone. */
static int add_symbol(struct loader *l, const struct node *at, uint32_t *io_n)
{
    struct config *c = l->config;
    char name[SPEC_NAME_BYTES];
    uint32_t n = c->symbols_n + c->references_n;
    int rc = value_text(at, "a symbol", name, sizeof(name), l->err);
    if (rc < 0)
        return rc;
    if (!spec_symbol_is_good(name))
        return node_error(at, l->err, "%s is no name of a symbol; expected " SPEC_SYMBOL_RULE,
                          node_show(at).text);
    if (find_symbol(c, name))
        return node_error(at, l->err, "data.symbols: %s stands here a second time; keep one",
                          node_show(at).text);
    if (n == SPEC_SYMBOLS_MAX)
        return node_error(at, l->err, "data.symbols: more than %d symbols", SPEC_SYMBOLS_MAX);
    memcpy(c->symbols[n].name, name, sizeof(name));
    ++*io_n;
    return 0;
}

int read_symbols(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (v->kind != NODE_LIST || v->children_n == 0)
        return node_error(v, l->err, "%s: %s; a list of names is expected, as in [SPX, NDX]",
                          row->path, v->kind == NODE_LIST ? "an empty list" : node_show(v).text);
    int rc = 0;
    for (const struct node *s = v->first; s && rc == 0; s = s->next)
        rc = add_symbol(l, s, &l->config->symbols_n);
    return rc;
}

int read_csv(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (v->kind != NODE_MAP)
        return node_error(v, l->err,
                          "%s: %s; a map of symbol to file is expected, as in {SPX: spx.csv}",
                          row->path, node_show(v).text);
    l->csv = v;
    return 0;
}

static int add_csv(struct loader *l, const struct node *v)
{
    struct config *c = l->config;
    char given[sizeof(c->symbols[0].csv)];
    int rc = value_text(v, "data.csv", given, sizeof(given), l->err);
    if (rc < 0)
        return rc;
    struct config_symbol *s = find_symbol(c, v->key->text);
    size_t dir_n = given[0] == '/' ? 0 : strlen(l->dir);
    if (dir_n + v->n_bytes >= sizeof(s->csv))
        return node_error(v, l->err, "data.csv: the path is longer than %zu bytes",
                          sizeof(s->csv) - 1);
    memcpy(s->csv, l->dir, dir_n);
    memcpy(s->csv + dir_n, given, v->n_bytes + 1);
    s->csv_given = (uint32_t)dir_n;
    return 0;
}

int read_actions(struct loader *l, const struct schema_row *row, const struct node *v)
{
    struct config *c = l->config;
    char given[sizeof(c->actions)];
    if (v->kind == NODE_SCALAR && v->is_plain && !strcmp(v->text, "none")) {
        c->actions[0] = '\0';
        return 0;
    }
    int rc = value_text(v, row->path, given, sizeof(given), l->err);
    if (rc < 0)
        return rc;
    size_t dir_n = given[0] == '/' ? 0 : strlen(l->dir);
    if (dir_n + v->n_bytes >= sizeof(c->actions))
        return node_error(v, l->err, "%s: the path is longer than %zu bytes", row->path,
                          sizeof(c->actions) - 1);
    memcpy(c->actions, l->dir, dir_n);
    memcpy(c->actions + dir_n, given, v->n_bytes + 1);
    c->actions_given = (uint32_t)dir_n;
    return 0;
}

/* Actions are applied where files are imported; bars of the store have had theirs. */
static int check_actions(struct loader *l, const struct node *data)
{
    const struct config *c = l->config;
    if (!c->actions[0] && c->dividends == DIVIDENDS_CASH)
        return node_error(node_get(data, "dividends"), l->err,
                          "data.dividends: what becomes of the dividends of data.actions, which is "
                          "missing; name a file there");
    for (uint32_t i = 0; c->actions[0] && i < c->symbols_n; i++)
        if (!c->symbols[i].csv[0])
            return node_error(node_get(data, "actions"), l->err,
                              "data.actions: applies to files of data.csv, and %s is of the store; "
                              "import it with --actions, or name its file in data.csv",
                              c->symbols[i].name);
    return 0;
}

static bool is_whole_text(const struct node *v)
{
    return v->is_plain && v->n_bytes > 0 && strspn(v->text, "0123456789") == v->n_bytes;
}

int read_bound(struct loader *l, const struct schema_row *row, const struct node *v)
{
    static const struct number_rule bars = {.minimum = 0, .maximum = 4e9, .is_whole = true};
    struct config_bound bound = {.kind = BOUND_TIME};
    bool has_offset = false;
    double bar = 0;
    int rc = 0;
    if (v->kind == NODE_SCALAR && !strcmp(v->text, "none")) {
        bound.kind = BOUND_NONE;
    } else if (v->kind == NODE_SCALAR && is_whole_text(v)) {
        rc = value_number(v, row->path, &bars, &bar, l->err);
        bound = (struct config_bound){.kind = BOUND_BAR, .value = (int64_t)bar};
    } else if (v->kind != NODE_SCALAR ||
               time_parse_iso(v->text, v->n_bytes, &bound.value, &has_offset) < 0) {
        rc = node_error(v, l->err,
                        "%s: %s; expected: a date (2020-01-31), a time "
                        "(2020-01-31T14:30:00Z), a bar number, or none",
                        row->path, node_show(v).text);
    }
    node_place(v, bound.at.text, sizeof(bound.at.text));
    if (rc == 0)
        memcpy((char *)l->config + row->offset, &bound, sizeof(bound));
    return rc;
}

static int check_range(struct loader *l, const struct node *data)
{
    const struct config_bound *from = &l->config->from, *to = &l->config->to;
    if (from->kind == BOUND_NONE || from->kind != to->kind || from->value < to->value)
        return 0;
    return node_error(node_get(data, "to"), l->err,
                      "data.to: not after data.from; the range is from `from` up to, not "
                      "including, `to`");
}

/* Lockstep's shared broker fills all combinations on one and the same history. */
static int check_noise(struct loader *l, const struct node *data)
{
    const struct config *c = l->config;
    if (c->noise_paths == 0 || c->mode != RUN_LOCKSTEP)
        return 0;
    return node_error(node_get(data, "noise"), l->err,
                      "data.noise: each path is a history of its own, but run.mode lockstep walks "
                      "one for all; use run.mode free");
}

int data_finish(struct loader *l, const struct node *root)
{
    const struct node *data = node_get(root, "data");
    int rc = 0;
    if (!data)
        return node_error(root, l->err,
                          "the key `data` is missing; add for example "
                          "`data: {symbols: [SPX]}`");
    bool has_symbols = l->config->symbols_n > 0;
    for (const struct node *v = l->csv ? l->csv->first : NULL; v && rc == 0; v = v->next) {
        if (!has_symbols)
            rc = add_symbol(l, v->key, &l->config->symbols_n);
        else if (!find_symbol(l->config, v->key->text)) /* references_find() asks for it */
            rc = add_symbol(l, v->key, &l->config->references_n);
        if (rc == 0)
            rc = add_csv(l, v);
    }
    if (rc < 0)
        return rc;
    if (l->config->symbols_n == 0)
        return node_error(data, l->err,
                          "data: neither `symbols` nor `csv`; add for example "
                          "`symbols: [SPX]` or `csv: {SPX: spx.csv}`");
    rc = check_actions(l, data);
    if (rc == 0)
        rc = check_noise(l, data);
    return rc < 0 ? rc : check_range(l, data);
}
