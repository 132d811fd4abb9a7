#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: every command does what its help says, from a shell, a pipe or a program, and says what
is wrong, where, and how to mend it.

    commands.py BUILD_FOLDER     writes TAP
"""

import csv
import io
import json
import math
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program, children  # noqa: E402
from tap import equal, expect, open_terminal, run_all, test  # noqa: E402

SEED = """type: optimization
data: {{csv: {{SPX: {csv}}}}}
strategies:
  - type: momentum
    parameters:
      lookback_period: [10, 20]     # 2 values
      signal_threshold: [0.01, 0.02] # 2 values = 4 strategy combinations

optimization:
  parameter_grids:
    initial_capital: [10000, 50000]  # 2 values
    # Total: 4 x 2 = 8 total combinations

risk:
  max_position_size: 1000
  commission: 0.001               # SAME for all combinations

execution:
  commission: 0.001               # SAME for all combinations
  slippage: 0.0005               # SAME for all combinations
"""

SWEEP = """type: optimization
data: {symbols: [SPX]}
strategies:
  - type: sma_cross
    parameters: {fast_period: [5, 10, 40], slow_period: [20, 50, 100]}
execution: {commission: 0.001}
"""

RULES = """data: {{symbols: [SPX]}}
strategies:
  - type: rules
    parameters: {{n: 3}}
    long_entry: {}
"""

COMMANDS = ("import", "data list", "data info", "data export", "plan", "check", "run", "runs",
            "show", "digest", "export", "indicator", "catalog", "store info", "store verify", "doctor")


class Bench:
    """A scratch folder and a store with one symbol and one run in it."""

    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
        self.run_id = self.program.run("run", self.file("sweep.yaml", SWEEP),
                                       "--quiet").splitlines()[-1].split()[1]

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def fails(self, code, *args, talk=""):
        """Runs a command that must leave with a code, and whose talk must hold a text."""
        done = subprocess.run(self.program.argv(*args), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=60)
        equal(done.returncode, code, f"exit code of {' '.join(map(str, args))}: {done.stderr}")
        expect(talk in done.stderr, f"{talk!r} is not in: {done.stderr}")
        return done.stderr

    def table(self, *args):
        return list(csv.DictReader(io.StringIO(self.program.run(*args))))


@test("the seed's example plans as 8 combinations in 19 containers instead of 33, with its wiring")
def seed_plan(bench):
    config = bench.file("seed.yaml", SEED.format(csv=EXAMPLE_CSV))
    plan = json.loads(bench.program.run("plan", config, "--json"))
    containers = plan["containers"]
    equal((plan["combinations"], containers["total"], containers["naive_total"]), (8, 19, 33),
          "combinations, containers, naive")
    expect(abs(containers["saving_frac"] - 14 / 33) < 1e-12, "saving")
    equal([len(containers[k]) for k in ("risk", "execution", "portfolio", "strategy")],
          [1, 1, 8, 8], "containers by kind")
    equal(containers["risk"][0]["serves_combinations"], list(range(8)), "who risk_0 serves")
    equal([p["config"]["initial_capital"] for p in containers["portfolio"]],
          [10000] * 4 + [50000] * 4, "capital by combination")
    wiring = {w["name"]: w for w in plan["wiring"]}
    equal({n: (w["type"], w["event_types"]) for n, w in wiring.items()},
          {"hub_to_strategies": ("broadcast", ["BAR", "TICK", "FEATURE"]),
           "strategies_to_risk_0": ("selective", ["SIGNAL"]),
           "risk_to_execution_0": ("pipeline", ["ORDER"]),
           "execution_0_to_portfolios": ("selective", ["FILL"])}, "wiring")
    equal(wiring["execution_0_to_portfolios"]["routing_key"], "target_portfolio", "routing")
    equal(plan["series"], ["roc(close,10)", "roc(close,20)"], "series")
    equal(containers["strategy"][1]["config"]["parameters"],
          {"lookback_period": 10, "signal_threshold": 0.02}, "parameters")
    bench.program.run("run", config, "--quiet")


@test("commissions by slippages give execution containers, risk_configs give risk containers")
def sharing(bench):
    text = SEED.format(csv=EXAMPLE_CSV).replace(
        "    initial_capital: [10000, 50000]  # 2 values",
        "    commission: [0.001, 0.005]\n    slippage: [0.0005, 0.001]")
    plan = json.loads(bench.program.run("plan", bench.file("grid.yaml", text), "--json"))
    equal([len(plan["containers"][k]) for k in ("execution", "risk")], [4, 1], "execution, risk")
    plan = json.loads(bench.program.run("plan", bench.file("two.yaml", """type: optimization
data: {symbols: [SPX]}
strategies:
  - type: momentum
    parameters: {lookback_period: [10, 20]}
    risk_config: {max_position_size: 1000}
  - type: mean_reversion
    parameters: {rsi_period: [14, 21]}
    risk_config: {max_position_size: 2000}
"""), "--json"))
    equal([c["config"]["max_position_size"] for c in plan["containers"]["risk"]], [1000, 2000],
          "risk containers")


@test("the series of a plan stand by levels, with users and what sharing saves, and as a graph")
def series_of_a_plan(bench):
    config = bench.file("levels.yaml", """type: optimization
data: {symbols: [SPX]}
strategies:
  - type: rules
    parameters: {n: [10, 20]}
    long_entry: rsi(close, 14) < 30 and close > sma(ema(close, 5), n)
    long_exit: rsi(close, 14) > 70
exits: {stop_loss: {from: 0.01, to: 0.1, step: 0.01}}
""")
    plan = json.loads(bench.program.run("plan", config, "--json"))
    equal(plan["series_levels"], {"base": 1, "derived": 2, "complex": 5}, "levels")
    equal((plan["series_count"], plan["conditions_count"]), (4, 3), "series, conditions")
    users = {s["key"]: s["users"] for s in plan["series_detail"]}
    equal((users["rsi(close,14)"], users["rsi(close,14) > 70"], users["sma(ema(close,5),20)"]),
          (20, 20, 10), "users")
    statistics = plan["series_statistics"]
    equal((statistics["built"], statistics["users"]), (7, 100), "built, users")
    rows = plan["series_detail"][0]["rows"]
    equal((statistics["calculations"], statistics["naive_calculations"]), (7 * rows, 100 * rows),
          "calculations")
    table = bench.program.run("plan", config, "--series")
    levels = [line.split()[0] for line in table.splitlines()[1:9]]
    equal(levels, ["base"] + ["derived"] * 2 + ["complex"] * 5, "order of levels")
    graph = bench.program.run("plan", config, "--series", "--format", "dot")
    equal(graph.count("subgraph cluster_"), 3, "clusters")
    expect(graph.startswith("digraph") and graph.count("{") == graph.count("}"), graph)
    nodes = dict(re.findall(r'(n\d+) \[label="(.*?)\\n', graph))
    edges = {(nodes[a], nodes[b]) for a, b in re.findall(r"(n\d+) -> (n\d+);", graph)}
    expect(("close", "ema(close,5)") in edges and ("rsi(close,14)", "rsi(close,14) > 70") in edges,
           f"edges: {edges}")
    bench.fails(2, "plan", config, "--series", "--format", "csv", talk="dot")


@test("signal bits that float32 changes are counted, and part of a plan's JSON where it is asked")
def compare_dtype(bench):
    config = bench.file("compare.yaml", SWEEP)
    text = bench.program.run("plan", config, "--compare-dtype")
    expect("signal bits" in text and "per million" in text, text)
    found = json.loads(bench.program.run("plan", config, "--compare-dtype", "--json"))
    found = found["compare_dtype"]
    expect(not found["is_sample"] and found["bits"] > 0, f"{found}")
    equal(found["differing"] * 1e6 / found["bits"], found["per_million"], "per million")


@test("a grid is planned by number: a billion is small, more than 10^12 is refused with its count")
def huge_grids(bench):
    text = SWEEP.replace("[5, 10, 40]", "{from: 1, to: 100, step: 1}").replace(
        "[20, 50, 100]", "{from: 101, to: 200, step: 1}")
    grids = "optimization: {{parameter_grids: {{initial_capital: {{from: 1, to: {}, step: 1}}}}}}\n"
    out = bench.program.run("plan", bench.file("big.yaml", text + grids.format(10**5)), "--json")
    plan = json.loads(out)
    expect(len(out) < 1 << 24, "the plan grew with the grid")
    equal((plan["combinations"], plan["series_count"]), (10**9, 200), "combinations, series")
    expect(len(plan["containers"]["portfolio"]) <= 1000, "a list grew with the grid")
    bench.fails(78, "plan", bench.file("huge.yaml", text + grids.format(10**10)),
                talk="100000000000000")


@test("wrong input leaves with the right code and names the place")
def wrong_input(bench):
    bad = bench.file("bad.csv", "date,open,high,low,close\n2020-01-01,1,2,0.5,1\n2020-01-02,1,x,1,1\n")
    for code, talk, *args in (
            (2, "did you mean", "rnu", "x.yaml"),
            (2, "--workrs", "run", "x.yaml", "--workrs", "2"),
            (2, "", "run"),
            (66, "no-such.yaml", "run", "no-such.yaml"),
            (66, "no-such.csv", "import", "no-such.csv", "--symbol", "X"),
            (65, "bad.csv:3:14", "import", bad, "--symbol", "X"),
            (66, "NOPE", "data", "info", "NOPE"),
            (66, "nope", "show", "nope"),
            (78, "wrong.yaml:5:5", "plan", bench.file("wrong.yaml", SWEEP.replace(
                "    parameters:", "    paramters:"))),
            (78, "period", "plan", bench.file("range.yaml", SWEEP.replace("[5, 10, 40]", "[0]"))),
            (78, "sandbox", "plan", bench.file("later.yaml", SWEEP +
                                                    "limits: {sandbox: true}\n")),
            (78, "a second time", "plan", bench.file("twice.yaml", SWEEP + "type: backtest\n")),
            (78, "ahead.yaml:5:17: long_entry: column 14: n of shift(x, n) is -1", "plan",
             bench.file("ahead.yaml", RULES.format("shift(close, -1) > close"))),
            (78, 'did you mean "close"?', "run", bench.file("typo.yaml", RULES.format(
                "clos > sma(close, n)"))),
            (78, "half.yaml:5:17: long_entry: ", "plan", bench.file("half.yaml", RULES.format(
                "sma(close, n / 2) > close"))),
            (78, "unused.yaml:4:18: parameters: ", "plan", bench.file("unused.yaml", RULES.format(
                "close > open"))),
            (78, "late.yaml:2:30: data.from and data.to leave no bar", "plan",
             bench.file("late.yaml", SWEEP.replace("[SPX]", "[SPX], from: 2099-01-01"))),
            (2, "", "export", "last", "--what", "nonsense"),
            (2, "sharp", "show", "last", "--sort", "sharp")):
        bench.fails(code, *args, talk=talk)


@test("every command has help that begins with an example")
def help_texts(bench):
    listing = bench.program.run("--help")
    for command in COMMANDS:
        expect(f"\n  {command} " in listing, f"{command} is not in the list")
        text = bench.program.run(*command.split(), "--help")
        equal(bench.program.run("help", *command.split()), text, f"help {command}")
        expect(text.startswith(f"  admf {command}") or "| admf" in text.splitlines()[0],
               f"the help of {command} does not begin with an example")


@test("results come out alike as CSV, JSON, JSON lines and SQLite")
def formats(bench):
    rows = bench.table("export", bench.run_id, "--what", "combinations")
    equal(len(rows), 9, "combinations")
    equal(list(rows[0])[:4], ["combination", "status", "fast_period", "slow_period"], "columns")
    equal([r["status"] for r in rows if float(r["fast_period"]) >= float(r["slow_period"])],
          ["invalid"], "what the strategy refuses")
    text = bench.program.run("export", bench.run_id, "--what", "combinations", "--format", "json")
    lines = bench.program.run("export", bench.run_id, "--what", "combinations", "--format", "jsonl")
    equal(json.loads(text), [json.loads(line) for line in lines.splitlines()], "JSON")
    file = bench.folder / "out.sqlite"
    bench.program.run("export", bench.run_id, "--what", "combinations", "--format", "sqlite", "-o",
                      file)
    with sqlite3.connect(file) as database:
        sharpe = [r[0] for r in database.execute("select sharpe from combinations")]
    for row, from_json, from_sqlite in zip(rows, json.loads(text), sharpe):
        expected = float(row["sharpe"]) if row["sharpe"] else None
        equal((from_json["sharpe"], from_sqlite), (expected, expected), "sharpe")


@test("the leaderboard sorts and filters by any metric or parameter")
def leaderboard(bench):
    board = json.loads(bench.program.run("show", bench.run_id, "--json", "--sort", "trades",
                                         "--where", "slow_period > 20 and trades > 0"))
    trades = [entry["metrics"]["trades"] for entry in board["leaderboard"]]
    equal(trades, sorted(trades, reverse=True), "trades")
    equal(sorted(entry["combination"] for entry in board["leaderboard"]), [1, 2, 4, 5, 7, 8],
          "combinations that the condition keeps")
    text = bench.program.run("show", bench.run_id, "--sort", "return_pct", "--top", 3)
    expect("return_pct" in text, "no column of what it is sorted by")
    expect("slow_period" in json.dumps(board), "no parameters in JSON")
    rows = bench.table("export", bench.run_id, "--what", "combinations")
    best = max((r for r in rows if r["sharpe"]), key=lambda r: float(r["sharpe"]))
    first = bench.program.run("show", bench.run_id, "--top", 1)
    expect(re.search(rf"^\s*{best['combination']}\s", first, re.MULTILINE), "not the best first")


@test("indicator prints expressions over a file or a symbol as CSV")
def indicator(bench):
    for source in (("--csv", EXAMPLE_CSV), ("--symbol", "SPX")):
        rows = bench.table("indicator", "sma(close,3)", "close > shift(close, 1)",
                           "bbands(close,5,2,2).upper - adjclose", *source)
        closes = [float(r["close"]) for r in csv.DictReader(open(EXAMPLE_CSV, encoding="ascii"))]
        equal(list(rows[0])[:3], ["timestamp", "sma(close,3)", "close > shift(close, 1)"], "header")
        equal([r["sma(close,3)"] for r in rows[:2]], ["", ""], "warm-up")
        equal(rows[0]["timestamp"], "2000-01-03T00:00:00Z", "time")
        for i in range(2, 50):
            mean = math.fsum(closes[i - 2:i + 1]) / 3
            expect(abs(float(rows[i]["sma(close,3)"]) - mean) < 1e-9 * mean, f"sma at {i}")
            equal(rows[i]["close > shift(close, 1)"], str(int(closes[i] > closes[i - 1])), "rise")
    bench.fails(2, "indicator", "smma(close,3)", "--symbol", "SPX", talk="sma")


@test("the catalogue lists what there is, for people and programs, by protocol")
def catalog(bench):
    strategies = json.loads(bench.program.run("catalog", "strategies", "--json"))
    names = {s["name"] for s in strategies}
    expect({"sma_cross", "momentum", "mean_reversion", "bollinger", "breakout", "macd_cross",
            "buy_and_hold", "rules"} <= names, f"strategies are missing: {names}")
    for what in ("indicators", "strategies", "components", "metrics", "errors"):
        rows = json.loads(bench.program.run("catalog", what, "--json"))
        text = bench.program.run("catalog", what)
        for row in rows:
            expect(row["name"] in text, f"{row['name']} of {what} is not in the text")
    rows = json.loads(bench.program.run("catalog", "components", "--protocol", "RiskManager",
                                        "--json"))
    expect({r["name"] for r in rows} == {"risk_manager", "shared_risk_manager"}, f"found {rows}")


@test("bars survive an export and an import, and older runs find theirs after a re-import")
def bars_by_content(bench):
    copy = bench.file("copy.csv", bench.program.run("data", "export", "SPX"))
    bench.program.run("import", copy, "--symbol", "COPY")
    infos = [json.loads(bench.program.run("data", "info", s, "--json")) for s in ("SPX", "COPY")]
    equal(infos[0]["data_hash"], infos[1]["data_hash"], "hash of the same bars")
    trades = bench.program.run("export", bench.run_id, "--what", "trades", "--combination", 0)
    short = bench.file("short.csv", "".join(open(copy, encoding="ascii").readlines()[:500]))
    bench.program.run("import", short, "--symbol", "SPX")
    equal(bench.program.run("export", bench.run_id, "--what", "trades", "--combination", 0), trades,
          "trades after the name has moved")
    bench.program.run("import", copy, "--symbol", "SPX")


@test("a run is found by its id, a prefix of it, and `last`; runs lists it")
def run_names(bench):
    runs = json.loads(bench.program.run("runs", "--json"))
    expect(bench.run_id in json.dumps(runs), "the run is not listed")
    digest = bench.program.run("digest", bench.run_id)
    expect(re.fullmatch(r"[0-9a-f]{32}\n", digest), f"digest {digest!r}")
    equal(bench.program.run("digest", bench.run_id[:-2]), digest, "digest by prefix")


@test("output into a closed pipe ends quietly, onto a full disk with 74")
def closed_pipe(bench):
    plan = bench.file("plan.yaml", SWEEP)
    for args in (("export", bench.run_id, "--what", "combinations"), ("data", "list"),
                 ("data", "info", "SPX"), ("data", "export", "SPX"), ("plan", plan),
                 ("plan", plan, "--json"), ("catalog", "indicators"), ("show", bench.run_id),
                 ("show", bench.run_id, "--json"), ("digest", bench.run_id), ("runs",), ("--help",),
                 ("indicator", "close", "--symbol", "SPX"), ("store", "info"), ("store", "verify"),
                 ("doctor",)):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(bench.program.argv(*args), stdout=write, stderr=subprocess.PIPE,
                              check=False, text=True)
        os.close(write)
        equal((done.returncode, done.stderr), (0, ""), f"{args} into a closed pipe")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(bench.program.argv(*args), stdout=full, check=False,
                                  stderr=subprocess.PIPE, text=True)
        equal(done.returncode, 74, f"exit code of {args} on a full disk")
        expect("No space left" in done.stderr, f"{args}: {done.stderr}")


@test("progress is drawn on a terminal alone")
def progress(bench):
    config = bench.file("longer.yaml", SWEEP.replace("[5, 10, 40]", "{from: 1, to: 99, step: 1}")
                        .replace("[20, 50, 100]", "{from: 100, to: 160, step: 1}"))
    leader, follower = open_terminal()
    running = subprocess.Popen(bench.program.argv("run", config), stdout=subprocess.DEVNULL,
                               stderr=follower, stdin=subprocess.DEVNULL)
    os.close(follower)
    talk = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        talk += part
    running.wait()
    expect(b"\r" in talk and re.search(rb"\d+/6039", talk), f"no progress line: {talk[:200]}")
    done = subprocess.run(bench.program.argv("run", config), capture_output=True, check=False)
    expect(b"\r" not in done.stderr and b"\x1b" not in done.stderr, "control characters in a pipe")


@test("a name with control characters cannot reach the terminal raw")
def hostile_names(bench):
    config = bench.file("hostile.yaml", SWEEP.replace(
        "  - type: sma_cross\n", '  - type: sma_cross\n    name: "a\\e[31m=cmd\\u0007"\n'))
    done = subprocess.run(bench.program.argv("plan", config), capture_output=True, check=False)
    expect(b"\x1b[31m" not in done.stdout + done.stderr, "an escape sequence came through")


@test("verify finds a clean store clean and a damaged one damaged")
def verify(bench):
    bench.program.run("store", "verify")
    bench.program.run("store", "info", "--json")
    copy = bench.folder / "damaged"
    copy.mkdir()
    data = bytearray((pathlib.Path(bench.program.store) / "data.mdb").read_bytes())
    for at in range(20000, len(data) - 100, 4096):
        data[at] ^= 0xff
    (copy / "data.mdb").write_bytes(data)
    done = subprocess.run([bench.program.path, "store", "verify", "--store", str(copy)],
                          capture_output=True, check=False)
    equal(done.returncode, 65, "exit code on damage")


@test("doctor says what is there and what is missing")
def doctor(bench):
    text = bench.program.run("doctor")
    expect("worker" in text and "nng" in text, text)
    json.loads(bench.program.run("doctor", "--json"))

@test("trades of a whole run are those of its good combinations, whatever `where` and the strategy "
      "refuse; a named one that is not good is refused with its status")
def all_trades(bench):
    config = bench.file("holes.yaml", SWEEP.replace(
        "    parameters:", "    where: fast_period != 10\n    parameters:"))
    bench.program.run("run", config, "--quiet")
    rows = bench.table("export", "last", "--what", "combinations")
    good = {r["combination"]: int(r["trades"]) + int(r["open_trades"])
            for r in rows if r["status"] == "ok"}
    equal((len(rows), len(good)), (6, 5), "combinations, good ones")
    trades = bench.table("export", "last", "--what", "trades")
    equal({n: sum(t["combination"] == n for t in trades) for n in good}, good, "trades of each")
    single = [t for n in good
              for t in bench.table("export", "last", "--what", "trades", "--combination", n)]
    equal(trades, single, "all trades and those of each")
    bad = next(r["combination"] for r in rows if r["status"] == "invalid")
    for what in ("trades", "equity"):
        bench.fails(66, "export", "last", "--what", what, "--combination", bad, talk="invalid")


@test("trades of a thousand combinations take one worker, a steady number of descriptors, and "
      "seconds; a signal ends them with its number and leaves no file")
def many_trades(bench):
    config = bench.file("many.yaml", SWEEP.replace("[5, 10, 40]", "{from: 2, to: 41, step: 1}")
                        .replace("[20, 50, 100]", "{from: 50, to: 99, step: 1}"))
    bench.program.run("run", config, "--quiet")
    out = bench.folder / "signals"
    out.mkdir()
    for number in (signal.SIGINT, signal.SIGTERM):
        running = bench.program.start("export", "last", "--what", "trades", "-o", out / "t.csv")
        counts, workers, until = set(), set(), time.monotonic() + 30
        while not workers:
            expect(running.poll() is None and time.monotonic() < until, "it ended too early")
            if list(out.iterdir()):
                workers |= set(children(running.pid))
        for _ in range(20):
            workers |= set(children(running.pid))
            counts.add(len(os.listdir(f"/proc/{running.pid}/fd")))
            time.sleep(0.005)
        running.send_signal(number)
        equal(running.wait(timeout=30), 128 + number, f"exit code of {number.name}")
        equal(list(out.iterdir()), [], f"files left by {number.name}")
        equal(len(workers), 1, "workers")
        expect(max(counts) < 64, f"descriptors: {counts}")


@test("rows of several strategies are told apart by a last column with the strategy's name")
def strategy_column(bench):
    config = bench.file("several.yaml", SWEEP.replace("execution:", """  - type: sma_cross
    name: second
    parameters: {fast_period: 5, slow_period: [20, 50]}
execution:"""))
    bench.program.run("run", config, "--quiet")
    for form in ("csv", "json"):
        text = bench.program.run("export", "last", "--what", "combinations", "--format", form)
        rows = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))
        equal(list(rows[0])[-1], "strategy", f"last column of {form}")
        equal([r["strategy"] for r in rows], ["sma_cross"] * 9 + ["second"] * 2, form)
    rows = bench.table("export", bench.run_id, "--what", "combinations")
    expect("strategy" not in rows[0], "a column that says nothing")


@test("SQLite takes the place of an SQLite database, and of nothing else")
def sqlite_overwrites(bench):
    export = ("export", bench.run_id, "--what", "combinations", "--format", "sqlite", "-o")
    keep = bench.file("keep.db", "not a database, and dear to somebody\n")
    bench.fails(73, *export, keep, talk="keep.db")
    equal(keep.read_text(), "not a database, and dear to somebody\n", "what was there")
    keep.write_text("")
    for _ in range(2):
        bench.program.run(*export, keep)
    with sqlite3.connect(keep) as database:
        equal(database.execute("select count(*) from combinations").fetchone(), (9,), "rows")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        return run_all(Bench(sys.argv[1], pathlib.Path(scratch)))


if __name__ == "__main__":
    os.environ.pop("ADMF_WORKER", None)
    sys.exit(main())
