//! The verdict on a change: verified, rolled back, reverted by someone else, or too early to
//! judge.
//!
//! Pure: counts before and after in, a verdict out. It knows no store, no clock and no stream.
//! `docs/ALGORITHM.md` names the tests and what they are worth.

mod days;
mod hours;
#[cfg(test)]
mod hours_tests;
mod judge;
mod saving;
#[cfg(test)]
mod simulated_tests;
mod trial;

pub use days::{OUTCOME_WITHIN_MS, ObservedDay, OpenTrial, TrialFacts};
pub(crate) use judge::rollback_size;
pub use judge::{Cause, HOLD_DAYS, Verdict, judge};
pub use saving::{Saving, factor_in};
pub use trial::{After, Before, Failures, Reverted, SameHours, Silences, Trial};
