/* SPDX-License-Identifier: MIT */
/* The file of corporate actions, read and checked. */
#include "supervisor/import/actions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/units.h"
#include "supervisor/import/columns.h"
#include "supervisor/import/lines.h"
#include "supervisor/import/zone.h"

#define SPLIT_MOST 1e9 /* either way */
#define NAMES_MAX  4   /* of a field */

enum field { FIELD_DATE, FIELD_SYMBOL, FIELD_SPLIT, FIELD_DIVIDEND, FIELD_N };

/* Accepted names, the preferred first. */
static const char *const names[FIELD_N][NAMES_MAX] = {
    [FIELD_DATE] = {"date", "ex_date", "ex-date", "timestamp"},
    [FIELD_SYMBOL] = {"symbol", "ticker"},
    [FIELD_SPLIT] = {"split", "splits", "stock splits"},
    [FIELD_DIVIDEND] = {"dividend", "dividends"},
};

struct reading {
    const struct actions_options *options;
    struct lines lines;
    struct zone zone;
    char separator;
    int columns_n;
    int column[FIELD_N]; /* -1: none */
    struct csv_field fields[CSV_COLUMNS_MAX];
    struct actions actions;
    size_t capacity;
};

/* ---- by dividends --------------------------------------------------------------------------- */

static const char *const how_names[DIVIDENDS_N] = {"adjust", "cash"};

const char *dividends_name(enum dividends how)
{
    return how < DIVIDENDS_N ? how_names[how] : "?";
}

int dividends_parse(const char *text, enum dividends *ret_how, struct err *err)
{
    for (unsigned i = 0; i < DIVIDENDS_N; i++) {
        if (strcmp(text, how_names[i]) == 0) {
            *ret_how = (enum dividends)i;
            return 0;
        }
    }
    char shown[128];
    const char *near = err_suggest(text, how_names, DIVIDENDS_N);
    return err_set(err, ERR_USAGE, "--dividends %s: expected adjust or cash%s%s%s",
                   err_printable(text, shown, sizeof shown), near ? "; did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "");
}

/* ---- errors --------------------------------------------------------------------------------- */

static int refuse(const struct reading *r, const struct csv_field *f, const char *expected,
                  struct err *err)
{
    char found[256];
    return err_set(err, ERR_DATA, "%s:%" PRIu64 ":%" PRIu32 ": found \"%s\", expected %s",
                   r->lines.path, r->lines.line_n, f->column, line_quote(f->at, f->n_bytes, found),
                   expected);
}

/* ---- the header ----------------------------------------------------------------------------- */

static int header_fields(struct reading *r, const struct line *line, struct err *err)
{
    int again = 0;
    for (unsigned f = 0; f < FIELD_N; f++) {
        r->column[f] = csv_field_find(r->fields, r->columns_n, names[f], NAMES_MAX, &again);
        if (r->column[f] == -2)
            return refuse(r, &r->fields[again], "each name once", err);
    }
    bool is_whole = r->column[FIELD_DATE] >= 0 && r->column[FIELD_SYMBOL] >= 0 &&
                    (r->column[FIELD_SPLIT] >= 0 || r->column[FIELD_DIVIDEND] >= 0);
    struct csv_field all = {line->at, line->n_bytes, 1};
    return is_whole ? 0
                    : refuse(r, &all,
                             "a header with date, symbol, and split or dividend: "
                             "date,symbol,split,dividend",
                             err);
}

static int header_read(struct reading *r, struct err *err)
{
    struct line line;
    int rc = lines_header(&r->lines, &line, err);
    if (rc == LINES_E_END)
        return err_set(err, ERR_DATA,
                       "%s: the file is empty, expected the header date,symbol,split,dividend",
                       r->lines.path);
    if (rc != 0)
        return rc;
    struct csv_field bad = {line.at, line.n_bytes, 1};
    r->separator = csv_separator(line.at, line.n_bytes);
    r->columns_n = csv_split(line.at, line.n_bytes, r->separator, r->fields, &bad);
    if (r->columns_n < 0)
        return refuse(r, &bad, "at most 1024 names, and quotes that are closed", err);
    return header_fields(r, &line, err);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int row_split(struct reading *r, const struct line *line, struct err *err)
{
    char expected[96];
    size_t at = 0;
    struct csv_field bad = {line->at, line->is_long ? 0 : line->n_bytes, 1};
    const char *plain = line->is_long ? "a line of at most 65536 bytes" : line_check(line, &at);
    if (plain) {
        bad = (struct csv_field){line->at + at, line->is_long ? 0 : 1, (uint32_t)at + 1};
        return refuse(r, &bad, plain, err);
    }
    int n = csv_split(line->at, line->n_bytes, r->separator, r->fields, &bad);
    if (n == r->columns_n)
        return 0;
    snprintf(expected, sizeof expected, "%d fields as in the header, and there are %d",
             r->columns_n, n);
    return refuse(r, &bad, n < 0 ? "a quoted field that ends on its line" : expected, err);
}

/* Midnight of a date, in the zone; where its clocks leap over midnight, an hour later. */
static int row_time(struct reading *r, int64_t *ret_ns, struct err *err)
{
    const struct csv_field *f = &r->fields[r->column[FIELD_DATE]];
    bool has_offset = false;
    int64_t ns = 0;
    if (!csv_compact_date(f, &ns) && time_parse_iso(f->at, f->n_bytes, &ns, &has_offset) != 0)
        return refuse(r, f, "the ex-date, like 2020-08-31", err);
    int64_t later_ns;
    bool has_later = !__builtin_add_overflow(ns, 3600 * NS_PER_S, &later_ns);
    if (!has_offset && !zone_to_utc(&r->zone, INT64_MIN, &ns)) {
        ns = later_ns;
        if (!has_later || !zone_to_utc(&r->zone, INT64_MIN, &ns))
            return refuse(r, f, "an ex-date that the zone has", err);
    }
    *ret_ns = ns;
    return 0;
}

/* A field that may be empty or not there at all. */
static int row_number(struct reading *r, enum field field, double otherwise, double *ret_value,
                      struct err *err)
{
    static const char *const expected[FIELD_N] = {
        [FIELD_SPLIT] = "new shares for each old one: 7 for 7:1, 0.1 for 1:10, and an empty field "
                        "or 1 where there is no split",
        [FIELD_DIVIDEND] = "money a share, 0 or above: 0.82, and an empty field or 0 where there "
                           "is none",
    };
    *ret_value = otherwise;
    if (r->column[field] < 0 || csv_field_is_undefined(&r->fields[r->column[field]]))
        return 0;
    const struct csv_field *f = &r->fields[r->column[field]];
    double value;
    bool is_number = f64_parse(f->at, f->n_bytes, &value) == 0 && isfinite(value);
    bool is_good = field == FIELD_SPLIT
                       ? is_number && value >= 1 / SPLIT_MOST && value <= SPLIT_MOST
                       : is_number && value >= 0;
    if (!is_good)
        return refuse(r, f, expected[field], err);
    *ret_value = value;
    return 0;
}

static int row_keep(struct reading *r, const struct action *action, struct err *err)
{
    struct actions *a = &r->actions;
    if (a->n == ACTIONS_MAX)
        return err_set(err, ERR_DATA, "%s:%" PRIu64 ": more than %d actions of %s", r->lines.path,
                       r->lines.line_n, ACTIONS_MAX, r->options->symbol);
    if (a->n == r->capacity) {
        size_t more = r->capacity ? 2 * r->capacity : 64;
        struct action *bigger = realloc(a->action, more * sizeof *bigger);
        if (!bigger)
            return err_set(err, ERR_SYSTEM, "out of memory for the actions of %s", r->lines.path);
        a->action = bigger;
        r->capacity = more;
    }
    a->action[a->n++] = *action;
    return 0;
}

/* Of another symbol: counted, and remembered where its name is nearly ours. */
static void row_of_other(struct reading *r, const struct csv_field *f)
{
    size_t n = strlen(r->options->symbol);
    r->actions.other_n++;
    if (f->n_bytes == n && n < sizeof r->actions.like &&
        strncasecmp(f->at, r->options->symbol, n) == 0) {
        memcpy(r->actions.like, f->at, n);
        r->actions.like[n] = '\0';
    }
}

static int row_read(struct reading *r, const struct line *line, struct err *err)
{
    struct action action = {.line_n = r->lines.line_n};
    int rc = row_split(r, line, err);
    if (rc != 0)
        return rc;
    const struct csv_field *symbol = &r->fields[r->column[FIELD_SYMBOL]];
    if (symbol->n_bytes == 0)
        return refuse(r, symbol, "the symbol that the action is of", err);
    if (symbol->n_bytes != strlen(r->options->symbol) ||
        memcmp(symbol->at, r->options->symbol, symbol->n_bytes) != 0) {
        row_of_other(r, symbol);
        return 0;
    }
    rc = row_time(r, &action.ex_ns, err);
    if (rc == 0)
        rc = row_number(r, FIELD_SPLIT, 1, &action.split, err);
    if (rc == 0)
        rc = row_number(r, FIELD_DIVIDEND, 0, &action.dividend, err);
    if (rc == 0 && action.split == 1 && action.dividend == 0) {
        r->actions.silent_n++;
        return 0;
    }
    return rc == 0 ? row_keep(r, &action, err) : rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int compare_actions(const void *a, const void *b)
{
    const struct action *x = a, *y = b;
    if (x->ex_ns != y->ex_ns)
        return x->ex_ns < y->ex_ns ? -1 : 1;
    if ((x->split != 1) != (y->split != 1))
        return x->split != 1 ? -1 : 1;
    return x->line_n < y->line_n ? -1 : 1;
}

static int twice(const struct reading *r, const struct action *first, const struct action *second,
                 const char *what, struct err *err)
{
    bool is_later = second->line_n > first->line_n;
    return err_set(err, ERR_DATA,
                   "%s:%" PRIu64 ": a second %s of %s on the day of line %" PRIu64
                   "; keep one of them, or write both as one",
                   r->lines.path, is_later ? second->line_n : first->line_n, what,
                   r->options->symbol, is_later ? first->line_n : second->line_n);
}

/* One split and one dividend a day, in one row or in two. */
static int check_twice(const struct reading *r, struct err *err)
{
    const struct action *split = NULL, *dividend = NULL;
    for (size_t i = 0; i < r->actions.n; i++) {
        const struct action *a = &r->actions.action[i];
        if (a->split != 1 && split && split->ex_ns == a->ex_ns)
            return twice(r, split, a, "split", err);
        if (a->dividend != 0 && dividend && dividend->ex_ns == a->ex_ns)
            return twice(r, dividend, a, "dividend", err);
        split = a->split != 1 ? a : split;
        dividend = a->dividend != 0 ? a : dividend;
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
        if (rc != 0)
            return rc;
        rc = lines_next(&r->lines, &line, err);
    }
    if (rc != LINES_E_END)
        return rc;
    if (r->actions.n > 1)
        qsort(r->actions.action, r->actions.n, sizeof *r->actions.action, compare_actions);
    return check_twice(r, err);
}

int actions_read(const struct actions_options *options, struct actions *ret_actions,
                 struct err *err)
{
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_SYSTEM, "out of memory");
    r->options = options;
    int rc = zone_open(options->tz, &r->zone, err);
    if (rc == 0) {
        rc = lines_open(options->path, &r->lines, err);
        if (rc == 0)
            rc = header_read(r, err);
        if (rc == 0)
            rc = rows_read(r, err);
        memcpy(r->actions.path, r->lines.path, sizeof r->actions.path);
        lines_close(&r->lines);
        zone_close(&r->zone);
    }
    if (rc == 0)
        *ret_actions = r->actions;
    else
        actions_fini(&r->actions);
    free(r);
    return rc;
}

void actions_fini(struct actions *actions)
{
    free(actions->action);
    *actions = (struct actions){0};
}
