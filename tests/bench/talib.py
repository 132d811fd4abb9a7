#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TA-Lib's times over the bars of bench_indicators: fetched, built, measured; or as recorded.

    talib.py --build FOLDER [--archive FILE.tgz] [--record]

Fetches TA-Lib's C sources (they come in the npm package `talib`) into FOLDER/bench, builds them as
tight as gcc can with the driver beside, and prints its times. Nothing of it goes anywhere else.
--record lowers the figures of talib.csv to what is measured, where that is less; on another machine
begin without that file. They serve where TA-Lib cannot be had. --archive takes the package from a
file instead.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE / "talib.csv"
PACKAGE = "talib@1.1.6"
ARCHIVE = "talib-1.1.6.tgz"
ARCHIVE_SHA256 = "7587779fcf8d798b85e065a80e0625ce099fd38e71e00cb3c886f60c6d75586d"
SOURCES = "package/src/lib"
DRIVER, SHARED = "talib_driver", "talib.so"
CC = ("gcc", "-w", "-O3", "-march=native", "-D_GNU_SOURCE")
RUNS = 7
RECORDED_ROUNDS = 5
FIELDS = ("best", "median", "kept_best", "kept_median", "plain_best", "plain_median")


def folder_of(build):
    return pathlib.Path(build).resolve() / "bench" / "talib"


def fetch(folder, archive=None):
    """The package's sources in folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(archive) if archive else folder / ARCHIVE
    if not path.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGE, "--pack-destination", folder],
                       check=True, stdout=subprocess.DEVNULL)
    if hashlib.sha256(path.read_bytes()).hexdigest() != ARCHIVE_SHA256:
        raise RuntimeError(f"{path} is not the package {PACKAGE}")
    with tarfile.open(path) as tar:
        wanted = [member for member in tar.getmembers()
                  if member.isfile() and member.name.startswith(SOURCES + "/")
                  and ".." not in pathlib.PurePath(member.name).parts]
        tar.extractall(folder, members=wanted)


def make(build, archive=None):
    """The folder of the driver and of what bench_indicators loads, both made from sources that are
    fetched where they are not there."""
    folder = folder_of(build)
    if not (folder / SOURCES).exists():
        fetch(folder, archive)
    source, library = folder / SOURCES, folder / "objects"
    includes = [f"-I{source / name}" for name in ("include", "src/ta_common", "src/ta_func")]
    files = sorted(path for part in ("ta_common", "ta_func")
                   for path in (source / "src" / part).glob("*.c")
                   if not path.name.startswith("ta_CDL"))  # no candlesticks
    if not library.exists():
        making = folder / "objects.new"
        making.mkdir(exist_ok=True)
        subprocess.run([*CC, *includes, "-fPIC", "-c", *files], check=True, cwd=making)
        making.rename(library)
    cases = [HERE / "talib_case.c", *sorted(library.glob("*.o")), "-lm"]
    subprocess.run([*CC, *includes, "-fPIC", "-shared", "-o", folder / SHARED, *cases], check=True)
    subprocess.run([*CC, *includes, "-o", folder / DRIVER, HERE / "talib_driver.c",
                    HERE / "turns.c", *cases],
                   check=True)
    return folder


def run_driver(folder):
    """{(indicator, parameters): {field: ns a row}}"""
    lines = subprocess.run([folder / DRIVER, "1000000", str(RUNS)], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return {(row["indicator"], row["parameters"]): {field: row[field] for field in FIELDS}
            for row in rows}


def recorded():
    """As run_driver, from the table."""
    with open(RECORDED, encoding="ascii", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {(row["indicator"], row["parameters"]): {field: float(row[field])
                                                        for field in FIELDS} for row in rows}


def least(tables):
    """The least of several runs of the driver, each by the plain sum that it was timed with."""
    result = {}
    for case in tables[0]:
        rows, row = [table[case] for table in tables], {}
        for kind in ("best", "median"):
            plain, kept = f"plain_{kind}", f"kept_{kind}"
            of_least = min(rows, key=lambda each, k=kind, p=plain: each[k] / each[p])
            row[kind], row[plain] = of_least[kind], of_least[plain]
            row[kept] = min(each[kept] / each[plain] for each in rows) * row[plain]
        result[case] = row
    return result


def record(table, gcc):
    with open(RECORDED, "w", encoding="ascii", newline="") as file:
        file.write(
            f"# TA-Lib's C (sources of {PACKAGE}) by {gcc}, -O3 -march=native, over the bars of\n"
            "# bars.h: 1,000,000 rows, ns of processor time a row with all outputs, one thread.\n"
            f"# The least, by the plain sum, of at least {RECORDED_ROUNDS} rounds of {RUNS} runs or "
            "more. `kept`: with a\n"
            "# heap that never gives pages back, so that what a function takes for each call costs\n"
            "# no page faults. `plain`: a mean of 20 by a plain running sum, in turns with it;\n"
            "# elsewhere scale by it. Written by talib.py --record.\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("indicator", "parameters", *FIELDS))
        for case, row in table.items():
            writer.writerow((*case, *(f"{row[field]:.3f}" for field in FIELDS)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="folder with the programs")
    parser.add_argument("--archive", help="the npm package, where it is at hand")
    parser.add_argument("--record", action="store_true", help="write talib.csv")
    args = parser.parse_args()
    folder = make(args.build, args.archive)
    rounds = RECORDED_ROUNDS if args.record else 1
    table = least([run_driver(folder) for _ in range(rounds)])
    if args.record:
        version = subprocess.run(["gcc", "-dumpfullversion"], check=True, capture_output=True,
                                 text=True).stdout.strip()
        record(least([table, {**table, **recorded()}] if RECORDED.exists() else [table]),
               f"gcc {version}")
    for (indicator, parameters), row in table.items():
        print(f"{indicator + '(' + parameters + ')':<28}"
              + "".join(f"{row[field]:>14.3f}" for field in FIELDS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
