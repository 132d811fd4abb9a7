/* SPDX-License-Identifier: MIT */
/* The graph's memory: nodes found by their canonical text. What the text of a node is stands here
 * too. Binding expressions is graph_bind.c, computing is graph_eval.c. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/units.h"
#include "shm/graph_node.h"

#define FIRST_NODES 64u
#define CHUNK_BYTES 16384u

/* ---- life ----------------------------------------------------------------------------------- */

int graph_create(struct graph **ret_graph)
{
    struct graph *graph = calloc(1, sizeof(*graph));
    if (!graph)
        return -ENOMEM;
    graph->round = 1;
    graph->nodes_capacity = FIRST_NODES;
    graph->slots_capacity = 2 * FIRST_NODES;
    graph->nodes = calloc(graph->nodes_capacity, sizeof(*graph->nodes));
    graph->slots = calloc(graph->slots_capacity, sizeof(*graph->slots));
    graph->key = malloc(GRAPH_KEY_BYTES);
    if (!graph->nodes || !graph->slots || !graph->key || eval_create(&graph->eval) < 0) {
        graph_destroy(graph);
        return -ENOMEM;
    }
    *ret_graph = graph;
    return 0;
}

void graph_destroy(struct graph *graph)
{
    if (!graph)
        return;
    for (struct key_chunk *chunk = graph->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    eval_destroy(graph->eval);
    free(graph->bindings);
    free(graph->key);
    free(graph->slots);
    free(graph->nodes);
    free(graph);
}

void graph_clear(struct graph *graph)
{
    for (struct key_chunk *chunk = graph->chunks; chunk; chunk = chunk->next)
        chunk->used_bytes = 0;
    graph->chunk = graph->chunks;
    graph->nodes_n = 0;
    if (++graph->round == 0) {
        memset(graph->slots, 0, graph->slots_capacity * sizeof(*graph->slots));
        graph->round = 1;
    }
}

uint32_t graph_nodes_n(const struct graph *graph)
{
    return graph->nodes_n;
}

const char *graph_key(const struct graph *graph, uint32_t node)
{
    return graph->nodes[node].key;
}

bool graph_is_series(const struct graph *graph, uint32_t node)
{
    return graph->nodes[node].is_series;
}

bool graph_is_column(const struct graph *graph, uint32_t node)
{
    return graph->nodes[node].kind == EXPR_BAR || graph->nodes[node].kind == EXPR_NAME;
}

/* ---- keys ----------------------------------------------------------------------------------- */

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

static void build_key(struct graph *graph, const struct graph_node *node)
{
    graph->key_n = 0;
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

/* ---- finding and adding --------------------------------------------------------------------- */

/* A place for n bytes that stays put until the graph is cleared. */
static char *keep(struct graph *graph, size_t n)
{
    struct key_chunk **link = graph->chunk ? &graph->chunk : &graph->chunks;
    while (*link && (*link)->capacity_bytes - (*link)->used_bytes < n)
        link = &(*link)->next;
    if (!*link) {
        size_t capacity = n > CHUNK_BYTES ? n : CHUNK_BYTES;
        struct key_chunk *chunk = malloc(sizeof(*chunk) + capacity);
        if (!chunk)
            return NULL;
        *chunk = (struct key_chunk){.capacity_bytes = capacity};
        *link = chunk;
    }
    graph->chunk = *link;
    char *place = graph->chunk->data + graph->chunk->used_bytes;
    graph->chunk->used_bytes += n;
    return place;
}

/* The slot of the key being built: that of its node, or the empty one where it belongs. */
static struct graph_slot *slot_of(struct graph *graph, uint32_t hash)
{
    uint32_t mask = graph->slots_capacity - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct graph_slot *slot = &graph->slots[i];
        if (slot->round != graph->round)
            return slot;
        const struct graph_node *node = &graph->nodes[slot->node];
        if (node->hash == hash && node->key_n == graph->key_n &&
            memcmp(node->key, graph->key, graph->key_n) == 0)
            return slot;
    }
}

/* Makes room for one more node; slots are kept at most half full. */
static int grow(struct graph *graph)
{
    if (graph->nodes_n < graph->nodes_capacity)
        return 0;
    if (graph->nodes_capacity > UINT32_MAX / 8)
        return -ENOMEM;
    uint32_t capacity = 2 * graph->nodes_capacity, mask = 2 * capacity - 1;
    struct graph_node *nodes = realloc(graph->nodes, capacity * sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    graph->nodes = nodes;
    struct graph_slot *slots = calloc(2 * (size_t)capacity, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (uint32_t n = 0; n < graph->nodes_n; n++) {
        uint32_t i = nodes[n].hash & mask;
        while (slots[i].round)
            i = (i + 1) & mask;
        slots[i] = (struct graph_slot){.round = graph->round, .node = n};
    }
    free(graph->slots);
    graph->slots = slots;
    graph->slots_capacity = 2 * capacity;
    graph->nodes_capacity = capacity;
    return 0;
}

int graph_intern(struct graph *graph, const struct graph_node *node, uint32_t *ret_node)
{
    build_key(graph, node);
    if (graph->key_n >= GRAPH_KEY_BYTES)
        return -E2BIG;
    uint32_t hash = (uint32_t)XXH3_64bits(graph->key, graph->key_n);
    struct graph_slot *slot = slot_of(graph, hash);
    if (slot->round == graph->round) {
        *ret_node = slot->node;
        return 0;
    }
    if (grow(graph) < 0)
        return -ENOMEM;
    char *key = keep(graph, graph->key_n + 1);
    if (!key)
        return -ENOMEM;
    memcpy(key, graph->key, graph->key_n);
    key[graph->key_n] = '\0';
    struct graph_node *to = &graph->nodes[graph->nodes_n];
    *to = *node;
    to->key = key;
    to->key_n = (uint32_t)graph->key_n;
    to->hash = hash;
    to->is_series = node->kind == EXPR_BAR || node->kind == EXPR_NAME || node->kind == EXPR_CALL;
    *slot_of(graph, hash) = (struct graph_slot){.round = graph->round, .node = graph->nodes_n};
    *ret_node = graph->nodes_n++;
    return 0;
}

/* The newest goes first: what it was put behind in its row of slots is still there then. */
void graph_truncate(struct graph *graph, uint32_t nodes_n)
{
    uint32_t mask = graph->slots_capacity - 1;
    while (graph->nodes_n > nodes_n) {
        uint32_t node = --graph->nodes_n;
        uint32_t i = graph->nodes[node].hash & mask;
        while (graph->slots[i].node != node || graph->slots[i].round != graph->round)
            i = (i + 1) & mask;
        graph->slots[i].round = 0;
    }
}
