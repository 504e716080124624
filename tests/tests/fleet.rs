//! `attach` and `detach` by the binary that users run, against a real Lambda API server: 200
//! functions are as they were, a second run finds nothing to do, and one that is killed goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, LayerVersionContentInput};
use axum::Router;
use axum::routing::post;
use rightsizer_records::{EnvId, Megabytes, Reports, Timestamp};
use rightsizer_tests::aggregator::{Aggregator, binary, rightsizer, rightsizer_with};
use rightsizer_tests::sample::{bytes, reports};
use rightsizer_tests::servers::{FaultProxy, FunctionSpec, MotoServer, aws_environment};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;

const SCOPE: &str = "AWS4-HMAC-SHA256 \
    Credential=testing/20260101/eu-central-1/lambda/aws4_request, SignedHeaders=host, Signature=0";

/// Functions are called by their ARNs.
const READ_SEALED: &str = "GET /2015-03-31/functions/\
    arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Asealed";
const WRITE_CHECKOUT: &str = "PUT /2015-03-31/functions/\
    arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Acheckout/configuration";

struct Account {
    moto: MotoServer,
    layer: String,
    environment: Vec<(String, String)>,
}

impl Account {
    async fn open() -> Self {
        let moto = MotoServer::start().await.unwrap();
        let layer = publish(&moto, "rightsizer").await;
        let services = ["LAMBDA", "RESOURCE_GROUPS_TAGGING_API", "IAM", "KINESIS"];
        let environment = services
            .into_iter()
            .flat_map(|service| aws_environment(service, moto.endpoint()))
            .collect();
        Self {
            moto,
            layer,
            environment,
        }
    }

    /// The same by way of another server for one service.
    fn by_way_of(&self, service: &str, endpoint: &str) -> Vec<(String, String)> {
        let mut environment = self.environment.clone();
        environment.extend(aws_environment(service, endpoint));
        environment
    }

    async fn run(&self, command: &str, more: &[&str]) -> (Output, Value) {
        self.run_with(command, more, &self.environment).await
    }

    async fn run_with(
        &self,
        command: &str,
        more: &[&str],
        environment: &[(String, String)],
    ) -> (Output, Value) {
        let mut arguments = self.arguments(command);
        arguments.extend(more.iter().copied().chain(["--json"]));
        let output = rightsizer_with(&arguments, environment).await.unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output, json)
    }

    fn arguments<'a>(&'a self, command: &'a str) -> Vec<&'a str> {
        let layer = self.layer.as_str();
        vec![
            command, "--layer", layer, "--stream", "reports", "--rate", "10",
        ]
    }

    /// The whole of every function's configuration but what every change changes.
    async fn configurations(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let list = self.moto.lambda().list_functions().into_paginator();
        let mut pages = list.send();
        while let Some(page) = pages.next().await {
            for function in page.unwrap().functions() {
                let name = function.function_name().unwrap();
                let path = format!("2015-03-31/functions/{name}/configuration");
                let url = format!("{}/{path}", self.moto.endpoint());
                // The server tells the service and the region by the signature's scope.
                let request = reqwest::Client::new()
                    .get(url)
                    .header("authorization", SCOPE);
                let answer = request.send().await.unwrap();
                let text = answer.text().await.unwrap();
                let mut whole: Value = serde_json::from_str(&text).unwrap();
                let fields = whole.as_object_mut().unwrap();
                assert_eq!(fields["FunctionName"], name, "{text}");
                for field in ["RevisionId", "LastModified"] {
                    fields.remove(field);
                }
                all.insert(name.to_owned(), whole);
            }
        }
        all
    }

    async fn create(&self, name: &str, layers: &[String], variables: &[(&str, &str)]) {
        let own = |text: &&str| (*text).to_owned();
        let spec = FunctionSpec {
            memory_mb: 512,
            timeout_s: 3,
            tags: [("team".to_owned(), "a".to_owned())].into(),
            environment: variables.iter().map(|(k, v)| (own(k), own(v))).collect(),
        };
        self.moto.create(name, spec).await.unwrap();
        if !layers.is_empty() {
            let update = self.moto.lambda().update_function_configuration();
            let update = update.function_name(name);
            let update = update.set_layers(Some(layers.to_vec()));
            update.send().await.unwrap();
        }
    }
}

async fn publish(moto: &MotoServer, name: &str) -> String {
    let content = LayerVersionContentInput::builder().zip_file(Blob::new([0; 10]));
    let publish = moto.lambda().publish_layer_version().layer_name(name);
    let publish = publish.compatible_architectures(Architecture::X8664);
    let answer = publish.content(content.build()).send().await.unwrap();
    answer.layer_version_arn().unwrap().to_owned()
}

fn layers(configuration: &Value) -> Vec<&str> {
    let layers = configuration["Layers"].as_array().into_iter().flatten();
    layers.map(|l| l["Arn"].as_str().unwrap()).collect()
}

/// 200 functions of every kind that moto has: none to four other layers, none to three variables.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_functions_are_as_they_were() {
    let account = Account::open().await;
    let mut others = Vec::new();
    for name in ["tracing", "secrets", "shared", "fonts", "fifth"] {
        others.push(publish(&account.moto, name).await);
    }
    let all = [("SECRET", "a=b,\"c\""), ("EMPTY", ""), ("STAGE", "prüf")];
    for n in 0..200 {
        // In turned order, so that an order that is sorted is seen.
        let mut some = others[..n % 6].to_vec();
        some.reverse();
        account
            .create(&format!("f{n:03}"), &some, &all[..n % 4])
            .await;
    }
    let before = account.configurations().await;
    assert_eq!(before.len(), 200);

    let (output, plan) = account.run("attach", &["--all"]).await;
    assert!(output.status.success(), "{output:?}");
    // n % 6 == 5 has five layers: 33 of 200.
    assert_eq!(plan["counts"]["attach"], 167);
    assert_eq!(plan["counts"]["skip: five-layers"], 33);
    assert_eq!(
        account.configurations().await,
        before,
        "a dry run changes nothing"
    );

    let (output, done) = account.run("attach", &["--all", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"], plan["counts"]);
    let attached = account.configurations().await;
    for (name, now) in &attached {
        let was = layers(&before[name]);
        if was.len() == 5 {
            assert_eq!(now, &before[name]);
            continue;
        }
        let (last, first) = layers(now)
            .split_last()
            .map(|(l, f)| (*l, f.to_vec()))
            .unwrap();
        assert_eq!((last, first), (account.layer.as_str(), was), "{name}");
        let mut variables = now["Environment"]["Variables"].clone();
        let ours = variables
            .as_object_mut()
            .unwrap()
            .remove("RIGHTSIZER_STREAM");
        assert_eq!(ours.unwrap(), "reports");
        let own = before[name]["Environment"]["Variables"].as_object();
        assert_eq!(
            variables.as_object().unwrap(),
            &own.cloned().unwrap_or_default()
        );
    }

    let (_, again) = account.run("attach", &["--all", "--yes"]).await;
    assert_eq!(again["counts"]["skip: already-attached"], 167);
    assert_eq!(account.configurations().await, attached);

    let (output, done) = account.run("detach", &["--all", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["detach"], 167);
    assert_eq!(account.configurations().await, before);
    let (_, again) = account.run("detach", &["--all", "--yes"]).await;
    assert_eq!(again["counts"]["skip: not-attached"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_in_the_middle_goes_on() {
    let account = Account::open().await;
    for n in 0..40 {
        account
            .create(&format!("f{n:02}"), &[], &[("A", "b")])
            .await;
    }
    let before = account.configurations().await;
    let mut arguments = account.arguments("attach");
    arguments.extend(["--prefix", "f", "--yes"]);
    let mut child = Command::new(binary().unwrap())
        .args(arguments)
        .envs(account.environment.iter().cloned())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let attached = |all: &BTreeMap<String, Value>| {
        let with = all.values().filter(|of| !layers(of).is_empty());
        with.count()
    };
    let until = Instant::now() + Duration::from_mins(1);
    while attached(&account.configurations().await) < 5 {
        assert!(Instant::now() < until, "nothing is attached");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().await.unwrap();
    let some = attached(&account.configurations().await);
    assert!(
        (5..40).contains(&some),
        "{some}: it was not killed in the middle"
    );

    let (output, done) = account.run("attach", &["--prefix", "f", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["skip: already-attached"], some);
    assert_eq!(done["counts"]["attach"], 40 - some);
    assert_eq!(attached(&account.configurations().await), 40);
    account.run("detach", &["--all", "--yes"]).await;
    assert_eq!(account.configurations().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_is_replaced_in_its_place() {
    let account = Account::open().await;
    let (first, last) = (
        publish(&account.moto, "a").await,
        publish(&account.moto, "z").await,
    );
    let old = account.layer.clone();
    account
        .create("checkout", &[first.clone(), old.clone(), last.clone()], &[])
        .await;
    let new = publish(&account.moto, "rightsizer").await;
    assert_ne!(new, old);
    let account = Account {
        layer: new.clone(),
        ..account
    };
    let (output, done) = account.run("attach", &["--tag", "team=a", "--yes"]).await;
    // The variable is not set: it was attached by hand.
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["update"], 1);
    let now = &account.configurations().await["checkout"];
    assert_eq!(layers(now), [&first, &new, &last]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_a_name_that_is_not_there_does_the_others_and_says_so() {
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
async fn bad_input_changes_nothing_and_says_what_to_do() {
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
    let cases: [(&[&str], i32, &str); 8] = [
        (&[], 2, "--tag"),
        (&["--all", "--prefix", "a"], 2, "cannot be used with"),
        (&["--tag", "team"], 2, "KEY=VALUE"),
        (&["--all", "--rate", "100"], 2, "0.1 to 10"),
        (&["--prefix", "nobody"], 1, "no function"),
        (&["--file", "/nowhere/list"], 1, "/nowhere/list"),
        (&["--file", &empty], 1, "one name or ARN a line"),
        (&["--file", &odd], 1, "line 2"),
    ];
    for (more, code, says) in cases {
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
        assert!(text.contains(says), "{arguments:?}: {text}");
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

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out_and_an_unreadable_environment_is_left_alone() {
    let account = Account::open().await;
    account.create("checkout", &[], &[]).await;
    account.create("sealed", &[], &[("SECRET", "x")]).await;
    let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
    // As Lambda answers where KMS denies: an error in the place of the variables.
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
async fn a_role_that_may_not_put_records_is_told_with_the_policy_that_lets_it() {
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

    // moto has no simulation: what cannot be checked is said, and is no reason to stop.
    let (output, plan) = account.run("attach", &["--all"]).await;
    assert_eq!(access(&plan), "not-checked");
    assert!(output.status.success(), "{output:?}");
}

/// A store in which a fortnight of 90 MB is known of functions of 1024 MB, approved.
async fn approved(store: &Path, names: &[&str]) {
    let store = store.to_str().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut lines = Vec::new();
    for name in names {
        for n in 1..=15 {
            let plain = reports(name).unwrap();
            let time = format!("2026-03-{n:02}T10:00:00Z");
            lines.extend(bytes(Reports {
                env: EnvId(n),
                memory_mb: Megabytes(1024),
                t0: Timestamp::parse(&time).unwrap(),
                reports: vec![plain.reports[0].clone(); 10],
                total: 10,
                ..plain
            }));
            lines.push(b'\n');
        }
    }
    std::fs::write(file.path(), lines).unwrap();
    let file = file.path().to_str().unwrap();
    let import = ["import", file, "--store", store];
    assert!(rightsizer(&import).await.unwrap().status.success());
    for name in names {
        let approve = ["approve", name, "--store", store, "--by", "test"];
        let output = rightsizer(&approve).await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

async fn apply(account: &Account, store: &Path, more: &[&str]) -> (Output, Value) {
    let mut arguments = vec!["apply", "--store", store.to_str().unwrap(), "--json"];
    arguments.extend(more);
    let output = rightsizer_with(&arguments, &account.environment)
        .await
        .unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, json)
}

async fn statuses(store: &Path) -> BTreeMap<String, String> {
    let list = ["list", "--json", "--store", store.to_str().unwrap()];
    let output = rightsizer(&list).await.unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let named = |row: &Value| {
        text(&row["function"])
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned()
    };
    rows.iter()
        .map(|row| (named(row), text(&row["status"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_applied_from_here_and_known_in_the_store() {
    let account = Account::open().await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    for name in ["checkout", "refund", "off"] {
        let tags: &[_] = if name == "off" {
            &[("rightsizer:mode", "off")]
        } else {
            &[]
        };
        account
            .moto
            .create_function(name, 1024, 3, tags)
            .await
            .unwrap();
    }
    // `gone` was deleted, and `off` says no.
    approved(&store, &["checkout", "off", "gone"]).await;
    let before = account.configurations().await;

    let (output, plan) = apply(&account, &store, &[]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(plan.as_array().unwrap().len(), 3);
    assert_eq!(
        account.configurations().await,
        before,
        "a dry run changes nothing"
    );
    assert_eq!(statuses(&store).await["checkout"], "approved");

    let (output, done) = apply(&account, &store, &["--yes"]).await;
    assert_eq!(output.status.code(), Some(1), "one is gone: {output:?}");
    let of = |name: &str| {
        let all = done.as_array().unwrap().iter();
        let mut of = all.filter(|of| of["function"].as_str().unwrap().ends_with(name));
        of.next().unwrap().clone()
    };
    assert_eq!(of("checkout")["outcome"], "applied", "{done}");
    assert_eq!(
        (&of("off")["outcome"], &of("off")["reason"]),
        (&"skipped".into(), &"opted-out".into())
    );
    assert_eq!(
        (&of("gone")["outcome"], &of("gone")["reason"]),
        (&"failed".into(), &"not-found".into())
    );
    let mut after = account.configurations().await;
    let size = after["checkout"]["MemorySize"].clone();
    assert_eq!(size, of("checkout")["to_mb"]);
    after.get_mut("checkout").unwrap()["MemorySize"] = 1024.into();
    assert_eq!(after, before, "memory and nothing else");
    let statuses = statuses(&store).await;
    assert_eq!(statuses["checkout"], "applied", "{statuses:?}");
    assert_eq!(statuses["off"], "skipped", "{statuses:?}");
    assert_eq!(statuses["gone"], "failed", "{statuses:?}");

    let (output, again) = apply(&account, &store, &["--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(again, serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_applied_while_paused_or_served_or_elsewhere_or_without_a_store() {
    let account = Account::open().await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    let (output, _) = apply(&account, &store, &["--yes"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(!store.exists(), "a store was made");
    account
        .moto
        .create_function("checkout", 1024, 3, &[])
        .await
        .unwrap();
    approved(&store, &["checkout"]).await;
    let refused = async |says: &str| {
        let (output, _) = apply(&account, &store, &["--yes"]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(says), "{text}");
        assert_eq!(account.moto.memory_mb("checkout").await.unwrap(), 1024);
    };
    let path = store.to_str().unwrap();
    for (command, says) in [("pause", "rightsizer resume"), ("resume", "")] {
        let word = [command, "--store", path, "--by", "test"];
        assert!(rightsizer(&word).await.unwrap().status.success());
        if command == "pause" {
            refused(says).await;
        }
    }
    let serve = Aggregator::start(&store, &["--clock", "event"], &[], None)
        .await
        .unwrap();
    refused("--emit").await;
    assert!(serve.stop().await.unwrap().success());

    let mut elsewhere = account.environment.clone();
    elsewhere.push((
        "RIGHTSIZER_ACCEPT".to_owned(),
        "999999999999/eu-central-1".to_owned(),
    ));
    let arguments = ["apply", "--store", path, "--json", "--yes"];
    let output = rightsizer_with(&arguments, &elsewhere).await.unwrap();
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done[0]["reason"], "other-account", "{done}");
    assert_eq!(account.moto.memory_mb("checkout").await.unwrap(), 1024);
}
