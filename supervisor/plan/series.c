/* SPDX-License-Identifier: MIT */
/* The unique series of a parameter space.
 *
 * Each rule is cut into its pieces (pieces.h); each piece is bound to every value of
 * just the parameters that it names, and added to one graph in which equal keys are one node. */
#include "supervisor/plan/plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/expr.h"
#include "shm/graph.h"
#include "supervisor/plan/pieces.h"

#define RULES_N DESCRIBE_RULES_N

/* Conditions, then the prices of entries. */
static const char *const rule_names[RULES_N] = {"long_entry",  "long_exit",  "short_entry",
                                                "short_exit",  "long_limit", "long_stop",
                                                "short_limit", "short_stop"};

/* What is being planned, and where. */
struct work {
    const struct config *config;
    const struct bars *bars;
    uint32_t symbols_n;
    uint32_t most;
    struct graph *graph;
    uint32_t seen_n;   /* nodes of the graph that are counted */
    uint32_t series_n; /* of one symbol */
    uint64_t asked_n;  /* bindings of all pieces so far */
    const struct config_strategy *strategy;
    struct expr *kept_by[2]; /* the strategy's `where` and what its type accepts; NULL: anything */
    int rule;
    struct pieces pieces[RULES_N]; /* of the strategy's rules, up to this one */
    uint64_t refused_n;
    struct err refused; /* the first; text "" before it */
    struct err *err;
};

/* One piece of a rule, with the dims that its names stand for. */
struct binding {
    struct expr_env env;
    const char *names[EXPR_NAMES_MAX];
    double values[EXPR_NAMES_MAX];
    const struct dim *dims[EXPR_NAMES_MAX]; /* NULL: one value */
    uint64_t digit[EXPR_NAMES_MAX];
    uint64_t n; /* bindings in all; UINT64_MAX: more than that */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory while planning series");
}

static int param_find(const struct strategy_spec *spec, const char *name)
{
    for (uint32_t i = 0; i < spec->params_n; i++)
        if (strcmp(spec->param_names[i], name) == 0)
            return (int)i;
    return -1;
}

static const struct dim *dim_of_param(const struct config_strategy *s, uint32_t param_idx)
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

/* Every name must be a parameter, or a column of every symbol. */
static int bind_names(const struct work *w, const struct expr *expr, struct binding *ret)
{
    const char *const *names;
    size_t names_n = expr_names(expr, &names);
    *ret = (struct binding){.n = 1};
    for (size_t i = 0; i < names_n; i++) {
        int param = param_find(&w->strategy->spec, names[i]);
        for (uint32_t s = 0; param < 0 && s < w->symbols_n; s++)
            if (!bars_have(&w->bars[s], names[i]))
                return refuse_name(w, names[i], &w->bars[s]);
        if (param < 0)
            continue;
        size_t k = ret->env.n++;
        ret->names[k] = names[i];
        ret->dims[k] = dim_of_param(w->strategy, (uint32_t)param);
        ret->values[k] =
            ret->dims[k] ? dim_value(ret->dims[k], 0) : w->strategy->base.params[param];
        if (ret->dims[k] && __builtin_mul_overflow(ret->n, ret->dims[k]->n, &ret->n))
            ret->n = UINT64_MAX;
    }
    ret->env.names = ret->names;
    ret->env.values = ret->values;
    return 0;
}

/* The next values, the last name fastest; false after the last ones. */
static bool binding_next(struct binding *b)
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

static int refuse_too_many(const struct work *w, uint64_t n)
{
    char room[24];
    uint64_t rows_n = 0;
    for (uint32_t s = 0; s < w->symbols_n; s++)
        rows_n += w->bars[s].rows_n;
    double bytes = (double)n * (double)rows_n / (w->symbols_n ? w->symbols_n : 1) * 8.0;
    bytes_format(bytes < 1e19 ? (uint64_t)bytes : UINT64_MAX, room, sizeof room);
    return err_set(w->err, ERR_CONFIG,
                   "the parameters name %llu series or more, which take %s; at most %u fit: sweep "
                   "fewer values of the parameters of indicators",
                   (unsigned long long)n, room, w->most);
}

/* Counts the nodes that were added since the last call. */
static int count_series(struct work *w)
{
    for (; w->seen_n < graph_nodes_n(w->graph); w->seen_n++)
        w->series_n +=
            graph_is_series(w->graph, w->seen_n) && !graph_is_column(w->graph, w->seen_n);
    uint64_t all = (uint64_t)w->series_n * w->symbols_n;
    if (all <= w->most)
        return 0;
    return refuse_too_many(w, w->asked_n * w->symbols_n > all ? w->asked_n * w->symbols_n : all);
}

/* Whether one condition keeps these values: it does where they do not settle it. */
static bool condition_keeps(const struct work *w, const struct expr *condition,
                            const struct binding *b)
{
    const struct config_strategy *s = w->strategy;
    const char *names[EXPR_NAMES_MAX + SPEC_PARAMS_MAX];
    double values[EXPR_NAMES_MAX + SPEC_PARAMS_MAX], kept = 1.0;
    struct err undecided = {0};
    size_t n = b->env.n;
    memcpy(names, b->names, n * sizeof *names);
    memcpy(values, b->values, n * sizeof *values);
    for (uint32_t p = 0; p < s->spec.params_n; p++) {
        if (dim_of_param(s, p))
            continue;
        names[n] = s->spec.param_names[p];
        values[n++] = s->base.params[p];
    }
    struct expr_env env = {.n = n, .names = names, .values = values};
    return expr_eval_scalar(condition, &env, &kept, &undecided) < 0 || kept != 0.0;
}

static bool some_combination_has(const struct work *w, const struct binding *b)
{
    for (int i = 0; i < 2; i++)
        if (w->kept_by[i] && !condition_keeps(w, w->kept_by[i], b))
            return false;
    return true;
}

/* Where the rule stands in the file, or whose it is. */
static void prefix_rule(const struct work *w, struct err *err)
{
    const struct config_strategy *s = w->strategy;
    bool has_place = (size_t)w->rule < sizeof s->rule_at / sizeof s->rule_at[0];
    const char *at = has_place ? s->rule_at[w->rule].text : "";
    if (at[0])
        err_prefix(err, "%s: %s", at, rule_names[w->rule]);
    else
        err_prefix(err, "strategy %s, %s", w->strategy->spec.name, rule_names[w->rule]);
}

static void note_refused(struct work *w, const char *piece, const struct err *why)
{
    if (w->refused_n++ > 0)
        return;
    w->refused = *why;
    err_prefix(&w->refused, "`%s`", piece);
    prefix_rule(w, &w->refused);
}

/* Values that an indicator refuses are left out: a worker calls their combinations invalid. It is
 * an error where no values are left. */
static int add_bindings(struct work *w, const char *piece, const struct expr *expr,
                        struct binding *b)
{
    struct err refused = {0};
    uint64_t added_n = 0, tried_n = 0;
    uint32_t node;
    do {
        if (!some_combination_has(w, b))
            continue;
        tried_n++;
        int rc = graph_add(w->graph, expr, &b->env, &node, &refused);
        if (rc == -ENOMEM || refused.kind == ERR_SYSTEM)
            return no_memory(w->err);
        added_n += rc == 0;
        if (rc < 0)
            note_refused(w, piece, &refused);
        rc = count_series(w);
        if (rc < 0)
            return rc;
    } while (binding_next(b));
    if (added_n == 0 && tried_n > 0)
        return err_set(w->err, ERR_CONFIG, "%s", refused.text);
    return 0;
}

static int add_piece(struct work *w, const char *text)
{
    struct expr *expr;
    struct binding b;
    int rc = expr_parse(text, &expr, w->err);
    if (rc < 0)
        return rc;
    rc = bind_names(w, expr, &b);
    if (rc == 0 && __builtin_add_overflow(w->asked_n, b.n, &w->asked_n))
        w->asked_n = UINT64_MAX;
    /* Most values give a series of their own: far too many are refused before they are tried. */
    if (rc == 0 && b.n / 16 > w->most)
        rc = refuse_too_many(w, w->asked_n);
    if (rc == 0 && (rc = add_bindings(w, text, expr, &b)) < 0 && w->err->kind == ERR_CONFIG)
        err_prefix(w->err, "`%s`", text);
    expr_destroy(expr);
    return rc;
}

/* Whether an earlier rule of the strategy has it too. */
static bool was_added(const struct work *w, const char *piece)
{
    for (int r = 0; r < w->rule; r++)
        if (pieces_have(&w->pieces[r], piece))
            return true;
    return false;
}

static int find_pieces(const struct work *w, const char *rule, struct pieces *ret_pieces)
{
    int rc = pieces_find(rule, ret_pieces);
    if (rc == -E2BIG)
        return err_set(w->err, ERR_CONFIG, "more than %d different calls of indicators: split it",
                       PIECES_MAX);
    return rc < 0 ? no_memory(w->err) : 0;
}

/* Names outside of pieces are checked too: the whole rule is parsed and bound, not added. */
static int add_rule(struct work *w, const char *rule)
{
    struct expr *expr;
    struct binding b;
    struct pieces *pieces = &w->pieces[w->rule];
    int rc = expr_parse(rule, &expr, w->err);
    if (rc < 0)
        return rc;
    rc = bind_names(w, expr, &b);
    expr_destroy(expr);
    if (rc == 0)
        rc = find_pieces(w, rule, pieces);
    for (size_t i = 0; rc == 0 && i < pieces->n; i++)
        if (!was_added(w, pieces->text[i]))
            rc = add_piece(w, pieces->text[i]);
    return rc;
}

static const char *rule_of(const struct config_strategy *s, const struct describe_component *known,
                           int rule)
{
    const struct strategy_spec *spec = &s->spec;
    const char *own[RULES_N] = {spec->long_entry,  spec->long_exit,  spec->short_entry,
                                spec->short_exit,  spec->long_limit, spec->long_stop,
                                spec->short_limit, spec->short_stop};
    return own[rule][0] || !known ? own[rule] : known->rules[rule];
}

static int add_rules(struct work *w, const struct describe_component *known)
{
    int rc = 0;
    for (w->rule = 0; rc == 0 && w->rule < RULES_N; w->rule++) {
        const char *rule = rule_of(w->strategy, known, w->rule);
        rc = rule[0] ? add_rule(w, rule) : 0;
        if (rc < 0)
            prefix_rule(w, w->err);
    }
    for (int r = 0; r < RULES_N; r++)
        pieces_fini(&w->pieces[r]);
    return rc;
}

/* A condition that cannot be read excludes nothing here; the grid or the worker says what is wrong.
 */
static struct expr *condition_of(const char *text)
{
    struct expr *expr = NULL;
    struct err unread = {0};
    if (!text[0] || expr_parse(text, &expr, &unread) < 0)
        return NULL;
    return expr;
}

static int add_strategy(struct work *w, uint32_t idx, const struct describe *describe)
{
    w->strategy = &w->config->strategies[idx];
    const struct describe_component *known = describe_find(describe, w->strategy->spec.type);
    w->kept_by[0] = condition_of(w->strategy->where);
    w->kept_by[1] = known ? condition_of(known->accepts) : NULL;
    int rc = add_rules(w, known);
    expr_destroy(w->kept_by[0]);
    expr_destroy(w->kept_by[1]);
    return rc;
}

static bool is_planned(const struct graph *graph, uint32_t node)
{
    return graph_is_series(graph, node) && !graph_is_column(graph, node);
}

/* Symbol by symbol; within one in the order of the graph, so that arguments come first. A node can
 * have become a series after it was counted, as the argument of a later one. */
static int list_series(struct series_plan *plan, const struct work *w)
{
    size_t n = 0;
    for (uint32_t node = 0; node < w->seen_n; node++)
        n += is_planned(w->graph, node);
    n *= w->symbols_n;
    if (n > w->most)
        return refuse_too_many(w, n);
    plan->symbol = calloc(n + 1, sizeof *plan->symbol);
    plan->key = calloc(n + 1, sizeof *plan->key);
    plan->node = calloc(n + 1, sizeof *plan->node);
    if (!plan->symbol || !plan->key || !plan->node)
        return no_memory(w->err);
    for (uint32_t s = 0; s < w->symbols_n; s++) {
        for (uint32_t node = 0; node < w->seen_n; node++) {
            if (!is_planned(w->graph, node))
                continue;
            plan->symbol[plan->n] = s;
            plan->node[plan->n] = node;
            plan->key[plan->n] = strdup(graph_key(w->graph, node));
            if (!plan->key[plan->n++])
                return no_memory(w->err);
        }
    }
    return 0;
}

int series_plan_make(const struct config *config, const struct describe *describe,
                     const struct bars *bars, uint32_t symbols_n, uint32_t most,
                     struct series_plan **ret_plan, struct err *err)
{
    struct series_plan *plan = calloc(1, sizeof *plan);
    if (!plan || graph_create(&plan->graph) < 0) {
        free(plan);
        return no_memory(err);
    }
    struct work w = {.config = config,
                     .bars = bars,
                     .symbols_n = symbols_n,
                     .most = most,
                     .graph = plan->graph,
                     .err = err};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < config->strategies_n; i++)
        rc = add_strategy(&w, i, describe);
    plan->refused_n = w.refused_n;
    plan->refused = w.refused;
    if (rc == 0)
        rc = list_series(plan, &w);
    if (rc < 0) {
        series_plan_destroy(plan);
        return rc;
    }
    *ret_plan = plan;
    return 0;
}

void series_plan_destroy(struct series_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; plan->key && i < plan->n; i++)
        free(plan->key[i]);
    free(plan->key);
    free(plan->symbol);
    free(plan->node);
    graph_destroy(plan->graph);
    free(plan);
}
