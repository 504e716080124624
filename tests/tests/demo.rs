//! `make demo`'s own program, run as a user would.

use std::path::Path;
use std::process::Command;

/// Recommendations by hand: the steady one 92 + 100; the spiky one ceil(1.10 × 870) = 957, its mean
/// (13 × 210 + 870) / 14 = 257.2 + 100 being below its own peak; the one that ran out at 256:
/// 256 + 100 = 356.
#[test]
fn the_demo_shows_the_numbers_computed_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--out")
        .arg(folder.path())
        .current_dir(root)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{out}\n{err}");
    let row = |name: &str| {
        let line = out.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("{name} is not in {out}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    // 92 + 100. What else this machine computes meanwhile counts as the function's own CPU time, for the
    // emulator has no machine of its own: then P6 stops at a larger size (552 MB beside two other test runs).
    let cleanup = row("session-cleanup ");
    assert_eq!(cleanup[1..3], ["1024", "92"]);
    let size: u32 = cleanup[3].parse().unwrap();
    assert!((192..1024).contains(&size), "{out}");
    assert_eq!(row("image-resize ")[1..4], ["1536", "870", "957"]);
    assert_eq!(row("payment-webhook ")[1..4], ["256", "256", "356"]);
    assert_eq!(row("local:report-lines.txt")[1..4], ["512", "377", "477"]);
    assert!(
        out.contains("59 accepted, 8 ignored (not evidence), 1 refused"),
        "{out}"
    );
    assert!(out.contains("sqlite3 -header -column"), "{out}");
}

#[test]
fn a_missing_file_is_reported_before_anything_runs() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--logs", "nowhere.txt", "--out", "/nonexistent/for/sure"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("there is no file nowhere.txt")
    );
}
