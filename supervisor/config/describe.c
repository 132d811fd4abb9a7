/* SPDX-License-Identifier: MIT */
/* What a worker says that it offers. Its answer is input like any other: every field is checked, so
 * that the rest of the supervisor can rely on what stands in struct describe. */
#include "supervisor/config/describe.h"

#include <ctype.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "supervisor/config/ask.h"

#define COMPONENTS_MAX 1024

#ifndef ADMF_WORKER_INSTALLED
#define ADMF_WORKER_INSTALLED "/usr/local/bin/admf-worker"
#endif

/* ---- fields --------------------------------------------------------------------------------- */

/* What is being read, for messages; the first wrong field is kept. */
struct parsing {
    const char *path;
    char where[160];
    char wrong[256];
};

static void wrong(struct parsing *p, const char *field, const char *expected)
{
    if (!*p->wrong)
        snprintf(p->wrong, sizeof(p->wrong), "%s: `%s` is not %s", p->where, field, expected);
}

static void take_text(struct parsing *p, const json_t *object, const char *field, char *out,
                      size_t out_bytes)
{
    const json_t *v = json_object_get(object, field);
    const char *text = json_string_value(v);
    if (!text || json_string_length(v) >= out_bytes)
        wrong(p, field, "a text that fits");
    else
        memcpy(out, text, json_string_length(v) + 1);
}

static bool is_name(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("_-.", *text))
            return false;
    return true;
}

static void take_name(struct parsing *p, const json_t *object, const char *field, char *out,
                      size_t out_bytes)
{
    take_text(p, object, field, out, out_bytes);
    if (!is_name(out))
        wrong(p, field, "a name");
}

/* A number; null stands for no bound. */
static double take_number(struct parsing *p, const json_t *object, const char *field, double none)
{
    const json_t *v = json_object_get(object, field);
    if (json_is_null(v) && isinf(none))
        return none;
    if (!json_is_number(v))
        wrong(p, field, "a number");
    return json_number_value(v);
}

static uint32_t take_names(struct parsing *p, const json_t *object, const char *field,
                           char (*out)[SPEC_NAME_BYTES], uint32_t most)
{
    const json_t *list = json_object_get(object, field);
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > most) {
        wrong(p, field, "a list of at most 8 names");
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        const char *text = json_string_value(v);
        if (!text || json_string_length(v) >= SPEC_NAME_BYTES || !is_name(text))
            wrong(p, field, "a list of names");
        else
            memcpy(out[i], text, json_string_length(v) + 1);
    }
    return (uint32_t)n;
}

static void take_param(struct parsing *p, const json_t *v, struct describe_param *out)
{
    take_name(p, v, "name", out->name, sizeof(out->name));
    take_text(p, v, "alias", out->alias, sizeof(out->alias));
    take_text(p, v, "what", out->what, sizeof(out->what));
    out->default_value = take_number(p, v, "default", 0);
    out->minimum = take_number(p, v, "minimum", -INFINITY);
    out->maximum = take_number(p, v, "maximum", INFINITY);
    const json_t *whole = json_object_get(v, "whole");
    out->is_whole = json_is_true(whole);
    if (!json_is_boolean(whole))
        wrong(p, "whole", "true or false");
    if (*out->alias && !is_name(out->alias))
        wrong(p, "alias", "a name");
    if (!(out->minimum <= out->default_value && out->default_value <= out->maximum))
        wrong(p, "default", "within minimum and maximum");
    if (out->is_whole && out->default_value != floor(out->default_value))
        wrong(p, "default", "whole");
}

/* Names and aliases of one component all differ. */
static void check_param_names(struct parsing *p, const struct describe_component *c)
{
    for (uint32_t i = 0; i < c->params_n; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const struct describe_param *a = &c->params[i], *b = &c->params[k];
            bool is_alias_taken =
                *a->alias && (!strcmp(a->alias, b->name) || !strcmp(a->alias, b->alias));
            if (!strcmp(a->name, b->name) || !strcmp(a->name, b->alias) || is_alias_taken)
                wrong(p, a->name, "a name or alias of one parameter alone");
        }
    }
}

static void take_params(struct parsing *p, const json_t *object, struct describe_component *out)
{
    const json_t *list = json_object_get(object, "params");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > SPEC_PARAMS_MAX) {
        wrong(p, "params", "a list of at most 32 parameters");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(p->where, sizeof(p->where), "component %s, parameter %zu", out->name, i);
        take_param(p, json_array_get(list, i), &out->params[i]);
    }
    out->params_n = (uint32_t)n;
    check_param_names(p, out);
    snprintf(p->where, sizeof(p->where), "component %s", out->name);
}

static void take_component(struct parsing *p, const json_t *v, struct describe_component *out)
{
    static const char *const keys[DESCRIBE_RULES_N] = {"long_entry",  "long_exit",  "short_entry",
                                                       "short_exit",  "long_limit", "long_stop",
                                                       "short_limit", "short_stop"};
    const json_t *rules = json_object_get(v, "rules");
    take_name(p, v, "name", out->name, sizeof(out->name));
    take_name(p, v, "kind", out->kind, sizeof(out->kind));
    snprintf(p->where, sizeof(p->where), "component %s", out->name);
    take_text(p, v, "what", out->what, sizeof(out->what));
    out->protocols_n = take_names(p, v, "protocols", out->protocols, 8);
    out->capabilities_n = take_names(p, v, "capabilities", out->capabilities, 8);
    take_params(p, v, out);
    take_text(p, v, "accepts", out->accepts, sizeof(out->accepts));
    for (size_t i = 0; i < DESCRIBE_RULES_N; i++)
        if (i < 4 || json_object_get(rules, keys[i])) /* prices of entries may be left out */
            take_text(p, rules, keys[i], out->rules[i], sizeof(out->rules[i]));
}

/* ---- the whole answer ----------------------------------------------------------------------- */

static int check_engine(const char *path, const json_t *root, struct err *err)
{
    char safe[64];
    const char *engine = json_string_value(json_object_get(root, "engine"));
    if (engine && !strcmp(engine, ADMF_VERSION))
        return 0;
    return err_set(err, ERR_SYSTEM,
                   "%s is version %s and admf is " ADMF_VERSION "; build or install both together",
                   path, engine ? err_printable(engine, safe, sizeof(safe)) : "unknown");
}

static int take_components(const char *path, const json_t *root, struct describe *d,
                           struct err *err)
{
    const json_t *list = json_object_get(root, "components");
    size_t n = json_array_size(list);
    struct parsing p = {.path = path, .where = "the answer"};
    if (!json_is_array(list) || n == 0 || n > COMPONENTS_MAX)
        return err_set(err, ERR_BUG, "%s --describe: `components` is not a list of 1 to %d", path,
                       COMPONENTS_MAX);
    d->components = calloc(n, sizeof(*d->components));
    if (!d->components)
        return err_set(err, ERR_SYSTEM, "no memory for the worker's description");
    d->components_n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        snprintf(p.where, sizeof(p.where), "component %zu", i);
        take_component(&p, json_array_get(list, i), &d->components[i]);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(d->components[k].name, d->components[i].name))
                wrong(&p, "name", "the name of one component alone");
    }
    return *p.wrong ? err_set(err, ERR_BUG, "%s --describe: %s", path, p.wrong) : 0;
}

static int parse_answer(const char *path, const struct buf *answer, struct describe *d,
                        struct err *err)
{
    json_error_t at;
    json_t *root = json_loadb(answer->data ? answer->data : "", answer->n_bytes,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &at);
    if (!root)
        return err_set(err, ERR_BUG, "%s --describe: not JSON at line %d column %d: %s", path,
                       at.line, at.column, at.text);
    int rc = check_engine(path, root, err);
    if (rc == 0)
        rc = take_components(path, root, d, err);
    json_decref(root);
    return rc;
}

int describe_load(const char *worker_path, struct describe **ret_describe, struct err *err)
{
    char path[512];
    struct buf answer = {0};
    err_printable(worker_path, path, sizeof(path));
    struct describe *d = calloc(1, sizeof(*d));
    if (!d)
        return err_set(err, ERR_SYSTEM, "no memory for the worker's description");
    int rc = ask_worker(worker_path, NULL, 0, &answer, err);
    if (rc == 0)
        rc = parse_answer(path, &answer, d, err);
    buf_fini(&answer);
    if (rc < 0) {
        describe_destroy(d);
        return rc;
    }
    *ret_describe = d;
    return 0;
}

void describe_destroy(struct describe *d)
{
    if (d)
        free(d->components);
    free(d);
}

const struct describe_component *describe_find(const struct describe *d, const char *name)
{
    for (uint32_t i = 0; i < d->components_n; i++)
        if (!strcmp(d->components[i].name, name))
            return &d->components[i];
    return NULL;
}

const char *describe_worker_path(void)
{
    static char beside[PATH_MAX + 16];
    const char *named = getenv("ADMF_WORKER");
    if (named && *named)
        return named;
    ssize_t n = readlink("/proc/self/exe", beside, PATH_MAX - 1);
    if (n > 0) {
        beside[n] = 0;
        char *slash = strrchr(beside, '/');
        if (slash) {
            memcpy(slash + 1, "admf-worker", sizeof("admf-worker"));
            if (access(beside, X_OK) == 0)
                return beside;
        }
    }
    return ADMF_WORKER_INSTALLED;
}
