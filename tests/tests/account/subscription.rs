//! The role with which CloudWatch Logs puts report lines on the stream has the same permissions in the template, in
//! the Terraform module and in `rightsizer subscribe`.

use anyhow::{Context as _, Result};
use rightsizer_aws::fleet::{StreamArn, StreamKey, own_logs, role_policies};
use rightsizer_aws::logs::REPORT_PATTERN;
use rightsizer_records::FunctionArn;
use serde_json::{Value, json};

use crate::stage::{Stage, root, words_of};
use crate::template::template;

/// Returns the template's policy with its functions applied, for a stream and a key of these names.
fn resolved(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("Fn::Sub") => {
            let text = map["Fn::Sub"].as_str().unwrap_or_default();
            let text = text.replace("${AWS::Partition}", "aws");
            let text = text.replace("${AWS::Region}", "eu-central-1");
            text.replace("${AWS::AccountId}", "123456789012").into()
        }
        Value::Object(map) if map.contains_key("Fn::GetAtt") => match map["Fn::GetAtt"][0].as_str()
        {
            Some("Reports") => STREAM.into(),
            Some("StreamKey") => KEY.into(),
            _ => Value::Null,
        },
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), resolved(v))).collect(),
        Value::Array(all) => all.iter().map(resolved).collect(),
        other => other.clone(),
    }
}

const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/5a5a";

const STREAM: &str = "arn:aws:kinesis:eu-central-1:123456789012:stream/reports";

fn stream() -> Result<StreamArn> {
    let function = FunctionArn::new("aws", "eu-central-1", "123456789012", "f")?;
    Ok(StreamArn::of("reports", &function))
}

/// The stream has its own key if an organisation writes to it, and only then the role needs it.
#[test]
fn the_template_gives_the_role_what_subscribe_prints() -> Result<()> {
    let template = template("template.yaml")?;
    let resources = &template["Resources"];
    let encryption = &resources["Reports"]["Properties"]["StreamEncryption"]["Fn::If"];
    assert_eq!(encryption[0], "Encrypts");
    let key = &encryption[1]["KeyId"]["Fn::If"];
    assert_eq!(key[0], "HasKey");
    let role = &resources["SubscriptionRole"]["Properties"];
    let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
    for (organisation, id) in [(true, KEY), (false, key[2].as_str().context("no key")?)] {
        let wanted = role_policies(&stream()?, &StreamKey::of(Some(id)));
        let given = statements.as_array().context("no statements")?.iter();
        let given = given.filter_map(|statement| match &statement["Fn::If"] {
            Value::Null => Some(resolved(statement)),
            conditional => {
                assert_eq!(conditional[0], key[0], "the same condition as the key's");
                organisation.then(|| resolved(&conditional[1]))
            }
        });
        let given: Vec<Value> = given.collect();
        assert_eq!(wanted["policy"]["Statement"], json!(given), "{id}");
        let trust = &role["AssumeRolePolicyDocument"];
        assert_eq!(wanted["trust"], resolved(trust));
    }
    Ok(())
}

/// An account can have one subscription; that of another owner is neither replaced nor extended.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_of_someone_else_is_not_changed() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let put = "logs put-account-policy --policy-name ledger \
               --policy-type SUBSCRIPTION_FILTER_POLICY --policy-document";
    let document =
        r#"{"DestinationArn":"arn:aws:kinesis:eu-central-1:123456789012:stream/ledger"}"#;
    stage.aws(put, document).await?;
    let before = stage.account(&["all"]).await?;
    let subscribe = [
        "deploy",
        "STACK=rz",
        "OPTIONS=Mode=auto LogSubscription=true",
    ];
    for yes in [&[][..], &["YES=1"]] {
        let refused = stage.make(&[&subscribe[..], yes].concat()).await?;
        assert!(!refused.status.success());
        let shown = words_of(&refused);
        assert!(
            shown.contains("has a log subscription already: ledger"),
            "{shown}"
        );
        assert_eq!(stage.account(&["all"]).await?, before);
    }
    // Another owner's subscription does not block a system without its own.
    stage.made(&["deploy", "STACK=rz"]).await?;
    // Without permission to read, the result is not "there is none".
    let denied = "echo 'An error occurred (AccessDenied): you may not' >&2; exit 254";
    stage.intercept("*describe-account-policies*", denied)?;
    let refused = stage.make(&subscribe).await?;
    assert!(!refused.status.success());
    let shown = words_of(&refused);
    assert!(shown.contains("logs:DescribeAccountPolicies"), "{shown}");
    Ok(())
}

/// A subscribed log of the system would feed itself, because each record may cause another line there.
#[test]
fn every_log_of_the_system_is_left_out() -> Result<()> {
    let (own, nested) = (template("template.yaml")?, template("flink/template.yaml")?);
    let system = &own["Resources"]["Flink"]["Properties"]["Parameters"]["System"];
    assert_eq!(system, &json!({"Ref": "AWS::StackName"}));
    let mut logs = Vec::new();
    for (template, variable) in [(&own, "${AWS::StackName}"), (&nested, "${System}")] {
        let resources = template["Resources"].as_object().context("no resources")?;
        for resource in resources
            .values()
            .filter(|one| one["Type"] == "AWS::Logs::LogGroup")
        {
            let name = resource["Properties"]["LogGroupName"]["Fn::Sub"].as_str();
            logs.push(name.context("no name")?.replace(variable, "rz"));
        }
    }
    logs.sort();
    let subscription = &own["Resources"]["Subscription"]["Properties"]["SelectionCriteria"];
    let criteria = subscription["Fn::Sub"].as_str().context("no criteria")?;
    let criteria = criteria.replace("${AWS::StackName}", "rz");
    let listed = criteria.strip_prefix("LogGroupName NOT IN ");
    let mut listed: Vec<String> = serde_json::from_str(listed.context("another form")?)?;
    listed.sort();
    assert_eq!(listed, logs);
    // `rightsizer subscribe` leaves out the same.
    let system = FunctionArn::new("aws", "eu-central-1", "123456789012", "f")?;
    let mut known = own_logs(StreamArn::of("rz-reports", &system).as_str());
    known.sort();
    assert_eq!(known, logs);
    // So does the module, whose stack of Flink has the name of the module as its system.
    let read = |name: &str| std::fs::read_to_string(root().join("infra/terraform").join(name));
    let parts = logs.iter().map(|log| log.replace("/rightsizer/rz/", ""));
    let module = read("logs.tf")?;
    for part in parts {
        let line = module.lines().find(|line| line.contains("own_logs = ["));
        let line = line.context("no list")?;
        assert!(line.contains(&format!("\"{part}\"")), "{part}: {line}");
    }
    assert!(module.contains("for part in local.own_logs"), "{module}");
    let flink = read("flink.tf")?;
    let mut words = flink
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert!(
        words.any(|line| line == ["System", "=", "var.name"]),
        "{flink}"
    );
    Ok(())
}

/// The module has the same permission and condition, and all have the same pattern.
#[test]
fn the_module_has_the_same() -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(root().join("infra").join(name));
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let module = words(read("terraform/logs.tf")?);
    for wanted in [
        "Action = \"kinesis:PutRecord\" Resource = aws_kinesis_stream.reports.arn",
        "[for key in aws_kms_key.stream : { Sid = \"EncryptReportLines\" Effect = \"Allow\" \
         Action = \"kms:GenerateDataKey\" Resource = key.arn }]",
        "StringLike = { \"aws:SourceArn\" = \"arn:${local.partition}:logs:${local.region}:${local.account}:*\" }",
    ] {
        assert!(module.contains(wanted), "{wanted}\n{module}");
    }
    let streams = words(read("terraform/kinesis.tf")?);
    let keys = "kms_key_id = var.reports_encryption != \"kms\" ? null : local.has_key ? \
                aws_kms_key.stream[0].arn : \"alias/aws/kinesis\"";
    assert!(streams.contains(keys), "{streams}");
    let pattern = serde_json::to_string(REPORT_PATTERN)?;
    assert!(module.contains(&format!("FilterPattern = {pattern}")));
    assert!(read("template.yaml")?.contains(&format!("\"FilterPattern\":{pattern}")));
    Ok(())
}
