/* SPDX-License-Identifier: MIT */
/* strategies[]: type, name, overrides, parameters, rules, dimensions. */
#include "supervisor/config/strategy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- type and name -------------------------------------------------------------------------- */

static int unknown_type(struct reading *r, const struct node *v)
{
    const char *names[65] = {"rules"};
    size_t n = 1;
    const struct describe *d = r->l->describe;
    for (uint32_t i = 0; d && i < d->components_n && n < 64; i++)
        if (!strcmp(d->components[i].kind, "strategy"))
            names[n++] = d->components[i].name;
    const char *close = err_suggest(v->text, names, n);
    return node_error(v, r->l->err,
                      "type: there is no strategy %s; %s%s%s`admf catalog strategies` lists them, "
                      "and `rules` takes rules of your own",
                      node_show(v).text, close ? "did you mean \"" : "", close ? close : "",
                      close ? "\"? " : "");
}

static int read_type(struct reading *r)
{
    struct strategy_spec *spec = &r->s->spec;
    const struct node *v = node_get(r->node, "type");
    if (!v)
        return node_error(r->node, r->l->err,
                          "strategies: the key `type` is missing; name a strategy of `admf catalog "
                          "strategies`, or `rules`");
    int rc = value_text(v, "type", spec->type, sizeof(spec->type), r->l->err);
    if (rc < 0)
        return rc;
    if (!strcmp(spec->type, "plugin"))
        return schema_absent(r->l, v, "type: plugin");
    if (!strcmp(spec->type, "rules"))
        return 0;
    r->component = r->l->describe ? describe_find(r->l->describe, spec->type) : NULL;
    if (!r->component || strcmp(r->component->kind, "strategy"))
        return unknown_type(r, v);
    return 0;
}

static bool is_name_taken(const struct reading *r, const char *name)
{
    for (const struct config_strategy *s = r->l->config->strategies; s < r->s; s++)
        if (!strcmp(s->spec.name, name))
            return true;
    return false;
}

static int read_name(struct reading *r)
{
    struct strategy_spec *spec = &r->s->spec;
    const struct node *v = node_get(r->node, "name");
    if (!v) {
        snprintf(spec->name, sizeof(spec->name), "%s", spec->type);
        for (unsigned i = 2; is_name_taken(r, spec->name); i++)
            snprintf(spec->name, sizeof(spec->name), "%.50s_%u", spec->type, i);
        return 0;
    }
    char name[SPEC_NAME_BYTES];
    int rc = value_text(v, "name", name, sizeof(name), r->l->err);
    if (rc == 0 && is_name_taken(r, name))
        rc = node_error(v, r->l->err,
                        "name: another strategy is called %s; each has a name of its "
                        "own",
                        node_show(v).text);
    if (rc == 0)
        memcpy(spec->name, name, sizeof(name));
    return rc;
}

/* ---- overrides ------------------------------------------------------------------------------ */

/* risk_config and execution_config over the file's risk and execution, key by key. */
static int read_overrides(struct reading *r)
{
    struct loader *l = r->l;
    struct config_top own = l->config->top;
    const struct node *risk = node_get(r->node, "risk_config");
    const struct node *execution = node_get(r->node, "execution_config");
    l->top = &own;
    int rc = risk ? schema_read_map(l, "risk", risk) : 0;
    if (rc == 0 && execution)
        rc = schema_read_map(l, "execution", execution);
    l->top = &l->config->top;
    r->s->base = own.combo;
    r->s->spec.first_signal = own.first_signal;
    return rc;
}

/* ---- parameters ----------------------------------------------------------------------------- */

int reading_param(const struct reading *r, const char *name)
{
    const struct strategy_spec *spec = &r->s->spec;
    for (uint32_t i = 0; i < spec->params_n; i++)
        if (!strcmp(spec->param_names[i], name) ||
            (r->component && !strcmp(r->component->params[i].alias, name)))
            return (int)i;
    return -1;
}

struct number_rule reading_rule(const struct reading *r, uint32_t param_idx)
{
    struct number_rule rule = {.minimum = -INFINITY, .maximum = INFINITY};
    if (r->component) {
        const struct describe_param *p = &r->component->params[param_idx];
        rule.minimum = p->minimum;
        rule.maximum = p->maximum;
        rule.is_whole = p->is_whole != 0;
    }
    return rule;
}

static void take_defaults(struct reading *r)
{
    const struct describe_component *c = r->component;
    struct config_strategy *s = r->s;
    s->spec.params_n = c ? c->params_n : 0;
    s->base.params_n = s->spec.params_n;
    for (uint32_t i = 0; i < s->spec.params_n; i++) {
        memcpy(s->spec.param_names[i], c->params[i].name, SPEC_NAME_BYTES);
        s->base.params[i] = c->params[i].default_value;
    }
}

static int unknown_param(struct reading *r, const struct node *key)
{
    const char *names[2 * SPEC_PARAMS_MAX];
    char known[512] = "";
    size_t n = 0, used = 0;
    for (uint32_t i = 0; i < r->component->params_n; i++) {
        const struct describe_param *p = &r->component->params[i];
        names[n++] = p->name;
        if (*p->alias)
            names[n++] = p->alias;
        if (used < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
                                     p->name);
    }
    const char *close = err_suggest(key->text, names, n);
    return node_error(key, r->l->err, "%s is no parameter of %s; %s%s%sit has: %s",
                      node_show(key).text, r->s->spec.type, close ? "did you mean \"" : "",
                      close ? close : "", close ? "\"? " : "", *known ? known : "none");
}

/* The index of a parameter that is given here; a new one for rules. */
static int place_param(struct reading *r, const struct node *key, uint32_t *ret_idx)
{
    struct strategy_spec *spec = &r->s->spec;
    int idx = reading_param(r, key->text);
    if (idx >= 0 && r->param_node[idx])
        return node_error(key, r->l->err,
                          "%s is given a second time, first on line %u by %s; keep "
                          "one",
                          spec->param_names[idx], r->param_node[idx]->key->line,
                          node_show(r->param_node[idx]->key).text);
    if (idx < 0 && r->component)
        return unknown_param(r, key);
    if (idx < 0) {
        int rc = rules_check_param(r, key);
        if (rc < 0)
            return rc;
        if (spec->params_n == SPEC_PARAMS_MAX)
            return node_error(key, r->l->err, "more than %d parameters", SPEC_PARAMS_MAX);
        idx = (int)spec->params_n++;
        r->s->base.params_n = spec->params_n;
        snprintf(spec->param_names[idx], SPEC_NAME_BYTES, "%s", key->text);
    }
    *ret_idx = (uint32_t)idx;
    return 0;
}

static int read_param(struct reading *r, const struct node *v)
{
    uint32_t idx = 0;
    int rc = place_param(r, v->key, &idx);
    if (rc < 0)
        return rc;
    const struct number_rule rule = reading_rule(r, idx);
    r->param_node[idx] = v;
    if (!sweep_is(v))
        return value_number(v, v->key->text, &rule, &r->s->base.params[idx], r->l->err);
    struct dim *d = &r->own[r->own_n];
    *d = (struct dim){.target = DIM_PARAM, .param_idx = idx, .origin = DIM_FROM_PARAMETERS};
    snprintf(d->name, sizeof(d->name), "%s", v->key->text);
    rc = sweep_read(v, d->name, &rule, d, r->l->err);
    if (rc < 0)
        return rc;
    r->own_n++;
    r->is_swept[idx] = true;
    r->s->base.params[idx] = dim_value(d, 0);
    return 0;
}

static int read_params(struct reading *r)
{
    const struct node *map = node_get(r->node, "parameters");
    take_defaults(r);
    if (!map || node_is_null(map))
        return 0;
    if (map->kind != NODE_MAP)
        return node_error(map, r->l->err, "parameters: %s; a map of name to value is expected",
                          node_show(map).text);
    int rc = 0;
    for (const struct node *v = map->first; v && rc == 0; v = v->next)
        rc = read_param(r, v);
    return rc;
}

/* ---- one entry, all entries ----------------------------------------------------------------- */

static int read_parts(struct reading *r, bool *grid_used)
{
    int rc = schema_check_keys(r->l, "strategies[]", r->node);
    if (rc == 0)
        rc = read_type(r);
    if (rc == 0)
        rc = read_name(r);
    if (rc == 0)
        rc = read_overrides(r);
    if (rc == 0)
        rc = read_params(r);
    if (rc == 0)
        rc = rules_read(r);
    if (rc == 0)
        rc = rules_check_used(r);
    if (rc == 0)
        rc = dims_assemble(r, grid_used);
    if (rc == 0)
        rc = strategy_check(r);
    if (rc == 0)
        notes_see(r);
    return rc;
}

static int read_entry(struct loader *l, uint32_t i, const struct node *node, bool *grid_used)
{
    if (node->kind != NODE_MAP)
        return node_error(node, l->err, "strategies: %s; a map with `type` is expected",
                          node_show(node).text);
    struct reading r = {.l = l, .s = &l->config->strategies[i], .node = node};
    int rc = read_parts(&r, grid_used);
    r.s->base.strategy_idx = i;
    for (unsigned k = 0; k < RULES_N; k++)
        expr_destroy(r.rules[k]);
    for (uint32_t k = 0; k < r.own_n; k++)
        dim_fini(&r.own[k]);
    return rc;
}

int strategies_read(struct loader *l, const struct node *root)
{
    const struct node *list = l->strategies;
    bool grid_used[CONFIG_DIMS_MAX + EXIT_DIMS_MAX] = {false};
    if (!list)
        return node_error(root, l->err,
                          "the key `strategies` is missing; add for example "
                          "`strategies: [{type: sma_cross}]`");
    if (list->kind != NODE_LIST || list->children_n == 0)
        return node_error(list, l->err,
                          "strategies: %s; a list of maps is expected, each with "
                          "`type`",
                          list->kind == NODE_LIST ? "an empty list" : node_show(list).text);
    if (list->children_n > SPEC_STRATEGIES_MAX)
        return node_error(list, l->err, "strategies: %u entries; at most %d", list->children_n,
                          SPEC_STRATEGIES_MAX);
    l->config->strategies = calloc(list->children_n, sizeof(*l->config->strategies));
    if (!l->config->strategies)
        return err_set(l->err, ERR_SYSTEM, "no memory for the configuration");
    l->config->strategies_n = list->children_n;
    uint32_t i = 0;
    int rc = 0;
    for (const struct node *v = list->first; v && rc == 0; v = v->next)
        rc = read_entry(l, i++, v, grid_used);
    return rc == 0 ? grids_check_used(l, grid_used) : rc;
}
