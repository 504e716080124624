"""Prints the content of an AWS account as JSON, read through its APIs, for tests.

    account.py stack NAME    each resource of a stack, and its description by its own API
    account.py all           the names of everything, service by service
    account.py role NAME     the policy documents that a role has
    account.py fill BUCKET VERSIONS MARKERS  as many versions and marks of removed ones; how many there are then
    account.py network       a VPC with a public, a private and an isolated subnet
"""

import ast, json, sys

import boto3
from botocore.exceptions import ClientError


def client(service):
    return boto3.client(service)


def task_definition(arn):
    found = client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    container = found["containerDefinitions"][0]
    return {"family": found["family"]} | {key: container.get(key) for key in ("image", "environment", "command")}


def service(arn):
    cluster = arn.split("/")[-2]
    found = client("ecs").describe_services(cluster=cluster, services=[arn])["services"][0]
    return {"desired": found["desiredCount"], "task": found["taskDefinition"]}


def bucket(name):
    # moto reads no other properties of a bucket from a template; a test checks the others in the template.
    s3 = client("s3")
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    return {
        "encryption": rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
    }


def stream(name):
    found = client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return {"encryption": found.get("EncryptionType"), "mode": found["StreamModeDetails"]["StreamMode"]}


def function(name):
    found = client("lambda").get_function(FunctionName=name)
    return {key: found["Configuration"].get(key) for key in ("Runtime", "Architectures", "MemorySize", "Timeout")} | {
        "reserved": found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    }


def mapping(id):
    found = client("lambda").get_event_source_mapping(UUID=id)
    keys = (
        "BatchSize",
        "FilterCriteria",
        "DestinationConfig",
        "FunctionResponseTypes",
        "MaximumRetryAttempts",
        "BisectBatchOnFunctionError",
        "MaximumRecordAgeInSeconds",
    )
    return {key: found.get(key) for key in keys}


def log_group(name):
    groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return {"days": next(group["retentionInDays"] for group in groups if group["logGroupName"] == name)}


def policies_of(role):
    iam = client("iam")
    inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in inline]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
        documents.append(found["PolicyVersion"]["Document"])
    # moto writes values of a template in Python's form.
    return [ast.literal_eval(d) if isinstance(d, str) else d for d in documents]


def layer(arn):
    versions = client("lambda").list_layer_versions(LayerName=arn.split(":")[6])["LayerVersions"]
    return {"arn": next(v["LayerVersionArn"] for v in versions if v["LayerVersionArn"] == arn)}


def alarm(name):
    found = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    keys = (
        "Namespace MetricName Dimensions Statistic Period EvaluationPeriods Threshold ComparisonOperator"
        " TreatMissingData AlarmDescription AlarmActions OKActions Metrics"
    )
    return {key: found.get(key) for key in keys.split()}


def metric_filter(name):
    filters = client("logs").describe_metric_filters(filterNamePrefix=name)["metricFilters"]
    found = next(f for f in filters if f["filterName"] == name)
    return {key: found[key] for key in ("logGroupName", "filterPattern", "metricTransformations")}


def account_policy(name):
    policies = client("logs").describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")["accountPolicies"]
    found = next(policy for policy in policies if policy["policyName"] == name)
    return found | {"policyDocument": json.loads(found["policyDocument"])}


def secret(arn):
    secrets = client("secretsmanager")
    letters = secrets.get_secret_value(SecretId=arn)["SecretString"]
    return {"arn": secrets.describe_secret(SecretId=arn)["ARN"], "length": len(letters), "plain": letters.isalnum()}


def layer_policy(id):
    arn = id.split("#")[0].split(":")
    found = client("lambda").get_layer_version_policy(LayerName=arn[6], VersionNumber=int(arn[7]))
    return json.loads(found["Policy"])["Statement"]


# The call that reads each kind of resource through its own API, by its physical id.
def application(name):
    found = client("kinesisanalyticsv2").describe_application(ApplicationName=name)["ApplicationDetail"]
    settings = found["ApplicationConfigurationDescription"]
    return {
        "status": found["ApplicationStatus"],
        "options": settings["EnvironmentPropertyDescriptions"]["PropertyGroupDescriptions"][0]["PropertyMap"],
        "scaling": settings["FlinkApplicationConfigurationDescription"]["ParallelismConfigurationDescription"],
        "snapshots": settings["ApplicationSnapshotConfigurationDescription"]["SnapshotsEnabled"],
        "code": settings["ApplicationCodeConfigurationDescription"]["CodeContentDescription"][
            "S3ApplicationCodeLocationDescription"
        ],
        "log": found["CloudWatchLoggingOptionDescriptions"][0]["LogStreamARN"],
    }


LOOK = {
    "AWS::CloudFormation::Stack": lambda id: list(of_stack(id)),
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::EC2::SecurityGroup": lambda id: {
        "in": len(client("ec2").describe_security_groups(GroupIds=[id])["SecurityGroups"][0]["IpPermissions"])
    },
    "AWS::ECR::Repository": lambda id: client("ecr").describe_repositories(repositoryNames=[id])["repositories"][0][
        "repositoryName"
    ],
    "AWS::ECS::Cluster": lambda id: client("ecs").describe_clusters(clusters=[id])["clusters"][0]["status"],
    "AWS::ECS::Service": service,
    "AWS::ECS::TaskDefinition": task_definition,
    "AWS::IAM::ManagedPolicy": lambda id: client("iam").get_policy(PolicyArn=id)["Policy"]["Arn"],
    "AWS::IAM::Role": lambda id: len(policies_of(id)),
    "AWS::KMS::Key": lambda id: {
        "state": client("kms").describe_key(KeyId=id)["KeyMetadata"]["KeyState"],
        "rotated": client("kms").get_key_rotation_status(KeyId=id)["KeyRotationEnabled"],
        "policy": json.loads(client("kms").get_key_policy(KeyId=id, PolicyName="default")["Policy"])["Statement"],
    },
    "AWS::KinesisAnalyticsV2::Application": application,
    "AWS::Kinesis::ResourcePolicy": lambda id: json.loads(
        client("kinesis").get_resource_policy(ResourceARN=id)["Policy"]
    )["Statement"],
    "AWS::Kinesis::Stream": stream,
    "AWS::Lambda::EventSourceMapping": mapping,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": layer,
    "AWS::Lambda::LayerVersionPermission": layer_policy,
    "AWS::Logs::AccountPolicy": account_policy,
    "AWS::Logs::LogGroup": log_group,
    "AWS::Logs::MetricFilter": metric_filter,
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": lambda id: json.loads(client("s3").get_bucket_policy(Bucket=id)["Policy"])["Statement"],
    "AWS::SecretsManager::Secret": secret,
}


def of_stack(name):
    resources = client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    for resource in resources:
        kind = resource.get("ResourceType")
        if kind in LOOK:
            found = LOOK[kind](resource["PhysicalResourceId"])
        else:
            continue
        yield {
            "logical": resource["LogicalResourceId"],
            "kind": kind,
            "physical": resource.get("PhysicalResourceId"),
            "found": found,
        }


def everything():
    names = {
        "account policies": [
            p["policyName"]
            for p in client("logs").describe_account_policies(policyType="SUBSCRIPTION_FILTER_POLICY")["accountPolicies"]
        ],
        "alarms": [a["AlarmName"] for a in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "applications": [
            a["ApplicationName"] for a in client("kinesisanalyticsv2").list_applications()["ApplicationSummaries"]
        ],
        "buckets": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
        "clusters": client("ecs").list_clusters()["clusterArns"],
        "functions": [f["FunctionName"] for f in client("lambda").list_functions()["Functions"]],
        "groups": [
            g["GroupName"]
            for g in client("ec2").describe_security_groups()["SecurityGroups"]
            if g["GroupName"] != "default"
        ],
        "layers": [l["LayerName"] for l in client("lambda").list_layers()["Layers"]],
        "figures": [f["filterName"] for f in client("logs").describe_metric_filters()["metricFilters"]],
        "log groups": [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]],
        "mappings": [m["UUID"] for m in client("lambda").list_event_source_mappings()["EventSourceMappings"]],
        "policies": [p["PolicyName"] for p in client("iam").list_policies(Scope="Local")["Policies"]],
        "repositories": [r["repositoryName"] for r in client("ecr").describe_repositories()["repositories"]],
        # Roles of services belong to AWS.
        "roles": [
            r["RoleName"]
            for r in client("iam").list_roles()["Roles"]
            if not r["RoleName"].startswith("AWSServiceRole")
        ],
        "secrets": [s["Name"] for s in client("secretsmanager").list_secrets()["SecretList"]],
        "stacks": [s["StackName"] for s in client("cloudformation").describe_stacks()["Stacks"]],
        "streams": client("kinesis").list_streams()["StreamNames"],
        "tasks": client("ecs").list_task_definitions()["taskDefinitionArns"],
    }
    return {service: names for service, names in names.items() if names}


def fill(bucket, versions, markers):
    s3 = client("s3")
    # moto ignores this setting of a template.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for n in range(versions):
        s3.put_object(Bucket=bucket, Key=f"store/snapshots/lineage/{n % 800:06}-000001.db.zst", Body=b"")
    for n in range(markers):
        s3.delete_object(Bucket=bucket, Key=f"store/snapshots/lineage/{n:06}-000001.db.zst")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
    count = lambda kind: sum(len(page.get(kind, [])) for page in pages)
    return {"versions": count("Versions"), "markers": count("DeleteMarkers")}


def network():
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = {"vpc": vpc}
    for n, kind in enumerate(["public", "private", "isolated"]):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{n}.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        made[kind] = subnet
        way = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
        if kind == "public":
            gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            ec2.create_route(**way, GatewayId=gateway)
        elif kind == "private":
            address = ec2.allocate_address(Domain="vpc")["AllocationId"]
            gateway = ec2.create_nat_gateway(SubnetId=made["public"], AllocationId=address)["NatGateway"]["NatGatewayId"]
            ec2.create_route(**way, NatGatewayId=gateway)
    return made


try:
    match sys.argv[1:]:
        case ["fill", bucket, versions, markers]:
            print(json.dumps(fill(bucket, int(versions), int(markers))))
        case ["network"]:
            print(json.dumps(network()))
        case ["stack", name]:
            print(json.dumps(list(of_stack(name))))
        case ["all"]:
            print(json.dumps(everything()))
        case ["role", name]:
            print(json.dumps(policies_of(name)))
        case _:
            sys.exit(__doc__)
except ClientError as error:
    sys.exit(f"account: {error}")
