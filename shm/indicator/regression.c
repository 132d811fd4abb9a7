/* SPDX-License-Identifier: MIT */
/* Straight lines through the last n, by least squares, and how two series go together. */
#include <math.h>

#include "shm/indicator/comoments.h"
#include "shm/indicator/correlation.h"
#include "shm/indicator/rolling.h"
#include "shm/indicator/row.h"

/* ---- lines over time ------------------------------------------------------------------------ */

/* The slope is the moment by the total of (place - mean place)^2. */
static double slope_factor(double n)
{
    return 12.0 / (n * (n * n - 1.0));
}

/* The line, `bars` behind the middle of the window. */
static int line_at(const struct indicator_span *span, double bars)
{
    return rolling_lines(span, 1.0, bars * slope_factor(span->param[0]));
}

static int advance_linearreg(const struct indicator_span *span)
{
    return line_at(span, (span->param[0] - 1.0) / 2.0);
}

static int advance_intercept(const struct indicator_span *span)
{
    return line_at(span, -(span->param[0] - 1.0) / 2.0);
}

static int advance_tsf(const struct indicator_span *span)
{
    return line_at(span, (span->param[0] + 1.0) / 2.0);
}

static int advance_slope(const struct indicator_span *span)
{
    return rolling_lines(span, 0.0, slope_factor(span->param[0]));
}

#define NOT_FINITE "values beyond 1e140 count as not finite"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "beta", .cls = CLASS_ROLLING, .series_args_n = 2,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"beta"},
     .warm_up_text = "n",
     .formula = "covariance of the last n simple returns of x and y, by the variance of those of x",
     .edges = "0 where n^2 times the variance of those of x is below 1e-14; a return from 0 is 0; "
              NOT_FINITE,
     .source = TALIB, .lookback = lookback_n, .advance = comoments_beta},
    {.name = "correl", .cls = CLASS_ROLLING, .series_args_n = 2,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"correl"},
     .warm_up_text = "n - 1", .formula = "Pearson's correlation of the last n of x and y",
     .edges = "0 where all n of x, or of y, are equal, and where the product of the two sums of "
              "squares about the means is below 1e-14; values beyond 1e70 count as not finite",
     .source = TALIB, .lookback = rolling_lookback, .state_bytes = CORRELATION_STATE_BYTES,
     .advance = correlation_advance},
    {.name = "linearreg", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"linearreg"},
     .warm_up_text = "n - 1", .formula = "the line through the last n, at the last",
     .edges = "exactly x where all n are equal; " NOT_FINITE,
     .source = TALIB, .lookback = rolling_lookback, .advance = advance_linearreg},
    {.name = "linearreg_intercept", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"linearreg_intercept"},
     .warm_up_text = "n - 1", .formula = "the line through the last n, at the first of them",
     .edges = "exactly x where all n are equal; " NOT_FINITE,
     .source = TALIB, .lookback = rolling_lookback, .advance = advance_intercept},
    {.name = "linearreg_slope", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"linearreg_slope"},
     .warm_up_text = "n - 1", .formula = "by how much the line through the last n rises in a bar",
     .edges = "exactly 0 where all n are equal; " NOT_FINITE,
     .source = TALIB, .lookback = rolling_lookback, .advance = advance_slope},
    {.name = "tsf", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"tsf"},
     .warm_up_text = "n - 1", .formula = "the line through the last n, one bar ahead",
     .edges = "exactly x where all n are equal; " NOT_FINITE,
     .source = TALIB, .lookback = rolling_lookback, .advance = advance_tsf},
};
/* clang-format on */

const struct indicator_family family_regression = INDICATOR_FAMILY("regression", rows);
