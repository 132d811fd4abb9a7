/* SPDX-License-Identifier: MIT */
/* Rows as an SQLite table in a database of its own. */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- names ---------------------------------------------------------------------------------- */

/* A suffixed name also keeps clear of the columns to come. */
static bool is_free(const struct rows_table *table, char *const *names, uint32_t i,
                    const char *name)
{
    bool is_own = strcmp(name, table->columns[i]) == 0;
    for (uint32_t j = 0; j < table->columns_n; j++)
        if ((j < i || !is_own) && sqlite3_stricmp(j < i ? names[j] : table->columns[j], name) == 0)
            return false;
    return true;
}

/* SQLite takes `n` and `N` for one name: the second becomes `N_2`. NULL without memory. */
static char *name_make(const struct rows_table *table, char *const *names, uint32_t i)
{
    char *name = sqlite3_mprintf("%s", table->columns[i]);
    for (unsigned k = 2; name && !is_free(table, names, i, name); k++) {
        sqlite3_free(name);
        name = sqlite3_mprintf("%s_%u", table->columns[i], k);
    }
    return name;
}

static void names_free(char **names, uint32_t n)
{
    for (uint32_t i = 0; names && i < n; i++)
        sqlite3_free(names[i]);
    free(names);
}

static char **names_make(const struct rows_table *table)
{
    char **names = calloc(table->columns_n + 1, sizeof *names);
    for (uint32_t i = 0; names && i < table->columns_n; i++) {
        names[i] = name_make(table, names, i);
        if (!names[i]) {
            names_free(names, i);
            return NULL;
        }
    }
    return names;
}

/* Columns have no type: each value keeps its own. */
static bool write_sql(const struct rows_table *table, struct buf *create, struct buf *insert)
{
    char **names = names_make(table);
    buf_puts(create, "CREATE TABLE ");
    quoted_name(create, table->name);
    buf_puts(insert, "INSERT INTO ");
    quoted_name(insert, table->name);
    buf_puts(insert, " VALUES ");
    for (uint32_t i = 0; names && i < table->columns_n; i++) {
        buf_puts(create, i ? ", " : "(");
        quoted_name(create, names[i]);
        buf_puts(insert, i ? ",?" : "(?");
    }
    buf_puts(create, ")");
    buf_puts(insert, ")");
    names_free(names, table->columns_n);
    return names && !create->failed && !insert->failed;
}

/* ---- the database --------------------------------------------------------------------------- */

/* What is there must be a database, or empty, and nobody's work in progress. */
static int check_target(const char *path, struct err *err)
{
    static const char magic[] = "SQLite format 3";
    static const char *const beside[] = {"-journal", "-wal"};
    char head[sizeof magic], other[PATH_MAX + 16], printable[512];
    err_printable(path, printable, sizeof printable);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? 0 : err_set_errno(err, ERR_CREATE, errno, "%s", printable);
    size_t n = fread(head, 1, sizeof head, file);
    (void)fclose(file); /* was read only */
    if (n > 0 && (n < sizeof head || memcmp(head, magic, sizeof head) != 0))
        return err_set(err, ERR_CREATE,
                       "%s is there and is not an SQLite database: name another file, or remove it",
                       printable);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        snprintf(other, sizeof other, "%s%s", path, beside[i]);
        if (access(other, F_OK) == 0)
            return err_set(err, ERR_CREATE,
                           "%s is in use, or its last user crashed: there is a %s%s beside it; "
                           "name another file, or remove both",
                           printable, printable, beside[i]);
    }
    return 0;
}

static int prepare(struct rows *rows, struct sqlite_state *s)
{
    struct buf create = {0}, insert = {0};
    int rc = sqlite3_open_v2(rows->output.temporary, &s->db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK) /* the file is new and takes its name when it is whole */
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN", NULL,
                          NULL, NULL);
    if (!write_sql(rows->table, &create, &insert))
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
    int refused = check_target(rows->output.target, err);
    if (refused < 0)
        return refused;
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
