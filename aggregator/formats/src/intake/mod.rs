//! Stream records made ready to be merged: read, checked and folded, with what cannot be used set aside.
//!
//! Whatever can be done to a record without knowing what came before it is done here, on any thread; whoever holds
//! the windows only merges. Time is an argument.

mod accept;
mod arrival;
mod batch;
mod fold;
mod payload;

pub use accept::{Accept, AcceptRule, BadRule};
pub use batch::{Batch, Intake, Refusal};
pub use fold::{Gatekeeper, Poison, Unusable};
pub use payload::Whose;
