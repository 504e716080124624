//! A delta as bytes, from where evidence is read to where its function's state is. What waits for
//! its day in a savepoint is read by a later release, so it has a version of its own.

use rightsizer_records::{Arch, EnvId, Timestamp};

use super::state_bytes::{StateError, form_of as newest_form};
use crate::bytes::{In, Out, Unreadable};
use crate::evidence::FunctionKey;
use crate::window::{
    DayDelta, DayKey, DaySource, DayStats, Delta, Distribution, EnvironmentKey, EnvironmentState,
    HighWater, Hours, Mark, Newest, SeqMarks, Sighting, UsedCounts,
};

type Read<T> = Result<T, Unreadable>;

/// The version of the bytes of a delta that has durations by the time of the day.
const DELTA_VERSION: u8 = 3;
/// The version of a delta without them that has starts of environments, restores, or starts that failed.
const STARTS_DELTA_VERSION: u8 = 2;
/// The version of a delta without all of them. Earlier releases can read it.
const PLAIN_DELTA_VERSION: u8 = 1;

/// How days and environments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Restores count as init; starts that failed, and those of environments, are left out.
    Merged,
    /// All of them are kept apart.
    Apart,
    /// Durations have the time of the day besides.
    Hourly,
}

/// Returns the version of a delta's bytes and its form: the oldest that has all of it, but none after `newest`.
fn form_of(delta: &Delta, newest: Form) -> (u8, Form) {
    let has_hours = delta.days.iter().any(|day| day.stats.hours.count() > 0);
    if has_hours && newest >= Form::Hourly {
        return (DELTA_VERSION, Form::Hourly);
    }
    let is_plain = |day: &DayDelta| {
        let stats = &day.stats;
        let apart = [&stats.restores, &stats.failed_inits, &stats.failed_restores];
        apart.iter().all(|kind| kind.count() == 0)
    };
    let started = delta
        .environments
        .iter()
        .any(|(_, state)| state.start_ms.is_some());
    let plain = !started && delta.days.iter().all(is_plain);
    if plain || newest == Form::Merged {
        (PLAIN_DELTA_VERSION, Form::Merged)
    } else {
        (STARTS_DELTA_VERSION, Form::Apart)
    }
}

/// Writes a delta, its function included, so that a release that reads states of `state_version` can read it.
pub fn delta_to_bytes(delta: &Delta, state_version: u8) -> Vec<u8> {
    let mut out = Out::default();
    let base = delta.sighting.newest.at;
    let (version, form) = form_of(delta, newest_form(state_version));
    out.byte(version);
    out.text(&delta.function.text());
    out.number(delta.source.rank().cast_unsigned());
    write_sighting(&mut out, &delta.sighting);
    match delta.mark {
        None => out.byte(0),
        Some(Mark::Record(seq)) => {
            out.byte(1);
            out.number(seq);
        }
        Some(Mark::Event(event)) => {
            out.byte(2);
            out.fixed(event);
        }
    }
    out.count(delta.environments.len());
    for (key, state) in &delta.environments {
        write_environment_key(&mut out, key);
        write_environment(&mut out, state, base, form);
    }
    out.count(delta.days.len());
    for day in &delta.days {
        write_day_key(&mut out, &day.key);
        write_day(&mut out, &day.stats, form);
    }
    out.number(delta.reports);
    out.0
}

/// Reads what [`delta_to_bytes`] wrote.
pub fn delta_from_bytes(bytes: &[u8]) -> Result<Delta, StateError> {
    let mut read = In(bytes);
    match read.byte() {
        Ok(PLAIN_DELTA_VERSION) => Ok(delta(&mut read, Form::Merged)?),
        Ok(STARTS_DELTA_VERSION) => Ok(delta(&mut read, Form::Apart)?),
        Ok(DELTA_VERSION) => Ok(delta(&mut read, Form::Hourly)?),
        Ok(newer) if newer > DELTA_VERSION => Err(StateError::Newer(newer)),
        _ => Err(Unreadable("the version of evidence").into()),
    }
}

fn delta(read: &mut In<'_>, form: Form) -> Read<Delta> {
    let function = read_function(read)?;
    let source = read_source(read)?;
    let sighting = read_sighting(read)?;
    let base = sighting.newest.at;
    let mark = match read.byte()? {
        0 => None,
        1 => Some(Mark::Record(read.number()?)),
        2 => Some(Mark::Event(read.fixed()?)),
        _ => return Err(Unreadable("a mark")),
    };
    let environments = read.list(|read| {
        let key = read_environment_key(read)?;
        Ok((key, read_environment(read, base, form)?))
    })?;
    let days = read.list(|read| {
        let key = read_day_key(read)?;
        let stats = read_day(read, form)?;
        Ok(DayDelta { key, stats })
    })?;
    let reports = read.number()?;
    Ok(Delta::of_parts(
        (function, source, mark),
        sighting,
        environments,
        days,
        reports,
    ))
}

pub(super) fn read_function(read: &mut In<'_>) -> Read<FunctionKey> {
    FunctionKey::stored(read.text()?).map_err(|_| Unreadable("a function's name"))
}

fn read_source(read: &mut In<'_>) -> Read<DaySource> {
    DaySource::from_rank(read.number()?.cast_signed()).ok_or(Unreadable("a source"))
}

pub(super) fn write_sighting(out: &mut Out, sighting: &Sighting) {
    let base = sighting.newest.at;
    out.number(base.as_ms().cast_unsigned());
    out.megabytes(sighting.newest.memory_mb);
    out.text(&sighting.newest.version);
    out.time(sighting.oldest, base);
    write_arch(out, sighting.arch);
    out.optional(sighting.runtime.as_deref(), Out::text);
    out.optional(sighting.started.as_ref(), |out, started| {
        out.time(started.at, base);
        out.megabytes(started.memory_mb);
        out.text(&started.version);
    });
    out.optional(sighting.ran_out, |out, (at, mb)| {
        out.time(at, base);
        out.megabytes(mb);
    });
    out.optional(sighting.mixed, |out, at| out.time(at, base));
}

pub(super) fn read_sighting(read: &mut In<'_>) -> Read<Sighting> {
    let base = Timestamp::from_ms(read.number()?.cast_signed()).ok_or(Unreadable("a time"))?;
    let newest = Newest {
        at: base,
        memory_mb: read.megabytes()?,
        version: read.text()?.to_owned(),
    };
    Ok(Sighting {
        newest,
        oldest: read.time(base)?,
        arch: read_arch(read)?,
        runtime: read.optional(|read| Ok(read.text()?.to_owned()))?,
        started: read.optional(|read| {
            Ok(Newest {
                at: read.time(base)?,
                memory_mb: read.megabytes()?,
                version: read.text()?.to_owned(),
            })
        })?,
        ran_out: read.optional(|read| Ok((read.time(base)?, read.megabytes()?)))?,
        mixed: read.optional(|read| read.time(base))?,
    })
}

pub(super) fn write_arch(out: &mut Out, arch: Option<Arch>) {
    out.byte(match arch {
        None => 0,
        Some(Arch::X86_64) => 1,
        Some(Arch::Arm64) => 2,
        Some(Arch::Unknown) => 3,
    });
}

pub(super) fn read_arch(read: &mut In<'_>) -> Read<Option<Arch>> {
    Ok(match read.byte()? {
        0 => None,
        1 => Some(Arch::X86_64),
        2 => Some(Arch::Arm64),
        3 => Some(Arch::Unknown),
        _ => return Err(Unreadable("an architecture")),
    })
}

fn write_environment_key(out: &mut Out, key: &EnvironmentKey) {
    out.fixed(key.env.0);
    out.megabytes(key.memory_mb);
    out.text(&key.version);
}

fn read_environment_key(read: &mut In<'_>) -> Read<EnvironmentKey> {
    Ok(EnvironmentKey {
        env: EnvId(read.fixed()?),
        memory_mb: read.megabytes()?,
        version: read.text()?.to_owned(),
    })
}

/// The state of an environment, with times beside `base`.
pub(super) fn write_environment(
    out: &mut Out,
    state: &EnvironmentState,
    base: Timestamp,
    form: Form,
) {
    out.time(state.last, base);
    out.time(state.first, state.last);
    out.count(state.marks.ranges().len());
    let mut next = 0;
    for (start, end) in state.marks.ranges() {
        out.number(start - next);
        out.number(end - start);
        next = *end;
    }
    out.number(state.total);
    out.number(state.seen);
    out.number(state.events_dropped);
    out.count(state.days.len());
    let mut before = state.last.day();
    for day in &state.days {
        out.signed((day.number() - before.number()).into());
        before = *day;
    }
    write_arch(out, state.arch);
    out.number(state.self_kib);
    out.count(state.high_water.steps().len());
    let mut before = 0_i64;
    for step in state.high_water.steps() {
        out.signed(i64::from(step.0) - before);
        before = step.0.into();
    }
    out.optional(state.used.counts(), |out, counts| {
        out.count(counts.len());
        let mut before = 0;
        for (mb, times) in counts {
            out.number((mb.0 - before).into());
            out.number((*times).into());
            before = mb.0;
        }
    });
    if form >= Form::Apart {
        // 0 is none.
        out.number(state.start_ms.map_or(0, |ms| ms.saturating_add(1)));
    }
}

pub(super) fn read_environment(
    read: &mut In<'_>,
    base: Timestamp,
    form: Form,
) -> Read<EnvironmentState> {
    let last = read.time(base)?;
    let first = read.time(last)?;
    let mut next = 0_u64;
    let ranges = read.list(|read| {
        let start = next.checked_add(read.number()?);
        let start = start.ok_or(Unreadable("a mark"))?;
        next = start
            .checked_add(read.number()?)
            .ok_or(Unreadable("a mark"))?;
        Ok((start, next))
    })?;
    let mut state = EnvironmentState::starting(first);
    state.last = last;
    state.marks = SeqMarks::from_ranges(ranges).ok_or(Unreadable("marks"))?;
    state.total = read.number()?;
    state.seen = read.number()?;
    state.events_dropped = read.number()?;
    let mut day = last.day();
    state.days = read.list(|read| {
        let days = i32::try_from(read.signed()?).map_err(|_| Unreadable("a day"))?;
        day = day.plus(days);
        Ok(day)
    })?;
    state.arch = read_arch(read)?;
    state.self_kib = read.number()?;
    let mut before = 0_i64;
    state.high_water = HighWater::from_steps(read.list(|read| {
        before = before.saturating_add(read.signed()?);
        let mb = u32::try_from(before).map_err(|_| Unreadable("a mark"))?;
        Ok(rightsizer_records::Megabytes(mb))
    })?);
    state.used = UsedCounts::from_counts(read.optional(|read| {
        let mut before = 0_u32;
        read.list(|read| {
            let mb = before.checked_add(read.small()?);
            before = mb.ok_or(Unreadable("a count"))?;
            Ok((rightsizer_records::Megabytes(before), read.small()?))
        })
    })?);
    if form >= Form::Apart {
        state.start_ms = read.number()?.checked_sub(1);
    }
    Ok(state)
}

fn write_day_key(out: &mut Out, key: &DayKey) {
    out.day(key.day);
    out.number(key.source.rank().cast_unsigned());
    out.megabytes(key.memory_mb);
    out.text(&key.version);
}

fn read_day_key(read: &mut In<'_>) -> Read<DayKey> {
    Ok(DayKey {
        day: read.day()?,
        source: read_source(read)?,
        memory_mb: read.megabytes()?,
        version: read.text()?.to_owned(),
    })
}

/// A histogram that the merged form does not have.
fn apart(read: &mut In<'_>, form: Form) -> Read<Distribution> {
    match form {
        Form::Merged => Ok(Distribution::default()),
        Form::Apart | Form::Hourly => read.distribution(),
    }
}

/// The counts of a day are mostly zero: a mask comes first, with a bit for each that is not.
pub(super) fn write_day(out: &mut Out, day: &DayStats, form: Form) {
    let counts = counts_of(day);
    let bits = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    out.number(bits.fold(0, |mask, (n, _)| mask | 1 << n));
    for count in counts.into_iter().filter(|count| *count > 0) {
        out.number(count);
    }
    out.distribution(&day.durations);
    match form {
        Form::Merged if day.restores.count() > 0 => {
            let mut starts = day.inits.clone();
            starts.merge(&day.restores);
            starts.settle();
            out.distribution(&starts);
        }
        Form::Merged => out.distribution(&day.inits),
        Form::Apart | Form::Hourly => {
            out.distribution(&day.inits);
            out.distribution(&day.restores);
            out.distribution(&day.failed_inits);
            out.distribution(&day.failed_restores);
        }
    }
    out.distribution(&day.used);
    if form == Form::Hourly {
        out.bytes(&day.hours.to_bytes());
    }
}

/// The durations by the time of the day, which earlier forms do not have.
fn hourly(read: &mut In<'_>, form: Form) -> Read<Hours> {
    if form < Form::Hourly {
        return Ok(Hours::default());
    }
    Hours::from_bytes(read.bytes()?).map_err(|_| Unreadable("the hours of a day"))
}

const fn counts_of(day: &DayStats) -> [u64; 15] {
    [
        day.peak_mb.0 as u64,
        day.invocations,
        day.environments,
        day.billed_ms,
        day.cpu_ms,
        day.cpu_wall_ms,
        day.errors,
        day.timeouts,
        day.ooms,
        day.crashes,
        day.heap_limits,
        day.at_limit,
        day.censored as u64,
        day.firsts,
        day.firsts_ms,
    ]
}

pub(super) fn read_day(read: &mut In<'_>, form: Form) -> Read<DayStats> {
    let mask = read.number()?;
    let mut counts = [0_u64; 15];
    for (n, count) in counts.iter_mut().enumerate() {
        if mask & 1 << n != 0 {
            *count = read.number()?;
        }
    }
    let [
        peak,
        invocations,
        environments,
        billed_ms,
        cpu_ms,
        cpu_wall_ms,
        ..,
    ] = counts;
    let [
        ..,
        errors,
        timeouts,
        ooms,
        crashes,
        heap_limits,
        at_limit,
        censored,
        firsts,
        firsts_ms,
    ] = counts;
    let peak = u32::try_from(peak).map_err(|_| Unreadable("a peak"))?;
    Ok(DayStats {
        peak_mb: rightsizer_records::Megabytes(peak),
        invocations,
        errors,
        timeouts,
        ooms,
        crashes,
        heap_limits,
        at_limit,
        censored: censored != 0,
        environments,
        billed_ms,
        cpu_ms,
        cpu_wall_ms,
        firsts,
        firsts_ms,
        durations: read.distribution()?,
        inits: read.distribution()?,
        restores: apart(read, form)?,
        failed_inits: apart(read, form)?,
        failed_restores: apart(read, form)?,
        used: read.distribution()?,
        hours: hourly(read, form)?,
    })
}
