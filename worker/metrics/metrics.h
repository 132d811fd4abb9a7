/* SPDX-License-Identifier: MIT */
/* Metrics from equity and trades, by profile. Pure functions: same input, same bytes. Sums over
 * bars and over days run in eight lanes by index, added in a fixed tree at the end, so that a SIMD
 * twin can add in the same order. Definitions: proto/metric.def. */
#pragma once

#include <stdint.h>

#include "proto/metric.h"
#include "proto/trade.h"

/* What the run did, as its recorder counted it. */
struct metrics_facts {
    uint64_t fills_n, orders_n;   /* orders: those of one symbol, bar and side count once */
    uint64_t vetoes_n, resizes_n; /* of risk */
    uint64_t dropped_n;           /* entries that met their price and filled nothing */
    uint64_t exposed_bars_n;      /* bars that close with a position */
    double exposure_gross_sum;    /* over bars, of sum |units * close| / equity */
    double exposure_net_sum;      /* over bars, of sum (units * close) / equity */
    double exposure_gross_max;
    double traded_value; /* of all fills: sum |units * price| */
    double commissions;  /* of all fills, as is the next */
    double slippage_cost;
    double borrow_cost, interest_cost, dividends;
    double open_pnl;      /* of positions open at the end, less their entry commission */
    double debt_forgiven; /* of a bankrupt account, >= 0 */
    int is_bankrupt;
};

/* All arrays cover the run's range alone: index 0 is its first bar. */
struct metrics_input {
    enum metric_profile profile;
    double periods_per_year; /* NaN: 252 (native, quantstats); by the times (the others) */
    double risk_free;        /* a year; NaN: 0 */
    double initial_capital;
    uint32_t bars_n;
    const int64_t *time_ns;  /* [bars_n] the clock */
    const double *equity;    /* [bars_n] marked at each close */
    const double *benchmark; /* [bars_n] close of the first symbol at each step; the last known one
                                where it has no bar; NaN before its first */
    uint32_t days_n;
    const uint32_t *day_end;        /* [days_n] last bar of each UTC day within the range */
    const double *benchmark_return; /* [days_n] of each day but the first, at [0] of the second day:
                                       what metrics_benchmark_returns() makes */
    uint32_t warm_up_bar; /* backtesting.py: the bar at which all series are first defined */
    uint32_t trades_n;    /* closed ones, by exit */
    uint32_t open_trades_n;
    const struct trade *trades; /* [trades_n + open_trades_n], the open ones last; entry_bar and
                                   exit_bar index the clock of this input here */
    struct metrics_facts facts;
};

/* The daily returns of the benchmark, for any number of inputs over the same bars; NaN where one of
 * the two closes is. Writes days_n - 1 of them. */
void metrics_benchmark_returns(const double *benchmark, const uint32_t *day_end, uint32_t days_n,
                               double *ret_returns);

#define METRICS_SCRATCH_COLUMNS 3

/* Writes every metric; undefined ones, and those not of the profile, are NaN. scratch holds
 * METRICS_SCRATCH_COLUMNS * bars_n doubles and is overwritten. */
void metrics_compute(const struct metrics_input *in, double *scratch,
                     double ret_metrics[static METRIC_N]);
