//! What is remembered of one execution environment: which of its records were merged (W7), how
//! many reports it has seen, and how many of them arrived.

use std::collections::BTreeSet;

use rightsizer_records::{Arch, Day, Timestamp};

/// The sequence numbers merged so far, as sorted disjoint ranges: a canonical form, so that the
/// same set has the same bytes however it came about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeqMarks {
    ranges: Vec<(u64, u64)>,
}

impl SeqMarks {
    /// Marks `seq`; `false` when it was marked before.
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
        true
    }

    /// Ranges as text, `0-7,9-9`: short, and readable in `sqlite3`.
    pub fn to_text(&self) -> String {
        let ranges: Vec<String> = self
            .ranges
            .iter()
            .map(|(a, b)| format!("{a}-{b}"))
            .collect();
        ranges.join(",")
    }

    /// Back from [`SeqMarks::to_text`]; `None` when it is none.
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

/// State of one environment at one memory size and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentState {
    /// Its first report.
    pub first: Timestamp,
    /// Its last report.
    pub last: Timestamp,
    /// Records merged.
    pub marks: SeqMarks,
    /// Reports it says it has seen.
    pub total: u64,
    /// Reports that arrived, folded ones included.
    pub seen: u64,
    /// Platform events it was told were dropped.
    pub events_dropped: u64,
    /// Days it reported on, so that each counts it once.
    pub days: BTreeSet<Day>,
    /// Its architecture, where known.
    pub arch: Option<Arch>,
    /// The extension's own largest resident size in KiB.
    pub self_kib: u64,
    /// CPU time in ms its sandbox spent.
    pub cpu_ms: u64,
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
            days: BTreeSet::new(),
            arch: None,
            self_kib: 0,
            cpu_ms: 0,
        }
    }

    /// Reports that it has seen and that never arrived (so far).
    pub const fn lost(&self) -> u64 {
        self.total.saturating_sub(self.seen)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn w7_marks_are_a_set_with_one_form(seqs in proptest::collection::vec(0_u64..40, 0..80)) {
            let (mut marks, mut model) = (SeqMarks::default(), HashSet::new());
            for seq in &seqs {
                prop_assert_eq!(marks.insert(*seq), model.insert(*seq));
            }
            let mut sorted = SeqMarks::default();
            let mut ordered: Vec<_> = model.iter().copied().collect();
            ordered.sort_unstable();
            ordered.iter().for_each(|s| { sorted.insert(*s); });
            prop_assert_eq!(&marks, &sorted);
            let missing = ordered.last().map_or(0, |top| top + 1 - ordered.len() as u64);
            prop_assert_eq!(marks.gaps(), missing);
            prop_assert_eq!(SeqMarks::from_text(&marks.to_text()), Some(marks));
        }
    }

    #[test]
    fn the_ends_of_the_number_range_hold() {
        let mut marks = SeqMarks::default();
        assert!(marks.insert(u64::MAX) && marks.insert(0) && !marks.insert(u64::MAX));
        assert_eq!(SeqMarks::from_text("0-x"), None);
    }
}
