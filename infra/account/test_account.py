"""Tests that need no account: python3 -m unittest discover -s infra/account."""

import contextlib
import io
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import connect
import deploy
import fresh
import network
import options
import system
import undeploy
from aws import Refused

INFRA = Path(__file__).resolve().parent.parent


def subnet(name, zone="use1-az1"):
    return {"SubnetId": name, "VpcId": "vpc-1", "AvailabilityZoneId": zone}


def table(*subnets, to=None, main=False, state="active"):
    routes = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}]
    if to:
        key = "GatewayId" if to.startswith("igw-") else "NatGatewayId"
        routes.append({"DestinationCidrBlock": "0.0.0.0/0", key: to, "State": state})
    associations = [{"SubnetId": name} for name in subnets] + [{"Main": True} for _ in [1] if main]
    return {"VpcId": "vpc-1", "Routes": routes, "Associations": associations}


class Network(unittest.TestCase):
    SUBNETS = [subnet("a-public"), subnet("b-private"), subnet("c-isolated")]
    TABLES = [table("a-public", to="igw-1"), table("b-private", to="nat-1"), table(main=True)]

    def test_each_subnet_is_what_its_default_route_makes_it(self):
        kinds = network.kinds(self.SUBNETS, self.TABLES)
        self.assertEqual(kinds, {"a-public": "public", "b-private": "private", "c-isolated": "isolated"})

    def test_without_a_table_of_its_own_it_has_the_main_one(self):
        kinds = network.kinds([subnet("a")], [table(to="igw-1", main=True)])
        self.assertEqual(kinds, {"a": "public"})

    def test_a_route_to_a_gateway_that_is_gone_leads_nowhere(self):
        kinds = network.kinds([subnet("a")], [table("a", to="nat-1", state="blackhole")])
        self.assertEqual(kinds, {"a": "isolated"})

    def test_one_kind_is_chosen_and_the_address_follows_it(self):
        chosen = network.choose("us-east-1", self.SUBNETS, self.TABLES)
        self.assertEqual(chosen, network.Choice(["a-public"], True))
        chosen = network.choose("us-east-1", self.SUBNETS, self.TABLES, public_address=False)
        self.assertEqual(chosen, network.Choice(["b-private"], False))
        chosen = network.choose("us-east-1", self.SUBNETS[1:], self.TABLES)
        self.assertEqual(chosen, network.Choice(["b-private"], False))

    def test_without_a_suitable_subnet_each_is_listed_with_its_kind(self):
        with self.assertRaises(network.Unclear) as refused:
            network.choose("us-east-1", self.SUBNETS[2:], self.TABLES)
        self.assertIn("c-isolated  isolated: it has no default route", str(refused.exception))

    def test_a_zone_without_fargate_is_left_out(self):
        subnets = [subnet("a", "usw1-az2"), subnet("b", "usw1-az1")]
        tables = [table(to="igw-1", main=True)]
        self.assertEqual(network.choose("us-west-1", subnets, tables).subnets, ["b"])


class Options(unittest.TestCase):
    def test_given_values_are_set_and_the_others_keep_the_values_of_the_stack(self):
        filled = list(options.filled(["A", "B", "C"], {"B": "2"}, {"A": "1"}))
        self.assertEqual(
            filled,
            [{"ParameterKey": "A", "UsePreviousValue": True}, {"ParameterKey": "B", "ParameterValue": "2"}],
        )


class Refusal(Exception):
    pass


class Reservation(unittest.TestCase):
    """Lambda keeps 100 executions unreserved: one can be reserved from 101 on."""

    def reservation(self, unreserved, wanted=None, had=None):
        def stop(words):
            raise Refusal(words)

        made = object.__new__(deploy.Deployment)
        made.had, made.notes, made.stop = had or {}, [], stop
        fresh.unreserved = lambda: unreserved
        return made.reservation(wanted or {}), made.notes

    def test_an_account_without_room_gets_no_reservation_and_a_note(self):
        for unreserved in (10, 50, 100):
            chosen, notes = self.reservation(unreserved)
            self.assertEqual(chosen, {"ReservedConcurrency": ""})
            self.assertIn(f"{unreserved} concurrent executions", notes[0])

    def test_an_account_with_room_gets_the_templates_own(self):
        for unreserved in (101, 1000):
            self.assertEqual(self.reservation(unreserved), ({}, []))

    def test_an_explicit_reservation_is_not_changed(self):
        with self.assertRaises(Refusal) as refused:
            self.reservation(10, wanted={"ReservedConcurrency": "1"})
        self.assertIn("Deploy with ReservedConcurrency= instead", str(refused.exception))
        self.assertEqual(self.reservation(10, wanted={"ReservedConcurrency": ""}), ({}, []))
        for before in ("", "1"):
            self.assertEqual(self.reservation(10, had={"ReservedConcurrency": before}), ({}, []))


class Waiting(unittest.TestCase):
    """A wait that fails says nothing about the stack: its status does."""

    def settled(self, step, status, waited=255):
        def read(name):
            if isinstance(status, Exception):
                raise status
            return status

        made = object.__new__(system.System)
        made.command, made.status = "deploy", read
        with mock.patch.object(system, "run", lambda *words: SimpleNamespace(returncode=waited, stderr="ExpiredToken")):
            return made.settled("rz", step)

    def test_the_status_decides_after_a_failed_wait(self):
        self.assertTrue(self.settled("update", "UPDATE_ROLLBACK_COMPLETE", waited=0))
        for step, status in [
            ("update", "UPDATE_COMPLETE"),
            ("update", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            ("create", "CREATE_COMPLETE"),
            ("delete", ""),
            ("delete", "DELETE_COMPLETE"),
        ]:
            self.assertTrue(self.settled(step, status), status)
        for step, status in [
            ("update", "UPDATE_ROLLBACK_COMPLETE"),
            ("create", "ROLLBACK_COMPLETE"),
            ("create", ""),
            ("delete", "DELETE_FAILED"),
        ]:
            self.assertFalse(self.settled(step, status), status)

    def test_a_step_that_goes_on_is_no_failure(self):
        for step, status, words in [
            ("create", "CREATE_IN_PROGRESS", "the stack rz is still CREATE_IN_PROGRESS.*ExpiredToken"),
            ("delete", "DELETE_IN_PROGRESS", "run this again"),
            ("update", Refused("ExpiredToken"), "goes on without this command: ExpiredToken. Sign in again"),
        ]:
            with self.assertRaisesRegex(SystemExit, words):
                self.settled(step, status)

    def test_a_role_that_never_appears_is_not_awaited_forever(self):
        clock, sleeps = iter(range(0, 1000, 10)), iter(range(100))
        time = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: next(sleeps))
        with mock.patch.multiple(fresh, time=time, aws=lambda *words, **_: None), self.assertRaises(Refused) as refused:
            fresh.make_service_role()
        self.assertIn("does not show it after 60 seconds", str(refused.exception))


class ChangeSet(unittest.TestCase):
    """A change set that could not be awaited says nothing about the template: its own status does."""

    def make(self, described, refused=None, waited=255):
        """Makes a change set. `described` is its description, or the error of that call."""
        calls = []

        def call(*words, **_):
            calls.append(words[1])
            result = {"create-change-set": refused, "describe-change-set": described}.get(words[1])
            if isinstance(result, Exception):
                raise result
            return result or {}

        def stop(words):
            raise SystemExit(words)

        plan = deploy.Plan(SimpleNamespace(name="rz", stop=stop), "UPDATE", "UPDATE_COMPLETE")
        wait = lambda *words: SimpleNamespace(returncode=waited, stderr="ExpiredToken")
        drop = lambda *words: calls.append(words[1])
        with mock.patch.multiple(deploy, aws=call, run=wait, succeeds=drop):
            return plan.make("t", "p", []), calls

    def test_its_status_decides_after_a_failed_wait(self):
        self.assertEqual(self.make({}, waited=0)[0], None)
        self.assertEqual(self.make({"Status": "CREATE_COMPLETE"})[0], None)
        reason, calls = self.make({"Status": "FAILED", "StatusReason": "no such type"})
        self.assertEqual((reason, calls[-1]), ("no such type", "delete-change-set"))

    def test_a_wait_that_ended_early_is_no_refusal_of_the_template(self):
        for described, words in [
            ({"Status": "CREATE_IN_PROGRESS"}, "is still CREATE_IN_PROGRESS.*ended early: ExpiredToken.*run this again"),
            (Refused("ExpiredToken"), "cannot follow the change set rz-.*ExpiredToken. Sign in again.*Nothing of the stack"),
        ]:
            with self.assertRaisesRegex(SystemExit, words):
                self.make(described)

    def test_only_the_template_is_refused_as_the_template(self):
        invalid = "An error occurred (ValidationError) when calling the CreateChangeSet operation: no parameter Mod"
        self.assertEqual(self.make({}, Refused(invalid))[0], invalid)
        for other in ["An error occurred (ExpiredToken) when calling CreateChangeSet", "Could not connect to the endpoint"]:
            with self.assertRaisesRegex(Refused, other[:20].replace("(", ".")):
                self.make({}, Refused(other))


class Printed(unittest.TestCase):
    """The printed commands select the layers by the stack, as `rightsizer attach` and `detach` accept it."""

    SYSTEM = SimpleNamespace(
        name="rz", region="eu-west-1", account="1", partition="aws", layers=["rz-extension-arm64"],
        physical=lambda stack: {}, layer_arns=lambda: [], say=print, subscriptions=lambda: [],
    )

    def test_deploy_prints_the_command_to_attach(self):
        made = object.__new__(deploy.Deployment)
        made.system, made.say, made.given, made.had = self.SYSTEM, print, {}, {}
        with contextlib.redirect_stdout(io.StringIO()) as out:
            made.tell()
        self.assertIn("  next        rightsizer attach --all --stack rz --region eu-west-1\n", out.getvalue())

    def test_undeploy_prints_the_command_to_detach(self):
        def stop(words):
            raise Refusal(words)

        made = object.__new__(undeploy.Removal)
        made.system, made.anyway, made.stop = self.SYSTEM, False, stop
        layer = {"Arn": "arn:aws:lambda:eu-west-1:1:layer:rz-extension-arm64:3"}
        functions = {"Functions": [{"FunctionName": "f", "Layers": [layer]}]}
        with mock.patch.object(undeploy, "aws", lambda *words: functions), self.assertRaises(Refusal) as refused:
            made.see_that_nothing_needs_it()
        self.assertIn("rightsizer detach --all --stack rz --region eu-west-1 --yes.", str(refused.exception))


class Layers(unittest.TestCase):
    def test_an_upgrade_that_lacks_a_layer_says_so(self):
        both = {"LayerX86Key": "a", "LayerArmKey": "b"}
        self.assertEqual(deploy.layers_left(both, both), [])
        (stays,) = deploy.layers_left({"LayerX86Key": "a"}, both)
        self.assertIn("the layer for arm64 as it is", stays)
        (none,) = deploy.layers_left({"LayerX86Key": "a"}, {})
        self.assertIn("Leave out          the layer for arm64", none)


class Package(unittest.TestCase):
    def test_a_package_that_was_not_finished_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            mark = Path(folder, "architecture")
            mark.write_text("x86_64\n")
            environment = dict(os.environ, RIGHTSIZER_BINARIES=f"{folder}/none")
            words = ["sh", str(INFRA / "package.sh"), "x86_64", folder, folder]
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, done.stdout)
            self.assertFalse(mark.exists(), "deploy would take files of two versions")


class Connect(unittest.TestCase):
    def test_a_container_is_ready_with_its_agent(self):
        agent = lambda status: [{"name": "ExecuteCommandAgent", "lastStatus": status}]
        self.assertTrue(connect.is_ready({"runtimeId": "r", "managedAgents": agent("RUNNING")}))
        self.assertFalse(connect.is_ready({"runtimeId": "r", "managedAgents": agent("PENDING")}))
        self.assertFalse(connect.is_ready({"managedAgents": agent("RUNNING")}))

    def test_the_aggregators_container_is_selected_among_others(self):
        answers = {
            "list-tasks": {"taskArns": ["arn:aws:ecs:r:1:task/rz/t1"]},
            "describe-tasks": {"tasks": [{"containers": [{"name": "guard"}, {"name": "aggregator", "runtimeId": "r2"}]}]},
        }
        connect.aws = lambda *words, **_: answers[words[1]]
        system = type("System", (), {"name": "rz"})()
        self.assertEqual(connect.aggregator(system), ("arn:aws:ecs:r:1:task/rz/t1", {"name": "aggregator", "runtimeId": "r2"}))

    def test_no_command_needs_version_2_of_the_command_line(self):
        # Version 1 has neither; infra/README.md allows it.
        for file in [*INFRA.glob("account/*.py"), *INFRA.glob("*.sh")]:
            if file.name != Path(__file__).name:
                text = file.read_text()
                for absent in ("aws logs tail", '"logs", "tail"', "export-credentials"):
                    self.assertFalse(absent in text, f"{file}: {absent}")


class Documentation(unittest.TestCase):
    def test_an_isolated_subnet_needs_the_endpoints_that_the_readme_lists(self):
        readme = (INFRA / "README.md").read_text()
        for endpoint in network.ENDPOINTS.split(", "):
            name = endpoint.split(" ")[0]
            self.assertTrue(f"`{name}`" in readme or f"endpoint of {name.upper()}" in readme.replace("\n", " "), name)


    def test_every_test_of_the_table_exists(self):
        root = INFRA.parent
        page = (root / "docs/ACCOUNT-TESTS.md").read_text()
        named = {word for line in page.splitlines() for cell in line.split("|")[3:4] for word in re.findall(r"`(\w+)`", cell)}
        folders = ("aggregator", "extension", "infra", "records", "tests", "updater")
        files = [file for folder in folders for kind in ("rs", "py") for file in (root / folder).rglob(f"*.{kind}")]
        there = set(re.findall(r"(?:fn|def) (\w+)\(", "\n".join(file.read_text() for file in files)))
        self.assertGreater(len(named), 50)
        self.assertEqual(sorted(named - there), [])


if __name__ == "__main__":
    unittest.main()
