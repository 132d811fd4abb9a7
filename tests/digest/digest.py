#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: a run's digest depends on its configuration and data alone: not on the compiler, the
CPU's instructions, the number of workers, a worker that is killed, or a run that is stopped and resumed.

    digest.py BUILD_FOLDER...     writes TAP; leaves with 1 if a promise is broken
"""

import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, ROOT, Program, children, sweep_config  # noqa: E402

WORKERS = (1, 2, 3, 8)
WAIT_S = 60
OLDER_CPU = "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"  # the C library's functions for a CPU without these


def wait_for(condition, what):
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise RuntimeError(f"{what} did not happen in {WAIT_S} s")


def digest_of_last(program):
    return program.run("digest", "last").split()[0]


def digest_with_workers(program, config, workers):
    return program.sweep(config, "--workers", workers)["digest"]


def workers_of(running, workers_n):
    """Waits until so many workers run; their process ids."""
    def look():
        if running.poll() is not None:
            raise RuntimeError("the run ended too early to be disturbed")
        found = children(running.pid)
        return found if len(found) == workers_n else None
    return wait_for(look, f"{workers_n} workers")


def digest_after_kill(program, config):
    """One of two workers is killed while it runs."""
    running = program.start("run", config, "--workers", 2, "--quiet")
    os.kill(workers_of(running, 2)[-1], signal.SIGKILL)  # a child that is not reaped: its id is its own
    if running.wait(WAIT_S) != 0:
        raise RuntimeError(f"the run left with {running.returncode}")
    return digest_of_last(program)


def digest_after_resume(program, config):
    """The run is interrupted, and goes on later."""
    running = program.start("run", config, "--workers", 1, "--quiet")
    workers_of(running, 1)
    running.send_signal(signal.SIGINT)
    if running.wait(WAIT_S) != 130:
        raise RuntimeError(f"the interrupted run left with {running.returncode}, expected 130")
    return program.sweep(config, "--workers", 2, "--resume", "last")["digest"]


def has_fma():
    """Whether the C library may choose functions with fused multiply-add here."""
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return "fma" in line.split()
    return False


def digest_on_older_cpu(program, config):
    """The C library believes that the CPU has no fused multiply-add."""
    os.environ["GLIBC_TUNABLES"] = OLDER_CPU
    try:
        return digest_with_workers(program, config, 2)
    finally:
        del os.environ["GLIBC_TUNABLES"]


def with_conventions(config, conventions):
    """Puts another engine's conventions into a configuration."""
    config.write_text(config.read_text(encoding="ascii") + f"conventions: {conventions}\n",
                      encoding="ascii")
    return config


def cases(builds, folder):
    """(what, function that gives a digest); the first one is what the others must equal."""
    small = sweep_config(folder / "small.yaml", "SPX", "mean_reversion", rsi_period=(2, 21, 1),
                         oversold=(10, 34, 4), overbought=(60, 96, 4))
    large = sweep_config(folder / "large.yaml", "SPX", "sma_cross", fast_period=(5, 104, 1),
                         slow_period=(105, 204, 1))
    for name, config in (("demo", ROOT / "examples" / "demo.yaml"), ("small", small)):
        yield f"{name} sweep", [
            (f"{pathlib.Path(build).name}, {workers} workers",
             lambda b=build, c=config, w=workers: digest_with_workers(programs[b], c, w))
            for build in builds for workers in WORKERS
        ]
    first = programs[builds[0]]
    for conventions in ("native", "backtesting.py"):
        config = with_conventions(
            sweep_config(folder / f"{conventions}.yaml", "SPX", "sma_cross",
                         fast_period=(5, 44, 1), slow_period=(50, 99, 1)), conventions)
        yield f"sweep by {conventions} conventions", [
            ("as the CPU is", lambda c=config: digest_with_workers(first, c, 2)),
            ("without fused multiply-add" if has_fma() else
             "without fused multiply-add # SKIP this CPU has none",
             lambda c=config: digest_on_older_cpu(first, c)),
        ]
    yield "disturbed sweep", [
        ("undisturbed", lambda: digest_with_workers(first, large, 2)),
        ("a worker is killed", lambda: digest_after_kill(first, large)),
        ("interrupted and resumed", lambda: digest_after_resume(first, large)),
    ]


programs = {}


def main():
    builds = sys.argv[1:]
    failed = 0
    print("TAP version 13")
    with tempfile.TemporaryDirectory(prefix="admf-digest-") as name:
        folder = pathlib.Path(name)
        for number, build in enumerate(builds):
            programs[build] = Program(build, folder / f"store-{number}")
            programs[build].run("import", EXAMPLE_CSV, "--symbol", "SPX")
        for group, rows in cases(builds, folder):
            expected = None
            for what, digest in rows:
                try:
                    got = digest()
                    problem = None if got == (expected or got) else f"{got}, expected {expected}"
                except (RuntimeError, OSError, ValueError) as error:
                    got, problem = None, str(error)
                expected = expected or got
                failed += bool(problem)
                print(f"{'not ok' if problem else 'ok'} - {group}: {what}", flush=True)
                for line in (problem or "").splitlines():
                    print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
