"""What a caller can write into the variables of `make deploy`, and what becomes of it."""

import io
import contextlib
import json
import os
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import aws
import deploy
import given
import system

TEMPLATE = (Path(__file__).resolve().parent.parent / "template.yaml").read_text()
# A shell would run, split or expand each of these.
HOSTILE = ["$(touch x)", "`touch x`", "a;touch x", "a|b", "a&&b", "$HOME", "*", "~", "-rf", "--profile=x", "a\\nb", "a'b", 'a"b', "ä", "\\udcff"]


class Words(unittest.TestCase):
    def refused(self, check, *words):
        with self.assertRaises(given.Wrong) as refused:
            check(*words)
        text = str(refused.exception)
        self.assertTrue(text.isprintable(), ascii(text))
        return text

    def test_words_are_pairs(self):
        self.assertEqual(given.pairs("Mode=auto ReservedConcurrency= Arn=a=b", "OPTIONS"),
                         {"Mode": "auto", "ReservedConcurrency": "", "Arn": "a=b"})
        for empty in ("", " ", "\n"):
            self.assertEqual(given.pairs(empty, "OPTIONS"), {})

    def test_a_value_passes_as_it_is(self):
        for value in ["$(touch x)", "`id`", "a;b", "a\\b", "a,b", "ä", "#5", "Key=x,Value=y", "file://x", "*"]:
            self.assertEqual(given.pairs(f"a='{value}'", "TAGS"), {"a": value})
            self.assertEqual(given.pairs(f"a={value} b='c d'".replace("touch x", "id"), "TAGS"),
                             {"a": value.replace("touch x", "id"), "b": "c d"})

    def test_what_is_no_pair_says_how_one_looks(self):
        for words, because in [
            ("Mode auto", "not Mode. Put a value with spaces in quotes"),
            ("=auto", "NAME=VALUE, not =auto"),
            ("team=big data", "not data. Put a value with spaces in quotes"),
            ("team='big data", "has a quote without an end"),
            ("a=1 a=2", "has a twice: 1 and 2"),
            ("a='b\nc'", "contains a line break"),
            ("a='\x1b[2J'", "control character"),
        ]:
            self.assertIn(because, self.refused(given.pairs, words, "TAGS"))


class Tags(Words):
    def test_tags_that_aws_takes_pass(self):
        self.assertEqual(given.tags("team=platform Cost.Center='Größe 42' a:b/c=x+y-z@w empty="),
                         {"team": "platform", "Cost.Center": "Größe 42", "a:b/c": "x+y-z@w", "empty": ""})
        self.assertEqual(len(given.tags(" ".join(f"t{n}=v" for n in range(49)))), 49)
        self.assertEqual(len(given.tags(f"{'k' * 128}={'v' * 256}")), 1)

    def test_tags_that_aws_refuses_halfway_are_refused_at_once(self):
        for words, because in [
            ("aws:team=a", "names that begin with aws: belong to AWS"),
            ("AWS:team=a", "belong to AWS"),
            ("rightsizer:paused=a", "belong to Lambda Rightsizer"),
            (" ".join(f"t{n}=v" for n in range(50)), "50 tags; at most 49 fit"),
            (f"{'k' * 129}=v", "has 129 characters; AWS allows 128"),
            (f"k={'v' * 257}", "has 257 characters; AWS allows 256"),
            ("k=$(touch)", "contains $ ( )"),
            ("k=a;b", "contains ;"),
            ("k=a,b", "contains ,"),
            ("k=\udcff", "control character"),
        ]:
            self.assertIn(because, self.refused(given.tags, words))


class Parameters(Words):
    DECLARED = given.declared(TEMPLATE)

    def check(self, words):
        given.see_that_parameters_fit(given.pairs(words, "OPTIONS"), self.DECLARED)

    def test_every_parameter_of_the_template_is_read_with_its_limits(self):
        section = TEMPLATE.split("\nParameters:\n")[1].split("\nRules:\n")[0]
        for key, field in [("Type", "kind"), ("AllowedValues", "values"), ("AllowedPattern", "pattern"), ("MinValue", "least"), ("MaxValue", "most")]:
            read = [each for each in self.DECLARED.values() if getattr(each, field) != getattr(given.Declared, field) or key == "Type"]
            self.assertEqual(len(read), section.count(f"    {key}:"), key)
        self.assertEqual(self.DECLARED["Mode"].values, ("off", "recommend", "auto"))
        self.assertEqual(self.DECLARED["ReservedConcurrency"].values, ("", "1"))

    def test_every_default_fits(self):
        section = TEMPLATE.split("\nParameters:\n")[1].split("\nRules:\n")[0]
        seen, name = 0, ""
        for line in section.splitlines():
            if line.startswith("  ") and line[2] != " ":
                name = line.strip(" :")
            if line.startswith("    Default: "):
                value = line.split(": ", 1)[1].strip('"')
                self.assertIsNone(given.misfit(value, self.DECLARED[name]), name)
                seen += 1
        self.assertGreater(seen, 20)

    def test_valid_values_pass(self):
        self.check("Mode=off ReportsShards=0 ReservedConcurrency= SnapshotPrefix=a/b-2 RolePath=/team/ OrganizationId=o-a1b2c3d4e5")
        self.check("AlarmTopic=arn:aws:sns:eu-central-1:123456789012:ops PermissionsBoundary=arn:aws-cn:iam::123456789012:policy/a/b")
        self.check("AlarmTopic= PermissionsBoundary= ProposalsStream=arn:aws:kinesis:eu-west-1:123456789012:stream/p")

    def test_what_the_template_would_refuse_is_refused_at_once(self):
        for words, because in [
            ("Moed=auto", "no parameter Moed. It has: ArtifactBucket"),
            ("mode=auto", "no parameter mode; there is Mode"),
            ("Mode=Auto", "Mode=Auto is not valid: one of off, recommend, auto is allowed"),
            ("ReservedConcurrency=2", "one of (nothing), 1 is allowed"),
            ("ReportsShards=-1", "a whole number is needed"),
            ("ReportsShards=501", "500 is the most"),
            ("FlinkParallelism=0", "1 is the least"),
            ("ReportsShards=", "a whole number"),
            ("RolePath=team", "does not have the form"),
            ("SnapshotPrefix=../x", "does not have the form"),
            ("PermissionsBoundary=DeveloperBoundary", "does not have the form"),
            ("AlarmTopic=ops", "does not have the form"),
            ("AlarmTopic=arn:aws:sqs:eu-central-1:123456789012:ops", "does not have the form"),
            ("Vpc=vpc-0123456789abcdef0", "has a variable of its own, which checks it: VPC="),
            ("Subnets=subnet-1", "has a variable of its own, which checks it: SUBNETS="),
            (f"LayerArmKey={'k' * 4097}", "longer than 4096 bytes"),
        ]:
            self.assertIn(because, self.refused(self.check, words))


class Names(Words):
    def test_ids_pass_and_all_else_is_refused(self):
        self.assertEqual(given.vpc(" vpc-0123abcd "), "vpc-0123abcd")
        self.assertEqual(given.vpc(""), "")
        self.assertEqual(given.subnets(" subnet-0123abcd, subnet-0123abce\n"), ["subnet-0123abcd", "subnet-0123abce"])
        self.assertEqual(given.subnets(" "), [])
        for hostile in [*HOSTILE, "vpc-0123abcd,vpc-0123abce", "subnet-0123abcd", "vpc-XYZ"]:
            self.assertIn("VPC takes one id", self.refused(given.vpc, hostile))
        for hostile in [*HOSTILE, "subnet-0123abcd subnet-0123abce", "vpc-0123abcd", "subnet-0123abcd,", ","]:
            self.assertIn("SUBNETS takes ids", self.refused(given.subnets, hostile))
        self.assertIn("twice", self.refused(given.subnets, "subnet-0123abcd,subnet-0123abcd"))
        many = [f"subnet-0123abc{n:x}" for n in range(16)]
        self.assertEqual(given.subnets(",".join(many)), many)
        self.assertIn("17 subnets; ECS takes at most 16", self.refused(given.subnets, ",".join([*many, "subnet-0123aaaa"])))

    def test_a_port_is_a_number(self):
        self.assertEqual(given.port(""), "8750")
        self.assertEqual(given.port("9000"), "9000")
        for hostile in [*HOSTILE, "0", "65536", "8750,portNumber=22", "-1", "1e3"]:
            self.assertIn("PORT takes a number", self.refused(given.port, hostile))

    def test_a_region_has_the_form_of_one(self):
        for name in ["us-east-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-7", "cn-north-1"]:
            self.assertEqual(given.region(name), name)
        for hostile in [*HOSTILE, "frankfurt", "eu west 1", "eu-central-1\n", "eu-central-1.evil.example"]:
            self.assertIn("is not the name of a region", self.refused(given.region, hostile))

    def test_a_stack_has_a_name_that_every_service_takes(self):
        for name in [*HOSTILE, "", "R", "r", "Rz", "1rz", "rz-", "r--z", "rz\n", "a" * 22, "rz/x"]:
            environment = {"STACK": name, "PATH": os.environ["PATH"]}
            with mock.patch.dict(os.environ, {**environment, "AWS_REGION": "eu-central-1"}), \
                    mock.patch.object(system.shutil, "which", lambda _: "/bin/aws"), \
                    mock.patch.object(system, "aws", lambda *words: self.fail(f"{name}: {words}")):
                with self.assertRaisesRegex(SystemExit, "give the system a name"):
                    system.System("deploy")


VPCS = {"vpc-0123abcd": ["subnet-0123abcd"], "vpc-0123abce": ["subnet-0123abce"], "vpc-0123abcf": ["subnet-0123abcf"]}


class Place(unittest.TestCase):
    """Subnets are those of one VPC, also if an earlier deployment named the VPC."""

    def place(self, vpc="", subnets=(), had=None):
        def stop(words):
            raise SystemExit(words)

        zone = lambda of: "eu-central-1-ham-1a" if of == "vpc-0123abcf" else "eu-central-1a"

        def answer(service, command, *words):
            if command == "describe-vpcs":
                return {"Vpcs": [{"VpcId": "vpc-0123abcd"}]}
            of = words[1].rsplit("=", 1)[1]
            each = [{"SubnetId": name, "VpcId": of, "AvailabilityZone": zone(of)} for name in VPCS.get(of, [])]
            route = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
            return {"Subnets": each, "RouteTables": [{"VpcId": of, "Routes": [route], "Associations": [{"Main": True}]}]}

        made = object.__new__(deploy.Deployment)
        made.vpc, made.subnets, made.had, made.creates, made.given = vpc, list(subnets), had or {}, not had, {}
        made.notes, made.stop, made.system = [], stop, SimpleNamespace(region="eu-central-1", account="1")
        with mock.patch.object(deploy, "aws", answer):
            return made.place()

    def test_subnets_of_the_vpc_are_taken(self):
        self.assertEqual(self.place("vpc-0123abce", ["subnet-0123abce"]), {"Vpc": "vpc-0123abce", "Subnets": "subnet-0123abce"})
        self.assertEqual(self.place(subnets=["subnet-0123abcd"])["Vpc"], "vpc-0123abcd")

    def test_an_update_looks_into_the_vpc_of_the_stack(self):
        had = {"Vpc": "vpc-0123abce"}
        self.assertEqual(self.place(had=had), {})
        self.assertEqual(self.place(subnets=["subnet-0123abce"], had=had)["Vpc"], "vpc-0123abce")
        with self.assertRaisesRegex(SystemExit, "vpc-0123abce has no subnet subnet-0123abcd"):
            self.place(subnets=["subnet-0123abcd"], had=had)

    def test_a_subnet_in_which_no_task_starts_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "Leave out of SUBNETS:\n  subnet-0123abcf  without Fargate: eu-central-1-ham-1a"):
            self.place("vpc-0123abcf", ["subnet-0123abcf"])

    def test_what_is_not_there_is_named(self):
        with self.assertRaisesRegex(SystemExit, "has no VPC vpc-00000000 with subnets in eu-central-1"):
            self.place("vpc-00000000")
        both = ["subnet-0123abcd", "subnet-0123abce"]
        with self.assertRaisesRegex(SystemExit, "vpc-0123abcd has no subnet subnet-0123abce. It has:\n  subnet-0123abcd  public"):
            self.place("vpc-0123abcd", both)
        with self.assertRaisesRegex(SystemExit, "Subnets of another VPC need VPC=vpc-… too"):
            self.place(subnets=both)


class Order(unittest.TestCase):
    """Nothing is created or uploaded before CloudFormation has accepted the plan."""

    def change(self, refused=None, fails=None, yes=True):
        calls = []

        def put(zips):
            calls.append("put")
            if fails:
                raise fails

        def stop(words):
            raise SystemExit(words)

        plan = SimpleNamespace(
            make=lambda *words: calls.append("plan") or refused, show=lambda: None, drop=lambda: calls.append("drop"))
        made = object.__new__(deploy.Deployment)
        made.system = SimpleNamespace(name="rz", account="1", region="r", caller="me", bucket="b", artifacts="a")
        made.folder, made.template, made.tags, made.notes, made.yes = "/nowhere", "t", {}, [], yes
        made.creates, made.was, made.has_artifacts, made.stop, made.say = True, "", "", stop, lambda words: None
        made.put, made.carry_out, made.file = put, lambda plan: calls.append("carry out"), lambda name, content: name
        with mock.patch.object(deploy, "Plan", lambda *words: plan), \
                mock.patch.object(deploy.fresh, "make_service_role", lambda: calls.append("role") or 0), \
                contextlib.redirect_stdout(io.StringIO()):
            try:
                made.change([], [], lacks_role=True)
            except (SystemExit, KeyboardInterrupt, deploy.Refused) as error:
                calls.append(type(error).__name__)
        return calls

    def test_a_refused_plan_changes_nothing(self):
        self.assertEqual(self.change(refused="Rule OrganisationIsNamed"), ["plan", "SystemExit"])

    def test_an_accepted_plan_comes_before_what_it_needs(self):
        self.assertEqual(self.change(), ["plan", "role", "put", "carry out"])
        self.assertEqual(self.change(yes=False), ["plan", "drop"])

    def test_a_plan_that_cannot_be_carried_out_is_removed(self):
        for fails, name in [(SystemExit(), "SystemExit"), (KeyboardInterrupt(), "KeyboardInterrupt"), (deploy.Refused("no"), "Refused")]:
            self.assertEqual(self.change(fails=fails), ["plan", "role", "put", "drop", name])


class Passed(unittest.TestCase):
    """Tags and parameters reach the command line in a file: its short form splits values at commas."""

    def test_tags_are_a_file(self):
        made = object.__new__(deploy.Deployment)
        made.tags = {"owner": "a/b @c=d", "Größe": ""}
        with deploy.tempfile.TemporaryDirectory() as made.folder:
            flag, file = made.tag_words()
            read = json.loads(Path(file[len("file://"):]).read_text())
        self.assertEqual(flag, "--tags")
        self.assertEqual(read, [{"Key": "owner", "Value": "a/b @c=d"}, {"Key": "Größe", "Value": ""}])
        made.tags = {}
        self.assertEqual(made.tag_words(), [])

    def test_no_command_goes_through_a_shell(self):
        seen = []
        with mock.patch.object(aws.subprocess, "run", lambda words, **how: seen.append((words, how)) or SimpleNamespace(returncode=0, stdout="")):
            aws.aws("sts", *HOSTILE)
        words, how = seen[0]
        self.assertEqual(words, ["aws", "sts", *HOSTILE, "--output", "json"])
        self.assertFalse(how.get("shell"))


if __name__ == "__main__":
    unittest.main()
