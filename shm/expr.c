/* SPDX-License-Identifier: MIT */
/* Parsed expressions: what they are asked once they exist. The parser is expr_parse.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "proto/units.h"
#include "shm/expr_node.h"

const char *const expr_bar_names[EXPR_BARS_N] = {
    "open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4",
};

size_t expr_columns(const char *const **ret_names)
{
    *ret_names = expr_bar_names;
    return EXPR_BARS_N;
}

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

/* ---- arguments that a function refuses ------------------------------------------------------ */

const struct indicator_param expr_shift_param = {
    .name = "n", .minimum = 0, .maximum = EXPR_LAG_MAX, .is_whole = 1};

static unsigned choices_n(const struct indicator_param *param)
{
    unsigned n = 0;
    while (param->choices[n])
        n++;
    return n;
}

bool expr_param_takes(const struct indicator_param *param, double value)
{
    if (param->choices)
        return value >= 0.0 && value < choices_n(param) && value == floor(value);
    return value >= param->minimum && value <= param->maximum &&
           (!param->is_whole || value == floor(value));
}

const char *expr_param_name(const struct indicator_param *param, const struct indicator *indicator,
                            char *out, size_t out_bytes)
{
    char signature[96] = "shift(x, n)";
    if (indicator)
        (void)expr_signature(indicator, signature, sizeof(signature));
    (void)snprintf(out, out_bytes, "%s of %s", param->name, signature); /* cut at worst */
    return out;
}

/* "day, week or never". Returns out. */
static const char *list_choices(const struct indicator_param *param, char *out, size_t out_bytes)
{
    size_t at = 0;
    unsigned n = choices_n(param);
    out[0] = '\0';
    for (unsigned i = 0; i < n && at < out_bytes; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s",
                               i == 0       ? ""
                               : i + 1 == n ? " or "
                                            : ", ",
                               param->choices[i]);
    return out;
}

int expr_refuse_param(const struct indicator_param *param, const struct expr_argument *argument,
                      struct err *err)
{
    char what[160], least[F64_BYTES], most[F64_BYTES], found[F64_BYTES], words[128];
    if (param->choices)
        return err_set(
            err, ERR_CONFIG, "column %u: %s is %s, expected %s", (unsigned)argument->column,
            expr_param_name(param, argument->indicator, what, sizeof(what)),
            isnan(argument->value) ? "undefined" : f64_format_short(argument->value, found),
            list_choices(param, words, sizeof(words)));
    return err_set(err, ERR_CONFIG, "column %u: %s is %s, expected a %s from %s to %s",
                   (unsigned)argument->column,
                   expr_param_name(param, argument->indicator, what, sizeof(what)),
                   isnan(argument->value) ? "undefined" : f64_format_short(argument->value, found),
                   param->is_whole ? "whole number" : "number",
                   f64_format_short(param->minimum, least), f64_format_short(param->maximum, most));
}

int expr_refuse_constant(const struct expr_argument *argument, struct err *err)
{
    char signature[96], found[F64_BYTES];
    return err_set(
        err, ERR_CONFIG,
        "column %u: argument %u of %s is the constant %s, expected a series such as close",
        (unsigned)argument->column, (unsigned)argument->idx + 1,
        expr_signature(argument->indicator, signature, sizeof(signature)),
        isnan(argument->value) ? "0 / 0" : f64_format_short(argument->value, found));
}

/* ---- values --------------------------------------------------------------------------------- */

bool expr_env_find(const struct expr_env *env, const char *name, double *ret_value)
{
    for (size_t i = 0; env && i < env->n; i++) {
        if (strcmp(env->names[i], name) == 0) {
            *ret_value = env->values[i];
            return true;
        }
    }
    return false;
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
                       : node->symbol             ? "what is of a symbol"
                       : node->timeframe          ? "what has a timeframe"
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
        if (node->symbol || node->timeframe)
            return no_series_here(node, err);
        if (expr_env_find(env, expr_bar_names[node->bar_idx], to))
            return 0;
        return unknown_name(env, node, expr_bar_names[node->bar_idx], err);
    case EXPR_NAME:
        if (node->symbol || node->timeframe)
            return no_series_here(node, err);
        if (expr_env_find(env, expr->names[node->name_idx], to))
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
