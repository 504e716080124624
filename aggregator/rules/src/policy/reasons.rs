//! The reasons of a decision (P8): rules with their figures, or nothing if they are not needed.

use rightsizer_records::{Megabytes, Reason};

/// Collects the reasons of rules. A replay of a million decisions needs none of them.
#[derive(Debug, Default)]
pub struct Reasons {
    kept: Option<Vec<Reason>>,
}

impl Reasons {
    /// Keeps the reasons.
    pub(crate) const fn kept() -> Self {
        Self {
            kept: Some(Vec::new()),
        }
    }

    /// Drops the reasons.
    pub const fn dropped() -> Self {
        Self { kept: None }
    }

    /// One rule that shaped the number, with its figures.
    pub(super) fn add(&mut self, reason: impl FnOnce() -> Reason) {
        if let Some(kept) = &mut self.kept {
            kept.push(reason());
        }
    }

    /// All of them, in the order of the rules.
    pub(crate) fn into_vec(self) -> Vec<Reason> {
        self.kept.unwrap_or_default()
    }
}

/// `ceil(mb × factor)`, the factor taken to three decimals so that 1.10 × 200 is 220 and not the
/// 221 that binary fractions make of it.
pub(crate) fn times(mb: Megabytes, factor: f64) -> Megabytes {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "factor is 1 to 10"
    )]
    let thousandths = (factor * 1000.0).round() as u64;
    let product = (u64::from(mb.0) * thousandths).div_ceil(1000);
    Megabytes(u32::try_from(product).unwrap_or(u32::MAX))
}

/// The size after one that ran out (P3): `max(1.2 × size, size + 100)`.
pub fn after_running_out(size: Megabytes) -> Megabytes {
    times(size, 1.2).max(Megabytes(size.0.saturating_add(100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1.10 × 2000 = 2200 exactly: binary fractions would make it 2201.
    #[test]
    fn p2_headroom_is_exact() {
        assert_eq!(times(Megabytes(2000), 1.10), Megabytes(2200));
        assert_eq!(times(Megabytes(201), 1.10), Megabytes(222)); // 221.1
    }

    /// 256: max(307.2, 356) = 356. 1000: max(1200, 1100) = 1200. They meet at 500.
    #[test]
    fn p3_the_bump() {
        assert_eq!(after_running_out(Megabytes(256)), Megabytes(356));
        assert_eq!(after_running_out(Megabytes(500)), Megabytes(600));
        assert_eq!(after_running_out(Megabytes(1000)), Megabytes(1200));
    }
}
