/* SPDX-License-Identifier: MIT */
/* What a run works on: the bars of its range, every series computed once, all sealed in one plane.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/graph.h"
#include "supervisor/plan/plan.h"
#include "supervisor/pool/run.h"

struct load {
    const struct config *config;
    const struct describe *describe;
    struct run_data *data;
    struct series_plan *series;
    struct plane_builder *builder;
};

/* ---- series --------------------------------------------------------------------------------- */

/* Series that are computed already, found by key within one symbol. */
struct finder {
    const struct load *load;
    uint32_t symbol;
    uint32_t ready_n;        /* series of the plan that have values */
    const uint32_t *by_key;  /* [n] indexes sorted by symbol and key */
    uint32_t *first_defined; /* [n] */
};

static uint32_t first_defined_of(const double *values, uint32_t rows_n)
{
    uint32_t row = 0;
    while (row < rows_n && isnan(values[row]))
        row++;
    return row;
}

static const double *column_of(const struct bars *b, const char *key)
{
    const struct {
        const char *name;
        const double *values;
    } columns[] = {{"open", b->open},
                   {"high", b->high},
                   {"low", b->low},
                   {"close", b->close},
                   {"volume", b->volume}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (strcmp(columns[i].name, key) == 0)
            return columns[i].values;
    for (uint32_t i = 0; i < b->extra_n; i++)
        if (strcmp(b->extra_names[i], key) == 0)
            return b->extra[i];
    return NULL;
}

static int compare_series(const struct series_plan *plan, uint32_t a, uint32_t symbol,
                          const char *key)
{
    if (plan->symbol[a] != symbol)
        return plan->symbol[a] < symbol ? -1 : 1;
    return strcmp(plan->key[a], key);
}

static const double *find_series(void *ctx, const char *key, uint32_t *ret_first_defined)
{
    const struct finder *f = ctx;
    const struct bars *bars = &f->load->data->range.cut[f->symbol];
    const double *column = column_of(bars, key);
    if (column) {
        if (ret_first_defined)
            *ret_first_defined = first_defined_of(column, bars->rows_n);
        return column;
    }
    const struct series_plan *plan = f->load->series;
    uint32_t low = 0, high = plan->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_series(plan, f->by_key[middle], f->symbol, key);
        if (order == 0 && f->by_key[middle] < f->ready_n) {
            if (ret_first_defined)
                *ret_first_defined = f->first_defined[f->by_key[middle]];
            return plane_builder_series(f->load->builder, f->by_key[middle]);
        }
        if (order == 0)
            return NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int compare_by_key(const void *a, const void *b, void *ctx)
{
    const struct series_plan *plan = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return compare_series(plan, x, plan->symbol[y], plan->key[y]);
}

static int compute_series(struct load *l, struct err *err)
{
    const struct series_plan *plan = l->series;
    uint32_t *by_key = calloc(plan->n + 1, sizeof *by_key);
    uint32_t *first_defined = calloc(plan->n + 1, sizeof *first_defined);
    int r = 0;
    if (!by_key || !first_defined)
        r = err_set(err, ERR_SYSTEM, "out of memory for %u series", plan->n);
    for (uint32_t i = 0; r == 0 && i < plan->n; i++)
        by_key[i] = i;
    if (r == 0 && plan->n > 1)
        qsort_r(by_key, plan->n, sizeof *by_key, compare_by_key, l->series);
    struct finder f = {.load = l, .by_key = by_key, .first_defined = first_defined};
    for (uint32_t i = 0; r == 0 && i < plan->n; i++) {
        f.symbol = plan->symbol[i];
        f.ready_n = i;
        double *out = plane_builder_series(l->builder, i);
        uint32_t rows_n = l->data->range.cut[f.symbol].rows_n;
        r = graph_compute(plan->graph, plan->node[i], find_series, &f, rows_n, out, err);
        if (r == 0)
            first_defined[i] = first_defined_of(out, rows_n);
    }
    free(by_key);
    free(first_defined);
    return r;
}

/* ---- the plane ------------------------------------------------------------------------------ */

static int count_steps(struct run_data *data, struct err *err)
{
    struct plane *plane;
    int r = plane_open(data->plane_fd, &plane, err);
    if (r < 0)
        return r;
    data->first_step = plane->first_step;
    data->steps_n = plane->steps_n - plane->first_step;
    plane_close(plane);
    return 0;
}

static int build_plane(struct load *l, struct err *err)
{
    struct run_data *data = l->data;
    struct plane_plan plan = {
        .symbols_n = data->range.symbols_n,
        .bars = data->range.cut,
        .first_row = data->range.warm_up_rows,
        .series_n = l->series->n,
        .series_symbol = l->series->symbol,
        .series_key = (const char *const *)l->series->key,
        .data_hash = {data->range.data_hash[0], data->range.data_hash[1]},
    };
    data->plane_bytes = plane_plan_bytes(&plan);
    data->series_n = l->series->n;
    int r = plane_build(&plan, &l->builder, err);
    if (r < 0) {
        l->builder = NULL;
        return r;
    }
    r = compute_series(l, err);
    if (r < 0)
        return r;
    struct plane_builder *builder = l->builder;
    l->builder = NULL; /* sealing frees it in any case */
    r = plane_seal(builder, &data->plane_fd, err);
    if (r < 0) {
        data->plane_fd = -1;
        return r;
    }
    return count_steps(data, err);
}

int run_data_build(const struct config *config, const struct describe *describe,
                   struct range *range, struct run_data *ret_data, struct err *err)
{
    struct run_data *data = calloc(1, sizeof *data);
    if (!data) {
        range_fini(range);
        return err_set(err, ERR_SYSTEM, "out of memory for bars");
    }
    data->plane_fd = -1;
    data->range = *range;
    *range = (struct range){0};
    struct load l = {.config = config, .describe = describe, .data = data};
    int r = series_plan_make(config, describe, data->range.cut, data->range.symbols_n,
                             range_series_most(&data->range), &l.series, err);
    if (r == 0)
        r = build_plane(&l, err);
    plane_builder_destroy(l.builder);
    series_plan_destroy(l.series);
    if (r < 0)
        run_data_fini(data);
    else
        *ret_data = *data;
    free(data);
    return r;
}

int run_data_load(const struct config *config, const struct describe *describe, struct store *store,
                  const uint64_t (*hashes)[2], struct run_data *ret_data, struct err *err)
{
    struct range range = {0};
    int r = range_load(config, store, hashes, &range, err);
    return r == 0 ? run_data_build(config, describe, &range, ret_data, err) : r;
}

void run_data_fini(struct run_data *data)
{
    range_fini(&data->range);
    if (data->plane_fd > 0)
        close(data->plane_fd);
    *data = (struct run_data){.plane_fd = -1};
}
