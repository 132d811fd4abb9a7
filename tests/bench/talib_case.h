/* SPDX-License-Identifier: MIT */
/* TA-Lib as the benchmarks call it: the program talib_driver is linked with it, bench_indicators
 * loads it where it has been built (talib.py). */
#pragma once

#include <stddef.h>

#include "bars.h"

#define TALIB_OUTPUTS_MAX 3

/* Runs row i of talib.def over all bars; out: [TALIB_OUTPUTS_MAX][rows_n]. 0, or TA-Lib's code. */
typedef int (*talib_case_fn)(size_t i, const struct bench_bars *bars, double *const *out);
__attribute__((visibility("default"))) int talib_case(size_t i, const struct bench_bars *bars,
                                                      double *const *out);
