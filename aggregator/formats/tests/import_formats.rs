//! Every format `rightsizer import` reads, by fixtures in its shape, and what becomes of damage.
#![expect(
    clippy::unwrap_used,
    reason = "outside of test functions only on what a fixture or memory gives"
)]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{BufReader, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzEncoder;
use proptest::prelude::*;
use rightsizer_formats::{Hints, ReadError, Summary, read};
use rightsizer_records::{Day, Millis, Status};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item, Observation};
use rightsizer_rules::inventory::Home;

const REPORT: &str = "REPORT RequestId: 0000abcd-0000-4000-8000-000000000001\t\
    Duration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 1024 MB\tMax Memory Used: 90 MB";

fn hints() -> Hints {
    Hints {
        function: None,
        date: None,
        fallback_date: Day::parse("2026-11-20").unwrap(),
        file_name: "export.log".to_owned(),
        home: None,
        owners: std::sync::Arc::default(),
    }
}

fn at_home() -> Hints {
    Hints {
        home: Some(Home {
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
        }),
        ..hints()
    }
}

fn items_with(input: &[u8], hints: &Hints) -> (Vec<Item>, Summary) {
    let mut items = Vec::new();
    let summary = read::<Infallible>(input, hints, &mut |item| {
        items.push(item);
        Ok(())
    })
    .unwrap();
    // A start that failed is an ignored line, and is counted beside the report that follows.
    let beside = |item: &&Item| matches!(item, Item::Evidence { evidence: Evidence::Observation(seen), .. } if seen.failed_start);
    let beside = items.iter().filter(beside).count();
    assert_eq!(summary.read, (items.len() - beside) as u64);
    assert_eq!(
        summary.read,
        summary.accepted + summary.ignored + summary.refused
    );
    (items, summary)
}

fn items(input: &[u8]) -> Vec<Item> {
    items_with(input, &hints()).0
}

/// Accepted, ignored, refused.
fn counts(input: &[u8]) -> (u64, u64, u64) {
    let (_, summary) = items_with(input, &hints());
    (summary.accepted, summary.ignored, summary.refused)
}

fn reasons(input: &[u8]) -> Vec<(u64, String)> {
    let refused = items(input).into_iter().filter_map(|item| match item {
        Item::Refused { line, reason, .. } => Some((line, reason)),
        _ => None,
    });
    refused.collect()
}

fn observations(input: &[u8], hints: &Hints) -> Vec<Observation> {
    let items = items_with(input, hints).0.into_iter();
    let observed = items.filter_map(|item| match item {
        Item::Evidence {
            evidence: Evidence::Observation(o),
            ..
        } => Some(o),
        _ => None,
    });
    observed.collect()
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import");
    std::fs::read(folder.join(name)).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = GzEncoder::new(bytes, Compression::default());
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

fn shown(o: &Observation) -> String {
    let ms = |ms: Option<Millis>| ms.map_or("-".to_owned(), |ms| ms.as_ms_f64().to_string());
    format!(
        "{} {} {} used {} of {} {:?} {} ms, billed {}, init {}{}, env {}",
        o.function,
        o.version,
        o.at,
        o.max_used_mb.unwrap(),
        o.memory_mb,
        o.status,
        ms(o.duration_ms),
        ms(o.billed_ms),
        ms(o.init_ms),
        o.restore_ms.map_or(String::new(), |restore| format!(
            ", restore {}",
            ms(Some(restore))
        )),
        o.environment.map_or("-".to_owned(), |env| env.to_string()),
    )
}

/// A start that failed, at the size of its environment.
fn failed_start(o: &Observation) -> String {
    let ms = |ms: Option<Millis>| ms.map_or("-".to_owned(), |ms| ms.as_ms_f64().to_string());
    format!(
        "{} {} {} of {} a start failed: init {}, restore {}",
        o.function,
        o.version,
        o.at,
        o.memory_mb,
        ms(o.init_ms),
        ms(o.restore_ms)
    )
}

/// Everything that became of an input, one line an entry, ignored ones as dots.
fn rendered(input: &[u8], hints: &Hints) -> String {
    let (items, summary) = items_with(input, hints);
    let mut text = String::new();
    for item in &items {
        let line = match item {
            Item::Ignored => ".".to_owned(),
            Item::Refused { line, reason, .. } => format!("line {line} refused: {reason}"),
            Item::Evidence {
                evidence: Evidence::Observation(o),
                ..
            } if o.failed_start => failed_start(o),
            Item::Evidence {
                evidence: Evidence::Observation(o),
                ..
            } => shown(o),
            Item::Evidence {
                evidence: Evidence::Record(record),
                ..
            } => String::from_utf8(rightsizer_records::encode(record)).unwrap(),
            Item::Evidence {
                evidence: Evidence::Comparison(found),
                ..
            } => format!("{found:?}"),
        };
        writeln!(text, "{line}").unwrap();
    }
    let Summary {
        formats,
        lines,
        read,
        accepted,
        ignored,
        refused,
        notes,
    } = summary;
    writeln!(
        text,
        "{formats:?}: {lines} lines, {read} read, {accepted} accepted, {ignored} ignored, \
         {refused} refused"
    )
    .unwrap();
    for note in notes {
        writeln!(text, "note: {note}").unwrap();
    }
    text
}

#[test]
fn every_format_by_its_fixture() {
    for name in [
        "records.jsonl",
        "telemetry_wrapped.jsonl",
        "telemetry_array.json",
        "filter_log_events.json",
        "get_log_events.json",
        "subscription.json",
        "tail.txt",
        "tail_other_forms.txt",
        "insights_results.json",
        "insights.csv",
        "report_lines.txt",
    ] {
        let rendered = rendered(&fixture(name), &at_home());
        // The next release reads the same.
        let rendered = rendered.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(name.replace('.', "_"), rendered);
    }
}

#[test]
fn the_same_evidence_in_another_form_reads_the_same() {
    for (one, other) in [
        ("telemetry_array.json", "telemetry_events.jsonl"),
        ("insights_results.json", "insights_console.json"),
        ("insights_results.json", "insights.csv"),
        ("report_lines.txt", "report_lines.jsonl"),
    ] {
        let evidence = observations(&fixture(one), &at_home());
        assert!(!evidence.is_empty());
        assert_eq!(
            evidence,
            observations(&fixture(other), &at_home()),
            "{other}"
        );
    }
}

#[test]
fn a_subscription_payload_is_read_packed_in_any_way() {
    let plain = fixture("subscription.json");
    let first = plain.split(|b| *b == b'\n').next().unwrap();
    let want = items(first);
    assert!(want.iter().any(|i| matches!(i, Item::Evidence { .. })));
    let packed = STANDARD.encode(gzip(first));
    for form in [
        packed.clone(),
        format!("{{\"awslogs\":{{\"data\":\"{packed}\"}}}}"),
        format!("{{\"Records\":[{{\"eventID\":\"1\",\"kinesis\":{{\"data\":\"{packed}\"}}}}]}}"),
    ] {
        assert_eq!(items(form.as_bytes()), want, "{form}");
    }
    assert_eq!(items(&gzip(first)), want);
    // Delivery streams write payloads without a separator.
    let twice = [want.clone(), want].concat();
    assert_eq!(items(&[first, first].concat()), twice);
    assert_eq!(items(&[gzip(first), gzip(first)].concat()), twice);
}

#[test]
fn gzip_changes_nothing() {
    for name in [
        "tail.txt",
        "insights.csv",
        "records.jsonl",
        "filter_log_events.json",
    ] {
        let plain = fixture(name);
        assert_eq!(
            rendered(&gzip(&plain), &at_home()),
            rendered(&plain, &at_home()),
            "{name}"
        );
    }
}

#[test]
fn a_gzip_file_that_ends_early_keeps_what_it_held() {
    // Stored, not compressed, so that the cut is in the third line.
    let text = format!("{REPORT}\n{REPORT}\n{REPORT}\n");
    let mut packed = Vec::new();
    let mut encoder = GzEncoder::new(text.as_bytes(), Compression::none());
    encoder.read_to_end(&mut packed).unwrap();
    packed.truncate(packed.len() - 30);
    assert_eq!(counts(&packed), (2, 0, 2));
    let rendered = reasons(&packed);
    assert_eq!(
        rendered[0],
        (3, "cut off: Max Memory Used is missing".to_owned())
    );
    assert!(
        rendered[1].0 == 4 && rendered[1].1.contains("ends early"),
        "{rendered:?}"
    );
    // The same in the middle of JSON: the lines after a broken one are not lost.
    let text = format!("{{\"a\":\n{REPORT:?}\n{}", " ".repeat(100));
    let mut packed = Vec::new();
    let mut encoder = GzEncoder::new(text.as_bytes(), Compression::none());
    encoder.read_to_end(&mut packed).unwrap();
    packed.truncate(packed.len() - 30);
    assert_eq!(counts(&packed).0, 1, "{:?}", reasons(&packed));
}

#[test]
fn the_day_of_lines_without_a_time() {
    let dated = Hints {
        date: Some(Day::parse("2026-11-01").unwrap()),
        ..hints()
    };
    let changed = "it counts for 2026-11-20, the day the file was last changed";
    for (hints, at, note) in [
        (hints(), "2026-11-20T00:00:00.000Z", changed),
        (
            dated,
            "2026-11-01T00:00:00.000Z",
            "it counts for 2026-11-01, from --date",
        ),
    ] {
        assert_eq!(
            observations(REPORT.as_bytes(), &hints)[0].at.to_string(),
            at
        );
        let notes = items_with(REPORT.as_bytes(), &hints).1.notes;
        assert!(notes.iter().any(|n| n.contains(note)), "{notes:?}");
    }
}

#[test]
fn the_function_a_user_names() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";
    let named = Hints {
        function: Some(FunctionKey::parse(arn).unwrap()),
        ..hints()
    };
    let whose = |input: &str, hints: &Hints| {
        let o = observations(input.as_bytes(), hints);
        o[0].function.to_string()
    };
    assert_eq!(whose(REPORT, &hints()), "local:export.log");
    assert_eq!(whose(REPORT, &named), arn);
    // The input takes precedence; its checkout is the user's.
    let group = |name: &str| {
        format!(
            "{{\"logGroupName\":\"/aws/lambda/{name}\",\
             \"events\":[{{\"timestamp\":1795000000000,\"message\":{REPORT:?}}}]}}"
        )
    };
    assert_eq!(whose(&group("checkout"), &named), arn);
    assert_eq!(whose(&group("cart"), &named), "local:cart");
}

#[test]
fn two_reports_glued_together_are_two() {
    assert_eq!(counts(format!("{REPORT}{REPORT}").as_bytes()), (2, 0, 0));
    let cut = REPORT.replace(" Used: 90 MB", "");
    assert_eq!(counts(format!("{cut}{REPORT}").as_bytes()), (1, 0, 1));
}

#[test]
fn marks_breaks_quotes_and_padding_do_not_matter() {
    for (text, want) in [
        (
            format!("\u{feff}{REPORT}\r\n\0\0{REPORT}\0\0\r\n\r\n"),
            (2, 1, 0),
        ),
        (format!("\u{feff}{{\"line\":{REPORT:?}}}"), (1, 0, 0)),
        (format!("{REPORT:?}"), (1, 0, 0)),
        (format!("[\n  {REPORT:?},\n  {REPORT:?}\n]"), (2, 0, 0)),
    ] {
        assert_eq!(counts(text.as_bytes()), want, "{text:?}");
    }
}

#[test]
fn damage_costs_only_what_is_damaged() {
    let record = String::from_utf8(fixture("records.jsonl")).unwrap();
    let record = record.lines().next().unwrap();
    let deep = "[".repeat(100_000);
    let deep_object = "{\"a\":".repeat(100_000);
    let report = "{\"type\":\"platform.report\",\"record\":{\"metrics\":{\"memorySizeMB\":\"1\"}}}";
    let time = "{\"type\":\"platform.report\",\"time\":\"x\",\"record\":{\"metrics\":{}}}";
    for (bad, reason) in [
        (
            &record[..record.len() / 2],
            "cut off: the JSON does not end",
        ),
        (&record[..9], "cut off: the JSON does not end"),
        (
            "{\"v\":1,\"kind\":\"reports\"}",
            "bad reports record: missing field",
        ),
        ("{\"v\":1}", "not a record"),
        ("{}", "a JSON object of no known kind (its fields: )"),
        (
            "{\"a\":1,\"b\":2}",
            "a JSON object of no known kind (its fields: a, b)",
        ),
        ("{\"line\":5}", "expected a text as a line"),
        ("{\"records\":5}", "bad telemetry batch"),
        ("{\"events\":[5]}", "bad log event"),
        (
            "{\"events\":[{\"timestamp\":-1,\"message\":\"x\"}]}",
            "timestamp is -1",
        ),
        ("{\"results\":[{\"a\":1}]}", "not a Logs Insights row"),
        ("{\"messageType\":\"X\"}", "\"X\" is not known here"),
        ("{\"awslogs\":{\"data\":\"???\"}}", "bad base64"),
        ("{\"awslogs\":{\"data\":\"H4sIAAAA\"}}", "bad gzip"),
        (time, "\"x\" is not a time"),
        (report, "expected a whole number"),
        (deep.as_str(), "cut off"),
        (deep_object.as_str(), "cut off"),
        ("\u{1}\u{2}\u{3}\u{7f}\u{fffd}", "binary data"),
        ("hello", "not a REPORT line"),
        ("H4sIAAAA", "bad gzip"),
        ("[1,2]", "neither a JSON object"),
    ] {
        let text = format!("{REPORT}\n{bad}\n{REPORT}\n{record}\n");
        let rendered = reasons(text.as_bytes());
        assert_eq!(counts(text.as_bytes()).0, 3, "{bad:.60} {rendered:?}");
        assert!(
            rendered.iter().all(|(line, _)| *line == 2)
                && rendered.iter().any(|(_, why)| why.contains(reason)),
            "{bad:.60} {rendered:?}"
        );
    }
}

#[test]
fn binary_lines_and_bad_utf8_are_separated_from_text() {
    let mut input = REPORT.as_bytes().to_vec();
    input.push(b'\n');
    let garbage = (0_u8..=255).filter(|b| *b != b'\n').cycle();
    input.extend(garbage.take(3000));
    input.push(b'\n');
    input.extend_from_slice(REPORT.as_bytes());
    input.extend_from_slice(b"\tStatus: timeout\t\xff\xfe");
    assert_eq!(counts(&input).0, 2);
    assert_eq!(reasons(&input), [(2, "not text: binary data".to_owned())]);
}

#[test]
fn a_file_that_is_packed_some_other_way_is_refused_once_with_what_to_do() {
    for (begin, hint) in [
        (b"PK\x03\x04".as_slice(), "unzip -p"),
        (b"\x28\xb5\x2f\xfd", "zstd -dc"),
        (b"\xfd7zXZ\x00", "xz -dc"),
        (b"BZh9", "bzip2 -dc"),
        (b"7z\xbc\xaf\x27\x1c", "7z x -so"),
        (b"PAR1", "as CSV or JSON"),
        (b"SQLite format 3\x00", "--store"),
    ] {
        let mut input = begin.to_vec();
        input.extend(b"\x14\x00\x80\n\xff\n\n\x01");
        let reasons = reasons(&input);
        assert!(
            matches!(reasons.as_slice(), [(1, why)] if why.contains(hint)),
            "{reasons:?}"
        );
        // Only a whole file is packed.
        let inner = [REPORT.as_bytes(), b"\n", &input].concat();
        assert_eq!(counts(&inner).0, 1, "{hint}");
    }
}

#[test]
fn a_line_of_ten_megabytes_is_refused_with_its_length() {
    for begin in ["x", "{", "REPORT RequestId: "] {
        let long = format!("{begin}{}", "y".repeat(10 * 1024 * 1024));
        let input = format!("{REPORT}\n{long}\n{REPORT}");
        assert_eq!(counts(input.as_bytes()), (2, 0, 1));
        let (line, why) = reasons(input.as_bytes()).remove(0);
        let length = format!("line of {} bytes", long.len());
        assert!(line == 2 && why.starts_with(&length), "{line}: {why}");
    }
}

#[test]
fn a_document_may_be_longer_than_a_line() {
    let event = format!("{{\"timestamp\":1795000000000,\"message\":{REPORT:?}}},");
    let many = 10 * 1024 * 1024 / event.len();
    let events = event.repeat(many);
    let document = format!("{{\"events\":[{}]}}", events.trim_end_matches(','));
    assert_eq!(counts(document.as_bytes()), (many as u64, 0, 0));
}

#[test]
fn a_document_that_is_cut_off_keeps_its_whole_entries() {
    let whole = String::from_utf8(fixture("filter_log_events.json")).unwrap();
    let all = items(whole.as_bytes());
    // In the middle of the sixth of eight events.
    let cut = &whole[..whole.match_indices("\"message\"").nth(5).unwrap().0];
    let kept = items(cut.as_bytes());
    assert_eq!(kept[..5], all[..5]);
    assert_eq!(kept.len(), 6);
    // The last complete event ends before the sixth.
    let ends = cut.rfind("},").unwrap();
    let line = 1 + cut[..ends].matches('\n').count() as u64;
    let (rendered, why) = reasons(cut.as_bytes()).remove(0);
    assert!(
        rendered == line && why.starts_with("cut off or damaged"),
        "{rendered}: {why}"
    );
    // The same on one line, with more lines after it: two of the five are reports.
    let one_line = whole.replace('\n', "");
    let cut = &one_line[..one_line.match_indices("\"message\"").nth(5).unwrap().0];
    assert_eq!(counts(format!("{cut}\n{REPORT}\n").as_bytes()), (3, 3, 1));
}

#[test]
fn half_a_record_is_not_a_record() {
    let record = String::from_utf8(fixture("records.jsonl")).unwrap();
    let record = record.lines().next().unwrap();
    assert_eq!(counts(record.as_bytes()), (1, 0, 0));
    for cut in 1..record.len() {
        let part = &record[..cut];
        assert_eq!(counts(part.as_bytes()), (0, 0, 1), "{part}");
    }
}

#[test]
fn utf16_is_named() {
    let mut text = vec![0xff, 0xfe];
    text.extend(REPORT.encode_utf16().flat_map(u16::to_le_bytes));
    let rendered = reasons(&text);
    assert!(
        rendered.len() == 1 && rendered[0].1.contains("UTF-16"),
        "{rendered:?}"
    );
}

#[test]
fn yaml_is_named() {
    for begin in ["events:", "- events:", "results:"] {
        let text = format!("{begin}\n- message: \"{REPORT}\\n\"\n  timestamp: 1794304800000\n");
        let rendered = reasons(text.as_bytes());
        assert!(
            rendered.len() == 1 && rendered[0].1.contains("--output json"),
            "{rendered:?}"
        );
    }
}

/// `--output text` of `filter-log-events` and of `get-log-events`, whose messages end in line breaks: times of storage
/// are close enough, and an event's id counts once.
#[test]
fn events_in_columns_are_read() {
    let id = "38102123456789012345678901234567890123456789012345678900";
    let stream = "2026/11/10/[$LATEST]8476a536e9f411e897392dfe598c3f00";
    let filtered = format!("EVENTS\t{id}\t1794304801000\t{stream}\t{REPORT}\t\n\t1794304800000\n");
    let start =
        format!("EVENTS\t{id}\t1794304801000\t{stream}\tSTART RequestId: a\n\t1794304800000\n");
    let seen = observations(
        format!("{start}{filtered}{filtered}").as_bytes(),
        &at_home(),
    );
    let [first, again] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!(first.at.as_ms(), 1_794_304_801_000);
    assert_eq!(
        (first.event_id, first.event_id.is_some()),
        (again.event_id, true)
    );
    let got =
        format!("EVENTS\t1794304801000\t{REPORT}\t\n\t1794304800000\nNEXTBACKWARDTOKEN\tb/1\n");
    assert_eq!(counts(got.as_bytes()), (1, 2, 0));
    let quoted = format!("EVENTS\t1794304801000\t{stream}\tINFO {REPORT}\t\n");
    assert_eq!(counts(quoted.as_bytes()), (0, 0, 1));
}

#[test]
fn csv_with_an_open_quote_loses_one_row() {
    let row = format!("2026-11-18 09:00:01.060,{REPORT}\n");
    let text = format!("@timestamp,@message\n{row}2026-11-18 09:00:01.060,\"open\n{row}{row}");
    assert_eq!(counts(text.as_bytes()), (3, 0, 1));
    let rendered = reasons(text.as_bytes());
    assert_eq!(rendered, [(3, "a quote is not closed".to_owned())]);
}

#[test]
fn a_report_quoted_by_an_application_is_not_evidence() {
    let quoted = format!("got {REPORT}");
    let event = format!("{{\"events\":[{{\"timestamp\":1795000000000,\"message\":{quoted:?}}}]}}");
    let tail = format!("2026-11-18T09:00:01Z 2026/11/18/[7]ab {quoted}");
    for input in [event, quoted, tail] {
        assert_eq!(counts(input.as_bytes()), (0, 0, 1), "{input}");
        let why = reasons(input.as_bytes()).remove(0).1;
        assert!(
            why.starts_with("REPORT stands inside a line's own text, after \""),
            "{why}"
        );
    }
}

#[test]
fn an_empty_input_is_reported() {
    for empty in ["", "[]", "{\"events\":[]}"] {
        let (items, summary) = items_with(empty.as_bytes(), &hints());
        assert!(items.is_empty());
        assert_eq!(summary.notes.len(), 1, "{empty}");
    }
}

#[test]
fn a_sink_that_fails_ends_the_reading() {
    let input = format!("{REPORT}\n{REPORT}\n");
    let mut seen = 0;
    let result = read(input.as_bytes(), &hints(), &mut |_| {
        seen += 1;
        Err("disk full")
    });
    assert!(matches!(result, Err(ReadError::Sink("disk full"))));
    assert_eq!(seen, 1);
}

#[test]
fn a_medium_that_fails_is_reported_after_what_it_gave() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("medium"))
        }
    }
    let text = format!("{REPORT}\n{REPORT}\n");
    let mut seen = 0;
    let input = BufReader::new(text.as_bytes().chain(Fails));
    let result = read::<Infallible>(input, &hints(), &mut |_| {
        seen += 1;
        Ok(())
    });
    assert!(matches!(result, Err(ReadError::Input(_))));
    assert_eq!(seen, 2);
}

#[test]
fn an_out_of_memory_is_seen_in_every_form() {
    let report = REPORT.replace("Used: 90", "Used: 1024")
        + "\tStatus: error\tError Type: Runtime.OutOfMemory";
    let event = "{\"type\":\"platform.report\",\"time\":\"2026-11-18T09:00:00Z\",\
        \"record\":{\"status\":\"error\",\"errorType\":\"Runtime.OutOfMemory\",\
        \"metrics\":{\"memorySizeMB\":1024,\"maxMemoryUsedMB\":1024}}}";
    for input in [
        report.clone(),
        event.to_owned(),
        format!("2026-11-18T09:00:00Z {event}"),
        format!("{{\"results\":[[{{\"field\":\"@message\",\"value\":{report:?}}}]]}}"),
    ] {
        let seen = observations(input.as_bytes(), &hints());
        let statuses: Vec<Status> = seen.iter().map(|o| o.status).collect();
        assert_eq!(statuses, [Status::OutOfMemory], "{input}");
    }
}

fn any_fixture() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "records.jsonl",
        "telemetry_wrapped.jsonl",
        "telemetry_array.json",
        "filter_log_events.json",
        "get_log_events.json",
        "subscription.json",
        "tail.txt",
        "insights_results.json",
        "insights.csv",
        "report_lines.txt",
        "report_lines.jsonl",
    ];
    prop::sample::select(names.map(fixture).to_vec())
}

fn any_lines() -> impl Strategy<Value = Vec<String>> {
    let line = "[\\[{}\\]\",:@a-z1 ]{0,20}|\\PC{0,30}|REPORT RequestId: \\PC{0,30}";
    prop::collection::vec(line, 0..8)
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        items(&bytes);
        items(&gzip(&bytes));
    }

    #[test]
    fn any_text_is_accounted_for(lines in any_lines()) {
        items(lines.join("\n").as_bytes());
    }

    #[test]
    fn a_damaged_file_is_accounted_for(
        mut bytes in any_fixture(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let at = at.index(bytes.len());
        bytes[at] = with;
        items(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        items(&bytes);
        let mut packed = gzip(&bytes);
        let at = at % packed.len();
        packed[at] = with;
        items(&packed);
    }

    #[test]
    fn a_bad_line_leaves_the_others(bad in "[ -~]{0,40}", n in 1_usize..4) {
        let good = format!("{REPORT}\n").repeat(n);
        let text = format!("{good}{bad}\n{good}");
        let (accepted, _, _) = counts(text.as_bytes());
        prop_assert!(accepted >= 2 * n as u64, "{accepted}");
    }
}
