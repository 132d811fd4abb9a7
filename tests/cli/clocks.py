#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: expressions see other symbols and larger timeframes by their last finished bar, whatever
way they are computed, and a run keeps the bars of symbols that it only looks at.

    clocks.py BUILD_FOLDER     writes TAP
"""

import csv
import datetime
import io
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

CONFIG = """type: optimization
data: {DATA, from: 500}
strategies:
  - type: rules
    parameters: {n: [5, 10]}
    long_entry: close > sma(close@1w, n) and REF:rsi(close, n) < 60
    long_exit: close < sma(close@1w, n) or REF:close@1M < REF:open@1M
exits: {stop_loss: [0.02, 0.05, 0.1]}
"""


def read(path):
    with open(path, encoding="ascii") as file:
        return list(csv.DictReader(file))


def day(row):
    stamp = row.get("timestamp") or row.get("date") or row.get("Date")
    return datetime.date.fromisoformat(stamp[:10])


class Bench:
    """A store with the example's bars, and with every other bar of it, scaled, as REF."""

    def __init__(self, build, folder):
        self.folder, self.build = folder, build
        self.program = Program(build, folder / "store")
        self.program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
        self.bars = list(csv.DictReader(io.StringIO(self.program.run("data", "export", "SPX"))))
        self.ref = self.bars[1::2]
        self.ref_csv = self.write_ref("ref.csv", 0.5)
        self.program.run("import", self.ref_csv, "--symbol", "REF")

    def write_ref(self, name, factor):
        path = self.folder / name
        with open(path, "w", encoding="ascii") as file:
            file.write("timestamp,open,high,low,close,volume\n")
            for row in self.ref:
                prices = [repr(float(row[k]) * factor) for k in ("open", "high", "low", "close")]
                file.write(",".join([row["timestamp"], *prices, row["volume"]]) + "\n")
        return path

    def config(self, name, data):
        path = self.folder / name
        path.write_text(CONFIG.replace("DATA", data), encoding="ascii")
        return path

    def column(self, expression):
        text = self.program.run("indicator", expression, "--symbol", "SPX")
        return [row[expression] for row in csv.DictReader(io.StringIO(text))]


def number(text):
    return float(text) if text else None


@test("a larger timeframe shows the last period before that of the bar")
def weeks(bench):
    got = bench.column("close@1w")
    last, before, week = None, None, None
    for i, row in enumerate(bench.bars):
        this = day(row).isocalendar()[:2]
        if this != week:
            before, week = last, this
        equal(number(got[i]), before, f"close@1w of {row['timestamp']}")
        last = float(row["close"])


@test("another symbol shows its last bar that is finished")
def others(bench):
    got = bench.column("REF:close")
    k = 0
    for i, row in enumerate(bench.bars):
        # its bars are longer than those of SPX: one is finished when the next one begins
        while k < len(bench.ref) and bench.ref[k]["timestamp"] <= row["timestamp"]:
            k += 1
        known = float(bench.ref[k - 2]["close"]) * 0.5 if k > 1 else None
        equal(number(got[i]), known, f"REF:close of {row['timestamp']}")
    text = bench.program.run("indicator", "sma(close,3)", "--symbol", "REF")
    own = [row["sma(close,3)"] for row in csv.DictReader(io.StringIO(text))]
    expect(set(bench.column("REF:sma(close,3)")) <= set(own), "REF:sma is not the mean of REF")


@test("any budget, mode and way of loading gives the same results; nothing looks ahead")
def same(bench):
    digests, hashes = set(), set()
    by_store = bench.config("store.yaml", "symbols: [SPX]")
    by_file = bench.config("file.yaml",
                           f"symbols: [SPX], csv: {{SPX: {EXAMPLE_CSV}, REF: {bench.ref_csv}}}")
    for config, *sets in ((by_store,), (by_file,), (by_store, "run.plane_budget=1KiB"),
                          (by_store, "run.mode=lockstep"), (by_store, "run.workers=3")):
        found = bench.program.sweep(config, *[a for s in sets for a in ("--set", s)])
        digests.add(found["digest"])
        hashes.add(found["data_hash"])
        equal((found["ok"], found["failed"]), (6, 0), "combinations")
    equal((len(digests), len(hashes)), (1, 1), "digests, hashes of data")
    expect("verdict: clean" in bench.program.run("check", by_store, "--quiet"), "look-ahead")


@test("a run finds the bars of a symbol that it only looks at, after these were imported anew")
def kept(bench):
    config = bench.config("kept.yaml", "symbols: [SPX]")
    found = bench.program.sweep(config)
    before = bench.program.run("export", "last", "--what", "trades")
    shown = json.loads(bench.program.run("show", "last", "--json"))
    equal([s["symbol"] for s in shown["symbols"]], ["SPX", "REF"], "symbols of the run")
    bench.program.run("import", bench.write_ref("other.csv", 0.7), "--symbol", "REF")
    equal(bench.program.run("export", "last", "--what", "trades"), before, "trades")
    again = bench.program.sweep(config, "--resume", found["run"])
    equal(again["digest"], found["digest"], "digest of the resumed run")
    new = bench.program.sweep(config)
    expect(new["data_hash"] != found["data_hash"], "other bars have the same hash")
    bench.program.run("import", bench.ref_csv, "--symbol", "REF")


@test("what has no bars, no column or too small a timeframe is refused by name")
def refused(bench):
    for code, talk, rule in ((66, "NOPE", "NOPE:close > 1"),
                             (78, "forecast", "REF:forecast > 1"),
                             (78, "1h", "close@1h > 1")):
        path = bench.folder / "refused.yaml"
        path.write_text("data: {symbols: [SPX]}\nstrategies:\n  - type: rules\n"
                        f"    long_entry: {rule}\n", encoding="ascii")
        done = subprocess.run(bench.program.argv("plan", path), capture_output=True, text=True,
                              check=False)
        equal(done.returncode, code, f"exit code of {rule}: {done.stderr}")
        expect(talk in done.stderr, done.stderr)
    path.write_text(f"data: {{symbols: [SPX], csv: {{SPX: {EXAMPLE_CSV}, REF: {bench.ref_csv}}}}}\n"
                    "strategies: [{type: sma_cross}]\n", encoding="ascii")
    done = subprocess.run(bench.program.argv("plan", path), capture_output=True, text=True,
                          check=False)
    equal(done.returncode, 78, done.stderr)
    expect("no rule names it" in done.stderr, done.stderr)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        return run_all(Bench(sys.argv[1], pathlib.Path(scratch)))


if __name__ == "__main__":
    sys.exit(main())
