//! `[snapshot]` in `rightsizer.toml`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::head::Retention;

/// How often a snapshot is made, and which are kept.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotSettings {
    /// The shortest time between two snapshots, in minutes; none is made if nothing changed.
    pub minutes: f64,
    /// The number of newest snapshots to keep: a start tries them in turn if one is damaged.
    pub keep: u32,
    /// The number of days of which the last snapshot is kept too.
    pub days: u32,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self {
            minutes: 5.0,
            keep: 3,
            days: 7,
        }
    }
}

/// What may stand for `minutes`: a hundredth is for trying it out.
pub const MINUTES: RangeInclusive<f64> = 0.01..=1440.0;
/// How soon after a failure the next one is tried at the latest.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// Making snapshots takes a tenth of the time at most: a large store's are made less often.
const SHARE_OF_TIME: u32 = 10;

/// A setting of `[snapshot]` that cannot be meant.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadSetting {
    /// The minutes between two snapshots.
    #[error("snapshot.minutes must be {} to {}, not {minutes}", MINUTES.start(), MINUTES.end())]
    Minutes {
        /// Its value.
        minutes: f64,
    },
    /// A whole number.
    #[error("snapshot.{name} must be {} to {}, not {value}", range.start(), range.end())]
    Whole {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: RangeInclusive<u32>,
        /// Its value.
        value: u32,
    },
}

impl SnapshotSettings {
    /// Returns an error if one of them cannot be meant.
    pub fn check(&self) -> Result<(), BadSetting> {
        let within = |name, value: u32, range: RangeInclusive<u32>| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(BadSetting::Whole { name, range, value })
        };
        if !MINUTES.contains(&self.minutes) {
            return Err(BadSetting::Minutes {
                minutes: self.minutes,
            });
        }
        within("keep", self.keep, 1..=100)?;
        within("days", self.days, 0..=400)
    }

    /// Which snapshots stay.
    pub fn retention(&self) -> Retention {
        Retention {
            newest: self.keep as usize,
            days: self.days as usize,
        }
    }

    /// How long after a snapshot that took `took` the next one may begin.
    pub(crate) fn pause_after(&self, took: Duration) -> Duration {
        self.least().max(took.saturating_mul(SHARE_OF_TIME))
    }

    /// How long after one that came to nothing, in `took`, the next one begins.
    pub(crate) fn pause_after_failure(&self, took: Duration) -> Duration {
        self.least().min(AFTER_FAILURE).max(took)
    }

    fn least(&self) -> Duration {
        Duration::from_secs_f64(self.minutes.clamp(*MINUTES.start(), *MINUTES.end()) * 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_takes_long_is_made_less_often() {
        let settings = SnapshotSettings::default();
        let pause = |seconds| settings.pause_after(Duration::from_secs(seconds)).as_secs();
        assert_eq!(pause(2), 300);
        // A minute of every ten and a bit.
        assert_eq!(pause(60), 600);
        assert_eq!(settings.pause_after_failure(Duration::ZERO).as_secs(), 30);
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let settings = |minutes, keep| SnapshotSettings {
            minutes,
            keep,
            days: 0,
        };
        assert!(settings(1.0, 1).check().is_ok());
        assert!(settings(0.0, 1).check().is_err() && settings(1.0, 0).check().is_err());
        assert!(settings(f64::NAN, 1).check().is_err());
    }
}
