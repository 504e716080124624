//! The aggregator of Lambda Rightsizer: evidence in, memory recommendations out.
//!
//! `source` → `window` → `policy`, in one transaction of the `store` (`pipeline` joins them), and
//! `emit` for what is to be sent. Everything a person types is in `cli`. `docs/ARCHITECTURE.md` has
//! the picture.

pub mod cli;
pub mod emit;
pub mod import;
pub mod metrics;
pub mod pipeline;
pub mod serve;
pub mod settings;
pub mod simulate;
pub mod snapshot;
pub mod web;
pub mod writer;
