//! The store: one SQLite file (WAL), one writer, any number of readers.
//!
//! Opened here and nowhere else. What a delivery changes — aggregates, deduplication marks, stream
//! checkpoints, decisions — commits in one transaction (W8), so a killed process leaves either all
//! of it or nothing. `synchronous = FULL`: an embedded source is told "stored" only after the
//! commit is on disk, and a Kinesis checkpoint is never ahead of its data.

mod again;
mod canonical;
mod changes;
mod columns;
pub mod copy;
mod crowding;
mod days;
mod environments;
mod error;
mod evidence;
mod export;
mod forget;
mod functions;
mod gaps;
pub mod inspect;
mod inventory;
pub mod key;
mod lives;
mod lock;
mod log_groups;
mod memory;
mod open;
mod outbox;
mod recommendations;
mod retention;
mod review;
mod reviewing;
mod rows;
mod sent;
mod standing;
mod stops;
mod trial;
mod unit;
mod usage;
mod words;

pub use days::MergedDay;
pub use error::StoreError;
pub use evidence::{Assessed, Assessment, Viewpoint};
pub use functions::{Arrived, Sighted};
pub use gaps::NotedGap;
pub use lives::LifeEvent;
pub use log_groups::LogDay;
pub use open::{Beside, Reader, Store};
pub use outbox::{Outbox, OutboxEntry, Outgoing, RecommendationKey};
pub use recommendations::{Life, NewRecommendation};
pub use review::{DayLine, FunctionDetail, ReviewRow};
pub use standing::Standing;
pub use trial::OpenTrial;
pub use unit::{FunctionId, Unit};
