#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the results in a folder: NAME.json is a log of `meson test`, NAME.tap is TAP.

Prints every failure with the end of its output and every skip with its reason; the last line is
`N passed, N failed, N skipped`. A meson test that wrote TAP counts as the tests in it, any other as
one. Leaves with 1 if one failed or none passed.
"""

import json
import pathlib
import re
import sys

TAP = re.compile(r"^(not )?ok\b[\s\d]*-?\s*(.*?)(?:\s*#\s*(SKIP)\b\s*(.*))?$", re.IGNORECASE)
SKIPPED_BY_MESON = 77


class Counts:
    """What has been seen so far, over all files."""

    def __init__(self):
        self.passed = 0
        self.failed = []  # (name, output)
        self.skipped = []  # (name, reason)

    def add_tap(self, text, prefix):
        """Adds the tests of a TAP text and returns (number, number of failures)."""
        tests, failures, output = 0, 0, []
        for line in text.splitlines():
            found = TAP.match(line)
            if not found:
                output.append(line)  # what follows a failure is about it
                continue
            is_failure, name, directive, reason = found.groups()
            name = re.sub(r"\s*\(\d+\.\d+s\)$", "", f"{prefix}: {name}")
            tests += 1
            if directive:
                self.skipped.append((name, reason or "no reason given"))
            elif is_failure:
                failures += 1
                output = []
                self.failed.append((name, output))
            else:
                self.passed += 1
                output = []
        return tests, failures

    def add_meson(self, test, prefix):
        """Adds one line of a testlog.json."""
        name = f"{prefix}: {test['name']}"
        stdout, stderr = test.get("stdout", ""), test.get("stderr", "")
        output = (stdout + stderr).splitlines()
        is_fine = test["result"] in ("OK", "EXPECTEDFAIL")
        if test["result"] == "SKIP" or test.get("returncode") == SKIPPED_BY_MESON:
            self.skipped.append((name, output[-1] if output else "no reason given"))
            return
        tests, failures = self.add_tap(stdout, prefix) if "TAP version" in stdout else (0, 0)
        if not is_fine and failures == 0:  # it died, leaked, or ran out of time
            self.failed.append((f"{name} ({test['result']})", output))
        elif not is_fine and stderr:
            self.failed[-1][1].extend(stderr.splitlines())
        elif is_fine and tests == 0:
            self.passed += 1


def main():
    counts = Counts()
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".tap":
            counts.add_tap(text, path.stem)
        elif path.suffix == ".json":
            for line in text.splitlines():
                counts.add_meson(json.loads(line), path.stem)
    for name, reason in counts.skipped:
        print(f"skipped  {name}: {reason}")
    for name, output in counts.failed:
        print(f"FAILED   {name}")
        for line in output[-30:]:
            print(f"    {line}")
    print(f"{counts.passed} passed, {len(counts.failed)} failed, {len(counts.skipped)} skipped")
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
