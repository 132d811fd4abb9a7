/* SPDX-License-Identifier: MIT */
/* What a graph says of its nodes. */
#include <string.h>
#include <xxhash.h>

#include "shm/graph_node.h"

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

void graph_info(const struct graph *graph, uint32_t node, struct graph_info *ret_info)
{
    const struct graph_node *n = &graph->nodes[node];
    bool is_call = n->kind == EXPR_CALL;
    *ret_info = (struct graph_info){
        .key = n->key,
        .local_key = n->local_key,
        .clock = n->clock,
        .level = (enum graph_level)n->level,
        .is_series = n->is_series,
        .is_column = graph_is_column(graph, node),
        .is_condition = n->is_condition,
        .indicator = is_call ? n->indicator : NULL,
        .param = n->param,
        .output = n->output,
        .args_n = n->args_n,
        .arg = n->arg,
    };
}

uint32_t graph_clocks_n(const struct graph *graph)
{
    return graph->clocks_n;
}

const struct graph_clock *graph_clock(const struct graph *graph, uint32_t idx)
{
    return &graph->clocks[idx];
}

uint64_t graph_group(const struct graph *graph, uint32_t node)
{
    const struct graph_node *n = &graph->nodes[node];
    struct {
        const struct indicator *indicator;
        uint32_t clock;
        uint32_t args_n;
        uint32_t arg[INDICATOR_INPUTS_MAX];
    } what;
    if (n->kind != EXPR_CALL)
        return node;
    memset(&what, 0, sizeof(what));
    what.indicator = n->indicator;
    what.clock = n->clock;
    what.args_n = n->args_n;
    memcpy(what.arg, n->arg, n->args_n * sizeof(*n->arg));
    return XXH3_64bits(&what, sizeof(what)) | UINT64_C(1) << 63; /* never a node's number */
}

const char *graph_level_name(enum graph_level level)
{
    static const char *const names[] = {"base", "derived", "complex"};
    return level < sizeof(names) / sizeof(names[0]) ? names[level] : "unknown";
}
