//! What one UTC day of one function keeps (W2), per memory size, version and source.

use rightsizer_records::{Day, ErrorKind, Megabytes, Millis, Status, Timestamp, is_at_limit};

use super::distribution::Distribution;
use super::hours::Hours;

/// The source of evidence. The invocations of one kind of source count per function and day, the
/// first of these that has any (W7): the layer sees every invocation, a subscription most, a log
/// group what was kept, a file what was exported. Peaks count from any source, because that much
/// was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DaySource {
    /// The extension's `reports` records.
    Layer,
    /// CloudWatch Logs delivered as they are written.
    Subscription,
    /// A log group read as a whole, by its number in the store: what it gave for a day is replaced
    /// when that day is read again.
    LogGroup(u32),
    /// Files.
    Import,
    /// Files of unknown tools, in which reports were found: what surrounds them is read by likeness.
    Wrapped,
}

impl DaySource {
    /// The number of the first log group.
    const LOG_GROUPS: i64 = 16;
    /// Behind every log group.
    const FILES: i64 = 1 << 40;
    const UNKNOWN_FILES: i64 = Self::FILES + 1;
    /// The kind of [`DaySource::Wrapped`].
    pub(crate) const WRAPPED_KIND: u8 = 4;

    /// Its number in the store; lower counts first.
    pub const fn rank(self) -> i64 {
        match self {
            Self::Layer => 0,
            Self::Subscription => 1,
            Self::LogGroup(id) => Self::LOG_GROUPS + id as i64,
            Self::Import => Self::FILES,
            Self::Wrapped => Self::UNKNOWN_FILES,
        }
    }

    /// The source with this number.
    pub fn from_rank(rank: i64) -> Option<Self> {
        match rank {
            0 => Some(Self::Layer),
            1 => Some(Self::Subscription),
            Self::FILES => Some(Self::Import),
            Self::UNKNOWN_FILES => Some(Self::Wrapped),
            _ => {
                let group = rank.checked_sub(Self::LOG_GROUPS)?;
                u32::try_from(group).ok().map(Self::LogGroup)
            }
        }
    }

    /// Of which kind the source with this number is; the invocations of several log groups add up.
    pub const fn kind(rank: i64) -> u8 {
        match rank {
            0 => 0,
            1..Self::LOG_GROUPS => 1,
            Self::LOG_GROUPS..Self::FILES => 2,
            Self::FILES => 3,
            _ => Self::WRAPPED_KIND,
        }
    }
}

/// Key of a day's row: a size change leaves old environments running, so sizes never mix (W2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayKey {
    /// UTC date of the reports' own time (W1).
    pub day: Day,
    /// Their source.
    pub source: DaySource,
    /// Size of the environments they ran in.
    pub memory_mb: Megabytes,
    /// Version they ran.
    pub version: String,
}

/// What a day keeps (W2). Merging is commutative and associative; the empty value is neutral.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DayStats {
    /// Highest memory used; 0 if no report has one.
    pub peak_mb: Megabytes,
    /// Invocations, retries included.
    pub invocations: u64,
    /// Failures that are neither timeouts nor out of memory.
    pub errors: u64,
    /// Invocations that ran into the timeout.
    pub timeouts: u64,
    /// Invocations that ran out of memory.
    pub ooms: u64,
    /// Of the errors: those in which the runtime or an extension ended or could not start.
    pub crashes: u64,
    /// Of the errors: those in which the runtime's own heap was full.
    pub heap_limits: u64,
    /// Invocations that used at least 97 % of the size, however they ended.
    pub at_limit: u64,
    /// Whether the peak hides the demand (P3).
    pub censored: bool,
    /// Environments that reported on this day.
    pub environments: u64,
    /// Billed milliseconds.
    pub billed_ms: u64,
    /// CPU time in ms, as sandboxes report it (P6).
    pub cpu_ms: u64,
    /// Durations, summed, of the invocations that that CPU time is of.
    pub cpu_wall_ms: u64,
    /// Successful invocations that waited for a start and have a duration: the first ones of their environments.
    pub firsts: u64,
    /// Their durations in ms, summed, without the starts.
    pub firsts_ms: u64,
    /// Durations in ms.
    pub durations: Distribution,
    /// Durations of init in ms.
    pub inits: Distribution,
    /// Durations of restores from a snapshot in ms.
    pub restores: Distribution,
    /// How long init took that failed or timed out, in ms.
    pub failed_inits: Distribution,
    /// How long restores took that failed or timed out, in ms.
    pub failed_restores: Distribution,
    /// Memory used in MB.
    pub used: Distribution,
    /// Durations by the time of the day.
    pub hours: Hours,
}

/// One invocation's figures, whatever format they came in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// When it was reported; `None` if only the day is known.
    pub(crate) at: Option<Timestamp>,
    pub(crate) max_used_mb: Option<Megabytes>,
    pub(crate) duration_ms: Option<Millis>,
    pub(crate) billed_ms: Option<Millis>,
    pub(crate) init_ms: Option<Millis>,
    pub(crate) restore_ms: Option<Millis>,
    pub(crate) status: Status,
    pub(crate) error: Option<ErrorKind>,
    /// The invocation was counted before: this corrects its ending.
    pub(crate) amends: bool,
    /// It is a start that failed, and not an invocation.
    pub(crate) failed_start: bool,
}

impl Sample {
    /// Billed milliseconds, 0 if the platform did not report them.
    pub(crate) fn billed(&self) -> u64 {
        self.billed_ms.map_or(0, Millis::ceil_ms)
    }
}

impl DayStats {
    /// Makes room for this number of invocations.
    pub(crate) fn reserve(&mut self, invocations: usize) {
        self.durations.reserve(invocations);
        self.used.reserve(invocations);
    }

    /// Adds one invocation that ran at `size`.
    pub(crate) fn count(&mut self, sample: Sample, size: Megabytes) {
        if sample.amends || sample.failed_start {
            return self.count_beside(sample);
        }
        self.invocations += 1;
        match sample.status {
            Status::Ok => {}
            Status::Error => self.count_error(sample.error),
            Status::Timeout => self.timeouts += 1,
            Status::OutOfMemory => self.ooms += 1,
        }
        self.censored |= sample.status == Status::OutOfMemory;
        if let Some(used) = sample.max_used_mb {
            self.use_memory(used, size, sample.status.is_failure());
            self.used.record(u64::from(used.0));
        } else if sample.status == Status::OutOfMemory {
            // The report of a reset environment may never come; all there was, was used.
            self.use_memory(size, size, true);
        }
        self.billed_ms = self.billed_ms.saturating_add(sample.billed());
        if let Some(duration) = sample.duration_ms {
            self.durations.record(duration.ceil_ms());
            if let Some(at) = sample.at {
                self.hours.add(at, duration);
            }
        }
        if sample.init_ms.is_some() || sample.restore_ms.is_some() {
            self.count_start(sample);
        }
    }

    /// The start that an invocation waited for.
    fn count_start(&mut self, sample: Sample) {
        if let Some(init) = sample.init_ms {
            self.inits.record(init.ceil_ms());
        }
        if let Some(restore) = sample.restore_ms {
            self.restores.record(restore.ceil_ms());
        }
        self.count_first(sample);
    }

    /// The first invocation of an environment; a failed one shows nothing about how long the first ones take.
    fn count_first(&mut self, sample: Sample) {
        if let (Status::Ok, Some(duration)) = (sample.status, sample.duration_ms) {
            self.firsts += 1;
            self.firsts_ms = self.firsts_ms.saturating_add(duration.ceil_ms());
        }
    }

    /// What is no invocation.
    fn count_beside(&mut self, sample: Sample) {
        if sample.amends {
            return self.amend(sample);
        }
        if let Some(init) = sample.init_ms {
            self.failed_inits.record(init.ceil_ms());
        }
        if let Some(restore) = sample.restore_ms {
            self.failed_restores.record(restore.ceil_ms());
        }
    }

    /// A line of the platform after the report shows that the invocation failed.
    fn amend(&mut self, sample: Sample) {
        match sample.status {
            Status::OutOfMemory => {
                self.ooms += 1;
                self.censored = true;
            }
            _ => self.count_error(sample.error),
        }
    }

    const fn count_error(&mut self, kind: Option<ErrorKind>) {
        self.errors += 1;
        match kind {
            Some(ErrorKind::Crash) => self.crashes += 1,
            Some(ErrorKind::HeapLimit) => self.heap_limits += 1,
            Some(ErrorKind::Function) | None => {}
        }
    }

    /// Whether it holds more than bare counts of invocations: a memory figure, a duration, or a failure.
    pub(crate) fn has_figures(&self) -> bool {
        let failures = self.errors.max(self.timeouts).max(self.ooms);
        self.peak_mb > Megabytes(0)
            || self.billed_ms > 0
            || failures > 0
            || self.durations.count() > 0
    }

    /// Whether a start failed.
    pub(crate) fn has_failed_starts(&self) -> bool {
        self.failed_inits.count() > 0 || self.failed_restores.count() > 0
    }

    /// Counts what waits in its distributions.
    pub fn settle(&mut self) {
        self.durations.settle();
        self.inits.settle();
        self.restores.settle();
        self.failed_inits.settle();
        self.failed_restores.settle();
        self.used.settle();
    }

    /// Raises the peak. A failure near the limit hides the demand, and so does more used than
    /// there is: 129 of 128 MB is an out-of-memory that was not called one.
    pub(crate) fn use_memory(&mut self, used: Megabytes, size: Megabytes, failed: bool) {
        self.peak_mb = self.peak_mb.max(used);
        let at_limit = is_at_limit(used, size);
        self.at_limit += u64::from(at_limit);
        self.censored |= (at_limit && failed) || used > size;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.peak_mb = self.peak_mb.max(other.peak_mb);
        self.invocations = self.invocations.saturating_add(other.invocations);
        self.errors = self.errors.saturating_add(other.errors);
        self.timeouts = self.timeouts.saturating_add(other.timeouts);
        self.ooms = self.ooms.saturating_add(other.ooms);
        self.crashes = self.crashes.saturating_add(other.crashes);
        self.heap_limits = self.heap_limits.saturating_add(other.heap_limits);
        self.at_limit = self.at_limit.saturating_add(other.at_limit);
        self.censored |= other.censored;
        self.environments = self.environments.saturating_add(other.environments);
        self.billed_ms = self.billed_ms.saturating_add(other.billed_ms);
        self.cpu_ms = self.cpu_ms.saturating_add(other.cpu_ms);
        self.cpu_wall_ms = self.cpu_wall_ms.saturating_add(other.cpu_wall_ms);
        self.firsts = self.firsts.saturating_add(other.firsts);
        self.firsts_ms = self.firsts_ms.saturating_add(other.firsts_ms);
        self.durations.merge(&other.durations);
        self.inits.merge(&other.inits);
        self.restores.merge(&other.restores);
        self.failed_inits.merge(&other.failed_inits);
        self.failed_restores.merge(&other.failed_restores);
        self.used.merge(&other.used);
        self.hours.merge(&other.hours);
    }
}

#[cfg(test)]
mod tests;
