/* SPDX-License-Identifier: MIT */
/* What one combination needs: from its digits to nodes by tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/graph.h"
#include "supervisor/plan/series_work.h"

/* ---- life ----------------------------------------------------------------------------------- */

int needs_create(const struct config *config, struct series_needs **ret_needs)
{
    struct series_needs *needs = calloc(1, sizeof *needs);
    if (needs)
        needs->strategies = calloc(config->strategies_n + 1, sizeof *needs->strategies);
    if (!needs || !needs->strategies) {
        free(needs);
        return -ENOMEM;
    }
    needs->config = config;
    needs->strategies_n = config->strategies_n;
    for (uint32_t i = 0; i < config->strategies_n; i++) {
        struct needs_strategy *s = &needs->strategies[i];
        s->config = &config->strategies[i];
        s->combinations_n = s->config->combinations_n;
        for (uint32_t p = 0; p < s->config->spec.params_n; p++)
            s->names[p] = s->config->spec.param_names[p];
    }
    *ret_needs = needs;
    return 0;
}

void needs_destroy(struct series_needs *needs)
{
    if (!needs)
        return;
    for (uint32_t i = 0; i < needs->strategies_n; i++) {
        struct needs_strategy *s = &needs->strategies[i];
        for (uint32_t p = 0; p < s->pieces_n; p++) {
            free(s->pieces[p].dims);
            free(s->pieces[p].entry);
        }
        free(s->pieces);
        expr_destroy(s->accepts);
    }
    free(needs->strategies);
    free(needs->lists);
    free(needs);
}

/* ---- entries -------------------------------------------------------------------------------- */

static int list_push(struct series_needs *needs, uint32_t value)
{
    if (needs->lists_n == needs->lists_capacity) {
        size_t capacity = needs->lists_capacity ? 2 * needs->lists_capacity : 64;
        uint32_t *lists = realloc(needs->lists, capacity * sizeof *lists);
        if (!lists)
            return -ENOMEM;
        needs->lists = lists;
        needs->lists_capacity = capacity;
    }
    needs->lists[needs->lists_n++] = value;
    return 0;
}

/* Appends the indicators nearest to a node to the list that begins at `list`, each once. */
static int push_nearest(struct series_needs *needs, const struct graph *graph, uint32_t node,
                        size_t list)
{
    struct graph_info info;
    graph_info(graph, node, &info);
    for (uint32_t i = 0; !info.indicator && i < info.args_n; i++) {
        int rc = push_nearest(needs, graph, info.arg[i], list);
        if (rc < 0)
            return rc;
    }
    for (size_t i = list + 1; i < needs->lists_n; i++)
        if (needs->lists[i] == node)
            return 0;
    return info.indicator ? list_push(needs, node) : 0;
}

int needs_entry(struct series_needs *needs, const struct graph *graph, uint32_t root, bool whole,
                uint32_t *ret_entry)
{
    struct graph_info info;
    graph_info(graph, root, &info);
    if (whole || info.indicator) {
        *ret_entry = root;
        return 0;
    }
    int rc = needs->lists_n == 0 ? list_push(needs, 0) : 0; /* the empty list */
    size_t list = needs->lists_n;
    if (rc == 0)
        rc = list_push(needs, 0);
    if (rc == 0)
        rc = push_nearest(needs, graph, root, list);
    if (rc < 0 || needs->lists_n >= ENTRY_LIST - 1)
        return -ENOMEM;
    needs->lists[list] = (uint32_t)(needs->lists_n - list - 1);
    *ret_entry = ENTRY_LIST | (uint32_t)list;
    if (needs->lists[list] <= 1) {
        *ret_entry = needs->lists[list] ? needs->lists[list + 1] : ENTRY_LIST;
        needs->lists_n = list;
    }
    return 0;
}

uint32_t needs_of_entry(const struct series_needs *needs, const uint32_t *entry,
                        const uint32_t **ret_nodes)
{
    *ret_nodes = entry;
    if (*entry == ENTRY_REFUSED)
        return 0;
    if (!(*entry & ENTRY_LIST))
        return 1;
    const uint32_t *list = &needs->lists[*entry & ~ENTRY_LIST];
    *ret_nodes = list + 1;
    return list[0];
}

/* ---- questions ------------------------------------------------------------------------------ */

/* What cannot be settled is left to the worker. */
static bool is_accepted(const struct needs_strategy *s, const double *params)
{
    const struct expr_env env = {
        .n = s->config->spec.params_n, .names = s->names, .values = params};
    struct err undecided;
    double kept = 1.0;
    return !s->accepts || expr_eval_scalar(s->accepts, &env, &kept, &undecided) < 0 || kept != 0.0;
}

static const uint32_t *entry_of(const struct needs_piece *piece, const uint64_t *digits,
                                const struct config_strategy *s)
{
    uint64_t tuple = 0;
    for (uint32_t i = 0; i < piece->dims_n; i++)
        tuple = tuple * s->dims[piece->dims[i]].n + digits[piece->dims[i]];
    return &piece->entry[tuple];
}

/* The list with one more node, where it is not there yet. */
static uint32_t add_node(uint32_t *nodes, uint32_t n, uint32_t most, uint32_t node)
{
    for (uint32_t i = 0; i < n && i < most; i++)
        if (nodes[i] == node)
            return n;
    if (n < most)
        nodes[n] = node;
    return n + 1;
}

uint32_t needs_nodes(const struct series_needs *needs, const struct needs_strategy *s,
                     const uint64_t *digits, const double *params, uint32_t *ret_nodes,
                     uint32_t most)
{
    uint32_t n = 0;
    if (!is_accepted(s, params))
        return 0;
    for (uint32_t p = 0; p < s->pieces_n; p++) {
        const uint32_t *nodes, *entry = entry_of(&s->pieces[p], digits, s->config);
        if (*entry == ENTRY_REFUSED)
            return 0;
        uint32_t nodes_n = needs_of_entry(needs, entry, &nodes);
        for (uint32_t i = 0; i < nodes_n; i++)
            n = add_node(ret_nodes, n, most, nodes[i]);
    }
    return n;
}

static void find_digits(const struct config_strategy *s, uint64_t index, uint64_t *digits)
{
    for (uint32_t d = s->dims_n; d-- > 0;) {
        digits[d] = index % s->dims[d].n;
        index /= s->dims[d].n;
    }
}

uint32_t series_plan_of(const struct series_plan *plan, const struct combo *combo,
                        uint32_t *ret_series, uint32_t most)
{
    const struct series_needs *needs = plan->needs;
    const struct config_strategy *s = grid_strategy(needs->config, combo->combination);
    uint64_t digits[CONFIG_DIMS_MAX];
    uint32_t nodes[SERIES_NODES_MAX], n = 0;
    if (!s || combo->noise_path)
        return 0;
    find_digits(s, combo->combination - s->first, digits);
    uint32_t nodes_n = needs_nodes(needs, &needs->strategies[s - needs->config->strategies], digits,
                                   combo->params, nodes, SERIES_NODES_MAX);
    bool is_one = combo->symbol_idx != COMBO_ALL_SYMBOLS;
    uint32_t from = is_one ? combo->symbol_idx : 0, to = is_one ? from + 1 : plan->symbols_n;
    for (uint32_t symbol = from; symbol < to && symbol < plan->symbols_n; symbol++) {
        for (uint32_t i = 0; i < nodes_n && i < SERIES_NODES_MAX; i++) {
            uint32_t idx = series_plan_find(plan, nodes[i], symbol);
            if (idx == UINT32_MAX)
                continue;
            if (plan->has_aliases)
                n = add_node(ret_series, n, most, idx);
            else if (n++ < most)
                ret_series[n - 1] = idx;
        }
    }
    return n;
}

uint32_t series_plan_of_most(const struct series_plan *plan)
{
    return plan->needs->nodes_most * plan->symbols_n;
}
