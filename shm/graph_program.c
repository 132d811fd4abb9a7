/* SPDX-License-Identifier: MIT */
/* From a node to a program. What is used more than once is computed once: its buffer is kept to the
 * end of the tile; all other buffers are used again as soon as they were read. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/graph_eval.h"

/* ---- buffers -------------------------------------------------------------------------------- */

static int new_number(struct maker *m, uint32_t *ret_buffer)
{
    struct eval *e = m->eval;
    if (eval_reserve(&e->numbers, e->free_numbers.n, &e->numbers_capacity, sizeof(*e->numbers)) < 0)
        return eval_no_memory(m->err);
    *ret_buffer = e->free_numbers.n++;
    return 0;
}

static int take_number(struct maker *m, uint32_t *ret_buffer)
{
    struct pool *pool = &m->eval->free_numbers;
    if (pool->unused_n == 0)
        return new_number(m, ret_buffer);
    *ret_buffer = pool->unused[--pool->unused_n];
    return 0;
}

static int take_words(struct maker *m, uint32_t *ret_buffer)
{
    struct eval *e = m->eval;
    struct pool *pool = &e->free_words;
    if (pool->unused_n > 0) {
        *ret_buffer = pool->unused[--pool->unused_n];
        return 0;
    }
    if (eval_reserve(&e->words, pool->n, &e->words_capacity, sizeof(*e->words)) < 0)
        return eval_no_memory(m->err);
    *ret_buffer = pool->n++;
    return 0;
}

static int give_back(struct maker *m, struct pool *pool, uint32_t buffer)
{
    if (eval_reserve(&pool->unused, pool->unused_n, &pool->capacity, sizeof(*pool->unused)) < 0)
        return eval_no_memory(m->err);
    pool->unused[pool->unused_n++] = buffer;
    return 0;
}

/* An operand was read by the step that is made last. */
static int release(struct maker *m, const struct operand *o)
{
    if (o->place != PLACE_BUFFER || o->is_kept)
        return 0;
    return give_back(m, &m->eval->free_numbers, o->buffer);
}

static int push_step(struct maker *m, const struct step *step)
{
    struct eval *e = m->eval;
    if (eval_reserve(&e->steps, e->steps_n, &e->steps_capacity, sizeof(*e->steps)) < 0)
        return eval_no_memory(m->err);
    e->steps[e->steps_n++] = *step;
    return 0;
}

/* ---- what is used how often ----------------------------------------------------------------- */

static struct seen *seen_of(const struct maker *m, uint32_t idx)
{
    struct seen *seen = &m->eval->seen[idx];
    if (seen->round != m->eval->round)
        *seen = (struct seen){.round = m->eval->round};
    return seen;
}

/* Counts one more use of a node, and at the first those below it. What feeds an indicator is
 * counted when it turns out that it is not stored. */
static void count_use(const struct maker *m, uint32_t idx)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    if (seen_of(m, idx)->uses++ > 0 || node->kind == EXPR_CALL)
        return;
    for (uint32_t i = 0; i < node->args_n; i++)
        count_use(m, node->arg[i]);
}

void program_count(const struct maker *m, uint32_t node)
{
    count_use(m, node);
}

/* Remembers where a number is, if it stays there. */
static void remember(struct maker *m, uint32_t idx, struct operand *operand)
{
    struct seen *seen = seen_of(m, idx);
    if (operand->place == PLACE_BUFFER && !operand->is_kept) {
        if (seen->uses < 2)
            return;
        operand->is_kept = true;
    }
    seen->is_made = true;
    seen->operand = *operand;
}

/* ---- series --------------------------------------------------------------------------------- */

/* Row map from the program's rows to those of another clock; NULL for its own. */
static int find_row_map(const struct maker *m, uint32_t clock, const int32_t **ret_row_of)
{
    struct clock_view view;
    *ret_row_of = NULL;
    if (clock == m->clock)
        return 0;
    int r = whole_clock(m, clock, &view);
    if (r == 0)
        *ret_row_of = view.row_of;
    return r;
}

/* A column or a stored series, in its clock. False if the source lacks it. */
static bool find_stored(const struct maker *m, uint32_t idx, struct series_view *ret_view)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    return m->source->series(m->source->ctx, &m->graph->clocks[node->clock], node->local_key,
                             ret_view);
}

static int operand_of_view(const struct maker *m, uint32_t idx, const struct series_view *view,
                           struct operand *ret_operand)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct operand operand = {.place = view->dtype == SERIES_F32 ? PLACE_FLOATS : PLACE_DOUBLES,
                              .series = view->values};
    if (view->dtype == SERIES_BITS)
        return err_set(m->err, ERR_BUG, "the series '%.200s' is stored as a condition", node->key);
    int r = find_row_map(m, node->clock, &operand.row_of);
    if (r == 0)
        *ret_operand = operand;
    return r;
}

static int make_stream(struct maker *m, uint32_t idx, struct operand *ret_operand);

/* A series that is not stored: streamed on the program's own rows, whole on others. */
static int make_absent(struct maker *m, uint32_t idx, struct operand *ret_operand)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct clock_view view;
    const double *values;
    int r = whole_clock(m, node->clock, &view);
    if (r < 0)
        return r;
    if (node->kind == EXPR_NAME)
        return err_set(m->err, ERR_CONFIG, "'%s' is neither a parameter nor a column of the data",
                       node->key);
    if (node->kind == EXPR_BAR)
        return err_set(m->err, ERR_BUG, "the column '%.200s' is not there", node->key);
    if (node->clock == m->clock && (node->indicator->advance || node->indicator->advance_foreign))
        return make_stream(m, idx, ret_operand);
    r = whole_series(m, idx, &values);
    if (r < 0)
        return r;
    seen_of(m, idx)->first_defined = whole_first_defined(values, view.rows_n);
    const struct series_view made = {.dtype = SERIES_F64, .values = values};
    return operand_of_view(m, idx, &made, ret_operand);
}

static int make_series(struct maker *m, uint32_t idx, struct operand *ret_operand)
{
    struct series_view view;
    if (!find_stored(m, idx, &view))
        return make_absent(m, idx, ret_operand);
    seen_of(m, idx)->first_defined = view.first_defined;
    return operand_of_view(m, idx, &view, ret_operand);
}

/* ---- indicators that are streamed ----------------------------------------------------------- */

static bool is_same_call(const struct graph_node *a, const struct graph_node *b)
{
    return a->indicator == b->indicator &&
           memcmp(a->arg, b->arg, a->args_n * sizeof(*a->arg)) == 0 &&
           memcmp(a->param, b->param, a->indicator->params_n * sizeof(*a->param)) == 0;
}

/* The stream of an equal call with whatever output, or streams_n. */
static uint32_t find_stream(const struct eval *e, const struct graph_node *node)
{
    uint32_t i = 0;
    while (i < e->streams_n && !is_same_call(e->streams[i].node, node))
        i++;
    return i;
}

static int round_operand(struct maker *m, struct operand *io_operand)
{
    struct step step = {.kind = STEP_ROUND, .side = {*io_operand}};
    int r = release(m, io_operand);
    if (r == 0)
        r = take_number(m, &step.to);
    *io_operand = (struct operand){.place = PLACE_BUFFER, .buffer = step.to};
    return r == 0 ? push_step(m, &step) : r;
}

/* An argument of an indicator: as it is stored, or would be. */
static int make_argument(struct maker *m, uint32_t idx, struct operand *ret_operand)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct series_view view;
    bool is_column_or_call =
        node->kind == EXPR_BAR || node->kind == EXPR_NAME || node->kind == EXPR_CALL;
    if (!is_column_or_call && find_stored(m, idx, &view))
        return operand_of_view(m, idx, &view, ret_operand);
    count_use(m, idx);
    int r = program_number(m, idx, ret_operand);
    if (r == 0 && !is_column_or_call && m->source->rounds_to_f32)
        r = round_operand(m, ret_operand);
    return r;
}

static int start_stream(struct maker *m, const struct graph_node *node)
{
    struct eval *e = m->eval;
    struct stream s = {.node = node, .rounds_to_f32 = m->source->rounds_to_f32};
    struct step step = {.kind = STEP_STREAM};
    int r = 0;
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = make_argument(m, node->arg[i], &s.input[i]);
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = release(m, &s.input[i]);
    if (r < 0)
        return r;
    s.time_ns = node->indicator->uses_time ? m->view.time_ns : NULL;
    if (eval_reserve(&e->streams, e->streams_n, &e->streams_capacity, sizeof(*e->streams)) < 0 ||
        indicator_stream_create(node->indicator, node->param, &s.state) < 0)
        return eval_no_memory(m->err);
    step.to = e->streams_n;
    e->streams[e->streams_n++] = s;
    return push_step(m, &step);
}

/* Its buffers are never those of others: the step may stand far before the one that reads them. */
static int make_stream(struct maker *m, uint32_t idx, struct operand *ret_operand)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    uint32_t at = find_stream(m->eval, node);
    int r = 0;
    if (at == m->eval->streams_n) {
        r = start_stream(m, node);
        at = m->eval->streams_n - 1; /* those of its arguments came before it */
    }
    if (r < 0)
        return r;
    struct stream *s = &m->eval->streams[at];
    if (!s->has[node->output]) {
        r = new_number(m, &s->buffer[node->output]);
        s->has[node->output] = r == 0;
        s->first_defined[node->output] = UINT32_MAX;
    }
    struct seen *seen = seen_of(m, idx);
    seen->is_streamed = true;
    seen->stream = at;
    *ret_operand =
        (struct operand){.place = PLACE_BUFFER, .is_kept = true, .buffer = s->buffer[node->output]};
    return r;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* What is in memory is read earlier; what is streamed waits in a ring. */
static int make_shift(struct maker *m, const struct graph_node *node, struct operand *ret_operand)
{
    struct step step = {.kind = STEP_DELAY, .lag = node->lag};
    int r = program_number(m, node->arg[0], &step.side[0]);
    *ret_operand = step.side[0];
    ret_operand->lag += node->lag;
    if (r < 0 || step.side[0].place != PLACE_BUFFER)
        return r;
    if (node->lag >= m->view.rows_n) {
        *ret_operand = (struct operand){.place = PLACE_NUMBER, .number = NAN};
        return 0;
    }
    step.ring = eval_own(m->eval, node->lag * sizeof(*step.ring));
    if (!step.ring)
        return eval_no_memory(m->err);
    for (uint32_t i = 0; i < node->lag; i++)
        step.ring[i] = NAN;
    r = take_number(m, &step.to);
    *ret_operand = (struct operand){.place = PLACE_BUFFER, .buffer = step.to};
    return r == 0 ? push_step(m, &step) : r;
}

/* The numbers below a node into step->side; their buffers are free again behind it. */
static int make_sides(struct maker *m, const struct graph_node *node, struct step *step)
{
    int r = 0;
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = program_number(m, node->arg[i], &step->side[i]);
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = release(m, &step->side[i]);
    return r;
}

static int make_arithmetic(struct maker *m, const struct graph_node *node,
                           struct operand *ret_operand)
{
    struct step step = {.kind = (enum expr_kind)node->kind};
    int r = make_sides(m, node, &step);
    if (r == 0)
        r = take_number(m, &step.to);
    *ret_operand = (struct operand){.place = PLACE_BUFFER, .buffer = step.to};
    return r == 0 ? push_step(m, &step) : r;
}

int program_number(struct maker *m, uint32_t idx, struct operand *ret_operand)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    const struct seen *seen = seen_of(m, idx);
    int r;
    if (seen->is_made) {
        *ret_operand = seen->operand;
        return 0;
    }
    switch ((enum expr_kind)node->kind) {
    case EXPR_NUMBER:
        *ret_operand = (struct operand){.place = PLACE_NUMBER, .number = node->value};
        return 0;
    case EXPR_BAR:
    case EXPR_NAME:
    case EXPR_CALL:
        r = make_series(m, idx, ret_operand);
        break;
    case EXPR_SHIFT:
        r = make_shift(m, node, ret_operand);
        break;
    default:
        r = make_arithmetic(m, node, ret_operand);
        break;
    }
    if (r == 0)
        remember(m, idx, ret_operand);
    return r;
}

/* ---- conditions ----------------------------------------------------------------------------- */

static int make_words(struct maker *m, const struct graph_node *node, struct step *step)
{
    int r = 0;
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = program_condition(m, node->arg[i], &step->words[i]);
    for (uint32_t i = 0; i < node->args_n && r == 0; i++) {
        if (!seen_of(m, node->arg[i])->is_made)
            r = give_back(m, &m->eval->free_words, step->words[i]);
    }
    return r;
}

int program_condition(struct maker *m, uint32_t idx, uint32_t *ret_words)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct seen *seen = seen_of(m, idx);
    struct step step = {.kind = (enum expr_kind)node->kind};
    struct series_view view;
    int r = 0;
    if (seen->is_made) {
        *ret_words = seen->words;
        return 0;
    }
    seen->is_stored = find_stored(m, idx, &view) && view.dtype == SERIES_BITS;
    if (seen->is_stored) {
        step.kind = STEP_STORED;
        step.bits = view.values;
        seen->first_defined = view.first_defined;
    } else if (node->kind == EXPR_AND || node->kind == EXPR_OR || node->kind == EXPR_NOT) {
        r = make_words(m, node, &step);
    } else {
        r = make_sides(m, node, &step);
    }
    if (r == 0)
        r = take_words(m, &step.to);
    if (r < 0)
        return r;
    seen->is_made = seen->uses > 1;
    *ret_words = seen->words = step.to;
    return push_step(m, &step);
}

/* ---- first defined rows --------------------------------------------------------------------- */

/* The first row of the program at which a series, defined from row `first` of its own, is seen
 * defined `lag` rows earlier. */
static uint64_t first_seen(const struct maker *m, const struct operand *o, uint64_t first)
{
    uint32_t low = 0, high = m->view.rows_n;
    if (!o->row_of)
        return first;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (o->row_of[middle] >= 0 && (uint64_t)o->row_of[middle] >= first)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int note_series(struct maker *m, uint32_t idx, uint32_t lag)
{
    struct eval *e = m->eval;
    const struct seen *seen = seen_of(m, idx);
    if (!seen->is_streamed) {
        uint64_t first = first_seen(m, &seen->operand, (uint64_t)seen->first_defined + lag);
        m->first_defined = first > m->first_defined ? first : m->first_defined;
        return 0;
    }
    if (eval_reserve(&e->pending, e->pending_n, &e->pending_capacity, sizeof(*e->pending)) < 0)
        return eval_no_memory(m->err);
    e->pending[e->pending_n++] = (struct pending){seen->stream, m->graph->nodes[idx].output, lag};
    return 0;
}

int program_note(struct maker *m, uint32_t idx)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct seen *seen = seen_of(m, idx);
    int r = 0;
    if (seen->is_noted || node->kind == EXPR_NUMBER)
        return 0;
    seen->is_noted = true;
    if (seen->is_stored) {
        m->first_defined =
            seen->first_defined > m->first_defined ? seen->first_defined : m->first_defined;
        return 0;
    }
    if (node->kind == EXPR_SHIFT)
        return note_series(m, node->arg[0], node->lag);
    if (node->kind == EXPR_BAR || node->kind == EXPR_NAME || node->kind == EXPR_CALL)
        return note_series(m, idx, 0);
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = program_note(m, node->arg[i]);
    return r;
}
