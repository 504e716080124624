//! The journal's promises, each without a socket.

use proptest::prelude::*;
use rightsizer_records::{Millis, Record, decode, encode};

use super::*;

mod clock;

fn journal(most_rows: usize) -> Journal {
    let place = Place {
        function: FunctionArn::new("aws", "eu-central-1", "123456789012", "checkout").unwrap(),
        version: "$LATEST".to_owned(),
        memory_mb: Some(Megabytes(1024)),
        arch: Some(Arch::Arm64),
        runtime: None,
        init: Some(InitType::OnDemand),
    };
    let limits = Limits {
        most_rows,
        ..Limits::default()
    };
    let mut next = 0;
    let random = move || {
        next += 1;
        next
    };
    Journal::new(place, limits, Usage::default(), Box::new(random))
}

fn at(ms: i64) -> Timestamp {
    Timestamp::parse("2026-01-31T10:00:00Z")
        .unwrap()
        .plus_ms(ms)
}

fn start(id: &str, ms: i64) -> Event {
    let kind = EventKind::Start(id.to_owned());
    Event { at: at(ms), kind }
}

fn done(id: &str, ms: i64, error: Option<&str>) -> Event {
    let kind = EventKind::RuntimeDone(RuntimeDone {
        request_id: id.to_owned(),
        status: Some(error.map_or("success", |_| "failure").to_owned()),
        error_type: error.map(str::to_owned),
        duration_ms: Some(Millis::from_ms(7)),
    });
    Event { at: at(ms), kind }
}

fn report(id: &str, ms: i64, used: u32) -> Event {
    let kind = EventKind::Report(Report {
        request_id: id.to_owned(),
        max_used_mb: Some(Megabytes(used)),
        ..Report::default()
    });
    Event { at: at(ms), kind }
}

/// The peaks that a delivered set of records holds, and their last `total`.
fn delivered(records: &[Reports]) -> (Vec<u32>, u64) {
    let rows = records.iter().flat_map(|r| &r.reports);
    let used = rows.filter_map(|row| row.max_used_mb).map(|mb| mb.0);
    (used.collect(), records.last().map_or(0, |r| r.total))
}

#[test]
fn a_report_waits_until_it_is_a_minute_old_by_event_time() {
    let mut journal = journal(100);
    journal.take_in(vec![start("a", 0), done("a", 7, None), report("a", 8, 90)]);
    assert!(journal.holds_rows() && !journal.is_due());
    journal.take_in(vec![start("b", 60_007)]);
    assert!(!journal.is_due());
    journal.take_in(vec![done("b", 60_008, None)]);
    assert!(journal.is_due());
}

#[test]
fn a_full_payload_unit_is_sent_at_once() {
    let mut journal = journal(10_000);
    let mut n = 0;
    while !journal.is_due() {
        n += 1;
        journal.take_in(vec![report(&n.to_string(), n, 90)]);
    }
    let records = journal.begin_send(Usage::default(), Seal::All);
    let bytes = encode(&Record::Reports(records[0].clone()));
    assert!((700..1000).contains(&n), "{n} rows");
    assert!((23_000..25_000).contains(&bytes.len()), "{}", bytes.len());
    assert!(decode(&bytes).is_ok());
}

#[test]
fn what_is_due_is_full_units_until_the_rest_is_old() {
    let mut journal = journal(10_000);
    let events = (0..3000).map(|n| report(&n.to_string(), n, 90));
    journal.take_in(events.collect());
    let records = journal.begin_send(Usage::default(), Seal::Due);
    let rows: Vec<_> = records.iter().map(|r| r.reports.len()).collect();
    assert!(
        rows.len() >= 2 && rows.iter().all(|rows| *rows > 500),
        "{rows:?}"
    );
    journal.sent(&[true; 16]);
    assert!(journal.holds_rows() && !journal.is_due());
    journal.take_in(vec![start("late", 70_000)]);
    assert!(journal.is_due());
    let rest = journal.begin_send(Usage::default(), Seal::Due);
    assert_eq!(rows.iter().sum::<usize>() + rest[0].reports.len(), 3000);
}

/// A snapshot's clock may be put right, or one event be of another century.
#[test]
fn a_time_that_makes_no_sense_holds_nothing_up() {
    for odd in ["2199-12-31T00:00:00Z", "2000-01-01T00:00:00Z"] {
        let mut journal = journal(100);
        let kind = EventKind::Start("odd".to_owned());
        let odd = Timestamp::parse(odd).unwrap();
        journal.take_in(vec![report("a", 0, 90), Event { at: odd, kind }]);
        assert!(journal.is_due());
        journal.begin_send(Usage::default(), Seal::Due);
        journal.sent(&[]);
        journal.take_in(vec![report("b", 1000, 91)]);
        assert!(journal.is_due());
        let records = journal.begin_send(Usage::default(), Seal::All);
        assert_eq!(delivered(&records), (vec![90, 91], 2));
    }
}

/// It is ten o'clock. The stream takes nothing around midnight; each day gets its own, and what ran out stays known.
#[test]
fn what_is_folded_belongs_to_the_day_it_happened_on() {
    const HOUR_MS: i64 = 3_600_000;
    let mut journal = journal(2);
    journal.take_in(vec![
        start("oom", 0),
        done("oom", 7, Some("Runtime.OutOfMemory")),
    ]);
    journal.give_up_waiting(ShutdownReason::Failure);
    for hour in [14, 15, 16, 17] {
        journal.take_in(vec![report(&hour.to_string(), hour * HOUR_MS, 90)]);
    }
    assert_eq!(journal.held(), 5);
    let records = journal.begin_send(Usage::default(), Seal::All);
    let of_day = |r: &Reports| {
        let folded = r.folded.unwrap();
        let used = folded.max_used_mb.map(|mb| mb.0);
        (
            r.t0.day().to_string(),
            r.reports.len(),
            folded.count,
            folded.ooms,
            used,
        )
    };
    let days: Vec<_> = records.iter().map(of_day).collect();
    let first = ("2026-01-31".to_owned(), 0, 1, 1, Some(1024));
    assert_eq!(days, [first, ("2026-02-01".to_owned(), 2, 2, 0, Some(90))]);
    assert_eq!(records[1].total, 5);
    for record in records {
        assert!(decode(&encode(&Record::Reports(record))).is_ok());
    }
}

#[test]
fn what_was_not_delivered_comes_again_with_the_same_seq_and_only_that() {
    let mut journal = journal(100);
    let size = |event: &mut Event, mb| {
        if let EventKind::Report(r) = &mut event.kind {
            r.memory_mb = Some(Megabytes(mb));
        }
    };
    let mut events = vec![report("a", 1, 90), report("b", 2, 91), report("c", 3, 92)];
    size(&mut events[1], 512); // another size, so three records
    journal.take_in(events);
    let first = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(first.iter().map(|r| r.seq).collect::<Vec<_>>(), [0, 1, 2]);
    journal.sent(&[true, false, true]);
    journal.take_in(vec![report("d", 200_000, 93)]);
    let second = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(second[0], first[1]);
    assert_eq!((second[1].seq, second[1].total), (3, 4));
    journal.sent(&[true, true]);
    assert!(!journal.holds_rows() && !journal.is_backing_off());
}

#[test]
fn after_failures_the_pause_doubles_by_event_time() {
    let mut journal = journal(1000);
    journal.take_in(vec![report("a", 0, 90), start("b", 60_000)]);
    assert!(journal.is_due());
    journal.begin_send(Usage::default(), Seal::All);
    journal.sent(&[]);
    journal.take_in(vec![start("c", 60_000 + 119_999)]);
    assert!(!journal.is_due());
    journal.take_in(vec![start("d", 60_000 + 120_000)]);
    assert!(journal.is_due());
}

#[test]
fn the_error_type_of_runtime_done_makes_an_out_of_memory() {
    let mut journal = journal(100);
    let oom = "Runtime.OutOfMemory";
    journal.take_in(vec![
        start("a", 0),
        done("a", 7, Some(oom)),
        report("a", 8, 900),
    ]);
    let records = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(records[0].reports[0].status, Status::OutOfMemory);
    assert_eq!(records[0].errors, [(0, oom.to_owned())]);
}

#[test]
fn a_row_made_at_a_failure_is_completed_by_its_report_not_doubled() {
    let mut journal = journal(100);
    journal.take_in(vec![start("a", 0), done("a", 7, Some("Runtime.ExitError"))]);
    assert!(journal.awaits_report() && journal.knows_the_end());
    journal.give_up_waiting(ShutdownReason::Failure);
    journal.take_in(vec![report("a", 9, 1020)]);
    let records = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(delivered(&records), (vec![1020], 1));
    assert_eq!(records[0].reports[0].status, Status::OutOfMemory);
}

#[test]
fn a_failure_that_is_reported_is_known_until_the_next_invocation() {
    let mut journal = journal(100);
    let mut failed = report("a", 8, 1020);
    if let EventKind::Report(r) = &mut failed.kind {
        r.status = Some("timeout".to_owned());
    }
    journal.take_in(vec![start("a", 0), failed]);
    assert!(journal.knows_the_end() && !journal.awaits_report());
    journal.take_in(vec![start("b", 20)]);
    assert!(!journal.knows_the_end());
}

#[test]
fn a_report_after_its_provisional_row_went_out_adds_nothing() {
    let mut journal = journal(100);
    journal.take_in(vec![start("a", 0)]);
    journal.give_up_waiting(ShutdownReason::Timeout);
    let records = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(records[0].reports[0].status, Status::Timeout);
    journal.sent(&[true]);
    journal.take_in(vec![report("a", 9, 90), report("b", 10, 91)]);
    let records = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(delivered(&records), (vec![91], 2));
}

#[test]
fn after_a_restore_the_environment_is_another_one() {
    let mut journal = journal(100);
    journal.take_in(vec![report("a", 0, 90)]);
    let kind = EventKind::RestoreStart;
    journal.take_in(vec![Event { at: at(5), kind }, report("b", 6, 91)]);
    let records = journal.begin_send(Usage::default(), Seal::All);
    let counted: Vec<_> = records.iter().map(|r| (r.seq, r.total)).collect();
    assert_eq!(counted, [(0, 1), (0, 1)]);
    assert_ne!(records[0].env, records[1].env);
}

/// A process is cloned with everything in it, and its kernel with the state of its random numbers.
/// None may be drawn before the restore for what comes after it, and none may be relied on alone.
#[test]
fn clones_of_one_image_deliver_as_two() {
    let image = || {
        let mut journal = journal(100);
        let kind = EventKind::InitStart(Some("java:21".to_owned()));
        journal.take_in(vec![Event { at: at(0), kind }, report("before", 1, 80)]);
        journal
    };
    let restored = |kernel: u64, request: &str| {
        let mut clone = image();
        clone.random = Box::new(move || kernel);
        let kind = EventKind::RestoreStart;
        clone.take_in(vec![Event { at: at(5), kind }, report(request, 6, 91)]);
        clone.begin_send(Usage::default(), Seal::All)
    };
    let one = restored(71, "a");
    for other in [restored(72, "a"), restored(71, "b")] {
        // What was before the snapshot is one record, sent by both; an aggregator takes it once.
        assert_eq!(one[0], other[0]);
        assert_ne!(one[1].env, other[1].env);
        assert_eq!((one[1].seq, one[1].total), (0, 1));
        assert_eq!((other[1].seq, other[1].total), (0, 1));
    }
}

/// If the event of the restore is lost: an environment that has reported nothing has no id yet.
#[test]
fn no_id_is_drawn_before_the_first_report() {
    let mut journal = journal(100);
    journal.random = Box::new(|| panic!("too early"));
    journal.take_in(vec![start("a", 0), done("a", 1, None)]);
    assert!(journal.begin_send(Usage::default(), Seal::All).is_empty());
}

#[test]
fn an_asynchronous_retry_keeps_its_id_and_counts() {
    let mut journal = journal(100);
    journal.take_in(vec![start("a", 0), report("a", 5, 90)]);
    journal.take_in(vec![start("a", 60_000)]);
    assert!(journal.awaits_report());
    journal.take_in(vec![report("a", 60_005, 91)]);
    assert!(!journal.awaits_report());
    let records = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(delivered(&records), (vec![90, 91], 2));
}

#[test]
fn what_was_spent_is_shared_by_rows_and_counted_once() {
    let mut journal = journal(100);
    let spent = |cpu_ms| Usage {
        cpu_ms: Some(cpu_ms),
        cores: Some(2),
        self_kib: Some(4096),
    };
    journal.begin_send(spent(50), Seal::All); // nothing to send: the count goes on from where it was
    journal.usage = spent(100);
    journal.take_in(vec![report("a", 0, 90)]);
    assert_eq!(
        journal.begin_send(spent(130), Seal::All)[0].cpu_ms,
        Some(30)
    );
    journal.sent(&[true]);
    journal.take_in(vec![report("b", 1, 90)]);
    assert_eq!(
        journal.begin_send(spent(180), Seal::All)[0].cpu_ms,
        Some(50)
    );
}

#[test]
fn dropped_events_are_passed_on_once() {
    let mut journal = journal(100);
    let kind = EventKind::Dropped(3);
    journal.take_in(vec![Event { at: at(0), kind }, report("a", 1, 90)]);
    assert_eq!(
        journal.begin_send(Usage::default(), Seal::All)[0].events_dropped,
        3
    );
    journal.sent(&[true]);
    journal.take_in(vec![report("b", 2, 90)]);
    assert_eq!(
        journal.begin_send(Usage::default(), Seal::All)[0].events_dropped,
        0
    );
}

/// The events of `n` invocations, each with its own peak.
fn life(n: u32) -> Vec<Event> {
    let events = (0..n).flat_map(|n| {
        let (id, ms) = (n.to_string(), i64::from(n) * 1000);
        [
            start(&id, ms),
            done(&id, ms + 7, None),
            report(&id, ms + 8, n),
        ]
    });
    events.collect()
}

proptest! {
    /// Any split into POSTs, any redelivery, any disorder of the POSTs: each report once.
    #[test]
    fn each_report_is_delivered_exactly_once(
        cuts in prop::collection::vec((1_usize..5, 1_usize..4), 40),
        order in any::<u64>(),
    ) {
        let mut rest = life(20);
        let mut posts = Vec::new();
        for (size, times) in cuts {
            let post: Vec<_> = rest.drain(..size.min(rest.len())).collect();
            posts.extend(std::iter::repeat_n(post, times));
        }
        let len = posts.len() as u64;
        for n in 0..len {
            let other = order.wrapping_mul(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7;
            posts.swap(usize::try_from(n).unwrap(), usize::try_from(other % len).unwrap());
        }
        let mut journal = journal(100);
        let mut records = Vec::new();
        for post in posts {
            journal.take_in(post);
            if journal.is_due() {
                records.extend(journal.begin_send(Usage::default(), Seal::All));
                journal.sent(&[true; 500]);
            }
        }
        prop_assert!(!journal.awaits_report());
        records.extend(journal.begin_send(Usage::default(), Seal::All));
        let (mut used, total) = delivered(&records);
        used.sort_unstable();
        let want: Vec<u32> = (0..used.len()).map(|n| u32::try_from(n).unwrap()).collect();
        prop_assert_eq!(&used, &want);
        prop_assert_eq!(total, used.len() as u64);
        prop_assert_eq!(used.len(), 20 - rest.len() / 3);
    }

    /// Whatever fails on the way: rows delivered plus rows folded is the last `total`, `seq` has no
    /// gap, and the highest peak arrives.
    #[test]
    fn total_is_what_was_delivered_and_what_was_folded(
        room in 1_usize..30,
        answers in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..3), 0..30),
        n in 1_u32..120,
    ) {
        let mut journal = journal(room);
        let mut answers = answers.into_iter();
        let mut arrived = std::collections::BTreeMap::<u64, Reports>::new();
        for event in life(n) {
            journal.take_in(vec![event]);
            if journal.is_due() && let Some(answer) = answers.next() {
                let sent = journal.begin_send(Usage::default(), Seal::All);
                let got = sent.into_iter().zip(&answer).filter(|(_, ok)| **ok);
                arrived.extend(got.map(|(r, _)| (r.seq, r)));
                journal.sent(&answer);
            }
        }
        arrived.extend(journal.begin_send(Usage::default(), Seal::All).into_iter().map(|r| (r.seq, r)));
        let records: Vec<_> = arrived.into_values().collect();
        prop_assert!(records.iter().zip(0..).all(|(r, seq)| r.seq == seq));
        let folded = records.iter().filter_map(|r| r.folded);
        let rows = records.iter().map(|r| r.reports.len() as u64).sum::<u64>();
        let (used, total) = delivered(&records);
        prop_assert_eq!(rows + folded.clone().map(|f| f.count).sum::<u64>(), total);
        prop_assert_eq!(total, u64::from(n));
        let peaks = used.into_iter().chain(folded.filter_map(|f| f.max_used_mb).map(|mb| mb.0));
        prop_assert_eq!(peaks.max(), Some(n - 1));
    }
}
