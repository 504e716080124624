//! The Terraform module: well-formed, valid if its provider is available, and the same system as
//! the template.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::policies::granted;
use crate::stage::{root, tool, words_of};
use crate::template::template;

/// The kind in the module for each kind of the template. Terraform splits some resources; the other parts are in
/// [`PARTS`].
const KINDS: &[(&str, &str)] = &[
    ("AWS::CloudFormation::Stack", "aws_cloudformation_stack"),
    ("AWS::CloudWatch::Alarm", "aws_cloudwatch_metric_alarm"),
    ("AWS::EC2::SecurityGroup", "aws_security_group"),
    ("AWS::ECS::Cluster", "aws_ecs_cluster"),
    ("AWS::ECS::Service", "aws_ecs_service"),
    ("AWS::ECS::TaskDefinition", "aws_ecs_task_definition"),
    ("AWS::IAM::ManagedPolicy", "aws_iam_policy"),
    ("AWS::IAM::Role", "aws_iam_role"),
    ("AWS::KMS::Key", "aws_kms_key"),
    (
        "AWS::Kinesis::ResourcePolicy",
        "aws_kinesis_resource_policy",
    ),
    ("AWS::Kinesis::Stream", "aws_kinesis_stream"),
    (
        "AWS::Lambda::EventSourceMapping",
        "aws_lambda_event_source_mapping",
    ),
    ("AWS::Lambda::Function", "aws_lambda_function"),
    ("AWS::Lambda::LayerVersion", "aws_lambda_layer_version"),
    (
        "AWS::Lambda::LayerVersionPermission",
        "aws_lambda_layer_version_permission",
    ),
    (
        "AWS::Logs::AccountPolicy",
        "aws_cloudwatch_log_account_policy",
    ),
    ("AWS::Logs::LogGroup", "aws_cloudwatch_log_group"),
    (
        "AWS::Logs::MetricFilter",
        "aws_cloudwatch_log_metric_filter",
    ),
    ("AWS::S3::Bucket", "aws_s3_bucket"),
    ("AWS::S3::BucketPolicy", "aws_s3_bucket_policy"),
    ("AWS::SecretsManager::Secret", "aws_secretsmanager_secret"),
];

/// Other kinds of Terraform: parts of resources that the template writes as one.
const PARTS: &[&str] = &[
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_secretsmanager_secret_version",
];

fn module() -> PathBuf {
    root().join("infra/terraform")
}

/// Returns each resource of the module as its kind, its name and its text.
fn resources() -> Result<Vec<(String, String, String)>> {
    // Parsed as HCL first, so that invalid HCL is not mistaken for a module without resources.
    let parse = "import hcl2, json, pathlib, sys\n\
        for file in sorted(pathlib.Path(sys.argv[1]).glob('*.tf')):\n    \
        hcl2.loads(file.read_text())";
    let parsed = Command::new(tool("python")?)
        .args(["-c", parse])
        .arg(module())
        .output()?;
    ensure!(parsed.status.success(), "{}", words_of(&parsed));
    let mut found = Vec::new();
    for file in std::fs::read_dir(module())? {
        let path = file?.path();
        if path.extension().is_none_or(|e| e != "tf") {
            continue;
        }
        let text = format!("\n{}", std::fs::read_to_string(path)?);
        for block in text.split("\nresource \"").skip(1) {
            let block = block.split("\n}\n").next().unwrap_or_default();
            let mut words = block.split('"');
            let kind = words.next().context("no kind")?;
            let name = words.nth(1).context("no name")?;
            found.push((kind.to_owned(), name.to_owned(), block.to_owned()));
        }
    }
    Ok(found)
}

#[test]
fn it_has_the_kinds_of_the_template() -> Result<()> {
    let template = template("template.yaml")?;
    let resources_of_template = template["Resources"].as_object().context("no resources")?;
    let kinds: BTreeSet<&str> = resources_of_template
        .values()
        .filter_map(|r| r["Type"].as_str())
        .collect();
    let translated: BTreeSet<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds, translated,
        "kinds of the template, and those with a counterpart"
    );
    let here = resources()?;
    let here: BTreeSet<&str> = here.iter().map(|(kind, _, _)| kind.as_str()).collect();
    let wanted: BTreeSet<&str> = KINDS
        .iter()
        .map(|(_, kind)| *kind)
        .chain(PARTS.iter().copied())
        .collect();
    assert_eq!(
        here, wanted,
        "kinds of the module, and those of the template"
    );
    Ok(())
}

/// Both have the same roles with the same permissions: each action once in the policy of its role.
#[test]
fn it_grants_what_the_template_grants() -> Result<()> {
    let names = BTreeMap::from([
        ("updater", "UpdaterRole"),
        ("pause_updater", "PauseUpdater"),
        ("aggregator_start", "AggregatorStartRole"),
        ("aggregator", "AggregatorRole"),
        ("subscription", "SubscriptionRole"),
    ]);
    let mut here = BTreeSet::new();
    for (kind, name, text) in resources()? {
        if kind == "aws_iam_role_policy" || kind == "aws_iam_policy" {
            let role = names
                .get(name.as_str())
                .with_context(|| format!("whose is {name}?"))?;
            for action in actions(&text) {
                here.insert(((*role).to_owned(), action));
            }
        }
    }
    assert_eq!(
        here,
        granted()?,
        "permissions of the module, and of the template"
    );
    Ok(())
}

/// Returns the quoted texts that are actions: `service:Name`. The text begins within quotes.
fn actions(text: &str) -> impl Iterator<Item = String> {
    let quoted = text.split('"').step_by(2);
    let actions = quoted.filter(|text| {
        let parts = text.split_once(':');
        parts.is_some_and(|(service, action)| {
            let lower = !service.is_empty()
                && service
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            // The only condition key among them.
            lower
                && service != "aws"
                && *text != "lambda:Layer"
                && action.starts_with(|c: char| c.is_ascii_uppercase())
        })
    });
    actions.map(str::to_owned)
}

/// Both have the same values and names.
#[test]
fn it_has_what_the_template_has() -> Result<()> {
    let template = template("template.yaml")?;
    let all: String = resources()?.into_iter().map(|(_, _, text)| text).collect();
    let alarms = std::fs::read_to_string(module().join("alarms.tf"))?;
    for (logical, resource) in template["Resources"].as_object().context("no resources")? {
        let properties = &resource["Properties"];
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            let name = properties["AlarmName"]["Fn::Sub"]
                .as_str()
                .context("no name")?;
            let name = name.trim_start_matches("${AWS::StackName}-");
            let line = alarms.lines().find(|line| {
                line.contains("words =") && line.trim_start().starts_with(&format!("{name} "))
            });
            let line = line.with_context(|| format!("{logical} is not in alarms.tf"))?;
            for (key, value) in [
                ("threshold", "Threshold"),
                ("period", "Period"),
                ("periods", "EvaluationPeriods"),
            ] {
                let wanted = format!("{key} = {},", properties[value]);
                assert!(line.contains(&wanted), "{name}: {wanted}");
            }
            assert!(
                line.contains(
                    properties["AlarmDescription"]
                        .as_str()
                        .context("no words")?
                ),
                "{name}"
            );
        }
    }
    let task = &template["Resources"]["AggregatorTask"]["Properties"]["ContainerDefinitions"][0];
    let names = |key: &str| -> Vec<String> {
        let all = task[key].as_array().into_iter().flatten();
        all.filter_map(|v| v["Name"].as_str().map(str::to_owned))
            .collect()
    };
    for name in names("Environment").into_iter().chain(names("Secrets")) {
        assert!(all.contains(&format!("name = \"{name}\"")), "{name}");
    }
    let flags = task["Command"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    for flag in flags {
        assert!(all.contains(&format!("\"{flag}\"")), "{flag}");
    }
    Ok(())
}

/// A later major version of the provider may rename what is used here; names of streams are no ARNs.
#[test]
fn it_is_bound_to_its_provider_and_refuses_wrong_values() -> Result<()> {
    let file = |name: &str| std::fs::read_to_string(module().join(name));
    let versions = file("versions.tf")?;
    let (_, provider) = versions
        .split_once("hashicorp/aws\"\n")
        .context("no provider")?;
    let bound = provider.lines().next().context("no version")?;
    assert!(bound.contains(">= ") && bound.contains(", < "), "{bound}");
    let all: String = resources()?.into_iter().map(|(_, _, text)| text).collect();
    for text in [&versions, &all] {
        assert!(!text.contains("aws_region.current.name"), "deprecated");
    }
    let variables = file("variables.tf")?;
    for (name, values) in [
        ("writers", r#"["nobody", "account", "organisation"]"#),
        ("mode", r#"["off", "recommend", "auto"]"#),
        ("reports_encryption", r#"["none", "kms"]"#),
    ] {
        let check = format!("contains({values}, var.{name})");
        assert!(variables.contains(&check), "{name}");
    }
    // What the template refuses by its rules.
    for (name, condition) in [
        (
            "aggregator.tf",
            "contains(try(local.task_sizes[tostring(var.aggregator_cpu)], []), var.aggregator_memory)",
        ),
        (
            "kinesis.tf",
            "!local.to_organisation || var.organization_id != \"o-0000000000\"",
        ),
        (
            "flink.tf",
            "var.flink_bucket != \"\" && var.flink_jar_key != \"\"",
        ),
    ] {
        let text = file(name)?;
        let checks = text.split("precondition {").skip(1);
        let mut checks = checks.filter_map(|check| check.split_once("condition     = "));
        assert!(
            checks.any(|(_, check)| check.starts_with(condition)),
            "{name}: {condition}"
        );
    }
    let outputs = file("outputs.tf")?;
    assert!(outputs.contains("value       = aws_kinesis_stream.reports.arn"));
    Ok(())
}

/// `fmt` if Terraform is installed, `validate` if its AWS provider is available, on this machine's
/// disk or from its registry. Without them, it prints a note and checks only what the other tests check.
#[test]
fn terraform_accepts_it_if_it_is_installed() -> Result<()> {
    let run = |folder: &Path, words: &[&str]| -> Option<Output> {
        let mut terraform = Command::new("terraform");
        terraform.args(words).current_dir(folder);
        // A setting of this machine with a missing file would stop it.
        let settings = std::env::var_os("TF_CLI_CONFIG_FILE").map(PathBuf::from);
        if settings.is_some_and(|file| !file.is_file()) {
            terraform.env_remove("TF_CLI_CONFIG_FILE");
        }
        terraform.output().ok()
    };
    let Some(formatted) = run(&module(), &["fmt", "-check", "-diff"]) else {
        println!("not checked: terraform is not on this machine");
        return Ok(());
    };
    ensure!(formatted.status.success(), "{}", words_of(&formatted));
    // The module reads the template of Flink, which lies beside it.
    let infra = tempfile::tempdir()?;
    let folder = infra.path().join("terraform");
    let flink = Path::new("flink").join("template.yaml");
    std::fs::create_dir(&folder)?;
    std::fs::create_dir(infra.path().join("flink"))?;
    std::fs::copy(module().join("..").join(&flink), infra.path().join(&flink))?;
    for file in std::fs::read_dir(module())? {
        let file = file?;
        std::fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    let mut init = vec![
        "init".to_owned(),
        "-backend=false".to_owned(),
        "-input=false".to_owned(),
    ];
    init.extend(mirror().map(|mirror| format!("-plugin-dir={}", mirror.display())));
    let init: Vec<&str> = init.iter().map(String::as_str).collect();
    if !run(&folder, &init).is_some_and(|done| done.status.success()) {
        println!("not validated: Terraform's AWS provider cannot be had here");
        return Ok(());
    }
    let valid = run(&folder, &["validate", "-no-color"]).context("terraform went away")?;
    println!("{}", words_of(&valid));
    ensure!(valid.status.success(), "{}", words_of(&valid));
    Ok(())
}

/// Returns a folder with the provider, as in images for builds.
fn mirror() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/opt")
        .ok()?
        .flatten()
        .map(|folder| folder.path());
    let provider = |folder: &PathBuf| folder.join("registry.terraform.io/hashicorp/aws").is_dir();
    folders.into_iter().find(provider)
}
