//! Decisions: window in, memory size with reasons out. Pure; the rules are numbered in
//! `docs/ALGORITHM.md` (P1–P8) and applied in that order. `docs/POLICIES.md` compares the policies.
//!
//! In force: P1, P2, P3's bump, P4, P7, P8. Not yet: steps and dead band (P5), the CPU rule (P6); so
//! `target_mb` and `to_mb` both equal `policy_mb` for now.

mod autopilot;
mod choice;
mod decide;
mod estimate;
mod evidence;
mod facts;
mod identity;
mod percentile;
mod reasons;
mod recurring;
mod words;

pub use autopilot::Autopilot;
pub use choice::{FloorRule, PolicyName};
pub use decide::{Decision, decide, policy_size};
pub use estimate::{AveragePlusBuffer, Estimator, HighestPeak, Margin};
pub use evidence::{DayPeak, FunctionEvidence, PolicySettings};
pub use facts::{
    ApplyMode, Change, Changes, CpuUse, FunctionFacts, Leak, SizeFacts, Strategy,
};
pub use identity::recommendation_id;
pub use percentile::{DecayingPercentile, VPA};
pub use reasons::{Reasons, after_running_out};
pub use recurring::{RECURRING, RecurringPeak};
pub use words::{sentence, why};

/// Name of the default policy (P1).
pub const AVERAGE_PLUS_BUFFER: &str = "average-plus-buffer";
