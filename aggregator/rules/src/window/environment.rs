//! What is remembered of one execution environment: which of its records were merged (W7), how
//! many reports it has seen, and how many of them arrived.

use std::fmt;

use rightsizer_records::{Arch, Day, Megabytes, Timestamp};

use crate::policy::{Climb, climb};

/// The sequence numbers merged so far, as sorted disjoint ranges: a canonical form, so that the
/// same set has the same bytes however it came about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeqMarks {
    ranges: Vec<(u64, u64)>,
}

/// Ranges that are kept of an environment. One of the extension's has one, and one more for each record
/// that was lost on its way.
const MOST_RANGES: usize = 256;

impl SeqMarks {
    /// Marks `seq`; `false` when it was marked before. Beyond `MOST_RANGES` the oldest gap counts as
    /// marked: what would fill it is 256 lost records old, and a writer who leaves out every other number
    /// must not make the marks grow without end.
    pub fn insert(&mut self, seq: u64) -> bool {
        let at = self.ranges.partition_point(|(_, end)| *end < seq);
        if self.ranges.get(at).is_some_and(|(start, _)| *start <= seq) {
            return false;
        }
        let joins_left = at > 0 && self.ranges[at - 1].1.checked_add(1) == Some(seq);
        let joins_right = self
            .ranges
            .get(at)
            .is_some_and(|(start, _)| seq.checked_add(1) == Some(*start));
        match (joins_left, joins_right) {
            (true, true) => {
                self.ranges[at - 1].1 = self.ranges[at].1;
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at - 1].1 = seq,
            (false, true) => self.ranges[at].0 = seq,
            (false, false) => self.ranges.insert(at, (seq, seq)),
        }
        if self.ranges.len() > MOST_RANGES {
            self.ranges[0].1 = self.ranges[1].1;
            self.ranges.remove(1);
        }
        true
    }

    /// The ranges, ascending.
    pub(crate) fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// Back from [`SeqMarks::ranges`]; `None` if they do not ascend with gaps between them.
    pub(crate) fn from_ranges(ranges: Vec<(u64, u64)>) -> Option<Self> {
        let apart = |pair: &[(u64, u64)]| pair[0].1.saturating_add(1) < pair[1].0;
        let whole = ranges.iter().all(|(start, end)| start <= end);
        (whole && ranges.windows(2).all(apart)).then_some(Self { ranges })
    }

    /// Bytes that they take in memory, beside their own.
    pub const fn bytes(&self) -> usize {
        self.ranges.capacity() * size_of::<(u64, u64)>()
    }

    /// Back from how they are shown; `None` when it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let range = |part: &str| {
            let (a, b) = part.split_once('-')?;
            Some((a.parse().ok()?, b.parse().ok()?))
        };
        let parts = text.split(',').filter(|part| !part.is_empty());
        parts
            .map(range)
            .collect::<Option<_>>()
            .map(|ranges| Self { ranges })
    }

    /// How many numbers below the highest marked one are missing.
    pub fn gaps(&self) -> u64 {
        let mut next = 0_u64;
        self.ranges.iter().fold(0, |gaps, (start, end)| {
            let gap = start.saturating_sub(next);
            next = end.saturating_add(1);
            gaps + gap
        })
    }
}

/// `0-7,9-9`: short, and readable in `sqlite3`.
impl fmt::Display for SeqMarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (start, end)) in self.ranges.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{start}-{end}")?;
        }
        Ok(())
    }
}

/// The highest memory used by an environment in its 1st, 2nd, 3rd to 4th, 5th to 8th, … invocation:
/// how it climbs over its life (P3 detects leaks with it). Merging keeps the higher, so order does
/// not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HighWater(Vec<Megabytes>);

impl HighWater {
    /// Takes note of what was used after the environment's invocation number `ordinal`, from 1.
    pub fn note(&mut self, ordinal: u64, used: Megabytes) {
        let step = ordinal.max(1).next_power_of_two().ilog2();
        let step = usize::try_from(step).unwrap_or_default();
        if self.0.len() <= step {
            self.0.resize(step + 1, Megabytes(0));
        }
        self.0[step] = self.0[step].max(used);
    }

    /// The most it had used after 1, 2, 4, 8, … invocations. Of the last step it is not known whether it
    /// was gone to its end, so it is left out.
    pub fn marks(&self) -> Vec<Megabytes> {
        let whole = self.0.len().saturating_sub(1);
        let mut most = Megabytes(0);
        let mut mark = |step: &Megabytes| {
            most = most.max(*step);
            most
        };
        self.0[..whole].iter().map(&mut mark).collect()
    }

    /// Back from how they are shown; `None` when it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let step = |part: &str| match part {
            "" => Some(Megabytes(0)),
            part => part.parse().ok().map(Megabytes),
        };
        text.split(',').map(step).collect::<Option<_>>().map(Self)
    }

    /// Returns the highest use in each step; 0 if the step has no value.
    pub(crate) fn steps(&self) -> &[Megabytes] {
        &self.0
    }

    /// Back from [`HighWater::steps`].
    pub(crate) const fn from_steps(steps: Vec<Megabytes>) -> Self {
        Self(steps)
    }

    fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), Megabytes(0));
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }
}

/// `80,81,,96`: empty if there is no value.
impl fmt::Display for HighWater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, used) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            if used.0 > 0 {
                fmt::Display::fmt(&used.0, f)?;
            }
        }
        Ok(())
    }
}

/// How often an environment of the logs was seen with each value of memory used. What an environment used is
/// a high-water mark that only rises, so in ascending order the values are in the order of its
/// invocations, in whatever order the lines came: a leak shows as it does in the layer's records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsedCounts {
    /// Ascending.
    counts: Vec<(Megabytes, u32)>,
    /// There were more than [`MOST_VALUES`]: the environment is no longer judged.
    too_many: bool,
}

/// Different values that are kept of an environment. One that climbs by more has long been found out.
const MOST_VALUES: usize = 256;

impl UsedCounts {
    /// Counts one invocation.
    pub fn note(&mut self, used: Megabytes) {
        self.add(used, 1);
    }

    fn add(&mut self, used: Megabytes, times: u32) {
        if self.too_many {
            return;
        }
        match self.counts.binary_search_by_key(&used, |(mb, _)| *mb) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(times),
            Err(_) if self.counts.len() == MOST_VALUES => {
                (self.too_many, self.counts) = (true, Vec::new());
            }
            Err(at) => self.counts.insert(at, (used, times)),
        }
    }

    fn join(&mut self, other: &Self) {
        for (used, times) in &other.counts {
            self.add(*used, *times);
        }
        if other.too_many {
            (self.too_many, self.counts) = (true, Vec::new());
        }
    }

    /// The counts by value, ascending; `None` if there were too many.
    pub(crate) fn counts(&self) -> Option<&[(Megabytes, u32)]> {
        (!self.too_many).then_some(&self.counts)
    }

    /// Back from [`UsedCounts::counts`].
    pub(crate) fn from_counts(counts: Option<Vec<(Megabytes, u32)>>) -> Self {
        Self {
            too_many: counts.is_none(),
            counts: counts.unwrap_or_default(),
        }
    }

    /// The most it had used after 1, 2, 4, 8, … invocations, as in [`HighWater::marks`].
    pub fn marks(&self) -> Vec<Megabytes> {
        let (mut marks, mut served, mut next) = (Vec::new(), 0_u64, 1_u64);
        let all: u64 = self.counts.iter().map(|(_, times)| u64::from(*times)).sum();
        for (used, times) in &self.counts {
            served += u64::from(*times);
            // Of the last doubling it is not known whether it was gone to its end.
            while next <= served && next < all {
                marks.push(*used);
                next *= 2;
            }
        }
        marks
    }

    /// Back from how they are shown; `None` when it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        if text == TOO_MANY {
            return Some(Self {
                too_many: true,
                ..Self::default()
            });
        }
        let mut read = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (used, times) = part.split_once(':')?;
            read.add(Megabytes(used.parse().ok()?), times.parse().ok()?);
        }
        Some(read)
    }
}

/// How [`UsedCounts`] are shown that had too many values.
const TOO_MANY: &str = "*";

/// `400:1,408:2`: two invocations with 408 MB used.
impl fmt::Display for UsedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.too_many {
            return f.write_str(TOO_MANY);
        }
        for (n, (used, times)) in self.counts.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{}:{times}", used.0)?;
        }
        Ok(())
    }
}

/// An environment of the layer is judged after more invocations than this, in at least [`JUDGED_STEPS`].
const JUDGED_AFTER: u64 = 32;
const JUDGED_STEPS: usize = 7;
/// An environment of the logs is judged if it has at least this many different values.
const JUDGED_VALUES: usize = 4;

/// State of one environment at one memory size and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentState {
    /// Its first report.
    pub first: Timestamp,
    /// Its last report.
    pub last: Timestamp,
    /// Records merged.
    pub marks: SeqMarks,
    /// Reports it has seen, by its own count.
    pub total: u64,
    /// Reports that arrived, folded ones included.
    pub seen: u64,
    /// Platform events that were dropped, as the platform reported.
    pub events_dropped: u64,
    /// Days it reported on, ascending, so that each counts it once.
    pub days: Vec<Day>,
    /// Its architecture, if known.
    pub arch: Option<Arch>,
    /// The extension's own largest resident size in KiB.
    pub self_kib: u64,
    /// How its memory use rose, from the layer.
    pub high_water: HighWater,
    /// Its memory use, from its log lines.
    pub used: UsedCounts,
    /// How long its start took in ms: init, or the restore from a snapshot.
    pub start_ms: Option<u64>,
}

impl EnvironmentState {
    /// An environment of which nothing is known but a report at `t0`.
    pub const fn starting(t0: Timestamp) -> Self {
        Self {
            first: t0,
            last: t0,
            marks: SeqMarks { ranges: Vec::new() },
            total: 0,
            seen: 0,
            events_dropped: 0,
            days: Vec::new(),
            arch: None,
            self_kib: 0,
            high_water: HighWater(Vec::new()),
            used: UsedCounts {
                counts: Vec::new(),
                too_many: false,
            },
            start_ms: None,
        }
    }

    /// Adds a day; `false` if it was known.
    pub fn on(&mut self, day: Day) -> bool {
        match self.days.binary_search(&day) {
            Ok(_) => false,
            Err(at) => {
                self.days.insert(at, day);
                true
            }
        }
    }

    /// Adds `other`, from the record `seq` if it came in one. Returns the days that are new to this
    /// environment, or `None` if that record was added before (W7) and nothing changes.
    pub fn absorb(&mut self, other: &Self, seq: Option<u64>) -> Option<Vec<Day>> {
        if seq.is_some_and(|seq| !self.marks.insert(seq)) {
            return None;
        }
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.total = self.total.max(other.total);
        self.seen = self.seen.saturating_add(other.seen);
        self.events_dropped = self.events_dropped.saturating_add(other.events_dropped);
        self.arch = self.arch.max(other.arch);
        self.self_kib = self.self_kib.max(other.self_kib);
        self.high_water.join(&other.high_water);
        self.used.join(&other.used);
        self.start_ms = self.start_ms.max(other.start_ms);
        let days = other.days.iter().copied();
        Some(days.filter(|day| self.on(*day)).collect())
    }

    /// How its use of memory went over its life at `size` (P3); `None` if it cannot be judged: it served too few
    /// invocations, or its logs show too few different values.
    pub fn climb(&self, size: Megabytes) -> Option<Climb> {
        let by_layer = self.seen > JUDGED_AFTER && self.high_water.0.len() >= JUDGED_STEPS;
        if !by_layer && self.used.counts.len() < JUDGED_VALUES {
            return None;
        }
        // An environment is known either from its layer or from its logs.
        let marks = match self.high_water.marks() {
            high if high.is_empty() => self.used.marks(),
            high => high,
        };
        Some(climb(&marks, size))
    }

    /// Reports that it has seen and that never arrived (so far).
    pub const fn lost(&self) -> u64 {
        self.total.saturating_sub(self.seen)
    }
}

#[cfg(test)]
mod tests;
