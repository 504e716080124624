//! What other tools found out stands beside decisions, and moves none.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod folder;

use folder::{CommandOutput, Folder};
use serde_json::{Value, json};

const HOME: [&str; 4] = ["--account", "210987654321", "--region", "eu-north-1"];
const MAILER: &str = "arn:aws:lambda:eu-north-1:210987654321:function:mailer";
const OPTIMIZER: &str = "functionArn,functionVersion,finding,currentConfiguration_memorySize,\
    recommendationOptions_1_configuration_memorySize,lastRefreshTimestamp_UTC\n\
    arn:aws:lambda:eu-north-1:210987654321:function:mailer:$LATEST,$LATEST,NotOptimized,512,320,2026-11-23 06:41:09\n";
const TUNING: &str = r#"{"power":"512","cost":8.5e-7,"duration":101.25,"stateMachine":{},
    "stats":[{"averagePrice":8.4e-7,"averageDuration":200.5,"value":256},
             {"averagePrice":8.5e-7,"averageDuration":101.25,"value":512}]}"#;

fn import(folder: &Folder, file: &str, more: &[&str]) -> CommandOutput {
    let file = folder.path(file);
    folder.run(&[&["import", file.to_str().unwrap()], more].concat())
}

/// A store in which `mailer` of 512 MB used 90 MB.
fn scene() -> Folder {
    let folder = Folder::new();
    let line = "REPORT RequestId: 1\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 512 MB\t\
                Max Memory Used: 90 MB\n";
    folder.file("mailer.log", line);
    folder.file("optimizer.csv", OPTIMIZER);
    folder.file("tuning.json", TUNING);
    let output = import(
        &folder,
        "mailer.log",
        &[&["--function", "mailer"], &HOME[..]].concat(),
    );
    assert_eq!(output.code(), 0, "{}", output.err());
    folder
}

fn rows(folder: &Folder) -> Vec<Value> {
    let list = folder.run(&["list", "--json"]).json();
    list.as_array().unwrap().clone()
}

#[test]
fn a_comparison_is_shown_and_changes_nothing_else() {
    let folder = scene();
    let before = rows(&folder);
    assert_eq!(before[0]["compute_optimizer_mb"], Value::Null);
    for format in ["--csv", "--markdown"] {
        let text = folder.run(&["list", format]).out();
        assert!(!text.contains("OPTIMIZER"), "{text}");
    }
    let output = import(&folder, "optimizer.csv", &[]);
    assert_eq!(output.code(), 0, "{}", output.err());
    assert!(output.out().contains("1 accepted"), "{}", output.out());
    let output = import(&folder, "tuning.json", &["--function", "mailer"]);
    assert_eq!(output.code(), 0, "{}", output.err());

    let mut after = rows(&folder);
    assert_eq!(after[0]["compute_optimizer_mb"], 320);
    after[0]["compute_optimizer_mb"] = Value::Null;
    assert_eq!(after, before, "the decision and its evidence are as before");

    let table = folder.run(&["list"]).out();
    assert!(
        table.contains("COMPUTE OPTIMIZER MB") && table.contains("320"),
        "{table}"
    );
    let markdown = folder.run(&["list", "--markdown"]).out();
    assert!(markdown.contains("| COMPUTE OPTIMIZER MB |"), "{markdown}");
    let csv = folder.run(&["list", "--csv"]).out();
    let mut lines = csv.lines();
    assert!(
        lines.next().unwrap().contains(",compute_optimizer_mb,"),
        "{csv}"
    );
    assert!(lines.next().unwrap().contains(",320,"), "{csv}");
    let page = folder.path("page.html");
    folder.run(&["list", "--html", page.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(">Compute Optimizer</th>"), "{page}");
    assert!(
        page.contains("data-label=\"Compute Optimizer\">320 MB</td>"),
        "{page}"
    );
}

#[test]
fn show_prints_the_sizes_measured_and_the_advice() {
    let folder = scene();
    import(&folder, "optimizer.csv", &[]);
    import(
        &folder,
        "tuning.json",
        &["--function", "mailer", "--date", "2026-11-20"],
    );
    let text = folder.run(&["show", "mailer"]).out();
    for line in [
        "Sizes measured by another tool: they change no decision",
        "     256 MB      200 ms       $0.84 a million  Power Tuning, 2026-11-20",
        "     512 MB      101 ms       $0.85 a million  Power Tuning, 2026-11-20",
        "  recommends 320 MB (NotOptimized at 512 MB); version $LATEST, refreshed on",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let detail = folder.run(&["show", "mailer", "--json"]).json();
    assert_eq!(
        detail["measured_sizes"][0],
        json!({"memory_mb": 256, "duration_ms": 200.5, "usd": 8.4e-7, "source": "power-tuning",
               "measured_at": "2026-11-20T00:00:00.000Z"})
    );
    assert_eq!(
        detail["compute_optimizer"],
        json!({"memory_mb": 320, "finding": "NotOptimized", "current_mb": 512, "version": "$LATEST",
               "refreshed_at": "2026-11-23T06:41:09.000Z"})
    );
}

/// A result names no function, and a file's name is none.
#[test]
fn a_result_without_a_function_asks_for_one() {
    let folder = scene();
    let output = import(&folder, "tuning.json", &[]);
    assert_eq!(output.code(), 1);
    assert!(
        output.out().contains("import it with --function NAME"),
        "{}",
        output.out()
    );
    // Whose reports the store does not have, nothing shows.
    let output = import(&folder, "tuning.json", &["--function", "ledger"]);
    assert_eq!(output.code(), 0);
    assert!(
        output.out().contains("this store has no reports of"),
        "{}",
        output.out()
    );
    assert_eq!(rows(&folder).len(), 1, "no function comes of it");
}

#[test]
fn what_is_forgotten_takes_its_comparisons_along() {
    let folder = scene();
    import(&folder, "optimizer.csv", &[]);
    import(&folder, "tuning.json", &["--function", "mailer"]);
    assert_eq!(
        folder.run(&["forget", "mailer", "--by", "on-call"]).code(),
        0
    );
    let store = rusqlite::Connection::open(folder.path("store.db")).unwrap();
    let left =
        "SELECT (SELECT count(*) FROM measured_sizes) + (SELECT count(*) FROM compute_optimizer)";
    let left: i64 = store.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "{MAILER}");
}
