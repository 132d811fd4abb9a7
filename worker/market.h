/* SPDX-License-Identifier: MIT */
/* What one account trades, on its own clock: all traded symbols of the plane on the merged clock,
 * or a single one on the times of its bars. A worker makes each market once and lends it to many
 * containers. */
#pragma once

#include <stdint.h>

#include "proto/spec.h"
#include "shm/plane.h"
#include "worker/extremes.h"

struct market {
    const struct plane *plane;
    uint32_t symbols_n;
    const struct plane_view **symbol; /* [symbols_n] */
    uint32_t *symbol_idx;             /* [symbols_n] of the plane */
    uint32_t steps_n;                 /* warm-up included */
    uint32_t first_step;              /* first step of the run's range */
    const int64_t *time_ns;           /* [steps_n] */
    uint32_t days_n;
    const uint32_t *day_end;         /* [days_n] steps, counted from first_step */
    const double *benchmark;         /* [steps_n] close of the first symbol, carried over gaps */
    const double *benchmark_return;  /* [days_n - 1] of each day but the first */
    const struct extremes *extremes; /* [symbols_n] of each one's bars */
    uint64_t bars_n;                 /* of all symbols within the range */
    const double **dividend; /* [symbols_n] of each row, money a unit; NULL: none of that symbol.
                                NULL: none at all */
    bool is_altered;         /* prices are not the plane's: neither are stored series of use */
    void *owned[7];
};

/* symbol_idx: of the plane, or COMBO_ALL_SYMBOLS. 0 or -ENOMEM. */
int market_create(const struct plane *plane, uint32_t symbol_idx,
                  struct market **ret_market) ADMF_MUST_CHECK;
void market_destroy(struct market *m); /* accepts NULL */

/* Row of symbol s (of the market) at a step; -1 where it has no bar. */
static inline int32_t market_row(const struct market *m, uint32_t s, uint32_t step)
{
    return m->symbols_n == 1 ? (int32_t)step : plane_row(m->symbol[s], step);
}

/* The last row of symbol s at or before a step of the range; -1 if none. */
int32_t market_last_row(const struct market *m, uint32_t s, uint32_t step);

/* The market's step that stands for a step of the plane's clock; -1 where this market has none. */
static inline int64_t market_step(const struct market *m, uint32_t plane_step)
{
    return m->symbols_n == 1 ? plane_row(m->symbol[0], plane_step) : (int64_t)plane_step;
}
/* The first step of this market at or after a step of the plane's clock; steps_n if none. */
uint32_t market_step_from(const struct market *m, uint32_t plane_step);
/* The step of the plane's clock that stands for a step of this market. */
uint32_t market_plane_step(const struct market *m, uint32_t step);
