/* SPDX-License-Identifier: MIT */
/* Tables for programs: rows of cells written as CSV, JSON, JSON lines or an SQLite table.
 *
 * Constant memory: each row is written when it is added. With -o the file appears when all of it is
 * there. */
#pragma once

#include <stdint.h>

#include "supervisor/cli/output.h"

enum cell_kind { CELL_NULL, CELL_COUNT, CELL_NUMBER, CELL_TEXT };

struct cell {
    enum cell_kind kind;
    union {
        uint64_t count;
        double number; /* NaN is undefined */
        const char *text;
    };
};

static inline struct cell cell_null(void)
{
    return (struct cell){.kind = CELL_NULL};
}

static inline struct cell cell_count(uint64_t count)
{
    return (struct cell){.kind = CELL_COUNT, .count = count};
}

static inline struct cell cell_number(double number)
{
    return (struct cell){.kind = CELL_NUMBER, .number = number};
}

static inline struct cell cell_text(const char *text)
{
    return (struct cell){.kind = CELL_TEXT, .text = text};
}

struct rows_table {
    const char *name; /* of the SQLite table */
    uint32_t columns_n;
    const char *const *columns;
};

struct rows;

/* What a format does. Rows are only added between begin and end. Each may fail with err filled. */
struct rows_format {
    const char *name;
    int (*begin)(struct rows *rows, struct err *err);
    int (*add)(struct rows *rows, const struct cell *cells, struct err *err);
    int (*end)(struct rows *rows, struct err *err);
    void (*discard)(struct rows *rows); /* NULL: nothing to free */
};

struct rows {
    const struct rows_format *format;
    const struct rows_table *table;
    struct output output;
    uint64_t rows_n;
    void *state; /* of the format */
};

#define ROWS_E_CLOSED 1 /* the reader of standard output has left: stop, all is well */

/* Known formats: csv (the default), json, jsonl, sqlite. ERR_USAGE with a suggestion for others.
 * sqlite replaces a database or an empty file, nothing else: ERR_CREATE. Its column names differ by
 * more than case: one that does not gets a suffix, `N_2`. */
int rows_open(const char *format, const char *path, const struct rows_table *table,
              struct rows *ret_rows, struct err *err) ADMF_MUST_CHECK;
/* table->columns_n cells. 0, ROWS_E_CLOSED, or a negative errno. */
int rows_add(struct rows *rows, const struct cell *cells, struct err *err) ADMF_MUST_CHECK;
int rows_finish(struct rows *rows, struct err *err) ADMF_MUST_CHECK;
void rows_discard(struct rows *rows); /* accepts zeroed memory; does nothing after rows_finish */

/* A field of CSV as RFC 4180 writes it, quoted where it must be or `before` is put in front of it.
 */
void csv_put_field(FILE *out, const char *before, const char *text);
/* The same for a text of unknown origin: a spreadsheet takes one that begins with = + - @ for a
 * formula, so it gets a ' in front. */
void csv_put_text(FILE *out, const char *text);

extern const struct rows_format rows_csv, rows_json, rows_jsonl, rows_sqlite;
