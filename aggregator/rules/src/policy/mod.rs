//! Decisions: window in, memory size with reasons out. Pure; the rules are numbered in
//! `docs/ALGORITHM.md` (P1–P8) and applied in that order. `docs/POLICIES.md` compares the policies.
//!
//! `size` computes P1–P4's size from the evidence. `increase` (P3's limits), `proof` and `speed`
//! (P6, with `project`) and `step` (P5) decide how to get there, and what needs an approval.

mod autopilot;
#[cfg(test)]
mod case;
mod decide;
mod duration_text;
mod estimate;
mod estimators;
mod evidence;
mod facts;
mod identity;
mod increase;
mod leak;
mod lone;
mod name;
#[cfg(test)]
mod objectives_tests;
mod percentile;
mod phrases;
mod power;
#[cfg(test)]
mod priors_tests;
mod project;
mod proof;
mod reasons;
mod recurring;
mod seen_curve;
mod settings;
mod size;
mod speed;
#[cfg(test)]
mod steering_tests;
mod step;
mod why;

pub use autopilot::Autopilot;
pub use decide::{Decision, decide};
pub use duration_text::duration_text;
pub use estimate::{AveragePlusBuffer, Estimator, HighestPeak, Margin};
pub use evidence::{DayPeak, FunctionEvidence};
pub use facts::{
    Changes, Configured, CpuUse, Leak, SizeChange, SizeFacts, SizeHealth, Successes, Wrapped,
};
pub use identity::recommendation_id;
pub use leak::{Climb, climb, leak};
pub use name::{FloorRule, PolicyName};
pub use percentile::DecayingPercentile;
pub use power::safe_size;
pub use project::{Basis, Factors, Projection, project};
pub use reasons::{Reasons, after_running_out};
pub use recurring::RecurringPeak;
pub use seen_curve::offers;
pub use settings::{P95Tolerance, PolicyError, PolicySettings};
pub use size::policy_size;
pub use why::{sentence, why};

/// Name of the default policy (P1).
pub(crate) const AVERAGE_PLUS_BUFFER: &str = "average-plus-buffer";
