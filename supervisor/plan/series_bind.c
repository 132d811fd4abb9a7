/* SPDX-License-Identifier: MIT */
/* Names of a rule and the values that they take. */
#include <math.h>
#include <string.h>

#include "supervisor/plan/series_work.h"

static int param_find(const struct strategy_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->params_n; i++)
        if (strcmp(spec->param_names[i], name) == 0)
            return (int)i;
    return -1;
}

const struct dim *series_dim_of_param(const struct config_strategy *s, uint32_t param_idx)
{
    for (uint32_t d = 0; d < s->dims_n; d++)
        if (s->dims[d].target == DIM_PARAM && s->dims[d].param_idx == param_idx)
            return &s->dims[d];
    return NULL;
}

static bool bars_have(const struct bars *bars, const char *name)
{
    for (uint32_t i = 0; i < bars->extra_n; i++)
        if (strcmp(bars->extra_names[i], name) == 0)
            return true;
    return false;
}

static int refuse_name(const struct work *w, const char *name, const struct bars *bars)
{
    const struct strategy_spec *spec = &w->strategy->spec;
    const char *const *columns;
    const char *known[SPEC_PARAMS_MAX + 256];
    char shown[256], symbol[256];
    size_t n = 0;
    for (size_t i = 0; i < expr_columns(&columns); i++)
        known[n++] = columns[i];
    for (uint32_t i = 0; i < spec->params_n; i++)
        known[n++] = spec->param_names[i];
    for (uint32_t i = 0; i < bars->extra_n && n < sizeof known / sizeof *known; i++)
        known[n++] = bars->extra_names[i];
    const char *near = err_suggest(name, known, n);
    return err_set(w->err, ERR_CONFIG, "\"%s\" is neither a parameter nor a column of %s%s%s%s",
                   err_printable(name, shown, sizeof shown),
                   err_printable(bars->symbol, symbol, sizeof symbol),
                   near ? "; did you mean \"" : "; admf data info shows its columns",
                   near ? near : "", near ? "\"?" : "");
}

static int refuse_symbol(const struct work *w, const char *name)
{
    const char *known[SPEC_SYMBOLS_MAX];
    char shown[256];
    for (uint32_t s = 0; s < w->all_n; s++)
        known[s] = w->bars[s].symbol;
    const char *near = err_suggest(name, known, w->all_n);
    return err_set(w->err, ERR_CONFIG, "there are no bars of %s%s%s%s",
                   err_printable(name, shown, sizeof shown), near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

/* A name that is no parameter is a column: of every traded symbol, or of that which it names. */
static int check_column(const struct work *w, const struct expr_use *use)
{
    uint32_t from = 0, to = w->symbols_n;
    if (use->symbol) {
        from = series_symbol_find(w, use->symbol);
        to = from + 1;
    }
    for (uint32_t s = from; s < to; s++)
        if (!bars_have(&w->bars[s], use->name))
            return refuse_name(w, use->name, &w->bars[s]);
    return 0;
}

static int check_columns(const struct work *w, const struct expr *expr)
{
    struct expr_use uses[4 * EXPR_NAMES_MAX];
    const char *const *symbols;
    size_t symbols_n = expr_symbols(expr, &symbols);
    for (size_t i = 0; i < symbols_n; i++)
        if (series_symbol_find(w, symbols[i]) == w->all_n)
            return refuse_symbol(w, symbols[i]);
    size_t n = expr_uses(expr, uses, 4 * EXPR_NAMES_MAX);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n && i < 4 * EXPR_NAMES_MAX; i++)
        if (param_find(&w->strategy->spec, uses[i].name) < 0)
            rc = check_column(w, &uses[i]);
    return rc;
}

int series_bind_names(const struct work *w, const struct expr *expr, struct series_binding *ret)
{
    const char *const *names;
    size_t names_n = expr_names(expr, &names);
    int rc = check_columns(w, expr);
    *ret = (struct series_binding){.n = 1};
    for (size_t i = 0; rc == 0 && i < names_n; i++) {
        int param = param_find(&w->strategy->spec, names[i]);
        if (param < 0)
            continue;
        size_t k = ret->env.n++;
        ret->names[k] = names[i];
        ret->dims[k] = series_dim_of_param(w->strategy, (uint32_t)param);
        ret->values[k] =
            ret->dims[k] ? dim_value(ret->dims[k], 0) : w->strategy->base.params[param];
        if (ret->dims[k] && __builtin_mul_overflow(ret->n, ret->dims[k]->n, &ret->n))
            ret->n = UINT64_MAX;
    }
    ret->env.names = ret->names;
    ret->env.values = ret->values;
    return rc;
}

bool series_binding_next(struct series_binding *b)
{
    for (size_t k = b->env.n; k-- > 0;) {
        if (!b->dims[k])
            continue;
        b->digit[k] = b->digit[k] + 1 < b->dims[k]->n ? b->digit[k] + 1 : 0;
        b->values[k] = dim_value(b->dims[k], b->digit[k]);
        if (b->digit[k])
            return true;
    }
    return false;
}

/* Whether one condition keeps these values: it does where they do not settle it. */
static bool condition_keeps(const struct work *w, const struct expr *condition,
                            const struct series_binding *b)
{
    const struct config_strategy *s = w->strategy;
    const char *names[EXPR_NAMES_MAX + SPEC_PARAMS_MAX];
    double values[EXPR_NAMES_MAX + SPEC_PARAMS_MAX], kept = 1.0;
    struct err undecided = {0};
    size_t n = b->env.n;
    memcpy(names, b->names, n * sizeof *names);
    memcpy(values, b->values, n * sizeof *values);
    for (uint32_t p = 0; p < s->spec.params_n; p++) {
        if (series_dim_of_param(s, p))
            continue;
        names[n] = s->spec.param_names[p];
        values[n++] = s->base.params[p];
    }
    struct expr_env env = {.n = n, .names = names, .values = values};
    return expr_eval_scalar(condition, &env, &kept, &undecided) < 0 || kept != 0.0;
}

bool series_some_combination_has(const struct work *w, const struct series_binding *b)
{
    for (int i = 0; i < 2; i++)
        if (w->kept_by[i] && !condition_keeps(w, w->kept_by[i], b))
            return false;
    return true;
}
