//! `rightsizer export` as a person and a pipeline meet it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod folder;

use std::os::unix::fs::{PermissionsExt, symlink};

use folder::{CommandOutput, Folder};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

const HOME: [&str; 4] = ["--account", "123456789012", "--region", "eu-west-1"];
const TEMPLATE: &str = "# Shop\nResources:\n  Checkout:\n    Type: AWS::Lambda::Function\n    Properties:\n      \
                        FunctionName: checkout\n      MemorySize: 512 # load test\n      Role: !GetAtt R.Arn\n";

/// A store in which each of these functions of 512 MB should have `used` + 100.
fn folder(functions: &[(&str, u32)]) -> Folder {
    let folder = Folder::new();
    for (name, used) in functions {
        know(&folder, name, *used);
    }
    folder
}

fn know(folder: &Folder, name: &str, used: u32) {
    let line = format!(
        "REPORT RequestId: {name}\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 512 MB\t\
         Max Memory Used: {used} MB\n"
    );
    let file = folder.file(&format!("{name}.log"), line);
    let arguments = ["import", "--function", name, file.to_str().unwrap()];
    let output = folder.run(&[&arguments[..], &HOME[..]].concat());
    assert_eq!(output.code(), 0, "{}", output.err());
}

fn approve(folder: &Folder, name: &str) {
    let output = folder.run(&["approve", name, "--by", "on-call"]);
    assert_eq!(output.code(), 0, "{}", output.err());
}

fn approved(functions: &[(&str, u32)]) -> Folder {
    let folder = folder(functions);
    functions
        .iter()
        .for_each(|(name, _)| approve(&folder, name));
    folder
}

/// What only time, the updater or the control plane would do.
fn store(folder: &Folder, sql: &str, values: impl rusqlite::Params) {
    let store = Connection::open(folder.path("store.db")).unwrap();
    store.execute(sql, values).unwrap();
}

fn tag(folder: &Folder, name: &str, tags: &Value) {
    store(
        folder,
        "INSERT INTO inventory (function, memory_mb, timeout_s, arch, package, layers, log_group, tags,
            edge_replica, managed_instances, snap_start, seen_ms)
         SELECT function, 512, 3, 'x86_64', 'zip', '[]', 'g', ?2, 0, 0, 0, 1 FROM functions
         WHERE function LIKE '%:' || ?1",
        params![name, tags.to_string()],
    );
}

fn export(folder: &Folder, arguments: &[&str]) -> CommandOutput {
    folder.run(&[&["export", "--format"], arguments].concat())
}

fn template(folder: &Folder, more: &[&str]) -> CommandOutput {
    let arguments = ["cloudformation", "--template", "t.yaml"];
    export(folder, &[&arguments[..], more].concat())
}

fn text(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path(name)).unwrap()
}

#[test]
fn each_pipeline_gets_values_that_it_reads() {
    let folder = approved(&[("check-out", 90), ("api", 300)]);
    let json = [
        (
            "terraform",
            json!({"rightsizer_memory_mb": {"api": 400, "check-out": 190}}),
        ),
        (
            "cloudformation",
            json!({"Parameters": {"ApiMemorySize": "400", "CheckOutMemorySize": "190"}}),
        ),
        ("serverless", json!({"api": 400, "check-out": 190})),
        (
            "cdk",
            json!({"context": {"rightsizer": {"api": 400, "check-out": 190}}}),
        ),
    ];
    for (format, wanted) in json {
        let output = export(&folder, &[format]);
        assert_eq!((output.code(), output.json()), (0, wanted));
        assert_eq!(output.err(), "", "a pipeline's log stays empty");
    }
    let sam = export(&folder, &["sam"]);
    assert_eq!(sam.out(), "ApiMemorySize=400\nCheckOutMemorySize=190\n");
}

#[test]
fn none_approved_is_reported_and_does_not_fail_a_nightly_run() {
    let folder = folder(&[("checkout", 90)]);
    let output = export(&folder, &["terraform"]);
    assert_eq!(
        (output.code(), output.json()),
        (0, json!({"rightsizer_memory_mb": {}}))
    );
    let error = output.err();
    assert!(
        error.contains("nothing to export")
            && error.contains("1 open")
            && error.contains("approve"),
        "{error}"
    );
    let open = export(&folder, &["terraform", "--status", "open,approved"]);
    assert_eq!(open.json()["rightsizer_memory_mb"]["checkout"], 190);
    assert_eq!(export(&folder, &["terraform", "--all"]).out(), open.out());
    let json = export(&folder, &["terraform", "--all", "--json"]).json();
    assert_eq!(json["values"]["checkout"], 190);
    assert_eq!(json["functions"][0]["status"], "open");
    assert_eq!(json["functions"][0]["from_mb"], 512);
}

/// What a pipeline was given once it keeps being given: without it, it would put the old size back.
#[test]
fn a_file_of_values_is_added_to() {
    let folder = approved(&[("checkout", 90)]);
    let out = ["terraform", "--out", "r.auto.tfvars.json"];
    assert_eq!(export(&folder, &out).code(), 0);
    // It was deployed, and so it is at its end.
    store(
        &folder,
        "UPDATE recommendations SET status = 'withdrawn'",
        [],
    );
    store(&folder, "UPDATE functions SET newest_mb = 190", []);
    know(&folder, "api", 300);
    approve(&folder, "api");
    let output = export(&folder, &out);
    assert_eq!((output.code(), output.out().as_str()), (0, ""));
    let values: Value = serde_json::from_str(&text(&folder, "r.auto.tfvars.json")).unwrap();
    assert_eq!(
        values,
        json!({"rightsizer_memory_mb": {"api": 400, "checkout": 190}})
    );
    // More was given to it since, and it is not recommended to take that away again.
    store(
        &folder,
        "UPDATE functions SET newest_mb = 600 WHERE function LIKE '%:checkout'",
        [],
    );
    let output = export(&folder, &out);
    assert!(
        output.err().contains("checkout: the file had 190"),
        "{}",
        output.err()
    );
    let values: Value = serde_json::from_str(&text(&folder, "r.auto.tfvars.json")).unwrap();
    assert_eq!(values["rightsizer_memory_mb"]["checkout"], 600);
    // A file with other content is not changed.
    folder.file("mine.json", "{\"mine\": 1, \"yours\": 2}\n");
    let output = export(&folder, &["terraform", "--out", "mine.json"]);
    assert_eq!(output.code(), 1);
    assert!(
        output.err().contains("nothing was written"),
        "{}",
        output.err()
    );
    assert_eq!(text(&folder, "mine.json"), "{\"mine\": 1, \"yours\": 2}\n");
}

#[test]
fn a_template_is_shown_then_written_then_up_to_date() {
    let folder = approved(&[("checkout", 90), ("elsewhere", 90)]);
    let file = folder.file("real.yaml", TEMPLATE);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    symlink(&file, folder.path("t.yaml")).unwrap();
    let shown = template(&folder, &[]);
    assert_eq!(shown.code(), 0);
    assert_eq!(text(&folder, "real.yaml"), TEMPLATE);
    let diff = shown.out();
    assert!(diff.starts_with("--- a/t.yaml\n+++ b/t.yaml\n@@"), "{diff}");
    assert!(
        diff.contains("-      MemorySize: 512 # load test\n+      MemorySize: 190 # load test\n"),
        "{diff}"
    );
    let words = shown.err();
    for output in [
        "checkout: line 7: 512 → 190",
        "elsewhere: the template has no function of this name",
        "pass --yes to write it",
    ] {
        assert!(words.contains(output), "{words}");
    }
    let written = template(&folder, &["--yes"]);
    assert_eq!((written.code(), written.out().as_str()), (0, ""));
    assert_eq!(text(&folder, "real.yaml"), TEMPLATE.replace("512", "190"));
    assert!(folder.path("t.yaml").is_symlink());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let again = template(&folder, &["--yes", "--json"]).json();
    assert_eq!(
        (&again["written"], &again["diff"]),
        (&json!(false), &json!(""))
    );
    assert_eq!(again["rows"][0]["became"], "already");
    assert_eq!(again["rows"][1]["became"], "missing");
}

#[test]
fn what_must_not_be_deployed_is_left_out_and_named() {
    let names = ["expired", "gone", "off", "held", "changed", "good"];
    let folder = approved(&names.map(|name| (name, 90)));
    store(
        &folder,
        "UPDATE recommendations SET expires_ms = 1767225600000 WHERE function_id =
            (SELECT id FROM functions WHERE function LIKE '%:expired')",
        [],
    );
    tag(&folder, "gone", &json!({}));
    store(&folder, "UPDATE inventory SET gone_ms = 1", []);
    tag(&folder, "off", &json!({"rightsizer:mode": "off"}));
    assert_eq!(folder.run(&["hold", "held", "--by", "on-call"]).code(), 0);
    store(
        &folder,
        "UPDATE functions SET newest_mb = 2048 WHERE function LIKE '%:changed'",
        [],
    );
    let output = export(&folder, &["serverless"]);
    assert_eq!((output.code(), output.json()), (0, json!({"good": 190})));
    let words = output.err();
    for (name, code) in [
        ("expired", "expired"),
        ("gone", "gone"),
        ("off", "opted-out"),
        ("held", "held"),
        ("changed", "stale-from"),
    ] {
        assert!(
            words.contains(&format!("{name} is skipped ({code})")),
            "{name}: {words}"
        );
    }
    let json = export(&folder, &["serverless", "--json"]).json();
    assert_eq!(json["left_out"].as_array().unwrap().len(), 5);
}

/// What is deployed while everything is paused is what the pause is there to stop.
#[test]
fn nothing_is_exported_while_everything_is_paused() {
    let folder = approved(&[("checkout", 90)]);
    assert_eq!(folder.run(&["pause", "--by", "on-call"]).code(), 0);
    let output = export(&folder, &["terraform"]);
    assert_eq!((output.code(), output.out().as_str()), (1, ""));
    assert!(
        output.err().contains("rightsizer resume"),
        "{}",
        output.err()
    );
    assert_eq!(folder.run(&["resume", "--by", "on-call"]).code(), 0);
    assert_eq!(export(&folder, &["terraform"]).code(), 0);
}

#[test]
fn functions_of_a_stack_are_marked_and_selected_by_it() {
    let folder = folder(&[("shop-dev-f-1", 90), ("shop-prod-f-2", 300)]);
    for (name, stack) in [("shop-dev-f-1", "shop-dev"), ("shop-prod-f-2", "shop-prod")] {
        let tags = json!({"aws:cloudformation:stack-name": stack, "aws:cloudformation:logical-id": "Checkout"});
        tag(&folder, name, &tags);
        // Decided again, its tags are known.
        let line =
            text(&folder, &format!("{name}.log")).replace("Duration: 12.00", "Duration: 13.00");
        folder.file(&format!("{name}.log"), line);
        let used = if stack == "shop-dev" { 91 } else { 301 };
        know(&folder, name, used);
        let list = folder.run(&["list", "--json"]).json();
        let mut rows = list.as_array().unwrap().iter();
        let row = rows
            .find(|row| row["function"].as_str().unwrap().ends_with(name))
            .unwrap();
        let codes = row["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| &reason["code"]);
        assert!(codes.clone().any(|code| code == "stack-owned"), "{row}");
    }
    let shown = folder.run(&["show", "shop-dev-f-1"]).out();
    assert!(shown.contains("`rightsizer export`"), "{shown}");
    folder.file(
        "t.yaml",
        TEMPLATE.replace("      FunctionName: checkout\n", ""),
    );
    let unnamed = template(&folder, &["--all"]);
    assert_eq!(unnamed.code(), 1);
    assert!(
        unnamed.err().contains("--stack shop-prod"),
        "{}",
        unnamed.err()
    );
    let output = template(&folder, &["--all", "--stack", "shop-prod", "--yes"]);
    assert_eq!(output.code(), 0, "{}", output.err());
    assert!(
        text(&folder, "t.yaml").contains("MemorySize: 401 # load"),
        "{}",
        text(&folder, "t.yaml")
    );
    let values = export(&folder, &["sam", "--all", "--stack", "shop-dev"]);
    assert_eq!(values.out(), "CheckoutMemorySize=191\n");
    let both = export(&folder, &["sam", "--all"]);
    assert_eq!(both.code(), 1);
    assert!(both.err().contains("--stack"), "{}", both.err());
}

fn answers(folder: &Folder, cases: &[(&[&str], i32, &str)]) {
    for (arguments, code, words) in cases {
        let output = export(folder, arguments);
        let error = output.err();
        assert_eq!(output.code(), *code, "{arguments:?}: {error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
}

#[test]
fn a_bad_command_line_is_answered_in_words() {
    let folder = approved(&[("checkout", 90)]);
    folder.file("t.yaml", TEMPLATE);
    answers(
        &folder,
        &[
            (&["pulumi"], 2, "invalid value 'pulumi'"),
            (&[], 2, "a value is required"),
            (&["terraform", "--yes"], 2, "--template"),
            (&["terraform", "--map", "a=b"], 2, "--template"),
            (
                &["sam", "--template", "t.yaml", "--map", "a"],
                2,
                "LABEL=FUNCTION",
            ),
            (
                &["sam", "--template", "t.yaml", "--out", "x"],
                2,
                "cannot be used with",
            ),
            (&["terraform", "--status", "rejected"], 2, "invalid value"),
            (
                &["terraform", "--store", "nowhere.db"],
                1,
                "rightsizer import",
            ),
            (
                &["terraform", "--store", "t.yaml"],
                1,
                "is not a Rightsizer store",
            ),
            (
                &["terraform", "--out", "no/such/folder"],
                1,
                "cannot write no/such/folder",
            ),
        ],
    );
}

#[test]
fn a_bad_template_is_refused_with_a_message_and_not_changed() {
    let folder = approved(&[("checkout", 90)]);
    folder.file("t.yaml", TEMPLATE);
    folder.file("binary", [0x7f, b'E', b'L', b'F', 0, 0xff]);
    folder.file("null.yaml", "Resources: {}\0");
    folder.file("words.yaml", "all is well\n");
    let again = TEMPLATE.replace("Checkout", "Again");
    let again = again.split_once("Resources:\n").unwrap().1;
    folder.file("twice.yaml", format!("{TEMPLATE}{again}"));
    let locked = folder.file("locked.yaml", TEMPLATE);
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o444)).unwrap();
    let of = |file, code, words| (["cloudformation", "--template", file, "--yes"], code, words);
    for (arguments, code, words) in [
        of("nowhere.yaml", 1, "cannot read nowhere.yaml"),
        of(".", 1, ". is not a file"),
        of("binary", 1, "not UTF-8 text"),
        of("null.yaml", 1, "not UTF-8 text"),
        of("words.yaml", 1, "no block Resources"),
        of("twice.yaml", 1, "Again, line"),
        of("locked.yaml", 1, "is read-only"),
    ] {
        answers(&folder, &[(&arguments, code, words)]);
    }
    answers(
        &folder,
        &[
            (
                &[
                    "cloudformation",
                    "--template",
                    "t.yaml",
                    "--map",
                    "Chekout=checkout",
                ],
                1,
                "it has Checkout",
            ),
            (
                &["terraform", "--template", "t.yaml"],
                1,
                "not a readable Terraform (HCL)",
            ),
            (
                &["serverless", "--template", "t.yaml"],
                1,
                "--format cloudformation",
            ),
            (&["cdk", "--template", "t.yaml"], 1, "cdk.json"),
        ],
    );
    assert_eq!(text(&folder, "t.yaml"), TEMPLATE);
    assert_eq!(text(&folder, "locked.yaml"), TEMPLATE);
    let files = std::fs::read_dir(folder.path("")).unwrap();
    let left = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("partial")
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn a_template_without_any_of_the_functions_is_a_failure() {
    let folder = approved(&[("somebody", 90)]);
    folder.file("t.yaml", TEMPLATE);
    let output = template(&folder, &["--yes"]);
    assert_eq!(output.code(), 1);
    assert!(output.err().contains("--map"), "{}", output.err());
    assert_eq!(text(&folder, "t.yaml"), TEMPLATE);
    // Selecting nothing is not a failure.
    let nothing = template(&folder, &["--status", "verified"]);
    assert_eq!(nothing.code(), 0);
}

/// Each example of docs/EXPORT.md is what the command prints.
#[test]
fn the_document_shows_what_is_printed() {
    let document = include_str!("../../docs/EXPORT.md");
    // 200 used of 1024: 300 is wanted.
    let folder = Folder::new();
    for name in ["shop-checkout", "shop-prod-checkout"] {
        let line = format!(
            "REPORT RequestId: {name}\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 1024 MB\t\
             Max Memory Used: 200 MB\n"
        );
        let file = folder.file(&format!("{name}.log"), line);
        let arguments = ["import", "--function", name, file.to_str().unwrap()];
        assert_eq!(folder.run(&[&arguments[..], &HOME[..]].concat()).code(), 0);
        approve(&folder, name);
        let (stack, id) = (json!(name), json!("Checkout"));
        tag(
            &folder,
            name,
            &json!({"aws:cloudformation:stack-name": stack, "aws:cloudformation:logical-id": id}),
        );
    }
    for (format, stack) in [
        ("terraform", "shop-checkout"),
        ("cloudformation", "shop-checkout"),
        ("sam", "shop-checkout"),
        ("serverless", "shop-prod-checkout"),
        ("cdk", "shop-checkout"),
    ] {
        let output = export(&folder, &[format, "--stack", stack]);
        assert_eq!(output.code(), 0, "{}", output.err());
        let block = format!("\n{}```", output.out());
        assert!(document.contains(&block), "{format}: {block}");
    }
    let shop = "# Shop\nResources:\n  Checkout:\n    Type: AWS::Lambda::Function\n    Properties:\n      \
                FunctionName: shop-checkout\n      MemorySize: 1024 # load test\n      Role: !GetAtt Role.Arn\n";
    folder.file("shop.yaml", shop);
    let arguments = [
        "cloudformation",
        "--template",
        "shop.yaml",
        "--stack",
        "shop-checkout",
    ];
    let output = export(&folder, &arguments);
    let shown = format!("{}{}```", output.out(), output.err());
    assert!(document.contains(&shown), "{shown}");
}
