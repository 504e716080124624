//! The aggregator of Lambda Rightsizer: evidence in, memory recommendations out.
//!
//! `source` → `window` → `policy`, in one transaction of the `store` (`pipeline` joins them), and
//! `emit` for what is to be sent. Everything a person types is in `cli`. `docs/ARCHITECTURE.md` has
//! the picture.

pub mod cli;
pub mod emit;
pub mod export;
pub mod fleet;
pub mod import;
pub mod inventory;
pub mod limits;
pub mod metrics;
pub mod outcome;
mod pace;
pub mod pipeline;
pub mod policy;
pub mod price;
pub mod review;
pub mod serve;
pub mod settings;
pub mod simulate;
pub mod snapshot;
pub mod source;
pub mod stop;
pub mod store;
pub mod switch;
pub mod wall;
pub mod web;
pub mod window;
pub mod writer;
