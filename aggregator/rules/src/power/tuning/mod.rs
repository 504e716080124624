//! Tuning by measured invocations: the plan of a run, its samples, their figures for each size, and the choice.
//!
//! A [`Plan`] decides how often each size is invoked, with which payload, and what that costs at most. [`statistics`]
//! turns the [`Sample`]s into figures, and [`best`] chooses a size. Without a fixed number of invocations,
//! [`super::Sampler`] decides the next size. This module must not invoke anything, and must not read a payload.

mod budget;
mod choice;
mod fleet;
mod plan;
mod sample;
mod shares;
mod statistics;
mod trimmed;

pub use budget::LONGEST_INIT_MS;
pub use choice::{Choice, Unfit, best, unfit};
pub use fleet::{AtSize, Ranked, TunedFunction, rank};
pub use plan::{Invocations, Plan, PlanError, adaptive_sizes};
pub use sample::Sample;
pub use shares::{Shares, SharesError};
pub use statistics::{Measure, SizeStatistics, Starts, Typical, statistics};
pub(super) use trimmed::percentile;
