#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: under `conventions: backtesting.py` this engine gives that engine's trades, equity and
statistics, case by case, and whole grids of them.

    golden.py BUILD_FOLDER SHARED_FOLDER     writes TAP; a new case is a new folder, no code

What a case needs and this version does not have is skipped, saying what.
"""

import csv
import json
import math
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program, take_reports  # noqa: E402

# Of the value, and what is left where a value is zero but for rounding.
TOLERANCE, TOLERANCE_OF_ZERO = 1e-9, 1e-13

# statistic of case.json -> column of `export --what combinations`
STATISTICS = {
    "Exposure Time [%]": "exposure_pct",
    "Equity Final [$]": "equity_final",
    "Equity Peak [$]": "equity_peak",
    "Commissions [$]": "commissions",
    "Return [%]": "return_pct",
    "Buy & Hold Return [%]": "buy_hold_return_pct",
    "Return (Ann.) [%]": "return_ann_pct",
    "Volatility (Ann.) [%]": "volatility_ann_pct",
    "CAGR [%]": "cagr_pct",
    "Sharpe Ratio": "sharpe",
    "Sortino Ratio": "sortino",
    "Calmar Ratio": "calmar",
    "Alpha [%]": "alpha_pct",
    "Beta": "beta",
    "Max. Drawdown [%]": "max_drawdown_pct",
    "Avg. Drawdown [%]": "avg_drawdown_pct",
    "# Trades": "trades",
    "Win Rate [%]": "win_rate_pct",
    "Best Trade [%]": "best_trade_pct",
    "Worst Trade [%]": "worst_trade_pct",
    "Avg. Trade [%]": "avg_trade_pct",
    "Profit Factor": "profit_factor",
    "Expectancy [%]": "expectancy_pct",
    "SQN": "sqn",
    "Kelly Criterion": "kelly",
    "open_trades_at_end": "open_trades",
}

# column of a grid file -> our column
GRID_COLUMNS = ("return_pct", "equity_final", "sharpe", "max_drawdown_pct", "trades",
                "exposure_pct", "win_rate_pct")


class Skip(Exception):
    """A case needs what this version does not have."""


def rules_of(strategy):
    """Up and down conditions of a case's strategy; the exit of bands differs by mode."""
    kind = strategy["kind"]
    if kind in ("sma", "ema"):
        fast, slow = (f"{kind}(close, {strategy[k]})" for k in ("fast", "slow"))
        return f"crosses_above({fast}, {slow})", f"crosses_below({fast}, {slow})"
    if kind == "rsi":
        rsi = f"rsi(close, {strategy['n']})"
        return f"{rsi} < {strategy['lo']}", f"{rsi} > {strategy['hi']}"
    if kind == "bb":
        bands = "bbands(close, {n}, {k}, {k})".format(**strategy)
        lower = "middle" if strategy["mode"] == "lo" else "lower"
        return f"close > {bands}.upper", f"close < {bands}.{lower}"
    if kind == "bh":
        return "close > 0", None
    raise Skip(f"strategy {kind}")


def entry_rules(strategy):
    """The case's strategy as rules: two-sided, or long with an exit."""
    up, down = rules_of(strategy)
    lines = ["  - type: rules", f"    long_entry: {up}"]
    if down:
        lines.append(f"    {'short_entry' if strategy['mode'] == 'ls' else 'long_exit'}: {down}")
    return lines


def refuse_unknown(case):
    """Options of that engine beyond market orders, percent commission, stops and targets."""
    options = case["backtest"]
    for key in ("spread", "margin", "trade_on_close"):
        if options.get(key):
            raise Skip(f"{key} is not available")
    if isinstance(options.get("commission"), list):
        raise Skip("a fixed commission is not available")


def sizing_of(strategy):
    size = strategy.get("size")
    if size is None:
        return []
    return [f"  sizing: {{{'percent_of_cash' if size < 1 else 'units'}: {size}}}"]


def same_signal_of(strategy):
    """Two-sided crossings are acted on without a look at the position; conditions are not."""
    is_blind = strategy["kind"] in ("sma", "ema", "macd") and strategy["mode"] == "ls"
    return "reenter" if is_blind else "ignore"


def config_of(case, data_csv):
    refuse_unknown(case)
    strategy, options = case["strategy"], case["backtest"]
    exits = [f"  {ours}: {strategy[theirs]}" for theirs, ours in
             (("sl", "stop_loss"), ("tp", "take_profit")) if theirs in strategy]
    return "\n".join([
        "type: backtest", "conventions: backtesting.py",
        "data:", f"  csv: {{BARS: {data_csv}}}",
        "strategies:", *entry_rules(strategy),
        *(["exits:", *exits] if exits else []),
        "execution:", f"  commission: {options['commission']}",
        f"  same_signal: {same_signal_of(strategy)}",
        f"  at_end: {'close_at_open' if options.get('finalize_trades') else 'mark'}",
        "portfolio:", f"  initial_capital: {options['cash']}", *sizing_of(strategy), ""])


# ---- comparison ---------------------------------------------------------------------------------

def number(text):
    return math.nan if text in ("", None, "NaN") else float(text)


def close(ours, theirs):
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return abs(ours - theirs) <= TOLERANCE * abs(theirs) + TOLERANCE_OF_ZERO


def check(what, ours, theirs, problems):
    if not close(number(ours), number(theirs)):
        problems.append(f"{what}: {ours} instead of {theirs}")


def table(text):
    return list(csv.DictReader(text.splitlines()))


def compare_trades(ours, theirs, problems):
    ours = [t for t in ours if t["exit_bar"] != ""]
    theirs = sorted(theirs, key=lambda t: (int(t["exit_bar"]), int(t["entry_bar"])))
    if len(ours) != len(theirs):
        problems.append(f"{len(ours)} trades instead of {len(theirs)}")
    for i, (a, b) in enumerate(zip(ours, theirs)):
        size = float(a["size"]) * (1 if a["direction"] == "long" else -1)
        check(f"trade {i} size", size, b["size"], problems)
        for mine, his in (("entry_bar",) * 2, ("exit_bar",) * 2, ("entry_price",) * 2,
                          ("exit_price",) * 2, ("pnl",) * 2, ("commission",) * 2,
                          ("return", "return_pct")):
            check(f"trade {i} {mine}", a[mine], b[his], problems)
        for key in ("entry_time", "exit_time"):
            if a[key] != b[key]:
                problems.append(f"trade {i} {key}: {a[key]} instead of {b[key]}")


def run_case(program, folder, data, config_path):
    case = json.loads((folder / "case.json").read_text())
    config_path.write_text(config_of(case, data / f"{case['dataset']}.csv"))
    program.run("run", config_path, "--quiet", "--workers", 1)
    problems = []
    compare_trades(table(program.run("export", "last", "--what", "trades", "--combination", 0)),
                   table((folder / "trades.csv").read_text()), problems)
    equity = table(program.run("export", "last", "--what", "equity", "--combination", 0))
    bars = table((folder / "bars.csv").read_text())
    if len(equity) != len(bars):
        problems.append(f"{len(equity)} bars of equity instead of {len(bars)}")
    for a, b in zip(equity, bars):
        check(f"equity at bar {b['bar']}", a["equity"], b["equity"], problems)
    ours = table(program.run("export", "last", "--what", "combinations"))[0]
    for theirs, mine in STATISTICS.items():
        if theirs in case["stats"]:
            value = case["stats"][theirs]
            check(mine, ours[mine], "" if value is None else repr(value), problems)
    return problems


GRID_CONFIG = """type: optimization
conventions: backtesting.py
data: {{csv: {{BARS: {csv}}}}}
strategies:
  - type: rules
    parameters:
      fast: {{from: 5, to: 50, step: 5}}
      slow: {{from: 20, to: 200, step: 10}}
    where: fast < slow
    long_entry: crosses_above(sma(close, fast), sma(close, slow))
    long_exit: crosses_below(sma(close, fast), sma(close, slow))
execution: {{commission: {commission}, at_end: close_at_open}}
portfolio: {{initial_capital: 10000}}
"""
GRID_COMMISSION = {"goog_daily": 0.001, "eurusd_hourly": 0.0001}


def run_grid(program, path, data, config_path):
    dataset = path.stem.removeprefix("backtestingpy_sma_lo_")
    if dataset not in GRID_COMMISSION:
        raise Skip(f"the commission of {dataset} is not stated")
    config_path.write_text(GRID_CONFIG.format(csv=data / f"{dataset}.csv",
                                              commission=GRID_COMMISSION[dataset]))
    program.run("run", config_path, "--quiet")
    ours = {(float(r["fast"]), float(r["slow"])): r for r in
            table(program.run("export", "last", "--what", "combinations"))}
    theirs = table(path.read_text())
    problems = [] if len(ours) == len(theirs) else [f"{len(ours)} rows instead of {len(theirs)}"]
    for row in theirs:
        key = (float(row["fast"]), float(row["slow"]))
        for column in GRID_COLUMNS:
            check(f"fast {key[0]:g}, slow {key[1]:g}: {column}",
                  ours.get(key, {}).get(column, "missing"), row[column], problems)
    return problems


def cases(shared):
    golden = shared / "golden"
    for folder in sorted((golden / "backtests_backtestingpy").iterdir()):
        yield folder.name, run_case, folder
    for path in sorted((golden / "grid").glob("backtestingpy_*.csv")):
        yield f"grid {path.stem}", run_grid, path


def main():
    build, shared = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    print("TAP version 13")
    if not (shared / "golden").is_dir():
        print("ok 1 - golden cases # SKIP the folder of golden cases is not here")
        return 0
    failed = tests = 0
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(build, pathlib.Path(scratch) / "store")
        for tests, (name, run, path) in enumerate(cases(shared), 1):
            try:
                problems = run(program, path, shared / "data", pathlib.Path(scratch) / "case.yaml")
            except Skip as skip:
                print(f"ok {tests} - {name} # SKIP {skip}")
                continue
            except (RuntimeError, ValueError) as error:
                problems = [str(error)]
            problems += [line for report in take_reports() for line in report.splitlines()]
            failed += bool(problems)
            print(f"{'not ok' if problems else 'ok'} {tests} - {name}")
            for problem in problems[:8]:
                print(f"# {problem}")
    print(f"1..{tests}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
