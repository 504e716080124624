//! `rightsizer doctor`: reports no error if everything works, and each fault with what to do.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod account;

use std::path::{Path, PathBuf};

use rightsizer_tests::aggregator::{Aggregator, rightsizer_with};
use rightsizer_tests::servers::{FaultProxy, KinesisLocal, MotoServer, aws_environment};
use serde_json::Value;

struct Scene {
    kinesis: FaultProxy,
    fleet: FaultProxy,
    folder: tempfile::TempDir,
    servers: (KinesisLocal, MotoServer),
}

impl Scene {
    /// A store, both streams, a fleet.
    async fn set() -> Self {
        let (kinesis, moto) = (KinesisLocal::start().await.unwrap(), MotoServer::start());
        let moto = moto.await.unwrap();
        kinesis.create_stream("reports", 2).await.unwrap();
        kinesis.create_stream("decisions", 1).await.unwrap();
        let scene = Self {
            kinesis: FaultProxy::before(kinesis.endpoint()).await.unwrap(),
            fleet: FaultProxy::before(moto.endpoint()).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            servers: (kinesis, moto),
        };
        let serve = scene.serve().await;
        assert!(serve.stop().await.unwrap().success());
        scene
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    async fn serve(&self) -> Aggregator {
        let log = self.folder.path().join("serve.log");
        Aggregator::start(&self.store(), &[], &[], Some(&log))
            .await
            .unwrap()
    }

    /// Checks everything; returns the exit code and the findings.
    async fn doctor(&self) -> (Option<i32>, Vec<Value>) {
        self.doctor_of(&self.store()).await
    }

    async fn doctor_of(&self, store: &Path) -> (Option<i32>, Vec<Value>) {
        let mut environment = aws_environment("KINESIS", self.kinesis.endpoint());
        environment.extend(aws_environment("LAMBDA", self.fleet.endpoint()));
        let tagging = "RESOURCE_GROUPS_TAGGING_API";
        for service in [tagging, "CLOUDWATCH"] {
            environment.extend(aws_environment(service, self.fleet.endpoint()));
        }
        environment.push(("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned()));
        let streams = ["--source", "kinesis:reports", "--emit", "kinesis:decisions"];
        let more = [
            "--inventory",
            "lambda",
            "--json",
            "--store",
            store.to_str().unwrap(),
        ];
        let arguments = [&["doctor"], &streams[..], &more[..]].concat();
        let output = rightsizer_with(&arguments, &environment).await.unwrap();
        let findings = serde_json::from_slice(&output.stdout);
        let findings = findings.unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), findings)
    }

    /// What is wrong, by check, with what was found.
    async fn wrong(&self) -> Vec<(String, String)> {
        let (code, findings) = self.doctor().await;
        let wrong = findings.iter().filter(|f| f["verdict"] == "wrong");
        let text = |f: &Value, key: &str| f[key].as_str().unwrap().to_owned();
        let wrong: Vec<_> = wrong
            .map(|f| (text(f, "check"), text(f, "found") + &text(f, "do")))
            .collect();
        assert_eq!(code, Some(i32::from(!wrong.is_empty())), "{findings:?}");
        wrong
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_and_nothing_is_written() {
    let scene = Scene::set().await;
    let (code, findings) = scene.doctor().await;
    assert_eq!(code, Some(0), "{findings:?}");
    for check in [
        "store",
        "disk",
        "room",
        "server",
        "clock",
        "reports stream",
        "decisions stream",
        "decisions stream, writing",
        "functions",
        "tags",
        "alarms",
    ] {
        let found = findings.iter().find(|f| f["check"] == check);
        assert!(
            found.is_some_and(|f| f["verdict"] != "wrong"),
            "{check}: {findings:?}"
        );
    }
    let records = scene.servers.0.records("decisions").await.unwrap();
    assert_eq!(
        records,
        [],
        "the permission to write was tried without writing"
    );
}

/// Every call that `serve` makes, denied one by one: the check that fails names the action.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_named() {
    let scene = Scene::set().await;
    for (operation, check, action) in [
        (
            "DescribeStreamSummary",
            "reports stream",
            "kinesis:DescribeStreamSummary",
        ),
        ("ListShards", "reports stream", "kinesis:ListShards"),
        (
            "GetShardIterator",
            "reports stream",
            "kinesis:GetShardIterator",
        ),
        ("GetRecords", "reports stream", "kinesis:GetRecords"),
        (
            "PutRecord",
            "decisions stream, writing",
            "kinesis:PutRecords",
        ),
    ] {
        scene
            .kinesis
            .always_refuse(operation, "AccessDeniedException");
        let wrong = scene.wrong().await;
        let named = wrong
            .iter()
            .any(|(of, text)| of == check && text.contains(action));
        assert!(named, "{operation}: {wrong:?}");
        scene.kinesis.mend();
    }
    for (operation, check, action) in [
        (
            "GET /2015-03-31/functions",
            "functions",
            "lambda:ListFunctions",
        ),
        ("GetResources", "tags", "tag:GetResources"),
    ] {
        scene
            .fleet
            .always_refuse(operation, "AccessDeniedException");
        let wrong = scene.wrong().await;
        assert!(
            matches!(&wrong[..], [(of, text)] if of == check && text.contains(action)),
            "{operation}: {wrong:?}"
        );
        scene.fleet.mend();
    }
    let missing = "ResourceNotFoundException";
    scene
        .kinesis
        .always_refuse("DescribeStreamSummary", missing);
    let wrong = scene.wrong().await;
    assert!(
        wrong
            .iter()
            .all(|(_, text)| text.contains("check the name")),
        "{wrong:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_how_it_is() {
    let scene = Scene::set().await;
    let serve = scene.serve().await;
    let (code, findings) = scene.doctor().await;
    let server = findings.iter().find(|f| f["check"] == "server").unwrap();
    assert_eq!(
        (code, &server["verdict"]),
        (Some(0), &"ok".into()),
        "{findings:?}"
    );
    let found = server["found"].as_str().unwrap();
    assert!(
        found.contains("rightsizer serve on 127.0.0.1") && found.contains(" is ok"),
        "{found}"
    );
    serve.pause_process().unwrap();
    let wrong = scene.wrong().await;
    serve.resume_process().unwrap();
    assert!(
        matches!(&wrong[..], [(of, text)] if of == "server" && text.contains("does not respond")),
        "{wrong:?}"
    );
    assert!(serve.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_found() {
    use std::os::unix::fs::FileExt;
    let scene = Scene::set().await;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(scene.store())
        .unwrap();
    // Every page but the first.
    let end = file.metadata().unwrap().len();
    for page in (4096..end).step_by(4096) {
        file.write_all_at(&[0xa5; 512], page).unwrap();
    }
    let wrong = scene.wrong().await;
    assert!(
        matches!(&wrong[..], [(of, text)] if of == "store" && text.contains("backup")),
        "{wrong:?}"
    );
    std::fs::write(scene.store(), "a diary").unwrap();
    let wrong = scene.wrong().await;
    assert!(
        wrong[0].1.contains("is not a Rightsizer store"),
        "{wrong:?}"
    );
}

/// A missing store is not a fault, because `serve` creates it. A missing folder is one.
#[tokio::test(flavor = "multi_thread")]
async fn if_no_store_can_be_made_it_is_reported() {
    let scene = Scene::set().await;
    let nowhere = scene.folder.path().join("nowhere/rightsizer.db");
    let (code, findings) = scene.doctor_of(&nowhere).await;
    assert_eq!(code, Some(1));
    let disk = findings.iter().find(|f| f["check"] == "disk").unwrap();
    assert_eq!(disk["verdict"], "wrong", "{findings:?}");
    let new = scene.folder.path().join("new.db");
    let (code, findings) = scene.doctor_of(&new).await;
    assert_eq!(code, Some(0), "{findings:?}");
    assert!(!new.exists(), "nothing was made");
}
