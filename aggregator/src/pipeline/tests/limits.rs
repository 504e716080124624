//! How much may change at once, on a clock of the tests' own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use proptest::prelude::*;
use rightsizer_records::Day;
use rightsizer_rules::commands::Action;
use rightsizer_store::inspect::stops;

use super::*;

const HOUR: i64 = 3_600_000;

/// The settings of these tests: one step goes all the way, and `limits`.
fn limited(limits: &str) -> Settings {
    Settings::parse(&format!(
        "[policy]\nmax_step_down = 0.9\n[limits]\n{limits}"
    ))
    .unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("f{n:02}")).collect()
}

impl Case {
    /// The given number of functions of 1024 MB after 14 days of 200 MB: each should get 300.
    fn fleet(limits: &str, count: usize) -> Self {
        let mut case = Self::with(limited(limits));
        for name in names(count) {
            case.know(&name, "code", "2026-05-01T00:00:00Z");
        }
        let mut days: Vec<String> = (1..=14)
            .map(|n| format!("2026-05-{n:02}T10:00:00Z"))
            .collect();
        days.push("2026-05-15T10:00:01Z".to_owned());
        for (env, when) in days.iter().enumerate() {
            case.live(count, env as u64, when, 1024);
        }
        case
    }

    /// Each function is called ten times in one environment.
    fn live(&mut self, count: usize, env: u64, when: &str, size: u32) {
        let record =
            |name: String| encode(&Record::Reports(reports(&name, env, when, size, 200, 10)));
        let records = names(count).into_iter().map(record).collect();
        self.deliver(records, Channel::Reports);
    }

    /// It runs out of memory at `size`.
    fn run_out(&mut self, name: &str, env: u64, when: &str, size: u32) {
        let mut out = reports(name, env, when, size, size, 1);
        out.reports[0].status = Status::OutOfMemory;
        self.report(out);
    }

    /// Two environments that served five calls each run out of memory at `size`.
    fn run_out_in_two(&mut self, name: &str, env: u64, when: &str, size: u32) {
        for env in env..env + 2 {
            let mut out = reports(name, env, when, size, size, 6);
            out.reports[5].status = Status::OutOfMemory;
            self.report(out);
        }
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    fn waits(&self) -> Option<String> {
        stops(&self.path()).unwrap().waits
    }

    fn auto_paused(&self) -> Option<String> {
        stops(&self.path()).unwrap().auto_paused
    }

    /// Names and ids of what is sent now.
    fn send(&mut self) -> BTreeMap<String, String> {
        let now = self.now;
        let outbox = self.pipeline().outbox(Outgoing::All, 500, now).unwrap();
        let keys: Vec<_> = outbox.entries.iter().map(|e| e.key.clone()).collect();
        self.pipeline().mark_sent(&keys, now).unwrap();
        let named = |function: &str| function.rsplit(':').next().unwrap().to_owned();
        let sent = outbox.entries.into_iter();
        sent.map(|entry| (named(&entry.function), entry.key.id))
            .collect()
    }

    fn answered(&mut self, id: &str, name: &str, status: OutcomeStatus, reason: &str) {
        let line = self.line(name);
        let sizes = (line.current_mb, line.to_mb.unwrap());
        self.answer_because(id, name, (status, reason), sizes);
    }
}

/// 2026-06-01 begins at the test's first moment.
#[test]
fn no_more_decreases_are_sent_on_a_utc_day_than_the_setting_allows() {
    let mut case = Case::fleet("decreases_per_day = 3\nunverified_least = 100", 7);
    assert_eq!(case.send().len(), 3);
    assert_eq!(
        case.waits().as_deref(),
        Some("3 were sent today (UTC), and that is the limit")
    );
    case.restart();
    case.pass(23 * HOUR + 59 * 60_000);
    assert!(case.send().is_empty(), "a restart forgets nothing");
    case.pass(60_000 - 1);
    assert!(case.send().is_empty());
    // Decided again at the day's close, before they expire.
    case.live(7, 100, "2026-05-16T10:00:00Z", 1024);
    case.pass(1);
    assert_eq!(case.send().len(), 3);
    case.pass(24 * HOUR);
    case.live(7, 101, "2026-05-17T10:00:00Z", 1024);
    // The three of the first day came to nothing meanwhile.
    assert_eq!(case.send().len(), 3);
}

/// With one decision a window what waits today is not lost until the next one.
#[test]
fn what_the_limits_hold_back_is_sent_on_a_later_day_at_any_cadence() {
    let limits = "decreases_per_day = 1\n[window]\ncadence = \"once-per-window\"";
    let mut case = Case::fleet(limits, 3);
    for day in 1..=3 {
        assert_eq!(case.send().len(), 1, "day {day}");
        case.pass(24 * HOUR);
    }
}

/// 20 % of 10 functions are 2. One that is left alone makes room, one that is applied does so when it is
/// verified.
#[test]
fn no_more_of_the_fleet_is_unverified_than_the_setting_allows() {
    let mut case = Case::fleet("unverified_percent = 20\nunverified_least = 1", 10);
    let sent = case.send();
    assert_eq!(sent.len(), 2);
    assert!(
        case.waits()
            .unwrap()
            .starts_with("2 functions are not verified")
    );
    assert!(case.send().is_empty());
    let mut sent = sent.into_iter();
    let (first, second) = (sent.next().unwrap(), sent.next().unwrap());
    case.answered(&first.1, &first.0, OutcomeStatus::Skipped, "opted-out");
    case.answered(&second.1, &second.0, OutcomeStatus::Applied, "");
    let third = case.send();
    assert_eq!(third.len(), 1, "one place is free again");
    // A day and 50 calls at the new size: verified.
    for (env, when) in [(200, "2026-05-15T12:00:00Z"), (201, "2026-05-16T12:00:00Z")] {
        case.report(reports(&second.0, env, when, 300, 200, 30));
    }
    case.report(reports(&second.0, 202, "2026-05-17T10:00:00Z", 300, 200, 1));
    assert_eq!(case.line(&second.0).status, "verified");
    assert_eq!(case.send().len(), 1);
}

#[test]
fn decreases_wait_for_a_change_window_and_increases_do_not() {
    // 2026-06-01, on which the test begins, is a Monday; Berlin is two hours ahead in summer.
    let windows = "change_windows = [\"tue-wed 09:00-10:00\"]\ntimezone = \"Europe/Berlin\"";
    let mut case = Case::fleet(windows, 2);
    case.pass(8 * HOUR);
    assert!(case.send().is_empty());
    assert_eq!(
        case.waits().as_deref(),
        Some("outside the change windows until 2026-06-02T07:00:00.000Z")
    );
    let approved = Action::Approve { what: "f00".into() };
    case.review(approved).unwrap();
    assert!(case.send().is_empty(), "a person's yes waits for it too");
    case.run_out("f01", 300, "2026-05-15T11:00:00Z", 1024);
    let sent = case.send();
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["f01"]);
    case.pass(23 * HOUR - 1);
    assert!(case.send().is_empty());
    case.pass(1);
    assert_eq!(case.send().len(), 1);
    assert_eq!(case.waits(), None);
}

/// Two of four run out after they were shrunk, 23 hours apart.
#[test]
fn two_rollbacks_within_24_hours_pause_automatic_decreases_until_resumed() {
    let mut case = Case::fleet("unverified_least = 2", 4);
    let sent = case.send();
    assert_eq!(sent.len(), 2);
    for (name, id) in &sent {
        case.answered(id, name, OutcomeStatus::Applied, "");
    }
    let shrunk: Vec<&String> = sent.keys().collect();
    case.pass(HOUR);
    let others = names(4).into_iter().filter(|name| !sent.contains_key(name));
    let others: Vec<String> = others.collect();
    case.run_out_in_two(shrunk[0], 300, "2026-05-15T12:00:00Z", 300);
    assert_eq!(case.line(shrunk[0]).to_mb, Some(1024));
    let mut back = case.send();
    assert_eq!(back.len(), 1);
    // Judged again before it is rolled back, it is the same rollback.
    case.run_out(shrunk[0], 302, "2026-05-15T13:00:00Z", 300);
    assert_eq!(case.auto_paused(), None);
    case.run_out_in_two(shrunk[1], 303, "2026-05-16T11:00:00Z", 300);
    let words = case.auto_paused().unwrap();
    assert!(
        words.starts_with("since 2026-05-16T11:00:00.000Z: 2 rollbacks within 24 hours")
            && words.ends_with(shrunk[1]),
        "{words}"
    );
    case.restart();
    back.extend(case.send());
    let both: Vec<&String> = back.keys().collect();
    assert_eq!(both, shrunk, "nothing ever delays an increase");
    for (name, id) in &back {
        case.answered(id, name, OutcomeStatus::Applied, "");
    }
    assert!(case.send().is_empty());
    assert_eq!(
        case.waits().as_deref(),
        Some("automatic decreases are paused")
    );
    // A person's yes is no matter of theirs.
    let what = others[0].clone();
    case.review(Action::Approve { what }).unwrap();
    assert_eq!(case.send().keys().collect::<Vec<_>>(), [&others[0]]);
    let resumed = case.review(Action::Resume).unwrap().message;
    assert!(
        resumed.contains("automatic decreases were paused since 2026-05-16"),
        "{resumed}"
    );
    assert_eq!(case.auto_paused(), None);
    assert_eq!(case.send().keys().collect::<Vec<_>>(), [&others[1]]);
}

/// The same with 24 hours between them.
#[test]
fn rollbacks_a_day_apart_pause_nothing() {
    let mut case = Case::fleet("", 2);
    for (name, id) in case.send() {
        case.answered(&id, &name, OutcomeStatus::Applied, "");
    }
    case.run_out_in_two("f00", 300, "2026-05-15T12:00:00Z", 300);
    case.run_out_in_two("f01", 302, "2026-05-16T12:00:00Z", 300);
    assert_eq!(case.auto_paused(), None);
    assert!(case.line("f01").urgent);
}

#[test]
fn approved_changes_go_first_and_count() {
    let mut case = Case::fleet("decreases_per_day = 2", 5);
    case.review(Action::Approve { what: "f04".into() }).unwrap();
    let sent = case.send();
    assert!(sent.len() == 2 && sent.contains_key("f04"), "{sent:?}");
    let mut left = names(5).into_iter().filter(|name| !sent.contains_key(name));
    let what = left.next().unwrap();
    case.review(Action::Approve { what }).unwrap();
    assert!(case.send().is_empty(), "the day is full for it too");
}

/// This number on the stream is what the updater can process before they expire.
#[test]
fn at_most_ten_thousand_are_under_way() {
    let mut case = Case::fleet("unverified_least = 10000000", 4);
    let now = case.now;
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         INSERT INTO recommendations (function_id, id, day, status, from_mb, to_mb, urgent, auto,
            issued_ms, expires_ms, sent_ms)
         SELECT (SELECT max(id) FROM functions), 'x' || i, 1, 'sent', 256, 512, 0, 1, 0, {0}, {0}
         FROM n",
        now.as_ms()
    );
    case.pipeline = None;
    let store = rusqlite::Connection::open(case.path()).unwrap();
    store.execute_batch(&sql).unwrap();
    drop(store);
    case.restart();
    let sent = case.send();
    assert_eq!(sent.len(), 1);
    assert!(
        case.waits()
            .unwrap()
            .contains("10000 recommendations are in flight")
    );
    let mut waiting = names(3).into_iter().filter(|name| !sent.contains_key(name));
    case.run_out(&waiting.next().unwrap(), 300, "2026-05-15T11:00:00Z", 1024);
    assert_eq!(case.send().len(), 1, "what is urgent goes all the same");
    case.pass(HOUR);
    let later = "an hour later they are answered or lost";
    assert_eq!(case.send().len(), 2, "{later}");
}

/// One step of a life: what is sent is answered, or time passes.
#[derive(Debug, Clone)]
enum Act {
    Send,
    Answer { skipped: bool },
    Pass { hours: i64 },
    NextDay,
    Approve { which: usize },
    RunOut { which: usize },
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Send),
        3 => any::<bool>().prop_map(|skipped| Act::Answer { skipped }),
        2 => (1_i64..20).prop_map(|hours| Act::Pass { hours }),
        2 => Just(Act::NextDay),
        1 => (0_usize..12).prop_map(|which| Act::Approve { which }),
        1 => (0_usize..12).prop_map(|which| Act::RunOut { which }),
        1 => Just(Act::Restart),
    ]
}

/// What the test knows by itself of what was sent.
#[derive(Default)]
struct Ledger {
    by_day: BTreeMap<Day, u64>,
    /// Decreases that are sent and not answered: by whom, id and when they expire.
    sent: BTreeMap<String, (String, Timestamp)>,
    applied: BTreeSet<String>,
    event_day: u32,
    env: u64,
}

impl Ledger {
    fn unverified(&self, now: Timestamp) -> usize {
        let waiting = self.sent.iter().filter(|(_, (_, until))| *until > now);
        let waiting = waiting.map(|(name, _)| name).cloned();
        waiting
            .chain(self.applied.iter().cloned())
            .collect::<BTreeSet<_>>()
            .len()
    }
}

fn play(case: &mut Case, ledger: &mut Ledger, act: &Act) -> Result<(), TestCaseError> {
    match act {
        Act::Send => {
            case.send_of(ledger);
            let most = ledger.by_day.values().max().copied().unwrap_or(0);
            prop_assert!(most <= 3, "{most} on one day");
            let unverified = ledger.unverified(case.now);
            prop_assert!(unverified <= 4, "{unverified} unverified");
        }
        Act::Answer { skipped } => {
            let Some((name, (id, until))) = ledger.sent.pop_first() else {
                return Ok(());
            };
            // The updater makes no change that is too old.
            let stands = case.line(&name).recommendation.as_ref() == Some(&id);
            if stands && (*skipped || until > case.now) {
                if *skipped {
                    case.answered(&id, &name, OutcomeStatus::Skipped, "update-in-progress");
                } else {
                    case.answered(&id, &name, OutcomeStatus::Applied, "");
                    ledger.applied.insert(name);
                }
            }
        }
        Act::Pass { hours } => case.pass(hours * HOUR),
        Act::NextDay => {
            ledger.event_day += 1;
            case.pass(24 * HOUR);
            let when = format!("2026-05-{:02}T10:00:00Z", 15 + ledger.event_day);
            let record = |name: String| {
                let size = case.line(&name).current_mb;
                ledger.env += 1;
                let record = reports(&name, 1000 + ledger.env, &when, size, 200, 1);
                encode(&Record::Reports(record))
            };
            let records = names(12).into_iter().map(record).collect();
            case.deliver(records, Channel::Reports);
        }
        Act::Approve { which } => {
            let what = names(12).remove(*which);
            let _ = case.review(Action::Approve { what });
        }
        Act::RunOut { which } => {
            let name = names(12).remove(*which);
            let size = case.line(&name).current_mb;
            ledger.env += 1;
            let when = format!("2026-05-{:02}T10:00:01Z", 15 + ledger.event_day);
            case.run_out(&name, 1000 + ledger.env, &when, size);
            let sent = case.send_of(ledger);
            prop_assert!(sent.contains_key(&name) || case.line(&name).status != "open");
        }
        Act::Restart => case.restart(),
    }
    Ok(())
}

impl Case {
    /// What is sent now, with its decreases in the ledger.
    fn send_of(&mut self, ledger: &mut Ledger) -> BTreeMap<String, String> {
        let sent = self.send();
        for (name, id) in &sent {
            let line = self.line(name);
            if line.to_mb.unwrap() < line.current_mb {
                *ledger.by_day.entry(self.now.day()).or_default() += 1;
                let until = self.now.plus_ms(24 * HOUR);
                ledger.sent.insert(name.clone(), (id.clone(), until));
            } else {
                // What ran out is rolled back or increased: nothing waits for its verdict.
                ledger.applied.remove(name);
                ledger.sent.remove(name);
            }
        }
        sent
    }
}

/// A store and its settings, to begin each case from.
static FLEET: OnceLock<(Vec<u8>, Settings)> = OnceLock::new();

impl Case {
    fn like((store, settings): &(Vec<u8>, Settings)) -> Self {
        let mut case = Self::with(settings.clone());
        case.pipeline = None;
        std::fs::write(case.path(), store).unwrap();
        case.restart();
        case
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    /// Whatever happens, at any hour and over restarts: never more than 3 decreases on a UTC day, never
    /// more than 4 functions (a third of 12) unverified.
    #[test]
    fn the_limits_hold_for_any_sequence(acts in prop::collection::vec(act(), 1..40)) {
        let mut case = Case::like(FLEET.get_or_init(|| {
            let limits = "decreases_per_day = 3\nunverified_percent = 34\nunverified_least = 1\n\
                rollbacks_to_pause = 0";
            let mut fleet = Case::fleet(limits, 12);
            fleet.pipeline = None;
            (std::fs::read(fleet.path()).unwrap(), fleet.settings)
        }));
        let mut ledger = Ledger::default();
        for act in &acts {
            play(&mut case, &mut ledger, act)?;
        }
    }
}
