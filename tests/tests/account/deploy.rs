//! The system on an account and off it again.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::policies::the_role_allows_what_the_updater_calls;
use crate::stage::{Stage, words_of};
use crate::template::template;

/// Kinds of resources that moto makes nothing of when a stack has them. What they say is held to the
/// services' own models by cfn-lint, to the Terraform module, and to nothing that runs.
const NOT_PLAYED: [&str; 7] = [
    "AWS::CloudWatch::Alarm",
    "AWS::Kinesis::ResourcePolicy",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Logs::AccountPolicy",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::Secret",
];

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

    let options = "OPTIONS=LogSubscription=true MoveAliases=true";
    let done = stage
        .made(&["deploy", "STACK=rz", "YES=1", options])
        .await?;
    assert!(done.contains("rz is there"), "{done}");
    let found = resources(&stage, "rz").await?;
    looks_as_written(&found)?;
    has_the_image(&stage, &found)?;
    let role = found.iter().find(|r| r["logical"] == "UpdaterRole");
    let role = role.map(|r| text(r, "physical")).context("no role")?;
    the_role_allows_what_the_updater_calls(&stage, role).await?;

    // The plan of a change only, in which parameters stay: moto neither tells what a parameter would
    // change nor changes a stack with kinds it does not play.
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
    // moto leaves these where a stack goes that had them; CloudFormation does not, unless told so.
    let template = template("template.yaml")?;
    for (kind, logical) in [("clusters", "Cluster"), ("policies", "PauseUpdater")] {
        assert!(template["Resources"][logical]["DeletionPolicy"].is_null());
        after.as_object_mut().context("no object")?.remove(kind);
    }
    assert_eq!(after, before, "something is left");
    Ok(())
}

/// The image that the task names by its digest is in the registry, whole, put there by who logged in.
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

/// Each resource of the stack as its own service tells it, all of the template's or named as not
/// played.
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
            Some("ToOrganisation" | "HasArmLayer" | "SharesX86Layer" | "SharesArmLayer")
        ) {
            continue;
        }
        let played = !NOT_PLAYED.contains(&kind);
        ensure!(
            played == seen.contains(logical.as_str()),
            "{logical} ({kind}): found {}, wanted {played}",
            !played
        );
    }
    Ok(found)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The figures that matter are those of the template.
fn looks_as_written(found: &[Value]) -> Result<()> {
    let of = |logical: &str| {
        let mut found = found.iter().filter(|r| r["logical"] == logical);
        found
            .next()
            .map(|r| &r["found"])
            .with_context(|| format!("no {logical}"))
    };
    for bucket in ["Snapshots", "GivenUp"] {
        assert_eq!(of(bucket)?["encryption"], "AES256", "{bucket}");
    }
    assert_eq!(
        of("AggregatorNetwork")?,
        &json!({"in": 0}),
        "somebody can connect"
    );
    assert_eq!(of("UpdaterLog")?, &json!({"days": 60}));
    assert_eq!(of("Aggregator")?["desired"], 1);
    assert_eq!(of("Updater")?["Runtime"], "provided.al2023");
    assert_eq!(of("UpdaterSource")?["BatchSize"], 10);
    let image = text(of("AggregatorTask")?, "image");
    assert!(image.contains("/rz-artifacts@sha256:"), "{image}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_before_anything_is_done() -> Result<()> {
    let stage = Stage::set().await?;
    for (words, said) in [
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
            words_of(&output).contains(said),
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
