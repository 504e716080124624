//! Decisions: window in, memory size with reasons out. Pure; the rules are numbered in
//! `docs/ALGORITHM.md` (P1–P8) and applied in that order.
//!
//! In force: P1, P2, P3's bump, P4, P8. Not yet: steps and dead band (P5), the CPU rule (P6), other
//! policies (P7); so `target_mb` and `to_mb` both equal `policy_mb` for now.

mod decide;
mod evidence;
mod identity;
mod words;

pub use decide::{Decision, decide};
pub use evidence::{FunctionEvidence, PolicySettings};
pub use identity::recommendation_id;
pub use words::{sentence, why};

/// Name of the default policy (P1).
pub const AVERAGE_PLUS_BUFFER: &str = "average-plus-buffer";
