#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: under the conventions of another engine this one gives that engine's trades, equity and
statistics, case by case, and whole grids of them.

    golden.py BUILD_FOLDER SHARED_FOLDER [NAME…]     writes TAP; a new case is a new folder, no code

NAMEs choose the cases whose name contains one of them. What a case needs and this version does not
have is skipped, saying what.
"""

import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import engine_backtesting_py  # noqa: E402
import engine_backtrader  # noqa: E402
import engine_vectorbt  # noqa: E402
from compare import Runner, Skip  # noqa: E402
from grids import run_grid  # noqa: E402
from program import Program, take_reports  # noqa: E402

ENGINES = (engine_backtesting_py, engine_vectorbt, engine_backtrader)
SHOWN = 8  # problems of a case


def cases(golden):
    """(name, function of a runner that returns what is wrong) of every case that is there."""
    for engine in ENGINES:
        for folder in sorted(p.parent for p in golden.glob(f"{engine.FOLDER}/*/case.json")):
            def run(runner, engine=engine, folder=folder):
                case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
                return engine.run_case(runner, folder, case)
            yield f"{engine.FOLDER.removeprefix('backtests_')} {folder.name}", run
    for path in sorted((golden / "grid").glob("*.csv")):
        yield f"grid {path.stem}", lambda runner, path=path: run_grid(runner, path)


def problems_of(run, runner):
    try:
        problems = run(runner)
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        problems = [f"{type(error).__name__}: {error}"]
    return problems + [line for report in take_reports() for line in report.splitlines()]


def main():
    build, shared, *names = sys.argv[1:]
    shared = pathlib.Path(shared).resolve()
    print("TAP version 13")
    if not (shared / "golden").is_dir():
        print("ok 1 - golden cases # SKIP the folder of golden cases is not here")
        print("1..1")
        return 0
    failed = tests = 0
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(Program(build, pathlib.Path(scratch) / "store"), shared, scratch)
        for name, run in cases(shared / "golden"):
            if names and not any(part in name for part in names):
                continue
            tests += 1
            try:
                problems = problems_of(run, runner)
            except Skip as skip:
                print(f"ok {tests} - {name} # SKIP {skip}")
                continue
            failed += bool(problems)
            print(f"{'not ok' if problems else 'ok'} {tests} - {name}", flush=True)
            for problem in problems[:SHOWN]:
                print(f"# {problem}")
            if len(problems) > SHOWN:
                print(f"# and {len(problems) - SHOWN} more")
    print(f"1..{tests}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
