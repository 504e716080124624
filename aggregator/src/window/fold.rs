//! Evidence in, day deltas out: the one place where a record becomes window state.

use std::collections::BTreeMap;

use rightsizer_records::{Folded, Megabytes, Millis, ReportRow, Reports, Timestamp};

use super::day::{DayKey, DaySource, DayStats, Sample};
use super::environment::EnvironmentState;
use crate::source::Observation;

/// What one record adds to one day.
#[derive(Debug, Clone, PartialEq)]
pub struct DayDelta {
    /// Which day's row.
    pub key: DayKey,
    /// What is added to it.
    pub stats: DayStats,
}

/// The time of the newest row of a record: what the clock and W5's future check look at.
pub fn newest_event(record: &Reports) -> Timestamp {
    row_times(record).max().unwrap_or(record.t0)
}

/// The time of the oldest row of a record.
pub fn oldest_event(record: &Reports) -> Timestamp {
    row_times(record).min().unwrap_or(record.t0)
}

fn row_times(record: &Reports) -> impl Iterator<Item = Timestamp> {
    record
        .reports
        .iter()
        .map(|row| record.t0.plus_ms(row.at_ms))
}

/// Merges a `reports` record into its environment and answers what it adds to which days; `None`
/// when this (`env`, `seq`) was merged before (W7).
pub fn fold_reports(record: &Reports, environment: &mut EnvironmentState) -> Option<Vec<DayDelta>> {
    if !environment.marks.insert(record.seq) {
        return None;
    }
    let mut days: BTreeMap<DayKey, DayStats> = BTreeMap::new();
    let key = |at: Timestamp| DayKey {
        day: at.day(),
        source: DaySource::Layer,
        memory_mb: record.memory_mb,
        version: record.version.clone(),
    };
    for row in &record.reports {
        let at = record.t0.plus_ms(row.at_ms);
        days.entry(key(at))
            .or_default()
            .record(sample_of(row), record.memory_mb);
    }
    if let Some(folded) = &record.folded {
        add_folded(
            days.entry(key(record.t0)).or_default(),
            folded,
            record.memory_mb,
        );
    }
    for (key, stats) in &mut days {
        stats.environments = u64::from(environment.days.insert(key.day));
    }
    note(record, environment);
    Some(
        days.into_iter()
            .map(|(key, stats)| DayDelta { key, stats })
            .collect(),
    )
}

fn sample_of(row: &ReportRow) -> Sample {
    Sample {
        max_used_mb: row.max_used_mb,
        duration_ms: row.duration_ms,
        billed_ms: row.billed_ms,
        status: row.status,
    }
}

/// A summary keeps counts and the extremes; that its failures were timeouts or out of memory is
/// not known, so near the limit they censor the peak like any failure there.
fn add_folded(day: &mut DayStats, folded: &Folded, size: Megabytes) {
    day.invocations = day.invocations.saturating_add(folded.count);
    day.errors = day.errors.saturating_add(folded.failures);
    if let Some(used) = folded.max_used_mb {
        day.use_memory(used, size, folded.failures > 0);
    }
    if let Some(duration) = folded.duration_ms {
        day.durations.record(duration.ceil_ms());
    }
}

fn note(record: &Reports, environment: &mut EnvironmentState) {
    environment.first = environment.first.min(record.t0).min(oldest_event(record));
    environment.last = environment.last.max(record.t0).max(newest_event(record));
    environment.total = environment.total.max(record.total);
    environment.seen = environment
        .seen
        .saturating_add(record.reports.len() as u64 + record.folded.map_or(0, |f| f.count));
    environment.events_dropped = environment
        .events_dropped
        .saturating_add(record.events_dropped);
    environment.arch = environment.arch.max(record.arch);
    environment.self_kib = environment.self_kib.max(record.self_kib.unwrap_or(0));
    environment.cpu_ms = environment
        .cpu_ms
        .saturating_add(record.cpu_ms.unwrap_or(0));
}

/// What one observation (a log line, a telemetry event) adds to its day. It has no key to be
/// deduplicated by; its source is exact by other means (W7).
pub fn fold_observation(seen: &Observation, source: DaySource) -> DayDelta {
    let mut stats = DayStats::default();
    let sample = Sample {
        max_used_mb: seen.max_used_mb,
        duration_ms: seen.duration_ms,
        billed_ms: seen.billed_ms.or(seen.duration_ms.map(round_up)),
        status: seen.status,
    };
    stats.record(sample, seen.memory_mb);
    let key = DayKey {
        day: seen.at.day(),
        source,
        memory_mb: seen.memory_mb,
        version: seen.version.clone(),
    };
    DayDelta { key, stats }
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
        let mut environment = EnvironmentState::starting(records[0].t0);
        let mut days: BTreeMap<DayKey, DayStats> = BTreeMap::new();
        for record in records {
            for delta in fold_reports(record, &mut environment).into_iter().flatten() {
                days.entry(delta.key).or_default().merge(&delta.stats);
            }
        }
        (days, environment)
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
        assert_eq!((environment.seen, environment.cpu_ms), (1, 5));
    }

    #[test]
    fn a_folded_summary_keeps_the_highest_peak_and_the_count() {
        let mut r = record(0, "2026-01-31T12:00:00Z", &[(0, 90)]);
        r.folded = Some(Folded {
            count: 40,
            max_used_mb: Some(Megabytes(250)),
            duration_ms: None,
            failures: 1,
        });
        r.total = 42;
        let (days, environment) = merged(&[r]);
        let day = days.values().next().unwrap();
        assert_eq!((day.peak_mb.0, day.invocations, day.errors), (250, 41, 1));
        assert!(day.censored, "250 of 256 with a failure hides the demand");
        assert_eq!(environment.lost(), 1); // 42 seen there, 41 arrived here
    }

    proptest! {
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
