/* SPDX-License-Identifier: MIT */
/* Evaluation of a node: its program is made, and run over all rows. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/graph_eval.h"

/* ---- memory --------------------------------------------------------------------------------- */

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
    eval_destroy(eval->inner);
    free(eval->steps);
    free(eval->numbers);
    free(eval->words);
    free(eval->streams);
    free(eval->pending);
    free(eval->seen);
    free(eval->wholes);
    free(eval->owned);
    free(eval->free_numbers.unused);
    free(eval->free_words.unused);
    free(eval);
}

int eval_no_memory(struct err *err)
{
    return err_set_errno(err, ERR_SYSTEM, ENOMEM, "evaluating a rule");
}

int eval_call_failed(const struct graph_node *node, int r, struct err *err)
{
    char library[256];
    if (r == -ENOMEM)
        return eval_no_memory(err);
    if (node->indicator->library)
        return err_set_errno(err, ERR_CONFIG, -r, "'%.120s': %s of the plugin %s failed", node->key,
                             node->indicator->name,
                             err_printable(node->indicator->library, library, sizeof library));
    return err_set_errno(err, ERR_SYSTEM, -r, "computing '%.200s'", node->key);
}

int eval_reserve(void *array, uint32_t n, uint32_t *capacity, size_t bytes)
{
    void *old, *grown;
    if (n < *capacity)
        return 0;
    memcpy(&old, array, sizeof(old));
    grown = realloc(old, (size_t)(*capacity ? 2 * *capacity : 4) * bytes);
    if (!grown)
        return -ENOMEM;
    memcpy(array, &grown, sizeof(grown));
    *capacity = *capacity ? 2 * *capacity : 4;
    return 0;
}

void *eval_own(struct eval *e, size_t bytes)
{
    if (eval_reserve(&e->owned, e->owned_n, &e->owned_capacity, sizeof(*e->owned)) < 0)
        return NULL;
    void *block = malloc(bytes ? bytes : 1);
    if (block)
        e->owned[e->owned_n++] = block;
    return block;
}

/* ---- one evaluation ------------------------------------------------------------------------- */

/* Room for what is known of each node; a new round forgets it all. */
static int reserve_seen(struct eval *e, uint32_t nodes_n)
{
    if (++e->round == 0 && e->seen) {
        memset(e->seen, 0, e->seen_capacity * sizeof(*e->seen));
        e->round = 1;
    }
    if (nodes_n <= e->seen_capacity)
        return 0;
    uint32_t capacity = nodes_n + nodes_n / 2;
    struct seen *grown = realloc(e->seen, capacity * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + e->seen_capacity, 0, (capacity - e->seen_capacity) * sizeof(*grown));
    e->seen = grown;
    e->seen_capacity = capacity;
    return 0;
}

int eval_start(struct maker *m)
{
    struct eval *e = m->eval;
    e->steps_n = e->streams_n = e->pending_n = e->wholes_n = 0;
    e->free_numbers.n = e->free_numbers.unused_n = 0;
    e->free_words.n = e->free_words.unused_n = 0;
    m->first_defined = 0;
    if (reserve_seen(e, m->graph->nodes_n) < 0)
        return eval_no_memory(m->err);
    int r = whole_clock(m, m->clock, &m->view);
    e->rows_n = r == 0 ? m->view.rows_n : 0;
    return r;
}

void eval_end(struct maker *m)
{
    struct eval *e = m->eval;
    for (uint32_t i = 0; i < e->streams_n; i++)
        indicator_stream_destroy(e->streams[i].state);
    for (uint32_t i = 0; i < e->owned_n; i++)
        free(e->owned[i]);
    e->streams_n = e->owned_n = 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void put_rows(const struct rows_out *out, uint32_t at, uint32_t n, const double *rows)
{
    if (out->dtype == SERIES_F64) {
        memcpy((double *)out->values + at, rows, n * sizeof(*rows));
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        ((float *)out->values)[at + i] = (float)rows[i];
}

/* What the buffers of the tile at hand hold: a number, or a condition as 1 and 0. */
struct root {
    bool is_condition;
    uint32_t words;
    struct operand number;
};

static const double *root_rows(struct eval *e, const struct root *root, uint32_t at, uint32_t n)
{
    double *pad = e->pad[0].rows;
    if (!root->is_condition)
        return operand_rows(e, &root->number, at, n, pad);
    const uint64_t *words = e->words[root->words].words;
    for (uint32_t i = 0; i < n; i++)
        pad[i] = (double)(words[i / 64] >> i % 64 & 1);
    return pad;
}

static int make_root(struct maker *m, uint32_t node, struct root *ret_root)
{
    *ret_root = (struct root){.is_condition = m->graph->nodes[node].is_condition};
    program_count(m, node);
    int r = ret_root->is_condition ? program_condition(m, node, &ret_root->words)
                                   : program_number(m, node, &ret_root->number);
    return r == 0 ? program_note(m, node) : r;
}

static int run_tile(struct maker *m, uint32_t at, uint32_t n)
{
    int r = program_run(m->eval, at, n);
    return r < 0 ? eval_call_failed(m->eval->failed, r, m->err) : 0;
}

int eval_rows(struct maker *m, uint32_t node, const struct rows_out *out)
{
    struct root root;
    int r = make_root(m, node, &root);
    for (uint32_t at = 0, n; r == 0 && (n = tile_rows(at, m->view.rows_n)) > 0; at += n) {
        r = run_tile(m, at, n);
        if (r == 0)
            put_rows(out, at, n, root_rows(m->eval, &root, at, n));
    }
    return r;
}

int eval_bits(struct maker *m, uint32_t node, uint64_t *bits)
{
    struct root root;
    int r = make_root(m, node, &root);
    for (uint32_t at = 0, n; r == 0 && (n = tile_rows(at, m->view.rows_n)) > 0; at += n) {
        r = run_tile(m, at, n);
        if (r == 0)
            memcpy(bits + at / 64, m->eval->words[root.words].words, (n + 63) / 64 * sizeof(*bits));
    }
    return r;
}

/* ---- the doors ------------------------------------------------------------------------------ */

static struct maker maker_of(const struct graph *graph, const struct graph_source *source,
                             struct err *err)
{
    return (struct maker){.graph = graph, .eval = graph->eval, .source = source, .err = err};
}

int graph_eval(const struct graph *graph, uint32_t node, const struct graph_source *source,
               double *out, uint32_t *ret_first_defined, struct err *err)
{
    struct maker m = maker_of(graph, source, err);
    const struct rows_out to = {.dtype = SERIES_F64, .values = out};
    int r = eval_start(&m);
    if (r == 0)
        r = eval_rows(&m, node, &to);
    if (r == 0 && ret_first_defined)
        *ret_first_defined = program_first_defined(&m);
    eval_end(&m);
    return r;
}

int graph_eval_bits(const struct graph *graph, uint32_t node, const struct graph_source *source,
                    uint64_t *bits, uint32_t *ret_first_defined, struct err *err)
{
    struct maker m = maker_of(graph, source, err);
    if (!graph->nodes[node].is_condition)
        return err_set(err, ERR_CONFIG,
                       "'%.200s' is a number, expected a condition such as close > open",
                       graph->nodes[node].key);
    int r = eval_start(&m);
    if (r == 0)
        r = eval_bits(&m, node, bits);
    if (r == 0 && ret_first_defined)
        *ret_first_defined = program_first_defined(&m);
    eval_end(&m);
    return r;
}
