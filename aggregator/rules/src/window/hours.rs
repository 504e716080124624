//! How long invocations took at each time of a day: the number of them in each part of three hours, and the sum of the
//! logarithms of their durations. Two sizes that ran at different hours can be compared by it (`power::hours`).
//!
//! Finer parts would take more bytes, and only differ on the day of a change: on any other day a size has all of them.

use rightsizer_records::{Millis, Timestamp};

use super::distribution::DistributionError;
use crate::bytes::{In, Out, Unreadable};

/// Parts of a day.
const PARTS: usize = 8;
const PART_MS: u64 = 86_400_000 / PARTS as u64;
/// Steps of a logarithm for each doubling: each is 1.1 %. Durations scatter by more, so that a mean is much finer.
const STEPS: u64 = 64;
/// A busy day takes less, so that its bytes are allocated once.
const MOST_BYTES: usize = 64;
/// `STEPS × log2(1 + (n + 1/2) ÷ 256)`, rounded.
const FRACTIONS: [u8; 256] = fractions();

/// Returns the part of the day in which `at` lies. The first part after 1970 is the first of its day, and a day has a
/// whole number of them.
const fn part_of(at: Timestamp) -> usize {
    (at.as_ms().cast_unsigned() / PART_MS) as usize % PARTS
}

/// The invocations of one part of the day that have a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Part {
    count: u64,
    /// Their durations as logarithms ([`log_of`]), summed.
    logs: u64,
}

/// The durations of a day by the time of the day. Merging is commutative and associative; the empty value is neutral.
/// Evidence without a time of day, such as the sums of Logs Insights, adds nothing, so that there may be fewer than in
/// the histogram of durations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hours([Part; PARTS]);

impl Hours {
    /// Adds an invocation that was reported at `at`.
    pub fn add(&mut self, at: Timestamp, duration: Millis) {
        let part = &mut self.0[part_of(at)];
        part.count += 1;
        part.logs = part.logs.saturating_add(log_of(duration.as_micros()));
    }

    /// Adds all of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        let parts = self.0.iter_mut().zip(&other.0);
        for (part, other) in parts.filter(|(_, other)| other.count > 0) {
            part.count = part.count.saturating_add(other.count);
            part.logs = part.logs.saturating_add(other.logs);
        }
    }

    /// Returns the number of invocations in it.
    pub fn count(&self) -> u64 {
        let parts = self.0.iter();
        parts.fold(0, |sum, part| sum.saturating_add(part.count))
    }

    /// Returns each part of the day that has invocations, with their number and the mean natural logarithm of their
    /// durations in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn parts(&self) -> impl Iterator<Item = (usize, f64, f64)> {
        let parts = self.0.iter().enumerate();
        parts.filter(|(_, part)| part.count > 0).map(|(n, part)| {
            let (count, logs) = (part.count as f64, part.logs as f64);
            (
                n,
                count,
                logs / count / STEPS as f64 * std::f64::consts::LN_2,
            )
        })
    }

    /// Returns it as bytes; none if it is empty. The same content gives the same bytes: a bit for each part that has
    /// invocations, the mean logarithm of all, and for each part its count and its sum beside that of the mean.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = self.count();
        if count == 0 {
            return Vec::new();
        }
        let logs = self.0.iter();
        let mean = logs.fold(0_u64, |sum, part| sum.saturating_add(part.logs)) / count;
        let mut out = Out(Vec::with_capacity(MOST_BYTES));
        let parts = self.0.iter().enumerate();
        out.byte(parts.fold(0, |mask, (n, part)| mask | u8::from(part.count > 0) << n));
        out.number(mean);
        for part in self.0.iter().filter(|part| part.count > 0) {
            out.number(part.count);
            let beside = part.logs.wrapping_sub(part.count.wrapping_mul(mean));
            out.signed(beside.cast_signed());
        }
        out.0
    }

    /// Reads what [`Hours::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DistributionError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut read = In(bytes);
        let hours = Self::read(&mut read)?;
        if read.0.is_empty() {
            Ok(hours)
        } else {
            Err(DistributionError)
        }
    }

    fn read(read: &mut In<'_>) -> Result<Self, DistributionError> {
        let mut hours = Self::default();
        let (mask, mean) = (read.byte()?, read.number()?);
        for (n, part) in hours.0.iter_mut().enumerate() {
            if mask & 1 << n != 0 {
                part.count = read.number()?;
                let beside = read.signed()?.cast_unsigned();
                part.logs = part.count.wrapping_mul(mean).wrapping_add(beside);
                if part.count == 0 {
                    return Err(DistributionError);
                }
            }
        }
        Ok(hours)
    }
}

impl From<Unreadable> for DistributionError {
    fn from(_: Unreadable) -> Self {
        Self
    }
}

/// Returns the binary logarithm of a number of microseconds in [`STEPS`]: whole doublings, and a fraction by the eight
/// bits that follow the highest.
const fn log_of(micros: u64) -> u64 {
    let micros = if micros == 0 { 1 } else { micros };
    let zeros = micros.leading_zeros();
    let fraction = ((micros << zeros) >> 55 & 0xff) as usize;
    STEPS * (63 - zeros as u64) + FRACTIONS[fraction] as u64
}

/// Squares a number between 1 and 2 to get a bit of its logarithm: if the square is 2 or more, the bit is set.
const fn fractions() -> [u8; 256] {
    let mut all = [0; 256];
    let mut n = 0;
    while n < all.len() {
        // 32 bits after the point.
        let mut number = (513 + 2 * n as u64) << 23;
        let mut log = 0_u8;
        let mut bit = 0;
        while bit < 7 {
            let square = (number as u128 * number as u128) >> 32;
            let two = square >= 1 << 33;
            #[expect(clippy::cast_possible_truncation, reason = "below 2^33")]
            let next = (square >> two as u32) as u64;
            number = next;
            log = log << 1 | two as u8;
            bit += 1;
        }
        // Seven bits were computed, of which the last rounds.
        all[n] = log.div_ceil(2);
        n += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn of(samples: &[(i64, u64)]) -> Hours {
        let start = at("2026-01-31T00:00:00Z");
        let mut hours = Hours::default();
        for (ms, micros) in samples {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let duration = Millis::from_ms_f64(*micros as f64 / 1000.0).unwrap();
            hours.add(start.plus_ms(*ms), duration);
        }
        hours
    }

    /// 100 and 400 ms before 03:00 have a logarithmic mean of 200 ms; from 03:00 on there is one of 800 ms.
    #[test]
    fn a_part_of_the_day_has_its_mean_logarithm() {
        let three = 3 * 3_600_000;
        let hours = of(&[(0, 100_000), (three - 1, 400_000), (three, 800_000)]);
        let parts: Vec<_> = hours.parts().collect();
        let [(0, two, mean), (1, one, single)] = parts[..] else {
            panic!("{parts:?}");
        };
        assert_eq!((two, one, hours.count()), (2.0, 1.0, 3));
        assert!((mean.exp() / 200_000.0 - 1.0).abs() < 0.01, "{mean}");
        assert!((single.exp() / 800_000.0 - 1.0).abs() < 0.01, "{single}");
    }

    /// A part of a busy day takes five bytes or six.
    #[test]
    fn a_busy_day_takes_less_than_fifty_bytes() {
        let minute = |n: i64| (n * 60_000, 100_000 + 900 * n.cast_unsigned() % 70_000);
        let samples: Vec<_> = (0..1440).map(minute).collect();
        let mut hours = of(&samples);
        for _ in 0..3 {
            hours.merge(&hours.clone());
        }
        let bytes = hours.to_bytes().len();
        println!("{} invocations: {bytes} bytes", hours.count());
        assert!(bytes < 50, "{bytes}");
    }

    #[test]
    fn nothing_takes_no_bytes_and_damage_is_refused() {
        assert_eq!(Hours::default().to_bytes(), [0; 0]);
        assert_eq!(Hours::from_bytes(&[]), Ok(Hours::default()));
        // No count, a count of zero, and a byte too many.
        for bytes in [&[1, 5][..], &[1, 5, 0, 0], &[1, 5, 1, 0, 0]] {
            assert_eq!(
                Hours::from_bytes(bytes),
                Err(DistributionError),
                "{bytes:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_logarithm_is_within_one_percent(micros in 1_u64..2_592_000_000_000) {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let (found, number) = (log_of(micros) as f64 / STEPS as f64, micros as f64);
            prop_assert!((found.exp2() / number - 1.0).abs() < 0.01, "{found} of {micros}");
            prop_assert!(log_of(micros) <= log_of(micros + 1));
        }

        #[test]
        fn w7_order_does_not_matter_and_bytes_are_equal(
            samples in proptest::collection::vec((0_i64..86_400_000, 0_u64..900_000_000), 0..60), cut in 0_usize..60,
        ) {
            let whole = of(&samples);
            let cut = cut.min(samples.len());
            let (mut first, second) = (of(&samples[..cut]), of(&samples[cut..]));
            let mut other = second.clone();
            other.merge(&first);
            first.merge(&Hours::from_bytes(&second.to_bytes()).unwrap());
            prop_assert_eq!(&first, &whole);
            prop_assert_eq!(&other, &whole);
            prop_assert_eq!(first.to_bytes(), whole.to_bytes());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(read) = Hours::from_bytes(&bytes) {
                prop_assert_eq!(Hours::from_bytes(&read.to_bytes()), Ok(read));
            }
        }
    }
}
