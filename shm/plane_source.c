/* SPDX-License-Identifier: MIT */
#include "shm/plane_source.h"

#include <string.h>

int64_t plane_clock_of(const struct plane *plane, uint32_t symbol_idx,
                       const struct graph_clock *clock)
{
    uint32_t i = clock->symbol ? 0 : symbol_idx;
    while (clock->symbol && i < plane->symbols_n &&
           strcmp(plane->symbol[i].bars.symbol, clock->symbol) != 0)
        i++;
    return plane_clock_find(plane, i, clock->timeframe);
}

static bool source_clock(void *ctx, const struct graph_clock *clock, struct clock_view *ret_view)
{
    const struct plane_source *s = ctx;
    int64_t idx = plane_clock_of(s->plane, s->symbol_idx, clock);
    if (idx < 0)
        return false;
    const struct bars *bars = &s->plane->clock[idx].bars;
    struct clock_view view = {.rows_n = bars->rows_n, .time_ns = bars->time_ns};
    if (idx != s->symbol_idx) {
        view.row_of = plane_alignment(s->plane, s->symbol_idx, (uint32_t)idx);
        if (!view.row_of)
            return false;
    }
    *ret_view = view;
    return true;
}

static bool source_series(void *ctx, const struct graph_clock *clock, const char *local_key,
                          struct series_view *ret_view)
{
    const struct plane_source *s = ctx;
    int64_t idx = plane_clock_of(s->plane, s->symbol_idx, clock);
    return idx >= 0 &&
           (s->hides_series ? plane_column(s->plane, (uint32_t)idx, local_key, ret_view)
                            : plane_series(s->plane, (uint32_t)idx, local_key, ret_view));
}

struct graph_source plane_source_of(const struct plane_source *source)
{
    union {
        const struct plane_source *source;
        void *ctx;
    } borrowed = {source};
    return (struct graph_source){.ctx = borrowed.ctx,
                                 .clock = source_clock,
                                 .series = source_series,
                                 .rounds_to_f32 = source->plane->header->is_rounded};
}
