//! What is known of a function besides its peaks: its durations and CPU at each size, its
//! configuration and tags, and how its size came to be. Plain data, filled from the store.

use rightsizer_records::tags::{
    MAX_TAG, MIN_TAG, MODE_TAG, OBJECTIVE_TAG, STACK_TAG, STRATEGY_TAG,
};
use rightsizer_records::{ApplyMode, Megabytes, Millis, Objective, Timestamp};

use super::settings::PolicySettings;

/// One memory size of a function as the window saw it (P6: what was measured beats a projection).
/// Of the version whose traffic is decided on, and of the source that counts on each day (W7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeFacts {
    /// The size.
    pub memory_mb: Megabytes,
    /// Invocations with a duration.
    pub invocations: u64,
    /// Their billed milliseconds; × `memory_mb` it is what they cost.
    pub billed_ms: u64,
    /// Median duration.
    pub p50: Millis,
    /// 95th percentile of the durations.
    pub p95: Millis,
    /// 99th percentile of the durations.
    pub p99: Millis,
    /// CPU time, if the layer reported it.
    pub cpu: Option<CpuUse>,
    /// By which factor its durations change at the hours of all sizes, if hours are known.
    pub hours_factor: Option<f64>,
}

impl SizeFacts {
    /// Returns the 95th percentile as it was measured or at the hours of all sizes, whichever is longer, in milliseconds.
    pub(super) fn longer_p95_ms(&self) -> f64 {
        self.p95.as_ms_f64() * self.hours_factor.unwrap_or(1.0).max(1.0)
    }

    /// Returns the 95th percentile as it was measured or at the hours of all sizes, whichever is shorter.
    pub fn shorter_p95(&self) -> Millis {
        let shorter = self.p95.as_ms_f64() * self.hours_factor.unwrap_or(1.0).min(1.0);
        Millis::from_ms_f64(shorter).unwrap_or(self.p95)
    }
}

/// How the invocations at one memory size ended, in the window (P6). Of the version whose traffic is decided
/// on, and of the source that counts on each day (W7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeHealth {
    /// The size.
    pub memory_mb: Megabytes,
    /// Invocations, failed ones included.
    pub invocations: u64,
    /// Those that failed: errors, timeouts and out of memory.
    pub failures: u64,
    /// Of the failures: those in which the runtime or an extension ended or could not start.
    pub crashes: u64,
    /// Of the failures: those in which the runtime's own heap was full.
    pub heap_limits: u64,
    /// Highest memory used.
    pub peak_mb: Megabytes,
    /// What init takes: its 99th percentile, or more if starts failed (`start_bound`).
    pub init: Option<Millis>,
    /// The same of restores from a snapshot.
    pub restore: Option<Millis>,
}

impl SizeHealth {
    /// Of a size without invocations.
    pub(crate) const fn none(memory_mb: Megabytes) -> Self {
        Self {
            memory_mb,
            invocations: 0,
            failures: 0,
            crashes: 0,
            heap_limits: 0,
            peak_mb: Megabytes(0),
            init: None,
            restore: None,
        }
    }
}

/// How much of the evidence was found in files of unknown tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Wrapped {
    /// Nothing.
    #[default]
    None,
    /// Some days.
    Some,
    /// All days.
    All,
}

/// Days and invocations with a success: what a decrease may rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Successes {
    /// Days of the window with at least one.
    pub days: u32,
    /// How many there were.
    pub invocations: u64,
}

/// CPU time over some batches of reports: both sums are over the same batches, those that have
/// `cpu_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuUse {
    /// CPU milliseconds that the sandbox spent.
    pub cpu_ms: u64,
    /// Milliseconds of the invocations in those batches: the sum of their durations.
    pub wall_ms: u64,
}

/// How the present size came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// The last `verified` size; before that, the size before the first automatic increase; `None`
    /// if there was neither.
    pub verified_mb: Option<Megabytes>,
    /// Automatic increases that were applied since then. An approval or a verification resets it to
    /// 0.
    pub increases: u32,
    /// The last change of the size by a recommendation; `None` if there was none.
    pub last: Option<SizeChange>,
    /// 95th percentile of the durations before the first decrease by a recommendation since the
    /// code last changed. P6's tolerance applies to it, so that many steps do not add up to a slow
    /// function. `None` if there was no decrease; then it is the present one.
    pub baseline_p95: Option<Millis>,
    /// The size before the first remembered change by a recommendation: what `speed`'s budget refers to, so that
    /// many steps do not add up to an expensive function.
    pub before_mb: Option<Megabytes>,
}

/// A change of the memory size that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeChange {
    /// When it was applied.
    pub at: Timestamp,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size after.
    pub to_mb: Megabytes,
    /// Whether verification found it good.
    pub verified: bool,
    /// Invocations that ran in the new size since.
    pub invocations: u64,
}

impl SizeChange {
    /// Whether it gave the function less.
    pub(crate) fn is_decrease(&self) -> bool {
        self.to_mb < self.from_mb
    }

    /// Whether it gave the function more.
    pub(crate) fn is_increase(&self) -> bool {
        self.to_mb > self.from_mb
    }
}

/// Facts from a function's configuration and tags. `None`: unknown, or not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Configured {
    /// The configured timeout.
    pub timeout: Option<Millis>,
    /// `rightsizer:mode`.
    pub mode: Option<ApplyMode>,
    /// The default without such a tag; `None` if only the updater knows it.
    pub untagged: Option<ApplyMode>,
    /// `rightsizer:objective`, else `rightsizer:strategy`; `None`: `[power] objective`.
    pub objective: Option<Objective>,
    /// `rightsizer:min-mb`.
    pub min_mb: Option<Megabytes>,
    /// `rightsizer:max-mb`.
    pub max_mb: Option<Megabytes>,
    /// Whether it belongs to a pipeline whose next deployment restores its own size: it has a
    /// stack's tag, or one of `[policy] pipeline_tags`.
    pub of_a_pipeline: bool,
}

impl Configured {
    /// From a function's timeout and tags. `pipeline_tags`, each `NAME` or `NAME=VALUE`, mark what
    /// a pipeline owns, in addition to a stack's own tag. A tag that cannot be read is ignored; the
    /// updater, which reads it again, refuses if that matters.
    pub fn read<'a>(
        timeout: Option<Millis>,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
        pipeline_tags: &[String],
    ) -> Self {
        let mut read = Self {
            timeout,
            ..Self::default()
        };
        let mut alias = None;
        for (name, value) in tags {
            read.of_a_pipeline |= pipeline_tags.iter().any(|tag| {
                let (wanted, of) = tag.split_once('=').unwrap_or((tag, value));
                (wanted, of) == (name, value)
            });
            let mb = || value.trim().parse().ok().map(Megabytes);
            match name {
                MODE_TAG => read.mode = ApplyMode::from_name(value.trim()),
                OBJECTIVE_TAG => read.objective = Objective::from_name(value.trim()),
                STRATEGY_TAG => alias = Objective::from_name(value.trim()),
                MIN_TAG => read.min_mb = mb(),
                MAX_TAG => read.max_mb = mb(),
                STACK_TAG => read.of_a_pipeline = true,
                _ => {}
            }
        }
        read.objective = read.objective.or(alias);
        read
    }

    /// Returns the largest size that it may have: its own maximum, or that of all functions if this is smaller.
    pub fn most(&self, settings: &PolicySettings) -> Megabytes {
        self.max_mb
            .map_or(settings.max_mb, |own| own.min(settings.max_mb))
    }

    /// Returns the tags of an objective that name none, and so are ignored.
    pub fn unread_objectives<'a>(
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<(&'a str, &'a str)> {
        let unread = tags.into_iter().filter(|(name, value)| {
            matches!(*name, OBJECTIVE_TAG | STRATEGY_TAG)
                && Objective::from_name(value.trim()).is_none()
        });
        unread.collect()
    }

    /// Whether the updater changes it without an approval.
    pub(crate) fn is_changed_by_itself(&self) -> bool {
        let mode = self.mode.or(self.untagged);
        !matches!(mode, Some(ApplyMode::Off | ApplyMode::Recommend)) && !self.is_exported()
    }

    /// Whether its size goes to its pipeline instead of to the function: a pipeline's function is
    /// changed directly only if its own tag or an approval allows it.
    pub(crate) const fn is_exported(&self) -> bool {
        self.of_a_pipeline && self.mode.is_none()
    }
}

/// A climb within environments over their lives (P3): memory that is not given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leak {
    /// Median slope of the environments that climb.
    pub mb_per_1000: u32,
    /// Environments of the window that climb.
    pub climbing: u32,
    /// Environments of the window that lived long enough to be judged.
    pub judged: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_and_odd_ones_are_ignored() {
        let tags = [
            ("rightsizer:mode", "auto"),
            ("rightsizer:strategy", "speed"),
            ("rightsizer:objective", "cost"),
            ("rightsizer:min-mb", "256"),
            ("rightsizer:max-mb", "lots"),
            ("team", "payments"),
        ];
        let read = Configured::read(Some(Millis::from_ms(3000)), tags, &[]);
        let wanted = Configured {
            timeout: Some(Millis::from_ms(3000)),
            mode: Some(ApplyMode::Auto),
            untagged: None,
            objective: Some(Objective::Cost),
            min_mb: Some(Megabytes(256)),
            max_mb: None,
            of_a_pipeline: false,
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn the_tag_strategy_is_an_alias_of_objective() {
        let read = |tags: &[(&'static str, &'static str)]| {
            Configured::read(None, tags.iter().copied(), &[]).objective
        };
        assert_eq!(read(&[(STRATEGY_TAG, "cost")]), Some(Objective::Cost));
        let both = [(OBJECTIVE_TAG, "memory"), (STRATEGY_TAG, "speed")];
        assert_eq!(read(&both), Some(Objective::Memory));
        assert_eq!(read(&[both[1], both[0]]), Some(Objective::Memory));
    }

    #[test]
    fn an_objective_that_is_none_is_named() {
        let tags = [
            (OBJECTIVE_TAG, "fast"),
            (STRATEGY_TAG, "cost"),
            ("team", "fast"),
        ];
        assert_eq!(Configured::unread_objectives(tags), [tags[0]]);
    }

    #[test]
    fn a_function_of_a_stack_is_exported_unless_its_own_tag_decides_otherwise() {
        let stack = (STACK_TAG, "shop");
        let of = |tags: &[(&'static str, &'static str)]| {
            let ours = ["managed-by=terraform".to_owned(), "terraform".to_owned()];
            Configured::read(None, tags.iter().copied(), &ours).is_exported()
        };
        assert!(of(&[("managed-by", "terraform")]) && of(&[("terraform", "")]));
        assert!(!of(&[("managed-by", "hand")]));
        assert!(of(&[stack]));
        assert!(!of(&[("team", "shop")]));
        assert!(!of(&[stack, ("rightsizer:mode", "auto")]));
    }
}
