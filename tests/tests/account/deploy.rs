//! Deploys the system to an account and removes it again.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use rightsizer_aws::logs::REPORT_PATTERN;
use rightsizer_tests::servers::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::policies::the_role_allows_what_the_updater_calls;
use crate::stage::{Stage, words_of};
use crate::template::template;

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_put_it_on_an_account_and_one_takes_everything_off() -> Result<()> {
    let stage = Stage::set().await?;
    let before = stage.account(&["all"]).await?;
    stage.made(&["package"]).await?;

    let plan = stage.made(&["deploy", "STACK=rz"]).await?;
    assert!(
        plan.contains("nothing was changed. To do it: make deploy STACK=rz YES=1"),
        "{plan}"
    );
    assert!(
        plan.contains("UpdaterRole") && plan.contains("AWS::ECS::Service"),
        "{plan}"
    );
    assert_eq!(
        stage.account(&["all"]).await?,
        before,
        "a plan changed something"
    );

    let options =
        "OPTIONS=LogSubscription=true MoveAliases=true SnapshotPrefix=evidence Engine=flink";
    let done = stage
        .made(&["deploy", "STACK=rz", "YES=1", options])
        .await?;
    assert!(done.contains("rz is there"), "{done}");
    let found = resources(&stage, "rz").await?;
    looks_as_written(&stage, &found).await?;
    has_the_image(&stage, &found)?;
    the_role_allows_what_the_updater_calls(&stage, physical(&found, "UpdaterRole")?).await?;

    // A plan in which parameters keep their values: moto does not show what a parameter would change.
    let again = stage
        .made(&["deploy", "STACK=rz", "OPTIONS=Mode=auto"])
        .await?;
    assert!(
        again.contains("nothing was changed") && !again.contains("Add "),
        "{again}"
    );

    stage.moto.create_function("checkout", 512, 3, &[]).await?;
    let plan = stage.made(&["undeploy", "STACK=rz"]).await?;
    assert!(plan.contains("nothing was changed"), "{plan}");
    // The printed command to keep the evidence works, with the bucket's real name and prefix.
    let bucket = physical(&found, "Snapshots")?;
    let restore = format!("rightsizer restore s3://{bucket}/evidence --store rz.db\n");
    assert!(plan.contains(&restore), "{plan}");
    assert!(
        plan.contains("the stack rz\n") && plan.contains("the bucket rz-artifacts-"),
        "{plan}"
    );
    stage.made(&["undeploy", "STACK=rz", "YES=1"]).await?;
    stage
        .moto
        .lambda()
        .delete_function()
        .function_name("checkout")
        .send()
        .await?;
    let mut after = stage.account(&["all"]).await?;
    // moto leaves these when their stack is removed; CloudFormation does not, unless configured
    // to.
    let template = template("template.yaml")?;
    for (kind, logical) in [("clusters", "Cluster"), ("policies", "PauseUpdater")] {
        assert!(template["Resources"][logical]["DeletionPolicy"].is_null());
        after.as_object_mut().context("no object")?.remove(kind);
    }
    assert_eq!(after, before, "something is left");
    Ok(())
}

/// The nested stack's application runs the jar that was uploaded, between the streams of the system, and the aggregator
/// reads its proposals.
async fn flink_runs(stage: &Stage, found: &[Value]) -> Result<()> {
    let nested = of(found, "Flink")?.as_array().context("no nested stack")?;
    let job = of(nested, "Job")?;
    assert_eq!(job["status"], "RUNNING", "deploy starts it");
    let stream = |name: &str| json!(format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"));
    let proposals = physical(nested, "Proposals")?;
    let options = &job["options"];
    assert_eq!(options["reports"], stream("rz-reports"));
    assert_eq!(options["decisions"], stream("rz-decisions"));
    assert_eq!(options["proposals"], stream(proposals));
    assert_eq!(options["home"], format!("{ACCOUNT}/{REGION}"));
    assert_eq!(options["settings-text"], "[policy]\nmode = \"recommend\"\n");
    assert_eq!(job["scaling"]["AutoScalingEnabled"], true);
    assert_eq!(job["snapshots"], true);
    // The subscription of the account leaves this name out.
    assert_eq!(physical(nested, "JobLog")?, "/rightsizer/rz/flink");
    let log = "log-group:/rightsizer/rz/flink:log-stream:job";
    assert!(text(job, "log").ends_with(log), "{job}");
    let bucket = text(&job["code"], "BucketARN").trim_start_matches("arn:aws:s3:::");
    let jar = format!("s3api head-object --bucket {bucket} --key");
    stage.aws(&jar, text(&job["code"], "FileKey")).await?;
    let down = of(nested, "DownAlarm")?;
    assert_eq!(down["Namespace"], "AWS/KinesisAnalytics");
    // What is counted from the job's start is compared with the period before.
    let metrics = of(nested, "CheckpointAlarm")?["Metrics"].to_string();
    for part in ["DIFF(failed)", "numberOfFailedCheckpoints"] {
        assert!(metrics.contains(part), "{metrics}");
    }
    let command = &of(found, "AggregatorTask")?["command"];
    let command = command.as_array().context("no command")?;
    let source = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{proposals}");
    for word in [format!("kinesis:{source}"), "--engine=flink".to_owned()] {
        assert!(
            command.contains(&json!(word)),
            "{word} is not in {command:?}"
        );
    }
    Ok(())
}

/// The registry has the complete image with the digest in the task, pushed with a login.
fn has_the_image(stage: &Stage, found: &[Value]) -> Result<()> {
    let task = found.iter().find(|r| r["logical"] == "AggregatorTask");
    let image = task.and_then(|r| r["found"]["image"].as_str());
    let digest = image.and_then(|image| image.split('@').nth(1));
    let blob = |digest: &str| {
        stage
            .registry
            .blob(digest)
            .with_context(|| format!("no {digest}"))
    };
    let manifest: Value = serde_json::from_slice(&blob(digest.context("no digest")?)?)?;
    let config: Value = serde_json::from_slice(&blob(text(&manifest["config"], "digest"))?)?;
    let layer = blob(text(&manifest["layers"][0], "digest"))?;
    assert!(!layer.is_empty());
    assert_eq!(config["os"], "linux");
    let logins = stage.registry.logins();
    assert!(
        logins.iter().any(|login| login.starts_with("Basic ")),
        "{logins:?}"
    );
    Ok(())
}

/// Each resource of the template as its own service describes it. moto does not create seven kinds by itself;
/// `tests/tools/moto_server.py` creates those with their services' calls. moto does not evaluate bucket policies,
/// metric filters or alarms.
async fn resources(stage: &Stage, stack: &str) -> Result<Vec<Value>> {
    let found = stage.account(&["stack", stack]).await?;
    let found = found.as_array().context("no list")?.clone();
    for resource in &found {
        println!(
            "{:<20} {:<34} {}",
            text(resource, "logical"),
            text(resource, "kind"),
            resource["found"]
        );
    }
    let seen: BTreeSet<&str> = found.iter().map(|r| text(r, "logical")).collect();
    let template = template("template.yaml")?;
    for (logical, resource) in template["Resources"].as_object().context("no resources")? {
        let kind = text(resource, "Type");
        let conditional = resource.get("Condition").and_then(Value::as_str);
        // For an organisation, and for the other architecture, which may not have been built here.
        if matches!(
            conditional,
            Some("HasKey" | "HasArmLayer" | "SharesX86Layer" | "SharesArmLayer")
        ) {
            continue;
        }
        ensure!(
            seen.contains(logical.as_str()),
            "{logical} ({kind}) is not there"
        );
    }
    Ok(found)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Returns a resource of the stack as its own service describes it.
fn of<'a>(found: &'a [Value], logical: &str) -> Result<&'a Value> {
    let mut of_it = found.iter().filter(|r| r["logical"] == logical);
    let of_it = of_it.next().map(|r| &r["found"]);
    of_it.with_context(|| format!("no {logical}"))
}

/// Returns the physical name of a resource of the stack.
fn physical<'a>(found: &'a [Value], logical: &str) -> Result<&'a str> {
    let mut of_it = found.iter().filter(|r| r["logical"] == logical);
    let of_it = of_it.next().map(|r| text(r, "physical"));
    of_it.with_context(|| format!("no {logical}"))
}

/// Compares the important values with those of the template.
async fn looks_as_written(stage: &Stage, found: &[Value]) -> Result<()> {
    let of = |logical: &str| of(found, logical);
    for bucket in ["Snapshots", "GivenUp"] {
        assert_eq!(of(bucket)?["encryption"], "AES256", "{bucket}");
    }
    assert_eq!(
        of("AggregatorNetwork")?,
        &json!({"in": 0}),
        "a client can connect"
    );
    assert_eq!(of("UpdaterLog")?, &json!({"days": 60}));
    assert_eq!(of("Aggregator")?["desired"], 1);
    assert_eq!(of("Updater")?["Runtime"], "provided.al2023");
    let image = text(of("AggregatorTask")?, "image");
    assert!(image.contains("/rz-artifacts@sha256:"), "{image}");
    let secret = of("ReviewToken")?;
    assert_eq!(
        (&secret["length"], &secret["plain"]),
        (&json!(48), &json!(true))
    );
    flink_runs(stage, found).await?;
    figures_and_alarms_are_as_written(found)?;
    who_may_is_as_written(found)?;
    what_is_given_up_is_kept(found)
}

/// Each alarm and filter equals the template's, and every alarm on our own metrics has its filter.
fn figures_and_alarms_are_as_written(found: &[Value]) -> Result<()> {
    let template = template("template.yaml")?;
    let mut compared = 0;
    for (logical, resource) in template["Resources"].as_object().context("no resources")? {
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            let properties = resource["Properties"]
                .as_object()
                .context("no properties")?;
            let alarm = of(found, logical)?;
            for (key, wanted) in properties
                .iter()
                .filter(|(_, v)| !v.is_object() && !v.is_array())
            {
                let same = wanted.as_f64().map_or(alarm[key] == *wanted, |number| {
                    alarm[key].as_f64() == Some(number)
                });
                assert!(same, "{logical}: {key} is {}, not {wanted}", alarm[key]);
            }
            assert_eq!(
                alarm["AlarmActions"],
                json!([]),
                "no topic unless it is named"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 11);
    let ours = found
        .iter()
        .filter(|r| r["found"]["Namespace"] == "Rightsizer/rz");
    let counted = |metric: &Value| {
        let made = found
            .iter()
            .map(|r| &r["found"]["metricTransformations"][0]);
        made.clone()
            .any(|made| made["metricName"] == *metric && made["metricNamespace"] == "Rightsizer/rz")
    };
    let mut alarms = 0;
    for alarm in ours {
        assert!(
            counted(&alarm["found"]["MetricName"]),
            "nothing counts for {alarm}"
        );
        alarms += 1;
    }
    assert_eq!(alarms, 5);
    let updater = of(found, "UpdaterErrorAlarm")?;
    let name = text(&updater["Dimensions"][0], "Value");
    assert!(name.starts_with("rz-Updater-"), "{updater}");
    for (filter, log) in [("FailedFigure", "updater"), ("BehindFigure", "aggregator")] {
        assert_eq!(
            of(found, filter)?["logGroupName"],
            format!("/rightsizer/rz/{log}")
        );
    }
    Ok(())
}

/// The policies on streams, buckets and the account's logs.
fn who_may_is_as_written(found: &[Value]) -> Result<()> {
    let writers = &of(found, "ReportsWriters")?[0];
    assert_eq!(writers["Action"], "kinesis:PutRecords");
    let account = json!({"StringEquals": {"aws:PrincipalAccount": "123456789012"}});
    assert_eq!(writers["Condition"], account);
    for policy in ["SnapshotsPolicy", "GivenUpPolicy"] {
        let denied = &of(found, policy)?[0];
        let plain = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert_eq!(
            (&denied["Effect"], &denied["Condition"]),
            (&json!("Deny"), &plain)
        );
    }
    let subscription = of(found, "Subscription")?;
    let own = "LogGroupName NOT IN [\"/rightsizer/rz/updater\", \"/rightsizer/rz/aggregator\", \"/rightsizer/rz/flink\"]";
    assert_eq!(
        subscription["selectionCriteria"], own,
        "it would read its own lines"
    );
    let document = &subscription["policyDocument"];
    assert_eq!(document["FilterPattern"], REPORT_PATTERN);
    assert!(
        text(document, "DestinationArn").ends_with(":stream/rz-reports"),
        "{document}"
    );
    assert!(text(document, "RoleArn").contains(":role/"), "{document}");
    Ok(())
}

/// Records that the updater fails to process three times go to its bucket, complete; one updater runs at a time.
fn what_is_given_up_is_kept(found: &[Value]) -> Result<()> {
    let source = of(found, "UpdaterSource")?;
    let bucket = physical(found, "GivenUp")?;
    let to = json!({"OnFailure": {"Destination": format!("arn:aws:s3:::{bucket}")}});
    assert_eq!(source["DestinationConfig"], to);
    assert_eq!(source["BatchSize"], 10);
    assert_eq!(source["MaximumRetryAttempts"], 3);
    assert_eq!(source["MaximumRecordAgeInSeconds"], 3600);
    assert_eq!(source["BisectBatchOnFunctionError"], true);
    assert_eq!(
        source["FunctionResponseTypes"],
        json!(["ReportBatchItemFailures"])
    );
    assert_eq!(of(found, "Updater")?["reserved"], 1);
    Ok(())
}

/// The layer is shared with the organisation only, whose roles may put reports.
#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_gets_the_layer_and_the_stream() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let options = "OPTIONS=Writers=organisation OrganizationId=o-a1b2c3d4e5 ReportsEncryption=kms";
    stage
        .made(&["deploy", "STACK=rz", "YES=1", options])
        .await?;
    let found = stage.account(&["stack", "rz"]).await?;
    let found = found.as_array().context("no list")?;
    let arch = std::fs::read_to_string(stage.package().join("architecture"))?;
    let sharing = if arch.trim() == "arm64" {
        "LayerArmSharing"
    } else {
        "LayerX86Sharing"
    };
    let statements = of(found, sharing)?;
    assert_eq!(statements.as_array().map(Vec::len), Some(1), "{statements}");
    assert_eq!(statements[0]["Action"], "lambda:GetLayerVersion");
    let organisation = json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}});
    // moto writes the condition of Lambda in this form.
    assert_eq!(
        statements[0]["OrganizationId"], "o-a1b2c3d4e5",
        "{statements}"
    );
    assert_eq!(of(found, "ReportsWriters")?[0]["Condition"], organisation);
    let key = of(found, "StreamKey")?;
    assert_eq!(
        (&key["state"], &key["rotated"]),
        (&json!("Enabled"), &json!(true))
    );
    let theirs = &key["policy"][1];
    assert_eq!(
        theirs["Action"], "kms:GenerateDataKey",
        "they write, and read nothing"
    );
    assert_eq!(
        theirs["Condition"]["StringEquals"]["aws:PrincipalOrgID"],
        "o-a1b2c3d4e5"
    );
    // The key outlives its stack for the records on the stream, and is removed with the system.
    let plan = stage.made(&["undeploy", "STACK=rz"]).await?;
    let named = format!(
        "the key {} of the reports stream",
        physical(found, "StreamKey")?
    );
    assert!(plan.contains(&named), "{plan}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_before_anything_is_done() -> Result<()> {
    let stage = Stage::set().await?;
    for (words, expected) in [
        (
            &["deploy"][..],
            "give the system a name: make deploy STACK=rightsizer",
        ),
        (&["deploy", "STACK=Rz"], "give the system a name"),
        (&["deploy", "STACK=rz"], "nothing is packaged"),
        (
            &["connect", "STACK=rz"],
            "session-manager-plugin, which carries the tunnel, is missing",
        ),
    ] {
        let output = stage.make(words).await?;
        assert!(!output.status.success(), "{words:?}");
        assert!(
            words_of(&output).contains(expected),
            "{words:?}: {}",
            words_of(&output)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_still_have_the_layer_keep_the_system() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    stage.made(&["deploy", "STACK=rz", "YES=1"]).await?;
    stage.moto.create_function("checkout", 512, 3, &[]).await?;
    let resources = stage.account(&["stack", "rz"]).await?;
    let layer = resources
        .as_array()
        .into_iter()
        .flatten()
        .find(|r| r["logical"] == "LayerX86");
    let layer = layer
        .and_then(|r| r["found"]["arn"].as_str())
        .context("no layer")?;
    let change = stage.moto.lambda().update_function_configuration();
    change
        .function_name("checkout")
        .layers(layer)
        .send()
        .await?;
    let refused = stage.make(&["undeploy", "STACK=rz", "YES=1"]).await?;
    assert!(!refused.status.success());
    assert!(
        words_of(&refused).contains("functions still have the layer: checkout"),
        "{}",
        words_of(&refused)
    );
    Ok(())
}
