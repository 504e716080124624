//! Which policy is in force: by name, in the settings and on the command line (P7).

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

use super::autopilot::Autopilot;
use super::estimate::{AveragePlusBuffer, Estimator, HighestPeak, Margin};
use super::evidence::PolicySettings;
use super::percentile::VPA;
use super::recurring::RecurringPeak;

/// The policies by the names that `rightsizer.toml` and recommendations have for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// P1: the mean of the window's daily peaks + 100 MB.
    #[default]
    AveragePlusBuffer,
    /// The highest peak of the window + 15 %.
    PeakPlusMargin,
    /// The Kubernetes VPA's rule: 90th percentile, half-life 24 h, + 15 %.
    Percentile,
    /// Several limits side by side, the one that would have cost least.
    Autopilot,
    /// The level that recurs, + 10 to 30 %: see `docs/POLICIES.md` for how it was found.
    RecurringPeak,
}

impl PolicyName {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AveragePlusBuffer => super::AVERAGE_PLUS_BUFFER,
            Self::PeakPlusMargin => "peak-plus-margin",
            Self::Percentile => "percentile",
            Self::Autopilot => "autopilot",
            Self::RecurringPeak => "recurring-peak",
        }
    }

    /// The policy itself.
    pub fn estimator(self, settings: &PolicySettings) -> Box<dyn Estimator> {
        const NONE: Megabytes = Megabytes(0);
        match self {
            Self::AveragePlusBuffer => Box::new(AveragePlusBuffer {
                buffer: settings.buffer_mb,
            }),
            Self::PeakPlusMargin => Box::new(Margin {
                inner: HighestPeak,
                factor: 1.15,
                least: NONE,
            }),
            Self::Percentile => Box::new(Margin {
                inner: VPA,
                factor: 1.15,
                least: NONE,
            }),
            Self::Autopilot => Box::new(Autopilot),
            Self::RecurringPeak => Box::new(RecurringPeak {
                most: settings.recurring_headroom,
            }),
        }
    }
}

/// What P2 holds a size up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FloorRule {
    /// `floor_headroom` × the highest peak of `floor_days`.
    #[default]
    Highest,
    /// What `recurring-peak` says.
    Recurring,
}

impl PolicySettings {
    /// Whether the policy in force weighs all remembered peaks, not only those that hold the floor up.
    pub const fn looks_back_all_the_way(&self) -> bool {
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
