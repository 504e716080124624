"""Opens a tunnel from this machine to the aggregator's review API, because the task has no open port.

The permission ssm:StartSession decides who may open it, and secretsmanager:GetSecretValue who may use it.
"""

import os
import shutil
import sys
import time

import given
from aws import Refused, aws
from system import System

PLUGIN = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
# The agent in the task starts a few seconds after the task does.
AGENT_SECONDS = 60


def aggregator(system):
    """Returns the running task and its aggregator container. Other containers are monitoring agents."""
    found = aws(
        "ecs", "list-tasks", "--cluster", system.name, "--service-name", "aggregator", "--desired-status", "RUNNING"
    )
    if not found["taskArns"]:
        system.stop(
            f"no task of {system.name} is running. To find the cause: aws logs filter-log-events --log-group-name"
            f" /rightsizer/{system.name}/aggregator; aws ecs describe-services --cluster {system.name}"
            " --services aggregator"
        )
    task = found["taskArns"][0]
    # It may have stopped since it was listed: then nothing is described, and the next look finds its successor.
    described = aws("ecs", "describe-tasks", "--cluster", system.name, "--tasks", task)["tasks"]
    named = [each for it in described for each in it.get("containers", []) if each["name"] == "aggregator"]
    return task, named[0] if named else {}


def is_ready(container):
    agents = [each for each in container.get("managedAgents", []) if each["name"] == "ExecuteCommandAgent"]
    return bool(container.get("runtimeId")) and any(agent.get("lastStatus") == "RUNNING" for agent in agents)


def ready(system):
    """Waits until a tunnel can be opened to the task; returns the task and its container."""
    until = time.monotonic() + AGENT_SECONDS
    while True:
        task, container = aggregator(system)
        if is_ready(container):
            return task, container
        if time.monotonic() > until:
            system.stop(
                "the task is running, but its agent for the tunnel is not. The agent needs the ssmmessages endpoint:"
                f" aws ecs describe-tasks --cluster {system.name} --tasks {task}"
            )
        time.sleep(2)


def open_tunnel(system):
    port = given.port(os.environ.get("PORT", ""))
    if shutil.which("session-manager-plugin") is None:
        system.stop(f"session-manager-plugin, which carries the tunnel, is missing: see {PLUGIN}")
    task, container = ready(system)
    secret = system.physical(system.name).get("ReviewToken", "ReviewToken")
    try:
        token = aws("secretsmanager", "get-secret-value", "--secret-id", secret)["SecretString"]
    except Refused as error:
        system.stop(f"cannot read the reviewers' token; you need secretsmanager:GetSecretValue on {secret}: {error}")
    system.say("run this in another terminal while the tunnel is open:")
    print(f"  export RIGHTSIZER_SERVER=http://127.0.0.1:{port}/{token}", flush=True)
    target = f"ecs:{system.name}_{task.rsplit('/', 1)[-1]}_{container['runtimeId']}"
    words = ["--target", target, "--document-name", "AWS-StartPortForwardingSession"]
    ports = ["--parameters", f"portNumber=8750,localPortNumber={port}"]
    os.execvp("aws", ["aws", "ssm", "start-session", *words, *ports])


def main():
    try:
        open_tunnel(System("connect"))
    except given.Wrong as error:
        sys.exit(f"connect: {error}")
    except Refused as error:
        sys.exit(f"connect: AWS refuses: {error}")
