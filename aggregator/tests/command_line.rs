//! The binary as a user sees it: its output and its exit code.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod folder;

use std::io::Write;
use std::path::Path;

use folder::{CommandOutput, Folder};
use serde_json::Value;

const GOOD: &str = "REPORT RequestId: 0b1e\tDuration: 12.00 ms\tBilled Duration: 12 ms\t\
                    Memory Size: 512 MB\tMax Memory Used: 90 MB\n";
const BEFORE: &str = "REPORT RequestId: 0b1d\tDuration: 11.00 ms\tBilled Duration: 11 ms\t\
                      Memory Size: 512 MB\tMax Memory Used: 91 MB\n";

fn import(folder: &Folder, file: &Path) -> CommandOutput {
    folder.run(&["import", "--json", file.to_str().unwrap()])
}

/// Each bad line stands between two good ones: the good ones are kept, the bad one is refused with
/// its line and what is wrong with it.
#[test]
fn a_bad_line_is_refused_with_its_reason_and_the_lines_around_it_are_kept() {
    let record = include_str!("../../records/fixtures/reports-minimal.json");
    let future = record.replace("2026-02-01", "2190-01-01");
    let huge = "A".repeat(10 << 20);
    let cases = [
        (
            "truncated JSON",
            r#"{"v":1,"kind":"reports","function":"arn:aws"#,
            "cut off",
        ),
        ("a wrong unit", &GOOD.replace("90 MB", "90 GB"), "GB"),
        ("a negative number", &GOOD.replace("90 MB", "-90 MB"), "-90"),
        (
            "an absurd number",
            &GOOD.replace("90 MB", "90000000 MB"),
            "90000000",
        ),
        (
            "an unknown version",
            r#"{"v":7,"kind":"reports"}"#,
            "version 7",
        ),
        ("a 10 MB line", &huge, "bytes"),
        ("a time in the future", future.trim_end(), "future"),
    ];
    for (what, bad, reason) in cases {
        let folder = Folder::new();
        let text = format!("{BEFORE}{}\n{GOOD}", bad.trim_end());
        let output = import(&folder, &folder.file("lines.txt", text));
        assert_eq!(output.code(), 0, "{what}: {}", output.err());
        let json = output.json();
        assert_eq!(
            (&json["read"], &json["accepted"]),
            (&3.into(), &2.into()),
            "{what}: {json:#}"
        );
        let refused = &json["refused"][0];
        assert_eq!(refused["line"], 2, "{what}: {json:#}");
        let output = refused["reason"].as_str().unwrap();
        assert!(
            output.contains(reason),
            "{what}: {output:?} lacks {reason:?}"
        );
    }
}

#[test]
fn binary_garbage_between_good_lines_is_refused() {
    let folder = Folder::new();
    let mut bytes = BEFORE.as_bytes().to_vec();
    bytes.extend([0xff, 0xfe, 0x00, 0x9c, 0x1b, b'[', b'2', b'J', b'\n']);
    bytes.extend(GOOD.as_bytes());
    let file = folder.file("lines.bin", bytes);
    assert_eq!(import(&folder, &file).json()["accepted"], 2);
    let other = Folder::new();
    let output = other.run(&["import", file.to_str().unwrap()]);
    assert!(
        !output.out().contains('\u{1b}'),
        "nothing of it controls the terminal"
    );
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let folder = Folder::new();
    let good = folder.file("good.txt", GOOD);
    let store = good.with_file_name("nodir").join("x.db");
    let store = store.to_str().unwrap();
    let output = folder.run(&["import", "--store", store, good.to_str().unwrap()]);
    assert_eq!(output.code(), 1);
    let words = "nodir does not exist\nhint: create it, or name another file with --store";
    assert!(output.err().contains(words), "{}", output.err());
}

#[test]
fn a_region_that_is_none_is_refused() {
    let folder = Folder::new();
    let good = folder.file("good.txt", GOOD);
    assert_eq!(import(&folder, &good).code(), 0);
    let output = folder.run(&["list", "--region", "mars"]);
    assert_eq!(output.code(), 2, "{}", output.err());
    assert_eq!(folder.run(&["list", "--region", "eu-west-1"]).code(), 0);
}

#[test]
fn a_file_that_does_not_exist_is_reported_and_the_others_are_imported() {
    let folder = Folder::new();
    let good = folder.file("good.txt", GOOD);
    let output = folder.run(&["import", "nowhere.txt", good.to_str().unwrap()]);
    assert_eq!(output.code(), 1);
    assert!(
        output.err().contains("nowhere.txt: No such file"),
        "{}",
        output.err()
    );
    assert!(output.out().contains("1 accepted"), "{}", output.out());
    let list = folder.run(&["list", "--json"]).json();
    assert_eq!(list[0]["function"], "local:good.txt");
}

#[test]
fn if_no_file_can_be_opened_no_store_is_made() {
    let folder = Folder::new();
    let output = folder.run(&["import", "nowhere.txt", "."]);
    assert_eq!(output.code(), 1);
    let error = output.err();
    assert!(
        error.contains("nowhere.txt: No such file") && error.contains("directory"),
        "{error}"
    );
    assert!(!folder.path("store.db").exists());
}

#[test]
fn nothing_readable_is_a_failure() {
    let folder = Folder::new();
    let output = import(&folder, &folder.file("garbage", [0xde, 0xad, 0xbe, 0xef]));
    assert_eq!((output.code(), &output.json()["accepted"]), (1, &0.into()));
}

#[test]
fn w7_a_file_already_imported_adds_nothing_and_exits_with_0() {
    let folder = Folder::new();
    assert_eq!(import(&folder, &folder.file("a.txt", GOOD)).code(), 0);
    let again = import(&folder, &folder.file("copy-of-a.txt", GOOD));
    assert_eq!(again.code(), 0);
    assert!(
        again.err().contains("imported before, as "),
        "{}",
        again.err()
    );
    let show = folder.run(&["show", "a.txt", "--json"]).json();
    assert_eq!(show["seen"], 1);
    assert_eq!(
        folder
            .run_with_input(&["import", "-"], GOOD.as_bytes())
            .code(),
        0
    );
}

#[test]
fn a_store_that_is_not_ours_is_left_alone() {
    let folder = Folder::new();
    let good = folder.file("good.txt", GOOD);
    folder.file("store.db", "my diary");
    let arguments = [
        vec!["import", good.to_str().unwrap()],
        vec!["list"],
        vec!["show", "f"],
    ];
    for arguments in arguments {
        let output = folder.run(&arguments);
        assert_eq!(output.code(), 1, "{arguments:?}");
        assert!(
            output.err().contains("store.db is not a Rightsizer store"),
            "{}",
            output.err()
        );
    }
    assert_eq!(std::fs::read(folder.path("store.db")).unwrap(), b"my diary");
}

#[test]
fn no_store_and_no_such_function_have_a_hint() {
    let folder = Folder::new();
    let list = folder.run(&["list"]);
    assert_eq!(list.code(), 1);
    assert!(list.err().contains("there is no store") && list.err().contains("rightsizer import"));
    import(&folder, &folder.file("a.txt", GOOD));
    let show = folder.run(&["show", "payroll"]);
    assert_eq!(show.code(), 1);
    assert!(show.err().contains("\"payroll\""), "{}", show.err());
}

#[test]
fn bad_usage_is_exit_code_2() {
    let folder = Folder::new();
    for arguments in [
        vec!["import"],
        vec!["frobnicate"],
        vec!["import", "--date", "tomorrow", "x"],
        vec!["serve", "--source", "kafka:reports"],
        vec!["serve", "--accept", "everything"],
        vec!["serve", "--listen", "0.0.0.0:0"],
        vec!["list", "--json", "--csv"],
    ] {
        let output = folder.run(&arguments);
        assert_eq!(output.code(), 2, "{arguments:?}: {}", output.err());
        assert!(!output.err().is_empty(), "{arguments:?}");
    }
}

/// 90 and 91 of 512 on one day: P1 mean 91 + 100 = 191; floor ceil(1.10 × 91) = 101.
#[test]
fn list_json_has_the_names_that_scripts_read() {
    let folder = Folder::new();
    import(&folder, &folder.file("fn.txt", format!("{BEFORE}{GOOD}")));
    let list = folder.run(&["list", "--json"]).json();
    let row = &list[0];
    for (name, want) in [
        ("function", Value::from("local:fn.txt")),
        ("current_mb", 512.into()),
        ("peak_mb", 91.into()),
        ("policy_mb", 191.into()),
        ("target_mb", 191.into()),
        ("to_mb", 191.into()),
        ("status", "open".into()),
        ("confidence", "low".into()),
        ("invocations", 2.into()),
    ] {
        assert_eq!(row[name], want, "{name} in {row:#}");
    }
    assert_eq!(row["reasons"][0]["code"], "average-plus-buffer");
    assert!(row["monthly_usd_before"].is_number() && row["monthly_usd_after"].is_number());
    let csv = folder.run(&["list", "--csv"]).out();
    assert!(
        csv.starts_with("function,current_mb,peak_mb,policy_mb"),
        "{csv}"
    );
    assert!(
        folder
            .run(&["list", "--markdown"])
            .out()
            .starts_with("| FUNCTION")
    );
}

#[test]
fn a_gzip_file_is_read_as_what_it_holds() {
    let folder = Folder::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(GOOD.as_bytes()).unwrap();
    let output = import(&folder, &folder.file("lines.gz", gzip.finish().unwrap()));
    assert_eq!(output.json()["accepted"], 1);
}

#[test]
fn settings_change_the_decision_and_a_misspelt_one_is_refused() {
    let folder = Folder::new();
    folder.file("rightsizer.toml", "[policy]\nbuffer_mb = 50\n");
    import(&folder, &folder.file("fn.txt", GOOD));
    let list = folder.run(&["list", "--json"]).json();
    assert_eq!(list[0]["policy_mb"], 140); // 90 + 50
    folder.file("rightsizer.toml", "[policy]\nbufer_mb = 50\n");
    let output = import(&folder, &folder.file("other.txt", BEFORE));
    assert_eq!(output.code(), 1);
    assert!(output.err().contains("rightsizer.toml") && output.err().contains("bufer_mb"));
}

/// A good state before a bad line is not taken in either.
#[test]
fn a_bad_line_of_the_states_is_named_once_and_makes_no_store() {
    let full = Folder::new();
    assert_eq!(import(&full, &full.file("lines.txt", GOOD)).code(), 0);
    assert_eq!(full.run(&["to-flink", "states"]).code(), 0);
    let state = std::fs::read_to_string(full.path("states/states-0.txt")).unwrap();

    let folder = Folder::new();
    std::fs::create_dir(folder.path("states")).unwrap();
    folder.file("states/states-0.txt", format!("{state}#\n"));
    let output = folder.run(&["from-flink", "states"]);
    assert_eq!(output.code(), 1);
    assert_eq!(
        output.err(),
        "error: nothing was taken in: states/states-0.txt, line 2: not a line of `rightsizer to-flink`: Invalid symbol \
         35, offset 0.\n"
    );
    assert!(!folder.path("store.db").exists());
    folder.file("states/states-0.txt", state);
    assert_eq!(folder.run(&["from-flink", "states"]).code(), 0);
}
