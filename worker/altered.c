/* SPDX-License-Identifier: MIT */
#include "worker/altered.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/resample.h"
#include "shm/window.h"
#include "worker/market.h"
#include "worker/noise.h"

/* Prices of a larger timeframe. */
struct larger {
    double *values; /* [5][rows_n] */
    int64_t *time_ns;
};

struct altered {
    uint32_t path, symbol_idx;
    struct plane plane;        /* the run's, but for symbol and clock */
    struct private_bars *bars; /* [symbols_n] */
    struct larger *larger;     /* [clocks_n] zeroed for own clocks */
    struct market *market;
};

bool altered_is(const struct altered *altered, uint32_t path, uint32_t symbol_idx)
{
    return altered->path == path && altered->symbol_idx == symbol_idx;
}

struct market *altered_market(const struct altered *altered)
{
    return altered->market;
}

/* Views of one's own, with the run's content as yet. */
static int copy_views(struct altered *a, const struct plane *plane)
{
    a->plane = *plane;
    a->plane.symbol = calloc(plane->symbols_n + 1, sizeof *a->plane.symbol);
    a->plane.clock = calloc(plane->clocks_n + 1, sizeof *a->plane.clock);
    a->bars = calloc(plane->symbols_n + 1, sizeof *a->bars);
    a->larger = calloc(plane->clocks_n + 1, sizeof *a->larger);
    if (!a->plane.symbol || !a->plane.clock || !a->bars || !a->larger)
        return -ENOMEM;
    for (uint32_t s = 0; s < plane->symbols_n; s++)
        a->plane.symbol[s] = plane->symbol[s];
    for (uint32_t c = 0; c < plane->clocks_n; c++)
        a->plane.clock[c] = plane->clock[c];
    return 0;
}

static int alter_symbol(struct altered *a, const struct plane *plane, const struct noise_cfg *noise,
                        uint32_t s, struct err *err)
{
    struct private_bars *own = &a->bars[s];
    int r = private_bars_map(plane, s, own, err);
    if (r < 0)
        return r;
    const struct noise_prices prices = {own->bars.rows_n, own->open, own->high, own->low,
                                        own->close};
    const struct noise_place place = {noise->seed, a->path, s};
    noise_apply(noise->sigma, &place, &prices);
    a->plane.symbol[s].bars = own->bars;
    a->plane.clock[s].bars = own->bars;
    return 0;
}

/* Rows and times are those of before: only prices differ. */
static int alter_clock(struct altered *a, uint32_t c)
{
    struct plane_clock_view *clock = &a->plane.clock[c];
    struct larger *to = &a->larger[c];
    uint32_t n = clock->bars.rows_n;
    to->values = malloc((5 * (size_t)n + 1) * sizeof *to->values);
    to->time_ns = malloc(((size_t)n + 1) * sizeof *to->time_ns);
    if (!to->values || !to->time_ns)
        return -ENOMEM;
    double *column[5];
    for (size_t i = 0; i < 5; i++)
        column[i] = to->values + i * n;
    const struct resampled out = {to->time_ns, column[0], column[1], column[2],
                                  column[3],   column[4], NULL};
    resample(&a->plane.symbol[clock->symbol_idx].bars, clock->timeframe, &out);
    clock->bars.open = column[0];
    clock->bars.high = column[1];
    clock->bars.low = column[2];
    clock->bars.close = column[3];
    return 0;
}

static int alter(struct altered *a, const struct plane *plane, const struct noise_cfg *noise,
                 struct err *err)
{
    int r = copy_views(a, plane);
    for (uint32_t s = 0; r == 0 && s < plane->symbols_n; s++)
        r = alter_symbol(a, plane, noise, s, err);
    for (uint32_t c = plane->symbols_n; r == 0 && c < plane->clocks_n; c++)
        r = alter_clock(a, c);
    if (r == 0)
        r = market_create(&a->plane, a->symbol_idx, &a->market);
    if (r == 0)
        a->market->is_altered = true;
    return r;
}

int altered_create(const struct plane *plane, const struct noise_cfg *noise, uint32_t path,
                   uint32_t symbol_idx, struct altered **ret_altered, struct err *err)
{
    struct altered *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, ERR_SYSTEM, "not enough memory for an altered history");
    a->path = path;
    a->symbol_idx = symbol_idx;
    int r = alter(a, plane, noise, err);
    if (r == -ENOMEM)
        r = err_set(err, ERR_SYSTEM, "not enough memory for an altered history");
    if (r < 0)
        altered_destroy(a);
    else
        *ret_altered = a;
    return r;
}

void altered_destroy(struct altered *altered)
{
    if (!altered)
        return;
    market_destroy(altered->market);
    for (uint32_t c = 0; altered->larger && c < altered->plane.clocks_n; c++) {
        free(altered->larger[c].values);
        free(altered->larger[c].time_ns);
    }
    for (uint32_t s = 0; altered->bars && s < altered->plane.symbols_n; s++)
        private_bars_unmap(&altered->bars[s]);
    free(altered->larger);
    free(altered->bars);
    free(altered->plane.clock);
    free(altered->plane.symbol);
    free(altered);
}
