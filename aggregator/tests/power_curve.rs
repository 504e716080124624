//! `rightsizer curve` and `coldstarts` as people and programs run them, and the prior that `simulate` learns.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn rightsizer(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rightsizer"))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns a record of 60 invocations of a function on one day, of which the first waited 500 ms for a start.
fn record(size: u32, duration_ms: f64, day: u32) -> Value {
    let rows: Vec<Value> = (0..60)
        .map(|n| {
            let init = if n == 0 { json!(500) } else { Value::Null };
            json!([n * 5000, 90, duration_ms, duration_ms.ceil(), 0, init])
        })
        .collect();
    json!({
        "v": 1, "kind": "reports", "version": "$LATEST", "memory_mb": size, "seq": 0, "total": 60,
        "function": "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
        "env": format!("{:x}", size * 100 + day), "t0": format!("2026-01-{day:02}T10:00:00.000Z"), "reports": rows,
    })
}

/// A store with a function that waits 100 ms and computes 40: 653 ms at 128 MB, 376 at 256, 169 at 1024.
fn store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let records = [(128, 652.8, 28), (256, 376.4, 29), (1024, 169.1, 30)];
    let lines = records.map(|(size, ms, day)| record(size, ms, day).to_string());
    fs::write(folder.path().join("reports.jsonl"), lines.join("\n") + "\n").unwrap();
    out(&rightsizer(&folder, &["import", "reports.jsonl"]));
    folder
}

#[test]
fn the_json_of_a_curve_has_its_keys() {
    let folder = store();
    let curve: Value =
        serde_json::from_str(&out(&rightsizer(&folder, &["curve", "checkout", "--json"]))).unwrap();
    assert_eq!(curve["known_sizes"], json!([128, 256, 1024]));
    assert_eq!(
        (&curve["version"], &curve["now_mb"]),
        (&json!("$LATEST"), &json!(1024))
    );
    for key in [
        "function", "safe_mb", "points", "best", "model", "offers", "advice",
    ] {
        assert!(!curve[key].is_null(), "{key} in {curve}");
    }
    for objective in ["cost", "balanced", "speed"] {
        assert!(curve["best"][objective].is_u64(), "{objective} in {curve}");
    }
    for parameter in ["wait_ms", "cpu_ms", "cores"] {
        assert!(curve["model"][parameter].is_f64(), "{parameter} in {curve}");
    }
    let points = curve["points"].as_array().unwrap();
    let at = |size: u32| {
        points
            .iter()
            .find(|point| point["memory_mb"] == size)
            .unwrap()
    };
    for key in [
        "p50_ms",
        "p95_ms",
        "p50_low",
        "p50_high",
        "p95_low",
        "p95_high",
        "monthly_usd",
        "usd_low",
        "usd_high",
    ] {
        assert!(at(512)[key].is_f64(), "{key} in {}", at(512));
    }
    // 100 + 40 × 1769 ÷ 512 = 238.2.
    let middle = at(512)["p50_ms"].as_f64().unwrap();
    assert!((middle / 238.2 - 1.0).abs() < 0.08, "{middle}");
    assert_eq!(
        (&at(512)["basis"], &at(256)["basis"]),
        (&json!("between"), &json!("measured"))
    );
}

/// A function that waits: 160 ms in the night and 100 by day, at any size. It has 512 MB for a week, and 1024 MB in the
/// night after. Both sizes are equally fast, and so neither is worth more money.
#[test]
fn sizes_that_ran_at_different_hours_are_compared_at_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let of_hour = |size: u32, day: u32, hour: u32| {
        let mut record = record(size, if hour < 6 { 160.0 } else { 100.0 }, day);
        record["env"] = json!(format!("{:x}", size * 10_000 + day * 100 + hour));
        record["t0"] = json!(format!("2026-01-{day:02}T{hour:02}:10:00.000Z"));
        record.to_string() + "\n"
    };
    let week = (5..12).flat_map(|day| (0..24).map(move |hour| (512, day, hour)));
    let night = (0..6).map(|hour| (1024, 12, hour));
    let lines = week
        .chain(night)
        .map(|(size, day, hour)| of_hour(size, day, hour));
    fs::write(
        folder.path().join("reports.jsonl"),
        lines.collect::<String>(),
    )
    .unwrap();
    out(&rightsizer(&folder, &["import", "reports.jsonl"]));
    let curve: Value =
        serde_json::from_str(&out(&rightsizer(&folder, &["curve", "checkout", "--json"]))).unwrap();
    let points = curve["points"].as_array().unwrap();
    let p50 = |size: u32| {
        let point = points.iter().find(|point| point["memory_mb"] == size);
        point.unwrap()["p50_ms"].as_f64().unwrap()
    };
    assert!((p50(1024) / p50(512) - 1.0).abs() < 0.015, "{curve}");
    let hours = &curve["hours"];
    assert_eq!(
        (&hours[0]["memory_mb"], &hours[1]["memory_mb"]),
        (&json!(512), &json!(1024))
    );
    let factor = hours[1]["factor"].as_f64().unwrap();
    assert!((factor - 100.0 / 160.0).abs() < 0.01, "{curve}");
    let text = out(&rightsizer(&folder, &["curve", "checkout"]));
    assert!(text.contains("compared at the same hours"), "{text}");
    let shown: Value =
        serde_json::from_str(&out(&rightsizer(&folder, &["show", "checkout", "--json"]))).unwrap();
    let sizes = shown["sizes"].as_array().unwrap();
    let large = sizes.iter().find(|size| size["memory_mb"] == 1024).unwrap();
    let median = large["durations"]["p50_ms"].as_f64().unwrap();
    assert!((median - 160.0).abs() < 1.0, "{large}");
    assert!(
        (large["hours_factor"].as_f64().unwrap() - factor).abs() < 1e-9,
        "{large}"
    );
}

#[test]
fn people_get_a_picture_and_objectives_side_by_side() {
    let folder = store();
    let text = out(&rightsizer(&folder, &["curve", "checkout"]));
    for word in ["● measured", "OBJECTIVE", "balanced", "3008", "between"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let shown = out(&rightsizer(&folder, &["show", "checkout"]));
    assert!(shown.contains("Power, see `rightsizer curve`"), "{shown}");
    let address = out(&rightsizer(&folder, &["curve", "checkout", "--chart-url"]));
    assert!(
        address.starts_with("https://lambda-power-tuning.show/#")
            && address.matches(';').count() == 2
    );
}

/// 90 MB in use and a buffer of 100 are 190 MB (P1). What P9 chooses does not change that.
#[test]
fn the_safe_size_is_the_same_with_every_objective() {
    let curve = |objective: &str| -> Value {
        let folder = tempfile::tempdir().unwrap();
        let lines = [(512, 1000.0, 28), (1024, 500.0, 29), (2048, 300.0, 30)]
            .map(|(size, ms, day)| record(size, ms, day).to_string());
        fs::write(folder.path().join("reports.jsonl"), lines.join("\n") + "\n").unwrap();
        let settings = format!("[power]\nobjective = \"{objective}\"\n");
        fs::write(folder.path().join("rightsizer.toml"), settings).unwrap();
        out(&rightsizer(&folder, &["import", "reports.jsonl"]));
        let row: Value =
            serde_json::from_str(&out(&rightsizer(&folder, &["list", "--json"]))).unwrap();
        let target = row[0]["target_mb"].as_u64();
        assert!(objective != "balanced" || target > Some(190), "{row}");
        serde_json::from_str(&out(&rightsizer(&folder, &["curve", "checkout", "--json"]))).unwrap()
    };
    let memory = curve("memory");
    assert_eq!(memory["safe_mb"], 190);
    for objective in ["balanced", "cost", "speed"] {
        let other = curve(objective);
        assert_eq!(
            (&other["safe_mb"], &other["best"]),
            (&memory["safe_mb"], &memory["best"])
        );
    }
}

/// Functions that could be faster for the same money come first, those that could not last.
#[test]
fn the_list_has_an_order_by_power() {
    let folder = store();
    for arguments in [
        &["list", "--by", "power"][..],
        &["list", "--by", "power", "--json"],
    ] {
        assert!(out(&rightsizer(&folder, arguments)).contains("checkout"));
    }
}

/// Three of 180 invocations waited 500 ms for a start.
#[test]
fn cold_starts_are_counted_by_size() {
    let folder = store();
    let all: Value =
        serde_json::from_str(&out(&rightsizer(&folder, &["coldstarts", "--json"]))).unwrap();
    let starts = all[0]["starts"].as_array().unwrap();
    assert_eq!(starts.len(), 3, "{all}");
    assert!(
        starts
            .iter()
            .all(|start| start["starts"] == 1 && start["invocations"] == 60),
        "{all}"
    );
    let text = out(&rightsizer(&folder, &["coldstarts", "checkout"]));
    assert!(
        text.contains("1.7 % of 60 invocations started cold"),
        "{text}"
    );
}

/// Version 7 appears at 10:00 on the second day. Its environments of 10:00 and 11:00 take 8 s to start, that of the next
/// day 1 s.
#[test]
fn the_first_hours_of_a_version_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let started = |version: &str, (day, hour): (u32, u32), init_ms: u32| {
        let mut record = record(512, 100.0, day);
        record["version"] = json!(version);
        record["env"] = json!(format!("{:x}", day * 100 + hour));
        record["t0"] = json!(format!("2026-01-{day:02}T{hour:02}:00:00.000Z"));
        record["reports"][0][5] = json!(init_ms);
        record.to_string() + "\n"
    };
    let records = [
        started("6", (27, 10), 900),
        started("7", (28, 10), 8000),
        started("7", (28, 11), 8000),
        started("7", (29, 10), 1000),
    ];
    fs::write(folder.path().join("reports.jsonl"), records.concat()).unwrap();
    out(&rightsizer(&folder, &["import", "reports.jsonl"]));
    let all = out(&rightsizer(&folder, &["coldstarts", "--json"]));
    let all: Value = serde_json::from_str(&all).unwrap();
    let starts = all[0]["starts"].as_array().unwrap();
    let of = |version| {
        starts
            .iter()
            .find(|start| start["version"] == version)
            .unwrap()
    };
    assert!(of("6")["first_hours"].is_null(), "{all}");
    let hours = &of("7")["first_hours"];
    let counts = (&hours["first"]["count"], &hours["later"]["count"]);
    assert_eq!(counts, (&json!(2), &json!(1)), "{all}");
    let text = out(&rightsizer(&folder, &["coldstarts"]));
    assert!(
        text.contains("in the first 2 hours after the deployment 8.0"),
        "{text}"
    );
}

/// Two attempts of init time out before the invocation that repeats it.
#[test]
fn starts_that_failed_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let failed = "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout\n";
    let report = |n: u32| {
        format!(
            "REPORT RequestId: {n:08}-0000-4000-8000-000000000000\tDuration: 100.50 ms\tBilled Duration: 101 ms\t\
             Memory Size: 512 MB\tMax Memory Used: 90 MB\n"
        )
    };
    let lines = [failed, failed, &report(1), &report(2)].concat();
    fs::write(folder.path().join("log.txt"), lines).unwrap();
    out(&rightsizer(&folder, &["import", "log.txt"]));
    let all = out(&rightsizer(&folder, &["coldstarts", "--json"]));
    let all: Value = serde_json::from_str(&all).unwrap();
    let start = &all[0]["starts"][0];
    assert_eq!(start["failed_inits"]["count"], 2, "{all}");
    assert_eq!(
        (&start["starts"], &start["invocations"]),
        (&json!(0), &json!(2))
    );
    let text = out(&rightsizer(&folder, &["coldstarts"]));
    assert!(
        text.contains("init failed 2 times, half of them after"),
        "{text}"
    );
    let shown = out(&rightsizer(&folder, &["show", "log.txt"]));
    assert!(shown.contains("2 of 2 starts failed"), "{shown}");
}

#[test]
fn a_function_without_a_curve_has_a_reason() {
    let folder = store();
    let refused = |arguments: &[&str]| {
        let output = rightsizer(&folder, arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["curve", "checkot"]).contains("no function \"checkot\""));
    // Five invocations are too few.
    let mut few = record(512, 100.0, 30);
    few["function"] = json!("arn:aws:lambda:eu-west-1:123456789012:function:rare");
    let rows = few["reports"].as_array().unwrap()[..5].to_vec();
    few["reports"] = json!(rows);
    few["total"] = json!(5);
    fs::write(folder.path().join("rare.jsonl"), few.to_string() + "\n").unwrap();
    out(&rightsizer(&folder, &["import", "rare.jsonl"]));
    let error = refused(&["curve", "rare"]);
    assert!(
        error.contains("rare has no power curve") && error.contains("at least 10 invocations"),
        "{error}"
    );
}

/// 100 ms at 256 MB and 5 s at 1024 are not the same work, so there is no curve, no model and no address of a chart.
#[test]
fn sizes_that_contradict_each_other_have_a_reason_instead_of_a_curve() {
    let folder = tempfile::tempdir().unwrap();
    let records = [(256, 100.0, 29), (1024, 5000.0, 30)];
    let lines = records.map(|(size, ms, day)| record(size, ms, day).to_string());
    fs::write(folder.path().join("reports.jsonl"), lines.join("\n") + "\n").unwrap();
    out(&rightsizer(&folder, &["import", "reports.jsonl"]));
    let why = "took over ten times as long as 256 MB";
    let text = out(&rightsizer(&folder, &["curve", "checkout"]));
    assert!(text.contains(why), "{text}");
    for word in ["measured", "a month", "it waits about", "OBJECTIVE"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    let shown = out(&rightsizer(&folder, &["show", "checkout"]));
    assert!(
        shown.contains("no size has an estimate") && !shown.contains("OBJECTIVE"),
        "{shown}"
    );
    let refused = rightsizer(&folder, &["curve", "checkout", "--chart-url"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.status.code() == Some(1) && error.contains(why),
        "{error}"
    );
}

/// Ten of 40 invocations waited 250 ms for a restore, which is billed by size, or for init, which is billed by time.
#[test]
fn restores_are_apart_from_init_and_have_no_cost() {
    let starts = |first: &str| -> Value {
        let folder = tempfile::tempdir().unwrap();
        let other = "Billed Duration: 101 ms";
        let lines = (0..40).map(|n| {
            let rest = if n < 10 { first } else { other };
            format!(
                "REPORT RequestId: {n:08}-0000-4000-8000-000000000000\tDuration: 100.50 ms\t\
                 Memory Size: 512 MB\tMax Memory Used: 90 MB\t{rest}\n"
            )
        });
        fs::write(folder.path().join("snap.txt"), lines.collect::<String>()).unwrap();
        out(&rightsizer(&folder, &["import", "snap.txt"]));
        let all = out(&rightsizer(&folder, &["coldstarts", "--json"]));
        let all: Value = serde_json::from_str(&all).unwrap();
        all[0]["starts"][0].clone()
    };
    let restores = starts(
        "Billed Duration: 101 ms\tRestore Duration: 250.00 ms\tBilled Restore Duration: 60 ms",
    );
    assert_eq!(restores["starts"], 10);
    assert_eq!(restores["restores"]["count"], 10);
    assert!(restores["inits"].is_null(), "{restores}");
    assert!(
        restores["monthly_usd"].is_null() && restores["billed_share"].is_null(),
        "{restores}"
    );
    let inits = starts("Billed Duration: 351 ms\tInit Duration: 250.00 ms");
    assert!(inits["monthly_usd"].as_f64() > Some(0.0), "{inits}");
    assert_eq!(inits["inits"]["count"], 10);
    assert!(inits["restores"].is_null(), "{inits}");
}

#[test]
fn a_prior_is_learnt_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "function,memory_mb,duration_ms\nf,128,1000\nf,256,500\nf,512,250\ng,128,99\ng,256,98\ng,512,98\n";
    fs::write(folder.path().join("runs.csv"), rows).unwrap();
    let prior = out(&rightsizer(
        &folder,
        &["simulate", "--power", "runs.csv", "--learn"],
    ));
    assert!(prior.starts_with("cpu_share,cores,overlap,burst,deviation,model_deviation,weight\n"));
    let both = rightsizer(
        &folder,
        &["simulate", "--power", "runs.csv", "--learn", "--known", "1"],
    );
    assert_eq!(both.status.code(), Some(2));
}

/// One function is known at one size. A fleet that only waits says that the others are as fast, one that only computes
/// that 128 MB take four times as long as 512.
#[test]
fn the_prior_of_the_settings_is_that_of_every_curve() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let line = record(512, 200.0, 28).to_string() + "\n";
    fs::write(path("reports.jsonl"), line).unwrap();
    out(&rightsizer(&folder, &["import", "reports.jsonl"]));
    let curve = |arguments: &[&str]| -> Value {
        let all = [&["curve", "checkout", "--json"], arguments].concat();
        serde_json::from_str(&out(&rightsizer(&folder, &all))).unwrap()
    };
    let at_128 = |curve: &Value| {
        let points = curve["points"].as_array().unwrap();
        let point = points.iter().find(|point| point["memory_mb"] == 128);
        point.unwrap()["p50_ms"].as_f64().unwrap()
    };
    let learnt = |name: &str, factor: f64| {
        let mut rows = "function,memory_mb,duration_ms\n".to_owned();
        for function in 0..30_u32 {
            for (at, size) in (1..).zip([128_u32, 256, 512, 1024]) {
                let ms = 100.0 * (1024.0 / f64::from(size)).powf(factor);
                // Functions that are alike to a factor would count once.
                let ms = ms * (1.0 + f64::from(function * at % 31) / 1000.0);
                rows.push_str(&format!("f{function},{size},{ms}\n"));
            }
        }
        fs::write(path("runs.csv"), rows).unwrap();
        let learn = ["simulate", "--power", "runs.csv", "--learn"];
        fs::write(path(name), out(&rightsizer(&folder, &learn))).unwrap();
    };
    learnt("waits.csv", 0.0);
    learnt("computes.csv", 1.0);
    let settings = |text: &str| fs::write(path("rightsizer.toml"), text).unwrap();
    let shipped = at_128(&curve(&[]));
    settings("[power]\nprior = \"waits.csv\"\n");
    let waits = at_128(&curve(&[]));
    settings("[power]\nprior = \"computes.csv\"\n");
    let computes = curve(&[]);
    assert!((waits / 200.0 - 1.0).abs() < 0.05, "{waits}");
    assert!((at_128(&computes) / 800.0 - 1.0).abs() < 0.05, "{computes}");
    assert!(waits < shipped && shipped < at_128(&computes), "{shipped}");
    // What is safe does not depend on it.
    let safe = computes["safe_mb"].clone();
    settings(&format!(
        "[power]\nprior_csv = \"\"\"\n{}\"\"\"\n",
        fs::read_to_string(path("waits.csv")).unwrap()
    ));
    let text = curve(&[]);
    assert_eq!((at_128(&text), &text["safe_mb"]), (waits, &safe));
    let other = path("other.toml");
    fs::write(&other, "[power]\nprior = \"missing.csv\"\n").unwrap();
    let refused = rightsizer(&folder, &["curve", "checkout", "--config", "other.toml"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && error.contains("power.prior: cannot read missing.csv"),
        "{error}"
    );
}
