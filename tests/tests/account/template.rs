//! Reads the templates as data, and lints them.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::stage::{root, tool, words_of};

/// Returns a template of `infra/` with its short forms (`!Sub`) expanded.
pub(crate) fn template(name: &str) -> Result<Value> {
    let read = "import json, sys; from cfnlint.decode import decode; \
                print(json.dumps(decode(sys.argv[1])[0]))";
    let read = Command::new(tool("python")?)
        .args(["-c", read])
        .arg(root().join("infra").join(name))
        .output()?;
    ensure!(read.status.success(), "{}", words_of(&read));
    serde_json::from_slice(&read.stdout).context("the template is not JSON")
}

#[test]
fn the_templates_are_clean() -> Result<()> {
    let lint = Command::new(tool("cfn-lint")?)
        .args(
            ["template.yaml", "artifacts.yaml", "flink/template.yaml"]
                .map(|name| root().join("infra").join(name)),
        )
        .output()?;
    ensure!(lint.status.success(), "{}", words_of(&lint));
    Ok(())
}

/// `make deploy` sends the template in the request.
#[test]
fn the_template_is_small_enough_to_be_sent() -> Result<()> {
    let bytes = std::fs::metadata(root().join("infra/template.yaml"))?.len();
    ensure!(
        bytes <= 51_200,
        "{bytes} bytes; CloudFormation takes 51,200"
    );
    Ok(())
}

/// Checks the properties of buckets and streams that moto does not support.
#[test]
fn what_keeps_data_is_encrypted_closed_and_bounded() -> Result<()> {
    let mut seen = 0;
    for name in ["template.yaml", "artifacts.yaml", "flink/template.yaml"] {
        let template = template(name)?;
        let resources = template["Resources"].as_object().context("no resources")?;
        let policies: Vec<&Value> = of_type(resources, "AWS::S3::BucketPolicy").collect();
        for (logical, resource) in resources {
            let properties = &resource["Properties"];
            match resource["Type"].as_str() {
                Some("AWS::S3::Bucket") => {
                    assert!(properties["BucketEncryption"].is_object(), "{logical}");
                    assert!(
                        properties["LifecycleConfiguration"].is_object(),
                        "{logical}"
                    );
                    let access = properties["PublicAccessBlockConfiguration"].as_object();
                    let access = access.context("no public access block")?;
                    assert!(
                        access.len() == 4 && access.values().all(|v| v == true),
                        "{logical}"
                    );
                    let tls = policies.iter().any(|policy| {
                        let statement = &policy["PolicyDocument"]["Statement"][0];
                        policy["Bucket"]["Ref"] == logical.as_str()
                            && statement["Effect"] == "Deny"
                            && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
                    });
                    assert!(tls, "{logical} can be used without TLS");
                }
                // Encryption of the reports stream is optional.
                Some("AWS::Kinesis::Stream") => {
                    let chosen = &properties["StreamEncryption"];
                    let by_choice = &chosen["Fn::If"];
                    let encryption = if logical == "Reports" {
                        assert_eq!(by_choice[0], "Encrypts");
                        &by_choice[1]
                    } else {
                        chosen
                    };
                    assert_eq!(encryption["EncryptionType"], "KMS", "{logical}");
                }
                Some("AWS::Logs::LogGroup") => {
                    assert_eq!(
                        properties["RetentionInDays"]["Ref"], "LogRetentionDays",
                        "{logical}"
                    );
                }
                _ => continue,
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
    Ok(())
}

/// The template refuses sizes that Fargate refuses, before it creates anything.
#[test]
fn a_task_has_a_size_that_fargate_has() -> Result<()> {
    let template = template("template.yaml")?;
    // ECS developer guide, task CPU and memory, within the allowed parameters.
    let sizes = [
        ("256", vec!["512", "1024", "2048"]),
        ("512", vec!["1024", "2048", "4096"]),
        ("1024", vec!["2048", "4096", "8192"]),
        ("2048", vec!["4096", "8192"]),
    ];
    let rules = template["Rules"].as_object().context("no rules")?;
    for (cpu, memories) in sizes {
        let rule = rules.values().find(|rule| {
            rule["RuleCondition"]["Fn::Equals"]
                == serde_json::json!([{"Ref": "AggregatorCpu"}, cpu])
        });
        let rule = rule.with_context(|| format!("no rule for {cpu}"))?;
        let allowed = &rule["Assertions"][0]["Assert"]["Fn::Contains"][0];
        assert_eq!(*allowed, serde_json::json!(memories), "{cpu}");
    }
    let parameters = &template["Parameters"]["AggregatorCpu"]["AllowedValues"];
    assert_eq!(
        *parameters,
        serde_json::json!(["256", "512", "1024", "2048"])
    );
    Ok(())
}

/// A stack that could not be created leaves nothing; a removed one leaves the resources that its owner may keep.
#[test]
fn what_outlives_a_stack_does_not_outlive_a_failed_creation() -> Result<()> {
    let mut kept = 0;
    for name in ["template.yaml", "artifacts.yaml"] {
        let template = template(name)?;
        for (logical, resource) in template["Resources"].as_object().context("no resources")? {
            let deletion = resource["DeletionPolicy"].as_str();
            assert_ne!(deletion, Some("Retain"), "{logical}");
            if deletion == Some("RetainExceptOnCreate") {
                assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{logical}");
                kept += 1;
            }
        }
    }
    assert_eq!(kept, 9);
    Ok(())
}

/// Accounts whose policies require a boundary, a path or tags refuse a role without them.
#[test]
fn every_role_has_the_path_and_the_boundary_that_are_given() -> Result<()> {
    let mut roles = 0;
    for name in ["template.yaml", "flink/template.yaml"] {
        let template = template(name)?;
        let resources = template["Resources"].as_object().context("no resources")?;
        for role in of_type(resources, "AWS::IAM::Role") {
            assert_eq!(role["Path"]["Ref"], "RolePath");
            assert_eq!(role["PermissionsBoundary"]["Fn::If"][0], "IsBound");
            roles += 1;
        }
    }
    assert_eq!(roles, 5);
    Ok(())
}

/// There is one task, its alarm for missing data is created after it runs, and the stream has the chosen capacity.
#[test]
fn the_service_and_the_stream_are_as_they_are_paid_for() -> Result<()> {
    let template = template("template.yaml")?;
    let resources = &template["Resources"];
    let service = &resources["Aggregator"]["Properties"];
    assert_eq!(service["AvailabilityZoneRebalancing"], "DISABLED");
    // The task's cost is found by the tags that are given.
    assert_eq!(service["PropagateTags"], "SERVICE");
    let module = std::fs::read_to_string(root().join("infra/terraform/aggregator.tf"))?;
    assert!(module.contains(r#"propagate_tags                     = "SERVICE""#));
    assert_eq!(resources["BehindAlarm"]["DependsOn"][0], "Aggregator");
    let lost = &resources["GivenUpLostAlarm"]["Properties"];
    assert_eq!(lost["MetricName"], "DestinationDeliveryFailures");
    assert_eq!(lost["Dimensions"][0]["Value"]["Ref"], "Updater");
    let stream = &resources["Reports"]["Properties"];
    assert_eq!(stream["ShardCount"]["Fn::If"][2]["Ref"], "ReportsShards");
    let mode = &stream["StreamModeDetails"]["StreamMode"]["Fn::If"];
    assert_eq!(
        *mode,
        serde_json::json!(["OnDemand", "ON_DEMAND", "PROVISIONED"])
    );
    assert_eq!(template["Parameters"]["ReportsShards"]["Default"], 1);
    assert_eq!(
        template["Parameters"]["ReportsEncryption"]["Default"],
        "none"
    );
    Ok(())
}

/// The task reaches AWS, and DNS servers of the VPC's own: Amazon's resolver needs no rule.
#[test]
fn the_task_may_ask_for_names_and_call_aws_and_nothing_else() -> Result<()> {
    let template = template("template.yaml")?;
    let resources = template["Resources"].as_object().context("no resources")?;
    let groups: Vec<_> = of_type(resources, "AWS::EC2::SecurityGroup").collect();
    let [group] = groups.as_slice() else {
        anyhow::bail!("{} security groups", groups.len());
    };
    let rules = group["SecurityGroupEgress"]
        .as_array()
        .context("no egress")?;
    let mut ports: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "{} {}-{}",
                rule["IpProtocol"], rule["FromPort"], rule["ToPort"]
            )
        })
        .collect();
    ports.sort_unstable();
    let wanted = [r#""tcp" 443-443"#, r#""tcp" 53-53"#, r#""udp" 53-53"#];
    assert_eq!(ports, wanted);
    assert!(group["SecurityGroupIngress"].is_null(), "{group}");
    let module = std::fs::read_to_string(root().join("infra/terraform/aggregator.tf"))?;
    assert!(module.contains(r#"for_each = ["udp", "tcp"]"#) && module.contains("from_port   = 53"));
    Ok(())
}

fn of_type<'a>(
    resources: &'a serde_json::Map<String, Value>,
    kind: &'a str,
) -> impl Iterator<Item = &'a Value> {
    let resources = resources.values().filter(move |r| r["Type"] == kind);
    resources.map(|r| &r["Properties"])
}

/// An attribute of a cookie, and the parameter of an example.
const OTHERS: [&str; 2] = ["SameSite", "CheckoutMemorySize"];

/// `OPTIONS="Mode=auto"` in a page: CamelCase names before `=` are parameters of the template.
#[test]
fn every_option_in_the_documentation_is_a_parameter() -> Result<()> {
    let template = template("template.yaml")?;
    let parameters = template["Parameters"].as_object().context("parameters")?;
    let mut pages = vec![root().join("README.md"), root().join("infra/README.md")];
    for page in std::fs::read_dir(root().join("docs"))? {
        pages.push(page?.path());
    }
    let mut seen = 0;
    for page in pages
        .iter()
        .filter(|page| page.extension().is_some_and(|e| e == "md"))
    {
        let text = std::fs::read_to_string(page)?;
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '=');
        // `OPTIONS=Mode=off` is one word. What stands behind the last sign is a value.
        let names = words.flat_map(|word| word.rsplit('=').skip(1));
        for name in names {
            let is_option = name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.contains(|c: char| c.is_ascii_lowercase());
            if is_option && !OTHERS.contains(&name) {
                seen += 1;
                ensure!(
                    parameters.contains_key(name),
                    "{}: no parameter {name}",
                    page.display()
                );
            }
        }
    }
    ensure!(seen > 20, "only {seen} options in the documentation");
    Ok(())
}

/// The job is started when both stacks are there: an alarm for missing data must wait longer than that takes.
#[test]
fn a_first_deployment_of_flink_raises_no_alarm() -> Result<()> {
    let nested = template("flink/template.yaml")?;
    let resources = nested["Resources"].as_object().context("no resources")?;
    let mut seen = 0;
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm") {
        if alarm["TreatMissingData"] == "breaching" {
            let number = |key: &str| alarm[key].as_u64().context("no number");
            let seconds = number("Period")? * number("EvaluationPeriods")?;
            // Six minutes for the stack (docs/FIRST-HOUR.md, step 1), five for the start (step 9), and a reserve.
            assert!(seconds >= 20 * 60, "{}: {seconds} s", alarm["AlarmName"]);
            seen += 1;
        }
    }
    ensure!(seen > 0, "no alarm notices a job that does not run");
    Ok(())
}

/// One step deploys Flink: what the nested stack needs is passed on, and each of its parameters exists.
#[test]
fn the_stack_of_flink_gets_the_parameters_that_it_has() -> Result<()> {
    let (own, nested) = (template("template.yaml")?, template("flink/template.yaml")?);
    let flink = &own["Resources"]["Flink"];
    assert_eq!(flink["Condition"], "RunsFlink");
    let given = flink["Properties"]["Parameters"].as_object();
    let given = given.context("no parameters")?;
    let has = nested["Parameters"].as_object().context("no parameters")?;
    for name in given.keys() {
        assert!(has.contains_key(name), "flink/template.yaml has no {name}");
    }
    for (name, parameter) in has {
        let is_given = given.contains_key(name) || !parameter["Default"].is_null();
        assert!(is_given, "{name} is not given");
    }
    let jobs: Vec<_> = nested["Resources"]
        .as_object()
        .context("no resources")?
        .values()
        .filter(|one| one["Type"] == "AWS::KinesisAnalyticsV2::Application")
        .collect();
    let [job] = jobs.as_slice() else {
        anyhow::bail!("{} applications", jobs.len());
    };
    let job = &job["Properties"];
    assert_eq!(job["RuntimeEnvironment"], "FLINK-2_2");
    let settings = &job["ApplicationConfiguration"];
    assert_eq!(
        settings["ApplicationSnapshotConfiguration"]["SnapshotsEnabled"],
        true
    );
    Ok(())
}
