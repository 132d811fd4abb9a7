/* SPDX-License-Identifier: MIT */
/* Two indicators of one's own:
 *
 *     efficiency(x,n)     how straight the way of the last n bars was: 1 for a line, near 0 for
 * noise decayed_high(x,d)   the highest value so far, which loses the fraction d of itself each bar
 */
#include <admf_component.h>
#include <math.h>
#include <stddef.h>

/* ---- efficiency: rolling -------------------------------------------------------------------- */

static const struct admf_param efficiency_params[] = {{"n", 1, 1e6, 1, 0}};

static uint32_t efficiency_lookback(const double *param)
{
    return (uint32_t)param[0];
}

/* Distance by way over the last n changes; 0 where nothing moved. Adding the window up afresh in
 * each row needs no state, and gives the same bytes however the rows are cut. */
static double efficiency_at(const double *x, uint32_t n)
{
    double way = 0.0;
    for (uint32_t i = 0; i < n; i++)
        way += fabs(x[-(ptrdiff_t)i] - x[-(ptrdiff_t)i - 1]);
    return way == 0.0 ? 0.0 : fabs(x[0] - x[-(ptrdiff_t)n]) / way;
}

static int efficiency_advance(const struct admf_span *span)
{
    uint32_t n = (uint32_t)span->param[0];
    for (uint32_t i = 0; i < span->rows_n; i++)
        span->out[0][i] = span->row + i < n ? NAN : efficiency_at(span->input[0] + i, n);
    return 0;
}

/* ---- decayed_high: recursive ---------------------------------------------------------------- */

static const struct admf_param decayed_high_params[] = {{"d", 0, 1, 0, 0}};

/* The state is zeroed before row 0. */
struct decayed_high {
    int has_value;
    double value;
};

static int decayed_high_advance(const struct admf_span *span)
{
    struct decayed_high *s = span->state;
    for (uint32_t i = 0; i < span->rows_n; i++) {
        double x = span->input[0][i], kept = s->value * (1.0 - span->param[0]);
        if (isfinite(x)) {
            s->value = s->has_value && kept > x ? kept : x;
            s->has_value = 1;
        }
        span->out[0][i] = isfinite(x) ? s->value : NAN;
    }
    return 0;
}

static const struct admf_indicator indicators[] = {
    {.name = "efficiency",
     .cls = ADMF_ROLLING,
     .series_args_n = 1,
     .params_n = 1,
     .outputs_n = 1,
     .params = efficiency_params,
     .warm_up = "n",
     .formula = "|x - x[n bars ago]| / sum of the last n |changes|; 0 where nothing moved",
     .source = "Kaufman 1995",
     .lookback = efficiency_lookback,
     .advance = efficiency_advance},
    {.name = "decayed_high",
     .cls = ADMF_RECURSIVE,
     .series_args_n = 1,
     .params_n = 1,
     .outputs_n = 1,
     .params = decayed_high_params,
     .warm_up = "0",
     .formula = "max(x, (1 - d) * before)",
     .state_bytes = sizeof(struct decayed_high),
     .advance = decayed_high_advance},
};

ADMF_LIBRARY("mine", "1.0", indicators);
