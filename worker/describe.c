/* SPDX-License-Identifier: MIT */
/* `admf-worker --describe`: what this worker offers, as JSON. The supervisor knows components by
 * this alone. */
#include <jansson.h>
#include <stdio.h>

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

int describe_print(void)
{
    json_t *all = json_array(), *root = json_object();
    for (unsigned i = 0; i < registry_n(); i++)
        (void)json_array_append_new(all, describe_component(registry_at(i)));
    (void)json_object_set_new(root, "engine", json_string(ENGINE_VERSION));
    (void)json_object_set_new(root, "components", all);
    int bad = json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) != 0 ||
              putchar('\n') == EOF || fflush(stdout) != 0;
    json_decref(root);
    return bad;
}
