//! Replays daily peaks through policies, to measure how often each would have run out of memory and what it
//! would have cost. Does no IO. `docs/POLICIES.md` specifies the loop and compares the policies. [`power`] has
//! the yardstick of the power curve.

mod contender;
mod input;
mod measure;
pub mod power;
mod replay;
mod row_error;
mod rows;

pub use contender::Contender;
pub(crate) use contender::contenders;
pub(crate) use input::read_trace;
pub use input::{Series, Trace};
pub use measure::{Measure, Tally};
pub(crate) use replay::replay;
pub use replay::{DemandDay, Gaps, Outcome, Regime, Rules};
pub use row_error::RowError;
pub use rows::{Refusal, TableError};
