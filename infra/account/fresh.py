"""What an account may lack that has not been used for this before: the role of ECS, room for a reservation."""

import time

from aws import Refused, aws

ROLE = "AWSServiceRoleForECS"
# Lambda keeps so many executions unreserved, whatever is asked for.
UNRESERVED_LEAST = 100
# ECS assumes its role with the first cluster; IAM needs a while before every part of AWS sees a new one.
SETTLE_SECONDS = 10


def has_service_role():
    """Whether ECS has the role it works with. An account gets it with its first cluster, too late for that one."""
    return aws("iam", "get-role", "--role-name", ROLE, absent="NoSuchEntity") is not None


def make_service_role():
    """Makes that role and returns when it can be counted on, as `time.monotonic` counts."""
    try:
        aws("iam", "create-service-linked-role", "--aws-service-name", "ecs.amazonaws.com")
    except Refused as error:
        # Made by somebody else since.
        if "has been taken" not in str(error):
            raise
    while not has_service_role():
        time.sleep(1)
    return time.monotonic() + SETTLE_SECONDS


def unreserved():
    """Concurrent executions of the account that no function has reserved."""
    return aws("lambda", "get-account-settings")["AccountLimit"]["UnreservedConcurrentExecutions"]
