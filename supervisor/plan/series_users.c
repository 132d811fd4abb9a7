/* SPDX-License-Identifier: MIT */
/* How many combinations use each series.
 *
 * Only some dims matter: those that pieces name, and those that `where` and `accepts` name. Where
 * few tuples of their digits exist, each is looked at, and all other dims multiply. Where there are
 * many and nothing filters, a node's count follows from how many tuples of each piece lead to it,
 * as long as these pieces name different dims. What is left is estimated. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/graph.h"
#include "supervisor/plan/series_work.h"

#define SAMPLES_N 65536

/* Counts by node of the graph, of one strategy and then of all. */
struct counts {
    uint64_t *direct_n, *users_n;
    bool *is_estimate;
};

struct counter {
    struct series_plan *plan;
    const struct needs_strategy *s;
    uint32_t nodes_n;
    uint32_t dims_n; /* that matter */
    uint32_t dims[CONFIG_DIMS_MAX];
    uint64_t tuples_n;      /* of them; UINT64_MAX: more than that */
    bool is_filtered;       /* by where, accepts or refused values */
    uint32_t *stamp;        /* [nodes_n] */
    uint32_t round;         /* of stamps */
    uint32_t *stack;        /* [nodes_n] */
    struct counts strategy; /* of one */
    struct counts all;
};

/* ---- what matters --------------------------------------------------------------------------- */

static bool is_named(const struct needs_strategy *s, const char *name, const struct dim *dim)
{
    if (strcmp(name, dim->name) == 0)
        return true;
    if (dim->target != DIM_PARAM)
        return false;
    return strcmp(name, s->names[dim->param_idx]) == 0 ||
           (s->known && dim->param_idx < s->known->params_n &&
            strcmp(name, s->known->params[dim->param_idx].alias) == 0);
}

static void mark_names(const struct needs_strategy *s, const struct expr *expr,
                       bool matters[static CONFIG_DIMS_MAX])
{
    const char *const *names;
    size_t n = expr ? expr_names(expr, &names) : 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t d = 0; d < s->config->dims_n; d++)
            matters[d] |= is_named(s, names[i], &s->config->dims[d]);
}

static void mark_where(const struct needs_strategy *s, bool matters[static CONFIG_DIMS_MAX])
{
    struct expr *where = NULL;
    struct err ignored;
    if (!s->config->where[0] || expr_parse(s->config->where, &where, &ignored) < 0)
        return;
    mark_names(s, where, matters);
    expr_destroy(where);
}

static void find_dims(struct counter *c)
{
    bool matters[CONFIG_DIMS_MAX] = {false};
    for (uint32_t p = 0; p < c->s->pieces_n; p++)
        for (uint32_t i = 0; i < c->s->pieces[p].dims_n; i++)
            matters[c->s->pieces[p].dims[i]] = true;
    mark_names(c->s, c->s->accepts, matters);
    mark_where(c->s, matters);
    c->dims_n = 0;
    c->tuples_n = 1;
    for (uint32_t d = 0; d < c->s->config->dims_n; d++) {
        if (!matters[d])
            continue;
        c->dims[c->dims_n++] = d;
        c->tuples_n *= c->s->config->dims[d].n; /* divides what the loader bounds */
    }
    c->is_filtered = c->s->config->where_plan || c->s->accepts || c->s->has_refused;
}

/* ---- every tuple, or some of them ----------------------------------------------------------- */

/* Calls `visit` for each node that is reached from `from`, once in a round. */
static void mark_reached(struct counter *c, uint32_t from, uint64_t weight)
{
    uint32_t n = 0;
    c->stack[n++] = from;
    while (n > 0) {
        struct graph_info info;
        uint32_t node = c->stack[--n];
        if (c->stamp[node] == c->round)
            continue;
        c->stamp[node] = c->round;
        c->strategy.users_n[node] += weight;
        graph_info(c->plan->graph, node, &info);
        for (uint32_t i = 0; i < info.args_n; i++)
            if (c->stamp[info.arg[i]] != c->round)
                c->stack[n++] = info.arg[i];
    }
}

/* Adds the combinations of one tuple, each of `weight`; false where none of them runs. */
static bool count_tuple(struct counter *c, uint64_t tuple, uint64_t weight)
{
    const struct config_strategy *s = c->s->config;
    uint64_t digits[CONFIG_DIMS_MAX] = {0}, index = 0;
    uint32_t nodes[SERIES_NODES_MAX];
    struct combo combo;
    for (uint32_t i = c->dims_n; i-- > 0;) {
        digits[c->dims[i]] = tuple % s->dims[c->dims[i]].n;
        tuple /= s->dims[c->dims[i]].n;
    }
    for (uint32_t d = 0; d < s->dims_n; d++)
        index = index * s->dims[d].n + digits[d];
    if (!grid_combo(c->plan->needs->config, s->first + index, &combo))
        return false;
    uint32_t n = needs_nodes(c->plan->needs, c->s, digits, combo.params, nodes, SERIES_NODES_MAX);
    c->round++;
    for (uint32_t i = 0; i < n; i++) {
        c->strategy.direct_n[nodes[i]] += weight;
        mark_reached(c, nodes[i], weight);
    }
    return n > 0;
}

static uint64_t count_every(struct counter *c)
{
    uint64_t rest = c->s->combinations_n / c->tuples_n, kept = 0;
    for (uint64_t t = 0; t < c->tuples_n; t++)
        kept += count_tuple(c, t, rest);
    return kept * rest;
}

static uint64_t scatter(uint64_t x)
{
    x = (x ^ (x >> 31)) * UINT64_C(0x7fb5d329728ea185);
    return x ^ (x >> 27);
}

static uint64_t scaled(uint64_t n, double factor)
{
    double v = (double)n * factor;
    return v < 1e18 ? (uint64_t)(v + 0.5) : UINT64_MAX / 16;
}

/* One tuple of each of SAMPLES_N equal stretches. */
static uint64_t count_sampled(struct counter *c)
{
    uint64_t stretch = c->tuples_n / SAMPLES_N, kept = 0;
    for (uint64_t i = 0; i < SAMPLES_N; i++)
        kept += count_tuple(c, i * stretch + scatter(i + 1) % stretch, 1);
    double factor = (double)c->s->combinations_n / SAMPLES_N;
    for (uint32_t n = 0; n < c->nodes_n; n++) {
        c->strategy.direct_n[n] = scaled(c->strategy.direct_n[n], factor);
        c->strategy.users_n[n] = scaled(c->strategy.users_n[n], factor);
        c->strategy.is_estimate[n] = true;
    }
    return scaled(kept, factor);
}

/* ---- by pieces ------------------------------------------------------------------------------ */

/* What is left of all combinations when those that reach a node are gone, piece by piece. */
struct remainder {
    uint64_t dims_seen; /* of the pieces that lead to it, a bit each */
    double frac;        /* of combinations that do not */
    uint64_t of, left;  /* the same as a quotient, while pieces name different dims */
    bool overlaps;
};

static void take_hits(struct remainder *r, const struct needs_piece *piece, uint64_t hits)
{
    uint64_t dims = 0;
    for (uint32_t i = 0; i < piece->dims_n; i++)
        dims |= UINT64_C(1) << piece->dims[i];
    r->overlaps |= (r->dims_seen & dims) != 0;
    r->dims_seen |= dims;
    r->frac *= 1.0 - (double)hits / (double)piece->tuples_n;
    r->of *= r->overlaps ? 1 : piece->tuples_n;
    r->left *= r->overlaps ? 1 : piece->tuples_n - hits;
}

static uint64_t not_left(const struct remainder *r, uint64_t combinations_n)
{
    if (r->overlaps)
        return scaled(combinations_n, 1.0 - r->frac);
    return combinations_n - combinations_n / r->of * r->left;
}

/* Hits of one piece by node: of its entries alone, or of all that they reach. */
static void hit_piece(struct counter *c, const struct needs_piece *piece, bool reached,
                      uint64_t *hits)
{
    for (uint64_t t = 0; t < piece->tuples_n; t++) {
        const uint32_t *nodes;
        uint32_t n = needs_of_entry(c->plan->needs, &piece->entry[t], &nodes);
        c->round++;
        for (uint32_t i = 0; i < n && !reached; i++)
            hits[nodes[i]]++;
        for (uint32_t i = 0; i < n && reached; i++)
            mark_reached(c, nodes[i], 1);
    }
}

static int count_by_pieces(struct counter *c, bool reached, uint64_t *counts)
{
    struct remainder *r = calloc((size_t)c->nodes_n + 1, sizeof *r);
    if (!r)
        return -ENOMEM;
    for (uint32_t n = 0; n < c->nodes_n; n++)
        r[n] = (struct remainder){.frac = 1.0, .of = 1, .left = 1};
    for (uint32_t p = 0; p < c->s->pieces_n; p++) {
        memset(counts, 0, c->nodes_n * sizeof *counts);
        hit_piece(c, &c->s->pieces[p], reached, counts);
        for (uint32_t n = 0; n < c->nodes_n; n++)
            if (counts[n])
                take_hits(&r[n], &c->s->pieces[p], counts[n]);
    }
    for (uint32_t n = 0; n < c->nodes_n; n++) {
        counts[n] = r[n].frac < 1.0 ? not_left(&r[n], c->s->combinations_n) : 0;
        c->strategy.is_estimate[n] |= r[n].overlaps;
    }
    free(r);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_strategy(struct counter *c)
{
    for (uint32_t n = 0; n < c->nodes_n; n++) {
        c->all.direct_n[n] += c->strategy.direct_n[n];
        c->all.users_n[n] += c->strategy.users_n[n];
        c->all.is_estimate[n] |= c->strategy.is_estimate[n];
    }
    memset(c->strategy.direct_n, 0, c->nodes_n * sizeof *c->strategy.direct_n);
    memset(c->strategy.users_n, 0, c->nodes_n * sizeof *c->strategy.users_n);
    memset(c->strategy.is_estimate, 0, c->nodes_n * sizeof *c->strategy.is_estimate);
}

static int count_strategy(struct counter *c, const struct needs_strategy *s)
{
    int rc = 0;
    c->s = s;
    find_dims(c);
    if (s->pieces_n == 0 || c->plan->needs->config->noise_paths) {
        c->plan->combinations_n += s->config->runs_n;
        return 0;
    }
    memset(c->stamp, 0, c->nodes_n * sizeof *c->stamp);
    c->round = 0;
    if (c->tuples_n <= SERIES_COUNTED_MAX) {
        c->plan->combinations_n += count_every(c);
    } else if (c->is_filtered) {
        c->plan->combinations_n += count_sampled(c);
    } else {
        c->plan->combinations_n += s->combinations_n;
        rc = count_by_pieces(c, false, c->strategy.direct_n);
        if (rc == 0)
            rc = count_by_pieces(c, true, c->strategy.users_n);
    }
    add_strategy(c);
    return rc;
}

/* Adds the users of one node to a series; where each combination trades one symbol, those of its
 * own. A series of two nodes may have users of both. */
static void give_one(const struct counter *c, struct planned_series *s, uint32_t node)
{
    struct graph_info info;
    const struct config *config = c->plan->needs->config;
    graph_info(c->plan->graph, node, &info);
    bool is_own = !graph_clock(c->plan->graph, info.clock)->symbol;
    uint64_t shares_n = config->each_symbol && is_own ? config->symbols_n : 1;
    s->is_exact = !c->all.is_estimate[node] && s->users_n == 0;
    s->direct_n += c->all.direct_n[node] / shares_n;
    s->users_n += c->all.users_n[node] / shares_n;
}

/* A node of another symbol's bars is one series, whoever trades. */
static void give(struct counter *c)
{
    struct series_plan *plan = c->plan;
    plan->is_exact = true;
    for (uint32_t i = 0; i < plan->columns_n; i++)
        give_one(c, &plan->columns[i], plan->columns[i].node);
    for (uint32_t node = 0; node < c->nodes_n; node++) {
        for (uint32_t symbol = 0; symbol < plan->symbols_n; symbol++) {
            uint32_t idx = series_plan_find(plan, node, symbol);
            if (idx == UINT32_MAX)
                continue;
            if (symbol == 0 || idx != series_plan_find(plan, node, symbol - 1))
                give_one(c, &plan->series[idx], node);
        }
    }
    for (uint32_t i = 0; i < plan->n; i++)
        plan->is_exact &= plan->series[i].is_exact;
}

static int counts_init(struct counts *counts, uint32_t n)
{
    counts->direct_n = calloc((size_t)n + 1, sizeof *counts->direct_n);
    counts->users_n = calloc((size_t)n + 1, sizeof *counts->users_n);
    counts->is_estimate = calloc((size_t)n + 1, sizeof *counts->is_estimate);
    return counts->direct_n && counts->users_n && counts->is_estimate ? 0 : -ENOMEM;
}

static void counts_fini(struct counts *counts)
{
    free(counts->direct_n);
    free(counts->users_n);
    free(counts->is_estimate);
}

int series_count_users(struct series_plan *plan)
{
    struct counter c = {.plan = plan, .nodes_n = graph_nodes_n(plan->graph)};
    int rc = 0;
    c.stamp = calloc((size_t)c.nodes_n + 1, sizeof *c.stamp);
    c.stack = calloc((size_t)c.nodes_n * INDICATOR_INPUTS_MAX + 1, sizeof *c.stack);
    if (counts_init(&c.strategy, c.nodes_n) < 0 || counts_init(&c.all, c.nodes_n) < 0 || !c.stamp ||
        !c.stack)
        rc = -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < plan->needs->strategies_n; i++)
        rc = count_strategy(&c, &plan->needs->strategies[i]);
    if (rc == 0)
        give(&c);
    counts_fini(&c.strategy);
    counts_fini(&c.all);
    free(c.stamp);
    free(c.stack);
    return rc;
}
