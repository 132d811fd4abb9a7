/* SPDX-License-Identifier: MIT */
/* The graph's memory: nodes found by their canonical text (graph_key.c). Binding expressions is
 * graph_bind.c, computing is graph_eval*.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "shm/graph_node.h"

#define FIRST_NODES  64u
#define FIRST_CLOCKS 8u
#define CHUNK_BYTES  16384u

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
    graph->clocks_capacity = FIRST_CLOCKS;
    graph->clocks = calloc(graph->clocks_capacity, sizeof(*graph->clocks));
    graph->clocks_n = 1;
    if (!graph->nodes || !graph->slots || !graph->key || !graph->clocks ||
        eval_create(&graph->eval) < 0) {
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
    graph_recipes_fini(graph);
    free(graph->bindings);
    free(graph->clocks);
    free(graph->local_key);
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
    graph->clocks_n = 1;
    if (++graph->round == 0) {
        memset(graph->slots, 0, graph->slots_capacity * sizeof(*graph->slots));
        graph->round = 1;
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

/* ---- clocks --------------------------------------------------------------------------------- */

static bool is_same_symbol(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int add_clock(struct graph *graph, const struct graph_clock *clock)
{
    struct graph_clock own = *clock;
    if (graph->clocks_n == graph->clocks_capacity) {
        struct graph_clock *grown =
            realloc(graph->clocks, 2 * graph->clocks_capacity * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        graph->clocks = grown;
        graph->clocks_capacity *= 2;
    }
    if (own.symbol) {
        size_t n = strlen(own.symbol) + 1;
        char *symbol = keep(graph, n);
        if (!symbol)
            return -ENOMEM;
        own.symbol = memcpy(symbol, clock->symbol, n);
    }
    graph->clocks[graph->clocks_n++] = own;
    return 0;
}

int graph_clock_find(struct graph *graph, const struct graph_clock *clock, uint32_t *ret_clock)
{
    for (uint32_t i = 0; i < graph->clocks_n; i++) {
        if (is_same_symbol(graph->clocks[i].symbol, clock->symbol) &&
            timeframe_equal(graph->clocks[i].timeframe, clock->timeframe)) {
            *ret_clock = i;
            return 0;
        }
    }
    int r = add_clock(graph, clock);
    if (r == 0)
        *ret_clock = graph->clocks_n - 1;
    return r;
}

/* ---- what a new node inherits from its arguments -------------------------------------------- */

static uint32_t merge_clocks(uint32_t a, uint32_t b)
{
    if (a == CLOCK_NONE || b == CLOCK_NONE)
        return a == CLOCK_NONE ? b : a;
    return a == b ? a : CLOCK_MIXED;
}

/* Arithmetic lives where all its series do, an indicator where all its arguments do; where clocks
 * meet, and for conditions, that is the traded symbol's own bars. */
static void place_node(const struct graph *graph, struct graph_node *node)
{
    bool is_leaf = node->kind == EXPR_BAR || node->kind == EXPR_NAME ||
                   (node->kind == EXPR_CALL && node->args_n == 0);
    bool has_complex = false;
    node->leaves = is_leaf ? node->clock : CLOCK_NONE;
    node->has_call = node->kind == EXPR_CALL;
    for (uint32_t i = 0; i < node->args_n; i++) {
        const struct graph_node *arg = &graph->nodes[node->arg[i]];
        uint32_t clock = node->kind == EXPR_CALL ? arg->clock : arg->leaves;
        node->leaves = merge_clocks(node->leaves, clock);
        bool is_above = node->kind == EXPR_CALL || node->is_condition;
        has_complex |= arg->level == LEVEL_COMPLEX || (is_above && arg->has_call);
        node->has_call |= arg->has_call;
    }
    if (node->kind == EXPR_CALL && node->leaves == CLOCK_MIXED)
        node->leaves = 0;
    node->clock = node->is_condition || node->leaves >= CLOCK_MIXED ? 0 : node->leaves;
    node->level = has_complex ? LEVEL_COMPLEX : LEVEL_DERIVED;
    if (node->kind == EXPR_BAR || node->kind == EXPR_NAME || node->kind == EXPR_NUMBER)
        node->level = LEVEL_BASE;
}

/* ---- adding and forgetting ------------------------------------------------------------------ */

static int add_node(struct graph *graph, const struct graph_node *node, uint32_t hash)
{
    bool has_local = node->clock != 0;
    if (grow(graph) < 0)
        return -ENOMEM;
    char *key = keep(graph, graph->key_n + 1);
    char *local = has_local && key ? keep(graph, graph->local_n + 1) : key;
    if (!key || !local)
        return -ENOMEM;
    memcpy(key, graph->key, graph->key_n);
    key[graph->key_n] = '\0';
    if (has_local) {
        memcpy(local, graph->local_key, graph->local_n);
        local[graph->local_n] = '\0';
    }
    struct graph_node *to = &graph->nodes[graph->nodes_n];
    *to = *node;
    to->key = key;
    to->local_key = local;
    to->key_n = (uint32_t)graph->key_n;
    to->local_n = has_local ? (uint32_t)graph->local_n : to->key_n;
    to->hash = hash;
    to->is_series = node->kind == EXPR_BAR || node->kind == EXPR_NAME || node->kind == EXPR_CALL;
    *slot_of(graph, hash) = (struct graph_slot){.round = graph->round, .node = graph->nodes_n++};
    return 0;
}

int graph_intern(struct graph *graph, struct graph_node *node, uint32_t *ret_node)
{
    place_node(graph, node);
    int r = graph_build_key(graph, node);
    if (r < 0)
        return r;
    uint32_t hash = (uint32_t)XXH3_64bits(graph->key, graph->key_n);
    struct graph_slot *slot = slot_of(graph, hash);
    if (slot->round != graph->round) {
        r = add_node(graph, node, hash);
        if (r < 0)
            return r;
        *ret_node = graph->nodes_n - 1;
        return 0;
    }
    *ret_node = slot->node;
    return 0;
}

/* The newest goes first: what it was put behind in its row of slots is still there then. */
void graph_truncate(struct graph *graph, uint32_t nodes_n, uint32_t clocks_n)
{
    uint32_t mask = graph->slots_capacity - 1;
    while (graph->nodes_n > nodes_n) {
        uint32_t node = --graph->nodes_n;
        uint32_t i = graph->nodes[node].hash & mask;
        while (graph->slots[i].node != node || graph->slots[i].round != graph->round)
            i = (i + 1) & mask;
        graph->slots[i].round = 0;
    }
    graph->clocks_n = clocks_n;
}
