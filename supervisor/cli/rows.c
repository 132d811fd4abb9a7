/* SPDX-License-Identifier: MIT */
/* Rows as text (CSV, JSON, JSON lines), and the choice of a format. */
#include "supervisor/cli/rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/cli/cli.h"

/* ---- CSV ------------------------------------------------------------------------------------ */

void csv_put_field(FILE *out, const char *before, const char *text)
{
    if (!*before && !strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    fputs(before, out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void csv_put_text(FILE *out, const char *text)
{
    csv_put_field(out, *text && strchr("=+-@\t\r", *text) ? "'" : "", text);
}

static void csv_cell(FILE *out, const struct cell *cell)
{
    char number[F64_BYTES];
    if (cell->kind == CELL_COUNT)
        fprintf(out, "%" PRIu64, cell->count);
    else if (cell->kind == CELL_NUMBER)
        fputs(f64_format(cell->number, number), out);
    else if (cell->kind == CELL_TEXT)
        csv_put_text(out, cell->text);
}

static int csv_begin(struct rows *rows, struct err *err)
{
    (void)err;
    for (uint32_t i = 0; i < rows->table->columns_n; i++) {
        if (i)
            putc(',', rows->output.file);
        csv_put_text(rows->output.file, rows->table->columns[i]);
    }
    putc('\n', rows->output.file);
    return 0;
}

static int csv_add(struct rows *rows, const struct cell *cells, struct err *err)
{
    (void)err;
    for (uint32_t i = 0; i < rows->table->columns_n; i++) {
        if (i)
            putc(',', rows->output.file);
        csv_cell(rows->output.file, &cells[i]);
    }
    putc('\n', rows->output.file);
    return 0;
}

static int text_end(struct rows *rows, struct err *err)
{
    return output_commit(&rows->output, err);
}

const struct rows_format rows_csv = {"csv", csv_begin, csv_add, text_end, NULL};

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_text(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            putc('\\', out);
        if (*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\u%04x", *at);
        else
            putc(*at, out);
    }
    putc('"', out);
}

static void json_cell(FILE *out, const struct cell *cell)
{
    char number[F64_BYTES];
    if (cell->kind == CELL_COUNT)
        fprintf(out, "%" PRIu64, cell->count);
    else if (cell->kind == CELL_NUMBER && isfinite(cell->number))
        fputs(f64_format(cell->number, number), out);
    else if (cell->kind == CELL_TEXT)
        json_text(out, cell->text);
    else
        fputs("null", out);
}

static void json_object_write(struct rows *rows, const struct cell *cells)
{
    FILE *out = rows->output.file;
    putc('{', out);
    for (uint32_t i = 0; i < rows->table->columns_n; i++) {
        if (i)
            fputs(", ", out);
        json_text(out, rows->table->columns[i]);
        fputs(": ", out);
        json_cell(out, &cells[i]);
    }
    putc('}', out);
}

static int json_begin(struct rows *rows, struct err *err)
{
    (void)err;
    putc('[', rows->output.file);
    return 0;
}

static int json_add(struct rows *rows, const struct cell *cells, struct err *err)
{
    (void)err;
    fputs(rows->rows_n ? ",\n" : "\n", rows->output.file);
    json_object_write(rows, cells);
    return 0;
}

static int json_end(struct rows *rows, struct err *err)
{
    fputs("\n]\n", rows->output.file);
    return text_end(rows, err);
}

const struct rows_format rows_json = {"json", json_begin, json_add, json_end, NULL};

static int jsonl_begin(struct rows *rows, struct err *err)
{
    (void)rows;
    (void)err;
    return 0;
}

static int jsonl_add(struct rows *rows, const struct cell *cells, struct err *err)
{
    (void)err;
    json_object_write(rows, cells);
    putc('\n', rows->output.file);
    return 0;
}

const struct rows_format rows_jsonl = {"jsonl", jsonl_begin, jsonl_add, text_end, NULL};

/* ---- all formats ---------------------------------------------------------------------------- */

static int find_format(const char *name, const struct rows_format **ret_format, struct err *err)
{
    static const struct rows_format *const formats[] = {&rows_csv, &rows_json, &rows_jsonl,
                                                        &rows_sqlite};
    static const char *const names[] = {"csv", "json", "jsonl", "sqlite"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_format = formats[i];
            return 0;
        }
    }
    char printable[128];
    const char *close = err_suggest(name, names, 4);
    return err_set(err, ERR_USAGE,
                   "--format %s: there is no such format%s%s; expected csv, json, jsonl or sqlite",
                   err_printable(name, printable, sizeof printable), close ? ", did you mean " : "",
                   close ? close : "");
}

int rows_open(const char *format, const char *path, const struct rows_table *table,
              struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = table};
    int rc = find_format(format ? format : "csv", &rows.format, err);
    if (rc == 0 && rows.format == &rows_sqlite && (!path || strcmp(path, "-") == 0))
        rc = err_set(err, ERR_USAGE, "--format sqlite writes a file: name it with -o FILE");
    if (rc == 0)
        rc = output_open(path, &rows.output, err);
    if (rc != 0)
        return rc;
    *ret_rows = rows;
    rc = ret_rows->format->begin(ret_rows, err);
    if (rc != 0)
        rows_discard(ret_rows);
    return rc;
}

int rows_add(struct rows *rows, const struct cell *cells, struct err *err)
{
    int rc = rows->format->add(rows, cells, err);
    if (rc == 0)
        rows->rows_n++;
    if (rc == 0 && output_has_failed(&rows->output)) {
        rc = output_commit(&rows->output, err);
        return rc == 0 ? ROWS_E_CLOSED : rc;
    }
    return rc;
}

int rows_finish(struct rows *rows, struct err *err)
{
    int rc = rows->format->end(rows, err);
    rows_discard(rows);
    return rc;
}

void rows_discard(struct rows *rows)
{
    if (rows->format && rows->format->discard)
        rows->format->discard(rows);
    output_discard(&rows->output);
    rows->format = NULL;
}
