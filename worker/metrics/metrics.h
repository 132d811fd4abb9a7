/* SPDX-License-Identifier: MIT */
/* Metrics from equity and trades, by profile. Pure functions: same input, same bytes. Sums over
 * bars and over days run in eight lanes by index, added in a fixed tree at the end, so that a SIMD
 * twin can add in the same order. Definitions: proto/metric.def. */
#pragma once

#include <stdint.h>

#include "proto/metric.h"
#include "proto/trade.h"

/* All arrays cover the run's range alone: index 0 is its first bar. */
struct metrics_input {
    enum metric_profile profile;
    double periods_per_year; /* NaN: 252 (native); guessed from the times (backtesting.py) */
    double risk_free;        /* a year */
    double initial_capital;
    uint32_t bars_n;
    const int64_t *time_ns;  /* [bars_n] the clock */
    const double *equity;    /* [bars_n] marked at each close */
    const double *benchmark; /* [bars_n] close of the first symbol at each step; the last known one
                                where it has no bar; NaN before its first */
    uint32_t days_n;
    const uint32_t *day_end;    /* [days_n] last bar of each UTC day within the range */
    uint32_t warm_up_bar;       /* backtesting.py: the bar at which all series are first defined */
    uint32_t trades_n;          /* closed ones */
    const struct trade *trades; /* entry_bar and exit_bar index the clock of this input here */
    uint32_t open_trades_n;
    uint64_t exposed_bars_n; /* bars that close with a position */
    double commissions;      /* of all fills */
    double slippage_cost;    /* of all fills */
    int is_bankrupt;
};

/* Writes every metric; undefined ones, and those not of the profile, are NaN. scratch holds
 * 2 * bars_n doubles and is overwritten. */
void metrics_compute(const struct metrics_input *in, double *scratch,
                     double ret_metrics[static METRIC_N]);
