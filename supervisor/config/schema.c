/* SPDX-License-Identifier: MIT */
/* The table of keys, and the walk that reads a file by it. */
#include "supervisor/config/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"

/* ---- values of choices ---------------------------------------------------------------------- */

const struct choice choices_type[] = {{"backtest", RUN_BACKTEST, false},
                                      {"optimization", RUN_OPTIMIZATION, false},
                                      {"out_of_sample", RUN_OUT_OF_SAMPLE, false},
                                      {"walk_forward", CHOICE_ABSENT, false},
                                      {"ab_test", CHOICE_ABSENT, false},
                                      {"live", CHOICE_ABSENT, false},
                                      {0}};
const struct choice choices_conventions[] = {{"native", 0, false},
                                             {"backtesting.py", 1, false},
                                             {"vectorbt", CHOICE_ABSENT, false},
                                             {"backtrader", CHOICE_ABSENT, false},
                                             {0}};
const struct choice choices_base[] = {{"fill_price", EXIT_BASE_FILL_PRICE, false},
                                      {"signal_close", EXIT_BASE_SIGNAL_CLOSE, false},
                                      {0}};
const struct choice choices_live_from[] = {
    {"fill_bar", LIVE_FROM_FILL_BAR, false}, {"next_bar", LIVE_FROM_NEXT_BAR, false}, {0}};
const struct choice choices_objective_direction[] = {{"maximize", 1, false},
                                                     {"minimize", -1, false},
                                                     {"maximise", 1, true},
                                                     {"minimise", -1, true},
                                                     {"max", 1, true},
                                                     {"min", -1, true},
                                                     {0}};
const struct choice choices_fill[] = {
    {"next_open", FILL_NEXT_OPEN, false}, {"this_close", CHOICE_ABSENT, false}, {0}};
const struct choice choices_same_bar[] = {{"pessimistic", SAME_BAR_PESSIMISTIC, false},
                                          {"optimistic", SAME_BAR_OPTIMISTIC, false},
                                          {"nearest_open", SAME_BAR_NEAREST_OPEN, false},
                                          {0}};
const struct choice choices_at_end[] = {{"mark", AT_END_MARK, false},
                                        {"close_at_close", AT_END_CLOSE_AT_CLOSE, false},
                                        {"close_at_open", AT_END_CLOSE_AT_OPEN, false},
                                        {0}};
const struct choice choices_opposite_signal[] = {{"reverse", OPPOSITE_REVERSE, false},
                                                 {"close", OPPOSITE_CLOSE, false},
                                                 {"ignore", OPPOSITE_IGNORE, false},
                                                 {0}};
const struct choice choices_same_signal[] = {
    {"ignore", SAME_SIGNAL_IGNORE, false}, {"reenter", SAME_SIGNAL_REENTER, false}, {0}};
const struct choice choices_first_signal[] = {{"first_bar", FIRST_SIGNAL_FIRST_BAR, false},
                                              {"after_warm_up", FIRST_SIGNAL_AFTER_WARM_UP, false},
                                              {0}};
const struct choice choices_direction[] = {{"both", DIRECTION_BOTH, false},
                                           {"long", DIRECTION_LONG, false},
                                           {"short", DIRECTION_SHORT, false},
                                           {0}};
const struct choice choices_profile[] = {{"native", PROFILE_NATIVE, false},
                                         {"backtesting.py", PROFILE_BACKTESTING_PY, false},
                                         {"vectorbt", CHOICE_ABSENT, false},
                                         {"quantstats", CHOICE_ABSENT, false},
                                         {0}};
const struct choice choices_mode[] = {
    {"free", RUN_FREE, false}, {"lockstep", RUN_LOCKSTEP, false}, {0}};
const struct choice choices_driver[] = {
    {"reference", 0, false}, {"fast", CHOICE_ABSENT, false}, {0}};
const struct choice choices_dtype[] = {{"f64", 0, false}, {"f32", CHOICE_ABSENT, false}, {0}};
const struct choice choices_method[] = {{"grid", 0, false}, {"random", CHOICE_ABSENT, false}, {0}};

/* ---- the table ------------------------------------------------------------------------------ */

#define CONFIG(member)                                                                             \
    .place = PLACE_CONFIG, .offset = offsetof(struct config, member),                              \
    .width = sizeof(((struct config *)0)->member)
#define TOP(member)                                                                                \
    .place = PLACE_TOP, .offset = offsetof(struct config_top, member),                             \
    .width = sizeof(((struct config_top *)0)->member)
#define ABSENT(key, text)                                                                          \
    {                                                                                              \
        .path = key, .kind = SCHEMA_ABSENT, .doc = text, .example = "1"                            \
    }
#define ABSENT_OR_ZERO(key, text)                                                                  \
    {                                                                                              \
        .path = key, .kind = SCHEMA_ABSENT, .rule = {.word = "0"}, .dflt = "0", .doc = text,       \
        .example = "1"                                                                             \
    }

const struct schema_row schema_table[] = {
    {.path = "type",
     .kind = SCHEMA_CHOICE,
     CONFIG(type),
     .choices = choices_type,
     .dflt = "backtest",
     .example = "optimization",
     .doc = "What the run is for; it names the containers (`test_…`, `opt_…`)."},
    {.path = "conventions",
     .write = write_conventions,
     .kind = SCHEMA_OWN,
     .read = read_conventions,
     .choices = choices_conventions,
     .dflt = "native",
     .example = "backtesting.py",
     .doc = "Sets every key marked * as that engine does; single keys can then be overridden."},

    {.path = "data", .kind = SCHEMA_MAP, .dflt = "", .doc = "Which bars."},
    {.path = "data.symbols",
     .write = write_symbols,
     .kind = SCHEMA_OWN,
     .read = read_symbols,
     .values = "list of names",
     .dflt = "",
     .example = "[SPX, NDX]",
     .doc = "Symbols of the store, or of `data.csv`; one account trades them all. May be left out "
            "where `data.csv` names them."},
    {.path = "data.csv",
     .is_outside = true,
     .write = write_csv,
     .kind = SCHEMA_OWN,
     .read = read_csv,
     .values = "map of symbol to file",
     .example = "{SPX: other.csv}",
     .doc = "Files that are imported on the fly. Relative paths start at the configuration's "
            "folder. The content counts for a run's identity, the path does not."},
    {.path = "data.from",
     .write = write_bound,
     .kind = SCHEMA_OWN,
     .read = read_bound,
     CONFIG(from),
     .values = "date, time, bar number, or `none`",
     .dflt = "none",
     .example = "2020-01-01",
     .doc = "First bar of the range. A whole number is a bar, counted from 0; times are UTC "
            "unless they carry an offset."},
    {.path = "data.to",
     .write = write_bound,
     .kind = SCHEMA_OWN,
     .read = read_bound,
     CONFIG(to),
     .values = "date, time, bar number, or `none`",
     .dflt = "none",
     .example = "500",
     .doc = "End of the range, itself not in it."},
    {.path = "data.each_symbol",
     .kind = SCHEMA_BOOL,
     CONFIG(each_symbol),
     .dflt = "false",
     .example = "true",
     .doc = "`true`: the symbol is a swept value, one account each."},
    {.path = "data.warm_up",
     .kind = SCHEMA_WHOLE,
     CONFIG(warm_up),
     .rule = {.minimum = 0, .maximum = 1e9},
     .dflt = "0",
     .example = "100",
     .unit = "bars",
     .doc = "Bars before `from` that feed the series but not the strategy."},

    {.path = "strategies",
     .write = write_strategies,
     .kind = SCHEMA_LATER,
     .values = "list of maps",
     .dflt = "",
     .doc = "What is run, one after another; at least one."},
    {.path = "strategies[].type",
     .kind = SCHEMA_LATER,
     .dflt = "",
     .example = "mean_reversion",
     .values = "a strategy of `admf catalog strategies`, or `rules`",
     .doc = "What trades. `plugin` is not available in this version."},
    {.path = "strategies[].name",
     .kind = SCHEMA_LATER,
     .values = "text",
     .dflt = "the type, numbered from the second on",
     .example = "mine",
     .doc = "Its name in reports; each has one of its own."},
    {.path = "strategies[].parameters",
     .kind = SCHEMA_LATER,
     .values = "map of name to number, list, or `{from, to, step}`",
     .dflt = "the catalogue's defaults",
     .example = "{fast: 7}",
     .doc =
         "Fixed or swept values. For `rules`, the names that the rules or `where` use; a name that "
         "neither uses is an error."},
    {.path = "strategies[].where",
     .kind = SCHEMA_LATER,
     .values = "condition on parameters",
     .dflt = "''",
     .example = "fast < slow",
     .doc = "Combinations for which it is false keep their number and never run."},
    {.path = "strategies[].risk_config",
     .kind = SCHEMA_LATER,
     .values = "map: keys of `risk`",
     .example = "{max_position_size: 7}",
     .doc = "Overrides `risk` for this strategy, key by key."},
    {.path = "strategies[].execution_config",
     .kind = SCHEMA_LATER,
     .values = "map: keys of `execution`",
     .example = "{slippage: 0.01}",
     .doc = "Overrides `execution` for this strategy, key by key."},
    {.path = "strategies[].long_entry",
     .kind = SCHEMA_LATER,
     .values = "condition",
     .example = "close > open",
     .doc = "For `rules`: when to buy."},
    {.path = "strategies[].long_exit",
     .kind = SCHEMA_LATER,
     .values = "condition",
     .example = "close > open",
     .doc = "For `rules`: when to leave a long position."},
    {.path = "strategies[].short_entry",
     .kind = SCHEMA_LATER,
     .values = "condition",
     .example = "close > open",
     .doc = "For `rules`: when to sell short. At least one of the two entries is required."},
    {.path = "strategies[].short_exit",
     .kind = SCHEMA_LATER,
     .values = "condition",
     .example = "close > open",
     .doc = "For `rules`: when to leave a short position."},
    ABSENT("strategies[].library", "A plugin's shared object."),

    {.path = "exits", .kind = SCHEMA_MAP, .doc = "Exits that every strategy has."},
    {.path = "exits.stop_loss",
     .write = write_exit,
     .kind = SCHEMA_OWN,
     .read = read_exit,
     TOP(combo.exits.stop_loss),
     .rule = {.minimum = 0,
              .maximum = 1,
              .is_above = true,
              .is_below = true,
              .word = "none",
              .word_value = NAN},
     .dflt = "none",
     .example = "0.05",
     .sweep = "stop_loss",
     .unit = "fraction",
     .doc = "How far against the position the stop stands. May be swept in place."},
    {.path = "exits.take_profit",
     .write = write_exit,
     .kind = SCHEMA_OWN,
     .read = read_exit,
     TOP(combo.exits.take_profit),
     .rule = {.minimum = 0, .maximum = 1000, .is_above = true, .word = "none", .word_value = NAN},
     .dflt = "none",
     .example = "0.1",
     .sweep = "take_profit",
     .unit = "fraction",
     .doc = "How far in favour the target stands. May be swept in place."},
    {.path = "exits.base",
     .kind = SCHEMA_CHOICE,
     TOP(combo.exits.base),
     .choices = choices_base,
     .dflt = "fill_price",
     .example = "signal_close",
     .is_convention = true,
     .doc = "The price from which stop and target are measured."},
    {.path = "exits.live_from",
     .kind = SCHEMA_CHOICE,
     TOP(combo.exits.live_from),
     .choices = choices_live_from,
     .dflt = "fill_bar",
     .example = "next_bar",
     .is_convention = true,
     .doc = "The first bar that stop and target meet."},
    ABSENT("exits.trailing_stop", "A stop that follows the price."),
    ABSENT("exits.max_bars", "The longest time in a position."),

    {.path = "optimization", .kind = SCHEMA_MAP, .doc = "How combinations are chosen and ranked."},
    {.path = "optimization.method",
     .kind = SCHEMA_CHOICE,
     .choices = choices_method,
     .dflt = "grid",
     .doc = "`grid`: all combinations."},
    ABSENT("optimization.samples", "For methods other than `grid`."),
    ABSENT("optimization.seed", "For methods other than `grid`."),
    {.path = "optimization.objective",
     .write = write_objective,
     .kind = SCHEMA_OWN,
     .read = read_objective,
     CONFIG(objective),
     .values = "a metric of `admf catalog metrics`",
     .dflt = "sharpe",
     .example = "trades",
     .doc = "By which the leaderboard ranks."},
    {.path = "optimization.direction",
     .kind = SCHEMA_CHOICE,
     CONFIG(direction),
     .choices = choices_objective_direction,
     .dflt = "the objective's sense: `maximize` where more is better",
     .example = "minimize",
     .doc = "`maximise`, `max`, `minimise` and `min` are understood too."},
    {.path = "optimization.min_trades",
     .kind = SCHEMA_WHOLE,
     CONFIG(min_trades),
     .rule = {.minimum = 0, .maximum = 1e9},
     .dflt = "0",
     .example = "10",
     .unit = "trades",
     .doc = "Combinations with fewer closed trades are not ranked."},
    {.path = "optimization.parameter_grids",
     .write = write_grids,
     .kind = SCHEMA_LATER,
     .values = "map of name to list or `{from, to, step}`",
     .example = "{leverage: [1, 2]}",
     .doc = "Values swept for all strategies, by the names below or a strategy's parameter."},

    {.path = "execution", .kind = SCHEMA_MAP, .doc = "How orders become fills."},
    {.path = "execution.fill",
     .kind = SCHEMA_CHOICE,
     TOP(combo.execution.fill),
     .choices = choices_fill,
     .dflt = "next_open",
     .is_convention = true,
     .doc = "A signal on the close of a bar fills at the open of the next."},
    ABSENT_OR_ZERO("execution.delay", "Further bars between signal and fill."),
    {.path = "execution.commission",
     .write = write_number,
     .kind = SCHEMA_OWN,
     .read = read_cost,
     TOP(combo.execution.commission_frac),
     .rule = {.minimum = 0, .maximum = 0.5},
     .dflt = "0",
     .values = "0 to 0.5, or a map with `percent`",
     .example = "0.001",
     .sweep = "commission",
     .unit = "fraction",
     .doc = "Of the value of each fill: 0.001 is 0.1 %."},
    {.path = "execution.commission.percent",
     .kind = SCHEMA_NUMBER,
     TOP(combo.execution.commission_frac),
     .rule = {.minimum = 0, .maximum = 0.5},
     .dflt = "0",
     .example = "0.002",
     .unit = "fraction",
     .doc = "The same, as a map."},
    ABSENT_OR_ZERO("execution.commission.fixed", "Money for each fill."),
    ABSENT_OR_ZERO("execution.commission.per_share", "Money for each unit."),
    ABSENT_OR_ZERO("execution.commission.minimum", "Least commission of a fill."),
    ABSENT_OR_ZERO("execution.commission.maximum", "Most commission of a fill."),
    {.path = "execution.slippage",
     .write = write_number,
     .kind = SCHEMA_OWN,
     .read = read_cost,
     TOP(combo.execution.slippage_frac),
     .rule = {.minimum = 0, .maximum = 0.5},
     .dflt = "0",
     .values = "0 to 0.5, or a map with `percent`",
     .example = "0.0005",
     .sweep = "slippage",
     .unit = "fraction",
     .doc = "Of the price, against you."},
    {.path = "execution.slippage.percent",
     .kind = SCHEMA_NUMBER,
     TOP(combo.execution.slippage_frac),
     .rule = {.minimum = 0, .maximum = 0.5},
     .dflt = "0",
     .example = "0.002",
     .unit = "fraction",
     .doc = "The same, as a map."},
    ABSENT_OR_ZERO("execution.slippage.ticks", "Ticks against you."),
    ABSENT_OR_ZERO("execution.slippage.tick", "Size of a tick."),
    ABSENT_OR_ZERO("execution.slippage.volume_share", "Slippage that grows with the order."),
    ABSENT_OR_ZERO("execution.spread", "Difference between bid and ask."),
    ABSENT("execution.spread_paid", "When the spread is paid."),
    {.path = "execution.same_bar",
     .kind = SCHEMA_CHOICE,
     TOP(combo.execution.same_bar),
     .choices = choices_same_bar,
     .dflt = "pessimistic",
     .example = "optimistic",
     .is_convention = true,
     .doc = "Which comes first where one bar reaches both stop and target."},
    {.path = "execution.at_end",
     .kind = SCHEMA_CHOICE,
     TOP(combo.execution.at_end),
     .choices = choices_at_end,
     .dflt = "mark",
     .example = "close_at_close",
     .is_convention = true,
     .doc = "What becomes of a position that is open after the last bar."},
    {.path = "execution.opposite_signal",
     .kind = SCHEMA_CHOICE,
     TOP(combo.risk.opposite_signal),
     .choices = choices_opposite_signal,
     .dflt = "reverse",
     .example = "close",
     .is_convention = true,
     .doc = "What an entry against the position does."},
    {.path = "execution.same_signal",
     .kind = SCHEMA_CHOICE,
     TOP(combo.risk.same_signal),
     .choices = choices_same_signal,
     .dflt = "ignore",
     .example = "reenter",
     .is_convention = true,
     .doc =
         "What an entry in the position's own direction does: nothing, or close and enter anew."},
    {.path = "execution.first_signal",
     .kind = SCHEMA_CHOICE,
     TOP(first_signal),
     .choices = choices_first_signal,
     .dflt = "first_bar",
     .example = "after_warm_up",
     .is_convention = true,
     .doc = "The first bar on which a strategy may act: any, or one bar after all of its series "
            "are defined."},

    {.path = "portfolio", .kind = SCHEMA_MAP, .doc = "The account of one combination."},
    {.path = "portfolio.initial_capital",
     .kind = SCHEMA_NUMBER,
     TOP(combo.portfolio.initial_capital),
     .rule = {.minimum = 0, .maximum = 1e15, .is_above = true},
     .dflt = "100000",
     .example = "5000",
     .sweep = "initial_capital",
     .unit = "money",
     .is_convention = true,
     .doc = "What it starts with."},
    {.path = "portfolio.leverage",
     .kind = SCHEMA_NUMBER,
     TOP(combo.portfolio.leverage),
     .rule = {.minimum = 1, .maximum = 1000},
     .dflt = "1",
     .example = "2",
     .sweep = "leverage",
     .unit = "times equity",
     .doc = "How much may be held for each unit of equity."},
    {.path = "portfolio.lot",
     .kind = SCHEMA_NUMBER,
     TOP(combo.portfolio.lot),
     .rule = {.minimum = 0, .maximum = 1e9},
     .dflt = "1",
     .example = "0.01",
     .sweep = "lot",
     .unit = "units",
     .is_convention = true,
     .doc = "Sizes are multiples of it: 1 for whole units, 0 for any fraction."},
    {.path = "portfolio.direction",
     .kind = SCHEMA_CHOICE,
     TOP(combo.portfolio.direction),
     .choices = choices_direction,
     .dflt = "both",
     .example = "long",
     .doc = "Which entries are taken."},
    {.path = "portfolio.sizing",
     .write = write_sizing,
     .kind = SCHEMA_OWN,
     .read = read_sizing,
     .values = "map with exactly one key",
     .dflt = "{percent_of_equity: 1}",
     .is_convention = true,
     .example = "{units: 3}",
     .doc = "How large an entry is."},
    {.path = "portfolio.sizing.percent_of_equity",
     .kind = SCHEMA_NUMBER,
     TOP(combo.portfolio.sizing_value),
     .rule = {.minimum = 0, .maximum = 1000, .is_above = true},
     .example = "0.5",
     .sweep = "percent_of_equity",
     .unit = "fraction",
     .doc = "Of equity at the fill: 1.0 is all of it."},
    {.path = "portfolio.sizing.percent_of_cash",
     .kind = SCHEMA_NUMBER,
     TOP(combo.portfolio.sizing_value),
     .rule = {.minimum = 0, .maximum = 1, .is_above = true},
     .example = "0.5",
     .sweep = "percent_of_cash",
     .unit = "fraction",
     .doc = "Of the cash that is left."},
    {.path = "portfolio.sizing.units",
     .kind = SCHEMA_NUMBER,
     TOP(combo.portfolio.sizing_value),
     .rule = {.minimum = 0, .maximum = 1e15, .is_above = true},
     .example = "10",
     .sweep = "units",
     .unit = "units",
     .doc = "A fixed number."},
    ABSENT("portfolio.sizing.cash", "A fixed amount of money."),
    ABSENT("portfolio.sizing.risk_frac", "By the distance of the stop."),
    ABSENT("portfolio.sizing.target_volatility", "By volatility."),

    {.path = "risk", .kind = SCHEMA_MAP, .doc = "What sizes or vetoes a signal."},
    {.path = "risk.max_position_size",
     .kind = SCHEMA_NUMBER,
     TOP(combo.risk.max_position_size),
     .rule =
         {.minimum = 0, .maximum = 1e15, .is_above = true, .word = "none", .word_value = INFINITY},
     .dflt = "none",
     .example = "1000",
     .sweep = "max_position_size",
     .unit = "units",
     .doc = "Entries are cut to it."},
    {.path = "risk.commission",
     .kind = SCHEMA_NUMBER,
     TOP(combo.risk.commission_frac),
     .rule = {.minimum = 0, .maximum = 0.5, .word = "auto", .word_value = NAN},
     .dflt = "auto",
     .example = "0.003",
     .unit = "fraction",
     .doc = "Set aside when an entry is sized; `auto`: what execution charges."},
    ABSENT("risk.max_exposure", "Most of equity that is exposed."),
    ABSENT("risk.max_leverage", "Most leverage in use."),
    ABSENT("risk.max_drawdown", "Stop trading at this drawdown."),
    ABSENT("risk.max_daily_loss", "Stop trading for the day at this loss."),
    ABSENT("risk.cooldown_bars", "Bars without entries after a loss."),

    {.path = "metrics", .kind = SCHEMA_MAP, .doc = "How results are measured."},
    {.path = "metrics.profile",
     .kind = SCHEMA_CHOICE,
     CONFIG(profile),
     .choices = choices_profile,
     .dflt = "native",
     .example = "backtesting.py",
     .is_convention = true,
     .doc = "Whose formulas; `admf catalog metrics` shows both."},
    {.path = "metrics.periods_per_year",
     .kind = SCHEMA_NUMBER,
     CONFIG(periods_per_year),
     .rule = {.minimum = 0, .maximum = 1e8, .is_above = true, .word = "auto", .word_value = NAN},
     .dflt = "auto",
     .example = "365",
     .unit = "periods",
     .doc = "`auto`: 252 in the native profile, guessed from the bars in backtesting.py's."},
    {.path = "metrics.risk_free",
     .kind = SCHEMA_NUMBER,
     CONFIG(risk_free),
     .rule = {.minimum = -1, .maximum = 1},
     .dflt = "0",
     .example = "0.02",
     .unit = "fraction a year",
     .doc = "The risk-free rate."},

    {.path = "run", .kind = SCHEMA_MAP, .doc = "How the run is carried out."},
    {.path = "run.mode",
     .is_outside = true,
     .kind = SCHEMA_CHOICE,
     CONFIG(mode),
     .choices = choices_mode,
     .dflt = "free",
     .example = "lockstep",
     .doc = "`free`: batches of combinations, each for itself. `lockstep`: all containers step "
            "bar by bar, with shared risk and execution. Both give the same bytes."},
    {.path = "run.workers",
     .is_outside = true,
     .kind = SCHEMA_WHOLE,
     CONFIG(workers),
     .rule = {.minimum = 1, .maximum = 256, .word = "auto", .word_value = 0},
     .dflt = "auto",
     .example = "3",
     .unit = "processes",
     .doc = "`auto`: one for each processor."},
    {.path = "run.driver",
     .is_outside = true,
     .kind = SCHEMA_CHOICE,
     .choices = choices_driver,
     .dflt = "reference",
     .doc = "`reference`: every bar is walked."},
    {.path = "run.series_dtype",
     .kind = SCHEMA_CHOICE,
     .choices = choices_dtype,
     .dflt = "f64",
     .doc = "Precision of series."},
    ABSENT("run.plane_budget", "Memory for series."),
    {.path = "run.seed",
     .write = write_seed,
     .kind = SCHEMA_OWN,
     .read = read_seed,
     CONFIG(seed),
     .values = "whole number, 0 to 18446744073709551615",
     .dflt = "1",
     .example = "7",
     .doc = "Start of the random streams; part of a run's identity."},
    {.path = "run.barrier_timeout",
     .is_outside = true,
     .kind = SCHEMA_DURATION,
     CONFIG(barrier_timeout_ns),
     .rule = {.minimum = 1e6, .maximum = 86400e9},
     .values = "duration, 1ms to 1d",
     .dflt = "30s",
     .example = "5s",
     .doc = "How long a lockstep run waits for its slowest worker."},

    {.path = "limits", .kind = SCHEMA_MAP, .doc = "What one worker may use."},
    {.path = "limits.memory",
     .is_outside = true,
     .kind = SCHEMA_BYTES,
     CONFIG(memory_limit_bytes),
     .rule = {.minimum = 1 << 20, .maximum = 0x1p60, .word = "none", .word_value = 0},
     .values = "size from 1MiB on, or `none`",
     .dflt = "none",
     .example = "256MiB",
     .doc =
         "Private memory of a worker beyond the 128MiB that it takes to run at all. More than this "
         "ends the combination as `out_of_memory`."},
    {.path = "limits.time_per_combination",
     .is_outside = true,
     .kind = SCHEMA_DURATION,
     CONFIG(time_per_combination_ns),
     .rule = {.minimum = 1e6, .maximum = 30 * 86400e9, .word = "none", .word_value = 0},
     .values = "duration, 1ms to 30d, or `none`",
     .dflt = "none",
     .example = "10s",
     .doc = "Time that passes, not time on a processor. More than this ends the combination as "
            "`timeout`. In lockstep, where combinations walk together, `run.barrier_timeout` "
            "bounds each step instead."},
    {.path = "limits.retries",
     .is_outside = true,
     .kind = SCHEMA_WHOLE,
     CONFIG(retries),
     .rule = {.minimum = 0, .maximum = 100},
     .dflt = "1",
     .example = "2",
     .unit = "times",
     .doc = "How often a combination that took its worker down is tried again."},
    ABSENT("limits.sandbox", "What system calls a worker may use."),
};
const size_t schema_table_n = sizeof(schema_table) / sizeof(schema_table[0]);

/* ---- rows by name --------------------------------------------------------------------------- */

const struct schema_row *schema_find(const char *prefix, const char *key)
{
    size_t prefix_n = strlen(prefix);
    for (size_t i = 0; i < schema_table_n; i++) {
        const char *path = schema_table[i].path;
        if (prefix_n) {
            if (strncmp(path, prefix, prefix_n) || path[prefix_n] != '.')
                continue;
            path += prefix_n + 1;
        }
        if (!strcmp(path, key) && !strchr(path, '.'))
            return &schema_table[i];
    }
    return NULL;
}

/* Keys right under a prefix: of "" those without a dot. */
static size_t keys_of(const char *prefix, const char *names[static 64])
{
    size_t prefix_n = strlen(prefix), n = 0;
    for (size_t i = 0; i < schema_table_n && n < 64; i++) {
        const char *path = schema_table[i].path;
        if (prefix_n && (strncmp(path, prefix, prefix_n) || path[prefix_n] != '.'))
            continue;
        path += prefix_n ? prefix_n + 1 : 0;
        if (!strchr(path, '.') && schema_table[i].kind != SCHEMA_ABSENT)
            names[n++] = path;
    }
    return n;
}

/* A row elsewhere whose last part is `key`. */
static const struct schema_row *row_elsewhere(const char *key)
{
    for (size_t i = 0; i < schema_table_n; i++) {
        const char *dot = strrchr(schema_table[i].path, '.');
        if (dot && !strcmp(dot + 1, key))
            return &schema_table[i];
    }
    return NULL;
}

static int unknown_key(struct loader *l, const char *prefix, const struct node *key)
{
    const char *names[64];
    size_t n = keys_of(prefix, names);
    char known[512] = "", hint[128] = "";
    for (size_t i = 0, used = 0; i < n && used < sizeof(known); i++)
        used +=
            (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", names[i]);
    const char *close = err_suggest(key->text, names, n);
    const struct schema_row *elsewhere = row_elsewhere(key->text);
    if (close)
        snprintf(hint, sizeof(hint), "did you mean \"%s\"? ", close);
    else if (elsewhere)
        snprintf(hint, sizeof(hint), "did you mean %s? ", elsewhere->path);
    return node_error(key, l->err, "%s is no key %s%s; %sknown here: %s", node_show(key).text,
                      *prefix ? "of " : "of a configuration", prefix, hint, known);
}

int schema_absent(struct loader *l, const struct node *at, const char *what)
{
    return node_error(
        at, l->err, "`%s` is not available in this version of admf (" ADMF_VERSION "); take it out",
        what);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void *field_of(struct loader *l, const struct schema_row *row)
{
    char *base = row->place == PLACE_CONFIG ? (char *)l->config : (char *)l->top;
    return base + row->offset;
}

/* Whole values go to fields of 1, 4 or 8 bytes. */
static void store_whole(struct loader *l, const struct schema_row *row, int64_t value)
{
    if (row->place == PLACE_NONE)
        return;
    void *field = field_of(l, row);
    uint8_t narrow = (uint8_t)value;
    uint32_t middle = (uint32_t)value;
    if (row->width == sizeof(narrow))
        memcpy(field, &narrow, sizeof(narrow));
    else if (row->width == sizeof(middle))
        memcpy(field, &middle, sizeof(middle));
    else
        memcpy(field, &value, sizeof(value));
}

/* "256MiB" or "30s", or the word. */
static int read_quantity(struct loader *l, const struct schema_row *row, const struct node *v)
{
    bool is_bytes = row->kind == SCHEMA_BYTES;
    const char *wanted = is_bytes ? "a size such as 256MiB" : "a duration such as 30s";
    uint64_t bytes = 0;
    int64_t ns = 0;
    if (v->kind != NODE_SCALAR || node_is_null(v))
        return node_error(v, l->err, "%s: %s; %s is expected", row->path, node_show(v).text,
                          wanted);
    if (row->rule.word && !strcmp(v->text, row->rule.word)) {
        store_whole(l, row, (int64_t)row->rule.word_value);
        return 0;
    }
    int rc = is_bytes ? bytes_parse(v->text, &bytes) : duration_parse(v->text, &ns);
    double value = is_bytes ? (double)bytes : (double)ns;
    if (rc < 0 || value < row->rule.minimum || value > row->rule.maximum)
        return node_error(v, l->err, "%s: %s; %s is expected (%s)", row->path, node_show(v).text,
                          wanted, row->values);
    store_whole(l, row, is_bytes ? (int64_t)bytes : ns);
    return 0;
}

int schema_read_number(struct loader *l, const struct schema_row *row, const struct node *v)
{
    if (sweep_is(v) && row->sweep)
        return node_error(v, l->err,
                          "%s: %s; one number is expected here. To sweep it, write it under "
                          "optimization.parameter_grids as `%s: [ … ]`",
                          row->path, node_show(v).text, row->sweep);
    struct number_rule rule = row->rule;
    rule.is_whole = row->kind == SCHEMA_WHOLE;
    double value = 0;
    int rc = value_number(v, row->path, &rule, &value, l->err);
    if (rc < 0)
        return rc;
    if (rule.is_whole)
        store_whole(l, row, (int64_t)value);
    else
        memcpy(field_of(l, row), &value, sizeof(value));
    return 0;
}

static int read_absent(struct loader *l, const struct schema_row *row, const struct node *v)
{
    double value = 1;
    if (row->rule.word && v->kind == NODE_SCALAR && v->is_plain &&
        f64_parse(v->text, v->n_bytes, &value) == 0 && value == 0)
        return 0;
    return schema_absent(l, v->key ? v->key : v, row->path);
}

int schema_read_row(struct loader *l, const struct schema_row *row, const struct node *v)
{
    int rc = 0, choice = 0;
    bool is_true = false;
    switch (row->kind) {
    case SCHEMA_MAP:
        return schema_read_map(l, row->path, v);
    case SCHEMA_NUMBER:
    case SCHEMA_WHOLE:
        return schema_read_number(l, row, v);
    case SCHEMA_BOOL:
        rc = value_bool(v, row->path, &is_true, l->err);
        if (rc == 0)
            store_whole(l, row, is_true);
        return rc;
    case SCHEMA_CHOICE:
        rc = value_choice(l, v, row, &choice);
        if (rc == 0)
            store_whole(l, row, choice);
        return rc;
    case SCHEMA_BYTES:
    case SCHEMA_DURATION:
        return read_quantity(l, row, v);
    case SCHEMA_OWN:
        return row->read(l, row, v);
    case SCHEMA_LATER:
        return 0;
    case SCHEMA_ABSENT:
        return read_absent(l, row, v);
    }
    return 0;
}

static int walk_map(struct loader *l, const char *prefix, const struct node *map, bool do_read)
{
    if (node_is_null(map))
        return 0;
    if (map->kind != NODE_MAP)
        return node_error(map, l->err, "%s: %s; a map of keys is expected",
                          *prefix ? prefix : "the configuration", node_show(map).text);
    for (const struct node *v = map->first; v; v = v->next) {
        const struct schema_row *row = schema_find(prefix, v->key->text);
        int rc = 0;
        if (!row)
            rc = unknown_key(l, prefix, v->key);
        else if (do_read || row->kind == SCHEMA_ABSENT)
            rc = schema_read_row(l, row, v);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int schema_read_map(struct loader *l, const char *prefix, const struct node *map)
{
    return walk_map(l, prefix, map, true);
}

int schema_check_keys(struct loader *l, const char *prefix, const struct node *map)
{
    return walk_map(l, prefix, map, false);
}

/* ---- names and docs ------------------------------------------------------------------------- */

const char *choice_name(const struct choice *choices, int value)
{
    for (; choices->name; choices++)
        if (choices->value == value)
            return choices->name;
    return "?";
}

static void doc_values(const struct schema_row *row, struct buf *out)
{
    char text[96];
    if (row->kind == SCHEMA_ABSENT) {
        buf_puts(out, row->rule.word ? "`0`" : "");
    } else if (row->values) {
        buf_puts(out, row->values);
    } else if (row->kind == SCHEMA_MAP) {
        buf_puts(out, "map");
    } else if (row->kind == SCHEMA_BOOL) {
        buf_puts(out, "`true`, `false`");
    } else if (row->choices) {
        const char *comma = "";
        for (const struct choice *c = row->choices; c->name; c++) {
            if (c->value == CHOICE_ABSENT || c->is_spelling)
                continue;
            buf_printf(out, "%s`%s`", comma, c->name);
            comma = ", ";
        }
    } else {
        struct number_rule rule = row->rule;
        rule.is_whole = row->kind == SCHEMA_WHOLE;
        buf_puts(out, rule_text(&rule, text, sizeof(text)));
    }
}

void schema_doc_row(const struct schema_row *row, struct buf *out)
{
    buf_printf(out, "| `%s`%s | ", row->path, row->is_convention ? " *" : "");
    doc_values(row, out);
    if (row->unit)
        buf_printf(out, " (%s)", row->unit);
    bool is_value = row->dflt && *row->dflt && !strchr(row->dflt, ' ');
    const char *quote = is_value || (row->dflt && *row->dflt == '{') ? "`" : "";
    if (row->kind == SCHEMA_ABSENT)
        buf_puts(out, " | not available | ");
    else if (row->dflt && !*row->dflt)
        buf_puts(out, " | required | ");
    else
        buf_printf(out, " | %s%s%s | ", quote, row->dflt ? row->dflt : "", quote);
    buf_puts(out, row->doc);
    if (row->sweep)
        buf_printf(out, " Swept as `%s`.", row->sweep);
    buf_puts(out, " |");
}
