//! A mergeable distribution of whole numbers (durations in ms, memory in MB), two significant
//! digits: any quantile is less than 1 % off.
//!
//! The buckets are those of an HDR histogram with two digits, but only the ones that hold something
//! are kept: a function-day takes a hundred bytes instead of the 28 KB of the dense form, and the
//! same samples give the same bytes in whatever order they came (W7). The tests hold it against
//! `hdrhistogram`, bucket for bucket.

use std::borrow::Cow;

use crate::bytes::{push_number, take_number};

/// Thirty days in milliseconds: as long as [`rightsizer_records::Millis`] reaches. What lies above
/// counts as this.
const HIGHEST: u64 = 30 * 86_400_000;
/// Values below this have a bucket of their own: two digits need 200, rounded up to a power of two.
const EXACT: u64 = 256;
/// Buckets of each further doubling.
const HALF: u64 = EXACT / 2;
/// Buckets that there can be.
const BUCKETS: usize = bucket_of(HIGHEST) as usize + 1;
/// The most values that wait to be counted.
const MOST_WAITING: usize = 512;
/// So few are counted sooner by sorting them than by looking at every bucket.
const FEW: usize = 48;

/// Counts of values with two significant digits.
#[derive(Debug, Clone, Default)]
pub struct Distribution {
    /// Bucket number and count, by bucket number; no count is zero.
    buckets: Vec<(u16, u64)>,
    /// Buckets of values that are not counted yet: many at once are much cheaper than one by one.
    waiting: Vec<u16>,
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Self) -> bool {
        self.counts() == other.counts()
    }
}

/// A stored distribution could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored histogram cannot be read: the store is damaged, restore a backup")]
pub struct DistributionError;

impl Distribution {
    /// Makes room for this number of values.
    pub fn reserve(&mut self, values: usize) {
        self.waiting.reserve(values.min(MOST_WAITING));
    }

    /// Adds one value.
    pub fn record(&mut self, value: u64) {
        self.waiting.push(bucket_of(value));
        self.count_if_many();
    }

    /// Adds one value this number of times.
    pub fn record_many(&mut self, value: u64, count: u64) {
        if count > 0 {
            self.add(bucket_of(value), count);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Most days have no starts of most kinds.
        if other.buckets.is_empty() && other.waiting.is_empty() {
            return;
        }
        self.merge_counts(&other.buckets);
        self.waiting.extend_from_slice(&other.waiting);
        self.count_if_many();
    }

    /// Counts what waits, and gives back the room it took.
    pub fn settle(&mut self) {
        if !self.waiting.is_empty() {
            self.count_waiting();
        }
        self.waiting = Vec::new();
    }

    fn count_if_many(&mut self) {
        if self.waiting.len() >= MOST_WAITING {
            self.count_waiting();
        }
    }

    fn count_waiting(&mut self) {
        let counted = counted(&mut self.waiting);
        self.waiting.clear();
        if self.buckets.is_empty() {
            self.buckets = counted;
        } else {
            self.merge_counts(&counted);
        }
    }

    /// Bucket number and count of all there is.
    pub(super) fn counts(&self) -> Cow<'_, [(u16, u64)]> {
        if self.waiting.is_empty() {
            return Cow::Borrowed(&self.buckets);
        }
        let mut whole = self.clone();
        whole.count_waiting();
        Cow::Owned(whole.buckets)
    }

    fn merge_counts(&mut self, other: &[(u16, u64)]) {
        if self.buckets.is_empty() {
            self.buckets.extend_from_slice(other);
            return;
        }
        // A few counts go into their places; many are walked along with.
        if other.len() < 4 {
            for (bucket, count) in other {
                self.add(*bucket, *count);
            }
            return;
        }
        let mine = std::mem::take(&mut self.buckets);
        self.buckets.reserve(mine.len() + other.len());
        let mut theirs = other.iter().peekable();
        for (bucket, count) in mine {
            while let Some(before) = theirs.next_if(|(other, _)| *other < bucket) {
                self.buckets.push(*before);
            }
            let same = theirs.next_if(|(other, _)| *other == bucket);
            let count = count.saturating_add(same.map_or(0, |(_, count)| *count));
            self.buckets.push((bucket, count));
        }
        self.buckets.extend(theirs);
    }

    fn add(&mut self, bucket: u16, count: u64) {
        match self
            .buckets
            .binary_search_by_key(&bucket, |(bucket, _)| *bucket)
        {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        total(&self.counts())
    }

    /// How many lie in buckets that are wholly above `value`.
    pub fn above(&self, value: u64) -> u64 {
        let bucket = bucket_of(value);
        let counts = self.counts();
        let above = counts.iter().filter(|(b, _)| *b > bucket);
        above.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The value at or below which the share `q` (0 to 1) of all lies: the highest of its bucket,
    /// so never too low. `None` when empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let counts = self.counts();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank between 1 and the count; beyond 2^52 samples a rank off is nothing"
        )]
        let rank = ((q * total(&counts) as f64).ceil() as u64).max(1);
        let mut below = 0_u64;
        let reaches = |(_, count): &&(u16, u64)| {
            below = below.saturating_add(*count);
            below >= rank
        };
        let found = counts.iter().find(reaches).or(counts.last());
        found.map(|(bucket, _)| highest_of(*bucket))
    }

    /// The highest value of each bucket that holds something, ascending, with its count.
    pub fn values(&self) -> Vec<(u64, u64)> {
        let counts = self.counts();
        let values = counts
            .iter()
            .map(|(bucket, count)| (highest_of(*bucket), *count));
        values.collect()
    }

    /// As bytes for the store: per bucket the distance to the one before and the count, each a
    /// little-endian base-128 number. The same content gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let counts = self.counts();
        let mut bytes = Vec::with_capacity(3 * counts.len());
        let mut before = 0;
        for (bucket, count) in counts.iter() {
            push_number(&mut bytes, u64::from(*bucket - before));
            push_number(&mut bytes, *count);
            before = *bucket;
        }
        bytes
    }

    /// Back from [`Distribution::to_bytes`].
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, DistributionError> {
        let mut buckets: Vec<(u16, u64)> = Vec::with_capacity(bytes.len() / 2);
        while !bytes.is_empty() {
            let distance = take_number(&mut bytes).ok_or(DistributionError)?;
            let count = take_number(&mut bytes).ok_or(DistributionError)?;
            let before = buckets.last().map_or(0, |(bucket, _)| u64::from(*bucket));
            let bucket = before.checked_add(distance).ok_or(DistributionError)?;
            let repeats = !buckets.is_empty() && distance == 0;
            if repeats || count == 0 || bucket > u64::from(bucket_of(HIGHEST)) {
                return Err(DistributionError);
            }
            buckets.push((u16::try_from(bucket).map_err(|_| DistributionError)?, count));
        }
        Ok(Self {
            buckets,
            waiting: Vec::new(),
        })
    }
}

fn total(counts: &[(u16, u64)]) -> u64 {
    let counts = counts.iter();
    counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// How often each bucket comes in `values`, by bucket number.
fn counted(values: &mut [u16]) -> Vec<(u16, u64)> {
    if values.len() < FEW {
        values.sort_unstable();
        let runs = values.chunk_by(|a, b| a == b);
        return runs.map(|run| (run[0], run.len() as u64)).collect();
    }
    let mut counts = [0_u32; BUCKETS];
    let mut seen = [0_u64; BUCKETS.div_ceil(64)];
    for value in values.iter().map(|value| usize::from(*value)) {
        counts[value] += 1;
        seen[value / 64] |= 1 << (value % 64);
    }
    let mut counted = Vec::with_capacity(values.len());
    for (word, mut bits) in (0_u16..).zip(seen) {
        while bits > 0 {
            #[expect(clippy::cast_possible_truncation, reason = "below 64")]
            let bucket = word * 64 + bits.trailing_zeros() as u16;
            counted.push((bucket, u64::from(counts[usize::from(bucket)])));
            bits &= bits - 1;
        }
    }
    counted
}

/// The bucket of a value: one each below [`EXACT`], then [`HALF`] for each doubling.
const fn bucket_of(value: u64) -> u16 {
    let value = if value < HIGHEST { value } else { HIGHEST };
    let shift = EXACT.leading_zeros().saturating_sub(value.leading_zeros()) as u64
        + (value >= EXACT) as u64;
    #[expect(clippy::cast_possible_truncation, reason = "at most 3,400 for HIGHEST")]
    let bucket = (HALF * shift + (value >> shift)) as u16;
    bucket
}

/// The highest value of a bucket.
pub(super) fn highest_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let shift = (bucket / HALF).saturating_sub(1);
    ((bucket - HALF * shift + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Distribution {
        let mut d = Distribution::default();
        values.iter().for_each(|v| d.record(*v));
        d
    }

    proptest! {
        #[test]
        fn values_that_wait_count_as_counted_ones(
            first in proptest::collection::vec(0_u64..5_000, 0..600),
            second in proptest::collection::vec(0_u64..HIGHEST, 0..600), lazily in any::<bool>(),
        ) {
            let (mut lazy, mut other) = (of(&first), of(&second));
            if lazily { lazy.settle(); } else { other.settle(); }
            lazy.merge(&other);
            let mut eager = Distribution::default();
            first.iter().chain(&second).for_each(|v| eager.record_many(*v, 1));
            prop_assert_eq!(&lazy, &eager);
            prop_assert_eq!(lazy.to_bytes(), eager.to_bytes());
            prop_assert_eq!(lazy.count(), (first.len() + second.len()) as u64);
            prop_assert_eq!(lazy.quantile(0.95), eager.quantile(0.95));
            prop_assert_eq!(lazy.above(300), eager.above(300));
            prop_assert!(lazy.waiting.len() < MOST_WAITING);
        }

        #[test]
        fn w7_order_does_not_matter_and_bytes_are_equal(
            mut values in proptest::collection::vec(0_u64..5_000_000, 0..60), cut in 0_usize..60,
        ) {
            let whole = of(&values);
            let cut = cut.min(values.len());
            let (mut b, a) = (of(&values[cut..]), of(&values[..cut]));
            b.merge(&Distribution::from_bytes(&a.to_bytes()).unwrap());
            prop_assert_eq!(whole.to_bytes(), b.to_bytes());
            values.reverse();
            prop_assert_eq!(whole.to_bytes(), of(&values).to_bytes());
            prop_assert_eq!(whole.count(), values.len() as u64);
        }

        /// The reference implementation gives the same for the same samples.
        #[test]
        fn quantiles_are_those_of_an_hdr_histogram(
            values in proptest::collection::vec(1_u64..HIGHEST, 1..80), percent in 1_u32..=100,
        ) {
            let mut reference = Histogram::<u64>::new_with_bounds(1, HIGHEST, 2).unwrap();
            values.iter().for_each(|v| reference.record(*v).unwrap());
            let q = f64::from(percent) / 100.0;
            prop_assert_eq!(of(&values).quantile(q), Some(reference.value_at_quantile(q)));
        }

        #[test]
        fn a_bucket_holds_its_values_and_is_less_than_one_percent_wide(value in 0..=HIGHEST) {
            let highest = highest_of(bucket_of(value));
            prop_assert!(value <= highest && (highest - value) * 100 < value.max(1));
            if highest < HIGHEST {
                prop_assert_eq!(bucket_of(highest + 1), bucket_of(highest) + 1);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(read) = Distribution::from_bytes(&bytes) {
                prop_assert_eq!(Distribution::from_bytes(&read.to_bytes()), Ok(read));
            }
        }
    }

    #[test]
    fn quantiles_of_a_hundred() {
        let d = of(&(1..=100).collect::<Vec<_>>());
        assert_eq!(
            (d.quantile(0.5), d.quantile(0.99), d.quantile(1.0)),
            (Some(50), Some(99), Some(100))
        );
        assert_eq!(Distribution::default().quantile(0.5), None);
        // 1000 lies in a bucket of four: 1000 to 1003.
        assert_eq!(of(&[1000]).quantile(0.5), Some(1003));
        assert_eq!(of(&[u64::MAX]).count(), 1);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        // An unfinished number, a count of zero, a bucket named twice, a number of over 64 bits.
        for bytes in [&[0x80][..], &[5, 0], &[5, 1, 0, 1], &[0xff; 12]] {
            assert_eq!(
                Distribution::from_bytes(bytes),
                Err(DistributionError),
                "{bytes:?}"
            );
        }
    }
}
