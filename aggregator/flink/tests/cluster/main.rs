//! The job on a real Flink, held to the same rules in this process: random histories, in any order, split and repeated,
//! at any parallelism, give the same proposals at every close.
//!
//! `make flink` builds the job first.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set its scene has failed"
)]

mod bad_input;
mod history;
mod job;
mod live;

use std::collections::BTreeMap;

use history::History;
use job::Job;
use rightsizer_rules::state::{FunctionState, STATE_VERSION};
use rightsizer_rules::window::{DayKey, DayStats, Hours, WINDOW_DAYS};
use serde_json::Value;

/// The proposals of closes, by function and day.
fn by_close(proposals: Vec<Value>) -> BTreeMap<(String, String), Value> {
    let mut closes = BTreeMap::new();
    for proposal in proposals {
        let Some(day) = proposal["closed"].as_str() else {
            continue;
        };
        let function = proposal["function"].as_str().unwrap();
        let key = (function.to_owned(), day.to_owned());
        let twice = closes.insert(key.clone(), proposal);
        assert!(twice.is_none(), "{key:?} closed twice");
    }
    closes
}

/// The days and peaks of the functions at the end are those of the rules alone; returns how many days there are.
fn equal_days(history: &History, job: &Job) -> usize {
    equal_days_as(history, job, DayStats::clone)
}

/// The same after states were of the oldest version for a while: it has no hours of durations.
fn equal_days_without_hours(history: &History, job: &Job) -> usize {
    equal_days_as(history, job, |day| DayStats {
        hours: Hours::default(),
        ..day.clone()
    })
}

fn equal_days_as(history: &History, job: &Job, seen: fn(&DayStats) -> DayStats) -> usize {
    let of = |state: &FunctionState| -> Vec<(DayKey, DayStats)> {
        state
            .days()
            .map(|(key, day)| (key.clone(), seen(day)))
            .collect()
    };
    let states = job.states();
    assert_eq!(states.len(), history.states.len() + 1, "and the tick");
    let mut days = 0;
    for (name, wanted) in &history.states {
        let found = &states[name];
        assert_eq!(of(found), of(wanted), "days of {name}");
        assert!(found.peaks().eq(wanted.peaks()), "peaks of {name}");
        days += found.days().count();
    }
    days
}

/// 12 functions over 24 days, with what was sent and answered. One to four readers; each run has the records in
/// another order, in other files, some of them twice.
#[test]
fn flink_and_the_rules_alone_propose_the_same_at_every_close() {
    let history = History::random(7, 12, 24);
    let wanted = by_close(history.proposals.clone());
    assert!(wanted.len() > 200, "{} closes", wanted.len());
    let written = history.written();
    let rarest = written.sent.min(written.answered).min(written.listed);
    assert!(rarest > 10, "{written:?}");
    assert!(written.cleared > 1 && written.forgotten > 1, "{written:?}");
    for (run, parallelism) in [1, 2, 4].into_iter().enumerate() {
        let job = Job::new();
        history.write(&job, 1 + run, u64::try_from(run).unwrap());
        let found = by_close(job.run(parallelism));
        let days: Vec<_> = wanted
            .keys()
            .filter(|key| !found.contains_key(*key))
            .collect();
        assert!(days.is_empty(), "parallelism {parallelism} lacks {days:?}");
        for (key, proposal) in &wanted {
            assert_eq!(
                &found[key], proposal,
                "{key:?} at parallelism {parallelism}"
            );
        }
        assert_eq!(found.len(), wanted.len());
        let days = equal_days(&history, &job);
        println!(
            "parallelism {parallelism}: {} closes and {days} function-days equal, {written:?}",
            found.len()
        );
    }
}

/// A system that moves to Flink after 15 of 24 days loses none of them: Flink begins with the states, and closes the
/// other days as if it had always run. The decisions come again from their beginning.
#[test]
fn a_system_that_moves_to_flink_keeps_its_days() {
    let history = History::random(7, 12, 24);
    let job = Job::new();
    history.write_moved(15, &job);
    let initial = job.folder("initial").display().to_string();
    let options = [
        "--clock",
        "event",
        "--parallelism",
        "2",
        "--initial",
        &initial,
    ];
    assert_eq!(job.run_with(&[], &options), None);
    let found = by_close(job.proposals());
    let first = "2026-05-16";
    let mut wanted = by_close(history.proposals.clone());
    wanted.retain(|(_, day), _| day.as_str() >= first);
    assert!(wanted.len() > 80, "{} closes", wanted.len());
    for (key, proposal) in &wanted {
        assert_eq!(found.get(key), Some(proposal), "{key:?}");
    }
    assert_eq!(found.len(), wanted.len());
    let days = equal_days(&history, &job);
    println!(
        "{} closes and {days} function-days equal after a move",
        wanted.len()
    );
}

/// A cluster of processes that is killed at random and rescaled gives what a run that nothing disturbs gives.
/// `RIGHTSIZER_KILLS` sets the number. One reader has all records, because evidence that comes after the command to
/// forget its function counts again. States are of the oldest version until the upgrade, so that they lose hours.
#[test]
fn kills_and_rescaling_change_nothing() {
    let history = History::without_hours(11, 8, 20);
    let written = history.written();
    assert!(written.cleared > 1 && written.forgotten > 1, "{written:?}");
    equal_after_kills(&history, 1);
}

/// The same with two readers, which continue from different places. One may get far ahead of the other, and a state
/// counts repeated records twice once it has dropped the mark of their environment. The history ends before that.
#[test]
fn kills_and_rescaling_change_nothing_with_two_readers() {
    let history = History::that_forgets_nothing(11, 8, WINDOW_DAYS.into());
    assert!(history.written().cleared > 1, "{:?}", history.written());
    equal_after_kills(&history, 2);
}

fn equal_after_kills(history: &History, files: usize) {
    let wanted = by_close(history.proposals.clone());
    let job = Job::new();
    let kills = std::env::var("RIGHTSIZER_KILLS").map_or(2, |kills| kills.parse().unwrap());
    history.write_often(&job, files, (250 + 50 * kills) * files);
    let (found, counts) = job.run_and_kill(kills);
    let found = by_close(found);
    let days: Vec<_> = wanted
        .keys()
        .filter(|key| !found.contains_key(*key))
        .collect();
    assert!(days.is_empty(), "{days:?} are lacking after {counts}");
    for (key, proposal) in &wanted {
        assert_eq!(&found[key], proposal, "{key:?} after {counts}");
    }
    assert_eq!(found.len(), wanted.len());
    // Each kind once, at least.
    assert!(!counts.contains(": 0"), "{counts}");
    let kept = equal_days_without_hours(history, &job);
    let mut versions = job.state_versions();
    versions.dedup();
    // Those before the upgrade are of the older version, if a day closed by then.
    assert!(versions.ends_with(&[STATE_VERSION]), "{versions:?}");
    println!(
        "{} closes and {kept} function-days equal after {counts}, states of versions {versions:?}",
        found.len()
    );
}
