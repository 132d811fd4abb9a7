/* SPDX-License-Identifier: MIT */
/* Binding: an expression and values for its names become nodes of the graph.
 *
 * Three passes over the expression's nodes, none of them recursive: (1) upwards, what is constant
 * is folded; (2) downwards, shifts are handed to the series below them, so that `shift(a - b, 1)`
 * is `shift(a,1) - shift(b,1)` and only series are ever shifted; (3) upwards, nodes are made. A
 * shifted condition is the condition of the shifted series: undefined before row n. */
#include <errno.h>
#include <stdlib.h>

#include "shm/graph_binder.h"

int bind_no_memory(const struct binder *b)
{
    return err_set_errno(b->err, ERR_SYSTEM, ENOMEM, "binding a rule");
}

int bind_node(struct binder *b, struct graph_node *node, uint32_t *ret_node)
{
    int r = graph_intern(b->graph, node, ret_node);
    if (r == -E2BIG)
        return err_set(b->err, ERR_CONFIG,
                       "the rule is longer than %d bytes when it is written out: split it",
                       GRAPH_KEY_BYTES - 1);
    return r < 0 ? bind_no_memory(b) : 0;
}

int bind_clock(struct binder *b, const struct expr_node *node, uint32_t *ret_clock)
{
    struct graph_clock clock = b->graph->clocks[b->clock];
    *ret_clock = b->clock;
    if (!node->symbol && !node->timeframe)
        return 0;
    if (node->symbol)
        clock.symbol = b->expr->symbols[node->symbol - 1];
    if (node->timeframe)
        clock.timeframe = b->expr->timeframes[node->timeframe - 1];
    return graph_clock_find(b->graph, &clock, ret_clock) < 0 ? bind_no_memory(b) : 0;
}

/* ---- constants ------------------------------------------------------------------------------ */

/* Whether a name stands for a number. */
static bool find_value(const struct binder *b, uint32_t name_idx, double *ret_value)
{
    const struct within *w = b->within;
    if (!w)
        return expr_env_find(b->env, b->expr->names[name_idx], ret_value);
    uint8_t role = w->definition->role[name_idx];
    if (role < ROLE_PARAM || role >= ROLE_COLUMN)
        return false;
    *ret_value =
        role < ROLE_DERIVED ? w->param[role - ROLE_PARAM] : w->derived[role - ROLE_DERIVED];
    return true;
}

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
        to->is_constant = find_value(b, node->name_idx, &to->value);
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
        int r = bind_param(b, node, 1, &expr_shift_param, &n);
        if (r < 0)
            return r;
        if (n + lag > EXPR_LAG_MAX)
            return fail_lag(b, node, n + lag);
    }
    for (uint32_t i = 0; i < node->args_n; i++)
        binding_of(b, node, i)->lag = lag + (uint32_t)n;
    return 0;
}

int bind_shift(struct binder *b, uint32_t lag, uint32_t *io_node)
{
    struct graph_node node = {.kind = EXPR_SHIFT, .args_n = 1, .arg = {*io_node}, .lag = lag};
    return lag == 0 ? 0 : bind_node(b, &node, io_node);
}

/* A number of the graph, `lag` rows earlier: the shift is handed down to its series. */
static int shift_node(struct binder *b, uint32_t idx, uint32_t lag, uint32_t *ret_node)
{
    struct graph_node node = b->graph->nodes[idx];
    *ret_node = idx;
    if (lag == 0 || node.kind == EXPR_NUMBER)
        return 0;
    if (node.kind == EXPR_SHIFT) {
        if ((double)node.lag + lag > EXPR_LAG_MAX)
            return err_set(b->err, ERR_CONFIG, "shifts look back more than %u rows", EXPR_LAG_MAX);
        *ret_node = node.arg[0];
        return bind_shift(b, node.lag + lag, ret_node);
    }
    if (node.kind < EXPR_NEG || node.kind > EXPR_DIV)
        return bind_shift(b, lag, ret_node);
    for (uint32_t i = 0; i < node.args_n; i++) {
        int r = shift_node(b, node.arg[i], lag, &node.arg[i]);
        if (r < 0)
            return r;
    }
    return bind_node(b, &node, ret_node);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static int add_number(struct binder *b, double value, uint32_t *ret_node)
{
    struct graph_node node = {.kind = EXPR_NUMBER, .value = value};
    return bind_node(b, &node, ret_node);
}

int bind_column(struct binder *b, const struct column *column, uint32_t lag, uint32_t *ret_node)
{
    const char *name = column->name;
    struct graph_node node = {.kind = EXPR_NAME, .key = name, .clock = column->clock};
    for (uint32_t i = 0; i < EXPR_BARS_STORED; i++) {
        if (name == expr_bar_names[i])
            node.kind = EXPR_BAR;
    }
    int r = bind_node(b, &node, ret_node);
    return r < 0 ? r : bind_shift(b, lag, ret_node);
}

/* A name that is not a number: a column, or a series of the definition it stands in. */
static int add_name(struct binder *b, const struct expr_node *node, uint32_t lag,
                    uint32_t *ret_node)
{
    const struct within *w = b->within;
    struct column column = {.name = b->expr->names[node->name_idx]};
    uint8_t role = w ? w->definition->role[node->name_idx] : ROLE_COLUMN;
    if (role != ROLE_COLUMN)
        return shift_node(b, w->series[role - ROLE_SERIES], lag, ret_node);
    int r = bind_clock(b, node, &column.clock);
    return r < 0 ? r : bind_column(b, &column, lag, ret_node);
}

static int add_pair(struct binder *b, enum expr_kind kind, const uint32_t arg[2],
                    uint32_t *ret_node)
{
    struct graph_node node = {.kind = (uint8_t)kind, .args_n = 2, .arg = {arg[0], arg[1]}};
    node.is_condition = kind >= EXPR_LT;
    return bind_node(b, &node, ret_node);
}

/* Means of bar columns: (high + low) / 2 and the like. */
static int add_mean_bar(struct binder *b, uint32_t bar_idx, uint32_t clock, uint32_t lag,
                        uint32_t *ret_node)
{
    static const struct {
        uint32_t n;
        uint32_t bars[4];
    } means[] = {{2, {EXPR_BAR_HIGH, EXPR_BAR_LOW}},
                 {3, {EXPR_BAR_HIGH, EXPR_BAR_LOW, EXPR_BAR_CLOSE}},
                 {4, {EXPR_BAR_OPEN, EXPR_BAR_HIGH, EXPR_BAR_LOW, EXPR_BAR_CLOSE}}};
    uint32_t n = means[bar_idx - EXPR_BARS_STORED].n, pair[2] = {0};
    int r = 0;
    for (uint32_t i = 0; i < n && r == 0; i++) {
        uint32_t bar = means[bar_idx - EXPR_BARS_STORED].bars[i];
        const struct column column = {expr_bar_names[bar], clock};
        r = bind_column(b, &column, lag, &pair[i > 0]);
        if (r == 0 && i > 0)
            r = add_pair(b, EXPR_ADD, pair, &pair[0]);
    }
    if (r == 0)
        r = add_number(b, n, &pair[1]);
    return r < 0 ? r : add_pair(b, EXPR_DIV, pair, ret_node);
}

static int add_bar(struct binder *b, const struct expr_node *node, uint32_t lag, uint32_t *ret_node)
{
    struct column column = {.name = expr_bar_names[node->bar_idx]};
    int r = bind_clock(b, node, &column.clock);
    if (r < 0)
        return r;
    if (node->bar_idx < EXPR_BARS_STORED)
        return bind_column(b, &column, lag, ret_node);
    return add_mean_bar(b, node->bar_idx, column.clock, lag, ret_node);
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
    return bind_node(b, &to, ret_node);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* A shift moves each series in bars of its own, which means something where all have the same. */
static int check_shift(const struct binder *b, const struct expr_node *node, uint32_t made)
{
    if (b->graph->nodes[made].leaves != CLOCK_MIXED)
        return 0;
    return err_set(b->err, ERR_CONFIG,
                   "column %u: shift of what is made of bars of different symbols or timeframes: "
                   "shift its parts, each by bars of its own",
                   (unsigned)node->column);
}

static int make_node(struct binder *b, uint32_t idx)
{
    const struct expr_node *node = &b->expr->nodes[idx];
    const struct binding is = b->bindings[idx];
    uint32_t made = 0;
    int r;
    if (is.is_constant)
        return 0;
    switch ((enum expr_kind)node->kind) {
    case EXPR_BAR:
        r = add_bar(b, node, is.lag, &made);
        break;
    case EXPR_NAME:
        r = add_name(b, node, is.lag, &made);
        break;
    case EXPR_SHIFT:
        made = binding_of(b, node, 0)->node;
        r = check_shift(b, node, made);
        break;
    case EXPR_CALL:
        r = bind_call(b, node, is.lag, &made);
        break;
    default:
        r = add_operator(b, node, &made);
        break;
    }
    b->bindings[idx].node = made;
    return r;
}

static int bind_all(struct binder *b, uint32_t lag, uint32_t *ret_node)
{
    uint32_t n = b->expr->nodes_n;
    int r = 0;
    for (uint32_t i = 0; i < n; i++)
        fold(b, i);
    b->bindings[n - 1].lag = lag;
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

/* Room for n more bindings on the stack. */
static int reserve_bindings(struct graph *graph, uint32_t n)
{
    uint32_t wanted = graph->bindings_n + n;
    if (wanted <= graph->bindings_capacity)
        return 0;
    wanted += wanted / 2;
    void *grown = realloc(graph->bindings, wanted * sizeof(*graph->bindings));
    if (!grown)
        return -ENOMEM;
    graph->bindings = grown;
    graph->bindings_capacity = wanted;
    return 0;
}

int bind_expr(struct binder *b, uint32_t lag, uint32_t *ret_node)
{
    struct graph *graph = b->graph;
    if (reserve_bindings(graph, b->expr->nodes_n) < 0)
        return bind_no_memory(b);
    b->at = graph->bindings_n;
    b->bindings = graph->bindings + b->at;
    graph->bindings_n += b->expr->nodes_n;
    int r = bind_all(b, lag, ret_node);
    graph->bindings_n = b->at;
    return r;
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
    uint32_t before = graph->nodes_n, clocks_before = graph->clocks_n, node = 0;
    int r = bind_expr(&b, 0, &node);
    if (r < 0) {
        graph_truncate(graph, before, clocks_before);
        return r;
    }
    mark_series(graph, before);
    *ret_node = node;
    return 0;
}
