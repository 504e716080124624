//! The records that cross a stream, their codec, and the units they are measured in.
//!
//! This crate is the contract between the extension, the aggregator and the updater, so it also holds
//! what they must agree on: tag names, skip codes, limits of Lambda, AWS's partitions. It must not know a
//! stream, a clock or an AWS type: bytes in, records out, and back. `docs/WIRE.md` describes the same
//! formats for readers in other languages.

mod arn;
mod codec;
mod error_kind;
pub mod limits;
mod notice;
mod outcome;
mod partition;
mod physical;
mod printable;
mod proposal;
mod range;
mod reason;
mod recommendation;
mod reports;
pub mod shown;
mod skip;
pub mod tags;
mod time;
mod units;

pub use arn::{ArnError, FunctionArn};
pub use codec::{
    DecodeError, MAX_RECORD_BYTES, Record, VERSION, begins_like_reports, decode, encode,
};
pub use error_kind::ErrorKind;
pub use notice::{Listing, News, Notice};
pub use outcome::{Outcome, OutcomeStatus};
pub use partition::Partition;
pub use physical::{
    Implausible, ImplausibleRecord, memory as plausible_memory, record as plausible_record,
    used as plausible_use,
};
pub use printable::printable;
pub use proposal::{BilledUse, Proposal, ProposedDecision, ProposedVerdict};
pub use range::MAX_COUNT;
pub use reason::{
    DurationBasis, FailureKind, LimitedFigure, OtherReason, Reason, Rise, Slowdown, SpeedLimit,
};
pub use recommendation::{Confidence, EvidenceWindow, Mode, MonthlyUsd, Recommendation};
pub use reports::{
    Arch, EnvId, Folded, InitType, ReportRow, Reports, Status, is_at_limit, is_killed_for_memory,
};
pub use skip::{ApiFault, FailureCode, OutcomeCode, SkipCode};
pub use tags::{ApplyMode, Objective};
pub use time::{Day, TimeError, Timestamp};
pub use units::{Megabytes, Millis, Usd};
