/* SPDX-License-Identifier: MIT */
/* The promise: splits and dividends give the prices that a person works out by hand, nothing that
 * lies at or after the last ex-date is touched, and a bad row is named by its place. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/units.h"
#include "supervisor/import/actions.h"
#include "supervisor/import/csv.h"
#include "supervisor/store/bars_heap.h"
#include "supervisor/store/store.h"

static char path[256];

static void make_file(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/admf-actions-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

TestSuite(actions, .init = make_file, .fini = remove_file);

static void write_text(const char *text)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

/* Five days: a 4:1 split on the third, a dividend of 2 on the fifth, one of 0.8 old money on the
 * second. */
static struct bars *five_days(void)
{
    struct bars *bars = NULL;
    struct csv_report report;
    struct err err = {0};
    write_text("date,open,high,low,close,volume,view\n"
               "2024-01-01,396,404,392,400,1000,1\n"
               "2024-01-02,400,408,400,404,1000,2\n"
               "2024-01-03,101,102,100,101,4000,3\n"
               "2024-01-04,101,101,99,100,4000,4\n"
               "2024-01-05,98,99,97,98,4000,5\n");
    cr_assert_eq(csv_read(path, &(struct csv_options){.symbol = "ACME"}, &bars, &report, &err), 0,
                 "%s", err.text);
    return bars;
}

static int read_text(const char *text, const char *tz, struct actions *ret, struct err *err)
{
    write_text(text);
    return actions_read(&(struct actions_options){path, "ACME", tz}, ret, err);
}

static int apply(struct bars *bars, const char *text, enum dividends how,
                 struct actions_report *ret_report, struct err *err)
{
    struct actions actions = {0};
    cr_assert_eq(read_text(text, NULL, &actions, err), 0, "%s", err->text);
    int rc = actions_apply(&actions, how, bars, ret_report, err);
    actions_fini(&actions);
    return rc;
}

static void expect_column(const double *found, const double *expected, uint32_t n, const char *what)
{
    for (uint32_t i = 0; i < n; i++)
        cr_expect_leq(fabs(found[i] - expected[i]), 1e-12 * fabs(expected[i]),
                      "%s of bar %u: %.17g instead of %.17g", what, i, found[i], expected[i]);
}

#define ALL                                                                                        \
    "date,symbol,split,dividend\n"                                                                 \
    "2024-01-05,ACME,,2\n"                                                                         \
    "2024-01-02,ACME,,0.8\n"                                                                       \
    "2024-01-03,ACME,4,\n"

Test(actions, splits_and_dividends_adjust_what_lies_before_them)
{
    struct bars *bars = five_days();
    struct actions_report report;
    struct err err = {0};
    cr_assert_eq(apply(bars, ALL, DIVIDENDS_ADJUST, &report, &err), 0, "%s", err.text);
    /* 2 / 100 takes 2 % off everything before the fifth day; 0.8 / 400 takes 0.2 % off the first.
     */
    const double first = 0.998 * 0.98 / 4;
    expect_column(bars->close, (double[]){400 * first, 404 * 0.98 / 4, 101 * 0.98, 98, 98}, 5,
                  "close");
    expect_column(bars->low, (double[]){392 * first, 98, 98, 99 * 0.98, 97}, 5, "low");
    expect_column(bars->volume, (double[]){4000, 4000, 4000, 4000, 4000}, 5, "volume");
    expect_column(bars->extra[0], (double[]){1, 2, 3, 4, 5}, 5, "view");
    cr_expect_eq(bars->extra_n, 1);
    cr_expect_eq(report.splits_n, 1);
    cr_expect_eq(report.dividends_n, 2);
    cr_expect_eq(report.no_jump_n, 0);
    bars_free(bars);
}

Test(actions, dividends_as_cash_leave_prices_and_become_a_column)
{
    struct bars *bars = five_days();
    struct actions_report report;
    struct err err = {0};
    cr_assert_eq(apply(bars, ALL, DIVIDENDS_CASH, &report, &err), 0, "%s", err.text);
    expect_column(bars->close, (double[]){100, 101, 101, 100, 98}, 5, "close");
    cr_assert_eq(bars->extra_n, 2);
    cr_expect_str_eq(bars->extra_names[1], COLUMN_CASH_DIVIDEND);
    const double paid[] = {0, 0.8 / 4, 0, 0, 2};
    for (int i = 0; i < 5; i++)
        cr_expect_eq(bars->extra[1][i], paid[i], "bar %d: %.17g", i, bars->extra[1][i]);
    bars_free(bars);
}

Test(actions, adjusted_and_cash_bars_have_hashes_of_their_own)
{
    uint64_t hash[4][2];
    struct actions_report report;
    struct err err = {0};
    for (int i = 0; i < 4; i++) {
        struct bars *bars = five_days();
        const char *text = i == 3 ? "date,symbol,split\n" : ALL;
        if (i > 0)
            cr_assert_eq(
                apply(bars, text, i == 1 ? DIVIDENDS_ADJUST : DIVIDENDS_CASH, &report, &err), 0);
        bars_hash(bars, hash[i]);
        for (int j = 0; j < i; j++)
            cr_expect_neq(memcmp(hash[i], hash[j], sizeof hash[i]), 0, "%d and %d", i, j);
        bars_free(bars);
    }
}

Test(actions, on_one_day_the_split_comes_first_in_one_row_or_two)
{
    /* The dividend of 1 is paid on new shares: close before it is 404 / 4. */
    static const char *const texts[] = {
        "date,symbol,split,dividend\n2024-01-03,ACME,4,1\n",
        "date,symbol,split,dividend\n2024-01-03,ACME,,1\n2024-01-03,ACME,4,\n",
        "symbol;dividend;split;date\nACME;1;;20240103\nACME;;4;2024-01-03T00:00Z\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct bars *bars = five_days();
        struct actions_report report;
        struct err err = {0};
        cr_assert_eq(apply(bars, texts[i], DIVIDENDS_ADJUST, &report, &err), 0, "%s", err.text);
        expect_column(bars->close, (double[]){100 * (1 - 1. / 101), 101 * (1 - 1. / 101), 101}, 3,
                      texts[i]);
        bars_free(bars);
    }
}

Test(actions, reverse_splits_multiply_prices)
{
    struct bars *bars = five_days();
    struct actions_report report;
    struct err err = {0};
    cr_assert_eq(apply(bars, "date,symbol,split\n2024-01-04,ACME,0.1\n2024-01-02,ACME,0.5\n",
                       DIVIDENDS_ADJUST, &report, &err),
                 0, "%s", err.text);
    expect_column(bars->close, (double[]){8000, 4040, 1010, 100, 98}, 5, "close");
    expect_column(bars->volume, (double[]){50, 100, 400, 4000, 4000}, 5, "volume");
    cr_expect_eq(report.no_jump_n, 2, "prices that do not jump are told");
    cr_expect_eq(report.no_jump_line, 2, "line %llu", (unsigned long long)report.no_jump_line);
    bars_free(bars);
}

Test(actions, what_lies_outside_of_the_bars_or_is_of_others_has_no_effect)
{
    struct bars *bars = five_days();
    struct actions_report report;
    struct actions actions = {0};
    struct err err = {0};
    uint64_t before[2], after[2];
    bars_hash(bars, before);
    cr_assert_eq(read_text("date,symbol,split,dividend\n"
                           "2024-01-01,ACME,2,\n"    /* the first bar: none lies before it */
                           "2024-01-06,ACME,,9999\n" /* none at or after it */
                           "1999-01-06,ACME,3,1\n"
                           "2024-01-03,ACME,1,0\n"
                           "2024-01-03,OTHER,4,x\n"
                           "2024-01-03,acme,4,\n",
                           NULL, &actions, &err),
                 0, "%s", err.text);
    cr_expect_eq(actions.n, 3);
    cr_expect_eq(actions.other_n, 2);
    cr_expect_eq(actions.silent_n, 1);
    cr_expect_str_eq(actions.like, "acme");
    cr_assert_eq(actions_apply(&actions, DIVIDENDS_ADJUST, bars, &report, &err), 0, "%s", err.text);
    bars_hash(bars, after);
    cr_expect_arr_eq(before, after, sizeof before);
    cr_expect_eq(report.outside_n, 3);
    cr_expect_eq(report.splits_n + report.dividends_n, 0);
    actions_fini(&actions);
    bars_free(bars);
}

Test(actions, a_date_begins_at_midnight_of_the_zone)
{
    struct actions actions = {0};
    struct err err = {0};
    char text[TIME_ISO_BYTES];
    cr_assert_eq(
        read_text("date,symbol,split\n2024-07-01,ACME,2\n", "America/New_York", &actions, &err), 0,
        "%s", err.text);
    cr_expect_str_eq(time_format_iso(actions.action[0].ex_ns, text), "2024-07-01T04:00:00Z");
    actions_fini(&actions);
}

Test(actions, the_last_time_there_is_can_be_a_date)
{
    struct actions actions = {0};
    struct err err = {0};
    char text[TIME_ISO_BYTES];
    cr_assert_eq(read_text("date,symbol,split\n2262-04-11T23:47:16,ACME,2\n", NULL, &actions, &err),
                 0, "%s", err.text);
    cr_expect_str_eq(time_format_iso(actions.action[0].ex_ns, text), "2262-04-11T23:47:16Z");
    actions_fini(&actions);
}

Test(actions, a_bad_row_is_named_by_its_place)
{
    static const struct {
        const char *text, *talk;
    } rows[] = {
        {"", "the file is empty"},
        {"date,split\n2024-01-03,2\n", ":1:1: found \"date,split\""},
        {"date,symbol\n2024-01-03,ACME\n", "split or dividend"},
        {"date,symbol,split,split\n", ":1:19: found \"split\", expected each name once"},
        {"date,symbol,split\n2024-01-32,ACME,2\n", ":2:1: found \"2024-01-32\""},
        {"date,symbol,split\n,ACME,2\n", ":2:1: found \"\""},
        {"date,symbol,split\n2024-01-03,,2\n", ":2:12: found \"\", expected the symbol"},
        {"date,symbol,split\n2024-01-03,ACME,0\n", ":2:17: found \"0\", expected new shares"},
        {"date,symbol,split\n2024-01-03,ACME,-2\n", ":2:17: found \"-2\""},
        {"date,symbol,split\n2024-01-03,ACME,7:1\n", "7 for 7:1"},
        {"date,symbol,split\n2024-01-03,ACME,inf\n", ":2:17: found \"inf\""},
        {"date,symbol,split\n2024-01-03,ACME,1e10\n", ":2:17: found \"1e10\""},
        {"date,symbol,dividend\n2024-01-03,ACME,-0.5\n", ":2:17: found \"-0.5\""},
        {"date,symbol,dividend\n2024-01-03,ACME,1e999\n", ":2:17: found \"1e999\""},
        {"date,symbol,dividend\n2024-01-03,ACME\n", ":2:1: found \"2024-01-03,ACME\", expected 3"},
        {"date,symbol,dividend\n2024-01-03,\"ACME,1\n", "a quoted field that ends on its line"},
        {"date,symbol,dividend\n2024-01-03,A\xff"
         "ME,1\n",
         ":2:13: found \"\\xff\", expected text in UTF-8"},
        {"date,symbol,split\n2024-01-03,ACME,2\n\n2024-01-03,ACME,2\n",
         ":4: a second split of ACME on the day of line 2"},
        {"date,symbol,split,dividend\n2024-01-03,ACME,2,1\n2024-01-03,ACME,,1\n",
         ":3: a second dividend of ACME on the day of line 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct actions actions = {.n = 77};
        struct err err = {0};
        cr_expect_lt(read_text(rows[i].text, NULL, &actions, &err), 0, "%s", rows[i].text);
        cr_expect_eq(err.kind, ERR_DATA, "%s", rows[i].text);
        cr_expect_not_null(strstr(err.text, rows[i].talk), "%s: %s", rows[i].text, err.text);
        cr_expect_eq(actions.n, 77, "%s: the output is untouched", rows[i].text);
    }
}

Test(actions, what_no_price_can_bear_is_refused)
{
    static const struct {
        const char *text, *talk;
        enum dividends how;
    } rows[] = {
        {"date,symbol,dividend\n2024-01-05,ACME,100\n",
         ":2: a dividend of 100 a share of today is not below the close before it, 100",
         DIVIDENDS_ADJUST},
        {"date,symbol,dividend\n2024-01-05,ACME,100\n", "not below the close", DIVIDENDS_CASH},
        {"date,symbol,split\n2024-01-04,ACME,1e9\n2024-01-05,ACME,1e9\n", "is a split written",
         DIVIDENDS_ADJUST},
        {"date,symbol,split\n2024-01-04,ACME,1e-9\n2024-01-05,ACME,1e-9\n", "is a split written",
         DIVIDENDS_CASH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bars *bars = five_days();
        struct actions_report report = {.splits_n = 77};
        struct err err = {0};
        cr_expect_lt(apply(bars, rows[i].text, rows[i].how, &report, &err), 0, "%s", rows[i].text);
        cr_expect_eq(err.kind, ERR_DATA);
        cr_expect_not_null(strstr(err.text, rows[i].talk), "%s: %s", rows[i].text, err.text);
        cr_expect_eq(report.splits_n, 77);
        bars_free(bars);
    }
}

Test(actions, a_column_of_that_name_is_not_replaced)
{
    struct bars *bars = five_days();
    struct actions_report report;
    struct err err = {0};
    cr_assert_eq(apply(bars, ALL, DIVIDENDS_CASH, &report, &err), 0, "%s", err.text);
    cr_expect_lt(apply(bars, ALL, DIVIDENDS_CASH, &report, &err), 0);
    cr_expect_not_null(strstr(err.text, "already"), "%s", err.text);
    bars_free(bars);
}

/* Ten thousand random calendars of actions: bars keep their shape, and returns between two bars
 * without an action between them stay what they were. */
Test(actions, returns_between_actions_stay_what_they_were)
{
    uint64_t state = 12345;
    for (int round = 0; round < 10000; round++) {
        struct bars *bars = five_days();
        struct bars_heap *heap = (struct bars_heap *)bars;
        struct action list[3];
        double close[5];
        bool is_ex[6] = {false};
        struct actions actions = {.action = list};
        struct actions_report report;
        struct err err = {0};
        memcpy(close, bars->close, sizeof close);
        for (unsigned day = 1; day < 5 && actions.n < 3; day++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            if (state >> 63)
                continue;
            is_ex[day] = true;
            list[actions.n++] = (struct action){
                .ex_ns = heap->time_ns[day],
                .split = state & (UINT64_C(1) << 40) ? 1 + (double)(state >> 60) : 1,
                .dividend = (double)((state >> 50) & 63)};
        }
        int rc = actions_apply(&actions, DIVIDENDS_ADJUST, bars, &report, &err);
        for (unsigned day = 1; rc == 0 && day < 5; day++) {
            double now = bars->close[day] / bars->close[day - 1], was = close[day] / close[day - 1];
            cr_assert(bars->low[day] <= bars->close[day] && bars->close[day] <= bars->high[day]);
            cr_assert(is_ex[day] || fabs(now - was) < 1e-12, "day %u", day);
        }
        bars_free(bars);
    }
}
