/* SPDX-License-Identifier: MIT */
/* Swept values become dimensions: first what parameter_grids sweeps, then the symbol, noise, exits,
 * and the strategy's own parameters, each as written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/config/strategy.h"

/* ---- parameter_grids ------------------------------------------------------------------------- */

/* A swept sizing settles its kind; another kind that was asked for is a contradiction. */
static int settle_sizing(struct loader *l, const struct node *key, double first_value)
{
    struct portfolio_cfg *p = &l->top->combo.portfolio;
    int kind = choice_value(choices_sizing, key->text);
    if (l->sizing && p->sizing != kind)
        return node_error(key, l->err,
                          "%s is swept, but portfolio.sizing says \"%s\"; take one out", key->text,
                          choice_name(choices_sizing, p->sizing));
    p->sizing = (uint8_t)kind;
    p->sizing_value = first_value;
    return 0;
}

static int check_unswept(struct loader *l, const struct node *key, const struct schema_row *row)
{
    for (uint32_t i = 0; i < l->config->shared_n; i++)
        if (field_is_same(l->config->shared[i].row, row))
            return node_error(key, l->err, "%s sets what %s sweeps already; keep one", key->text,
                              l->config->shared[i].name);
    for (uint32_t i = 0; i < l->exit_dims_n; i++)
        if (field_is_same(l->exit_dims[i].row, row))
            return node_error(key, l->err, "%s is swept under exits (line %u) as well; keep one",
                              key->text, l->exit_nodes[i]->line);
    return 0;
}

static int read_grid(struct loader *l, const struct node *v)
{
    static const struct number_rule any = {.minimum = -INFINITY, .maximum = INFINITY};
    const struct schema_row *row = sweep_find(v->key->text);
    const struct number_rule rule = row ? schema_rule(row) : any;
    struct dim d = {.origin = DIM_FROM_GRIDS, .target = row ? DIM_FIELD : DIM_PARAM, .row = row};
    int rc = value_text(v->key, "optimization.parameter_grids", d.name, sizeof(d.name), l->err);
    if (rc == 0 && !sweep_is(v))
        rc = node_error(v, l->err, "%s: %s; a list or {from: , to: , step: } is expected", d.name,
                        node_show(v).text);
    if (rc == 0 && row)
        rc = check_unswept(l, v->key, row);
    if (rc == 0)
        rc = sweep_read(v, d.name, &rule, &d, l->err);
    if (rc == 0 && row && choice_value(choices_sizing, row->sweep) >= 0)
        rc = settle_sizing(l, v->key, dim_value(&d, 0));
    if (rc < 0)
        dim_fini(&d);
    else
        l->config->shared[l->config->shared_n++] = d;
    return rc;
}

int grids_read(struct loader *l)
{
    const struct node *grids = l->grids && !node_is_null(l->grids) ? l->grids : NULL;
    if (grids && grids->kind != NODE_MAP)
        return node_error(grids, l->err,
                          "optimization.parameter_grids: %s; a map of name to list is expected",
                          node_show(grids).text);
    if (grids && grids->children_n > CONFIG_DIMS_MAX)
        return node_error(grids, l->err, "optimization.parameter_grids: %u names; at most %d",
                          grids->children_n, CONFIG_DIMS_MAX);
    l->config->shared = calloc(CONFIG_DIMS_MAX + EXIT_DIMS_MAX, sizeof(*l->config->shared));
    if (!l->config->shared)
        return err_set(l->err, ERR_SYSTEM, "no memory for the configuration");
    int rc = 0;
    for (const struct node *v = grids ? grids->first : NULL; v && rc == 0; v = v->next)
        rc = read_grid(l, v);
    for (uint32_t i = 0; i < l->exit_dims_n && rc == 0; i++) {
        l->config->shared[l->config->shared_n++] = l->exit_dims[i];
        l->exit_dims[i].is_shared = true;
        field_set(&l->top->combo, l->exit_dims[i].row, dim_value(&l->exit_dims[i], 0));
    }
    return rc;
}

static const char *suggest_grid(struct loader *l, const char *name)
{
    const char *names[512];
    const struct schema_row *row;
    size_t n = 0;
    for (size_t i = 0; (row = schema_row_at(i)); i++)
        if (row->sweep)
            names[n++] = row->sweep;
    for (uint32_t s = 0; s < l->config->strategies_n; s++) {
        const struct strategy_spec *spec = &l->config->strategies[s].spec;
        for (uint32_t p = 0; p < spec->params_n && n < 512; p++)
            names[n++] = spec->param_names[p];
    }
    return err_suggest(name, names, n);
}

static int unused_grid(struct loader *l, const struct node *v)
{
    const char *close = suggest_grid(l, v->key->text);
    const struct schema_row *row;
    struct buf known = {0};
    for (size_t i = 0; (row = schema_row_at(i)); i++)
        if (row->sweep)
            buf_printf(&known, "%s%s", known.n_bytes ? ", " : "", row->sweep);
    int rc = node_error(v->key, l->err,
                        "optimization.parameter_grids: no strategy has a parameter %s; %s%s%s"
                        "also known: %s",
                        node_show(v->key).text, close ? "did you mean \"" : "", close ? close : "",
                        close ? "\"? " : "", known.data ? known.data : "");
    buf_fini(&known);
    return rc;
}

int grids_check_used(struct loader *l, const bool *grid_used)
{
    const struct node *v = l->grids ? l->grids->first : NULL;
    for (uint32_t i = 0; v; i++, v = v->next)
        if (!grid_used[i])
            return unused_grid(l, v);
    return 0;
}

/* ---- a strategy's dimensions ---------------------------------------------------------------- */

static int add_dim(struct reading *r, const struct dim *d, const struct node *at)
{
    struct config_strategy *s = r->s;
    if (s->dims_n == CONFIG_DIMS_MAX)
        return node_error(at, r->l->err, "more than %d swept values in one strategy",
                          CONFIG_DIMS_MAX);
    for (uint32_t i = 0; i < s->dims_n; i++)
        if (!strcmp(s->dims[i].name, d->name))
            return node_error(at, r->l->err, "%s is swept twice; keep one", d->name);
    s->dims[s->dims_n++] = *d;
    return 0;
}

/* A parameter of this strategy, or one that a name becomes since its rules use it; -1: neither. */
static int grid_param(struct reading *r, const char *name)
{
    struct strategy_spec *spec = &r->s->spec;
    int idx = reading_param(r, name);
    if (idx >= 0 || r->component || !rules_use(r, name) || spec->params_n == SPEC_PARAMS_MAX)
        return idx;
    snprintf(spec->param_names[spec->params_n], SPEC_NAME_BYTES, "%s", name);
    r->s->base.params_n = spec->params_n + 1;
    return (int)spec->params_n++;
}

static int add_grid_param(struct reading *r, const struct dim *shared, const struct node *v,
                          bool *ret_used)
{
    struct dim d = *shared;
    int idx = grid_param(r, v->key->text);
    if (idx < 0)
        return 0;
    *ret_used = true;
    if (r->is_swept[idx])
        return node_error(v->key, r->l->err,
                          "%s is swept under parameters of strategy %s, or by another name, as "
                          "well; keep one",
                          d.name, r->s->spec.name);
    struct number_rule rule = reading_rule(r, (uint32_t)idx);
    int rc = r->component ? 0 : rules_check_param(r, v->key);
    if (rc == 0)
        rc = sweep_check(v, d.name, &rule, &d, r->l->err);
    if (rc < 0)
        return rc;
    d.is_shared = true;
    d.param_idx = (uint32_t)idx;
    r->is_swept[idx] = true;
    if (!r->param_node[idx] && !r->component)
        r->s->base.params[idx] = dim_value(&d, 0);
    return add_dim(r, &d, v);
}

static int add_shared(struct reading *r, enum dim_origin origin, bool *grid_used)
{
    const struct config *c = r->l->config;
    const struct node *v = r->l->grids ? r->l->grids->first : NULL;
    int rc = 0;
    for (uint32_t i = 0; i < c->shared_n && rc == 0; i++) {
        struct dim d = c->shared[i];
        const struct node *at = d.origin == DIM_FROM_GRIDS ? v : r->node;
        v = v ? v->next : NULL;
        if (d.origin != origin)
            continue;
        if (d.target == DIM_PARAM) {
            rc = add_grid_param(r, &d, at, &grid_used[i]);
            continue;
        }
        d.is_shared = true;
        rc = add_dim(r, &d, at);
        if (origin == DIM_FROM_GRIDS)
            grid_used[i] = true;
    }
    return rc;
}

/* The symbols of the file as a dimension: their indexes. */
static int add_symbols(struct reading *r)
{
    struct dim d = {.name = "symbol",
                    .n = r->l->config->symbols_n,
                    .is_symbol = true,
                    .target = DIM_SYMBOL,
                    .origin = DIM_FROM_SYMBOLS};
    d.values = calloc(d.n, sizeof(*d.values));
    if (!d.values)
        return err_set(r->l->err, ERR_SYSTEM, "no memory for the symbols");
    for (uint64_t i = 0; i < d.n; i++)
        d.values[i] = (double)i;
    int rc = add_dim(r, &d, r->node);
    if (rc < 0)
        free(d.values);
    return rc;
}

/* The altered histories as a dimension: paths 1 … paths. */
static int add_noise(struct reading *r)
{
    uint32_t n = r->l->config->noise_paths;
    const struct dim d = {.name = "noise_path",
                          .n = n,
                          .is_range = true,
                          .from = 1.0,
                          .step = 1.0,
                          .to = n,
                          .target = DIM_NOISE,
                          .origin = DIM_FROM_NOISE};
    return add_dim(r, &d, r->node);
}

int dims_assemble(struct reading *r, bool *grid_used)
{
    int rc = add_shared(r, DIM_FROM_GRIDS, grid_used);
    if (rc == 0 && r->l->config->each_symbol)
        rc = add_symbols(r);
    if (rc == 0 && r->l->config->noise_paths)
        rc = add_noise(r);
    if (rc == 0)
        rc = add_shared(r, DIM_FROM_EXITS, grid_used);
    for (uint32_t i = 0; i < r->own_n && rc == 0; i++) {
        rc = add_dim(r, &r->own[i], r->param_node[r->own[i].param_idx]);
        if (rc == 0)
            r->own[i].values = NULL; /* the strategy's now */
    }
    return rc;
}
