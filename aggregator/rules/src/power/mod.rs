//! Power: memory is CPU is speed is money. The curve of a function's durations over memory, from production
//! traffic alone.
//!
//! [`Workload`] is the model; [`PowerCurve`] fits it to what was measured, with a [`Prior`] learnt from other
//! functions for what was not. `docs/POWER.md` has the formulas and what they come to. This module must
//! not know where measurements come from, nor decide a size: [`crate::policy`] does.

mod curve;
mod evidence;
mod gaussian;
mod likelihood;
mod mixture;
mod noise;
mod objective;
mod prior;
mod shape;
mod workload;

pub use curve::{Basis, Estimate, PowerCurve, Refusal};
pub use evidence::{SizePoint, starved};
pub use objective::{Bounds, Candidate, Objective, choose};
pub use prior::{Lesson, Prior};
pub use workload::Workload;
pub use workload::cores;
