/* SPDX-License-Identifier: MIT */
/* Binding of indicators: their arguments, and what is implied; those that are made of others are
 * bound as an expression within the rule, whose names stand for the nodes and numbers of the call.
 */
#include <errno.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/graph_binder.h"

/* ---- what may stand in a place of a function ------------------------------------------------ */

/* Where a function's argument that is not constant says so: names that are no parameters. */
static int fail_not_parameter(const struct binder *b, uint32_t idx,
                              const struct indicator_param *param, const char *what)
{
    const char *known[SPEC_PARAMS_MAX + 16];
    size_t known_n = 0;
    char safe[128];
    const struct expr_node *node = &b->expr->nodes[idx];
    while (node->kind != EXPR_NAME) {
        uint32_t i = binding_of(b, node, 0)->is_constant ? 1 : 0;
        node = expr_arg(b->expr, node, i);
    }
    const char *name = b->expr->names[node->name_idx];
    for (size_t i = 0; b->env && i < b->env->n && known_n < SPEC_PARAMS_MAX; i++)
        known[known_n++] = b->env->names[i];
    for (size_t i = 0; param->choices && param->choices[i] && i < 16; i++)
        known[known_n++] = param->choices[i];
    const char *close = err_suggest(name, known, known_n);
    return err_set(b->err, ERR_CONFIG, "column %u: %s: '%s' is not a parameter%s%s%s",
                   (unsigned)node->column, what, err_printable(name, safe, sizeof(safe)),
                   close ? ": did you mean '" : "", close ? close : "", close ? "'?" : "");
}

int bind_param(const struct binder *b, const struct expr_node *call, uint32_t i,
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
    return fail_not_parameter(b, (uint32_t)(node - b->expr->nodes), param,
                              expr_param_name(param, argument.indicator, what, sizeof(what)));
}

/* ---- indicators ----------------------------------------------------------------------------- */

/* A call being bound. */
struct call {
    const struct expr_node *node;
    const struct recipe *recipe;
    uint32_t clock; /* of what is implied */
    struct graph_node to;
};

/* The series that the user chose. */
static int take_series(struct binder *b, struct call *c)
{
    const struct indicator *indicator = c->to.indicator;
    for (uint32_t i = 0; i < indicator->series_args_n; i++) {
        const struct binding *arg = binding_of(b, c->node, i);
        const struct expr_argument argument = {.indicator = indicator,
                                               .idx = i,
                                               .column = expr_arg(b->expr, c->node, i)->column,
                                               .value = arg->value};
        if (arg->is_constant)
            return expr_refuse_constant(&argument, b->err);
        c->to.arg[c->to.args_n++] = arg->node;
    }
    return 0;
}

static int take_params(struct binder *b, struct call *c)
{
    const struct indicator *indicator = c->to.indicator;
    int r = 0;
    for (uint32_t i = 0; i < indicator->params_n && r == 0; i++)
        r = bind_param(b, c->node, indicator->series_args_n + i, &indicator->params[i],
                       &c->to.param[i]);
    return r;
}

/* What is wrong within a definition is said of the call, and is ours where nothing that the user
 * wrote can mend it. */
static int fail_within(struct binder *b, const struct call *c, const struct err *inner)
{
    char signature[96];
    bool is_ours = inner->kind == ERR_BUG;
    if (inner->kind == ERR_SYSTEM) {
        *b->err = *inner;
        return -ENOSYS;
    }
    const char *what = strncmp(inner->text, "column ", 7) == 0 ? strchr(inner->text, ':') : NULL;
    return err_set(b->err, is_ours ? ERR_BUG : ERR_CONFIG, "column %u: within %s: %.600s",
                   (unsigned)c->node->column,
                   expr_signature(c->to.indicator, signature, sizeof(signature)),
                   what ? what + 2 : inner->text);
}

static int bind_definition(struct binder *b, const struct call *c, const struct definition *d,
                           uint32_t lag, uint32_t *ret_node)
{
    struct err inner_err = {0};
    struct within w = {.outer = b->within,
                       .indicator = c->to.indicator,
                       .definition = d,
                       .series = c->to.arg,
                       .param = c->to.param};
    struct binder inner = {
        .graph = b->graph, .expr = d->expr, .within = &w, .err = &inner_err, .clock = c->clock};
    for (const struct within *o = b->within; o; o = o->outer) {
        if (o->indicator == w.indicator)
            return err_set(b->err, ERR_BUG, "%s is made of itself", w.indicator->name);
    }
    if (w.indicator->derive)
        w.indicator->derive(w.param, w.derived);
    int r = bind_expr(&inner, lag, ret_node);
    b->bindings = b->graph->bindings + b->at;
    return r < 0 ? fail_within(b, c, &inner_err) : 0;
}

/* The series that are implied; most are plain bar columns. */
static int take_implied(struct binder *b, struct call *c)
{
    int r = 0;
    for (uint32_t i = 0; i < c->recipe->implied_n && r == 0; i++) {
        const struct definition *d = c->recipe->implied[i];
        const struct expr_node *node = d->expr->nodes;
        struct column column = {.clock = c->clock};
        uint32_t arg = 0;
        if (node->kind == EXPR_BAR && node->bar_idx < EXPR_BARS_STORED) {
            column.name = expr_bar_names[node->bar_idx];
            r = bind_column(b, &column, 0, &arg);
        } else {
            r = bind_definition(b, c, d, 0, &arg);
        }
        c->to.arg[c->to.args_n++] = arg;
    }
    return r;
}

int bind_call(struct binder *b, const struct expr_node *node, uint32_t lag, uint32_t *ret_node)
{
    struct call c = {
        .node = node,
        .to = {.kind = EXPR_CALL, .output = node->output, .indicator = node->indicator}};
    const struct definition *made_of;
    int r = graph_recipe(b->graph, node->indicator, &c.recipe, b->err);
    if (r == 0)
        r = bind_clock(b, node, &c.clock);
    c.to.clock = c.clock;
    if (r == 0)
        r = take_series(b, &c);
    if (r == 0)
        r = take_params(b, &c);
    if (r < 0)
        return r;
    made_of = c.recipe->made_of[node->output];
    if (made_of)
        return bind_definition(b, &c, made_of, lag, ret_node);
    r = take_implied(b, &c);
    if (r == 0)
        r = bind_node(b, &c.to, ret_node);
    return r < 0 ? r : bind_shift(b, lag, ret_node);
}
