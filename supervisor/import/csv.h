/* SPDX-License-Identifier: MIT */
/* Bars from CSV files: plain, .gz or .zst, or standard input.
 *
 * The header names the columns (timestamp|time|date|datetime, open, high, low, close, volume; case
 * does not matter, order neither; volume may be missing); every other numeric column is kept under
 * its header's name. Times: ISO-8601, or epoch seconds, ms, us, ns by magnitude (one unit for the
 * file). Strict: the first bad row ends it with file:line:column. Lenient: bad rows are skipped and
 * counted by kind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/plane.h"

/* kind, name, what a person reads */
#define CSV_FAULTS(X)                                                                              \
    X(FIELDS, "fields", "wrong number of fields")                                                  \
    X(TIME, "time", "not a time")                                                                  \
    X(NUMBER, "number", "not a finite decimal number")                                             \
    X(PRICE, "price", "a price is zero, negative, below 1e-15 or above 1e15")                      \
    X(RANGE, "range", "open or close outside low..high, or high below low")                        \
    X(VOLUME, "volume", "negative volume, or above 1e20")                                          \
    X(ORDER, "order", "earlier than the row before it")                                            \
    X(DUPLICATE, "duplicate", "the same time as the row before it")                                \
    X(LOCAL_TIME, "local_time", "a local time that the zone skips")                                \
    X(BYTES, "bytes", "a NUL byte, bytes that are not UTF-8, or a line over 64 KiB")

enum csv_fault {
#define X(symbol, name, what) CSV_##symbol,
    CSV_FAULTS(X)
#undef X
        CSV_FAULT_N
};

const char *csv_fault_name(enum csv_fault fault);

struct csv_options {
    const char *symbol;
    bool lenient;
    const char *tz; /* zone of times without an offset; NULL: UTC */
};

struct csv_report {
    uint64_t rows_n;               /* kept */
    uint64_t skipped[CSV_FAULT_N]; /* lenient */
    uint64_t first_skipped_line[CSV_FAULT_N];
    uint64_t gaps_n;  /* steps longer than 1.5 usual ones, for people */
    char notes[1024]; /* lines for people: columns that were ignored or renamed */
};

#define CSV_PRICE_LEAST 1e-15
#define CSV_PRICE_MOST  1e15
#define CSV_VOLUME_MOST 1e20

/* *ret_bars: heap, freed by bars_free() (supervisor/store). */
int csv_read(const char *path, const struct csv_options *options, struct bars **ret_bars,
             struct csv_report *ret_report, struct err *err) ADMF_MUST_CHECK;
