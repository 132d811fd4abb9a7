# SPDX-License-Identifier: MIT
"""The indicators' workload: every row of the catalogue beside TA-Lib, and families of periods.

TA-Lib is timed in turns with ours where it has been fetched (run.py --talib). Else what talib.csv
recorded counts, scaled by the plain running sum that was timed in turns with either. `kept` always
comes from that table.
"""

import json
import os
import pathlib
import subprocess
import sys

import talib

AIM_RATIO = 1.0
STRETCH_RATIO = 0.5
AIM_FAMILY_NS = 0.4
BARS = 1_000_000
RUNS = 7


def find_talib(build, may_fetch):
    """What talib.py has built for bench_indicators to load; None where it cannot be had."""
    folder = talib.folder_of(build)
    try:
        if may_fetch:
            folder = talib.make(build)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"indicators: no TA-Lib: {error}", file=sys.stderr)
    shared = folder / talib.SHARED
    return shared if shared.exists() else None


def run_program(build, name, arguments, shared=None):
    """The objects that a program of this folder prints."""
    program = pathlib.Path(build) / "tests" / "bench" / name
    if not program.exists():
        print(f"indicators: {program} is not built", file=sys.stderr)
        return []
    environment = {**os.environ, **({"ADMF_BENCH_TALIB": str(shared)} if shared else {})}
    done = subprocess.run([program, *map(str, arguments)], check=False, env=environment,
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"indicators: {name} could not measure all", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def mark_of(ratio):
    if ratio is None:
        return ""
    return "half" if ratio <= STRETCH_RATIO else "ok" if ratio <= AIM_RATIO else "OVER"


def indicator_result(row, table):
    """The kernel's time counts; where it stands on series that are no columns, the time of all that
    lies beneath: TA-Lib makes these inside."""
    basis = "kernel" if row["has_plain_inputs"] and "kernel" in row else "path"
    if basis not in row:
        return None
    theirs = table.get((row["indicator"], row["parameters"]))
    result = {"name": "indicators", "what": f"{row['indicator']}({row['parameters']})",
              "unit": "ns a value", "class": row["class"], "basis": basis, "aim": None,
              **row[basis], "kernel": row.get("kernel"), "path": row.get("path"),
              "plain": row["plain"], "talib": None, "ratio": None}
    if theirs:
        scaled = {field: theirs[field] * row["plain"][kind] / theirs[f"plain_{kind}"]
                  for field, kind in (("median", "median"), ("best", "best"),
                                      ("kept_median", "median"))}
        result["talib"] = {"kept_median": scaled["kept_median"], **row.get("talib", scaled)}
        result["ratio"] = row[basis]["median"] / result["talib"]["median"]
        result["ratio_best"] = row[basis]["best"] / result["talib"]["best"]
        result["ratio_kept"] = row[basis]["median"] / result["talib"]["kept_median"]
        result["aim"] = AIM_RATIO * result["talib"]["median"]
    result["mark"] = mark_of(result["ratio"])
    return result


def family_result(row):
    return {"name": "indicator_family", "what": f"{row['periods']} periods of {row['family']}",
            "unit": "ns a value", "aim": AIM_FAMILY_NS, **row["memory"],
            "at_once": row["at_once"], "cache": row["cache"], "fill": row["fill"],
            "mark": "ok" if row["memory"]["median"] <= AIM_FAMILY_NS else "OVER"}


def cell(value):
    return f"{'':>9}" if value is None else f"{value:>9.3f}"


def print_indicators(results, source):
    print(f"\nindicators, ns a value over {BARS:,} bars; TA-Lib {source}")
    print(f"{'indicator':<26}{'median':>9}{'best':>9}{'worst':>9}{'of':>8}{'path':>9}{'plain':>9}"
          f"{'TA-Lib':>9}{'ratio':>9}{'at best':>9}{'kept':>9}")
    for result in results:
        path = result["path"]["median"] if result["path"] else None
        print(f"{result['what']:<26}"
              + "".join(cell(result[key]) for key in ("median", "best", "worst"))
              + f"{result['basis']:>8}" + cell(path) + cell(result["plain"]["median"])
              + cell(result["talib"] and result["talib"]["median"])
              + "".join(cell(result.get(key)) for key in ("ratio", "ratio_best", "ratio_kept"))
              + f"  {result['mark']}")
    for key, what in (("ratio", "medians"), ("ratio_best", "best runs"),
                      ("ratio_kept", "medians, TA-Lib without page faults")):
        ratios = [result[key] for result in results if result.get(key) is not None]
        print(f"of {len(ratios)} that TA-Lib has, at or under {AIM_RATIO}: "
              f"{sum(ratio <= AIM_RATIO for ratio in ratios)}, at or under {STRETCH_RATIO}: "
              f"{sum(ratio <= STRETCH_RATIO for ratio in ratios)} ({what})")


def print_families(results):
    print(f"\n{'family, ns a value':<26}{'median':>9}{'best':>9}{'worst':>9}{'aim':>9}"
          f"{'cached':>9}{'fill':>9}")
    for result in results:
        print(f"{result['what']:<26}"
              + "".join(cell(result[key]) for key in ("median", "best", "worst", "aim"))
              + "".join(cell(result[key]["median"]) for key in ("cache", "fill"))
              + f"  {result['mark']}" + ("" if result["at_once"] else ", one after another"))


def measure(build, names, may_fetch):
    """Measures, prints the tables, gives the results."""
    shared = find_talib(build, may_fetch)
    table = talib.recorded()
    results = [indicator_result(row, table)
               for row in run_program(build, "bench_indicators", [BARS, RUNS, *names], shared)]
    results = [result for result in results if result]
    if results:
        print_indicators(results, "in turns with ours" if shared
                         else "as recorded, scaled by the plain sum")
    families = [family_result(row)
                for row in run_program(build, "bench_families", [RUNS, *names])]
    if families:
        print_families(families)
    return results + families
