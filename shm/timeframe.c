/* SPDX-License-Identifier: MIT */
#include "shm/timeframe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_NS INT64_C(60000000000)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)
#define WEEK_NS   (7 * DAY_NS)

/* 1970-01-01 was a Thursday: the Monday before it. */
#define FIRST_MONDAY_NS (-3 * DAY_NS)

static const struct {
    char letter;
    int64_t ns;
} units[] = {
    [TIMEFRAME_OWN] = {'\0', 0},       [TIMEFRAME_MINUTE] = {'m', MINUTE_NS},
    [TIMEFRAME_HOUR] = {'h', HOUR_NS}, [TIMEFRAME_DAY] = {'d', DAY_NS},
    [TIMEFRAME_WEEK] = {'w', WEEK_NS}, [TIMEFRAME_MONTH] = {'M', 31 * DAY_NS},
};

static void normalise(struct timeframe *t)
{
    if (t->unit == TIMEFRAME_MINUTE && t->n % 60 == 0)
        *t = (struct timeframe){TIMEFRAME_HOUR, t->n / 60};
    if (t->unit == TIMEFRAME_HOUR && t->n % 24 == 0)
        *t = (struct timeframe){TIMEFRAME_DAY, t->n / 24};
}

bool timeframe_parse(const char *text, size_t n, struct timeframe *ret_timeframe)
{
    struct timeframe t = {0};
    if (n < 2 || n > 6 || text[0] == '0')
        return false;
    for (size_t i = 0; i + 1 < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        t.n = t.n * 10 + (uint32_t)(text[i] - '0');
    }
    for (t.unit = TIMEFRAME_MINUTE; units[t.unit].letter != text[n - 1]; t.unit++) {
        if (t.unit == TIMEFRAME_MONTH)
            return false;
    }
    normalise(&t);
    *ret_timeframe = t;
    return true;
}

const char *timeframe_suggest(const char *text)
{
    static const char *const known[] = {"1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1M"};
    static const struct {
        const char *found, *meant;
    } words[] = {
        {"1D", "1d"},     {"D", "1d"},       {"d", "1d"},    {"day", "1d"},  {"daily", "1d"},
        {"1day", "1d"},   {"1W", "1w"},      {"W", "1w"},    {"w", "1w"},    {"week", "1w"},
        {"weekly", "1w"}, {"1wk", "1w"},     {"1H", "1h"},   {"H", "1h"},    {"h", "1h"},
        {"hour", "1h"},   {"hourly", "1h"},  {"4H", "4h"},   {"1mo", "1M"},  {"M", "1M"},
        {"month", "1M"},  {"monthly", "1M"}, {"1min", "1m"}, {"5min", "5m"}, {"15min", "15m"},
        {"30min", "30m"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].found, text) == 0)
            return words[i].meant;
    }
    return err_suggest(text, known, sizeof(known) / sizeof(known[0]));
}

const char *timeframe_format(struct timeframe t, char out[static TIMEFRAME_BYTES])
{
    out[0] = '\0';
    if (t.unit != TIMEFRAME_OWN)
        (void)snprintf(out, TIMEFRAME_BYTES, "%u%c", (unsigned)t.n, units[t.unit].letter);
    return out;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Months since January of year 0 of the proleptic Gregorian calendar. Years are counted from March,
 * so that the leap day is the last of its year; 400 of them have 146,097 days. */
static int64_t month_of(int64_t time_ns)
{
    int64_t day = floor_div(time_ns, DAY_NS) + 719468; /* since March 1, year 0 */
    int64_t era = floor_div(day, 146097);
    int64_t of_era = day - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0: March */
    return (era * 400 + year) * 12 + month + 2;
}

int64_t timeframe_period(struct timeframe t, int64_t time_ns)
{
    switch (t.unit) {
    case TIMEFRAME_OWN:
        return time_ns;
    case TIMEFRAME_WEEK:
        return floor_div(floor_div(time_ns - FIRST_MONDAY_NS, WEEK_NS), t.n);
    case TIMEFRAME_MONTH:
        return floor_div(month_of(time_ns), t.n);
    default:
        return floor_div(time_ns, units[t.unit].ns * t.n);
    }
}

int64_t timeframe_ns(struct timeframe t)
{
    return units[t.unit].ns * t.n;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int timeframe_spacing(const int64_t *time_ns, uint32_t rows_n, int64_t *ret_spacing_ns)
{
    *ret_spacing_ns = 0;
    if (rows_n < 2)
        return 0;
    int64_t *gap = malloc((rows_n - 1) * sizeof(*gap));
    if (!gap)
        return -ENOMEM;
    for (uint32_t i = 0; i + 1 < rows_n; i++)
        gap[i] = time_ns[i + 1] - time_ns[i];
    qsort(gap, rows_n - 1, sizeof(*gap), by_size);
    *ret_spacing_ns = gap[(rows_n - 1) / 2];
    free(gap);
    return 0;
}

int timeframe_check(struct timeframe t, const char *symbol, int64_t spacing_ns, struct err *err)
{
    char text[TIMEFRAME_BYTES], safe[96];
    if (t.unit == TIMEFRAME_OWN || timeframe_ns(t) >= spacing_ns)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "@%s is shorter than the bars of %s, which are %.4g minutes apart: expected the "
                   "same or longer",
                   timeframe_format(t, text), err_printable(symbol, safe, sizeof(safe)),
                   (double)spacing_ns / (double)MINUTE_NS);
}
