//! The distributions that the page offers as files, read by another implementation of their format: `hdr-histogram-js`.

use serde_json::Value;

use crate::browser::script;
use crate::scene::Scene;
use crate::visitor::Visitor;

/// One that had the same size on every day, and one that was changed.
const FUNCTIONS: [&str; 2] = ["media-resize", "checkout-export"];

/// What the other reader found in a log: `intervals`, `count`, and in `values` the 50th, 95th, 99th and 100th percentile.
async fn read(log: &str) -> Value {
    let done = script("histogram.js", log).await;
    assert!(done.status.success(), "`make tools`? {log}");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A row of a distribution on the page.
struct Row {
    /// The address of its log.
    log: String,
    /// The 50th, 95th, 99th and 100th percentile in MB or ms, each with half of its last digit.
    values: Vec<(f64, f64)>,
    count: u64,
}

/// `1,024 MB`, `8.0 ms`, `1.3 s`.
fn value(text: &str) -> (f64, f64) {
    let (number, unit) = text.split_once(' ').unwrap();
    let factor = match unit {
        "MB" | "ms" => 1.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        _ => panic!("{text}"),
    };
    let half = if number.contains('.') { 0.05 } else { 0.5 };
    let number: f64 = number.replace(',', "").parse().unwrap();
    (number * factor, half * factor)
}

fn rows(page: &str) -> Vec<Row> {
    let parts = page.split("href=\"/ui/histogram?").collect::<Vec<_>>();
    let row = |pair: &[&str]| {
        let (before, address) = (pair[0], pair[1].split('"').next().unwrap());
        let row = before.rsplit("<tr>").next().unwrap();
        let cells = row.split("<td class=\"n\">").skip(1);
        let cells: Vec<&str> = cells.map(|cell| cell.split('<').next().unwrap()).collect();
        let (count, values) = cells.split_last().unwrap();
        Row {
            log: format!("/ui/histogram?{}", address.replace("&amp;", "&")),
            values: values.iter().map(|text| value(text)).collect(),
            count: count.replace(',', "").parse().unwrap(),
        }
    };
    parts.windows(2).map(row).collect()
}

/// The log has two significant digits, so a percentile may be 1 % above that of the page. The page shows no more memory
/// than a size has.
#[tokio::test(flavor = "multi_thread")]
async fn a_downloaded_distribution_is_what_the_page_shows() {
    let scene = Scene::start().await;
    let visitor = Visitor::sign_in(scene.server.endpoint()).await;
    let mut rows = Vec::new();
    for name in FUNCTIONS {
        let arn = format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
        let page = visitor.page(&format!("/ui/function?name={arn}")).await;
        rows.extend(self::rows(&page));
    }
    assert!(rows.len() >= 6, "three figures of two functions at least");
    for row in rows {
        let found = read(&visitor.page(&row.log).await).await;
        assert_eq!(found["count"], row.count, "{}", row.log);
        assert!(
            found["intervals"].as_u64() > Some(1),
            "{}: {found}",
            row.log
        );
        let values = found["values"].as_array().unwrap();
        assert_eq!((row.values.len(), values.len()), (4, 4), "{}", row.log);
        for (read, (shown, half)) in values.iter().zip(&row.values) {
            let read = read.as_f64().unwrap();
            let off = (read - shown).abs();
            assert!(
                off <= shown * 0.01 + half + 1.0,
                "{}: {read}, {shown}",
                row.log
            );
        }
    }
    scene.server.stop().await.unwrap();
}
