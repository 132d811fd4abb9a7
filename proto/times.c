/* SPDX-License-Identifier: MIT */
/* Times: the calendar, as text, in order. All of it is independent of the locale. */
#include <errno.h>
#include <string.h>

#include "proto/units.h"

/* ---- the calendar --------------------------------------------------------------------------- */

#define DAYS_400_YEARS 146097
#define DAYS_100_YEARS 36524
#define DAYS_4_YEARS   1461
#define DAYS_TO_1970   719162 /* from 0001-01-01 */

static const uint16_t days_before_month[2][13] = {
    {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
    {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t full = year - 1;
    int64_t leap_days = floor_div(full, 4) - floor_div(full, 100) + floor_div(full, 400);
    return 365 * full + leap_days + days_before_month[is_leap(year)][month - 1] + day - 1 -
           DAYS_TO_1970;
}

void civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t since_1 = days + DAYS_TO_1970;
    int64_t n400 = floor_div(since_1, DAYS_400_YEARS);
    int64_t rest = since_1 - n400 * DAYS_400_YEARS;
    int64_t n100 = rest / DAYS_100_YEARS;
    n100 -= n100 == 4; /* the last day of 400 years */
    rest -= n100 * DAYS_100_YEARS;
    int64_t n4 = rest / DAYS_4_YEARS;
    rest -= n4 * DAYS_4_YEARS;
    int64_t n1 = rest / 365;
    n1 -= n1 == 4; /* the last day of a leap year */
    rest -= n1 * 365;

    int64_t year = 400 * n400 + 100 * n100 + 4 * n4 + n1 + 1;
    const uint16_t *before = days_before_month[is_leap(year)];
    unsigned month = (unsigned)rest / 31; /* the month or the one before it */
    month += rest >= before[month + 1];
    *ret_year = year;
    *ret_month = month + 1;
    *ret_day = (unsigned)rest - before[month] + 1;
}

int64_t time_day(int64_t ns)
{
    return floor_div(ns, NS_PER_DAY);
}

/* ---- times ---------------------------------------------------------------------------------- */

/* n digits at p as a number, or -1. */
static int64_t digits_at(const char *p, const char *end, size_t n)
{
    int64_t value = 0;
    if ((size_t)(end - p) < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(p[i] - '0');
        if (digit > 9)
            return -1;
        value = value * 10 + digit;
    }
    return value;
}

/* .123 as nanoseconds; p stands behind the point. NULL if there is no digit or there are over 9. */
static const char *scan_fraction(const char *p, const char *end, int64_t *ret_ns)
{
    int64_t unit = NS_PER_S, ns = 0;
    const char *start = p;

    for (; p < end && (unsigned)(*p - '0') <= 9; p++) {
        if (unit == 1)
            return NULL;
        unit /= 10;
        ns += unit * (*p - '0');
    }
    *ret_ns = ns;
    return p == start ? NULL : p;
}

/* hh:mm[:ss[.fraction]] */
static const char *scan_clock(const char *p, const char *end, int64_t *ret_ns)
{
    int64_t hour = digits_at(p, end, 2), second = 0, fraction_ns = 0;
    if (hour < 0 || hour > 23 || end - p < 5 || p[2] != ':')
        return NULL;
    int64_t minute = digits_at(p + 3, end, 2);
    if (minute < 0 || minute > 59)
        return NULL;
    p += 5;
    if (p < end && *p == ':') {
        second = digits_at(p + 1, end, 2);
        if (second < 0 || second > 59)
            return NULL;
        p += 3;
        if (p < end && *p == '.') {
            p = scan_fraction(p + 1, end, &fraction_ns);
            if (!p)
                return NULL;
        }
    }
    *ret_ns = (hour * 3600 + minute * 60 + second) * NS_PER_S + fraction_ns;
    return p;
}

/* Z, +hh, +hhmm, +hh:mm: how far the local time is ahead of UTC. */
static const char *scan_offset(const char *p, const char *end, int64_t *ret_ns)
{
    if (*p == 'Z' || *p == 'z') {
        *ret_ns = 0;
        return p + 1;
    }
    if (*p != '+' && *p != '-')
        return NULL;

    int sign = *p == '-' ? -1 : 1;
    int64_t hour = digits_at(p + 1, end, 2), minute = 0;
    p += 3;
    if (hour < 0 || hour > 23)
        return NULL;
    if (p < end) {
        p += *p == ':';
        minute = digits_at(p, end, 2);
        if (minute < 0 || minute > 59)
            return NULL;
        p += 2;
    }
    *ret_ns = sign * (hour * 3600 + minute * 60) * NS_PER_S;
    return p;
}

static const char *scan_date(const char *p, const char *end, int64_t *ret_days)
{
    if (end - p < 10 || p[4] != '-' || p[7] != '-')
        return NULL;
    int64_t year = digits_at(p, end, 4);
    int64_t month = digits_at(p + 5, end, 2);
    int64_t day = digits_at(p + 8, end, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return NULL;
    const uint16_t *before = days_before_month[is_leap(year)];
    if (day > before[month] - before[month - 1])
        return NULL;
    *ret_days = days_from_civil(year, (unsigned)month, (unsigned)day);
    return p + 10;
}

int time_parse_iso(const char *text, size_t n_bytes, int64_t *ret_ns, bool *ret_has_offset)
{
    const char *end = text + n_bytes;
    int64_t days, clock_ns = 0, offset_ns = 0, ns;
    bool has_offset = false;

    const char *p = scan_date(text, end, &days);
    if (!p)
        return -EINVAL;
    if (p < end) {
        if (*p != 'T' && *p != ' ' && *p != 't')
            return -EINVAL;
        p = scan_clock(p + 1, end, &clock_ns);
        if (p && p < end) {
            has_offset = true;
            p = scan_offset(p, end, &offset_ns);
        }
        if (p != end)
            return -EINVAL;
    }
    /* Whole days towards 1970 first, so that the first day of the range does not overflow. */
    clock_ns -= offset_ns;
    if (days < 0) {
        days += 1;
        clock_ns -= NS_PER_DAY;
    }
    if (__builtin_mul_overflow(days, NS_PER_DAY, &ns) || __builtin_add_overflow(ns, clock_ns, &ns))
        return -EINVAL;
    *ret_ns = ns;
    *ret_has_offset = has_offset;
    return 0;
}

static char *put_digits(char *out, uint64_t value, int n)
{
    for (int i = n; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + n;
}

const char *time_format_iso(int64_t ns, char out[static TIME_ISO_BYTES])
{
    int64_t days = time_day(ns), year;
    unsigned month, day;
    civil_from_days(days, &year, &month, &day);

    /* In two steps: the first day of the range starts before INT64_MIN. */
    int64_t second = floor_div(ns, NS_PER_S);
    uint64_t fraction = (uint64_t)(ns % NS_PER_S < 0 ? ns % NS_PER_S + NS_PER_S : ns % NS_PER_S);
    uint64_t of_day = (uint64_t)(second - days * 86400);

    char *p = put_digits(out, (uint64_t)year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, of_day / 3600, 2);
    *p++ = ':';
    p = put_digits(p, of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, of_day % 60, 2);
    if (fraction > 0) {
        *p++ = '.';
        if (fraction % 1000000 == 0)
            p = put_digits(p, fraction / 1000000, 3);
        else if (fraction % 1000 == 0)
            p = put_digits(p, fraction / 1000, 6);
        else
            p = put_digits(p, fraction, 9);
    }
    *p++ = 'Z';
    *p = '\0';
    return out;
}

/* ---- order ---------------------------------------------------------------------------------- */

uint32_t time_lower_bound(const int64_t *time_ns, uint32_t n, int64_t at_ns)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (time_ns[middle] < at_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
