"""Calls the AWS command line, version 1 or 2: takes its arguments, returns its JSON output.

Must not know about systems or stacks. Needs only Python 3.9 and `aws` on the path.
"""

import json
import os
import subprocess


class Refused(Exception):
    """AWS refused a call; holds the error message of AWS."""


def aws(*words, absent=None):
    """Returns the output of an AWS command as an object; `None` if its error contains `absent`.

    Raises `Refused` for any other error.
    """
    done = run(*words, "--output", "json")
    if done.returncode == 0:
        return json.loads(done.stdout) if done.stdout.strip() else {}
    if absent and absent in done.stderr:
        return None
    raise Refused(done.stderr.strip() or f"aws {' '.join(words[:2])} ended with {done.returncode}")


def succeeds(*words):
    """Returns whether an AWS command succeeds. For `wait` commands."""
    return run(*words).returncode == 0


def text(*words):
    """Returns the output of an AWS command as text; empty if it fails."""
    done = run(*words)
    return done.stdout.strip() if done.returncode == 0 else ""


def run(*words):
    """Runs an AWS command and returns the finished process."""
    environment = dict(os.environ, AWS_PAGER="")
    return subprocess.run(
        ["aws", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
    )
