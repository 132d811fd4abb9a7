/* SPDX-License-Identifier: MIT */
/* Timeframes: how time is cut into the periods of larger bars.
 *
 * All in UTC. Minutes, hours and days are multiples counted from the epoch, so that a day begins at
 * midnight; weeks begin on Monday; months are those of the calendar. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define TIMEFRAME_BYTES 16
#define TIMEFRAME_N_MAX 99999u

enum timeframe_unit {
    TIMEFRAME_OWN, /* the symbol's own bars */
    TIMEFRAME_MINUTE,
    TIMEFRAME_HOUR,
    TIMEFRAME_DAY,
    TIMEFRAME_WEEK,
    TIMEFRAME_MONTH,
};

struct timeframe {
    enum timeframe_unit unit;
    uint32_t n; /* 0 for own bars */
};

/* "5m" "15m" "1h" "4h" "1d" "1w" "1M": a whole number from 1 to TIMEFRAME_N_MAX and m, h, d, w or
 * M. What is the same period becomes the same timeframe: 60m is 1h, 24h is 1d. False if it is none.
 */
bool timeframe_parse(const char *text, size_t n, struct timeframe *ret_timeframe);
/* What was meant by a text that is none, or NULL: "1d" for "1D" and "daily". */
const char *timeframe_suggest(const char *text);
/* As it is written; "" for own bars. Returns out. */
const char *timeframe_format(struct timeframe timeframe, char out[static TIMEFRAME_BYTES]);

static inline bool timeframe_equal(struct timeframe a, struct timeframe b)
{
    return a.unit == b.unit && a.n == b.n;
}

/* Number of the period that a time lies in; ascending with time. Not for own bars. */
int64_t timeframe_period(struct timeframe timeframe, int64_t time_ns);

/* Nanoseconds of a period; of a month, 31 days. 0 for own bars. */
int64_t timeframe_ns(struct timeframe timeframe);

/* The median distance of bars, ns; 0 if there are fewer than two. -ENOMEM. */
int timeframe_spacing(const int64_t *time_ns, uint32_t rows_n, int64_t *ret_spacing_ns);

/* Refuses a timeframe whose periods are shorter than bars are apart: there is nothing to gather. */
int timeframe_check(struct timeframe timeframe, const char *symbol, int64_t spacing_ns,
                    struct err *err) ADMF_MUST_CHECK;
