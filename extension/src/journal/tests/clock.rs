//! Clocks step, and events overtake each other: an invocation is over when its report has arrived,
//! whatever the times of its events are. An invocation that stays open costs 500 ms at SHUTDOWN
//! and a second row, without memory, for something that is already counted.

use super::*;

const HOUR_MS: i64 = 3_600_000;

/// Nothing is open, and giving up adds nothing: each of these reports is one row with its memory.
fn each_is_one_row(mut journal: Journal, used: &[u32]) {
    assert!(!journal.awaits_report());
    journal.give_up_waiting(ShutdownReason::Spindown);
    let records = journal.begin_send(Usage::default(), Seal::All);
    let rows: usize = records.iter().map(|r| r.reports.len()).sum();
    assert_eq!(rows, used.len(), "{records:?}");
    assert_eq!(delivered(&records), (used.to_vec(), used.len() as u64));
}

#[test]
fn a_step_of_the_clock_within_an_invocation_leaves_nothing_open() {
    for step_ms in [
        -HOUR_MS, -60_000, -5000, -1000, -9, -1, 1, 1000, 60_000, HOUR_MS,
    ] {
        // The step comes before the event of this number: start, runtimeDone, report.
        for stepped in 1..3 {
            let step = |n| if n >= stepped { step_ms } else { 0 };
            let mut journal = journal(100);
            journal.take_in(vec![start("a", 0)]);
            assert!(journal.awaits_report(), "{step_ms}");
            journal.take_in(vec![done("a", 7 + step(1), None)]);
            assert!(journal.awaits_report(), "{step_ms}");
            journal.take_in(vec![report("a", 8 + step(2), 90)]);
            each_is_one_row(journal, &[90]);
        }
    }
}

#[test]
fn events_of_an_invocation_may_overtake_each_other_while_the_clock_steps() {
    for step_ms in [-20_000, -1000, -8, 0, 1000, 20_000] {
        let events = [
            start("a", 0),
            done("a", 7 + step_ms, None),
            report("a", 8 + step_ms, 90),
        ];
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut journal = journal(100);
            for n in order {
                journal.take_in(vec![events[n].clone()]);
            }
            each_is_one_row(journal, &[90]);
        }
    }
}

#[test]
fn a_failure_keeps_its_error_across_a_step() {
    let mut journal = journal(100);
    let oom = "Runtime.OutOfMemory";
    journal.take_in(vec![
        start("a", 0),
        done("a", 7 - 3000, Some(oom)),
        report("a", 8 - 3000, 900),
    ]);
    let records = journal.begin_send(Usage::default(), Seal::All);
    assert_eq!(records[0].errors, [(0, oom.to_owned())]);
}

#[test]
fn a_retry_is_awaited_although_the_clock_was_put_back_before_it() {
    let mut journal = journal(100);
    journal.take_in(vec![
        start("a", HOUR_MS),
        done("a", HOUR_MS + 7, None),
        report("a", HOUR_MS + 8, 90),
    ]);
    journal.take_in(vec![start("a", 60_000)]);
    assert!(journal.awaits_report());
    journal.take_in(vec![done("a", 60_007, None), report("a", 60_008, 91)]);
    each_is_one_row(journal, &[90, 91]);
}

/// The report of a life that crashed comes in the next one, without its start; the retry of the
/// same request, a minute later, is another invocation.
#[test]
fn a_report_of_the_life_before_does_not_stand_for_the_retry() {
    let mut journal = journal(100);
    journal.take_in(vec![report("a", 8, 1020), start("a", 60_000)]);
    assert!(journal.awaits_report());
    journal.take_in(vec![done("a", 60_007, Some("Runtime.OutOfMemory"))]);
    assert!(journal.knows_the_end());
    journal.take_in(vec![report("a", 60_008, 1021)]);
    each_is_one_row(journal, &[1020, 1021]);
}

#[test]
fn a_late_report_closes_its_own_attempt_not_the_retry() {
    let mut journal = journal(100);
    journal.take_in(vec![start("a", 0), done("a", 7, None), start("a", 60_000)]);
    journal.take_in(vec![report("a", 8, 90)]);
    assert!(journal.awaits_report());
    journal.take_in(vec![done("a", 60_007, None), report("a", 60_008, 91)]);
    each_is_one_row(journal, &[90, 91]);
}

#[test]
fn a_late_start_does_not_hide_how_the_last_invocation_failed() {
    let mut journal = journal(100);
    let mut failed = report("a", 8, 1020);
    if let EventKind::Report(r) = &mut failed.kind {
        r.status = Some("timeout".to_owned());
    }
    journal.take_in(vec![failed, start("a", 0)]);
    assert!(journal.knows_the_end());
}

/// An event of each other kind, with no request: its time may be any.
fn neighbour(kind: u8, ms: i64) -> Event {
    let kind = match kind % 3 {
        0 => EventKind::InitStart(None),
        1 => EventKind::Dropped(0),
        _ => EventKind::Other,
    };
    Event { at: at(ms), kind }
}

proptest! {
    /// Steps of milliseconds to hours between any two events, any redelivery, and neighbours of
    /// every kind: each invocation is one row.
    #[test]
    fn whenever_the_clock_steps_each_report_is_one_row(
        steps in prop::collection::vec((0_usize..60, -2 * HOUR_MS..2 * HOUR_MS, 0_u32..8), 0..12),
        repeated in prop::collection::vec(0_usize..60, 0..8),
        neighbours in prop::collection::vec((0_usize..60, any::<u8>()), 0..8),
    ) {
        let mut events = life(20);
        for (from, step_ms, halved) in steps {
            for event in &mut events[from..] {
                event.at = event.at.plus_ms(step_ms >> (halved * 3));
            }
        }
        let mut journal = journal(100);
        for (n, event) in events.iter().enumerate() {
            for (_, kind) in neighbours.iter().filter(|(before, _)| *before == n) {
                journal.take_in(vec![neighbour(*kind, event.at.as_ms() - at(0).as_ms() - 9000)]);
            }
            journal.take_in(vec![event.clone()]);
            for _ in repeated.iter().filter(|again| **again == n) {
                journal.take_in(vec![event.clone()]);
            }
        }
        let used: Vec<u32> = (0..20).collect();
        each_is_one_row(journal, &used);
    }

    /// The three events of each invocation in any order, and steps of up to twenty seconds.
    #[test]
    fn overtaken_and_stepped_each_report_is_one_row(
        steps in prop::collection::vec(-10_000_i64..10_000, 20),
        orders in prop::collection::vec(Just([0, 1, 2]).prop_shuffle(), 20),
    ) {
        let mut events = life(20);
        let mut journal = journal(100);
        for ((three, step_ms), order) in events.chunks_mut(3).zip(steps).zip(orders) {
            three[2].at = three[2].at.plus_ms(step_ms);
            three[1].at = three[1].at.plus_ms(step_ms / 2);
            for n in order {
                journal.take_in(vec![three[n].clone()]);
            }
        }
        let used: Vec<u32> = (0..20).collect();
        each_is_one_row(journal, &used);
    }
}
