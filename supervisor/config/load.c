/* SPDX-License-Identifier: MIT */
/* From text to a checked configuration: tree, --set, defaults, sections, strategies, grid. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/config/loader.h"

/* ---- keys with readers of their own --------------------------------------------------------- */

/* A number is `percent` alone; a map names what is charged, and nothing else is. */
int read_cost(struct loader *l, const struct schema_row *row, const struct node *v)
{
    memset((char *)l->top + row->offset, 0, row->width);
    if (v->kind == NODE_MAP)
        return schema_read_map(l, row->path, v);
    struct schema_row percent = *schema_find(row->path, "percent");
    percent.path = row->path;
    return schema_read_number(l, &percent, v);
}

static int sizing_error(struct loader *l, const struct schema_row *row, const struct node *v)
{
    const char *found = v->kind != NODE_MAP  ? ""
                        : v->children_n == 0 ? " without keys"
                        : v->children_n == 1 ? " without a sizing"
                                             : " with several keys";
    return node_error(v, l->err,
                      "%s: %s%s; a map with exactly one of percent_of_equity, percent_of_cash, "
                      "units, cash, risk_frac, target_volatility and target_percent is expected, "
                      "as in {percent_of_equity: 1.0}; `lookback` may stand beside "
                      "target_volatility",
                      row->path, node_show(v).text, found);
}

int read_sizing(struct loader *l, const struct schema_row *row, const struct node *v)
{
    const struct node *lookback = node_get(v, "lookback");
    int kind = -1;
    int rc = v->kind == NODE_MAP ? schema_check_keys(l, row->path, v) : 0;
    if (rc < 0)
        return rc;
    if (v->kind != NODE_MAP || v->children_n != (lookback ? 2 : 1))
        return sizing_error(l, row, v);
    for (const struct node *k = v->first; k; k = k->next)
        if (k != lookback)
            kind = choice_value(choices_sizing, k->key->text);
    if (kind < 0)
        return sizing_error(l, row, v);
    if (lookback && kind != SIZING_TARGET_VOLATILITY)
        return node_error(lookback->key, l->err,
                          "%s.lookback goes with target_volatility alone; take it out", row->path);
    rc = schema_read_map(l, row->path, v);
    l->top->combo.portfolio.sizing = (uint8_t)kind;
    l->sizing = v;
    return rc;
}

int read_objective(struct loader *l, const struct schema_row *row, const struct node *v)
{
    char name[SPEC_NAME_BYTES];
    const char *names[METRIC_N];
    int rc = value_text(v, row->path, name, sizeof(name), l->err);
    if (rc < 0)
        return rc;
    const struct metric_alias *alias = metric_alias_find(name);
    int found = alias ? (int)alias->metric : metric_find(name);
    if (found >= 0) {
        l->config->objective = (uint32_t)found;
        l->objective = v;
        return 0;
    }
    for (int i = 0; i < METRIC_N; i++)
        names[i] = metric_row((enum metric)i)->name;
    const char *close = err_suggest(name, names, METRIC_N);
    return node_error(v, l->err, "%s: %s is no metric; %s%s%s`admf catalog metrics` lists them",
                      row->path, node_show(v).text, close ? "did you mean \"" : "",
                      close ? close : "", close ? "\"? " : "");
}

int read_seed(struct loader *l, const struct schema_row *row, const struct node *v)
{
    return value_u64(v, row->path, &l->config->seed, l->err);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* What depends on several keys. */
static int finish_metrics(struct loader *l)
{
    struct config *c = l->config;
    const struct metric_row *metric = metric_row((enum metric)c->objective);
    if (c->direction == 0)
        c->direction = metric->sense < 0 ? -1 : 1;
    bool has_days = c->profile == PROFILE_NATIVE || c->profile == PROFILE_QUANTSTATS;
    if (isnan(c->periods_per_year) && has_days)
        c->periods_per_year = 252;
    if (l->objective && !metric_is_of((enum metric)c->objective, (enum metric_profile)c->profile))
        return node_error(l->objective, l->err,
                          "optimization.objective: %s is not part of metrics.profile %s; name "
                          "another metric",
                          metric->name, metric_profile_name((enum metric_profile)c->profile));
    return 0;
}

static int load_tree(struct loader *l)
{
    const struct node *root = l->tree.root;
    const struct node *conventions = node_get(root, "conventions");
    int which = CONVENTIONS_NATIVE;
    int rc = 0;
    if (conventions)
        rc = value_choice(l, conventions, schema_at("conventions"), &which);
    if (rc < 0)
        return rc;
    rc = defaults_set(l, (enum conventions)which);
    if (rc < 0)
        return rc;
    l->strategies = node_get(root, "strategies");
    l->grids = node_get(node_get(root, "optimization"), "parameter_grids");
    rc = schema_read_map(l, "", root);
    if (rc == 0)
        rc = finish_metrics(l);
    if (rc == 0)
        rc = data_finish(l, root);
    if (rc == 0)
        rc = grids_read(l);
    if (rc == 0)
        rc = strategies_read(l, root);
    if (rc == 0)
        rc = references_find(l);
    if (rc == 0)
        rc = notes_make(l, root);
    return rc == 0 ? grid_prepare(l) : rc;
}

/* What config_load and config_parse share. */
struct input {
    struct yaml_source source;
    const char *dir;
    const char *const *sets;
    size_t sets_n;
    const struct describe *describe;
    bool is_stored;
};

static int parse_tree(struct loader *l, const struct input *in)
{
    int rc = yaml_parse(&l->tree, &in->source, &l->tree.root, l->err);
    if (rc == 0 && l->tree.root->kind != NODE_MAP)
        rc = node_error(l->tree.root, l->err,
                        "%s; a configuration is a map of keys such as `data` and `strategies`",
                        node_show(l->tree.root).text);
    for (size_t i = 0; i < in->sets_n && rc == 0; i++)
        rc = yaml_set(&l->tree, in->sets[i], l->err);
    return rc;
}

static int load(const struct input *in, struct config **ret_config, struct err *err)
{
    struct loader l = {
        .describe = in->describe, .is_stored = in->is_stored, .dir = in->dir, .err = err};
    int rc = parse_tree(&l, in);
    if (rc == 0) {
        l.config = calloc(1, sizeof(*l.config));
        if (!l.config)
            rc = err_set(err, ERR_SYSTEM, "no memory for the configuration");
    }
    if (rc == 0) {
        l.top = &l.config->top;
        rc = load_tree(&l);
    }
    for (uint32_t i = 0; i < l.exit_dims_n; i++)
        dim_fini(&l.exit_dims[i]); /* those that config.shared took over are marked as shared */
    tree_fini(&l.tree);
    if (rc < 0) {
        config_destroy(l.config);
        return rc;
    }
    *ret_config = l.config;
    return 0;
}

int config_parse(const char *text, size_t n_bytes, const char *name, const char *const *sets,
                 size_t sets_n, const struct describe *describe, struct config **ret_config,
                 struct err *err)
{
    const struct input in = {.source = {.text = text, .n_bytes = n_bytes, .name = name},
                             .dir = "",
                             .sets = sets,
                             .sets_n = sets_n,
                             .describe = describe,
                             .is_stored = true};
    return load(&in, ret_config, err);
}

int config_load(const char *path, const char *const *sets, size_t sets_n,
                const struct describe *describe, struct config **ret_config, struct err *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    int rc = yaml_read_file(path, &text, &n_bytes, err);
    if (rc < 0)
        return rc;
    bool is_stdin = !strcmp(path, "-");
    const char *slash = is_stdin ? NULL : strrchr(path, '/');
    char *dir = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    const struct input in = {
        .source = {.text = text, .n_bytes = n_bytes, .name = is_stdin ? "standard input" : path},
        .dir = dir,
        .sets = sets,
        .sets_n = sets_n,
        .describe = describe};
    rc = dir ? load(&in, ret_config, err)
             : err_set(err, ERR_SYSTEM, "no memory for the configuration");
    free(dir);
    free(text);
    return rc;
}

uint64_t config_plane_budget(const struct config *config)
{
    if (config->plane_budget_bytes != PLANE_BUDGET_AUTO)
        return config->plane_budget_bytes;
    return (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);
}

void config_destroy(struct config *config)
{
    if (!config)
        return;
    for (uint32_t i = 0; config->strategies && i < config->strategies_n; i++) {
        struct config_strategy *s = &config->strategies[i];
        for (uint32_t d = 0; d < s->dims_n; d++)
            dim_fini(&s->dims[d]);
        grid_where_destroy(s->where_plan);
    }
    for (uint32_t i = 0; i < config->shared_n; i++)
        dim_fini(&config->shared[i]);
    free(config->shared);
    free(config->plugins);
    buf_fini(&config->notes);
    free(config->strategies);
    free(config);
}
