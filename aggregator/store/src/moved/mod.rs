//! Functions as states of `rightsizer-rules`: how an existing system moves to an engine besides the store, and back.

mod arrive;
mod leave;

pub(super) use leave::listed;

pub use arrive::{Arrivals, StateArrived};
