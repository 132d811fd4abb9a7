/* SPDX-License-Identifier: MIT */
/* Calls of functions: which one, what its arguments are, whether they may stand there. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/expr_parser.h"

/* The functions that are no indicators. */
static const struct {
    const char *name, *signature;
    enum expr_kind kind;
} builtins[] = {
    {"shift", "shift(x, n)", EXPR_SHIFT},
    {"crosses_above", "crosses_above(a, b)", EXPR_CROSS_ABOVE},
    {"crosses_below", "crosses_below(a, b)", EXPR_CROSS_BELOW},
};
#define BUILTINS_N (sizeof(builtins) / sizeof(builtins[0]))

/* A call while it is parsed. Argument i has the nodes [first_node[i], arg[i]]. */
struct call {
    struct token name;
    struct expr_node node;
    char signature[96];
    uint32_t series_n; /* leading arguments that are series */
    uint32_t wanted_n;
    uint32_t args_n;
    uint16_t arg[ARGS_MAX];
    uint16_t first_node[ARGS_MAX];
};

static int fail_unknown_function(struct parser *p, struct token name)
{
    char text[96], found[SPEC_NAME_BYTES];
    const char *names[256];
    size_t names_n = 0;
    for (size_t i = 0; i < BUILTINS_N; i++)
        names[names_n++] = builtins[i].name;
    for (size_t i = 0; i < indicator_count() && names_n < 256; i++)
        names[names_n++] = indicator_at(i)->name;
    for (size_t i = 0; i < EXPR_BARS_N; i++) {
        if (token_is(p, name, expr_bar_names[i]))
            return fail_at(p, name.at,
                           "%s is a column, not a function: write shift(%s, n) for its "
                           "value n bars ago",
                           quoted(p, name, text), expr_bar_names[i]);
    }
    (void)snprintf(found, sizeof(found), "%.*s", (int)name.n, p->text + name.at); /* cut at worst */
    const char *close = err_suggest(found, names, names_n);
    if (close)
        return fail_at(p, name.at, "unknown function %s: did you mean '%s'?", quoted(p, name, text),
                       close);
    return fail_at(p, name.at, "unknown function %s: admf catalog indicators lists what there is",
                   quoted(p, name, text));
}

static const struct indicator *indicator_named(const struct parser *p, struct token name)
{
    for (size_t i = 0; i < indicator_count(); i++) {
        if (token_is(p, name, indicator_at(i)->name))
            return indicator_at(i);
    }
    return NULL;
}

static int find_function(struct parser *p, struct call *c)
{
    const struct indicator *indicator = indicator_named(p, c->name);
    if (indicator) {
        c->node.kind = EXPR_CALL;
        c->node.indicator = indicator;
        c->series_n = indicator->series_args_n;
        c->wanted_n = indicator->series_args_n + indicator->params_n;
        (void)expr_signature(indicator, c->signature, sizeof(c->signature));
        return 0;
    }
    for (size_t i = 0; i < BUILTINS_N; i++) {
        if (token_is(p, c->name, builtins[i].name)) {
            c->node.kind = (uint8_t)builtins[i].kind;
            c->node.is_condition = c->node.kind != EXPR_SHIFT;
            c->series_n = c->node.kind == EXPR_SHIFT ? 1 : 2;
            c->wanted_n = 2;
            (void)snprintf(c->signature, sizeof(c->signature), "%s", builtins[i].signature);
            return 0;
        }
    }
    return fail_unknown_function(p, c->name);
}

static int fail_args_n(struct parser *p, const struct call *c, const char *found)
{
    return fail_at(p, c->name.at, "%s takes %u argument%s, found %s", c->signature, c->wanted_n,
                   c->wanted_n == 1 ? "" : "s", found);
}

/* A word that its place takes stands for a number. */
static bool take_choice(struct parser *p, const struct call *c, double *ret_value)
{
    uint32_t i = c->args_n - c->series_n;
    if (c->node.kind != EXPR_CALL || c->args_n < c->series_n || p->token.kind != TOKEN_NAME)
        return false;
    const char *const *choice = c->node.indicator->params[i].choices;
    for (unsigned n = 0; choice && choice[n]; n++) {
        if (token_is(p, p->token, choice[n])) {
            *ret_value = n;
            return true;
        }
    }
    return false;
}

static int parse_arg(struct parser *p, struct call *c)
{
    struct expr_node word = {.kind = EXPR_NUMBER, .column = p->token.at + 1};
    uint16_t *idx = &c->arg[c->args_n];
    c->first_node[c->args_n] = (uint16_t)p->nodes_n;
    if (!take_choice(p, c, &word.number))
        return parse_or(p, idx);
    *idx = add_node(p, word, NULL, 0);
    return next(p);
}

/* args := (expr ("," expr)*)?, behind the opening parenthesis and up to the closing one. */
static int parse_args(struct parser *p, struct call *c)
{
    char found[16];
    while (!at_sign(p, ")")) {
        if (c->args_n == c->wanted_n)
            return fail_args_n(p, c, "more");
        int r = parse_arg(p, c);
        if (r < 0)
            return r;
        c->args_n++;
        if (at_sign(p, ")"))
            break;
        if (!at_sign(p, ","))
            return fail_expected(p, "an operator, ',' or ')'");
        r = next(p);
        if (r < 0)
            return r;
        if (at_sign(p, ")"))
            return fail_expected(p, "an argument behind ','");
    }
    (void)snprintf(found, sizeof(found), "%u", c->args_n);
    return c->args_n == c->wanted_n ? next(p) : fail_args_n(p, c, found);
}

/* Numbers, names and arithmetic of these. */
static bool is_plain(const struct expr_node *node)
{
    return node->kind <= EXPR_DIV && node->kind != EXPR_BAR;
}

/* The value of argument i, where it holds numbers and arithmetic alone. */
static bool constant_value(const struct parser *p, const struct call *c, uint32_t i,
                           double *ret_value)
{
    double values[SPEC_RULE_BYTES], value = NAN; /* a node takes a character at least */
    uint16_t first = c->first_node[i];
    for (uint16_t idx = first; idx <= c->arg[i]; idx++) {
        const struct expr_node *node = &p->nodes[idx];
        const uint16_t *args = p->args + node->args;
        if (!is_plain(node) || node->kind == EXPR_NAME)
            return false;
        if (node->kind == EXPR_NUMBER)
            value = node->number;
        else if (node->kind == EXPR_NEG)
            value = -values[args[0] - first];
        else
            value = expr_arithmetic(node->kind, values[args[0] - first], values[args[1] - first]);
        values[idx - first] = value;
    }
    *ret_value = value;
    return true;
}

/* A constant must be one that its place takes; parameters are checked when they have values. */
static int check_value(struct parser *p, const struct call *c, uint32_t i)
{
    struct expr_argument argument = {.idx = i, .column = node_of(p, c->arg[i])->column};
    const struct indicator_param *param = &expr_shift_param;
    if (c->node.kind == EXPR_CALL)
        argument.indicator = c->node.indicator;
    else if (c->node.kind != EXPR_SHIFT || i == 0)
        return 0;
    if (!constant_value(p, c, i, &argument.value))
        return 0;
    if (i < c->series_n)
        return expr_refuse_constant(&argument, p->err);
    if (argument.indicator)
        param = &argument.indicator->params[i - c->series_n];
    return expr_param_takes(param, argument.value) ? 0
                                                   : expr_refuse_param(param, &argument, p->err);
}

/* Parameters of functions are numbers, names and arithmetic: known before any bar is read. */
static int check_constant(struct parser *p, const struct call *c, uint32_t i)
{
    char text[96];
    const struct expr_node *culprit = NULL; /* the leftmost */
    for (uint16_t idx = c->first_node[i]; idx <= c->arg[i]; idx++) {
        const struct expr_node *node = node_of(p, idx);
        if (!is_plain(node) && (!culprit || node->column < culprit->column))
            culprit = node;
    }
    if (!culprit)
        return 0;
    return fail_at(
        p, culprit->column - 1u,
        "argument %u of %s (%s) must be the same for all bars: a number, a parameter, or "
        "arithmetic of these",
        i + 1, quoted(p, c->name, text), c->signature);
}

static int check_args(struct parser *p, const struct call *c)
{
    char where[160], text[96];
    for (uint32_t i = 0; i < c->args_n; i++) {
        (void)snprintf(where, sizeof(where), "as argument %u of %s", i + 1,
                       quoted(p, c->name, text));
        int r = c->node.kind == EXPR_SHIFT && i == 0 ? 0 : want_type(p, c->arg[i], false, where);
        if (r == 0 && i >= c->series_n)
            r = check_constant(p, c, i);
        if (r == 0)
            r = check_value(p, c, i);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ".upper .middle .lower". Returns out. */
static const char *list_outputs(const struct indicator *indicator, char out[static 128])
{
    size_t n = 0;
    for (unsigned i = 0; i < indicator->outputs_n && n < 128; i++)
        n += (size_t)snprintf(out + n, 128 - n, "%s.%s", i ? " " : "", indicator->outputs[i]);
    return out;
}

static int find_output(struct parser *p, struct call *c)
{
    char text[96], found[SPEC_NAME_BYTES], all[128];
    const struct indicator *indicator = c->node.indicator;
    for (unsigned i = 0; i < indicator->outputs_n; i++) {
        if (token_is(p, p->token, indicator->outputs[i])) {
            c->node.output = (uint8_t)i;
            return next(p);
        }
    }
    (void)snprintf(found, sizeof(found), "%.*s", (int)p->token.n, p->text + p->token.at);
    const char *close = err_suggest(found, indicator->outputs, indicator->outputs_n);
    return fail_at(p, p->token.at, "%s has no output %s, but %s%s%s%s", indicator->name,
                   quoted(p, p->token, text), list_outputs(indicator, all),
                   close ? ": did you mean '" : "", close ? close : "", close ? "'?" : "");
}

/* "." output, of an indicator with several outputs alone. */
static int parse_output(struct parser *p, struct call *c)
{
    char text[96], all[128];
    bool has_several = c->node.kind == EXPR_CALL && c->node.indicator->outputs_n > 1;
    if (!at_sign(p, ".") && has_several)
        return fail_at(p, c->name.at, "%s has several outputs: say which behind it, %s",
                       c->signature, list_outputs(c->node.indicator, all));
    if (!at_sign(p, "."))
        return 0;
    if (!has_several)
        return fail_at(p, p->token.at, "%s has one output: write %s without '.'",
                       quoted(p, c->name, text), c->signature);
    int r = next(p);
    if (r < 0)
        return r;
    if (p->token.kind != TOKEN_NAME)
        return fail_expected(p, "the name of an output");
    return find_output(p, c);
}

int parse_call(struct parser *p, struct token name, uint16_t *ret_idx)
{
    struct call c = {.name = name, .node = {.column = name.at + 1}};
    int r = find_function(p, &c);
    if (r == 0)
        r = next(p); /* the opening parenthesis */
    if (r == 0)
        r = parse_args(p, &c);
    if (r == 0)
        r = check_args(p, &c);
    if (r == 0)
        r = parse_output(p, &c);
    if (r < 0)
        return r;
    if (c.node.kind == EXPR_SHIFT)
        c.node.is_condition = node_of(p, c.arg[0])->is_condition;
    *ret_idx = add_node(p, c.node, c.arg, c.args_n);
    return 0;
}
