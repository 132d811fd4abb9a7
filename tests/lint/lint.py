#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps the tree in order without running it; one check a function, one TAP line a check.

    lint.py [--build FOLDER] [CHECK...]

FOLDER holds compile_commands.json; without it clang-tidy is skipped. Leaves with 1 if a check fails.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("proto", "shm", "worker", "supervisor")

# What a folder may include: folders of the tree, and libraries beside libc.
MAY_INCLUDE = {
    "proto": ({"proto"}, set()),
    "shm": ({"proto", "shm"}, {"xxhash.h"}),
    "worker": ({"proto", "shm", "worker"}, {"jansson.h"}),
    "supervisor": (
        {"proto", "shm", "supervisor"},
        {"jansson.h", "lmdb.h", "nng/nng.h", "sqlite3.h", "xxhash.h", "yaml.h", "zlib.h", "zstd.h"},
    ),
}
NNG_ONLY_IN = "proto/channel.c"
LIBRARIES = re.compile(r"^(criterion|nanomsg|nng)/|^(jansson|lmdb|sqlite3|xxhash|yaml|zlib|zstd)\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# Written in pieces, so that this file does not hold them.
FORBIDDEN = re.compile(
    r"(?<![\w.$}])/(?:wo" r"rk|ho" r"me|ro" r"ot)/|/tm" r"p/b-|\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b"
)
TEXT_SUFFIXES = {".build", ".c", ".def", ".h", ".md", ".py", ".sh", ".txt", ".yaml", ".yml", ""}
SPDX_SUFFIXES = {".c", ".def", ".h", ".py", ".sh"}


class Skip(Exception):
    """A check that cannot be made here, and why."""


def tracked_files():
    """Files of the tree, as git sees them; without git, all that is no build folder."""
    listing = None
    if shutil.which("git"):
        listing = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )
    if listing and listing.returncode == 0:
        names = listing.stdout.splitlines()
    else:
        names = [
            str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
            if not re.match(r"build|\.git/", str(path.relative_to(ROOT)))
        ]
    return sorted(name for name in names if (ROOT / name).is_file())


FILES = tracked_files()


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def sources(*suffixes):
    return [name for name in FILES if name.endswith(suffixes)]


def run_each(commands):
    """Runs commands, as many at a time as there are processors; the output of those that fail."""
    def run(command):
        argv, stdin = command
        done = subprocess.run(
            argv, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False
        )
        return (done.stdout + done.stderr).splitlines() if done.returncode else []

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for lines in pool.map(run, commands) for line in lines]


def tool(*names):
    """The first of these programs that is there."""
    for name in names:
        if shutil.which(name):
            return name
    raise Skip(f"{names[0]} is not installed")


# ---- checks: each returns the list of what is wrong ----------------------------------------------


def layering(_):
    """What a folder includes is what it may."""
    problems = []
    for name in sources(".c", ".h", ".def"):
        folder = name.split("/")[0]
        if folder not in MAY_INCLUDE:
            continue
        folders, libraries = MAY_INCLUDE[folder]
        for quote, target in INCLUDE.findall(read(name)):
            if quote == '"' and target.split("/")[0] not in folders:
                problems.append(f"{name}: includes \"{target}\"; {folder}/ may include "
                                f"{', '.join(sorted(folders))}, by the path from the top")
            elif LIBRARIES.match(target) and target not in libraries and not (
                    name == NNG_ONLY_IN and target.startswith("nng/")):
                problems.append(f"{name}: includes <{target}>, which is not for {folder}/")
    return problems


def headers_alone(compiler):
    commands = []
    for name in sources(".h"):
        argv = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused-parameter",
                "-Wno-unused-function", "-Wno-unused-const-variable", "-Werror", "-I.",
                "-fsyntax-only", "-x", "c", "-"]
        commands.append((argv, f'#include "{name}"\n'))
    return run_each(commands)


def headers_gcc(_):
    """Each header compiles alone with gcc."""
    return headers_alone(tool("gcc"))


def headers_clang(_):
    """Each header compiles alone with clang."""
    return headers_alone(tool("clang"))


def words(_):
    """No file holds a path of one machine or a word of unfinished work."""
    problems = []
    for name in FILES:
        if pathlib.Path(name).suffix not in TEXT_SUFFIXES or name.startswith("LICENSE"):
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            if FORBIDDEN.search(line):
                problems.append(f"{name}:{number}: {line.strip()[:80]}")
    return problems


def licence(_):
    """Each source names its licence in its first lines."""
    return [f"{name}: no SPDX-License-Identifier in its first two lines"
            for name in FILES
            if pathlib.Path(name).suffix in SPDX_SUFFIXES
            and not any("SPDX-License-Identifier: MIT" in line
                        for line in read(name).splitlines()[:2])]


def layout(_):
    """Each source is laid out as .clang-format says; `./dev format` does it."""
    program = tool("clang-format-14", "clang-format")
    wrong = run_each([([program, "--dry-run", "-Werror", name], None) for name in sources(".c", ".h")])
    return sorted({line.split(":")[0] for line in wrong if "error:" in line})


TABLES = (
    # what, file, pattern of a row's name, patterns in tests of which one must be found
    ("message", "proto/msg.def", r"^X\(\d+, (\w+),", (r'\bMSG_{0}\b|"(?i:{0})"',)),
    ("metric", "proto/metric.def", r"^X\((\w+),", (r'\bMETRIC_{0}\b|"(?i:{0})"',)),
    ("indicator", "shm/indicator/", r'^\s*\{{1,2}\.name = "(\w+)"',
     (r'"(?:[^"\n]*\b{0}\([^"\n]*|{0})"',)),
    ("strategy", "worker/strategy/named.c", r'^\s*(?:\.name = "|NAMED\()(\w+)[",]',
     (r"\b{0}\b",)),
    ("option", "supervisor/cli/options.c", r'^\s*\{"([\w-]+)", (?:0|\'.\'),', (r"--{0}\b",)),
)


def table_text(place):
    return "\n".join(read(name) for name in FILES if name.startswith(place))


def rows(place, pattern):
    """Names of the rows of a table."""
    return re.findall(pattern, table_text(place), re.MULTILINE)


def tables(_):
    """Each message, metric, indicator, strategy and option is named by a test."""
    tests = "\n".join(read(name) for name in FILES
                      if name.startswith("tests/") and not name.startswith("tests/lint/")
                      and pathlib.Path(name).suffix in TEXT_SUFFIXES)
    problems = []
    for what, place, pattern, wanted in TABLES:
        names = rows(place, pattern)
        if not names:
            problems.append(f"{place}: no row of a {what} found")
        problems += [f"{place}: no test names the {what} {name}" for name in names
                     if not any(re.search(w.format(re.escape(name)), tests) for w in wanted)]
    return problems


def documents(_):
    """Each row of a table says what it is; each command, option and strategy is in the documents."""
    problems = [f"proto/metric.def: {name} lacks a formula or its unit"
                for name, rest in re.findall(r"^X\((\w+),(.*?)\)\n(?=X\(|\n|\Z)",
                                             read("proto/metric.def"), re.M | re.S)
                if len(re.findall(r'"[^"]+"', rest)) < 4]
    problems += [f"proto/msg.def: {name} does not say what it says"
                 for name, text in re.findall(r'^X\(\d+, (\w+),.*?"([^"]*)"\)$',
                                              read("proto/msg.def"), re.M)
                 if len(text) < 8]
    text = "\n".join(read(name) for name in FILES if name.endswith(".md"))
    for name in rows("supervisor/cli/commands.c", r'^    \{"([a-z ]+)", "'):
        first, _, second = name.partition(" ")
        if not re.search(rf"\badmf {first}\b[a-z |]*\b{second}", text):
            problems.append(f"README.md and docs: no `admf {name}`")
    for what, place, pattern, _ in TABLES:
        if what in ("option", "strategy"):
            mark = "--" if what == "option" else "`"
            problems += [f"README.md and docs: no {what} {mark}{name}" for name in rows(place, pattern)
                         if f"{mark}{name}" not in text]
    return problems


# What cppcheck cannot see: finding, file, why it is none.
CPPCHECK_IS_WRONG = (
    ("arrayIndexOutOfBoundsCond", "shm/graph_bind.c", "roles number what there is"),
    ("memleak", "shm/graph_eval.c", "the pointer is kept by memcpy"),
    ("memleak", "supervisor/store/bars_heap.c", "the pointer is kept by memcpy"),
    ("uninitvar", "shm/expr.c", "an expression has at least one node"),
    ("uninitvar", "shm/graph_bind.c", "an operator has at least one argument"),
)


def cppcheck(_):
    """cppcheck finds nothing."""
    program = tool("cppcheck")
    argv = [program, "--quiet", "--std=c11", "--enable=warning", "--inline-suppr",
            "--error-exitcode=1", "-D_GNU_SOURCE", '-DADMF_VERSION="0"', "-I.",
            f"-j{os.cpu_count()}", "--suppress=missingIncludeSystem",
            *(f"--suppress={kind}:{name}" for kind, name, _ in CPPCHECK_IS_WRONG), *CODE_FOLDERS]
    return run_each([(argv, None)])


def clang_tidy(build):
    """clang-tidy finds nothing; its checks are in .clang-tidy."""
    program = tool("clang-tidy-14", "clang-tidy")
    if not build or not (pathlib.Path(build) / "compile_commands.json").exists():
        raise Skip("no compile_commands.json; give --build FOLDER")
    commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    compiled = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
                for entry in commands}
    wanted = sorted(name for name in compiled if name.startswith(CODE_FOLDERS))
    if not wanted:
        return [f"{build} is no build folder of this tree"]
    lines = run_each([([program, "--quiet", "-p", str(build), name], None) for name in wanted])
    return [line for line in lines if "error:" in line or "warning:" in line]


CHECKS = (layering, headers_gcc, headers_clang, words, licence, layout, tables, documents, cppcheck,
          clang_tidy)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", help="a build folder with compile_commands.json")
    parser.add_argument("check", nargs="*", help=", ".join(c.__name__ for c in CHECKS))
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve() if args.build else None
    failed = 0

    print("TAP version 13")
    for check in CHECKS:
        if args.check and check.__name__ not in args.check:
            continue
        promise = f"{check.__name__}: {check.__doc__}"
        try:
            problems = check(build)
        except Skip as reason:
            print(f"ok - {promise} # SKIP {reason}")
            continue
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} - {promise}")
        for problem in problems[:200]:
            print(f"# {problem}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
