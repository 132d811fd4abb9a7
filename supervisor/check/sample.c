/* SPDX-License-Identifier: MIT */
#include "supervisor/check/sample.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/expr.h"
#include "supervisor/check/future.h"
#include "supervisor/plan/plan.h"

#define TRIES_EACH   1000              /* draws for each combination wanted, at most */
#define NUMBERS_MOST UINT64_C(4000000) /* of a grid that is walked whole to find those that run */
#define SERIES_MOST  100000            /* of one combination */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory for the combinations to check");
}

/* ---- configurations ------------------------------------------------------------------------- */

int sample_config(const struct config *config, const struct combo *combos, uint32_t n,
                  struct config **ret_config, struct err *err)
{
    struct config *c = malloc(sizeof *c);
    struct config_strategy *strategies = calloc(n, sizeof *strategies);
    if (!c || !strategies) {
        free(c);
        free(strategies);
        return no_memory(err);
    }
    *c = *config;
    c->strategies = strategies;
    c->strategies_n = n;
    c->combinations_n = n;
    c->shared_n = 0;
    c->shared = NULL;
    for (uint32_t i = 0; i < n; i++) {
        struct config_strategy *s = &strategies[i];
        const struct config_strategy *from = &config->strategies[combos[i].strategy_idx];
        s->spec = from->spec;
        memcpy(s->rule_at, from->rule_at, sizeof s->rule_at);
        s->base = combos[i];
        s->base.strategy_idx = i;
        s->combinations_n = s->runs_n = 1;
        s->first = i;
    }
    *ret_config = c;
    return 0;
}

void sample_config_destroy(struct config *config)
{
    if (!config)
        return;
    free(config->strategies);
    free(config);
}

/* ---- names in rules ------------------------------------------------------------------------- */

/* How many of the symbols have a column. */
static uint32_t having_column(const struct bars *bars, uint32_t symbols_n, const char *name)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < symbols_n; s++) {
        uint32_t i = 0;
        while (i < bars[s].extra_n && strcmp(bars[s].extra_names[i], name) != 0)
            i++;
        n += i < bars[s].extra_n;
    }
    return n;
}

static bool is_param(const struct strategy_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->params_n; i++)
        if (strcmp(spec->param_names[i], name) == 0)
            return true;
    return false;
}

typedef int (*name_fn)(void *ctx, const char *name, struct err *err);

/* Calls fn for each name in a rule that is no parameter. */
static int names_of_rule(const char *rule, const struct strategy_spec *spec, name_fn fn, void *ctx,
                         struct err *err)
{
    struct expr *expr = NULL;
    struct err unread; /* the plan says what is wrong with it */
    const char *const *names;
    int r = 0;
    if (!rule[0] || expr_parse(rule, &expr, &unread) < 0)
        return 0;
    size_t n = expr_names(expr, &names);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!is_param(spec, names[i]))
            r = fn(ctx, names[i], err);
    expr_destroy(expr);
    return r;
}

/* The same for all rules of a strategy, its own and those of its type. */
static int names_of_strategy(const struct strategy_spec *spec, const struct describe *describe,
                             name_fn fn, void *ctx, struct err *err)
{
    const struct describe_component *known = describe_find(describe, spec->type);
    const char *rules[] = {spec->long_entry, spec->long_exit, spec->short_entry, spec->short_exit,
                           spec->long_limit, spec->long_stop, spec->short_limit, spec->short_stop};
    int r = 0;
    for (size_t k = 0; r == 0 && k < sizeof rules / sizeof *rules; k++)
        r = names_of_rule(rules[k], spec, fn, ctx, err);
    for (size_t k = 0; r == 0 && known && k < DESCRIBE_RULES_N; k++)
        r = names_of_rule(known->rules[k], spec, fn, ctx, err);
    return r;
}

/* ---- the sample ----------------------------------------------------------------------------- */

struct drawing {
    const struct config *config;
    const struct describe *describe;
    const struct bars *bars;
    uint32_t symbols_n;
    uint32_t most;
    struct sample sample;
};

/* What the type of its strategy says of its parameters; where that cannot be told, the worker will.
 */
static bool is_accepted(const struct drawing *d, const struct combo *combo)
{
    const struct strategy_spec *spec = &d->config->strategies[combo->strategy_idx].spec;
    const struct describe_component *known = describe_find(d->describe, spec->type);
    const char *names[SPEC_PARAMS_MAX];
    struct expr *condition = NULL;
    struct err untold;
    double kept = 1;
    if (!known || !known->accepts[0] || expr_parse(known->accepts, &condition, &untold) < 0)
        return true;
    for (uint32_t i = 0; i < spec->params_n; i++)
        names[i] = spec->param_names[i];
    const struct expr_env env = {.n = spec->params_n, .names = names, .values = combo->params};
    bool is_told = expr_eval_scalar(condition, &env, &kept, &untold) == 0;
    expr_destroy(condition);
    return !is_told || kept != 0;
}

/* Whether its series can be had: 1 where its rules or its parameters are refused. */
static int plan_one(const struct drawing *d, const struct combo *combo, struct err *why)
{
    struct config *one = NULL;
    struct series_plan *plan;
    int r = sample_config(d->config, combo, 1, &one, why);
    if (r < 0)
        return r;
    r = series_plan_make(one, d->describe, d->bars, d->symbols_n, SERIES_MOST, &plan, why);
    sample_config_destroy(one);
    if (r == 0)
        series_plan_destroy(plan);
    return r < 0 && why->kind == ERR_CONFIG ? 1 : r;
}

static int look_at(const struct drawing *d, const struct combo *combo, struct err *why)
{
    if (!is_accepted(d, combo)) {
        const struct strategy_spec *spec = &d->config->strategies[combo->strategy_idx].spec;
        (void)err_set(why, ERR_CONFIG, "%s refuses the parameters of every combination drawn",
                      spec->name);
        return 1;
    }
    return plan_one(d, combo, why);
}

static int find_unknown(void *ctx, const char *name, struct err *err)
{
    const struct drawing *d = ctx;
    return having_column(d->bars, d->symbols_n, name) < d->symbols_n;
}

/* A rule that names what is not there is an error of the configuration, and no refused value. */
static int check_names(const struct drawing *d, struct err *err)
{
    struct drawing unknown = *d;
    for (uint32_t i = 0; i < d->config->strategies_n; i++) {
        const struct config_strategy *s = &d->config->strategies[i];
        struct combo combo;
        if (!grid_combo(d->config, s->first, &combo))
            combo = s->base;
        combo.strategy_idx = i;
        if (names_of_strategy(&s->spec, d->describe, find_unknown, &unknown, err) != 0 &&
            plan_one(d, &combo, err) != 0)
            return err->kind == ERR_CONFIG ? -EINVAL : -ENOMEM;
    }
    return 0;
}

static bool is_drawn(const struct sample *s, uint64_t number)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->combo[i].combination == number)
            return true;
    return false;
}

static int draw(struct drawing *d, uint64_t number, struct err *err)
{
    struct sample *s = &d->sample;
    struct combo *combo = &s->combo[s->n];
    struct err why = {0};
    if (!grid_combo(d->config, number, combo))
        return 0;
    combo->combination = number;
    combo->container_seq = number;
    combo->execution.at_end = AT_END_MARK;
    int r = look_at(d, combo, &why);
    if (r == 1 && s->refused_n++ == 0)
        s->refused = why;
    if (r < 0)
        *err = why;
    s->n += r == 0;
    return r < 0 ? r : 0;
}

static int draw_all(struct drawing *d, struct err *err)
{
    int r = 0;
    for (uint64_t n = 0; r == 0 && n < d->config->combinations_n && d->sample.n < d->most; n++)
        r = draw(d, n, err);
    return r;
}

static int draw_some(struct drawing *d, uint64_t seed, struct err *err)
{
    uint64_t random = seed;
    int r = 0;
    for (uint64_t i = 0; r == 0 && i < (uint64_t)TRIES_EACH * d->most && d->sample.n < d->most;
         i++) {
        uint64_t number = check_random_below(&random, d->config->combinations_n);
        if (!is_drawn(&d->sample, number))
            r = draw(d, number, err);
    }
    return r;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct combo *x = a, *y = b;
    return (x->combination > y->combination) - (x->combination < y->combination);
}

int sample_make(const struct config *config, const struct describe *describe,
                const struct check_options *options, const struct bars *bars, uint32_t symbols_n,
                struct sample *ret_sample, struct err *err)
{
    struct drawing d = {config, describe, bars, symbols_n, options->combinations_n, {0}};
    uint64_t grid_n = grid_count(config);
    bool takes_all = grid_n <= d.most && config->combinations_n <= NUMBERS_MOST;
    d.sample.combo = calloc((size_t)d.most + 1, sizeof *d.sample.combo);
    int r = d.sample.combo ? check_names(&d, err) : no_memory(err);
    if (r == 0)
        r = takes_all ? draw_all(&d, err) : draw_some(&d, options->seed, err);
    if (r == 0 && d.sample.n > 1)
        qsort(d.sample.combo, d.sample.n, sizeof *d.sample.combo, compare_numbers);
    if (r == 0 && d.sample.n == 0)
        r = d.sample.refused_n
                ? err_set(err, ERR_CONFIG, "no combination can be checked: %s",
                          d.sample.refused.text)
                : err_set(err, ERR_CONFIG, "no combination can be checked: `where` leaves none");
    if (r < 0)
        sample_fini(&d.sample);
    else
        *ret_sample = d.sample;
    return r;
}

void sample_fini(struct sample *sample)
{
    free(sample->combo);
    *sample = (struct sample){0};
}

/* ---- imported columns ----------------------------------------------------------------------- */

struct listing {
    const struct bars *bars;
    uint32_t symbols_n;
    struct check_report *report;
};

static int add_column(void *ctx, const char *name, struct err *err)
{
    const struct listing *l = ctx;
    struct check_report *report = l->report;
    if (having_column(l->bars, l->symbols_n, name) == 0)
        return 0;
    for (uint32_t i = 0; i < report->columns_n; i++)
        if (strcmp(report->column[i], name) == 0)
            return 0;
    void *bigger = reallocarray(report->column, report->columns_n + 1, sizeof *report->column);
    if (!bigger)
        return no_memory(err);
    report->column = bigger;
    snprintf(report->column[report->columns_n++], SPEC_NAME_BYTES, "%s", name);
    return 0;
}

int sample_columns(const struct config *config, const struct describe *describe,
                   const struct sample *sample, const struct bars *bars, uint32_t symbols_n,
                   struct check_report *report, struct err *err)
{
    struct listing listing = {bars, symbols_n, report};
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < sample->n; i++) {
        uint32_t idx = sample->combo[i].strategy_idx;
        if (i == 0 || sample->combo[i - 1].strategy_idx != idx)
            r = names_of_strategy(&config->strategies[idx].spec, describe, add_column, &listing,
                                  err);
    }
    return r;
}
