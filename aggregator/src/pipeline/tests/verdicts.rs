//! What was applied is judged by what ran since.

use super::*;
use rightsizer_rules::commands::Action;

impl Case {
    /// A function with a fortnight behind it that was shrunk from 1024 to 300 on the 15th.
    fn shrunk(name: &str) -> (Self, String) {
        let mut case = Self::new();
        case.fortnight(name, 1024, &[200; 14]);
        let id = case.send_all().remove(0);
        case.answer(&id, name, OutcomeStatus::Applied, 1024, 300);
        (case, id)
    }

    /// 30 invocations of a new environment at `size` on a day of May, and on the next the event that
    /// closes it.
    fn day(&mut self, name: &str, day: u32, size: u32) {
        let env = u64::from(1000 + day);
        let when = format!("2026-05-{day:02}T12:00:00Z");
        self.report(reports(name, env, &when, size, 200, 30));
        let next = format!("2026-05-{:02}T10:00:00Z", day + 1);
        self.report(reports(name, env + 500, &next, size, 200, 1));
    }

    fn life(&self, name: &str, id: &str) -> (String, String) {
        let detail = Reader::open(&self.path()).unwrap();
        let detail = detail.detail(self.line(name)).unwrap();
        let entry = detail
            .history
            .iter()
            .find(|entry| entry["id"] == id)
            .unwrap();
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("reason"))
    }
}

/// The same 100 ms at 300 instead of 1024 MB: 300 ÷ 1024 = 0.29 times the GB-seconds.
#[test]
fn a_harmless_change_is_verified_with_its_measured_saving() {
    let (mut case, id) = Case::shrunk("f");
    case.day("f", 15, 300);
    assert_eq!(
        case.life("f", &id).0,
        "applied",
        "a day and 50 calls are wanted"
    );
    case.day("f", 16, 300);
    let (status, why) = case.life("f", &id);
    assert_eq!(status, "verified");
    assert!(why.contains("0.29 times the GB-seconds"), "{why}");
    assert_eq!(case.line("f").to_mb, None);
}

/// The budget of `speed` refers to the size before the first change, so the curve needs that.
#[test]
fn the_size_before_the_first_change_is_remembered() {
    let (mut case, _) = Case::shrunk("f");
    case.fortnight("g", 1024, &[200; 14]);
    let before = |name| {
        let reader = Reader::open(&case.path()).unwrap();
        reader.detail(case.line(name)).unwrap().before_mb
    };
    assert_eq!([before("f"), before("g")], [Some(Megabytes(1024)), None]);
}

/// 300 runs out: max(1.2 × 300, 400) = 400 would be P3's; the size before the change is larger, and
/// known to be good. Two environments that served six calls each report it.
#[test]
fn what_runs_out_is_rolled_back_at_once_and_held() {
    let (mut case, id) = Case::shrunk("f");
    for env in 2000..2002 {
        let mut out = reports("f", env, "2026-05-15T12:00:00Z", 300, 300, 6);
        out.reports[5].status = Status::OutOfMemory;
        case.report(out);
    }
    let line = case.line("f");
    assert_eq!((line.to_mb, line.urgent), (Some(1024), true));
    assert!(
        line.reasons
            .iter()
            .any(|r| matches!(r, Reason::RollbackOutOfMemory { .. }))
    );
    let back = case.send_all();
    assert_eq!(back.len(), 1, "no approval is needed");
    case.answer(&back[0], "f", OutcomeStatus::Applied, 300, 1024);
    assert_eq!(case.life("f", &id).0, "rolled-back");
    assert_eq!(case.line("f").current_mb, 1024);
    for day in 16..=20 {
        case.day("f", day, 1024);
        assert!(case.outbox().is_empty(), "no decrease for 14 days");
    }
}

/// A deployment puts 1024 back twice. Once may be an old environment that was slow to start.
#[test]
fn what_someone_else_restores_is_not_changed() {
    let (mut case, id) = Case::shrunk("f");
    case.report(reports("f", 2000, "2026-05-15T11:00:00Z", 300, 200, 30));
    case.report(reports("f", 2001, "2026-05-15T12:00:00Z", 1024, 200, 30));
    case.report(reports("f", 2002, "2026-05-15T13:00:00Z", 1024, 200, 30));
    case.day("f", 16, 1024);
    assert_eq!(case.life("f", &id).0, "reverted");
    assert_eq!(case.line("f").current_mb, 1024);
    assert!(case.outbox().is_empty(), "it is not fought");
}

/// 40 of 200 fail after the change, and none of 141 did before: if the rate were at most 1.5 times
/// what it was, all 40 would fall behind it with a chance of (300 ÷ 441) ^ 40 = 2 in ten million.
#[test]
fn a_change_with_more_failures_is_rolled_back() {
    let (mut case, id) = Case::shrunk("f");
    let mut failing = reports("f", 2000, "2026-05-15T12:00:00Z", 300, 200, 200);
    for row in failing.reports.iter_mut().step_by(5) {
        row.status = Status::Error;
    }
    case.report(failing);
    case.report(reports("f", 2001, "2026-05-16T10:00:00Z", 300, 200, 1));
    let line = case.line("f");
    assert_eq!(
        (line.to_mb, line.urgent),
        (Some(1024), true),
        "{:?}",
        line.reasons
    );
    assert!(
        line.reasons
            .iter()
            .any(|r| matches!(r, Reason::RollbackErrors(_)))
    );
    assert_eq!(case.life("f", &id).0, "applied", "until it is taken back");
}

/// Approved by a person, skipped for a pause, applied at the second attempt, proven.
#[test]
fn a_history_is_shown_from_its_decision_to_its_end_with_times_and_who() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let after = |case: &mut Case, minutes: i64| case.now = case.now.plus_ms(minutes * 60_000);
    after(&mut case, 1);
    case.review(Action::Approve { what: "f".into() }).unwrap();
    after(&mut case, 1);
    let id = case.send_all().remove(0);
    case.answer_because(&id, "f", (OutcomeStatus::Skipped, "paused"), (1024, 300));
    after(&mut case, 5);
    let now = case.now;
    case.pipeline().tick(now).unwrap();
    assert_eq!(case.send_all(), std::slice::from_ref(&id));
    after(&mut case, 1);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    after(&mut case, 1);
    case.day("f", 15, 300);
    case.day("f", 16, 300);
    let detail = Reader::open(&case.path()).unwrap();
    let detail = detail.detail(case.line("f")).unwrap();
    let events: Vec<String> = detail.history[0]["life"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap().to_owned();
            let minute = text("at")[11..16].to_owned();
            format!("{minute} {} {} {}", text("what"), text("by"), text("why"))
        })
        .collect();
    assert_eq!(
        events,
        [
            "00:00 decided rightsizer ",
            "00:01 approved on-call seen the graphs",
            "00:02 skipped updater paused",
            "00:07 sent rightsizer ",
            "00:08 applied updater ",
            "00:09 verified rightsizer no harm found; 0.29 times the GB-seconds an invocation",
        ]
    );
}

/// Half steps, each proven before the next: 1024 → 512 → 300.
#[test]
fn p5_a_large_decrease_goes_in_steps_that_are_proven() {
    let mut case = Case::with(Settings::default());
    case.fortnight("f", 1024, &[200; 14]);
    assert_eq!(case.line("f").to_mb, Some(512));
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 512);
    case.day("f", 15, 512);
    assert_eq!(case.line("f").to_mb, None, "the step is not proven yet");
    case.day("f", 16, 512);
    assert_eq!(case.life("f", &id).0, "verified");
    assert_eq!(case.line("f").to_mb, Some(300));
}

/// Decided once in 14 days, it is judged at every close anyway.
#[test]
fn a_harmful_change_is_rolled_back_at_the_next_close_however_rare_decisions_are() {
    let settings = "[policy]\nmax_step_down = 0.9\n[window]\ncadence = \"once-per-window\"";
    let mut case = Case::with(Settings::parse(settings).unwrap());
    case.fortnight("f", 1024, &[200; 14]);
    let id = case.send_all().remove(0);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    let mut failing = reports("f", 2000, "2026-05-15T12:00:00Z", 300, 200, 60);
    for row in &mut failing.reports {
        row.status = Status::Error;
    }
    case.report(failing);
    case.report(reports("f", 2001, "2026-05-16T10:00:00Z", 300, 200, 1));
    let line = case.line("f");
    assert_eq!((line.to_mb, line.urgent), (Some(1024), true), "{line:?}");
}

/// A function that takes 300 ms at one in the morning, once a day, and 100 at noon was shrunk. At its new size it is called
/// at one in the morning first: 300 ms are what it takes at that hour, 900 are slower.
#[test]
fn a_change_is_judged_by_the_same_hours_of_the_days_before() {
    let timed = |env: u64, when: &str, size: u32, ms: u64, count: usize| {
        let mut record = reports("f", env, when, size, 200, count);
        for row in &mut record.reports {
            row.duration_ms = Some(Millis::from_ms(ms));
        }
        record
    };
    for (ms, is_slower) in [(300, false), (900, true)] {
        let mut case = Case::new();
        case.know("f", "code", "2026-05-01T00:00:00Z");
        for day in 1..=15_u32 {
            let at = |hour: u32| format!("2026-05-{day:02}T{hour:02}:00:00Z");
            case.report(timed(u64::from(day), &at(1), 1024, 300, 1));
            case.report(timed(u64::from(100 + day), &at(12), 1024, 100, 30));
        }
        let id = case.send_all().remove(0);
        case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
        for env in 2000..2002 {
            case.report(timed(env, "2026-05-16T01:00:00Z", 300, ms, 20));
        }
        case.report(timed(3000, "2026-05-17T01:00:00Z", 300, ms, 1));
        let reasons = case.line("f").reasons;
        let slower = |reason: &Reason| matches!(reason, Reason::RollbackSlower { .. });
        assert_eq!(
            reasons.iter().any(slower),
            is_slower,
            "{ms} ms: {reasons:?}"
        );
    }
}
