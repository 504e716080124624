//! `rightsizer doctor --account`: a deployed system, as far as it can be looked up.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{EventSourcePosition, LayerVersionContentInput};
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::{FaultProxy, MotoServer, aws_environment, kinesis_client};
use serde_json::{Value, json};

/// The services that the checks call.
const SERVICES: [&str; 5] = [
    "KINESIS",
    "LAMBDA",
    "RESOURCE_GROUPS_TAGGING_API",
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
];

/// A deployed system as far as it can be looked up: what is there, what is missing, and what is not checked.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_system_is_checked_without_a_change() {
    let moto = MotoServer::start().await.unwrap();
    let kinesis = kinesis_client(moto.endpoint());
    for name in ["rz-reports", "rz-decisions"] {
        let create = kinesis.create_stream().stream_name(name).shard_count(1);
        create.send().await.unwrap();
    }
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(b"PK"));
    let layer = moto
        .lambda()
        .publish_layer_version()
        .content(content.build());
    let layer = layer.layer_name("rz-extension-x86_64");
    layer.send().await.unwrap();
    let check = async || {
        let environment = SERVICES
            .map(|service| aws_environment(service, moto.endpoint()))
            .concat();
        let arguments = ["doctor", "--account", "--stack", "rz", "--json"];
        let output = rightsizer_with(&arguments, &environment).await.unwrap();
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let verdict = move |check: &str| {
            let found = findings.iter().find(|f| f["check"] == check);
            found.map(|f| f["verdict"].as_str().unwrap().to_owned())
        };
        (output.status.code(), verdict)
    };
    let (code, verdict) = check().await;
    for (check, wanted) in [
        ("reports stream", "ok"),
        ("decisions stream", "ok"),
        ("functions", "ok"),
        ("the layer for x86_64", "ok"),
        ("the layer for arm64", "doubtful"),
        // The stream has no policy yet.
        ("a role without any policy", "wrong"),
        ("functions with the layer", "not-checked"),
        ("a memory change", "not-checked"),
        ("the tunnel", "not-checked"),
    ] {
        assert_eq!(verdict(check).as_deref(), Some(wanted), "{check}");
    }
    assert_eq!(code, Some(1));
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
        "Action": "kinesis:PutRecords", "Resource": "*"}]}"#;
    let arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/rz-reports";
    let put = kinesis
        .put_resource_policy()
        .resource_arn(arn)
        .policy(policy);
    put.send().await.unwrap();
    let (code, verdict) = check().await;
    assert_eq!(verdict("a role without any policy").as_deref(), Some("ok"));
    assert_eq!(verdict("the updater").as_deref(), Some("doubtful"));
    assert_eq!(code, Some(0));
}

/// Ended credentials are one finding, not one for each call, and a missing permission is that of the caller.
#[tokio::test(flavor = "multi_thread")]
async fn what_every_call_fails_for_is_found_once() {
    let moto = MotoServer::start().await.unwrap();
    let proxy = FaultProxy::before(moto.endpoint()).await.unwrap();
    let check = async |form: &str| {
        let environment = SERVICES.map(|service| aws_environment(service, proxy.endpoint()));
        let arguments = ["doctor", "--account", "--stack", "rz", "-o", form];
        let output = rightsizer_with(&arguments, &environment.concat())
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    proxy.always_refuse("GET /2015-03-31/functions", "ExpiredTokenException");
    let findings: Value = serde_json::from_str(&check("json").await).unwrap();
    assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");
    assert_eq!(findings[0]["check"], "credentials");
    let advice = findings[0]["do"].as_str().unwrap();
    assert!(
        advice.starts_with("the credentials have expired"),
        "{advice}"
    );
    proxy.mend();
    proxy.always_refuse("GET /2015-03-31/functions", "AccessDeniedException");
    let text = check("table").await;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "do: allow lambda:ListFunctions to the user or role of these credentials";
    assert!(text.contains(wanted), "{text}");
}

/// Runs the checks of a system `rz` with these arguments; returns the exit code and the findings.
async fn checked(endpoint: &str, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let environment = SERVICES.map(|service| aws_environment(service, endpoint));
    let arguments = [&["doctor", "--account", "--stack", "rz", "--json"], more].concat();
    let output = rightsizer_with(&arguments, &environment.concat())
        .await
        .unwrap();
    let findings = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        findings.unwrap_or_else(|_| panic!("{output:?}")),
    )
}

/// First it reads nothing, then the decisions.
#[tokio::test(flavor = "multi_thread")]
async fn an_updater_without_an_event_source_is_wrong() {
    let moto = MotoServer::start().await.unwrap();
    let kinesis = kinesis_client(moto.endpoint());
    let create = kinesis.create_stream().stream_name("rz-decisions");
    create.shard_count(1).send().await.unwrap();
    let verdict = async || {
        let (_, findings) = checked(moto.endpoint(), &[]).await;
        let found = findings.iter().find(|f| f["check"] == "the updater");
        found.unwrap()["verdict"].clone()
    };
    let name = "rz-Updater-1A2B";
    moto.create_function(name, 128, 30, &[]).await.unwrap();
    assert_eq!(verdict().await, "wrong");
    let source = moto.lambda().create_event_source_mapping();
    let source = source.function_name(name);
    let stream = "arn:aws:kinesis:eu-central-1:123456789012:stream/rz-decisions";
    let source = source.event_source_arn(stream);
    let source = source.starting_position(EventSourcePosition::Latest);
    source.send().await.unwrap();
    assert_eq!(verdict().await, "ok");
}

/// Functions `broken` and `sound` with the layer, and `without`.
async fn two_of_three_have_the_layer(moto: &MotoServer) {
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(b"PK"));
    let publish = moto
        .lambda()
        .publish_layer_version()
        .layer_name("rz-extension-x86_64");
    let layer = publish.content(content.build()).send().await.unwrap();
    for name in ["broken", "sound", "without"] {
        moto.create_function(name, 512, 30, &[]).await.unwrap();
        if name != "without" {
            let attach = moto
                .lambda()
                .update_function_configuration()
                .function_name(name);
            let attach = attach.layers(layer.layer_version_arn().unwrap());
            attach.send().await.unwrap();
        }
    }
}

/// Lambda accepts a change and may fail at it later. `ListFunctions` does not return that, so each function is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_failed_later_is_named_with_its_reason() {
    const BROKEN: &str = "GET /2015-03-31/functions/\
        arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Abroken";
    let moto = MotoServer::start().await.unwrap();
    let proxy = FaultProxy::before(moto.endpoint()).await.unwrap();
    two_of_three_have_the_layer(&moto).await;
    proxy.change(BROKEN, |answer| {
        let now = &mut answer["Configuration"];
        now["LastUpdateStatus"] = json!("Failed");
        now["LastUpdateStatusReason"] = json!("The subnet has no free address.");
        now["LastUpdateStatusReasonCode"] = json!("SubnetOutOfIPAddresses");
    });
    let (code, findings) = checked(proxy.endpoint(), &[]).await;
    let of = |check: &str| {
        findings
            .iter()
            .find(|f| f["check"] == check)
            .unwrap_or(&Value::Null)
    };
    let broken = of("the function broken");
    assert_eq!(
        (code, &broken["verdict"]),
        (Some(1), &json!("wrong")),
        "{findings:?}"
    );
    let found = broken["found"].as_str().unwrap();
    assert!(
        found.ends_with("The subnet has no free address. (SubnetOutOfIPAddresses)"),
        "{found}"
    );
    assert_eq!(
        of("the last changes of functions")["found"],
        "succeeded in 1 of 2 functions"
    );

    // A pattern selects functions without the layer too, and those only.
    let (_, findings) = checked(proxy.endpoint(), &["--functions", "with*"]).await;
    let of = |check: &str| {
        findings
            .iter()
            .find(|f| f["check"] == check)
            .unwrap_or(&Value::Null)
    };
    assert_eq!(
        of("the last changes of functions")["found"],
        "succeeded in 1 of 1 function"
    );
    assert_eq!(of("the function broken"), &Value::Null);

    // Credentials that end meanwhile are one finding.
    proxy.mend();
    proxy.always_refuse(BROKEN, "ExpiredTokenException");
    let (_, findings) = checked(proxy.endpoint(), &[]).await;
    let expired = findings
        .iter()
        .filter(|f| f["found"].as_str().unwrap().contains("ExpiredToken"));
    let checks: Vec<&Value> = expired.map(|f| &f["check"]).collect();
    assert_eq!(checks, ["credentials"], "{findings:?}");
}
