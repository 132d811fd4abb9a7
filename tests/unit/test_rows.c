/* SPDX-License-Identifier: MIT */
/* The promise: what an export writes is read back as it was by any program, no text in it becomes
 * code, and a failed export leaves what was there before. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/cli/rows.h"

static char dir[256], path[300];

static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/admf-rows-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/out", dir);
}

static void remove_dir(void)
{
    unlink(path);
    rmdir(dir);
}

TestSuite(rows, .init = make_dir, .fini = remove_dir);

static unsigned files_n(void)
{
    unsigned n = 0;
    DIR *list = opendir(dir);
    while (readdir(list))
        n++;
    closedir(list);
    return n - 2;
}

static const char *const columns[] = {"n", "x", "text"};
static const struct rows_table table = {"combinations", 3, columns};

static const char *const texts[] = {"plain",    "a,b",  "say \"so\"", "two\nlines", "=1+1",
                                    "@SUM(A1)", "+1",   "-1",         "",           "../x",
                                    "<script>", "%s%n", "'; DROP--",  "\x1b[31m",   "\xc3\xa9"};
#define TEXTS_N (sizeof texts / sizeof *texts)

static void write_all(const char *format)
{
    struct rows rows = {0};
    struct err err = {0};
    int rc = rows_open(format, path, &table, &rows, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    for (uint64_t i = 0; i < TEXTS_N; i++) {
        struct cell cells[] = {cell_count(i), cell_number(i ? 0.1 * (double)i : NAN),
                               cell_text(texts[i])};
        cr_assert_eq(rows_add(&rows, cells, &err), 0);
    }
    cr_assert_eq(access(path, F_OK), -1, "the file appears when it is whole");
    cr_assert_eq(rows_finish(&rows, &err), 0, "%s", err.text);
    cr_assert_eq(files_n(), 1, "no temporary file is left");
}

static char *read_all(void)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_assert_gt(fread(text, 1, 65535, file), 0);
    fclose(file);
    return text;
}

Test(rows, csv_quotes_and_defuses_formulas)
{
    write_all("csv");
    char *text = read_all();
    static const char *const lines[] = {"n,x,text\n",
                                        "\n0,,plain\n",
                                        "\n1,0.10000000000000001,\"a,b\"\n",
                                        ",\"say \"\"so\"\"\"\n",
                                        ",\"two\nlines\"\n",
                                        ",\"'=1+1\"\n",
                                        ",\"'@SUM(A1)\"\n",
                                        ",\"'+1\"\n",
                                        ",\"'-1\"\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_assert_not_null(strstr(text, lines[i]), "%s", lines[i]);
    free(text);
}

Test(rows, json_and_json_lines_are_read_back_as_they_were)
{
    json_error_t error;
    write_all("json");
    json_t *all = json_load_file(path, 0, &error);
    cr_assert_not_null(all, "%s", error.text);
    cr_assert_eq(json_array_size(all), TEXTS_N);
    for (size_t i = 0; i < TEXTS_N; i++) {
        json_t *row = json_array_get(all, i);
        cr_assert_str_eq(json_string_value(json_object_get(row, "text")), texts[i]);
        cr_assert(i ? json_number_value(json_object_get(row, "x")) == 0.1 * (double)i
                    : json_is_null(json_object_get(row, "x")));
    }
    json_decref(all);
    unlink(path);
    write_all("jsonl");
    FILE *file = fopen(path, "r");
    size_t n = 0;
    for (json_t *row; (row = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error)); n++)
        json_decref(row);
    fclose(file);
    cr_assert_eq(n, TEXTS_N);
}

Test(rows, sqlite_is_read_back_as_it_was_and_replaces_what_was_there)
{
    sqlite3 *db;
    sqlite3_stmt *select;
    write_all("sqlite");
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_prepare_v2(db, "SELECT n, x, text FROM combinations ORDER BY n", -1, &select, NULL),
        SQLITE_OK);
    for (size_t i = 0; i < TEXTS_N; i++) {
        cr_assert_eq(sqlite3_step(select), SQLITE_ROW);
        cr_assert_str_eq((const char *)sqlite3_column_text(select, 2), texts[i]);
        cr_assert_eq(sqlite3_column_type(select, 1), i ? SQLITE_FLOAT : SQLITE_NULL);
    }
    cr_assert_eq(sqlite3_step(select), SQLITE_DONE);
    sqlite3_finalize(select);
    sqlite3_close(db);
}

Test(rows, a_failed_export_leaves_what_was_there)
{
    static const char *const formats[] = {"csv", "json", "jsonl", "sqlite"};
    static const char before[] = "SQLite format 3"; /* nothing else would be replaced */
    FILE *file = fopen(path, "w");
    fwrite(before, 1, sizeof before, file);
    fclose(file);
    for (unsigned i = 0; i < 4; i++) {
        struct rows rows = {0};
        struct err err = {0};
        struct cell cells[] = {cell_count(1), cell_null(), cell_text("x")};
        cr_assert_eq(rows_open(formats[i], path, &table, &rows, &err), 0, "%s", err.text);
        cr_assert_eq(rows_add(&rows, cells, &err), 0);
        rows_discard(&rows);
        char *text = read_all();
        cr_assert_str_eq(text, before);
        free(text);
        cr_assert_eq(files_n(), 1);
    }
}

static void write_file(const char *text, size_t n_bytes)
{
    FILE *file = fopen(path, "w");
    cr_assert_eq(fwrite(text, 1, n_bytes, file), n_bytes);
    fclose(file);
}

Test(rows, sqlite_replaces_databases_and_empty_files_alone)
{
    static const char *const others[] = {"a,b\n1,2\n", "SQLite format 4", "S",
                                         "a text that is longer than the mark of a database"};
    struct rows rows = {0};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct err err = {0};
        write_file(others[i], strlen(others[i]));
        cr_assert_lt(rows_open("sqlite", path, &table, &rows, &err), 0, "%s", others[i]);
        cr_assert_eq(err.kind, ERR_CREATE, "%s", err.text);
        char *text = read_all();
        cr_assert_str_eq(text, others[i]);
        free(text);
        cr_assert_eq(files_n(), 1);
    }
    struct err err = {0};
    struct cell cells[] = {cell_count(1), cell_null(), cell_text("x")};
    write_file("", 0);
    for (unsigned i = 0; i < 2; i++) { /* an empty file, then the database that took its place */
        cr_assert_eq(rows_open("sqlite", path, &table, &rows, &err), 0, "%s", err.text);
        cr_assert_eq(rows_add(&rows, cells, &err), 0);
        cr_assert_eq(rows_finish(&rows, &err), 0, "%s", err.text);
    }
}

Test(rows, sqlite_leaves_a_database_in_use_alone)
{
    char beside[320];
    struct rows rows = {0};
    struct err err = {0};
    snprintf(beside, sizeof beside, "%s-wal", path);
    write_file("", 0);
    cr_assert_eq(symlink(path, beside), 0);
    cr_assert_lt(rows_open("sqlite", path, &table, &rows, &err), 0);
    cr_assert_eq(err.kind, ERR_CREATE);
    unlink(beside);
}

Test(rows, sqlite_tells_columns_apart_that_differ_in_case_alone)
{
    static const char *const same[] = {"n", "N", "n_2", "x", "N"};
    static const char *const expected[] = {"n", "N_3", "n_2", "x", "N_4"};
    const struct rows_table clashing = {"combinations", 5, same};
    struct rows rows = {0};
    struct err err = {0};
    sqlite3 *db;
    sqlite3_stmt *select;
    struct cell cells[] = {cell_count(0), cell_count(1), cell_count(2), cell_count(3),
                           cell_count(4)};
    cr_assert_eq(rows_open("sqlite", path, &clashing, &rows, &err), 0, "%s", err.text);
    cr_assert_eq(rows_add(&rows, cells, &err), 0);
    cr_assert_eq(rows_finish(&rows, &err), 0);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, "SELECT * FROM combinations", -1, &select, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_step(select), SQLITE_ROW);
    for (int i = 0; i < 5; i++) {
        cr_assert_str_eq(sqlite3_column_name(select, i), expected[i]);
        cr_assert_eq(sqlite3_column_int(select, i), i);
    }
    sqlite3_finalize(select);
    sqlite3_close(db);
}

/* In a child: a signal while a file is written. Its wait status. */
static int end_by(int number, const char *format)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rows rows = {0};
        struct err err = {0};
        (void)signal(number, SIG_DFL);
        if (rows_open(format, path, &table, &rows, &err) == 0 && files_n() == 1)
            (void)raise(number);
        _exit(1);
    }
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

Test(rows, a_signal_leaves_no_file_and_its_number)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (unsigned f = 0; f < 2; f++) {
            int status = end_by(numbers[i], f ? "sqlite" : "csv");
            cr_assert(WIFEXITED(status), "%s", strsignal(numbers[i]));
            cr_assert_eq(WEXITSTATUS(status), 128 + numbers[i]);
            cr_assert_eq(files_n(), 0);
        }
}

Test(rows, signals_do_what_they_did_once_the_file_is_written)
{
    struct sigaction before, after;
    cr_assert_eq(sigaction(SIGINT, NULL, &before), 0);
    write_all("csv");
    cr_assert_eq(sigaction(SIGINT, NULL, &after), 0);
    cr_assert(before.sa_handler == after.sa_handler);
}

Test(rows, errors_say_what_to_do)
{
    struct rows rows = {0};
    struct err err = {0};
    struct cell cells[] = {cell_count(1), cell_null(), cell_text("x")};
    cr_assert_neq(rows_open("jsno", path, &table, &rows, &err), 0);
    cr_assert_eq(err.kind, ERR_USAGE);
    cr_assert_not_null(strstr(err.text, "did you mean json"), "%s", err.text);
    cr_assert_neq(rows_open("sqlite", NULL, &table, &rows, &err), 0);
    cr_assert_eq(err.kind, ERR_USAGE);
    cr_assert_neq(rows_open("csv", "/no/such/dir/x", &table, &rows, &err), 0);
    cr_assert_eq(err.kind, ERR_CREATE);
    cr_assert_neq(rows_open("csv", dir, &table, &rows, &err), 0);
    cr_assert_eq(err.kind, ERR_CREATE);
    int rc = rows_open("csv", "/dev/full", &table, &rows, &err);
    for (int i = 0; rc == 0 && i < 100000; i++)
        rc = rows_add(&rows, cells, &err);
    cr_assert_lt(rc, 0);
    cr_assert_eq(err.kind, ERR_IO, "%s", err.text);
    rows_discard(&rows);
}
