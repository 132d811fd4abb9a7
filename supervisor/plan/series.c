/* SPDX-License-Identifier: MIT */
/* The unique series of a parameter space.
 *
 * Each rule is cut into its pieces; each piece is bound to every value of just the parameters that
 * it names, and added to one graph in which equal keys are one node. What each binding came to
 * stands in the piece's table. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "shm/graph.h"
#include "supervisor/plan/series_work.h"

/* Conditions, then the prices of entries. */
static const char *const rule_names[SERIES_RULES_N] = {"long_entry",  "long_exit",  "short_entry",
                                                       "short_exit",  "long_limit", "long_stop",
                                                       "short_limit", "short_stop"};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory while planning series");
}

static int refuse_too_many(const struct work *w, uint64_t n)
{
    char room[24];
    uint64_t rows_n = 0;
    for (uint32_t s = 0; s < w->symbols_n; s++)
        rows_n += w->bars[s].rows_n;
    double bytes = (double)n * (double)rows_n / (w->symbols_n ? w->symbols_n : 1) * 8.0;
    bytes_format(bytes < 1e19 ? (uint64_t)bytes : UINT64_MAX, room, sizeof room);
    return err_set(
        w->err, ERR_CONFIG,
        "the parameters name %llu series or more, which take %s; at most %u can be planned: sweep "
        "fewer values of the parameters of indicators",
        (unsigned long long)n, room, w->options->most);
}

/* Counts the nodes that were added since the last call. */
static int count_series(struct work *w)
{
    for (; w->seen_n < graph_nodes_n(w->graph); w->seen_n++)
        w->series_n +=
            graph_is_series(w->graph, w->seen_n) && !graph_is_column(w->graph, w->seen_n);
    uint64_t all = (uint64_t)w->series_n * w->symbols_n;
    if (all <= w->options->most)
        return 0;
    return refuse_too_many(w, w->asked_n * w->symbols_n > all ? w->asked_n * w->symbols_n : all);
}

/* Where the rule stands in the file, or whose it is. */
static void prefix_rule(const struct work *w, struct err *err)
{
    const struct config_strategy *s = w->strategy;
    bool has_place = (size_t)w->rule < sizeof s->rule_at / sizeof s->rule_at[0];
    const char *at = has_place ? s->rule_at[w->rule].text : "";
    if (at[0])
        err_prefix(err, "%s: %s", at, rule_names[w->rule]);
    else
        err_prefix(err, "strategy %s, %s", w->strategy->spec.name, rule_names[w->rule]);
}

static void note_refused(struct work *w, const char *piece, const struct err *why)
{
    if (w->refused_n++ > 0)
        return;
    w->refused = *why;
    err_prefix(&w->refused, "`%s`", piece);
    prefix_rule(w, &w->refused);
}

/* ---- parts of rules -------------------------------------------------------------------------- */

static int refuse_parts(const struct work *w)
{
    return err_set(w->err, ERR_CONFIG, "more than %d different calls of indicators: split it",
                   PIECES_MAX);
}

/* Takes note of a piece or a condition, once. */
static int add_part(struct work *w, const char *text, bool is_condition, bool is_read)
{
    for (uint32_t i = 0; i < w->parts_n; i++) {
        if (strcmp(w->parts[i].text, text) == 0) {
            w->parts[i].is_read |= is_read;
            w->parts[i].is_condition |= is_condition;
            return 0;
        }
    }
    char *copy = w->parts_n < SERIES_PARTS_MAX ? strdup(text) : NULL;
    if (!copy)
        return w->parts_n < SERIES_PARTS_MAX ? no_memory(w->err) : refuse_parts(w);
    w->parts[w->parts_n++] = (struct part){copy, w->rule, is_condition, is_read};
    return 0;
}

static int add_pieces(struct work *w, const char *text, bool is_read)
{
    struct pieces pieces;
    int rc = pieces_find(text, &pieces);
    if (rc < 0)
        return rc == -E2BIG ? refuse_parts(w) : no_memory(w->err);
    for (size_t i = 0; rc == 0 && i < pieces.n; i++)
        rc = add_part(w, pieces.text[i], false, is_read);
    pieces_fini(&pieces);
    return rc;
}

/* A condition is planned where the swept values that it does not name are two or more, so that
 * combinations share it. Another symbol is other bars. */
static bool is_shared(void *ctx, const char *text)
{
    struct work *w = ctx;
    struct work quiet = {
        .bars = w->bars, .symbols_n = w->symbols_n, .all_n = w->all_n, .strategy = w->strategy};
    struct err ignored;
    struct expr *expr;
    struct series_binding b;
    quiet.err = &ignored;
    if (expr_parse(text, &expr, &ignored) < 0)
        return false;
    bool fits = expr_is_condition(expr) && series_bind_names(&quiet, expr, &b) == 0;
    expr_destroy(expr);
    if (!fits || b.n > SERIES_CONDITIONS_MAX - w->conditions_n)
        return false;
    uint64_t shared_n = w->strategy->combinations_n / b.n;
    for (uint32_t d = 0; d < w->strategy->dims_n; d++)
        if (w->strategy->dims[d].is_symbol)
            shared_n /= w->strategy->dims[d].n;
    if (shared_n > 1)
        w->conditions_n += b.n;
    return shared_n > 1;
}

/* Names outside of pieces are checked too: the whole rule is parsed and bound, not added. */
static int read_rule(struct work *w, const char *rule)
{
    struct expr *expr;
    struct series_binding b;
    struct condition_parts parts;
    int rc = expr_parse(rule, &expr, w->err);
    if (rc < 0)
        return rc;
    bool cuts = w->options->wants_conditions && !w->config->noise_paths && expr_is_condition(expr);
    rc = series_bind_names(w, expr, &b);
    expr_destroy(expr);
    if (rc < 0 || !cuts)
        return rc < 0 ? rc : add_pieces(w, rule, true);
    if (conditions_cut(rule, is_shared, w, &parts) < 0)
        return no_memory(w->err);
    for (size_t i = 0; rc == 0 && i < parts.n; i++) {
        rc = add_pieces(w, parts.part[i].text, !parts.part[i].is_shared);
        if (rc == 0 && parts.part[i].is_shared)
            rc = add_part(w, parts.part[i].text, true, true);
    }
    conditions_fini(&parts);
    return rc;
}

/* ---- binding -------------------------------------------------------------------------------- */

/* Whether it looks at bars at all. */
static bool reads_bars(const struct graph *graph, uint32_t node)
{
    struct graph_info info;
    graph_info(graph, node, &info);
    bool reads = info.is_column || info.indicator;
    for (uint32_t i = 0; !reads && i < info.args_n; i++)
        reads = reads_bars(graph, info.arg[i]);
    return reads;
}

static int mark_condition(struct work *w, uint32_t node)
{
    if (node >= w->marks_capacity) {
        uint32_t capacity = 2 * graph_nodes_n(w->graph);
        bool *marks = realloc(w->is_planned_condition, capacity * sizeof *marks);
        if (!marks)
            return -ENOMEM;
        memset(marks + w->marks_capacity, 0, (capacity - w->marks_capacity) * sizeof *marks);
        w->is_planned_condition = marks;
        w->marks_capacity = capacity;
    }
    w->is_planned_condition[node] = true;
    return 0;
}

/* What one binding comes to. */
static int bound(struct work *w, const struct part *part, uint32_t node, uint32_t *ret_entry)
{
    bool whole = part->is_condition && reads_bars(w->graph, node);
    if (whole && mark_condition(w, node) < 0)
        return -ENOMEM;
    return needs_entry(w->needs, w->graph, node, whole, ret_entry);
}

/* Values that an indicator refuses are left out: a worker calls their combinations invalid. It is
 * an error where no values are left. `piece` is NULL where no combination reads it. */
static int add_bindings(struct work *w, const struct part *part, const struct expr *expr,
                        struct series_binding *b, struct needs_piece *piece)
{
    struct err refused = {0};
    uint64_t added_n = 0, tried_n = 0, tuple = 0;
    uint32_t node, entry;
    do {
        entry = ENTRY_REFUSED;
        if (series_some_combination_has(w, b)) {
            tried_n++;
            int rc = graph_add(w->graph, expr, &b->env, &node, &refused);
            if (rc == 0)
                rc = bound(w, part, node, &entry);
            if (rc == -ENOMEM || refused.kind == ERR_SYSTEM)
                return no_memory(w->err);
            added_n += rc == 0;
            if (rc < 0 && !part->is_condition)
                note_refused(w, part->text, &refused);
            w->needing->has_refused |= rc < 0;
            rc = count_series(w);
            if (rc < 0)
                return rc;
        }
        if (piece)
            piece->entry[tuple++] = entry;
    } while (series_binding_next(b));
    if (added_n == 0 && tried_n > 0)
        return err_set(w->err, ERR_CONFIG, "%s", refused.text);
    return 0;
}

/* A table for a piece, over the dims of its names. */
static struct needs_piece *add_table(struct work *w, const struct series_binding *b)
{
    struct needs_strategy *s = w->needing;
    struct needs_piece *pieces = realloc(s->pieces, (s->pieces_n + 1) * sizeof *pieces);
    if (!pieces)
        return NULL;
    s->pieces = pieces;
    struct needs_piece *piece = &pieces[s->pieces_n++];
    *piece = (struct needs_piece){.tuples_n = b->n};
    piece->dims = calloc(b->env.n + 1, sizeof *piece->dims);
    piece->entry = calloc(b->n, sizeof *piece->entry);
    for (size_t i = 0; piece->dims && i < b->env.n; i++)
        if (b->dims[i])
            piece->dims[piece->dims_n++] = (uint32_t)(b->dims[i] - w->strategy->dims);
    return piece->dims && piece->entry ? piece : NULL;
}

static int bind_part(struct work *w, const struct part *part)
{
    struct expr *expr;
    struct series_binding b;
    int rc = expr_parse(part->text, &expr, w->err);
    if (rc < 0)
        return rc;
    rc = series_bind_names(w, expr, &b);
    if (rc == 0 && __builtin_add_overflow(w->asked_n, b.n, &w->asked_n))
        w->asked_n = UINT64_MAX;
    /* Most values give a series of their own: far too many are refused before they are tried. */
    if (rc == 0 && !part->is_condition && b.n / 16 > w->options->most)
        rc = refuse_too_many(w, w->asked_n);
    struct needs_piece *piece = rc == 0 && part->is_read ? add_table(w, &b) : NULL;
    if (rc == 0 && part->is_read && !piece)
        rc = no_memory(w->err);
    if (rc == 0)
        rc = add_bindings(w, part, expr, &b, piece);
    if (rc < 0 && w->err->kind == ERR_CONFIG)
        err_prefix(w->err, "`%s`", part->text);
    expr_destroy(expr);
    return rc;
}

/* ---- strategies ----------------------------------------------------------------------------- */

static const char *rule_of(const struct config_strategy *s, const struct describe_component *known,
                           int rule)
{
    const struct strategy_spec *spec = &s->spec;
    const char *own[SERIES_RULES_N] = {spec->long_entry,  spec->long_exit,  spec->short_entry,
                                       spec->short_exit,  spec->long_limit, spec->long_stop,
                                       spec->short_limit, spec->short_stop};
    return own[rule][0] || !known ? own[rule] : known->rules[rule];
}

static int read_rules(struct work *w)
{
    int rc = 0;
    for (w->rule = 0; rc == 0 && w->rule < SERIES_RULES_N; w->rule++) {
        const char *rule = rule_of(w->strategy, w->needing->known, w->rule);
        rc = rule[0] ? read_rule(w, rule) : 0;
        if (rc < 0)
            prefix_rule(w, w->err);
    }
    return rc;
}

static int bind_parts(struct work *w)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < w->parts_n; i++) {
        w->rule = w->parts[i].rule;
        rc = bind_part(w, &w->parts[i]);
        if (rc < 0)
            prefix_rule(w, w->err);
    }
    return rc;
}

/* Nodes that one combination of the strategy can read. */
static int bound_nodes(struct work *w)
{
    uint32_t most = 0;
    for (uint32_t p = 0; p < w->needing->pieces_n; p++) {
        const struct needs_piece *piece = &w->needing->pieces[p];
        uint32_t longest = 0;
        for (uint64_t t = 0; t < piece->tuples_n; t++) {
            const uint32_t *nodes;
            uint32_t n = needs_of_entry(w->needs, &piece->entry[t], &nodes);
            longest = n > longest ? n : longest;
        }
        most += longest;
    }
    if (most > SERIES_NODES_MAX)
        return err_set(w->err, ERR_CONFIG, "strategy %s reads more than %d series",
                       w->strategy->spec.name, SERIES_NODES_MAX);
    if (most > w->needs->nodes_most)
        w->needs->nodes_most = most;
    return 0;
}

/* A condition that cannot be read excludes nothing here; the grid or the worker says what is wrong.
 */
static struct expr *condition_of(const char *text)
{
    struct expr *expr = NULL;
    struct err unread = {0};
    if (!text[0] || expr_parse(text, &expr, &unread) < 0)
        return NULL;
    return expr;
}

static int add_strategy(struct work *w, uint32_t idx)
{
    w->strategy = &w->config->strategies[idx];
    w->needing = &w->needs->strategies[idx];
    w->needing->known = describe_find(w->options->describe, w->strategy->spec.type);
    w->needing->accepts = w->needing->known ? condition_of(w->needing->known->accepts) : NULL;
    w->kept_by[0] = condition_of(w->strategy->where);
    w->kept_by[1] = w->needing->accepts;
    w->conditions_n = 0;
    int rc = read_rules(w);
    if (rc == 0)
        rc = bind_parts(w);
    if (rc == 0)
        rc = bound_nodes(w);
    for (uint32_t i = 0; i < w->parts_n; i++)
        free(w->parts[i].text);
    w->parts_n = 0;
    expr_destroy(w->kept_by[0]);
    return rc;
}

static int add_strategies(struct series_plan *plan, struct work *w)
{
    int rc = 0;
    w->graph = plan->graph;
    w->needs = plan->needs;
    for (uint32_t i = 0; rc == 0 && i < w->config->strategies_n; i++)
        rc = add_strategy(w, i);
    plan->refused_n = w->refused_n;
    plan->refused = w->refused;
    if (rc == 0 && (rc = series_list(plan, w)) == -ENOMEM)
        rc = no_memory(w->err);
    if (rc == 0 && (uint64_t)(plan->n - plan->conditions_n) > w->options->most)
        rc = refuse_too_many(w, plan->n - plan->conditions_n);
    if (rc == 0 && series_count_users(plan) < 0)
        rc = no_memory(w->err);
    return rc;
}

int series_plan_create(const struct series_plan_options *options, struct series_plan **ret_plan,
                       struct err *err)
{
    struct series_plan *plan = calloc(1, sizeof *plan);
    struct work *w = calloc(1, sizeof *w);
    int rc = 0;
    if (!plan || !w || graph_create(&plan->graph) < 0 ||
        needs_create(options->config, &plan->needs) < 0) {
        rc = no_memory(err);
    } else {
        *w = (struct work){.options = options,
                           .config = options->config,
                           .bars = options->bars,
                           .symbols_n = options->symbols_n,
                           .all_n = options->symbols_n + options->config->references_n,
                           .err = err};
        plan->symbols_n = w->symbols_n;
        plan->all_n = w->all_n;
        rc = add_strategies(plan, w);
        free(w->is_planned_condition);
    }
    free(w);
    if (rc < 0)
        series_plan_destroy(plan);
    else
        *ret_plan = plan;
    return rc;
}

int series_plan_make(const struct config *config, const struct describe *describe,
                     const struct bars *bars, uint32_t symbols_n, uint32_t most,
                     struct series_plan **ret_plan, struct err *err)
{
    const struct series_plan_options options = {
        .config = config, .describe = describe, .bars = bars, .symbols_n = symbols_n, .most = most};
    return series_plan_create(&options, ret_plan, err);
}

void series_plan_destroy(struct series_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; plan->key && i < plan->n; i++)
        free(plan->key[i]);
    free(plan->key);
    free(plan->symbol);
    free(plan->node);
    free(plan->series);
    free(plan->columns);
    free(plan->clocks);
    free(plan->clock_rows_n);
    free(plan->is_named);
    free(plan->series_of);
    needs_destroy(plan->needs);
    graph_destroy(plan->graph);
    free(plan);
}
