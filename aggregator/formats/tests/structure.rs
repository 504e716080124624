//! Reports found by structure: what stands around them may be anything, long documents come in parts,
//! and what comes live is held to the platform's own form.
#![expect(
    clippy::unwrap_used,
    reason = "outside of test functions only on what memory gives"
)]

use std::convert::Infallible;
use std::io::{BufReader, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzEncoder;
use proptest::prelude::*;
use rightsizer_formats::{Hints, Summary, WaitingStarts, read, read_record};
use rightsizer_records::Day;
use rightsizer_rules::evidence::{Evidence, Item, Observation};

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

fn taken(input: &[u8]) -> (Vec<Item>, Summary) {
    let mut items = Vec::new();
    let input = BufReader::new(input);
    let summary = read::<Infallible>(input, &hints(), &mut |item| {
        items.push(item);
        Ok(())
    })
    .unwrap();
    assert_eq!(summary.read, items.len() as u64);
    assert_eq!(
        summary.read,
        summary.accepted + summary.ignored + summary.refused
    );
    (items, summary)
}

fn counts(input: &str) -> (u64, u64, u64) {
    let summary = taken(input.as_bytes()).1;
    (summary.accepted, summary.ignored, summary.refused)
}

fn refusals(items: &[Item]) -> Vec<(u64, &str, &str)> {
    let refused = items.iter().filter_map(|item| match item {
        Item::Refused {
            line,
            reason,
            sample,
        } => Some((*line, reason.as_str(), sample.as_str())),
        _ => None,
    });
    refused.collect()
}

fn observations(items: Vec<Item>) -> Vec<Observation> {
    let observed = items.into_iter().filter_map(|item| match item {
        Item::Evidence {
            evidence: Evidence::Observation(o),
            ..
        } => Some(o),
        _ => None,
    });
    observed.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = GzEncoder::new(bytes, Compression::default());
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

#[test]
fn whatever_stands_before_a_report_it_is_read_or_refused() {
    let id = "0000abcd-0000-4000-8000-000000000001";
    for (before, accepted) in [
        ("2026-11-18T09:00:00Z ", true),
        ("[1794301200000] ", true),
        ("worker-1  | ", true),
        ("{job=\"x\", log_group=\"/aws/lambda/pay\"} ", true),
        ("Nov 10 09:00:00 ip-10-0-0-7 lambda[12]: ", true),
        ("ts=1794301200 level=info msg=\"", true),
        ("1794301200000,/aws/lambda/pay,\"", true),
        ("/aws/lambda/pay - 2026/11/18/[7]ab - ", true),
        ("pay-service ", true),
        ("a customer wrote: ", false),
        ("the line \"", false),
        ("INFO: ", false),
        (&format!("2026-11-18T09:00:00Z {id} INFO "), false),
        ("/aws/lambda/pay 2026/11/18/[7]ab note: ", false),
        ("10/11/2026 09:00:00 ", false),
    ] {
        let text = format!("{before}{REPORT}");
        let want = if accepted { (1, 0, 0) } else { (0, 0, 1) };
        assert_eq!(counts(&text), want, "{text}");
    }
    // A line break in the middle of a log does not change that.
    let tail = format!("2026-11-18T09:00:00Z hello\nsaid: the line \"{REPORT}\n");
    assert_eq!(counts(&tail), (0, 1, 1));
}

#[test]
fn a_document_without_reports_is_still_refused_for_what_it_is() {
    for (text, want) in [
        ("{\"a\":1}", (0, 0, 1)),
        (
            "{\"message\":\"START RequestId: 1\",\"service\":\"x\"}",
            (0, 1, 0),
        ),
        ("{\"attributes\":{\"message\":\"hello\"}}", (0, 1, 0)),
    ] {
        assert_eq!(counts(text), want, "{text}");
    }
}

#[test]
fn one_report_in_two_fields_is_one() {
    let text = format!(
        "{{\"log_group\":\"/aws/lambda/pay\",\"message\":{REPORT:?},\"event\":{{\"original\":{REPORT:?}}},\
         \"time\":\"2026-11-18T09:00:00Z\"}}"
    );
    assert_eq!(counts(&text), (1, 0, 0));
}

#[test]
fn only_the_first_report_of_an_emulator_has_its_form() {
    let all = REPORT.replace("Used: 90", "Used: 1024");
    let first = all.replace("\tDuration", "\tInit Duration: 0.40 ms\tDuration");
    assert_eq!(
        counts(&format!("{first}\n{all}\n{all}\n{REPORT}\n")),
        (1, 0, 3)
    );
    // Before it nothing is known, and alone it does not prove anything.
    assert_eq!(counts(&format!("{all}\n{all}\n")), (2, 0, 0));
    let lines = format!("{{\"line\":{first:?}}}\n{{\"line\":{all:?}}}\n");
    assert_eq!(counts(&lines), (0, 0, 2));
}

#[test]
fn gzip_in_gzip_is_unpacked() {
    let text = format!("{REPORT}\n");
    let twice = gzip(&gzip(text.as_bytes()));
    assert_eq!(taken(&twice).1.accepted, 1);
    assert_eq!(taken(&gzip(&twice)).1.accepted, 1);
    let deeper = gzip(&gzip(&twice));
    assert_eq!(taken(&deeper).1.accepted, 0);
    // If it is damaged at any level, its content is kept or the damage is reported.
    for cut in 1..twice.len() {
        let (items, _) = taken(&twice[..cut]);
        assert!(!refusals(&items).is_empty(), "{cut}");
    }
}

fn payload(message: &str) -> String {
    format!(
        "{{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"210987654321\",\"logGroup\":\"/aws/lambda/pay\",\
         \"logStream\":\"2026/11/18/[7]ab\",\"logEvents\":[{{\"id\":\"1\",\"timestamp\":1795000000000,\
         \"message\":{message:?}}}]}}"
    )
}

#[test]
fn a_payload_with_a_report_that_is_cut_off_is_reported() {
    let cut = payload(&REPORT[..REPORT.len() - 4]);
    let (items, _) = taken(cut.as_bytes());
    let refused = refusals(&items);
    assert_eq!(refused[0].1, "cut off: Max Memory Used is missing");
    assert!(refused[0].2.starts_with("REPORT RequestId"), "{refused:?}");
    // The same if the payload itself ends early, packed or not.
    let whole = payload(REPORT);
    let half = &whole[..whole.len() - 30];
    let mut packed = Vec::new();
    let mut encoder = GzEncoder::new(whole.as_bytes(), Compression::none());
    encoder.read_to_end(&mut packed).unwrap();
    let early = STANDARD.encode(&packed[..packed.len() - 40]);
    for (text, reason) in [
        (half.to_owned(), "cut off: the JSON does not end"),
        (
            STANDARD.encode(gzip(half.as_bytes())),
            "cut off: the JSON does not end",
        ),
        (
            format!("{{\"awslogs\":{{\"data\":\"{early}\"}}}}"),
            "bad gzip in a base64 payload",
        ),
    ] {
        let (items, _) = taken(text.as_bytes());
        let refused = refusals(&items);
        let last = refused.last().unwrap();
        assert!(last.1.contains(reason), "{refused:?}");
        assert!(last.2.starts_with("{\"messageType\""), "{refused:?}");
    }
}

/// The result of a record of a stream.
fn live(record: &str) -> (usize, Vec<String>) {
    let mut items = Vec::new();
    let waiting = WaitingStarts::default();
    read_record::<Infallible>(record.as_bytes(), &hints(), &waiting, &mut |item| {
        items.push(item);
        Ok(())
    })
    .unwrap();
    let reasons = refusals(&items)
        .iter()
        .map(|(_, why, _)| (*why).to_owned())
        .collect();
    (observations(items).len(), reasons)
}

#[test]
fn what_comes_live_counts_only_as_the_platform_wrote_it() {
    assert_eq!(live(&payload(REPORT)).0, 1);
    for record in [
        payload(&format!("2026-11-18T09:00:00Z {REPORT}")),
        payload(&format!("got {REPORT}")),
        format!("{{\"log_group\":\"/aws/lambda/pay\",\"log\":{{\"text\":{REPORT:?}}}}}"),
        format!("{{\"results\":[[{{\"field\":\"@message\",\"value\":{REPORT:?}}}]]}}"),
        "{\"@log\":\"1:/aws/lambda/pay\",\"@memorySize\":\"5.12E8\",\"@maxMemoryUsed\":\"1.2E8\"}"
            .into(),
        format!("/aws/lambda/pay 2026-11-18T09:00:00Z {REPORT}"),
        format!("timestamp,message\n1794301200000,{REPORT}\n"),
        "{\"function_name\":\"f\",\"used_memory_max\":1,\"total_memory\":128}".into(),
    ] {
        assert_eq!(live(&record).0, 0, "{record}");
    }
    // An application may log whatever it likes: that is nothing to look at.
    assert_eq!(live(&payload(&format!("got {REPORT}"))).1, [""; 0]);
}

/// A document of more than a part, and how its entries are laid out.
fn long(between: &str, before: &str, events: usize, damage: Option<usize>) -> String {
    let filler = "x".repeat(400);
    let entry = |n: usize| {
        let broken = if damage == Some(n) { "\u{1}" } else { "" };
        let report = REPORT.replace("Used: 90", &format!("Used: {}", 100 + n % 500));
        format!(
            "{{\"timestamp\":{},\"message\":{report:?}}}{between},{between}\
             {{\"timestamp\":1,\"message\":\"{filler}\"{broken}}}",
            1_795_000_000_000_u64 + n as u64
        )
    };
    let entries: Vec<String> = (0..events).map(entry).collect();
    let list = entries.join(&format!(",{between}"));
    format!("{{{before}\"events\":[{between}{list}{between}]{between},{between}\"searched\":[]}}")
}

#[test]
fn a_long_document_is_the_same_in_parts() {
    const EVENTS: usize = 16_000;
    let before = "\"logGroupName\":\"/aws/lambda/pay\",\"other\":[1,{\"a\":[2]}],";
    for between in ["\n", "", "\n  "] {
        let text = long(between, before, EVENTS, None);
        assert!(text.len() > 9 << 20);
        let (items, summary) = taken(text.as_bytes());
        let counts = (summary.accepted, summary.ignored, summary.refused);
        assert_eq!(counts, (16_000, 0, 16_000), "{between:?}");
        let Some(Item::Refused { line, .. }) = items.last() else {
            panic!("{between:?}");
        };
        // The list opens on the first line; an event, a comma and the other event each have a line.
        let want = if between.is_empty() {
            1
        } else {
            1 + 3 * EVENTS as u64
        };
        assert_eq!(*line, want, "{between:?}");
        let seen = observations(items);
        assert!(seen.iter().all(|o| o.function.to_string() == "local:pay"));
        let used = |n: usize| seen[n].max_used_mb.unwrap().0 as usize;
        assert!((0..EVENTS).all(|n| used(n) == 100 + n % 500), "{between:?}");
    }
}

#[test]
fn a_long_document_that_is_damaged_keeps_what_came_before() {
    for between in ["\n", ""] {
        let text = long(between, "", 14_000, Some(10_000));
        let summary = taken(text.as_bytes()).1;
        assert!(summary.accepted >= 10_000, "{between:?} {summary:?}");
        let cut = &text[..text.len() * 10 / 14];
        let (items, summary) = taken(cut.as_bytes());
        assert!((9_990..10_010).contains(&summary.accepted), "{summary:?}");
        let last = refusals(&items).last().unwrap().1;
        assert!(last.starts_with("cut off"), "{last}");
    }
}

#[test]
fn each_list_of_a_long_wrapper_is_read_once() {
    let entry = |n: usize| format!("{{\"log\":{REPORT:?},\"time\":{}}}", 1_795_000_000_000 + n);
    let list = |n: usize| (0..n).map(entry).collect::<Vec<_>>().join(",\n");
    let text = format!(
        "{{\"region\":\"eu-north-1\",\"first\":[{}],\"pages\":{{\"second\":[{}]}}}}",
        list(100),
        list(30_000)
    );
    assert!(text.len() > 5 << 20);
    assert_eq!(counts(&text), (30_100, 0, 0));
}

#[test]
fn payloads_in_a_row_are_read_however_many() {
    let one = payload(REPORT);
    let text = one.repeat(30_000);
    assert!(text.len() > 8 << 20);
    assert_eq!(counts(&text), (30_000, 0, 0));
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(REPORT.to_owned()),
        Just(REPORT[..80].to_owned()),
        Just("END Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB".to_owned()),
        Just("2026-11-18T09:00:00Z".to_owned()),
        Just("2026/11/18/[7]ab".to_owned()),
        Just("/aws/lambda/pay".to_owned()),
        Just("CloudWatch Logs Insights".to_owned()),
        Just("| @timestamp | @message |".to_owned()),
        Just("timestamp,message".to_owned()),
        Just("{\"message\":".to_owned()),
        Just(format!(
            "{{\"a\":[{{\"message\":{REPORT:?}}},[1,{REPORT:?}]]}}"
        )),
        "[\\[\\](){}|,;:=\"' \\t\\n-]{0,6}",
        "\\PC{0,12}",
    ]
}

proptest! {
    /// Whatever surrounds reports, every entry is accounted for.
    #[test]
    fn anything_around_reports_is_accounted_for(pieces in prop::collection::vec(piece(), 0..12)) {
        taken(pieces.concat().as_bytes());
        taken(pieces.join(" ").as_bytes());
        taken(pieces.join("\n").as_bytes());
    }

    /// A text with a whole report in it is accepted or refused, never ignored.
    #[test]
    fn no_report_is_ignored(before in "[ -z|~]{0,30}") {
        let (accepted, ignored, refused) = counts(&format!("{before} {REPORT}"));
        prop_assert!(accepted + refused > 0 && ignored == 0, "{accepted} {ignored} {refused}");
    }

    /// A document is the same read in one and on many lines.
    #[test]
    fn any_wrapper_is_accounted_for(
        names in prop::collection::vec("[a-zA-Z@._]{1,12}|message|timestamp|events|results|records|line", 1..6),
        depth in 0_usize..6,
    ) {
        let mut text = format!("{REPORT:?}");
        for name in names.iter().cycle().take(names.len() + depth) {
            text = format!("{{\"{name}\":{text},\"x\":1}}");
        }
        let (accepted, ignored, refused) = counts(&text);
        prop_assert!(accepted + refused > 0 || ignored > 0);
        prop_assert!(accepted <= 1);
    }
}

/// `aws logs tail --format json`: the time, the group and the stream stand on a line of their own.
#[test]
fn json_behind_a_line_is_of_the_stream_in_that_line() {
    let stream = "2026/11/23/[7]00000000000000000000000000000001";
    let report = "{\n  \"type\": \"platform.report\",\n  \"record\": {\"requestId\": \"r\", \"metrics\": \
        {\"durationMs\": 1.5, \"billedDurationMs\": 2, \"memorySizeMB\": 512, \"maxMemoryUsedMB\": 288}}\n}";
    let at = "2026-11-23T09:00:00.060000+00:00";
    let input = format!(
        "{at} {stream} \n{report}\n\n{at} /aws/lambda/mailer {stream}\n\n{report}\n\
         {at} {stream}\n{{\"level\": \"info\",\n\"message\": \"ready\"}}\n{report}\n"
    );
    let (items, summary) = taken(input.as_bytes());
    assert_eq!((summary.accepted, summary.refused), (3, 0), "{items:?}");
    let seen: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Evidence {
                evidence: Evidence::Observation(seen),
                ..
            } => Some((
                seen.function.to_string(),
                seen.environment,
                &*seen.version,
                seen.at.to_string(),
                seen.wrapped,
            )),
            _ => None,
        })
        .collect();
    let environment = Some(rightsizer_rules::evidence::environment_of_stream(stream));
    let of = |function: &str| {
        let at = "2026-11-23T09:00:00.060Z".to_owned();
        (function.to_owned(), environment, "7", at, false)
    };
    assert_eq!(seen[..2], [of("local:export.log"), of("local:mailer")]);
    // Nothing stands before the last one: it is of no stream.
    assert_eq!(seen[2].1, None);
}
