/* SPDX-License-Identifier: MIT */
/* Totals and plain averages of the last n. */
#include <math.h>
#include <string.h>

#include "shm/indicator/rolling.h"
#include "shm/indicator/row.h"
#include "shm/indicator/running.h"

static int advance_sum(const struct indicator_span *span)
{
    return running_advance(span, false);
}

static int advance_sums(const struct indicator_span *spans, uint32_t spans_n)
{
    return running_advance_family(spans, spans_n, false);
}

static int advance_sma(const struct indicator_span *span)
{
    return running_advance(span, true);
}

static int advance_smas(const struct indicator_span *spans, uint32_t spans_n)
{
    return running_advance_family(spans, spans_n, true);
}

/* ---- differences of cumulative totals ------------------------------------------------------- */

/* Totals from row 0 on, up to now and up to n rows ago. */
struct cumulative {
    double now, before;
    uint64_t seen; /* good values in a row */
};

static inline double good_or_zero(double x)
{
    return fabs(x) <= RUNNING_VALUE_MAX ? x : 0.0;
}

/* Other last bits than a running total has, and so other ties. What is not finite counts as 0. */
static int advance_rolling_mean(const struct indicator_span *s)
{
    const double *x = s->input[0], n = s->param[0];
    const double *leaving = x - (uint32_t)n;
    struct cumulative c;
    memcpy(&c, s->state, sizeof(c));
    for (uint32_t i = 0; i < s->rows_n; i++) {
        c.seen = fabs(x[i]) <= RUNNING_VALUE_MAX ? c.seen + 1 : 0;
        c.now += good_or_zero(x[i]);
        if (s->row + i >= n)
            c.before += good_or_zero(leaving[i]);
        s->out[0][i] = c.seen >= n ? (c.now - c.before) / n : NAN;
    }
    memcpy(s->state, &c, sizeof(c));
    return 0;
}

#define HUGE_EDGE "values beyond 1e290 count as not finite"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "rolling_mean", .cls = CLASS_CUMULATIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"rolling_mean"},
     .warm_up_text = "n - 1",
     .formula = "difference of two cumulative totals, by n: sma(x,n) with other last bits",
     .edges = HUGE_EDGE, .source = "vectorbt's averages",
     .lookback = lookback_n, .state_bytes = sizeof(struct cumulative),
     .advance = advance_rolling_mean},
    {.name = "sma", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"sma"},
     .warm_up_text = "n - 1", .formula = "mean of the last n",
     .edges = HUGE_EDGE, .source = TALIB,
     .lookback = rolling_lookback, .state_bytes = sizeof(struct running),
     .advance = advance_sma, .advance_family = advance_smas},
    {.name = "sum", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"sum"},
     .warm_up_text = "n - 1", .formula = "total of the last n",
     .edges = HUGE_EDGE, .source = TALIB,
     .lookback = rolling_lookback, .state_bytes = sizeof(struct running),
     .advance = advance_sum, .advance_family = advance_sums},
};
/* clang-format on */

const struct indicator_family family_sums = INDICATOR_FAMILY("sums", rows);
