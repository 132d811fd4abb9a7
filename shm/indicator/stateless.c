/* SPDX-License-Identifier: MIT */
/* Indicators whose rows look at a fixed number of rows and remember nothing. */
#include <math.h>

#include "shm/indicator/kernel.h"

static uint32_t fill_warm_up(const struct indicator_call *call, double rows)
{
    uint32_t n = rows < call->rows_n ? (uint32_t)rows : call->rows_n;
    for (uint32_t t = 0; t < n; t++)
        call->out[t] = NAN;
    return n;
}

/* (high + low) / 2. */
int kernel_medprice(const struct indicator_call *call)
{
    const double *high = call->input[0], *low = call->input[1];
    for (uint32_t t = 0; t < call->rows_n; t++)
        call->out[t] = (high[t] + low[t]) / 2.0;
    return 0;
}

/* (high + low + close) / 3. */
int kernel_typprice(const struct indicator_call *call)
{
    const double *high = call->input[0], *low = call->input[1], *close = call->input[2];
    for (uint32_t t = 0; t < call->rows_n; t++)
        call->out[t] = (high[t] + low[t] + close[t]) / 3.0;
    return 0;
}

/* True range; row 0 has no close before it and is NaN. A NaN in any of the four makes a NaN. */
int kernel_trange(const struct indicator_call *call)
{
    const double *high = call->input[0], *low = call->input[1], *close = call->input[2];
    for (uint32_t t = fill_warm_up(call, 1); t < call->rows_n; t++) {
        double before = close[t - 1];
        double all = high[t] + low[t] + before;
        call->out[t] = isnan(all) ? NAN : true_range(high[t], low[t], before);
    }
    return 0;
}

/* x[t] - x[t-n]. */
int kernel_mom(const struct indicator_call *call)
{
    const double *x = call->input[0];
    uint32_t n = fill_warm_up(call, call->param[0]);
    for (uint32_t t = n; t < call->rows_n; t++)
        call->out[t] = x[t] - x[t - n];
    return 0;
}

/* (x[t] / x[t-n] - 1) * 100; 0 where x[t-n] is 0, as TA-Lib. */
int kernel_roc(const struct indicator_call *call)
{
    const double *x = call->input[0];
    uint32_t n = fill_warm_up(call, call->param[0]);
    for (uint32_t t = n; t < call->rows_n; t++) {
        double before = x[t - n];
        double change = (x[t] / before - 1.0) * 100.0;
        call->out[t] = before == 0.0 ? (isnan(x[t]) ? NAN : 0.0) : change;
    }
    return 0;
}
