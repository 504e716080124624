//! `rightsizer … | head`: a reader that has seen enough ends every command quietly, in every form.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::process::{Command, Output, Stdio};

use rightsizer_records::{EnvId, Reports, Status};
use rightsizer_tests::aggregator::{binary, rightsizer};
use rightsizer_tests::sample;

/// More than a pipe holds, in each form.
const FUNCTIONS: u64 = 3000;

/// Runs a command whose standard output has no reader.
fn unread(arguments: &[&str]) -> Output {
    let script = "\"$0\" \"$@\" | true; exit \"${PIPESTATUS[0]}\"";
    Command::new("bash")
        .args(["-c", script])
        .arg(binary().unwrap())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_ends_every_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (store, file) = (path("store.db"), path("records.jsonl"));
    let mut lines = Vec::new();
    for n in 0..FUNCTIONS {
        let reports = sample::reports(&format!("function-{n}")).unwrap();
        let mut reports = Reports {
            env: EnvId(n),
            ..reports
        };
        if n == 0 {
            // So that there is something to export.
            reports.reports[0].status = Status::OutOfMemory;
        }
        lines.extend(sample::bytes(reports));
        lines.push(b'\n');
    }
    std::fs::write(&file, lines).unwrap();
    let imported = rightsizer(&["import", &file, "--store", &store])
        .await
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let page = path("page.html");
    let backup = path("backup.db");
    let commands: [&[&str]; 14] = [
        &["list"],
        &["list", "--csv"],
        &["list", "--json"],
        &["list", "--markdown"],
        &["list", "--html", &page],
        &["show", "function-1"],
        &["show", "function-1", "--json"],
        &["export", "--format", "terraform", "--status", "open"],
        &["export", "--format", "sam", "--status", "open"],
        &["hold", "function-1", "--days", "1", "--by", "a test"],
        &["pause", "--why", "a test", "--by", "a test"],
        &["resume", "--by", "a test"],
        &["backup", &backup],
        &["doctor", "--json"],
    ];
    for command in commands {
        let arguments = [command, &["--store", &store]].concat();
        let done = unread(&arguments);
        let result = String::from_utf8_lossy(&done.stderr);
        assert!(!result.contains("pipe"), "{command:?}: {result}");
        assert!(!result.contains("panicked"), "{command:?}: {result}");
        assert_eq!(done.status.code(), Some(0), "{command:?}: {result}");
    }
}
