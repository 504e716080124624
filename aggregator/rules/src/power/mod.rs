//! Power curves: the duration of a function over its memory size, from production traffic only. The memory size
//! sets the CPU share, and so the duration and the cost.
//!
//! [`Workload`] is the model. [`PowerCurve`] fits it to measured sizes, with a [`Prior`] from other functions for
//! the others. `docs/POWER.md` has the formulas and the results. This module must not know the source of the
//! measurements, and must not decide a size: [`crate::policy`] does that.

mod belief;
mod curve;
mod evidence;
mod gaussian;
mod likelihood;
mod mixture;
mod noise;
mod objective;
mod prior;
mod sampling;
mod shape;
mod workload;

pub use curve::{Basis, Estimate, PowerCurve, Refusal};
pub use evidence::{SizePoint, starved};
pub use objective::{Bounds, Candidate, Objective, choose};
pub use prior::{Lesson, Prior};
pub use sampling::{Effort, Sampler, Strategy, Tuned};
pub use workload::Workload;
pub use workload::cores;
