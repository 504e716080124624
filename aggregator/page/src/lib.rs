//! The page: fleet, function, review and health as HTML with pictures in SVG, for a browser and as one file.
//!
//! Everything here is a function from rows of the store to text. This crate must not know HTTP, sessions, clocks or
//! files: the binary serves what is written here. Names and reasons are untrusted; the template crate escapes every
//! text, and `words::Text` writes out hidden characters first. `docs/PAGE.md` describes the pages.

mod assets;
mod bench;
mod changes;
mod docs;
mod fleet;
mod fleet_page;
mod frame;
mod function;
pub mod grade;
mod health;
mod histogram;
mod marks;
mod peaks;
mod power;
mod report;
mod review;
mod rules;
mod savings;
mod scale;
mod sign_in;
mod spread;
mod starts;
mod table;
pub mod text;
mod words;

pub use assets::{Asset, SCRIPT, STYLE};
pub use bench::bench_page;
pub use docs::document as guide;
pub use fleet::{Entry, Fleet, Query, Sort};
pub use fleet_page::{FleetView, fleet_page};
pub use frame::{Frame, Tab, notice_page};
pub use function::{FunctionView, function_page};
pub use health::{HealthView, ShardView, health_page};
pub use histogram::{Figure, histogram_log};
pub use power::{PowerPoint, PowerView};
pub use report::{NOTHING, report};
pub use review::{ReviewView, review_page};
pub use sign_in::{entered_page, reading_page, sign_in_page};
pub use words::function_link as function_address;
