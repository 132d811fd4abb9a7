/* SPDX-License-Identifier: MIT */
/* The promise: a bad row never reaches a strategy. Strict import names its line and column; lenient
 * import skips it, and counts it under one kind. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "proto/units.h"
#include "supervisor/import/csv.h"
#include "supervisor/store/store.h"

static char path[256];

static void make_file(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/admf-csv-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

TestSuite(csv, .init = make_file, .fini = remove_file);

static void write_file(const void *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, n_bytes, file), n_bytes);
    cr_assert_eq(fclose(file), 0);
}

static int import(bool is_lenient, const char *tz, struct bars **ret_bars,
                  struct csv_report *ret_report, struct err *err)
{
    struct csv_options options = {.symbol = "X", .lenient = is_lenient, .tz = tz};
    return csv_read(path, &options, ret_bars, ret_report, err);
}

static struct bars *import_good(const char *text, const char *tz)
{
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    write_file(text, strlen(text));
    int rc = import(false, tz, &bars, &report, &err);
    cr_assert_eq(rc, 0, "%s: %s", text, err.text);
    return bars;
}

static int64_t iso(const char *text)
{
    int64_t ns = 0;
    bool has_offset;
    cr_assert_eq(time_parse_iso(text, strlen(text), &ns, &has_offset), 0);
    return ns;
}

/* ---- bad rows ------------------------------------------------------------------------------- */

#define HEAD "timestamp,open,high,low,close,volume,x\n"
#define GOOD "2024-01-02,10,12,9,11,100,1\n"

/* One row that is bad, behind the header and a good row: it stands in line 3. */
struct bad_row {
    const char *what;
    const char *row;
    enum csv_fault fault;
    unsigned column;
};

static const struct bad_row bad_rows[] = {
    {"too few fields", "2024-01-03,10,12,9,11,100", CSV_FIELDS, 26},
    {"too many fields", "2024-01-03,10,12,9,11,100,1,2", CSV_FIELDS, 29},
    {"one field", "2024-01-03", CSV_FIELDS, 11},
    {"a comma at the end", "2024-01-03,10,12,9,11,100,1,", CSV_FIELDS, 29},
    {"a quote that is not closed", "2024-01-03,10,12,9,11,100,\"1", CSV_FIELDS, 27},
    {"text behind a quote", "2024-01-03,10,12,9,11,100,\"1\"2", CSV_FIELDS, 27},
    {"another separator", "2024-01-03;10;12;9;11;100;1", CSV_FIELDS, 28},
    {"the header again", "timestamp,open,high,low,close,volume,x", CSV_TIME, 1},
    {"no time", ",10,12,9,11,100,1", CSV_TIME, 1},
    {"words for a time", "yesterday,10,12,9,11,100,1", CSV_TIME, 1},
    {"month 13", "2024-13-03,10,12,9,11,100,1", CSV_TIME, 1},
    {"February 30", "2024-02-30,10,12,9,11,100,1", CSV_TIME, 1},
    {"hour 25", "2024-01-03T25:00,10,12,9,11,100,1", CSV_TIME, 1},
    {"minute 60", "2024-01-03T10:60,10,12,9,11,100,1", CSV_TIME, 1},
    {"a time with a tail", "2024-01-03T10:00Zx,10,12,9,11,100,1", CSV_TIME, 1},
    {"day before month", "03/01/2024,10,12,9,11,100,1", CSV_TIME, 1},
    {"an epoch among dates", "1704240000,10,12,9,11,100,1", CSV_TIME, 1},
    {"a negative epoch among dates", "-5,10,12,9,11,100,1", CSV_TIME, 1},
    {"a year too far", "99999-01-03,10,12,9,11,100,1", CSV_TIME, 1},
    {"a date that no clock of ours has", "1500-01-03,10,12,9,11,100,1", CSV_TIME, 1},
    {"an empty open", "2024-01-03,,12,9,11,100,1", CSV_NUMBER, 12},
    {"an empty high", "2024-01-03,10,,9,11,100,1", CSV_NUMBER, 15},
    {"an empty low", "2024-01-03,10,12,,11,100,1", CSV_NUMBER, 18},
    {"an empty close", "2024-01-03,10,12,9,,100,1", CSV_NUMBER, 20},
    {"an empty volume", "2024-01-03,10,12,9,11,,1", CSV_NUMBER, 23},
    {"nan for a price", "2024-01-03,nan,12,9,11,100,1", CSV_NUMBER, 12},
    {"NaN for a volume", "2024-01-03,10,12,9,11,NaN,1", CSV_NUMBER, 23},
    {"inf for a price", "2024-01-03,10,inf,9,11,100,1", CSV_NUMBER, 15},
    {"-Infinity", "2024-01-03,10,12,-Infinity,11,100,1", CSV_NUMBER, 18},
    {"null", "2024-01-03,10,12,9,null,100,1", CSV_NUMBER, 20},
    {"hexadecimal", "2024-01-03,0x10,12,9,11,100,1", CSV_NUMBER, 12},
    {"a decimal comma in quotes", "2024-01-03,\"10,5\",12,9,11,100,1", CSV_NUMBER, 13},
    {"a thousands separator", "2024-01-03,\"1,000\",12,9,11,100,1", CSV_NUMBER, 13},
    {"a currency sign", "2024-01-03,$10,12,9,11,100,1", CSV_NUMBER, 12},
    {"a percent sign", "2024-01-03,10%,12,9,11,100,1", CSV_NUMBER, 12},
    {"two points", "2024-01-03,1.0.0,12,9,11,100,1", CSV_NUMBER, 12},
    {"an exponent without digits", "2024-01-03,10e,12,9,11,100,1", CSV_NUMBER, 12},
    {"a lone sign", "2024-01-03,+,12,9,11,100,1", CSV_NUMBER, 12},
    {"a lone point", "2024-01-03,.,12,9,11,100,1", CSV_NUMBER, 12},
    {"an inner space", "2024-01-03,1 0,12,9,11,100,1", CSV_NUMBER, 12},
    {"more than a double holds", "2024-01-03,10,1e999,9,11,100,1", CSV_NUMBER, 15},
    {"words in a further column", "2024-01-03,10,12,9,11,100,up", CSV_NUMBER, 27},
    {"inf in a further column", "2024-01-03,10,12,9,11,100,inf", CSV_NUMBER, 27},
    {"a price of zero", "2024-01-03,0,12,0,11,100,1", CSV_PRICE, 12},
    {"a low of zero", "2024-01-03,10,12,0,11,100,1", CSV_PRICE, 18},
    {"a negative price", "2024-01-03,10,12,9,-11,100,1", CSV_PRICE, 20},
    {"a negative zero", "2024-01-03,10,12,-0,11,100,1", CSV_PRICE, 18},
    {"a price of 1e308", "2024-01-03,10,1e308,9,11,100,1", CSV_PRICE, 15},
    {"a price of 1e-308", "2024-01-03,10,12,1e-308,11,100,1", CSV_PRICE, 18},
    {"a high below the low", "2024-01-03,10,8,9,11,100,1", CSV_RANGE, 15},
    {"an open above the high", "2024-01-03,13,12,9,11,100,1", CSV_RANGE, 12},
    {"an open below the low", "2024-01-03,8,12,9,11,100,1", CSV_RANGE, 12},
    {"a close above the high", "2024-01-03,10,12,9,12.5,100,1", CSV_RANGE, 20},
    {"a close below the low", "2024-01-03,10,12,9,8.5,100,1", CSV_RANGE, 20},
    {"a negative volume", "2024-01-03,10,12,9,11,-1,1", CSV_VOLUME, 23},
    {"a volume of 1e308", "2024-01-03,10,12,9,11,1e308,1", CSV_VOLUME, 23},
    {"an earlier day", "2024-01-01,10,12,9,11,100,1", CSV_ORDER, 1},
    {"earlier by its offset", "2024-01-02T01:00+02:00,10,12,9,11,100,1", CSV_ORDER, 1},
    {"the same day again", "2024-01-02,10,12,9,11,100,1", CSV_DUPLICATE, 1},
    {"the same time by its offset", "2024-01-02T02:00+02:00,10,12,9,11,100,1", CSV_DUPLICATE, 1},
    {"a byte that is no UTF-8", "2024-01-03,10,12,9,11,100,\xff", CSV_BYTES, 27},
    {"half a UTF-8 sequence", "2024-01-03,10,12,9,11,100,\xc3", CSV_BYTES, 27},
    {"an overlong UTF-8 sequence", "2024-01-03,10,12,9,11,\xc0\x80,1", CSV_BYTES, 23},
    {"a surrogate", "2024-01-03,10,12,9,11,100,\xed\xa0\x80", CSV_BYTES, 27},
    {"a no-break space", "2024-01-03,10,12,9,11,100,\xc2\xa0", CSV_NUMBER, 27},
    {"a control character", "2024-01-03,10,12,9,11,100,\x1b[31m", CSV_NUMBER, 27},
};

static size_t write_bad(const char *row, const char *end)
{
    char text[512];
    int n = snprintf(text, sizeof text, HEAD GOOD "%s%s", row, end);
    write_file(text, (size_t)n);
    return (size_t)n;
}

Test(csv, strict_import_names_line_and_column_of_each_kind_of_bad_row)
{
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        const struct bad_row *bad = &bad_rows[i];
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        char where[320];
        write_bad(bad->row, "\n" GOOD);
        cr_assert_neq(import(false, NULL, &bars, &report, &err), 0, "%s", bad->what);
        cr_assert_eq(err.kind, ERR_DATA, "%s", bad->what);
        snprintf(where, sizeof where, "%s:3:%u: found \"", path, bad->column);
        cr_assert_eq(strncmp(err.text, where, strlen(where)), 0, "%s: %s, not %s", bad->what,
                     err.text, where);
        cr_assert_not_null(strstr(err.text, ", expected "), "%s: %s", bad->what, err.text);
        cr_assert_null(strpbrk(err.text, "\x1b\n"), "%s", bad->what);
        cr_assert_null(bars, "untouched");
    }
}

Test(csv, lenient_import_skips_and_counts_each_kind_of_bad_row)
{
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        const struct bad_row *bad = &bad_rows[i];
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        write_bad(bad->row,
                  i % 2 ? "\n2024-01-04,10,12,9,11,100,1\n" : "\r\n2024-01-04,5,5,5,5,5,");
        int rc = import(true, NULL, &bars, &report, &err);
        cr_assert_eq(rc, 0, "%s: %s", bad->what, err.text);
        cr_assert_eq(bars->rows_n, 2, "%s", bad->what);
        cr_assert_eq(report.rows_n, 2);
        for (unsigned f = 0; f < CSV_FAULT_N; f++)
            cr_assert_eq(report.skipped[f], f == bad->fault, "%s: %s", bad->what,
                         csv_fault_name(f));
        cr_assert_eq(report.first_skipped_line[bad->fault], 3, "%s", bad->what);
        bars_free(bars);
    }
}

Test(csv, first_row_may_be_bad_too)
{
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    static const char text[] = "time,open,high,low,close\nnever,1,1,1,1\n2024-01-02,1,1,1,1\n";
    write_file(text, strlen(text));
    cr_assert_eq(import(true, NULL, &bars, &report, &err), 0, "%s", err.text);
    cr_assert_eq(bars->rows_n, 1);
    cr_assert_eq(report.skipped[CSV_TIME], 1);
    bars_free(bars);
}

Test(csv, nul_bytes_and_endless_lines_are_bad_rows)
{
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    char where[320], nul[] = HEAD GOOD "2024-01-03,10,12,9,11,100,?\n";
    nul[sizeof nul - 3] = '\0';
    write_file(nul, sizeof nul - 1);
    cr_assert_neq(import(false, NULL, &bars, &report, &err), 0);
    snprintf(where, sizeof where, "%s:3:27: found", path);
    cr_assert_eq(strncmp(err.text, where, strlen(where)), 0, "%s", err.text);
    size_t n = (3u << 20) + sizeof(HEAD GOOD) + sizeof GOOD;
    char *text = malloc(n);
    memset(text, '7', n);
    memcpy(text, HEAD GOOD, strlen(HEAD GOOD));
    memcpy(text + n - 30, "\n2024-01-04,10,12,9,11,100,1 \n", 30);
    write_file(text, n);
    free(text);
    cr_assert_neq(import(false, NULL, &bars, &report, &err), 0);
    cr_assert_not_null(strstr(err.text, ":3:1: found"), "%s", err.text);
    cr_assert_eq(import(true, NULL, &bars, &report, &err), 0, "%s", err.text);
    cr_assert_eq(bars->rows_n, 2);
    cr_assert_eq(report.skipped[CSV_BYTES], 1);
    bars_free(bars);
}

Test(csv, a_last_line_that_is_too_long_is_a_bad_row_however_it_is_read)
{
    static const size_t lengths[] = {(64u << 10) + 1, 1u << 20, (1u << 20) - sizeof(HEAD GOOD) + 1,
                                     2u << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        size_t head_n = strlen(HEAD GOOD), n = head_n + lengths[i];
        char *text = malloc(n);
        cr_assert_not_null(text);
        memcpy(text, HEAD GOOD, head_n);
        memset(text + head_n, '7', lengths[i]);
        write_file(text, n);
        cr_assert_neq(import(false, NULL, &bars, &report, &err), 0);
        cr_expect_not_null(strstr(err.text, ":3:1: found"), "%zu: %s", lengths[i], err.text);
        cr_assert_eq(import(true, NULL, &bars, &report, &err), 0, "%s", err.text);
        cr_expect_eq(bars->rows_n, 1);
        cr_expect_eq(report.skipped[CSV_BYTES], 1);
        bars_free(bars);
        memset(text, '7', n);
        write_file(text, n);
        free(text);
        cr_assert_neq(import(true, NULL, &bars, &report, &err), 0);
        cr_expect_not_null(strstr(err.text, "the header is longer"), "%s", err.text);
    }
}

/* ---- bad files ------------------------------------------------------------------------------ */

static const struct {
    const char *what;
    const char *text;
    const char *says; /* part of the error */
} bad_files[] = {
    {"an empty file", "", "empty"},
    {"blank lines alone", "\n\n  \n", "empty"},
    {"a header alone", "timestamp,open,high,low,close,volume\n", "no rows"},
    {"a header without its newline", "timestamp,open,high,low,close", "no rows"},
    {"no header", "2024-01-02,1,1,1,1,1\n", ":1:1: found \"2024-01-02,1,1,1,1,1\", expected"},
    {"no time", "open,high,low,close\n1,1,1,1\n", "expected a header line with a column timestamp"},
    {"no open", "time,high,low,close\n", "with a column open"},
    {"no high", "time,open,low,close\n", "with a column high"},
    {"no low", "time,open,high,close\n", "with a column low"},
    {"no close", "time,open,high,low\n", "with a column close"},
    {"two closes", "time,open,high,low,close,Close\n", ":1:26: found a second column"},
    {"two further columns of one name", "time,open,high,low,close,a b,A_B\n",
     ":1:30: found a second"},
    {"an open quote in the header", "time,open,high,low,\"close\n", ":1:20: found"},
    {"UTF-16", "\xff\xfet", "UTF-16"},
    {"a header that is no UTF-8", "time,open,high,low,close,\xe9\n", ":1:26: found"},
    {"a JSON file", "{\"bars\": []}\n", "expected a header line"},
    {"all rows bad", "time,open,high,low,close\n2024-01-02,0,0,0,0\n", "found \"0\""},
};

Test(csv, bad_files_are_explained)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        write_file(bad_files[i].text, strlen(bad_files[i].text));
        cr_assert_neq(import(false, NULL, &bars, &report, &err), 0, "%s", bad_files[i].what);
        cr_assert_eq(err.kind, ERR_DATA, "%s", bad_files[i].what);
        cr_assert_not_null(strstr(err.text, bad_files[i].says), "%s: %s", bad_files[i].what,
                           err.text);
        cr_assert_neq(import(true, NULL, &bars, &report, &err), 0, "%s", bad_files[i].what);
        cr_assert_null(bars);
    }
}

Test(csv, files_that_are_not_there_are_no_input)
{
    struct csv_options options = {.symbol = "X"};
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    cr_assert_neq(csv_read("/no/such/file.csv", &options, &bars, &report, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_neq(csv_read("/tmp", &options, &bars, &report, &err), 0);
    cr_assert_eq(err.kind, ERR_NO_INPUT);
    cr_assert_not_null(strstr(err.text, "directory"));
}

/* ---- what is accepted ----------------------------------------------------------------------- */

static const struct {
    const char *what, *text;
} good_files[] = {
    {"names in any case and order", "CLOSE,Low,high,OPEN,Volume,Date\n11,9,12,10,7,2024-01-02\n"},
    {"short names", "ts,o,h,l,c,v\n2024-01-02,10,12,9,11,7\n"},
    {"semicolons", "date;open;high;low;close;vol\n2024-01-02;10;12;9;11;7\n"},
    {"tabs", "date\topen\thigh\tlow\tclose\tvol\n2024-01-02\t10\t12\t9\t11\t7\n"},
    {"quotes",
     "\"date\",\"open\",high,low,close,\"volume\"\n\"2024-01-02\",\"10\",12,9,11,\"7\"\n"},
    {"spaces", " date , open , high , low , close , volume\n 2024-01-02 , 10 , 12 , 9 , 11 , 7 \n"},
    {"CRLF and a last line without", "date,open,high,low,close,volume\r\n2024-01-02,10,12,9,11,7"},
    {"a byte order mark", "\xef\xbb\xbf"
                          "date,open,high,low,close,volume\n2024-01-02,10,12,9,11,7\n"},
    {"empty lines", "\ndate,open,high,low,close,volume\n\n2024-01-02,10,12,9,11,7\n\n \n"},
    {"exponents and signs", "date,open,high,low,close,volume\n2024-01-02,1e1,+12.0,.9e1,11.,7\n"},
    {"a compact date", "date,open,high,low,close,volume\n20240102,10,12,9,11,7\n"},
    {"seconds", "time,open,high,low,close,volume\n1704153600,10,12,9,11,7\n"},
    {"seconds with a fraction", "time,open,high,low,close,volume\n1704153600.0,10,12,9,11,7\n"},
    {"milliseconds", "time,open,high,low,close,volume\n1704153600000,10,12,9,11,7\n"},
    {"microseconds", "time,open,high,low,close,volume\n1704153600000000,10,12,9,11,7\n"},
    {"nanoseconds", "open_time,open,high,low,close,volume\n1704153600000000000,10,12,9,11,7\n"},
    {"an offset", "time,open,high,low,close,volume\n2024-01-02T05:30+05:30,10,12,9,11,7\n"},
    {"Z", "time,open,high,low,close,volume\n2024-01-02T00:00:00.000Z,10,12,9,11,7\n"},
};

Test(csv, accepts_the_usual_ways_to_write_bars)
{
    for (size_t i = 0; i < sizeof good_files / sizeof *good_files; i++) {
        struct bars *b = import_good(good_files[i].text, NULL);
        cr_assert(b->rows_n == 1 && b->extra_n == 0, "%s", good_files[i].what);
        cr_assert_eq(b->time_ns[0], iso("2024-01-02"), "%s", good_files[i].what);
        cr_assert(b->open[0] == 10 && b->high[0] == 12 && b->low[0] == 9 && b->close[0] == 11 &&
                      b->volume[0] == 7,
                  "%s", good_files[i].what);
        bars_free(b);
    }
}

Test(csv, volume_may_be_missing)
{
    struct bars *b = import_good("date,open,high,low,close\n2024-01-02,10,12,9,11\n", NULL);
    cr_assert_eq(b->volume[0], 0.0);
    bars_free(b);
}

Test(csv, one_unit_of_epoch_times_for_a_file)
{
    static const char text[] =
        "time,open,high,low,close\n1704153600,1,1,1,1\n1704153660000,1,1,1,1\n";
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    write_file(text, strlen(text));
    cr_assert_neq(import(false, NULL, &bars, &report, &err), 0);
    cr_assert_not_null(strstr(err.text, "epoch seconds"), "%s", err.text);
}

Test(csv, further_columns_become_series_under_safe_names)
{
    static const char text[] = "date,open,high,low,close,Adj Close,rsi,note,2nd,last\n"
                               "2024-01-02,10,12,9,11,,5,hello,1,2\n"
                               "2024-01-03,10,12,9,11,3.5,NaN,,2,3\n";
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    write_file(text, strlen(text));
    cr_assert_eq(import(false, NULL, &bars, &report, &err), 0, "%s", err.text);
    cr_assert_eq(bars->extra_n, 4);
    cr_assert_str_eq(bars->extra_names[0], "adj_close");
    cr_assert_str_eq(bars->extra_names[1], "rsi_col");
    cr_assert_str_eq(bars->extra_names[2], "x_2nd");
    cr_assert_str_eq(bars->extra_names[3], "last");
    cr_assert(isnan(bars->extra[0][0]) && bars->extra[0][1] == 3.5);
    cr_assert(bars->extra[1][0] == 5 && isnan(bars->extra[1][1]));
    cr_assert_not_null(strstr(report.notes, "note"), "%s", report.notes);
    cr_assert_not_null(strstr(report.notes, "rsi_col"), "%s", report.notes);
    bars_free(bars);
}

Test(csv, gaps_are_counted)
{
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    static const char text[] = "date,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-02,1,1,1,1\n"
                               "2024-01-03,1,1,1,1\n2024-01-06,1,1,1,1\n2024-01-07,1,1,1,1\n";
    write_file(text, strlen(text));
    cr_assert_eq(import(false, NULL, &bars, &report, &err), 0);
    cr_assert_eq(report.gaps_n, 1);
    bars_free(bars);
}

/* ---- zones ---------------------------------------------------------------------------------- */

static bool has_zones(void)
{
    return access("/usr/share/zoneinfo/America/New_York", R_OK) == 0;
}

Test(csv, local_times_take_the_offset_of_their_day)
{
    if (!has_zones())
        cr_skip("no tzdata on this machine");
    setenv("TZ", "Asia/Tokyo", 1);
    struct bars *b = import_good("time,open,high,low,close\n"
                                 "2024-01-02 09:30,1,1,1,1\n"
                                 "2024-07-02 09:30,1,1,1,1\n"
                                 "2024-07-02 13:31Z,1,1,1,1\n"
                                 "2024-11-03 01:30,1,1,1,1\n"
                                 "2024-11-03 01:30,1,1,1,1\n"
                                 "2024-11-03 02:30,1,1,1,1\n",
                                 "America/New_York");
    static const char *const want[] = {"2024-01-02T14:30Z", "2024-07-02T13:30Z",
                                       "2024-07-02T13:31Z", "2024-11-03T05:30Z",
                                       "2024-11-03T06:30Z", "2024-11-03T07:30Z"};
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(b->time_ns[i], iso(want[i]), "%s", want[i]);
    bars_free(b);
    cr_assert_str_eq(getenv("TZ"), "Asia/Tokyo", "given back");
}

Test(csv, a_local_time_that_the_zone_skips_is_a_bad_row)
{
    if (!has_zones())
        cr_skip("no tzdata on this machine");
    static const char text[] = "time,open,high,low,close\n2024-03-10 01:30,1,1,1,1\n"
                               "2024-03-10 02:30,1,1,1,1\n2024-03-10 03:30,1,1,1,1\n";
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    write_file(text, strlen(text));
    cr_assert_neq(import(false, "America/New_York", &bars, &report, &err), 0);
    cr_assert_not_null(strstr(err.text, ":3:1: found \"2024-03-10 02:30\""), "%s", err.text);
    cr_assert_eq(import(true, "America/New_York", &bars, &report, &err), 0);
    cr_assert_eq(report.skipped[CSV_LOCAL_TIME], 1);
    cr_assert_eq(bars->time_ns[0], iso("2024-03-10T06:30Z"));
    cr_assert_eq(bars->time_ns[1], iso("2024-03-10T07:30Z"));
    bars_free(bars);
}

Test(csv, unknown_zones_are_a_usage_error)
{
    static const char *const zones[] = {"Mars/Olympus",   "../../etc/passwd", "",
                                        "/etc/localtime", "America",          "EST5EDT,M3.2.0"};
    static const char text[] = "time,open,high,low,close\n2024-01-02,1,1,1,1\n";
    write_file(text, strlen(text));
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        cr_assert_neq(import(false, zones[i], &bars, &report, &err), 0, "%s", zones[i]);
        cr_assert_eq(err.kind, ERR_USAGE, "%s", zones[i]);
    }
}

/* ---- compression ---------------------------------------------------------------------------- */

static char *many_rows(size_t *ret_bytes)
{
    char *text = malloc(2u << 20);
    size_t n = (size_t)sprintf(text, "time,open,high,low,close,volume\n");
    for (int i = 0; i < 20000; i++)
        n += (size_t)sprintf(text + n, "%d,10.%d,12,9,11,%d\n", 1700000000 + 60 * i, i % 1000, i);
    *ret_bytes = n;
    return text;
}

static size_t gzip(const char *text, size_t n_bytes, char *out, size_t out_bytes)
{
    z_stream z = {0};
    union {
        const char *in;
        Bytef *out;
    } bytes = {.in = text};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = bytes.out;
    z.avail_in = (uInt)n_bytes;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)out_bytes;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = z.total_out;
    deflateEnd(&z);
    return n;
}

/* Whole it is read; cut anywhere, or with a byte changed, it is an error or the same bars. */
static void check_packed(const char *packed, size_t n_bytes, uint32_t rows_n, const char *what)
{
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    write_file(packed, n_bytes);
    cr_assert_eq(import(false, NULL, &bars, &report, &err), 0, "%s: %s", what, err.text);
    cr_assert_eq(bars->rows_n, rows_n, "%s", what);
    bars_free(bars);
    bars = NULL;
    for (unsigned i = 1; i < 20; i++) {
        write_file(packed, n_bytes * i / 20);
        cr_assert_neq(import(true, NULL, &bars, &report, &err), 0, "%s cut at %u/20", what, i);
        cr_assert_eq(err.kind, ERR_DATA, "%s", err.text);
    }
    write_file(packed, n_bytes - 1);
    cr_assert_neq(import(true, NULL, &bars, &report, &err), 0, "%s without its last byte", what);
    cr_assert_null(bars);
}

Test(csv, gzip_and_zstandard_are_known_by_their_first_bytes)
{
    size_t n_bytes, n;
    char *text = many_rows(&n_bytes);
    char *packed = malloc(4u << 20);
    n = gzip(text, n_bytes, packed, 4u << 20);
    check_packed(packed, n, 20000, "gzip");
    n = gzip(text, 100000, packed, 4u << 20);
    n += gzip(text + 100000, n_bytes - 100000, packed + n, (4u << 20) - n);
    check_packed(packed, n, 20000, "two gzip streams");
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    cr_assert_not(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)));
    n = ZSTD_compress2(zstd, packed, 4u << 20, text, n_bytes);
    cr_assert_not(ZSTD_isError(n));
    check_packed(packed, n, 20000, "Zstandard");
    ZSTD_freeCCtx(zstd);
    free(packed);
    free(text);
}

/* ---- properties ----------------------------------------------------------------------------- */

static uint64_t state = 0x9e3779b97f4a7c15u;

static double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

/* As `admf data export` writes them: ISO times, %.17g, empty for undefined. */
static void write_bars(const struct bars *b)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fprintf(file, "timestamp,open,high,low,close,volume,forecast\n");
    for (uint32_t i = 0; i < b->rows_n; i++) {
        char time[TIME_ISO_BYTES], f[6][F64_BYTES];
        fprintf(file, "%s,%s,%s,%s,%s,%s,%s\n", time_format_iso(b->time_ns[i], time),
                f64_format(b->open[i], f[0]), f64_format(b->high[i], f[1]),
                f64_format(b->low[i], f[2]), f64_format(b->close[i], f[3]),
                f64_format(b->volume[i], f[4]), f64_format(b->extra[0][i], f[5]));
    }
    cr_assert_eq(fclose(file), 0);
}

Test(csv, random_good_bars_come_back_with_the_same_hash)
{
    enum { N = 500 };
    static int64_t time_ns[N];
    static double open[N], high[N], low[N], close[N], volume[N], extra[N];
    static const char *const names[] = {"forecast"};
    static const double *const extras[] = {extra};
    for (unsigned round = 0; round < 50; round++) {
        int64_t at = (int64_t)(uniform() * 4e18) - INT64_C(2000000000000000000);
        for (unsigned i = 0; i < N; i++) {
            double scale = pow(10, uniform() * 20 - 10);
            time_ns[i] = at += 1 + (int64_t)(uniform() * pow(10, uniform() * 12));
            low[i] = scale * (0.5 + uniform());
            high[i] = low[i] * (1 + uniform());
            open[i] = fmin(low[i] + (high[i] - low[i]) * uniform(), high[i]);
            close[i] = fmin(low[i] + (high[i] - low[i]) * uniform(), high[i]);
            volume[i] = uniform() < 0.1 ? 0 : uniform() * 1e12;
            extra[i] = uniform() < 0.2 ? NAN : (uniform() - 0.5) * pow(10, uniform() * 600 - 300);
        }
        struct bars b = {"X", N, time_ns, open, high, low, close, volume, 1, names, extras};
        struct bars *got = NULL;
        struct csv_report report;
        struct err err = {0};
        uint64_t want[2], found[2];
        write_bars(&b);
        int rc = import(false, NULL, &got, &report, &err);
        cr_assert_eq(rc, 0, "round %u: %s", round, err.text);
        bars_hash(&b, want);
        bars_hash(got, found);
        cr_assert(want[0] == found[0] && want[1] == found[1], "round %u", round);
        bars_free(got);
    }
}

Test(csv, noise_is_never_more_than_an_error)
{
    static const char bytes[] = "0123456789.,,,--::TZ\n\n\"; e+\t\r\xc3\xa9nai";
    for (unsigned round = 0; round < 2000; round++) {
        char text[600];
        size_t n = (size_t)snprintf(text, sizeof text, HEAD);
        size_t most = n + (size_t)(uniform() * 500);
        while (n < most)
            text[n++] = bytes[(size_t)(uniform() * (sizeof bytes - 1))];
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        write_file(text, n);
        if (import(round % 2, NULL, &bars, &report, &err) == 0)
            bars_free(bars);
        else
            cr_assert_eq(err.kind, ERR_DATA);
    }
}

Test(csv, real_bars_of_shared_are_read_without_a_bad_row)
{
    static const char *const names[] = {"goog_daily.csv", "btcperp_minute.csv.gz",
                                        "xauusd_hourly.csv.gz"};
    static const uint32_t rows_n[] = {2148, 45031, 76499};
    const char *shared = getenv("ADMF_SHARED");
    if (!shared || access(shared, R_OK) != 0)
        cr_skip("there is no $ADMF_SHARED with real bars");
    for (unsigned i = 0; i < 3; i++) {
        struct csv_options options = {.symbol = "X"};
        struct bars *bars = NULL;
        struct csv_report report;
        struct err err = {0};
        char file[1024];
        snprintf(file, sizeof file, "%s/data/%s", shared, names[i]);
        cr_assert_eq(csv_read(file, &options, &bars, &report, &err), 0, "%s", err.text);
        cr_assert_eq(bars->rows_n, rows_n[i], "%s", file);
        bars_free(bars);
    }
}
