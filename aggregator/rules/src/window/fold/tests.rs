//! Tests of `fold`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rightsizer_records::{EnvId, FunctionArn};

use super::super::day::DayKey;
use super::*;

fn record(seq: u64, t0: &str, rows: &[(i64, u32)]) -> Reports {
    Reports {
        function: FunctionArn::new("aws", "eu-central-1", "123456789012", "f").unwrap(),
        version: "$LATEST".into(),
        env: EnvId(1),
        seq,
        total: 0,
        memory_mb: Megabytes(256),
        arch: None,
        runtime: None,
        init: None,
        t0: Timestamp::parse(t0).unwrap(),
        reports: rows
            .iter()
            .map(|(at_ms, used)| ReportRow {
                at_ms: *at_ms,
                max_used_mb: Some(Megabytes(*used)),
                duration_ms: Some(Millis::from_ms(10)),
                billed_ms: Some(Millis::from_ms(10)),
                ..ReportRow::default()
            })
            .collect(),
        errors: vec![],
        cpu_ms: Some(5),
        cores: None,
        self_kib: None,
        folded: None,
        events_dropped: 0,
    }
}

fn merged(records: &[Reports]) -> (BTreeMap<DayKey, DayStats>, EnvironmentState) {
    let mut environment: Option<EnvironmentState> = None;
    let mut days: BTreeMap<DayKey, DayStats> = BTreeMap::new();
    for record in records {
        let mut delta = fold_reports(record);
        let (key, view) = delta.environments.remove(0);
        let state = environment.get_or_insert_with(|| EnvironmentState::starting(view.first));
        let Some(new) = state.absorb(&view, Some(record.seq)) else {
            continue;
        };
        delta.count_environment(&key, &new);
        for day in delta.days {
            days.entry(day.key).or_default().merge(&day.stats);
        }
    }
    (days, environment.unwrap())
}

/// Rows at 05:59:59.999 and 06:00: the second and the third part of the day. A line without a time is of midnight, and
/// may have run at any time of the day.
#[test]
fn durations_have_the_time_of_the_day_if_it_is_known() {
    let record = record(0, "2026-01-31T05:59:59.999Z", &[(0, 90), (1, 90), (2, 90)]);
    let stats = fold_reports(&record).days.remove(0).stats;
    let parts: Vec<(usize, f64)> = stats
        .hours
        .parts()
        .map(|(part, count, _)| (part, count))
        .collect();
    assert_eq!(parts, [(1, 1.0), (2, 2.0)]);
    let line = |at: &str| {
        let line = Observation {
            function: std::rc::Rc::new(FunctionKey::Local("f".to_owned())),
            version: "$LATEST".into(),
            at: Timestamp::parse(at).unwrap(),
            memory_mb: Megabytes(256),
            max_used_mb: Some(Megabytes(90)),
            duration_ms: Some(Millis::from_ms(10)),
            billed_ms: None,
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
        let stats = fold_observation(&line, DaySource::Import)
            .days
            .remove(0)
            .stats;
        (stats.durations.count(), stats.hours.count())
    };
    assert_eq!(line("2026-01-31T00:00:00.001Z"), (1, 1));
    assert_eq!(line("2026-01-31T00:00:00Z"), (1, 0));
}

/// The first row of a record has the figure of its environment's start.
#[test]
fn the_start_of_a_restored_environment_is_a_restore() {
    let started = |init| {
        let mut record = record(0, "2026-01-31T10:00:00Z", &[(0, 90), (5, 90)]);
        record.init = init;
        record.reports[0].init_ms = Some(Millis::from_ms(300));
        let stats = fold_reports(&record).days.remove(0).stats;
        (stats.inits.count(), stats.restores.count(), stats.firsts)
    };
    assert_eq!(started(Some(InitType::SnapStart)), (0, 1, 1));
    assert_eq!(started(Some(InitType::OnDemand)), (1, 0, 1));
    assert_eq!(started(None), (1, 0, 1));
}

/// The first record of an environment has its start, and later ones do not change it.
#[test]
fn an_environment_keeps_how_long_its_start_took() {
    let start = |seq| {
        let mut record = record(seq, "2026-01-31T10:00:00Z", &[(0, 90), (5, 90)]);
        record.reports[0].init_ms = Some(Millis::from_ms(300));
        fold_reports(&record).environments.remove(0).1.start_ms
    };
    assert_eq!((start(0), start(1)), (Some(300), None));
    let mut later = EnvironmentState::starting(Timestamp::MIN);
    let first = EnvironmentState {
        start_ms: Some(300),
        ..later.clone()
    };
    drop(later.absorb(&first, None));
    assert_eq!(later.start_ms, Some(300));
}

/// 23:59:59.900 and 00:00:00.100 are 200 ms apart and lie in two days.
#[test]
fn w1_the_day_of_a_report_is_the_utc_date_of_its_own_time() {
    let (days, environment) =
        merged(&[record(0, "2026-01-31T23:59:59.900Z", &[(0, 90), (200, 95)])]);
    let peaks: Vec<_> = days
        .iter()
        .map(|(k, s)| (k.day.to_string(), s.peak_mb.0, s.environments))
        .collect();
    assert_eq!(
        peaks,
        [("2026-01-31".into(), 90, 1), ("2026-02-01".into(), 95, 1)]
    );
    assert_eq!(environment.days.len(), 2);
}

#[test]
fn w7_the_same_env_and_seq_counts_once() {
    let r = record(4, "2026-01-31T12:00:00Z", &[(0, 90)]);
    let (days, environment) = merged(&[r.clone(), r.clone(), r]);
    assert_eq!(days.values().map(|s| s.invocations).sum::<u64>(), 1);
    assert_eq!(environment.seen, 1);
    assert_eq!(days.values().map(|s| s.cpu_ms).sum::<u64>(), 5);
}

#[test]
fn a_folded_summary_keeps_the_highest_peak_and_the_count() {
    let mut r = record(0, "2026-01-31T12:00:00Z", &[(0, 90)]);
    r.folded = Some(Folded {
        count: 40,
        max_used_mb: Some(Megabytes(250)),
        failures: 3,
        timeouts: 1,
        ooms: 1,
        billed_ms: 400,
        ..Folded::default()
    });
    r.total = 42;
    let (days, environment) = merged(&[r]);
    let day = days.values().next().unwrap();
    assert_eq!((day.peak_mb.0, day.invocations), (250, 41));
    assert_eq!((day.errors, day.timeouts, day.ooms), (1, 1, 1));
    assert_eq!(day.billed_ms, 410); // 10 of the row
    assert!(day.censored, "250 of 256 with a failure hides the demand");
    assert_eq!(environment.lost(), 1); // 42 seen there, 41 arrived here
}

/// The rows of the second record are the environment's 9th to 12th invocations.
#[test]
fn p3_rows_climb_by_their_number_in_the_environments_life() {
    let mut r = record(
        1,
        "2026-01-31T12:00:00Z",
        &[(0, 90), (1, 91), (2, 95), (3, 92)],
    );
    r.total = 12;
    let (_, environment) = merged(&[r]);
    assert_eq!(environment.high_water.to_string(), ",,,,95");
}

proptest! {
    /// What is known about a function does not depend on the order of arrival.
    #[test]
    fn w7_sightings_join_in_any_order(
        seen in proptest::collection::vec((0_i64..5, 1_u32..4, any::<bool>()), 1..8),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let t0 = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
        let newest = |at: &i64, mb: &u32| Newest {
            at: t0.plus_ms(*at),
            memory_mb: Megabytes(*mb),
            version: mb.to_string(),
        };
        let of = |(at, mb, starts): &(i64, u32, bool)| Sighting {
            oldest: t0.plus_ms(*at),
            newest: newest(at, mb),
            arch: None,
            runtime: None,
            started: starts.then(|| newest(at, mb)),
            ran_out: (!starts).then(|| (t0.plus_ms(*at), Megabytes(*mb))),
            mixed: None,
        };
        let joined = |views: &[&(i64, u32, bool)]| {
            let mut whole = of(views[0]);
            views.iter().for_each(|view| whole.join(&of(view)));
            assert!(whole.mixed.is_some() || views.iter().all(|view| view.1 == views[0].1));
            whole.mixed = None;
            whole
        };
        let mut shuffled: Vec<_> = order.iter().map(|i| i.get(&seen)).collect();
        shuffled.extend(seen.iter().rev());
        prop_assert_eq!(joined(&seen.iter().collect::<Vec<_>>()), joined(&shuffled));
    }

    /// Any permutation and any replay of the same records gives the same days and environment.
    #[test]
    fn w7_merging_is_commutative_and_idempotent(
        rows in proptest::collection::vec(
            proptest::collection::vec((0_i64..200_000_000, 1_u32..300), 1..4), 1..8),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let t0 = ["2026-01-31T12:00:00Z", "2026-01-31T18:00:00Z", "2026-01-31T23:59:00Z"];
        let records: Vec<Reports> = rows.iter().enumerate()
            .map(|(seq, rows)| record(seq as u64, t0[seq % 3], rows)).collect();
        let mut shuffled: Vec<Reports> =
            order.iter().map(|i| i.get(&records).clone()).collect();
        shuffled.extend(records.iter().rev().cloned());
        let (days, environment) = merged(&records);
        let (again, same) = merged(&shuffled);
        prop_assert_eq!(days, again);
        prop_assert_eq!(environment, same);
    }
}
