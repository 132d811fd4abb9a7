/* SPDX-License-Identifier: MIT */
/* One row an indicator. Names, argument order and definitions are TA-Lib's. */
#include <assert.h>
#include <string.h>

#include "shm/indicator/kernel.h"

#define PERIOD_MAX 1e9
#define PERIOD(name_, least)                                                                       \
    {                                                                                              \
        .name = name_, .minimum = least, .maximum = PERIOD_MAX, .is_whole = 1                      \
    }
#define FACTOR(name_)                                                                              \
    {                                                                                              \
        .name = name_, .minimum = -3e37, .maximum = 3e37                                           \
    }
#define TALIB "TA-Lib, unstable period 0"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "atr", .cls = CLASS_RECURSIVE, .bar_inputs = "high low close",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"atr"},
     .warm_up_text = "n",
     .formula = "Wilder's average of trange(): the plain one of the first n, then "
                "((n-1) * before + now) / n",
     .source = "Wilder 1978; " TALIB, .compute = kernel_atr},
    {.name = "bbands", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 3, .params = {PERIOD("n", 1), FACTOR("up"), FACTOR("down")},
     .outputs_n = 3, .outputs = {"upper", "middle", "lower"},
     .warm_up_text = "n - 1",
     .formula = "middle = sma(x,n); upper = middle + up * stddev(x,n); "
                "lower = middle - down * stddev(x,n)",
     .source = "Bollinger 2001; " TALIB},
    {.name = "cross", .cls = CLASS_RECURSIVE, .series_args_n = 2, .bar_inputs = "",
     .outputs_n = 2, .outputs = {"above", "below"}, .warm_up_text = "0",
     .formula = "above: 1 where a > b and a < b when they last differed, else 0; below: its "
                "mirror. Unlike crosses_above(), a tie in between changes nothing",
     .source = "vectorbt's crossings", .compute = kernel_cross},
    {.name = "ema", .cls = CLASS_RECURSIVE, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"ema"},
     .warm_up_text = "n - 1",
     .formula = "before + 2/(n+1) * (x - before), seeded by the plain average of the first n",
     .source = TALIB, .compute = kernel_ema},
    {.name = "macd", .cls = CLASS_RECURSIVE, .series_args_n = 1, .bar_inputs = "",
     .params_n = 3, .params = {PERIOD("fast", 2), PERIOD("slow", 2), PERIOD("signal", 1)},
     .outputs_n = 3, .outputs = {"macd", "signal", "hist"},
     .warm_up_text = "slow + signal - 2",
     .formula = "macd = ema(x,fast) - ema(x,slow), both first defined in the same row; "
                "signal = ema(macd,signal); hist = macd - signal",
     .source = "Appel 1979; " TALIB, .compute = kernel_macd},
    {.name = "max", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"max"},
     .warm_up_text = "n - 1",
     .formula = "greatest of the last n", .source = TALIB, .compute = kernel_max},
    {.name = "medprice", .cls = CLASS_STATELESS, .bar_inputs = "high low",
     .outputs_n = 1, .outputs = {"medprice"}, .warm_up_text = "0",
     .formula = "(high + low) / 2", .source = TALIB, .compute = kernel_medprice},
    {.name = "min", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"min"},
     .warm_up_text = "n - 1",
     .formula = "least of the last n", .source = TALIB, .compute = kernel_min},
    {.name = "mom", .cls = CLASS_STATELESS, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"mom"},
     .warm_up_text = "n",
     .formula = "x - x[n bars ago]", .source = TALIB, .compute = kernel_mom},
    {.name = "roc", .cls = CLASS_STATELESS, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"roc"},
     .warm_up_text = "n",
     .formula = "(x / x[n bars ago] - 1) * 100; 0 where x[n bars ago] is 0",
     .source = TALIB, .compute = kernel_roc},
    {.name = "rolling_mean", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"rolling_mean"},
     .warm_up_text = "n - 1",
     .formula = "difference of two cumulative totals, by n: sma(x,n) with other last bits",
     .source = "vectorbt's averages", .compute = kernel_rolling_mean},
    {.name = "rsi", .cls = CLASS_RECURSIVE, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"rsi"},
     .warm_up_text = "n",
     .formula = "100 * gain / (gain + loss), Wilder's averages of rises and falls; "
                "0 where nothing moved",
     .source = "Wilder 1978; " TALIB, .compute = kernel_rsi},
    {.name = "sma", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"sma"},
     .warm_up_text = "n - 1",
     .formula = "mean of the last n", .source = TALIB, .compute = kernel_sma},
    {.name = "stddev", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"stddev"},
     .warm_up_text = "n - 1",
     .formula = "population standard deviation of the last n",
     .source = TALIB, .compute = kernel_stddev},
    {.name = "sum", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"sum"},
     .warm_up_text = "n - 1",
     .formula = "total of the last n", .source = TALIB, .compute = kernel_sum},
    {.name = "trange", .cls = CLASS_STATELESS, .bar_inputs = "high low close",
     .outputs_n = 1, .outputs = {"trange"}, .warm_up_text = "1",
     .formula = "greatest of high - low, |high - close before|, |low - close before|",
     .source = "Wilder 1978; " TALIB, .compute = kernel_trange},
    {.name = "typprice", .cls = CLASS_STATELESS, .bar_inputs = "high low close",
     .outputs_n = 1, .outputs = {"typprice"}, .warm_up_text = "0",
     .formula = "(high + low + close) / 3", .source = TALIB, .compute = kernel_typprice},
    {.name = "wma", .cls = CLASS_ROLLING, .series_args_n = 1, .bar_inputs = "",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"wma"},
     .warm_up_text = "n - 1",
     .formula = "mean of the last n, weights 1 (oldest) to n (newest)",
     .source = TALIB, .compute = kernel_wma},
};

const struct indicator *const indicator_table[] = {
    &rows[0], &rows[1], &rows[2],  &rows[3],  &rows[4],  &rows[5],  &rows[6],  &rows[7],
    &rows[8], &rows[9], &rows[10], &rows[11], &rows[12], &rows[13], &rows[14], &rows[15],
    &rows[16], &rows[17],
};
/* clang-format on */

const size_t indicator_table_n = sizeof(indicator_table) / sizeof(indicator_table[0]);
static_assert(sizeof(indicator_table) / sizeof(indicator_table[0]) ==
                  sizeof(rows) / sizeof(rows[0]),
              "every row stands in the table");

const struct indicator *indicator_find(const char *name)
{
    for (size_t i = 0; i < indicator_table_n; i++) {
        if (strcmp(indicator_table[i]->name, name) == 0)
            return indicator_table[i];
    }
    return NULL;
}

const char *indicator_class_name(enum indicator_class cls)
{
    static const char *const names[] = {"stateless", "rolling", "cumulative", "recursive"};
    return cls < sizeof(names) / sizeof(names[0]) ? names[cls] : "unknown";
}
