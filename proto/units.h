/* SPDX-License-Identifier: MIT */
/* Sizes, durations, times and numbers as people write them, in one place.
 * Times are int64 nanoseconds since 1970-01-01T00:00:00Z; the calendar is the proleptic Gregorian.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S   INT64_C(1000000000)
#define NS_PER_DAY (INT64_C(86400) * NS_PER_S)

#define TIME_ISO_BYTES 40 /* holds any time_format_iso() text with its NUL */
#define F64_BYTES      32 /* holds any f64_format() text with its NUL */

/* "256MiB", "1.5GiB", "64kB", "4096": binary and decimal suffixes; a lone K, M, G, T is binary.
 * 0, or -EINVAL, -ERANGE. */
int bytes_parse(const char *text, uint64_t *ret_bytes);
/* "30s", "250ms", "10us", "5m", "2h", "1d", "1.5s"; a bare number is seconds. 0, -EINVAL, -ERANGE.
 */
int duration_parse(const char *text, int64_t *ret_ns);
/* "1.5 GiB", "812 B": for people. out of at least 24 bytes; returns out. */
const char *bytes_format(uint64_t bytes, char *out, size_t out_bytes);
/* "2.1 s", "350 ms", "1 h 02 m": for people. */
const char *duration_format(int64_t ns, char *out, size_t out_bytes);

/* "2024-01-31", "2024-01-31T12:00", "2024-01-31 12:00:00.123456789", with optional Z or +hh:mm.
 * Without an offset *ret_has_offset is false and the time is as if UTC. 0, or -EINVAL. */
int time_parse_iso(const char *text, size_t n_bytes, int64_t *ret_ns, bool *ret_has_offset);
/* "2024-01-31T12:00:00Z", with a fraction only where there is one. Returns out. */
const char *time_format_iso(int64_t ns, char out[static TIME_ISO_BYTES]);
/* Days since 1970-01-01 of a civil date, and back. */
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
void civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
/* Day number of a time, rounding towards the past. */
int64_t time_day(int64_t ns);
/* How many of n ascending times lie before one: the index of the first that does not. */
uint32_t time_lower_bound(const int64_t *time_ns, uint32_t n, int64_t at_ns);

/* A decimal number of the form [+-]digits[.digits][e[+-]digits], exactly as strtod rounds it, of
 * exactly n_bytes bytes; the digits before or behind the point may be missing, not both. No
 * hexadecimal, no nan, no inf, no locale. 0, or -EINVAL; -ERANGE beyond the largest double. */
int f64_parse(const char *text, size_t n_bytes, double *ret_value);
/* %.17g in the C locale; empty text for NaN. Returns out. */
const char *f64_format(double value, char out[static F64_BYTES]);
/* The shortest text that reads back as the same double; for canonical keys and for people. */
const char *f64_format_short(double value, char out[static F64_BYTES]);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t mono_now_ns(void);
