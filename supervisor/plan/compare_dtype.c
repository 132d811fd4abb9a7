/* SPDX-License-Identifier: MIT */
/* Conditions of combinations in float64 and float32. Each different condition is computed once for
 * each symbol, however many combinations have it. */
#include "supervisor/plan/compare_dtype.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/expr.h"
#include "shm/graph.h"
#include "shm/source.h"
#include "supervisor/config/strategy.h"

#define CONDITIONS_N 4      /* of a strategy: entries and exits; its prices are no signals */
#define ALL_MAX      100000 /* combinations that are looked at, and conditions */
#define SCAN_MAX     64 /* numbers tried for one combination of a sample: `where` may keep few */

struct comparing {
    const struct config *config;
    const struct describe *describe;
    const struct range *range;
    struct expr **rules; /* [strategies_n * CONDITIONS_N]; NULL: none */
    struct graph *graph;
    uint32_t nodes_n, nodes_most;
    uint32_t *nodes; /* different conditions */
    uint32_t marks_n;
    bool *is_taken; /* [marks_n] by node of the graph */
    struct dtype_comparison *to;
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory while comparing series");
}

/* ---- conditions ----------------------------------------------------------------------------- */

static int parse_rules(struct comparing *c)
{
    c->rules = calloc((size_t)c->config->strategies_n * CONDITIONS_N + 1, sizeof *c->rules);
    if (!c->rules)
        return no_memory(c->err);
    for (uint32_t s = 0; s < c->config->strategies_n; s++) {
        const struct strategy_spec *spec = &c->config->strategies[s].spec;
        const struct describe_component *known = describe_find(c->describe, spec->type);
        for (unsigned i = 0; i < CONDITIONS_N; i++) {
            const char *rule = rule_of(spec, i);
            if (!*rule && known)
                rule = known->rules[i];
            int rc = *rule ? expr_parse(rule, &c->rules[s * CONDITIONS_N + i], c->err) : 0;
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* Marks for nodes below n. */
static int grow_marks(struct comparing *c, uint32_t n)
{
    bool *marks = n <= c->marks_n ? c->is_taken : realloc(c->is_taken, 2 * (size_t)n);
    if (!marks)
        return no_memory(c->err);
    if (n > c->marks_n) {
        memset(marks + c->marks_n, 0, 2 * (size_t)n - c->marks_n);
        c->marks_n = 2 * n;
    }
    c->is_taken = marks;
    return 0;
}

static int add_node(struct comparing *c, uint32_t node)
{
    if (grow_marks(c, node + 1) < 0)
        return -ENOMEM;
    if (c->is_taken[node])
        return 0;
    if (c->nodes_n == c->nodes_most) {
        uint32_t most = c->nodes_most ? 2 * c->nodes_most : 64;
        uint32_t *nodes = realloc(c->nodes, most * sizeof *nodes);
        if (!nodes)
            return no_memory(c->err);
        c->nodes = nodes;
        c->nodes_most = most;
    }
    c->is_taken[node] = true;
    c->nodes[c->nodes_n++] = node;
    return 0;
}

/* The conditions of one combination; those that are refused are passed over. */
static int add_combination(struct comparing *c, const struct combo *combo)
{
    const struct config_strategy *s = grid_strategy(c->config, combo->combination);
    size_t at = (size_t)(s - c->config->strategies) * CONDITIONS_N;
    const char *names[SPEC_PARAMS_MAX];
    for (uint32_t i = 0; i < s->spec.params_n; i++)
        names[i] = s->spec.param_names[i];
    const struct expr_env env = {.n = s->spec.params_n, .names = names, .values = combo->params};
    for (unsigned i = 0; i < CONDITIONS_N; i++) {
        struct err refused = {0};
        uint32_t node;
        if (!c->rules[at + i])
            continue;
        int rc = graph_add(c->graph, c->rules[at + i], &env, &node, &refused);
        if (rc < 0 && refused.kind != ERR_CONFIG)
            return no_memory(c->err);
        if (rc == 0 && add_node(c, node) < 0)
            return -ENOMEM;
    }
    c->to->combinations_n++;
    return 0;
}

/* ---- which combinations --------------------------------------------------------------------- */

/* Different conditions that the work allows. */
static uint64_t conditions_most(const struct comparing *c)
{
    uint64_t rows_n = 1;
    for (uint32_t s = 0; s < c->range->symbols_n; s++)
        rows_n += c->range->cut[s].rows_n;
    uint64_t most = COMPARE_ROWS_MAX / rows_n;
    if (most > ALL_MAX)
        return ALL_MAX;
    return most < 4 * CONDITIONS_N ? 4 * CONDITIONS_N : most;
}

static uint64_t scatter(uint64_t x)
{
    x = (x ^ (x >> 31)) * UINT64_C(0x7fb5d329728ea185);
    return x ^ (x >> 27);
}

/* All, or too many conditions to be computed. */
static int add_every(struct comparing *c, uint64_t most)
{
    struct combo combo;
    int rc = 0;
    for (uint64_t n = 0; rc == 0 && n < c->config->combinations_n && c->nodes_n <= most; n++)
        if (grid_combo(c->config, n, &combo))
            rc = add_combination(c, &combo);
    return rc;
}

/* One of each of `most` equal stretches, or near it. */
static int add_some(struct comparing *c, uint64_t most)
{
    uint64_t stretch = c->config->combinations_n / most;
    int rc = 0;
    c->to->is_sample = true;
    for (uint64_t i = 0; rc == 0 && i < most; i++) {
        struct combo combo;
        for (uint64_t k = 0; k < SCAN_MAX; k++) {
            uint64_t n = i * stretch + scatter(i * SCAN_MAX + k + 1) % stretch;
            if (!grid_combo(c->config, n, &combo))
                continue;
            rc = add_combination(c, &combo);
            break;
        }
    }
    return rc;
}

static int choose(struct comparing *c)
{
    uint64_t most = conditions_most(c);
    if (c->config->combinations_n <= ALL_MAX) {
        int rc = add_every(c, most);
        if (rc < 0 || c->nodes_n <= most)
            return rc;
    }
    graph_clear(c->graph);
    if (c->is_taken)
        memset(c->is_taken, 0, c->marks_n * sizeof *c->is_taken);
    c->nodes_n = 0;
    c->to->combinations_n = 0;
    most /= CONDITIONS_N;
    return add_some(c, most < c->config->combinations_n ? most : c->config->combinations_n);
}

/* ---- both ways ------------------------------------------------------------------------------ */

/* Bits of one symbol. */
struct bits {
    uint64_t *f64, *f32; /* [rows_n / 64 + 1] */
    uint32_t symbol_idx, from_row, rows_n;
};

static uint64_t differing(const struct bits *b)
{
    uint64_t n = 0;
    for (uint32_t w = b->from_row / 64; w < (b->rows_n + 63) / 64; w++) {
        uint64_t apart = b->f64[w] ^ b->f32[w];
        if (w == b->from_row / 64)
            apart &= ~UINT64_C(0) << b->from_row % 64;
        n += (uint64_t)__builtin_popcountll(apart);
    }
    return n;
}

static int note(struct comparing *c, const struct bits *b, uint32_t node)
{
    struct dtype_comparison *to = c->to;
    uint64_t n = differing(b);
    to->conditions_n++;
    to->bits_n += b->rows_n - b->from_row;
    to->differing_n += n;
    if (n <= to->worst_n)
        return 0;
    char *key = strdup(graph_key(c->graph, node));
    if (!key)
        return no_memory(c->err);
    free(to->worst_key);
    to->worst_key = key;
    to->worst_n = n;
    to->worst_bits_n = b->rows_n - b->from_row;
    to->worst_symbol_idx = b->symbol_idx;
    return 0;
}

static int compare_nodes(struct comparing *c, struct bars_source *bars, struct bits *b)
{
    const struct graph_source f64 = bars_source_of(bars);
    struct graph_source f32 = f64;
    int rc = 0;
    f32.rounds_to_f32 = true;
    for (uint32_t i = 0; rc == 0 && i < c->nodes_n; i++) {
        rc = graph_eval_bits(c->graph, c->nodes[i], &f64, b->f64, NULL, c->err);
        if (rc == 0)
            rc = graph_eval_bits(c->graph, c->nodes[i], &f32, b->f32, NULL, c->err);
        if (rc == 0)
            rc = note(c, b, c->nodes[i]);
    }
    return rc;
}

static int compare_symbol(struct comparing *c, uint32_t symbol)
{
    const struct range *range = c->range;
    struct bars_source *bars = NULL;
    size_t words = range->cut[symbol].rows_n / 64 + 1;
    struct bits b = {calloc(words, 8), calloc(words, 8), symbol, range->warm_up_rows[symbol],
                     range->cut[symbol].rows_n};
    int rc = -ENOMEM;
    if (b.f64 && b.f32)
        rc = bars_source_create(range->cut, range->all_n, symbol, &bars);
    rc = rc < 0 ? no_memory(c->err) : compare_nodes(c, bars, &b);
    bars_source_destroy(bars);
    free(b.f64);
    free(b.f32);
    return rc;
}

static int compare_all(struct comparing *c)
{
    if (graph_create(&c->graph) < 0)
        return no_memory(c->err);
    int rc = parse_rules(c);
    if (rc == 0)
        rc = choose(c);
    for (uint32_t s = 0; rc == 0 && s < c->range->symbols_n; s++)
        rc = compare_symbol(c, s);
    return rc;
}

int dtype_compare(const struct config *config, const struct describe *describe,
                  const struct range *range, struct dtype_comparison *ret, struct err *err)
{
    struct dtype_comparison to = {0};
    struct comparing c = {
        .config = config, .describe = describe, .range = range, .to = &to, .err = err};
    int rc = compare_all(&c);
    for (size_t i = 0; c.rules && i < (size_t)config->strategies_n * CONDITIONS_N; i++)
        expr_destroy(c.rules[i]);
    free(c.rules);
    free(c.nodes);
    free(c.is_taken);
    graph_destroy(c.graph);
    if (rc < 0)
        dtype_comparison_fini(&to);
    else
        *ret = to;
    return rc;
}

void dtype_comparison_fini(struct dtype_comparison *comparison)
{
    free(comparison->worst_key);
    comparison->worst_key = NULL;
}
