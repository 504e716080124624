//! What `make deploy` and `make undeploy` do not touch, and their messages after an earlier
//! failure.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::stage::{Stage, words_of};

/// Someone else's template, with one stream.
const FOREIGN: &str = r#"{"Description": "ledger", "Resources": {"Ledger": {"Type": "AWS::Kinesis::Stream",
    "Properties": {"Name": "ledger", "ShardCount": 1}}}}"#;

/// Runs a command that must fail with this message; returns its output.
async fn refused(stage: &Stage, words: &[&str], why: &str) -> Result<String> {
    let output = stage.make(words).await?;
    let text = words_of(&output);
    ensure!(
        !output.status.success(),
        "make {words:?} succeeded:\n{text}"
    );
    ensure!(
        text.contains(why),
        "the output of make {words:?} lacks {why}:\n{text}"
    );
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_someone_else_made_under_our_names_stays() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let create = "cloudformation create-stack --stack-name rz --template-body";
    stage.aws(create, FOREIGN).await?;
    let before = stage.account(&["all"]).await?;
    let why = "there is a stack rz in 123456789012, eu-central-1 that is not a Lambda Rightsizer";
    for words in [
        &["deploy"][..],
        &["deploy", "YES=1"],
        &["undeploy", "YES=1"],
    ] {
        refused(&stage, &[words, &["STACK=rz"]].concat(), why).await?;
    }
    assert_eq!(stage.account(&["all"]).await?, before);

    // A repository and layers with similar names that belong to none of our stacks also stay.
    let repository = "ecr create-repository --repository-name";
    stage.aws(repository, "ra-artifacts").await?;
    let layer = "lambda publish-layer-version --layer-name ra-extension-x86_64-fork --zip-file";
    let arch = std::fs::read_to_string(stage.package().join("architecture"))?;
    let zip = stage.package().join(format!("layer-{}.zip", arch.trim()));
    let zip = format!("fileb://{}", zip.display());
    stage.aws(layer, &zip).await?;
    let group = "logs create-log-group --log-group-name";
    stage.aws(group, "/rightsizer/ra/updater").await?;
    let done = stage.made(&["undeploy", "STACK=ra", "YES=1"]).await?;
    assert!(
        done.contains("the log group /rightsizer/ra/updater"),
        "{done}"
    );
    let after = stage.account(&["all"]).await?;
    assert_eq!(after["repositories"], json!(["ra-artifacts"]));
    assert_eq!(after["layers"], json!(["ra-extension-x86_64-fork"]));
    assert_eq!(after["log groups"], json!(null));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undeploy_that_was_cut_off_is_finished_by_the_next() -> Result<()> {
    let stage = Stage::set().await?;
    let before = stage.account(&["all"]).await?;
    stage.made(&["package"]).await?;
    stage.made(&["deploy", "STACK=rz", "YES=1"]).await?;

    // CloudFormation keeps this one when its stack is deleted by hand; `undeploy` deletes it.
    let by_hand = stage
        .aws("cloudformation delete-stack --stack-name", "rz")
        .await;
    let why = format!("{:#}", by_hand.err().context("the stack is not protected")?);
    ensure!(why.contains("TerminationProtection"), "{why}");

    // The same package again: the registry has the image, and its tags are immutable.
    let unchanged = "An error occurred (ValidationError) when calling the CreateChangeSet operation: No updates are to be \
        performed.";
    let answer = format!("echo '{unchanged}' >&2; exit 254");
    stage.intercept("*create-change-set*", &answer)?;
    let again = stage.made(&["deploy", "STACK=rz", "YES=1"]).await?;
    assert!(again.contains("rz is up to date"), "{again}");

    let undeploy = ["undeploy", "STACK=rz", "YES=1"];
    let denied = "echo 'An error occurred (AccessDenied): you may not' >&2; exit 254";
    stage.intercept("*describe-stacks*", denied)?;
    refused(&stage, &undeploy, "(AccessDenied): you may not").await?;
    stage.intercept("*delete-bucket*", denied)?;
    let cut_off = refused(&stage, &undeploy, "(AccessDenied)").await?;
    assert!(!cut_off.contains("nothing of rz is left"), "{cut_off}");
    let left = stage.account(&["all"]).await?;
    assert_eq!(left["stacks"], json!(["rz-artifacts"]));
    assert_eq!(left["buckets"].as_array().context("no buckets")?.len(), 3);

    stage.intercept("nothing", "")?;
    let plan = stage.made(&["undeploy", "STACK=rz"]).await?;
    assert!(
        plan.contains("rightsizer restore s3://rz-snapshots-") && plan.contains("/store --store"),
        "{plan}"
    );
    for wanted in [
        "the bucket rz-snapshots-",
        "the bucket rz-givenup-",
        "the repository rz-artifacts",
    ] {
        assert!(plan.contains(wanted), "{wanted}: {plan}");
    }
    let done = stage.made(&undeploy).await?;
    assert!(done.contains("nothing of rz is left"), "{done}");
    let mut after = stage.account(&["all"]).await?;
    // moto leaves these, as in the deployment test.
    for kind in ["clusters", "policies"] {
        after.as_object_mut().context("no object")?.remove(kind);
    }
    assert_eq!(after, before, "something is left");
    Ok(())
}

/// S3 lists and removes a thousand versions at a time, and a system makes that many in a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_of_two_days_is_removed_whole() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    stage.made(&["deploy", "STACK=rz", "YES=1"]).await?;
    let resources = stage.account(&["stack", "rz"]).await?;
    let resources = resources.as_array().context("no list")?;
    let bucket = resources.iter().find(|r| r["logical"] == "Snapshots");
    let bucket = bucket.and_then(|r| r["physical"].as_str());
    let filled = stage
        .account(&["fill", bucket.context("no bucket")?, "1200", "400"])
        .await?;
    assert_eq!(filled, json!({"versions": 1200, "markers": 400}));
    let done = stage.made(&["undeploy", "STACK=rz", "YES=1"]).await?;
    assert!(done.contains("nothing of rz is left"), "{done}");
    assert_eq!(stage.account(&["all"]).await?["buckets"], json!(null));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_that_failed_shows_the_next_step() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let next = "make undeploy STACK=rz YES=1, then make deploy again";
    wait_fails(&stage, "rz", "ROLLBACK_COMPLETE")?;
    let text = refused(&stage, &["deploy", "STACK=rz", "YES=1"], next).await?;
    assert!(!text.contains("rolled it back"), "{text}");
    refused(&stage, &["deploy", "STACK=rz"], next).await?;
    // A wait that ends early, as by an ended session, is no failure of the stack.
    wait_fails(&stage, "rx", "CREATE_IN_PROGRESS")?;
    let goes_on = "the stack rx is still CREATE_IN_PROGRESS, but waiting for it ended early: gone";
    let text = refused(&stage, &["deploy", "STACK=rx", "YES=1"], goes_on).await?;
    assert!(!text.contains("undeploy"), "{text}");
    Ok(())
}

/// Makes the wait for the creation of a stack fail; from then on the stack has this status.
fn wait_fails(stage: &Stage, name: &str, status: &str) -> Result<()> {
    let waited = stage.folder.path().join(format!("waited-{name}"));
    let waited = waited.display();
    stage.intercept(
        &format!("*wait stack-create-complete --stack-name {name}"),
        &format!("touch {waited}; echo gone >&2; exit 255"),
    )?;
    let state = json!({"Stacks": [{"StackName": name, "StackStatus": status,
        "Description": "Lambda Rightsizer: two streams"}]});
    stage.also(
        &format!("*describe-stacks --stack-name {name} *"),
        &format!("[ ! -f {waited} ] || {{ echo '{state}'; exit; }}"),
    )
}

/// If two people plan at the same time, the plan that ends first keeps the other's stack.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_leaves_a_stack_that_someone_else_is_making() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let theirs = format!(
        "REAL cloudformation create-change-set --stack-name rz --change-set-name rz-1 \
         --change-set-type CREATE --template-body '{FOREIGN}'"
    );
    stage.intercept("*wait change-set-create-complete*", &theirs)?;
    let plan = stage.made(&["deploy", "STACK=rz"]).await?;
    assert!(plan.contains("nothing was changed"), "{plan}");
    let stacks = stage.account(&["all"]).await?["stacks"].clone();
    assert!(
        stacks.as_array().is_some_and(|s| s.contains(&json!("rz"))),
        "{stacks}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_subscription_that_leads_here_keeps_the_system() -> Result<()> {
    let stage = Stage::set().await?;
    let document =
        r#"{"DestinationArn":"arn:aws:kinesis:eu-central-1:123456789012:stream/rz-reports"}"#;
    let put = "logs put-account-policy --policy-name rightsizer-reports \
               --policy-type SUBSCRIPTION_FILTER_POLICY --policy-document";
    stage.aws(put, document).await?;
    let why =
        "the account's log subscription rightsizer-reports still leads to the stream rz-reports";
    refused(&stage, &["undeploy", "STACK=rz", "YES=1"], why).await?;
    // A subscription to another system does not matter.
    stage.made(&["undeploy", "STACK=rzz"]).await?;
    Ok(())
}
