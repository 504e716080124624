//! Functions that neither the inventory nor history knows: they take no place of those that are known.

use std::time::{Duration, Instant};

use super::*;

const DAY: i64 = 86_400_000;

impl Case {
    /// The given number of unknown functions run out of memory.
    pub(super) fn strangers_run_out(&mut self, count: usize) {
        let when = self.now.to_string();
        let record = |n| {
            let mut out = reports(&format!("bogus{n}"), 1, &when, 128, 128, 1);
            out.reports[0].status = Status::OutOfMemory;
            encode(&Record::Reports(out))
        };
        self.deliver((0..count).map(record).collect(), Channel::Reports);
    }

    pub(super) fn sent_names(&mut self) -> Vec<String> {
        let now = self.now;
        let outbox = self.pipeline().outbox(Outgoing::All, 500, now).unwrap();
        let keys: Vec<_> = outbox.entries.iter().map(|e| e.key.clone()).collect();
        self.pipeline().mark_sent(&keys, now).unwrap();
        let name = |function: &str| function.rsplit(':').next().unwrap().to_owned();
        let entries = outbox.entries.iter();
        entries.map(|entry| name(&entry.function)).collect()
    }

    fn day_ends(&mut self) {
        let now = self.now;
        self.pipeline().tick(now).unwrap();
        while self.pipeline().is_closing() {
            self.pipeline().close_slice(now).unwrap();
        }
    }
}

/// Three thousand strangers ran out first.
#[test]
fn a_known_function_goes_first_and_strangers_have_a_small_place() {
    for by_history in [false, true] {
        let mut case = Case::on_the_wall();
        let now = case.now;
        if by_history {
            for days in (0..=10).rev() {
                case.now = now.plus_ms(-days * DAY);
                let when = case.now.to_string();
                case.report(reports(
                    "real",
                    100 + days.unsigned_abs(),
                    &when,
                    128,
                    60,
                    5,
                ));
            }
        } else {
            case.know_size(arn("real"), 128, "code", &now.to_string(), Tags::default());
        }
        case.strangers_run_out(3000);
        case.runs_out("real", 2, 128);
        let first = case.sent_names();
        assert_eq!(first[0], "real", "by history: {by_history}");
        let mut sent = first.len();
        for _ in 0..8 {
            sent += case.sent_names().len();
        }
        assert!(sent <= 501, "{sent} of strangers are on the stream");
        case.know_size(arn("next"), 128, "code", &now.to_string(), Tags::default());
        case.runs_out("next", 3, 128);
        assert_eq!(case.sent_names(), ["next"], "known ones still go");
    }
}

/// The inventory lists an unknown function: it is known now, and its recommendation goes before the
/// others.
#[test]
fn a_stranger_that_the_inventory_names_is_known_from_then_on() {
    let mut case = Case::on_the_wall();
    case.strangers_run_out(1200);
    for _ in 0..3 {
        case.sent_names();
    }
    let now = case.now.to_string();
    case.know_size(arn("bogus1199"), 128, "code", &now, Tags::default());
    assert_eq!(case.sent_names(), ["bogus1199"]);
}

/// What one function claims of a day: 4,000 sizes, 200 versions.
#[test]
fn w2_a_day_of_a_function_has_32_sizes_and_64_versions_at_most() {
    let mut case = Case::on_the_wall();
    let when = case.now.to_string();
    case.know_size(arn("f"), 9000, "code", &when, Tags::default());
    let record = |size: u32, version: String| {
        let mut record = reports("f", u64::from(size), &when, size, 60, 1);
        record.version = version;
        encode(&Record::Reports(record))
    };
    let sizes = (128..4128).map(|size| record(size, "$LATEST".into()));
    case.deliver(sizes.collect(), Channel::Reports);
    let versions = (1..=200).map(|version| record(8000 + version, version.to_string()));
    case.deliver(versions.collect(), Channel::Reports);
    assert_eq!(
        case.count("SELECT sum(invocations) FROM days"),
        4200,
        "all are counted"
    );
    let distinct = |what| format!("SELECT count(DISTINCT {what}) FROM days");
    assert!(case.count(&distinct("memory_mb")) <= 33);
    assert!(case.count(&distinct("version")) <= 65);
    case.report(reports("f", 99, &when, 9000, 60, 1));
    let own = "SELECT count(*) FROM days WHERE memory_mb = 9000";
    assert_eq!(case.count(own), 1, "the size that it has keeps its place");
    let began = Instant::now();
    case.runs_out("f", 3, 9000);
    assert!(
        began.elapsed() < Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
    assert!(case.line("f").urgent);
}

/// 35 days later nothing is left of them; what the inventory knows, what has a history and what a person
/// imported stays.
#[test]
fn strangers_are_forgotten_when_they_have_been_idle_for_35_days() {
    let mut case = Case::on_the_wall();
    let start = case.now;
    case.know_size(
        arn("listed"),
        128,
        "code",
        &start.to_string(),
        Tags::default(),
    );
    for days in (0..=8).rev() {
        case.now = start.plus_ms(-days * DAY);
        let when = case.now.to_string();
        case.report(reports(
            "steady",
            100 + days.unsigned_abs(),
            &when,
            128,
            60,
            5,
        ));
    }
    case.report(reports("listed", 1, &start.to_string(), 128, 60, 5));
    case.strangers_run_out(50);
    // Days close by the evidence of the two that live on, not by the clock alone.
    let lives_on = |case: &mut Case, days: i64| {
        case.now = start.plus_ms(days * DAY);
        let when = case.now.to_string();
        let env = days.unsigned_abs();
        case.report(reports("steady", 500 + env, &when, 128, 60, 5));
        case.report(reports("listed", 600 + env, &when, 128, 60, 5));
        case.day_ends();
    };
    lives_on(&mut case, 34);
    assert_eq!(case.count("SELECT count(*) FROM functions"), 52);
    lives_on(&mut case, 37);
    assert_eq!(case.count("SELECT count(*) FROM functions"), 2);
    for table in ["peaks", "days", "environments", "recommendations"] {
        let left = format!(
            "SELECT count(*) FROM {table} t
             WHERE NOT EXISTS (SELECT 1 FROM functions f WHERE f.id = t.function_id)"
        );
        assert_eq!(case.count(&left), 0, "{table}");
    }
    // What was forgotten may come back, as new.
    case.runs_out("bogus1", 9, 128);
    assert!(case.line("bogus1").urgent);
}
