/* SPDX-License-Identifier: MIT */
/* The nodes of a plan's graph as series: where they stand, how large they are, what they cost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "shm/graph.h"
#include "supervisor/plan/series_work.h"

const char *planned_dtype_name(enum series_dtype dtype)
{
    static const char *const names[] = {"f64", "f32", "bits"};
    return names[dtype];
}

/* Nanoseconds a row, of a class of kernels; measured on a machine of 2026. What is not an indicator
 * is evaluated by tiles. */
static double cost_of_row(const struct graph_info *node)
{
    static const double of_class[] = {[CLASS_STATELESS] = 0.7,
                                      [CLASS_ROLLING] = 1.0,
                                      [CLASS_CUMULATIVE] = 1.2,
                                      [CLASS_RECURSIVE] = 1.5};
    return node->indicator ? of_class[node->indicator->cls] : 0.5;
}

static bool is_planned(const struct work *w, uint32_t node)
{
    if (node < w->marks_capacity && w->is_planned_condition[node])
        return true;
    return graph_is_series(w->graph, node) && !graph_is_column(w->graph, node);
}

/* Series by clock and key, for graphs whose nodes live on several clocks: open addressing. */
struct table {
    uint32_t slots_n; /* a power of two; 0: no table */
    uint32_t *slots;  /* index + 1 */
};

/* What lists it. */
struct lister {
    struct series_plan *plan;
    const struct work *w;
    struct table table;
};

static void fill(struct planned_series *s, const struct lister *l, uint32_t node, uint32_t clock)
{
    struct graph_info info;
    const struct work *w = l->w;
    graph_info(w->graph, node, &info);
    *s = (struct planned_series){.node = node,
                                 .clock_idx = clock,
                                 .key = info.local_key,
                                 .level = info.level,
                                 .is_condition = info.is_condition};
    s->rows_n = clock < w->all_n ? w->bars[clock].rows_n : l->plan->clock_rows_n[clock - w->all_n];
    s->dtype = info.is_condition ? SERIES_BITS : w->options->is_f32 ? SERIES_F32 : SERIES_F64;
    if (info.is_column)
        s->dtype = SERIES_F64;
    s->bytes = series_bytes(s->dtype, s->rows_n);
    s->cost_ns = info.is_column ? 0 : cost_of_row(&info) * s->rows_n;
}

static int make_room(const struct lister *l, size_t n, size_t columns_n)
{
    struct series_plan *plan = l->plan;
    size_t places_n = (size_t)graph_nodes_n(plan->graph) * l->w->symbols_n;
    plan->columns = calloc(columns_n + 1, sizeof *plan->columns);
    plan->series = calloc(n + 1, sizeof *plan->series);
    plan->symbol = calloc(n + 1, sizeof *plan->symbol);
    plan->key = calloc(n + 1, sizeof *plan->key);
    plan->node = calloc(n + 1, sizeof *plan->node);
    plan->is_named = calloc(l->w->symbols_n + 1, sizeof *plan->is_named);
    plan->series_of = malloc((places_n + 1) * sizeof *plan->series_of);
    if (!plan->columns || !plan->series || !plan->symbol || !plan->key || !plan->node ||
        !plan->is_named || !plan->series_of)
        return -ENOMEM;
    memset(plan->series_of, 0xff, (places_n + 1) * sizeof *plan->series_of);
    return 0;
}

static int make_table(struct lister *l, size_t n)
{
    if (graph_clocks_n(l->w->graph) < 2)
        return 0;
    l->table.slots_n = 64;
    while (l->table.slots_n < 2 * n)
        l->table.slots_n *= 2;
    l->table.slots = calloc(l->table.slots_n, sizeof *l->table.slots);
    return l->table.slots ? 0 : -ENOMEM;
}

/* The slot of a series: its own, or the empty one where it belongs. */
static uint32_t *slot_of(const struct lister *l, const char *key, uint32_t clock)
{
    uint32_t mask = l->table.slots_n - 1;
    uint64_t hash = XXH3_64bits_withSeed(key, strlen(key), clock);
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &l->table.slots[i];
        const struct planned_series *s = *slot ? &l->plan->series[*slot - 1] : NULL;
        if (!s || (s->clock_idx == clock && strcmp(s->key, key) == 0))
            return slot;
    }
}

static int add(struct lister *l, uint32_t node, uint32_t symbol, uint32_t clock)
{
    struct series_plan *plan = l->plan;
    struct planned_series *s = &plan->series[plan->n];
    fill(s, l, node, clock);
    uint32_t *slot = l->table.slots ? slot_of(l, s->key, clock) : NULL;
    uint32_t *place = &plan->series_of[(size_t)node * plan->symbols_n + symbol];
    if (slot && *slot) {
        plan->has_aliases = true;
        *place = *slot - 1;
        return 0;
    }
    plan->symbol[plan->n] = symbol;
    plan->node[plan->n] = node;
    plan->key[plan->n] = strdup(s->key);
    plan->conditions_n += s->is_condition;
    *place = plan->n++;
    if (slot)
        *slot = plan->n;
    return plan->key[*place] ? 0 : -ENOMEM;
}

static void add_column(struct lister *l, uint32_t node, uint32_t clock)
{
    struct series_plan *plan = l->plan;
    struct planned_series *column = &plan->columns[plan->columns_n];
    fill(column, l, node, clock);
    for (uint32_t i = 0; i < plan->columns_n; i++)
        if (plan->columns[i].clock_idx == clock && strcmp(plan->columns[i].key, column->key) == 0)
            return;
    plan->columns_n++;
}

/* The nodes of one symbol, in the order of the graph, so that arguments come first. */
static int list_symbol(struct lister *l, uint32_t symbol)
{
    int rc = 0;
    for (uint32_t node = 0; rc == 0 && node < graph_nodes_n(l->w->graph); node++) {
        struct graph_info info;
        uint32_t clock;
        bool planned = is_planned(l->w, node);
        graph_info(l->w->graph, node, &info);
        if (!planned && !info.is_column)
            continue;
        const struct series_place place = {symbol, info.clock};
        rc = series_clock(l->plan, l->w, &place, &clock);
        if (rc == 0 && info.is_column)
            add_column(l, node, clock);
        if (rc == 0 && planned)
            rc = add(l, node, symbol, clock);
    }
    return rc;
}

/* A node can have become a series after it was counted, as the argument of a later one. */
int series_list(struct series_plan *plan, const struct work *w)
{
    struct lister l = {.plan = plan, .w = w};
    size_t n = 0, columns_n = 0;
    for (uint32_t node = 0; node < graph_nodes_n(w->graph); node++) {
        n += is_planned(w, node);
        columns_n += graph_is_column(w->graph, node);
    }
    n *= w->symbols_n;
    int rc = make_room(&l, n, columns_n * w->symbols_n);
    if (rc == 0)
        rc = make_table(&l, n);
    for (uint32_t symbol = 0; rc == 0 && symbol < w->symbols_n; symbol++)
        rc = list_symbol(&l, symbol);
    free(l.table.slots);
    return rc;
}

void series_plan_statistics(const struct series_plan *plan, struct series_statistics *ret)
{
    *ret = (struct series_statistics){.is_exact = plan->is_exact};
    for (uint32_t i = 0; i < plan->n; i++) {
        const struct planned_series *s = &plan->series[i];
        double users = (double)s->users_n, rows = s->rows_n;
        ret->users_n += users;
        ret->naive_calculations += users * rows;
        ret->naive_bytes += users * (double)s->bytes;
        ret->naive_cost_s += users * s->cost_ns * 1e-9;
        if (!s->users_n)
            continue;
        ret->built_n++;
        ret->calculations += rows;
        ret->bytes += (double)s->bytes;
        ret->cost_s += s->cost_ns * 1e-9;
    }
    if (ret->naive_calculations > 0)
        ret->efficiency = 1.0 - ret->calculations / ret->naive_calculations;
}

void series_plan_levels(const struct series_plan *plan, uint32_t ret_n[static GRAPH_LEVELS_N])
{
    memset(ret_n, 0, GRAPH_LEVELS_N * sizeof *ret_n);
    ret_n[LEVEL_BASE] = plan->columns_n;
    for (uint32_t i = 0; i < plan->n; i++)
        ret_n[plan->series[i].level]++;
}
