"""Ctrl-C ends a command in words, whatever it waits for."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


def heed_ctrl_c():
    """What a shell starts in the background ignores it, and so would what the tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Interrupt(unittest.TestCase):
    def test_ctrl_c_ends_each_command_in_words(self):
        with tempfile.TemporaryDirectory() as folder:
            aws, asked = Path(folder, "aws"), Path(folder, "asked")
            aws.write_text(f"#!/bin/sh\ntouch '{asked}'\nexec sleep 60\n")
            aws.chmod(0o755)
            for words in (["deploy", folder], ["undeploy"], ["layer-arn", "arm64"]):
                asked.unlink(missing_ok=True)
                environment = {"PATH": f"{folder}:{os.environ['PATH']}", "STACK": "rz", "AWS_REGION": "eu-central-1"}
                command = subprocess.Popen(
                    [sys.executable, "-B", str(HERE), *words], env=environment, start_new_session=True, text=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    preexec_fn=heed_ctrl_c,
                )
                until = time.monotonic() + 60
                while not asked.exists() and time.monotonic() < until:
                    time.sleep(0.01)
                os.killpg(command.pid, signal.SIGINT)
                said = command.communicate(timeout=60)[1]
                self.assertEqual(command.returncode, 130, said)
                self.assertNotIn("Traceback", said)
                self.assertIn(f"{words[0]}: interrupted. What was sent to AWS goes on", said)


if __name__ == "__main__":
    unittest.main()
