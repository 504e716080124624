//! Quantities with their unit in the type, so that seconds never meet milliseconds in a bare `u64`.
//!
//! Decimal quantities are whole numbers of a small unit inside (microseconds, micro-dollars), so
//! equality is exact and a value survives any number of round trips through JSON.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A memory size or a memory usage in megabytes, as Lambda counts them (1 MB = 2^20 bytes).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Megabytes(pub u32);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB", self.0)
    }
}

/// A duration in milliseconds with microsecond resolution; the platform gives three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis {
    micros: u64,
}

impl Millis {
    /// Longer than any invocation (15 minutes) or managed-instance run; more than this is garbage.
    pub(crate) const MAX: Self = Self {
        micros: 30 * 86_400 * 1_000_000,
    };

    /// From a whole number of milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self {
            micros: ms.saturating_mul(1000),
        }
    }

    /// From fractional milliseconds; `None` when negative, not a number, or above `Millis::MAX`.
    pub fn from_ms_f64(ms: f64) -> Option<Self> {
        decimal(ms, 1e3)
            .and_then(|n| u64::try_from(n).ok())
            .map(|micros| Self { micros })
            .filter(|m| *m <= Self::MAX)
    }

    /// Whole milliseconds, rounded up, as Lambda bills them.
    pub const fn ceil_ms(self) -> u64 {
        self.micros.div_ceil(1000)
    }

    /// Whole microseconds.
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// Fractional milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "bounded by Millis::MAX, far below 2^52"
    )]
    pub fn as_ms_f64(self) -> f64 {
        self.micros as f64 / 1e3
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.micros.is_multiple_of(1000) {
            s.serialize_u64(self.micros / 1000)
        } else {
            s.serialize_f64(self.as_ms_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_f64(MillisVisitor)
    }
}

struct MillisVisitor;

impl de::Visitor<'_> for MillisVisitor {
    type Value = Millis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration in milliseconds (0 to 30 days)")
    }

    fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Millis, E> {
        Some(Millis::from_ms(ms))
            .filter(|m| *m <= Millis::MAX)
            .ok_or_else(|| no_duration(ms))
    }

    fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Millis, E> {
        u64::try_from(ms).map_or_else(|_| Err(no_duration(ms)), |ms| self.visit_u64(ms))
    }

    fn visit_f64<E: de::Error>(self, ms: f64) -> Result<Millis, E> {
        Millis::from_ms_f64(ms).ok_or_else(|| no_duration(ms))
    }
}

fn no_duration<E: de::Error>(ms: impl fmt::Display) -> E {
    E::custom(format_args!(
        "{ms} is not a duration in milliseconds (0 to 30 days)"
    ))
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_ms_f64())
    }
}

/// An amount of US dollars with micro-dollar resolution; may be negative (a saving).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd {
    micros: i64,
}

impl Usd {
    /// From dollars, rounded to a micro-dollar; what cannot be represented becomes zero.
    pub fn from_f64(usd: f64) -> Self {
        Self {
            micros: decimal(usd, 1e6).unwrap_or(0),
        }
    }

    /// Dollars.
    #[expect(
        clippy::cast_precision_loss,
        reason = "bounded by `decimal` below 2^52"
    )]
    pub fn as_f64(self) -> f64 {
        self.micros as f64 / 1e6
    }
}

impl std::ops::Sub for Usd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_sub(other.micros),
        }
    }
}

impl std::ops::Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_add(other.micros),
        }
    }
}

impl std::iter::Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |a, b| a + b)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let usd = f64::deserialize(d)?;
        decimal(usd, 1e6)
            .map(|micros| Self { micros })
            .ok_or_else(|| de::Error::custom(format_args!("{usd} is not an amount of dollars")))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.micros < 0 { "-" } else { "" };
        write!(f, "{sign}${:.2}", self.as_f64().abs())
    }
}

/// `value × scale` as a whole number, if it is one that an `f64` holds exactly.
fn decimal(value: f64, scale: f64) -> Option<i64> {
    let scaled = (value * scale).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounded on this line")]
    (scaled.abs() < 4_503_599_627_370_496.0).then_some(scaled as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_milliseconds_are_written_without_a_fraction() {
        assert_eq!(serde_json::to_string(&Millis::from_ms(12)).unwrap(), "12");
        assert_eq!(
            serde_json::to_string(&Millis::from_ms_f64(1.317)).unwrap(),
            "1.317"
        );
    }

    #[test]
    fn negative_endless_and_absurd_durations_are_refused() {
        for ms in [
            -0.1,
            f64::NAN,
            f64::INFINITY,
            1e300,
            30.0 * 86_400_000.0 + 1.0,
        ] {
            assert_eq!(Millis::from_ms_f64(ms), None, "{ms}");
        }
    }

    #[test]
    fn the_sign_of_an_amount_stands_before_the_dollar() {
        assert_eq!(Usd::from_f64(-31.876).to_string(), "-$31.88");
        assert_eq!(Usd::from_f64(5.6).to_string(), "$5.60");
    }

    #[test]
    fn billed_time_is_rounded_up() {
        assert_eq!(Millis::from_ms_f64(1.001).map(Millis::ceil_ms), Some(2));
        assert_eq!(Millis::from_ms(2).ceil_ms(), 2);
    }
}
