"""The summary of `make test`: what is not played is neither passed nor failed, and a failure stays one."""

import pathlib
import subprocess
import sys
import unittest

import run_tests

RUN = pathlib.Path(__file__).with_name("run_tests.py")
OUTPUT = """
test a::one ... ok
test a::two ... FAILED
test result: FAILED. 7 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""
NOTE = 'if [ -n "${RIGHTSIZER_NOT_PLAYED:-}" ]; then echo "disk::full: no disk" >>"$RIGHTSIZER_NOT_PLAYED"; fi'


def run(script, **variables):
    command = [sys.executable, str(RUN), "sh", "-c", script]
    environment = {"PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


class Summary(unittest.TestCase):
    def test_what_is_not_played_is_counted_apart(self):
        # One note twice, as of a test that runs a scene several times: 12 passed for cargo, less 1.
        done = run(f"cat <<'X'\n{OUTPUT}\nX\n{NOTE}\n{NOTE}\nexit 101")
        self.assertEqual(done.returncode, 101)
        self.assertEqual(
            done.stdout.splitlines()[-3:],
            ["  failed: a::two", "test: 0 min, 0 of them compiling: 11 passed, 1 failed, 1 ignored, 1 not played here:", "  disk::full: no disk"],
        )

    def test_everything_is_demanded_if_asked(self):
        done = run(NOTE, RIGHTSIZER_PLAY_ALL="1", RIGHTSIZER_NOT_PLAYED="/dev/stdout")
        self.assertEqual(done.stdout, "test: 0 min, 0 of them compiling: 0 passed, 0 failed, 0 not played here\n")

    def test_the_minutes_are_measured(self):
        lines = run_tests.Count().summary([], compiled=19 * 60, took=42 * 60)
        self.assertEqual(lines, ["test: 42 min, 19 of them compiling: 0 passed, 0 failed, 0 not played here"])


if __name__ == "__main__":
    unittest.main()
