#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the built programs: medians of five, best and worst beside them, and what is aimed at.

    run.py --build FOLDER [-o FILE.json] [--talib] [--indicator NAME]... [WORKLOAD...]

Numbers only: nothing here fails because a machine is slow.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import indicators  # noqa: E402
from program import EXAMPLE_CSV, Program, sweep_config  # noqa: E402

RUNS = 5
SYNTHETIC_BARS = 200_000
SHORT_BARS = 200
SEED = 20_000
TWENTY = ("sma(close,20) ema(close,20) rsi(close,14) atr(14) adx(14) cci(20) wma(close,20) "
          "mom(close,10) roc(close,10) willr(14) stddev(close,20) sma(close,50) ema(close,50) "
          "rsi(close,7) sma(volume,20) max(high,20) min(low,20) sma(open,10) ema(high,30) "
          "stddev(low,40)").split()


def write_walk(path, bars):
    """A geometric walk of minute bars without gaps, 3e-4 a bar, always the same."""
    rng = random.Random(SEED)
    minute, price = 946_684_800 // 60, 100.0  # 2000-01-01
    with open(path, "w", encoding="ascii") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for _ in range(bars):
            close = price * (1 + rng.gauss(0, 3e-4))
            high = max(price, close) * (1 + abs(rng.gauss(0, 1e-4)))
            low = min(price, close) * (1 - abs(rng.gauss(0, 1e-4)))
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(minute * 60))
            file.write(f"{stamp},{price:.6f},{high:.6f},{low:.6f},{close:.6f},1000\n")
            minute, price = minute + 1, float(f"{close:.6f}")
    return path


class Bench:
    """The programs, the data and the configurations; one function a workload."""

    def __init__(self, build, folder):
        self.folder = folder
        self.program = Program(build, folder / "store")
        self.long_csv = write_walk(folder / "long.csv", SYNTHETIC_BARS)
        self.import_bars(EXAMPLE_CSV, "SPX")
        self.import_bars(self.long_csv, "WALK")
        self.import_bars(write_walk(folder / "short.csv", SHORT_BARS), "SHORT")

    def import_bars(self, csv, symbol, program=None):
        (program or self.program).run("import", csv, "--symbol", symbol)

    def config(self, symbol, strategy, **parameters):
        return sweep_config(self.folder / "bench.yaml", symbol, strategy, **parameters)

    def grid(self, combinations):
        """A sweep of SHORT_BARS bars with so many combinations: 1,000 or 100,000."""
        few = combinations == 1_000
        return self.config("SHORT", "mean_reversion", rsi_period=(2, 21, 1),
                           oversold=(10, 14, 1) if few else (10, 34.5, 0.5),
                           overbought=(60, 69, 1) if few else (60, 99.6, 0.4))

    def step_ns(self, config, *args):
        result = self.program.sweep(config, "--workers", 1, *args)
        return result["wall_s"] * 1e9 / result["bar_steps"]

    def driver_example(self):
        """one worker, 10,000 SMA pairs over the example's 5,105 daily bars, start to end"""
        return self.step_ns(self.config("SPX", "sma_cross", fast_period=(5, 104, 1),
                                        slow_period=(105, 204, 1)))

    def driver_walk(self):
        """one worker, 200 SMA pairs over 200,000 bars, start to end"""
        return self.step_ns(self.config("WALK", "sma_cross", fast_period=(5, 100, 5),
                                        slow_period=(105, 195, 10)))

    def driver_brackets(self):
        """the same 200 pairs with a stop and a target, start to end"""
        return self.step_ns(self.config("WALK", "sma_cross", fast_period=(5, 100, 5),
                                        slow_period=(105, 195, 10)),
                            "--set", "exits.stop_loss=0.005", "--set", "exits.take_profit=0.01")

    def sweep_10000(self):
        """10,000 SMA pairs over the example's bars, two workers, start to end"""
        config = self.config("SPX", "sma_cross", fast_period=(5, 104, 1), slow_period=(105, 204, 1))
        start = time.monotonic()
        self.program.sweep(config, "--workers", 2)
        return time.monotonic() - start

    def supervisor(self, combinations):
        """Runs a sweep; CPU seconds of the supervisor alone, and the most memory that it had of its
        own. Pages of the store that it maps are stored results, and not counted."""
        running = self.program.start("run", self.grid(combinations), "--workers", 2, "--quiet")
        peak_bytes = 0
        while os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak_bytes = max(peak_bytes, memory_now(running.pid))
            time.sleep(0.002)
        cpu_s = cpu_time(running.pid)  # of a zombie: without its children
        if running.wait() != 0:
            raise RuntimeError(f"admf run left with {running.returncode}")
        return cpu_s, peak_bytes

    def supervisor_us(self):
        """100,000 combinations over 200 bars: CPU time of the supervisor for each"""
        return self.supervisor(100_000)[0] * 1e6 / 100_000

    def supervisor_bytes(self):
        """growth of the supervisor's own memory from 1,000 to 100,000 combinations, for each"""
        return (self.supervisor(100_000)[1] - self.supervisor(1_000)[1]) / 99_000

    def shared(self, combinations, symbol):
        """What `admf run` says after so many combinations that share 20 indicators: each is another
        threshold."""
        config = self.folder / "shared.yaml"
        terms = " + ".join(TWENTY)
        config.write_text(f"type: optimization\ndata: {{symbols: [{symbol}]}}\nstrategies:\n"
                          f"  - type: rules\n    long_entry: {terms} > x\n"
                          f"    long_exit: {terms} < x - 9\n    parameters: {{x: {{from: 1000000, "
                          f"to: {10 ** 6 - 1 + combinations}, step: 1}}}}\n", encoding="ascii")
        return self.program.sweep(config, "--workers", 2)

    def sharing_time(self):
        """processor time of building 20 indicators over 200,000 bars for 1,000 combinations, over
        that for one"""
        one, many = (self.shared(n, "WALK")["series"]["build_s"] for n in (1, 1000))
        return 100 * (many / one - 1)

    def sharing_memory(self):
        """memory of 20 series and their bars for 1,000 combinations, over that for one"""
        one, many = (self.shared(n, "SPX")["plane_bytes"] for n in (1, 1000))
        return 100 * (many / one - 1)

    def claim(self):
        """What `admf run` says of series after the design's own case."""
        data, config = self.folder / "thousand.csv", self.folder / "claim.yaml"
        with open(EXAMPLE_CSV, encoding="ascii") as file:
            data.write_text("".join(file.readlines()[:1001]), encoding="ascii")
        entry = " and ".join(f"close > sma(close,{n}) * x" for n in range(5, 55, 5))
        config.write_text(f"type: optimization\ndata: {{csv: {{SPX: {data}}}}}\nstrategies:\n"
                          f"  - type: rules\n    long_entry: {entry}\n"
                          f"    long_exit: close < sma(close,5)\n"
                          f"    parameters: {{x: {{from: 0.901, to: 1, step: 0.001}}}}\n",
                          encoding="ascii")
        return self.program.sweep(config)["series"]

    def claim_memory(self):
        """memory saved, 100 strategies on 10 indicators of 1,000 bars"""
        return 100 * self.claim()["memory_saved_frac"]

    def claim_computing(self):
        """the same, values that each strategy by itself would have computed over those that were"""
        return self.claim()["computing_speedup"]

    def import_rate(self):
        """rows of CSV imported a second, 200,000 bars"""
        store = self.folder / f"import-{time.monotonic_ns()}"
        start = time.monotonic()
        self.import_bars(self.long_csv, "WALK", Program(self.program.path[:-len("/admf")], store))
        return SYNTHETIC_BARS / (time.monotonic() - start)


def memory_now(pid):
    """Anonymous resident bytes of a process; 0 once it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except ProcessLookupError:
        pass
    return 0


def cpu_time(pid):
    """User and system seconds of a process, without its children's."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# name, unit, whether less is better, what is aimed at
WORKLOADS = (
    ("driver_example", "ns a bar-step", True, 15),
    ("driver_walk", "ns a bar-step", True, 15),
    ("driver_brackets", "ns a bar-step", True, 25),
    ("sweep_10000", "s", True, 10),
    ("supervisor_us", "us a combination", True, 50),
    ("supervisor_bytes", "bytes a combination", True, 100),
    ("sharing_time", "% more", True, 2),
    ("sharing_memory", "% more", True, 2),
    ("claim_memory", "% saved", False, 98.7),
    ("claim_computing", "times", False, 100),
    ("import_rate", "rows/s", False, 4e6),
)


def print_row(result):
    """One line of the table."""
    def cell(value):
        if value is None:
            return f"{'':>12}"
        return f"{value:>12,.0f}" if value >= 1e5 else f"{value:>12,.4g}"

    numbers = "".join(cell(result.get(key)) for key in ("median", "best", "worst", "aim"))
    print(f"{result['name']:<17}{numbers}  {result['unit']}: {result['what']}", flush=True)


def driver_alone(build):
    """What the program bench_driver says: the drivers without supervisor and store, beside their
    plain twin."""
    program = pathlib.Path(build) / "tests" / "bench" / "bench_driver"
    if not program.exists():
        print(f"driver_alone: left out, {program} is not built", file=sys.stderr)
        return []
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return [{"name": "driver_alone", "aim": None, **json.loads(line)} for line in lines]


def measure(bench, name, unit, is_less_better, aim):
    function = getattr(bench, name)
    values = sorted((function() for _ in range(RUNS)), reverse=not is_less_better)
    return {"name": name, "what": function.__doc__, "unit": unit, "aim": aim,
            "median": statistics.median(values), "best": values[0], "worst": values[-1]}


def run_workloads(build, names):
    """Those of WORKLOADS that are named."""
    results = []
    with tempfile.TemporaryDirectory(prefix="admf-bench-") as folder:
        bench = Bench(build, pathlib.Path(folder))
        print(f"{'workload':<17}{'median':>12}{'best':>12}{'worst':>12}{'aim':>12}  unit, what")
        for row in WORKLOADS:
            if row[0] in names:
                results.append(measure(bench, *row))
                print_row(results[-1])
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="folder with the programs")
    parser.add_argument("-o", "--output", help="JSON goes here")
    parser.add_argument("--talib", action="store_true",
                        help="fetch TA-Lib and time it here; else figures recorded elsewhere serve")
    parser.add_argument("--indicator", action="append", default=[], metavar="NAME",
                        help="of the workload `indicators` only this; may be given several times")
    sweeps = [row[0] for row in WORKLOADS]
    known = sweeps + ["driver_alone", "indicators"]
    parser.add_argument("workload", nargs="*", help=", ".join(known))
    args = parser.parse_args()
    unknown = set(args.workload) - set(known)
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")

    chosen = set(args.workload or known)
    results = run_workloads(args.build, chosen) if chosen & set(sweeps) else []
    if "driver_alone" in chosen:
        for result in driver_alone(args.build):
            results.append(result)
            print_row(result)
    if "indicators" in chosen:
        results += indicators.measure(args.build, args.indicator, args.talib)
    if args.output:
        pathlib.Path(args.output).write_text(
            json.dumps({"runs": RUNS, "processors": os.cpu_count(), "results": results}, indent=1)
            + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
