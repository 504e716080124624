//! Evidence in, deltas out: the one place where a record or an observation becomes window state.

use rightsizer_records::{
    ErrorKind, Folded, Megabytes, Millis, ReportRow, Reports, Status, Timestamp,
};

use super::day::{DaySource, DayStats, Sample};
use super::delta::{DayKeyRef, Delta, EnvironmentKey, Lookup, Mark, Newest, Sighting};
use super::environment::EnvironmentState;
use crate::evidence::{FunctionKey, Observation};

/// The times of the oldest and the newest row of a record; `t0` if it has none.
fn span(record: &Reports) -> (Timestamp, Timestamp) {
    let offsets = record.reports.iter().map(|row| row.at_ms);
    let (least, most) = offsets.fold((i64::MAX, i64::MIN), |(least, most), at| {
        (least.min(at), most.max(at))
    });
    if record.reports.is_empty() {
        return (record.t0, record.t0);
    }
    (record.t0.plus_ms(least), record.t0.plus_ms(most))
}

/// What a `reports` record adds. Its mark is (`env`, `seq`): merged twice it adds nothing (W7).
pub fn fold_reports(record: &Reports) -> Delta {
    let (oldest, newest) = span(record);
    let folded = folded_rows(record).map_or(0, |f| f.count);
    let reports = (record.reports.len() as u64).saturating_add(folded);
    let at_its_size = |at| Newest {
        at,
        memory_mb: record.memory_mb,
        version: record.version.clone(),
    };
    let mut delta = Delta {
        function: FunctionKey::Arn(record.function.clone()),
        source: DaySource::Layer,
        sighting: Sighting {
            oldest: oldest.min(record.t0),
            newest: at_its_size(newest),
            arch: record.arch,
            runtime: record.runtime.clone(),
            started: (record.seq == 0).then(|| at_its_size(oldest.min(record.t0))),
            ran_out: ran_out(record).map(|at| (at, record.memory_mb)),
            mixed: None,
        },
        mark: Some(Mark::Record(record.seq)),
        environments: Vec::with_capacity(1),
        days: Vec::with_capacity(1),
        reports,
        lookup: Lookup::default(),
    };
    let mut environment = EnvironmentState {
        first: record.t0.min(oldest),
        last: record.t0.max(newest),
        total: record.total,
        seen: reports,
        events_dropped: record.events_dropped,
        arch: record.arch,
        self_kib: record.self_kib.unwrap_or(0),
        ..EnvironmentState::starting(record.t0)
    };
    add_rows(record, &mut delta, &mut environment);
    environment.days = delta.days.iter().map(|day| day.key.day).collect();
    environment.days.sort_unstable();
    let key = EnvironmentKey {
        env: record.env,
        memory_mb: record.memory_mb,
        version: record.version.clone(),
    };
    delta.environments.push((key, environment));
    delta
}

fn add_rows(record: &Reports, delta: &mut Delta, environment: &mut EnvironmentState) {
    let size = record.memory_mb;
    let key = |at: Timestamp| DayKeyRef {
        day: at.day(),
        memory_mb: size,
        version: &record.version,
    };
    let before = record.total.saturating_sub(record.reports.len() as u64);
    if let Some(first) = record.reports.first() {
        let day = delta.day(key(record.t0.plus_ms(first.at_ms)));
        day.stats.reserve(record.reports.len());
    }
    let mut wall = 0_u64;
    let mut errors = record.errors.iter().peekable();
    for ((n, row), ordinal) in record.reports.iter().enumerate().zip(before + 1..) {
        // Rows ascend in what the extension writes; of what does not, a row keeps its status alone.
        let error = errors.next_if(|(of, _)| *of == n);
        let sample = Sample {
            error: error.map(|(_, error_type)| ErrorKind::of(error_type)),
            ..sample_of(row)
        };
        let duration = sample.duration_ms.map_or(0, Millis::ceil_ms);
        wall = wall.saturating_add(duration);
        delta.day(key(record.t0.plus_ms(row.at_ms))).count(sample);
        if let Some(used) = row.max_used_mb {
            environment.high_water.note(ordinal, used);
        }
    }
    if let Some(folded) = folded_rows(record) {
        add_folded(&mut delta.day(key(record.t0)).stats, folded, size);
    }
    if let (Some(cpu), Some(first)) = (record.cpu_ms, record.reports.first()) {
        let day = &mut delta.day(key(record.t0.plus_ms(first.at_ms))).stats;
        day.cpu_ms = day.cpu_ms.saturating_add(cpu);
        day.cpu_wall_ms = day.cpu_wall_ms.saturating_add(wall);
    }
}

/// When the last of its rows that ran out of memory was reported; a summary is of the time of the record.
fn ran_out(record: &Reports) -> Option<Timestamp> {
    let rows = record.reports.iter();
    let out = rows.filter(|row| row.status == Status::OutOfMemory);
    let folded = folded_rows(record).filter(|folded| folded.ooms > 0);
    out.map(|row| record.t0.plus_ms(row.at_ms))
        .chain(folded.map(|_| record.t0))
        .max()
}

/// The summary of a record, unless it is a summary of nothing.
fn folded_rows(record: &Reports) -> Option<&Folded> {
    record.folded.as_ref().filter(|folded| folded.count > 0)
}

fn sample_of(row: &ReportRow) -> Sample {
    Sample {
        max_used_mb: row.max_used_mb,
        duration_ms: row.duration_ms,
        billed_ms: row.billed_ms,
        init_ms: row.init_ms,
        status: row.status,
        error: None,
        amends: false,
    }
}

/// A summary keeps counts and the extremes, all of one day. How much a failure in it used is not
/// known, so near the limit any of them censors the peak; one out of memory does at any figure.
fn add_folded(day: &mut DayStats, folded: &Folded, size: Megabytes) {
    day.invocations = day.invocations.saturating_add(folded.count);
    let named = folded.timeouts.saturating_add(folded.ooms);
    let errors = folded.failures.saturating_sub(named);
    day.errors = day.errors.saturating_add(errors);
    day.timeouts = day.timeouts.saturating_add(folded.timeouts);
    day.ooms = day.ooms.saturating_add(folded.ooms);
    day.billed_ms = day.billed_ms.saturating_add(folded.billed_ms);
    day.censored |= folded.ooms > 0;
    if let Some(used) = folded.max_used_mb {
        day.use_memory(used, size, folded.failures > 0);
    }
    if let Some(duration) = folded.duration_ms {
        day.durations.record(duration.ceil_ms());
    }
}

/// What one observation (a log line, a telemetry event) adds. Its key is its log event's id, if it
/// has one; else its source is exact by other means (W7).
pub fn fold_observation(seen: &Observation, source: DaySource) -> Delta {
    let mut delta = Delta {
        function: FunctionKey::clone(&seen.function),
        source,
        sighting: sighting(seen),
        mark: seen.event_id.map(Mark::Event),
        environments: Vec::new(),
        days: Vec::with_capacity(1),
        reports: 0,
        lookup: Lookup::default(),
    };
    add(seen, &mut delta);
    delta
}

/// Adds an observation without a key to what others of its function and source add.
pub fn fold_into(seen: &Observation, delta: &mut Delta) {
    delta.sighting.see(seen);
    add(seen, delta);
}

fn sighting(seen: &Observation) -> Sighting {
    Sighting {
        oldest: seen.at,
        newest: Newest::of(seen),
        arch: seen.arch,
        runtime: None,
        started: seen.init_ms.map(|_| Newest::of(seen)),
        ran_out: (seen.status == Status::OutOfMemory).then_some((seen.at, seen.memory_mb)),
        mixed: None,
    }
}

fn add(seen: &Observation, delta: &mut Delta) {
    let sample = Sample {
        max_used_mb: seen.max_used_mb,
        duration_ms: seen.duration_ms,
        billed_ms: seen.billed_ms.or(seen.duration_ms.map(round_up)),
        init_ms: seen.init_ms,
        status: seen.status,
        error: seen.error,
        amends: seen.amends,
    };
    let day = seen.at.day();
    let key = DayKeyRef {
        day,
        memory_mb: seen.memory_mb,
        version: &seen.version,
    };
    let counted = delta.day(key);
    counted.count(sample);
    let stats = &mut counted.stats;
    if let (Some(cpu), Some(wall)) = (seen.cpu_ms, seen.duration_ms) {
        stats.cpu_ms = stats.cpu_ms.saturating_add(cpu.ceil_ms());
        stats.cpu_wall_ms = stats.cpu_wall_ms.saturating_add(wall.ceil_ms());
    }
    if seen.amends {
        return;
    }
    delta.reports += 1;
    let Some(env) = seen.environment else { return };
    let key = EnvironmentKey {
        env,
        memory_mb: seen.memory_mb,
        version: seen.version.to_string(),
    };
    let mut view = EnvironmentState::starting(seen.at);
    view.on(day);
    delta.see_environment(key, &view, seen.max_used_mb);
}

/// Lambda bills whole milliseconds, rounded up.
fn round_up(duration: Millis) -> Millis {
    Millis::from_ms(duration.ceil_ms())
}

#[cfg(test)]
mod tests {
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
}
