//! Scenarios of the whole synchronous heart over a real store file.

use rightsizer_records::{
    EnvId, FunctionArn, Megabytes, Millis, Mode, Outcome, OutcomeStatus, Record, ReportRow,
    Reports, Status, Timestamp, encode,
};

use super::*;
use crate::review::Action;
use crate::source::{Channel, Delivery};
use crate::store::Reader;
use crate::window::ClockMode;

struct Case {
    dir: tempfile::TempDir,
    pipeline: Option<Pipeline>,
    now: Timestamp,
    settings: Settings,
    mode: ClockMode,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn arn(name: &str) -> FunctionArn {
    FunctionArn::new("aws", "eu-central-1", "123456789012", name).unwrap()
}

/// One environment's only record: `count` invocations that used `used` of `size` MB.
fn reports(name: &str, env: u64, when: &str, size: u32, used: u32, count: usize) -> Reports {
    let row = ReportRow {
        at_ms: 0,
        max_used_mb: Some(Megabytes(used)),
        duration_ms: Some(Millis::from_ms(100)),
        billed_ms: Some(Millis::from_ms(100)),
        status: Status::Ok,
        init_ms: None,
    };
    Reports {
        function: arn(name),
        version: "$LATEST".into(),
        env: EnvId(env),
        seq: 0,
        total: count as u64,
        memory_mb: Megabytes(size),
        arch: None,
        runtime: None,
        init: None,
        t0: at(when),
        reports: vec![row; count],
        errors: vec![],
        cpu_ms: None,
        cores: None,
        self_kib: None,
        folded: None,
        events_dropped: 0,
    }
}

impl Case {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let mut case = Self {
            settings,
            mode: ClockMode::Event,
            dir: tempfile::tempdir().unwrap(),
            pipeline: None,
            now: at("2026-06-01T00:00:00Z"),
        };
        case.restart();
        case
    }

    fn restart(&mut self) {
        self.pipeline = None;
        let store = Store::open(&self.path(), "test").unwrap();
        let settings = self.settings.clone();
        let pipeline = Pipeline::new(store, self.mode, settings, Accept::default());
        self.pipeline = Some(pipeline.unwrap());
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("store.db")
    }

    fn pipeline(&mut self) -> &mut Pipeline {
        self.pipeline.as_mut().unwrap()
    }

    fn deliver(&mut self, payloads: Vec<Vec<u8>>, channel: Channel) -> Digest {
        let now = self.now;
        let delivery = Delivery {
            origin: "test".into(),
            channel,
            payloads,
            checkpoint: None,
        };
        self.pipeline().ingest(&[delivery], now).unwrap()
    }

    fn report(&mut self, record: Reports) -> Digest {
        self.deliver(vec![encode(&Record::Reports(record))], Channel::Reports)
    }

    /// 14 days of 10 invocations a day, then the event that closes the 14th.
    fn fortnight(&mut self, name: &str, size: u32, peaks: &[u32]) {
        for (n, used) in peaks.iter().enumerate() {
            let when = format!("2026-05-{:02}T10:00:00Z", n + 1);
            self.report(reports(name, n as u64, &when, size, *used, 10));
        }
        self.report(reports(name, 99, "2026-05-15T10:00:01Z", size, peaks[0], 1));
    }

    fn line(&self, name: &str) -> crate::store::ReviewRow {
        Reader::open(&self.path())
            .unwrap()
            .find(name)
            .unwrap()
            .remove(0)
    }

    fn outbox(&mut self) -> Vec<String> {
        let now = self.now;
        let entries = self.pipeline().outbox(100, now).unwrap();
        entries.into_iter().map(|entry| entry.id).collect()
    }

    fn send_all(&mut self) -> Vec<String> {
        let (ids, now) = (self.outbox(), self.now);
        self.pipeline().mark_sent(&ids, now).unwrap();
        ids
    }

    fn answer(&mut self, id: &str, name: &str, status: OutcomeStatus, from: u32, to: u32) {
        let outcome = Outcome {
            id: id.into(),
            function: arn(name),
            status,
            from_mb: Megabytes(from),
            to_mb: Megabytes(to),
            reason: String::new(),
            detail: String::new(),
            at: self.now,
        };
        self.deliver(vec![encode(&Record::Outcome(outcome))], Channel::Decisions);
    }

    /// The tables that W7 names.
    fn evidence(&self) -> Vec<String> {
        Reader::open(&self.path()).unwrap().evidence().unwrap()
    }
}

/// 14 days at 200 MB in 1024: mean 200 + 100 = 300.
#[test]
fn a_steady_function_is_sent_after_a_full_window_and_not_before() {
    let mut case = Case::new();
    for n in 1..=14 {
        let when = format!("2026-05-{n:02}T10:00:00Z");
        case.report(reports("steady", n, &when, 1024, 200, 10));
        assert!(
            case.outbox().is_empty(),
            "day {n}: a decrease waits for the full window (W4)"
        );
    }
    assert_eq!(
        case.line("steady").to_mb,
        Some(300),
        "but it can be reviewed before"
    );
    case.report(reports("steady", 99, "2026-05-15T10:00:01Z", 1024, 200, 1));
    let ids = case.send_all();
    assert_eq!(ids.len(), 1);
    assert_eq!(case.line("steady").status, "sent");
    case.answer(&ids[0], "steady", OutcomeStatus::Applied, 1024, 300);
    let line = case.line("steady");
    assert_eq!(
        (line.status.as_str(), line.current_mb, line.to_mb),
        ("applied", 300, None)
    );
    case.answer(&ids[0], "steady", OutcomeStatus::Skipped, 1024, 300);
    assert_eq!(
        case.line("steady").status,
        "applied",
        "what was applied stays applied"
    );
}

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
fn w9_out_of_memory_is_decided_with_its_record_and_sent_without_waiting() {
    let mut case = Case::new();
    let mut record = reports("tight", 1, "2026-05-01T10:00:00Z", 256, 256, 1);
    record.reports[0].status = Status::OutOfMemory;
    case.report(record);
    // max(1.2 × 256 = 307.2 → 308, 256 + 100 = 356) = 356, and the mean 256 + 100 = 356.
    let line = case.line("tight");
    assert_eq!((line.to_mb, line.urgent), (Some(356), true));
    assert_eq!(case.outbox().len(), 1);
}

/// 14 days at 200 open a decrease from 1024 to 300. A peak of 280 is above 90 % of 300 = 270.
#[test]
fn w9_a_peak_near_an_open_decrease_withdraws_it_at_once() {
    let mut case = Case::new();
    case.fortnight("waking", 1024, &[200; 14]);
    let first = case.send_all();
    case.report(reports("waking", 100, "2026-05-15T11:00:00Z", 1024, 280, 1));
    let line = case.line("waking");
    // The open day's peak holds the floor up: ceil(1.10 × 280) = 308 > 300.
    assert_eq!((line.to_mb, line.status.as_str()), (Some(308), "open"));
    let detail = Reader::open(&case.path()).unwrap().detail(line).unwrap();
    let old = detail
        .history
        .iter()
        .find(|h| h["id"] == first[0].as_str())
        .unwrap();
    assert_eq!(old["status"], "withdrawn");
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

#[test]
fn p8_deciding_again_is_the_same_recommendation() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let before = case.outbox();
    case.restart();
    case.report(reports("f", 100, "2026-05-15T12:00:00Z", 1024, 199, 1));
    assert_eq!(case.outbox(), before);
    case.send_all();
    // The next day decides the same from and to: what is under way is not sent again.
    case.report(reports("f", 101, "2026-05-16T12:00:00Z", 1024, 200, 1));
    assert!(case.outbox().is_empty());
}

#[test]
fn w8_a_unit_that_fails_leaves_nothing_behind() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let (before, now) = (case.evidence(), case.now);
    let failed: Result<Digest, StoreError> = case.pipeline().work(now, |session| {
        let record = Record::Reports(reports("f", 500, "2026-05-20T10:00:00Z", 1024, 900, 5));
        let evidence = crate::source::Evidence::Record(Box::new(record));
        session
            .take(evidence, crate::window::DaySource::Import, Channel::Reports)?
            .unwrap();
        Err(StoreError::Damaged("the disk is full".into()))
    });
    assert!(failed.is_err());
    assert_eq!(case.evidence(), before);
    assert_eq!(case.line("f").seen, 141);
}

/// 900 on 20 April is outside the window of 1 to 14 May and within its last 35 days (from 10 April):
/// the floor ceil(1.10 × 900) = 990 holds although the mean 200 + 100 = 300. 900 on 9 April is not.
#[test]
fn p2_a_peak_before_the_window_holds_the_floor_up_for_35_days() {
    for (day, want) in [
        ("2026-04-20", 990),
        ("2026-04-10", 990),
        ("2026-04-09", 300),
    ] {
        let mut case = Case::new();
        case.report(reports("f", 50, &format!("{day}T10:00:00Z"), 1536, 900, 1));
        case.fortnight("f", 1536, &[200; 14]);
        assert_eq!(case.line("f").policy_mb, Some(want), "{day}");
    }
}

/// 14 days through the layer, 10 invocations a day of 100 ms at 200 MB; one of them also from a file,
/// with a peak that the layer did not see: invocations count once, the peak counts from any.
#[test]
fn w7_one_source_counts_per_function_and_day() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let before = case.line("f");
    let line = crate::source::Observation {
        function: arn("f").into(),
        version: "$LATEST".into(),
        at: at("2026-05-14T11:00:00Z"),
        memory_mb: Megabytes(1024),
        max_used_mb: Some(Megabytes(700)),
        duration_ms: Some(Millis::from_ms(100)),
        billed_ms: Some(Millis::from_ms(100)),
        status: Status::Ok,
        init_ms: None,
        environment: None,
        arch: None,
        request_id: None,
    };
    let now = case.now;
    let imported: Result<Digest, StoreError> = case.pipeline().work(now, |session| {
        let evidence = crate::source::Evidence::Observation(line);
        session
            .take(evidence, crate::window::DaySource::Import, Channel::Reports)?
            .unwrap();
        session.end_of_input()
    });
    imported.unwrap();
    let after = case.line("f");
    assert_eq!(after.invocations, before.invocations);
    assert_eq!(after.policy_mb, Some(770)); // ceil(1.10 × 700)
    assert_eq!(after.monthly_usd_before, before.monthly_usd_before);
}

/// One record from a stranger says that the function has lived for 14 days. Live, its own word does
/// not count: it was first heard of now.
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

/// Four days nobody read: the clock is ahead of the evidence until the backlog is in.
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

/// P2's floor for a peak of 870 is 957, and 870 is 90.9 % of it: the same peak coming again tells
/// nothing new. 880 does: ceil(1.10 × 880) = 968.
#[test]
fn w9_a_peak_that_was_known_withdraws_nothing() {
    let mut case = Case::new();
    let mut peaks = [210; 14];
    peaks[6] = 870;
    case.fortnight("f", 1536, &peaks);
    let sent = case.send_all();
    case.report(reports("f", 100, "2026-05-15T11:00:00Z", 1536, 870, 1));
    assert_eq!(case.line("f").recommendation, Some(sent[0].clone()));
    assert_eq!(case.line("f").status, "sent");
    case.report(reports("f", 101, "2026-05-15T12:00:00Z", 1536, 880, 1));
    assert_eq!(case.line("f").to_mb, Some(968));
    assert_ne!(case.line("f").recommendation, Some(sent[0].clone()));
}

#[test]
fn an_outcome_counts_only_for_what_was_sent_and_as_it_was_sent() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.outbox().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    assert_eq!(case.line("f").status, "open", "it was never sent");
    case.send_all();
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 9999);
    assert_eq!(case.line("f").status, "sent", "other sizes were sent");
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    case.now = case.now.plus_ms(1000);
    case.answer(&id, "f", OutcomeStatus::RolledBack, 1024, 300);
    assert_eq!(case.line("f").status, "rolled-back");
}

/// Memory ran out, the updater was busy, memory ran out again ten minutes later: asked again.
#[test]
fn an_urgent_increase_that_was_skipped_is_asked_for_again() {
    let mut case = Case::new();
    let out = |env, when: &str| {
        let mut record = reports("f", env, when, 256, 256, 1);
        record.reports[0].status = Status::OutOfMemory;
        record
    };
    case.report(out(1, "2026-05-01T10:00:00Z"));
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Skipped, 256, 356);
    case.report(out(2, "2026-05-01T10:01:00Z"));
    assert!(case.outbox().is_empty(), "not within five minutes");
    case.now = case.now.plus_ms(600_000);
    case.report(out(3, "2026-05-01T10:10:00Z"));
    assert_eq!(case.outbox(), [id]);
}

#[test]
fn a_function_that_fell_silent_is_idle_and_nothing_of_it_stays_open() {
    let mut case = Case::new();
    case.fortnight("silent", 1024, &[200; 14]);
    case.report(reports("other", 1, "2026-05-31T10:00:00Z", 512, 90, 1));
    let line = case.line("silent");
    assert_eq!((line.status.as_str(), line.to_mb), ("idle", None));
    assert!(case.outbox().is_empty());
}

#[test]
fn a_recommendation_on_the_reports_stream_is_refused() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let now = case.now;
    let record = case.pipeline().outbox(1, now).unwrap().remove(0).record;
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

impl Case {
    fn say(&mut self, action: Action) -> Result<Done, Refused> {
        let word = Word {
            action,
            by: "on-call".into(),
            why: "seen the graphs".into(),
        };
        let now = self.now;
        self.pipeline().review(&word, now).unwrap()
    }
}

/// A young function's decrease is not automatic: it waits for a person, who says yes.
#[test]
fn an_approved_recommendation_is_sent_with_who_approved_it() {
    let mut case = Case::new();
    case.report(reports("young", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    assert!(case.outbox().is_empty());
    let done = case
        .say(Action::Approve {
            what: "young".into(),
        })
        .unwrap();
    assert!(
        done.message.contains("from 1024 to 300 MB"),
        "{}",
        done.message
    );
    let now = case.now;
    let record = case.pipeline().outbox(1, now).unwrap().remove(0).record;
    let Ok(Record::Recommendation(sent)) = rightsizer_records::decode(&record) else {
        panic!("{}", String::from_utf8_lossy(&record))
    };
    assert_eq!(
        (sent.mode, sent.by.as_deref()),
        (Mode::Approved, Some("on-call"))
    );
    let again = case.say(Action::Approve {
        what: "young".into(),
    });
    assert!(
        matches!(again, Err(Refused::NothingOpen { .. })),
        "{again:?}"
    );
    assert!(matches!(
        case.say(Action::Approve {
            what: "nobody".into()
        }),
        Err(Refused::NotFound(_))
    ));
}

#[test]
fn a_rejected_decrease_is_not_proposed_again_for_14_days() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.say(Action::Reject { what: "f".into() }).unwrap();
    case.report(reports("f", 100, "2026-05-16T12:00:00Z", 1024, 200, 1));
    assert_eq!(case.line("f").status, "rejected");
    case.now = case.now.plus_ms(15 * 86_400_000);
    case.report(reports("f", 101, "2026-05-17T12:00:00Z", 1024, 200, 1));
    assert_eq!(case.line("f").status, "open");
}

#[test]
fn a_hold_stops_decreases_and_no_increase_and_a_pause_stops_all() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.say(Action::Hold {
        what: "f".into(),
        days: 7,
    })
    .unwrap();
    assert!(case.outbox().is_empty());
    let mut out = reports("f", 100, "2026-05-15T11:00:00Z", 1024, 1024, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    assert_eq!(
        case.outbox().len(),
        1,
        "nothing ever delays an increase (P5)"
    );
    case.say(Action::Pause).unwrap();
    assert!(case.outbox().is_empty());
    assert!(
        case.say(Action::Resume)
            .unwrap()
            .message
            .contains("by on-call")
    );
    assert_eq!(case.outbox().len(), 1);
    assert_eq!(
        case.say(Action::Hold {
            what: "f".into(),
            days: 0
        }),
        Err(Refused::BadDays(0))
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
