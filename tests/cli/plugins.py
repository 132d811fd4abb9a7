#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: indicators of a user's own library compute like built-in ones, with the same results
however the work is divided; a library that is wrong is refused with its name, or costs only the
combinations that need it.

    plugins.py BUILD_FOLDER     writes TAP
"""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

# A worker that dies of a signal is to be seen as such.
for _name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    os.environ[_name] = ":".join(filter(None, (
        os.environ.get(_name), "handle_segv=0:handle_sigbus=0:handle_abort=0")))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import ROOT, Program, is_report  # noqa: E402
from tap import Skip, equal, expect, run_all, test  # noqa: E402

MARK = f"ADMF_TEST_MARK=plugins-{os.getpid()}"
os.environ.update([MARK.split("=")])
EXAMPLE = ROOT / "examples" / "plugin"
WRONG = {  # at load: what the message says
    "abi": "built for ABI version 99, this is 1: build it again",
    "sizes": "its structs have other sizes",
    "name": "indicator 0 needs a name",
    "twice": "two indicators are called faulty",
    "no_advance": "faulty: it has no advance()",
    "state": "faulty: 1048576 bytes of state",
    "param": "faulty: parameter 0 needs a name and a finite range",
    "warm_up": "faulty: warm_up",
    "inputs": "faulty: 9 series chosen",
    "taken": "there is an indicator sma already: rename its own",
    "reserved": "crosses_above is a word of expressions",
    "nan": "faulty: parameter 0 needs a name and a finite range",
    "null": "its 1 parameters have no table",
    "many": "it has 4000000000 indicators",
    "encoding": "every text UTF-8",
    "constructor": "it was ended by signal 11 (Segmentation fault) while it was loaded",
    "sleepy": "did not come within 8 s",
    "closing": "its constructors must leave the process and its descriptors alone",
}
SWEEP = """data: {symbols: [SPX]}
strategies:
  - type: rules
    long_entry: >-
      efficiency(close, n) > 0.35 and close > sma(efficiency(close@1w, 4), 3)
      and efficiency(SPY:close, 5) > 0.1 and efficiency(sma(close, 3), n) > 0.1
    long_exit: >-
      close < 0.97*decayed_high(close, d) or bbands(efficiency(close, n), 20, 2, 2).lower > 0.8
    parameters: {n: {from: 5, to: 25, step: 5}, d: [0.001, 0.002]}
"""
MIXED = """data: {symbols: [SPX]}
strategies:
  - type: rules
    long_entry: crosses_above(close, sma(close, n))
    long_exit: close < 0 or faulty(close, m) < 5
    parameters: {n: [5, 10], m: [1, 2]}
  - type: rules
    long_entry: crosses_above(close, sma(close, n))
    long_exit: crosses_below(close, sma(close, n))
    parameters: {n: [5, 10]}
limits: {time_per_combination: 1s}
"""


class Bench:
    def __init__(self, build, folder):
        self.build = pathlib.Path(build).resolve()
        self.folder = folder
        self.program = Program(build, folder / "store")
        for symbol in ("SPX", "SPY"):
            self.program.run("import", ROOT / "examples" / "sp500-2000.csv", "--symbol", symbol)

    def library(self, name):
        return self.build / "tests" / "fault" / f"{name}.so"

    def config(self, name, library, text=SWEEP, more=""):
        path = self.folder / f"{name}.yaml"
        path.write_text(f"plugins: [{library}]\n{text}{more}")
        return path

    def attempt(self, *args):
        """A command that may fail, however it ends; none may take longer than this."""
        began_s = time.monotonic()
        done = subprocess.run(self.program.argv(*args), capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        done.took_s = time.monotonic() - began_s
        expect(not is_report(done.stderr), done.stderr)
        return done

    def rows(self, run):
        out = self.program.run("export", run, "--what", "combinations")
        return list(csv.DictReader(out.splitlines()))


def leftovers():
    """Processes that were started from here: they have inherited a mark, wherever they belong."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if MARK.encode() in (folder / "environ").read_bytes():
                found.append(f"{folder.name}: {(folder / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def nothing_left():
    deadline_s = time.monotonic() + 5
    while leftovers() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    equal(leftovers(), [], "processes that stay")


@test("the header compiles as C11 and as C++17 without a warning")
def header(bench):
    text = '#include <admf_component.h>\nint main(void) { return ADMF_ABI_VERSION != 1; }\n'
    for compiler, standard, suffix in (("cc", "c11", "c"), ("c++", "c++17", "cc")):
        if not shutil.which(compiler):
            raise Skip(f"there is no {compiler}")
        source = bench.folder / f"header.{suffix}"
        source.write_text(text)
        subprocess.run([compiler, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        f"-I{ROOT / 'worker'}", "-fsyntax-only", str(source)], check=True)


@test("the example builds by itself against what is installed, and runs")
def from_source(bench):
    for tool in ("meson", "ninja", "pkg-config"):
        if not shutil.which(tool):
            raise Skip(f"there is no {tool}")
    root, mine = bench.folder / "root", bench.folder / "mine"
    subprocess.run(["meson", "install", "-C", str(bench.build), "--destdir", str(root), "--quiet",
                    "--no-rebuild", "--tags", "devel"], check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(EXAMPLE, mine)
    pc = next(root.rglob("admf.pc"))
    more = {"PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(root)}
    for words in (["meson", "setup", str(mine / "build"), str(mine)],
                  ["ninja", "-C", str(mine / "build")]):
        done = subprocess.run(words, env=os.environ | more, capture_output=True, text=True,
                              check=False)
        equal(done.returncode, 0, f"{words[0]}: {done.stdout[-800:]}{done.stderr[-800:]}")
    built = bench.program.sweep(bench.config("built", mine / "build" / "mine.so"))
    equal(built["ok"], 10, "combinations that are ok")
    ours = bench.program.sweep(bench.config("ours", bench.library("mine")))
    equal(built["digest"], ours["digest"], "digest")


@test("results are the same for any workers, budget and mode; nothing is left behind")
def same(bench):
    config = bench.config("same", bench.library("mine"))
    digests = {}
    for workers in (1, 2, 4):
        done = bench.program.sweep(config, "--workers", workers)
        equal((done["ok"], done["failed"], done["invalid"]), (10, 0, 0), "ok, failed, invalid")
        equal(done["series"]["left_to_workers"], 0, "left to workers")
        digests[f"{workers} workers"] = done["digest"]
    bars = done["plane_bytes"] - done["series"]["bytes"]
    for budget in ("1", f"{bars + 300000}"):
        done = bench.program.sweep(config, "--set", f"run.plane_budget={budget}")
        digests[f"budget {budget}"] = done["digest"]
        if budget == "1":
            equal(done["series"]["built"], 0, "built without memory")
    for workers in (1, 3):
        done = bench.program.sweep(config, "--set", "run.mode=lockstep", "--workers", workers)
        digests[f"lockstep {workers}"] = done["digest"]
    equal(len(set(digests.values())), 1, f"digests {digests}")
    nothing_left()


@test("a run names the library and its hash, and is resumed with the same content alone")
def resume(bench):
    copy = bench.folder / "copy.so"
    shutil.copy(bench.library("mine"), copy)
    config = bench.config("resume", copy, more="run: {seed: 7}\n")
    resolved = bench.program.run("plan", config, "--resolved")
    expect(f'library: "{copy}"' in resolved and "hash: \"" in resolved, resolved)
    run = bench.program.sweep(config)
    again = bench.program.sweep(config, "--resume", run["run"])
    equal(again["digest"], run["digest"], "digest of the resumed run")
    with open(copy, "ab") as file:
        file.write(b"\0")
    done = bench.attempt("run", config, "--resume", run["run"], "--quiet")
    expect(done.returncode != 0, "resumed with another content")
    wrong = bench.folder / "pinned.yaml"
    wrong.write_text(f"plugins: [{{library: {copy}, hash: \"{'0' * 32}\"}}]\n{SWEEP}")
    done = bench.attempt("plan", wrong)
    equal(done.returncode, 78, done.stderr)
    expect("expected " + "0" * 32 in done.stderr and "copy.so" in done.stderr, done.stderr)


@test("results outlive their library: they are read without it, and only what is computed needs it")
def gone(bench):
    copy = bench.folder / "gone.so"
    shutil.copy(bench.library("mine"), copy)
    run = bench.program.sweep(bench.config("gone", copy))["run"]
    results = bench.program.run("export", run, "--what", "combinations")
    copy.unlink()
    equal(bench.program.run("export", run, "--what", "combinations"), results, "results")
    expect(run in bench.program.run("show", run), "show")
    done = bench.attempt("export", run, "--what", "trades", "--combination", "0")
    equal(done.returncode, 78, done.stderr)
    expect("cannot be computed again" in done.stderr and "gone.so" in done.stderr, done.stderr)


@test("a library that is wrong in what it says is refused, with its name and why")
def refused(bench):
    for fault, says in WRONG.items():
        library = bench.library(f"faulty_{fault}")
        done = bench.attempt("plan", bench.config(fault, library, MIXED))
        equal(done.returncode, 78, f"exit code of {fault}: {done.stderr}")
        expect(f"faulty_{fault}.so" in done.stderr and says in done.stderr, done.stderr)
        expect(done.took_s < 10, f"{fault} took {done.took_s} s")
    nothing_left()


@test("what is no library at all is refused, with its name and why")
def no_library(bench):
    files = {"folder": "is not a file with content", "fifo": "is not a file with content",
             "empty": "is not a file with content", "text": "cannot be loaded",
             "foreign": "cannot be loaded", "absent": "No such file"}
    for name, says in files.items():
        path = bench.folder / name
        if name == "folder":
            path.mkdir()
        elif name == "fifo":
            os.mkfifo(path)
        elif name == "empty":
            path.touch()
        elif name == "text":
            path.write_text("no library\n" * 100)
        elif name == "foreign":  # the same for another machine: e_machine of the ELF header
            content = bytearray(bench.library("mine").read_bytes())
            content[18:20] = (0x16, 0x00)
            path.write_bytes(content)
        for words in (("plan", bench.config("none", path, MIXED)),
                      ("catalog", "indicators", "--plugin", path)):
            done = bench.attempt(*words)
            expect(done.returncode not in (0, 70), f"{name}: exit code {done.returncode}")
            expect(name in done.stderr and says in done.stderr, done.stderr)
            expect(done.took_s < 10, f"{name} took {done.took_s} s")


@test("one name in two libraries is refused; one library named twice is not")
def two(bench):
    path = bench.folder / "two.yaml"
    path.write_text(f"plugins: [{bench.library('faulty_none')}, {bench.library('faulty_fail')}]\n"
                    + MIXED)
    done = bench.attempt("plan", path)
    equal(done.returncode, 78, "exit code")
    expect("faulty_fail.so" in done.stderr and "faulty_none.so" in done.stderr, done.stderr)
    path.write_text(f"plugins: [{bench.library('faulty_none')}, {bench.library('faulty_none')}]\n"
                    + MIXED)
    bench.program.sweep(path)


@test("constructors that print or leave children change nothing, and nobody stays")
def constructors(bench):
    wanted = bench.program.sweep(bench.config("plain", bench.library("faulty_none"), MIXED))
    for fault in ("chatty", "loud", "forking"):
        config = bench.config(fault, bench.library(f"faulty_{fault}"), MIXED)
        done = bench.program.sweep(config, "--workers", 2)
        equal(done["digest"], wanted["digest"], f"digest of {fault}")
    nothing_left()


def mixed(bench, fault):
    """The sweep's rows, and its talk; those without the plugin are complete and right."""
    wanted = bench.program.sweep(bench.config("plain", bench.library("faulty_none"), MIXED))
    right = bench.rows(wanted["run"])
    config = bench.config(fault, bench.library(f"faulty_{fault}"), MIXED)
    done = bench.attempt("run", config, "--json", "--workers", 2)
    rows = bench.rows(json.loads(done.stdout)["run"])
    equal(rows[4:], right[4:], f"combinations beside {fault}")
    nothing_left()
    return [row["status"] for row in rows[:4]], done


@test("a crash costs the combinations that need it: they are crashed, the others are right")
def crash(bench):
    for fault in ("crash", "scribble"):
        statuses, done = mixed(bench, fault)
        equal(statuses, ["crashed"] * 4, fault)
        expect("SIGSEGV" in done.stderr and "faulty(close," in done.stderr, done.stderr)


@test("a failure says which indicator of which library it was")
def fail(bench):
    statuses, done = mixed(bench, "fail")
    equal(statuses, ["invalid"] * 4, "statuses")
    expect("faulty of the plugin" in done.stderr and "faulty_fail.so" in done.stderr, done.stderr)


@test("a hang ends by the combinations' own limit, and holds the others up for seconds alone")
def hang(bench):
    statuses, done = mixed(bench, "hang")
    equal(statuses, ["timeout"] * 4, "statuses")
    expect(done.took_s < 40, f"it took {done.took_s} s")
    expect("faulty(close," in done.stderr, done.stderr)


@test("admf indicator computes by another process, and says how that ended")
def indicator(bench):
    mine = bench.library("mine")
    out = bench.program.run("indicator", "efficiency(close,10)", "efficiency(close@1w,3)",
                            "sma(efficiency(close,10),3) > 0.5", "efficiency(SPY:close,10)",
                            "--plugin", mine, "--symbol", "SPX")
    rows = list(csv.reader(out.splitlines()))[1:]
    bars = list(csv.DictReader((ROOT / "examples" / "sp500-2000.csv").open(encoding="ascii")))
    close = [float(bar["close"]) for bar in bars]
    equal(len(rows), len(close), "rows")
    for t in (9, 10, 500, len(rows) - 1):
        way = sum(abs(close[i] - close[i - 1]) for i in range(t, t - 10, -1)) if t >= 10 else 0
        wanted = abs(close[t] - close[t - 10]) / way if way else None
        for column in (1, 4):
            found = float(rows[t][column]) if rows[t][column] else None
            expect(found == wanted or abs(found - wanted) < 1e-12, f"row {t}: {found}, {wanted}")
    expect({row[3] for row in rows} == {"0", "1"}, "a condition")
    for fault, says in (("crash", "signal 11"), ("fail", "faulty_fail.so failed"),
                        ("hang", "took longer than 8 s"), ("scribble", "signal 11")):
        done = bench.attempt("indicator", "faulty(close,2)", "--symbol", "SPX", "--plugin",
                             bench.library(f"faulty_{fault}"))
        equal(done.returncode, 78, f"exit code of {fault}")
        expect("faulty(close,2)" in done.stderr and says in done.stderr, done.stderr)
        expect(done.took_s < 10, f"{fault} took {done.took_s} s")
    nothing_left()


@test("the catalogue lists a library's indicators by its own words")
def catalogue(bench):
    args = ("catalog", "indicators", "--plugin", bench.library("mine"))
    text = bench.program.run(*args)
    expect("efficiency(x,n)" in text and "decayed_high(x,d)" in text, "names")
    known = {row["name"]: row for row in json.loads(bench.program.run(*args, "--json"))}
    equal(known["efficiency"]["library"], str(bench.library("mine")), "library")
    equal((known["efficiency"]["class"], known["efficiency"]["warm_up"]), ("rolling", "n"), "row")
    equal(known["sma"]["library"], "", "library of a built-in one")


def main():
    with tempfile.TemporaryDirectory(prefix="admf-plugins-") as folder:
        return run_all(Bench(sys.argv[1], pathlib.Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
