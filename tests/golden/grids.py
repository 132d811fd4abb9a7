# SPDX-License-Identifier: MIT
"""Whole grids of another engine, ENGINE_sma_lo_DATASET[_FILL].csv, each beside one run of ours."""

from compare import Problems, Skip, read, table

CONFIG = """type: optimization
conventions: {conventions}
data: {{csv: {{BARS: {csv}}}}}
strategies:
  - type: rules
    parameters:
      fast: {fast}
      slow: {slow}
    where: fast < slow
    long_entry: {above}
    long_exit: {below}
execution: {{commission: {commission}, {execution}}}
portfolio: {{initial_capital: 10000}}
"""
COMMISSION = {"goog_daily": 0.001, "eurusd_hourly": 0.0001}

# file name's beginning and end -> conventions, further keys of execution
KINDS = (("backtestingpy_sma_lo_", "", "backtesting.py", "at_end: close_at_open"),
         ("vectorbt_sma_lo_", "_close", "vectorbt", "fill: this_close"),
         ("vectorbt_sma_lo_", "_next_open", "vectorbt", "fill: next_open"))

# Averages and crossings differ in their last bits, and so in ties: each engine has its own.
RULES = {
    "backtesting.py": ("crosses_above(sma(close, fast), sma(close, slow))",
                       "crosses_below(sma(close, fast), sma(close, slow))"),
    "vectorbt": ("cross(rolling_mean(close, fast), rolling_mean(close, slow)).above > 0",
                 "cross(rolling_mean(close, fast), rolling_mean(close, slow)).below > 0"),
}

# column of a grid file -> column of ours, and what one of ours is of theirs
COLUMNS = {
    "backtesting.py": {name: (name, 1) for name in
                       ("return_pct", "equity_final", "sharpe", "max_drawdown_pct", "trades",
                        "exposure_pct", "win_rate_pct")},
    "vectorbt": {"total_return": ("return_pct", 100), "final_value": ("equity_final", 1),
                 "sharpe": ("sharpe", 1), "max_drawdown": ("max_drawdown_pct", 100),
                 "trades": ("trades", 1), "closed_trades": ("closed_trades", 1)},
}


def kind_of(stem):
    """Data set, conventions and further keys of a grid file, by its name."""
    for start, end, conventions, execution in KINDS:
        dataset = stem.removeprefix(start).removesuffix(end)
        if stem == start + dataset + end and dataset in COMMISSION:
            return dataset, conventions, execution
    raise Skip("what this grid was made with is not known")


def values_of(rows, name):
    return sorted({int(row[name]) for row in rows})


def run_grid(runner, path):
    dataset, conventions, execution = kind_of(path.stem)
    above, below = RULES[conventions]
    theirs = read(path)
    runner.run(CONFIG.format(conventions=conventions, execution=execution, above=above, below=below,
                             fast=values_of(theirs, "fast"), slow=values_of(theirs, "slow"),
                             csv=runner.data(dataset), commission=COMMISSION[dataset]))
    ours = {(float(r["fast"]), float(r["slow"])): r for r in
            table(runner.program.run("export", "last", "--what", "combinations"))}
    problems = Problems()
    problems.same("combinations", len(ours), len(theirs))
    for row in theirs:
        key = (float(row["fast"]), float(row["slow"]))
        mine = ours.get(key, {})
        for column, (name, factor) in COLUMNS[conventions].items():
            value = float(row[column]) * factor if row[column] != "NaN" else ""
            problems.close(f"fast {key[0]:g}, slow {key[1]:g}: {name}",
                           mine.get(name, "missing"), value)
    return problems
