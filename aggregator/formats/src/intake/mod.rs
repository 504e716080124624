//! Stream records made ready to be merged: read, checked and folded, with what cannot be used set aside.
//!
//! This module does everything that a record needs without earlier records, on any thread. The holder of the windows
//! only merges the result. Time is an argument.

mod accept;
mod arrival;
mod batch;
mod fold;
mod payload;

pub use accept::{Accept, AcceptRule, BadRule};
pub use batch::{Batch, Intake, Refusal};
pub use fold::{Gatekeeper, Poison, Unusable};
pub use payload::Whose;
