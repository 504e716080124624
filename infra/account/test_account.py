"""Tests that need no account: python3 -m unittest discover -s infra/account."""

import contextlib
import io
import os
import platform
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

INFRA = Path(__file__).resolve().parent.parent


def subnet(name, zone="use1-az1", **more):
    return {"SubnetId": name, "VpcId": "vpc-1", "AvailabilityZoneId": zone, **more}


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
        for region, without, zone in [("cn-north-1", "cnn1-az4", "cnn1-az1"), ("ap-northeast-1", "apne1-az3", "apne1-az1")]:
            subnets = [subnet("a", without), subnet("b", zone)]
            self.assertEqual(network.choose(region, subnets, tables).subnets, ["b"], region)

    def test_a_zone_outside_of_the_region_is_left_out(self):
        tables = [table(to="igw-1", main=True)]
        other = [
            subnet("a", "usw2-lax1-az1", AvailabilityZone="us-west-2-lax-1a"),
            subnet("b", "usw2-wl1-las-wlz1", AvailabilityZone="us-west-2-wl1-las-wlz-1"),
            subnet("c", "usw2-az1", AvailabilityZone="us-west-2a", OutpostArn="arn:aws:outposts:us-west-2:1:outpost/op-1"),
        ]
        own = subnet("d", "usw2-az1", AvailabilityZone="us-west-2a")
        self.assertEqual(network.choose("us-west-2", [*other, own], tables).subnets, ["d"])
        with self.assertRaises(network.Unclear) as refused:
            network.choose("us-west-2", other, tables)
        text = str(refused.exception)
        self.assertIn("a  without Fargate: us-west-2-lax-1a is not an Availability Zone", text)
        self.assertIn("c  without Fargate: it is on an Outpost", text)
        for region in ("us-gov-west-1", "eusc-de-east-1", "cn-northwest-1"):
            self.assertIsNone(network.without_fargate(region, subnet("a", AvailabilityZone=f"{region}a")), region)

    def test_no_more_subnets_are_taken_than_a_service_has_and_each_zone_keeps_one(self):
        subnets = [subnet(f"s-{n:02}", "use1-az1") for n in range(20)] + [subnet("z-1", "use1-az2"), subnet("z-2", "use1-az2")]
        chosen = network.choose("us-east-1", subnets, [table(to="igw-1", main=True)]).subnets
        self.assertEqual(chosen, [f"s-{n:02}" for n in range(14)] + ["z-1", "z-2"])


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


    def packed(self, header):
        """Packs binaries of another machine for x86_64; returns the process."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("rightsizer", "rightsizer-updater", "rightsizer-extension"):
                file = Path(folder, name)
                file.write_bytes(header + b"\0" * 64)
                file.chmod(0o755)
            environment = dict(os.environ, RIGHTSIZER_BINARIES=folder)
            words = ["sh", str(INFRA / "package.sh"), "x86_64", f"{folder}/out", folder]
            return subprocess.run(words, env=environment, capture_output=True, text=True)

    def test_binaries_of_another_machine_are_not_packed(self):
        elf = lambda machine: b"\x7fELF\x02\x01\x01" + b"\0" * 11 + machine
        done = self.packed(elf(b"\xb7\0"))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("is for arm64, not x86_64. Run: make package ARCH=arm64 RIGHTSIZER_BINARIES=", done.stderr)
        done = self.packed(b"\xcf\xfa\xed\xfe")
        self.assertIn("is for macOS", done.stderr)
        self.assertEqual(self.packed(elf(b"\x3e\0")).returncode, 0)

    def test_a_machine_builds_for_itself_only(self):
        other = "arm64" if platform.machine() == "x86_64" else "x86_64"
        with tempfile.TemporaryDirectory() as folder:
            for name in ("cargo", "cc"):
                Path(folder, name).write_text("#!/bin/sh\nexit 1\n")
                Path(folder, name).chmod(0o755)
            environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", RIGHTSIZER_BINARIES="")
            words = ["sh", str(INFRA / "package.sh"), other, f"{folder}/out", folder]
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
            self.assertIn(f"not {other}. Run this on such a machine", done.stderr)


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
        # The task stopped between the two calls.
        answers["describe-tasks"] = {"tasks": [], "failures": [{"reason": "MISSING"}]}
        self.assertEqual(connect.aggregator(system), ("arn:aws:ecs:r:1:task/rz/t1", {}))

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
