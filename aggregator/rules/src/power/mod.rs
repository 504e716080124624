//! Power curves: the duration of a function over its memory size, from production traffic only. The memory size
//! sets the CPU share, and so the duration and the cost.
//!
//! [`Workload`] is the model. [`PowerCurve`] fits it to measured sizes, with a [`Prior`] from other functions for
//! the others. `docs/POWER.md` has the formulas and the results. This module must not know the source of the
//! measurements, and must not decide a size: [`crate::policy`] does that.

mod advice;
mod belief;
pub mod bench;
mod coldstart;
mod curve;
mod drawn;
mod evidence;
mod gaussian;
mod hours;
mod likelihood;
mod mixture;
mod noise;
mod objective;
mod offer;
mod prior;
mod provisioned;
mod sampling;
mod settings;
mod shape;
mod shipped;
mod start;
pub mod tuning;
mod used;
mod workload;

pub use advice::{Advice, Advised, advice};
pub use coldstart::{ColdStart, Provisioned, Started, StartsOfKind, cold_starts};
pub use curve::{Basis, Estimate, Model, PowerCurve, Refusal};
pub use drawn::{Best, Drawn, NoCurve, Point, Subject, draw};
pub use evidence::{SizePoint, starved};
pub use hours::{HoursMatched, SizeHours, match_hours};
pub(crate) use hours::{PartOfDay, compare_hours};
pub use objective::{Bounds, Candidate, Objective, choose};
pub(crate) use offer::may_be_faster;
pub use offer::{Offer, Offers};
pub use prior::{Lesson, Prior};
pub use provisioned::{Configured, ConfiguredUse, Worth, configured_use};
pub use sampling::{Effort, Sampler, Strategy, Tuned};
pub use settings::{PowerSettings, PowerSettingsError};
pub use shipped::PriorError;
pub(crate) use start::{RESTORED_WITHIN_MS, start_bound};
pub use used::{Deployment, Durations, FIRST_HOURS, FirstHours, Firsts, SizeUse};
pub use workload::Workload;
pub use workload::cores;
