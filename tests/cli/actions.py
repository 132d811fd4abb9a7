#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: splits and dividends give the bars that docs/DATA.md works out by hand, and are part of
what the bars are.

    actions.py BUILD_FOLDER     writes TAP
"""

import csv
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import ROOT, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

BARS = """date,open,high,low,close,volume,view
2024-01-01,396,404,392,400,1000,1
2024-01-02,400,408,400,404,1000,2
2024-01-03,101,102,100,101,4000,3
2024-01-04,101,101,99,100,4000,4
2024-01-05,98,99,97,98,4000,5
"""
ACTIONS = """date,symbol,split,dividend
2024-01-02,ACME,,0.8
2024-01-03,ACME,4,
2024-01-05,ACME,,2
"""


class Bench:
    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.file("bars.csv", BARS)
        self.file("actions.csv", ACTIONS)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def bring(self, *args, actions="actions.csv", symbol="ACME"):
        """Imports the bars; the JSON object of it."""
        return json.loads(self.program.run("import", self.folder / "bars.csv", "--symbol", symbol,
                                           "--actions", self.folder / actions, "--json", *args))

    def raw(self, *args, **more):
        return subprocess.run(self.program.argv(*args), capture_output=True, text=True, check=False,
                              **({"stdin": subprocess.DEVNULL} | more))

    def rows(self, symbol="ACME"):
        out = self.program.run("data", "export", symbol)
        return list(csv.DictReader(out.splitlines()))

    def info(self, symbol="ACME"):
        return json.loads(self.program.run("data", "info", symbol, "--json"))


def near(found, expected, what):
    equal(len(found), len(expected), what)
    for i, (a, b) in enumerate(zip(found, expected)):
        expect(abs(a - b) <= 1e-12 * abs(b), f"{what} of bar {i}: {a!r} instead of {b!r}")


@test("the example of docs/DATA.md: adjusted prices")
def adjusted(bench):
    doc = (ROOT / "docs" / "DATA.md").read_text()
    for line in ACTIONS.splitlines():
        expect(f"    {line}\n" in doc, f"{line!r} stands in docs/DATA.md")
    table = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in doc.splitlines() if line[:3] in ("| 1", "| 2", "| 3", "| 4", "| 5")]
    table = [row for row in table if len(row) == 7]
    equal(len(table), 5, "rows of the example")
    bench.bring()
    rows = bench.rows()
    near([float(r["close"]) for r in rows], [float(t[4]) for t in table], "close")
    equal([float(r["volume"]) for r in rows], [float(t[5]) for t in table], "volume")
    equal([r["view"] for r in rows], ["1", "2", "3", "4", "5"], "further columns are kept")
    bench.bring("--dividends", "cash")
    rows = bench.rows()
    near([float(r["close"]) for r in rows], [float(t[2]) for t in table], "close under cash")
    equal([float(r["cash_dividend"]) for r in rows], [float(t[6]) for t in table], "cash_dividend")


@test("what was applied is shown, and makes other data of the bars")
def identity(bench):
    bench.program.run("import", bench.folder / "bars.csv", "--symbol", "ACME")
    plain = bench.info()
    equal(plain["actions"], None, "actions of bars as traded")
    hashes = {plain["data_hash"]}
    for how in ("adjust", "cash"):
        done = bench.bring("--dividends", how)
        info = bench.info()
        path = str(bench.folder / "actions.csv")
        equal(info["actions"], {"source": path, "splits": 1, "dividends": 2, "dividends_as": how},
              f"data info after {how}")
        equal(info["data_hash"], done["data_hash"], "hash")
        hashes.add(info["data_hash"])
        text = bench.program.run("data", "info", "ACME")
        paid_how = "as cash" if how == "cash" else "adjusted"
        expect(f"actions    1 split adjusted, 2 dividends {paid_how}, from {path}\n" in text, text)
    equal(len(hashes), 3, "hashes of bars as traded, adjusted, and with cash")
    listed = json.loads(bench.program.run("data", "list", "--json"))
    equal([s["actions"]["dividends_as"] for s in listed], ["cash"], "data list")


@test("exported bars hold their actions: importing them gives the same bars")
def round_trip(bench):
    for how in ("adjust", "cash"):
        bench.bring("--dividends", how)
        bench.program.run("data", "export", "ACME", "-o", bench.folder / "out.csv")
        bench.program.run("import", bench.folder / "out.csv", "--symbol", "AGAIN")
        equal(bench.info("AGAIN")["data_hash"], bench.info()["data_hash"], how)


@test("a run sees the bars as they were imported, and a rule can name cash_dividend")
def in_a_run(bench):
    config = bench.file("run.yaml", """data: {symbols: [ACME]}
strategies:
  - {type: rules, long_entry: cash_dividend > 0}
""")
    hashes = set()
    for how in ("adjust", "cash"):
        bench.bring("--dividends", how)
        if how == "cash":
            hashes.add(bench.program.sweep(config)["data_hash"])
        else:
            done = bench.raw("run", config)
            equal(done.returncode, 78, "no such column where dividends adjust")
            hashes.add(bench.program.sweep(bench.file("hold.yaml", """data: {symbols: [ACME]}
strategies: [{type: buy_and_hold}]
"""))["data_hash"])
    equal(len(hashes), 2, "data hashes of runs")
    out = bench.program.run("indicator", "cash_dividend", "--symbol", "ACME")
    equal([line.split(",")[1] for line in out.splitlines()[1:]], ["0", "0.20000000000000001", "0",
                                                                "0", "2"], "as a series")


@test("under cash who holds is paid, and who buys on the day itself is not")
def paid(bench):
    bench.bring("--dividends", "cash")
    hold = bench.file("hold.yaml", """data: {symbols: [ACME]}
strategies: [{type: buy_and_hold}]
portfolio: {initial_capital: 10000, sizing: {units: 10}}
""")
    bench.program.run("run", hold, "--quiet")
    out = bench.program.run("export", "last", "--what", "equity", "--combination", "0")
    rows = list(csv.DictReader(out.splitlines()))
    # Bought at the open of the second day, 100, which pays 0.2 to those who held before.
    equal([float(r["cash"]) for r in rows], [10000, 9000, 9000, 9000, 9020], "cash")
    equal([float(r["equity"]) for r in rows], [10000, 10010, 10010, 10000, 10000], "equity")
    found = bench.raw("check", hold)
    equal((found.returncode, found.stderr), (0, ""), found.stdout)


@test("data.actions and data.dividends do the same to files of data.csv")
def on_the_fly(bench):
    config = bench.file("fly.yaml", """data: {csv: {ACME: bars.csv}, actions: actions.csv}
strategies: [{type: buy_and_hold}]
portfolio: {initial_capital: 10000, sizing: {units: 10}}
""")
    resolved = bench.program.run("plan", config, "--resolved")
    expect("  actions: actions.csv\n" in resolved and "  dividends: adjust\n" in resolved, resolved)
    bench.file("again.yaml", resolved)
    hold = bench.folder / "hold.yaml"
    for how in ("adjust", "cash"):
        bench.bring("--dividends", how)
        stored = bench.program.sweep(hold)
        flown = bench.program.sweep(config, "--set", f"data.dividends={how}")
        again = bench.program.sweep(bench.folder / "again.yaml", "--set", f"data.dividends={how}")
        for key in ("data_hash", "digest"):
            equal(flown[key], stored[key], f"{how}: {key} of a run over imported bars")
            equal(again[key], stored[key], f"{how}: {key} of a run of the resolved configuration")
        out = bench.program.run("export", "last", "--what", "equity", "--combination", "0")
        equal(len(out.splitlines()), 6, "details of the run")
    for talk, *sets in (
            ("data.actions: applies to files of data.csv", "data.actions=actions.csv"),
            ("data.dividends: what becomes", "data.dividends=cash")):
        done = bench.raw("run", hold, *(word for s in sets for word in ("--set", s)))
        equal(done.returncode, 78, done.stderr)
        expect(talk in done.stderr, done.stderr)
    bench.file("bad.csv", "date,symbol,split\n2024-01-03,ACME,0\n")
    for actions, code, talk in (("bad.csv", 65, "bad.csv:2:17"), ("none.csv", 66, "none.csv"),
                                ("lower.csv", 65, "write them alike")):
        bench.file("lower.csv", ACTIONS.replace("ACME", "acme"))
        done = bench.raw("run", config, "--set", f"data.actions={actions}")
        equal(done.returncode, code, done.stderr)
        expect(talk in done.stderr, done.stderr)


@test("actions come packed, from standard input, in any order and zone")
def ways_in(bench):
    bench.bring()
    wanted = bench.info()["data_hash"]
    with gzip.open(bench.folder / "actions.csv.gz", "wt") as file:
        file.write(ACTIONS)
    bench.bring(actions="actions.csv.gz", symbol="GZ")
    lines = ACTIONS.replace(",", ";").splitlines()
    bench.file("other.csv", "\ufeff" + "\r\n".join(lines[:1] + lines[:0:-1] + [""]))
    bench.bring(actions="other.csv", symbol="ACME")
    equal(bench.info()["data_hash"], wanted, "semicolons, CR LF, a byte order mark, reverse order")
    done = bench.raw("import", bench.folder / "bars.csv", "--symbol", "ACME", "--actions", "-",
                     stdin=None, input=ACTIONS)
    equal((done.returncode, bench.info()["data_hash"]), (0, wanted), done.stderr)


@test("what has no effect is told and counted")
def without_effect(bench):
    bench.file("more.csv", ACTIONS + "2024-01-03,OTHER,2,\n2025-01-01,ACME,2,\n1999-01-01,ACME,,1\n"
               "2024-01-04,ACME,1,0\n")
    done = bench.bring(actions="more.csv")
    equal({k: v for k, v in done["actions"].items() if k != "source"},
          {"splits": 1, "dividends": 2, "dividends_as": "adjust", "outside": 2, "other_symbols": 1,
           "without_jump": 0}, "report")
    talk = bench.raw("import", bench.folder / "bars.csv", "--symbol", "ACME", "--actions",
                     bench.folder / "more.csv").stderr
    for words in ("1 row of other symbols", "1 row with neither", "2 actions outside of the bars",
                  "column view is kept as it is"):
        expect(words in talk, f"{words!r} is not in {talk!r}")
    bench.file("lower.csv", ACTIONS.replace("ACME", "acme"))
    talk = bench.raw("import", bench.folder / "bars.csv", "--symbol", "ACME", "--actions",
                     bench.folder / "lower.csv").stderr
    expect('no row of ACME, but of "acme"' in talk, talk)
    bench.file("twice.csv", "date,symbol,split\n2024-01-05,ACME,4\n")
    talk = bench.raw("import", bench.folder / "bars.csv", "--symbol", "ACME", "--actions",
                     bench.folder / "twice.csv").stderr
    expect("twice.csv:2: the prices do not jump at this split" in talk, talk)


@test("what is wrong is named by its place, and nothing is stored")
def refusals(bench):
    bench.program.run("import", bench.folder / "bars.csv", "--symbol", "ACME")
    before = bench.info()
    for code, talk, text in (
            (65, "bad.csv:2:17: found \"0\", expected new shares", "2024-01-03,ACME,0,"),
            (65, "bad.csv:2:17: found \"4:1\"", "2024-01-03,ACME,4:1,"),
            (65, "bad.csv:2:18: found \"-1\", expected money a share", "2024-01-03,ACME,,-1"),
            (65, "bad.csv:2:1: found \"2024-02-30\"", "2024-02-30,ACME,4,"),
            (65, "bad.csv:2:1: found", "2024-01-03,ACME,4"),
            (65, "bad.csv:2: a dividend of 100", "2024-01-05,ACME,,100"),
            (65, "bad.csv:3: a second split", "2024-01-03,ACME,4,\n2024-01-03,ACME,4,")):
        bench.file("bad.csv", f"date,symbol,split,dividend\n{text}\n")
        for lenient in ([], ["--lenient"]):
            done = bench.raw("import", bench.folder / "bars.csv", "--symbol", "ACME", "--actions",
                             bench.folder / "bad.csv", *lenient)
            equal((done.returncode, done.stdout), (code, ""), f"{text}: {done.stderr}")
            expect(talk in done.stderr, f"{talk!r} is not in {done.stderr!r}")
    bars = bench.folder / "bars.csv"
    for code, talk, *args in (
            (66, "none.csv", "--actions", bench.folder / "none.csv"),
            (66, "is a directory", "--actions", bench.folder),
            (2, "--dividends", "--dividends", "cash"),
            (2, "expected adjust or cash", "--actions", bars, "--dividends", "reinvest"),
            (65, "expected a header with date, symbol", "--actions", bars)):
        done = bench.raw("import", bars, "--symbol", "ACME", *args)
        equal((done.returncode, done.stdout), (code, ""), f"{args}: {done.stderr}")
        expect(talk in done.stderr, f"{talk!r} is not in {done.stderr!r}")
    equal(bench.info(), before, "what is stored")
    bench.file("wide.csv", "date,symbol,split\n" + "x" * 70000 + ",ACME,2\n")
    equal(bench.raw("import", bars, "--symbol", "ACME", "--actions",
                    bench.folder / "wide.csv").returncode, 65, "a line over 64 KiB")


@test("the store keeps what it says of actions through a verification")
def verified(bench):
    bench.bring()
    bench.program.run("store", "verify")


def main():
    with tempfile.TemporaryDirectory(prefix="admf-actions-") as folder:
        return run_all(Bench(sys.argv[1], pathlib.Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
