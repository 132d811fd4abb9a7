/* SPDX-License-Identifier: MIT */
/* What the canonical text of a node is. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/graph_node.h"

static void put(struct graph *graph, const char *text, size_t n)
{
    if (graph->key_n + n < GRAPH_KEY_BYTES)
        memcpy(graph->key + graph->key_n, text, n);
    graph->key_n += n;
}

static void put_text(struct graph *graph, const char *text)
{
    put(graph, text, strlen(text));
}

/* As f64_format_short, by a short way for the whole numbers that most periods are. What is
 * undefined is written as a quotient: `nan` could be a column's name. */
static void put_number(struct graph *graph, double value)
{
    char text[F64_BYTES];
    size_t at = sizeof(text);
    if (!isfinite(value)) {
        put_text(graph, "(0 / 0)");
        return;
    }
    if (!(value >= 0.0 && value < 100000.0) || value != (uint32_t)value || signbit(value)) {
        put_text(graph, f64_format_short(value, text));
        return;
    }
    uint32_t whole = (uint32_t)value;
    do {
        text[--at] = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole);
    put(graph, text + at, sizeof(text) - at);
}

/* How tightly each kind binds its arguments, and its sign. */
static const struct {
    uint8_t binds;
    const char *sign;
} forms[] = {
    [EXPR_NUMBER] = {9, ""},      [EXPR_BAR] = {9, ""},         [EXPR_NAME] = {9, ""},
    [EXPR_NEG] = {8, "-"},        [EXPR_ADD] = {6, " + "},      [EXPR_SUB] = {6, " - "},
    [EXPR_MUL] = {7, " * "},      [EXPR_DIV] = {7, " / "},      [EXPR_LT] = {5, " < "},
    [EXPR_LE] = {5, " <= "},      [EXPR_GT] = {5, " > "},       [EXPR_GE] = {5, " >= "},
    [EXPR_EQ] = {5, " == "},      [EXPR_NE] = {5, " != "},      [EXPR_AND] = {2, " and "},
    [EXPR_OR] = {1, " or "},      [EXPR_NOT] = {3, "not "},     [EXPR_SHIFT] = {9, "shift"},
    [EXPR_CROSS_ABOVE] = {9, ""}, [EXPR_CROSS_BELOW] = {9, ""}, [EXPR_CALL] = {9, ""},
};

/* An argument, in parentheses where it binds less tightly than `least`. */
static void put_arg(struct graph *graph, uint32_t arg, unsigned least)
{
    const struct graph_node *node = &graph->nodes[arg];
    bool needs = forms[node->kind].binds < least;
    if (needs)
        put(graph, "(", 1);
    if (graph->is_local)
        put(graph, node->local_key, node->local_n);
    else
        put(graph, node->key, node->key_n);
    if (needs)
        put(graph, ")", 1);
}

static void put_call(struct graph *graph, const struct graph_node *node)
{
    const struct indicator *indicator = node->indicator;
    const char *gap = "(";
    put_text(graph, indicator->name);
    for (uint32_t i = 0; i < indicator->series_args_n; i++, gap = ",") {
        put_text(graph, gap);
        put_arg(graph, node->arg[i], 0);
    }
    for (uint32_t i = 0; i < indicator->params_n; i++, gap = ",") {
        put_text(graph, gap);
        if (indicator->params[i].choices)
            put_text(graph, indicator->params[i].choices[(unsigned)node->param[i]]);
        else
            put_number(graph, node->param[i]);
    }
    put_text(graph, gap[0] == '(' ? "()" : ")");
    if (indicator->outputs_n > 1) {
        put(graph, ".", 1);
        put_text(graph, indicator->outputs[node->output]);
    }
}

static void put_crossing(struct graph *graph, const struct graph_node *node)
{
    put_text(graph, node->kind == EXPR_CROSS_ABOVE ? "crosses_above(" : "crosses_below(");
    put_arg(graph, node->arg[0], 0);
    put(graph, ",", 1);
    put_arg(graph, node->arg[1], 0);
    put(graph, ")", 1);
}

static void put_shift(struct graph *graph, const struct graph_node *node)
{
    put_text(graph, "shift(");
    put_arg(graph, node->arg[0], 0);
    put(graph, ",", 1);
    put_number(graph, node->lag);
    put(graph, ")", 1);
}

/* `and` and `or` may be regrouped freely; the others are written as they are grouped. */
static void put_binary(struct graph *graph, const struct graph_node *node)
{
    unsigned binds = forms[node->kind].binds;
    bool is_free = node->kind == EXPR_AND || node->kind == EXPR_OR;
    put_arg(graph, node->arg[0], binds);
    put_text(graph, forms[node->kind].sign);
    put_arg(graph, node->arg[1], is_free ? binds : binds + 1);
}

static void put_node(struct graph *graph, const struct graph_node *node)
{
    switch ((enum expr_kind)node->kind) {
    case EXPR_NUMBER:
        put_number(graph, node->value);
        break;
    case EXPR_BAR:
    case EXPR_NAME:
        put_text(graph, node->key);
        break;
    case EXPR_NEG:
    case EXPR_NOT:
        put_text(graph, forms[node->kind].sign);
        put_arg(graph, node->arg[0], forms[node->kind].binds);
        break;
    case EXPR_SHIFT:
        put_shift(graph, node);
        break;
    case EXPR_CROSS_ABOVE:
    case EXPR_CROSS_BELOW:
        put_crossing(graph, node);
        break;
    case EXPR_CALL:
        put_call(graph, node);
        break;
    default:
        put_binary(graph, node);
        break;
    }
}

/* A symbol as it is written before its colon: in quotes where it has signs of arithmetic. */
static void put_symbol(struct graph *graph, const char *symbol)
{
    bool is_plain = !strpbrk(symbol, "-=/");
    put(graph, "\"", is_plain ? 0 : 1);
    put_text(graph, symbol);
    put(graph, "\"", is_plain ? 0 : 1);
    put(graph, ":", 1);
}

/* Both keys of what lives on another clock: the local one first, then the same behind the symbol
 * and before the timeframe; arithmetic is written over arguments that have theirs. */
static int build_both(struct graph *graph, const struct graph_node *node)
{
    const struct graph_clock *clock = &graph->clocks[node->clock];
    char timeframe[TIMEFRAME_BYTES];
    bool is_atom = node->kind == EXPR_BAR || node->kind == EXPR_NAME || node->kind == EXPR_CALL;
    if (!graph->local_key && !(graph->local_key = malloc(GRAPH_KEY_BYTES)))
        return -ENOMEM;
    graph->is_local = true;
    put_node(graph, node);
    graph->is_local = false;
    if (graph->key_n >= GRAPH_KEY_BYTES)
        return -E2BIG;
    memcpy(graph->local_key, graph->key, graph->key_n);
    graph->local_n = graph->key_n;
    graph->key_n = 0;
    if (!is_atom) {
        put_node(graph, node);
        return 0;
    }
    if (clock->symbol)
        put_symbol(graph, clock->symbol);
    put(graph, graph->local_key, graph->local_n);
    if (clock->timeframe.unit != TIMEFRAME_OWN) {
        put(graph, "@", 1);
        put_text(graph, timeframe_format(clock->timeframe, timeframe));
    }
    return 0;
}

int graph_build_key(struct graph *graph, const struct graph_node *node)
{
    int r = 0;
    graph->key_n = 0;
    if (node->clock == 0)
        put_node(graph, node);
    else
        r = build_both(graph, node);
    return r < 0 ? r : graph->key_n >= GRAPH_KEY_BYTES ? -E2BIG : 0;
}
