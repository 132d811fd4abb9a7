# SPDX-License-Identifier: MIT
"""Numbers of this engine beside those of another: what counts as equal, and how a run is read."""

import csv
import math
import pathlib

# Of the value, and what is left where a value is zero but for rounding.
TOLERANCE, TOLERANCE_OF_ZERO = 1e-9, 1e-13


class Skip(Exception):
    """A case needs what this version does not have."""


def number(value):
    """A number; NaN where there is none."""
    return math.nan if value in ("", None, "NaN") else float(value)


def is_close(ours, theirs, scale=0.0):
    """Whether two numbers agree; scale is that of the numbers that ours is a difference of."""
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return abs(ours - theirs) <= TOLERANCE * abs(theirs) + TOLERANCE_OF_ZERO * (1 + scale)


def table(text):
    return list(csv.DictReader(text.splitlines()))


def read(path):
    return table(pathlib.Path(path).read_text(encoding="utf-8"))


class Problems(list):
    """What a case found, in words."""

    def same(self, what, ours, theirs):
        if ours != theirs:
            self.append(f"{what}: {ours} instead of {theirs}")

    def close(self, what, ours, theirs, scale=0.0):
        if not is_close(number(ours), number(theirs), scale):
            self.append(f"{what}: {ours} instead of {theirs}")

    def rows(self, what, ours, theirs, columns, key=None):
        """Rows of numbers, by pairs of columns (ours, theirs)."""
        if len(ours) != len(theirs):
            self.append(f"{len(ours)} {what}s instead of {len(theirs)}")
        for i, (mine, his) in enumerate(zip(ours, theirs)):
            label = f"{what} {his[key] if key else i}"
            for a, b in columns:
                self.close(f"{label} {a}", mine[a], his[b])


class Outcome:
    """What one combination of a run left."""

    def __init__(self, program, run="last", combination=0):
        def export(what):
            return table(program.run("export", run, "--what", what,
                                     "--combination", combination))
        self.trades = export("trades")
        self.equity = export("equity")
        self.metrics = table(program.run("export", run, "--what", "combinations"))[combination]

    @property
    def closed(self):
        return [t for t in self.trades if t["exit_bar"] != ""]


class Runner:
    """Runs configurations of one golden folder, with a store and files of its own."""

    def __init__(self, program, shared, scratch):
        self.program, self.shared, self.scratch = program, shared, pathlib.Path(scratch)

    def data(self, dataset):
        """The bars that a case was made from."""
        return self.shared / "data" / f"{dataset}.csv"

    def write(self, name, text):
        path = self.scratch / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, config, *args):
        self.program.run("run", self.write("case.yaml", config), "--quiet", *args)

    def outcome(self, config):
        """The one combination of a configuration."""
        self.run(config, "--workers", 1)
        return Outcome(self.program)
