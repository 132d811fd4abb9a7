/* SPDX-License-Identifier: MIT */
/* `admf-worker --describe [LIBRARY...]`: what this worker and those libraries offer, as JSON. The
 * supervisor knows components by this alone. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "worker/plugin.h"
#include "worker/registry.h"
#include "worker/serve.h"

static json_t *text_or_empty(const char *text)
{
    return json_string(text ? text : "");
}

static json_t *describe_params(const struct component_type *t)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < t->params_n; i++) {
        const struct component_param *p = &t->params[i];
        json_t *row = json_object();
        (void)json_object_set_new(row, "name", json_string(p->name));
        (void)json_object_set_new(row, "alias", text_or_empty(p->alias));
        (void)json_object_set_new(row, "default", json_real(p->default_value));
        (void)json_object_set_new(row, "minimum", json_real(p->minimum));
        (void)json_object_set_new(row, "maximum", json_real(p->maximum));
        (void)json_object_set_new(row, "whole", json_boolean(p->is_whole));
        (void)json_object_set_new(row, "what", text_or_empty(p->what));
        (void)json_array_append_new(all, row);
    }
    return all;
}

static json_t *describe_protocols(const struct component_type *t)
{
    json_t *all = json_array();
    for (int p = 0; p < PROTOCOL_N; p++)
        if (component_implements(t, (enum protocol)p))
            (void)json_array_append_new(all, json_string(protocol_name((enum protocol)p)));
    return all;
}

static json_t *describe_capabilities(const struct component_type *t)
{
    json_t *all = json_array();
    for (int c = 0; c < CAPABILITY_N; c++)
        if (t->capabilities & 1u << c)
            (void)json_array_append_new(all, json_string(capability_name((enum capability)c)));
    return all;
}

static json_t *describe_rules(const struct component_type *t)
{
    json_t *rules = json_object();
    const struct strategy_rules *r = t->rules;
    (void)json_object_set_new(rules, "long_entry", text_or_empty(r ? r->long_entry : NULL));
    (void)json_object_set_new(rules, "long_exit", text_or_empty(r ? r->long_exit : NULL));
    (void)json_object_set_new(rules, "short_entry", text_or_empty(r ? r->short_entry : NULL));
    (void)json_object_set_new(rules, "short_exit", text_or_empty(r ? r->short_exit : NULL));
    (void)json_object_set_new(rules, "long_limit", text_or_empty(r ? r->long_limit : NULL));
    (void)json_object_set_new(rules, "long_stop", text_or_empty(r ? r->long_stop : NULL));
    (void)json_object_set_new(rules, "short_limit", text_or_empty(r ? r->short_limit : NULL));
    (void)json_object_set_new(rules, "short_stop", text_or_empty(r ? r->short_stop : NULL));
    return rules;
}

static json_t *describe_component(const struct component_type *t)
{
    json_t *c = json_object();
    (void)json_object_set_new(c, "name", json_string(t->name));
    (void)json_object_set_new(c, "kind", json_string(t->kind));
    (void)json_object_set_new(c, "what", json_string(t->what));
    (void)json_object_set_new(c, "protocols", describe_protocols(t));
    (void)json_object_set_new(c, "capabilities", describe_capabilities(t));
    (void)json_object_set_new(c, "params", describe_params(t));
    (void)json_object_set_new(c, "accepts",
                              text_or_empty(t->optimizable ? t->optimizable->accepts : NULL));
    (void)json_object_set_new(c, "rules", describe_rules(t));
    return c;
}

/* ---- libraries ------------------------------------------------------------------------------ */

static json_t *describe_indicator_params(const struct indicator *row)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < row->params_n; i++) {
        const struct indicator_param *p = &row->params[i];
        json_t *param = json_object();
        (void)json_object_set_new(param, "name", json_string(p->name));
        (void)json_object_set_new(param, "minimum", json_real(p->minimum));
        (void)json_object_set_new(param, "maximum", json_real(p->maximum));
        (void)json_object_set_new(param, "whole", json_boolean(p->is_whole));
        (void)json_array_append_new(all, param);
    }
    return all;
}

static json_t *describe_indicator(const struct indicator *row)
{
    json_t *i = json_object(), *outputs = json_array();
    for (unsigned o = 0; o < row->outputs_n; o++)
        (void)json_array_append_new(outputs, json_string(row->outputs[o]));
    (void)json_object_set_new(i, "name", json_string(row->name));
    (void)json_object_set_new(i, "class", json_string(indicator_class_name(row->cls)));
    (void)json_object_set_new(i, "series", json_integer(row->series_args_n));
    (void)json_object_set_new(i, "implied", text_or_empty(row->implied));
    (void)json_object_set_new(i, "params", describe_indicator_params(row));
    (void)json_object_set_new(i, "outputs", outputs);
    (void)json_object_set_new(i, "warm_up", json_string(row->warm_up_text));
    (void)json_object_set_new(i, "formula", json_string(row->formula));
    (void)json_object_set_new(i, "source", json_string(row->source));
    return i;
}

/* A library that cannot be used says why in its place. */
static json_t *describe_library(const char *path)
{
    struct plugin *plugin;
    struct err err = {0};
    size_t n;
    json_t *library = json_object();
    if (plugin_load(path, &plugin, &err) < 0) {
        (void)json_object_set_new(library, "error", json_string(err.text));
        return library;
    }
    const struct indicator *rows = plugin_indicators(plugin, &n);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(all, describe_indicator(&rows[i]));
    (void)json_object_set_new(library, "name", json_string(plugin_name(plugin)));
    (void)json_object_set_new(library, "version", json_string(plugin_version(plugin)));
    (void)json_object_set_new(library, "indicators", all);
    plugin_unload(plugin);
    return library;
}

/* What a library prints while it is loaded is not part of the answer. */
static FILE *keep_stdout(void)
{
    int answer = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (answer < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
        return NULL;
    (void)close(null);
    return fdopen(answer, "w");
}

int describe_print(int libraries_n, char *const *library)
{
    FILE *out = keep_stdout();
    if (!out)
        return 1;
    json_t *all = json_array(), *libraries = json_array(), *root = json_object();
    for (unsigned i = 0; i < registry_n(); i++)
        (void)json_array_append_new(all, describe_component(registry_at(i)));
    for (int i = 0; i < libraries_n; i++)
        (void)json_array_append_new(libraries, describe_library(library[i]));
    (void)json_object_set_new(root, "engine", json_string(ENGINE_VERSION));
    (void)json_object_set_new(root, "components", all);
    (void)json_object_set_new(root, "libraries", libraries);
    int bad = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) != 0 ||
              putc('\n', out) == EOF;
    bad |= fclose(out) != 0;
    json_decref(root);
    return bad;
}
