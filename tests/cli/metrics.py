#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: metrics are catalogued in full, exported by the profile under our names and those that
users of its engine know, and empty where undefined; every trade says how far it went.

    metrics.py BUILD_FOLDER     writes TAP
"""

import csv
import io
import json
import math
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

PROFILES = ("native", "backtesting.py", "vectorbt", "quantstats")
CONFIG = """type: optimization
data: {{symbols: [SPX], from: 2000-01-01, to: 2004-01-01}}
strategies:
  - type: rules
    parameters: {{n: [10, 40, 5000]}}
    long_entry: close > sma(close, n)
    short_entry: close < sma(close, n)
exits: {{stop_loss: 0.03}}
portfolio: {{lot: 0}}
metrics: {{profile: {profile}}}
"""


class Bench:
    """One store; a run a profile, made when first asked for."""

    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
        self.runs = {}

    def run_of(self, profile):
        if profile not in self.runs:
            path = self.folder / "metrics.yaml"
            path.write_text(CONFIG.format(profile=profile), encoding="ascii")
            self.runs[profile] = self.program.sweep(path)
        return self.runs[profile]["run"]

    def table(self, profile, what, *args):
        text = self.program.run("export", self.run_of(profile), "--what", what, *args)
        return list(csv.DictReader(io.StringIO(text)))

    def catalog(self):
        return json.loads(self.program.run("catalog", "metrics", "--json"))


@test("the catalogue states formula, unit, when undefined and source of every metric")
def catalogue(bench):
    metrics = bench.catalog()
    text = bench.program.run("catalog", "metrics")
    equal(len({m["name"] for m in metrics}), len(metrics), "distinct names")
    for m in metrics:
        expect(re.fullmatch(r"[a-z][a-z0-9_]*", m["name"]), m["name"])
        expect(m["unit"] and m["undefined"] and m["formula"], m)
        equal(sorted(m["source"]), sorted(m["formula"]), f"profiles of {m['name']}")
        expect(set(m["label"]) <= set(m["formula"]) <= set(PROFILES), m)
        expect(all(m["source"].values()) and all(m["formula"].values()), m)
        block = re.search(rf"^{m['name']}  \[{re.escape(m['unit'])}.*?(?=^\S|\Z)", text,
                          re.M | re.S)
        expect(block, f"{m['name']} is not in the text")
        for part in ("undefined when: " + m["undefined"], "source: ", *m["formula"].values()):
            expect(part in block[0], f"{m['name']}: {part}")


@test("an export has the metrics of its profile, in the catalogue's order, then the engine's names")
def columns(bench):
    metrics = bench.catalog()
    for profile in PROFILES:
        wanted = ["combination", "status", "n"]
        wanted += [m["name"] for m in metrics if profile in m["formula"]]
        if profile == "vectorbt":
            wanted += ["total_return", "annualized_return", "annualized_volatility", "sharpe_ratio",
                       "sortino_ratio", "calmar_ratio", "max_drawdown", "omega_ratio",
                       "final_value", "total_fees"]
        equal(list(bench.table(profile, "combinations")[0]), wanted, profile)


@test("another name is the same number, as a fraction where that engine says fractions")
def aliases(bench):
    known = {a["name"]: (m["name"], a["divisor"]) for m in bench.catalog() for a in m["aliases"]}
    for row in bench.table("vectorbt", "combinations"):
        for name in set(row) & set(known):
            ours, divisor = known[name]
            expect(bool(row[name]) == bool(row[ours]), f"{name}: {row[name]!r}, {row[ours]!r}")
            if row[name]:
                equal(float(row[name]), float(row[ours]) / divisor, name)
    shown = json.loads(bench.program.run("show", bench.run_of("vectorbt"), "--json"))
    best = shown["leaderboard"][0]["metrics"]
    equal(best["total_return"], best["return_pct"] / 100, "total_return on the leaderboard")


@test("--where and --sort take another name, in any profile")
def aliases_select(bench):
    for profile in ("native", "vectorbt"):
        rows = bench.table(profile, "combinations")
        falls = sorted(float(r["max_drawdown_pct"]) for r in rows)
        middle = falls[1] / 100
        shown = json.loads(bench.program.run(
            "show", bench.run_of(profile), "--json", "--where", f"max_drawdown > {middle + 1e-12}",
            "--sort", "total_return"))["leaderboard"]
        equal(len(shown), 1, "combinations with a lesser drawdown")
        equal(shown[0]["metrics"]["max_drawdown_pct"], falls[2], profile)


@test("what is undefined is empty, in no profile 0, infinity or -100")
def undefined(bench):
    for profile in PROFILES:
        idle = bench.table(profile, "combinations")[2]  # an average that is never defined
        for name in ("sharpe", "sortino", "calmar", "win_rate_pct", "profit_factor", "kelly",
                     "avg_drawdown_pct", "max_drawdown_duration_days", "best_trade_pct", "skew",
                     "tail_ratio", "omega", "psr", "payoff_ratio", "avg_mae_pct"):
            if name in idle:
                equal(idle[name], "", f"{profile}: {name}")
        for name, text in idle.items():
            expect(not re.search("inf|nan", text, re.I), f"{profile}: {name} is {text}")
        equal(float(idle["return_pct"]), 0, profile)
        equal(float(idle["fills"]), 0, profile)


@test("the last columns of trades say how far each went against and for its holder")
def excursions(bench):
    rows = bench.table("native", "trades", "--combination", 0)
    equal(list(rows[0])[-2:], ["mae", "mfe"], "last columns")
    expect(len(rows) > 50, len(rows))
    for row in rows:
        mae, mfe = float(row["mae"]), float(row["mfe"])
        expect(mae <= 0 <= mfe, row)
        expect(math.copysign(1, mfe) > 0, f"{row}: mfe is -0")
        if row["return"]:  # nothing costs anything here
            expect(mae - 1e-12 <= float(row["return"]) <= mfe + 1e-12, row)
        if row["exit_rule"] == "stop":
            expect(math.isclose(mae, -0.03, rel_tol=1e-9), row)
    closed = [r for r in rows if r["exit_bar"]]
    metrics = bench.table("native", "combinations")[0]
    worst = min(float(r["mae"]) for r in closed) * 100
    expect(math.isclose(float(metrics["worst_mae_pct"]), worst, rel_tol=1e-12), worst)
    mean = sum(float(r["mfe"]) for r in closed) / len(closed) * 100
    expect(math.isclose(float(metrics["avg_mfe_pct"]), mean, rel_tol=1e-9), mean)


@test("sides, fills and turnover add up to the trades")
def counts(bench):
    rows = bench.table("native", "trades", "--combination", 1)
    m = {k: float(v) for k, v in bench.table("native", "combinations")[1].items()
         if v and k not in ("status",)}
    closed = [r for r in rows if r["exit_bar"]]
    longs = [float(r["pnl"]) for r in closed if r["direction"] == "long"]
    equal(m["trades"], len(closed), "trades")
    equal(m["fills"], len(closed) + len(rows), "fills")
    equal(m["trades_long"], len(longs), "long trades")
    equal(m["trades_short"], len(closed) - len(longs), "short trades")
    expect(math.isclose(m["pnl_long"], sum(longs), rel_tol=1e-9), sum(longs))
    traded = sum(float(r["size"]) * (float(r["entry_price"]) + float(r["exit_price"] or 0))
                 for r in rows)
    equity = [float(r["equity"]) for r in bench.table("native", "equity", "--combination", 1)]
    expect(math.isclose(m["turnover"], traded / (sum(equity) / len(equity)), rel_tol=1e-9), traded)


@test("vetoes and resizes of risk are counted, and shown where there are any")
def risk(bench):
    path = bench.folder / "risk.yaml"
    text = CONFIG.format(profile="native") + "risk: {max_exposure: 0.5, cooldown_bars: 10}\n"
    path.write_text(text, encoding="ascii")
    run = bench.program.sweep(path)["run"]
    rows = list(csv.DictReader(io.StringIO(
        bench.program.run("export", run, "--what", "combinations"))))
    for row in rows[:2]:
        entries = [r for r in csv.DictReader(io.StringIO(bench.program.run(
            "export", run, "--what", "trades", "--combination", row["combination"])))]
        expect(float(row["risk_vetoes"]) > 0, row["risk_vetoes"])
        equal(float(row["risk_resizes"]), len(entries), "each entry is cut to half of equity")
    for name in ("risk_vetoes", "risk_resizes"):
        equal(rows[2][name], "0", f"{name} without trades")
        expect(name in bench.program.run("show", run), f"{name} is not shown")
        expect(name not in bench.program.run("show", bench.run_of("native")), f"{name} is shown")


@test("entries that come to nothing are counted in every profile, and shown")
def dropped(bench):
    for profile in PROFILES:
        path = bench.folder / "dropped.yaml"
        path.write_text(CONFIG.format(profile=profile).replace("lot: 0", "lot: 1000000"),
                        encoding="ascii")
        run = bench.program.sweep(path)["run"]
        rows = list(csv.DictReader(io.StringIO(
            bench.program.run("export", run, "--what", "combinations"))))
        for row in rows[:2]:
            equal(row["fills"], "0", "no lot can be paid for")
            expect(float(row["entries_dropped"]) > 0, row["entries_dropped"])
            equal(float(row["debt_forgiven"]), 0, profile)
            equal(float(row["slippage_cost"]), 0, profile)
        equal(rows[2]["entries_dropped"], "0", "without signals")
        expect("entries_dropped" in bench.program.run("show", run), "not shown")
    expect("entries_dropped" not in bench.program.run("show", bench.run_of("native")), "shown")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(run_all(Bench(sys.argv[1], pathlib.Path(folder))))


if __name__ == "__main__":
    main()
