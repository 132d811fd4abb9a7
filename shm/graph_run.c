/* SPDX-License-Identifier: MIT */
/* Running a program, tile by tile, so that what lies between series and result stays in the cache.
 *
 * Crossings carry one bit from tile to tile, delays and indicators what they remember, so tiles run
 * in order. */
#include <math.h>
#include <string.h>

#include "shm/graph_eval.h"
#include "shm/mask.h"

/* ---- operands ------------------------------------------------------------------------------- */

static double value_at(const struct operand *o, int64_t row)
{
    if (row < 0)
        return NAN;
    return o->place == PLACE_DOUBLES ? ((const double *)o->series)[row]
                                     : (double)((const float *)o->series)[row];
}

static void gather(const struct operand *o, uint32_t at, uint32_t n, double *out)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t row = o->row_of ? o->row_of[at + i] : (int64_t)at + i;
        out[i] = row < 0 ? NAN : value_at(o, row - o->lag);
    }
}

static void widen(const float *from, uint32_t n, double *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = from[i];
}

const double *operand_rows(const struct eval *e, const struct operand *o, uint32_t at, uint32_t n,
                           double *pad)
{
    bool is_plain = !o->row_of && at >= o->lag;
    switch (o->place) {
    case PLACE_BUFFER:
        return e->numbers[o->buffer].rows;
    case PLACE_NUMBER:
        for (uint32_t i = 0; i < n; i++)
            pad[i] = o->number;
        return pad;
    case PLACE_DOUBLES:
        if (is_plain)
            return (const double *)o->series + (at - o->lag);
        break;
    case PLACE_FLOATS:
        if (is_plain) {
            widen((const float *)o->series + (at - o->lag), n, pad);
            return pad;
        }
        break;
    }
    gather(o, at, n, pad);
    return pad;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Aliasing: out may be a or b, row for row. */
static void run_negation(const double *a, double *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = -a[i];
}

static void run_arithmetic(struct eval *e, const struct step *step, uint32_t at, uint32_t n)
{
    double *out = e->numbers[step->to].rows;
    const double *a = operand_rows(e, &step->side[0], at, n, e->pad[0].rows);
    if (step->kind == EXPR_NEG)
        run_negation(a, out, n);
    else if (step->side[1].place == PLACE_NUMBER)
        arithmetic_by(step->kind, a, step->side[1].number, out, n);
    else
        arithmetic_rows(step->kind, a, operand_rows(e, &step->side[1], at, n, e->pad[1].rows), out,
                        n);
}

/* Rows leave in the order in which they came, `lag` rows later. */
static void run_delay(struct eval *e, struct step *step, uint32_t at, uint32_t n)
{
    double *out = e->numbers[step->to].rows;
    const double *in = operand_rows(e, &step->side[0], at, n, e->pad[0].rows);
    for (uint32_t i = 0; i < n; i++) {
        double was = step->ring[step->ring_at];
        step->ring[step->ring_at] = in[i];
        step->ring_at = step->ring_at + 1 == step->lag ? 0 : step->ring_at + 1;
        out[i] = was;
    }
}

/* What is stored as float is rounded wherever it is made. */
static void run_rounding(struct eval *e, const struct step *step, uint32_t at, uint32_t n)
{
    double *out = e->numbers[step->to].rows;
    const double *in = operand_rows(e, &step->side[0], at, n, e->pad[0].rows);
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)(float)in[i];
}

/* ---- conditions ----------------------------------------------------------------------------- */

static void run_comparison(struct eval *e, const struct step *step, uint32_t at, uint32_t n)
{
    struct mask_right right = {.value = step->side[1].number};
    const double *a = operand_rows(e, &step->side[0], at, n, e->pad[0].rows);
    if (step->side[1].place != PLACE_NUMBER)
        right.column = operand_rows(e, &step->side[1], at, n, e->pad[1].rows);
    mask_compare(step->kind, a, right, n, e->words[step->to].words);
}

/* below[t-1] and above[t]; for crosses_below the sides change places. */
static void run_crossing(struct eval *e, struct step *step, uint32_t at, uint32_t n)
{
    uint64_t below[TILE_WORDS], *out = e->words[step->to].words;
    bool is_above = step->kind == EXPR_CROSS_ABOVE;
    struct mask_right right = {.value = step->side[1].number};
    const double *a = operand_rows(e, &step->side[0], at, n, e->pad[0].rows);
    if (step->side[1].place != PLACE_NUMBER)
        right.column = operand_rows(e, &step->side[1], at, n, e->pad[1].rows);
    mask_compare(is_above ? EXPR_LT : EXPR_GT, a, right, n, below);
    mask_compare(is_above ? EXPR_GT : EXPR_LT, a, right, n, out);
    for (uint32_t w = 0; w < (n + 63) / 64; w++) {
        out[w] &= below[w] << 1 | step->was_below;
        step->was_below = below[w] >> 63;
    }
}

static void run_words(struct eval *e, const struct step *step, uint32_t n)
{
    const uint64_t *a = e->words[step->words[0]].words;
    const uint64_t *b = e->words[step->words[1]].words;
    uint64_t *out = e->words[step->to].words;
    for (uint32_t w = 0; w < (n + 63) / 64; w++) {
        if (step->kind == EXPR_AND)
            out[w] = a[w] & b[w];
        else
            out[w] = step->kind == EXPR_OR ? a[w] | b[w] : ~a[w];
    }
    if (n % 64)
        out[n / 64] &= (UINT64_C(1) << n % 64) - 1;
}

/* ---- the whole ------------------------------------------------------------------------------ */

int program_run(struct eval *e, uint32_t at, uint32_t n)
{
    int r = 0;
    for (uint32_t i = 0; i < e->steps_n && r == 0; i++) {
        struct step *step = &e->steps[i];
        switch (step->kind) {
        case EXPR_NEG:
        case EXPR_ADD:
        case EXPR_SUB:
        case EXPR_MUL:
        case EXPR_DIV:
            run_arithmetic(e, step, at, n);
            break;
        case STEP_STREAM:
            r = stream_run(e, &e->streams[step->to], at, n);
            e->failed = e->streams[step->to].node;
            break;
        case STEP_DELAY:
            run_delay(e, step, at, n);
            break;
        case STEP_ROUND:
            run_rounding(e, step, at, n);
            break;
        case STEP_STORED:
            memcpy(e->words[step->to].words, step->bits + at / 64,
                   (n + 63) / 64 * sizeof(uint64_t));
            break;
        case EXPR_AND:
        case EXPR_OR:
        case EXPR_NOT:
            run_words(e, step, n);
            break;
        case EXPR_CROSS_ABOVE:
        case EXPR_CROSS_BELOW:
            run_crossing(e, step, at, n);
            break;
        default:
            run_comparison(e, step, at, n);
            break;
        }
    }
    return r;
}

uint32_t program_first_defined(const struct maker *m)
{
    uint64_t first = m->first_defined;
    for (uint32_t i = 0; i < m->eval->pending_n; i++) {
        const struct pending *p = &m->eval->pending[i];
        uint64_t defined = m->eval->streams[p->stream].first_defined[p->output];
        defined = defined < UINT32_MAX ? defined + p->lag : m->view.rows_n;
        first = defined > first ? defined : first;
    }
    return first < m->view.rows_n ? (uint32_t)first : m->view.rows_n;
}
