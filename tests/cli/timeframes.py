#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: the tables of docs/TIMEFRAMES.md are what the program computes.

    timeframes.py BUILD_FOLDER     writes TAP
"""

import csv
import io
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import EXAMPLE_CSV, ROOT, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

PAGE = ROOT / "docs" / "TIMEFRAMES.md"


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def tables():
    """(expressions, rows) of each table whose first column is `row`; a last column of talk is left
    out."""
    found, lines = [], PAGE.read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(lines):
        if not line.startswith("| row |"):
            continue
        names = [name.strip("`") for name in cells(line)[1:-1]]
        rows = []
        for row in lines[i + 2:]:
            if not row.startswith("|"):
                break
            rows.append(cells(row)[:len(names) + 1])
        found.append((names, rows))
    return found


def bars():
    """The two files that stand side by side on the page."""
    block = [line[4:] for line in PAGE.read_text(encoding="utf-8").splitlines()
             if re.match(r"    (timestamp,|2024-)", line)]
    sides = [re.split(r"\s{2,}", line) for line in block]
    return ["\n".join(side[k] for side in sides if len(side) > k) + "\n" for k in (0, 1)]


class Bench:
    def __init__(self, build, folder):
        self.program = Program(build, folder / "store")
        self.program.run("import", EXAMPLE_CSV, "--symbol", "SPX")
        for symbol, text in zip(("FUT", "IDX"), bars()):
            path = folder / f"{symbol}.csv"
            path.write_text(text, encoding="ascii")
            self.program.run("import", path, "--symbol", symbol)

    def compare(self, symbol, table):
        names, rows = table
        text = self.program.run("indicator", *names, "--symbol", symbol)
        found = {row["timestamp"]: row for row in csv.DictReader(io.StringIO(text))}
        for day, *values in rows:
            stamp = next(time for time in found if time.startswith(day))
            for name, value in zip(names, values):
                given = found[stamp][name]
                places = len(value.partition(".")[2])
                shown = f"{float(given):.{places}f}" if given else ""
                equal(shown, value, f"{name} of {day}")


@test("larger timeframes of one symbol")
def weeks(bench):
    bench.compare("SPX", tables()[0])
    text = bench.program.run("indicator", "crosses_above(close@1w, sma(close@1w,4))",
                             "--symbol", "SPX")
    first = next(line for line in text.splitlines() if line.endswith(",1"))
    expect(first.startswith("2000-02-07"), first)


@test("another symbol with longer bars, and the other way round")
def symbols(bench):
    equal(len(tables()), 2, "tables")
    bench.compare("FUT", tables()[1])
    text = bench.program.run("indicator", "FUT:close", "--symbol", "IDX")
    equal(text.splitlines()[2], "2024-01-03T00:00:00Z,102", "FUT:close on the row of 3 January")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        return run_all(Bench(sys.argv[1], pathlib.Path(scratch)))


if __name__ == "__main__":
    sys.exit(main())
