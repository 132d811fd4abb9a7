/* SPDX-License-Identifier: MIT */
#include "shm/source.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shm/plane.h"
#include "shm/resample.h"

#define BARS_COLUMNS_N 5u

/* ---- columns found by name ------------------------------------------------------------------ */

static bool is_own(const struct graph_clock *clock)
{
    return !clock->symbol && clock->timeframe.unit == TIMEFRAME_OWN;
}

static bool lookup_clock(void *ctx, const struct graph_clock *clock, struct clock_view *ret_view)
{
    const struct lookup_source *l = ctx;
    if (!is_own(clock))
        return false;
    *ret_view = (struct clock_view){.rows_n = l->rows_n, .time_ns = l->time_ns};
    return true;
}

static bool lookup_series(void *ctx, const struct graph_clock *clock, const char *local_key,
                          struct series_view *ret_view)
{
    const struct lookup_source *l = ctx;
    struct series_view view = {.dtype = SERIES_F64};
    if (!is_own(clock))
        return false;
    view.values = l->find(l->ctx, local_key, &view.first_defined);
    if (view.values)
        *ret_view = view;
    return view.values;
}

struct graph_source lookup_source_of(const struct lookup_source *lookup)
{
    union {
        const struct lookup_source *lookup;
        void *ctx;
    } u = {lookup};
    return (struct graph_source){.ctx = u.ctx, .clock = lookup_clock, .series = lookup_series};
}

/* ---- bars ----------------------------------------------------------------------------------- */

/* Rows of a clock that are made here. */
struct made_clock {
    struct graph_clock clock;
    struct bars bars; /* views of `block` */
    int32_t *row_of;  /* NULL: own rows */
    void *block;
    double **extra;
};

struct bars_source {
    const struct bars *bars;
    uint32_t symbols_n;
    uint32_t traded;
    uint32_t clocks_n;
    struct made_clock **clocks;
};

const double *bars_column(const struct bars *b, const char *name)
{
    const struct {
        const char *name;
        const double *values;
    } columns[BARS_COLUMNS_N] = {{"open", b->open},
                                 {"high", b->high},
                                 {"low", b->low},
                                 {"close", b->close},
                                 {"volume", b->volume}};
    for (uint32_t i = 0; i < BARS_COLUMNS_N; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return columns[i].values;
    }
    for (uint32_t i = 0; i < b->extra_n; i++) {
        if (strcmp(b->extra_names[i], name) == 0)
            return b->extra[i];
    }
    return NULL;
}

int bars_source_create(const struct bars *bars, uint32_t symbols_n, uint32_t traded,
                       struct bars_source **ret_source)
{
    struct bars_source *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    *s = (struct bars_source){.bars = bars, .symbols_n = symbols_n, .traded = traded};
    *ret_source = s;
    return 0;
}

static void made_destroy(struct made_clock *made)
{
    if (!made)
        return;
    free(made->row_of);
    free(made->block);
    free(made->extra);
    free(made);
}

void bars_source_destroy(struct bars_source *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->clocks_n; i++)
        made_destroy(s->clocks[i]);
    free(s->clocks);
    free(s);
}

static const struct bars *bars_of_symbol(const struct bars_source *s, const char *symbol)
{
    if (!symbol)
        return &s->bars[s->traded];
    for (uint32_t i = 0; i < s->symbols_n; i++) {
        if (strcmp(s->bars[i].symbol, symbol) == 0)
            return &s->bars[i];
    }
    return NULL;
}

/* Larger bars in one block: the times, then column after column. */
static int make_bars(struct made_clock *made, const struct bars *from)
{
    uint32_t rows_n = resample_rows(from, made->clock.timeframe);
    size_t columns_n = BARS_COLUMNS_N + from->extra_n;
    int64_t *time = malloc((rows_n + 1) * (columns_n + 1) * sizeof(double));
    double **extra = calloc(from->extra_n + 1, sizeof(*extra));
    made->block = time;
    made->extra = extra;
    if (!time || !extra)
        return -ENOMEM;
    double *column = (double *)(time + rows_n);
    for (uint32_t i = 0; i < from->extra_n; i++)
        extra[i] = column + (size_t)rows_n * (BARS_COLUMNS_N + i);
    const struct resampled out = {.time_ns = time,
                                  .open = column,
                                  .high = column + rows_n,
                                  .low = column + 2 * (size_t)rows_n,
                                  .close = column + 3 * (size_t)rows_n,
                                  .volume = column + 4 * (size_t)rows_n,
                                  .extra = extra};
    resample(from, made->clock.timeframe, &out);
    made->bars = (struct bars){.symbol = from->symbol,
                               .rows_n = rows_n,
                               .time_ns = time,
                               .open = out.open,
                               .high = out.high,
                               .low = out.low,
                               .close = out.close,
                               .volume = out.volume,
                               .extra_n = from->extra_n,
                               .extra_names = from->extra_names,
                               .extra = (const double *const *)extra};
    return 0;
}

static int make_row_map(const struct bars_source *s, const struct bars *from,
                        struct made_clock *made)
{
    const struct bars *own = &s->bars[s->traded];
    struct align_to to = {.time_ns = made->bars.time_ns,
                          .rows_n = made->bars.rows_n,
                          .timeframe = made->clock.timeframe,
                          .bars_time_ns = from == own ? NULL : from->time_ns,
                          .bars_n = from->rows_n};
    if (from == own && to.timeframe.unit == TIMEFRAME_OWN)
        return 0;
    made->row_of = malloc((own->rows_n + 1) * sizeof(*made->row_of));
    if (!made->row_of)
        return -ENOMEM;
    align_rows(own->time_ns, own->rows_n, &to, made->row_of);
    return 0;
}

static int fill_clock(const struct bars_source *s, const struct bars *from, struct made_clock *made)
{
    int r = 0;
    if (made->clock.timeframe.unit == TIMEFRAME_OWN)
        made->bars = *from;
    else
        r = make_bars(made, from);
    return r < 0 ? r : make_row_map(s, from, made);
}

static bool is_same_clock(const struct graph_clock *a, const struct graph_clock *b)
{
    bool is_same_symbol =
        a->symbol && b->symbol ? strcmp(a->symbol, b->symbol) == 0 : a->symbol == b->symbol;
    return is_same_symbol && timeframe_equal(a->timeframe, b->timeframe);
}

/* NULL: there are no such bars, or no memory. */
static const struct made_clock *find_clock(struct bars_source *s, const struct graph_clock *clock)
{
    const struct bars *from = bars_of_symbol(s, clock->symbol);
    for (uint32_t i = 0; i < s->clocks_n; i++) {
        if (is_same_clock(&s->clocks[i]->clock, clock))
            return s->clocks[i];
    }
    if (!from)
        return NULL;
    struct made_clock **grown = realloc(s->clocks, (s->clocks_n + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    s->clocks = grown;
    struct made_clock *made = calloc(1, sizeof(*made));
    if (!made)
        return NULL;
    made->clock.symbol = clock->symbol ? from->symbol : NULL;
    made->clock.timeframe = clock->timeframe;
    if (fill_clock(s, from, made) < 0) {
        made_destroy(made);
        return NULL;
    }
    s->clocks[s->clocks_n++] = made;
    return made;
}

static bool source_clock(void *ctx, const struct graph_clock *clock, struct clock_view *ret_view)
{
    const struct made_clock *made = find_clock(ctx, clock);
    if (made)
        *ret_view = (struct clock_view){
            .rows_n = made->bars.rows_n, .time_ns = made->bars.time_ns, .row_of = made->row_of};
    return made;
}

static bool source_series(void *ctx, const struct graph_clock *clock, const char *local_key,
                          struct series_view *ret_view)
{
    const struct made_clock *made = find_clock(ctx, clock);
    struct series_view view = {.dtype = SERIES_F64};
    const double *values = made ? bars_column(&made->bars, local_key) : NULL;
    if (!values)
        return false;
    while (view.first_defined < made->bars.rows_n && isnan(values[view.first_defined]))
        view.first_defined++;
    view.values = values;
    *ret_view = view;
    return true;
}

struct graph_source bars_source_of(struct bars_source *source)
{
    return (struct graph_source){.ctx = source, .clock = source_clock, .series = source_series};
}
