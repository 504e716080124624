"""A deployed system: its name, account, region and stacks, and whether a stack of that name is ours."""

import os
import re
import shutil
import sys
from pathlib import Path

from aws import Refused, aws, run, text
from given import Wrong, region, shown

INFRA = Path(__file__).resolve().parent.parent
# The descriptions of our stacks begin like this. A stack has the description of its template even if its
# creation failed.
SYSTEM = "Lambda Rightsizer: two streams"
ARTIFACTS = "Lambda Rightsizer: where what"
# States in which the remains of a stack block a new one.
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
ABSENT = "does not exist"
# States of a stack with which a step begins.
BEGINNINGS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}


class System:
    """A system by its name, in the account and region of the caller."""

    def __init__(self, command):
        self.command = command
        if shutil.which("aws") is None:
            self.stop(
                "the AWS command line is missing. Install the package awscli of your system, or see"
                " https://aws.amazon.com/cli."
            )
        self.name = os.environ.get("STACK", "")
        # A registry takes no two dashes in a row, and -artifacts follows.
        if not re.fullmatch(r"(?=.{2,21}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name):
            given = f", not {shown(self.name)}" if self.name else ""
            self.stop(
                f"give the system a name: make {command} STACK=rightsizer{given}. 2 to 21 lower-case letters, digits and"
                " single dashes between them."
            )
        self.region = (
            os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or text("configure", "get", "region")
        )
        if not self.region:
            self.stop("no region is set: AWS_REGION=eu-central-1, or aws configure set region.")
        try:
            region(self.region)
        except Wrong as error:
            self.stop(str(error))
        # Version 1 of the command line knows the second name only.
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = self.region
        try:
            caller = aws("sts", "get-caller-identity")
        except Refused as error:
            if "Could not connect" in str(error):
                self.stop(f"cannot reach AWS in {self.region}: {error}. Is the region's name right, and is this machine online?")
            self.stop(f"AWS does not accept your credentials: {error}. Try aws configure, aws sso login, or AWS_PROFILE.")
        self.caller, self.account = caller["Arn"], caller["Account"]
        self.partition = self.caller.split(":")[1]
        self.artifacts = f"{self.name}-artifacts"
        self.bucket = f"{self.name}-artifacts-{self.account}-{self.region}"
        self.layers = [f"{self.name}-extension-{arch}" for arch in ("x86_64", "arm64")]

    def stop(self, words):
        """Ends the command with exit code 1 and this message."""
        sys.exit(f"{self.command}: {words}")

    def say(self, words):
        """Prints a message with the name of the command."""
        print(f"{self.command}: {words}", flush=True)

    def stack(self, name):
        """Returns CloudFormation's description of a stack; `None` if there is none of that name."""
        found = aws("cloudformation", "describe-stacks", "--stack-name", name, absent=ABSENT)
        return found and found["Stacks"][0]

    def status(self, name):
        """Returns the status of a stack; empty if there is none."""
        stack = self.stack(name)
        return stack["StackStatus"] if stack else ""

    def settled(self, name, step):
        """Waits until a step of a stack (`create`, `update`, `delete`) has ended; returns whether it succeeded.

        Stops if the wait itself failed and the step has not ended: then nothing is known to be wrong with the stack.
        """
        waited = run("cloudformation", "wait", f"stack-{step}-complete", "--stack-name", name)
        if waited.returncode == 0:
            return True
        why = waited.stderr.strip() or "aws cloudformation wait failed"
        try:
            status = self.status(name)
        except Refused as error:
            self.stop(
                f"cannot follow the {step} of the stack {name}, which goes on without this command: {error}. Sign in again"
                f" or restore the connection, then: aws cloudformation describe-stacks --stack-name {name}. When it has"
                " ended, run this again."
            )
        done = f"{step.upper()}_COMPLETE"
        if status in {done, f"{done}_CLEANUP_IN_PROGRESS"} or (step == "delete" and not status):
            return True
        if status.endswith("_IN_PROGRESS"):
            self.stop(
                f"the stack {name} is still {status}, but waiting for it ended early: {why}. It goes on without this"
                f" command. Follow it with aws cloudformation describe-stacks --stack-name {name}; when it has ended,"
                " run this again."
            )
        return False

    def physical(self, stack):
        """Returns the physical names of a stack's resources by their logical names."""
        found = aws("cloudformation", "describe-stack-resources", "--stack-name", stack, absent=ABSENT)
        resources = found["StackResources"] if found else []
        # A resource that could not be created has no physical name.
        return {r.get("LogicalResourceId"): r["PhysicalResourceId"] for r in resources if r.get("PhysicalResourceId")}

    def ours_or_none(self):
        """Stops if a stack that is not ours has one of our names."""
        for name, begins in ((self.name, SYSTEM), (self.artifacts, ARTIFACTS)):
            stack = self.stack(name)
            if stack and not self.is_ours(name, stack, begins):
                self.stop(
                    f"there is a stack {name} in {self.account}, {self.region} that is not a Lambda Rightsizer."
                    f" It is left unchanged. Use another name: make {self.command} STACK=…"
                )

    def is_ours(self, name, stack, begins):
        if stack.get("Description", "").startswith(begins):
            return True
        if stack["StackStatus"] != "REVIEW_IN_PROGRESS":
            return False
        # A stack with only change sets has no description yet.
        plans = aws("cloudformation", "list-change-sets", "--stack-name", name)["Summaries"]
        return all(plan["ChangeSetName"].startswith(f"{name}-") for plan in plans)

    def layer_arns(self):
        """Returns the ARN of the newest version of each layer of the system."""
        found = aws("lambda", "list-layers")["Layers"]
        return [layer["LatestMatchingVersion"]["LayerVersionArn"] for layer in found if layer["LayerName"] in self.layers]

    def subscriptions(self):
        """Returns the account's log subscriptions except the stack's own: an account can have one."""
        try:
            found = aws("logs", "describe-account-policies", "--policy-type", "SUBSCRIPTION_FILTER_POLICY")
        except Refused as error:
            self.stop(f"cannot read the account's log subscriptions (logs:DescribeAccountPolicies): {error}")
        return [policy for policy in found["accountPolicies"] if policy["policyName"] != f"{self.name}-report-lines"]

    def failures(self, stack):
        """Prints the reasons for which the last step of a stack failed, those of its nested stacks included."""
        events = aws("cloudformation", "describe-stack-events", "--stack-name", stack, absent=ABSENT)
        for event in (events or {}).get("StackEvents", []):
            own = event.get("PhysicalResourceId") == event.get("StackId")
            # The newest event is first; with this one, the step began.
            if own and event["ResourceStatus"] in BEGINNINGS:
                break
            if event["ResourceStatus"].endswith("FAILED"):
                print(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}", file=sys.stderr)
                if event.get("ResourceType") == "AWS::CloudFormation::Stack" and not own and event.get("PhysicalResourceId"):
                    self.failures(event["PhysicalResourceId"])
        for line in self.refusals("--stack-name", stack):
            print(f"  {line}", file=sys.stderr)

    def refusals(self, *of):
        """Returns what CloudFormation's own checks and hooks found in the last step of a stack or in a change set.

        Nothing if it cannot be read: older versions of the command line do not have the call.
        """
        try:
            found = aws("cloudformation", "describe-events", *of, "--filters", "FailedEvents=true")["OperationEvents"]
        except Refused:
            return []
        found = [each for each in found if each.get("OperationId") == found[0].get("OperationId")]
        found = [each for each in found if each.get("EventType") in ("VALIDATION_ERROR", "HOOK_INVOCATION_ERROR")]
        reason = lambda each: each.get("ValidationStatusReason") or each.get("HookStatusReason") or each.get("EventType")
        return [f"{each.get('LogicalResourceId', 'the stack')}: {reason(each)}" for each in found]
