"""moto's server, with the behaviour of an account that the tests need and moto lacks."""

import functools
import json
import sys

import boto3
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction, LayerVersion
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.urls import url_paths as lambda_paths
from moto.cloudformation import models as stacks
from moto.cloudformation import parsing
from moto.cloudformation import responses as cloudformation
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import yaml_tag_constructor
from moto.core.common_models import CloudFormationModel
from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.iam.access_control import PermissionResult
from moto.iam.models import IAMBackend
from moto.kinesisanalyticsv2.models import Application
from moto.kinesisanalyticsv2.responses import KinesisAnalyticsV2Response
from moto.kms.models import Key
from moto.logs.responses import LogsResponse
from moto.s3.exceptions import MalformedXML
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response
from moto.server import main

# A layer has the name in its template, and a stack returns its ARN.
LayerVersion.cloudformation_name_type = staticmethod(lambda: "LayerName")
LayerVersion.physical_resource_id = property(lambda self: self.arn)

# moto ignores conditions, so a denial of requests without TLS would deny every request.
FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL

# S3 accepts a thousand keys in one removal.
MOST_KEYS = 1000
delete_keys = S3Response._bucket_response_delete_keys


def delete_keys_within_limits(self, *words, **named):
    if self.body.count(b"<Object>" if isinstance(self.body, bytes) else "<Object>") > MOST_KEYS:
        raise MalformedXML()
    return delete_keys(self, *words, **named)


S3Response._bucket_response_delete_keys = delete_keys_within_limits

# The service role of ECS exists, as in an account that has used ECS before.
SERVICE_ROLE = "AWSServiceRoleForECS"
get_role = IAMBackend.get_role


def get_role_or_services(self, name):
    if name == SERVICE_ROLE and not any(role.name == name for role in self.roles.values()):
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        path = "/aws-service-role/ecs.amazonaws.com/"
        self.create_role(name, json.dumps(trust), path, None, "", [], 3600)
    return get_role(self, name)


IAMBackend.get_role = get_role_or_services


# An account with a usual quota.
def get_account_settings(self):
    return json.dumps({"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}})


LambdaResponse.get_account_settings = get_account_settings
lambda_paths["{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch

# A reserved concurrency from a template is returned as a number.
make_function = LambdaFunction.create_from_cloudformation_json


def make_function_with_numbers(name, resource, *more, **named):
    properties = dict(resource["Properties"])
    if "ReservedConcurrentExecutions" in properties:
        properties["ReservedConcurrentExecutions"] = int(properties["ReservedConcurrentExecutions"])
    return make_function(name, resource | {"Properties": properties}, *more, **named)


LambdaFunction.create_from_cloudformation_json = staticmethod(make_function_with_numbers)

# Resources that outlive their stack unless its creation failed; here no creation fails.
delete_stack = parsing.ResourceMap.delete


def delete_but_what_stays(self):
    for resource in self._resource_json_map.values():
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
            resource["DeletionPolicy"] = "Retain"
    delete_stack(self)


parsing.ResourceMap.delete = delete_but_what_stays

# A protected stack is not removed.
delete_named = CloudFormationResponse.delete_stack


def protect(self):
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = str(self._get_param("EnableTerminationProtection")).lower() == "true"
    return ActionResult({"StackId": stack.stack_id})


def delete_unless_protected(self):
    name = self._get_param("StackName")
    stacks = self.cloudformation_backend.stacks.values()
    if any(stack.enable_termination_protection for stack in stacks if name in (stack.name, stack.stack_id)):
        raise ValidationError(message=f"Stack [{name}] cannot be deleted while TerminationProtection is enabled")
    return delete_named(self)


CloudFormationResponse.update_termination_protection = protect
CloudFormationResponse.delete_stack = delete_unless_protected

# A region's default VPC has an internet gateway, as in AWS.
describe_route_tables = EC2Backend.describe_route_tables


def describe_with_a_way_out(self, *words, **named):
    vpc = self.get_default_vpc()
    gateways = [each for each in self.internet_gateways.values() if vpc and each.vpc and each.vpc.id == vpc.id]
    if vpc and not gateways:
        gateway = self.create_internet_gateway()
        self.attach_internet_gateway(gateway.id, vpc.id)
        main = next(table for table in self.route_tables.values() if table.vpc_id == vpc.id)
        self.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)
    return describe_route_tables(self, *words, **named)


EC2Backend.describe_route_tables = describe_with_a_way_out

# A condition may refer to others with !Condition.
parse = parsing.parse_condition


def parse_condition(condition, resources, known):
    if isinstance(condition, dict) and "Fn::Condition" in condition:
        return known[condition["Fn::Condition"]]
    return parse(condition, resources, known)


parsing.parse_condition = parse_condition

# A key's policy is stored as text and its tags by their own names, also from a template.
made = Key.create_from_cloudformation_json


def made_with_policy(name, resource, *more, **named):
    policy = json.dumps(resource["Properties"]["KeyPolicy"])
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in resource["Properties"].get("Tags", [])]
    resource = resource | {"Properties": resource["Properties"] | {"KeyPolicy": policy, "Tags": tags}}
    return made(name, resource, *more, **named)


Key.create_from_cloudformation_json = staticmethod(made_with_policy)

apply = ChangeSet.apply


def apply_with_outputs(self):
    apply(self)
    self.stack.description = self.template_dict.get("Description")
    self.stack.output_map = parsing.OutputMap(self.stack.resource_map, self.template_dict, self.stack.stack_id)


ChangeSet.apply = apply_with_outputs


def account_policies(self):
    # Stored in the backend, so that a reset removes them.
    return self.logs_backend.__dict__.setdefault("account_policies", {})


POLICY = ("policyName", "policyDocument", "policyType", "scope", "selectionCriteria")


def put_account_policy(self):
    policy = {key: self._get_param(key) for key in POLICY}
    account_policies(self)[policy["policyName"]] = policy
    return json.dumps({"accountPolicy": policy})


def describe_account_policies(self):
    return json.dumps({"accountPolicies": list(account_policies(self).values())})


def delete_account_policy(self):
    account_policies(self).pop(self._get_param("policyName"))
    return ""


for action in (put_account_policy, describe_account_policies, delete_account_policy):
    setattr(LogsResponse, action.__name__, action)


# A nested stack has its outputs as attributes, whose names have a dot.
def constructor_with_dots(loader, tag, node):
    made = yaml_tag_constructor(loader, tag, node)
    if tag == "!GetAtt":
        resource, *names = made["Fn::GetAtt"]
        made = {"Fn::GetAtt": [resource, ".".join(names)]}
    return made


for module in (cloudformation, stacks):
    module.yaml_tag_constructor = constructor_with_dots


def output_of(self, attribute):
    return self.output_map[attribute.removeprefix("Outputs.")].value


Stack.get_cfn_attribute = output_of

# An application is ready when it is created, runs when it is started, and can be deleted.
make_application = Application.__init__


def make_ready(self, *words, **named):
    make_application(self, *words, **named)
    self.application_status = "READY"


Application.__init__ = make_ready


def start_application(self):
    self.kinesisanalyticsv2_backend.applications[self._get_param("ApplicationName")].application_status = "RUNNING"
    return "{}"


def delete_application(self):
    self.kinesisanalyticsv2_backend.applications.pop(self._get_param("ApplicationName"))
    return "{}"


def add_application_cloud_watch_logging_option(self):
    application = self.kinesisanalyticsv2_backend.applications[self._get_param("ApplicationName")]
    stream = self._get_param("CloudWatchLoggingOption")["LogStreamARN"]
    options = [{"CloudWatchLoggingOptionId": "1.1", "LogStreamARN": stream}]
    application.cloud_watch_logging_description = options
    return json.dumps({"CloudWatchLoggingOptionDescriptions": options})


def delete_application_cloud_watch_logging_option(self):
    # Its application may be gone already.
    application = self.kinesisanalyticsv2_backend.applications.get(self._get_param("ApplicationName"))
    if application:
        application.cloud_watch_logging_description = []
    return "{}"


for action in (
    start_application,
    delete_application,
    add_application_cloud_watch_logging_option,
    delete_application_cloud_watch_logging_option,
):
    setattr(KinesisAnalyticsV2Response, action.__name__, action)


# Creating a client takes as long as a hundred calls.
@functools.cache
def client(service, region):
    port = sys.argv[sys.argv.index("-p") + 1]
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


class Put:
    """A resource of a kind that moto's CloudFormation does not create. Its service's own call creates it, as in
    CloudFormation, so that the service's model of that call validates the template."""

    def __init__(self, physical, service, gone):
        self.physical_resource_id = physical
        self.service, self.gone = service, gone

    def delete(self, account, region):
        operation, words = self.gone
        try:
            getattr(client(self.service, region), operation)(**words)
        except ClientError as error:
            # Its target was removed before it.
            if not any(word in error.response["Error"]["Code"] for word in ("NotFound", "NoSuch")):
                raise RuntimeError(f"{operation}: {error}") from error


def alarm(name, properties):
    return properties["AlarmName"], "cloudwatch", ("put_metric_alarm", properties), (
        "delete_alarms",
        {"AlarmNames": [properties["AlarmName"]]},
    )


def metric_filter(name, properties):
    transformations = [
        {key[0].lower() + key[1:]: value for key, value in made.items()}
        for made in properties["MetricTransformations"]
    ]
    named = {"logGroupName": properties["LogGroupName"], "filterName": name}
    put = named | {"filterPattern": properties["FilterPattern"], "metricTransformations": transformations}
    return name, "logs", ("put_metric_filter", put), ("delete_metric_filter", named)


def account_policy(name, properties):
    put = {key[0].lower() + key[1:]: value for key, value in properties.items()}
    gone = {key: put[key] for key in ("policyName", "policyType")}
    return put["policyName"], "logs", ("put_account_policy", put), ("delete_account_policy", gone)


def stream_policy(name, properties):
    arn = properties["ResourceArn"]
    put = {"ResourceARN": arn, "Policy": json.dumps(properties["ResourcePolicy"])}
    return arn, "kinesis", ("put_resource_policy", put), ("delete_resource_policy", {"ResourceARN": arn})


def bucket_policy(name, properties):
    bucket = properties["Bucket"]
    put = {"Bucket": bucket, "Policy": json.dumps(properties["PolicyDocument"])}
    return bucket, "s3", ("put_bucket_policy", put), ("delete_bucket_policy", {"Bucket": bucket})


def layer_permission(name, properties):
    layer, version = properties["LayerVersionArn"].rsplit(":", 1)
    on = {"LayerName": layer.rsplit(":", 1)[1], "VersionNumber": int(version), "StatementId": name}
    put = on | {key: properties[key] for key in ("Action", "Principal", "OrganizationId") if key in properties}
    arn = f"{properties['LayerVersionArn']}#{name}"
    return arn, "lambda", ("add_layer_version_permission", put), ("remove_layer_version_permission", on)


def secret(name, properties):
    # A separate call generates GenerateSecretString.
    made = {
        "Name": name,
        "Description": properties["Description"],
        "SecretString": lambda client: client.get_random_password(**properties["GenerateSecretString"])[
            "RandomPassword"
        ],
    }
    gone = {"SecretId": name, "ForceDeleteWithoutRecovery": True}
    return "ARN", "secretsmanager", ("create_secret", made), ("delete_secret", gone)


def typed(value):
    """Numbers and flags of parameters are texts, which CloudFormation converts."""
    if isinstance(value, dict):
        # The properties of the job are texts.
        return {key: each if key == "PropertyMap" else typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    return {"true": True, "false": False}.get(value, int(value) if str(value).isdecimal() else value)


def application(name, properties):
    named = {"ApplicationName": properties["ApplicationName"]}
    gone = named | {"CreateTimestamp": "2026-01-01T00:00:00Z"}
    return named["ApplicationName"], "kinesisanalyticsv2", ("create_application", typed(properties)), (
        "delete_application",
        gone,
    )


def application_log(name, properties):
    named = {"ApplicationName": properties["ApplicationName"]}
    gone = named | {"CloudWatchLoggingOptionId": "1.1"}
    return name, "kinesisanalyticsv2", ("add_application_cloud_watch_logging_option", properties), (
        "delete_application_cloud_watch_logging_option",
        gone,
    )


def log_stream(name, properties):
    put = {"logGroupName": properties["LogGroupName"], "logStreamName": properties["LogStreamName"]}
    return put["logStreamName"], "logs", ("create_log_stream", put), ("delete_log_stream", put)


def plays(kind, calls):
    def create(cls, name, resource, account, region, **_):
        physical, service, (operation, words), gone = calls(name, resource["Properties"])
        to = client(service, region)
        words = {key: value(to) if callable(value) else value for key, value in words.items()}
        answer = getattr(to, operation)(**words)
        return cls(answer.get(physical, physical), service, gone)

    return type(
        f"Put{kind.replace('::', '')}",
        (Put, CloudFormationModel),
        {
            "cloudformation_name_type": staticmethod(lambda: ""),
            "cloudformation_type": staticmethod(lambda: kind),
            "create_from_cloudformation_json": classmethod(create),
        },
    )


PLAYED = [
    plays("AWS::CloudWatch::Alarm", alarm),
    plays("AWS::Kinesis::ResourcePolicy", stream_policy),
    plays("AWS::KinesisAnalyticsV2::Application", application),
    plays("AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption", application_log),
    plays("AWS::Lambda::LayerVersionPermission", layer_permission),
    plays("AWS::Logs::AccountPolicy", account_policy),
    plays("AWS::Logs::LogStream", log_stream),
    plays("AWS::Logs::MetricFilter", metric_filter),
    plays("AWS::S3::BucketPolicy", bucket_policy),
    plays("AWS::SecretsManager::Secret", secret),
]

main()
