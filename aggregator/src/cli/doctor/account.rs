//! `doctor --account`: what docs/FIRST-HOUR.md wants to know of a deployed system and can be looked up without risk.
//! It changes nothing.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use rightsizer_aws::errors::words;
use rightsizer_aws::fleet::AwsLayers;
use rightsizer_records::Arch;
use serde_json::Value;

use super::applies;
use super::changes;
use super::finding::Finding;
use super::stream::{self, advice};
use super::subscriptions;
use crate::cli::text::short;

/// The number of executions that Lambda always keeps unreserved.
const UNRESERVED_LEAST: i32 = 100;

/// The checks, in the order of FIRST-HOUR.md. `stack` is the name of the system; `patterns` select the functions whose
/// last changes are checked, those with the layer if there are none.
pub(super) async fn examine(config: &SdkConfig, stack: &str, patterns: &[String]) -> Vec<Finding> {
    let kinesis = aws_sdk_kinesis::Client::new(config);
    let lambda = aws_sdk_lambda::Client::new(config);
    let mut findings = Vec::new();
    for (what, name) in [
        ("reports stream", "reports"),
        ("decisions stream", "decisions"),
    ] {
        let stream = format!("{stack}-{name}");
        let found = stream::examine(&kinesis, what, &stream).await;
        findings.extend(found.into_iter().map(|finding| of_stack(finding, stack)));
    }
    findings.push(policy(&kinesis, stack).await);
    findings.extend(layers(config, stack).await);
    findings.push(quota(&lambda).await);
    match list(&lambda, stack).await {
        Ok(functions) => {
            findings.push(applies::examine(&lambda, stack, &functions).await);
            findings.push(with_layer(&functions));
            findings.extend(changes::examine(config, &functions, patterns).await);
            findings.extend(subscriptions::examine(config, stack, &functions, patterns).await);
        }
        Err(finding) => findings.push(finding),
    }
    findings.extend(NOT_CHECKED.map(|(check, why)| Finding::not_checked(check, why)));
    findings
}

/// Returns a finding about a stream whose name comes from the stack's: if the stream is missing, the stack is meant.
fn of_stack(mut finding: Finding, stack: &str) -> Finding {
    if finding.found.contains("ResourceNotFoundException") {
        finding.advice = Some(format!(
            "check --stack, --region and --profile: no system {stack} is deployed there"
        ));
    }
    finding
}

/// What only a change or a person can show, and where it is described.
const NOT_CHECKED: [(&str, &str); 4] = [
    (
        "a memory change",
        "it needs a change: step 4 of docs/FIRST-HOUR.md, by `rightsizer approve`",
    ),
    (
        "telemetry of an environment that ends",
        "it needs invocations of a function with the layer: step 2",
    ),
    (
        "the tunnel",
        "it needs the Session Manager plugin: `make connect`, step 5",
    ),
    (
        "restart, upgrade, removal",
        "they interrupt the system: steps 6 and 8",
    ),
];

/// Whether the stream lets every role of its account put records, so that functions need no policy.
async fn policy(kinesis: &aws_sdk_kinesis::Client, stack: &str) -> Finding {
    let check = "a role without any policy";
    let name = format!("{stack}-reports");
    let described = kinesis
        .describe_stream_summary()
        .stream_name(&name)
        .send()
        .await;
    let described = match described {
        Ok(described) => described,
        Err(error) => {
            let why = format!("the stream's ARN is unknown: {}", words(&error));
            return Finding::not_checked(check, why);
        }
    };
    let arn = described.stream_description_summary();
    let arn = arn.map_or("", |summary| summary.stream_arn());
    match kinesis.get_resource_policy().resource_arn(arn).send().await {
        Ok(answer) if allows_put(answer.policy()) => Finding::ok(
            check,
            "the stream's own policy allows kinesis:PutRecords (only a function can show whether that is enough: step 3)",
        ),
        Ok(_) => Finding::wrong(
            check,
            format!(
                "the policy of {name} does not allow kinesis:PutRecords, so functions need a policy of their own"
            ),
            "deploy again with OPTIONS=Writers=account, or add the policy that `rightsizer attach` prints",
        ),
        Err(error) => refused(check, "kinesis:GetResourcePolicy", &error),
    }
}

/// Whether a stream's policy has a statement that allows to put records. Its conditions are not evaluated.
fn allows_put(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let each = |value: &Value| match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let puts = |action: &Value| {
        let action = action.as_str().unwrap_or_default().to_ascii_lowercase();
        action == "kinesis:putrecords" || action == "kinesis:*"
    };
    let statements = each(&policy["Statement"]);
    statements.iter().any(|statement| {
        statement["Effect"] == "Allow" && each(&statement["Action"]).iter().any(puts)
    })
}

/// Whether there is a layer for each architecture.
async fn layers(config: &SdkConfig, stack: &str) -> Vec<Finding> {
    let api = AwsLayers::new(config);
    let mut findings = Vec::new();
    for arch in [Arch::X86_64, Arch::Arm64] {
        let arch = arch.name();
        let check = format!("the layer for {arch}");
        let newest = api.newest(&format!("{stack}-extension-{arch}")).await;
        findings.push(match newest {
            Ok(Some(layer)) => Finding::ok(check, format!("newest version {}", layer.version())),
            Ok(None) => Finding::doubtful(
                check,
                "there is none, so functions of this architecture are skipped",
                "package it too (a release has both), and deploy again",
            ),
            Err(error) => {
                Finding::not_checked(check, format!("lambda:ListLayerVersions fails: {error}"))
            }
        });
    }
    findings
}

/// Whether the account has room for the updater's reserved concurrency.
async fn quota(lambda: &aws_sdk_lambda::Client) -> Finding {
    match lambda.get_account_settings().send().await {
        Ok(answer) => {
            let free = answer
                .account_limit()
                .and_then(aws_sdk_lambda::types::AccountLimit::unreserved_concurrent_executions);
            of_quota(free)
        }
        Err(error) => refused("Lambda's quota", "lambda:GetAccountSettings", &error),
    }
}

/// Judges the concurrent executions of the account that no function has reserved.
fn of_quota(free: Option<i32>) -> Finding {
    let check = "Lambda's quota";
    let Some(free) = free else {
        return Finding::not_checked(check, "Lambda did not return the unreserved executions");
    };
    let found = format!("{free} concurrent executions are not reserved");
    match free {
        ..=0 => Finding::wrong(
            check,
            format!("{found}: functions without a reservation are throttled"),
            "reserve less, or request a higher quota (Service Quotas, AWS Lambda, Concurrent executions)",
        ),
        1..=UNRESERVED_LEAST => Finding::doubtful(
            check,
            format!("{found}: Lambda reserves none of the last {UNRESERVED_LEAST}"),
            "deploy with ReservedConcurrency= or request a higher quota (Service Quotas, AWS Lambda, Concurrent \
             executions)",
        ),
        _ => Finding::ok(check, found),
    }
}

/// A function as `ListFunctions` returns it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) arn: String,
    pub(super) runtime: String,
    /// The time of its last change, in Lambda's form.
    pub(super) modified: String,
    /// Whether it has a layer of the stack.
    pub(super) has_layer: bool,
    /// The log group of its configuration, or the default one of its name.
    pub(super) log_group: String,
}

impl Listed {
    /// Its name without the rest of the ARN.
    pub(super) fn name(&self) -> &str {
        short(&self.arn)
    }
}

/// Lists the functions of the account and region, or returns why that fails.
async fn list(lambda: &aws_sdk_lambda::Client, stack: &str) -> Result<Vec<Listed>, Finding> {
    let layer = format!(":layer:{stack}-extension-");
    let mut pages = lambda.list_functions().into_paginator().items().send();
    let mut functions = Vec::new();
    while let Some(function) = pages.next().await {
        let function = function.map_err(|e| refused(WITH_LAYER, "lambda:ListFunctions", &e))?;
        let has = |arn: Option<&str>| arn.is_some_and(|arn| arn.contains(&layer));
        let runtime = function.runtime();
        let name = function.function_name().unwrap_or_default();
        let group = function.logging_config().and_then(|logs| logs.log_group());
        functions.push(Listed {
            arn: function.function_arn().unwrap_or_default().to_owned(),
            runtime: runtime.map_or_else(|| "no runtime".to_owned(), ToString::to_string),
            modified: function.last_modified().unwrap_or_default().to_owned(),
            has_layer: function.layers().iter().any(|layer| has(layer.arn())),
            log_group: group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned),
        });
    }
    Ok(functions)
}

const WITH_LAYER: &str = "functions with the layer";

/// The functions that have the layer, by runtime.
fn with_layer(functions: &[Listed]) -> Finding {
    let mut runtimes: BTreeMap<&str, usize> = BTreeMap::new();
    for function in functions.iter().filter(|function| function.has_layer) {
        *runtimes.entry(&function.runtime).or_default() += 1;
    }
    if runtimes.is_empty() {
        return Finding::not_checked(WITH_LAYER, "no function has it yet: step 2");
    }
    let runtimes = runtimes
        .iter()
        .map(|(runtime, n)| format!("{n} on {runtime}"));
    Finding::ok(WITH_LAYER, runtimes.collect::<Vec<_>>().join(", "))
}

pub(super) fn refused<E, R>(
    check: &str,
    action: &str,
    error: &aws_sdk_lambda::error::SdkError<E, R>,
) -> Finding
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let found = format!("{action} fails: {}", words(error));
    Finding::wrong(check, found, advice(action, error.code()))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_quota_without_room_is_found() {
        for (free, verdict) in [
            (None, Verdict::NotChecked),
            (Some(0), Verdict::Wrong),
            (Some(10), Verdict::Doubtful),
            (Some(100), Verdict::Doubtful),
            (Some(101), Verdict::Ok),
        ] {
            assert_eq!(of_quota(free).verdict, verdict, "{free:?}");
        }
    }

    #[test]
    fn a_policy_that_denies_is_no_permission() {
        let policy = |effect: &str, action: &str| {
            format!(r#"{{"Statement": [{{"Effect": "{effect}", "Action": {action}}}]}}"#)
        };
        assert!(allows_put(&policy("Allow", r#""kinesis:PutRecords""#)));
        let two = r#"["kinesis:PutRecord", "kinesis:PutRecords"]"#;
        assert!(allows_put(&policy("Allow", two)));
        assert!(!allows_put(&policy("Deny", r#""kinesis:PutRecords""#)));
        assert!(!allows_put(&policy(
            "Allow",
            r#""kinesis:PutRecordsLater""#
        )));
        assert!(!allows_put("") && !allows_put("{}"));
    }

    #[test]
    fn a_missing_stream_of_a_stack_is_a_wrong_stack() {
        let missing = Finding::wrong("reports stream", "ResourceNotFoundException: x", "y");
        let advice = of_stack(missing, "rz").advice.unwrap();
        assert!(advice.starts_with("check --stack"), "{advice}");
        let other = Finding::wrong("reports stream", "AccessDeniedException: x", "y");
        assert_eq!(of_stack(other.clone(), "rz"), other);
    }
}
