/* SPDX-License-Identifier: MIT */
/* How much a symbol moves from day to day. */
#include "worker/broker/volatility.h"

#include <math.h>

#include "proto/units.h"

#define DAYS_A_YEAR 252.0

/* First row of [0, rows_n) whose day is not before `day`. */
static int32_t first_row_of_day(const struct bars *bars, int32_t rows_n, int64_t day)
{
    int32_t lo = 0, hi = rows_n;
    while (lo < hi) {
        int32_t middle = lo + (hi - lo) / 2;
        if (time_day(bars->time_ns[middle]) < day)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* Return of the day whose last row is *row; *row moves to the last one of the day before. False
 * where there is none. */
static bool day_return(const struct bars *bars, int32_t *row, double *ret_return)
{
    int64_t day = time_day(bars->time_ns[*row]);
    int32_t before = first_row_of_day(bars, *row, day) - 1;
    if (before < 0)
        return false;
    *ret_return = bars->close[*row] / bars->close[before] - 1.0;
    *row = before;
    return true;
}

/* The last row of the days that were finished before `row`; -1 if none. */
static int32_t last_finished_row(const struct bars *bars, int32_t row)
{
    return first_row_of_day(bars, row, time_day(bars->time_ns[row])) - 1;
}

/* Mean and sum of squares are carried along from the last day back (Welford 1962), so that equal
 * returns deviate by exactly 0. */
double volatility_of_days(const struct bars *bars, int32_t row, uint32_t days)
{
    int32_t last = last_finished_row(bars, row);
    double mean = 0.0, squares = 0.0, r;
    if (days < 2 || last < 0)
        return NAN;
    for (uint32_t n = 1; n <= days; n++) {
        if (!day_return(bars, &last, &r))
            return NAN;
        double apart = r - mean;
        mean += apart / n;
        squares += apart * (r - mean);
    }
    return sqrt(squares / (days - 1)) * sqrt(DAYS_A_YEAR);
}
