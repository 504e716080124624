//! The core: platform events in, `reports` records out. No IO and no clock: times come from the
//! events, random numbers are an argument.
//!
//! A record is sealed with its `env` and `seq` once and stays as it is until it is delivered,
//! however often it is tried: a send whose response was lost may have arrived, and the aggregator
//! recognises the repetition by `seq`. So only rows that are not sealed are folded when room runs
//! out.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rightsizer_records::{Arch, EnvId, FunctionArn, InitType, Megabytes, Reports, Status};
use rightsizer_records::{ReportRow, Timestamp};

use crate::buffer::{Buffer, Cut, MOST_ROWS};
use crate::invocations::{Invocations, ShutdownReason};
use crate::procfs::Usage;
use crate::row::Row;
use crate::seen::{Seen, Step};
use crate::telemetry::{Event, EventKind, Report, RuntimeDone};

/// Records held beside the buffer, while the stream takes none: 400 KB of data, 10,000 rows.
const MOST_SEALED: usize = 16;
/// Pause after a failure while half of the buffer is taken, doubled with each failure up to the
/// time of a flush.
const HALF_FULL_PAUSE_MS: u64 = 2000;
/// After this many failures in a row the pause between tries stops doubling: 32 minutes of 60 s.
const MOST_DOUBLINGS: u32 = 5;

/// The fields that every record of this environment has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The function.
    pub function: FunctionArn,
    /// `$LATEST` or a number.
    pub version: String,
    /// Configured size; a report's own word wins.
    pub memory_mb: Option<Megabytes>,
    /// Processor architecture.
    pub arch: Option<Arch>,
    /// Runtime, from `platform.initStart`.
    pub runtime: Option<String>,
    /// How the environment came to be.
    pub init: Option<InitType>,
}

/// When to send, and how much to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A row older than this, by event time, is sent.
    pub flush_ms: i64,
    /// Rows beyond this are folded.
    pub most_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flush_ms: 60_000,
            most_rows: MOST_ROWS,
        }
    }
}

/// What a send takes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Full payload units, and the rest only once it is old: under load, a record an eighth full
    /// after each full one would be paid for like it.
    Due,
    /// Everything.
    All,
}

/// See the module.
pub struct Journal {
    place: Place,
    limits: Limits,
    random: Box<dyn FnMut() -> u64 + Send>,
    env: Option<EnvId>,
    seq: u64,
    total: u64,
    seen: Seen,
    invocations: Invocations,
    /// The newest report is one of a failure, and nothing has started since.
    last_failed: bool,
    buffer: Buffer,
    sealed: Vec<Reports>,
    dropped: u64,
    newest: Option<Timestamp>,
    failures: u32,
    tried: Option<Timestamp>,
    usage: Usage,
}

impl Journal {
    /// An empty journal; `usage` is what was spent before it began.
    pub fn new(
        place: Place,
        limits: Limits,
        usage: Usage,
        random: Box<dyn FnMut() -> u64 + Send>,
    ) -> Self {
        Self {
            place,
            limits,
            random,
            env: None,
            seq: 0,
            total: 0,
            seen: Seen::default(),
            invocations: Invocations::default(),
            last_failed: false,
            buffer: Buffer::new(limits.most_rows),
            sealed: Vec::new(),
            dropped: 0,
            newest: None,
            failures: 0,
            tried: None,
            usage,
        }
    }

    /// Takes in what one POST held.
    pub fn take_in(&mut self, events: Vec<Event>) {
        for Event { at, kind } in events {
            // Not the highest: one time that makes no sense would outlast the whole environment.
            self.newest = Some(at);
            match kind {
                EventKind::InitStart(runtime) => self.place.runtime = runtime,
                EventKind::RestoreStart => self.on_restore(),
                EventKind::Start(id) if self.seen.is_new(Step::Start, &id, at) => {
                    // A late one of an invocation that is over starts nothing.
                    self.last_failed &= !self.invocations.start(id, at);
                }
                EventKind::RuntimeDone(done)
                    if self.seen.is_new(Step::RuntimeDone, &done.request_id, at) =>
                {
                    self.invocations.done(done, at);
                }
                EventKind::Report(r) if self.seen.is_new(Step::Report, &r.request_id, at) => {
                    self.on_report(&r, at);
                }
                EventKind::Dropped(records) => self.dropped = self.dropped.saturating_add(records),
                _ => {}
            }
        }
    }

    /// Whether something should be sent now.
    pub fn is_due(&self) -> bool {
        let (Some(newest), true) = (self.newest, self.holds_rows()) else {
            return false;
        };
        // A clock that was put back, or one odd time, must not hold anything up.
        let since = |then: Timestamp| newest.as_ms().abs_diff(then.as_ms());
        let flush_ms = self.limits.flush_ms.unsigned_abs();
        let since_try = self.tried.map(since);
        match (self.failures, since_try) {
            (1.., Some(since_try)) => {
                let doubled = |ms: u64| ms << self.failures.min(MOST_DOUBLINGS);
                let in_need = doubled(HALF_FULL_PAUSE_MS).min(flush_ms);
                since_try >= doubled(flush_ms)
                    || (self.buffer.is_half_full() && since_try >= in_need)
            }
            _ => self.is_old() || self.buffer.fills_a_unit() || !self.sealed.is_empty(),
        }
    }

    /// Whether what waits has waited long enough, by event time.
    fn is_old(&self) -> bool {
        let waited = self.newest.zip(self.buffer.oldest());
        let waited_ms = waited.map(|(newest, oldest)| newest.as_ms().abs_diff(oldest.as_ms()));
        waited_ms.is_some_and(|ms| ms >= self.limits.flush_ms.unsigned_abs())
    }

    /// Whether there is anything to send at all.
    pub(crate) fn holds_rows(&self) -> bool {
        self.oldest().is_some()
    }

    /// How many reports are not delivered, folded ones included.
    pub fn held(&self) -> u64 {
        let sealed = self.sealed.iter();
        let sealed = sealed.map(|r| r.reports.len() as u64 + r.folded.map_or(0, |f| f.count));
        sealed.sum::<u64>() + self.buffer.len() as u64 + self.buffer.folded()
    }

    /// Whether the last sends failed, so that [`Journal::is_due`] decides when to retry.
    pub(crate) fn is_backing_off(&self) -> bool {
        self.failures > 0
    }

    /// Whether an invocation has started whose report has not come.
    pub(crate) fn awaits_report(&self) -> bool {
        self.invocations.any_open()
    }

    /// Whether it is known how the last invocation failed: from its report, or from `runtimeDone`
    /// of an invocation whose report has not arrived.
    pub(crate) fn knows_the_end(&self) -> bool {
        self.last_failed || self.invocations.any_done()
    }

    /// Stops waiting for reports: what is known of the open invocations becomes rows.
    pub(crate) fn give_up_waiting(&mut self, reason: ShutdownReason) {
        for row in self.invocations.give_up(reason) {
            let request_id = row.awaits.clone().unwrap_or_default();
            let memory_mb = self.place.memory_mb;
            self.push(Row { memory_mb, ..row }, &request_id);
        }
    }

    /// Seals what is held into records and returns all that are not delivered, oldest first.
    /// `usage` is what has been spent up to now. Follow with [`Journal::sent`].
    pub(crate) fn begin_send(&mut self, usage: Usage, seal: Seal) -> Vec<Reports> {
        self.seal(usage, seal);
        self.tried = self.newest;
        self.sealed.clone()
    }

    /// Takes the answer to `begin_send`: which of its records were delivered. What is
    /// missing in `delivered` was not.
    pub fn sent(&mut self, delivered: &[bool]) {
        let mut delivered = delivered.iter().copied();
        self.sealed.retain(|_| !delivered.next().unwrap_or(false));
        self.failures = if self.sealed.is_empty() {
            0
        } else {
            self.failures.saturating_add(1)
        };
    }

    /// Time of the oldest row that is not delivered.
    fn oldest(&self) -> Option<Timestamp> {
        let sealed = self.sealed.first().map(|record| record.t0);
        sealed.or_else(|| self.buffer.oldest())
    }

    /// This process was cloned from a snapshot: what follows belongs to another environment.
    fn on_restore(&mut self) {
        self.seal(self.usage, Seal::All);
        self.env = None;
        self.seq = 0;
        self.total = 0;
    }

    fn on_report(&mut self, report: &Report, at: Timestamp) {
        let closed = self.invocations.reported(report, at);
        let row = row_of(report, closed.done, at, self.place.memory_mb);
        self.last_failed = row.row.status.is_failure();
        if closed.given_up {
            // If the row made without it is sealed already, this is too late to add to it.
            self.buffer.complete(&report.request_id, row);
        } else {
            self.push(row, &report.request_id);
        }
    }

    fn push(&mut self, row: Row, request_id: &str) {
        if row.memory_mb.is_none() {
            // Of no use without the size it ran in, and not valid on the wire.
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.env
            .get_or_insert_with(|| env_id((self.random)(), request_id));
        self.buffer.push(row);
    }

    fn seal(&mut self, usage: Usage, seal: Seal) {
        let mut cuts = Vec::new();
        while self.sealed.len() + cuts.len() < MOST_SEALED
            && (seal == Seal::All || self.is_old() || self.buffer.fills_a_unit())
            && let Some(cut) = self.buffer.cut()
        {
            cuts.push(cut);
        }
        let spent_ms = match (self.usage.cpu_ms, usage.cpu_ms) {
            (Some(before), Some(now)) => Some(now.saturating_sub(before)),
            _ => None,
        };
        let all: u64 = cuts.iter().map(Cut::count).sum();
        if all > 0 {
            self.usage = usage;
        }
        for cut in cuts {
            // Several records at once share what was spent by what they count.
            let cpu_ms = spent_ms.map(|ms| ms.saturating_mul(cut.count()) / all);
            let record = self.record(cut, Usage { cpu_ms, ..usage });
            self.sealed.extend(record);
        }
    }

    fn record(&mut self, cut: Cut, usage: Usage) -> Option<Reports> {
        let t0 = cut.at;
        let seq = self.seq;
        self.seq += 1;
        self.total = self.total.saturating_add(cut.count());
        let in_record = |row: &Row| ReportRow {
            at_ms: row.at.as_ms() - t0.as_ms(),
            ..row.row
        };
        Some(Reports {
            function: self.place.function.clone(),
            version: self.place.version.clone(),
            env: self.env?,
            seq,
            total: self.total,
            memory_mb: cut.memory_mb?,
            arch: self.place.arch,
            runtime: self.place.runtime.clone(),
            init: self.place.init,
            t0,
            reports: cut.rows.iter().map(in_record).collect(),
            errors: (0..)
                .zip(cut.rows)
                .filter_map(|(n, row)| Some((n, row.error?)))
                .collect(),
            cpu_ms: usage.cpu_ms,
            cores: usage.cores,
            self_kib: usage.self_kib,
            folded: cut.folded,
            events_dropped: std::mem::take(&mut self.dropped),
        })
    }
}

/// A snapshot holds the state of the kernel's random numbers too, so clones of it may draw the same
/// one. The id of a request comes from outside and differs between clones.
fn env_id(random: u64, request_id: &str) -> EnvId {
    let mut hasher = DefaultHasher::new();
    (random, request_id).hash(&mut hasher);
    EnvId(hasher.finish())
}

fn row_of(
    report: &Report,
    done: Option<RuntimeDone>,
    at: Timestamp,
    configured: Option<Megabytes>,
) -> Row {
    let done = done.unwrap_or_default();
    let error = report.error_type.clone().or(done.error_type);
    let status = report.status.as_deref().or(done.status.as_deref());
    let memory_mb = report.memory_mb.or(configured);
    Row {
        at,
        memory_mb,
        awaits: None,
        row: ReportRow {
            at_ms: 0,
            max_used_mb: report.max_used_mb,
            duration_ms: report.duration_ms,
            billed_ms: report.billed_ms,
            status: Status::classify(status, error.as_deref(), report.max_used_mb.zip(memory_mb)),
            init_ms: report.init_ms,
        },
        error,
    }
}

#[cfg(test)]
mod tests;
