/* SPDX-License-Identifier: MIT */
/* Weighted averages of the last n. */
#include <math.h>

#include "shm/indicator/rolling.h"
#include "shm/indicator/row.h"

/* Weights 1 to n are their mean and a straight line: the average is the mean, and the moment by
 * half the sum of weights. */
static int advance_wma(const struct indicator_span *span)
{
    double n = span->param[0];
    return rolling_lines(span, 1.0, 2.0 / (n * (n + 1.0)));
}

/* Lengths of the two averages of a triangle of n weights. */
static void derive_trima(const double *param, double *ret_derived)
{
    uint32_t n = (uint32_t)param[0];
    ret_derived[0] = (n + 1) / 2;
    ret_derived[1] = n / 2 + 1;
}

static void derive_hma(const double *param, double *ret_derived)
{
    ret_derived[0] = (uint32_t)param[0] / 2;
    ret_derived[1] = floor(sqrt(param[0]));
}

#define NOT_FINITE "values beyond 1e140 count as not finite"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "hma", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"hma"},
     .warm_up_text = "n + root - 2",
     .formula = "wma(2 * wma(x,half) - wma(x,n), root); half = n / 2 and root = sqrt(n), "
                "rounded down",
     .source = "Hull 2005; Tulip Indicators",
     .made_of = {"wma(2*wma(x,half)-wma(x,n),root)"}, .derived = {"half", "root"},
     .derive = derive_hma},
    {.name = "trima", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"trima"},
     .warm_up_text = "n - 1",
     .formula = "weights that rise by one to the middle and fall again: sma(sma(x,half),rest), "
                "half = (n + 1) / 2 and rest = n / 2 + 1, rounded down",
     .source = TALIB,
     .made_of = {"sma(sma(x,half),rest)"}, .derived = {"half", "rest"},
     .derive = derive_trima},
    {.name = "vwma", .cls = CLASS_ROLLING, .implied = "close volume",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"vwma"},
     .warm_up_text = "n - 1", .formula = "sum(close * volume, n) / sum(volume, n)",
     .edges = "undefined where no volume was traded in n bars",
     .source = "Tulip Indicators",
     .made_of = {"sum(close*volume,n)/sum(volume,n)"}},
    {.name = "wma", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"wma"},
     .warm_up_text = "n - 1", .formula = "mean of the last n, weights 1 (oldest) to n (newest)",
     .edges = "exactly x where all n are equal; " NOT_FINITE,
     .source = TALIB, .lookback = rolling_lookback, .advance = advance_wma},
};
/* clang-format on */

const struct indicator_family family_weighted = INDICATOR_FAMILY("weighted averages", rows);
