//! New prices in `[price]` change every printed cost at once, and nothing in the store.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod folder;

use folder::{CommandOutput, Folder};
use rusqlite::Connection;
use serde_json::{Value, json};

/// Half of the prices of most regions.
const HALF: &str = "[price]\nx86_gb_second = 0.00000833335\nmillion_requests = 0.10\n";
/// A discount of 17 % on compute, as savings plans give it: they have none on requests.
const SAVINGS_PLAN: &str = "[price]\nx86_gb_second = 0.000013833361\n";

/// A day of 60 invocations at one size, each 15 minutes after the one before.
fn record(function: &str, (size, duration_ms, day): (u32, f64, u32)) -> String {
    let rows: Vec<Value> = (0..60)
        .map(|n| json!([n * 900_000, 90, duration_ms, duration_ms, 0, null]))
        .collect();
    json!({
        "v": 1, "kind": "reports", "version": "$LATEST", "memory_mb": size, "seq": 0, "total": 60,
        "function": function, "env": format!("{:x}", size * 100 + day),
        "t0": format!("2026-01-{day:02}T00:10:00.000Z"), "reports": rows,
    })
    .to_string()
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:123456789012:function:{name}")
}

/// `checkout` computes, so that 1024 MB would be 3.7 times as fast for 8 % more than its 256 MB. `resize` in another
/// region has 95 % of its durations.
fn fleet() -> Folder {
    let folder = Folder::new();
    let lines = |function: &str, share: f64| {
        let days = [
            (1024, 108_000.0, 28),
            (128, 800_000.0, 29),
            (256, 400_000.0, 30),
        ];
        let days = days.map(|(size, ms, day)| record(function, (size, ms * share, day)));
        days.join("\n") + "\n"
    };
    let text =
        lines(&arn("eu-west-1", "checkout"), 1.0) + &lines(&arn("us-east-1", "resize"), 0.95);
    folder.file("reports.jsonl", text);
    let import = folder.run(&["import", "reports.jsonl"]);
    assert_eq!(import.code(), 0, "{}", import.err());
    folder
}

/// The dollars of both functions as the store has them, by name.
fn stored(folder: &Folder) -> Vec<(f64, f64)> {
    let store = Connection::open(folder.path("store.db")).unwrap();
    let query = "SELECT monthly_usd_before, monthly_usd_after FROM review_wide ORDER BY function";
    let mut rows = store.prepare(query).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn succeeded(folder: &Folder, arguments: &[&str]) -> CommandOutput {
    let output = folder.run(arguments);
    assert_eq!(output.code(), 0, "{arguments:?}: {}", output.err());
    output
}

/// The dollars of both functions as `list` has them, by name, and the offer of `checkout`.
fn listed(folder: &Folder) -> (Vec<(f64, f64)>, f64) {
    let mut rows = succeeded(folder, &["list", "--json"]).json();
    let rows = rows.as_array_mut().unwrap();
    rows.sort_by_key(|row| row["function"].to_string());
    let usd = |row: &Value, end: &str| row[format!("monthly_usd_{end}")].as_f64().unwrap();
    let dollars = rows
        .iter()
        .map(|row| (usd(row, "before"), usd(row, "after")));
    let offer = rows[0]["offers"]["cheap"]["usd_more"].as_f64();
    (dollars.collect(), offer.unwrap())
}

fn near(is: f64, wanted: f64) {
    assert!((is - wanted).abs() < 2e-6, "{is} is not {wanted}");
}

/// The prices of the decision give the very numbers of the decision.
#[test]
fn without_a_change_dollars_are_those_of_the_decision() {
    let folder = fleet();
    let stored = stored(&folder);
    assert!(
        stored
            .iter()
            .all(|(before, after)| before > after && *before > 1.0),
        "{stored:?}"
    );
    assert_eq!(listed(&folder).0, stored);
}

#[test]
fn new_prices_are_everywhere_at_once() {
    let folder = fleet();
    let (stored_before, (_, offer)) = (stored(&folder), listed(&folder));
    folder.file("rightsizer.toml", HALF);
    let (half, half_offer) = listed(&folder);
    for (is, was) in half.iter().zip(&stored_before) {
        near(is.0, was.0 / 2.0);
        near(is.1, was.1 / 2.0);
    }
    assert!(offer > 0.01, "{offer}");
    near(half_offer, offer / 2.0);
    let before = half[0].0;
    let csv = succeeded(&folder, &["list", "--csv"]).out();
    assert!(csv.contains(&format!(",{before},")), "{before}: {csv}");
    let cents = format!("${before:.2}");
    let html = succeeded(&folder, &["list", "--html", "-"]).out();
    assert!(html.contains(&format!(">{cents}<")), "{cents}: {html}");
    let show = succeeded(&folder, &["show", "checkout"]).out();
    assert!(show.contains(&format!("{cents} now")), "{cents}: {show}");
    let detail = succeeded(&folder, &["show", "checkout", "--json"]).json();
    assert_eq!(detail["monthly_usd_before"].as_f64(), Some(before));
    let curve = succeeded(&folder, &["curve", "checkout", "--json"]).json();
    let points = curve["points"].as_array().unwrap();
    let here = points.iter().find(|point| point["memory_mb"] == 256);
    near(here.unwrap()["monthly_usd"].as_f64().unwrap(), before);
    // What a person approves, and the total.
    let saved: f64 = half.iter().map(|(before, after)| before - after).sum();
    let total = succeeded(&folder, &["list"]).out();
    assert!(
        total.contains(&format!("{saved:.2} a month")),
        "{saved}: {total}"
    );
    let one = format!("{:.2} a month", half[0].0 - half[0].1);
    let approve = succeeded(&folder, &["approve", "checkout*"]).out();
    assert!(approve.contains(&one), "{one}: {approve}");
    // Other programs read the dollars of the decision.
    assert_eq!(stored(&folder), stored_before);
}

/// The offer is of compute alone, so the discount is the whole of it: 0.83.
#[test]
fn a_savings_plan_counts_for_compute_and_not_for_requests() {
    let folder = fleet();
    let (list_price, offer) = listed(&folder);
    folder.file("rightsizer.toml", SAVINGS_PLAN);
    let (discounted, less) = listed(&folder);
    // 180 requests in three days are 1,800 a month.
    let requests = 1800.0 * 0.20 / 1e6;
    for (is, was) in discounted.iter().zip(&list_price) {
        near(is.0, (was.0 - requests) * 0.83 + requests);
    }
    near(less, offer * 0.83);
}

/// The order follows as well: `resize` is cheaper than `checkout` until its region is dearer.
#[test]
fn the_price_of_a_region_changes_the_order() {
    let folder = fleet();
    let first = |arguments: &[&str]| {
        let list = succeeded(&folder, &[&["list", "--json"], arguments].concat());
        list.json()[0]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(first(&["--by", "money"]), "checkout");
    let dear = "[price.region.us-east-1]\nx86_gb_second = 0.00002\n";
    folder.file("dear.toml", dear);
    assert_eq!(first(&["--by", "money", "--config", "dear.toml"]), "resize");
    folder.file("rightsizer.toml", dear);
    assert_eq!(first(&["--by", "money"]), "resize");
    let (dollars, _) = listed(&folder);
    let stored = stored(&folder);
    assert_eq!(dollars[0], stored[0], "the other region");
    assert!(dollars[1].0 > stored[1].0);
}

/// Requests cost what they did: 1,800 a month.
#[test]
fn memory_for_nothing_leaves_the_requests() {
    let folder = fleet();
    folder.file("rightsizer.toml", "[price]\nx86_gb_second = 0\n");
    let (dollars, offer) = listed(&folder);
    for (before, after) in dollars {
        near(before, 1800.0 * 0.20 / 1e6);
        near(after, before);
    }
    near(offer, 0.0);
}

#[test]
fn a_price_that_cannot_be_is_refused_by_every_reader() {
    let folder = fleet();
    for (wrong, shown) in [
        ("-1.0", "-1"),
        ("nan", "NaN"),
        ("inf", "inf"),
        ("1000.5", "1000.5"),
    ] {
        folder.file(
            "rightsizer.toml",
            format!("[price.region.eu-west-1]\nx86_gb_second = {wrong}\n"),
        );
        for command in [
            &["list"][..],
            &["show", "checkout"],
            &["curve", "checkout"],
            &["approve", "--all"],
        ] {
            let output = folder.run(command);
            assert_eq!(output.code(), 1, "{command:?}: {}", output.out());
            let why = format!(
                "price.region.eu-west-1.x86_gb_second must be 0 to 1000 dollars, not {shown}"
            );
            assert!(output.err().contains(&why), "{}", output.err());
        }
    }
}

/// What the dollars of such a decision are made of is unknown.
#[test]
fn a_decision_of_an_earlier_release_keeps_its_dollars() {
    let folder = fleet();
    let before = stored(&folder);
    let store = Connection::open(folder.path("store.db")).unwrap();
    let forget =
        "UPDATE functions SET billed_days = NULL, billed_ms = NULL, billed_ms_after = NULL,
        decided_mb = NULL, decided_arch = NULL, gb_second_usd = NULL";
    store.execute(forget, []).unwrap();
    folder.file("rightsizer.toml", HALF);
    assert_eq!(listed(&folder).0, before);
}
