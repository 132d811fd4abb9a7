/* SPDX-License-Identifier: MIT */
/* For tests of the plan: components made by hand, configurations from text, bars of two symbols. */
#pragma once

#include <string.h>

#include <criterion/criterion.h>

#include "supervisor/config/describe.h"
#include "supervisor/plan/plan.h"

static struct describe_component components[] = {
    {.name = "momentum",
     .kind = "strategy",
     .protocols = {"SignalGenerator"},
     .protocols_n = 1,
     .params = {{.name = "lookback_period",
                 .default_value = 20,
                 .minimum = 1,
                 .maximum = 100000,
                 .is_whole = 1},
                {.name = "signal_threshold", .default_value = 0.01, .minimum = 0, .maximum = 1000}},
     .params_n = 2,
     .rules = {"roc(close, lookback_period) > 100 * signal_threshold",
               "roc(close, lookback_period) < 0"}},
    {.name = "mean_reversion",
     .kind = "strategy",
     .protocols = {"SignalGenerator"},
     .protocols_n = 1,
     .params = {{.name = "rsi_period",
                 .default_value = 14,
                 .minimum = 2,
                 .maximum = 100000,
                 .is_whole = 1}},
     .params_n = 1,
     .rules = {"rsi(close, rsi_period) < 30", "rsi(close, rsi_period) > 70"}},
    {.name = "sma_cross",
     .kind = "strategy",
     .protocols = {"SignalGenerator"},
     .protocols_n = 1,
     .params = {{.name = "fast_period",
                 .default_value = 10,
                 .minimum = 1,
                 .maximum = 100000,
                 .is_whole = 1},
                {.name = "slow_period",
                 .default_value = 30,
                 .minimum = 1,
                 .maximum = 100000,
                 .is_whole = 1}},
     .params_n = 2,
     .rules = {"crosses_above(sma(close, fast_period), sma(close, slow_period))",
               "crosses_below(sma(close, fast_period), sma(close, slow_period))"}},
    {.name = "rules", .kind = "strategy", .protocols = {"SignalGenerator"}, .protocols_n = 1},
};
static const struct describe describe = {.components_n = sizeof components / sizeof *components,
                                         .components = components};

static struct err err;

#define DATA "data: {symbols: [SPX]}\n"

static inline struct config *config_of(const char *yaml)
{
    struct config *config = NULL;
    err = (struct err){0};
    int rc = config_parse(yaml, strlen(yaml), "test", NULL, 0, &describe, &config, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return config;
}

static inline struct sharing *sharing_of_yaml(const char *yaml, struct config **ret_config)
{
    struct sharing *sharing = NULL;
    *ret_config = config_of(yaml);
    cr_assert_eq(sharing_make(*ret_config, &sharing, &err), 0, "%s", err.text);
    return sharing;
}

#define ROWS 4
static const int64_t times[ROWS] = {0, 1, 2, 3};
static const double prices[ROWS] = {1, 2, 3, 4};
static const char *const extra_names[] = {"forecast"};
static const double *const extra[] = {prices};
static const struct bars bars[2] = {
    {.symbol = "SPX",
     .rows_n = ROWS,
     .time_ns = times,
     .open = prices,
     .high = prices,
     .low = prices,
     .close = prices,
     .volume = prices,
     .extra_n = 1,
     .extra_names = extra_names,
     .extra = extra},
    {.symbol = "BTC",
     .rows_n = ROWS,
     .time_ns = times,
     .open = prices,
     .high = prices,
     .low = prices,
     .close = prices,
     .volume = prices},
};

static inline struct series_plan *series_of(const struct config *config, uint32_t symbols_n)
{
    struct series_plan *plan = NULL;
    int rc = series_plan_make(config, &describe, bars, symbols_n, 100000, &plan, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    return plan;
}

/* With conditions. */
static inline struct series_plan *whole_series_of(const struct config *config, uint32_t symbols_n)
{
    const struct series_plan_options options = {.config = config,
                                                .describe = &describe,
                                                .bars = bars,
                                                .symbols_n = symbols_n,
                                                .most = 100000,
                                                .wants_conditions = true};
    struct series_plan *plan = NULL;
    cr_assert_eq(series_plan_create(&options, &plan, &err), 0, "%s", err.text);
    return plan;
}
