#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: `admf check` finds what looks ahead, names the first bar that differs, and finds nothing
where nothing looks ahead.

    check.py BUILD_FOLDER     writes TAP
"""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

HONEST = f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies:
  - {{type: sma_cross, parameters: {{fast_period: [5, 20], slow_period: [10, 50]}}}}
  - {{type: bollinger}}
  - {{type: mean_reversion}}
  - {{type: macd_cross}}
  - {{type: breakout}}
  - type: rules
    name: own
    parameters: {{n: [10, 20]}}
    long_entry: close > sma(close, n) and adjclose > shift(adjclose, 1)
    long_exit: rsi(close, n) > 70 or close < bbands(close, n, 2, 2).lower
    short_entry: crosses_below(ema(close, n), close)
    short_exit: atr(n) > 0 and close > high - atr(n)
exits: {{stop_loss: [0.02, 0.10], take_profit: 0.05}}
execution: {{commission: 0.001, slippage: 0.0005}}
"""

LEAKY = f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies:
  - {{type: leaky, parameters: {{ahead: AHEAD, kind: KIND}}}}
"""
CLOSE, LENGTH, UNSTABLE, CRASH, VOLUME = range(5)


class Bench:
    """A scratch folder, and two worker programs: the real one and one that looks ahead."""

    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.leaky = str(pathlib.Path(build).resolve() / "tests" / "fault" / "leaky-worker")

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def check(self, config, *args, code=0, leaky=False):
        """The JSON object of a check that must leave with a code."""
        done = self.raw(config, "--json", *args, leaky=leaky)
        equal(done.returncode, code, f"exit code: {done.stdout} {done.stderr}")
        return json.loads(done.stdout)

    def raw(self, *args, leaky=False):
        env = dict(os.environ, **({"ADMF_WORKER": self.leaky} if leaky else {}))
        return subprocess.run(self.program.argv("check", *args), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, env=env, timeout=300)

    def leak(self, ahead, kind, *args, code=1):
        text = LEAKY.replace("AHEAD", str(ahead)).replace("KIND", str(kind))
        return self.check(self.file("leaky.yaml", text), *args, code=code, leaky=True)


@test("built-in strategies and rules are clean, with exits and costs")
def honest(bench):
    found = bench.check(bench.file("honest.yaml", HONEST), "--combinations", 30, "--cuts", 12)
    equal((found["verdict"], found["differences"], found["failures"]), ("clean", [], []), "result")
    equal(found["compared"] + found["invalid"], found["combinations"], "combinations looked at")
    equal(len(found["cuts"]), 12, "cuts")
    equal(found["taken_as_imported"], ["adjclose"], "columns whose own look-ahead cannot be seen")
    equal(found["verdict_text"], "clean but for columns taken as given: adjclose; whether they look "
          "ahead cannot be seen here", "the verdict names them")
    expect(found["values"] > 1_000_000, "values compared")


@test("conventions and fills of every kind are clean")
def conventions(bench):
    config = bench.file("honest.yaml", HONEST)
    for settings in (["conventions=backtesting.py"], ["execution.at_end=close_at_open"],
                     ["data.warm_up=50", "data.from=2004-01-01", "data.to=2008-01-01"],
                     ["run.mode=lockstep"]):
        sets = [word for setting in settings for word in ("--set", setting)]
        found = bench.check(config, "--combinations", 10, "--cuts", 6, *sets)
        equal(found["verdict"], "clean", f"{settings}: {found['differences']}")


@test("looking ahead is found from one bar on, at closes and at volumes")
def looking_ahead(bench):
    for kind in (CLOSE, VOLUME):
        for ahead in (1, 2, 5):
            found = bench.leak(ahead, kind)
            what = f"kind {kind}, {ahead} bars ahead"
            equal(found["verdict"], "look_ahead", what)
            first = found["differences"][0]
            cut = first["cut"]["bar"]
            expect(cut - ahead <= first["bar"] <= cut, f"{what}: bar {first['bar']}, cut {cut}")
            equal((first["combination"], first["strategy"], first["symbol"]), (0, "leaky", "SPX"),
                  what)
    honest_one = bench.leak(0, CLOSE, code=0)
    equal((honest_one["verdict"], honest_one["verdict_text"]),
          ("clean", "clean, no look-ahead found"), "the same strategy, honest")


@test("the bar that it names is the first at which a run over fewer bars differs")
def first_bar(bench):
    found = bench.leak(20, LENGTH)
    first = found["differences"][0]
    equal(first["future"], "missing", "future")
    config = bench.folder / "leaky.yaml"
    os.environ["ADMF_WORKER"] = bench.leaky
    try:
        rows = []
        for to in (None, first["cut"]["time"]):
            sets = ["--set", f"data.to={to}"] if to else []
            bench.program.run("run", config, "--quiet", *sets)
            out = bench.program.run("export", "last", "--what", "equity", "--combination", "0")
            rows.append(list(csv.DictReader(out.splitlines())))
    finally:
        del os.environ["ADMF_WORKER"]
    apart = [i for i, (a, b) in enumerate(zip(*rows)) if a != b]
    equal(first["bar"], apart[0], "the first bar")
    equal(rows[0][apart[0]]["time"], first["time"], "its time")
    equal([float(row[apart[0]]["position_SPX"]) for row in rows],
          [float(first["whole"]), float(first["at_cut"])], "both positions")


@test("what is not the same twice is told apart from looking ahead")
def unstable(bench):
    found = bench.leak(0, UNSTABLE)
    equal(found["verdict"], "unstable", "verdict")
    equal({d["future"] for d in found["differences"]}, {"the same"}, "futures")


@test("a combination that crashes is named, and the others are compared")
def crash(bench):
    found = bench.leak(100, f"[{CRASH}, {CLOSE}]", "--cuts", 12)
    equal((found["verdict"], found["compared"]), ("look_ahead", 1), "verdict, compared")
    failure = found["failures"][0]
    equal((failure["combination"], failure["status"]), (0, "crashed"), "failure")
    expect("SIGSEGV" in failure["why"], failure["why"])
    found = bench.leak(100, f"[{CRASH}]", "--cuts", 12)
    equal(found["verdict"], "incomplete", "verdict of the crash alone")


@test("several symbols are cut on one clock, together and each alone")
def symbols(bench):
    lines = EXAMPLE_CSV.read_text().splitlines()
    bench.file("gaps.csv", "\n".join(lines[:1] + [line for i, line in enumerate(lines[500:3000])
                                                  if i % 3]) + "\n")
    text = HONEST.replace("{csv: {", f"{{csv: {{GAPS: {bench.folder / 'gaps.csv'}, ")
    text += "portfolio: {sizing: {percent_of_equity: 0.4}}\n"
    for settings in ([], ["--set", "data.each_symbol=true"]):
        found = bench.check(bench.file("symbols.yaml", text), *settings)
        equal(found["verdict"], "clean", f"{settings}: {found['differences']}")
    leaky = text[:text.index("strategies:")] + \
        "strategies: [{type: leaky, parameters: {ahead: 2}}]\n"
    for settings in ([], ["--set", "data.each_symbol=true"]):
        found = bench.check(bench.file("leaky2.yaml", leaky), *settings, code=1, leaky=True)
        equal(found["verdict"], "look_ahead", f"{settings}")


@test("the same seed gives the same check, another one other cuts")
def seeds(bench):
    config = bench.file("honest.yaml", HONEST)
    one, two, three = (bench.check(config, "--combinations", 4, "--seed", seed)
                       for seed in (1, 1, 2))
    equal(one, two, "the same seed")
    expect(one["cuts"] != three["cuts"], "another seed cuts elsewhere")


@test("a grid of any size is sampled, without what its strategy refuses")
def huge_grid(bench):
    text = HONEST.replace("[5, 20]", "{from: 1, to: 1000, step: 1}").replace(
        "[10, 50]", "{from: 1, to: 1000, step: 1}")
    capital = "{from: 1000, to: 200000, step: 1}"
    text += f"optimization: {{parameter_grids: {{initial_capital: {capital}}}}}\n"
    found = bench.check(bench.file("huge.yaml", text))
    expect(found["combinations"] > 10**11, found["combinations"])
    equal((found["verdict"], found["compared"]), ("clean", 16), "verdict, compared")


@test("people get a table, and the verdict as the last line")
def table(bench):
    bench.leak(2, CLOSE)
    done = bench.raw(bench.folder / "leaky.yaml", leaky=True)
    equal(done.returncode, 1, "exit code")
    lines = done.stdout.splitlines()
    expect(lines[-1].startswith("verdict: look-ahead, the future changes the past, first at bar "),
           lines[-1])
    expect("first bar" in lines[0] and "SPX" in lines[1], done.stdout)
    done = bench.raw(bench.file("honest.yaml", HONEST))
    equal((done.returncode, done.stderr), (0, ""), "exit code and talk")
    equal(done.stdout.splitlines()[-1], "verdict: clean but for columns taken as given: adjclose; "
          "whether they look ahead cannot be seen here", "verdict")


@test("what cannot be checked is said, with the exit code that fits")
def refusals(bench):
    config = bench.file("honest.yaml", HONEST)
    for code, talk, *args in (
            (2, "--cuts is a number from 1", config, "--cuts", "0"),
            (2, "--combinations is a number from 1", config, "--combinations", "10001"),
            (2, "needs CONFIG",),
            (66, "cannot be opened", bench.folder / "none.yaml"),
            (78, "no room for a cut", config, "--set", "data.to=1"),
            (78, "refuses", bench.file("refused.yaml", f"""data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies: [{{type: sma_cross, parameters: {{fast_period: 50, slow_period: 20}}}}]
""")),
            (78, "nosuch", bench.file("unknown.yaml", HONEST.replace("adjclose > ", "nosuch > "))),
            (66, "store", bench.file("store.yaml", """data: {symbols: [SPX]}
strategies: [{type: buy_and_hold}]
"""))):
        done = bench.raw(*args)
        equal(done.returncode, code, f"{args}: {done.stderr}")
        expect(talk in done.stderr, f"{talk!r} is not in {done.stderr!r}")
        equal(done.stdout, "", f"{args}: stdout")


@test("symbols of the store are checked, and nothing is written to it")
def store(bench):
    bench.program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
    path = pathlib.Path(bench.program.store)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    config = bench.file("stored.yaml", HONEST.replace(f"{{csv: {{SPX: {EXAMPLE_CSV}}}}}",
                                                      "{symbols: [SPX]}"))
    equal(bench.check(config, "--combinations", 3)["verdict"], "clean", "verdict")
    for name in ("data.mdb",):
        expect(path.joinpath(name).read_bytes() == before[name], f"{name} has changed")


@test("SIGINT ends a check with 130 and leaves nothing behind")
def interrupted(bench):
    folder = bench.folder / "tmp"
    folder.mkdir()
    env = dict(os.environ, TMPDIR=str(folder), XDG_RUNTIME_DIR="")
    config = bench.file("honest.yaml", HONEST)
    process = subprocess.Popen(
        bench.program.argv("check", config, "--combinations", "100", "--cuts", "1000"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    deadline = time.monotonic() + 60
    while not any(folder.glob("admf-run-*/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    expect(process.returncode in (130, -signal.SIGINT), f"left with {process.returncode}")
    equal(out, b"", "stdout")
    left = [str(path) for path in folder.glob("admf-run-*/*")]
    equal(left, [], "sockets left")


def main():
    with tempfile.TemporaryDirectory(prefix="admf-check-") as folder:
        return run_all(Bench(sys.argv[1], pathlib.Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
