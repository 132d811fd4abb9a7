/* SPDX-License-Identifier: MIT */
/* Parsed expressions: what they are asked once they exist. The parser is expr_parse.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/expr_node.h"

const char *const expr_bar_names[EXPR_BARS_N] = {
    "open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4",
};

void expr_destroy(struct expr *expr)
{
    free(expr);
}

size_t expr_names(const struct expr *expr, const char *const **ret_names)
{
    *ret_names = expr->names;
    return expr->names_n;
}

bool expr_is_condition(const struct expr *expr)
{
    return expr->nodes[expr->nodes_n - 1].is_condition;
}

const char *expr_signature(const struct indicator *indicator, char *out, size_t out_bytes)
{
    static const char *const series[] = {"x", "y", "z"};
    size_t at = (size_t)snprintf(out, out_bytes, "%s(", indicator->name);
    const char *gap = "";
    for (unsigned i = 0; i < indicator->series_args_n && at < out_bytes; i++, gap = ", ")
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", gap, series[i % 3]);
    for (unsigned i = 0; i < indicator->params_n && at < out_bytes; i++, gap = ", ")
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", gap, indicator->params[i].name);
    if (at < out_bytes)
        (void)snprintf(out + at, out_bytes - at, ")"); /* cut at worst */
    return out;
}

static int look_up(const struct expr_env *env, const char *name, double *ret_value)
{
    for (size_t i = 0; i < env->n; i++) {
        if (strcmp(env->names[i], name) == 0) {
            *ret_value = env->values[i];
            return 0;
        }
    }
    return -1;
}

static int unknown_name(const struct expr_env *env, const struct expr_node *node, const char *name,
                        struct err *err)
{
    const char *close = err_suggest(name, env->names, env->n);
    bool is_bar = node->kind == EXPR_BAR;
    return err_set(err, ERR_CONFIG, "column %u: %s '%s'%s%s%s", (unsigned)node->column,
                   is_bar ? "there are no bars here, but found" : "unknown name", name,
                   close ? ": did you mean '" : "", close ? close : "", close ? "'?" : "");
}

static int no_series_here(const struct expr_node *node, struct err *err)
{
    const char *name = node->kind == EXPR_CALL    ? node->indicator->name
                       : node->kind == EXPR_SHIFT ? "shift"
                                                  : "a crossing";
    return err_set(err, ERR_CONFIG,
                   "column %u: %s needs bars, and this is a condition on single values: use "
                   "numbers, names, arithmetic and comparisons",
                   (unsigned)node->column, name);
}

/* The value of a node whose arguments have theirs. */
static int scalar_node(const struct expr *expr, const struct expr_node *node,
                       const struct expr_env *env, double *value, struct err *err)
{
    const uint16_t *args = expr->args + node->args;
    double *to = &value[node - expr->nodes];
    double a = node->args_n > 0 ? value[args[0]] : 0.0;
    double b = node->args_n > 1 ? value[args[1]] : 0.0;
    switch ((enum expr_kind)node->kind) {
    case EXPR_NUMBER:
        *to = node->number;
        return 0;
    case EXPR_BAR:
        if (look_up(env, expr_bar_names[node->bar_idx], to) == 0)
            return 0;
        return unknown_name(env, node, expr_bar_names[node->bar_idx], err);
    case EXPR_NAME:
        if (look_up(env, expr->names[node->name_idx], to) == 0)
            return 0;
        return unknown_name(env, node, expr->names[node->name_idx], err);
    case EXPR_NEG:
        *to = -a;
        return 0;
    case EXPR_ADD:
    case EXPR_SUB:
    case EXPR_MUL:
    case EXPR_DIV:
        *to = expr_arithmetic(node->kind, a, b);
        return 0;
    case EXPR_AND:
        *to = a != 0.0 && b != 0.0;
        return 0;
    case EXPR_OR:
        *to = a != 0.0 || b != 0.0;
        return 0;
    case EXPR_NOT:
        *to = a == 0.0;
        return 0;
    case EXPR_SHIFT:
    case EXPR_CROSS_ABOVE:
    case EXPR_CROSS_BELOW:
    case EXPR_CALL:
        return no_series_here(node, err);
    default:
        *to = expr_compare(node->kind, a, b);
        return 0;
    }
}

int expr_eval_scalar(const struct expr *expr, const struct expr_env *env, double *ret_value,
                     struct err *err)
{
    double value[SPEC_RULE_BYTES]; /* a node takes a character at least */
    for (uint32_t i = 0; i < expr->nodes_n; i++) {
        int r = scalar_node(expr, &expr->nodes[i], env, value, err);
        if (r < 0)
            return r;
    }
    *ret_value = value[expr->nodes_n - 1];
    return 0;
}
