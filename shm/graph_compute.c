/* SPDX-License-Identifier: MIT */
/* Whole series: what is to be stored, and what an evaluation needs of other clocks. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/graph_eval.h"

#define STATE_ALIGNMENT 64u

/* ---- clocks --------------------------------------------------------------------------------- */

int whole_clock(const struct maker *m, uint32_t clock, struct clock_view *ret_view)
{
    const struct graph_clock *c = &m->graph->clocks[clock];
    char timeframe[TIMEFRAME_BYTES], safe[96];
    if (m->source->clock(m->source->ctx, c, ret_view))
        return 0;
    return err_set(m->err, ERR_CONFIG, "the data have no bars of %s%s%s",
                   c->symbol ? err_printable(c->symbol, safe, sizeof(safe)) : "this symbol",
                   c->timeframe.unit == TIMEFRAME_OWN ? "" : " in the timeframe @",
                   timeframe_format(c->timeframe, timeframe));
}

uint32_t whole_first_defined(const double *values, uint32_t rows_n)
{
    uint32_t row = 0;
    while (row < rows_n && isnan(values[row]))
        row++;
    return row;
}

/* ---- inputs --------------------------------------------------------------------------------- */

/* An evaluation within this one, over the rows of a clock; its memory is free again behind it. */
static int start_inner(struct maker *m, uint32_t clock, struct maker *ret_inner)
{
    if (!m->eval->inner && eval_create(&m->eval->inner) < 0)
        return eval_no_memory(m->err);
    *ret_inner = (struct maker){.graph = m->graph,
                                .eval = m->eval->inner,
                                .source = m->source,
                                .clock = clock,
                                .err = m->err};
    return eval_start(ret_inner);
}

/* What is no indicator: arithmetic, all of which lives on its clock. */
static int whole_arithmetic(struct maker *m, uint32_t node, enum series_dtype dtype, void *values)
{
    struct maker inner;
    const struct rows_out out = {.dtype = dtype, .values = values};
    int r = start_inner(m, m->graph->nodes[node].clock, &inner);
    if (r == 0)
        r = eval_rows(&inner, node, &out);
    if (m->eval->inner)
        eval_end(&inner);
    return r;
}

static void round_all(double *values, uint32_t rows_n)
{
    for (uint32_t i = 0; i < rows_n; i++)
        values[i] = (double)(float)values[i];
}

/* Remembers what was made, for others who need it. */
static int keep_whole(struct maker *m, uint32_t node, double *values)
{
    struct eval *e = m->eval;
    if (eval_reserve(&e->wholes, e->wholes_n, &e->wholes_capacity, sizeof(*e->wholes)) < 0)
        return eval_no_memory(m->err);
    e->wholes[e->wholes_n++] = (struct whole){node, values};
    return 0;
}

int whole_series(struct maker *m, uint32_t node, const double **ret_values)
{
    const struct graph_node *n = &m->graph->nodes[node];
    struct clock_view view;
    for (uint32_t i = 0; i < m->eval->wholes_n; i++) {
        if (m->eval->wholes[i].node == node) {
            *ret_values = m->eval->wholes[i].values;
            return 0;
        }
    }
    int r = whole_clock(m, n->clock, &view);
    if (r < 0)
        return r;
    double *values = eval_own(m->eval, view.rows_n * sizeof(*values));
    void *out = values;
    if (!values)
        return eval_no_memory(m->err);
    r = n->kind == EXPR_CALL ? whole_calls(m, &node, 1, SERIES_F64, &out)
                             : whole_arithmetic(m, node, SERIES_F64, values);
    if (r < 0)
        return r;
    if (m->source->rounds_to_f32)
        round_all(values, view.rows_n);
    *ret_values = values;
    return keep_whole(m, node, values);
}

/* A view as doubles over the rows of the clock that looks; in place where it is so already. */
static int unfold(struct maker *m, const struct series_view *view, const struct clock_view *from,
                  const struct clock_view *to, const double **ret_values)
{
    const int32_t *row_of = from->time_ns == to->time_ns ? NULL : from->row_of;
    if (!row_of && view->dtype == SERIES_F64) {
        *ret_values = view->values;
        return 0;
    }
    double *values = eval_own(m->eval, to->rows_n * sizeof(*values));
    if (!values)
        return eval_no_memory(m->err);
    for (uint32_t t = 0; t < to->rows_n; t++) {
        int64_t row = row_of ? row_of[t] : (int64_t)t;
        if (row < 0)
            values[t] = NAN;
        else
            values[t] = view->dtype == SERIES_F64 ? ((const double *)view->values)[row]
                                                  : (double)((const float *)view->values)[row];
    }
    *ret_values = values;
    return 0;
}

/* An argument of a call, over the rows of the call's clock. */
static int whole_argument(struct maker *m, uint32_t arg, const struct clock_view *to,
                          const double **ret_values)
{
    const struct graph_node *node = &m->graph->nodes[arg];
    struct series_view view = {.dtype = SERIES_F64};
    struct clock_view from;
    int r = whole_clock(m, node->clock, &from);
    if (r < 0)
        return r;
    if (!m->source->series(m->source->ctx, &m->graph->clocks[node->clock], node->local_key,
                           &view)) {
        const double *values = NULL;
        if (node->kind == EXPR_BAR || node->kind == EXPR_NAME)
            return err_set(m->err, ERR_CONFIG,
                           "'%s' is neither a parameter nor a column of the data", node->key);
        r = whole_series(m, arg, &values);
        view.values = values;
    }
    return r == 0 ? unfold(m, &view, &from, to, ret_values) : r;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* One set of parameters of a group. */
struct pass {
    const double *param;
    uint32_t node_of[INDICATOR_OUTPUTS_MAX]; /* index in `nodes`, + 1 */
};

/* A group as it is being computed. */
struct group {
    const struct indicator *indicator;
    struct clock_view view;
    const double *input[INDICATOR_INPUTS_MAX];
    uint32_t passes_n;
    struct pass *passes;          /* [nodes at most] */
    struct indicator_span *spans; /* [passes_n] */
    char *states;
    enum series_dtype dtype;
    void *const *outs;
    double *rows; /* of a tile, for each node: where floats are wanted */
};

static size_t state_bytes(const struct indicator *indicator)
{
    return ((size_t)indicator->state_bytes / STATE_ALIGNMENT + 1) * STATE_ALIGNMENT;
}

static struct pass *pass_of(struct group *g, const double *param)
{
    size_t bytes = g->indicator->params_n * sizeof(*param);
    for (uint32_t i = g->passes_n; i-- > 0;) {
        if (memcmp(g->passes[i].param, param, bytes) == 0)
            return &g->passes[i];
    }
    g->passes[g->passes_n] = (struct pass){.param = param};
    return &g->passes[g->passes_n++];
}

static int sort_into_passes(struct maker *m, struct group *g, const uint32_t *nodes, uint32_t n)
{
    g->passes = eval_own(m->eval, n * sizeof(*g->passes));
    g->spans = eval_own(m->eval, n * sizeof(*g->spans));
    if (!g->passes || !g->spans)
        return eval_no_memory(m->err);
    for (uint32_t i = 0; i < n; i++) {
        const struct graph_node *node = &m->graph->nodes[nodes[i]];
        if (graph_group(m->graph, nodes[i]) != graph_group(m->graph, nodes[0]))
            return err_set(m->err, ERR_BUG, "'%.200s' is of another group", node->key);
        pass_of(g, node->param)->node_of[node->output] = i + 1;
    }
    return 0;
}

static int allocate(struct maker *m, struct group *g, uint32_t n)
{
    size_t bytes = state_bytes(g->indicator) * g->passes_n;
    char *states = eval_own(m->eval, bytes + STATE_ALIGNMENT);
    if (!states)
        return eval_no_memory(m->err);
    g->states = states + (STATE_ALIGNMENT - (uintptr_t)states % STATE_ALIGNMENT);
    memset(g->states, 0, bytes);
    if (g->dtype != SERIES_F32)
        return 0;
    g->rows = eval_own(m->eval, (size_t)n * INDICATOR_TILE_ROWS * sizeof(*g->rows));
    return g->rows ? 0 : eval_no_memory(m->err);
}

/* Points the spans at rows [at, at + rows_n). */
static void set_spans(struct group *g, uint32_t at, uint32_t rows_n)
{
    for (uint32_t p = 0; p < g->passes_n; p++) {
        struct indicator_span *span = &g->spans[p];
        *span = (struct indicator_span){
            .row = at,
            .rows_n = rows_n,
            .time_ns = g->indicator->uses_time ? g->view.time_ns + at : NULL,
            .param = g->passes[p].param,
            .state = g->states + p * state_bytes(g->indicator),
        };
        for (unsigned i = 0; i < INDICATOR_INPUTS_MAX; i++)
            span->input[i] = g->input[i] ? g->input[i] + at : NULL;
        for (unsigned o = 0; o < g->indicator->outputs_n; o++) {
            uint32_t node = g->passes[p].node_of[o];
            if (node > 0 && g->dtype == SERIES_F32)
                span->out[o] = g->rows + (size_t)(node - 1) * INDICATOR_TILE_ROWS;
            else if (node > 0)
                span->out[o] = (double *)g->outs[node - 1] + at;
        }
    }
}

static int advance(struct group *g)
{
    int r = 0;
    if (g->passes_n > 1 && g->indicator->advance_family)
        return g->indicator->advance_family(g->spans, g->passes_n);
    for (uint32_t p = 0; p < g->passes_n && r == 0; p++)
        r = indicator_advance(g->indicator, &g->spans[p]);
    return r;
}

/* Doubles go where they are wanted, in one span; floats by way of a tile. */
static int run_doubles(struct group *g)
{
    set_spans(g, 0, g->view.rows_n);
    return advance(g);
}

static void store_floats(struct group *g, uint32_t nodes_n, uint32_t at, uint32_t rows_n)
{
    for (uint32_t i = 0; i < nodes_n; i++) {
        const double *rows = g->rows + (size_t)i * INDICATOR_TILE_ROWS;
        float *out = (float *)g->outs[i] + at;
        for (uint32_t t = 0; t < rows_n; t++)
            out[t] = (float)rows[t];
    }
}

static int run_floats(struct group *g, uint32_t nodes_n)
{
    int r = 0;
    for (uint32_t at = 0, n; r == 0 && at < g->view.rows_n; at += n) {
        n = g->view.rows_n - at;
        n = n < INDICATOR_TILE_ROWS ? n : INDICATOR_TILE_ROWS;
        if (g->indicator->cls == CLASS_ROLLING)
            memset(g->states, 0, state_bytes(g->indicator) * g->passes_n);
        set_spans(g, at, n);
        r = advance(g);
        store_floats(g, nodes_n, at, n);
    }
    return r;
}

static int run_group(struct maker *m, struct group *g, uint32_t node, uint32_t n)
{
    int r = allocate(m, g, n);
    if (r < 0)
        return r;
    r = g->dtype == SERIES_F32 ? run_floats(g, n) : run_doubles(g);
    return r < 0 ? eval_call_failed(&m->graph->nodes[node], r, m->err) : 0;
}

int whole_calls(struct maker *m, const uint32_t *nodes, uint32_t n, enum series_dtype dtype,
                void *const *outs)
{
    const struct graph_node *first = &m->graph->nodes[nodes[0]];
    struct group g = {.indicator = first->indicator, .dtype = dtype, .outs = outs};
    if (!g.indicator->advance && !g.indicator->advance_foreign)
        return err_set(m->err, ERR_BUG, "'%.200s' can be computed where its plugin is loaded alone",
                       first->key);
    int r = whole_clock(m, first->clock, &g.view);
    for (uint32_t i = 0; i < first->args_n && r == 0; i++)
        r = whole_argument(m, first->arg[i], &g.view, &g.input[i]);
    if (r == 0)
        r = sort_into_passes(m, &g, nodes, n);
    if (r < 0 || g.view.rows_n == 0)
        return r;
    return run_group(m, &g, nodes[0], n);
}

/* ---- the door ------------------------------------------------------------------------------- */

static uint32_t first_defined_of(enum series_dtype dtype, const void *values, uint32_t rows_n)
{
    uint32_t row = 0;
    if (dtype == SERIES_F64)
        return whole_first_defined(values, rows_n);
    while (row < rows_n && isnan(((const float *)values)[row]))
        row++;
    return row;
}

static int compute_condition(struct maker *m, uint32_t node, uint64_t *bits, uint32_t *ret_first)
{
    int r = eval_bits(m, node, bits);
    if (r == 0 && ret_first)
        *ret_first = program_first_defined(m);
    return r;
}

static int compute_numbers(struct maker *m, const uint32_t *nodes, uint32_t n,
                           enum series_dtype dtype, void *const *outs, uint32_t *ret_first)
{
    const struct graph_node *first = &m->graph->nodes[nodes[0]];
    struct clock_view view;
    int r;
    if (first->kind == EXPR_CALL)
        r = whole_calls(m, nodes, n, dtype, outs);
    else
        r = whole_arithmetic(m, nodes[0], dtype, outs[0]);
    if (r == 0)
        r = whole_clock(m, first->clock, &view);
    for (uint32_t i = 0; i < n && r == 0 && ret_first; i++)
        ret_first[i] = first_defined_of(dtype, outs[i], view.rows_n);
    return r;
}

int graph_compute(const struct graph *graph, const uint32_t *nodes, uint32_t n,
                  const struct graph_source *source, enum series_dtype dtype, void *const *outs,
                  uint32_t *ret_first_defined, struct err *err)
{
    struct maker m = {.graph = graph, .eval = graph->eval, .source = source, .err = err};
    const struct graph_node *first = &graph->nodes[nodes[0]];
    if (first->is_condition != (dtype == SERIES_BITS) || (first->kind != EXPR_CALL && n != 1))
        return err_set(err, ERR_BUG, "'%.200s' cannot be stored so", first->key);
    int r = eval_start(&m);
    if (r == 0)
        r = first->is_condition ? compute_condition(&m, nodes[0], outs[0], ret_first_defined)
                                : compute_numbers(&m, nodes, n, dtype, outs, ret_first_defined);
    eval_end(&m);
    return r;
}
