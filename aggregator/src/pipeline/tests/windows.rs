//! What arrives, when days close, and what a store must never lose (W1–W8).

use super::*;

/// Decided with its first report on day 1 and again from day 15 on, with a full window; between
/// the two only what is urgent.
#[test]
fn w4_once_per_window_decides_every_fourteen_days() {
    let settings = Settings::parse("[window]\ncadence = \"once-per-window\"").unwrap();
    let mut case = Case::with(settings);
    for n in 1..=14 {
        let when = format!("2026-05-{n:02}T10:00:00Z");
        case.report(reports("f", n, &when, 1024, 200, 10));
        assert_eq!(case.line("f").decided_on.unwrap(), "2026-05-01", "day {n}");
    }
    case.report(reports("f", 99, "2026-05-15T10:00:01Z", 1024, 200, 1));
    assert_eq!(case.line("f").decided_on.unwrap(), "2026-05-15");
    let mut out = reports("f", 100, "2026-05-16T10:00:00Z", 1024, 1024, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    assert_eq!(
        case.line("f").decided_on.unwrap(),
        "2026-05-16",
        "urgent at any cadence"
    );
}

#[test]
fn w5_a_late_report_that_raises_a_closed_days_peak_is_considered_at_once() {
    let mut case = Case::new();
    case.fortnight("late", 1024, &[200; 14]);
    case.report(reports("late", 100, "2026-05-10T12:00:00Z", 1024, 600, 1));
    // Day 10 is closed and now peaks at 600: floor ceil(1.10 × 600) = 660.
    assert_eq!(case.line("late").policy_mb, Some(660));
}

#[test]
fn w5_reports_before_the_window_are_counted_late_and_from_the_future_quarantined() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.report(reports("f", 100, "2026-04-01T12:00:00Z", 1024, 200, 3));
    assert_eq!(case.line("f").late, 3);
    let digest = case.report(reports("f", 101, "2026-06-02T00:00:00.001Z", 1024, 9000, 1));
    assert_eq!((digest.accepted, digest.quarantined), (0, 1));
    assert_ne!(case.line("f").peak_mb, Some(9000));
}

#[test]
fn poison_is_quarantined_with_its_reason_and_the_rest_is_kept() {
    let mut case = Case::new();
    let good = encode(&Record::Reports(reports(
        "f",
        1,
        "2026-05-01T10:00:00Z",
        512,
        90,
        2,
    )));
    let mut cut = good.clone();
    cut.truncate(100);
    let later = br#"{"v":9,"kind":"reports"}"#.to_vec();
    let digest = case.deliver(vec![cut, vec![0xff, 0, 7], later, good], Channel::Reports);
    assert_eq!((digest.accepted, digest.quarantined), (2, 3));
    let store = rusqlite::Connection::open(case.path()).unwrap();
    let reasons: Vec<String> = store
        .prepare("SELECT reason FROM quarantine ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(reasons[2].contains("version 9"), "{reasons:?}");
}

#[test]
fn an_outcome_on_the_reports_stream_is_a_forgery() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.send_all().remove(0);
    let outcome = Outcome {
        id,
        function: arn("f"),
        status: OutcomeStatus::Applied,
        from_mb: Megabytes(1024),
        to_mb: Megabytes(300),
        reason: String::new(),
        detail: String::new(),
        at: case.now,
    };
    let digest = case.deliver(vec![encode(&Record::Outcome(outcome))], Channel::Reports);
    assert_eq!(digest.quarantined, 1);
    assert_eq!(case.line("f").status, "sent");
}

/// The result of a file with this evidence.
pub(super) fn import(
    evidence: impl IntoIterator<Item = rightsizer_rules::evidence::Evidence>,
    now: Timestamp,
) -> Batch {
    let mut batch = Batch::default();
    let intake = Intake {
        accept: &Accept::default(),
        source: rightsizer_rules::window::DaySource::Import,
        channel: Channel::Reports,
        now,
    };
    for one in evidence {
        batch.take(one, &intake).unwrap();
    }
    batch
}

#[test]
fn w8_a_unit_that_fails_leaves_nothing_behind() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let (before, now) = (case.evidence(), case.now);
    let failed: Result<Digest, StoreError> = case.pipeline().work(now, |session| {
        let record = Record::Reports(reports("f", 500, "2026-05-20T10:00:00Z", 1024, 900, 5));
        session.merge(import(
            [rightsizer_rules::evidence::Evidence::Record(Box::new(
                record,
            ))],
            now,
        ))?;
        Err(StoreError::Damaged("the disk is full".into()))
    });
    assert!(failed.is_err());
    assert_eq!(case.evidence(), before);
    assert_eq!(case.line("f").seen, 141);
}

/// 14 days through the layer, 10 invocations a day of 100 ms at 200 MB; one of them also from a file,
/// with a peak that the layer did not see: invocations count once, the peak counts from any.
#[test]
fn w7_one_source_counts_per_function_and_day() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let before = case.line("f");
    let line = rightsizer_rules::evidence::Observation {
        function: std::rc::Rc::new(arn("f").into()),
        version: "$LATEST".into(),
        at: at("2026-05-14T11:00:00Z"),
        memory_mb: Megabytes(1024),
        max_used_mb: Some(Megabytes(700)),
        duration_ms: Some(Millis::from_ms(100)),
        billed_ms: Some(Millis::from_ms(100)),
        status: Status::Ok,
        error: None,
        init_ms: None,
        restore_ms: None,
        environment: None,
        arch: None,
        event_id: None,
        cpu_ms: None,
        wrapped: false,
        amends: false,
        failed_start: false,
    };
    let now = case.now;
    let batch = import(
        [rightsizer_rules::evidence::Evidence::Observation(line)],
        now,
    );
    let imported = case
        .pipeline()
        .work(now, |session| session.merge(batch))
        .and_then(|_| case.pipeline().finish(now));
    imported.unwrap();
    let after = case.line("f");
    assert_eq!(after.invocations, before.invocations);
    assert_eq!(after.policy_mb, Some(770)); // ceil(1.10 × 700)
    assert_eq!(after.monthly_usd_before, before.monthly_usd_before);
}

/// One record of an unknown function claims that it has existed for 14 days. Live, that does not
/// count: its first arrival is now.
#[test]
fn w4_live_the_fourteen_days_count_from_the_first_arrival() {
    let mut case = Case::new();
    case.mode = ClockMode::Wall;
    case.now = at("2026-05-15T10:00:00Z");
    case.restart();
    for n in 1..=14 {
        case.report(reports(
            "lonely",
            n,
            &format!("2026-05-{n:02}T10:00:00Z"),
            1024,
            20,
            10,
        ));
    }
    assert_eq!(case.line("lonely").confidence.unwrap(), "medium");
    assert!(case.outbox().is_empty());
    case.now = at("2026-05-29T10:00:00Z");
    for n in 15..=29 {
        let when = format!("2026-05-{n:02}T09:00:00Z");
        case.report(reports("lonely", n, &when, 1024, 20, 10));
    }
    assert_eq!(case.line("lonely").confidence.unwrap(), "high");
}

/// For four days nothing read: the clock is ahead of the evidence until the backlog is in.
#[test]
fn w3_no_day_closes_while_a_backlog_is_unread() {
    let mut case = Case::new();
    case.mode = ClockMode::Wall;
    case.now = at("2026-05-01T12:00:00Z");
    case.restart();
    case.report(reports("f", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    case.now = at("2026-05-05T12:00:00Z");
    case.restart();
    case.pipeline = case
        .pipeline
        .take()
        .map(|pipeline| pipeline.holding_days(true));
    let now = case.now;
    assert_eq!(case.pipeline().tick(now).unwrap().closed, None);
    case.report(reports("f", 2, "2026-05-02T10:00:00Z", 1024, 900, 10));
    case.pipeline().let_days_close();
    let closed = case.pipeline().tick(now).unwrap().closed;
    assert_eq!(closed.unwrap().to_string(), "2026-05-04");
    assert_eq!(case.line("f").policy_mb, Some(990)); // ceil(1.10 × 900)
}

#[test]
fn a_recommendation_on_the_reports_stream_is_refused() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let now = case.now;
    let record = case
        .pipeline()
        .outbox(Outgoing::All, 1, now)
        .unwrap()
        .entries
        .remove(0)
        .record;
    assert_eq!(
        case.deliver(vec![record.clone()], Channel::Reports)
            .quarantined,
        1
    );
    assert_eq!(
        case.deliver(vec![record], Channel::Decisions).quarantined,
        0
    );
}

/// Any order, any split and any replay of the same records give equal tables.
#[test]
fn w7_order_split_and_replay_give_equal_tables() {
    let records: Vec<Reports> = (0..40_u64)
        .map(|n| {
            let name = ["a", "b", "c"][usize::try_from(n % 3).unwrap()];
            let when = format!("2026-05-{:02}T{:02}:00:00Z", 1 + n % 16, n % 24);
            let mut r = reports(
                name,
                n % 7,
                &when,
                512,
                100 + 7 * u32::try_from(n).unwrap(),
                3,
            );
            r.seq = n;
            r
        })
        .collect();
    let mut straight = Case::new();
    records.iter().for_each(|r| _ = straight.report(r.clone()));
    let mut shuffled = Case::new();
    let bytes: Vec<Vec<u8>> = records
        .iter()
        .rev()
        .map(|r| encode(&Record::Reports(r.clone())))
        .collect();
    for chunk in bytes.chunks(7) {
        shuffled.deliver(chunk.to_vec(), Channel::Reports);
        shuffled.restart();
        shuffled.deliver(chunk.to_vec(), Channel::Reports);
    }
    assert_eq!(straight.evidence(), shuffled.evidence());
}
