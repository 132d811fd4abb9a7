/* SPDX-License-Identifier: MIT */
/* Rows of a CSV file to bars, in one pass: a large buffer, no allocation for a field or a row.
 *
 * A line is a row: a quoted field ends on its line. Checks go from left to right by kind (bytes,
 * fields, time, numbers, prices, range, volume, order), and the first that fails names the row's
 * fault. */
#include "supervisor/import/csv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/import/columns.h"
#include "supervisor/import/lines.h"
#include "supervisor/import/zone.h"
#include "supervisor/store/store.h"

#define ROWS_START 4096u
#define CSV_E_SKIP 2 /* inside this file: the row is bad, and counted */

enum time_kind { TIME_UNKNOWN, TIME_ISO, TIME_EPOCH };

struct reading {
    const struct csv_options *options;
    struct csv_report *report;
    struct lines lines;
    struct zone zone;
    /* columns */
    char separator;
    struct csv_columns columns;
    struct csv_field fields[CSV_COLUMNS_MAX];
    bool is_decided;
    /* rows */
    struct bars_heap *heap;
    uint32_t rows_n;
    enum time_kind time_kind; /* of the first good row */
    int64_t unit_ns;          /* of epoch times */
    enum time_kind row_kind;  /* of the row at hand */
    int64_t row_unit_ns;
};

const char *csv_fault_name(enum csv_fault fault)
{
    static const char *const names[] = {
#define X(symbol, name, what) name,
        CSV_FAULTS(X)
#undef X
    };
    return fault < CSV_FAULT_N ? names[fault] : "?";
}

/* ---- faults --------------------------------------------------------------------------------- */

static int fault(struct reading *r, enum csv_fault kind, const struct csv_field *f,
                 const char *expected, struct err *err)
{
    if (r->options->lenient) {
        if (r->report->skipped[kind]++ == 0)
            r->report->first_skipped_line[kind] = r->lines.line_n;
        return CSV_E_SKIP;
    }
    char found[256];
    line_quote(f->at, f->n_bytes, found);
    return err_set(err, ERR_DATA,
                   "%s:%" PRIu64 ":%" PRIu32 ": found \"%s\", expected %s (--lenient skips and "
                   "counts bad rows)",
                   r->lines.path, r->lines.line_n, f->column, found, expected);
}

static int check_bytes(struct reading *r, const struct line *line, struct err *err)
{
    size_t at = 0;
    if (line->is_long) {
        struct csv_field f = {line->at, 0, 1};
        return fault(r, CSV_BYTES, &f, "a line of at most 65536 bytes", err);
    }
    const char *expected = line_check(line, &at);
    if (!expected)
        return 0;
    struct csv_field f = {line->at + at, 1, (uint32_t)at + 1};
    return fault(r, CSV_BYTES, &f, expected, err);
}

/* ---- times ---------------------------------------------------------------------------------- */

/* A whole decimal number, with a fraction of nanounits behind it. */
struct decimal {
    int64_t whole;
    int64_t billionths;
    bool is_negative;
    unsigned digits_n;
};

static bool decimal_parse(const struct csv_field *f, struct decimal *ret)
{
    struct decimal d = {0};
    size_t i = 0;
    if (i < f->n_bytes && f->at[i] == '-')
        d.is_negative = ++i;
    for (; i < f->n_bytes && f->at[i] >= '0' && f->at[i] <= '9'; i++, d.digits_n++)
        if (d.digits_n >= 19 || __builtin_mul_overflow(d.whole, 10, &d.whole) ||
            __builtin_add_overflow(d.whole, f->at[i] - '0', &d.whole))
            return false;
    if (i < f->n_bytes && f->at[i] == '.') {
        int64_t place = 100000000;
        for (i++; i < f->n_bytes && f->at[i] >= '0' && f->at[i] <= '9'; i++, place /= 10)
            d.billionths += (f->at[i] - '0') * place;
    }
    if (i != f->n_bytes || d.digits_n == 0)
        return false;
    *ret = d;
    return true;
}

/* Seconds up to the year 5138, then milli-, micro- and nanoseconds. */
static int64_t unit_of(int64_t whole)
{
    if (whole < INT64_C(100000000000))
        return NS_PER_S;
    if (whole < INT64_C(100000000000000))
        return 1000000;
    return whole < INT64_C(100000000000000000) ? 1000 : 1;
}

static bool epoch_ns(const struct decimal *d, int64_t unit_ns, int64_t *ret_ns)
{
    int64_t ns;
    if (__builtin_mul_overflow(d->whole, unit_ns, &ns))
        return false;
    int64_t fraction = d->billionths / (NS_PER_S / unit_ns);
    if (__builtin_add_overflow(ns, fraction, &ns))
        return false;
    *ret_ns = d->is_negative ? -ns : ns;
    return true;
}

static bool time_epoch(struct reading *r, const struct csv_field *f, int64_t *ret_ns)
{
    struct decimal d;
    if (!decimal_parse(f, &d))
        return false;
    int64_t unit_ns = unit_of(d.whole);
    r->row_kind = TIME_EPOCH;
    r->row_unit_ns = unit_ns;
    bool fits = r->time_kind == TIME_UNKNOWN || unit_ns == r->unit_ns;
    return fits && epoch_ns(&d, unit_ns, ret_ns);
}

/* 0, or CSV_E_SKIP where it is no time; *ret_is_local: it has no offset. */
static int time_parse(struct reading *r, const struct csv_field *f, int64_t *ret_ns,
                      bool *ret_is_local)
{
    bool has_offset = false;
    bool is_date = r->time_kind != TIME_EPOCH && csv_compact_date(f, ret_ns);
    if (is_date || (r->time_kind != TIME_EPOCH &&
                    time_parse_iso(f->at, f->n_bytes, ret_ns, &has_offset) == 0)) {
        r->row_kind = TIME_ISO;
        *ret_is_local = !has_offset;
        return 0;
    }
    *ret_is_local = false;
    return r->time_kind != TIME_ISO && time_epoch(r, f, ret_ns) ? 0 : CSV_E_SKIP;
}

static const char *time_expected(const struct reading *r)
{
    switch (r->time_kind) {
    case TIME_ISO:
        return "a time like 2024-01-31 or 2024-01-31T12:00:00Z, as in the rows before";
    case TIME_EPOCH:
        return r->unit_ns == NS_PER_S  ? "epoch seconds, as in the rows before"
               : r->unit_ns == 1000000 ? "epoch milliseconds, as in the rows before"
               : r->unit_ns == 1000    ? "epoch microseconds, as in the rows before"
                                       : "epoch nanoseconds, as in the rows before";
    default:
        return "a time like 2024-01-31, 2024-01-31T12:00:00Z, or seconds since 1970";
    }
}

static int row_time(struct reading *r, struct err *err)
{
    const struct csv_field *f = &r->fields[r->columns.of_role[ROLE_TIME]];
    int64_t ns = 0, before_ns = r->rows_n ? r->heap->time_ns[r->rows_n - 1] : INT64_MIN;
    bool is_local = false;
    if (time_parse(r, f, &ns, &is_local) != 0)
        return fault(r, CSV_TIME, f, time_expected(r), err);
    if (is_local && !zone_to_utc(&r->zone, before_ns, &ns))
        return fault(r, CSV_LOCAL_TIME, f, "a local time that the zone has (its clock leaps there)",
                     err);
    r->heap->time_ns[r->rows_n] = ns;
    return 0;
}

static int row_order(struct reading *r, struct err *err)
{
    const struct csv_field *f = &r->fields[r->columns.of_role[ROLE_TIME]];
    if (r->rows_n == 0)
        return 0;
    int64_t ns = r->heap->time_ns[r->rows_n], before_ns = r->heap->time_ns[r->rows_n - 1];
    if (ns < before_ns)
        return fault(r, CSV_ORDER, f, "a time after the row before it (rows go oldest first)", err);
    if (ns == before_ns)
        return fault(r, CSV_DUPLICATE, f, "a time that no other row has", err);
    return 0;
}

/* ---- prices --------------------------------------------------------------------------------- */

static const struct csv_field *field_of(const struct reading *r, enum csv_role role)
{
    return &r->fields[r->columns.of_role[role]];
}

static int row_numbers(struct reading *r, struct err *err)
{
    static const char expected[] = "a decimal number like 12.5";
    uint32_t row = r->rows_n;
    for (uint32_t i = 0; i < r->columns.n; i++) {
        const struct csv_field *f = &r->fields[i];
        enum csv_role role = r->columns.role[i];
        if (role == ROLE_TIME || role == ROLE_IGNORED)
            continue;
        double value = NAN;
        bool may_lack = role == ROLE_EXTRA && csv_field_is_undefined(f);
        if (!may_lack && (f64_parse(f->at, f->n_bytes, &value) != 0 || !isfinite(value)))
            return fault(r, CSV_NUMBER, f, expected, err);
        if (role == ROLE_EXTRA)
            r->heap->extra[r->columns.extra_idx[i]][row] = value;
        else
            r->heap->column[role - ROLE_OPEN][row] = value;
    }
    if (r->columns.of_role[ROLE_VOLUME] < 0)
        r->heap->column[ROLE_VOLUME - ROLE_OPEN][row] = 0;
    return 0;
}

static int row_prices(struct reading *r, struct err *err)
{
    double *const *column = r->heap->column;
    uint32_t row = r->rows_n;
    for (unsigned role = ROLE_OPEN; role <= ROLE_CLOSE; role++) {
        double px = column[role - ROLE_OPEN][row];
        if (!(px >= CSV_PRICE_LEAST && px <= CSV_PRICE_MOST))
            return fault(r, CSV_PRICE, field_of(r, role), "a price between 1e-15 and 1e15", err);
    }
    double open = column[0][row], high = column[1][row];
    double low = column[2][row], close = column[3][row];
    if (high < low)
        return fault(r, CSV_RANGE, field_of(r, ROLE_HIGH), "a high that is not below the low", err);
    if (open < low || open > high)
        return fault(r, CSV_RANGE, field_of(r, ROLE_OPEN), "an open within low..high", err);
    if (close < low || close > high)
        return fault(r, CSV_RANGE, field_of(r, ROLE_CLOSE), "a close within low..high", err);
    double volume = column[4][row];
    if (volume < 0 || volume > CSV_VOLUME_MOST)
        return fault(r, CSV_VOLUME, field_of(r, ROLE_VOLUME), "a volume between 0 and 1e20", err);
    return 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int row_split(struct reading *r, const struct line *line, struct err *err)
{
    struct csv_field bad = {line->at, line->n_bytes, 1};
    int n = csv_split(line->at, line->n_bytes, r->separator, r->fields, &bad);
    char expected[96];
    if (n == (int)r->columns.n)
        return 0;
    if (n < 0)
        return fault(r, CSV_FIELDS, &bad, "a quoted field that ends on its line", err);
    bad = n > (int)r->columns.n ? r->fields[r->columns.n] : r->fields[n - 1];
    if (n < (int)r->columns.n) { /* the line ends too early */
        bad.column = (uint32_t)line->n_bytes + 1;
        bad.at = line->at;
        bad.n_bytes = line->n_bytes;
    }
    snprintf(expected, sizeof expected, "%" PRIu32 " fields as in the header, and there are %d",
             r->columns.n, n);
    return fault(r, CSV_FIELDS, &bad, expected, err);
}

/* Makes room for the row; the first row decides which further columns hold numbers. */
static int row_room(struct reading *r, struct err *err)
{
    int rc = 0;
    if (!r->is_decided) {
        csv_columns_decide(&r->columns, r->fields, r->report);
        r->is_decided = true;
        rc = bars_heap_create(r->options->symbol, r->columns.extra_n, r->columns.extra_names,
                              &r->heap);
        if (rc == 0)
            rc = bars_heap_reserve(r->heap, ROWS_START);
    } else if (r->rows_n == r->heap->capacity) {
        if (r->rows_n >= BARS_ROWS_MAX)
            return err_set(err, ERR_DATA, "%s:%" PRIu64 ": more than %u rows; split the file",
                           r->lines.path, r->lines.line_n, BARS_ROWS_MAX);
        rc = bars_heap_reserve(r->heap, r->rows_n * 2);
    }
    return rc == 0 ? 0
                   : err_set(err, ERR_SYSTEM, "out of memory for the bars of %s", r->lines.path);
}

static int row_read(struct reading *r, const struct line *line, struct err *err)
{
    int rc = check_bytes(r, line, err);
    if (rc == 0)
        rc = row_split(r, line, err);
    if (rc == 0)
        rc = row_room(r, err);
    if (rc == 0)
        rc = row_time(r, err);
    if (rc == 0)
        rc = row_numbers(r, err);
    if (rc == 0)
        rc = row_prices(r, err);
    if (rc == 0)
        rc = row_order(r, err);
    if (rc != 0)
        return rc;
    if (r->rows_n++ == 0) {
        r->time_kind = r->row_kind;
        r->unit_ns = r->row_unit_ns;
    }
    return 0;
}

static int rows_read(struct reading *r, struct err *err)
{
    struct line line;
    int rc = lines_next(&r->lines, &line, err);
    while (rc == 0) {
        if (!line_is_empty(&line))
            rc = row_read(r, &line, err);
        if (rc < 0)
            return rc;
        rc = lines_next(&r->lines, &line, err);
    }
    return rc == LINES_E_END ? 0 : rc;
}

/* ---- header --------------------------------------------------------------------------------- */

static int header_read(struct reading *r, struct err *err)
{
    struct line line;
    struct csv_field bad = {0};
    char where[320], found[256];
    int rc = lines_header(&r->lines, &line, err);
    if (rc == LINES_E_END)
        return err_set(err, ERR_DATA, "%s: the file is empty, expected a header and bars",
                       r->lines.path);
    if (rc != 0)
        return rc;
    r->separator = csv_separator(line.at, line.n_bytes);
    int n = csv_split(line.at, line.n_bytes, r->separator, r->fields, &bad);
    snprintf(where, sizeof where, "%s:%" PRIu64, r->lines.path, r->lines.line_n);
    if (n < 0) {
        line_quote(bad.at, bad.n_bytes, found);
        return err_set(err, ERR_DATA,
                       "%s:%" PRIu32 ": found \"%s\", expected at most %d names, and quotes that "
                       "are closed",
                       where, bad.column, found, CSV_COLUMNS_MAX);
    }
    return csv_columns_read(r->fields, n, where, &r->columns, r->report, err);
}

/* ---- the whole file ------------------------------------------------------------------------- */

static int compare_i64(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Steps longer than 1.5 times the median of up to 8,191 steps, evenly picked. */
static uint64_t gaps_count(const int64_t *time_ns, uint32_t rows_n)
{
    static int64_t steps[8192];
    uint32_t every = rows_n / 8192 + 1, n = 0;
    for (uint32_t i = 1; i < rows_n; i += every)
        steps[n++] = time_ns[i] - time_ns[i - 1];
    if (n == 0)
        return 0;
    qsort(steps, n, sizeof *steps, compare_i64);
    double usual = (double)steps[n / 2];
    uint64_t gaps_n = 0;
    for (uint32_t i = 1; i < rows_n; i++)
        gaps_n += (double)(time_ns[i] - time_ns[i - 1]) > 1.5 * usual;
    return gaps_n;
}

static int no_rows(struct reading *r, struct err *err)
{
    uint64_t skipped_n = 0;
    for (unsigned i = 0; i < CSV_FAULT_N; i++)
        skipped_n += r->report->skipped[i];
    if (skipped_n == 0)
        return err_set(err, ERR_DATA, "%s: there are no rows below the header", r->lines.path);
    return err_set(err, ERR_DATA,
                   "%s: all %" PRIu64 " rows are bad; without --lenient the first one is explained",
                   r->lines.path, skipped_n);
}

static int read_all(struct reading *r, const char *path, struct err *err)
{
    int rc = lines_open(path, &r->lines, err);
    if (rc == 0)
        rc = header_read(r, err);
    if (rc == 0)
        rc = rows_read(r, err);
    if (rc == 0 && r->rows_n == 0)
        rc = no_rows(r, err);
    if (rc != 0)
        return rc;
    r->report->rows_n = r->rows_n;
    r->report->gaps_n = gaps_count(r->heap->time_ns, r->rows_n);
    bars_heap_view(r->heap, r->rows_n);
    return 0;
}

int csv_read(const char *path, const struct csv_options *options, struct bars **ret_bars,
             struct csv_report *ret_report, struct err *err)
{
    struct csv_report report = {0};
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_SYSTEM, "out of memory");
    r->options = options;
    r->report = &report;
    int rc = zone_open(options->tz, &r->zone, err);
    if (rc == 0)
        rc = read_all(r, path, err);
    zone_close(&r->zone);
    lines_close(&r->lines);
    if (rc == 0) {
        *ret_bars = &r->heap->bars;
        *ret_report = report;
    } else {
        bars_heap_destroy(r->heap);
    }
    free(r);
    return rc;
}
