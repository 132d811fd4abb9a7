/* SPDX-License-Identifier: MIT */
/* Binding: an expression and values for its names become nodes of the graph.
 *
 * Three passes over the expression's nodes, none of them recursive: (1) upwards, what is constant
 * is folded; (2) downwards, shifts are handed to the series below them, so that `shift(a - b, 1)`
 * is `shift(a,1) - shift(b,1)` and only series are ever shifted; (3) upwards, nodes are made. A
 * shifted condition is the condition of the shifted series: undefined before row n. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/graph_node.h"

struct binder {
    struct graph *graph;
    const struct expr *expr;
    const struct expr_env *env;
    struct err *err;
    struct binding *bindings; /* [expr->nodes_n] */
};

static struct binding *binding_of(const struct binder *b, const struct expr_node *node, uint32_t i)
{
    return &b->bindings[b->expr->args[node->args + i]];
}

static int intern(struct binder *b, const struct graph_node *node, uint32_t *ret_node)
{
    int r = graph_intern(b->graph, node, ret_node);
    if (r == -E2BIG)
        return err_set(b->err, ERR_CONFIG,
                       "the rule is longer than %d bytes when it is written out: split it",
                       GRAPH_KEY_BYTES - 1);
    return r < 0 ? err_set_errno(b->err, ERR_SYSTEM, -r, "binding a rule") : 0;
}

/* ---- constants ------------------------------------------------------------------------------ */

static void fold(const struct binder *b, uint32_t idx)
{
    const struct expr_node *node = &b->expr->nodes[idx];
    struct binding *to = &b->bindings[idx];
    const struct binding *left = node->args_n > 0 ? binding_of(b, node, 0) : NULL;
    const struct binding *right = node->args_n > 1 ? binding_of(b, node, 1) : NULL;
    *to = (struct binding){0};
    switch ((enum expr_kind)node->kind) {
    case EXPR_NUMBER:
        *to = (struct binding){.value = node->number, .is_constant = true};
        break;
    case EXPR_NAME:
        to->is_constant = expr_env_find(b->env, b->expr->names[node->name_idx], &to->value);
        to->value = expr_defined(to->value);
        break;
    case EXPR_NEG:
        *to = (struct binding){.value = -left->value, .is_constant = left->is_constant};
        break;
    case EXPR_ADD:
    case EXPR_SUB:
    case EXPR_MUL:
    case EXPR_DIV:
        to->is_constant = left->is_constant && right->is_constant;
        to->value = expr_arithmetic(node->kind, left->value, right->value);
        break;
    case EXPR_SHIFT:
        *to = (struct binding){.value = left->value, .is_constant = left->is_constant};
        break;
    default:
        break;
    }
}

/* ---- what may stand in a place of a function ------------------------------------------------ */

/* Where a function's argument that is not constant says so: names that are no parameters. */
static int fail_not_parameter(const struct binder *b, uint32_t idx, const char *what)
{
    const struct expr_node *node = &b->expr->nodes[idx];
    while (node->kind != EXPR_NAME) {
        uint32_t i = binding_of(b, node, 0)->is_constant ? 1 : 0;
        node = expr_arg(b->expr, node, i);
    }
    char safe[128];
    const char *name = b->expr->names[node->name_idx];
    const char *close = b->env ? err_suggest(name, b->env->names, b->env->n) : NULL;
    return err_set(b->err, ERR_CONFIG, "column %u: %s: '%s' is not a parameter%s%s%s",
                   (unsigned)node->column, what, err_printable(name, safe, sizeof(safe)),
                   close ? ": did you mean '" : "", close ? close : "", close ? "'?" : "");
}

/* The value of argument i of a call, which stands for `param`. */
static int take_param(const struct binder *b, const struct expr_node *call, uint32_t i,
                      const struct indicator_param *param, double *ret_value)
{
    char what[160];
    const struct expr_node *node = expr_arg(b->expr, call, i);
    const struct binding *found = binding_of(b, call, i);
    struct expr_argument argument = {.idx = i, .column = node->column, .value = found->value};
    if (found->is_constant && expr_param_takes(param, found->value)) {
        *ret_value = found->value;
        return 0;
    }
    if (call->kind == EXPR_CALL)
        argument.indicator = call->indicator;
    if (found->is_constant)
        return expr_refuse_param(param, &argument, b->err);
    return fail_not_parameter(b, (uint32_t)(node - b->expr->nodes),
                              expr_param_name(param, argument.indicator, what, sizeof(what)));
}

/* ---- shifts --------------------------------------------------------------------------------- */

static int fail_lag(const struct binder *b, const struct expr_node *node, double lag)
{
    return err_set(b->err, ERR_CONFIG,
                   "column %u: shifts within shifts look back %.0f rows, expected %u at most",
                   (unsigned)node->column, lag, EXPR_LAG_MAX);
}

static int hand_down(const struct binder *b, uint32_t idx)
{
    const struct expr_node *node = &b->expr->nodes[idx];
    double n = 0.0;
    uint32_t lag = node->kind == EXPR_CALL ? 0 : b->bindings[idx].lag;
    if (node->kind == EXPR_SHIFT) {
        int r = take_param(b, node, 1, &expr_shift_param, &n);
        if (r < 0)
            return r;
        if (n + lag > EXPR_LAG_MAX)
            return fail_lag(b, node, n + lag);
    }
    for (uint32_t i = 0; i < node->args_n; i++)
        binding_of(b, node, i)->lag = lag + (uint32_t)n;
    return 0;
}

static int add_shift(struct binder *b, uint32_t lag, uint32_t *io_node)
{
    struct graph_node node = {.kind = EXPR_SHIFT, .args_n = 1, .arg = {*io_node}, .lag = lag};
    return lag == 0 ? 0 : intern(b, &node, io_node);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static int add_number(struct binder *b, double value, uint32_t *ret_node)
{
    struct graph_node node = {.kind = EXPR_NUMBER, .value = value};
    return intern(b, &node, ret_node);
}

static int add_column(struct binder *b, const char *name, uint32_t lag, uint32_t *ret_node)
{
    struct graph_node node = {.kind = EXPR_NAME, .key = name};
    for (uint32_t i = 0; i < EXPR_BARS_STORED; i++) {
        if (name == expr_bar_names[i])
            node.kind = EXPR_BAR;
    }
    int r = intern(b, &node, ret_node);
    return r < 0 ? r : add_shift(b, lag, ret_node);
}

static int add_pair(struct binder *b, enum expr_kind kind, const uint32_t arg[2],
                    uint32_t *ret_node)
{
    struct graph_node node = {.kind = (uint8_t)kind, .args_n = 2, .arg = {arg[0], arg[1]}};
    node.is_condition = kind >= EXPR_LT;
    return intern(b, &node, ret_node);
}

/* Means of bar columns: (high + low) / 2 and the like. */
static int add_mean_bar(struct binder *b, uint32_t bar_idx, uint32_t lag, uint32_t *ret_node)
{
    static const struct {
        uint32_t n;
        uint32_t bars[4];
    } means[] = {{2, {EXPR_BAR_HIGH, EXPR_BAR_LOW}},
                 {3, {EXPR_BAR_HIGH, EXPR_BAR_LOW, EXPR_BAR_CLOSE}},
                 {4, {EXPR_BAR_OPEN, EXPR_BAR_HIGH, EXPR_BAR_LOW, EXPR_BAR_CLOSE}}};
    uint32_t n = means[bar_idx - EXPR_BARS_STORED].n, pair[2];
    const uint32_t *bars = means[bar_idx - EXPR_BARS_STORED].bars;
    int r = add_column(b, expr_bar_names[bars[0]], lag, &pair[0]);
    for (uint32_t i = 1; i < n && r == 0; i++) {
        r = add_column(b, expr_bar_names[bars[i]], lag, &pair[1]);
        if (r == 0)
            r = add_pair(b, EXPR_ADD, pair, &pair[0]);
    }
    if (r == 0)
        r = add_number(b, n, &pair[1]);
    return r < 0 ? r : add_pair(b, EXPR_DIV, pair, ret_node);
}

/* Argument i as a node, constants included. */
static int arg_node(struct binder *b, const struct expr_node *node, uint32_t i, uint32_t *ret_node)
{
    const struct binding *arg = binding_of(b, node, i);
    if (arg->is_constant)
        return add_number(b, arg->value, ret_node);
    *ret_node = arg->node;
    return 0;
}

static int add_operator(struct binder *b, const struct expr_node *node, uint32_t *ret_node)
{
    uint32_t arg[2];
    for (uint32_t i = 0; i < node->args_n; i++) {
        int r = arg_node(b, node, i, &arg[i]);
        if (r < 0)
            return r;
    }
    if (node->args_n == 2)
        return add_pair(b, node->kind, arg, ret_node);
    const struct graph_node *below = &b->graph->nodes[arg[0]];
    if (node->kind == EXPR_NEG && below->kind == EXPR_NEG) {
        *ret_node = below->arg[0];
        return 0;
    }
    struct graph_node to = {.kind = node->kind, .args_n = 1, .arg = {arg[0]}};
    to.is_condition = node->kind == EXPR_NOT;
    return intern(b, &to, ret_node);
}

/* ---- indicators ----------------------------------------------------------------------------- */

/* The series that the user chose. */
static int take_series(struct binder *b, const struct expr_node *node, struct graph_node *call)
{
    for (uint32_t i = 0; i < node->indicator->series_args_n; i++) {
        const struct binding *arg = binding_of(b, node, i);
        const struct expr_argument argument = {.indicator = node->indicator,
                                               .idx = i,
                                               .column = expr_arg(b->expr, node, i)->column,
                                               .value = arg->value};
        if (arg->is_constant)
            return expr_refuse_constant(&argument, b->err);
        call->arg[call->args_n++] = arg->node;
    }
    return 0;
}

/* The bar columns that are implied. */
static int take_bars(struct binder *b, struct graph_node *call)
{
    const char *at = call->indicator->bar_inputs;
    while (*at && call->args_n < INDICATOR_INPUTS_MAX) {
        size_t n = strcspn(at, " ");
        for (uint32_t i = 0; i < EXPR_BARS_STORED; i++) {
            if (strlen(expr_bar_names[i]) != n || memcmp(expr_bar_names[i], at, n) != 0)
                continue;
            int r = add_column(b, expr_bar_names[i], 0, &call->arg[call->args_n]);
            if (r < 0)
                return r;
            call->args_n++;
        }
        at += n + (at[n] == ' ');
    }
    return 0;
}

static int add_call(struct binder *b, const struct graph_node *call, uint32_t lag,
                    uint32_t *ret_node)
{
    int r = intern(b, call, ret_node);
    return r < 0 ? r : add_shift(b, lag, ret_node);
}

/* bbands(x,n,up,down): middle = sma(x,n), upper = middle + up * stddev(x,n), lower = middle - down
 * * … */
static int expand_bbands(struct binder *b, const struct graph_node *call, uint32_t lag,
                         uint32_t *ret_node)
{
    bool is_upper = call->output == 0;
    uint32_t pair[2], product[2];
    struct graph_node part = {
        .kind = EXPR_CALL, .args_n = 1, .arg = {call->arg[0]}, .param = {call->param[0]}};
    part.indicator = indicator_find("sma");
    int r = add_call(b, &part, lag, &pair[0]);
    if (call->output == 1) {
        *ret_node = pair[0];
        return r;
    }
    part.indicator = indicator_find("stddev");
    if (r == 0)
        r = add_call(b, &part, lag, &product[1]);
    if (r == 0)
        r = add_number(b, call->param[is_upper ? 1 : 2], &product[0]);
    if (r == 0)
        r = add_pair(b, EXPR_MUL, product, &pair[1]);
    return r < 0 ? r : add_pair(b, is_upper ? EXPR_ADD : EXPR_SUB, pair, ret_node);
}

/* Indicators without a kernel are made of others here. */
static const struct {
    const char *name;
    int (*expand)(struct binder *b, const struct graph_node *call, uint32_t lag,
                  uint32_t *ret_node);
} composites[] = {{"bbands", expand_bbands}};

static int add_indicator(struct binder *b, const struct expr_node *node, uint32_t lag,
                         uint32_t *ret_node)
{
    const struct indicator *indicator = node->indicator;
    struct graph_node call = {.kind = EXPR_CALL, .output = node->output, .indicator = indicator};
    int r = take_series(b, node, &call);
    for (uint32_t i = 0; i < indicator->params_n && r == 0; i++)
        r = take_param(b, node, indicator->series_args_n + i, &indicator->params[i],
                       &call.param[i]);
    if (r == 0)
        r = take_bars(b, &call);
    if (r < 0)
        return r;
    if (indicator->compute)
        return add_call(b, &call, lag, ret_node);
    for (size_t i = 0; i < sizeof(composites) / sizeof(composites[0]); i++) {
        if (strcmp(composites[i].name, indicator->name) == 0)
            return composites[i].expand(b, &call, lag, ret_node);
    }
    return err_set(b->err, ERR_BUG, "indicator %s has neither a kernel nor an expansion",
                   indicator->name);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int make_node(struct binder *b, uint32_t idx)
{
    const struct expr_node *node = &b->expr->nodes[idx];
    struct binding *to = &b->bindings[idx];
    if (to->is_constant)
        return 0;
    switch ((enum expr_kind)node->kind) {
    case EXPR_BAR:
        if (node->bar_idx < EXPR_BARS_STORED)
            return add_column(b, expr_bar_names[node->bar_idx], to->lag, &to->node);
        return add_mean_bar(b, node->bar_idx, to->lag, &to->node);
    case EXPR_NAME:
        return add_column(b, b->expr->names[node->name_idx], to->lag, &to->node);
    case EXPR_SHIFT:
        to->node = binding_of(b, node, 0)->node;
        return 0;
    case EXPR_CALL:
        return add_indicator(b, node, to->lag, &to->node);
    default:
        return add_operator(b, node, &to->node);
    }
}

static int bind_all(struct binder *b, uint32_t *ret_node)
{
    uint32_t n = b->expr->nodes_n;
    int r = 0;
    for (uint32_t i = 0; i < n; i++)
        fold(b, i);
    for (uint32_t i = n; i-- > 0 && r == 0;)
        r = hand_down(b, i);
    for (uint32_t i = 0; i < n && r == 0; i++)
        r = make_node(b, i);
    if (r < 0)
        return r;
    const struct binding *root = &b->bindings[n - 1];
    if (root->is_constant)
        return add_number(b, root->value, ret_node);
    *ret_node = root->node;
    return 0;
}

/* What is an argument of a new indicator lives in the plane. */
static void mark_series(struct graph *graph, uint32_t from)
{
    for (uint32_t n = from; n < graph->nodes_n; n++) {
        const struct graph_node *node = &graph->nodes[n];
        for (uint32_t i = 0; node->kind == EXPR_CALL && i < node->args_n; i++)
            graph->nodes[node->arg[i]].is_series = true;
    }
}

int graph_add(struct graph *graph, const struct expr *expr, const struct expr_env *env,
              uint32_t *ret_node, struct err *err)
{
    struct binder b = {.graph = graph, .expr = expr, .env = env, .err = err};
    uint32_t before = graph->nodes_n, node = 0;
    if (expr->nodes_n > graph->bindings_capacity) {
        void *grown = realloc(graph->bindings, expr->nodes_n * sizeof(*graph->bindings));
        if (!grown)
            return err_set_errno(err, ERR_SYSTEM, ENOMEM, "binding a rule");
        graph->bindings = grown;
        graph->bindings_capacity = expr->nodes_n;
    }
    b.bindings = graph->bindings;
    int r = bind_all(&b, &node);
    if (r < 0) {
        graph_truncate(graph, before);
        return r;
    }
    mark_series(graph, before);
    *ret_node = node;
    return 0;
}
