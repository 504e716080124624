"""Prepares a new account, which may lack the service role of ECS and unreserved concurrency."""

import time

from aws import Refused, aws

ROLE = "AWSServiceRoleForECS"
# Lambda always keeps this number of executions unreserved.
UNRESERVED_LEAST = 100
# ECS assumes its role for the first cluster, and IAM is eventually consistent.
SETTLE_SECONDS = 10
# A new role can be read within seconds.
APPEAR_SECONDS = 60


def has_service_role():
    """Returns whether the service role of ECS exists. ECS creates it with the first cluster, too late for that one."""
    return aws("iam", "get-role", "--role-name", ROLE, absent="NoSuchEntity") is not None


def make_service_role():
    """Creates that role. Returns the time (`time.monotonic`) from which it can be used.

    Raises `Refused` if it cannot be created, or cannot be read within a minute.
    """
    try:
        aws("iam", "create-service-linked-role", "--aws-service-name", "ecs.amazonaws.com")
    except Refused as error:
        # Someone else has created it since.
        if "has been taken" not in str(error):
            raise
    until = time.monotonic() + APPEAR_SECONDS
    while not has_service_role():
        if time.monotonic() > until:
            raise Refused(f"the role {ROLE} was created, but IAM does not show it after {APPEAR_SECONDS} seconds; run this again")
        time.sleep(1)
    return time.monotonic() + SETTLE_SECONDS


def unreserved():
    """Returns the concurrent executions of the account that no function has reserved."""
    return aws("lambda", "get-account-settings")["AccountLimit"]["UnreservedConcurrentExecutions"]
