/* SPDX-License-Identifier: MIT */
/* Headers: which column is the time, which the prices, and how the others are called. */
#include "supervisor/import/columns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/buf.h"
#include "proto/units.h"
#include "shm/indicator/indicator.h"

#define ALIASES_MAX 8

/* Accepted names, the preferred first. */
static const char *const aliases[ROLES_KNOWN][ALIASES_MAX] = {
    [ROLE_TIME] = {"timestamp", "time", "date", "datetime", "ts", "open_time"},
    [ROLE_OPEN] = {"open", "o"},
    [ROLE_HIGH] = {"high", "h"},
    [ROLE_LOW] = {"low", "l"},
    [ROLE_CLOSE] = {"close", "c", "last"},
    [ROLE_VOLUME] = {"volume", "vol", "v"},
};

/* Words of the expression language beside indicators. */
static const char *const reserved[] = {
    "open",  "high",  "low",  "close",         "volume",        "hl2", "hlc3",
    "ohlc4", "and",   "or",   "not",           "shift",         "nan", "inf",
    "true",  "false", "time", "crosses_above", "crosses_below", "abs", "if",
};

void csv_note(struct csv_report *report, const char *fmt, ...)
{
    size_t n = strlen(report->notes);
    va_list args;
    va_start(args, fmt);
    vsnprintf(report->notes + n, sizeof report->notes - n, fmt, args);
    va_end(args);
}

/* ---- lines ---------------------------------------------------------------------------------- */

char csv_separator(const char *header, size_t n_bytes)
{
    if (memchr(header, ',', n_bytes))
        return ',';
    if (memchr(header, ';', n_bytes))
        return ';';
    return memchr(header, '\t', n_bytes) ? '\t' : ',';
}

static bool is_blank(char c, char separator)
{
    return c == ' ' || (c == '\t' && separator != '\t');
}

/* A field in quotes from `at`; its end behind the closing quote and blanks, or NULL. */
static const char *quoted(const char *at, const char *end, char separator, struct csv_field *f)
{
    const char *close = at + 1;
    for (;;) {
        close = memchr(close, '"', (size_t)(end - close));
        if (!close)
            return NULL;
        if (close + 1 == end || close[1] != '"')
            break;
        close += 2;
    }
    f->at = at + 1;
    f->n_bytes = (size_t)(close - f->at);
    f->column++;
    for (close++; close < end && is_blank(*close, separator); close++)
        ;
    return close == end || *close == separator ? close : NULL;
}

int csv_split(const char *line, size_t n_bytes, char separator, struct csv_field *fields,
              struct csv_field *ret_bad)
{
    const char *at = line, *end = line + n_bytes;
    for (int n = 0; n < CSV_COLUMNS_MAX;) {
        while (at < end && is_blank(*at, separator))
            at++;
        struct csv_field *f = &fields[n++];
        f->at = at;
        f->column = (uint32_t)(at - line) + 1;
        const char *stop = at;
        if (at < end && *at == '"') {
            stop = quoted(at, end, separator, f);
            if (!stop) {
                *ret_bad = (struct csv_field){at, (size_t)(end - at), (uint32_t)(at - line) + 1};
                return -1;
            }
        } else {
            while (stop < end && *stop != separator)
                stop++;
            const char *last = stop;
            while (last > at && is_blank(last[-1], separator))
                last--;
            f->n_bytes = (size_t)(last - at);
        }
        if (stop == end)
            return n;
        at = stop + 1;
    }
    *ret_bad = (struct csv_field){at, (size_t)(end - at), (uint32_t)(at - line) + 1};
    return -1;
}

/* ---- headers -------------------------------------------------------------------------------- */

static bool field_is(const struct csv_field *f, const char *name)
{
    return f->n_bytes == strlen(name) && strncasecmp(f->at, name, f->n_bytes) == 0;
}

int csv_field_find(const struct csv_field *fields, int fields_n, const char *const *names,
                   unsigned names_n, int *ret_again)
{
    for (unsigned a = 0; a < names_n && names[a]; a++) {
        int found = -1;
        for (int i = 0; i < fields_n; i++) {
            if (!field_is(&fields[i], names[a]))
                continue;
            *ret_again = i;
            if (found >= 0)
                return -2;
            found = i;
        }
        if (found >= 0)
            return found;
    }
    return -1;
}

static int missing(const struct csv_field *fields, int fields_n, const char *where,
                   enum csv_role role, struct err *err)
{
    struct buf found = {0};
    for (int i = 0; i < fields_n && found.n_bytes < 400; i++) {
        char name[64], printable[256];
        int n = (int)(fields[i].n_bytes < 40 ? fields[i].n_bytes : 40);
        snprintf(name, sizeof name, "%.*s", n, fields[i].at);
        buf_printf(&found, "%s%s", i ? "," : "", err_printable(name, printable, sizeof printable));
    }
    int rc = err_set(err, ERR_DATA,
                     "%s:1: found \"%s\", expected a header line with a column %s: timestamp (or "
                     "time, date, datetime), open, high, low, close, and volume if there is one",
                     where, found.data ? found.data : "", aliases[role][0]);
    buf_fini(&found);
    return rc;
}

/* Lower case, and "_" for each run of other bytes than letters and digits. */
static void identifier(const struct csv_field *f, int number, char out[static SPEC_NAME_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_bytes && n < SPEC_NAME_BYTES - 8; i++) {
        unsigned char c = (unsigned char)f->at[i];
        if (c < 128 && isalnum(c))
            out[n++] = (char)tolower(c);
        else if (n > 0 && out[n - 1] != '_')
            out[n++] = '_';
    }
    while (n > 0 && out[n - 1] == '_')
        n--;
    out[n] = '\0';
    char plain[SPEC_NAME_BYTES];
    memcpy(plain, out, n + 1);
    if (n == 0)
        snprintf(out, SPEC_NAME_BYTES, "column_%d", number);
    else if (isdigit((unsigned char)plain[0]))
        snprintf(out, SPEC_NAME_BYTES, "x_%.58s", plain);
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return indicator_find(name) != NULL;
}

static void name_column(const struct csv_field *f, int i, struct csv_columns *c,
                        struct csv_report *report)
{
    char *name = c->name[i], found[64], printable[256];
    identifier(f, i + 1, name);
    if (!is_reserved(name))
        return;
    int n = (int)(f->n_bytes < 40 ? f->n_bytes : 40);
    snprintf(found, sizeof found, "%.*s", n, f->at);
    memcpy(name + strlen(name), "_col", 5); /* identifier() left room */
    csv_note(report, "column \"%s\" is called %s, because expressions use its name\n",
             err_printable(found, printable, sizeof printable), name);
}

static int twice(const struct csv_field *f, const char *where, const char *name, struct err *err)
{
    return err_set(err, ERR_DATA, "%s:%u: found a second column \"%s\", expected each name once",
                   where, f->column, name);
}

static int name_extras(const struct csv_field *fields, const char *where, struct csv_columns *c,
                       struct csv_report *report, struct err *err)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->role[i] != ROLE_EXTRA)
            continue;
        name_column(&fields[i], (int)i, c, report);
        for (uint32_t j = 0; j < i; j++)
            if (c->role[j] == ROLE_EXTRA && strcmp(c->name[i], c->name[j]) == 0)
                return twice(&fields[i], where, c->name[i], err);
    }
    return 0;
}

int csv_columns_read(const struct csv_field *fields, int fields_n, const char *where,
                     struct csv_columns *ret_columns, struct csv_report *report, struct err *err)
{
    struct csv_columns *c = ret_columns;
    memset(c, 0, sizeof *c);
    c->n = (uint32_t)fields_n;
    for (int i = 0; i < fields_n; i++)
        c->role[i] = ROLE_EXTRA;
    for (unsigned role = 0; role < ROLES_KNOWN; role++) {
        int again = 0;
        c->of_role[role] = csv_field_find(fields, fields_n, aliases[role], ALIASES_MAX, &again);
        if (c->of_role[role] == -2)
            return twice(&fields[again], where, aliases[role][0], err);
        if (c->of_role[role] == -1 && role != ROLE_VOLUME)
            return missing(fields, fields_n, where, role, err);
        if (c->of_role[role] >= 0)
            c->role[c->of_role[role]] = role;
    }
    return name_extras(fields, where, c, report, err);
}

bool csv_field_is_undefined(const struct csv_field *f)
{
    return f->n_bytes == 0 || (f->n_bytes == 3 && strncasecmp(f->at, "nan", 3) == 0);
}

void csv_columns_decide(struct csv_columns *c, const struct csv_field *row,
                        struct csv_report *report)
{
    for (uint32_t i = 0; i < c->n; i++) {
        double ignored;
        if (c->role[i] != ROLE_EXTRA)
            continue;
        if (!csv_field_is_undefined(&row[i]) &&
            f64_parse(row[i].at, row[i].n_bytes, &ignored) != 0) {
            c->role[i] = ROLE_IGNORED;
            csv_note(report, "column %s is ignored: it holds no numbers\n", c->name[i]);
            continue;
        }
        c->extra_idx[i] = c->extra_n;
        c->extra_names[c->extra_n++] = c->name[i];
    }
}

bool csv_compact_date(const struct csv_field *f, int64_t *ret_ns)
{
    char text[11];
    bool has_offset;
    if (f->n_bytes != 8 || (f->at[0] != '1' && f->at[0] != '2'))
        return false;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2s", f->at, f->at + 4, f->at + 6);
    return time_parse_iso(text, 10, ret_ns, &has_offset) == 0;
}
