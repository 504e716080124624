"""The AWS command line, version 1 or 2, as a function: its words in, its JSON out.

Knows no system and no stack. Needs nothing beside Python 3.9 and `aws` on the path.
"""

import json
import os
import subprocess


class Refused(Exception):
    """AWS refused a call, in its own words."""


def aws(*words, absent=None):
    """The answer of an AWS command as an object; `None` if its error contains `absent`.

    Raises `Refused` for any other error.
    """
    done = run(*words, "--output", "json")
    if done.returncode == 0:
        return json.loads(done.stdout) if done.stdout.strip() else {}
    if absent and absent in done.stderr:
        return None
    raise Refused(done.stderr.strip() or f"aws {' '.join(words[:2])} ended with {done.returncode}")


def succeeds(*words):
    """Whether an AWS command ends well: for waiters."""
    return run(*words).returncode == 0


def text(*words):
    """What an AWS command prints, as it is; empty if it fails."""
    done = run(*words)
    return done.stdout.strip() if done.returncode == 0 else ""


def run(*words):
    """An AWS command that has ended."""
    environment = dict(os.environ, AWS_PAGER="")
    return subprocess.run(
        ["aws", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
    )
