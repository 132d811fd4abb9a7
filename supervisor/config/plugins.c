/* SPDX-License-Identifier: MIT */
/* The key `plugins`: files, each described by a worker as soon as it is named, so that the rules
 * below can use what is in it. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/config/loader.h"

#define HASH_DIGITS 32

static int read_path(struct loader *l, const struct node *v, struct library_ref *ret_ref)
{
    char given[PATH_MAX], joined[PATH_MAX], real[PATH_MAX];
    int rc = value_text(v, "plugins", given, sizeof(given), l->err);
    if (rc < 0)
        return rc;
    size_t dir_n = given[0] == '/' ? 0 : strlen(l->dir);
    if (dir_n + v->n_bytes >= sizeof(joined))
        return node_error(v, l->err, "plugins: the path is longer than %zu bytes",
                          sizeof(joined) - 1);
    memcpy(joined, l->dir, dir_n);
    memcpy(joined + dir_n, given, v->n_bytes + 1);
    if (!realpath(joined, real))
        return node_error(v, l->err, "plugins: %s: %s", node_show(v).text, strerror(errno));
    memcpy(ret_ref->path, real, strlen(real) + 1);
    return 0;
}

static void hash_text(const uint64_t hash[2], char ret_text[HASH_DIGITS + 1])
{
    (void)snprintf(ret_text, HASH_DIGITS + 1, "%016" PRIx64 "%016" PRIx64, hash[0], hash[1]);
}

static int check_hash(struct loader *l, const struct node *v, const struct library_ref *ref)
{
    char found[HASH_DIGITS + 1], wanted[HASH_DIGITS + 1];
    int rc = v ? value_text(v, "plugins: hash", wanted, sizeof(wanted), l->err) : 0;
    if (!v || rc < 0)
        return rc;
    hash_text(ref->hash, found);
    if (strcmp(found, wanted) == 0)
        return 0;
    return node_error(
        v, l->err,
        "plugins: the content of %s has the hash %s, expected %s; bring the file back "
        "as it was, or take the hash out",
        ref->path, found, wanted);
}

static int read_plugin(struct loader *l, const struct node *v, struct library_ref *ret_ref)
{
    const struct node *path = v->kind == NODE_MAP ? node_get(v, "library") : v;
    for (const struct node *key = v->kind == NODE_MAP ? v->first : NULL; key; key = key->next)
        if (strcmp(key->key->text, "library") != 0 && strcmp(key->key->text, "hash") != 0)
            return node_error(key->key, l->err, "plugins: %s is no key; library and hash are",
                              node_show(key->key).text);
    if (!path || path->kind != NODE_SCALAR)
        return node_error(v, l->err, "plugins: %s; a file is expected, as in [./mine.so]",
                          node_show(v).text);
    int rc = read_path(l, path, ret_ref);
    if (rc == 0 && (rc = library_take(ret_ref, describe_worker_path(), l->err)) < 0)
        err_prefix(l->err, "line %u", path->line);
    return rc == 0 ? check_hash(l, v->kind == NODE_MAP ? node_get(v, "hash") : NULL, ret_ref) : rc;
}

int read_plugins(struct loader *l, const struct schema_row *row, const struct node *v)
{
    struct config *c = l->config;
    int rc = 0;
    if (v->kind != NODE_LIST || v->children_n > SPEC_LIBRARIES_MAX)
        return node_error(v, l->err, "%s: %s; a list of at most %d files is expected", row->path,
                          node_show(v).text, SPEC_LIBRARIES_MAX);
    c->plugins = calloc(v->children_n + 1, sizeof(*c->plugins));
    if (!c->plugins)
        return err_set(l->err, ERR_SYSTEM, "no memory for the configuration");
    for (const struct node *one = v->first; one && rc == 0; one = one->next)
        if ((rc = read_plugin(l, one, &c->plugins[c->plugins_n])) == 0)
            c->plugins_n++;
    if (rc < 0 && l->is_stored && l->err->kind != ERR_SYSTEM) {
        (void)snprintf(c->plugin_trouble, sizeof(c->plugin_trouble), "%.500s", l->err->text);
        *l->err = (struct err){0};
        rc = 0;
    }
    return rc;
}

/* Without paths where the run's identity is written. */
void write_plugins(const struct writing *w, const struct schema_row *row)
{
    const struct config *c = w->config;
    char hash[HASH_DIGITS + 1];
    (void)row;
    buf_puts(w->out, c->plugins_n ? "\n" : " []\n");
    for (uint32_t i = 0; i < c->plugins_n; i++) {
        hash_text(c->plugins[i].hash, hash);
        buf_puts(w->out, "  - ");
        if (!w->is_identity) {
            buf_puts(w->out, "library: ");
            resolved_put_text(w->out, c->plugins[i].path);
            buf_puts(w->out, "\n    ");
        }
        buf_printf(w->out, "hash: \"%s\"\n", hash);
    }
}
