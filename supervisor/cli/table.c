/* SPDX-License-Identifier: MIT */
/* Tables for people: every cell is made safe for a terminal, columns line up, lines end at its
 * edge. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/cli/common.h"

struct cell {
    char *text; /* NULL: empty */
    bool is_number;
};

struct cli_table {
    unsigned columns_n;
    size_t rows_n, room_n; /* rows; row 0 is the head */
    struct cell *cells;    /* [room_n][columns_n] */
    bool failed;
};

/* Characters of UTF-8 text: every byte but the continuing ones. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; text && *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool add_row(struct cli_table *t)
{
    if (t->rows_n == t->room_n) {
        size_t room_n = t->room_n ? t->room_n * 2 : 16;
        struct cell *cells = realloc(t->cells, room_n * t->columns_n * sizeof *cells);
        if (!cells)
            return false;
        t->cells = cells;
        t->room_n = room_n;
    }
    memset(t->cells + t->rows_n * t->columns_n, 0, t->columns_n * sizeof *t->cells);
    t->rows_n++;
    return true;
}

static void set_cell(struct cli_table *t, unsigned column, const char *text, bool is_number)
{
    size_t out_bytes = 4 * strlen(text) + 1;
    struct cell *cell = &t->cells[(t->rows_n - 1) * t->columns_n + column];
    free(cell->text);
    cell->text = malloc(out_bytes);
    cell->is_number = is_number;
    if (cell->text)
        err_printable(text, cell->text, out_bytes);
    else
        t->failed = true;
}

struct cli_table *cli_table_create(unsigned columns_n, const char *const *headers)
{
    struct cli_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->columns_n = columns_n;
    if (!add_row(t)) {
        free(t);
        return NULL;
    }
    for (unsigned c = 0; c < columns_n; c++)
        set_cell(t, c, headers[c], false);
    return t;
}

void cli_table_add(struct cli_table *t, unsigned column, const char *text, bool is_number)
{
    if (!t || column >= t->columns_n)
        return;
    if (column == 0 && !add_row(t))
        t->failed = true;
    if (t->rows_n > 1)
        set_cell(t, column, text, is_number);
}

/* ---- printing ------------------------------------------------------------------------------- */

/* One line while it is written: what is past `room` characters is dropped. */
struct line {
    FILE *out;
    size_t room;
};

static void put_spaces(struct line *l, size_t n)
{
    for (; n > 0 && l->room > 0; n--, l->room--)
        fputc(' ', l->out);
}

static void put_text(struct line *l, const char *text)
{
    while (*text) {
        size_t n = 1;
        while (((unsigned char)text[n] & 0xc0) == 0x80)
            n++;
        if (l->room == 0)
            return;
        fwrite(text, 1, n, l->out);
        l->room--;
        text += n;
    }
}

static void put_cell(struct line *l, const struct cell *cell, size_t width, bool is_last)
{
    const char *text = cell->text ? cell->text : "";
    size_t pad = width - width_of(text);
    if (cell->is_number)
        put_spaces(l, pad);
    put_text(l, text);
    if (!cell->is_number && !is_last)
        put_spaces(l, pad);
    if (!is_last)
        put_spaces(l, 2);
}

static size_t line_room(FILE *out)
{
    unsigned columns_n = cli_columns_n(fileno(out));
    return columns_n < 20 ? SIZE_MAX : columns_n;
}

/* A head stands over numbers as they do. */
static void align_head(struct cli_table *t)
{
    for (unsigned c = 0; c < t->columns_n && t->rows_n > 1; c++)
        t->cells[c].is_number = t->cells[t->columns_n + c].is_number;
}

void cli_table_print(struct cli_table *t, FILE *out)
{
    size_t *width = t ? calloc(t->columns_n, sizeof *width) : NULL;
    if (!width)
        return;
    align_head(t);
    for (size_t i = 0; i < t->rows_n * t->columns_n; i++) {
        size_t w = width_of(t->cells[i].text);
        if (w > width[i % t->columns_n])
            width[i % t->columns_n] = w;
    }
    bool colour = cli_may_colour(out);
    for (size_t r = 0; r < t->rows_n; r++) {
        struct line line = {.out = out, .room = line_room(out)};
        fputs(colour && r == 0 ? "\033[1m" : "", out);
        for (unsigned c = 0; c < t->columns_n; c++)
            put_cell(&line, &t->cells[r * t->columns_n + c], width[c], c + 1 == t->columns_n);
        fputs(colour && r == 0 ? "\033[0m\n" : "\n", out);
    }
    if (t->failed)
        fputs("(some cells are missing: out of memory)\n", out);
    free(width);
}

void cli_table_destroy(struct cli_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->rows_n * t->columns_n; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}
