//! The policies that are compared, each by the code that the product decides with.

use rightsizer_records::Megabytes;
use rightsizer_rules::policy::{
    AveragePlusBuffer, Estimator, FunctionEvidence, HighestPeak, Margin, PolicyName,
    PolicySettings, Reasons, policy_size,
};

/// A policy under its name.
pub struct Contender {
    /// As it is printed.
    pub name: &'static str,
    rule: Rule,
    settings: PolicySettings,
}

enum Rule {
    /// The estimate alone, clamped (P4): no floor, no memory of sizes that ran out.
    Alone(Box<dyn Estimator>),
    /// As the product decides: P1 to P4.
    Whole,
}

impl Contender {
    /// The size that it chooses; `None` if the window is empty.
    pub fn size(&self, seen: &FunctionEvidence) -> Option<Megabytes> {
        let mut reasons = Reasons::dropped();
        match &self.rule {
            Rule::Alone(estimator) => estimator
                .estimate(seen, &mut reasons)
                .map(|mb| mb.clamp(self.settings.min_mb, self.settings.max_mb)),
            Rule::Whole => policy_size(seen, &self.settings, &mut reasons).map(|(mb, _)| mb),
        }
    }

    /// The settings that it goes by.
    pub const fn settings(&self) -> &PolicySettings {
        &self.settings
    }

    /// Whether a size that ran out is remembered (P3).
    pub const fn remembers(&self) -> bool {
        matches!(self.rule, Rule::Whole)
    }
}

/// All policies, the one that `settings` configure first.
pub fn contenders(settings: &PolicySettings) -> Vec<Contender> {
    let alone = |name, estimator| Contender {
        name,
        rule: Rule::Alone(estimator),
        settings: settings.clone(),
    };
    let named = |policy: PolicyName| alone(policy.name(), policy.estimator(settings));
    let average = AveragePlusBuffer {
        buffer: settings.buffer_mb,
    };
    let margin = Margin {
        inner: HighestPeak,
        factor: 1.10,
        least: Megabytes(100),
    };
    vec![
        Contender {
            name: "as-configured",
            rule: Rule::Whole,
            settings: settings.clone(),
        },
        alone(PolicyName::AveragePlusBuffer.name(), Box::new(average)),
        alone("highest-peak", Box::new(HighestPeak)),
        named(PolicyName::PeakPlusMargin),
        alone("peak-plus-10-percent-or-100-mb", Box::new(margin)),
        named(PolicyName::Percentile),
        named(PolicyName::Autopilot),
        named(PolicyName::RecurringPeak),
    ]
}
