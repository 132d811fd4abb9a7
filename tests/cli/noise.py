#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: data.noise runs each combination on altered histories of its own, the same ones for any
number of workers and after any crash; without deviation they are the history itself.

    noise.py BUILD_FOLDER     writes TAP
"""

import csv
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import ROOT, Program, children  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

RULES = """strategies:
  - type: rules
    long_entry: crosses_above(sma(close,fast), sma(close@1w,4))
    long_exit: crosses_below(sma(close,fast), sma(close@1w,4))
    parameters: {fast: [3, 5, 8]}
"""


class Bench:
    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.program.run("import", ROOT / "examples" / "sp500-2000.csv", "--symbol", "SPX")

    def config(self, name, noise=None, more=""):
        path = self.folder / f"{name}.yaml"
        data = "symbols: [SPX], to: 1500" + (f", noise: {noise}" if noise else "")
        path.write_text(f"data: {{{data}}}\n{RULES}{more}")
        return path

    def rows(self, run):
        out = self.program.run("export", run, "--what", "combinations")
        return list(csv.DictReader(out.splitlines()))

    def sweep(self, *args, **more):
        done = self.program.sweep(self.config(*args, **more))
        return done, self.rows(done["run"])


def metrics(row):
    return {key: value for key, value in row.items() if key not in ("combination", "noise_path")}


@test("without deviation every path is the history itself")
def no_deviation(bench):
    _, plain = bench.sweep("plain")
    _, still = bench.sweep("still", "{sigma: 0, paths: 2}")
    equal(len(still), 6, "paths times combinations")
    equal([row["noise_path"] for row in still], ["1"] * 3 + ["2"] * 3, "the path is the slower one")
    for path in (0, 3):
        for i in range(3):
            equal(metrics(still[path + i]), metrics(plain[i]), f"combination {i}")


@test("paths, seeds and deviations differ; the same ones are the same")
def differ(bench):
    _, first = bench.sweep("first", "{sigma: 0.003, paths: 2, seed: 1}")
    _, other = bench.sweep("other", "{sigma: 0.003, paths: 2, seed: 2}")
    _, again = bench.sweep("again", "{sigma: 0.003, paths: 3, seed: 1}")
    expect(first[0]["return_pct"] != first[3]["return_pct"], "path 1 is not path 2")
    expect(first[0]["return_pct"] != other[0]["return_pct"], "seed 1 is not seed 2")
    for i in range(6):
        equal(metrics(again[i]), metrics(first[i]), "a further path changes no other")


@test("the digest is the same for 1 and 3 workers, and when workers are killed")
def same_digest(bench):
    config = bench.config("many", "{sigma: 0.002, paths: 60}")
    digests = {bench.program.sweep(config, "--workers", n)["digest"] for n in (1, 3)}
    process = subprocess.Popen(
        bench.program.argv("run", config, "--json", "--quiet", "--workers", "2"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    killed = 0
    while process.poll() is None and killed < 3:
        for child in children(process.pid)[:1]:
            try:
                subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(child)], check=True,
                               stderr=subprocess.DEVNULL)
                killed += 1
            except subprocess.CalledProcessError:
                pass
    process.communicate()
    digests.add(bench.program.run("digest", "last").strip())
    equal(len(digests), 1, f"digests with {killed} killed")


@test("trades of an altered history are recomputed and agree with what is stored")
def details(bench):
    done, rows = bench.sweep("details", "{sigma: 0.003, paths: 2}")
    out = bench.program.run("export", done["run"], "--what", "trades", "--combination", "4")
    trades = list(csv.DictReader(out.splitlines()))
    closed = [trade for trade in trades if trade["exit_bar"]]
    equal(str(len(closed)), rows[4]["trades"], "closed trades")


@test("lockstep, which walks one history for all, refuses noise")
def lockstep(bench):
    config = bench.config("lockstep", "{sigma: 0.003, paths: 2}", "run: {mode: lockstep}\n")
    done = subprocess.run(bench.program.argv("run", config), capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    equal(done.returncode, 78, "exit code")
    expect("use run.mode free" in done.stderr, done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="admf-noise-") as folder:
        return run_all(Bench(sys.argv[1], pathlib.Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
