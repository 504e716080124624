//! Active tuning: invokes a function at several sizes and learns how long it takes and what it costs.
//!
//! [`Run`] follows an [`Order`] on a [`Stage`]: a stage invokes, a run decides when to stop. [`Copied`] is the stage of
//! AWS, a scratch copy of the function. Which size is best is decided by `rightsizer_rules::power`.

mod copied;
mod evidence;
mod order;
mod run;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use copied::longest;
pub use copied::{Copied, Processors};
pub use evidence::{Known, save};
pub use order::Order;
pub use run::{Measured, Run, Stop};
pub use stage::{Stage, StageError};
