/* SPDX-License-Identifier: MIT */
/* For tests: a run as metrics see it. */
#pragma once

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "proto/units.h"
#include "worker/metrics/metrics.h"

#define BARS_MAX   16384
#define TRADES_MAX 1024

/* A run as metrics see it, with room of its own. */
struct run {
    struct metrics_input in;
    int64_t time_ns[BARS_MAX];
    double equity[BARS_MAX];
    double benchmark[BARS_MAX];
    uint32_t day_end[BARS_MAX];
    struct trade trades[TRADES_MAX];
    double benchmark_return[BARS_MAX];
    double scratch[METRICS_SCRATCH_COLUMNS * BARS_MAX];
    double metrics[METRIC_N];
};

static inline struct run *run_create(enum metric_profile profile)
{
    struct run *run = calloc(1, sizeof *run);

    cr_assert_not_null(run);
    run->in = (struct metrics_input){
        .profile = profile,
        .periods_per_year = NAN,
        .risk_free = 0,
        .initial_capital = 10000,
        .time_ns = run->time_ns,
        .equity = run->equity,
        .benchmark = run->benchmark,
        .day_end = run->day_end,
        .benchmark_return = run->benchmark_return,
        .trades = run->trades,
    };
    return run;
}

static inline void run_add_bar(struct run *run, int64_t time_ns, double equity, double benchmark)
{
    uint32_t bar = run->in.bars_n++;

    cr_assert_lt(bar, BARS_MAX);
    run->time_ns[bar] = time_ns;
    run->equity[bar] = equity;
    run->benchmark[bar] = benchmark;
    if (bar == 0 || time_day(time_ns) != time_day(run->time_ns[bar - 1]))
        run->in.days_n++;
    run->day_end[run->in.days_n - 1] = bar;
}

static inline void run_add_trade(struct run *run, struct trade trade)
{
    cr_assert_lt(run->in.trades_n, TRADES_MAX);
    run->trades[run->in.trades_n++] = trade;
}

static inline const double *run_compute(struct run *run)
{
    metrics_benchmark_returns(run->benchmark, run->day_end, run->in.days_n, run->benchmark_return);
    metrics_compute(&run->in, run->scratch, run->metrics);
    for (int i = 0; i < METRIC_N; i++)
        cr_expect(!isinf(run->metrics[i]), "metric %d is infinite", i);
    return run->metrics;
}

/* One bar a day from 2024-01-01, a Monday. */
static inline struct run *run_of_days(enum metric_profile profile, const double *equity, uint32_t n)
{
    struct run *run = run_create(profile);

    for (uint32_t i = 0; i < n; i++)
        run_add_bar(run, (19723 + (int64_t)i) * NS_PER_DAY, equity[i], 100 + i % 3);
    return run;
}

static inline bool is_near(double got, double expected, double tolerance)
{
    if (isnan(got) || isnan(expected))
        return isnan(got) && isnan(expected);
    return fabs(got - expected) <= tolerance * fabs(expected);
}

static inline double walk_step(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) / (double)(UINT64_C(1) << 53) - 0.5) * 0.02;
}

static inline struct trade trade_of(uint32_t entry_bar, uint32_t exit_bar, double pnl)
{
    return (struct trade){
        .entry_bar = entry_bar,
        .exit_bar = exit_bar,
        .qty = -10,
        .entry_px = 100,
        .pnl = pnl,
        .commission = 2,
    };
}

static inline void expect_nan(const struct run *run, const enum metric *metrics, size_t n,
                              const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_expect(isnan(run->metrics[metrics[i]]), "%s: metric %d is %g", what, metrics[i],
                  run->metrics[metrics[i]]);
}
