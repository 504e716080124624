//! Replays daily peaks through policies: how often would each have run out of memory, and what would
//! it have cost? Pure: rows in, figures out; `docs/POLICIES.md` writes the loop out and compares. And the
//! yardstick of the power curve, in [`power`].

mod contender;
mod input;
mod measure;
pub mod power;
mod replay;
mod rows;

pub use contender::{Contender, contenders};
pub use input::{Series, Trace, read_trace};
pub use measure::{Measure, Tally};
pub use replay::{DemandDay, Gaps, Outcome, Regime, Rules, replay};
pub use rows::{Refusal, TableError};
