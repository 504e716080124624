//! What was skipped for something that passes by itself comes again, at intervals that grow.

use super::*;
use rightsizer_rules::commands::Action;

const MINUTE: i64 = 60_000;

impl Case {
    /// The updater leaves it alone, for this reason.
    fn skip(&mut self, id: &str, (from, to): (u32, u32), reason: &str) {
        self.answer_because(id, "f", (OutcomeStatus::Skipped, reason), (from, to));
    }

    /// What a server does every second.
    fn tick_after(&mut self, minutes: i64) -> Vec<String> {
        self.now = self.now.plus_ms(minutes * MINUTE);
        let now = self.now;
        self.pipeline().tick(now).unwrap();
        self.outbox()
    }
}

/// A function at 1024 MB whose decrease to 300 is sent.
fn sent() -> (Case, String) {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.send_all().remove(0);
    (case, id)
}

#[test]
fn what_was_skipped_for_a_moment_comes_again_at_growing_intervals() {
    for reason in [
        "paused",
        "update-in-progress",
        "revision-changed",
        "superseded",
        "expired",
        "throttled",
    ] {
        let (mut case, id) = sent();
        for wait in [5, 10, 20] {
            case.skip(&id, (1024, 300), reason);
            assert!(case.tick_after(wait - 1).is_empty(), "{reason}, {wait} min");
            case.restart();
            let again = case.tick_after(1);
            assert_eq!(again, std::slice::from_ref(&id), "{reason}, {wait} min");
            assert_eq!(case.tick_after(0), case.send_all(), "once");
            assert!(case.tick_after(0).is_empty());
        }
        case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
        assert!(case.tick_after(1440).is_empty());
        assert_eq!(case.line("f").status, "applied", "{reason}");
    }
}

/// A function that has opted out is skipped tomorrow too.
#[test]
fn what_was_skipped_for_good_waits_for_the_next_days_decision() {
    for reason in ["opted-out", "stale-from", "alias-ahead"] {
        let (mut case, id) = sent();
        case.skip(&id, (1024, 300), reason);
        assert!(case.tick_after(24 * 60 - 1).is_empty(), "{reason}");
        case.report(reports("f", 100, "2026-05-16T12:00:00Z", 1024, 200, 1));
        assert_eq!(case.outbox().len(), 1, "{reason}: with the next day's id");
    }
}

/// The updater alone may know that a person is wanted: a stack's tag, its own default.
#[test]
fn what_the_updater_leaves_to_a_person_waits_for_one_and_can_be_approved() {
    for reason in [
        "recommend-only",
        "stack-owned",
        "provisioned-concurrency",
        "timeout-unknown",
    ] {
        let (mut case, id) = sent();
        case.skip(&id, (1024, 300), reason);
        assert!(case.tick_after(60).is_empty(), "{reason}");
        assert_eq!(case.line("f").status, "open", "{reason}");
        case.restart();
        case.review(Action::Approve { what: "f".into() }).unwrap();
        assert_eq!(case.send_all(), std::slice::from_ref(&id), "{reason}");
        // A second answer of this kind is final.
        case.now = case.now.plus_ms(MINUTE);
        case.skip(&id, (1024, 300), reason);
        assert_eq!(case.line("f").status, "skipped", "{reason}");
    }
}

/// An increase that waits for a person is not sent automatically each time that memory runs out.
#[test]
fn an_urgent_increase_that_needs_an_approval_stays_urgent() {
    let mut case = Case::new();
    let out = |env| {
        let mut out = reports("f", env, "2026-05-01T10:00:00Z", 256, 256, 1);
        out.reports[0].status = Status::OutOfMemory;
        out
    };
    case.report(out(1));
    let id = case.send_all().remove(0);
    case.skip(&id, (256, 356), "recommend-only");
    case.report(out(2));
    assert!(case.tick_after(10).is_empty());
    let line = case.line("f");
    assert_eq!((line.status.as_str(), line.urgent), ("open", true));
    case.review(Action::Approve { what: "f".into() }).unwrap();
    assert_eq!(case.send_all(), [id]);
}

/// If the aggregator knows the mode of untagged functions, no recommendation is sent that must fail.
#[test]
fn p5_if_untagged_functions_need_an_approval_nothing_of_them_is_sent_automatically() {
    for (mode, waits) in [("off", true), ("recommend", true), ("auto", false)] {
        let settings = format!("[policy]\nmax_step_down = 0.9\nmode = \"{mode}\"");
        let mut case = Case::with(Settings::parse(&settings).unwrap());
        case.fortnight("f", 1024, &[200; 14]);
        assert_eq!(case.outbox().is_empty(), waits, "{mode}");
        assert_eq!(case.line("f").status, "open", "{mode}");
    }
}

/// It is decided again, not sent again: by then 1024 MB may be right.
#[test]
fn a_retried_recommendation_is_decided_again() {
    let (mut case, id) = sent();
    case.skip(&id, (1024, 300), "update-in-progress");
    case.report(reports("f", 100, "2026-05-15T12:00:00Z", 1024, 1000, 1));
    let again = case.tick_after(5);
    assert!(!again.contains(&id), "{:?}", case.line("f"));
}

/// Also with one decision a window.
#[test]
fn a_slow_cadence_does_not_lose_a_temporary_skip() {
    let settings = "[policy]\nmax_step_down = 0.9\n[window]\ncadence = \"once-per-window\"";
    let mut case = Case::with(Settings::parse(settings).unwrap());
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.send_all().remove(0);
    case.skip(&id, (1024, 300), "revision-changed");
    assert_eq!(case.tick_after(5), [id]);
}

/// An increase that ran into a pause must not wait until memory runs out once more.
#[test]
fn an_urgent_increase_is_repeated_automatically() {
    let mut case = Case::new();
    let mut out = reports("f", 1, "2026-05-01T10:00:00Z", 256, 256, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    let id = case.send_all().remove(0);
    case.skip(&id, (256, 356), "paused");
    assert_eq!(case.tick_after(5), [id]);
    assert!(case.line("f").urgent);
}

/// Its record grew too old on the stream, or went to the bucket of what was given up.
#[test]
fn an_increase_without_an_outcome_is_repeated_in_two_hours() {
    let mut case = Case::new();
    let mut out = reports("f", 1, "2026-05-01T10:00:00Z", 256, 256, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    let id = case.send_all().remove(0);
    assert!(case.tick_after(119).is_empty());
    assert_eq!(case.tick_after(1), std::slice::from_ref(&id));
    case.send_all();
    // It was only late.
    case.answer(&id, "f", OutcomeStatus::Applied, 256, 356);
    assert!(case.tick_after(180).is_empty());
    assert_eq!(case.line("f").current_mb, 356);
    // A decrease can wait for the next day.
    let (mut case, _) = sent();
    assert!(case.tick_after(23 * 60).is_empty());
}

#[test]
fn an_approval_outlives_a_temporary_skip() {
    let mut case = Case::new();
    case.report(reports("f", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    case.review(Action::Approve { what: "f".into() }).unwrap();
    let id = case.send_all().remove(0);
    case.skip(&id, (1024, 300), "paused");
    assert_eq!(case.line("f").status, "skipped");
    assert_eq!(case.tick_after(5), [id]);
    assert_eq!(case.line("f").status, "approved");
    let now = case.now;
    let record = case.pipeline().outbox(Outgoing::Approved, 1, now).unwrap();
    let record = String::from_utf8(record.entries[0].record.clone()).unwrap();
    assert!(record.contains("\"mode\":\"approved\""), "{record}");
}

#[test]
fn what_was_skipped_for_a_pause_comes_with_its_end() {
    let (mut case, id) = sent();
    case.review(Action::Pause).unwrap();
    case.skip(&id, (1024, 300), "paused");
    assert!(case.tick_after(1).is_empty());
    case.review(Action::Resume).unwrap();
    assert_eq!(case.tick_after(0), [id]);
}

/// It was on the stream: the next day's takes its place in a row of its own, and its outcome still counts.
#[test]
fn what_was_ever_sent_is_not_written_over() {
    let (mut case, id) = sent();
    // From now on it only waits for a person.
    let tags: Tags = [(
        rightsizer_records::tags::STACK_TAG.to_owned(),
        "shop".to_owned(),
    )]
    .into();
    case.know_tagged("f", "code", "2026-05-15T11:00:00Z", tags);
    case.skip(&id, (1024, 300), "paused");
    assert!(case.tick_after(5).is_empty());
    let line = case.line("f");
    assert_eq!(
        (line.status.as_str(), line.recommendation),
        ("open", Some(id.clone()))
    );
    case.report(reports("f", 100, "2026-05-16T12:00:00Z", 1024, 200, 1));
    let next = case.line("f").recommendation;
    assert!(next.is_some() && next.as_ref() != Some(&id));
    let kept = format!(
        "SELECT count(*) FROM recommendations
         WHERE id = '{id}' AND status = 'superseded' AND sent_ms IS NOT NULL"
    );
    assert_eq!(case.count(&kept), 1);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    assert_eq!(case.line("f").current_mb, 300);
}
