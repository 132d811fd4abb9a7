/* SPDX-License-Identifier: MIT */
/* Evaluation: a node is turned into a short program over series, which then runs tile by tile, so
 * that what lies between series and result stays in the cache.
 *
 * Numbers travel in buffers of a tile of doubles, conditions in buffers of a tile of bits. Buffers
 * are handed out like a stack. Crossings carry one bit from tile to tile, so tiles run in order. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/graph_node.h"
#include "shm/mask.h"

#define TILE_ROWS  1024u /* a multiple of 64 */
#define TILE_WORDS (TILE_ROWS / 64u)

enum place { PLACE_NUMBER, PLACE_SERIES, PLACE_BUFFER };

struct operand {
    enum place place;
    uint32_t buffer;
    uint32_t lag;
    double number;
    const double *series;
};

struct step {
    enum expr_kind kind;
    uint32_t to;        /* buffer of doubles or of words */
    uint32_t words[2];  /* of and, or, not */
    uint64_t was_below; /* of a crossing: bit 0, from the tile before */
    struct operand side[2];
};

struct tile {
    double rows[TILE_ROWS];
};

struct word_tile {
    uint64_t words[TILE_WORDS];
};

/* Kept from one evaluation to the next. */
struct eval {
    struct step *steps;
    struct tile *numbers;
    struct word_tile *words;
    uint32_t steps_n, steps_capacity;
    uint32_t numbers_n, numbers_capacity; /* in use while the program is made */
    uint32_t words_n, words_capacity;
    struct tile pad[2]; /* operands that are not in memory as they are needed */
};

/* What the program is made from. */
struct maker {
    const struct graph *graph;
    struct eval *eval;
    series_lookup_fn lookup;
    void *ctx;
    uint32_t rows_n;
    uint32_t first_defined;
    struct err *err;
};

int eval_create(struct eval **ret_eval)
{
    struct eval *eval = calloc(1, sizeof(*eval));
    if (!eval)
        return -ENOMEM;
    *ret_eval = eval;
    return 0;
}

void eval_destroy(struct eval *eval)
{
    if (!eval)
        return;
    free(eval->steps);
    free(eval->numbers);
    free(eval->words);
    free(eval);
}

static int no_memory(struct err *err)
{
    return err_set_errno(err, ERR_SYSTEM, ENOMEM, "evaluating a rule");
}

/* Room for one more element of an array that doubles. */
static int reserve(struct maker *m, void *array, uint32_t n, uint32_t *capacity, size_t bytes)
{
    void *old, *grown;
    if (n < *capacity)
        return 0;
    memcpy(&old, array, sizeof(old));
    grown = realloc(old, (size_t)(*capacity ? 2 * *capacity : 4) * bytes);
    if (!grown)
        return no_memory(m->err);
    memcpy(array, &grown, sizeof(grown));
    *capacity = *capacity ? 2 * *capacity : 4;
    return 0;
}

/* ---- making the program --------------------------------------------------------------------- */

static int find_series(struct maker *m, uint32_t idx, const double **ret_series,
                       uint32_t *ret_first)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    uint32_t first = 0;
    const double *series = m->lookup(m->ctx, node->key, &first);
    if (!series && node->kind == EXPR_NAME)
        return err_set(m->err, ERR_CONFIG, "'%s' is neither a parameter nor a column of the data",
                       node->key);
    if (!series)
        return err_set(m->err, ERR_BUG, "the series '%.200s' has not been computed", node->key);
    *ret_series = series;
    *ret_first = first;
    return 0;
}

static int series_operand(struct maker *m, uint32_t idx, uint32_t lag, struct operand *ret_operand)
{
    uint32_t first;
    struct operand operand = {.place = PLACE_SERIES, .lag = lag};
    int r = find_series(m, idx, &operand.series, &first);
    if (r < 0)
        return r;
    uint64_t defined = (uint64_t)first + lag;
    defined = defined < m->rows_n ? defined : m->rows_n;
    m->first_defined = defined > m->first_defined ? (uint32_t)defined : m->first_defined;
    *ret_operand = operand;
    return 0;
}

static int push_step(struct maker *m, const struct step *step)
{
    struct eval *e = m->eval;
    int r = reserve(m, &e->steps, e->steps_n, &e->steps_capacity, sizeof(*e->steps));
    if (r == 0)
        e->steps[e->steps_n++] = *step;
    return r;
}

static int make_number(struct maker *m, uint32_t idx, struct operand *ret_operand);

/* The numbers below a node into step->side; their buffers are free again behind it. */
static int make_sides(struct maker *m, const struct graph_node *node, struct step *step)
{
    uint32_t numbers_n = m->eval->numbers_n;
    int r = 0;
    for (uint32_t i = 0; i < node->args_n && r == 0; i++)
        r = make_number(m, node->arg[i], &step->side[i]);
    m->eval->numbers_n = numbers_n;
    return r;
}

/* An operand for a number; a step for it where it is arithmetic. */
static int make_number(struct maker *m, uint32_t idx, struct operand *ret_operand)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct eval *e = m->eval;
    struct step step = {.kind = node->kind};
    switch ((enum expr_kind)node->kind) {
    case EXPR_NUMBER:
        *ret_operand = (struct operand){.place = PLACE_NUMBER, .number = node->value};
        return 0;
    case EXPR_BAR:
    case EXPR_NAME:
    case EXPR_CALL:
        return series_operand(m, idx, 0, ret_operand);
    case EXPR_SHIFT:
        return series_operand(m, node->arg[0], node->lag, ret_operand);
    default:
        break;
    }
    int r = make_sides(m, node, &step);
    if (r == 0)
        r = reserve(m, &e->numbers, e->numbers_n, &e->numbers_capacity, sizeof(*e->numbers));
    if (r == 0) {
        step.to = e->numbers_n++;
        *ret_operand = (struct operand){.place = PLACE_BUFFER, .buffer = step.to};
        r = push_step(m, &step);
    }
    return r;
}

/* The buffer of words that a condition is in. */
static int make_condition(struct maker *m, uint32_t idx, uint32_t *ret_words)
{
    const struct graph_node *node = &m->graph->nodes[idx];
    struct eval *e = m->eval;
    struct step step = {.kind = node->kind};
    uint32_t words_n = e->words_n;
    int r = 0;
    if (node->kind == EXPR_AND || node->kind == EXPR_OR || node->kind == EXPR_NOT) {
        for (uint32_t i = 0; i < node->args_n && r == 0; i++)
            r = make_condition(m, node->arg[i], &step.words[i]);
    } else {
        r = make_sides(m, node, &step);
    }
    e->words_n = words_n;
    if (r == 0)
        r = reserve(m, &e->words, e->words_n, &e->words_capacity, sizeof(*e->words));
    if (r < 0)
        return r;
    step.to = e->words_n++;
    *ret_words = step.to;
    return push_step(m, &step);
}

static void start(struct maker *m)
{
    m->eval = m->graph->eval;
    m->eval->steps_n = m->eval->numbers_n = m->eval->words_n = 0;
}

/* ---- running it ----------------------------------------------------------------------------- */

/* Rows [at, at + n) of an operand as n doubles in memory; `pad` is used where they are not. */
static const double *rows_of(const struct eval *e, const struct operand *o, uint32_t at, uint32_t n,
                             double *pad)
{
    if (o->place == PLACE_BUFFER)
        return e->numbers[o->buffer].rows;
    if (o->place == PLACE_SERIES && at >= o->lag)
        return o->series + (at - o->lag);
    for (uint32_t i = 0; i < n; i++) {
        if (o->place == PLACE_NUMBER)
            pad[i] = o->number;
        else
            pad[i] = at + i >= o->lag ? o->series[at + i - o->lag] : NAN;
    }
    return pad;
}

/* Aliasing: out may be a or b, row for row. */
static void run_negation(const double *a, double *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = -a[i];
}

static void run_column(enum expr_kind kind, const double *a, const double *b, double *out,
                       uint32_t n)
{
    switch (kind) {
    case EXPR_ADD:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] + b[i]);
        break;
    case EXPR_SUB:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] - b[i]);
        break;
    case EXPR_MUL:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] * b[i]);
        break;
    default:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] / b[i]);
        break;
    }
}

static void run_value(enum expr_kind kind, const double *a, double b, double *out, uint32_t n)
{
    switch (kind) {
    case EXPR_ADD:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] + b);
        break;
    case EXPR_SUB:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] - b);
        break;
    case EXPR_MUL:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] * b);
        break;
    default:
        for (uint32_t i = 0; i < n; i++)
            out[i] = expr_defined(a[i] / b);
        break;
    }
}

static void run_arithmetic(struct eval *e, const struct step *step, uint32_t at, uint32_t n)
{
    double *out = e->numbers[step->to].rows;
    const double *a = rows_of(e, &step->side[0], at, n, e->pad[0].rows);
    if (step->kind == EXPR_NEG)
        run_negation(a, out, n);
    else if (step->side[1].place == PLACE_NUMBER)
        run_value(step->kind, a, step->side[1].number, out, n);
    else
        run_column(step->kind, a, rows_of(e, &step->side[1], at, n, e->pad[1].rows), out, n);
}

static void run_comparison(struct eval *e, const struct step *step, uint32_t at, uint32_t n)
{
    struct mask_right right = {.value = step->side[1].number};
    const double *a = rows_of(e, &step->side[0], at, n, e->pad[0].rows);
    if (step->side[1].place != PLACE_NUMBER)
        right.column = rows_of(e, &step->side[1], at, n, e->pad[1].rows);
    mask_compare(step->kind, a, right, n, e->words[step->to].words);
}

/* below[t-1] and above[t]; for crosses_below the sides change places. */
static void run_crossing(struct eval *e, struct step *step, uint32_t at, uint32_t n)
{
    uint64_t below[TILE_WORDS], *out = e->words[step->to].words;
    bool is_above = step->kind == EXPR_CROSS_ABOVE;
    struct mask_right right = {.value = step->side[1].number};
    const double *a = rows_of(e, &step->side[0], at, n, e->pad[0].rows);
    if (step->side[1].place != PLACE_NUMBER)
        right.column = rows_of(e, &step->side[1], at, n, e->pad[1].rows);
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

static void run_tile(struct eval *e, uint32_t at, uint32_t n)
{
    for (uint32_t i = 0; i < e->steps_n; i++) {
        struct step *step = &e->steps[i];
        switch (step->kind) {
        case EXPR_NEG:
        case EXPR_ADD:
        case EXPR_SUB:
        case EXPR_MUL:
        case EXPR_DIV:
            run_arithmetic(e, step, at, n);
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
}

static uint32_t tile_rows(uint32_t at, uint32_t rows_n)
{
    return rows_n - at < TILE_ROWS ? rows_n - at : TILE_ROWS;
}

/* ---- the doors ------------------------------------------------------------------------------ */

static int eval_numbers(struct maker *m, uint32_t node, double *out)
{
    struct operand root;
    int r = make_number(m, node, &root);
    if (r < 0)
        return r;
    for (uint32_t at = 0, n; (n = tile_rows(at, m->rows_n)) > 0; at += n) {
        run_tile(m->eval, at, n);
        const double *rows = rows_of(m->eval, &root, at, n, m->eval->pad[0].rows);
        memcpy(out + at, rows, n * sizeof(*out));
    }
    return 0;
}

/* A condition as 1 and 0. */
static int eval_flags(struct maker *m, uint32_t node, double *out)
{
    uint32_t root;
    int r = make_condition(m, node, &root);
    if (r < 0)
        return r;
    for (uint32_t at = 0, n; (n = tile_rows(at, m->rows_n)) > 0; at += n) {
        run_tile(m->eval, at, n);
        const uint64_t *words = m->eval->words[root].words;
        for (uint32_t i = 0; i < n; i++)
            out[at + i] = (double)(words[i / 64] >> i % 64 & 1);
    }
    return 0;
}

int graph_eval(const struct graph *graph, uint32_t node, series_lookup_fn lookup, void *ctx,
               uint32_t rows_n, double *out, uint32_t *ret_first_defined, struct err *err)
{
    struct maker m = {.graph = graph, .lookup = lookup, .ctx = ctx, .rows_n = rows_n, .err = err};
    start(&m);
    int r =
        graph->nodes[node].is_condition ? eval_flags(&m, node, out) : eval_numbers(&m, node, out);
    if (r == 0 && ret_first_defined)
        *ret_first_defined = m.first_defined;
    return r;
}

int graph_eval_bits(const struct graph *graph, uint32_t node, series_lookup_fn lookup, void *ctx,
                    uint32_t rows_n, uint64_t *bits, uint32_t *ret_first_defined, struct err *err)
{
    struct maker m = {.graph = graph, .lookup = lookup, .ctx = ctx, .rows_n = rows_n, .err = err};
    uint32_t root;
    if (!graph->nodes[node].is_condition)
        return err_set(err, ERR_CONFIG,
                       "'%.200s' is a number, expected a condition such as close > open",
                       graph->nodes[node].key);
    start(&m);
    int r = make_condition(&m, node, &root);
    if (r < 0)
        return r;
    for (uint32_t at = 0, n; (n = tile_rows(at, rows_n)) > 0; at += n) {
        run_tile(m.eval, at, n);
        memcpy(bits + at / 64, m.eval->words[root].words, (n + 63) / 64 * sizeof(*bits));
    }
    if (ret_first_defined)
        *ret_first_defined = m.first_defined;
    return 0;
}

int graph_compute(const struct graph *graph, uint32_t node, series_lookup_fn lookup, void *ctx,
                  uint32_t rows_n, double *out, struct err *err)
{
    const struct graph_node *n = &graph->nodes[node];
    struct maker m = {.graph = graph, .lookup = lookup, .ctx = ctx, .rows_n = rows_n, .err = err};
    struct indicator_call call = {
        .rows_n = rows_n, .param = n->param, .output = n->output, .out = out};
    uint32_t first;
    if (n->kind != EXPR_CALL)
        return graph_eval(graph, node, lookup, ctx, rows_n, out, NULL, err);
    for (uint32_t i = 0; i < n->args_n; i++) {
        int r = find_series(&m, n->arg[i], &call.input[i], &first);
        if (r < 0)
            return r;
    }
    int r = rows_n ? n->indicator->compute(&call) : 0;
    return r < 0 ? err_set_errno(err, ERR_SYSTEM, -r, "computing '%.200s'", n->key) : 0;
}
