"""The commands behind `make deploy`, `undeploy`, `connect` and `layer-arn`.

    python3 infra/account deploy PACKAGE-FOLDER
    python3 infra/account undeploy
    python3 infra/account connect
    python3 infra/account layer-arn x86_64|arm64

Needs Python 3.9, which macOS has, and the AWS command line. It uses no shell, so it behaves the same on every
system.
"""

import sys

if sys.version_info < (3, 9):
    sys.exit(f"python3 is {sys.version.split()[0]}; 3.9 or later is needed: https://www.python.org")

import connect
import deploy
import undeploy
from aws import Refused
from given import shown
from system import System


def layer_arn(arch):
    """Prints the ARN of a deployed system's newest layer for an architecture."""
    system = System("layer-arn")
    if arch not in ("x86_64", "arm64"):
        system.stop(f"LAYER_ARCH takes x86_64 or arm64, not {shown(arch)}")
    try:
        found = [arn for arn in system.layer_arns() if f":layer:{system.name}-extension-{arch}:" in arn]
    except Refused as error:
        system.stop(f"AWS refuses: {error}")
    if not found:
        system.stop(f"{system.name} has no layer for {arch}: make package, make deploy")
    print(found[0])


COMMANDS = {
    "deploy": (deploy.main, 1),
    "undeploy": (undeploy.main, 0),
    "connect": (connect.main, 0),
    "layer-arn": (layer_arn, 1),
}

command, *words = sys.argv[1:] or [""]
if command not in COMMANDS or len(words) != COMMANDS[command][1]:
    sys.exit(__doc__.strip())
try:
    COMMANDS[command][0](*words)
except KeyboardInterrupt:
    print(
        f"\n{command}: interrupted. What was sent to AWS goes on without this command. Run it again to see the state"
        " and to continue.",
        file=sys.stderr,
    )
    sys.exit(130)
