//! The store: one SQLite file (WAL), one writer, any number of readers.
//!
//! What a delivery changes — aggregates, deduplication marks, stream checkpoints, decisions — commits in
//! one transaction (W8), so a process that is killed leaves all of it or nothing. `synchronous = FULL`: a
//! record is acknowledged only after its commit is on disk, and a Kinesis checkpoint is never ahead of
//! its data.
//!
//! Only this crate opens the file. It must not know AWS, tokio, input formats or the command line, and
//! it decides nothing: rows become the types of `rightsizer-rules`, and are written back.

mod adopt;
mod applied_commands;
mod canonical;
mod changes;
mod checkpoints;
mod closing;
mod columns;
mod comparisons;
pub mod copy;
mod crowding;
mod days;
mod decisions;
mod earlier;
mod early;
mod environments;
mod error;
mod evidence;
mod export;
pub mod files;
mod forced_starts;
mod forget;
mod functions;
mod gaps;
mod history;
mod holds;
mod identity;
pub mod inspect;
mod inventory;
pub mod key;
mod leaks;
mod lock;
mod log_groups;
mod memory;
mod migrate;
mod moved;
mod notices;
mod open;
mod outbox;
mod overview;
mod priced;
mod quarantine;
mod recommendations;
mod retention;
mod retries;
mod review;
mod reviewing;
mod rows;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod sent;
mod sizes;
mod state;
mod stops;
mod taken;
mod transitions;
mod trial;
mod unit;
mod usage;
mod wal;

pub use adopt::Adopted;
pub use checkpoints::Checkpoints;
pub use comparisons::{AdviceLine, Comparisons, MeasuredLine};
pub use days::{Days, MergedDay};
pub use decisions::Decisions;
pub use earlier::Earlier;
pub use early::{Early, EarlyRecord};
pub use environments::{Environments, MergedEnvironment};
pub use error::StoreError;
pub use evidence::{Assessed, Evidence};
pub use forced_starts::{Forced, ForcedLine, ForcedStarts};
pub use functions::{Arrived, Functions, Sighted};
pub use gaps::{Gaps, NotedGap};
pub use history::HistoryEvent;
pub use holds::Holds;
pub use identity::SCHEMA_VERSION;
pub use inventory::Inventory;
pub use log_groups::{LogDay, LogGroups};
pub use moved::{Arrivals, StateArrived};
pub use notices::{Noticed, Notices};
pub use open::{Beside, Reader, Store};
pub use outbox::{Outbox, OutboxEntry, Outgoing, RecommendationKey, Sending};
pub use overview::{
    AppliedChange, ChangeCounts, MonthSaved, QuarantineLine, SizeDay, UrgentIncrease,
};
pub use quarantine::{Quarantine, Quarantined};
pub use recommendations::Recommendations;
pub use retention::Retention;
pub use review::{ConfigurationLine, DayLine, FunctionDetail, ReviewRow};
pub use reviewing::ReviewCommands;
pub use state::State;
pub use stops::Stops;
pub use trial::Trials;
pub use unit::{FunctionId, Unit};
pub use wal::{WAL_KEPT, WAL_LARGE, wal_bytes};
