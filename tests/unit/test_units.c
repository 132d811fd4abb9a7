/* SPDX-License-Identifier: MIT */
/* The promise: numbers, sizes, durations and times of people are read exactly and written so that
 * they read back, in every locale. */
#include <criterion/criterion.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static uint64_t next_random(void)
{
    static uint64_t state = UINT64_C(88172645463325252);
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void check_number(const char *text)
{
    double want = strtod(text, NULL), got = -1;
    int rc = f64_parse(text, strlen(text), &got);
    if (isinf(want))
        cr_assert(rc == -ERANGE && got == -1, "%s: %d", text, rc);
    else
        cr_assert(rc == 0 && memcmp(&got, &want, sizeof got) == 0, "%s: %.17g, not %.17g", text,
                  got, want);
}

Test(numbers, are_read_as_strtod_reads_them)
{
    static const char *const rows[] = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "-.5e1",
        "4136.25",
        "1e22",
        "1e23",
        "9007199254740993",
        "9007199254740992",
        "9007199254740991.5",
        "18446744073709551615",
        "18446744073709551616",
        "12345678901234567890123",
        "0.1",
        "0.30000000000000004",
        "1e308",
        "1.8e308",
        "2e308",
        "5e-324",
        "2e-324",
        "1e-400",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1e99999999999",
        "0e99999999999",
        "1e-99999999999",
        "000000000000000000000000001.5",
        "0.000000000000000000000000000000000000000000000000000000000000001234567890123456789",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649"
        "0179775872070963302864166928879109465555478519404026306574886715058206819089020007083836"
        "7627385484581771153176447573027006985557136695962284291481986083493647529271907416844436"
        "55107043427115596995080930428801779041744977",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_number(rows[i]);

    char text[64];
    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next_random();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        (void)snprintf(text, sizeof text, "%.*g", (int)(next_random() % 20) + 1, value);
        check_number(text);
        (void)snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64 "e%d",
                       next_random() >> next_random() % 64, next_random() >> next_random() % 64,
                       (int)(next_random() % 50) - 25);
        check_number(text);
    }
}

Test(numbers, many_digits_next_to_a_midpoint_round_rightly)
{
    static char text[3000];
    for (int i = 0; i < 300; i++) {
        double value = ldexp((double)(next_random() >> 11 | UINT64_C(1) << 52), -i);
        /* Exactly between two doubles: the deciding digit comes last, or not at all. */
        int n = snprintf(text, 1200, "%.1100f", value);
        text[n - 1] = '5';
        text[n] = '\0';
        check_number(text);
        memset(text + n, '0', 900);
        text[n + 900] = i % 2 ? '1' : '0';
        text[n + 901] = '\0';
        check_number(text);
    }
}

Test(numbers, that_are_none_are_refused)
{
    static const char *const rows[] = {
        "",    "-",   ".",   "e5",  "1e",    "1e+", "1..2",  "1.2.3", " 1",  "1 ",    "0x10",
        "nan", "inf", "1,5", "--1", "1e5.0", "1f",  "1_000", "\xa0",  "NaN", "1e5e5", "+-1"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double value = 42;
        cr_assert(f64_parse(rows[i], strlen(rows[i]), &value) == -EINVAL, "'%s'", rows[i]);
        cr_assert(value == 42, "'%s' touched the output", rows[i]);
    }
    double value;
    cr_assert(f64_parse("123456", 3, &value) == 0 && value == 123, "reads beyond its bytes");
}

Test(numbers, are_written_so_that_they_read_back)
{
    static const struct {
        double value;
        const char *text, *brief;
    } rows[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {0.1, "0.10000000000000001", "0.1"},
        {1e14, "100000000000000", "100000000000000"},
        {-123456789, "-123456789", "-123456789"},
        {1e22, "1e+22", "1e+22"},
        {2.0 / 3, "0.66666666666666663", "0.6666666666666666"},
        {DBL_MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {5e-324, "4.9406564584124654e-324", "4.94065645841247e-324"},
        {INFINITY, "inf", "inf"},
        {NAN, "", ""},
    };
    char out[F64_BYTES];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert(strcmp(f64_format(rows[i].value, out), rows[i].text) == 0, "%s", out);
        cr_assert(strcmp(f64_format_short(rows[i].value, out), rows[i].brief) == 0, "%s", out);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random();
        double value, again = 0;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        (void)f64_format_short(value, out);
        cr_assert(f64_parse(out, strlen(out), &again) == 0);
        cr_assert(memcmp(&value, &again, sizeof value) == 0, "%s", out);
    }
}

Test(numbers, do_not_depend_on_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < COUNT_OF(names) && !set; i++)
        set = setlocale(LC_ALL, names[i]);
    if (!set)
        cr_skip("no locale with a decimal comma is installed");
    char out[F64_BYTES];
    double value;
    cr_assert(strcmp(f64_format(0.5, out), "0.5") == 0);
    cr_assert(strcmp(f64_format_short(1e-5, out), "1e-05") == 0);
    cr_assert(f64_parse("1.25e-300", 9, &value) == 0 && value == 1.25e-300);
}

/* ---- sizes, durations, times ---------------------------------------------------------------- */

Test(units, sizes_are_read)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t bytes;
    } rows[] = {
        {"4096", 0, 4096},
        {"0", 0, 0},
        {"256MiB", 0, UINT64_C(256) << 20},
        {"256 MiB", 0, UINT64_C(256) << 20},
        {"1.5GiB", 0, UINT64_C(3) << 29},
        {"64kB", 0, 64000},
        {"2M", 0, 2 << 20},
        {"12B", 0, 12},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999TiB", -ERANGE, 0},
        {"1e400", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"MiB", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"1 parsec", -EINVAL, 0},
        {"1MiBB", -EINVAL, 0},
        {" 1", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t bytes = 77;
        int rc = bytes_parse(rows[i].text, &bytes);
        cr_assert(rc == rows[i].rc, "'%s': %d", rows[i].text, rc);
        cr_assert(bytes == (rc == 0 ? rows[i].bytes : 77), "'%s'", rows[i].text);
    }
}

Test(units, durations_are_read)
{
    static const struct {
        const char *text;
        int rc;
        int64_t ns;
    } rows[] = {
        {"30s", 0, 30 * NS_PER_S}, {"250ms", 0, 250000000},    {"10us", 0, 10000},
        {"5m", 0, 300 * NS_PER_S}, {"2h", 0, 7200 * NS_PER_S}, {"1d", 0, NS_PER_DAY},
        {"1.5s", 0, 1500000000},   {"7", 0, 7 * NS_PER_S},     {"0.1", 0, 100000000},
        {"300000d", -ERANGE, 0},   {"1w", -EINVAL, 0},         {"-5s", -EINVAL, 0},
        {"s", -EINVAL, 0},         {"", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ns = 77;
        int rc = duration_parse(rows[i].text, &ns);
        cr_assert(rc == rows[i].rc, "'%s': %d", rows[i].text, rc);
        cr_assert(ns == (rc == 0 ? rows[i].ns : 77), "'%s': %" PRId64, rows[i].text, ns);
    }
}

Test(units, sizes_and_durations_are_written_for_people)
{
    static const struct {
        int64_t ns;
        const char *text;
    } durations[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {350000000, "350 ms"},
        {2100000000, "2.1 s"},
        {999900000, "1.0 s"},
        {INT64_C(3720) * NS_PER_S, "1 h 02 m"},
        {90 * NS_PER_S, "1 m 30 s"},
        {INT64_C(97200) * NS_PER_S, "1 d 03 h"},
    };
    char out[24];
    for (size_t i = 0; i < COUNT_OF(durations); i++)
        cr_assert(strcmp(duration_format(durations[i].ns, out, sizeof out), durations[i].text) == 0,
                  "%s, not %s", out, durations[i].text);
    cr_assert(strcmp(bytes_format(812, out, sizeof out), "812 B") == 0);
    cr_assert(strcmp(bytes_format(UINT64_C(3) << 29, out, sizeof out), "1.5 GiB") == 0);
    cr_assert(strcmp(bytes_format(UINT64_MAX, out, sizeof out), "16.0 EiB") == 0);
    cr_assert(strcmp(bytes_format((1 << 20) - 1, out, sizeof out), "1.0 MiB") == 0);
}

Test(units, times_are_read)
{
    static const struct {
        const char *text;
        int64_t ns;
        bool has_offset;
    } rows[] = {
        {"1970-01-01", 0, false},
        {"2024-01-31", INT64_C(1706659200) * NS_PER_S, false},
        {"2024-01-31T12:00", INT64_C(1706702400) * NS_PER_S, false},
        {"2024-01-31 12:00:01", INT64_C(1706702401) * NS_PER_S, false},
        {"2024-01-31 12:00:00.123456789", INT64_C(1706702400) * NS_PER_S + 123456789, false},
        {"2024-01-31T12:00:00.5Z", INT64_C(1706702400) * NS_PER_S + 500000000, true},
        {"2024-01-31T12:00Z", INT64_C(1706702400) * NS_PER_S, true},
        {"2024-01-31T13:30:00+01:30", INT64_C(1706702400) * NS_PER_S, true},
        {"2024-01-31 07:00:00-05:00", INT64_C(1706702400) * NS_PER_S, true},
        {"2024-01-31 07:00:00-0500", INT64_C(1706702400) * NS_PER_S, true},
        {"2000-02-29", INT64_C(951782400) * NS_PER_S, false},
        {"1969-12-31T23:59:59.999999999", -1, false},
        {"1677-09-21T00:12:43.145224192", INT64_MIN, false},
        {"2262-04-11T23:47:16.854775807", INT64_MAX, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ns = 77;
        bool has_offset = !rows[i].has_offset;
        cr_assert(time_parse_iso(rows[i].text, strlen(rows[i].text), &ns, &has_offset) == 0, "%s",
                  rows[i].text);
        cr_assert(ns == rows[i].ns && has_offset == rows[i].has_offset, "%s: %" PRId64,
                  rows[i].text, ns);
    }
}

Test(units, times_that_are_none_are_refused)
{
    static const char *const rows[] = {
        "",
        "2024",
        "2024-1-31",
        "2024-02-30",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "0000-01-01",
        "2024-01-31T",
        "2024-01-31T1",
        "2024-01-31T24:00",
        "2024-01-31T12:60",
        "2024-01-31T12:00:60",
        "2024-01-31T12:00:00.",
        "2024-01-31T12:00:00.1234567890",
        "2024-01-31T12:00:00+1",
        "2024-01-31T12:00:00+24:00",
        "2024-01-31T12:00:00Zx",
        "2024-01-31x12:00:00",
        "2024/01/31",
        " 2024-01-31",
        "2263-01-01",
        "1677-01-01",
        "2262-04-11T23:47:16.854775808",
        "1677-09-21T00:12:43.145224191",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ns = 77;
        bool has_offset = true;
        cr_assert(time_parse_iso(rows[i], strlen(rows[i]), &ns, &has_offset) == -EINVAL, "%s",
                  rows[i]);
        cr_assert(ns == 77 && has_offset, "%s touched the output", rows[i]);
    }
}

Test(units, times_are_written_so_that_they_read_back)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {INT64_C(1706702400123) * 1000000, "2024-01-31T12:00:00.123Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
    };
    char out[TIME_ISO_BYTES];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        cr_assert(strcmp(time_format_iso(rows[i].ns, out), rows[i].text) == 0, "%s", out);
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)next_random(), again = 0;
        bool has_offset;
        time_format_iso(ns, out);
        cr_assert(time_parse_iso(out, strlen(out), &again, &has_offset) == 0 && again == ns, "%s",
                  out);
    }
}

Test(units, times_are_found_in_order)
{
    const int64_t times[] = {INT64_MIN, -5, 0, 0, 7, INT64_MAX};
    for (uint32_t n = 0; n <= 6; n++)
        for (int64_t at = -6; at <= 8; at++) {
            uint32_t before = 0;
            while (before < n && times[before] < at)
                before++;
            cr_expect_eq(time_lower_bound(times, n, at), before, "%u times, %" PRId64, n, at);
        }
    cr_expect_eq(time_lower_bound(times, 6, INT64_MIN), 0);
    cr_expect_eq(time_lower_bound(times, 6, INT64_MAX), 5);
}

Test(units, every_day_has_one_date)
{
    int64_t year = 0;
    unsigned month = 0, day = 0;
    cr_assert(days_from_civil(1970, 1, 1) == 0 && days_from_civil(2000, 3, 1) == 11017);
    for (int64_t days = -800000; days < 800000; days++) {
        int64_t last_year = year;
        unsigned last_month = month, last_day = day;
        civil_from_days(days, &year, &month, &day);
        cr_assert(days_from_civil(year, month, day) == days);
        bool is_next = day == last_day + 1 || (day == 1 && month == last_month + 1) ||
                       (day == 1 && month == 1 && year == last_year + 1);
        cr_assert(days == -800000 || is_next, "%" PRId64, days);
    }
    cr_assert(time_day(-1) == -1 && time_day(0) == 0 && time_day(NS_PER_DAY) == 1);
}
