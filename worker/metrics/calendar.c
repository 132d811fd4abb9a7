/* SPDX-License-Identifier: MIT */
/* Returns of months and of years. Days are in order, so that the end of a month is found by halving
 * the days that may be in it, and the calendar is asked once a month. */
#include <math.h>

#include "proto/units.h"
#include "shm/exact.h"
#include "worker/metrics/stats.h"

#define MONTH_DAYS_MAX 31

static void add_period(struct period_stats *stats, double return_frac)
{
    stats->n++;
    stats->gains_n += return_frac > 0;
    stats->losses_n += return_frac < 0;
    stats->best = fmax(stats->best, return_frac);
    stats->worst = fmin(stats->worst, return_frac);
}

static int64_t day_time_ns(const struct metrics_input *in, uint32_t day)
{
    return in->time_ns[in->day_end[day]];
}

/* When a month begins; the end of time where that is beyond it. */
static int64_t month_start_ns(int64_t year, unsigned month)
{
    int64_t day = days_from_civil(year, month, 1);

    return day < INT64_MAX / NS_PER_DAY ? day * NS_PER_DAY : INT64_MAX;
}

/* The last of the days `from` to `last` that ends before a time, which is at most MONTH_DAYS_MAX
 * days after `from`. */
static uint32_t last_before(const struct metrics_input *in, uint32_t from, uint32_t last,
                            int64_t time_ns)
{
    uint32_t low = from, high = last - from < MONTH_DAYS_MAX ? last : from + MONTH_DAYS_MAX;

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;

        if (day_time_ns(in, middle) < time_ns)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

struct calendar_stats calendar_stats(const struct metrics_input *in, const double *equity,
                                     double equity_before, uint32_t first, uint32_t last)
{
    struct calendar_stats stats = {{.best = NAN, .worst = NAN}, {.best = NAN, .worst = NAN}};
    double month_equity = equity_before, year_equity = equity_before;

    for (uint32_t day = first; day <= last;) {
        int64_t year;
        unsigned month, day_of_month;
        uint32_t end;
        bool is_year_end;

        civil_from_days(time_day(day_time_ns(in, day)), &year, &month, &day_of_month);
        end = last_before(in, day, last, month_start_ns(year + month / 12, month % 12 + 1));
        add_period(&stats.months, equity[end] / month_equity - 1);
        month_equity = equity[end];
        day = end + 1;
        is_year_end = day > last || day_time_ns(in, day) >= month_start_ns(year + 1, 1);
        if (is_year_end)
            add_period(&stats.years, equity[end] / year_equity - 1);
        year_equity = is_year_end ? equity[end] : year_equity;
    }
    return stats;
}

void metrics_calendar(const struct calendar_stats *calendar, double growth, uint32_t days_n,
                      double *metrics)
{
    const struct period_stats *months = &calendar->months, *years = &calendar->years;

    metrics[METRIC_BEST_MONTH_PCT] = months->best * 100;
    metrics[METRIC_WORST_MONTH_PCT] = months->worst * 100;
    metrics[METRIC_WIN_MONTHS_PCT] =
        ratio(months->gains_n, (double)months->gains_n + months->losses_n) * 100;
    metrics[METRIC_BEST_YEAR_PCT] = years->best * 100;
    metrics[METRIC_WORST_YEAR_PCT] = years->worst * 100;
    metrics[METRIC_EXPECTED_DAY_PCT] = (exact_pow(growth, 1.0 / days_n) - 1) * 100;
    metrics[METRIC_EXPECTED_MONTH_PCT] = (exact_pow(growth, 1.0 / months->n) - 1) * 100;
    metrics[METRIC_EXPECTED_YEAR_PCT] = (exact_pow(growth, 1.0 / years->n) - 1) * 100;
}
