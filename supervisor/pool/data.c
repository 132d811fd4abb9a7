/* SPDX-License-Identifier: MIT */
/* What a run works on: bars cut to the range with their warm-up, every series computed once, all of
 * it sealed in one plane. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "proto/units.h"
#include "shm/graph.h"
#include "supervisor/import/csv.h"
#include "supervisor/plan/plan.h"
#include "supervisor/pool/run.h"

/* Rows of one symbol: [begin, end) go into the plane, those from `first` on are the range. */
struct cut {
    uint32_t begin, first, end;
};

struct load {
    const struct config *config;
    const struct describe *describe;
    struct run_data *data;
    struct bars cut[SPEC_SYMBOLS_MAX]; /* borrowed views into data->bars */
    uint32_t first_row[SPEC_SYMBOLS_MAX];
    const double **extra; /* of all symbols, for the views */
    struct series_plan *series;
    struct plane_builder *builder;
};

/* ---- bars
 * ---------------------------------------------------------------------------------------- */

static int check_hash(const struct config_symbol *symbol, const uint64_t found[2],
                      const uint64_t *wanted, struct err *err)
{
    if (!wanted || (found[0] == wanted[0] && found[1] == wanted[1]))
        return 0;
    return err_set(
        err, ERR_DATA,
        "the bars of %s in %s are not those that the run used: bring the file back as it was",
        symbol->name, symbol->csv);
}

static int load_csv(const struct config_symbol *symbol, struct bars **ret_bars, struct err *err)
{
    struct csv_options options = {.symbol = symbol->name};
    struct csv_report report;
    return csv_read(symbol->csv, &options, ret_bars, &report, err);
}

/* By hash from the store where that is asked for; a file of data.csv stands in where the store
 * lacks it. */
static int load_symbol(const struct config_symbol *symbol, struct store *store,
                       const uint64_t *wanted, struct bars **ret_bars, struct err *err)
{
    struct symbol_info info;
    bool is_csv = symbol->csv[0] != '\0';
    if (!is_csv && !store)
        return err_set(err, ERR_NO_INPUT,
                       "no store to take the bars of %s from: name its file in data.csv",
                       symbol->name);
    if (store && (!is_csv || wanted)) {
        struct err why;
        int r = store_get_bars(store, symbol->name, wanted, ret_bars, &info, &why);
        if (r == 0)
            return r;
        if (!is_csv) {
            *err = why;
            return r;
        }
    }
    return load_csv(symbol, ret_bars, err);
}

static int load_all(struct load *l, struct store *store, const uint64_t (*hashes)[2],
                    struct err *err)
{
    const struct config *c = l->config;
    for (uint32_t s = 0; s < c->symbols_n; s++) {
        const uint64_t *wanted = hashes ? hashes[s] : NULL;
        int r = load_symbol(&c->symbols[s], store, wanted, &l->data->bars[s], err);
        if (r < 0)
            return r;
        l->data->symbols_n = s + 1;
        bars_hash(l->data->bars[s], l->data->symbol_hash[s]);
        r = check_hash(&c->symbols[s], l->data->symbol_hash[s], wanted, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the range
 * ----------------------------------------------------------------------------------- */

static uint32_t row_at(const struct bars *bars, const struct config_bound *bound,
                       uint32_t otherwise)
{
    if (bound->kind == BOUND_NONE)
        return otherwise;
    if (bound->kind == BOUND_BAR)
        return bound->value < 0                       ? 0
               : bound->value > (int64_t)bars->rows_n ? bars->rows_n
                                                      : (uint32_t)bound->value;
    uint32_t low = 0, high = bars->rows_n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bars->time_ns[middle] < bound->value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int cut_of(const struct config *c, const struct bars *bars, const char *name,
                  struct cut *ret_cut, struct err *err)
{
    uint32_t first = row_at(bars, &c->from, 0);
    uint32_t end = row_at(bars, &c->to, bars->rows_n);
    if (first >= end) {
        char from[TIME_ISO_BYTES], to[TIME_ISO_BYTES];
        if (bars->rows_n == 0)
            return err_set(err, ERR_NO_INPUT, "%s has no bars", name);
        return err_set(err, ERR_CONFIG,
                       "data.from and data.to leave no bar of %s: it has %u bars from %s to %s",
                       name, bars->rows_n, time_format_iso(bars->time_ns[0], from),
                       time_format_iso(bars->time_ns[bars->rows_n - 1], to));
    }
    *ret_cut = (struct cut){first > c->warm_up ? first - c->warm_up : 0, first, end};
    return 0;
}

static struct bars view_of(const struct bars *bars, const struct cut *cut, const char *name,
                           const double **extra)
{
    uint32_t at = cut->begin;
    for (uint32_t i = 0; i < bars->extra_n; i++)
        extra[i] = bars->extra[i] + at;
    return (struct bars){
        .symbol = name,
        .rows_n = cut->end - at,
        .time_ns = bars->time_ns + at,
        .open = bars->open + at,
        .high = bars->high + at,
        .low = bars->low + at,
        .close = bars->close + at,
        .volume = bars->volume + at,
        .extra_n = bars->extra_n,
        .extra_names = bars->extra_names,
        .extra = extra,
    };
}

static int cut_all(struct load *l, struct err *err)
{
    struct run_data *data = l->data;
    size_t extra_n = 1;
    for (uint32_t s = 0; s < data->symbols_n; s++)
        extra_n += data->bars[s]->extra_n;
    l->extra = calloc(extra_n, sizeof *l->extra);
    if (!l->extra)
        return err_set(err, ERR_SYSTEM, "out of memory for columns");
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return err_set(err, ERR_SYSTEM, "out of memory for a hash");
    (void)XXH3_128bits_reset(state); /* fails on NULL alone, as the updates do */
    const double **extra = l->extra;
    int r = 0;
    for (uint32_t s = 0; s < data->symbols_n && r == 0; s++) {
        const char *name = l->config->symbols[s].name;
        struct cut cut;
        r = cut_of(l->config, data->bars[s], name, &cut, err);
        if (r < 0)
            break;
        l->cut[s] = view_of(data->bars[s], &cut, name, extra);
        l->first_row[s] = cut.first - cut.begin;
        data->first_row[s] = cut.first;
        extra += data->bars[s]->extra_n;
        (void)XXH3_128bits_update(state, name, strlen(name) + 1);
        (void)XXH3_128bits_update(state, data->symbol_hash[s], sizeof data->symbol_hash[s]);
        (void)XXH3_128bits_update(state, &cut, sizeof cut);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    data->data_hash[0] = hash.low64;
    data->data_hash[1] = hash.high64;
    XXH3_freeState(state);
    return r;
}

/* ---- series
 * -------------------------------------------------------------------------------------- */

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
    const struct bars *bars = &f->load->cut[f->symbol];
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
        uint32_t rows_n = l->cut[f.symbol].rows_n;
        r = graph_compute(plan->graph, plan->node[i], find_series, &f, rows_n, out, err);
        if (r == 0)
            first_defined[i] = first_defined_of(out, rows_n);
    }
    free(by_key);
    free(first_defined);
    return r;
}

/* ---- the plane
 * ----------------------------------------------------------------------------------- */

/* As many series as half of the machine's memory holds. */
static uint32_t series_most(const struct load *l)
{
    double memory = 0.5 * (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double rows = 1;
    for (uint32_t s = 0; s < l->data->symbols_n; s++)
        rows += l->cut[s].rows_n;
    double most = memory / (8 * rows / l->data->symbols_n);
    return most < 1 ? 1 : most > 1e6 ? 1000000 : (uint32_t)most;
}

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
        .symbols_n = data->symbols_n,
        .bars = l->cut,
        .first_row = l->first_row,
        .series_n = l->series->n,
        .series_symbol = l->series->symbol,
        .series_key = (const char *const *)l->series->key,
        .data_hash = {data->data_hash[0], data->data_hash[1]},
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

int run_data_load(const struct config *config, const struct describe *describe, struct store *store,
                  const uint64_t (*hashes)[2], struct run_data *ret_data, struct err *err)
{
    struct run_data data = {.plane_fd = -1};
    struct load *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_SYSTEM, "out of memory for bars");
    *l = (struct load){.config = config, .describe = describe, .data = &data};
    int r = load_all(l, store, hashes, err);
    if (r == 0)
        r = cut_all(l, err);
    if (r == 0)
        r = series_plan_make(config, describe, l->cut, data.symbols_n, series_most(l), &l->series,
                             err);
    if (r == 0)
        r = build_plane(l, err);
    plane_builder_destroy(l->builder);
    if (l->series)
        series_plan_destroy(l->series);
    free(l->extra);
    free(l);
    if (r < 0)
        run_data_fini(&data);
    else
        *ret_data = data;
    return r;
}

void run_data_fini(struct run_data *data)
{
    for (uint32_t s = 0; s < data->symbols_n; s++)
        bars_free(data->bars[s]);
    if (data->plane_fd > 0)
        close(data->plane_fd);
    *data = (struct run_data){.plane_fd = -1};
}
