//! Compares the permissions of the template's roles with the calls of the code: a permission that no code needs
//! fails here, and so does a call without a permission.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rightsizer_records::{Megabytes, Recommendation, Record, Timestamp, encode};
use rightsizer_tests::servers::{
    FaultLambda, FaultProxy, KinesisLocal, REGION, UPDATER, UpdaterLambda,
};
use serde_json::{Value, json};

use crate::stage::{Stage, root};
use crate::template::template;

/// The caller that needs a permission.
#[derive(Debug, Clone, Copy)]
enum By {
    /// Our code, by this call of an SDK.
    Code(&'static str),
    /// A part of AWS that acts for us.
    Aws(&'static str),
}
use By::{Aws, Code};

/// Every permission of the template's roles and policies, and its caller.
const NEEDED: &[(&str, &str, By)] = &[
    (
        "UpdaterRole",
        "kinesis:DescribeStream",
        Aws("the event source mapping"),
    ),
    (
        "UpdaterRole",
        "kinesis:DescribeStreamSummary",
        Aws("the event source mapping"),
    ),
    (
        "UpdaterRole",
        "kinesis:GetRecords",
        Aws("the event source mapping"),
    ),
    (
        "UpdaterRole",
        "kinesis:GetShardIterator",
        Aws("the event source mapping"),
    ),
    (
        "UpdaterRole",
        "kinesis:ListShards",
        Aws("the event source mapping"),
    ),
    (
        "UpdaterRole",
        "kinesis:PutRecords",
        Code("updater put_records"),
    ),
    (
        "UpdaterRole",
        "lambda:GetFunction",
        Code("updater get_function"),
    ),
    ("UpdaterRole", "lambda:ListTags", Code("updater list_tags")),
    (
        "UpdaterRole",
        "lambda:UpdateFunctionConfiguration",
        Code("updater update_function_configuration"),
    ),
    ("UpdaterRole", "lambda:GetAlias", Code("updater get_alias")),
    (
        "UpdaterRole",
        "lambda:ListProvisionedConcurrencyConfigs",
        Code("updater list_provisioned_concurrency_configs"),
    ),
    (
        "UpdaterRole",
        "lambda:PublishVersion",
        Code("updater publish_version"),
    ),
    (
        "UpdaterRole",
        "lambda:UpdateAlias",
        Code("updater update_alias"),
    ),
    (
        "UpdaterRole",
        "s3:PutObject",
        Aws("the event source mapping, for what was given up"),
    ),
    (
        "UpdaterRole",
        "s3:ListBucket",
        Aws("the event source mapping, for what was given up"),
    ),
    ("UpdaterRole", "logs:CreateLogStream", Aws("Lambda")),
    ("UpdaterRole", "logs:PutLogEvents", Aws("Lambda")),
    (
        "PauseUpdater",
        "lambda:TagResource",
        Code("aggregator tag_resource"),
    ),
    (
        "PauseUpdater",
        "lambda:UntagResource",
        Code("aggregator untag_resource"),
    ),
    (
        "PauseUpdater",
        "lambda:ListTags",
        Code("aggregator list_tags"),
    ),
    (
        "AggregatorStartRole",
        "ecr:GetAuthorizationToken",
        Aws("Fargate"),
    ),
    (
        "AggregatorStartRole",
        "ecr:BatchCheckLayerAvailability",
        Aws("Fargate"),
    ),
    ("AggregatorStartRole", "ecr:BatchGetImage", Aws("Fargate")),
    (
        "AggregatorStartRole",
        "ecr:GetDownloadUrlForLayer",
        Aws("Fargate"),
    ),
    (
        "AggregatorStartRole",
        "secretsmanager:GetSecretValue",
        Aws("Fargate"),
    ),
    (
        "AggregatorStartRole",
        "logs:CreateLogStream",
        Aws("Fargate"),
    ),
    ("AggregatorStartRole", "logs:PutLogEvents", Aws("Fargate")),
    (
        "AggregatorRole",
        "kinesis:DescribeStreamSummary",
        Code("aggregator describe_stream_summary"),
    ),
    (
        "AggregatorRole",
        "kinesis:GetRecords",
        Code("aggregator get_records"),
    ),
    (
        "AggregatorRole",
        "kinesis:GetShardIterator",
        Code("aggregator get_shard_iterator"),
    ),
    (
        "AggregatorRole",
        "kinesis:ListShards",
        Code("aggregator list_shards"),
    ),
    (
        "AggregatorRole",
        "kinesis:PutRecords",
        Code("aggregator put_records"),
    ),
    (
        "AggregatorRole",
        "kms:Decrypt",
        Aws("Kinesis, if the stream has a key of its own"),
    ),
    (
        "AggregatorRole",
        "lambda:ListFunctions",
        Code("aggregator list_functions"),
    ),
    (
        "AggregatorRole",
        "tag:GetResources",
        Code("aggregator get_resources"),
    ),
    (
        "AggregatorRole",
        "cloudwatch:DescribeAlarms",
        Code("aggregator describe_alarms"),
    ),
    (
        "AggregatorRole",
        "s3:AbortMultipartUpload",
        Code("aggregator abort_multipart_upload"),
    ),
    (
        "AggregatorRole",
        "s3:DeleteObject",
        Code("aggregator delete_object"),
    ),
    (
        "AggregatorRole",
        "s3:GetObject",
        Code("aggregator get_object"),
    ),
    (
        "AggregatorRole",
        "s3:PutObject",
        Code("aggregator put_object"),
    ),
    (
        "AggregatorRole",
        "s3:ListBucket",
        Code("aggregator list_objects_v2"),
    ),
    (
        "AggregatorRole",
        "ssmmessages:CreateControlChannel",
        Aws("the tunnel of make connect"),
    ),
    (
        "AggregatorRole",
        "ssmmessages:CreateDataChannel",
        Aws("the tunnel of make connect"),
    ),
    (
        "AggregatorRole",
        "ssmmessages:OpenControlChannel",
        Aws("the tunnel of make connect"),
    ),
    (
        "AggregatorRole",
        "ssmmessages:OpenDataChannel",
        Aws("the tunnel of make connect"),
    ),
    (
        "SubscriptionRole",
        "kinesis:PutRecord",
        Aws("CloudWatch Logs"),
    ),
    (
        "SubscriptionRole",
        "kms:GenerateDataKey",
        Aws("Kinesis, if the stream has a key of its own"),
    ),
];

/// Calls that people make with their own permissions; SECURITY.md, ONBOARDING.md and TUNE.md have their policies.
const BY_PEOPLE: &[&str] = &[
    "create_function",
    "delete_account_policy",
    "delete_function",
    "delete_log_group",
    "delete_subscription_filter",
    "describe_account_policies",
    "describe_log_groups",
    "describe_subscription_filters",
    "filter_log_events",
    "get_account_settings",
    "get_layer_version",
    "get_metric_data",
    "get_query_results",
    "get_resource_policy",
    "get_role",
    "invoke",
    "list_event_source_mappings",
    "list_layer_versions",
    "put_account_policy",
    "put_record",
    "put_subscription_filter",
    "simulate_principal_policy",
    "start_query",
];

/// Called only for a topic that the settings name; CONFIGURE.md names the permission that its owner adds.
const BY_SETTINGS: &[&str] = &["publish"];

/// Returns each call of an AWS SDK in a crate: the operation's name, and the file and line.
fn calls(of: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    // Its own code, and that of the crates in its folder.
    let mut folders = vec![root().join(of).join("src")];
    for entry in std::fs::read_dir(root().join(of))? {
        folders.extend(
            Some(entry?.path().join("src")).filter(|src| src.is_dir() && !folders.contains(src)),
        );
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                calls_in(&path, &mut found)?;
            }
        }
    }
    Ok(found)
}

fn calls_in(path: &Path, found: &mut BTreeMap<String, String>) -> Result<()> {
    let text = std::fs::read_to_string(path)?;
    if !text.contains("aws_sdk_") && !text.contains("SignedClient") {
        return Ok(());
    }
    // Test code is not deployed.
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    for (n, line) in text.lines().enumerate() {
        if let Some(operation) = signed_operation(line) {
            let path = path.strip_prefix(root()).unwrap_or(path);
            found.insert(operation, format!("{}:{}", path.display(), n + 1));
        }
        for part in line.split('.').skip(1) {
            let Some(name) = part.split_once("()").map(|(name, _)| name) else {
                continue;
            };
            let is_one = VERBS.iter().any(|verb| name.starts_with(verb));
            if is_one
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
            {
                let path = path.strip_prefix(root()).unwrap_or(path);
                found.insert(name.to_owned(), format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    Ok(())
}

/// Returns the operation in a line of a signed call, in the SDK's spelling.
fn signed_operation(line: &str) -> Option<String> {
    let query = line.split_once("\"Action\", \"");
    let json = || line.split_once("target: Some(\"")?.1.split_once('.');
    let (name, _) = query.or_else(json)?.1.split_once('"')?;
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    Some(snake)
}

/// Prefixes of the operations of the services that are used here.
const VERBS: &[&str] = &[
    "abort_",
    "complete_",
    "create_",
    "delete_",
    "describe_",
    "filter_log",
    "get_",
    "head_",
    "invoke",
    "list_",
    "publish_",
    "put_",
    "simulate_",
    "start_query",
    "stop_query",
    "tag_",
    "untag_",
    "update_",
    "upload_",
];

#[test]
fn every_permission_has_a_line_of_code_and_every_call_a_permission() -> Result<()> {
    let granted = granted()?;
    let wanted: BTreeSet<_> = NEEDED
        .iter()
        .map(|(who, what, _)| ((*who).to_owned(), (*what).to_owned()))
        .collect();
    assert_eq!(
        granted, wanted,
        "permissions of the template, and those that are accounted for"
    );

    let (updater, aggregator) = (calls("updater")?, calls("aggregator")?);
    let mut used = BTreeSet::new();
    for (who, what, by) in NEEDED {
        let line = match by {
            Aws(part) => format!("({part})"),
            Code(call) => {
                let (krate, call) = call.split_once(' ').context("a crate and a call")?;
                let calls = if krate == "updater" {
                    &updater
                } else {
                    &aggregator
                };
                used.insert(call);
                calls
                    .get(call)
                    .with_context(|| format!("{who} may {what}, but nothing calls {call}"))?
                    .clone()
            }
        };
        println!("{who:<20} {what:<42} {line}");
    }
    for (call, line) in updater.iter().chain(&aggregator) {
        let known = used.contains(call.as_str())
            || BY_PEOPLE.contains(&call.as_str())
            || BY_SETTINGS.contains(&call.as_str())
            || PARTS.contains(&call.as_str());
        ensure!(
            known,
            "{call} ({line}) has no permission in the template and is not a command of a person"
        );
    }
    Ok(())
}

/// Covered by another permission: `s3:PutObject` covers uploads in parts, `s3:GetObject` looks.
const PARTS: &[&str] = &[
    "complete_multipart_upload",
    "create_multipart_upload",
    "head_object",
    "upload_part",
];

/// Returns the actions that the template allows, with their role or policy.
pub(crate) fn granted() -> Result<BTreeSet<(String, String)>> {
    let template = template("template.yaml")?;
    let mut granted = BTreeSet::new();
    for (logical, resource) in template["Resources"].as_object().context("no resources")? {
        for statement in statements(&resource["Properties"]) {
            if statement["Effect"] == "Allow" {
                for action in listed(&statement["Action"]) {
                    granted.insert((logical.clone(), action.to_owned()));
                }
            }
        }
    }
    Ok(granted)
}

/// Returns the statements of a role's or a managed policy's documents, including conditional ones.
fn statements(properties: &Value) -> Vec<&Value> {
    let inline = properties["Policies"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| &p["PolicyDocument"]);
    let own = properties["PolicyDocument"]
        .is_object()
        .then_some(&properties["PolicyDocument"]);
    let managed = own.filter(|_| properties["Bucket"].is_null());
    inline
        .chain(managed)
        .filter_map(|document| document["Statement"].as_array())
        .flatten()
        .map(|s| s["Fn::If"].get(1).unwrap_or(s))
        .collect()
}

fn listed(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// A remaining star is explained in a comment above its statement.
#[test]
fn every_star_has_a_reason_beside_it() -> Result<()> {
    for name in ["template.yaml", "artifacts.yaml"] {
        let text = std::fs::read_to_string(root().join("infra").join(name))?;
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let star = line.contains("\"*\"") || line.contains(":*") || line.ends_with("/*");
            if !star || line.trim_start().starts_with('#') {
                continue;
            }
            // Up to the statement's beginning, and the line above that.
            let start = lines[..=n].iter().rposition(|l| {
                l.contains("Sid: ") || l.contains("Principal: \"*\"") || l.contains("StringLike:")
            });
            let start = start.with_context(|| format!("{name}:{}", n + 1))?;
            let above = &lines[start.saturating_sub(10)..start];
            ensure!(
                above.iter().any(|l| l.trim_start().starts_with('#')),
                "{name}:{}: {line}: explain it in a comment",
                n + 1
            );
        }
    }
    Ok(())
}

/// Runs the updater's binary against the account, records each call that it makes, and checks each against the
/// role in the account.
pub(crate) async fn the_role_allows_what_the_updater_calls(
    stage: &Stage,
    role: &str,
) -> Result<()> {
    let policies = stage.account(&["role", role]).await?;
    let policies = policies.as_array().context("no policies")?;
    let proxy = FaultProxy::before(stage.moto.endpoint()).await?;
    let kinesis = KinesisLocal::start().await?;
    kinesis.create_stream("decisions", 1).await?;
    let tags = [("rightsizer:mode", "auto")];
    let arn = stage.moto.create_function("sized", 1024, 3, &tags).await?;
    stage.moto.create_function(UPDATER, 128, 30, &[]).await?;
    let mut updater = UpdaterLambda::start_at(&kinesis, "decisions", proxy.endpoint(), &[]).await?;
    let put = kinesis
        .client()
        .put_record()
        .stream_name("decisions")
        .partition_key("sized");
    put.data(encode(&Record::Recommendation(down(&arn)?)).into())
        .send()
        .await?;
    updater.deliver(&kinesis).await?;
    assert_eq!(
        stage.moto.memory_mb("sized").await?,
        512,
        "{}",
        updater.log_text()
    );

    let seen = allowed_calls(&proxy.called(), role, policies, &[MODE])?;
    let wanted = [
        "lambda:GetFunction",
        "lambda:ListTags",
        "lambda:UpdateFunctionConfiguration",
    ];
    assert_eq!(seen, BTreeSet::from(wanted));
    let called = calls_for_an_alias(&kinesis).await?;
    let seen = allowed_calls(&called, role, policies, &[MODE, ALIAS])?;
    let more = [
        "lambda:GetAlias",
        "lambda:ListProvisionedConcurrencyConfigs",
        "lambda:PublishVersion",
        "lambda:UpdateAlias",
    ];
    assert_eq!(seen, wanted.into_iter().chain(more).collect());
    allows_no_more(policies, arn.as_str());
    for name in ["sized", UPDATER] {
        stage
            .moto
            .lambda()
            .delete_function()
            .function_name(name)
            .send()
            .await?;
    }
    Ok(())
}

/// With `Mode=off` the role has access to tagged functions only, and in no mode to one that opted out.
#[test]
fn the_reach_of_the_updaters_role_follows_its_mode() -> Result<()> {
    let template = template("template.yaml")?;
    let role = &template["Resources"]["UpdaterRole"]["Properties"];
    let follows = |s: &&Value| s["Condition"]["Fn::If"][0] == "LeavesUntagged";
    let mut found = 0;
    for statement in statements(role).into_iter().filter(follows) {
        for (branch, modes) in [
            (1, ["auto", "recommend"].as_slice()),
            (2, &["auto", "recommend", ""]),
        ] {
            let mut chosen = statement.clone();
            chosen["Resource"] = json!("*");
            chosen["Condition"] = statement["Condition"]["Fn::If"][branch].clone();
            let policy = json!({ "Statement": [chosen] });
            for action in listed(&statement["Action"]) {
                for mode in ["auto", "recommend", "off", ""] {
                    let mut tags = BTreeMap::from([("rightsizer:alias", "live")]);
                    if !mode.is_empty() {
                        tags.insert("rightsizer:mode", mode);
                    }
                    let may = allows(std::slice::from_ref(&policy), action, "it", &tags);
                    ensure!(may == modes.contains(&mode), "{action}, {branch}, {mode:?}");
                    found += 1;
                }
            }
        }
    }
    assert_eq!(found, 3 * 2 * 4, "three actions change a function");
    Ok(())
}

/// The updater's role may never name layers in a change.
#[test]
fn the_updaters_role_sets_no_layers() -> Result<()> {
    let template = template("template.yaml")?;
    let role = &template["Resources"]["UpdaterRole"]["Properties"];
    let denied: Vec<&Value> = statements(role)
        .into_iter()
        .filter(|s| s["Effect"] == "Deny")
        .collect();
    let [denied] = denied[..] else {
        anyhow::bail!("{} denials", denied.len());
    };
    assert_eq!(denied["Action"], "lambda:UpdateFunctionConfiguration");
    // `Null` with `false` holds if the key is present, which is the case in a request that names layers.
    assert_eq!(
        denied["Condition"],
        json!({"Null": {"lambda:Layer": "false"}})
    );
    assert_eq!(template["Parameters"]["DenyLayers"]["Default"], "true");
    Ok(())
}

/// Calls of the updater if traffic is on a version; moto does not support all of them.
async fn calls_for_an_alias(kinesis: &KinesisLocal) -> Result<Vec<String>> {
    kinesis.create_stream("moves", 1).await?;
    let fleet = FaultLambda::default();
    fleet.function(UPDATER, 128, &[]);
    let arn = fleet.function("shop", 1024, &[MODE, ALIAS]);
    let client = fleet.client();
    client
        .publish_version()
        .function_name("shop")
        .send()
        .await?;
    let alias = client.create_alias().function_name("shop").name(ALIAS.1);
    alias.function_version("1").send().await?;
    let server = fleet.serve().await?;
    let proxy = FaultProxy::before(server.endpoint()).await?;
    let mut updater = UpdaterLambda::start_at(kinesis, "moves", proxy.endpoint(), &[]).await?;
    let mut change = down(&arn)?;
    "1".clone_into(&mut change.version);
    let put = kinesis.client().put_record().stream_name("moves");
    let put = put
        .partition_key("shop")
        .data(encode(&Record::Recommendation(change)).into());
    put.send().await?;
    updater.deliver(kinesis).await?;
    let moved = fleet.memory_mb("shop", Some(ALIAS.1));
    assert_eq!(moved, 512, "{}", updater.log_text());
    Ok(proxy.called())
}

const MODE: (&str, &str) = ("rightsizer:mode", "auto");
const ALIAS: (&str, &str) = ("rightsizer:alias", "live");

/// Returns the permissions that requests need; the role must have all of them for a function with these tags.
fn allowed_calls(
    called: &[String],
    role: &str,
    policies: &[Value],
    tags: &[(&str, &str)],
) -> Result<BTreeSet<&'static str>> {
    let tagged = tags.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for call in called {
        let (action, resource) =
            permission(call).with_context(|| format!("what permission is {call}?"))?;
        println!("{call}: {action}");
        ensure!(
            allows(policies, action, &resource, &tagged),
            "{role} may not {action} on {resource}"
        );
        seen.insert(action);
    }
    Ok(seen)
}

/// The role has no access to functions that opted out, to code, to roles, or to the reports stream.
fn allows_no_more(policies: &[Value], function: &str) {
    let none = BTreeMap::new();
    let out = BTreeMap::from([("rightsizer:mode", "off")]);
    let change = |tags| {
        allows(
            policies,
            "lambda:UpdateFunctionConfiguration",
            function,
            tags,
        )
    };
    assert!(change(&none) && !change(&out));
    assert!(!allows(
        policies,
        "lambda:UpdateFunctionCode",
        function,
        &none
    ));
    // An alias may be moved only if the function's tag names one.
    let mode = BTreeMap::from([MODE]);
    for action in ["lambda:PublishVersion", "lambda:UpdateAlias"] {
        assert!(!allows(policies, action, function, &mode), "{action}");
    }
    assert!(!allows(
        policies,
        "iam:PassRole",
        "arn:aws:iam::123456789012:role/any",
        &none
    ));
    let reports = format!("arn:aws:kinesis:{REGION}:123456789012:stream/rz-reports");
    assert!(!allows(policies, "kinesis:PutRecords", &reports, &none));
    let decisions = format!("arn:aws:kinesis:{REGION}:123456789012:stream/rz-decisions");
    assert!(allows(policies, "kinesis:PutRecords", &decisions, &none));
}

/// Returns the permission that a request to the Lambda API needs, and its resource.
fn permission(call: &str) -> Option<(&'static str, String)> {
    let (method, path) = call.split_once(' ')?;
    let path = path.split('?').next()?.replace("%3A", ":");
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let action = match (method, &parts[1..]) {
        ("GET", ["functions", _]) => "lambda:GetFunction",
        ("PUT", ["functions", _, "configuration"]) => "lambda:UpdateFunctionConfiguration",
        ("GET", ["tags", _]) => "lambda:ListTags",
        ("GET", ["functions", _, "aliases", _]) => "lambda:GetAlias",
        ("PUT", ["functions", _, "aliases", _]) => "lambda:UpdateAlias",
        ("POST", ["functions", _, "versions"]) => "lambda:PublishVersion",
        ("GET", ["functions", _, "provisioned-concurrency"]) => {
            "lambda:ListProvisionedConcurrencyConfigs"
        }
        _ => return None,
    };
    let named = parts.get(2)?.rsplit(':').next()?;
    Some((
        action,
        format!("arn:aws:lambda:{REGION}:123456789012:function:{named}"),
    ))
}

/// Returns whether identity policies allow an action on a resource with these tags, and no statement denies a
/// request without layers. Supports only stars in resources and conditions on resource tags.
fn allows(policies: &[Value], action: &str, resource: &str, tags: &BTreeMap<&str, &str>) -> bool {
    let statements = policies
        .iter()
        .filter_map(|p| p["Statement"].as_array())
        .flatten();
    let mut allowed = statements.filter(|s| s["Effect"] == "Allow").filter(|s| {
        let actions = listed(&s["Action"]);
        let resources = listed(&s["Resource"]);
        actions.contains(&action) && resources.iter().any(|pattern| fits(pattern, resource))
    });
    allowed.any(|s| {
        let operators = s["Condition"].as_object().into_iter().flatten();
        let mut conditions = operators.flat_map(|(operator, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, values)| (operator, key, values))
        });
        conditions.all(|(operator, key, values)| {
            let tag = key
                .strip_prefix("aws:ResourceTag/")
                .and_then(|tag| tags.get(tag));
            let named = tag.is_some_and(|tag| listed(values).iter().any(|each| fits(each, tag)));
            // A missing value is not equal.
            named != (operator == "StringNotEquals")
        })
    })
}

/// Matches a pattern in which a star is any text and a question mark is one character.
fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let mut rests = text.char_indices().map(|(n, _)| &text[n..]).chain([""]);
            rests.any(|rest| fits(&pattern[1..], rest))
        }
        (Some(wanted), Some(is)) if wanted == '?' || wanted == is => {
            fits(&pattern[wanted.len_utf8()..], &text[is.len_utf8()..])
        }
        _ => false,
    }
}

#[test]
fn wildcards_of_policies_match_as_in_iam() {
    for (pattern, text, fit) in [
        ("a:function:*", "a:function:b", true),
        ("a:function:*", "a:layer:b", false),
        ("?*", "live", true),
        ("?*", "", false),
        ("*b*", "abc", true),
        ("a*c", "abc", true),
        ("a*c", "ab", false),
        ("live", "live2", false),
    ] {
        assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
    }
}

pub(crate) fn down(arn: &rightsizer_records::FunctionArn) -> Result<Recommendation> {
    let fixture = std::fs::read(root().join("records/fixtures/recommendation-approved.json"))?;
    let Record::Recommendation(mut rec) = rightsizer_records::decode(&fixture)? else {
        anyhow::bail!("the fixture is not a recommendation");
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_millis())?;
    let at = |ms| Timestamp::from_ms(ms).context("no time");
    rec.function = arn.clone();
    (rec.from_mb, rec.to_mb, rec.target_mb) = (Megabytes(1024), Megabytes(512), Megabytes(512));
    (rec.issued_at, rec.expires_at) = (at(now - 60_000)?, at(now + 86_400_000)?);
    "$LATEST".clone_into(&mut rec.version);
    rec.code_sha256 = None;
    rec.p99_ms = None;
    rec.rollback_of = None;
    Ok(rec)
}
