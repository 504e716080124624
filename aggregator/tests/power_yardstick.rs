//! `rightsizer simulate --power`: the names of its figures, and its errors for bad input.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn simulate(arguments: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rightsizer"))
        .args(["simulate", "--power", "-"])
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

const SIZES: [u32; 6] = [128, 256, 512, 1024, 1769, 3008];

/// Returns eight functions of 100 to 800 ms that wait and compute on one core, without noise.
fn fleet() -> String {
    let mut rows = "function,memory_mb,duration_ms\n".to_owned();
    for n in 1..=8 {
        let (wait, cpu) = (50.0 * f64::from(n), 12.5 * f64::from(9 - n));
        for size in SIZES {
            let ms = wait + cpu / (f64::from(size) / 1769.0).min(1.0);
            writeln!(rows, "f{n},{size},{ms:.3}").unwrap();
        }
    }
    rows
}

fn figures(arguments: &[&str], input: &str) -> Value {
    let output = simulate(&[arguments, &["--json"]].concat(), input);
    let err = text(output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {err}"))
}

#[test]
fn the_json_has_every_figure() {
    let two = figures(&["--known", "2"], &fleet());
    // 8 functions × 15 choices of 2 of 6 sizes × 4 others.
    assert_eq!(
        (&two["known"], &two["pairs"], &two["refused"]),
        (&2.into(), &480.into(), &0.0.into())
    );
    for key in [
        "mean_error",
        "median_error",
        "cost_regret_mean",
        "cost_regret_p90",
        "balanced_regret_mean",
        "coverage_90",
        "interval_score",
        "constant_interval_score",
    ] {
        assert!(two[key].is_f64(), "{key} in {two}");
    }
    for direction in ["down", "between", "up"] {
        assert!(two[direction]["mean"].is_f64() && two[direction]["median"].is_f64());
    }
    let one = figures(&["--known", "1"], &fleet());
    assert_eq!(one["between"]["mean"], Value::Null);
}

/// Eight functions with different CPU shares, without noise, each predicted with a prior from seven others. The bounds
/// are 1.5 times the measured errors at the time of writing.
#[test]
fn a_fleet_of_one_kind_is_predicted() {
    let two = figures(&["--known", "2"], &fleet());
    let error = |key: &str| two[key]["median"].as_f64().unwrap();
    assert!(
        error("between") < 0.045 && error("up") < 0.08 && error("down") < 0.15,
        "{two}"
    );
    assert!(two["cost_regret_mean"].as_f64().unwrap() < 0.01, "{two}");
    assert!(two["coverage_90"].as_f64().unwrap() >= 0.85, "{two}");
}

/// A function with a copy is predicted from the others only, like a function without a copy.
#[test]
fn no_curve_predicts_itself_by_its_copy() {
    let odd = [900.0, 850.0, 400.0, 350.0, 340.0, 100.0];
    let row = |name: &str| {
        let rows = SIZES
            .iter()
            .zip(odd)
            .map(|(size, ms)| format!("{name},{size},{ms}\n"));
        rows.collect::<String>()
    };
    let with_copy = figures(&["--known", "2"], &(fleet() + &row("odd") + &row("copy")));
    assert_eq!(with_copy["duplicates"], serde_json::json!(["copy"]));
    let alone = figures(&["--known", "2"], &(fleet() + &row("odd")));
    // 60 of 540 pairs are the odd one's, then 120 of 600 in the same way.
    let errors =
        |report: &Value| report["mean_error"].as_f64().unwrap() * report["pairs"].as_f64().unwrap();
    let fleet_only = errors(&figures(&["--known", "2"], &fleet()));
    let (once, twice) = (errors(&alone) - fleet_only, errors(&with_copy) - fleet_only);
    assert!((twice / once - 2.0).abs() < 0.2, "{once} {twice}");
}

/// 115 of 128 MB in use are 90 %: nothing is extrapolated to there from above. 8 functions × (5 of 6 sizes
/// known) of 8 × 30 pairs.
#[test]
fn a_size_that_memory_fills_is_refused() {
    let mut input = String::new();
    for line in fleet().lines() {
        let used = if line.starts_with("function") {
            "max_used_mb"
        } else {
            "116"
        };
        writeln!(input, "{line},{used}").unwrap();
    }
    let one = figures(&["--known", "1"], &input);
    let share = |key: &str| one[key].as_f64().unwrap();
    assert!((share("refused") - 5.0 / 30.0).abs() < 1e-9, "{one}");
    // It was as full when it ran there, so each is refused with reason.
    assert!(share("refused_in_vain") < 1e-9, "{one}");
    let roomy = input.replace("f1,128,1432.031,116", "f1,128,1432.031,90");
    let roomy = figures(&["--known", "1"], &roomy);
    let in_vain = roomy["refused_in_vain"].as_f64().unwrap();
    assert!((in_vain - 5.0 / 240.0).abs() < 1e-9, "{roomy}");
}

#[test]
fn bad_rows_are_refused_with_line_and_reason_and_the_others_count() {
    let head = fleet().replacen("duration_ms", "duration_ms,cpu_ms,count", 1);
    let mut input = head.lines().next().unwrap().to_owned() + "\n";
    head.lines()
        .skip(1)
        .for_each(|line| writeln!(input, "{line},,").unwrap());
    let bad = [
        (
            "f,128,0,,",
            "line 50: duration_ms 0 is not the duration of an invocation",
        ),
        (
            "f,128,NaN,,",
            "line 51: duration_ms \"NaN\" is not a number",
        ),
        ("f,128,-5,,", "line 52: duration_ms -5 is not"),
        ("f,128,5,-1,", "line 53: cpu_ms -1 is not between 0 and"),
        (
            "f,127,5,,",
            "line 54: memory_mb 127 is not a size that Lambda has: 128 to 10240 MB",
        ),
        ("f,10241,5,,", "line 55: memory_mb 10241"),
        (
            "f,128.5,5,,",
            "line 56: memory_mb 128.5 is not a whole number",
        ),
        (",128,5,,", "line 57: the function has no name"),
        (
            "f,128,5,,0",
            "line 58: count 0 is not a number of invocations",
        ),
        ("f,128,5", "line 59: row of 3 fields under a header of 5"),
        ("f,128,99999999,,", "line 60: duration_ms 99999999 is not"),
    ];
    bad.iter()
        .for_each(|(row, _)| writeln!(input, "{row}").unwrap());
    let output = simulate(&["--known", "2"], &input);
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}");
    for (_, reason) in bad {
        assert!(err.contains(reason), "{reason} in {err}");
    }
    assert!(out.contains("from 48 rows; 11 refused"), "{out}");
}

#[test]
fn an_unusable_input_has_a_reason_and_a_hint() {
    for (known, input, reason) in [
        (
            "1",
            "",
            "error: standard input: it is empty; expected a header with function, memory_mb and duration_ms",
        ),
        ("1", "function,memory_mb\nf,128\n", "duration_ms is not in"),
        (
            "1",
            "function,memory_mb,duration_ms,count,count\n",
            "count is more than once",
        ),
        (
            "1",
            "function,memory_mb,duration_ms\nf,128,0\n",
            "no row of standard input can be used",
        ),
        (
            "1",
            "function,memory_mb,duration_ms\nf,128,5\n",
            "rows at 2 memory sizes or more",
        ),
        ("6", &fleet(), "measured at more than 6 memory sizes"),
    ] {
        let output = simulate(&["--known", known, "--json"], input);
        let err = text(output.stderr);
        assert_eq!(output.status.code(), Some(1), "{input:?}");
        assert!(err.contains(reason), "{reason} in {err}");
        assert!(output.stdout.is_empty());
    }
    for arguments in [&["--known", "0"][..], &[], &["--known", "x"]] {
        assert_eq!(simulate(arguments, &fleet()).status.code(), Some(2));
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["simulate", "--known", "1", "--power"];
    let output = Command::new(env!("CARGO_BIN_EXE_rightsizer"))
        .args(arguments)
        .arg(folder.path())
        .output()
        .unwrap();
    let err = text(output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err.matches("Is a directory").count(), 1, "{err}");
}

/// Ten times as slow with twice the memory: no prediction rests on both. They are listed as noise.
#[test]
fn sizes_that_contradict_each_other_are_named() {
    let odd = "odd,128,20\nodd,256,20\nodd,512,400\n";
    let two = figures(&["--known", "2"], &(fleet() + odd));
    assert_eq!(two["noisy"], serde_json::json!(["odd"]));
    // Of the odd one's three choices two hold 512 MB, with one other size each.
    assert!(
        (two["refused"].as_f64().unwrap() - 2.0 / 483.0).abs() < 1e-9,
        "{two}"
    );
}

/// What one half of a fleet teaches predicts the other half; without any lesson the errors are larger.
#[test]
fn a_prior_from_a_file_predicts_other_functions() {
    let folder = tempfile::tempdir().unwrap();
    let all = fleet();
    let half = |names: &[&str]| {
        let wanted = |line: &&str| names.iter().any(|name| line.starts_with(name));
        let rows = all.lines().filter(wanted).map(|line| format!("{line}\n"));
        "function,memory_mb,duration_ms\n".to_owned() + &rows.collect::<String>()
    };
    let (teaches, asked) = (
        half(&["f1,", "f3,", "f5,", "f7,"]),
        half(&["f2,", "f4,", "f6,", "f8,"]),
    );
    let error = |name: &str, prior: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, prior).unwrap();
        let file = file.display().to_string();
        let one = figures(&["--known", "1", "--prior", &file], &asked);
        one["mean_error"].as_f64().unwrap()
    };
    let learnt = simulate(&["--learn"], &teaches).stdout;
    let nothing = simulate(&["--learn"], "function,memory_mb,duration_ms\nf,128,5\n").stdout;
    let (taught, untaught) = (error("learnt.csv", &learnt), error("nothing.csv", &nothing));
    assert!(taught < untaught, "{taught} {untaught}");
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "no prior").unwrap();
    let bad = bad.display().to_string();
    let refused = simulate(&["--known", "1", "--prior", &bad], &asked);
    let err = text(refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        err.contains("line 1 of the prior: it has no weight") && err.contains("hint: "),
        "{err}"
    );
}
