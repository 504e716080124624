//! What one record of a stream may cost: any record of at most 1 MiB takes at most 64 MiB of memory
//! and one second, whatever is in it, and leaves at most one entry in the quarantine.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use rightsizer::pipeline::Gate;
use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::Timestamp;
use rightsizer_rules::inventory::Home;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The allocator counts for the whole process, so one test runs at a time, its input included.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_BYTES: usize = 64 << 20;
/// One second as it is shipped. A build without optimisation takes some ten times as long.
const MOST_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// What a record came to.
#[derive(Debug)]
struct Cost {
    memory: usize,
    time: Duration,
    refusals: Vec<String>,
}

fn cost(record: Vec<u8>) -> Cost {
    assert!(record.len() <= 1 << 20, "{} bytes", record.len());
    let gate = Gate {
        home: Some(Home {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
        }),
        ..Gate::default()
    };
    let now = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
    let delivery = Delivery {
        origin: "embedded:reports".to_owned(),
        channel: Channel::Reports,
        payloads: vec![record],
        checkpoint: None,
        gaps: Vec::new(),
    };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let began = Instant::now();
    let prepared = gate.prepare(delivery, now);
    let time = began.elapsed();
    let memory = MEMORY.peak_usage().saturating_sub(before);
    let refusals = prepared.refusals();
    Cost {
        memory,
        time,
        refusals: refusals.map(|(_, why)| why.to_owned()).collect(),
    }
}

/// Holds a record to its bounds.
fn bounded(what: &str, record: Vec<u8>) -> Vec<String> {
    let size = record.len();
    let cost = cost(record);
    println!(
        "{what}: {size} bytes took {} KiB and {:?}, {} refusals: {:.120}",
        cost.memory >> 10,
        cost.time,
        cost.refusals.len(),
        cost.refusals.first().map_or("", String::as_str),
    );
    assert!(cost.memory <= MOST_BYTES, "{what}: {} bytes", cost.memory);
    assert!(cost.time <= MOST_TIME, "{what}: {:?}", cost.time);
    assert!(cost.refusals.len() <= 1, "{what}: {}", cost.refusals.len());
    for why in &cost.refusals {
        assert!(why.chars().count() <= 500, "{what}: {why}");
    }
    cost.refusals
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// `{"events":[…]}` with `n` reports, each of its own log stream.
fn filter_log_events(n: usize) -> String {
    let mut text = String::from("{\"logGroupName\":\"/aws/lambda/f\",\"events\":[");
    for i in 0..n {
        let comma = if i > 0 { "," } else { "" };
        write!(
            text,
            "{comma}{{\"timestamp\":1769900000000,\"logStreamName\":\"2026/01/31/[$LATEST]{i:x}\",\"message\":\
             \"REPORT RequestId: 1 Duration: 1 ms Billed Duration: 1 ms Memory Size: 512 MB Max Memory Used: 90 MB\"}}"
        )
        .unwrap();
    }
    text + "]}"
}

#[test]
fn a_flood_of_newlines_is_bounded() {
    let _alone = alone();
    for mib in [4, 20, 200] {
        let record = gzip(&vec![b'\n'; mib << 20]);
        let refused = bounded(&format!("gzip of {mib} MiB of newlines"), record);
        assert_eq!(refused.len(), 1);
    }
}

#[test]
fn a_flood_of_bad_lines_is_bounded() {
    let _alone = alone();
    for line in [
        "\"x\n",
        "x\n",
        "{\n",
        "{}\n",
        "\"\"\n",
        "1 MB\n",
        "{\"line\":\"x\"}\n",
    ] {
        let record = gzip(("\n".to_owned() + &line.repeat(4_000_000 / line.len())).as_bytes());
        bounded(&format!("gzip of lines {line:?}"), record);
    }
}

#[test]
fn a_list_of_other_things_than_events_is_bounded() {
    let _alone = alone();
    let list = |n: usize, entry: &str| vec![entry; n].join(",");
    for entry in ["1", "{}", "[]", "null", "\"\"", "{\"type\":\"\"}"] {
        let n = 80_000 / (entry.len() + 1);
        let plain = format!(
            "{{\"functionName\":\"x\",\"records\":[{{\"type\":\"platform.start\"}},{}]}}",
            list(n, entry)
        );
        bounded(&format!("telemetry batch of {entry}"), plain.into_bytes());
        let many = list(4_000_000 / (entry.len() + 1), entry);
        for form in [
            format!("[{many}]"),
            format!("{{\"functionName\":\"x\",\"records\":[{many}]}}"),
            format!(
                "{{\"messageType\":\"DATA_MESSAGE\",\"logGroup\":\"/aws/lambda/f\",\"logEvents\":[{many}]}}"
            ),
            format!("{{\"events\":[{many}]}}"),
            format!("{{\"results\":[[{many}]]}}"),
            format!("{{\"unknown\":[{many}]}}"),
            format!("{{\"@message\":[{many}]}}"),
            format!("{{\"type\":[{many}],\"time\":[{many}],\"record\":[]}}"),
            format!("{{\"Records\":[{many}]}}"),
        ] {
            bounded(&format!("gzip of {form:.40}…"), gzip(form.as_bytes()));
        }
    }
}

#[test]
fn many_environments_are_not_quadratic() {
    let _alone = alone();
    for n in [20_000, 80_000] {
        let record = gzip(filter_log_events(n).as_bytes());
        bounded(&format!("{n} log events"), record);
    }
}

#[test]
fn many_sizes_and_functions_are_not_quadratic() {
    let _alone = alone();
    let mut sizes = String::new();
    let mut functions = String::new();
    for n in 0..60_000 {
        let size = 1 + n % 30_000;
        let report = format!(
            "{{\"type\":\"platform.report\",\"time\":\"2026-01-{:02}T00:00:00Z\",\"record\":{{\"metrics\":\
             {{\"memorySizeMB\":{size},\"maxMemoryUsedMB\":1}}}}}}",
            1 + n / 30_000
        );
        sizes += if n > 0 { "," } else { "" };
        sizes += &report;
        writeln!(
            functions,
            "{{\"functionName\":\"f{n}\",\"records\":[{report}]}}"
        )
        .unwrap();
    }
    let sizes = format!("{{\"functionName\":\"x\",\"records\":[{sizes}]}}");
    bounded("many sizes", gzip(sizes.as_bytes()));
    bounded("many functions", gzip(functions.as_bytes()));
}

#[test]
fn what_is_packed_in_packed_is_bounded_together() {
    let _alone = alone();
    let inner = gzip(&vec![b'\n'; 60 << 20]);
    let event = |data: &str| format!("{{\"awslogs\":{{\"data\":\"{data}\"}}}}");
    let record = event(&base64(&inner));
    bounded("awslogs", record.clone().into_bytes());
    bounded("awslogs in gzip", gzip(record.as_bytes()));
    let twice = event(&base64(&gzip(record.as_bytes())));
    bounded("awslogs in awslogs", twice.into_bytes());
    let one = format!(
        "{{\"kinesis\":{{\"data\":\"{}\"}}}}",
        base64(&gzip(&vec![b'\n'; 8 << 20]))
    );
    let many = format!("{{\"Records\":[{}]}}", vec![one; 15].join(","));
    bounded("many payloads", many.into_bytes());
    let lines = base64(&gzip(&vec![b'\n'; 8 << 20])) + "\n";
    bounded("payloads in lines", gzip(lines.repeat(60).as_bytes()));
    bounded("gzip in gzip", gzip(&gzip(&vec![b'\n'; 200 << 20])));
}

#[test]
fn long_texts_are_bounded() {
    let _alone = alone();
    let odd = "\u{e000}".repeat(4 << 20);
    for form in [
        format!("{{\"functionName\":\"x\",\"records\":\"{odd}\"}}"),
        format!("{{\"messageType\":\"{odd}\",\"logEvents\":[]}}"),
        format!("{{\"v\":1,\"kind\":\"{odd}\"}}"),
        format!("{{\"line\":\"{odd}\"}}"),
        format!(
            "{{\"type\":\"platform.report\",\"time\":\"{odd}\",\"record\":{{\"metrics\":{{}}}}}}"
        ),
        format!("{{\"{odd}\":1}}"),
        format!("{{\"functionName\":\"{odd}\",\"records\":[]}}"),
        format!("REPORT RequestId: {odd} Duration: {odd}"),
    ] {
        let what = format!("gzip of {form:.30}…");
        bounded(&what, gzip(form.as_bytes()));
    }
    let total = format!(
        "{{\"v\":1,\"kind\":\"reports\",\"total\":\"{}\"}}",
        &odd[..3 * 300_000]
    );
    bounded("a reason of the record's own text", total.into_bytes());
    let odd = vec![0xfe; 16 << 20];
    bounded("no text", gzip(&odd));
    bounded(
        "no text in a document",
        gzip(&[b"{\"a\":\"".as_slice(), &odd].concat()),
    );
}

#[test]
fn a_name_of_a_stream_is_not_read_again_for_each_event() {
    let _alone = alone();
    let events = vec!["{\"timestamp\":1,\"message\":\"x\"}"; 100_000].join(",");
    for field in ["logStream", "logGroup", "owner"] {
        let payload = format!(
            "{{\"messageType\":\"DATA_MESSAGE\",\"{field}\":\"{}\",\"logEvents\":[{events}]}}",
            "s".repeat(8 << 20)
        );
        bounded(field, gzip(payload.as_bytes()));
    }
}

#[test]
fn deep_and_open_documents_are_bounded() {
    let _alone = alone();
    for (what, text) in [
        ("deep", "[".repeat(8 << 20)),
        ("deep objects", "{\"a\":".repeat(3 << 20)),
        ("open lines", "[\n".repeat(110) + &"1,\n".repeat(3 << 20)),
        ("short lines", "[\n".to_owned() + &"1,\n".repeat(2 << 20)),
        (
            "open objects",
            "{\"a\":[\n".repeat(50) + &"1,\n".repeat(3 << 20),
        ),
        (
            "csv",
            "@timestamp,@message\n".to_owned() + &",".repeat(8 << 20),
        ),
        (
            "csv header",
            "@timestamp".to_owned() + &",".repeat(14 << 20),
        ),
        (
            "csv open quote",
            format!(
                "@timestamp,@message\n\"{}",
                format!("{}\n", "x".repeat(8000)).repeat(1900)
            ),
        ),
        ("glued", "REPORT RequestId: ".repeat(800_000)),
        (
            "words and spaces",
            format!(
                "REPORT RequestId: {}{}REPORT RequestId:",
                "a ".repeat(1 << 20),
                " ".repeat(4 << 20)
            ),
        ),
    ] {
        bounded(what, gzip(text.as_bytes()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 12 } else { 60 }))]
    /// Any few pieces, repeated until they fill a record, packed or not.
    #[test]
    fn any_record_is_bounded(
        pieces in proptest::collection::vec(prop_oneof![
            Just("\n"), Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just("\""), Just("1"),
            Just("{\"functionName\":\"x\",\"records\":["), Just("{\"type\":\"platform.report\"}"),
            Just("{\"logGroup\":\"/aws/lambda/f\",\"logEvents\":["), Just("{\"message\":\"x\"}"),
            Just("{\"results\":[["), Just("{\"line\":\"x\"}"), Just("H4sI"), Just("REPORT RequestId: 1\t"),
            Just("Memory Size: 128 MB "), Just("Max Memory Used: 5 MB "), Just("@message,@log\n"),
            Just("\u{e000}"), Just("\\"), Just(" "), Just("2026-01-31T00:00:00Z "), Just("{\"v\":1,"),
        ], 1..6),
        prefix in proptest::collection::vec(prop_oneof![
            Just("["), Just("{\"functionName\":\"x\",\"records\":["), Just("{\"events\":["), Just("\n"),
            Just("@timestamp,@message\n"), Just("{\"logEvents\":["), Just("{"), Just("2026-01-31T00:00:00Z x\n"),
        ], 0..3),
        mib in 1_usize..24,
        packed: bool,
    ) {
        let _alone = alone();
        let unit = pieces.concat();
        let size = if packed { mib << 20 } else { 1_000_000 };
        let text = prefix.concat() + &unit.repeat(size / unit.len());
        let record = if packed { gzip(text.as_bytes()) } else { text.into_bytes() };
        prop_assume!(record.len() <= 1 << 20);
        bounded(&format!("{prefix:?} {pieces:?} × {mib}"), record);
    }
}

/// The page keeps the whole fleet in memory, and reads it again beside the one that it shows. The second shares the texts of
/// the first: both together are less than a kilobyte a function.
#[test]
fn a_fleet_of_the_page_takes_little_memory_also_while_it_is_read_again() {
    use rightsizer_page::Fleet;
    use rightsizer_store::inspect::Stops;
    use rightsizer_store::{Reader, Store};

    const FUNCTIONS: usize = 20_000;
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rightsizer.db");
    drop(Store::open(&path, "a test").unwrap());
    let reason = r#"[{"code":"average-plus-buffer","mean_mb":250,"buffer_mb":100,"days":14,"mb":' || (200 + n % 700) || '}]"#;
    let sql = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {FUNCTIONS})
         INSERT INTO functions (function, first_ms, heard_ms, last_ms, version, newest_mb, peak_mb, policy_mb, to_mb,
             confidence, reasons, usd_before, usd_after)
         SELECT 'arn:aws:lambda:eu-west-1:123456789012:function:team-' || (n % 97) || '-function-' || n, 0, 0, 0,
             '$LATEST', 1024, 300, 512, 512, 'high', '{reason}', 10.0 + n, 5.0 FROM numbers"
    );
    let writer = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(writer.execute(&sql, []).unwrap(), FUNCTIONS);
    let now = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
    let reader = Reader::open(&path).unwrap();
    let read = |before: Option<&Fleet>| {
        let used = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let fleet = Fleet::read(&reader, Stops::default(), now, before).unwrap();
        let peak = MEMORY.peak_usage().saturating_sub(used) / FUNCTIONS;
        let kept = MEMORY.current_usage().saturating_sub(used) / FUNCTIONS;
        println!("{kept} bytes a function, {peak} while it is read");
        (fleet, kept, peak)
    };
    let (first, kept, peak) = read(None);
    assert!(kept < 500 && peak < 900, "{kept}, {peak}");
    let (_second, kept, peak) = read(Some(&first));
    assert!(kept < 250 && peak < 350, "{kept}, {peak}");
}
