#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Promise: docs/EXECUTION.md is what this engine does. Every worked example of the page is run
through the program, as a reader would run it, and must give the trades, equity and counts that
stand there; and the same in lockstep.

    rulebook.py BUILD_FOLDER     writes TAP

An example is a fenced block marked `worked`, in three parts between lines of `---`: keys of a
configuration; a table of bars, whose last column is what the strategy says at the close; what comes
of it. The page itself says what is in force where an example does not."""

import csv
import datetime
import io
import math
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import ROOT, Program  # noqa: E402
from tap import equal, expect, run_all, test  # noqa: E402

PAGE = ROOT / "docs" / "EXECUTION.md"
FIRST_DAY = datetime.date(2024, 1, 1)
PRICES = ("open", "high", "low", "close", "volume")
ENTRIES = {"buy": "long", "short": "short"}
NEUTRAL_PORTFOLIO = {"initial_capital": "10000", "lot": "0", "sizing": "{units: 10}"}
TOLERANCE = 1e-9


def number(text):
    """A number, or arithmetic as one writes it on paper."""
    expect(re.fullmatch(r"[-+*/().0-9e]+", text), f"{text!r} is no number")
    return float(eval(text, {"__builtins__": {}}))  # noqa: S307 - digits and operators alone


def is_close(found, wanted):
    return math.isclose(found, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


class Example:
    """One fenced block."""

    def __init__(self, title, text):
        self.title = title
        config, bars, outcome = [part.strip("\n") for part in re.split(r"^---$", text, flags=re.M)]
        self.keys = dict(re.findall(r"^(\w+): *(.+)$", config, re.M))
        header, *rows = bars.splitlines()
        self.columns = header.split()
        self.rows = [self.row(line) for line in rows if line.strip()]
        self.outcome = [line.split("#")[0].strip() for line in outcome.splitlines()]

    def row(self, line):
        values = line.split(None, len(self.columns) - 1)
        row = dict(zip(self.columns, values))
        row["says"] = [said.split() for said in row.get("says", "").split(",") if said.strip()]
        return row

    def said_columns(self):
        """Columns that a strategy reads: what is said, and at which prices."""
        names = set()
        for row in self.rows:
            for word, *terms in row["says"]:
                names.add(f"says_{word}")
                names.update(f"says_{word}_{kind}" for kind in terms[0::2])
        return sorted(names)

    def csv_of(self, symbol):
        said = self.said_columns()
        extra = [name for name in self.columns if name == "cash_dividend"]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["timestamp", *PRICES, *extra, *said])
        for row in self.rows:
            if row.get("symbol", symbol) != symbol:
                continue
            time = f"2024-{row['time']}:00Z" if "time" in row else str(
                FIRST_DAY + datetime.timedelta(days=int(row["bar"])))
            values = {name: 0 for name in said}
            for word, *terms in row["says"]:
                values[f"says_{word}"] = 1
                values.update({f"says_{word}_{kind}": price
                               for kind, price in zip(terms[0::2], terms[1::2])})
            writer.writerow([time, *(row.get(name, 1000) for name in PRICES),
                             *(row[name] for name in extra), *(values[name] for name in said)])
        return out.getvalue()

    def symbols(self):
        return list(dict.fromkeys(row.get("symbol", "X") for row in self.rows))

    def rules(self):
        said = self.said_columns()
        rules = {rule: f"says_{word} > 0" for rule, word in (
            ("long_entry", "buy"), ("long_exit", "sell"),
            ("short_entry", "short"), ("short_exit", "cover")) if f"says_{word}" in said}
        if not {"long_entry", "short_entry"} & set(rules):
            rules["long_entry"] = "close < 0"
        for word, side in ENTRIES.items():
            for kind in ("limit", "stop"):
                if f"says_{word}_{kind}" in said:
                    rules[f"{side}_{kind}"] = f"says_{word}_{kind}"
        return rules

    def config(self, folder):
        keys = dict(self.keys)
        if "conventions" not in keys:
            given = keys.get("portfolio", "{}").strip()[1:-1]
            neutral = [f"{key}: {value}" for key, value in NEUTRAL_PORTFOLIO.items()
                       if not re.search(rf"(^|[ ,]){key}:", given)]
            keys["portfolio"] = "{" + ", ".join(neutral + ([given] if given else [])) + "}"
        files = []
        for symbol in self.symbols():
            path = folder / f"{symbol}.csv"
            path.write_text(self.csv_of(symbol))
            files.append(f"{symbol}: {path}")
        rules = ", ".join(f"{key}: \"{value}\"" for key, value in self.rules().items())
        keys.setdefault("strategies", f"[{{type: rules, {rules}}}]")
        lines = [f"data: {{csv: {{{', '.join(files)}}}}}"]
        lines += [f"{key}: {value}" for key, value in keys.items()]
        path = folder / "example.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path


def examples():
    title, found = "", []
    text = PAGE.read_text()
    for match in re.finditer(r"^#+ ([^\n]+)$|^```worked\n(.*?)^```$", text, re.M | re.S):
        if match[1]:
            title = match[1]
        else:
            line = text.count("\n", 0, match.start()) + 1
            found.append(Example(f"{title}, line {line}", match[2]))
    return found


# ---- what came of it -------------------------------------------------------------------------


def read(program, run, what):
    return list(csv.DictReader(io.StringIO(
        program.run("export", run, "--what", what, "--combination", 0))))


def check_side(trade, words, side, what):
    bar, rule, price, *rest = words
    equal(trade[f"{side}_bar"], bar, f"{what}: {side} bar")
    equal(trade[f"{side}_rule"], rule, f"{what}: {side} rule")
    found = float(trade[f"{side}_price"])
    expect(is_close(found, number(price)), f"{what}: {side} price {found!r}, not {price}")
    return rest


def check_trade(trade, line):
    """direction size [of SYMBOL] in BAR RULE PRICE (out BAR RULE PRICE | open) [column value]..."""
    direction, size, *words = line.split()
    equal(trade["direction"], direction, line)
    expect(is_close(float(trade["size"]), number(size)), f"{line}: size {trade['size']}")
    while words:
        word, *words = words
        if word == "of":
            equal(trade["symbol"], words.pop(0), f"{line}: symbol")
        elif word == "in":
            words = check_side(trade, words, "entry", line)
        elif word == "out":
            words = check_side(trade, words, "exit", line)
        elif word == "open":
            equal(trade["exit_bar"], "", f"{line}: exit bar")
        else:
            value = words.pop(0)
            expect(is_close(float(trade[word]), number(value)),
                   f"{line}: {word} {trade[word]}, not {value}")


def check(program, run, example):
    trades = read(program, run, "trades")
    wanted = [line for line in example.outcome if line.split()[:1] in (["long"], ["short"])]
    said = [f"{t['direction']} {t['size']} in {t['entry_bar']} {t['entry_rule']} "
            f"{t['entry_price']} out {t['exit_bar']} {t['exit_rule']} {t['exit_price']} pnl "
            f"{t['pnl']}" for t in trades]
    equal(len(trades), len(wanted), f"trades {said}")
    for trade, line in zip(trades, wanted):
        check_trade(trade, line)
    for line in example.outcome:
        word, *rest = line.split() or [""]
        if word == "equity":
            found = [float(row["equity"]) for row in read(program, run, "equity")]
            expect(len(found) == len(rest) and all(map(is_close, found, map(number, rest))),
                   f"equity {found}, not {rest}")
        elif word == "metric":
            found = read(program, run, "combinations")[0][rest[0]]
            expect(found != "" and is_close(float(found), number(rest[1])),
                   f"{rest[0]} {found}, not {rest[1]}")
        else:
            expect(word in ("", "long", "short", "none"), f"{line!r} says nothing that is known")


def run_example(build, example):
    with tempfile.TemporaryDirectory(prefix="admf-rulebook-") as folder:
        folder = pathlib.Path(folder)
        program = Program(build, folder / "store")
        config = example.config(folder)
        free = program.sweep(config, "--workers", 1)
        check(program, free["run"], example)
        lockstep = program.sweep(config, "--workers", 1, "--set", "run.mode=lockstep")
        equal(lockstep["digest"], free["digest"], "digest in lockstep")


def declare():
    found = examples()
    expect(found, f"{PAGE} holds no worked example")
    for example in found:
        def one(build, example=example):
            run_example(build, example)
        test(f"worked example: {example.title}")(one)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    declare()
    sys.exit(run_all(sys.argv[1]))
