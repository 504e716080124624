//! From what is kept of a function to what the policies see of it, and from their decision to a
//! recommendation. The store reads its tables into these types, and [`crate::state`] its own days: the
//! rules between them stand here once.

mod assessment;
mod change;
mod draft;
mod hours;
mod noted;
mod present;
mod ruling;
mod usage;
mod viewpoint;

pub use assessment::{Around, Assessment, Known, assemble, largest_censored};
pub use change::{AppliedChange, History};
pub use draft::{Drafter, NewRecommendation, Proposal};
pub use hours::size_hours;
pub use noted::Noted;
pub use present::{DayAtSize, Sizes};
pub use ruling::{Rollback, Ruling, rule};
pub use usage::{DayCounts, DaySet, SizeDay, Usage};
pub use viewpoint::{Span, Viewpoint};
