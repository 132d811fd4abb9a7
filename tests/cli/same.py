#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: the same configuration gives the same bytes: free or in lockstep, with any number of
workers, in any environment, and when its resolved form is fed back.

    same.py BUILD_FOLDER     writes TAP
"""

import csv
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402


class Bench:
    """A scratch folder with bars of three symbols whose calendars differ."""

    def __init__(self, build, folder):
        self.build, self.folder, self.runs = build, folder, 0
        with open(EXAMPLE_CSV, encoding="ascii") as file:
            rows = list(csv.reader(file))
        header, rows = rows[0], rows[1:1501]
        self.symbols = {}
        chance = random.Random(3)
        for name, keep, shift in (("AAA", 1.0, 0), ("BBB", 0.9, 40), ("CCC", 0.5, 0)):
            path = folder / f"{name}.csv"
            kept = [row for i, row in enumerate(rows) if i >= shift and chance.random() < keep]
            with open(path, "w", encoding="ascii", newline="") as file:
                csv.writer(file).writerows([header, *kept])
            self.symbols[name] = path

    def pnl_of(self, trade):
        """What a trade has made; one that is open at the end, at its symbol's last close."""
        if trade["exit_bar"] != "":
            return float(trade["pnl"])
        with open(self.symbols[trade["symbol"]], encoding="ascii") as file:
            mark = float(list(csv.DictReader(file))[-1]["close"])
        side = 1 if trade["direction"] == "long" else -1
        return (side * float(trade["size"]) * (mark - float(trade["entry_price"]))
                - float(trade["commission"]))

    def program(self):
        self.runs += 1
        return Program(self.build, self.folder / f"store{self.runs}")

    def data(self, *names):
        return "{" + ", ".join(f"{name}: {self.symbols[name]}" for name in names) + "}"

    def config(self, text):
        path = self.folder / "config.yaml"
        path.write_text(text)
        return path

    def everything(self, config, *args):
        """All that a run exports: combinations, and trades and equity of some of them."""
        program = self.program()
        summary = program.sweep(config, *args)
        parts = [program.run("export", "last", "--what", "combinations")]
        for combination in range(0, summary["combinations"], max(1, summary["combinations"] // 3)):
            for what in ("trades", "equity"):
                parts.append(program.run("export", "last", "--what", what,
                                         "--combination", combination))
        return summary, "".join(parts)


CONFIGS = {
    "one symbol, stops and targets": """
data: {{csv: {one}}}
strategies:
  - type: sma_cross
    parameters: {{fast_period: [3, 8], slow_period: [12, 25]}}
exits: {{stop_loss: [0.01, 0.03], take_profit: [0.02, 0.06]}}
execution: {{commission: 0.001, slippage: 0.0005, at_end: close_at_close}}
""",
    "three symbols in one account": """
data: {{csv: {three}}}
strategies:
  - type: mean_reversion
    parameters: {{rsi_period: [3, 7], oversold: [25, 40]}}
  - type: breakout
    parameters: {{entry_period: [10, 20]}}
exits: {{stop_loss: 0.02}}
portfolio: {{sizing: {{percent_of_equity: 0.5}}, lot: 0}}
execution: {{commission: 0.0005}}
""",
    "each symbol on its own": """
data: {{csv: {three}, each_symbol: true}}
strategies:
  - type: bollinger
    parameters: {{period: [10, 20]}}
exits: {{take_profit: 0.05}}
execution: {{commission: 0.0005, at_end: close_at_open}}
""",
    "shared and unshared risk and execution": """
data: {{csv: {one}}}
strategies:
  - type: momentum
    parameters: {{lookback_period: [5, 10]}}
    risk_config: {{max_position_size: 10}}
  - type: macd_cross
    risk_config: {{max_position_size: 20}}
optimization: {{parameter_grids: {{commission: [0.0, 0.001], slippage: [0.0, 0.001]}}}}
""",
    "backtesting.py's conventions": """
conventions: backtesting.py
data: {{csv: {one}}}
strategies:
  - type: mean_reversion
    parameters: {{rsi_period: [5, 14]}}
exits: {{stop_loss: 0.02, take_profit: 0.03}}
""",
    "vectorbt's conventions": """
conventions: vectorbt
data: {{csv: {three}, each_symbol: true}}
strategies:
  - type: momentum
    parameters: {{lookback_period: [5, 10]}}
exits: {{trailing_stop: 0.03, take_profit: 0.04}}
execution: {{commission: {{percent: 0.001, fixed: 1}}}}
""",
    "backtrader's conventions": """
conventions: backtrader
data: {{csv: {one}}}
strategies:
  - type: mean_reversion
    parameters: {{rsi_period: [5, 14]}}
exits: {{stop_loss: 0.02, take_profit: 0.03}}
execution: {{commission: 0.001}}
""",
    "limits of risk, at this close": """
data: {{csv: {three}}}
strategies:
  - type: channel_breakout
    parameters: {{entry_period: [5, 15], exit_period: 4}}
  - type: sma_cross
    parameters: {{fast_period: 3, slow_period: 15}}
risk: {{max_drawdown: 0.06, max_daily_loss: 0.01, cooldown_bars: 3, max_exposure: 0.4}}
portfolio: {{sizing: {{percent_of_equity: 0.5}}, leverage: 3}}
execution: {{fill: this_close, commission: 0.0005, borrow_fee: 0.1, margin_interest: 0.08}}
""",
    "leverage until bankruptcy": """
data: {{csv: {one}}}
strategies:
  - type: sma_cross
    parameters: {{fast_period: [2, 5], slow_period: [10, 30]}}
portfolio: {{leverage: 30, sizing: {{percent_of_cash: 1.0}}, initial_capital: 10000}}
execution: {{commission: 0.0002}}
""",
}


def configs(bench):
    one, three = bench.data("AAA"), bench.data("AAA", "BBB", "CCC")
    for name, text in CONFIGS.items():
        yield name, bench.config("type: optimization" + text.format(one=one, three=three))


@test("free and lockstep runs export the same bytes")
def lockstep(bench):
    for name, config in configs(bench):
        _, free = bench.everything(config, "--workers", 2)
        for workers in (1, 3):
            _, step = bench.everything(config, "--workers", workers, "--set", "run.mode=lockstep")
            expect(free == step, f"{name}: lockstep with {workers} workers differs")


# Every feature of the execution model, one line each; a random configuration takes some of them.
FEATURES = {
    "execution": [
        "fill: this_close", "close_booked: next_bar", "market_on: close", "delay: 2",
        "time_in_force: day", "time_in_force: ioc", "same_bar: optimistic", "same_bar: nearest_open",
        "orders_per_bar: one", "at_end: close_at_close", "at_end: close_at_open",
        "opposite_signal: close", "opposite_signal: ignore", "same_signal: reenter",
        "conflicting_signals: ignore", "first_signal: after_warm_up",
        "commission: {percent: 0.001, fixed: 1.5, minimum: 3}", "commission: {per_share: 0.02}",
        "slippage: {percent: 0.0005, ticks: 1, tick: 0.01}", "slippage: {volume_share: 0.00001}",
        "volume_rest: cancel", "spread: 0.0004", "spread_paid: on_entry", "reversal_fee: once",
        "borrow_fee: 0.08", "margin_interest: 0.06",
    ],
    "exits": [
        "stop_loss: [0.01, 0.03]", "take_profit: [0.02, 0.05]", "trailing_stop: 0.02",
        "trailing_amount: 4", "max_bars: 5", "base: signal_close", "live_from: next_bar",
    ],
    "portfolio": [
        "leverage: 20", "lot: 0", "lot: 0.1", "direction: long", "direction: short",
        "sizing: {units: 50}", "sizing: {cash: 30000}", "sizing: {risk_frac: 0.02}",
        "sizing: {target_percent: 0.6}", "sizing: {target_volatility: 0.3}",
        "sizing: {percent_of_cash: 0.9}", "min_notional: 500", "maintenance_margin: 0.04",
        "unaffordable: reduce", "commission_reserve: each_unit", "short_margin: none",
        "cash_check: signal_close_too", "bankruptcy: run_on",
    ],
    "risk": [
        "max_position_size: 200", "max_exposure: 0.5", "max_leverage: 0.8", "max_drawdown: 0.08",
        "max_daily_loss: 0.01", "cooldown_bars: 4",
    ],
}

STRATEGIES = [
    "{type: sma_cross, parameters: {fast_period: [3, 8], slow_period: 21}}",
    "{type: mean_reversion, parameters: {rsi_period: [3, 7], oversold: 40, overbought: 60}}",
    "{type: channel_breakout, parameters: {entry_period: [8, 20], exit_period: 5}}",
    """{type: rules, parameters: {n: [2, 5]}, long_entry: 'close > shift(close, n)',
     long_exit: 'close < shift(close, n)', short_entry: 'rsi(close, 4) < 20',
     short_exit: 'rsi(close, 4) > 60', long_limit: 'close * 0.997', short_stop: 'min(low, n)'}""",
]


def random_config(chance, data):
    """Some of the features, each key once. Stops are there where sizing needs them."""
    lines = ["type: optimization", f"data: {{csv: {data}}}", "strategies:"]
    lines += [f"  - {text}" for text in chance.sample(STRATEGIES, chance.choice((1, 2)))]
    for section, features in FEATURES.items():
        taken = {}
        for feature in features:
            if chance.random() < 0.3:
                taken[feature.split(":")[0]] = feature
        if "fill" in taken:  # at closes already
            taken.pop("market_on", None)
        if section == "exits":
            taken.setdefault("stop_loss", "stop_loss: 0.02")
        if taken:
            lines += [f"{section}:"] + [f"  {feature}" for feature in taken.values()]
    return "\n".join(lines) + "\n"


@test("free and lockstep runs of random configurations export the same bytes")
def random_lockstep(bench):
    chance = random.Random(2)
    for number in range(int(os.environ.get("SAME_CONFIGS", "12"))):
        names = chance.choice((("AAA",), ("BBB", "CCC"), ("AAA", "BBB", "CCC")))
        text = random_config(chance, bench.data(*names))
        config = bench.config(text)
        summary, free = bench.everything(config, "--workers", chance.choice((1, 2, 3)))
        equal(summary["ok"], summary["combinations"], f"combinations that ran of\n{text}")
        _, step = bench.everything(config, "--workers", chance.choice((1, 2, 3)), "--set",
                                   "run.mode=lockstep")
        expect(free == step, f"configuration {number} differs:\n{text}")


@test("any number of workers exports the same bytes")
def workers_do_not_matter(bench):
    for name, config in configs(bench):
        _, first = bench.everything(config, "--workers", 1)
        for workers in (2, 8):
            _, other = bench.everything(config, "--workers", workers)
            expect(first == other, f"{name}: {workers} workers differ")


@test("a symbol of a run of many gives what it gives alone")
def each_symbol(bench):
    base = """type: optimization
data: {csv: %s, each_symbol: true}
strategies: [{type: sma_cross, parameters: {fast_period: 5, slow_period: 20}}]
"""
    program = bench.program()
    program.run("run", bench.config(base % bench.data("AAA", "BBB", "CCC")), "--quiet")
    rows = list(csv.DictReader(program.run("export", "last", "--what", "combinations").splitlines()))
    equal(len(rows), 3, "combinations")
    for combination, name in enumerate(("AAA", "BBB", "CCC")):
        alone = bench.program()
        alone.run("run", bench.config(base % bench.data(name)), "--quiet")
        row = list(csv.DictReader(alone.run("export", "last", "--what",
                                            "combinations").splitlines()))[0]
        for key in ("equity_final", "sharpe", "trades", "max_drawdown_pct", "beta"):
            equal(rows[combination][key], row[key], f"{name}: {key}")


@test("the account balances: trades, open ones at their mark, less interest, are the change of equity")
def balance(bench):
    for name, config in configs(bench):
        program = bench.program()
        program.run("run", config, "--quiet")
        row = next(csv.DictReader(program.run("export", "last", "--what",
                                              "combinations").splitlines()))
        paid = sum(float(row.get(key) or 0) for key in ("borrow_cost", "interest_cost"))
        trades = list(csv.DictReader(program.run("export", "last", "--what", "trades",
                                                 "--combination", 0).splitlines()))
        equity = list(csv.DictReader(program.run("export", "last", "--what", "equity",
                                                 "--combination", 0).splitlines()))
        change = float(equity[-1]["equity"]) - float(equity[0]["equity"])
        pnl = math.fsum(bench.pnl_of(trade) for trade in trades) - paid
        fits = abs(change - pnl) <= 1e-6
        if float(equity[-1]["equity"]) == 0:  # what is lost beyond all there was is nobody's
            fits = pnl <= change
        expect(fits, f"{name}: trades make {pnl}, equity changed by {change}")


@test("environment does not matter: locale, time zone, umask, closed streams, deleted folder")
def environments(bench):
    _, config = next(configs(bench))
    plain = bench.program()
    digest = plain.sweep(config)["digest"]
    gone = bench.folder / "gone"
    for what, wrap in {
        "decimal commas": ["env", "LC_ALL=de_DE.UTF-8", "LANG=de_DE.UTF-8"],
        "time zone": ["env", "TZ=Asia/Kolkata"],
        "no home": ["env", "-u", "HOME", "-u", "XDG_RUNTIME_DIR"],
        "umask": ["sh", "-c", 'umask 0777; exec "$@"', "sh"],
        "closed input": ["sh", "-c", 'exec "$@" <&-', "sh"],
        "closed talk": ["sh", "-c", 'exec "$@" 2>&-', "sh"],
        "deleted folder": ["sh", "-c", f'mkdir {gone}; cd {gone}; rmdir {gone}; exec "$@"', "sh"],
    }.items():
        program = bench.program()
        done = subprocess.run([*wrap, *program.argv("run", config, "--quiet")], check=False,
                              capture_output=True, text=True)
        equal(done.returncode, 0, f"{what}: exit code ({done.stderr})")
        equal(program.run("digest", "last").strip(), digest, f"{what}: digest")


@test("the resolved configuration, fed back, is the same run")
def resolved(bench):
    for name, config in configs(bench):
        program = bench.program()
        text = program.run("plan", config, "--resolved")
        first = program.sweep(config)
        second = program.sweep(bench.config(text))
        for key in ("digest", "config_hash", "data_hash"):
            equal(second[key], first[key], f"{name}: {key}")


@test("in lockstep a wave may use few of very many shared containers")
def many_shared(bench):
    config = bench.config("""type: optimization
data: {csv: %s, to: 200}
strategies: [{type: sma_cross, parameters: {fast_period: 5, slow_period: [20, 30]}}]
optimization: {parameter_grids: {commission: {from: 0, to: 0.0149, step: 0.0001}}}
""" % bench.data("AAA"))
    free, step = bench.program(), bench.program()
    summary = free.sweep(config, "--workers", 2)
    expect(summary["combinations"] >= 298, f"only {summary['combinations']} combinations")
    equal(step.sweep(config, "--workers", 2, "--set", "run.mode=lockstep")["digest"],
          summary["digest"], "digest")


@test("in lockstep symbols may begin their range at different times, behind a warm-up")
def warm_up_lockstep(bench):
    config = bench.config("""type: optimization
data: {csv: %s, from: 60, to: 300, warm_up: 30}
strategies:
  - type: rules
    long_entry: close > shift(close, n)
    long_exit: close < shift(close, n)
    parameters: {n: [1, 2]}
portfolio: {sizing: {percent_of_equity: 0.3}, lot: 0}
""" % bench.data("AAA", "BBB", "CCC"))
    free, step = bench.program(), bench.program()
    digest = free.sweep(config)["digest"]
    equal(step.sweep(config, "--workers", 2, "--set", "run.mode=lockstep")["digest"], digest,
          "digest")


@test("files of data.csv are kept by content: details outlive them, and no name is taken")
def csv_by_content(bench):
    file = bench.folder / "GONE.csv"
    file.write_bytes(bench.symbols["AAA"].read_bytes())
    program = bench.program()
    program.run("run", bench.config("""
data: {csv: {GONE: %s}}
strategies: [{type: sma_cross, parameters: {fast_period: 5, slow_period: 20}}]
""" % file), "--quiet")
    trades = program.run("export", "last", "--what", "trades", "--combination", 0)
    file.unlink()
    equal(program.run("export", "last", "--what", "trades", "--combination", 0), trades, "trades")
    expect("GONE" not in program.run("data", "list"), "data list names a file of data.csv")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        return run_all(Bench(sys.argv[1], pathlib.Path(scratch)))


if __name__ == "__main__":
    os.environ.pop("ADMF_WORKER", None)
    sys.exit(main())
