//! The store: one SQLite file (WAL), one writer, any number of readers.
//!
//! What a delivery changes — aggregates, deduplication marks, stream checkpoints, decisions — commits in
//! one transaction (W8), so a process that is killed leaves all of it or nothing. `synchronous = FULL`: a
//! record is acknowledged only after its commit is on disk, and a Kinesis checkpoint is never ahead of
//! its data.
//!
//! Only this crate opens the file. It must not know AWS, tokio, input formats or the command line, and
//! it decides nothing: rows become the types of `rightsizer-rules`, and are written back.

mod again;
mod canonical;
mod changes;
mod closing;
mod columns;
pub mod copy;
mod crowding;
mod days;
mod early;
mod environments;
mod error;
mod evidence;
mod export;
pub mod files;
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
mod wal;
mod words;

pub use days::MergedDay;
pub use early::Kept;
pub use error::StoreError;
pub use evidence::{Assessed, Assessment, Viewpoint};
pub use functions::{Arrived, Sighted};
pub use gaps::NotedGap;
pub use lives::LifeEvent;
pub use log_groups::LogDay;
pub use open::{Beside, Reader, SCHEMA_VERSION, Store};
pub use outbox::{Outbox, OutboxEntry, Outgoing, RecommendationKey};
pub use recommendations::{Life, NewRecommendation};
pub use review::{DayLine, FunctionDetail, ReviewRow};
pub use standing::Standing;
pub use trial::OpenTrial;
pub use unit::{FunctionId, Quarantined, Unit};
pub use wal::{WAL_KEPT, WAL_LARGE, wal_bytes};
