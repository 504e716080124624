//! What is approved in a store, applied from here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use rightsizer_records::{EnvId, Megabytes, Reports, Timestamp};
use rightsizer_tests::aggregator::{Aggregator, rightsizer, rightsizer_with};
use rightsizer_tests::sample::{bytes, reports};
use serde_json::Value;

use crate::account::Account;

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
                reports: vec![plain.reports[0]; 10],
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
async fn apply_changes_approved_functions_and_records_it_in_the_store() {
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
    // `gone` was deleted, and `off` opted out.
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
    let refused = async |wanted: &str| {
        let (output, _) = apply(&account, &store, &["--yes"]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(wanted), "{text}");
        assert_eq!(account.moto.memory_mb("checkout").await.unwrap(), 1024);
    };
    let path = store.to_str().unwrap();
    for (command, wanted) in [("pause", "rightsizer resume"), ("resume", "")] {
        let word = [command, "--store", path, "--by", "test"];
        assert!(rightsizer(&word).await.unwrap().status.success());
        if command == "pause" {
            refused(wanted).await;
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
