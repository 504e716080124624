"""Chooses the subnets of a VPC that a task can run in, from lists of subnets and route tables. Does no IO."""

import re
from dataclasses import dataclass

PUBLIC, PRIVATE, ISOLATED = "public", "private", "isolated"
WORDS = {
    PUBLIC: "its default route is an internet gateway",
    PRIVATE: "its default route is a NAT or another gateway",
    ISOLATED: "it has no default route",
}
# The zones with Fargate in regions that do not have it in every zone (ECS developer guide, "Supported Regions for Fargate").
FARGATE_ZONES = {
    "us-west-1": {"usw1-az1", "usw1-az3"},
    "ap-northeast-1": {"apne1-az1", "apne1-az2", "apne1-az4"},
    "cn-north-1": {"cnn1-az1", "cnn1-az2"},
}
# The subnets that a service of ECS takes (`AwsVpcConfiguration`).
MOST_SUBNETS = 16
# Endpoints that a subnet without a default route needs (docs: infra/README.md).
ENDPOINTS = (
    "ecr.api, ecr.dkr, s3 (a gateway), logs, secretsmanager, kinesis-streams, lambda, tagging, monitoring, sts, ssmmessages"
)


class Unclear(Exception):
    """No subnet can be chosen automatically; holds the reasons."""


@dataclass
class Choice:
    """Subnets of one kind, and whether a task there needs a public address."""

    subnets: list
    public_address: bool


def kinds(subnets, tables):
    """Returns the kind of each subnet by its id, from its own route table or the main one of its VPC."""
    own, main = {}, {}
    for table in tables:
        kind = kind_of(table)
        for association in table.get("Associations", []):
            if association.get("SubnetId"):
                own[association["SubnetId"]] = kind
            elif association.get("Main"):
                main[table["VpcId"]] = kind
    return {each["SubnetId"]: own.get(each["SubnetId"], main.get(each["VpcId"], ISOLATED)) for each in subnets}


def kind_of(table):
    for route in table.get("Routes", []):
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            return PUBLIC if route.get("GatewayId", "").startswith("igw-") else PRIVATE
    return ISOLATED


def without_fargate(region, subnet):
    """Returns why Fargate runs no task in a subnet; `None` if it does.

    ECS accepts such a subnet all the same, and a task that is placed there does not start.
    """
    if subnet.get("OutpostArn"):
        return "it is on an Outpost, where Fargate does not run"
    zone = subnet.get("AvailabilityZone", "")
    if zone and not re.fullmatch(re.escape(region) + "[a-z]", zone):
        return f"{zone} is not an Availability Zone, and Fargate runs in no other"
    zones, name = FARGATE_ZONES.get(region), subnet.get("AvailabilityZoneId")
    return f"its zone {name} does not have Fargate" if zones and name not in zones else None


def choose(region, subnets, tables, public_address=None):
    """Returns the subnets to run in. `public_address` is the caller's choice, or `None`.

    Prefers public subnets, because a NAT costs more than an address. Raises `Unclear` if none is suitable.
    """
    usable = [each for each in subnets if not without_fargate(region, each)]
    kind = kinds(usable, tables)
    of = lambda wanted: [each for each in usable if kind[each["SubnetId"]] == wanted]
    if public_address is not False and of(PUBLIC):
        return Choice(at_most(of(PUBLIC)), True)
    if public_address is not True and of(PRIVATE):
        return Choice(at_most(of(PRIVATE)), False)
    raise Unclear("\n".join(each for each in (listed(kind), refused(region, subnets)) if each))


def at_most(subnets):
    """Returns the names of as many subnets as a service takes: one of each zone, then another of each."""
    turns, seen = [], {}
    for each in sorted(subnets, key=lambda each: each["SubnetId"]):
        zone = each.get("AvailabilityZoneId")
        seen[zone] = seen.get(zone, 0) + 1
        turns.append((seen[zone], each["SubnetId"]))
    return sorted(name for _, name in sorted(turns)[:MOST_SUBNETS])


def listed(kind):
    """Returns a line for each subnet: its id and its kind."""
    return "\n".join(f"  {name}  {kind[name]}: {WORDS[kind[name]]}" for name in sorted(kind))


def refused(region, subnets):
    """Returns a line for each subnet in which Fargate runs no task: its id and the reason."""
    why = {each["SubnetId"]: without_fargate(region, each) for each in subnets}
    return "\n".join(f"  {name}  without Fargate: {why[name]}" for name in sorted(why) if why[name])
