# SPDX-License-Identifier: MIT
"""The built programs, as tests and benchmarks call them: by their command line, with a store of
their own."""

import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXAMPLE_CSV = ROOT / "examples" / "sp500-2000.csv"

# What the sanitizers of a sanitized build find goes to files, so that the report of a worker, whose
# talk nobody reads, is not lost.
_REPORTS = tempfile.TemporaryDirectory(prefix="admf-reports-")
for _name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    _given = os.environ.get(_name)
    os.environ[_name] = (f"{_given}:" if _given else "") + f"log_path={_REPORTS.name}/report"


def take_reports():
    """The sanitizers' reports since the last call, of all processes."""
    reports = []
    for path in sorted(pathlib.Path(_REPORTS.name).iterdir()):
        reports.append(path.read_text(errors="replace")[:4000])
        path.unlink()
    return reports


def is_report(text):
    return "Sanitizer" in text or "runtime error:" in text


class Program:
    """build/admf with one store."""

    def __init__(self, build, store):
        self.path = str(pathlib.Path(build).resolve() / "admf")
        self.store = str(store)

    def argv(self, *args):
        return [self.path, *map(str, args), "--store", self.store]

    def run(self, *args, expect=(0,)):
        """Runs a command to its end; its stdout. Other exit codes than expected raise."""
        done = subprocess.run(self.argv(*args), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        if done.returncode not in expect or is_report(done.stderr):
            raise RuntimeError(f"admf {' '.join(map(str, args))} left with {done.returncode}: "
                               f"{done.stderr.strip()[-2000:]}")
        return done.stdout

    def sweep(self, config, *args, expect=(0,)):
        """`admf run --json` of a configuration: the object that it prints."""
        return json.loads(self.run("run", config, "--json", "--quiet", *args, expect=expect))

    def start(self, *args):
        """Starts a command in the background."""
        return subprocess.Popen(self.argv(*args), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def command_line(pid):
    """The words that a process was started with; none while it begins or once it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid):
    """Process ids of the workers of a running admf: children that have started their own program,
    without one that only says what it offers."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass  # a thread that ended meanwhile
    return [child for child in found
            if command_line(child) not in ([], command_line(pid))
            and b"--describe" not in command_line(child)]


def sweep_config(path, symbol, strategy, **parameters):
    """Writes a configuration that sweeps one strategy; a parameter is (from, to, step) or a value."""
    lines = ["type: optimization", f"data: {{symbols: [{symbol}]}}", "strategies:",
             f"  - type: {strategy}", "    parameters:"]
    for name, value in parameters.items():
        if isinstance(value, tuple):
            value = "{{from: {}, to: {}, step: {}}}".format(*value)
        lines.append(f"      {name}: {value}")
    lines += ["execution: {commission: 0.0005}", ""]
    pathlib.Path(path).write_text("\n".join(lines), encoding="ascii")
    return path
