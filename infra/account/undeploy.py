"""Removes a system from an account: the stack, the resources that outlive it (evidence, layers), and the
packaged files. Shows what would be removed; YES=1 removes it.

After an interruption the next run finds the rest: the artifacts stack is removed last, and buckets and keys
have the name of the stack as a tag.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from aws import Refused, aws
from system import System

# The most keys that S3 accepts in one removal. A listing of versions counts delete markers too.
MOST_KEYS = "1000"


class Removal:
    """One run of `make undeploy`."""

    def __init__(self):
        self.system = System("undeploy")
        self.stop, self.say = self.system.stop, self.system.say
        self.anyway = os.environ.get("ANYWAY") == "1"

    def run(self):
        system, name = self.system, self.system.name
        system.ours_or_none()
        self.see_that_nothing_needs_it()
        self.remember()
        there = self.there()
        if not there:
            self.say(f"{name} has no resources in {system.account}, {system.region}.")
            return
        self.say(f"in {system.account}, {system.region}, as {system.caller}:")
        for kind, each in there:
            print(f"  Remove   {WORDS[kind].format(each)}")
        if any(kind == "layer" for kind, _ in there):
            print("  Templates and functions that name a version of these layers fail at their next deployment.")
        if os.environ.get("YES") != "1":
            self.tell_how_evidence_is_kept(there)
            self.say(f"nothing was changed. To do it: make undeploy STACK={name} YES=1")
            return
        self.remove(there)
        there = self.there()
        if there:
            left = ", ".join(f"{kind} {each}" for kind, each in there)
            self.stop(f"these resources still exist: {left}. Run this again.")
        self.say(
            f"nothing of {name} is left. To remove subscription filters of single log groups: rightsizer unsubscribe"
            f" --all --stream {name}-reports. The key of an organisation's stream is deleted after 7 days."
        )

    def see_that_nothing_needs_it(self):
        """Stops if functions or the account's logs still use this system."""
        name = self.system.name
        ours = [f":layer:{layer}:" for layer in self.system.layers]
        has_layer = lambda function: any(of in layer["Arn"] for layer in function.get("Layers", []) for of in ours)
        functions = aws("lambda", "list-functions")["Functions"]
        # The updater is removed with its stack.
        functions = [each for each in functions if not each["FunctionName"].startswith(f"{name}-Updater-")]
        held = [each["FunctionName"] for each in functions if has_layer(each)]
        if held and not self.anyway:
            self.stop(
                f"functions still have the layer: {' '.join(held)}. Remove it first: rightsizer detach --all"
                f" --stack {name} --region {self.system.region} --yes. To leave it (each function then warns once that its"
                " stream is gone): ANYWAY=1"
            )
        here = f":stream/{name}-reports\""
        held = [policy["policyName"] for policy in self.system.subscriptions() if here in policy["policyDocument"]]
        if held and not self.anyway:
            self.stop(
                f"the account's log subscription {held[0]} still leads to the stream {name}-reports. Remove it"
                f" first: rightsizer unsubscribe --all --account-policy --stream {name}-reports --yes. To leave it"
                " without a destination: ANYWAY=1"
            )

    def remember(self):
        """Reads the names that only the stacks hold, before they are removed."""
        system = self.system
        own, artifacts = system.physical(system.name), system.physical(system.artifacts)
        buckets = [own.get("Snapshots"), own.get("GivenUp"), artifacts.get("Artifacts")]
        self.buckets = [bucket for bucket in buckets if bucket]
        self.repository = artifacts.get("Images")
        self.secret = own.get("ReviewToken")
        stack = system.stack(system.name) or {}
        given = {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])}
        # The default if the stack is already removed.
        self.prefix = given.get("SnapshotPrefix") or "store"

    def there(self):
        """Returns the remaining resources, each as its kind and its name."""
        system = self.system
        stacks = [name for name in (system.name, system.artifacts) if system.status(name)]
        repository = self.repository and aws(
            "ecr", "describe-repositories", "--repository-names", self.repository, absent="RepositoryNotFoundException"
        )
        layers = [layer["LayerName"] for layer in aws("lambda", "list-layers")["Layers"]]
        return [
            *(("stack", name) for name in stacks),
            *(("bucket", name) for name in self.buckets_there()),
            *(("key", key) for key in self.keys_there()),
            *(("repository", self.repository) for _ in [1] if repository),
            *(("layer", name) for name in layers if name in system.layers),
            *(("log group", name) for name in self.log_groups()),
        ]

    def log_groups(self):
        prefix = f"/rightsizer/{self.system.name}/"
        found = aws("logs", "describe-log-groups", "--log-group-name-prefix", prefix)
        return [group["logGroupName"] for group in found["logGroups"]]

    def tagged(self, kind):
        """Returns the names of the resources of a kind (`s3` or `kms:key`) with the stack's tag."""
        found = aws(
            "resourcegroupstaggingapi", "get-resources", "--resource-type-filters", kind,
            "--tag-filters", f"Key=rightsizer:stack,Values={self.system.name}",
        )
        arns = [each["ResourceARN"] for each in found["ResourceTagMappingList"]]
        return [arn.split(":", 5)[5].rsplit("/", 1)[-1] for arn in arns]

    def buckets_there(self):
        # The tagging API lists a bucket for a while after it was deleted.
        for name in sorted({*self.buckets, *self.tagged("s3")}):
            if aws("s3api", "get-bucket-location", "--bucket", name, absent="NoSuchBucket") is not None:
                yield name

    def keys_there(self):
        for key in self.tagged("kms:key"):
            found = aws("kms", "describe-key", "--key-id", key, absent="NotFoundException")
            if found and found["KeyMetadata"]["KeyState"] != "PendingDeletion":
                yield key

    def tell_how_evidence_is_kept(self, there):
        for kind, each in there:
            if kind == "bucket" and "-snapshots-" in each:
                self.say(
                    "this removes the evidence too. To keep its newest snapshot: rightsizer restore"
                    f" s3://{each}/{self.prefix} --store {self.system.name}.db"
                )

    def remove(self, there):
        """Removes all resources. The stack is first, because its tasks would write to the buckets again."""
        of = lambda kind: [each for of_kind, each in there if of_kind == kind]
        self.remove_stack(self.system.name)
        for bucket in of("bucket"):
            self.empty(bucket)
            aws("s3api", "delete-bucket", "--bucket", bucket)
        for key in of("key"):
            aws("kms", "schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
        for layer in of("layer"):
            for version in aws("lambda", "list-layer-versions", "--layer-name", layer)["LayerVersions"]:
                number = str(version["Version"])
                aws("lambda", "delete-layer-version", "--layer-name", layer, "--version-number", number)
        # Listed again: the removed stack has deleted some, and its tasks have written to others.
        for group in self.log_groups():
            aws("logs", "delete-log-group", "--log-group-name", group, absent="ResourceNotFoundException")
        for status, remove, word in (
            ("ACTIVE", "deregister-task-definition", "--task-definition"),
            ("INACTIVE", "delete-task-definitions", "--task-definitions"),
        ):
            family = f"{self.system.name}-aggregator"
            found = aws("ecs", "list-task-definitions", "--family-prefix", family, "--status", status)
            for task in found["taskDefinitionArns"]:
                aws("ecs", remove, word, task)
        if self.secret:
            words = ("--secret-id", self.secret, "--force-delete-without-recovery")
            aws("secretsmanager", "delete-secret", *words, absent="ResourceNotFoundException")
        for repository in of("repository"):
            aws("ecr", "delete-repository", "--repository-name", repository, "--force")
        self.remove_stack(self.system.artifacts)

    def remove_stack(self, name):
        if not self.system.status(name):
            return
        if (self.system.stack(name) or {}).get("EnableTerminationProtection"):
            aws("cloudformation", "update-termination-protection", "--no-enable-termination-protection", "--stack-name", name)
        aws("cloudformation", "delete-stack", "--stack-name", name)
        if not self.system.settled(name, "delete"):
            self.system.failures(name)
            self.stop(f"could not remove the stack {name}; see the reasons above. Fix them, then run this again.")

    def empty(self, bucket):
        """Removes every object version and delete marker of a bucket."""
        while True:
            page = aws("s3api", "list-object-versions", "--bucket", bucket, "--max-keys", MOST_KEYS, "--no-paginate")
            listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not listed:
                return
            objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "objects.json")
                file.write_text(json.dumps({"Objects": objects[: int(MOST_KEYS)], "Quiet": True}))
                done = aws("s3api", "delete-objects", "--bucket", bucket, "--delete", f"file://{file}")
            for error in done.get("Errors", []):
                self.stop(f"s3://{bucket}/{error['Key']} cannot be removed: {error['Code']}, {error['Message']}")


WORDS = {
    "stack": "the stack {}",
    "bucket": "the bucket {} and its content",
    "key": "the key {} of the reports stream, after 7 days",
    "repository": "the repository {} and its images",
    "layer": "every version of the layer {}",
    "log group": "the log group {}",
}


def main():
    try:
        Removal().run()
    except Refused as error:
        sys.exit(f"undeploy: stopped because AWS refused a call: {error}")
