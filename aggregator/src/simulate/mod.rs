//! Replays daily peaks through policies: how often would each have run out of memory, and what would
//! it have cost? Pure: rows in, figures out; `docs/POLICIES.md` writes the loop out and compares.

mod contender;
mod input;
mod measure;
mod replay;

pub use contender::{Contender, contenders};
pub use input::{Refusal, Series, Trace, TraceError, read_trace};
pub use measure::{Measure, Tally};
pub use replay::{DemandDay, Gaps, Outcome, Regime, Rules, replay};
