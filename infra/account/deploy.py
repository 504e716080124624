"""Deploys the output of `make package` to an account. Shows what would change; YES=1 applies it.

Environment variables: STACK is the name of the system. VPC and SUBNETS select the network (default: the
default VPC, and the suitable subnets of the VPC). OPTIONS sets other parameters of infra/template.yaml, as in
"Mode=auto Writers=account"; a parameter that is not given keeps its value. TAGS are tags of the stack and its
resources, as in "team=platform owner='Jane Doe'". All of them are checked before anything is changed.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fresh
import given
import network
from aws import Refused, aws, succeeds
from options import FLINK_FILES, filled, key, packaged
from plan import Plan
from system import DEAD, INFRA, System

NO_UPDATES = "No updates are to be performed"


class Deployment:
    """One run of `make deploy`."""

    def __init__(self, package):
        self.template = INFRA / "template.yaml"
        self.declared = given.declared(self.template.read_text())
        self.given = given.pairs(os.environ.get("OPTIONS", ""), "OPTIONS")
        given.see_that_parameters_fit(self.given, self.declared)
        self.tags = given.tags(os.environ.get("TAGS", ""))
        self.vpc, self.subnets = given.vpc(os.environ.get("VPC", "")), given.subnets(os.environ.get("SUBNETS", ""))
        self.system = System("deploy")
        self.stop, self.say = self.system.stop, self.system.say
        self.package = Path(package)
        self.yes = os.environ.get("YES") == "1"
        self.notes = []
        if not (self.package / "architecture").is_file():
            self.stop(f"nothing is packaged in {package} yet. Run: make package")
        index = json.loads((self.package / "image/index.json").read_text())
        self.digest = index["manifests"][0]["digest"]

    def run(self):
        with tempfile.TemporaryDirectory() as self.folder:
            self.deploy()

    def deploy(self):
        self.look()
        wanted, zips = packaged(self.package, self.digest, self.system.artifacts, self.system.bucket)
        self.notes += layers_left(wanted, self.had)
        wanted.update(self.place())
        wanted.update(self.given)
        self.see_that_logs_are_free()
        lacks_role = not fresh.has_service_role()
        if lacks_role:
            self.notes.append(f"Add                the role {fresh.ROLE}, which ECS needs: this account has not used ECS yet")
        zips = self.without_flink(wanted, zips)
        wanted.update(self.reservation(wanted))
        parameters = list(filled(self.declared, wanted, self.had))
        self.change(parameters, zips, lacks_role)

    def without_flink(self, wanted, zips):
        """Leaves Flink's job out unless it runs; stops if it is to run and was never packaged."""
        if wanted.get("Engine", self.had.get("Engine")) == "flink":
            if not (wanted.get("FlinkJarKey") or self.had.get("FlinkJarKey")):
                self.stop("Engine=flink needs Flink's job, which is not packaged yet. Run: make flink, then make package")
            return zips
        for name in ("FlinkJarKey", "FlinkTemplateKey"):
            wanted.pop(name, None)
        return [zip for zip in zips if zip.name not in FLINK_FILES]

    def look(self):
        """Decides whether to create or update the stack; stops if neither is possible."""
        self.system.ours_or_none()
        stack = self.system.stack(self.system.name)
        self.was = stack["StackStatus"] if stack else ""
        self.has_artifacts = self.system.status(self.system.artifacts)
        name = self.system.name
        for state in (self.was, self.has_artifacts):
            if state in DEAD:
                self.stop(
                    f"{name} is {state}: it was not created or not removed completely, and its remains block a new"
                    f" deployment. First: make undeploy STACK={name} YES=1, then make deploy again."
                )
        if self.was == "UPDATE_ROLLBACK_FAILED":
            self.stop(STUCK.format(name=name))
        self.creates = self.was in ("", "REVIEW_IN_PROGRESS")
        if not (self.creates or self.was.endswith("_COMPLETE")):
            self.stop(f"the stack {name} is {self.was}: wait until it is stable, or inspect it in the CloudFormation console.")
        parameters = stack.get("Parameters", []) if stack and not self.creates else []
        self.had = {each["ParameterKey"]: each.get("ParameterValue", "") for each in parameters}

    def place(self):
        """Returns the network parameters: those of the caller, otherwise suitable ones."""
        vpc = self.vpc or (self.subnets and self.had.get("Vpc", ""))
        if not vpc and self.creates:
            found = aws("ec2", "describe-vpcs", "--filters", "Name=is-default,Values=true")["Vpcs"]
            if not found:
                self.stop(
                    "this region has no default VPC. Pass VPC=vpc-…, and SUBNETS=subnet-…,subnet-… to select its subnets;"
                    " without SUBNETS, those with a route to AWS are used."
                )
            vpc = found[0]["VpcId"]
        if not vpc:
            return {}
        of_vpc = ("--filters", f"Name=vpc-id,Values={vpc}")
        here = aws("ec2", "describe-subnets", *of_vpc)["Subnets"]
        if not here:
            self.stop(f"{self.system.account} has no VPC {vpc} with subnets in {self.system.region}. To list them: aws ec2 describe-subnets")
        tables = aws("ec2", "describe-route-tables", *of_vpc)["RouteTables"]
        if self.subnets:
            return self.as_given(vpc, self.subnets, here, tables)
        asked = {"ENABLED": True, "DISABLED": False}.get(self.given.get("AssignPublicIp", self.had.get("AssignPublicIp")))
        try:
            choice = network.choose(self.system.region, here, tables, asked)
        except network.Unclear as kinds:
            self.stop(
                f"no subnet of {vpc} is suitable{' for AssignPublicIp' if asked is not None else ''}:\n{kinds}\n"
                "Select subnets: SUBNETS=subnet-…,subnet-… A subnet without a default route needs these"
                f" endpoints in its VPC: {network.ENDPOINTS}."
            )
        address = "ENABLED" if choice.public_address else "DISABLED"
        self.notes.append(f"Use                of {vpc} {', '.join(choice.subnets)}, AssignPublicIp={address}")
        return {"Vpc": vpc, "Subnets": ",".join(choice.subnets), "AssignPublicIp": address}

    def as_given(self, vpc, named, here, tables):
        """Returns the parameters for the caller's subnets; stops if a task in one of them could not reach AWS."""
        kinds = network.kinds(here, tables)
        foreign = [each for each in named if each not in kinds]
        if foreign:
            other = "" if self.vpc else " Subnets of another VPC need VPC=vpc-… too."
            self.stop(f"{vpc} has no subnet {', '.join(foreign)}. It has:\n{network.listed(kinds)}\n{other}".rstrip())
        refused = network.refused(self.system.region, [each for each in here if each["SubnetId"] in named])
        if refused:
            self.stop(f"a task would not start in each of these subnets. Leave out of SUBNETS:\n{refused}")
        of = {kinds[each] for each in named}
        place = {"Vpc": vpc, "Subnets": ",".join(named)}
        if network.PUBLIC not in of:
            place["AssignPublicIp"] = "DISABLED"
        elif self.given.get("AssignPublicIp") == "DISABLED":
            words = network.listed({each: kinds[each] for each in named})
            self.stop(f"a task without a public address reaches nothing from a public subnet:\n{words}")
        if network.ISOLATED in of:
            self.notes.append(f"Use                subnets without a default route; they need these endpoints: {network.ENDPOINTS}")
        return place

    def see_that_logs_are_free(self):
        """Stops if the account has a log subscription of another owner: an account can have only one."""
        if self.given.get("LogSubscription") == "true":
            others = [policy["policyName"] for policy in self.system.subscriptions()]
            if others:
                self.stop(
                    f"this account and region has a log subscription already: {', '.join(others)}. Only one can"
                    " exist, so it is left unchanged. Subscribe single log groups instead, or forward the report"
                    " lines from its destination to the reports stream."
                )

    def reservation(self, wanted):
        """Returns an empty reservation if the account has no room for one. One process still reads one shard."""
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
        """Creates the bucket and the repository, and uploads the packaged files."""
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
            if not self.system.settled(name, step):
                self.system.failures(name)
                self.stop(f"CloudFormation could not {step} {name}; see the reasons above.")
        except Refused as error:
            if NO_UPDATES not in str(error):
                raise
        for zip in zips:
            self.say(zip.name)
            if not succeeds("s3", "cp", "--only-show-errors", str(zip), f"s3://{self.system.bucket}/{key(zip)}"):
                self.stop(f"could not upload {zip.name} to the bucket {self.system.bucket}; you need s3:PutObject.")
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
            self.stop(f"cannot get a password from ECR: {login.stderr.strip()}")
        image = [sys.executable, str(INFRA / "image.py"), "push", str(self.package / "image"), registry, repository]
        if subprocess.run(image, input=login.stdout, text=True, stdout=subprocess.DEVNULL).returncode:
            sys.exit(1)

    def tag_words(self):
        """Returns the words of a command that set the tags: a file, because the command line's short form splits at commas."""
        if not self.tags:
            return []
        return ["--tags", self.file("tags.json", [{"Key": name, "Value": value} for name, value in self.tags.items()])]

    def file(self, name, content):
        path = Path(self.folder, name)
        path.write_text(json.dumps(content))
        return f"file://{path}"

    def change(self, parameters, zips, lacks_role):
        """Creates a change set, shows it, and executes or deletes it."""
        plan = Plan(self.system, "CREATE" if self.creates else "UPDATE", self.was)
        refused = plan.make(f"file://{self.template}", self.file("parameters.json", parameters), self.tag_words())
        if refused is not None:
            if any(words in refused for words in (NO_UPDATES, "didn't contain changes", "No updates")):
                if self.yes:
                    self.put(zips)
                self.say(f"{self.system.name} is up to date")
                return
            self.stop(f"CloudFormation refuses the change: {refused}")
        self.say(f"in {self.system.account}, {self.system.region}, as {self.system.caller}:")
        plan.show()
        for note in self.notes:
            print(f"  {note}")
        if not self.yes:
            plan.drop()
            if not self.has_artifacts:
                print(f"  Add                first the bucket {self.system.bucket} and the repository {self.system.artifacts}")
            self.say(f"nothing was changed. To do it: make deploy STACK={self.system.name} YES=1")
            return
        self.prepare(plan, zips, lacks_role)
        self.carry_out(plan)

    def prepare(self, plan, zips, lacks_role):
        """Creates what the plan needs. Only a plan that CloudFormation accepted gets here."""
        try:
            settled = fresh.make_service_role() if lacks_role else 0
            self.put(zips)
            time.sleep(max(0, settled - time.monotonic()))
        except BaseException:
            with contextlib.suppress(Refused):
                plan.drop()
            raise

    def carry_out(self, plan):
        name = self.system.name
        if not plan.carry_out():
            self.system.failures(name)
            if self.creates:
                self.stop(
                    "CloudFormation could not create the stack; see the reasons above. Its remains block a new"
                    f" deployment: make undeploy STACK={name} YES=1, then make deploy again."
                )
            if self.system.status(name) == "UPDATE_ROLLBACK_FAILED":
                self.stop(STUCK.format(name=name))
            self.stop("CloudFormation could not update the stack and rolled it back; see the reasons above.")
        self.tell()
        self.start_flink()

    def start_flink(self):
        """Starts the application of Flink, which CloudFormation only creates."""
        outputs = self.system.stack(self.system.name).get("Outputs", [])
        names = [each["OutputValue"] for each in outputs if each["OutputKey"] == "FlinkApplication"]
        for name in names:
            of = ("--application-name", name)
            try:
                status = aws("kinesisanalyticsv2", "describe-application", *of)["ApplicationDetail"]["ApplicationStatus"]
                if status == "READY":
                    aws("kinesisanalyticsv2", "start-application", *of)
                print(f"  flink       {name} {'starts' if status == 'READY' else 'is ' + status}")
            except Refused as error:
                self.stop(
                    f"the application {name} of Flink could not be started: {error}. Reports wait on the stream. To start"
                    f" it: aws kinesisanalyticsv2 start-application --application-name {name}"
                )

    def tell(self):
        """Prints the next steps with the names they need."""
        system = self.system
        here = f"arn:{system.partition}"
        names = system.physical(system.name)
        updater, role = names.get("Updater"), names.get("SubscriptionRole")
        self.say(f"{system.name} is there. By default it only makes changes that a person approved; OPTIONS and tags can allow more.")
        print(f"  stream      {system.name}-reports")
        for arn in system.layer_arns():
            print(f"  layer       {arn}")
        print(f"  updater     {here}:lambda:{system.region}:{system.account}:function:{updater}")
        print(f"  next        rightsizer attach --all --stack {system.name} --region {system.region}")
        print(f"  or by logs  rightsizer subscribe --all --stream {system.name}-reports --role {here}:iam::{system.account}:role/{role} --region {system.region}")
        if not (self.given.get("AlarmTopic") or self.had.get("AlarmTopic")):
            print(f"  alarms      have no recipient yet: make deploy STACK={system.name} YES=1 OPTIONS=AlarmTopic=ARN-of-an-SNS-topic")


STUCK = (
    "the stack {name} is UPDATE_ROLLBACK_FAILED: neither the new version nor the previous one starts. To find the"
    " cause: aws logs filter-log-events --log-group-name /rightsizer/{name}/aggregator. To end this state: aws cloudformation"
    " continue-update-rollback --stack-name {name} --resources-to-skip Aggregator, and make deploy again."
)


def layers_left(wanted, had):
    """Returns a note for each architecture whose layer is not packaged here: it stays as it is, or there is none."""
    notes = []
    for parameter, arch, triple in (
        ("LayerX86Key", "x86_64", "x86_64-unknown-linux-gnu"),
        ("LayerArmKey", "arm64", "aarch64-unknown-linux-gnu"),
    ):
        if parameter in wanted:
            continue
        what = f"Leave              the layer for {arch} as it is" if had.get(parameter) else f"Leave out          the layer for {arch}"
        notes.append(f"{what}: it is not packaged here (rustup target add {triple}, then make package; or a release's)")
    return notes


def main(package):
    try:
        Deployment(package).run()
    except given.Wrong as error:
        sys.exit(f"deploy: {error}")
    except Refused as error:
        sys.exit(f"deploy: stopped because AWS refused a call: {error}")
