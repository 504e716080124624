//! A mergeable distribution of whole numbers (durations in ms, memory in MB), two significant
//! digits: any quantile is at most 1 % off. Backed by an HDR histogram with fixed bounds, so that the
//! same samples give the same bytes in whatever order they came (W7).

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

/// Thirty days in milliseconds: as long as [`rightsizer_records::Millis`] reaches.
const HIGHEST: u64 = 30 * 86_400_000;

/// Counts of values with two significant digits.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution(Histogram<u64>);

/// A stored distribution could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored histogram cannot be read ({0}): the store is damaged, restore a backup")]
pub struct DistributionError(String);

impl Default for Distribution {
    fn default() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the bounds are constants that the histogram takes"
        )]
        Self(Histogram::new_with_bounds(1, HIGHEST, 2).expect("constant bounds"))
    }
}

impl Distribution {
    /// Adds one value; what lies above the bound counts as the bound.
    pub fn record(&mut self, value: u64) {
        self.0.saturating_record(value);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same constant bounds, the only thing an addition can fail for.
        let _ = self.0.add(&other.0);
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value below which the share `q` (0 to 1) of all lies; `None` when empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(q))
    }

    /// As bytes for the store; the same content gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Fails only where the sink does, and a Vec takes everything.
        let _ = V2Serializer::new().serialize(&self.0, &mut bytes);
        bytes
    }

    /// Back from [`Distribution::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DistributionError> {
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &*bytes)
            .map_err(|e| DistributionError(format!("{e:?}")))?;
        let mut whole = Self::default();
        whole
            .0
            .add(&read)
            .map_err(|e| DistributionError(format!("{e:?}")))?;
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn w7_order_does_not_matter_and_bytes_are_equal(
            mut values in proptest::collection::vec(0_u64..5_000_000, 0..60), cut in 0_usize..60,
        ) {
            let of = |values: &[u64]| {
                let mut d = Distribution::default();
                values.iter().for_each(|v| d.record(*v));
                d
            };
            let whole = of(&values);
            let cut = cut.min(values.len());
            let (mut b, a) = (of(&values[cut..]), of(&values[..cut]));
            b.merge(&Distribution::from_bytes(&a.to_bytes()).unwrap());
            prop_assert_eq!(whole.to_bytes(), b.to_bytes());
            values.reverse();
            prop_assert_eq!(whole.to_bytes(), of(&values).to_bytes());
        }
    }

    #[test]
    fn quantiles_are_within_one_percent() {
        let mut d = Distribution::default();
        (1..=1000).for_each(|v| d.record(v));
        let p99 = d.quantile(0.99).unwrap();
        assert!((980..=1000).contains(&p99), "{p99}");
        assert_eq!(Distribution::default().quantile(0.5), None);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        assert!(Distribution::from_bytes(b"not a histogram").is_err());
    }
}
