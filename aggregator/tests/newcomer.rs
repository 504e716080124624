//! What a person does with a first export: the same lines twice, a name without an account, an import in a job.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        let path: &Path = &self.0.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rightsizer"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("USER", "ann");
        command.output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn list(&self) -> Vec<Value> {
        serde_json::from_str(&self.ok(&["list", "--json"])).unwrap()
    }
}

const DAY_MS: i64 = 86_400_000;
/// 2026-01-20T10:00:00Z.
const BEGAN_MS: i64 = 1_768_903_200_000;

fn report(n: i64) -> String {
    format!(
        "REPORT RequestId: 7d1e0c2a-0000-4000-8000-{n:012}\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: \
         1024 MB\tMax Memory Used: 93 MB\t\n"
    )
}

/// What `aws logs filter-log-events` prints: ten events a day.
fn export(events: std::ops::Range<i64>, ids: bool) -> String {
    let event = |n: i64| {
        let id = if ids {
            format!(r#", "eventId": "3{n:055}""#)
        } else {
            String::new()
        };
        let message = report(n).replace('\t', "\\t").replace('\n', "\\n");
        let at = BEGAN_MS + n / 10 * DAY_MS + n % 10;
        format!(
            r#"{{"logStreamName": "2026/01/20/[$LATEST]0123456789abcdef0123456789abcdef", "timestamp": {at}, "message": "{message}"{id}}}"#
        )
    };
    let events: Vec<String> = events.map(event).collect();
    format!(
        r#"{{"events": [{}], "searchedLogStreams": []}}"#,
        events.join(",")
    )
}

#[test]
fn an_event_of_two_exports_counts_once() {
    let folder = Folder::new();
    folder.write("one.json", &export(0..80, true));
    folder.write("two.json", &export(50..120, true));
    for file in ["one.json", "two.json"] {
        folder.ok(&["import", "--function", "checkout", file]);
    }
    let rows = folder.list();
    // 0 to 119, of which 50 to 79 came twice.
    assert_eq!(
        (&rows[0]["seen"], &rows[0]["duplicates"]),
        (&120.into(), &30.into())
    );
    // Of the eleven days before the last one, which is not over.
    assert_eq!(rows[0]["invocations"], 110);
}

/// A folder of exports names its functions by its files. After `adopt`, the same lines come again under the old name.
#[test]
fn a_folder_of_exports_adds_nothing_to_functions_that_were_adopted() {
    let folder = Folder::new();
    folder.write("checkout.json", &export(0..80, true));
    folder.ok(&["import", "."]);
    assert_eq!(folder.list()[0]["function"], "local:checkout.json");
    folder.ok(&[
        "adopt",
        "--account",
        "123456789012",
        "--region",
        "eu-west-1",
    ]);
    folder.write("again.json", &export(0..80, true));
    folder.ok(&["import", "again.json"]);
    let rows = folder.list();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["name"], "checkout");
}

/// Without `--store` the store lies in the working folder, and so do the exports of a newcomer.
#[test]
fn a_folder_with_the_store_in_it_is_imported_again_and_again() {
    let folder = Folder::new();
    folder.write("checkout.json", &export(0..80, true));
    folder.ok(&["import", "."]);
    for own in ["rightsizer.db.key", "rightsizer.db.rescued-1"] {
        folder.write(own, "secret");
    }
    for what in [".", "*", "./*"] {
        folder.ok(&["import", what]);
    }
}

/// The usual mistake is a filter that matches no line of a function with JSON logs.
#[test]
fn an_empty_export_has_a_hint_about_its_filter() {
    let folder = Folder::new();
    folder.write("empty.json", r#"{"events": [], "searchedLogStreams": []}"#);
    folder.write(
        "other.json",
        r#"{"events": [{"message": "START RequestId: 1"}]}"#,
    );
    for (file, hint) in [
        ("empty.json", "write `platform.report`"),
        ("other.json", "docs/WIRE.md"),
    ] {
        let output = folder.run(&["import", file]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("no evidence was found") && text.contains(hint),
            "{file}: {text}"
        );
    }
}

#[test]
fn a_mistyped_command_is_recognised_by_help_too() {
    let folder = Folder::new();
    for words in [&["lits"][..], &["help", "lits"]] {
        let output = folder.run(words);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("'list'"), "{words:?}: {text}");
    }
}

/// A subcommand that is not recognised is a file's name to `import`.
#[test]
fn a_mistyped_cloudwatch_is_recognised() {
    let folder = Folder::new();
    let hint = "hint: did you mean `rightsizer import cloudwatch`?";
    for (name, is_meant) in [
        ("cloudwatc", true),
        ("clodwatch", true),
        ("cloudwatch.json", false),
        ("export", false),
    ] {
        let text = String::from_utf8(folder.run(&["import", name]).stderr).unwrap();
        assert_eq!(text.contains(hint), is_meant, "{name}: {text}");
        assert!(text.contains("No such file"), "{text}");
    }
}

#[test]
fn every_command_about_a_function_suggests_the_name_that_was_meant() {
    let folder = Folder::new();
    folder.write("checkout.json", &export(0..80, true));
    folder.ok(&["import", "--function", "checkout", "checkout.json"]);
    for command in [
        "show",
        "curve",
        "coldstarts",
        "list",
        "approve",
        "unapprove",
        "reject",
        "hold",
        "release",
        "clear",
        "forget",
    ] {
        let output = folder.run(&[command, "chekout"]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {text}");
        assert!(
            text.contains("hint: did you mean \"local:checkout\"?"),
            "{command}: {text}"
        );
        // Nothing is like it.
        let text = String::from_utf8(folder.run(&[command, "zzz"]).stderr).unwrap();
        assert!(
            text.contains("`rightsizer list` shows all functions"),
            "{command}: {text}"
        );
    }
}

/// What is named rightly is adopted; a second run of the same command finds it adopted.
#[test]
fn a_name_that_is_not_adopted_is_reported() {
    let folder = Folder::new();
    for (name, events) in [("checkout", 0..80), ("orders", 80..160)] {
        folder.write("file.json", &export(events, true));
        folder.ok(&["import", "--function", name, "file.json"]);
    }
    let place = ["--account", "123456789012", "--region", "eu-west-1"];
    let adopt = |names: &[&str]| {
        let output = folder.run(&[&["adopt"], names, &place].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = adopt(&["checkout", "ordres"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("hint: did you mean \"local:orders\"?"),
        "{text}"
    );
    let mut names: Vec<String> = folder
        .list()
        .iter()
        .map(|row| row["name"].to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["\"checkout\"", "\"local:orders\""]);
    let (code, text) = adopt(&["checkout", "local:orders"]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn an_address_in_place_of_a_file_has_a_hint() {
    let folder = Folder::new();
    folder.write("checkout.json", &export(0..80, true));
    for (address, hint) in [
        (
            "s3://bucket/key",
            "hint: aws s3 cp s3://bucket/key - | rightsizer import",
        ),
        ("S3://bucket/key", "hint: aws s3 cp S3://bucket/key - |"),
        (
            "https://example.com/a.json",
            "hint: curl -fsSL 'https://example.com/a.json' | rightsizer import",
        ),
    ] {
        // Alone, and beside a file.
        for words in [
            &["import", address][..],
            &["import", "checkout.json", address],
        ] {
            let output = folder.run(words);
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(text.contains(hint), "{words:?}: {text}");
        }
    }
}

/// Cron jobs and containers have no `USER`.
#[test]
fn a_command_without_a_name_is_refused_with_what_to_do() {
    let folder = Folder::new();
    folder.write("checkout.json", &export(0..80, true));
    folder.ok(&["import", "checkout.json"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rightsizer"));
    command.args(["pause"]).current_dir(folder.0.path());
    let output = command
        .env_remove("USER")
        .env_remove("LOGNAME")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("hint: pass --by NAME"), "{words}");
    // A pause without a reason is shown without an empty one.
    assert!(folder.ok(&["pause"]).contains("paused: nothing is sent"));
    let shown = folder.ok(&["list"]);
    let line = shown.lines().find(|line| line.contains("is paused by ann"));
    assert!(line.unwrap().contains("Z; `rightsizer resume`"), "{shown}");
}

#[test]
fn without_ids_an_overlap_is_reported() {
    let folder = Folder::new();
    folder.write("one.json", &export(0..80, false));
    folder.write("two.json", &export(50..120, false));
    folder.write("later.json", &export(120..140, false));
    let import = |file: &str| folder.ok(&["import", "--function", "checkout", file]);
    assert!(!import("one.json").contains("another file"));
    let shown = import("two.json");
    // Days 5, 6 and 7 after the first.
    assert!(
        shown.contains(
            "3 days of functions (2026-01-25 to 2026-01-27) had evidence from another file"
        ),
        "{shown}"
    );
    assert!(!import("later.json").contains("another file"));
}

#[test]
fn a_file_that_was_imported_before_exits_with_0() {
    let folder = Folder::new();
    folder.write("one.json", &export(0..80, true));
    folder.ok(&["import", "--function", "checkout", "one.json"]);
    let again = folder.run(&["import", "--function", "checkout", "one.json"]);
    let words = String::from_utf8_lossy(&again.stderr);
    assert!(
        again.status.success() && words.contains("was imported before"),
        "{words}"
    );
    assert_eq!(folder.list()[0]["seen"], 80);
    // A file that is not there still is.
    assert_eq!(folder.run(&["import", "nope.json"]).status.code(), Some(1));
}

/// The README's way to the end: import by name, adopt, approve.
#[test]
fn what_was_imported_by_name_is_adopted_and_approved() {
    let folder = Folder::new();
    folder.write("one.json", &export(0..140, true));
    folder.ok(&["import", "--function", "checkout", "one.json"]);
    let refused = folder.run(&["approve", "checkout", "--yes"]);
    let words = String::from_utf8_lossy(&refused.stderr) + String::from_utf8_lossy(&refused.stdout);
    assert!(words.contains("rightsizer adopt"), "{words}");

    let place = ["--account", "123456789012", "--region", "eu-west-1"];
    let other = folder.run(&[&["adopt", "no-such"][..], &place].concat());
    assert_eq!(other.status.code(), Some(1));
    folder.ok(&[&["adopt", "checkout"][..], &place].concat());
    let rows = folder.list();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        rows[0]["function"],
        "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
    );
    assert_eq!(
        (&rows[0]["seen"], &rows[0]["status"]),
        (&140.into(), &"open".into())
    );
    folder.ok(&["approve", "checkout", "--yes"]);
    assert_eq!(folder.list()[0]["status"], "approved");

    // The same by name again: another function until it is removed; the two are not joined.
    folder.write("two.json", &export(140..160, true));
    folder.ok(&["import", "--function", "checkout", "two.json"]);
    let taken = folder.run(&[&["adopt"][..], &place].concat());
    let words = String::from_utf8_lossy(&taken.stderr);
    assert!(
        !taken.status.success() && words.contains("rightsizer forget local:checkout"),
        "{words}"
    );
    folder.ok(&["forget", "local:checkout"]);
    assert_eq!(folder.list().len(), 1);
}
