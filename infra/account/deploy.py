"""Puts what `make package` built on an account. Shows what would change; does it with YES=1.

STACK names the system. VPC, SUBNETS (default: the default VPC, and of a VPC the subnets that fit). OPTIONS:
any other parameter of infra/template.yaml, as "Mode=auto Writers=nobody"; what is not given stays as it
is. TAGS: tags of the stack and all that is in it, as "team=platform".
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fresh
import network
from aws import Refused, aws, succeeds
from options import Wrong, filled, key, packaged, pairs, parameters_of
from system import DEAD, INFRA, System

NO_UPDATES = "No updates are to be performed"


class Deployment:
    """One run of `make deploy`."""

    def __init__(self, package):
        self.system = System("deploy")
        self.stop, self.say = self.system.stop, self.system.say
        self.package = Path(package)
        self.yes = os.environ.get("YES") == "1"
        self.notes = []
        if not (self.package / "architecture").is_file():
            self.stop(f"nothing is packaged in {package} yet: make package")
        self.given = pairs(os.environ.get("OPTIONS", ""), "OPTIONS")
        self.tags = pairs(os.environ.get("TAGS", ""), "TAGS")
        self.template = INFRA / "template.yaml"
        index = json.loads((self.package / "image/index.json").read_text())
        self.digest = index["manifests"][0]["digest"]

    def run(self):
        self.look()
        wanted, zips = packaged(self.package, self.digest, self.system.artifacts, self.system.bucket)
        wanted.update(self.place())
        wanted.update(self.given)
        self.see_that_logs_are_free()
        lacks_role = not fresh.has_service_role()
        if lacks_role:
            self.notes.append(f"Add                the role {fresh.ROLE}, with which ECS works: this account has not used ECS yet")
        wanted.update(self.reservation(wanted))
        names = parameters_of(self.template.read_text())
        parameters = list(filled(names, wanted, self.had))
        settled = fresh.make_service_role() if self.yes and lacks_role else 0
        if self.yes:
            self.put(zips)
        self.change(parameters, settled)

    def look(self):
        """Finds out whether the stack is to be made or changed, and stops if neither can be."""
        self.system.ours_or_none()
        stack = self.system.stack(self.system.name)
        self.was = stack["StackStatus"] if stack else ""
        self.has_artifacts = self.system.status(self.system.artifacts)
        name = self.system.name
        for state in (self.was, self.has_artifacts):
            if state in DEAD:
                self.stop(
                    f"{name} is {state}: it was never made, or not wholly removed, and nothing can be made over"
                    f" what is left. First: make undeploy STACK={name} YES=1, then make deploy again."
                )
        if self.was == "UPDATE_ROLLBACK_FAILED":
            self.stop(STUCK.format(name=name))
        self.creates = self.was in ("", "REVIEW_IN_PROGRESS")
        if not (self.creates or self.was.endswith("_COMPLETE")):
            self.stop(f"the stack {name} is {self.was}: wait, or look at it in the CloudFormation console.")
        parameters = stack.get("Parameters", []) if stack and not self.creates else []
        self.had = {each["ParameterKey"]: each.get("ParameterValue", "") for each in parameters}

    def place(self):
        """The parameters of the network: what the caller says, else what fits."""
        vpc, subnets = os.environ.get("VPC", ""), os.environ.get("SUBNETS", "")
        if not vpc and self.creates:
            found = aws("ec2", "describe-vpcs", "--filters", "Name=is-default,Values=true")["Vpcs"]
            if not found:
                self.stop(
                    "this region has no default VPC: VPC=vpc-… (its subnets that have a way out are taken), or"
                    " SUBNETS=subnet-…,subnet-… as well."
                )
            vpc = found[0]["VpcId"]
        if not vpc:
            return {"Subnets": subnets} if subnets else {}
        of_vpc = ("--filters", f"Name=vpc-id,Values={vpc}")
        here = aws("ec2", "describe-subnets", *of_vpc)["Subnets"]
        tables = aws("ec2", "describe-route-tables", *of_vpc)["RouteTables"]
        if subnets:
            return self.as_given(vpc, subnets, here, tables)
        asked = {"ENABLED": True, "DISABLED": False}.get(self.given.get("AssignPublicIp", self.had.get("AssignPublicIp")))
        try:
            choice = network.choose(self.system.region, here, tables, asked)
        except network.Unclear as kinds:
            self.stop(
                f"no subnet of {vpc} fits{' AssignPublicIp' if asked is not None else ''} by itself:\n{kinds}\n"
                "Name the ones to use: SUBNETS=subnet-…,subnet-… A subnet without a default route needs these"
                f" endpoints in its VPC: {network.ENDPOINTS}."
            )
        address = "ENABLED" if choice.public_address else "DISABLED"
        self.notes.append(f"Use                of {vpc} {', '.join(choice.subnets)}, AssignPublicIp={address}")
        return {"Vpc": vpc, "Subnets": ",".join(choice.subnets), "AssignPublicIp": address}

    def as_given(self, vpc, subnets, here, tables):
        """Subnets that the caller named; stops if a task in one of them could reach nothing."""
        kinds = network.kinds(here, tables)
        named = subnets.split(",")
        foreign = [each for each in named if each not in kinds]
        if foreign:
            self.stop(f"{vpc} has no subnet {', '.join(foreign)}.")
        of = {kinds[each] for each in named}
        place = {"Vpc": vpc, "Subnets": subnets}
        if network.PUBLIC not in of:
            place["AssignPublicIp"] = "DISABLED"
        elif self.given.get("AssignPublicIp") == "DISABLED":
            words = network.listed({each: kinds[each] for each in named})
            self.stop(f"a task without a public address reaches nothing from a public subnet:\n{words}")
        if network.ISOLATED in of:
            self.notes.append(f"Use                subnets without a default route; they need these endpoints: {network.ENDPOINTS}")
        return place

    def see_that_logs_are_free(self):
        """An account has one log subscription; somebody else's is left as it is."""
        if self.given.get("LogSubscription") == "true":
            others = [policy["policyName"] for policy in self.system.subscriptions()]
            if others:
                self.stop(
                    f"this account and region has a log subscription already: {', '.join(others)}. There can be"
                    " one; it is left as it is. Subscribe single log groups instead, or add the reports stream"
                    " where that one leads."
                )

    def reservation(self, wanted):
        """No reservation if the account has no room for one. One shard is read by one process even so."""
        if self.had.get("ReservedConcurrency") == "1" or wanted.get("ReservedConcurrency", "1") != "1":
            return {}
        if "ReservedConcurrency" in self.had and "ReservedConcurrency" not in wanted:
            return {}
        left = fresh.unreserved()
        if left > fresh.UNRESERVED_LEAST:
            return {}
        short = f"{left} concurrent executions of this account are unreserved, and Lambda keeps {fresh.UNRESERVED_LEAST}"
        if "ReservedConcurrency" in wanted:
            self.stop(f"nothing can be reserved for the updater: {short}. Deploy with ReservedConcurrency= instead.")
        self.notes.append(f"Use                ReservedConcurrency=, for {short}")
        return {"ReservedConcurrency": ""}

    def put(self, zips):
        """The bucket and the repository, and in them what was packaged."""
        self.say(f"the bucket and the repository of {self.system.name}")
        step = "update" if self.has_artifacts else "create"
        name = self.system.artifacts
        try:
            aws(
                "cloudformation", f"{step}-stack", "--stack-name", name,
                "--template-body", f"file://{INFRA / 'artifacts.yaml'}",
                "--parameters", f"ParameterKey=BucketName,ParameterValue={self.system.bucket}",
                *self.tag_words(),
            )
            if not succeeds("cloudformation", "wait", f"stack-{step}-complete", "--stack-name", name):
                self.system.failures(name)
                self.stop(f"CloudFormation could not {step} {name}; the words above say why.")
        except Refused as error:
            if NO_UPDATES not in str(error):
                raise
        for zip in zips:
            self.say(zip.name)
            if not succeeds("s3", "cp", "--only-show-errors", str(zip), f"s3://{self.system.bucket}/{key(zip)}"):
                self.stop(f"{zip.name} could not be put into the bucket {self.system.bucket}: s3:PutObject.")
        self.say(f"the image {self.digest}")
        self.push()

    def push(self):
        repository = self.system.artifacts
        registry = os.environ.get("RIGHTSIZER_REGISTRY")
        if not registry:
            found = aws("ecr", "describe-repositories", "--repository-names", repository)["repositories"]
            registry = "https://" + found[0]["repositoryUri"].split("/")[0]
        login = subprocess.run(["aws", "ecr", "get-login-password"], capture_output=True, text=True)
        if login.returncode:
            self.stop(f"ECR gives no password: {login.stderr.strip()}")
        image = [sys.executable, str(INFRA / "image.py"), "push", str(self.package / "image"), registry, repository]
        if subprocess.run(image, input=login.stdout, text=True, stdout=subprocess.DEVNULL).returncode:
            sys.exit(1)

    def tag_words(self):
        return ["--tags", *(f"Key={name},Value={value}" for name, value in self.tags.items())] if self.tags else []

    def change(self, parameters, settled):
        """A change set: shown, and carried out or dropped."""
        plan = Plan(self.system, "CREATE" if self.creates else "UPDATE", self.was)
        words = self.tag_words()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "parameters.json")
            file.write_text(json.dumps(parameters))
            refused = plan.make(f"file://{self.template}", f"file://{file}", words)
        if refused is not None:
            if any(words in refused for words in (NO_UPDATES, "didn't contain changes", "No updates")):
                self.say(f"{self.system.name} is up to date")
                return
            self.stop(f"CloudFormation refuses this: {refused}")
        self.say(f"in {self.system.account}, {self.system.region}, as {self.system.caller}:")
        plan.show()
        for note in self.notes:
            print(f"  {note}")
        if not self.yes:
            plan.drop()
            if not self.has_artifacts:
                print(f"  Add                and before it a bucket {self.system.bucket} and a repository {self.system.artifacts}")
            self.say(f"nothing was changed. To do it: make deploy STACK={self.system.name} YES=1")
            return
        time.sleep(max(0, settled - time.monotonic()))
        self.carry_out(plan)

    def carry_out(self, plan):
        name = self.system.name
        if not plan.carry_out():
            self.system.failures(name)
            if self.creates:
                self.stop(
                    "CloudFormation could not make it; the words above say why. What is left of it is in the way"
                    f" of the next: make undeploy STACK={name} YES=1, then make deploy again."
                )
            if self.system.status(name) == "UPDATE_ROLLBACK_FAILED":
                self.stop(STUCK.format(name=name))
            self.stop("CloudFormation could not change it; the words above say why, what was there before is there again.")
        self.tell()

    def tell(self):
        """What a person does next, with the names that are needed for it."""
        system = self.system
        here = f"arn:{system.partition}"
        names = system.physical(system.name)
        updater, role = names.get("Updater"), names.get("SubscriptionRole")
        self.say(f"{system.name} is there. Unless OPTIONS or a tag says otherwise it changes what a person approves, and nothing else.")
        print(f"  stream      {system.name}-reports")
        for arn in system.layer_arns():
            print(f"  layer       {arn}")
        print(f"  updater     {here}:lambda:{system.region}:{system.account}:function:{updater}")
        print(f"  next        rightsizer attach --all --stream {system.name}-reports --layer …")
        print(f"  or by logs  rightsizer subscribe --all --stream {system.name}-reports --role {here}:iam::{system.account}:role/{role}")
        if not (self.given.get("AlarmTopic") or self.had.get("AlarmTopic")):
            print(f"  alarms      notify nobody yet: make deploy STACK={system.name} YES=1 OPTIONS=AlarmTopic=ARN-of-an-SNS-topic")


STUCK = (
    "the stack {name} is UPDATE_ROLLBACK_FAILED: neither the new version nor the one before it starts. Its log says"
    " why: aws logs tail /rightsizer/{name}/aggregator. Then let it finish: aws cloudformation"
    " continue-update-rollback --stack-name {name} --resources-to-skip Aggregator, and make deploy again."
)


class Plan:
    """A change set of a stack."""

    def __init__(self, system, kind, was):
        self.system, self.kind, self.was = system, kind, was
        self.name = f"{system.name}-{int(time.time())}"
        self.named = ("--stack-name", system.name, "--change-set-name", self.name)

    def make(self, template, parameters, more):
        """Makes it. Returns why not, in CloudFormation's words."""
        kind = ("--change-set-type", self.kind, "--capabilities", "CAPABILITY_IAM")
        body = ("--template-body", template, "--parameters", parameters)
        try:
            aws("cloudformation", "create-change-set", *self.named, *kind, *body, *more)
        except Refused as error:
            return str(error)
        if succeeds("cloudformation", "wait", "change-set-create-complete", *self.named):
            return None
        why = aws("cloudformation", "describe-change-set", *self.named).get("StatusReason", "")
        self.drop()
        return why

    def show(self):
        for change in aws("cloudformation", "describe-change-set", *self.named)["Changes"]:
            change = change["ResourceChange"]
            anew = " (made anew)" if change.get("Replacement") == "True" else ""
            print(f"  {change['Action'] + anew:<18} {change['LogicalResourceId']:<22} {change['ResourceType']}")

    def drop(self):
        """Takes it back, with the stack that came with it unless somebody else makes or plans it by now."""
        succeeds("cloudformation", "delete-change-set", *self.named)
        name = self.system.name
        if self.was or self.system.status(name) != "REVIEW_IN_PROGRESS":
            return
        plans = aws("cloudformation", "list-change-sets", "--stack-name", name)["Summaries"]
        if all(plan["ChangeSetName"] == self.name for plan in plans):
            aws("cloudformation", "delete-stack", "--stack-name", name)

    def carry_out(self):
        """Carries it out; whether that went well."""
        aws("cloudformation", "execute-change-set", *self.named)
        done = "create" if self.kind == "CREATE" else "update"
        return succeeds("cloudformation", "wait", f"stack-{done}-complete", "--stack-name", self.system.name)


def main(package):
    try:
        Deployment(package).run()
    except Wrong as error:
        sys.exit(f"deploy: {error}")
    except Refused as error:
        sys.exit(f"deploy: AWS refuses, and nothing was done after that: {error}")
