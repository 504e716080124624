//! Tests of `telemetry`.

use proptest::prelude::*;

use super::*;

/// A body that comes in pieces of this many bytes.
fn in_pieces(body: &[u8], size: usize) -> Posted {
    let mut reader = Reader::default();
    let mut whole = Posted::default();
    let mut add = |part: Posted| {
        whole.events.extend(part.events);
        whole.unreadable += part.unreadable;
        whole.broken = whole.broken.take().or(part.broken);
    };
    body.chunks(size).for_each(|piece| add(reader.feed(piece)));
    assert!(reader.value.len() <= MOST_EVENT_BYTES);
    add(reader.finish());
    whole
}

fn parse(body: &[u8]) -> Posted {
    in_pieces(body, usize::MAX)
}

/// Values of JSON whose text misleads a reader that looks for brackets alone.
const ODD: &[&str] = &[
    r#"{"a":"}]["}"#,
    r#"{"a":"\\"}"#,
    r#"{"a":"\"}],[{"}"#,
    r#"[[],{"b":[]}]"#,
    r#""],""#,
    "7",
    "null",
    "-1.5e3 ",
    " \n ",
    "nonsense",
];
const REPORT: &str = r#"{"time":"2026-01-31T10:00:00.000Z","type":"platform.report","record":{"requestId":"r1","status":"success","metrics":{"durationMs":12.3,"billedDurationMs":13,"memorySizeMB":1024,"maxMemoryUsedMB":93,"initDurationMs":549.04}}}"#;

#[test]
fn a_report_as_documented() {
    let posted = parse(format!("[{REPORT}]").as_bytes());
    let EventKind::Report(report) = &posted.events[0].kind else {
        panic!("{posted:?}");
    };
    assert_eq!(report.max_used_mb, Some(Megabytes(93)));
    assert_eq!(report.memory_mb, Some(Megabytes(1024)));
    assert_eq!(report.init_ms, Millis::from_ms_f64(549.04));
    assert_eq!(report.status.as_deref(), Some("success"));
}

#[test]
fn managed_instances_give_the_duration_only() {
    let body = r#"[{"time":"2026-01-31T10:00:00Z","type":"platform.report","record":{"requestId":"r1","metrics":{"durationMs":5}}}]"#;
    let EventKind::Report(report) = parse(body.as_bytes()).events.remove(0).kind else {
        panic!("no report");
    };
    assert_eq!(report.duration_ms, Some(Millis::from_ms(5)));
    assert_eq!((report.max_used_mb, report.billed_ms), (None, None));
}

#[test]
fn one_odd_event_does_not_cost_the_batch() {
    let body = format!(
        r#"[{{"time":"2026-01-31T10:00:00Z","type":"platform.new","record":[1]}},7,null,
        {{"type":"platform.report"}},{{"time":5,"type":5,"record":5}},{REPORT}]"#
    );
    let posted = parse(body.as_bytes());
    assert_eq!((posted.events.len(), posted.unreadable), (2, 4));
    assert_eq!(posted.broken, None);
}

#[test]
fn events_before_a_cut_count_and_garbage_does_not_panic() {
    let cut = parse(format!("[{REPORT},{{\"time\":\"20").as_bytes());
    assert_eq!(cut.events.len(), 1);
    assert!(cut.broken.is_some());
    for garbage in [&b""[..], b"{}", b"\xff\xfe", b"[", b"nonsense", b"3"] {
        let posted = parse(garbage);
        assert!(posted.events.is_empty() && posted.broken.is_some());
    }
}

#[test]
fn numbers_out_of_range_are_not_given() {
    let body = r#"[{"time":"2026-01-31T10:00:00Z","type":"platform.report","record":{"requestId":"r1","metrics":{"durationMs":-5,"maxMemoryUsedMB":1e18,"memorySizeMB":0,"billedDurationMs":"x"}}}]"#;
    let EventKind::Report(report) = parse(body.as_bytes()).events.remove(0).kind else {
        panic!("no report");
    };
    let only_the_id = Report {
        request_id: "r1".to_owned(),
        ..Report::default()
    };
    assert_eq!(report, only_the_id);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        in_pieces(&bytes, 7);
    }

    /// However a body is cut into pieces, the same is read.
    #[test]
    fn pieces_make_no_difference(
        size in 1_usize..400,
        between in prop::sample::select(ODD),
    ) {
        let body = format!("[{REPORT},{between},{REPORT}]");
        let whole = parse(body.as_bytes());
        prop_assert_eq!(whole.events.len(), 2);
        prop_assert_eq!(in_pieces(body.as_bytes(), size), whole);
    }
}

#[test]
fn an_event_of_any_length_is_never_held() {
    let mut body = b"[".to_vec();
    body.extend(br#"{"time":""#);
    body.resize(5_000_000, b'x');
    body.extend(br#""},"#);
    body.extend(REPORT.bytes());
    body.push(b']');
    let posted = in_pieces(&body, 4096);
    assert_eq!((posted.events.len(), posted.unreadable), (1, 1));
}
