//! Logs as a subscription delivers them, live, beside the layer's own records.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rightsizer_records::{Megabytes, ReportRow, Timestamp};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use serde_json::{Value, json};

use crate::put_records::{client, put};
use crate::stage::{Invocation, Stage};

/// Noon of a day, in milliseconds.
const NOON: i64 = 1_772_366_400_000;

/// A payload as a subscription delivers it.
fn payload(group: &str, stream: &str, messages: &[String]) -> Vec<u8> {
    let events = messages.iter().zip(0_i64..).map(|(message, n)| {
        json!({"id": format!("{group}-{n}"), "timestamp": NOON + n, "message": message})
    });
    let payload = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": group,
        "logStream": stream, "subscriptionFilters": ["rightsizer-reports"],
        "logEvents": events.collect::<Vec<_>>(),
    });
    packed(&payload)
}

fn packed(payload: &Value) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(payload.to_string().as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// One function, and two that log to groups of their own choice.
async fn account() -> Stage {
    let stage = Stage::with_functions(&["both"]).await;
    for name in ["cart", "mail"] {
        stage
            .moto
            .create_function(name, 256, 30, &[])
            .await
            .unwrap();
    }
    stage.lambda.change("GET /2015-03-31/functions", |answer| {
        for function in answer["Functions"].as_array_mut().into_iter().flatten() {
            let group = match function["FunctionName"].as_str() {
                Some("cart") => "/shop/cart-only",
                Some("mail") => "/shop/mixed",
                _ => continue,
            };
            function["LoggingConfig"] = json!({"LogFormat": "Text", "LogGroup": group});
        }
    });
    stage
}

/// What arrives of one day.
fn records() -> Vec<Vec<u8>> {
    let row = ReportRow {
        max_used_mb: Some(Megabytes(90)),
        ..ReportRow::default()
    };
    let mut record = sample::reports("both").unwrap();
    record.t0 = Timestamp::from_ms(NOON).unwrap();
    (record.memory_mb, record.reports, record.total) = (Megabytes(1024), vec![row; 3], 3);
    let mut lines: Vec<String> = vec![Invocation::ok(1024, 90).line(); 3];
    lines.push(Invocation::ok(1024, 300).line());
    lines.push("START RequestId: 7d1e0c2a Version: $LATEST".to_owned());
    let event = Invocation::ok(256, 77).event("2026-03-01T12:00:00.000Z");
    let stream = "2026/03/01/[$LATEST]00aa";
    vec![
        sample::bytes(record),
        payload("/aws/lambda/both", stream, &lines),
        // The same delivery again.
        payload("/aws/lambda/both", stream, &lines),
        payload(
            "/shop/cart-only",
            "2026/03/01/any",
            std::slice::from_ref(&event),
        ),
        payload("/shop/mixed", "2026/03/01/mail[$LATEST]00bb", &[event]),
        packed(
            &json!({"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "",
            "logStream": "", "subscriptionFilters": [], "logEvents": [{"id": "", "timestamp": NOON,
            "message": "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}),
        ),
    ]
}

/// The layer saw three invocations of 90 MB, and the logs of the same day hold the same three and, of an
/// environment without the layer, one of 300 MB: three count, and the peak is 300. Two functions log to a
/// group of their own, known by the inventory. The event clock is used: the records are of a day gone by.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_through_the_layer_and_its_logs_counts_once() {
    let stage = account().await;
    let store = stage.store("live");
    let environment = stage.environment(stage.logs.endpoint());
    let arguments = ["--clock", "event", "--inventory", "lambda"];
    let aggregator = Aggregator::start(&store, &arguments, &environment, None)
        .await
        .unwrap();
    until(|| stage.lambda.calls("GET /2015-03-31/functions") > 0).await;
    // The inventory is in the store when its functions are listed.
    let deadline = Instant::now() + Duration::from_secs(20);
    while stage.list("live").await.len() < 3 {
        assert!(Instant::now() < deadline, "no inventory");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let records = records();
    let answer = put(&client(aggregator.endpoint()), records).await.unwrap();
    assert_eq!(answer.failed_record_count(), Some(0), "{answer:?}");
    assert!(aggregator.stop().await.unwrap().success());

    let list = stage.list("live").await;
    let of = |name: &str| {
        let named = |row: &&Value| row["function"].as_str().unwrap().ends_with(name);
        list.iter().find(named).unwrap()
    };
    assert_eq!(list.len(), 3, "{list:?}");
    assert_eq!(
        (&of(":both")["invocations"], &of(":both")["peak_mb"]),
        (&json!(3), &json!(300))
    );
    assert_eq!(of(":both")["duplicates"], 4, "the second delivery of four");
    for name in [":cart", ":mail"] {
        assert_eq!(
            (&of(name)["peak_mb"], &of(name)["invocations"]),
            (&json!(77), &json!(1)),
            "{name}"
        );
    }
}

async fn until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "it never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
