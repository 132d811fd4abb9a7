/* SPDX-License-Identifier: MIT */
/* Named strategies: rules that have a name, parameters with bounds, and a row each. */
#include "worker/builtin.h"
#include "worker/strategy/rules.h"

#define PERIOD_MAX 100000

#define NAMED(strategy, text, accepted)                                                            \
    {                                                                                              \
        .name = #strategy, .kind = "strategy", .what = text, .params = strategy##_params,          \
        .params_n = sizeof strategy##_params / sizeof strategy##_params[0],                        \
        .rules = &strategy##_rules, .optimizable = &(const struct optimizable){accepted},          \
        RULES_STRATEGY_FIELDS                                                                      \
    }

static const struct component_param sma_cross_params[] = {
    {"fast_period", "fast", 10, 1, PERIOD_MAX, 1, "bars of the fast average"},
    {"slow_period", "slow", 30, 1, PERIOD_MAX, 1, "bars of the slow average"},
};
static const struct strategy_rules sma_cross_rules = {
    .long_entry = "crosses_above(sma(close, fast_period), sma(close, slow_period))",
    .long_exit = "crosses_below(sma(close, fast_period), sma(close, slow_period))",
    .short_entry = "crosses_below(sma(close, fast_period), sma(close, slow_period))",
    .short_exit = "crosses_above(sma(close, fast_period), sma(close, slow_period))",
};

static const struct component_param momentum_params[] = {
    {"lookback_period", "lookback", 20, 1, PERIOD_MAX, 1, "bars that the change is taken over"},
    {"signal_threshold", "threshold", 0.01, 0, 1000, 0, "change that is a signal, as a fraction"},
};
static const struct strategy_rules momentum_rules = {
    .long_entry = "roc(close, lookback_period) > 100 * signal_threshold",
    .long_exit = "roc(close, lookback_period) < 0",
    .short_entry = "roc(close, lookback_period) < -100 * signal_threshold",
    .short_exit = "roc(close, lookback_period) > 0",
};

static const struct component_param mean_reversion_params[] = {
    {"rsi_period", "period", 14, 2, PERIOD_MAX, 1, "bars of the relative strength index"},
    {"oversold", NULL, 30, 0, 100, 0, "below it the price is thought too low"},
    {"overbought", NULL, 70, 0, 100, 0, "above it the price is thought too high"},
};
static const struct strategy_rules mean_reversion_rules = {
    .long_entry = "rsi(close, rsi_period) < oversold",
    .long_exit = "rsi(close, rsi_period) > overbought",
    .short_entry = "rsi(close, rsi_period) > overbought",
    .short_exit = "rsi(close, rsi_period) < oversold",
};

static const struct component_param bollinger_params[] = {
    {"period", NULL, 20, 2, PERIOD_MAX, 1, "bars of the middle band"},
    {"deviations", NULL, 2, 0.01, 100, 0, "width of the bands in standard deviations"},
};
static const struct strategy_rules bollinger_rules = {
    .long_entry = "close > bbands(close, period, deviations, deviations).upper",
    .long_exit = "close < bbands(close, period, deviations, deviations).middle",
    .short_entry = "close < bbands(close, period, deviations, deviations).lower",
    .short_exit = "close > bbands(close, period, deviations, deviations).middle",
};

static const struct component_param breakout_params[] = {
    {"entry_period", NULL, 20, 2, PERIOD_MAX, 1, "bars of the channel that is broken"},
    {"exit_period", NULL, 10, 2, PERIOD_MAX, 1, "bars of the opposite channel that ends it"},
};
static const struct strategy_rules breakout_rules = {
    .long_entry = "close > shift(max(high, entry_period), 1)",
    .long_exit = "close < shift(min(low, exit_period), 1)",
    .short_entry = "close < shift(min(low, entry_period), 1)",
    .short_exit = "close > shift(max(high, exit_period), 1)",
};

static const struct component_param channel_breakout_params[] = {
    {"entry_period", NULL, 20, 2, PERIOD_MAX, 1, "bars of the channel at whose edges orders wait"},
    {"exit_period", NULL, 10, 2, PERIOD_MAX, 1, "bars of the channel whose middle ends a position"},
};
static const struct strategy_rules channel_breakout_rules = {
    .long_entry = "2 * close > max(high, entry_period) + min(low, entry_period)",
    .long_exit = "2 * close < max(high, exit_period) + min(low, exit_period)",
    .short_entry = "2 * close < max(high, entry_period) + min(low, entry_period)",
    .short_exit = "2 * close > max(high, exit_period) + min(low, exit_period)",
    .long_stop = "max(high, entry_period)",
    .short_stop = "min(low, entry_period)",
};

static const struct component_param macd_cross_params[] = {
    {"fast_period", "fast", 12, 2, PERIOD_MAX, 1, "bars of the fast average"},
    {"slow_period", "slow", 26, 2, PERIOD_MAX, 1, "bars of the slow average"},
    {"signal_period", "signal", 9, 1, PERIOD_MAX, 1, "bars of the signal line"},
};
static const struct strategy_rules macd_cross_rules = {
    .long_entry = "crosses_above(macd(close, fast_period, slow_period, signal_period).macd, "
                  "macd(close, fast_period, slow_period, signal_period).signal)",
    .long_exit = "crosses_below(macd(close, fast_period, slow_period, signal_period).macd, "
                 "macd(close, fast_period, slow_period, signal_period).signal)",
    .short_entry = "crosses_below(macd(close, fast_period, slow_period, signal_period).macd, "
                   "macd(close, fast_period, slow_period, signal_period).signal)",
    .short_exit = "crosses_above(macd(close, fast_period, slow_period, signal_period).macd, "
                  "macd(close, fast_period, slow_period, signal_period).signal)",
};

static const struct strategy_rules buy_and_hold_rules = {.long_entry = "close > 0"};

const struct component_type named_strategies[NAMED_STRATEGIES_N] = {
    NAMED(sma_cross,
          "Trend following: long while the fast average of the close is above the slow one, "
          "short while it is below; acts when they cross.",
          "fast_period < slow_period"),
    NAMED(momentum,
          "Long when the close has risen by more than the threshold over the lookback, short "
          "when it has fallen by more; out when the change has turned.",
          NULL),
    NAMED(mean_reversion,
          "Buys when the relative strength index says oversold, sells when it says "
          "overbought.",
          "oversold < overbought"),
    NAMED(bollinger, "Rides a close outside of the Bollinger bands until it is back at the middle.",
          NULL),
    NAMED(breakout,
          "Long above the highest high of the bars before, short below the lowest low; out at "
          "the opposite side of a shorter channel.",
          NULL),
    NAMED(channel_breakout,
          "Lets a buy stop wait at the highest high of the channel while the close is in its upper "
          "half, a sell stop at the lowest low while it is in the lower one; out when the close "
          "crosses the middle of a shorter channel.",
          NULL),
    NAMED(macd_cross, "Long when the MACD line crosses above its signal line, short when below.",
          "fast_period < slow_period"),
    {
        .name = "buy_and_hold",
        .kind = "strategy",
        .what = "Buys at the first bar it may and holds to the end: what the others are measured "
                "against.",
        .rules = &buy_and_hold_rules,
        .optimizable = &(const struct optimizable){NULL},
        RULES_STRATEGY_FIELDS,
    },
};
