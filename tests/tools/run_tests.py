#!/usr/bin/env python3
"""Runs every test and prints one summary line.

Usage: run_tests.py COMMAND ...

The command is `cargo test` with its arguments. A test that this machine cannot play passes for cargo; it writes
its name and the reason into the file of RIGHTSIZER_NOT_PLAYED, and is counted here as neither passed nor failed.
With RIGHTSIZER_PLAY_ALL=1 there is no such file, so that such a test fails. The summary has the minutes that it
took, and how many of them cargo compiled: before its first line of output.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

RESULT = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
FAILED = re.compile(r"test (\S+) \.\.\. FAILED")


class Count:
    """What the lines of cargo's output add up to."""

    def __init__(self):
        self.passed = self.failed = self.ignored = 0
        self.names = []

    def read(self, line):
        if result := RESULT.match(line):
            passed, failed, ignored = map(int, result.groups())
            self.passed += passed
            self.failed += failed
            self.ignored += ignored
        elif failed := FAILED.match(line):
            self.names.append(failed[1])

    def summary(self, notes, compiled, took):
        """Returns the lines of the summary; `notes` are the tests that were not played, the times are seconds."""
        notes = sorted(set(notes))
        line = f"test: {minutes(took)} min, {minutes(compiled)} of them compiling: {self.passed - len(notes)} passed, {self.failed} failed"
        if self.ignored:
            line += f", {self.ignored} ignored"
        line += f", {len(notes)} not played here" + (":" if notes else "")
        failed = [f"  failed: {name}" for name in self.names]
        return failed + [line] + [f"  {note}" for note in notes]


def minutes(seconds):
    return f"{seconds / 60:.0f}"


def main(command):
    with tempfile.NamedTemporaryFile("r", prefix="not-played-") as notes:
        environment = dict(os.environ, CARGO_TERM_COLOR="never")
        environment.pop("RIGHTSIZER_NOT_PLAYED", None)
        if environment.get("RIGHTSIZER_PLAY_ALL") != "1":
            environment["RIGHTSIZER_NOT_PLAYED"] = notes.name
        count, began, compiled = Count(), time.monotonic(), None
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, errors="replace") as run:
            for line in run.stdout:
                compiled = compiled or time.monotonic() - began
                print(line, end="", flush=True)
                count.read(line)
        took = time.monotonic() - began
        print("\n".join(count.summary(notes.read().splitlines(), compiled or took, took)))
    return run.returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
