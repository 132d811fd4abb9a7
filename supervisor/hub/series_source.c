/* SPDX-License-Identifier: MIT */
/* What the hub must know of each series of a plan, and how builders compute them. */
#include "supervisor/hub/series_source.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/build.h"
#include "shm/plane_source.h"
#include "supervisor/hub/foreign.h"

#define STREAMED_ROWS                                                                              \
    32768 /* that a worker remembers, at most, of what it computes tile by tile                    \
           */

struct series_source {
    const struct series_plan *plan;
    struct plane_writer *plane;
    const struct config *config;
    struct hub_series *series; /* [n + 1] */
    uint32_t *args;
    size_t args_n, args_most;
    uint32_t *mark; /* [n] the series + 1 whose list of arguments it was put on last */
    uint32_t groups_n;
    const struct indicator **kind; /* [kinds_n] NULL: conditions and arithmetic */
    uint32_t kinds_n;
    uint32_t needs_most;
};

static int no_memory(const struct series_source *x, struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory for %u series", x->plan->n);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static int add_arg(struct series_source *x, uint32_t of, uint32_t arg)
{
    if (arg == of || x->mark[arg] == of + 1)
        return 0;
    if (x->args_n == x->args_most) {
        size_t more = x->args_most ? 2 * x->args_most : 64;
        uint32_t *bigger = more < UINT32_MAX ? realloc(x->args, more * sizeof *bigger) : NULL;
        if (!bigger)
            return -1;
        x->args = bigger;
        x->args_most = more;
    }
    x->mark[arg] = of + 1;
    x->args[x->args_n++] = arg;
    return 0;
}

/* The series below a node, through what is no series itself. */
static int add_args(struct series_source *x, uint32_t of, uint32_t node)
{
    const struct series_plan *plan = x->plan;
    struct graph_info info;
    graph_info(plan->graph, node, &info);
    for (uint32_t i = 0; i < info.args_n; i++) {
        uint32_t arg = series_plan_find(plan, info.arg[i], plan->symbol[of]);
        int r = arg < of ? add_arg(x, of, arg) : add_args(x, of, info.arg[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- groups and kinds ----------------------------------------------------------------------- */

struct group_key {
    uint64_t group;
    uint32_t clock_idx, dtype, symbol, series;
};

static int compare_keys(const void *a, const void *b)
{
    const struct group_key *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->clock_idx != y->clock_idx)
        return x->clock_idx < y->clock_idx ? -1 : 1;
    if (x->symbol != y->symbol)
        return x->symbol < y->symbol ? -1 : 1;
    return (x->dtype > y->dtype) - (x->dtype < y->dtype);
}

static int number_groups(struct series_source *x)
{
    const struct series_plan *plan = x->plan;
    struct group_key *key = calloc((size_t)plan->n + 1, sizeof *key);
    if (!key)
        return -1;
    for (uint32_t i = 0; i < plan->n; i++)
        key[i] = (struct group_key){graph_group(plan->graph, plan->series[i].node),
                                    plan->series[i].clock_idx, plan->series[i].dtype,
                                    plan->symbol[i], i};
    if (plan->n > 1)
        qsort(key, plan->n, sizeof *key, compare_keys);
    for (uint32_t k = 0; k < plan->n; k++) {
        x->groups_n += k == 0 || compare_keys(&key[k - 1], &key[k]) != 0;
        x->series[key[k].series].group = x->groups_n - 1;
    }
    free(key);
    return 0;
}

static int number_kinds(struct series_source *x)
{
    uint32_t last = 0;
    x->kind = calloc(indicator_count() + 1, sizeof *x->kind);
    if (!x->kind)
        return -1;
    x->kinds_n = 1;
    for (uint32_t i = 0; i < x->plan->n; i++) {
        struct graph_info info;
        graph_info(x->plan->graph, x->plan->series[i].node, &info);
        if (x->kind[last] != info.indicator) {
            last = 0;
            while (last < x->kinds_n && x->kind[last] != info.indicator)
                last++;
            if (last == x->kinds_n)
                x->kind[x->kinds_n++] = info.indicator;
        }
        x->series[i].kind = last;
    }
    return 0;
}

/* A worker computes series of the traded symbol's own bars tile by tile, others whole in float64.
 */
static uint64_t private_bytes(const struct planned_series *p, uint32_t symbol_idx)
{
    uint64_t rows_n = p->rows_n;
    if (p->is_condition)
        return p->bytes;
    if (p->clock_idx == symbol_idx && rows_n > STREAMED_ROWS)
        rows_n = STREAMED_ROWS;
    return rows_n * sizeof(double);
}

static int describe_series(struct series_source *x)
{
    const struct series_plan *plan = x->plan;
    for (uint32_t i = 0; i < plan->n; i++) {
        const struct planned_series *p = &plan->series[i];
        x->series[i] = (struct hub_series){
            .users_n = p->direct_n,
            .is_estimate = !p->is_exact,
            .bytes = p->bytes,
            .private_bytes = private_bytes(p, plan->symbol[i]),
            .rows_n = p->rows_n,
            .args_off = (uint32_t)x->args_n,
            .value_ns = p->rows_n > 0 ? p->cost_ns / p->rows_n : 0,
        };
        if (add_args(x, i, p->node) < 0)
            return -1;
    }
    x->series[plan->n].args_off = (uint32_t)x->args_n;
    return 0;
}

int series_source_create(const struct series_source_options *options,
                         struct series_source **ret_source, struct err *err)
{
    const struct series_plan *plan = options->plan;
    struct series_source *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_SYSTEM, "out of memory for series");
    x->plan = plan;
    x->plane = options->plane;
    x->config = options->config;
    x->needs_most = series_plan_of_most(plan);
    x->series = calloc((size_t)plan->n + 1, sizeof *x->series);
    x->mark = calloc((size_t)plan->n + 1, sizeof *x->mark);
    if (!x->series || !x->mark || describe_series(x) < 0 || number_groups(x) < 0 ||
        number_kinds(x) < 0) {
        int r = no_memory(x, err);
        series_source_destroy(x);
        return r;
    }
    *ret_source = x;
    return 0;
}

void series_source_destroy(struct series_source *x)
{
    if (!x)
        return;
    free(x->series);
    free(x->args);
    free(x->mark);
    free(x->kind);
    free(x);
}

/* ---- what the hub asks ---------------------------------------------------------------------- */

/* A combination on an altered history computes its series from that. */
static uint32_t needs(void *ctx, const struct combo *combo, uint32_t *ret_series)
{
    const struct series_source *x = ctx;
    if (combo->noise_path > 0)
        return 0;
    return series_plan_of(x->plan, combo, ret_series, x->needs_most);
}

static void *place(void *ctx, uint32_t i)
{
    return plane_place(((struct series_source *)ctx)->plane, i);
}

static void unplace(void *ctx, uint32_t i)
{
    plane_unplace(((struct series_source *)ctx)->plane, i);
}

static void publish(void *ctx, uint32_t i, uint32_t first_defined)
{
    plane_publish(((struct series_source *)ctx)->plane, i, first_defined);
}

static void unlink_series(void *ctx, uint32_t i)
{
    plane_unlink(((struct series_source *)ctx)->plane, i);
}

static void drop_idle(void *ctx, uint64_t bytes_to_come)
{
    plane_drop_idle_extents(((struct series_source *)ctx)->plane, bytes_to_come);
}

static uint64_t bytes_now(void *ctx)
{
    return plane_writer_bytes(((struct series_source *)ctx)->plane).series_now;
}

static uint64_t held_peak(void *ctx)
{
    return plane_writer_bytes(((struct series_source *)ctx)->plane).held_peak;
}

static const char *key(void *ctx, uint32_t i)
{
    const struct series_plan *plan = ((struct series_source *)ctx)->plan;
    return plan->series[i].key;
}

/* ---- computing ------------------------------------------------------------------------------ */

/* A plugin's code runs in a process of its own. */
static int build_foreign(const struct series_source *x, const uint32_t *series, uint32_t n,
                         void *const *out, uint32_t *ret_first_defined, struct err *err)
{
    const struct series_plan *plan = x->plan;
    const struct planned_series *first = &plan->series[series[0]];
    const char *names[HUB_JOB_SERIES_MAX], *libraries[SPEC_LIBRARIES_MAX];
    uint32_t libraries_n = 0;
    for (uint32_t k = 0; k < n; k++)
        names[k] = graph_key(plan->graph, plan->series[series[k]].node);
    while (libraries_n < x->config->plugins_n && libraries_n < SPEC_LIBRARIES_MAX) {
        libraries[libraries_n] = x->config->plugins[libraries_n].path;
        libraries_n++;
    }
    const struct foreign_job job = {
        .worker_path = describe_worker_path(),
        .libraries_n = libraries_n,
        .libraries = libraries,
        .plane = plane_writer_fds(x->plane),
        .symbol_idx = plan->symbol[series[0]],
        .dtype = first->dtype,
        .series_n = n,
        .key = names,
        .values_bytes = series_bytes(first->dtype, first->rows_n),
    };
    return foreign_build(&job, out, ret_first_defined, err);
}

static int build(void *ctx, const uint32_t *series, void *const *out, uint32_t n,
                 uint32_t *ret_first_defined, struct err *err)
{
    const struct series_source *x = ctx;
    const struct series_plan *plan = x->plan;
    const struct planned_series *first = &plan->series[series[0]];
    uint32_t node[HUB_JOB_SERIES_MAX];
    struct graph_info info;
    plane_writer_sync(x->plane);
    graph_info(plan->graph, first->node, &info);
    if (info.indicator && info.indicator->library)
        return build_foreign(x, series, n, out, ret_first_defined, err);
    for (uint32_t k = 0; k < n; k++)
        node[k] = plan->series[series[k]].node;
    const struct plane_source seen = {.plane = plane_writer_view(x->plane),
                                      .symbol_idx = plan->symbol[series[0]]};
    const struct graph_source source = plane_source_of(&seen);
    return graph_compute(plan->graph, node, n, &source, first->dtype, out, ret_first_defined, err);
}

/* Of the plane, as plugins' processes get it from builders. */
static uint32_t kept_fds(void *ctx, int *ret_fds)
{
    const struct series_source *x = ctx;
    const struct plane_fds *fds = plane_writer_fds(x->plane);
    uint32_t n = 0;
    if (x->config->plugins_n == 0)
        return 0;
    ret_fds[n++] = fds->core;
    for (uint32_t i = 0; i < fds->extents_n; i++)
        if (fds->extent[i] >= 0)
            ret_fds[n++] = fds->extent[i];
    return n;
}

static_assert(PLANE_EXTENTS_MAX + 1 <= HUB_KEPT_FDS_MAX, "descriptors of a plane");
static_assert(HUB_JOB_SERIES_MAX <= BUILD_SERIES_MAX, "series of a job");

struct hub_source series_source_of(struct series_source *x)
{
    return (struct hub_source){
        .ctx = x,
        .series_n = x->plan->n,
        .groups_n = x->groups_n,
        .kinds_n = x->kinds_n,
        .series = x->series,
        .args = x->args,
        .needs_most = x->needs_most,
        .needs = needs,
        .place = place,
        .unplace = unplace,
        .publish = publish,
        .unlink = unlink_series,
        .release = unplace, /* an unlinked series is a place that is not published */
        .drop_idle = drop_idle,
        .bytes_now = bytes_now,
        .held_peak = held_peak,
        .key = key,
        .kept_fds = kept_fds,
        .build = build,
    };
}
