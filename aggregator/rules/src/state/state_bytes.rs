//! A state as bytes. The first is the version: a later one is refused, so that no older release cuts off what it does
//! not know. `docs/SCALE.md` has the sizes.

use std::collections::BTreeSet;

use rightsizer_records::{Day, EnvId, Millis, OutcomeStatus, Timestamp};

use super::delta_bytes::{
    Form, read_arch, read_day, read_environment, read_function, read_sighting, write_arch,
    write_day, write_environment, write_sighting,
};
use super::listed::Listed;
use super::sent::Sent;
use super::{Counts, FunctionState, LastDecision, Seen};
use crate::bytes::{In, Out, Unreadable};
use crate::lifecycle::Status;
use crate::window::{DayKey, DaySource, EnvironmentKey, PeakOfDay, Witnesses};

/// The version of the bytes that this release writes, and the newest that it reads.
pub const STATE_VERSION: u8 = 4;

/// The oldest version of the bytes that can be read and written: it lacks when a function was forgotten, and
/// the decrease that a peak withdrew.
pub const OLDEST_STATE_VERSION: u8 = 1;
/// From this version on, restores from a snapshot are kept apart from init.
const WITH_RESTORES: u8 = 3;
/// From this version on, durations have the time of the day.
const WITH_HOURS: u8 = 4;

pub(super) const fn form_of(version: u8) -> Form {
    match version {
        ..WITH_RESTORES => Form::Merged,
        WITH_RESTORES..WITH_HOURS => Form::Apart,
        WITH_HOURS.. => Form::Hourly,
    }
}

/// Bytes that are not a state that this release reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A later release wrote it.
    #[error(
        "state version {0} is not known here (this release reads up to {STATE_VERSION}). Nothing was changed. \
         hint: run the release that wrote the savepoint, or a later one"
    )]
    Newer(u8),
    /// It is not whole.
    #[error("a function's state is damaged: {0}. hint: restore an older savepoint")]
    Damaged(#[from] Damage),
}

/// What of a state cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Damage(Unreadable);

impl From<Unreadable> for StateError {
    fn from(what: Unreadable) -> Self {
        Self::Damaged(Damage(what))
    }
}

type Read<T> = Result<T, Unreadable>;

/// Texts that come again, such as versions: each is written once.
#[derive(Default)]
struct Texts<'a>(Vec<&'a str>);

impl<'a> Texts<'a> {
    fn of(texts: impl Iterator<Item = &'a str>) -> Self {
        let all: BTreeSet<&str> = texts.collect();
        Self(all.into_iter().collect())
    }

    fn write(&self, out: &mut Out, text: &str) {
        let at = self.0.binary_search(&text).unwrap_or_default();
        out.count(at);
    }

    fn read(&self, read: &mut In<'_>) -> Read<String> {
        let at = usize::try_from(read.number()?).ok();
        let text = at.and_then(|at| self.0.get(at));
        text.map(|text| (*text).to_owned())
            .ok_or(Unreadable("a version"))
    }
}

impl FunctionState {
    /// Writes it. The same content gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes_of(STATE_VERSION)
    }

    /// Writes it in an older version, so that the release before can be run again. It must be one from
    /// [`OLDEST_STATE_VERSION`] to [`STATE_VERSION`].
    pub fn to_bytes_of(&self, version: u8) -> Vec<u8> {
        let mut out = Out::default();
        out.byte(version);
        out.text(&self.function.text());
        out.optional(self.seen.as_ref(), write_seen);
        let base = self.newest().unwrap_or(Timestamp::MIN);
        let days = self.days.keys().map(|key| key.version.as_str());
        let environments = self.environments.keys().map(|key| key.version.as_str());
        let texts = Texts::of(days.chain(environments));
        out.count(texts.0.len());
        texts.0.iter().for_each(|text| out.text(text));
        self.write_days(&mut out, base, &texts, form_of(version));
        self.write_environments(&mut out, base, &texts, form_of(version));
        out.count(self.events.len());
        for (day, event) in &self.events {
            out.signed((day.number() - base.day().number()).into());
            out.fixed(*event);
        }
        out.optional(self.listed.as_ref(), write_listed);
        out.count(self.sent.len());
        self.sent.iter().for_each(|sent| write_sent(&mut out, sent));
        out.optional(self.applied, |out, (at, mb)| {
            out.time(at, base);
            out.megabytes(mb);
        });
        out.optional(self.cleared, Out::day);
        out.optional(self.baseline_p95, |out, p95| {
            out.fixed(p95.as_ms_f64().to_bits());
        });
        out.optional(self.closed, Out::day);
        out.optional(self.last.as_ref(), |out, last| {
            out.day(last.day);
            out.megabytes(last.peak_mb);
            out.optional(last.decrease_to, Out::megabytes);
            out.byte(last.stands.into());
        });
        if version > OLDEST_STATE_VERSION {
            out.optional(self.forgotten, write_time);
            let withdrawn = self.last.and_then(|last| last.withdrawn_to);
            out.optional(withdrawn, Out::megabytes);
        }
        out.0
    }

    /// Reads what [`FunctionState::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut read = In(bytes);
        match read.byte() {
            Ok(version @ OLDEST_STATE_VERSION..=STATE_VERSION) => Ok(state(&mut read, version)?),
            Ok(newer) if newer > STATE_VERSION => Err(StateError::Newer(newer)),
            _ => Err(Unreadable("its version").into()),
        }
    }

    fn write_days(&self, out: &mut Out, base: Timestamp, texts: &Texts<'_>, form: Form) {
        out.count(self.days.len());
        for (key, stats) in &self.days {
            out.signed((key.day.number() - base.day().number()).into());
            out.number(key.source.rank().cast_unsigned());
            out.megabytes(key.memory_mb);
            texts.write(out, &key.version);
            write_day(out, stats, form);
        }
        out.count(self.peaks.len());
        for (day, peak) in &self.peaks {
            out.signed((day.number() - base.day().number()).into());
            write_peak(out, peak);
        }
    }

    fn write_environments(&self, out: &mut Out, base: Timestamp, texts: &Texts<'_>, form: Form) {
        out.count(self.environments.len());
        for (key, state) in &self.environments {
            out.fixed(key.env.0);
            out.megabytes(key.memory_mb);
            texts.write(out, &key.version);
            write_environment(out, state, base, form);
        }
    }
}

fn state(read: &mut In<'_>, version: u8) -> Read<FunctionState> {
    let mut state = FunctionState::new(read_function(read)?);
    state.seen = read.optional(read_seen)?;
    let base = state.newest().unwrap_or(Timestamp::MIN);
    let day = |read: &mut In<'_>| -> Read<Day> {
        let days = i32::try_from(read.signed()?).map_err(|_| Unreadable("a day"))?;
        Ok(base.day().plus(days))
    };
    let texts: Vec<String> = read.list(|read| Ok(read.text()?.to_owned()))?;
    let texts = Texts(texts.iter().map(String::as_str).collect());
    state.days = read.list(|read| {
        let key = DayKey {
            day: day(read)?,
            source: DaySource::from_rank(read.number()?.cast_signed())
                .ok_or(Unreadable("a source"))?,
            memory_mb: read.megabytes()?,
            version: texts.read(read)?,
        };
        Ok((key, read_day(read, form_of(version))?))
    })?;
    state.peaks = read.list(|read| Ok((day(read)?, read_peak(read)?)))?;
    state.environments = read.list(|read| {
        let key = EnvironmentKey {
            env: EnvId(read.fixed()?),
            memory_mb: read.megabytes()?,
            version: texts.read(read)?,
        };
        Ok((key, read_environment(read, base, form_of(version))?))
    })?;
    state.events = read.list(|read| Ok((day(read)?, read.fixed()?)))?;
    state.listed = read.optional(read_listed)?;
    state.sent = read.list(read_sent)?;
    state.applied = read.optional(|read| Ok((read.time(base)?, read.megabytes()?)))?;
    state.cleared = read.optional(In::day)?;
    state.baseline_p95 = read
        .optional(In::fixed)?
        .and_then(|bits| Millis::from_ms_f64(f64::from_bits(bits)));
    state.closed = read.optional(In::day)?;
    state.last = read.optional(|read| {
        Ok(LastDecision {
            day: read.day()?,
            peak_mb: read.megabytes()?,
            decrease_to: read.optional(In::megabytes)?,
            withdrawn_to: None,
            stands: read.byte()? != 0,
        })
    })?;
    later_parts(read, version, &mut state)?;
    if read.0.is_empty() {
        Ok(state)
    } else {
        Err(Unreadable("its end"))
    }
}

/// What versions after the oldest added.
fn later_parts(read: &mut In<'_>, version: u8, state: &mut FunctionState) -> Read<()> {
    if version > OLDEST_STATE_VERSION {
        state.forgotten = read.optional(read_time)?;
        let withdrawn = read.optional(In::megabytes)?;
        if let Some(last) = &mut state.last {
            last.withdrawn_to = withdrawn;
        }
    }
    if version < WITH_RESTORES {
        state.part_restores();
    }
    Ok(())
}

fn write_seen(out: &mut Out, seen: &Seen) {
    write_sighting(out, &seen.sighting);
    out.time(seen.first_arrival, seen.sighting.newest.at);
    let counts = &seen.counts;
    out.number(counts.seen);
    out.number(counts.duplicates);
    out.number(counts.late);
    out.signed(counts.lost);
    out.number(counts.self_kib);
    out.byte(counts.imported.into());
}

fn read_seen(read: &mut In<'_>) -> Read<Seen> {
    let sighting = read_sighting(read)?;
    Ok(Seen {
        first_arrival: read.time(sighting.newest.at)?,
        sighting,
        counts: Counts {
            seen: read.number()?,
            duplicates: read.number()?,
            late: read.number()?,
            lost: read.signed()?,
            self_kib: read.number()?,
            imported: read.byte()? != 0,
        },
    })
}

fn write_peak(out: &mut Out, peak: &PeakOfDay) {
    out.megabytes(peak.peak_mb);
    out.megabytes(peak.censored_mb);
    let seen_by = &peak.seen_by;
    out.megabytes(seen_by.shown);
    for (mb, env) in seen_by.top {
        out.megabytes(mb);
        if mb.0 > 0 {
            out.fixed(env.0);
        }
    }
}

fn read_peak(read: &mut In<'_>) -> Read<PeakOfDay> {
    let (peak_mb, censored_mb) = (read.megabytes()?, read.megabytes()?);
    let mut seen_by = Witnesses::shown(read.megabytes()?);
    for top in &mut seen_by.top {
        let mb = read.megabytes()?;
        let env = if mb.0 > 0 { read.fixed()? } else { 0 };
        *top = (mb, EnvId(env));
    }
    Ok(PeakOfDay {
        peak_mb,
        censored_mb,
        seen_by,
    })
}

fn write_listed(out: &mut Out, listed: &Listed) {
    out.megabytes(listed.memory_mb);
    out.number(listed.timeout_s.into());
    write_arch(out, Some(listed.arch));
    out.optional(listed.code_sha256.as_deref(), Out::text);
    out.optional(listed.tags.as_ref(), |out, tags| {
        out.count(tags.len());
        for (name, value) in tags {
            out.text(name);
            out.text(value);
        }
    });
    out.byte(u8::from(listed.failures_only) | u8::from(listed.snap_start) << 1);
    out.optional(listed.modified, write_time);
    out.optional(listed.alarm.as_deref(), Out::text);
    write_time(out, listed.seen_at);
    out.optional(listed.gone_at, write_time);
}

fn read_listed(read: &mut In<'_>) -> Read<Listed> {
    let text = |read: &mut In<'_>| Ok(read.text()?.to_owned());
    let memory_mb = read.megabytes()?;
    let timeout_s = read.small()?;
    let arch = read_arch(read)?.ok_or(Unreadable("an architecture"))?;
    let code_sha256 = read.optional(text)?;
    let tags = read.optional(|read| read.list(|read| Ok((text(read)?, text(read)?))))?;
    let flags = read.byte()?;
    Ok(Listed {
        memory_mb,
        timeout_s,
        arch,
        code_sha256,
        tags,
        failures_only: flags & 1 != 0,
        snap_start: flags & 2 != 0,
        modified: read.optional(read_time)?,
        alarm: read.optional(text)?,
        seen_at: read_time(read)?,
        gone_at: read.optional(read_time)?,
    })
}

const OUTCOMES: [OutcomeStatus; 4] = [
    OutcomeStatus::Applied,
    OutcomeStatus::Skipped,
    OutcomeStatus::Failed,
    OutcomeStatus::RolledBack,
];

fn write_sent(out: &mut Out, sent: &Sent) {
    out.text(&sent.id);
    out.megabytes(sent.from_mb);
    out.megabytes(sent.to_mb);
    out.text(sent.status.name());
    out.byte(sent.automatic.into());
    write_time(out, sent.noted_at);
    write_time(out, sent.issued_at);
    write_time(out, sent.expires_at);
    out.optional(sent.applied_at, write_time);
    out.optional(sent.rollback_of.as_deref(), Out::text);
    out.count(sent.outcomes.len());
    for (at, status) in &sent.outcomes {
        write_time(out, *at);
        let place = OUTCOMES.iter().position(|one| one == status);
        out.count(place.unwrap_or_default());
    }
}

fn read_sent(read: &mut In<'_>) -> Read<Sent> {
    Ok(Sent {
        id: read.text()?.to_owned(),
        from_mb: read.megabytes()?,
        to_mb: read.megabytes()?,
        status: Status::from_name(read.text()?).ok_or(Unreadable("a status"))?,
        automatic: read.byte()? != 0,
        noted_at: read_time(read)?,
        issued_at: read_time(read)?,
        expires_at: read_time(read)?,
        applied_at: read.optional(read_time)?,
        rollback_of: read.optional(|read| Ok(read.text()?.to_owned()))?,
        outcomes: read.list(|read| {
            let at = read_time(read)?;
            let place = usize::try_from(read.number()?).ok();
            let status = place.and_then(|place| OUTCOMES.get(place));
            Ok((at, *status.ok_or(Unreadable("an outcome"))?))
        })?,
    })
}

fn write_time(out: &mut Out, at: Timestamp) {
    out.number(at.as_ms().cast_unsigned());
}

fn read_time(read: &mut In<'_>) -> Read<Timestamp> {
    Timestamp::from_ms(read.number()?.cast_signed()).ok_or(Unreadable("a time"))
}
