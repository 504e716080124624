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

pub use contender::{Contender, contenders};
pub use input::{Series, Trace, read_trace};
pub use measure::{Measure, Tally};
pub use replay::{DemandDay, Gaps, Outcome, Regime, Rules, replay};
pub use row_error::RowError;
pub use rows::{Refusal, TableError};
