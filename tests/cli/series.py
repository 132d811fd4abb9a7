#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: series are made when they are needed, once for all who need them, and whatever becomes
of that (no memory for them, builders killed, stopped or crashing, a run interrupted), every result
is the same bytes.

    series.py BUILD_FOLDER     writes TAP
"""

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

BARS = 5105

# Shared conditions, indicators of indicators, several outputs of one, several periods of one.
CONFIG = f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies:
  - type: rules
    name: reversion
    long_entry: rsi(close,n) < level and close > sma(close,m)
    long_exit: rsi(close,n) > 60 or close < bbands(close,m,2,2).lower
    parameters: {{n: [7, 14, 21], level: [25, 30, 35], m: [20, 50, 100]}}
  - type: rules
    name: trend
    long_entry: crosses_above(ema(close,k), ema(close,40)) and adx(14) > 15
    long_exit: crosses_below(ema(rsi(close,14),k), sma(rsi(close,14),30))
    parameters: {{k: {{from: 3, to: 22, step: 1}}}}
exits: {{stop_loss: [0.01, 0.02, 0.05], take_profit: [0.02, 0.04]}}
"""
COMBINATIONS = (27 + 20) * 6

# Far more series than a builder makes at once, for some seconds.
LONG = f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies:
  - type: sma_cross
    parameters:
      fast_period: {{from: 2, to: 101, step: 1}}
      slow_period: {{from: 102, to: 301, step: 1}}
"""


class Bench:
    """A scratch folder, two configurations, and one store a run."""

    def __init__(self, build, folder):
        self.build, self.folder, self.runs = build, folder, 0
        self.config, self.long = folder / "config.yaml", folder / "long.yaml"
        self.config.write_text(CONFIG, encoding="ascii")
        self.long.write_text(LONG, encoding="ascii")
        self.digests = {}

    def store(self):
        self.runs += 1
        return Program(self.build, self.folder / f"store{self.runs}")

    def sweep(self, *args, config=None):
        return self.store().sweep(config or self.config, *args)

    def calm(self, config=None):
        """The digest of an undisturbed run."""
        config = config or self.config
        if config not in self.digests:
            self.digests[config] = self.sweep("--workers", 2, config=config)["digest"]
        return self.digests[config]

    def troubled(self, order, *args):
        """A run whose builders obey an order of ADMF_TEST_BUILDER."""
        os.environ["ADMF_TEST_BUILDER"] = order
        try:
            return self.sweep("--workers", 2, *args)
        finally:
            del os.environ["ADMF_TEST_BUILDER"]


def builders(pid):
    """Process ids of the builders of a running admf."""
    found = []
    try:
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "admf-builder":
                found.append(int(child))
    except OSError:  # one of them has ended
        pass
    return found


def plane_memory(pid):
    """Bytes that the memory files of a running admf's plane hold, bars and series."""
    held = {}
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            try:
                if os.readlink(path).startswith(("/memfd:admf-plane", "/memfd:admf-series")):
                    found = os.stat(path)
                    held[found.st_ino] = found.st_blocks * 512
            except OSError:  # closed meanwhile
                pass
    except OSError:  # it has ended
        pass
    return sum(held.values())


def watched(program, *args):
    """A run, and all that plane_memory() was while it went on."""
    running = subprocess.Popen(program.argv("run", *args, "--workers", 2, "--json", "--quiet"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    seen = []
    while running.poll() is None:
        seen.append(plane_memory(running.pid))
        time.sleep(0.001)
    return json.loads(running.communicate()[0]), seen


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.001)
    raise AssertionError(f"{what} did not happen in {seconds} s")


@test("each series is built once, and the run says what that saved")
def built_once(bench):
    summary = bench.sweep("--workers", 2)
    series = summary["series"]
    equal(summary["ok"], COMBINATIONS, "combinations that are ok")
    equal(series["built"], series["planned"], "built of those planned")
    equal((series["recomputed"], series["left_to_workers"]), (0, 0), "recomputed, left")
    equal(series["released"], series["planned"], "released when the last user was done")
    expect(series["users"] >= COMBINATIONS, f"users: {series['users']}")
    expect(series["calculations"] <= series["planned"] * BARS, "more values than series have")
    saved = series["calculations_saved"]
    share = saved / (saved + series["calculations"])
    expect(abs(series["efficiency"] - share) < 1e-12, f"efficiency: {series['efficiency']}")
    expect(series["computing_speedup"] > 10, f"speed-up: {series['computing_speedup']}")
    expect(series["memory_saved_frac"] > 0.9, f"memory saved: {series['memory_saved_frac']}")


@test("a hundred strategies on ten indicators of a thousand bars: 98.7 % of memory, 100 times")
def design_claim(bench):
    lines = EXAMPLE_CSV.read_text(encoding="ascii").splitlines(keepends=True)[:1001]
    data = bench.folder / "thousand.csv"
    data.write_text("".join(lines), encoding="ascii")
    periods = range(5, 55, 5)
    condition = " and ".join(f"close > sma(close,{n}) * x" for n in periods)
    config = bench.folder / "claim.yaml"
    config.write_text(f"type: optimization\ndata: {{csv: {{SPX: {data}}}}}\nstrategies:\n"
                      f"  - type: rules\n    long_entry: {condition}\n"
                      f"    long_exit: close < sma(close,5)\n"
                      "    parameters: {x: {from: 0.901, to: 1, step: 0.001}}\n")
    summary, seen = watched(bench.store(), config)
    series = summary["series"]
    expect(series["memory_saved_frac"] >= 0.987, f"memory saved: {series['memory_saved_frac']}")
    expect(series["computing_speedup"] >= 100, f"speed-up: {series['computing_speedup']}")
    equal((series["built"], series["calculations"]), (11, 11 * 1000), "built, values computed")
    naive = 100 * 10 * 1000 * 8
    expect(series["bytes"] <= 0.013 * naive, f"bytes: {series['bytes']}")
    expect(0 < max(seen) <= summary["plane_bytes"], f"held {max(seen)} of {summary['plane_bytes']}")
    expect(summary["plane_bytes"] < 256 << 10, "no more memory than such series take")


TWENTY = ("sma(close,20) ema(close,20) rsi(close,14) atr(14) adx(14) cci(20) wma(close,20) "
          "mom(close,10) roc(close,10) willr(14) stddev(close,20) sma(close,50) ema(close,50) "
          "rsi(close,7) sma(volume,20) max(high,20) min(low,20) sma(open,10) ema(high,30) "
          "stddev(low,40)").split()


@test("a thousand combinations that share twenty indicators take what one takes")
def thousand_for_one(bench):
    def sweep(combinations):
        config = bench.folder / f"twenty-{combinations}.yaml"
        config.write_text(f"type: optimization\ndata: {{csv: {{SPX: {EXAMPLE_CSV}}}}}\n"
                          "strategies:\n"
                          f"  - type: rules\n    long_entry: {' + '.join(TWENTY)} > x\n"
                          f"    long_exit: {' + '.join(TWENTY)} < x - 9\n    parameters: "
                          f"{{x: {{from: 4000, to: {3999 + combinations}, step: 1}}}}\n")
        return bench.sweep("--workers", 2, config=config)["series"]
    one, all_of_them = sweep(1), sweep(1000)
    equal(all_of_them["users"], 1000 * one["users"], "users")
    expect(one["built"] == all_of_them["built"] >= 20, f"built: {one['built']}")
    for measure in ("calculations", "bytes"):
        taken = all_of_them[measure]
        expect(0 < taken <= 1.02 * one[measure], f"{measure}: {taken}")


@test("what the plan predicts is what a run measures")
def as_predicted(bench):
    program = bench.store()
    planned = json.loads(program.run("plan", bench.config, "--json"))["series_statistics"]
    series = bench.sweep("--workers", 2)["series"]
    for count in ("built", "users", "calculations", "calculations_saved"):
        equal(series[count], planned[count], count)
    for share in ("efficiency", "computing_speedup"):
        expect(abs(series[share] - planned[share]) < 1e-9, f"{share}: {planned[share]}")
    expect(series["bytes"] <= planned["bytes"] + 64 * series["planned"], f"{series['bytes']}")


@test("memory that the plane holds stays within the budget, wherever it stands")
def held_within_budget(bench):
    everything, _ = watched(bench.store(), bench.config)
    whole, series = everything["plane_bytes"], everything["series"]["bytes"]
    bars = whole - (series + 4095) // 4096 * 4096
    for budget in (bars, bars + 1, bars + 40960, whole - series // 2, whole - 1, whole, 1 << 40):
        summary, seen = watched(bench.store(), bench.config, "--set", f"run.plane_budget={budget}")
        equal(summary["digest"], everything["digest"], f"digest, budget of {budget}")
        expect(max(seen) <= summary["plane_bytes"] <= budget,
               f"budget of {budget}: {summary['plane_bytes']}, seen {max(seen)}")
        got = summary["series"]
        if budget >= whole:
            equal((got["built"], got["evicted"]), (got["planned"], 0), "built, evicted")
        if budget == bars:
            equal((got["built"], got["calculations_saved"]), (0, 0), "built, saved without room")


@test("a run that ends early has made what its batches needed, and a resumed one the rest")
def lazy(bench):
    program = bench.store()
    running = subprocess.Popen(
        program.argv("run", bench.long, "--workers", 1, "--json", "--quiet"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    wait_for(lambda: builders(running.pid), "a builder")
    time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    first = json.loads(running.communicate()[0])
    expect(first["not_run"] > 0, "it was over before it could be interrupted")
    series = first["series"]
    expect(series["built"] < series["planned"] == 300, f"built before the rest: {series['built']}")
    rest = program.sweep(bench.long, "--resume", "last", "--workers", 2)
    equal(rest["digest"], bench.calm(bench.long), "digest")
    users = rest["series"]["users"] + series["users"]
    expect(users <= 2 * 100 * 200, f"none is counted twice: {users}")


@test("what has no user left gives its memory back while the run goes on")
def given_back(bench):
    config = bench.folder / "many.yaml"  # 5,000 series, conditions among them: several extents
    config.write_text(f"type: optimization\ndata: {{csv: {{SPX: {EXAMPLE_CSV}}}}}\nstrategies:\n"
                      "  - type: rules\n    long_entry: sma(close,n) > ema(close,n) * 1.01\n"
                      "    long_exit: sma(close,n) < wma(close,n)\n"
                      "    parameters: {n: {from: 2, to: 1001, step: 1}}\n"
                      "exits: {stop_loss: {from: 0.01, to: 0.2, step: 0.01}}\n")
    summary, seen = watched(bench.store(), config)
    series = summary["series"]
    equal((series["released"], series["recomputed"]), (series["planned"], 0),
          "released, recomputed")
    expect(series["bytes"] < 0.9 * series["planned"] * BARS * 8, f"at once: {series['bytes']}")
    expect(max(seen) <= summary["plane_bytes"], "no more than it says")
    expect(min(seen[len(seen) // 2:-1]) < 0.5 * max(seen), f"more than half of {max(seen)} held")


@test("the same digest at any budget, with any number of workers, in both modes")
def any_budget(bench):
    for mode in ("free", "lockstep"):
        for workers in (1, 2, 8):
            for budget in ("1", "400KiB", "1MiB", "2MiB", "auto"):
                if mode == "lockstep" and (workers == 8 or budget == "1MiB"):
                    continue
                summary = bench.sweep("--workers", workers, "--set", f"run.plane_budget={budget}",
                                      "--set", f"run.mode={mode}")
                where = f"{mode}, {workers} workers, {budget}"
                equal(summary["digest"], bench.calm(), f"digest, {where}")
                if budget not in ("1", "auto"):
                    limit = {"400KiB": 400 << 10, "1MiB": 1 << 20, "2MiB": 2 << 20}[budget]
                    expect(summary["plane_bytes"] <= limit, f"{where}: {summary['plane_bytes']}")
                if budget == "1":
                    equal(summary["series"]["built"], 0, f"series built, {where}")


@test("builders that are killed all the time are replaced")
def killed_builders(bench):
    program = bench.store()
    running = subprocess.Popen(
        program.argv("run", bench.long, "--workers", 2, "--json", "--quiet"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    killed = 0
    while running.poll() is None:
        for pid in builders(running.pid):
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        time.sleep(0.001)
    summary = json.loads(running.communicate()[0])
    expect(killed > 0, "no builder could be killed")
    equal(summary["digest"], bench.calm(bench.long), "digest")
    equal(summary["failed"], 0, "combinations that failed")


@test("a builder that crashes at one job is replaced, and the job is done again")
def one_crash(bench):
    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT):
        summary = bench.troubled(f"{int(number)}:1")
        equal(summary["digest"], bench.calm(), "digest")
        series = summary["series"]
        equal((series["builder_deaths"], series["left_to_workers"]), (1, 0), "deaths, left")
        equal(series["built"], series["planned"], "built")


@test("what no builder can make is left to workers, with a warning")
def left_to_workers(bench):
    summary = bench.troubled(f"{int(signal.SIGSEGV)}:rsi")
    equal(summary["digest"], bench.calm(), "digest")
    series = summary["series"]
    expect(0 < series["left_to_workers"] < series["planned"], f"left: {series['left_to_workers']}")
    os.environ["ADMF_TEST_BUILDER"] = f"{int(signal.SIGSEGV)}:all"
    try:
        done = subprocess.run(bench.store().argv("run", bench.config), capture_output=True,
                              text=True, check=True, stdin=subprocess.DEVNULL)
    finally:
        del os.environ["ADMF_TEST_BUILDER"]
    expect("warning:" in done.stderr and "SIGSEGV" in done.stderr, done.stderr)


@test("every second job kills its builder, and the digest is the same")
def every_second(bench):
    for number in (signal.SIGSEGV, signal.SIGKILL):
        summary = bench.troubled(f"{int(number)}:odd")
        equal(summary["digest"], bench.calm(), "digest")
        expect(summary["series"]["builder_deaths"] > 1, "builders died")
        summary = bench.troubled(f"{int(number)}:odd", "--set", "run.mode=lockstep")
        equal(summary["digest"], bench.calm(), "digest in lockstep")


@test("a stopped builder is given up in time")
def stopped_builder(bench):
    summary = bench.troubled(f"{int(signal.SIGSTOP)}:2")
    equal(summary["digest"], bench.calm(), "digest")
    equal(summary["series"]["builder_deaths"], 1, "builders given up")


@test("a run that is interrupted while series are made goes on, with the same digest")
def interrupted(bench):
    for wait_s in (0.0, 0.05, 0.2, 0.5):
        program = bench.store()
        running = program.start("run", bench.long, "--workers", 2, "--quiet")
        wait_for(lambda: builders(running.pid), "a builder")  # noqa: B023
        time.sleep(wait_s)
        running.send_signal(signal.SIGINT)
        expect(running.wait(timeout=60) in (0, 130), f"exit code {running.returncode}")
        resumed = program.sweep(bench.long, "--resume", "last")
        equal(resumed["digest"], bench.calm(bench.long), f"digest after {wait_s} s")


@test("no builder outlives its supervisor")
def orphans(bench):
    running = bench.store().start("run", bench.long, "--workers", 2, "--quiet")
    pids = wait_for(lambda: builders(running.pid), "a builder")
    running.kill()
    running.wait()

    def gone():
        return not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids)
    wait_for(gone, "the builders' end")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(run_all(Bench(sys.argv[1], pathlib.Path(scratch))))
