/* SPDX-License-Identifier: MIT */
/* Bars of a larger timeframe, and which of its rows each row of another clock may see. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/plane.h"
#include "shm/timeframe.h"

/* Larger bars, [rows] each; the caller's memory. A period without bars makes no row. */
struct resampled {
    int64_t *time_ns;     /* of the period's first bar */
    double *open;         /* first */
    double *high;         /* greatest */
    double *low;          /* least */
    double *close;        /* last */
    double *volume;       /* total */
    double *const *extra; /* [extra_n] last values; NULL where the bars have none */
};

/* Rows that the bars make in a timeframe: the periods that have any. */
uint32_t resample_rows(const struct bars *bars, struct timeframe timeframe);
void resample(const struct bars *bars, struct timeframe timeframe, const struct resampled *out);

/* A clock as others see it. */
struct align_to {
    const int64_t *time_ns; /* [rows_n] ascending */
    uint32_t rows_n;
    struct timeframe timeframe; /* of its rows; TIMEFRAME_OWN: bars as they came */
    /* [bars_n] of the bars that it came with or was made of; NULL: those that look themselves. */
    const int64_t *bars_time_ns;
    uint32_t bars_n;
};

/* ret_row_of[t], for each of own_rows_n rows: the last row of `to` that is finished then; -1: none.
 *   a larger timeframe    the last one of a period before the one that row t lies in
 *   bars as they came     the last one whose time is not later
 * Where its bars may be longer than those that look, the one behind it must have begun, too: until
 * then, its last bar may not be over. Nobody says how long bars are, so it is told from what has
 * come so far: a bar is as long as the shortest of the last eight distances, those that look are as
 * long as the shortest of all; half as long again counts as longer. So a row never sees what came
 * later, however the future is cut or altered. */
void align_rows(const int64_t *own_time_ns, uint32_t own_rows_n, const struct align_to *to,
                int32_t *ret_row_of);
