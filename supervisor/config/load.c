/* SPDX-License-Identifier: MIT */
/* From text to a checked configuration: tree, --set, defaults, sections, strategies, grid. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/config/loader.h"

/* ---- defaults ------------------------------------------------------------------------------- */

static void defaults_native(struct config *c)
{
    c->top.combo = (struct combo){
        .symbol_idx = COMBO_ALL_SYMBOLS,
        .execution = {.fill = FILL_NEXT_OPEN,
                      .same_bar = SAME_BAR_PESSIMISTIC,
                      .at_end = AT_END_MARK},
        .risk = {.opposite_signal = OPPOSITE_REVERSE,
                 .same_signal = SAME_SIGNAL_IGNORE,
                 .max_position_size = INFINITY,
                 .commission_frac = NAN},
        .exits = {.base = EXIT_BASE_FILL_PRICE,
                  .live_from = LIVE_FROM_FILL_BAR,
                  .stop_loss = NAN,
                  .take_profit = NAN},
        .portfolio = {.direction = DIRECTION_BOTH,
                      .sizing = SIZING_PERCENT_OF_EQUITY,
                      .sizing_value = 1,
                      .initial_capital = 100000,
                      .leverage = 1,
                      .lot = 1},
    };
    c->top.first_signal = FIRST_SIGNAL_FIRST_BAR;
    c->profile = PROFILE_NATIVE;
    c->periods_per_year = NAN;
    c->objective = METRIC_SHARPE;
    c->seed = 1;
    c->barrier_timeout_ns = INT64_C(30) * 1000000000;
    c->retries = 1;
}

/* All cash but a rounding's worth, whole units, stops from the signal's close. */
static void defaults_backtesting_py(struct config *c)
{
    struct combo *combo = &c->top.combo;
    combo->exits.base = EXIT_BASE_SIGNAL_CLOSE;
    combo->portfolio.sizing = SIZING_PERCENT_OF_CASH;
    combo->portfolio.sizing_value = 1 - 0x1p-52;
    combo->portfolio.initial_capital = 10000;
    c->top.first_signal = FIRST_SIGNAL_AFTER_WARM_UP;
    c->profile = PROFILE_BACKTESTING_PY;
}

void defaults_set(struct loader *l, int conventions)
{
    defaults_native(l->config);
    if (conventions == 1)
        defaults_backtesting_py(l->config);
    snprintf(l->config->conventions, sizeof(l->config->conventions), "%s",
             choice_name(choices_conventions, conventions));
}

/* Read before every other key (see load_tree); the walk over the sections only passes it again. */
int read_conventions(struct loader *l, const struct schema_row *row, const struct node *v)
{
    int conventions = 0;
    return value_choice(l, v, row, &conventions);
}

/* ---- keys with readers of their own --------------------------------------------------------- */

int read_cost(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (v->kind != NODE_MAP)
        return schema_read_number(l, row, v);
    const double zero = 0;
    memcpy((char *)l->top + row->offset, &zero, sizeof(zero));
    return schema_read_map(l, row->path, v);
}

int read_exit(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (!sweep_is(v))
        return schema_read_number(l, row, v);
    struct dim *d = &l->exit_dims[l->exit_dims_n];
    const struct sweep_target *target = sweep_target_find(row->sweep);
    int rc = sweep_read(v, row->path, &row->rule, d, l->err);
    if (rc < 0)
        return rc;
    snprintf(d->name, sizeof(d->name), "%s", row->sweep);
    d->target = target->target;
    d->origin = DIM_FROM_EXITS;
    l->exit_nodes[l->exit_dims_n++] = v;
    return 0;
}

int read_sizing(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (v->kind != NODE_MAP || v->children_n != 1) {
        int rc = v->kind == NODE_MAP ? schema_check_keys(l, row->path, v) : 0;
        if (rc < 0)
            return rc;
        return node_error(v, l->err,
                          "%s: %s%s; a map with exactly one of percent_of_equity, percent_of_cash "
                          "and units is expected, as in {percent_of_equity: 1.0}",
                          row->path, node_show(v).text,
                          v->kind != NODE_MAP  ? ""
                          : v->children_n == 0 ? " without keys"
                                               : " with several keys");
    }
    int rc = schema_read_map(l, row->path, v);
    if (rc < 0)
        return rc;
    const char *key = v->first->key->text;
    l->top->combo.portfolio.sizing = !strcmp(key, "units")             ? SIZING_UNITS
                                     : !strcmp(key, "percent_of_cash") ? SIZING_PERCENT_OF_CASH
                                                                       : SIZING_PERCENT_OF_EQUITY;
    l->sizing = v;
    return 0;
}

int read_objective(struct loader *l, const struct schema_row *row, const struct node *v)
{
    char name[SPEC_NAME_BYTES];
    const char *names[METRIC_N];
    int rc = value_text(v, row->path, name, sizeof(name), l->err);
    if (rc < 0)
        return rc;
    int found = metric_find(name);
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
    if (isnan(c->periods_per_year) && c->profile == PROFILE_NATIVE)
        c->periods_per_year = 252;
    if (l->objective && !(metric->profiles & 1u << c->profile))
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
    int which = 0;
    int rc = 0;
    if (conventions)
        rc = value_choice(l, conventions, schema_at("conventions"), &which);
    if (rc < 0)
        return rc;
    defaults_set(l, which);
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
    return rc == 0 ? grid_prepare(l) : rc;
}

/* What config_load and config_parse share. */
struct input {
    struct yaml_source source;
    const char *dir;
    const char *const *sets;
    size_t sets_n;
    const struct describe *describe;
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
    struct loader l = {.describe = in->describe, .dir = in->dir, .err = err};
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
                             .describe = describe};
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
    free(config->strategies);
    free(config);
}
