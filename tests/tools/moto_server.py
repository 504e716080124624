"""moto's server, with what the tests need of an account and moto does not play."""

import json

from moto.awslambda.models import LayerVersion
from moto.cloudformation.models import ChangeSet
from moto.logs.responses import LogsResponse
from moto.server import main

# A layer has the name that a template gives it, and a stack tells its ARN.
LayerVersion.cloudformation_name_type = staticmethod(lambda: "LayerName")
LayerVersion.physical_resource_id = property(lambda self: self.arn)

apply = ChangeSet.apply


def apply_with_description(self):
    apply(self)
    self.stack.description = self.template_dict.get("Description")


ChangeSet.apply = apply_with_description


def account_policies(self):
    # With the backend, so that a reset forgets them.
    return self.logs_backend.__dict__.setdefault("account_policies", {})


def put_account_policy(self):
    policy = {key: self._get_param(key) for key in ("policyName", "policyDocument", "policyType", "scope")}
    account_policies(self)[policy["policyName"]] = policy
    return json.dumps({"accountPolicy": policy})


def describe_account_policies(self):
    return json.dumps({"accountPolicies": list(account_policies(self).values())})


def delete_account_policy(self):
    account_policies(self).pop(self._get_param("policyName"))
    return ""


for action in (put_account_policy, describe_account_policies, delete_account_policy):
    setattr(LogsResponse, action.__name__, action)

main()
