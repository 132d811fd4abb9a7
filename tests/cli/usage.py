#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: every command explains itself, its JSON is JSON, its exit code says what went wrong, and
neither a closed pipe, a full disk nor missing descriptors upset it.

    usage.py BUILD_FOLDER     writes TAP
"""

import csv
import io
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

SEED = """type: optimization
data: {symbols: [SPX]}
strategies:
  - type: momentum
    parameters:
      lookback_period: [10, 20]
      signal_threshold: [0.01, 0.02]
optimization:
  parameter_grids:
    initial_capital: [10000, 50000]
risk:
  max_position_size: 1000
  commission: 0.001
execution:
  commission: 0.001
  slippage: 0.0005
"""

BILLION = """type: optimization
data: {symbols: [SPX]}
strategies:
  - type: sma_cross
    parameters:
      fast_period: {from: 1, to: 1000, step: 1}
      slow_period: {from: 1, to: 1000, step: 1}
    where: fast_period < slow_period
optimization:
  parameter_grids: {commission: {from: 0, to: 0.0999, step: 0.0001}}
"""

COMMANDS = ["import", "data list", "data info", "data export", "plan", "run", "runs", "show",
            "digest", "export", "indicator", "catalog", "store info", "store verify", "doctor"]


class Bench:
    """A store with one symbol and one run of the seed's example."""

    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.config = folder / "seed.yaml"
        self.config.write_text(SEED)
        self.program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
        self.program.run("run", self.config, "--quiet")

    def lines(self):
        """A command line of each command that prints data."""
        return [["data", "list"], ["data", "info", "SPX"], ["data", "export", "SPX"],
                ["plan", self.config], ["plan", self.config, "--json"], ["runs"],
                ["show", "last"], ["show", "last", "--json"], ["digest", "last"],
                ["export", "last", "--what", "combinations"],
                ["indicator", "close", "--symbol", "SPX"], ["catalog", "metrics"],
                ["store", "info"], ["store", "verify"], ["doctor"], ["help"]]

    def call(self, *args, **more):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, **more}
        return subprocess.run(self.program.argv(*args), check=False, **streams)


@test("every command explains itself, an example first")
def explains(bench):
    listed = bench.program.run("--help")
    for command in COMMANDS:
        expect(f"\n  {command} " in listed, f"--help lists {command}")
        words = command.split()
        ways = [bench.program.run(*words, "--help"), bench.program.run("help", *words)]
        equal(ways[0], ways[1], f"help of {command}")
        expect(ways[0].startswith(f"  admf {command}") or "| admf" in ways[0].splitlines()[0],
               f"an example stands first in the help of {command}")


@test("what does not exist is unknown, with what does")
def unknown(bench):
    for word in ["top", "report", "check", "bench", "bogus"]:
        done = bench.call(word)
        equal(done.returncode, 2, word)
        expect(b"unknown command" in done.stderr and b"doctor" in done.stderr, done.stderr)


@test("JSON is JSON")
def is_json(bench):
    lists = ["indicators", "strategies", "components", "metrics", "errors"]
    for args in (["plan", bench.config], ["runs"], ["show", "last"], ["data", "list"],
                 ["data", "info", "SPX"], ["store", "info"], ["store", "verify"], ["doctor"],
                 *(["catalog", name] for name in lists)):
        expect(json.loads(bench.program.run(*args, "--json")), args)


@test("the seed's example plans as 19 containers instead of 33")
def seed(bench):
    plan = json.loads(bench.program.run("plan", bench.config, "--json"))
    equal(plan["combinations"], 8, "combinations")
    equal(plan["series"], ["roc(close,10)", "roc(close,20)"], "series")
    containers = plan["containers"]
    equal((containers["total"], containers["naive_total"]), (19, 33), "containers")
    expect(math.isclose(containers["saving_frac"], 14 / 33), "saving")
    shared = containers["risk"] + containers["execution"]
    equal([c["container_id"] for c in shared], ["risk_0", "execution_0"], "ids")
    equal(containers["risk"][0]["serves_combinations"], list(range(8)), "served")
    equal([wire["name"] for wire in plan["wiring"]],
          ["hub_to_strategies", "strategies_to_risk_0", "risk_to_execution_0",
           "execution_0_to_portfolios"], "wiring")
    equal(containers["portfolio"][4]["config"]["initial_capital"], 50000, "capital")
    equal(containers["strategy"][1]["config"]["parameters"],
          {"lookback_period": 10, "signal_threshold": 0.02}, "parameters")


@test("a billion combinations are planned in little time and memory")
def billion(bench):
    config = bench.folder / "billion.yaml"
    config.write_text(BILLION)
    text = bench.program.run("plan", config, "--json")
    plan = json.loads(text)
    equal(plan["combinations"], 499500000, "combinations")
    equal(plan["containers"]["execution_count"], 1000, "execution containers")
    equal(plan["containers"]["execution"][7]["serves_count"], 499500, "served by one")
    equal(plan["series_count"], 1000, "series")
    expect(len(text) < 1 << 24, "the plan stays small")


@test("the leaderboard is sorted and filtered as asked")
def leaderboard(bench):
    shown = json.loads(bench.program.run("show", "last", "--json", "--sort", "trades", "--top", 5))
    trades = [entry["metrics"]["trades"] for entry in shown["leaderboard"]]
    equal(trades, sorted(trades, reverse=True), "trades")
    equal(len(trades), 5, "entries")
    where = "lookback_period == 10"
    shown = json.loads(bench.program.run("show", "last", "--json", "--where", where))
    equal(sorted(entry["combination"] for entry in shown["leaderboard"]), [0, 1, 4, 5], where)


@test("indicators come as CSV: ISO times, empty where undefined, 1 and 0 for conditions")
def indicator(bench):
    expressions = ["sma(close,3)", "close > open", "adjclose"]
    text = bench.program.run("indicator", *expressions, "--symbol", "SPX")
    rows = list(csv.reader(io.StringIO(text)))
    equal(rows[0], ["timestamp", *expressions], "header")
    equal(rows[1][0], "2000-01-03T00:00:00Z", "time")
    equal([rows[1][1], rows[2][1]], ["", ""], "undefined")
    expect({row[2] for row in rows[1:]} == {"0", "1"}, "conditions")
    again = bench.program.run("indicator", "--csv", EXAMPLE_CSV, *expressions)
    equal(again, text, "from the file itself")


@test("indicators read files of other zones, and with bad rows where that is allowed")
def indicator_files(bench):
    path = bench.folder / "local.csv"
    path.write_text("time,open,high,low,close\n2024-01-02 09:30,1,2,1,2\n"
                    "2024-01-02 09:31,1,x,1,2\n2024-01-02 09:32,2,3,2,3\n")
    args = ["indicator", "close", "--csv", path, "--tz", "America/New_York"]
    equal(bench.call(*args).returncode, 65, "a bad row")
    text = bench.program.run(*args, "--lenient")
    equal(text, "timestamp,close\n2024-01-02T14:30:00Z,2\n2024-01-02T14:32:00Z,3\n", "the rest")


@test("the version is printed at once")
def version(bench):
    done = subprocess.run([bench.program.path, "--version"], check=False, capture_output=True,
                          text=True, env={})
    equal(done.returncode, 0, "exit code")
    expect(done.stdout.startswith("admf 0."), done.stdout)


@test("exit codes name what went wrong")
def exit_codes(bench):
    for expected, args in ((2, ["runs", "--frobnicate"]), (2, ["show"]),
                           (2, ["indicator", "close"]),
                           (2, ["indicator", "smaa(close,3)", "--symbol", "SPX"]),
                           (2, ["show", "last", "--sort", "bogus"]), (66, ["show", "nothing"]),
                           (66, ["digest", "nothing"]),
                           (66, ["indicator", "close", "--symbol", "NONE"]),
                           (66, ["indicator", "close", "--csv", "/nonexistent.csv"]),
                           (66, ["plan", "/nonexistent.yaml"])):
        done = bench.call(*args)
        equal(done.returncode, expected, f"{args}: {done.stderr}")
        equal(done.stdout, b"", f"stdout of {args}")


@test("a reader that leaves early is no error")
def closed_pipe(bench):
    for args in bench.lines():
        read, write = os.pipe()
        os.close(read)
        done = bench.call(*args, stdout=write)
        os.close(write)
        equal((done.returncode, done.stderr), (0, b""), args)


@test("a full disk is an error, and named")
def full(bench):
    with open("/dev/full", "wb") as device:
        for args in bench.lines():
            done = bench.call(*args, stdout=device)
            equal(done.returncode, 74, args)
            expect(b"No space left" in done.stderr, done.stderr)


@test("missing descriptors, locale, directory and home change nothing")
def bare(bench):
    plan = bench.program.argv("plan", bench.config)
    expected = bench.program.run("plan", bench.config)
    closed = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *plan], check=False)
    equal(closed.returncode, 0, "all three closed")
    gone = bench.folder / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    env = {"LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "PATH": os.environ["PATH"]}
    done = subprocess.run(["sh", "-c", script, "sh", gone, *plan], check=False, env=env,
                          capture_output=True, text=True)
    equal((done.returncode, done.stdout), (0, expected), done.stderr)


@test("nothing is coloured where nobody looks")
def plain(bench):
    for args in bench.lines():
        expect(b"\033" not in bench.call(*args).stdout, args)


def main():
    with tempfile.TemporaryDirectory(prefix="admf-usage-") as folder:
        return run_all(Bench(sys.argv[1], pathlib.Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
