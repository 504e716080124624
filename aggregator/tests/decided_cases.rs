//! Real inputs, imported as users would, and the decisions on them: one table of every case with
//! its expected result. The field cases are read from a folder beside the project, or from
//! `RIGHTSIZER_CASES`; fixtures and scenarios of the crates hold each kind as well.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A function's name, its size, the size it should have (`None`: it keeps its own), and a reason's code that
/// has to be among those given; `!` before it: must not be.
struct Right(&'static str, u32, Option<u32>, &'static str);

/// A file, settings, whether its functions are urgent, and what is right.
struct Case {
    file: &'static str,
    settings: &'static str,
    urgent: bool,
    right: &'static [Right],
}

const fn case(file: &'static str, right: &'static [Right]) -> Case {
    Case {
        file,
        settings: "",
        urgent: false,
        right,
    }
}

const fn urgent(file: &'static str, right: &'static [Right]) -> Case {
    Case {
        urgent: true,
        ..case(file, right)
    }
}

const CASES: &[Case] = &[
    case(
        "p01_flat_60_of_128.json",
        &[Right("p1-flat-60-of-128", 128, None, "no-danger")],
    ),
    case(
        "p02_monthly_spike.json",
        &[Right("p2-monthly-spike", 1024, None, "floor")],
    ),
    case(
        "p02b_monthly_spike_62.json",
        &[Right("p2b-monthly-spike-62", 1024, None, "floor")],
    ),
    case(
        "p03_power_tuning_run.json",
        &[Right("p3-power-tuning", 512, Some(280), "!failing")],
    ),
    urgent(
        "p05_oom_loop.json",
        &[Right("p5-oom-loop", 192, Some(292), "average-plus-buffer")],
    ),
    Case {
        settings: "[policy]\nmax_mb = 192\n",
        ..case(
            "p05_oom_loop.json",
            &[Right("p5-oom-loop", 192, None, "held-by-maximum")],
        )
    },
    urgent(
        "p06_large_files.json",
        &[Right("p6-large-files", 1024, Some(1229), "out-of-memory")],
    ),
    case(
        "p09_old_timeouts.json",
        &[Right(
            "p9-old-timeouts",
            256,
            Some(355),
            "average-plus-buffer",
        )],
    ),
    case(
        "p11_doubled_after_oom.json",
        &[Right("p11-doubled-after-oom", 2048, Some(800), "!failing")],
    ),
    case(
        "p12_gc_at_limit.json",
        &[Right("p12-edge-gc", 128, Some(227), "average-plus-buffer")],
    ),
    case(
        "p15_every_call_fails.json",
        &[Right("p15-broken", 512, None, "failing")],
    ),
    case(
        "p17_every_call_times_out.json",
        &[Right("p17-hanging", 2048, None, "failing")],
    ),
    case(
        "c06c_two_accounts_danger_hidden.csv",
        &[
            Right(
                "111111111111/checkout",
                256,
                Some(350),
                "average-plus-buffer",
            ),
            Right(
                "222222222222/checkout",
                3008,
                Some(400),
                "average-plus-buffer",
            ),
        ],
    ),
    urgent(
        "c13_oom_as_timeout.txt",
        &[Right("c13_oom_as_timeout.txt", 192, Some(292), "!failing")],
    ),
    urgent(
        "c14b_killed_below_limit.txt",
        &[Right(
            "c14b_killed_below_limit.txt",
            2688,
            Some(3226),
            "out-of-memory",
        )],
    ),
    case(
        "c15_exit_137.txt",
        &[Right("c15_exit_137.txt", 256, None, "failing")],
    ),
    case(
        "c15b_node_heap.txt",
        &[Right("c15b_node_heap.txt", 3008, None, "heap-limit")],
    ),
    case(
        "c19c_steampipe_two_functions.json",
        &[
            Right("small", 256, Some(352), "average-plus-buffer"),
            Right("large", 3008, Some(400), "average-plus-buffer"),
        ],
    ),
    case(
        "c27_leak_logs.json",
        &[Right("browser", 3008, Some(1052), "leak")],
    ),
    case(
        "c27_leak_records.jsonl",
        &[Right("browser", 3008, Some(1052), "leak")],
    ),
];

/// The folder of the field cases, if it exists.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases");
    let named = std::env::var_os("RIGHTSIZER_CASES").map(PathBuf::from);
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

fn rightsizer(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rightsizer"))
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is decided on a file: the lines of `list --json`.
fn decided(file: &Path, settings: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (store, config) = (of("store.db"), of("rightsizer.toml"));
    std::fs::write(&config, settings).unwrap();
    let file = file.to_str().unwrap();
    rightsizer(&["import", "--store", &store, "--config", &config, file]);
    let list = rightsizer(&["list", "--json", "--store", &store]);
    serde_json::from_str(&list).unwrap()
}

/// The errors in the decision; empty if there are none.
fn wrong(case: &Case, rows: &[Value]) -> String {
    let mut wrong = String::new();
    if rows.len() != case.right.len() {
        write!(wrong, "{} functions; ", rows.len()).unwrap();
    }
    for Right(name, now, to, reason) in case.right {
        let named = |row: &&Value| row["function"].as_str().unwrap().ends_with(name);
        let Some(row) = rows.iter().find(named) else {
            write!(wrong, "no {name}; ").unwrap();
            continue;
        };
        let codes: Vec<_> = row["reasons"].as_array().unwrap().iter().collect();
        let has = |code: &str| codes.iter().any(|reason| reason["code"] == code);
        let shown = reason
            .strip_prefix('!')
            .map_or_else(|| has(reason), |not| !has(not));
        let sizes = (row["current_mb"].as_u64(), row["to_mb"].as_u64());
        if sizes != (Some(u64::from(*now)), to.map(u64::from))
            || row["urgent"] != case.urgent
            || !shown
        {
            write!(wrong, "{name}: {row}; ").unwrap();
        }
    }
    wrong
}

#[test]
fn every_field_case_is_decided_right() {
    let Some(folder) = folder() else {
        println!("no field cases beside the project");
        return;
    };
    let mut failed = 0;
    for case in CASES {
        let rows = decided(&folder.join(case.file), case.settings);
        let wrong = wrong(case, &rows);
        let came: Vec<String> = rows
            .iter()
            .map(|row| {
                format!(
                    "{} {} → {}",
                    row["function"], row["current_mb"], row["to_mb"]
                )
            })
            .collect();
        let verdict = if wrong.is_empty() { "right" } else { "WRONG" };
        println!("{:<40} {verdict}  {} {}", case.file, came.join(", "), wrong);
        failed += u32::from(!wrong.is_empty());
    }
    assert_eq!(failed, 0, "cases that came out wrong");
}
