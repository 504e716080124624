//! Bad input, throttling, what cannot be read, roles that may not.

use std::path::Path;

use aws_config::Region;
use axum::Router;
use axum::routing::post;
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::{FaultProxy, aws_environment, kinesis_client};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::account::{Account, layers, publish};

/// Functions are called by their ARNs.
const READ_SEALED: &str = "GET /2015-03-31/functions/\
    arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Asealed";
const LIST: &str = "GET /2015-03-31/functions";
const WRITE_CHECKOUT: &str = "PUT /2015-03-31/functions/\
    arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Acheckout/configuration";

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_a_missing_name_does_the_others_and_reports_it() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, "# ours\ncheckout\n\ngone\n").unwrap();
    let list = list.to_str().unwrap();
    let (output, done) = account.run("attach", &["--file", list, "--yes"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(done["counts"]["attach"], 1);
    assert_eq!(done["counts"]["failed: not-found"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_changes_nothing_and_has_a_hint() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let before = account.configurations().await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    let odd = folder.path().join("odd");
    std::fs::write(&empty, "\n# nothing\n").unwrap();
    std::fs::write(&odd, "checkout\nnot a name\n").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (empty, odd) = (path(&empty), path(&odd));
    let cases: [(&[&str], i32, &str); 10] = [
        (&[], 2, "--tag"),
        (&["--all", "--prefix", "a"], 2, "cannot be used with"),
        (&["--tag", "team"], 2, "KEY=VALUE"),
        (&["--all", "--rate", "100"], 2, "0.1 to 10"),
        (&["--all", "--first", "0"], 2, "--first"),
        (&["--all", "--endpoint", "foo"], 2, "http://"),
        (&["--prefix", "nobody"], 1, "no function"),
        (&["--file", "/nowhere/list"], 1, "/nowhere/list"),
        (&["--file", &empty], 1, "one name or ARN per line"),
        (&["--file", &odd], 1, "line 2"),
    ];
    for (more, code, wanted) in cases {
        let (mut more, mut arguments) = (more.to_vec(), account.arguments("attach"));
        if more.contains(&"--rate") {
            arguments.truncate(5);
        }
        arguments.append(&mut more);
        arguments.push("--yes");
        let output = rightsizer_with(&arguments, &account.environment)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(wanted), "{arguments:?}: {text}");
    }
    for layer in [
        "rightsizer",
        "arn:aws:lambda:eu-central-1:123456789012:layer:rightsizer",
    ] {
        let arguments = ["attach", "--all", "--stream", "s", "--layer", layer];
        let output = rightsizer_with(&arguments, &account.environment)
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let missing = account.layer.replace("rightsizer:1", "rightsizer:99");
    let arguments = [
        "attach", "--all", "--stream", "s", "--layer", &missing, "--yes",
    ];
    let output = rightsizer_with(&arguments, &account.environment)
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("lambda:GetLayerVersion"));
    assert_eq!(account.configurations().await, before);
}

/// Nothing answers here, so any complaint about the list was found without a call.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_used_is_refused_before_any_call() {
    let nowhere = aws_environment("ANY", "http://127.0.0.1:9");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let lists = [
        ("/nowhere/list".to_owned(), "No such file"),
        (folder.path().to_str().unwrap().to_owned(), "Is a directory"),
        (file("empty", b""), "one name or ARN per line"),
        (file("odd", b"checkout\nnot a name\n"), "line 2"),
        (file("binary", b"\x7fELF\xff\xfe"), "is not a text of names"),
        (file("escape", b"\x1b[2J\n"), "line 1"),
    ];
    let commands: [&[&str]; 4] = [
        &["attach", "--stack", "rz"],
        &["attach", "--stack", "rz", "--all-regions"],
        &["detach", "--stack", "rz"],
        &[
            "subscribe",
            "--stream",
            "s",
            "--role",
            "arn:aws:iam::123456789012:role/r",
        ],
    ];
    for command in commands {
        for (list, wanted) in &lists {
            let words = [command, &["--file", list, "--yes"]].concat();
            let output = rightsizer_with(&words, &nowhere).await.unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
            assert!(
                text.contains(wanted) && text.contains(list.as_str()),
                "{words:?}: {text}"
            );
            assert!(
                !text.contains("layer rz") && !text.contains('\u{1b}'),
                "{words:?}: {text}"
            );
        }
    }
    let windows = file("windows", "\u{feff}checkout\r\n".as_bytes());
    let words = ["attach", "--stack", "rz", "--file", &windows];
    let output = rightsizer_with(&words, &nowhere).await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("the layer rz-extension"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_or_a_stream_that_cannot_be_meant_is_refused() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let before = account.configurations().await;
    let sqs = "arn:aws:sqs:eu-central-1:123456789012:s";
    let other = publish(&account.moto, "rightsizer").await;
    let one = account.layer.as_str();
    let cases: [(&[&str], i32, &str); 3] = [
        (
            &["--layer", one, "--stream", sqs],
            2,
            "expected a stream's name",
        ),
        (&["--stream", "reports"], 2, "--stack STACK"),
        (
            &["--layer", one, "--layer", &other, "--stream", "reports"],
            1,
            "two layers are for x86_64 in eu-central-1",
        ),
    ];
    for (more, code, wanted) in cases {
        let arguments = [&["attach", "--all", "--yes"], more].concat();
        let output = rightsizer_with(&arguments, &account.environment)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(wanted), "{arguments:?}: {text}");
    }
    assert_eq!(account.configurations().await, before);
}

/// Kinesis knows a stream only in its own region, so it is asked there, and not in that of the functions.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_region_is_looked_up_there_and_named() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let before = account.configurations().await;
    let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/far";
    let layer = account.layer.as_str();
    let attach = [
        "attach", "--all", "--layer", layer, "--stream", arn, "--waves", "none", "--json", "--yes",
    ];
    let output = rightsizer_with(&attach, &account.environment)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!("the stream {arn} does not exist")),
        "{text}"
    );
    assert_eq!(account.configurations().await, before);

    let kinesis = kinesis_client(account.moto.endpoint());
    let there = kinesis
        .config()
        .to_builder()
        .region(Region::from_static("us-east-1"));
    let there = aws_sdk_kinesis::Client::from_conf(there.build());
    there
        .create_stream()
        .stream_name("far")
        .shard_count(1)
        .send()
        .await
        .unwrap();
    // Its policy lets the functions put records, which its own region alone knows.
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
        "Action": "kinesis:PutRecords", "Resource": "*"}]}"#;
    let put = there.put_resource_policy().resource_arn(arn).policy(policy);
    put.send().await.unwrap();
    let output = rightsizer_with(&attach, &account.environment)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("the functions are in eu-central-1 and the stream is in us-east-1"),
        "{text}"
    );
    let streams = ["doctor", "--source", &format!("kinesis:{arn}"), "--json"];
    let output = rightsizer_with(&streams, &account.environment)
        .await
        .unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    let found = findings
        .iter()
        .find(|f| f["check"] == "reports stream")
        .unwrap();
    assert_eq!(found["verdict"], "ok", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out_and_an_unreadable_environment_is_left_alone() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    account.create("sealed", &[], &[("SECRET", "x")]).await;
    let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
    // As Lambda responds if KMS denies: an error in the place of the variables.
    proxy.change(READ_SEALED, |answer| {
        let environment = &mut answer["Configuration"]["Environment"];
        *environment = serde_json::json!({"Error": {
            "ErrorCode": "KMSAccessDeniedException", "Message": "denied by its key"}});
    });
    proxy.refuse(WRITE_CHECKOUT, 1, "TooManyRequestsException");
    let environment = account.by_way_of("LAMBDA", proxy.endpoint());
    let before = account.configurations().await;
    let (output, done) = account
        .run_with("attach", &["--all", "--yes"], &environment)
        .await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["attach"], 1, "{done}");
    assert_eq!(done["counts"]["skip: environment-unreadable"], 1, "{done}");
    let puts = proxy.calls(WRITE_CHECKOUT);
    assert_eq!(puts, 2);
    let after = account.configurations().await;
    assert_eq!(after["sealed"], before["sealed"]);
    assert_eq!(layers(&after["checkout"]), [&account.layer]);
}

/// A command that waits for AWS says so, also if its output is no terminal.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_throttled_for_long_is_not_waited_for_in_silence() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
    // 1 + 2 + 4 + 8 s.
    proxy.refuse(LIST, 4, "TooManyRequestsException");
    let environment = account.by_way_of("LAMBDA", proxy.endpoint());
    let (output, plan) = account.run_with("attach", &["--all"], &environment).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(plan["counts"]["attach"], 1, "{plan}");
    assert_eq!(proxy.calls(LIST), 5);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let notes = text.matches("AWS throttles calls: attempt 4 of 8 failed; the next one is in 8 s");
    assert_eq!(notes.count(), 1, "{text}");
    assert_eq!(text.matches("AWS throttles").count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_missing_is_named_before_any_function_changes() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let before = account.configurations().await;
    let attach = async |stream: &str, environment: &[(String, String)]| {
        let layer = account.layer.as_str();
        let arguments = [
            "attach", "--all", "--layer", layer, "--waves", "none", "--stream", stream, "--yes",
        ];
        let output = rightsizer_with(&arguments, environment).await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/absent";
    for stream in ["absent", arn] {
        let (code, text) = attach(stream, &account.environment).await;
        assert_eq!(code, Some(1), "{text}");
        let words = format!("the stream {arn} does not exist");
        assert!(text.contains(&words) && text.contains("--stream"), "{text}");
    }
    assert_eq!(account.configurations().await, before);

    let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
    proxy.always_refuse("DescribeStreamSummary", "AccessDeniedException");
    let denied = account.by_way_of("KINESIS", proxy.endpoint());
    let (code, text) = attach("absent", &denied).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("kinesis:DescribeStreamSummary fails"),
        "{text}"
    );
}

/// An IAM that decides so.
async fn iam(decision: &'static str) -> String {
    let body = format!(
        "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>\
         <member><EvalActionName>kinesis:PutRecords</EvalActionName>\
         <EvalDecision>{decision}</EvalDecision></member></EvaluationResults>\
         </SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    );
    let router = Router::new().route("/", post(async move || body.clone()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_put_records_is_listed_with_the_policy_it_needs() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    let role = "arn:aws:iam::123456789012:role/test-function";
    let stream = "arn:aws:kinesis:eu-central-1:123456789012:stream/reports";

    let allowed = account.by_way_of("IAM", &iam("allowed").await);
    let (output, plan) = account.run_with("attach", &["--all"], &allowed).await;
    let access = |plan: &Value| plan["roles"][0]["roles"][0]["access"].clone();
    assert_eq!(access(&plan), "allowed", "{output:?}");
    assert_eq!(plan["roles"][0]["missing_statement"], Value::Null);

    let denied = account.by_way_of("IAM", &iam("implicitDeny").await);
    let (output, plan) = account.run_with("attach", &["--all"], &denied).await;
    assert_eq!(access(&plan), "denied");
    assert_eq!(plan["roles"][0]["missing_statement"]["Resource"], stream);
    let policy = &plan["roles"][0]["or_stream_policy"]["Statement"][0];
    assert_eq!(policy["Principal"]["AWS"], serde_json::json!([role]));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains(role) && text.contains("put-resource-policy"),
        "{text}"
    );

    // moto has no simulation: a check that fails is reported, and does not stop the command.
    let (output, plan) = account.run("attach", &["--all"]).await;
    assert_eq!(access(&plan), "not-checked");
    assert!(output.status.success(), "{output:?}");
}
