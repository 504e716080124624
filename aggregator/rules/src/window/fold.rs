//! Evidence in, deltas out: the one place where a record or an observation becomes window state.

use rightsizer_records::{
    ErrorKind, Folded, InitType, Megabytes, Millis, ReportRow, Reports, Status, Timestamp,
};

use super::day::{DaySource, DayStats, Sample};
use super::delta::{DayKeyRef, Delta, EnvironmentKey, Lookup, Mark};
use super::environment::EnvironmentState;
use super::sighting::{Newest, Sighting};
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
        start_ms: start_ms(record),
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

/// How long the environment's start took; its first record has it.
fn start_ms(record: &Reports) -> Option<u64> {
    let rows = record.reports.iter().filter(|_| record.seq == 0);
    rows.filter_map(|row| row.init_ms)
        .map(Millis::ceil_ms)
        .max()
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
    let restored = record.init == Some(InitType::SnapStart);
    let mut wall = 0_u64;
    let mut errors = record.errors.iter().peekable();
    for ((n, row), ordinal) in record.reports.iter().enumerate().zip(before + 1..) {
        // Rows ascend in what the extension writes; of what does not, a row keeps its status alone.
        let error = errors.next_if(|(of, _)| *of == n);
        let at = record.t0.plus_ms(row.at_ms);
        let sample = Sample {
            at: Some(at),
            error: error.map(|(_, error_type)| ErrorKind::of(error_type)),
            ..sample_of(row, restored)
        };
        let duration = sample.duration_ms.map_or(0, Millis::ceil_ms);
        wall = wall.saturating_add(duration);
        delta.day(key(at)).count(sample);
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

/// A row has one figure for its start: a restore, if the environment was `restored` from a snapshot.
fn sample_of(row: &ReportRow, restored: bool) -> Sample {
    Sample {
        at: None,
        max_used_mb: row.max_used_mb,
        duration_ms: row.duration_ms,
        billed_ms: row.billed_ms,
        init_ms: row.init_ms.filter(|_| !restored),
        restore_ms: row.init_ms.filter(|_| restored),
        status: row.status,
        error: None,
        amends: false,
        failed_start: false,
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
        started: seen.has_started().then(|| Newest::of(seen)),
        ran_out: (seen.status == Status::OutOfMemory).then_some((seen.at, seen.memory_mb)),
        mixed: None,
    }
}

fn add(seen: &Observation, delta: &mut Delta) {
    let day = seen.at.day();
    let sample = Sample {
        // Evidence without a time is of midnight.
        at: Some(seen.at).filter(|at| *at != day.start()),
        max_used_mb: seen.max_used_mb,
        duration_ms: seen.duration_ms,
        billed_ms: seen.billed_ms.or(seen.duration_ms.map(round_up)),
        init_ms: seen.init_ms,
        restore_ms: seen.restore_ms,
        status: seen.status,
        error: seen.error,
        amends: seen.amends,
        failed_start: seen.failed_start,
    };
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
    if seen.amends || seen.failed_start {
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
    view.start_ms = seen.init_ms.or(seen.restore_ms).map(Millis::ceil_ms);
    delta.see_environment(key, &view, seen.max_used_mb);
}

/// Lambda bills whole milliseconds, rounded up.
fn round_up(duration: Millis) -> Millis {
    Millis::from_ms(duration.ceil_ms())
}

#[cfg(test)]
mod tests;
