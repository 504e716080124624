//! The numbered rules of Lambda Rightsizer: what is kept about a function, what size it should
//! have, and how a change turned out.
//!
//! Everything here is a plain synchronous function over plain data: evidence and settings in,
//! decisions with their reasons out. Time is an argument. This crate must not know the formats of
//! evidence (`rightsizer-formats`), its storage (`rightsizer-store`) or who applies a decision
//! (`rightsizer-aws`, `rightsizer-updater`); it has no tokio, no AWS type, no SQL and no clock.
//!
//! `docs/ALGORITHM.md` states the rules by number; tests cite them by it.

pub mod assess;
mod bytes;
pub mod candidates;
pub mod commands;
pub mod comparison;
pub mod evidence;
mod exact_tests;
pub mod gap;
pub mod inventory;
pub mod lifecycle;
pub mod limits;
pub mod outcome;
pub mod policy;
pub mod power;
pub mod price;
pub mod state;
pub mod window;
