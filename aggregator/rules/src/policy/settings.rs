//! The settings of the policies: `[policy]` in `rightsizer.toml`.

use std::ops::RangeInclusive;

use rightsizer_records::limits::{LAMBDA_LEAST, LAMBDA_MOST, TIMEOUT_SHARE};
use rightsizer_records::{ApplyMode, Megabytes, Objective};
use serde::Deserialize;

use super::name::{FloorRule, PolicyName};
use crate::power::PowerSettings;

/// `[policy]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// P7: the policy in force.
    pub name: PolicyName,
    /// P1: added to the mean of the daily peaks.
    pub buffer_mb: Megabytes,
    /// P2: whether the floor holds; `false` gives the plain rule.
    pub floor: bool,
    /// P2: what the floor is made of.
    pub floor_rule: FloorRule,
    /// P2, P7: `recurring-peak` is at most this many times the level that recurs.
    pub recurring_headroom: f64,
    /// P2: the floor is this many times the highest peak.
    pub floor_headroom: f64,
    /// P2: peaks of this many days hold the floor up, besides the window and the open day.
    pub floor_days: i32,
    /// P4: the smallest size.
    pub min_mb: Megabytes,
    /// P4: the largest size; new accounts have 3008.
    pub max_mb: Megabytes,
    /// P3: the number of automatic increases since the last verified size after which one needs an
    /// approval.
    pub max_increases: u32,
    /// P3: the multiple of the last verified size above which an increase needs an approval.
    pub max_growth: u32,
    /// P5: a decrease by less than this share of the size is not made.
    pub dead_band_percent: u32,
    /// P5: nor is one by less than this.
    pub dead_band_mb: Megabytes,
    /// P5: one automatic step goes down by at most this share of the size.
    pub max_step_down: f64,
    /// P5: the hours that the next automatic step down waits,
    pub step_hours: u32,
    /// P5: and the invocations at the new size that it waits for.
    pub step_invocations: u64,
    /// P6: the 99th percentile of the durations stays within this share of the timeout.
    pub timeout_share: f64,
    /// An alias of `[power] objective`, which takes precedence.
    pub strategy: Option<Objective>,
    /// Who may change functions without the tag `rightsizer:mode`, as configured for the updater;
    /// if it is not set here, only the updater knows.
    pub mode: Option<ApplyMode>,
    /// Functions with one of these tags, `NAME` or `NAME=VALUE`, belong to a pipeline, as those
    /// with a stack's own tag do: their sizes are exported, not sent automatically.
    pub pipeline_tags: Vec<String>,
    /// P6: how much slower the 95th percentile may become.
    pub p95_tolerance: P95Tolerance,
    /// P9: `[power]`, which is a table of its own in the file.
    #[serde(skip)]
    pub power: PowerSettings,
}

/// `[policy.p95_tolerance]`: 1.25 allows 25 % more.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct P95Tolerance {
    /// Of `cost`.
    pub cost: f64,
    /// Of `balanced`.
    pub balanced: f64,
    /// Of `speed`.
    pub speed: f64,
}

impl Default for P95Tolerance {
    fn default() -> Self {
        Self {
            cost: 2.0,
            balanced: 1.25,
            speed: 1.05,
        }
    }
}

impl P95Tolerance {
    /// What `objective` allows: 1.25 is 25 % more. Verification goes by it too.
    pub const fn of(&self, objective: Objective) -> f64 {
        match objective {
            Objective::Cost => self.cost,
            Objective::Memory | Objective::Balanced => self.balanced,
            Objective::Speed => self.speed,
        }
    }
}

/// A setting of `[policy]` that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A tag without a name.
    #[error("policy.pipeline_tags: a tag is NAME or NAME=VALUE")]
    PipelineTag,
    /// A factor or a share outside its range.
    #[error("policy.{name} must be {:?} to {:?}, not {value}", range.start(), range.end())]
    Share {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: RangeInclusive<f64>,
        /// The value given.
        value: f64,
    },
    /// A whole number outside its range.
    #[error("policy.{name} must be {} to {}, not {value}", range.start(), range.end())]
    Count {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: RangeInclusive<i64>,
        /// The value given.
        value: i64,
    },
    /// The smallest and the largest size are not sizes of Lambda, or not in order.
    #[error(
        "policy.min_mb and policy.max_mb must be 128 to 10240 and in order, not {} and {}",
        least.0, most.0
    )]
    Bounds {
        /// The smallest size given.
        least: Megabytes,
        /// The largest.
        most: Megabytes,
    },
    /// Larger than Lambda's largest size.
    #[error("policy.{name} must be at most 10240, not {}", mb.0)]
    Size {
        /// The setting.
        name: &'static str,
        /// The value given.
        mb: Megabytes,
    },
}

impl PolicySettings {
    /// Returns an error if one of them cannot be: rules that rest on absurd settings protect nothing.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.check_sizes()?;
        if self
            .pipeline_tags
            .iter()
            .any(|tag| tag.split('=').next() == Some(""))
        {
            return Err(PolicyError::PipelineTag);
        }
        let shares = [
            ("floor_headroom", self.floor_headroom, 1.0..=10.0),
            ("recurring_headroom", self.recurring_headroom, 1.0..=10.0),
            ("max_step_down", self.max_step_down, 0.05..=0.9),
            ("timeout_share", self.timeout_share, 0.1..=1.0),
            ("p95_tolerance.cost", self.p95_tolerance.cost, 1.0..=10.0),
            (
                "p95_tolerance.balanced",
                self.p95_tolerance.balanced,
                1.0..=10.0,
            ),
            ("p95_tolerance.speed", self.p95_tolerance.speed, 1.0..=10.0),
        ];
        for (name, value, range) in shares {
            if !range.contains(&value) {
                return Err(PolicyError::Share { name, range, value });
            }
        }
        let counts = [
            ("floor_days", i64::from(self.floor_days), 1..=400),
            ("max_increases", i64::from(self.max_increases), 0..=100),
            ("max_growth", i64::from(self.max_growth), 1..=80),
            (
                "dead_band_percent",
                i64::from(self.dead_band_percent),
                0..=100,
            ),
            ("step_hours", i64::from(self.step_hours), 0..=8760),
        ];
        for (name, value, range) in counts {
            if !range.contains(&value) {
                return Err(PolicyError::Count { name, range, value });
            }
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), PolicyError> {
        let (least, most) = (self.min_mb, self.max_mb);
        if !(LAMBDA_LEAST <= least && least <= most && most <= LAMBDA_MOST) {
            return Err(PolicyError::Bounds { least, most });
        }
        for (name, mb) in [
            ("buffer_mb", self.buffer_mb),
            ("dead_band_mb", self.dead_band_mb),
        ] {
            if mb > LAMBDA_MOST {
                return Err(PolicyError::Size { name, mb });
            }
        }
        Ok(())
    }
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            name: PolicyName::default(),
            buffer_mb: Megabytes(100),
            floor: true,
            floor_rule: FloorRule::default(),
            recurring_headroom: 1.30,
            floor_headroom: 1.10,
            floor_days: 35,
            min_mb: LAMBDA_LEAST,
            max_mb: LAMBDA_MOST,
            max_increases: 3,
            max_growth: 4,
            dead_band_percent: 5,
            dead_band_mb: Megabytes(32),
            max_step_down: 0.5,
            step_hours: 24,
            step_invocations: 50,
            timeout_share: TIMEOUT_SHARE,
            strategy: None,
            mode: None,
            pipeline_tags: Vec::new(),
            p95_tolerance: P95Tolerance::default(),
            power: PowerSettings::default(),
        }
    }
}

impl PolicySettings {
    /// Whether the policy in force weighs all remembered peaks, not only those that hold the floor up.
    pub(crate) const fn looks_back_all_the_way(&self) -> bool {
        let near = matches!(
            self.name,
            PolicyName::AveragePlusBuffer | PolicyName::PeakPlusMargin
        );
        !near || matches!(self.floor_rule, FloorRule::Recurring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_names_are_written_as_the_settings_read_them() {
        for policy in [
            PolicyName::AveragePlusBuffer,
            PolicyName::PeakPlusMargin,
            PolicyName::Percentile,
            PolicyName::Autopilot,
            PolicyName::RecurringPeak,
        ] {
            let text = format!("name = \"{}\"", policy.name());
            let settings: PolicySettings = toml::from_str(&text).unwrap();
            assert_eq!(settings.name, policy);
        }
        assert!(toml::from_str::<PolicySettings>("name = \"guess\"").is_err());
    }
}
