/* SPDX-License-Identifier: MIT */
/* Who shares a risk or an execution container: combinations whose configurations encode to equal
 * bytes.
 *
 * Only a few dims can shape such a configuration. Their values alone are enumerated, once for each
 * kind; all other dims multiply what a container serves, not what this costs. */
#include "supervisor/plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "shm/expr.h"
#include "supervisor/config/schema.h"
#include "supervisor/plan/subgrid.h"

struct kind_list {
    uint32_t *n;
    struct shared_container **items;
};

static struct kind_list list_of(struct sharing *sharing, enum sharing_kind kind)
{
    if (kind == SHARING_RISK)
        return (struct kind_list){&sharing->risk_n, &sharing->risk};
    return (struct kind_list){&sharing->execution_n, &sharing->execution};
}

/* Whether a dim's values go into configurations of a kind. */
static bool may_shape(const struct dim *d, enum sharing_kind kind)
{
    size_t from =
        kind == SHARING_RISK ? offsetof(struct combo, risk) : offsetof(struct combo, execution);
    size_t size = kind == SHARING_RISK ? sizeof(struct risk_cfg) : sizeof(struct execution_cfg);
    return d->target == DIM_FIELD && d->row->offset >= from && d->row->offset < from + size;
}

/* XXH3-128 of the encoded configuration; false without memory. */
static bool hash_of(const struct combo *combo, enum sharing_kind kind, uint64_t ret_hash[2])
{
    struct buf b = {0};
    if (kind == SHARING_RISK)
        risk_cfg_encode(&b, &combo->risk);
    else
        execution_cfg_encode(&b, &combo->execution);
    XXH128_hash_t h = XXH3_128bits(b.data, b.n_bytes);
    bool ok = !b.failed;
    buf_fini(&b);
    ret_hash[0] = h.high64;
    ret_hash[1] = h.low64;
    return ok;
}

/* ---- the table of containers ---------------------------------------------------------------- */

static uint32_t *slot_of(const struct sharing *sharing, enum sharing_kind kind,
                         const uint64_t hash[2])
{
    const struct shared_container *items =
        kind == SHARING_RISK ? sharing->risk : sharing->execution;
    uint32_t mask = sharing->slots_n[kind] - 1;
    for (uint32_t i = (uint32_t)hash[1] & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &sharing->slots[kind][i];
        if (*slot == 0 || memcmp(items[*slot - 1].hash, hash, sizeof items->hash) == 0)
            return slot;
    }
}

/* Room for one more container at half load. */
static int grow(struct sharing *sharing, enum sharing_kind kind)
{
    struct kind_list list = list_of(sharing, kind);
    if (sharing->slots_n[kind] >= 2 * (*list.n + 1))
        return 0;
    uint32_t slots_n = sharing->slots_n[kind] ? sharing->slots_n[kind] * 4 : 16;
    uint32_t *slots = calloc(slots_n, sizeof *slots);
    struct shared_container *items = realloc(*list.items, slots_n / 2 * sizeof *items);
    if (items)
        *list.items = items;
    if (!slots || !items) {
        free(slots);
        return -ENOMEM;
    }
    free(sharing->slots[kind]);
    sharing->slots[kind] = slots;
    sharing->slots_n[kind] = slots_n;
    for (uint32_t i = 0; i < *list.n; i++)
        *slot_of(sharing, kind, items[i].hash) = i + 1;
    return 0;
}

static int add_part(struct shared_container *c, uint32_t strategy_idx, uint64_t tuple)
{
    if ((c->parts_n & (c->parts_n - 1)) == 0) {
        size_t room = c->parts_n ? 2 * (size_t)c->parts_n : 1;
        struct sharing_part *parts = realloc(c->parts, room * sizeof *parts);
        if (!parts)
            return -ENOMEM;
        c->parts = parts;
    }
    c->parts[c->parts_n++] = (struct sharing_part){strategy_idx, tuple};
    return 0;
}

/* The container of this combination's configuration, made where there is none. */
static int find_or_add(struct sharing *sharing, enum sharing_kind kind, const struct combo *combo,
                       struct shared_container **ret_container)
{
    uint64_t hash[2];
    if (!hash_of(combo, kind, hash) || grow(sharing, kind) < 0)
        return -ENOMEM;
    struct kind_list list = list_of(sharing, kind);
    uint32_t *slot = slot_of(sharing, kind, hash);
    if (*slot == 0) {
        struct shared_container *c = &(*list.items)[*list.n];
        *c = (struct shared_container){
            .hash = {hash[0], hash[1]}, .risk = combo->risk, .execution = combo->execution};
        snprintf(c->container_id, sizeof c->container_id, "%s_%u",
                 kind == SHARING_RISK ? "risk" : "execution", *list.n);
        *slot = ++*list.n;
    }
    *ret_container = &(*list.items)[*slot - 1];
    return 0;
}

/* ---- what one strategy needs ---------------------------------------------------------------- */

/* One strategy while its containers of one kind are found. */
struct walk {
    const struct config *config;
    struct sharing *sharing;
    enum sharing_kind kind;
    uint32_t strategy_idx;
    const struct sharing_shape *shape;
    uint64_t tuples_n;
};

/* Whether digit `digit` of a dim gives another configuration than its first one does. */
static int differs(const struct walk *w, uint32_t dim, uint64_t digit, bool *ret_differs)
{
    struct subgrid *g = subgrid_create(w->config, w->strategy_idx);
    if (!g)
        return -ENOMEM;
    struct combo combo;
    uint64_t a[2] = {0}, b[2] = {0};
    subgrid_keep(g, 0, NULL);
    bool ok = grid_combo(&g->config, 0, &combo) && hash_of(&combo, w->kind, a);
    subgrid_pin(g, dim, digit);
    ok = ok && grid_combo(&g->config, 0, &combo) && hash_of(&combo, w->kind, b);
    subgrid_destroy(g);
    *ret_differs = memcmp(a, b, sizeof a) != 0;
    return ok ? 0 : -ENOMEM;
}

static int find_shape(struct walk *w, struct sharing_shape *shape, struct err *err)
{
    const struct config_strategy *s = &w->config->strategies[w->strategy_idx];
    w->tuples_n = 1;
    w->shape = shape;
    for (uint32_t d = 0; d < s->dims_n; d++) {
        bool first = false, last = false;
        if (!may_shape(&s->dims[d], w->kind) || s->dims[d].n < 2)
            continue;
        if (differs(w, d, 1, &first) < 0 || differs(w, d, s->dims[d].n - 1, &last) < 0)
            return err_set(err, ERR_SYSTEM, "out of memory while planning containers");
        if (!first && !last)
            continue;
        shape->dims[shape->dims_n++] = d;
        if (__builtin_mul_overflow(w->tuples_n, s->dims[d].n, &w->tuples_n) ||
            w->tuples_n > SHARING_CONTAINERS_MAX)
            return err_set(err, ERR_CONFIG,
                           "the grid asks for more than %d different %s containers; sweep fewer "
                           "values of %s",
                           SHARING_CONTAINERS_MAX, w->kind == SHARING_RISK ? "risk" : "execution",
                           s->dims[d].name);
    }
    return 0;
}

/* Whether the strategy's `where` names a dim that shapes the containers. */
static bool where_names_shape(const struct walk *w)
{
    const struct config_strategy *s = &w->config->strategies[w->strategy_idx];
    struct expr *expr;
    struct err err;
    bool names_it = false;
    const char *const *names;
    if (!s->where[0] || expr_parse(s->where, &expr, &err) < 0)
        return false;
    size_t n = expr_names(expr, &names);
    for (size_t i = 0; i < n; i++)
        for (uint32_t d = 0; d < w->shape->dims_n; d++)
            names_it |= strcmp(names[i], s->dims[w->shape->dims[d]].name) == 0;
    expr_destroy(expr);
    return names_it;
}

/* Combinations of the strategy that run: those of one tuple, or all where `tuple` is UINT64_MAX. */
static int count_kept(const struct walk *w, uint64_t tuple, uint64_t *ret_n)
{
    struct subgrid *g = subgrid_create(w->config, w->strategy_idx);
    if (!g)
        return -ENOMEM;
    if (tuple != UINT64_MAX)
        subgrid_pin_tuple(g, w->shape->dims_n, w->shape->dims, tuple);
    *ret_n = grid_count(&g->config);
    subgrid_destroy(g);
    return 0;
}

static int add_tuple(const struct walk *w, const struct combo *combo, uint64_t tuple,
                     uint64_t serves_n)
{
    struct shared_container *c;
    if (serves_n == 0)
        return 0;
    int rc = find_or_add(w->sharing, w->kind, combo, &c);
    if (rc < 0)
        return rc;
    c->serves_n += serves_n;
    return add_part(c, w->strategy_idx, tuple);
}

static int walk_tuples(const struct walk *w)
{
    bool each = where_names_shape(w);
    uint64_t kept = 0;
    struct combo combo;
    int rc = each ? 0 : count_kept(w, UINT64_MAX, &kept);
    struct subgrid *g = subgrid_create(w->config, w->strategy_idx);
    if (!g)
        return -ENOMEM;
    subgrid_keep(g, w->shape->dims_n, w->shape->dims);
    for (uint64_t t = 0; rc == 0 && t < w->tuples_n; t++) {
        uint64_t serves_n = kept / w->tuples_n;
        if (each)
            rc = count_kept(w, t, &serves_n);
        if (rc == 0 && grid_combo(&g->config, t, &combo))
            rc = add_tuple(w, &combo, t, serves_n);
    }
    subgrid_destroy(g);
    return rc;
}

static int walk_kind(struct walk *w, enum sharing_kind kind, struct err *err)
{
    for (uint32_t s = 0; s < w->config->strategies_n; s++) {
        w->kind = kind;
        w->strategy_idx = s;
        int rc = find_shape(w, &w->sharing->shape[s][kind], err);
        if (rc < 0)
            return rc;
        if (walk_tuples(w) < 0)
            return err_set(err, ERR_SYSTEM, "out of memory while planning containers");
    }
    return 0;
}

int sharing_make(const struct config *config, struct sharing **ret_sharing, struct err *err)
{
    struct sharing *sharing = calloc(1, sizeof *sharing);
    if (sharing)
        sharing->shape = calloc(config->strategies_n + 1, sizeof *sharing->shape);
    if (!sharing || !sharing->shape) {
        sharing_destroy(sharing);
        return err_set(err, ERR_SYSTEM, "out of memory while planning containers");
    }
    struct walk w = {.config = config, .sharing = sharing};
    int rc = 0;
    sharing->strategies_n = config->strategies_n;
    for (int kind = 0; rc == 0 && kind < SHARING_KIND_N; kind++)
        rc = walk_kind(&w, (enum sharing_kind)kind, err);
    if (rc < 0) {
        sharing_destroy(sharing);
        return rc;
    }
    sharing->combinations_n = grid_count(config);
    sharing->total =
        1 + sharing->risk_n + sharing->execution_n + UINT64_C(2) * sharing->combinations_n;
    sharing->naive_total = 1 + UINT64_C(4) * sharing->combinations_n;
    *ret_sharing = sharing;
    return 0;
}

static void free_containers(struct shared_container *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free(items[i].parts);
    free(items);
}

void sharing_destroy(struct sharing *sharing)
{
    if (!sharing)
        return;
    free_containers(sharing->risk, sharing->risk_n);
    free_containers(sharing->execution, sharing->execution_n);
    free(sharing->shape);
    for (int kind = 0; kind < SHARING_KIND_N; kind++)
        free(sharing->slots[kind]);
    free(sharing);
}

/* ---- questions ------------------------------------------------------------------------------ */

static uint32_t container_of(const struct sharing *sharing, enum sharing_kind kind,
                             const struct combo *combo)
{
    uint64_t hash[2];
    if (sharing->slots_n[kind] == 0 || !hash_of(combo, kind, hash))
        return 0;
    uint32_t slot = *slot_of(sharing, kind, hash);
    return slot ? slot - 1 : 0;
}

void sharing_of(const struct sharing *sharing, const struct combo *combo, uint32_t *ret_risk,
                uint32_t *ret_execution)
{
    *ret_risk = container_of(sharing, SHARING_RISK, combo);
    *ret_execution = container_of(sharing, SHARING_EXECUTION, combo);
}

static enum sharing_kind kind_of(const struct sharing *sharing, const struct shared_container *c)
{
    return sharing->risk_n && c >= sharing->risk && c < sharing->risk + sharing->risk_n
               ? SHARING_RISK
               : SHARING_EXECUTION;
}

/* Combinations looked at for one list: `where` may keep very few. */
#define SERVES_SCAN_MAX 1000000

/* Appends the first combinations of one part; at most `most` in all. */
static int serves_of_part(const struct config *config, const struct sharing_shape *shape,
                          const struct sharing_part *part, uint32_t most, uint64_t *list)
{
    struct subgrid *g = subgrid_create(config, part->strategy_idx);
    struct combo combo;
    uint32_t n = 0;
    if (!g)
        return -ENOMEM;
    subgrid_pin_tuple(g, shape->dims_n, shape->dims, part->tuple);
    for (uint64_t i = 0; i < g->config.combinations_n && n < most && i < SERVES_SCAN_MAX; i++)
        if (!g->strategy.where_plan || grid_combo(&g->config, i, &combo))
            list[n++] = subgrid_number(g, i);
    subgrid_destroy(g);
    return (int)n;
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int sharing_serves(const struct config *config, const struct sharing *sharing,
                   const struct shared_container *container, uint32_t most,
                   uint64_t *ret_combinations)
{
    enum sharing_kind kind = kind_of(sharing, container);
    uint64_t *list = calloc(2 * (size_t)most + 1, sizeof *list);
    uint32_t n = 0;
    if (!list)
        return -ENOMEM;
    for (uint32_t p = 0; p < container->parts_n; p++) {
        const struct sharing_part *part = &container->parts[p];
        int got =
            serves_of_part(config, &sharing->shape[part->strategy_idx][kind], part, most, list + n);
        if (got < 0) {
            free(list);
            return got;
        }
        n += (uint32_t)got;
        qsort(list, n, sizeof *list, compare_u64);
        n = n < most ? n : most;
    }
    memcpy(ret_combinations, list, n * sizeof *list);
    free(list);
    return (int)n;
}

static uint64_t digit_of(const struct config_strategy *s, const struct sharing_shape *shape,
                         uint64_t tuple, uint32_t dim)
{
    for (uint32_t i = shape->dims_n; i-- > 0;) {
        uint64_t size = s->dims[shape->dims[i]].n;
        if (shape->dims[i] == dim)
            return tuple % size;
        tuple /= size;
    }
    return UINT64_MAX;
}

/* Parts of one strategy meet where the dims that shape both kinds have equal digits. */
static bool parts_meet(const struct config *config, const struct sharing *sharing,
                       const struct sharing_part *risk, const struct sharing_part *execution)
{
    if (risk->strategy_idx != execution->strategy_idx)
        return false;
    const struct config_strategy *s = &config->strategies[risk->strategy_idx];
    const struct sharing_shape *shape = sharing->shape[risk->strategy_idx];
    const struct sharing_shape *a = &shape[SHARING_RISK], *b = &shape[SHARING_EXECUTION];
    for (uint32_t i = 0; i < a->dims_n; i++) {
        uint64_t other = digit_of(s, b, execution->tuple, a->dims[i]);
        if (other != UINT64_MAX && other != digit_of(s, a, risk->tuple, a->dims[i]))
            return false;
    }
    return true;
}

bool sharing_meets(const struct config *config, const struct sharing *sharing,
                   const struct shared_container *risk, const struct shared_container *execution)
{
    for (uint32_t i = 0; i < risk->parts_n; i++)
        for (uint32_t j = 0; j < execution->parts_n; j++)
            if (parts_meet(config, sharing, &risk->parts[i], &execution->parts[j]))
                return true;
    return false;
}
