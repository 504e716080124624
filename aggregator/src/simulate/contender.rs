//! The compared policies, which use the same code as the product's decisions.

use rightsizer_records::Megabytes;
use rightsizer_rules::policy::{
    AveragePlusBuffer, Estimator, FunctionEvidence, HighestPeak, Margin, PolicyName,
    PolicySettings, Reasons, policy_size,
};

/// A policy and its name.
pub struct Contender {
    /// Name in the output.
    pub name: &'static str,
    rule: Rule,
    settings: PolicySettings,
}

enum Rule {
    /// The estimate alone, clamped (P4): no floor, and sizes that ran out are not remembered.
    Alone(Box<dyn Estimator>),
    /// The product's decision: P1 to P4.
    Whole,
}

impl Contender {
    /// Returns the chosen size; `None` if the window is empty.
    pub fn size(&self, seen: &FunctionEvidence) -> Option<Megabytes> {
        let mut reasons = Reasons::dropped();
        match &self.rule {
            Rule::Alone(estimator) => estimator
                .estimate(seen, &mut reasons)
                .map(|mb| mb.clamp(self.settings.min_mb, self.settings.max_mb)),
            Rule::Whole => policy_size(seen, &self.settings, &mut reasons).map(|(mb, _)| mb),
        }
    }

    /// Returns the settings that it uses.
    pub const fn settings(&self) -> &PolicySettings {
        &self.settings
    }

    /// Returns whether sizes that ran out are remembered (P3).
    pub(crate) const fn remembers(&self) -> bool {
        matches!(self.rule, Rule::Whole)
    }
}

/// Returns all policies, beginning with the one that `settings` configure.
pub(crate) fn contenders(settings: &PolicySettings) -> Vec<Contender> {
    let alone = |name, estimator| Contender {
        name,
        rule: Rule::Alone(estimator),
        settings: settings.clone(),
    };
    // Its name in the settings decides how far back a policy looks.
    let named = |policy: PolicyName| Contender {
        settings: PolicySettings {
            name: policy,
            ..settings.clone()
        },
        ..alone(policy.name(), policy.estimator(settings))
    };
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
