/* SPDX-License-Identifier: MIT */
/* From the clocks of a graph, which are seen from one traded symbol, to those of the plane. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/resample.h"
#include "supervisor/plan/series_work.h"

uint32_t series_symbol_find(const struct work *w, const char *name)
{
    uint32_t s = 0;
    while (s < w->all_n && strcmp(w->bars[s].symbol, name) != 0)
        s++;
    return s;
}

/* The clock of a symbol's larger timeframe, made where there is none. Bars that are further apart
 * than its periods are refused. */
static int larger_clock(struct series_plan *plan, const struct work *w,
                        const struct plane_clock_plan *clock, uint32_t *ret_clock)
{
    const struct bars *bars = &w->bars[clock->symbol_idx];
    uint32_t i = 0;
    int64_t spacing_ns = 0;
    while (i < plan->clocks_n && (plan->clocks[i].symbol_idx != clock->symbol_idx ||
                                  !timeframe_equal(plan->clocks[i].timeframe, clock->timeframe)))
        i++;
    *ret_clock = w->all_n + i;
    if (i < plan->clocks_n)
        return 0;
    struct plane_clock_plan *clocks = realloc(plan->clocks, (i + 1) * sizeof *clocks);
    if (clocks)
        plan->clocks = clocks;
    uint32_t *rows = realloc(plan->clock_rows_n, (i + 1) * sizeof *rows);
    if (rows)
        plan->clock_rows_n = rows;
    if (!clocks || !rows || timeframe_spacing(bars->time_ns, bars->rows_n, &spacing_ns) < 0)
        return err_set(w->err, ERR_SYSTEM, "out of memory while planning series");
    int rc = timeframe_check(clock->timeframe, bars->symbol, spacing_ns, w->err);
    if (rc < 0)
        return rc;
    clocks[i] = *clock;
    rows[i] = resample_rows(bars, clock->timeframe);
    plan->clocks_n++;
    return 0;
}

int series_clock(struct series_plan *plan, const struct work *w, const struct series_place *place,
                 uint32_t *ret_clock)
{
    const struct graph_clock *clock = graph_clock(w->graph, place->clock);
    struct plane_clock_plan at = {place->symbol_idx, clock->timeframe};
    if (clock->symbol) {
        at.symbol_idx = series_symbol_find(w, clock->symbol); /* names are bound before */
        if (at.symbol_idx < w->symbols_n)
            plan->is_named[at.symbol_idx] = true;
    }
    *ret_clock = at.symbol_idx;
    return clock->timeframe.unit == TIMEFRAME_OWN ? 0 : larger_clock(plan, w, &at, ret_clock);
}

uint32_t series_plan_symbol(const struct series_plan *plan, const struct planned_series *s)
{
    return s->clock_idx < plan->all_n ? s->clock_idx
                                      : plan->clocks[s->clock_idx - plan->all_n].symbol_idx;
}
