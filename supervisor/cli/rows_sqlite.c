/* SPDX-License-Identifier: MIT */
/* Rows as an SQLite table in a database of its own. */
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "supervisor/cli/rows.h"

struct sqlite_state {
    sqlite3 *db;
    sqlite3_stmt *insert;
};

static void discard(struct rows *rows)
{
    struct sqlite_state *s = rows->state;
    if (!s)
        return;
    (void)sqlite3_finalize(s->insert); /* repeats an error that was already told */
    (void)sqlite3_close(s->db);
    free(s);
    rows->state = NULL;
}

static int failed(struct rows *rows, struct err *err)
{
    struct sqlite_state *s = rows->state;
    return err_set(err, ERR_IO, "writing %s failed: %s; nothing was left of it",
                   rows->output.target[0] ? rows->output.target : "the database",
                   s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

static void quoted_name(struct buf *sql, const char *name)
{
    buf_puts(sql, "\"");
    for (; *name; name++) {
        if (*name == '"')
            buf_puts(sql, "\"");
        buf_append(sql, name, 1);
    }
    buf_puts(sql, "\"");
}

/* Columns have no type: each value keeps its own. */
static void write_sql(const struct rows_table *table, struct buf *create, struct buf *insert)
{
    buf_puts(create, "CREATE TABLE ");
    quoted_name(create, table->name);
    buf_puts(insert, "INSERT INTO ");
    quoted_name(insert, table->name);
    buf_puts(insert, " VALUES ");
    for (uint32_t i = 0; i < table->columns_n; i++) {
        buf_puts(create, i ? ", " : "(");
        quoted_name(create, table->columns[i]);
        buf_puts(insert, i ? ",?" : "(?");
    }
    buf_puts(create, ")");
    buf_puts(insert, ")");
}

static int prepare(struct rows *rows, struct sqlite_state *s)
{
    struct buf create = {0}, insert = {0};
    int rc = sqlite3_open_v2(rows->output.temporary, &s->db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK) /* the file is new and takes its name when it is whole */
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN", NULL,
                          NULL, NULL);
    write_sql(rows->table, &create, &insert);
    if (create.failed || insert.failed)
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, create.data, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, insert.data, (int)insert.n_bytes, &s->insert, NULL);
    buf_fini(&create);
    buf_fini(&insert);
    return rc;
}

static int begin(struct rows *rows, struct err *err)
{
    if (!rows->output.target[0])
        return err_set(err, ERR_CREATE, "--format sqlite needs -o with the name of a plain file");
    struct sqlite_state *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_SYSTEM, "out of memory");
    rows->state = s;
    return prepare(rows, s) == SQLITE_OK ? 0 : failed(rows, err);
}

static int bind(sqlite3_stmt *insert, int at, const struct cell *cell)
{
    if (cell->kind == CELL_COUNT)
        return sqlite3_bind_int64(insert, at, (sqlite3_int64)cell->count);
    if (cell->kind == CELL_NUMBER && !isnan(cell->number))
        return sqlite3_bind_double(insert, at, cell->number);
    if (cell->kind == CELL_TEXT)
        return sqlite3_bind_text(insert, at, cell->text, -1, SQLITE_TRANSIENT);
    return sqlite3_bind_null(insert, at);
}

static int add(struct rows *rows, const struct cell *cells, struct err *err)
{
    struct sqlite_state *s = rows->state;
    int rc = sqlite3_reset(s->insert);
    for (uint32_t i = 0; rc == SQLITE_OK && i < rows->table->columns_n; i++)
        rc = bind(s->insert, (int)i + 1, &cells[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s->insert);
    return rc == SQLITE_DONE ? 0 : failed(rows, err);
}

static int end(struct rows *rows, struct err *err)
{
    struct sqlite_state *s = rows->state;
    int rc = sqlite3_finalize(s->insert);
    s->insert = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return failed(rows, err);
    discard(rows);
    return output_commit(&rows->output, err);
}

const struct rows_format rows_sqlite = {"sqlite", begin, add, end, discard};
