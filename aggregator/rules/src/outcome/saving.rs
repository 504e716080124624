//! What a change saved, by what was billed on both sides of it.

use rightsizer_records::Megabytes;

use super::trial::Trial;

/// What stands before the factor in [`Saving::in_words`].
const BEFORE_FACTOR: &str = "no harm found; ";

/// The factor of the GB-seconds that the words of `Saving::in_words` name.
pub fn factor_in(words: &str) -> Option<f64> {
    let factor = words.strip_prefix(BEFORE_FACTOR)?.split(' ').next()?;
    factor
        .parse()
        .ok()
        .filter(|factor: &f64| factor.is_finite() && *factor >= 0.0)
}

/// Measured, not projected: billed time and size before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saving {
    /// The size before.
    pub from_mb: Megabytes,
    /// The size after.
    pub to_mb: Megabytes,
    /// Mean billed milliseconds of an invocation before.
    pub before_ms: f64,
    /// Mean billed milliseconds of an invocation after.
    pub after_ms: f64,
}

impl Saving {
    /// `None` if nothing ran on one side.
    pub(super) fn of(trial: &Trial) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of two weeks")]
        let mean = |billed_ms: u64, invocations: u64| {
            (invocations > 0).then(|| billed_ms as f64 / invocations as f64)
        };
        Some(Self {
            from_mb: trial.from_mb,
            to_mb: trial.to_mb,
            before_ms: mean(trial.before.billed_ms, trial.before.invocations)?,
            after_ms: mean(trial.after.billed_ms, trial.after.invocations)?,
        })
    }

    /// GB-seconds of an invocation after ÷ before; below 1 it saved.
    pub(crate) fn gb_seconds_factor(&self) -> f64 {
        let before = self.before_ms * f64::from(self.from_mb.0);
        self.after_ms * f64::from(self.to_mb.0) / before.max(f64::MIN_POSITIVE)
    }

    /// What it came to in words, as the reason for which a change is verified.
    pub(crate) fn in_words(&self) -> String {
        let factor = self.gb_seconds_factor();
        format!("{BEFORE_FACTOR}{factor:.2} times the GB-seconds an invocation")
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Timestamp;

    use super::super::trial::{After, Before};
    use super::*;

    /// 110 ms at 512 MB after 100 ms at 1024 MB is 0.55 of the GB-seconds.
    #[test]
    fn the_words_name_the_factor() {
        let saving = Saving {
            from_mb: Megabytes(1024),
            to_mb: Megabytes(512),
            before_ms: 100.0,
            after_ms: 110.0,
        };
        assert_eq!(
            saving.in_words(),
            "no harm found; 0.55 times the GB-seconds an invocation"
        );
        assert_eq!(factor_in(&saving.in_words()), Some(0.55));
        assert_eq!(factor_in("no harm seen"), None);
        assert_eq!(factor_in("no harm found; NaN times"), None);
    }

    /// 100 ms at 1024 MB became 110 ms at 512: 110 × 512 ÷ (100 × 1024) = 0.55.
    #[test]
    fn a_saving_by_hand() {
        let at = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let trial = Trial {
            from_mb: Megabytes(1024),
            to_mb: Megabytes(512),
            applied_at: at,
            now: at,
            before: Before {
                invocations: 1000,
                billed_ms: 100_000,
                ..Before::default()
            },
            after: After {
                invocations: 200,
                billed_ms: 22_000,
                ..After::default()
            },
            same_hours: None,
            p95_tolerance: 1.25,
            reverted_sightings: 0,
        };
        let saving = Saving::of(&trial).unwrap();
        assert!((saving.gb_seconds_factor() - 0.55).abs() < 1e-12);
    }
}
