//! Forced cold starts of scratch copies, side by side: `rightsizer coldstarts --bench`.
//!
//! [`run`] follows a [`BenchOrder`] on several [copies](struct@Copy): a [`Starter`] starts environments, and the run decides how
//! many and when. [`Versions`] is the starter of AWS: environments of a version that was just published never ran. What
//! the starts show is decided by `rightsizer_rules::power::bench`.

mod order;
mod run;
mod starter;
#[cfg(test)]
mod tests;
mod versions;

pub use order::{BenchOrder, Copy};
pub use run::{Benched, Problem, run};
pub use starter::Starter;
pub use versions::Versions;
