//! The aggregator as one program: evidence in, memory recommendations out.
//!
//! This crate composes the others and holds the command line ([`cli`]). [`pipeline`] joins evidence,
//! rules and store in one transaction; [`writer`] owns it; [`serve`] runs it with its sources. It must not
//! decide anything that a rule could: rules are in `rightsizer-rules`. `docs/ARCHITECTURE.md` has the
//! picture.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod bench;
pub mod cli;
pub mod emit;
mod http;
pub mod import;
pub mod metrics;
pub mod notify;
pub mod pipeline;
pub mod power;
pub mod serve;
pub mod settings;
pub mod simulate;
pub mod snapshot;
pub mod tune;
pub mod web;
pub mod writer;
