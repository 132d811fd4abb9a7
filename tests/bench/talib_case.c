/* SPDX-License-Identifier: MIT */
/* The calls of talib.def; talib.py builds it where TA-Lib can be had. */
#include "talib_case.h"
#include "ta_common.h"
#include "ta_func.h"

#define ROWS  0, last
#define FOUND &begin, &made

int talib_case(size_t i, const struct bench_bars *bars, double *const *out)
{
    const double *x_open = bars->column[BARS_OPEN], *x_high = bars->column[BARS_HIGH],
                 *x_low = bars->column[BARS_LOW], *x_close = bars->column[BARS_CLOSE],
                 *x_volume = bars->column[BARS_VOLUME];
    static int is_ready;
    int last = (int)bars->rows_n - 1, begin, made;
    size_t row = 0;
    if (!is_ready && TA_Initialize() != TA_SUCCESS)
        return TA_LIB_NOT_INITIALIZE;
    is_ready = 1;
#define CASE(indicator, parameters, call)                                                          \
    if (row++ == i)                                                                                \
        return call;
#include "talib.def"
#undef CASE
    return TA_BAD_PARAM;
}
