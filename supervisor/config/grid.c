/* SPDX-License-Identifier: MIT */
/* The grid: combinations by number. A number is its strategy's first plus an index whose digits,
 * last dimension fastest, are places in the dimensions; nothing is ever materialised. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/expr.h"
#include "supervisor/config/strategy.h"

/* ---- where ---------------------------------------------------------------------------------- */

/* A name of the condition: a parameter, or another swept field. */
struct where_name {
    int32_t param_idx;            /* -1: row */
    const struct schema_row *row; /* else NULL */
};

struct grid_where {
    struct expr *expr;
    size_t n;
    const char *const *names; /* the expression's */
    struct where_name at[EXPR_NAMES_MAX];
};

void grid_where_destroy(struct grid_where *where)
{
    if (where)
        expr_destroy(where->expr);
    free(where);
}

static int where_eval(const struct grid_where *w, const struct combo *combo, bool *ret_keeps,
                      struct err *err)
{
    double values[EXPR_NAMES_MAX], result = 0;
    for (size_t i = 0; i < w->n; i++)
        values[i] = w->at[i].row ? field_shown(w->at[i].row, field_get(combo, w->at[i].row))
                                 : combo->params[w->at[i].param_idx];
    const struct expr_env env = {.n = w->n, .names = w->names, .values = values};
    int rc = expr_eval_scalar(w->expr, &env, &result, err);
    *ret_keeps = rc == 0 && result != 0;
    return rc;
}

/* Names that `where` may use: parameters, their aliases, and what else is swept. */
struct where_scope {
    const struct config_strategy *s;
    const struct describe_component *component; /* NULL for rules */
};

static bool resolve_name(const struct where_scope *scope, const char *name,
                         struct where_name *ret_at)
{
    const struct config_strategy *s = scope->s;
    for (uint32_t i = 0; i < s->spec.params_n; i++) {
        if (!strcmp(s->spec.param_names[i], name) ||
            (scope->component && !strcmp(scope->component->params[i].alias, name))) {
            *ret_at = (struct where_name){.param_idx = (int32_t)i};
            return true;
        }
    }
    for (uint32_t i = 0; i < s->dims_n; i++) {
        if (!s->dims[i].is_symbol && s->dims[i].target != DIM_NOISE &&
            !strcmp(s->dims[i].name, name)) {
            *ret_at = (struct where_name){.param_idx = -1, .row = s->dims[i].row};
            return true;
        }
    }
    return false;
}

static int unknown_where_name(struct loader *l, const struct where_scope *scope,
                              const struct node *at, const char *name)
{
    const char *names[SPEC_PARAMS_MAX * 2 + CONFIG_DIMS_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < scope->s->spec.params_n; i++) {
        names[n++] = scope->s->spec.param_names[i];
        if (scope->component && *scope->component->params[i].alias)
            names[n++] = scope->component->params[i].alias;
    }
    for (uint32_t i = 0; i < scope->s->dims_n; i++)
        names[n++] = scope->s->dims[i].name;
    const char *close = err_suggest(name, names, n);
    return node_error(at, l->err,
                      "where: \"%s\" is neither a parameter of %s nor swept; %s%s%sparameters and "
                      "swept values can be compared here",
                      name, scope->s->spec.name, close ? "did you mean \"" : "", close ? close : "",
                      close ? "\"? " : "");
}

/* Parses and binds; series and bar columns show in the first evaluation. */
static int bind_where(struct loader *l, struct config_strategy *s, struct grid_where *w,
                      const struct node *at)
{
    struct err inner = {0};
    bool is_rules = !l->describe || !strcmp(s->spec.type, "rules");
    const struct where_scope scope = {
        .s = s, .component = is_rules ? NULL : describe_find(l->describe, s->spec.type)};
    bool keeps = false;
    if (expr_parse(s->where, &w->expr, &inner) < 0)
        return rules_error(at, "where", &inner, l->err);
    if (!expr_is_condition(w->expr))
        return node_error(at, l->err,
                          "where: a number, not a condition; compare it with "
                          "something, as in fast < slow");
    w->n = expr_names(w->expr, &w->names);
    for (size_t i = 0; i < w->n; i++)
        if (!resolve_name(&scope, w->names[i], &w->at[i]))
            return unknown_where_name(l, &scope, at, w->names[i]);
    if (where_eval(w, &s->base, &keeps, &inner) < 0)
        return node_error(at, l->err, "where: %s; only parameters and swept values can stand here",
                          inner.text);
    return 0;
}

static int where_make(struct loader *l, struct config_strategy *s, const struct node *at)
{
    struct grid_where *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(l->err, ERR_SYSTEM, "no memory for the configuration");
    s->where_plan = w; /* config_destroy frees it */
    return bind_where(l, s, w, at);
}

/* ---- digits --------------------------------------------------------------------------------- */

static void apply_digit(const struct dim *d, uint64_t digit, struct combo *combo)
{
    if (d->target == DIM_PARAM)
        combo->params[d->param_idx] = dim_value(d, digit);
    else if (d->target == DIM_SYMBOL)
        combo->symbol_idx = (uint32_t)dim_value(d, digit);
    else if (d->target == DIM_NOISE)
        combo->noise_path = (uint32_t)dim_value(d, digit);
    else
        field_set(combo, d->row, dim_value(d, digit));
}

bool grid_combo(const struct config *config, uint64_t n, struct combo *ret_combo)
{
    const struct config_strategy *s = grid_strategy(config, n);
    if (!s)
        return false;
    uint64_t index = n - s->first;
    bool keeps = true;
    struct err ignored;
    *ret_combo = s->base;
    ret_combo->combination = n;
    for (uint32_t d = s->dims_n; d-- > 0;) {
        apply_digit(&s->dims[d], index % s->dims[d].n, ret_combo);
        index /= s->dims[d].n;
    }
    if (s->where_plan)
        (void)where_eval(s->where_plan, ret_combo, &keeps, &ignored); /* tried when it was bound */
    return keeps;
}

const struct config_strategy *grid_strategy(const struct config *config, uint64_t n)
{
    if (n >= config->combinations_n)
        return NULL;
    uint32_t low = 0, high = config->strategies_n;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (config->strategies[middle].first <= n)
            low = middle;
        else
            high = middle;
    }
    return &config->strategies[low];
}

/* ---- counting ------------------------------------------------------------------------------- */

static bool names_dim(const struct grid_where *w, const struct dim *d)
{
    for (size_t i = 0; i < w->n; i++) {
        bool is_param = w->at[i].param_idx >= 0;
        if (d->target == DIM_PARAM ? is_param && d->param_idx == (uint32_t)w->at[i].param_idx
                                   : field_is_same(d->row, w->at[i].row))
            return true;
    }
    return false;
}

/* How many of the `space` combinations of dims the condition keeps. */
static uint64_t count_kept(const struct config_strategy *s, const struct dim *const *dims,
                           uint32_t dims_n, uint64_t space)
{
    struct combo combo = s->base;
    uint64_t kept = 0;
    struct err ignored;
    for (uint64_t n = 0; n < space; n++) {
        uint64_t index = n;
        bool keeps = false;
        for (uint32_t d = dims_n; d-- > 0;) {
            uint64_t digit = index % dims[d]->n;
            apply_digit(dims[d], digit, &combo);
            index /= dims[d]->n;
            if (digit) /* the digits before it are as they were */
                break;
        }
        (void)where_eval(s->where_plan, &combo, &keeps, &ignored); /* tried when it was bound */
        kept += keeps;
    }
    return kept;
}

static int count_where(struct loader *l, struct config_strategy *s, const struct node *at)
{
    const struct dim *dims[CONFIG_DIMS_MAX];
    uint32_t dims_n = 0;
    uint64_t space = 1;
    for (uint32_t i = 0; i < s->dims_n; i++) {
        if (!names_dim(s->where_plan, &s->dims[i]))
            continue;
        dims[dims_n++] = &s->dims[i];
        space *= s->dims[i].n; /* at most combinations_n, which did not overflow */
    }
    uint64_t each = strlen(s->where) + WHERE_WORK_EACH;
    uint64_t most = l->where_work_left / each;
    most = most < WHERE_SPACE_MAX ? most : WHERE_SPACE_MAX;
    if (space > most)
        return node_error(at, l->err,
                          "where: it ranges over %llu combinations of the values that it names; a "
                          "condition of this length at most over %llu: sweep fewer values of them",
                          (unsigned long long)space, (unsigned long long)most);
    l->where_work_left -= space * each;
    s->runs_n = s->combinations_n / space * count_kept(s, dims, dims_n, space);
    if (s->runs_n == 0)
        return node_error(at, l->err, "where: it keeps none of %llu combinations of %s",
                          (unsigned long long)s->combinations_n, s->spec.name);
    return 0;
}

uint64_t grid_count(const struct config *config)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < config->strategies_n; i++)
        n += config->strategies[i].runs_n;
    return n;
}

/* ---- numbering ------------------------------------------------------------------------------ */

static int too_many(struct loader *l, bool is_counted, uint64_t n)
{
    char count[64], estimate[96] = "";
    if (is_counted) {
        snprintf(count, sizeof(count), "%llu", (unsigned long long)n);
        snprintf(estimate, sizeof(estimate), " (at 10,000 a second, %.3g years)",
                 (double)n / 1e4 / (365.25 * 86400));
    } else {
        snprintf(count, sizeof(count), "more than 2^64");
    }
    return node_error(l->strategies, l->err,
                      "%s combinations%s; at most %llu: sweep fewer values, or larger steps", count,
                      estimate, (unsigned long long)CONFIG_COMBINATIONS_MAX);
}

/* Products and the sum in 64 bits, told apart from those that do not fit. */
static int number_strategies(struct loader *l)
{
    struct config *c = l->config;
    for (uint32_t i = 0; i < c->strategies_n; i++) {
        struct config_strategy *s = &c->strategies[i];
        s->combinations_n = 1;
        for (uint32_t d = 0; d < s->dims_n; d++)
            if (__builtin_mul_overflow(s->combinations_n, s->dims[d].n, &s->combinations_n))
                return too_many(l, false, 0);
        s->first = c->combinations_n;
        s->runs_n = s->combinations_n;
        if (__builtin_add_overflow(c->combinations_n, s->combinations_n, &c->combinations_n))
            return too_many(l, false, 0);
    }
    if (c->combinations_n > CONFIG_COMBINATIONS_MAX)
        return too_many(l, true, c->combinations_n);
    return 0;
}

static int read_where(struct loader *l, struct config_strategy *s, const struct node *v)
{
    if (v->kind == NODE_SCALAR && v->n_bytes == 0)
        return 0;
    int rc = value_text(v, "where", s->where, sizeof(s->where), l->err);
    if (rc == 0)
        rc = where_make(l, s, v);
    return rc == 0 ? count_where(l, s, v) : rc;
}

static int check_columns(struct loader *l)
{
    const char *names[COLUMNS_MAX];
    if (grid_columns(l->config, names) <= COLUMNS_MAX)
        return 0;
    return node_error(l->strategies, l->err,
                      "more than %d different swept names over all strategies; split the file",
                      COLUMNS_MAX);
}

int grid_prepare(struct loader *l)
{
    int rc = number_strategies(l);
    if (rc == 0)
        rc = check_columns(l);
    const struct node *entry = l->strategies->first;
    l->where_work_left = WHERE_WORK_MAX;
    for (uint32_t i = 0; i < l->config->strategies_n && rc == 0; i++, entry = entry->next) {
        const struct node *v = node_get(entry, "where");
        if (v)
            rc = read_where(l, &l->config->strategies[i], v);
    }
    return rc;
}

/* ---- columns -------------------------------------------------------------------------------- */

/* Beyond COLUMNS_MAX names are counted and not written; the loader refuses such a file. */
uint32_t grid_columns(const struct config *config,
                      const char *ret_names[static CONFIG_DIMS_MAX * 4])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < config->strategies_n; i++) {
        const struct config_strategy *s = &config->strategies[i];
        for (uint32_t d = 0; d < s->dims_n; d++) {
            uint32_t k = 0;
            while (k < n && k < COLUMNS_MAX && strcmp(ret_names[k], s->dims[d].name))
                k++;
            if (k < n && k < COLUMNS_MAX)
                continue;
            if (n < COLUMNS_MAX)
                ret_names[n] = s->dims[d].name;
            n++;
        }
    }
    return n;
}

double grid_value(const struct config *config, uint64_t n, const char *column,
                  const char **ret_symbol)
{
    const struct config_strategy *s = grid_strategy(config, n);
    uint64_t index = s ? n - s->first : 0;
    *ret_symbol = NULL;
    for (uint32_t d = s ? s->dims_n : 0; d-- > 0;) {
        uint64_t digit = index % s->dims[d].n;
        index /= s->dims[d].n;
        if (strcmp(s->dims[d].name, column))
            continue;
        double value = dim_value(&s->dims[d], digit);
        if (s->dims[d].is_symbol)
            *ret_symbol = config->symbols[(uint32_t)value].name;
        return s->dims[d].row ? field_shown(s->dims[d].row, value) : value;
    }
    return NAN;
}
