//! The templates as data, and clean.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::stage::{root, tool, words_of};

/// A template of `infra/`, with its short forms (`!Sub`) written out.
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
        .args(["template.yaml", "artifacts.yaml"].map(|name| root().join("infra").join(name)))
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

/// What moto does not play of a bucket and a stream is read here.
#[test]
fn what_keeps_data_is_encrypted_closed_and_bounded() -> Result<()> {
    let mut seen = 0;
    for name in ["template.yaml", "artifacts.yaml"] {
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
                Some("AWS::Kinesis::Stream") => {
                    assert_eq!(
                        properties["StreamEncryption"]["EncryptionType"], "KMS",
                        "{logical}"
                    );
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
    assert_eq!(seen, 7);
    Ok(())
}

fn of_type<'a>(
    resources: &'a serde_json::Map<String, Value>,
    kind: &'a str,
) -> impl Iterator<Item = &'a Value> {
    let resources = resources.values().filter(move |r| r["Type"] == kind);
    resources.map(|r| &r["Properties"])
}
