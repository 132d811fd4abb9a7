/* SPDX-License-Identifier: MIT */
/* Running the indicators of a program.
 *
 * Kernels make many rows of a long run side by side, and few of a short one. So where all that an
 * indicator stands on is in memory, or is itself made so, it runs ahead by blocks that are far
 * longer than a tile, and each tile takes its rows from there; else it goes from tile to tile. The
 * bytes are the same. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "shm/graph_eval.h"

#define BLOCK_ROWS (1u * INDICATOR_TILE_ROWS)

/* What is stored as float is rounded wherever it is made. */
static void round_rows(double *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        rows[i] = (double)(float)rows[i];
}

static void note_defined(struct stream *s, unsigned output, const double *rows, uint32_t at,
                         uint32_t n)
{
    for (uint32_t i = 0; i < n && s->first_defined[output] == UINT32_MAX; i++)
        if (!isnan(rows[i]))
            s->first_defined[output] = at + i;
}

static int make_rows(struct stream *s, const double *const *input, uint32_t at, uint32_t n,
                     double *const *out)
{
    int r = indicator_stream_run(s->state, input, s->time_ns ? s->time_ns + at : NULL, n, out);
    for (unsigned o = 0; r == 0 && o < s->node->indicator->outputs_n; o++) {
        if (!out[o])
            continue;
        if (s->rounds_to_f32)
            round_rows(out[o], n);
        note_defined(s, o, out[o], at, n);
    }
    return r;
}

static int make_tile(struct eval *e, struct stream *s, uint32_t at, uint32_t n)
{
    const double *input[INDICATOR_INPUTS_MAX];
    double *out[INDICATOR_OUTPUTS_MAX] = {NULL};
    for (uint32_t i = 0; i < s->node->args_n; i++)
        input[i] = operand_rows(e, &s->input[i], at, n, e->pad[i].rows);
    for (unsigned o = 0; o < s->node->indicator->outputs_n; o++)
        out[o] = s->has[o] ? e->numbers[s->buffer[o]].rows : NULL;
    return make_rows(s, input, at, n, out);
}

/* ---- ahead ---------------------------------------------------------------------------------- */

/* The block in which a buffer's rows are made ahead; NULL where they are not. */
static double *block_of(const struct eval *e, uint32_t buffer)
{
    for (uint32_t i = 0; i < e->streams_n; i++) {
        const struct stream *s = &e->streams[i];
        for (unsigned o = 0; o < INDICATOR_OUTPUTS_MAX; o++) {
            if (s->has[o] && s->buffer[o] == buffer)
                return s->block[o];
        }
    }
    return NULL;
}

static bool can_run_ahead(const struct eval *e, const struct stream *s)
{
    bool can = true;
    for (uint32_t i = 0; i < s->node->args_n; i++) {
        const struct operand *o = &s->input[i];
        bool is_made = o->place == PLACE_BUFFER && block_of(e, o->buffer) != NULL;
        can = can && !o->row_of && o->lag == 0 && (is_made || o->place == PLACE_DOUBLES);
    }
    return can;
}

/* 0 or -ENOMEM. */
static int start_ahead(struct eval *e, struct stream *s)
{
    uint32_t rows_n = e->rows_n < BLOCK_ROWS ? e->rows_n : BLOCK_ROWS;
    s->is_ahead = true;
    for (unsigned o = 0; o < s->node->indicator->outputs_n; o++) {
        if (!s->has[o])
            continue;
        s->block[o] = eval_own(e, rows_n * sizeof(*s->block[o]));
        if (!s->block[o])
            return -ENOMEM;
    }
    return 0;
}

/* The block that begins at row `at`. */
static int make_block(const struct eval *e, struct stream *s, uint32_t at)
{
    const double *input[INDICATOR_INPUTS_MAX];
    uint32_t n = e->rows_n - at < BLOCK_ROWS ? e->rows_n - at : BLOCK_ROWS;
    for (uint32_t i = 0; i < s->node->args_n; i++) {
        const struct operand *o = &s->input[i];
        input[i] =
            o->place == PLACE_BUFFER ? block_of(e, o->buffer) : (const double *)o->series + at;
    }
    return make_rows(s, input, at, n, s->block);
}

int stream_run(struct eval *e, struct stream *s, uint32_t at, uint32_t n)
{
    int r = 0;
    if (at == 0 && can_run_ahead(e, s))
        r = start_ahead(e, s);
    if (r == 0 && !s->is_ahead)
        return make_tile(e, s, at, n);
    if (r == 0 && at % BLOCK_ROWS == 0)
        r = make_block(e, s, at);
    for (unsigned o = 0; r == 0 && o < s->node->indicator->outputs_n; o++) {
        if (s->has[o])
            memcpy(e->numbers[s->buffer[o]].rows, s->block[o] + at % BLOCK_ROWS,
                   n * sizeof(double));
    }
    return r;
}
