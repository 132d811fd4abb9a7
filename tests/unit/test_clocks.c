/* SPDX-License-Identifier: MIT */
/* Promise: periods are those of the calendar in UTC; a row sees of another clock its last finished
 * bar; and whatever becomes of the future, no row before it changes. */
#include <time.h>

#include "shm/resample.h"
#include "tests/unit/shelf.h"

#define DAY_NS INT64_C(86400000000000)

/* ---- timeframes ----------------------------------------------------------------------------- */

static struct timeframe timeframe_of(const char *text)
{
    struct timeframe t = {0};
    cr_assert(timeframe_parse(text, strlen(text), &t), "%s", text);
    return t;
}

Test(clocks, timeframes_are_written_as_they_are_read)
{
    static const char *const texts[][2] = {
        {"1m", "1m"},  {"5m", "5m"},  {"60m", "1h"},   {"90m", "90m"},       {"4h", "4h"},
        {"24h", "1d"}, {"48h", "2d"}, {"1440m", "1d"}, {"1d", "1d"},         {"7d", "7d"},
        {"1w", "1w"},  {"1M", "1M"},  {"3M", "3M"},    {"99999d", "99999d"},
    };
    static const char *const bad[] = {"",   "d",   "1",   "0d",  "01d",    "1D",
                                      "1s", "1dd", "-1d", "1 d", "100000d"};
    char text[TIMEFRAME_BYTES];
    struct timeframe t;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_str_eq(timeframe_format(timeframe_of(texts[i][0]), text), texts[i][1]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(timeframe_parse(bad[i], strlen(bad[i]), &t), "%s", bad[i]);
    cr_expect_str_eq(timeframe_format((struct timeframe){0}, text), "");
    cr_expect_str_eq(timeframe_suggest("daily"), "1d");
}

Test(clocks, periods_are_those_of_the_calendar)
{
    struct timeframe month = timeframe_of("1M"), quarter = timeframe_of("3M");
    struct timeframe week = timeframe_of("1w"), day = timeframe_of("1d");
    for (int i = 0; i < 100000; i++) {
        int64_t seconds = (int64_t)(chance() * 8e9) - 4000000000;
        int64_t ns = seconds * 1000000000 + (int64_t)(chance() * 999999999);
        time_t at = (time_t)seconds;
        struct tm tm;
        gmtime_r(&at, &tm);
        cr_assert_eq(timeframe_period(month, ns), (tm.tm_year + 1900) * 12 + tm.tm_mon, "%ld",
                     (long)at);
        cr_assert_eq(timeframe_period(quarter, ns), ((tm.tm_year + 1900) * 12 + tm.tm_mon) / 3);
        int64_t monday_ns = ns - ((tm.tm_wday + 6) % 7) * DAY_NS;
        cr_assert_eq(timeframe_period(week, ns), timeframe_period(week, monday_ns));
        cr_assert_eq(timeframe_period(week, ns), timeframe_period(week, monday_ns - DAY_NS) + 1);
        cr_assert_eq(timeframe_period(day, ns - ns % 1000000000 -
                                               (tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec) *
                                                   INT64_C(1000000000)),
                     timeframe_period(day, ns));
    }
}

Test(clocks, a_timeframe_shorter_than_the_bars_is_refused)
{
    struct err err = {0};
    int64_t time_ns[] = {0, DAY_NS, 2 * DAY_NS, 5 * DAY_NS}, spacing = 0;
    cr_assert_eq(timeframe_spacing(time_ns, 4, &spacing), 0);
    cr_expect_eq(spacing, DAY_NS);
    cr_expect_lt(timeframe_check(timeframe_of("4h"), "SPX", spacing, &err), 0);
    cr_expect_not_null(strstr(err.text, "@4h is shorter than the bars of SPX"), "%s", err.text);
    cr_expect_eq(timeframe_check(timeframe_of("1d"), "SPX", spacing, &err), 0);
    cr_expect_eq(timeframe_check(timeframe_of("1w"), "SPX", spacing, &err), 0);
    cr_expect_eq(timeframe_check((struct timeframe){0}, "SPX", spacing, &err), 0);
    cr_assert_eq(timeframe_spacing(time_ns, 1, &spacing), 0);
    cr_expect_eq(spacing, 0);
}

/* ---- larger bars ---------------------------------------------------------------------------- */

Test(clocks, larger_bars_gather_what_their_period_holds)
{
    static const int64_t hour_of[] = {1, 5, 23, 24, 30, 80};
    static const double open[] = {1, 2, 3, 4, 5, 6}, high[] = {9, 2, 3, 8, 5, 6};
    static const double low[] = {1, 2, 0.5, 4, 3, 6}, close[] = {1.5, 2, 3.5, 4, 5, 6.5};
    static const double volume[] = {10, 20, 30, 40, 50, 60}, ai[] = {1, 2, NAN, 4, NAN, 6};
    const double *const extra[] = {ai};
    int64_t time_ns[6], made_ns[3];
    double made[6][3], *made_extra[] = {made[5]};
    for (int i = 0; i < 6; i++)
        time_ns[i] = hour_of[i] * 60 * MINUTE_NS;
    const struct bars bars = {"A",   6,      time_ns, open,        high, low,
                              close, volume, 1,       extra_names, extra};
    const struct resampled out = {made_ns, made[0], made[1], made[2], made[3], made[4], made_extra};
    cr_assert_eq(resample_rows(&bars, timeframe_of("1d")), 3);
    resample(&bars, timeframe_of("1d"), &out);
    static const double wanted[5][3] = {
        {1, 4, 6}, {9, 8, 6}, {0.5, 3, 6}, {3.5, 5, 6.5}, {60, 90, 60}};
    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 3; i++)
            cr_expect_eq(made[c][i], wanted[c][i], "column %d bar %d", c, i);
    cr_expect(isnan(made[5][0]) && isnan(made[5][1]) && made[5][2] == 6, "the last bar's");
    cr_expect_eq(made_ns[1], time_ns[3]);

    int32_t row_of[6];
    const struct align_to days = {made_ns, 3, timeframe_of("1d"), NULL, 0};
    align_rows(time_ns, 6, &days, row_of);
    static const int32_t day_of[] = {-1, -1, -1, 0, 0, 1};
    for (int i = 0; i < 6; i++)
        cr_expect_eq(row_of[i], day_of[i]);
}

Test(clocks, bars_of_others_are_seen_once_they_are_finished)
{
    static const struct {
        const char *what;
        int64_t own[8], other[8];
        int32_t row_of[8];
        uint32_t own_n, other_n;
    } rows[] = {
        {"of one length, once it is known", {10, 20, 30, 40}, {0, 10, 20, 35}, {0, 2, 2, 3}, 4, 4},
        {"longer ones", {10, 20, 30, 40, 50}, {0, 20, 40}, {-1, 0, 0, 1, 1}, 5, 3},
        {"shorter ones", {10, 20, 30}, {8, 9, 10, 18, 20}, {1, 4, 4}, 3, 5},
        {"longer than thin ones at their densest",
         {10, 11, 30, 60, 100},
         {0, 5, 25, 60, 95},
         {0, 0, 1, 2, 3},
         5,
         5},
        {"that become shorter",
         {48, 49, 50, 51, 52},
         {0, 24, 48, 49, 50, 51},
         {1, 3, 4, 5, 5},
         5,
         6},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int32_t row_of[8];
        const struct align_to to = {
            rows[i].other, rows[i].other_n, {TIMEFRAME_OWN, 0}, rows[i].other, rows[i].other_n};
        align_rows(rows[i].own, rows[i].own_n, &to, row_of);
        for (uint32_t t = 0; t < rows[i].own_n; t++)
            cr_expect_eq(row_of[t], rows[i].row_of[t], "%s, row %u: %d", rows[i].what, t,
                         row_of[t]);
    }
}

/* ---- values on other clocks ----------------------------------------------------------------- */

static void eval_rule(const struct bars *bars, const char *text, double *out, uint32_t *ret_first)
{
    struct bars_source *source = NULL;
    struct graph *graph = NULL;
    struct err err = {0};
    uint32_t node;
    cr_assert_eq(bars_source_create(bars, SYMBOLS_N, 0, &source), 0);
    cr_assert_eq(graph_create(&graph), 0);
    cr_assert(bind_rule(graph, text, &node), "%s", text);
    struct graph_source view = bars_source_of(source);
    cr_assert_eq(graph_eval(graph, node, &view, out, ret_first, &err), 0, "%s: %s", text, err.text);
    graph_destroy(graph);
    bars_source_destroy(source);
}

static void all_init(struct columns columns[SYMBOLS_N], struct bars bars[SYMBOLS_N],
                     uint32_t rows_n)
{
    columns_init(&columns[0], "OWN", rows_n, 15);
    columns_init(&columns[1], "SPX", rows_n, 15);
    columns_init(&columns[2], "QQQ", rows_n / 4 + 1, 60);
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        bars[i] = columns[i].bars;
}

/* A mean of days is one of days: that of the last two finished ones, found by hand. */
Test(clocks, indicators_of_a_clock_count_its_bars)
{
    static double found[3000];
    struct columns columns[SYMBOLS_N];
    struct bars bars[SYMBOLS_N];
    struct timeframe day = timeframe_of("1d");
    uint32_t first = 0, seen = 0;
    double before[2] = {NAN, NAN};
    all_init(columns, bars, 3000);
    eval_rule(bars, "sma(close@1d,2) + 0 * shift(close,1)", found, &first);
    for (uint32_t t = 0; t < 3000; t++) {
        bool is_new = t > 0 && timeframe_period(day, bars[0].time_ns[t]) !=
                                   timeframe_period(day, bars[0].time_ns[t - 1]);
        if (is_new) {
            before[0] = before[1];
            before[1] = bars[0].close[t - 1];
            seen++;
        }
        double wanted = (before[0] + before[1]) / 2;
        cr_assert(found[t] == wanted || (isnan(found[t]) && isnan(wanted)), "row %u", t);
        cr_assert_eq(isnan(found[t]), t < first);
    }
    cr_assert_gt(seen, 10);
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        columns_fini(&columns[i]);
}

Test(clocks, naming_the_traded_symbol_changes_nothing)
{
    static double own[3000], named[3000];
    struct columns columns[SYMBOLS_N];
    struct bars bars[SYMBOLS_N];
    all_init(columns, bars, 3000);
    eval_rule(bars, "sma(close@4h,3) - rsi(open,5)", own, NULL);
    eval_rule(bars, "OWN:sma(close@4h,3) - OWN:rsi(open,5)", named, NULL);
    for (uint32_t t = 0; t < 3000; t++)
        cr_assert(own[t] == named[t] || (isnan(own[t]) && isnan(named[t])));
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        columns_fini(&columns[i]);
}

/* ---- the future ----------------------------------------------------------------------------- */

/* What is known of a symbol at a time: its bars up to then. One that is not finished by then, an
 * hour long, is known by its beginning alone: its other prices may still become anything. */
static struct bars known_at(const struct columns *c, int64_t time_ns, bool is_longer,
                            struct columns *ret_copy)
{
    const struct bars *b = &c->bars;
    uint32_t n = 0;
    while (n < b->rows_n && b->time_ns[n] <= time_ns)
        n++;
    bool is_open = is_longer && n > 0 && b->time_ns[n - 1] + 60 * MINUTE_NS > time_ns;
    const double *from[] = {b->open, b->high, b->low, b->close, b->volume, c->extra[0]};
    double *to[6];
    for (int i = 0; i < 6; i++) {
        to[i] = malloc((n + 1) * sizeof(double));
        memcpy(to[i], from[i], n * sizeof(double));
        if (is_open && i > 0)
            to[i][n - 1] = to[0][n - 1] + chance() * 5;
    }
    int64_t *time = malloc((n + 1) * sizeof(*time));
    memcpy(time, b->time_ns, n * sizeof(*time));
    ret_copy->extra[0] = to[5];
    ret_copy->bars = (struct bars){b->symbol,
                                   n,
                                   time,
                                   to[0],
                                   to[1],
                                   to[2],
                                   to[3],
                                   to[4],
                                   1,
                                   extra_names,
                                   (const double *const *)ret_copy->extra};
    return ret_copy->bars;
}

static void expect_past_unchanged(struct columns columns[SYMBOLS_N], const char *text,
                                  const double *whole, uint32_t cut)
{
    static double known[3000];
    struct columns copy[SYMBOLS_N];
    struct bars bars[SYMBOLS_N];
    int64_t now_ns = columns[0].bars.time_ns[cut];
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        bars[i] = known_at(&columns[i], now_ns, i == 2, &copy[i]);
    cr_assert_eq(bars[0].rows_n, cut + 1);
    eval_rule(bars, text, known, NULL);
    for (uint32_t t = 0; t <= cut; t++)
        cr_assert((isnan(whole[t]) && isnan(known[t])) ||
                      memcmp(&whole[t], &known[t], sizeof(double)) == 0,
                  "%s: row %u of %u was %.17g, is %.17g", text, t, cut + 1, known[t], whole[t]);
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        columns_fini(&copy[i]);
}

Test(clocks, truncating_the_future_changes_nothing)
{
    static double whole[3000];
    struct columns columns[SYMBOLS_N];
    struct bars bars[SYMBOLS_N];
    struct graph *graph = NULL;
    unsigned tried = 0;
    chance_state = 7;
    all_init(columns, bars, 3000);
    cr_assert_eq(graph_create(&graph), 0);
    while (tried < 150) {
        struct text text = {.n = 0};
        uint32_t node;
        tried % 2 ? say_condition(&text, 3) : say_number(&text, 4);
        if (!strpbrk(text.at, "@:") || !bind_rule(graph, text.at, &node))
            continue;
        eval_rule(bars, text.at, whole, NULL);
        for (int i = 0; i < 4; i++)
            expect_past_unchanged(columns, text.at, whole, 300 + chance_of(2600));
        tried++;
    }
    graph_destroy(graph);
    for (uint32_t i = 0; i < SYMBOLS_N; i++)
        columns_fini(&columns[i]);
}
