/* SPDX-License-Identifier: MIT */
/* The series of a plan for programs: JSON, and a graph for Graphviz. */
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/graph.h"
#include "supervisor/plan/plan.h"

const char *planned_class_name(const struct series_plan *plan, const struct planned_series *s)
{
    struct graph_info info;
    graph_info(plan->graph, s->node, &info);
    if (info.is_column)
        return "column";
    if (info.is_condition)
        return "condition";
    return indicator_class_name(info.indicator ? info.indicator->cls : CLASS_STATELESS);
}

void planned_put_key(const struct config *config, const struct series_plan *plan,
                     const struct planned_series *s, struct buf *out)
{
    struct graph_info info;
    char timeframe[TIMEFRAME_BYTES];
    uint32_t symbol = series_plan_symbol(plan, s);
    bool is_larger = s->clock_idx >= plan->all_n;
    graph_info(plan->graph, s->node, &info);
    bool in_parentheses = is_larger && !info.indicator && !info.is_column;
    if (config->symbols_n > 1 || symbol >= plan->symbols_n)
        buf_printf(out, "%s:", config->symbols[symbol].name);
    buf_printf(out, in_parentheses ? "(%s)" : "%s", s->key);
    if (is_larger)
        buf_printf(out, "@%s",
                   timeframe_format(plan->clocks[s->clock_idx - plan->all_n].timeframe, timeframe));
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *key_json(const struct config *config, const struct series_plan *plan,
                        const struct planned_series *s)
{
    struct buf key = {0};
    planned_put_key(config, plan, s, &key);
    json_t *json = json_stringn((const char *)key.data, key.n_bytes);
    buf_fini(&key);
    return json;
}

static json_t *one_json(const struct config *config, const struct series_plan *plan,
                        const struct planned_series *s)
{
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:f}", "key",
                     key_json(config, plan, s), "level", graph_level_name(s->level), "class",
                     planned_class_name(plan, s), "dtype", planned_dtype_name(s->dtype), "users",
                     (json_int_t)s->users_n, "read_by", (json_int_t)s->direct_n, "is_exact",
                     (int)s->is_exact, "rows", (json_int_t)s->rows_n, "bytes", (json_int_t)s->bytes,
                     "cost_s", s->cost_ns * 1e-9);
}

static json_t *keys_json(const struct config *config, const struct series_plan *plan,
                         bool conditions)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan->n && json_array_size(list) < PLAN_LIST_MAX; i++)
        if (plan->series[i].is_condition == conditions)
            json_array_append_new(list, key_json(config, plan, &plan->series[i]));
    return list;
}

/* Base, derived, complex; within a level in the order of the plan. */
static json_t *details_json(const struct config *config, const struct series_plan *plan)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan->columns_n && i < PLAN_LIST_MAX; i++)
        json_array_append_new(list, one_json(config, plan, &plan->columns[i]));
    for (int level = LEVEL_DERIVED; level < GRAPH_LEVELS_N; level++)
        for (uint32_t i = 0; i < plan->n && json_array_size(list) < PLAN_LIST_MAX; i++)
            if ((int)plan->series[i].level == level)
                json_array_append_new(list, one_json(config, plan, &plan->series[i]));
    return list;
}

static json_t *levels_json(const struct series_plan *plan)
{
    uint32_t n[GRAPH_LEVELS_N];
    series_plan_levels(plan, n);
    return json_pack("{s:i, s:i, s:i}", "base", (int)n[LEVEL_BASE], "derived",
                     (int)n[LEVEL_DERIVED], "complex", (int)n[LEVEL_COMPLEX]);
}

/* Whole numbers as such while they are exact. */
static json_t *number(double v)
{
    return v < 9007199254740992.0 ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *statistics_json(const struct series_plan *plan)
{
    struct series_statistics s;
    series_plan_statistics(plan, &s);
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:b}", "built", number(s.built_n),
                  "users", number(s.users_n), "calculations", number(s.calculations),
                  "naive_calculations", number(s.naive_calculations), "calculations_saved",
                  number(s.naive_calculations - s.calculations), "efficiency", s.efficiency,
                  "bytes", number(s.bytes), "naive_bytes", number(s.naive_bytes), "bytes_saved",
                  number(s.naive_bytes - s.bytes), "is_exact", (int)s.is_exact);
    double memory = s.naive_bytes > 0 ? 1.0 - s.bytes / s.naive_bytes : 0.0;
    json_object_set_new(json, "memory_saved_frac", json_real(memory));
    json_object_set_new(
        json, "computing_speedup",
        json_real(s.calculations > 0 ? s.naive_calculations / s.calculations : 1.0));
    json_object_set_new(json, "cost_s", json_real(s.cost_s));
    json_object_set_new(json, "naive_cost_s", json_real(s.naive_cost_s));
    return json;
}

void series_plan_json(const struct config *config, const struct series_plan *plan, json_t *json)
{
    json_object_set_new(json, "series", keys_json(config, plan, false));
    json_object_set_new(json, "series_count", json_integer(plan->n - plan->conditions_n));
    json_object_set_new(json, "conditions", keys_json(config, plan, true));
    json_object_set_new(json, "conditions_count", json_integer(plan->conditions_n));
    json_object_set_new(json, "series_detail", details_json(config, plan));
    json_object_set_new(json, "series_detail_count", json_integer(plan->columns_n + plan->n));
    json_object_set_new(json, "series_levels", levels_json(plan));
    json_object_set_new(json, "series_statistics", statistics_json(plan));
}

/* ---- Graphviz ------------------------------------------------------------------------------- */

/* A quoted text: characters that would end it or begin an escape are escaped. */
static void put_quoted(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' || text[i] == '\\')
            buf_puts(out, "\\");
        buf_append(out, text + i, 1);
    }
}

struct dot {
    const struct config *config;
    const struct series_plan *plan;
    struct buf *out;
    bool *is_drawn;  /* [nodes of the graph], of the first symbol */
    uint32_t *stamp; /* [nodes of the graph] */
    uint32_t round;
    uint32_t left_n; /* nodes that may still be drawn */
};

static void put_node(struct dot *d, const struct planned_series *s)
{
    char bytes[64];
    const char *key = graph_key(d->plan->graph, s->node);
    if (d->left_n == 0 || d->is_drawn[s->node])
        return;
    d->left_n--;
    d->is_drawn[s->node] = true;
    buf_printf(d->out, "    n%u [label=\"", s->node);
    put_quoted(d->out, key, strlen(key));
    buf_printf(d->out, "\\n%s%llu user%s, %s\"%s];\n", s->is_exact ? "" : "about ",
               (unsigned long long)s->users_n, s->users_n == 1 ? "" : "s",
               bytes_format(s->bytes, bytes, sizeof bytes),
               s->is_condition ? ", shape=hexagon" : "");
}

static void put_level(struct dot *d, enum graph_level level)
{
    const struct series_plan *plan = d->plan;
    const char *name = graph_level_name(level);
    buf_printf(d->out, "  subgraph cluster_%s {\n    label=\"%s\";\n", name, name);
    for (uint32_t i = 0; level == LEVEL_BASE && i < plan->columns_n; i++)
        put_node(d, &plan->columns[i]);
    for (uint32_t i = 0; level != LEVEL_BASE && i < plan->n; i++)
        if (plan->series[i].level == level)
            put_node(d, &plan->series[i]);
    buf_puts(d->out, "  }\n");
}

/* From what is drawn nearest below a node to it. */
static void put_edges(struct dot *d, uint32_t to, uint32_t node)
{
    struct graph_info info;
    graph_info(d->plan->graph, node, &info);
    for (uint32_t i = 0; i < info.args_n; i++) {
        if (d->stamp[info.arg[i]] == d->round)
            continue;
        d->stamp[info.arg[i]] = d->round;
        if (d->is_drawn[info.arg[i]])
            buf_printf(d->out, "  n%u -> n%u;\n", info.arg[i], to);
        else
            put_edges(d, to, info.arg[i]);
    }
}

static void put_graph(struct dot *d)
{
    uint32_t nodes_n = graph_nodes_n(d->plan->graph), all_n = 0;
    buf_puts(d->out, "digraph series {\n  rankdir=LR;\n  node [shape=box, fontname=monospace];\n");
    for (int level = 0; level < GRAPH_LEVELS_N; level++)
        put_level(d, (enum graph_level)level);
    for (uint32_t n = 0; n < nodes_n; n++) {
        d->round++;
        if (d->is_drawn[n])
            put_edges(d, n, n);
    }
    if (d->plan->symbols_n)
        all_n = (d->plan->n + d->plan->columns_n) / d->plan->symbols_n;
    if (all_n > PLAN_LIST_MAX)
        buf_printf(d->out, "  more [shape=plaintext, label=\"… and %u more\"];\n",
                   all_n - PLAN_LIST_MAX);
    buf_puts(d->out, "}\n");
}

void series_plan_dot(const struct config *config, const struct series_plan *plan, struct buf *out)
{
    size_t nodes_n = graph_nodes_n(plan->graph);
    struct dot d = {.config = config, .plan = plan, .out = out, .left_n = PLAN_LIST_MAX};
    d.is_drawn = calloc(nodes_n + 1, sizeof *d.is_drawn);
    d.stamp = calloc(nodes_n + 1, sizeof *d.stamp);
    if (d.is_drawn && d.stamp)
        put_graph(&d);
    else
        out->failed = true;
    free(d.is_drawn);
    free(d.stamp);
}
