/* SPDX-License-Identifier: MIT */
/* Deviations from the mean of the last n, and what is made of them. */
#include <float.h>
#include <math.h>

#include "shm/exact.h"
#include "shm/indicator/rolling.h"
#include "shm/indicator/row.h"

static int advance_log_return(const struct indicator_span *s)
{
    const double *x = s->input[0];
    for (uint32_t i = fill_before(s, 1, s->out[0]); i < s->rows_n; i++) {
        double growth = x[i] / x[(int64_t)i - 1];
        s->out[0][i] = growth > 0.0 && growth <= DBL_MAX ? exact_log(growth) : NAN;
    }
    return 0;
}

#define NEEDS_DEVIATION "values beyond 1e140 count as not finite"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "bbands", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 3,
     .params = {PERIOD("n", 1), FRACTION("up", -3e37, 3e37), FRACTION("down", -3e37, 3e37)},
     .outputs_n = 3, .outputs = {"upper", "middle", "lower"}, .warm_up_text = "n - 1",
     .formula = "middle = sma(x,n); upper = middle + up * stddev(x,n); "
                "lower = middle - down * stddev(x,n)",
     .edges = "a constant has all three where it is",
     .source = "Bollinger 2001; " TALIB,
     .made_of = {"sma(x,n)+up*stddev(x,n)", "sma(x,n)", "sma(x,n)-down*stddev(x,n)"}},
    {.name = "log_return", .cls = CLASS_STATELESS, .series_args_n = 1,
     .outputs_n = 1, .outputs = {"log_return"}, .warm_up_text = "1",
     .formula = "natural logarithm of x / x[1 bar ago]",
     .edges = "undefined where that is not positive",
     .source = "continuously compounded return", .lookback = lookback_1,
     .advance = advance_log_return},
    {.name = "realized_variance", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"realized_variance"},
     .warm_up_text = "n", .formula = "total of the last n squares of log_return(x)",
     .edges = "0 where nothing moved; undefined where a return in the window is",
     .source = "Andersen and Bollerslev 1998",
     .made_of = {"sum(log_return(x)*log_return(x),n)"}},
    {.name = "stddev", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"stddev"},
     .warm_up_text = "n - 1", .formula = "population standard deviation of the last n",
     .edges = "exactly 0 where all n are equal; " NEEDS_DEVIATION,
     .source = TALIB, .lookback = rolling_lookback, .advance = rolling_deviations},
    {.name = "var", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"var"},
     .warm_up_text = "n - 1", .formula = "population variance of the last n",
     .edges = "exactly 0 where all n are equal; " NEEDS_DEVIATION,
     .source = TALIB, .lookback = rolling_lookback, .advance = rolling_variances},
    {.name = "volatility", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"volatility"},
     .warm_up_text = "n",
     .formula = "stddev(x / shift(x,1) - 1, n) * sqrt(252): of simple returns, a year of 252 bars",
     .edges = "undefined where a price in the window is 0",
     .source = "Tulip Indicators",
     .made_of = {"stddev(x/shift(x,1)-1,n)*15.874507866387544"}},
    {.name = "zscore", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"zscore"},
     .warm_up_text = "n - 1", .formula = "(x - sma(x,n)) / stddev(x,n)",
     .edges = "undefined where all n are equal",
     .source = "standard score, population deviation",
     .made_of = {"(x-sma(x,n))/stddev(x,n)"}},
};
/* clang-format on */

const struct indicator_family family_deviations = INDICATOR_FAMILY("deviations", rows);
