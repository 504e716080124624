"""Chooses the subnets of a VPC that a task can run in, from lists of subnets and route tables. Does no IO."""

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
}
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


def choose(region, subnets, tables, public_address=None):
    """Returns the subnets to run in. `public_address` is the caller's choice, or `None`.

    Prefers public subnets, because a NAT costs more than an address. Raises `Unclear` if none is suitable.
    """
    zones = FARGATE_ZONES.get(region)
    usable = [each for each in subnets if zones is None or each.get("AvailabilityZoneId") in zones]
    kind = kinds(usable, tables)
    of = lambda wanted: sorted(name for name in kind if kind[name] == wanted)
    if public_address is not False and of(PUBLIC):
        return Choice(of(PUBLIC), True)
    if public_address is not True and of(PRIVATE):
        return Choice(of(PRIVATE), False)
    raise Unclear(listed(kind) or "no subnet in a zone that has Fargate")


def listed(kind):
    """Returns a line for each subnet: its id and its kind."""
    return "\n".join(f"  {name}  {kind[name]}: {WORDS[kind[name]]}" for name in sorted(kind))
