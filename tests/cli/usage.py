#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: what is called as nobody should, or where nobody expects it, is answered well: JSON is
JSON, an exit code says what went wrong, and missing descriptors, folders and locales upset nothing.

    usage.py BUILD_FOLDER     writes TAP
"""

import fcntl
import json
import os
import pathlib
import re
import resource
import shlex
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, Program  # noqa: E402
from tap import equal, expect, open_terminal, run_all, test  # noqa: E402

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

INVALID = """type: optimization
data: {symbols: [SPX]}
strategies:
  - {type: sma_cross, parameters: {fast_period: FAST, slow_period: 20}}
"""
WHY = "sma_cross needs fast_period < slow_period"

# 3,600 combinations for each of COSTS, over ROWS bars.
SWEEP = f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}, to: ROWS}}
strategies:
  - type: sma_cross
    parameters:
      fast_period: {{from: 1, to: 60, step: 1}}
      slow_period: {{from: 61, to: 120, step: 1}}
optimization:
  parameter_grids: {{commission: [COSTS]}}
"""


def sweep(rows, costs_n):
    costs = ", ".join(f"{i / 10000}" for i in range(costs_n))
    return SWEEP.replace("ROWS", str(rows)).replace("COSTS", costs)


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


@test("what does not exist is unknown, with what does")
def unknown(bench):
    for word in ["top", "report", "bench", "bogus"]:
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


IDLE = f"""data: {{csv: {{SPX: {EXAMPLE_CSV}}}, warm_up: 5}}
strategies: [{{type: sma_cross}}]
execution: {{close_booked: next_bar, time_in_force: day, volume_rest: cancel, spread_paid: on_entry}}
"""


@test("keys without any effect are noted on stderr, where they stand, and stop nothing")
def notes(bench):
    config = bench.folder / "idle.yaml"
    config.write_text(IDLE)
    resolved = bench.folder / "resolved.yaml"
    wanted = [f"{config}:1:", "data.warm_up", "execution.volume_rest", "execution.time_in_force",
              "execution.close_booked", "execution.spread_paid"]
    for command in ("plan", "run"):
        done = bench.call(command, config)
        equal(done.returncode, 0, command)
        lines = [line for line in done.stderr.decode().splitlines() if ": note: " in line]
        equal(len(lines), 5, lines)
        for text in wanted:
            expect(any(text in line for line in lines), (text, lines))
    equal(bench.call("run", config, "--quiet").stderr, b"", "a quiet run")
    heeded = ["data.from=20", "execution.fill=this_close", "execution.spread=0.001",
              "execution.slippage.volume_share=0.5"]
    sets = [word for each in heeded for word in ("--set", each)]
    equal(bench.call("plan", config, *sets).stderr, b"", "all of them heeded")
    for conventions in ("native", "backtesting.py", "vectorbt", "backtrader"):
        done = bench.call("plan", bench.config, "--resolved", "--set", f"conventions={conventions}")
        resolved.write_bytes(done.stdout)
        equal((done.stderr, bench.call("plan", resolved).stderr), (b"", b""), conventions)


@test("keys that go by volume are refused for bars without any, by symbol and key")
def volumes(bench):
    path = bench.folder / "bare.csv"
    path.write_text("time,open,high,low,close\n" +
                    "".join(f"2024-01-{day:02},1,2,1,2\n" for day in range(1, 29)))
    config = bench.folder / "volume.yaml"
    for key, grid in (("volume_share", ""), ("impact", ""), ("impact", "[0, 0.1]")):
        swept = f"optimization: {{parameter_grids: {{slippage_{key}: {grid}}}}}\n" if grid else ""
        own = "" if grid else f"execution: {{slippage: {{{key}: 0.1}}}}\n"
        config.write_text(f"data: {{csv: {{SPX: {EXAMPLE_CSV}, BARE: {path}}}}}\n"
                          "strategies: [{type: sma_cross}]\n" + own + swept)
        for command in ("plan", "run", "check"):
            done = bench.call(command, config)
            equal(done.returncode, 78, done.stderr)
            expect(f"{config}:3:".encode() in done.stderr, done.stderr)
            expect(f"execution.slippage.{key}".encode() in done.stderr, done.stderr)
            expect(b"BARE" in done.stderr, done.stderr)
    equal(bench.call("plan", config, "--set", "data={csv: {SPX: " + str(EXAMPLE_CSV) + "}}")
          .returncode, 0, "bars with volumes")


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


@test("missing descriptors, locale, directory and home change nothing")
def bare(bench):
    plan = bench.program.argv("plan", bench.config)
    expected = bench.program.run("plan", bench.config)
    closed = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- 2>&-', *plan], check=False,
                            stdout=subprocess.PIPE, text=True)
    equal((closed.returncode, closed.stdout), (0, expected), "input and talk closed")
    gone = bench.folder / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    env = {"LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "PATH": os.environ["PATH"]}
    done = subprocess.run(["sh", "-c", script, "sh", gone, *plan], check=False, env=env,
                          capture_output=True, text=True)
    equal((done.returncode, done.stdout), (0, expected), done.stderr)


@test("output that cannot go anywhere is an error, and named")
def closed_stdout(bench):
    for args in [*bench.lines(), ["--help"], ["run", bench.config, "--quiet"]]:
        argv = bench.program.argv(*args)
        done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', *argv], check=False,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        equal(done.returncode, 74, f"{args}: {done.stderr}")
        expect(b"Bad file descriptor" in done.stderr, done.stderr)


@test("invalid combinations are explained")
def invalid(bench):
    config = bench.folder / "invalid.yaml"
    for fast, said in (("[50, 60]", f"no combination ran: all 2 are invalid: {WHY}"),
                       ("60", f"no combination ran: the only one is invalid: {WHY}"),
                       ("[10, 60]", f"1 of 2 combinations is invalid, the first is 1: {WHY}")):
        config.write_text(INVALID.replace("FAST", fast))
        done = bench.call("run", config)
        equal(done.returncode, 0, done.stderr)
        expect(said in done.stderr.decode().splitlines(), done.stderr)
        shown = bench.call("show", "last")
        expect(f": {WHY}" in shown.stdout.decode(), shown.stdout)
        equal(b"no combination ran" in shown.stderr, "no combination" in said, shown.stderr)


@test("the line of progress stays within the terminal")
def progress(bench):
    config = bench.folder / "progress.yaml"
    config.write_text(sweep(3000, 1))
    ours, theirs = open_terminal()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with subprocess.Popen(bench.program.argv("run", config), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=theirs) as run:
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 65536):
                text += data
        except OSError:  # the other end is closed
            pass
        equal(run.wait(), 0, text)
    os.close(ours)
    lines = re.findall(rb"\r([^\r\n\x1b]*)\x1b\[K", text)
    expect(any(b"/3600 (" in line for line in lines), text)
    expect(all(len(line) < 40 for line in lines), lines)


@test("a run whose supervisor was killed is shown as interrupted, with what it stored")
def killed(bench):
    config = bench.folder / "killed.yaml"
    config.write_text(sweep(5000, 100))
    program = Program(pathlib.Path(bench.program.path).parent, bench.folder / "killed")
    run = program.start("run", config)
    runs = []
    while run.poll() is None and not (runs and runs[0]["ok"] > 0):
        done = subprocess.run(program.argv("runs", "--json"), check=False, capture_output=True)
        runs = json.loads(done.stdout) if done.returncode == 0 else []
    run.kill()
    run.wait()
    equal(runs[0]["state"], "running", "while it runs")
    found = json.loads(program.run("runs", "--json"))[0]
    equal((found["state"], found["workers"], found["wall_s"]), ("interrupted", None, None), "then")
    shown = json.loads(program.run("show", "last", "--json", "--top", 1))
    equal((shown["state"], shown["ok"]), ("interrupted", found["ok"]), "shown")
    equal(shown["statuses"]["ok"], found["ok"], "statuses")
    expect(found["ok"] >= runs[0]["ok"] > 0, found)


@test("a run that the disk stops says so, and how to go on")
def disk_full(bench):
    config = bench.folder / "disk.yaml"
    config.write_text(sweep(20, 4))
    argv = [bench.program.path, "run", config, "--quiet", "--store", bench.folder / "disk"]

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    done = subprocess.run(argv, check=False, capture_output=True, text=True, preexec_fn=limit)
    equal(done.returncode, 74, done.stderr)
    expect("Is the disk full (" in done.stderr, done.stderr)
    way = re.search(r"^  admf (run .* --resume \S+ --store .*)$", done.stderr, re.MULTILINE)
    expect(way, done.stderr)
    words = shlex.split(way.group(1))
    again = subprocess.run([bench.program.path, *words], check=False, capture_output=True,
                           text=True)
    equal(again.returncode, 0, again.stderr)
    equal(again.stdout.splitlines()[-1], f"run {words[words.index('--resume') + 1]}", "resumed")


@test("a plan has a hash for each container, and says how it would run")
def plan_hashes(bench):
    containers = json.loads(bench.program.run("plan", bench.config, "--json"))["containers"]
    hashes = {kind: [c["hash"] for c in containers[kind]]
              for kind in ("risk", "execution", "portfolio", "strategy")}
    expect(all(re.fullmatch("[0-9a-f]{32}", h) for list_ in hashes.values() for h in list_), hashes)
    equal([len(set(hashes[kind])) for kind in ("portfolio", "strategy")], [2, 4], "distinct")
    text = bench.program.run("plan", bench.config)
    expect(re.search(r"time .* with \d+ workers?, free\n", text), text)
    text = bench.program.run("plan", bench.config, "--set", "run.mode=lockstep",
                             "--set", "run.workers=1")
    expect("with 1 worker, in lockstep\n" in text, text)
    config = bench.folder / "follows.yaml"
    config.write_text(INVALID.replace("FAST", "10"))
    expect("commission as execution" in bench.program.run("plan", config), "what is not configured")


@test("the text of a plan shows what is charged and what is not as by default")
def plan_text(bench):
    text = bench.program.run("plan", bench.config,
                             "--set", "execution.commission={percent: 0.001, fixed: 2}",
                             "--set", "execution.stops_exact=true",
                             "--set", "risk.cooldown_bars=3")
    expect("commission {percent: 0.001, fixed: 2} slippage 0.0005 stops_exact true" in text, text)
    expect("max_position_size 1000 cooldown_bars 3" in text and "spread" not in text, text)
    for wrong, said in (("execution.commission={fixd: 2}", b'did you mean "fixed"'),
                        ("exits.stop_loss=0", b"above 0, below 1, or `none`"),
                        ("portfolio.sizing={risk_frac: 0.01}", b"set exits.stop_loss"),
                        ("execution.slippage={ticks: 1}", b"tick: 0.01"),
                        ("conventions=vectorbot", b'did you mean "vectorbt"')):
        done = bench.call("plan", bench.config, "--set", wrong)
        equal(done.returncode, 78, wrong)
        expect(said in done.stderr, done.stderr)


# Every section of the execution model, and a swept value in each.
MODEL = """type: optimization
data: {symbols: [SPX], to: 800}
strategies:
  - type: rules
    parameters: {n: [5, 20], d: 0.01}
    long_entry: crosses_above(close, sma(close, n))
    long_limit: close * (1 - d)
    short_entry: crosses_below(close, sma(close, n))
    short_stop: low
    execution_config: {commission: {percent: 0.0005, minimum: 1}}
exits: {stop_loss: [0.02, 0.05], trailing_stop: [none, 0.03], max_bars: 30}
execution:
  {delay: 1, time_in_force: day, spread: 0.0001, borrow_fee: 0.03, margin_interest: 0.05,
   slippage: {percent: 0.0001, ticks: 1, tick: 0.01}}
portfolio: {sizing: {risk_frac: 0.01}, leverage: 2, lot: 0.1, min_notional: 100,
            maintenance_margin: 0.1}
risk: {max_exposure: 1.5, max_drawdown: 0.5, cooldown_bars: 2}
optimization: {parameter_grids: {max_leverage: [1, 1.8]}}
"""


def run_of(bench, config, *more):
    """Digest and identity of a run."""
    done = json.loads(bench.program.run("run", config, "--json", "--quiet", *more))
    equal(done["failed"], 0, f"{config} {more}")
    return done["digest"], done["config_hash"]


@test("a resolved configuration runs as the one that it is of, under each engine's conventions")
def resolved(bench):
    sma = """data: {symbols: [SPX], to: 800}
strategies: [{type: sma_cross, parameters: {fast_period: [5, 10], slow_period: 30}}]
exits: {take_profit: 0.05, stop_loss: [none, 0.03]}
execution: {commission: {percent: 0.001, fixed: 0.5}}
"""
    texts = [f"conventions: {name}\n{sma}"
             for name in ("native", "backtesting.py", "vectorbt", "backtrader")] + [MODEL]
    found = set()
    for i, text in enumerate(texts):
        config, again = bench.folder / f"model{i}.yaml", bench.folder / f"resolved{i}.yaml"
        config.write_text(text)
        again.write_text(bench.program.run("plan", config, "--resolved"))
        equal(bench.program.run("plan", again, "--resolved"), again.read_text(), "resolved twice")
        first = run_of(bench, config)
        equal(run_of(bench, again), first, again.read_text())
        found.add(first)
    equal(len(found), len(texts), "different runs")


@test("symbols may be called as their exchanges do, and a run names the bars of each")
def symbols(bench):
    for name in ("^GSPC", "GC=F", "EUR/USD", "BRK.B", "6E-2_x"):
        bench.program.run("import", EXAMPLE_CSV, "--symbol", name)
    for name in ("", ".x", "-x", "a b", "a:b", "=x", "x" * 64):
        done = bench.call("import", EXAMPLE_CSV, f"--symbol={name}")
        equal(done.returncode, 2, f"{name}: {done.stderr}")
    config = bench.folder / "symbols.yaml"
    config.write_text(INVALID.replace("[SPX]", "['EUR/USD', ^GSPC]").replace("FAST", "10"))
    bench.program.run("run", config, "--quiet")
    shown = json.loads(bench.program.run("show", "last", "--json"))["symbols"]
    equal([s["symbol"] for s in shown], ["EUR/USD", "^GSPC"], "symbols")
    info = json.loads(bench.program.run("data", "info", "EUR/USD", "--json"))
    equal(shown[0]["data_hash"], info["data_hash"], "the hash of `data info`")
    text = bench.program.run("plan", config)
    expect("^GSPC:sma(close,10)" in text and "EUR/USD:sma(close,10)" in text, text)


@test("a name that is no symbol, a store that is no store: each is named")
def wrong_names(bench):
    for name, said in (("", b"admf data list"), ("spx", b'did you mean "SPX"'),
                       ("y" * 600, b"admf data list")):
        done = bench.call("data", "info", name)
        equal(done.returncode, 66, done.stderr)
        expect(said in done.stderr, done.stderr)
    file = bench.folder / "file"
    file.write_text("")
    for args in (["runs"], ["store", "verify"], ["import", EXAMPLE_CSV, "--symbol", "X"]):
        done = subprocess.run([bench.program.path, *args, "--store", file], check=False,
                              capture_output=True)
        equal(done.returncode, 73, f"{args}: {done.stderr}")
        expect(b"is no directory" in done.stderr, done.stderr)
    for args in (["runs"], ["store", "verify"]):
        done = subprocess.run([bench.program.path, *args], check=False, capture_output=True, env={},
                              cwd=bench.folder)
        equal(done.returncode, 2, done.stderr)
        expect(b"--store DIR or set $ADMF_STORE" in done.stderr, done.stderr)
    expect(not (bench.folder / ".local").exists(), "no store where nobody looks for it")


@test("nouns list their verbs, and options that exclude each other are usage errors")
def nouns(bench):
    for noun, verbs in (("data", ["list", "info SYMBOL", "export SYMBOL"]),
                        ("store", ["info", "verify"])):
        text = bench.program.run(noun, "--help")
        equal(text, bench.program.run("help", noun), f"help of {noun}")
        for verb in verbs:
            expect(f"\n  {noun} {verb} " in text, text)
    for args in (["indicator", "close", "--symbol", "SPX", "--csv", EXAMPLE_CSV],
                 ["plan", bench.config, "--set", "foo"], ["plan", bench.config, "--set", "=1"]):
        equal(bench.call(*args).returncode, 2, args)


@test("doctor tries where a store would be, as a run does")
def doctor_store(bench):
    def store_of(name):
        done = subprocess.run([bench.program.path, "doctor", "--json", "--store", name],
                              check=False, capture_output=True, cwd=bench.folder, text=True)
        found = {f["check"]: f for f in json.loads(done.stdout)}
        expect("rlimit" in found["limits"]["what"], found["limits"])
        equal(found["limits"]["remedy"], "", "no advice about cgroups")
        n = len(os.sched_getaffinity(0))
        expect(found["processors"]["what"].startswith(f"{n} processor"), found["processors"])
        return found["store"]["verdict"]

    (bench.folder / "file").write_text("")
    for name, verdict in (("absent", "ok"), ("absent/below", "ok"), ("/proc/x", "fail"),
                          ("file/below", "fail")):
        equal(store_of(name), verdict, name)
    expect(not (bench.folder / "absent").exists(), "nothing is left behind")


@test("a line that is too long is a bad row, wherever it stands")
def long_lines(bench):
    rows = "time,open,high,low,close\n2024-01-02,1,2,1,2\n"
    path = bench.folder / "long.csv"
    for tail in ("x" * (64 << 10) + "x", "x" * (2 << 20), "x" * (3 << 20) + "\n"):
        path.write_text(rows + tail)
        done = bench.call("indicator", "close", "--csv", path)
        equal(done.returncode, 65, done.stderr)
        text = bench.program.run("indicator", "close", "--csv", path, "--lenient")
        equal(text, "timestamp,close\n2024-01-02T00:00:00Z,2\n", len(tail))
    path.write_text("time," * (1 << 15) + "\n")
    equal(bench.call("indicator", "close", "--csv", path).returncode, 65, "a long header")


@test("nothing is coloured where nobody looks")
def plain(bench):
    for args in bench.lines():
        expect(b"\033" not in bench.call(*args).stdout, args)


def main():
    with tempfile.TemporaryDirectory(prefix="admf-usage-") as folder:
        return run_all(Bench(sys.argv[1], pathlib.Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
