# SPDX-License-Identifier: MIT
"""Whole-program tests: functions marked with @test, run in order, printed as TAP."""

import pty
import sys
import traceback

from program import take_reports

_tests = []


class Skip(Exception):
    """What keeps a test from running here."""


def test(sentence):
    """Marks a function as a test; the sentence says what must hold."""
    def mark(function):
        _tests.append((sentence, function))
        return function
    return mark


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(found, expected, what):
    if found == expected:
        return
    if isinstance(found, dict) and isinstance(expected, dict):  # the first difference says enough
        for key in sorted(set(found) | set(expected)):
            equal(found.get(key), expected.get(key), f"{what}, {key}")
    raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


def no_reports():
    """No program, worker or supervisor, has met a sanitizer since the last call."""
    reports = take_reports()
    expect(not reports, "a sanitizer reports:\n" + "\n".join(reports))


def open_terminal():
    """Both ends of a pseudo-terminal: ours, and the program's."""
    try:
        return pty.openpty()
    except OSError as error:
        raise Skip(f"there is no pseudo-terminal here: {error}") from error


def run_all(*arguments):
    """Calls every test with the arguments; a sanitizer's report during one fails it. The exit
    status."""
    print("TAP version 13")
    failed = 0
    for i, (sentence, function) in enumerate(_tests, 1):
        try:
            try:
                function(*arguments)
            finally:
                no_reports()
        except Skip as reason:
            print(f"ok {i} - {sentence} # SKIP {reason}")
            continue
        except Exception:  # noqa: BLE001 - a test may fail in any way
            failed += 1
            print(f"not ok {i} - {sentence}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            continue
        print(f"ok {i} - {sentence}")
        sys.stdout.flush()
    print(f"1..{len(_tests)}")
    return 1 if failed else 0
