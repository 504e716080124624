"""Which subnets of a VPC a task can run in. Pure: lists of subnets and route tables in, a choice out."""

from dataclasses import dataclass

PUBLIC, PRIVATE, ISOLATED = "public", "private", "isolated"
WORDS = {
    PUBLIC: "its default route is an internet gateway",
    PRIVATE: "its default route is a NAT or another way out",
    ISOLATED: "it has no default route",
}
# Where Fargate is not in every zone of a region (ECS developer guide, "Supported Regions for Fargate").
FARGATE_ZONES = {
    "us-west-1": {"usw1-az1", "usw1-az3"},
    "ap-northeast-1": {"apne1-az1", "apne1-az2", "apne1-az4"},
}
# What a subnet without a way out needs (docs: infra/README.md).
ENDPOINTS = (
    "ecr.api, ecr.dkr, s3 (a gateway), logs, secretsmanager, kinesis-streams, lambda, tagging, monitoring, sts, ssmmessages"
)


class Unclear(Exception):
    """No subnet can be chosen by itself, for these reasons."""


@dataclass
class Choice:
    """Subnets of one kind, and whether a task there needs a public address."""

    subnets: list
    public_address: bool


def kinds(subnets, tables):
    """What each subnet is, by its id: by its own route table, else by its VPC's main one."""
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
    """The subnets to run in. `public_address` is what the caller asked for, `None` if nothing.

    Public ones first, for a NAT costs more than an address. Raises `Unclear` if there are none.
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
    """A line for each subnet: its id and what it is."""
    return "\n".join(f"  {name}  {kind[name]}: {WORDS[kind[name]]}" for name in sorted(kind))
