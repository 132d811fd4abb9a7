#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: a crash, hang or early exit of one combination costs that combination alone; every other
result is the same bytes as in an undisturbed run, whatever is killed, whenever.

    faults.py BUILD_FOLDER [PLAIN_FOLDER]     writes TAP

PLAIN_FOLDER is a build without sanitizers, for what cannot be tested with them.
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
from program import EXAMPLE_CSV, Program, children  # noqa: E402
from tap import Skip, equal, expect, run_all, test  # noqa: E402

BARS = 5105
KINDS = {"segv": 1, "abrt": 2, "fpe": 3, "bus": 4, "ill": 5, "stack": 6, "exit": 7, "hang": 8,
         "scribble": 9, "kill": 10, "once": 11, "memory": 12, "price": 13, "bar": 14, "symbol": 15,
         "twice": 16, "deaf": 17}
SIGNALS = {"segv": signal.SIGSEGV, "abrt": signal.SIGABRT, "fpe": signal.SIGFPE,
           "bus": signal.SIGBUS, "ill": signal.SIGILL, "stack": signal.SIGSEGV,
           "scribble": signal.SIGSEGV, "kill": signal.SIGKILL}

CONFIG = """type: optimization
data: {{csv: {{SPX: {csv}}}}}
strategies:
  - type: fault
    parameters:
      salt: {{from: 1, to: {n}, step: 1}}
      bar: {bar}
      kind: 0
  - type: fault
    name: culprit
    parameters: {{bar: {bar}, kind: {kind}}}
  - type: sma_cross
    parameters: {{fast_period: [5, 10, 20], slow_period: [30, 50, 100, 200]}}
limits: {{time_per_combination: {limit}, retries: {retries}}}
"""


class Bench:
    """A scratch folder, the faulty worker, and one store a run."""

    def __init__(self, build, folder):
        self.build, self.folder, self.runs = pathlib.Path(build).resolve(), folder, 0
        os.environ["ADMF_WORKER"] = str(self.build / "tests" / "fault" / "faulty-worker")

    def store(self):
        self.runs += 1
        return Program(self.build, self.folder / f"store{self.runs}")

    def config(self, kind, bar=100, n=40, limit="30s", retries=1):
        path = self.folder / f"{kind}-{bar}-{n}.yaml"
        path.write_text(CONFIG.format(csv=EXAMPLE_CSV, n=n, bar=bar, kind=KINDS.get(kind, 0),
                                      limit=limit, retries=retries))
        return path

    def rows(self, program):
        """Combinations of the last run as lines of CSV by number."""
        lines = program.run("export", "last", "--what", "combinations").splitlines()[1:]
        return {int(line.split(",")[0]): line for line in lines}

    def culprit(self, kind, bar=100, workers=2, **limits):
        """Runs a sweep with one bad combination. (program, its row, its faults, the other rows)"""
        program, n = self.store(), 40
        program.run("run", self.config(kind, bar, n, **limits), "--quiet", "--workers", workers,
                    expect=(1,))
        rows = self.rows(program)
        bad = rows.pop(n)
        faults = json.loads(program.run("export", "last", "--what", "faults", "--format", "json"))
        return program, bad, faults, rows


def calm_rows(bench, bar=100):
    """What an undisturbed run gives; the kind column of the culprit's neighbours is 0 in both."""
    program = bench.store()
    program.run("run", bench.config("none", bar), "--quiet")
    rows = bench.rows(program)
    rows.pop(40)
    return rows


@test("each deadly signal costs one combination, named with signal and bar, at any bar")
def deadly_signals(bench):
    calm = calm_rows(bench)
    for kind in SIGNALS:
        for bar in (0, BARS // 2, BARS - 1):
            _, bad, faults, others = bench.culprit(kind, bar)
            where = f"{kind} at bar {bar}"
            equal(bad.split(",")[1], "crashed", where)
            equal({f["signal"] for f in faults}, {SIGNALS[kind].name}, f"{where}: signal")
            equal({f["bar"] for f in faults}, {bar}, f"{where}: bar")
            attempts = [f["attempt"] for f in faults]
            if kind == "kill":  # from outside, as far as anyone can tell: it gets more chances
                expect(len(attempts) >= 2, f"{where}: attempts {attempts}")
            else:
                equal(attempts, [1, 2], f"{where}: tried once more")
            equal(others, calm, f"{where}: the others")


@test("a worker that leaves early is a protocol fault")
def early_exit(bench):
    _, bad, faults, others = bench.culprit("exit")
    equal(bad.split(",")[1], "protocol", "status")
    equal(len(faults), 2, "attempts")
    equal(others, calm_rows(bench), "the others")


@test("an endless loop is stopped by the time limit")
def endless_loop(bench):
    started = time.monotonic()
    _, bad, _, others = bench.culprit("hang", limit="300ms")
    equal(bad.split(",")[1], "timeout", "status")
    equal(others, calm_rows(bench), "the others")
    expect(time.monotonic() - started < 30, "it took far longer than two limits")


@test("a combination that crashes once is retried and ends well")
def crash_once(bench):
    mark = bench.folder / "once"
    os.environ["FAULT_ONCE"] = str(mark)
    program = bench.store()
    summary = program.sweep(bench.config("once"), "--workers", 2)
    equal((summary["failed"], summary["retried"]), (0, 1), "failed, retried")
    expect(mark.exists(), "it never crashed")
    rows = bench.rows(program)
    rows.pop(40)
    equal(rows, calm_rows(bench), "the others")


@test("retries: 0 quarantines at the first fault")
def no_retry(bench):
    _, bad, faults, _ = bench.culprit("segv", retries=0)
    equal((bad.split(",")[1], len(faults)), ("crashed", 1), "status, attempts")


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError(f"{what} did not happen in {seconds} s")


def long_config(bench):
    """A sweep of some seconds, without faults."""
    path = bench.folder / "long.yaml"
    path.write_text(f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies:
  - type: sma_cross
    parameters:
      fast_period: {{from: 2, to: 151, step: 1}}
      slow_period: {{from: 152, to: 400, step: 1}}
exits: {{stop_loss: 0.1}}
""")
    return path


def start(program, *args):
    return subprocess.Popen(program.argv(*args), stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@test("workers are separate processes that map the plane read-only")
def separate_processes(bench):
    program = bench.store()
    running = start(program, "run", long_config(bench), "--workers", 2, "--quiet")
    pids = wait_for(lambda: len(children(running.pid)) == 2 and children(running.pid), "2 workers")

    def planes():
        maps = []
        for pid in pids:
            with open(f"/proc/{pid}/maps", encoding="ascii") as file:
                maps += [line.split()[1] for line in file if "memfd:admf-plane" in line]
        return len(maps) >= 2 and maps
    modes = wait_for(planes, "both map the plane")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    equal(set(modes), {"r--s"}, "how the plane is mapped")


@test("killed workers are replaced and nothing is lost or doubled")
def killed_workers(bench):
    calm = bench.store().sweep(long_config(bench), "--workers", 2)
    program = bench.store()
    running = start(program, "run", long_config(bench), "--workers", 2, "--json", "--quiet")
    killed = 0
    while running.poll() is None and killed < 12:
        for pid in children(running.pid)[:1]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(0.03)
    summary = json.loads(running.communicate(timeout=120)[0])
    expect(killed > 2, f"only {killed} workers could be killed")
    equal((summary["digest"], summary["ok"]), (calm["digest"], calm["ok"]), "digest, ok")


@test("Ctrl-C ends with 130 and the command that resumes, and the resumed run has the same digest")
def interrupt(bench):
    calm = bench.store().sweep(long_config(bench), "--workers", 2)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        program = bench.store()
        running = start(program, "run", long_config(bench), "--workers", 2)
        wait_for(lambda: children(running.pid), "a worker")  # noqa: B023
        time.sleep(0.2)
        running.send_signal(number)
        _, talk = running.communicate(timeout=60)
        equal(running.returncode, code, "exit code")
        expect("--resume" in talk, f"no command to resume in: {talk}")
        resumed = program.sweep(long_config(bench), "--resume", "last")
        equal(resumed["digest"], calm["digest"], "digest")


@test("a killed supervisor takes its workers along, and the run can be resumed")
def killed_supervisor(bench):
    calm = bench.store().sweep(long_config(bench), "--workers", 2)
    program = bench.store()
    running = start(program, "run", long_config(bench), "--workers", 2)
    pids = wait_for(lambda: len(children(running.pid)) == 2 and children(running.pid), "2 workers")
    time.sleep(0.3)
    running.kill()
    running.communicate()
    wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids),
             "the workers' end")
    resumed = program.sweep(long_config(bench), "--resume", "last")
    equal(resumed["digest"], calm["digest"], "digest")


@test("a run resumes on the bars that it began with, though its symbol was imported anew")
def resume_after_import(bench):
    calm = bench.store().sweep(long_config(bench), "--workers", 2)
    program = bench.store()
    program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
    config = bench.folder / "by-name.yaml"
    config.write_text(long_config(bench).read_text().replace(f"csv: {{SPX: {EXAMPLE_CSV}}}",
                                                             "symbols: [SPX]"))
    running = start(program, "run", config, "--workers", 2, "--quiet")
    wait_for(lambda: children(running.pid), "a worker")
    time.sleep(0.3)
    running.kill()
    running.communicate()
    known = json.loads(program.run("show", "last", "--json"))
    expect(0 < known["ok"] < 37350, f"a killed run knows what it had done: {known['ok']} ok")
    short = bench.folder / "short.csv"
    short.write_text("".join(open(EXAMPLE_CSV, encoding="ascii").readlines()[:300]))
    program.run("import", short, "--symbol", "SPX")
    resumed = program.sweep(config, "--resume", "last")
    equal((resumed["digest"], resumed["bar_steps"] >= 37350 * BARS), (calm["digest"], True),
          "digest, bar-steps")


@test("nothing is left behind in the folder for sockets")
def no_leftovers(bench):
    folder = bench.folder / "sockets"
    folder.mkdir(mode=0o700)
    program = bench.store()
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "TMPDIR": str(folder)}
    done = subprocess.run(program.argv("run", bench.config("segv"), "--quiet"), check=False,
                          env=environment, capture_output=True)
    equal(done.returncode, 1, "exit code")
    equal(os.listdir(folder), [], "files left")


@test("in lockstep a crash costs one combination too")
def lockstep_crash(bench):
    program = bench.store()
    program.run("run", bench.config("segv", 700), "--quiet", "--workers", 2,
                "--set", "run.mode=lockstep", expect=(1,))
    rows = bench.rows(program)
    equal(rows.pop(40).split(",")[1], "crashed", "status")
    equal(rows, calm_rows(bench, 700), "the others")


@test("two supervisors on one store: the second leaves with 75 and names the first")
def two_supervisors(bench):
    program = bench.store()
    first = start(program, "run", long_config(bench), "--workers", 1, "--quiet")
    lock = pathlib.Path(program.store) / "lock"
    wait_for(lambda: lock.exists() and lock.read_text().strip(), "the first one's lock")
    second = subprocess.run(program.argv("run", long_config(bench), "--quiet"), check=False,
                            capture_output=True, text=True)
    first.kill()
    first.communicate()
    equal(second.returncode, 75, "exit code")
    expect(str(first.pid) in second.stderr, f"the owner is not named: {second.stderr}")


@test("a fault by the time limit says so, with the limit")
def time_limit_is_named(bench):
    _, _, faults, _ = bench.culprit("hang", limit="300ms")
    equal(len(faults), 2, "attempts")
    for fault in faults:
        expect(fault["message"].startswith("it ran longer than 300 ms at bar 100"), str(fault))
        equal((fault["reason"], fault["limit"]), ("timeout", 300_000_000), "reason, limit in ns")


def plain_bench(bench):
    """A bench whose workers can run under a memory limit: AddressSanitizer's shadow memory alone is
    past every one."""
    for build in (bench.build, *sys.argv[2:]):
        worker = pathlib.Path(build) / "tests" / "fault" / "faulty-worker"
        if worker.exists() and b"__asan_init" not in worker.read_bytes():
            folder = bench.folder / "plain"
            folder.mkdir()
            return Bench(build, folder)
    raise Skip("a sanitized worker cannot run under a memory limit")


@test("a combination that takes all memory is out of memory, with the limit and the peak")
def out_of_memory(bench):
    worker = os.environ["ADMF_WORKER"]
    try:
        memory_runs(plain_bench(bench))
    finally:
        os.environ["ADMF_WORKER"] = worker


def memory_runs(bench):
    calm = calm_rows(bench)
    for mode in ("free", "lockstep"):
        program, n = bench.store(), 40
        summary = program.sweep(bench.config("memory"), "--workers", 2, "--set", f"run.mode={mode}",
                                "--set", "limits.memory=32MiB", expect=(1,))
        rows = bench.rows(program)
        equal(rows.pop(n).split(",")[1], "out_of_memory", f"{mode}: status")
        equal(rows, calm, f"{mode}: the others")
        equal((summary["failed"], summary["retried"]), (1, 1), f"{mode}: failed, retried")
        faults = json.loads(program.run("export", "last", "--what", "faults", "--format", "json"))
        equal([(f["combination"], f["reason"], f["limit"], f["attempt"]) for f in faults],
              [(n, "out_of_memory", 32 << 20, attempt) for attempt in (1, 2)], f"{mode}: faults")
        for fault in faults:
            expect(fault["peak_bytes"] > 32 << 20, f"{mode}: peak {fault['peak_bytes']}")


@test("in lockstep a false signal costs the combination that made it, and not the run")
def lockstep_lies(bench):
    calm = calm_rows(bench, 700)
    for kind, flaw in (("price", "price"), ("bar", "another bar"), ("symbol", "a symbol"),
                       ("twice", "two signals")):
        program = bench.store()
        program.run("run", bench.config(kind, 700), "--quiet", "--workers", 2,
                    "--set", "run.mode=lockstep", expect=(1,))
        rows = bench.rows(program)
        equal(rows.pop(40).split(",")[1], "protocol", f"{kind}: status")
        equal(rows, calm, f"{kind}: the others")
        faults = json.loads(program.run("export", "last", "--what", "faults", "--format", "json"))
        equal({f["combination"] for f in faults}, {40}, f"{kind}: who is blamed")
        expect(flaw in faults[0]["message"], f"{kind}: {faults[0]['message']}")


@test("in lockstep a crash costs one combination where each has its own shared containers")
def lockstep_crash_unshared(bench):
    path = bench.folder / "unshared.yaml"
    for kind in ("segv", "none"):
        path.write_text(f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}}}
strategies:
  - type: fault
    parameters: {{bar: 50, salt: [1, 2], kind: 0}}
  - type: fault
    name: culprit
    parameters: {{bar: 50, kind: {KINDS.get(kind, 0)}}}
optimization: {{parameter_grids: {{commission: [0.0, 0.001, 0.002]}}}}
run: {{mode: lockstep}}
""")
        program = bench.store()
        program.run("run", path, "--quiet", "--workers", 2, expect=(0, 1))
        rows = bench.rows(program)
        bad = {n for n, line in rows.items() if line.split(",")[1] == "crashed"}
        if kind == "segv":
            equal(len(bad), 3, "crashed")
            disturbed, victims = rows, bad
    for number in victims:
        del disturbed[number], rows[number]
    equal(disturbed, rows, "the others")


@test("in lockstep a worker that owes signals and closed its channel is given up at once")
def lockstep_deaf(bench):
    path = bench.folder / "deaf.yaml"
    path.write_text(f"""type: optimization
data: {{csv: {{SPX: {EXAMPLE_CSV}}}, to: 300}}
strategies:
  - type: fault
    parameters: {{bar: 50, kind: {KINDS["deaf"]}}}
run: {{mode: lockstep, barrier_timeout: 300s}}
""")
    program = bench.store()
    started = time.monotonic()
    program.run("run", path, "--quiet", "--workers", 1, expect=(1,))
    expect(time.monotonic() - started < 60, "it was waited for")
    equal(bench.rows(program)[0].split(",")[1], "protocol", "status")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        return run_all(Bench(sys.argv[1], pathlib.Path(scratch)))


if __name__ == "__main__":
    sys.exit(main())
