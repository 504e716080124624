//! `rightsizer simulate`: the loop by hand-computed series, its input, and its figures' names.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use rightsizer_records::Day;
use serde_json::Value;

/// Runs `simulate` on standard input, in a folder without settings.
fn simulate(arguments: &[&str], input: &[u8]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rightsizer"))
        .arg("simulate")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// One series from 2026-01-01 on; `None` is a day without a row.
fn series(days: impl IntoIterator<Item = Option<f64>>) -> String {
    let first = Day::parse("2026-01-01").unwrap();
    let mut rows = "series,date,peak_mb\n".to_owned();
    for (n, peak) in (0..).zip(days) {
        if let Some(peak) = peak {
            rows.push_str(&format!("f,{},{peak}\n", first.plus(n)));
        }
    }
    rows
}

fn figures(policy: &str, regime: &str, arguments: &[&str], input: &str) -> Value {
    let arguments = [&["-", "--json"], arguments].concat();
    let output = simulate(&arguments, input.as_bytes());
    let err = String::from_utf8(output.stderr).unwrap();
    let all: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {err}"));
    let wanted = |m: &&Value| m["policy"] == policy && m["regime"] == regime;
    all.iter().find(wanted).unwrap().clone()
}

fn close(value: &Value, wanted: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - wanted).abs() < 1e-9, "{value}, wanted {wanted}");
}

const STEADY: [Option<f64>; 14] = [Some(1000.0); 14];

/// 14 days at 1000 warm up. Day 15: decided 1.15 × 1000 = 1150, demand 1000. Day 16: the demand of
/// 2000 is not known in the morning; 1150, 1380, 1656 and 1988 (1.2 × 1656 = 1987.2) run out, 2386
/// (2385.6) holds. Day 17: 1.15 × 2000 = 2300 is 3.6 % below 2386, within the dead band; demand 1000.
/// One OOM-day of three, four events; (1150 + 2386 + 2386) ÷ (1000 + 2000 + 1000) = 1.4805; one
/// change in three days is ten in thirty.
#[test]
fn a_decision_knows_only_the_days_before_it_and_an_oom_bumps_at_once() {
    let input = series(STEADY.into_iter().chain([1000.0, 2000.0, 1000.0].map(Some)));
    let daily = figures("peak-plus-margin", "daily", &[], &input);
    assert_eq!(daily["days"], 3);
    assert_eq!(
        (&daily["oom_days"], &daily["oom_events"]),
        (&1.into(), &4.into())
    );
    close(&daily["oom_days_pct"], 100.0 / 3.0);
    close(&daily["allocated_over_used"], 5922.0 / 4000.0);
    close(&daily["median_allocated_over_used"], 5922.0 / 4000.0);
    close(&daily["changes_per_30d"], 10.0);
    // Without a dead band day 17 has 2300, a second change.
    let free = figures("peak-plus-margin", "daily", &["--dead-band", "0"], &input);
    close(&free["allocated_over_used"], 5836.0 / 4000.0);
    close(&free["changes_per_30d"], 20.0);
}

/// Day 15 is without invocations, day 16 uses 400. Before day 17 the window, days 3 to 16, has 13
/// active days: (12 × 1000 + 400) ÷ 13 = 953.8, up to 954, + 100 = 1054. Averaging the idle day
/// would give 886 + 100 and an OOM at 1000. (1100 + 1054) ÷ (400 + 1000).
#[test]
fn w6_idle_days_pass_and_are_not_averaged() {
    let input = series(STEADY.into_iter().chain([None, Some(400.0), Some(1000.0)]));
    let zero_band = ["--dead-band", "0"];
    let daily = figures("average-plus-buffer", "daily", &zero_band, &input);
    assert_eq!((&daily["days"], &daily["oom_days"]), (&2.into(), &0.into()));
    close(&daily["allocated_over_used"], 2154.0 / 1400.0);
    // Gaps closed up, day 16's row is day 15's: the window before the last row is rows 2 to 15:
    // (13 × 1000 + 400) ÷ 14 = 957.1, up to 958, + 100 = 1058.
    let closed = ["--dead-band", "0", "--gaps", "closed"];
    let closed = figures("average-plus-buffer", "daily", &closed, &input);
    close(&closed["allocated_over_used"], 2158.0 / 1400.0);
}

/// Two weeks without a row empty the window: there is nothing to decide on, so the size stays. The
/// last size was decided on a window that held day 14 alone: 1.15 × 1000 = 1150.
#[test]
fn an_empty_window_changes_nothing() {
    let idle = [None; 20];
    let input = series(STEADY.into_iter().chain(idle).chain([Some(1100.0)]));
    let daily = figures("peak-plus-margin", "daily", &[], &input);
    assert_eq!((&daily["days"], &daily["oom_days"]), (&1.into(), &0.into()));
    close(&daily["allocated_over_used"], 1150.0 / 1100.0);
}

/// Decided on day 15 for two weeks: 1150. Days 16 and 17 demand 2000: each runs out again, because
/// the bump (2386, four sizes ran out) ends with its day. Day 29 decides again: 2300. As the
/// product decides, with its memory of sizes that ran out, day 17 is not an OOM-day.
#[test]
fn once_per_window_a_bump_ends_with_its_day_unless_it_is_remembered() {
    let calm = [Some(1000.0); 11];
    let days = STEADY
        .into_iter()
        .chain([1000.0, 2000.0, 2000.0].map(Some))
        .chain(calm)
        .chain([Some(2000.0)]);
    let input = series(days);
    let held = figures("peak-plus-margin", "once-per-window", &[], &input);
    assert_eq!(
        (&held["oom_days"], &held["oom_events"]),
        (&2.into(), &8.into())
    );
    // 12 × 1150 + 2 × 2386 + 2300 over 12 × 1000 + 3 × 2000.
    close(&held["allocated_over_used"], 20_872.0 / 18_000.0);
    let product = figures("as-configured", "once-per-window", &[], &input);
    assert_eq!(product["oom_days"], 1);
}

/// 200 MB daily and 900 every 30 days, two years. First seen in the warm-up, it is never an OOM: the
/// floor remembers 35 days. First seen later, it is one OOM-day (300 MB, unforeseeable), never again.
#[test]
fn p2_p3_a_monthly_job_does_not_run_out_twice() {
    for (offset, wanted) in [(0, 0), (5, 0), (14, 1), (29, 1)] {
        let days = (0..730).map(|day| Some(if day % 30 == offset { 900.0 } else { 200.0 }));
        let input = series(days);
        for regime in ["daily", "once-per-window"] {
            let product = figures("as-configured", regime, &[], &input);
            assert_eq!(product["oom_days"], wanted, "{regime}, offset {offset}");
        }
    }
}

/// 900 every 90 days is longer ago than the floor's 35 days, but a size that ran out is remembered for
/// 400: days 20 and, after 420, 470 are OOM-days, the six others are not.
#[test]
fn p3_a_quarterly_job_runs_out_once_in_400_days() {
    let days = (0..730).map(|day| Some(if day % 90 == 20 { 900.0 } else { 200.0 }));
    let input = series(days);
    for regime in ["daily", "once-per-window"] {
        let product = figures("as-configured", regime, &[], &input);
        assert_eq!(product["oom_days"], 2, "{regime}");
    }
}

/// No size holds 20000: it counts as a demand of 10240, which the bumps reach.
#[test]
fn p4_what_no_size_can_hold_is_not_held_against_a_policy() {
    let input = series(STEADY.into_iter().chain([Some(20_000.0), Some(20_000.0)]));
    let daily = figures("peak-plus-margin", "daily", &[], &input);
    assert_eq!(daily["oom_days"], 1);
    close(&daily["allocated_over_used"], 1.0);
}

#[test]
fn the_json_is_one_object_a_policy_and_regime() {
    let output = simulate(&["-", "--json"], series([Some(200.0); 20]).as_bytes());
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    for regime in ["daily", "once-per-window"] {
        let of_regime = all.iter().filter(|m| m["regime"] == regime);
        let names: Vec<&str> = of_regime.map(|m| m["policy"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "as-configured",
                "average-plus-buffer",
                "highest-peak",
                "peak-plus-margin",
                "peak-plus-10-percent-or-100-mb",
                "percentile",
                "autopilot",
                "recurring-peak"
            ]
        );
    }
    let keys: Vec<&String> = all[0].as_object().unwrap().keys().collect();
    for key in [
        "policy",
        "regime",
        "oom_days_pct",
        "allocated_over_used",
        "median_allocated_over_used",
        "changes_per_30d",
        "oom_days",
        "oom_events",
    ] {
        assert!(keys.iter().any(|k| *k == key), "{key}");
    }
}

#[test]
fn bad_rows_are_refused_with_line_and_reason_and_the_others_count() {
    let mut input = "peak_mb,host,date,Series\n".to_owned();
    let first = Day::parse("2026-01-01").unwrap();
    (0..20).for_each(|n| input.push_str(&format!("200,x,{},\"f,1\"\n", first.plus(n))));
    let bad = [
        (
            "200,x,2026-02-30,g",
            "line 22: date \"2026-02-30\" is not YYYY-MM-DD",
        ),
        (
            "-1,x,2026-02-01,g",
            "line 23: peak_mb \"-1\" is not a number of MB",
        ),
        ("NaN,x,2026-02-01,g", "line 24: peak_mb \"NaN\""),
        ("1e300,x,2026-02-01,g", "line 25: peak_mb \"1e300\""),
        (",x,2026-02-01,g", "line 26: peak_mb \"\""),
        ("200,x,2026-02-01,", "line 27: the series has no name"),
        (
            "200,x,2026-02-01",
            "line 28: row of 3 fields under a header of 4",
        ),
        ("200,\"x,2026-02-01,g", "line 29: a quote is not closed"),
        (
            "200,x,2026-01-01,\"f,1\"",
            "line 30: 2026-01-01 of series \"f,1\" is repeated",
        ),
    ];
    bad.iter()
        .for_each(|(row, _)| input.push_str(&format!("{row}\n")));
    input.push_str(&format!("{},x,2026-02-01,g\n\n", "2".repeat(70_000)));
    let output = simulate(&["-"], input.as_bytes());
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(0), "{err}");
    for (_, reason) in bad {
        assert!(err.contains(reason), "{reason} in {err}");
    }
    assert!(
        err.contains("line 31: line of more than 65536 bytes"),
        "{err}"
    );
    assert!(
        out.contains("1 of 1 series measured on 6 days, from 20 rows; 10 refused"),
        "{out}"
    );
}

#[test]
fn a_file_that_cannot_be_used_at_all_is_reported_with_the_reason() {
    let short = series([Some(200.0); 14]);
    for (input, reason) in [
        ("", "is empty"),
        ("series,date\nf,2026-01-01\n", "peak_mb is not in"),
        ("series,date,peak_mb,date\n", "date is more than once"),
        (
            "series,date,peak_mb\nf,today,1\n",
            "no row of standard input can be used",
        ),
        (&short, "use a smaller --warm-up DAYS"),
    ] {
        let output = simulate(&["-", "--json"], input.as_bytes());
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{input:?}");
        assert!(err.contains(reason), "{reason} in {err}");
        assert!(output.stdout.is_empty());
    }
    let output = simulate(&["nowhere.csv"], b"");
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("cannot open nowhere.csv"), "{err}");
    assert_eq!(simulate(&[], b"").status.code(), Some(2));
}

#[test]
fn gzip_is_unpacked_and_one_that_is_cut_off_counts_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let plain = series((0..4000).map(|n| Some(f64::from(200 + n % 7))));
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(plain.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let path = folder.path().join("days.csv.gz");
    std::fs::write(&path, &gz).unwrap();
    let whole = simulate(&[path.to_str().unwrap(), "--json"], b"");
    let unpacked = simulate(&["-", "--json"], plain.as_bytes());
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(whole.stdout, unpacked.stdout);
    let cut = simulate(&["-"], &gz[..gz.len() / 2]);
    let err = String::from_utf8(cut.stderr).unwrap();
    assert_eq!(cut.status.code(), Some(0), "{err}");
    assert!(err.contains("cannot be read further"), "{err}");
}
