//! The estimator of each policy (P7).

use rightsizer_records::Megabytes;

use super::autopilot::Autopilot;
use super::estimate::{AveragePlusBuffer, Estimator, HighestPeak, Margin};
use super::name::PolicyName;
use super::percentile::VPA;
use super::recurring::RecurringPeak;
use super::settings::PolicySettings;

impl PolicyName {
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
