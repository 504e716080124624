//! Log groups of CloudWatch Logs, read as a whole and by day: the evidence of an account that has
//! nothing of ours deployed.
//!
//! `group`, `plan`, `query` and `reading` are pure: what there is to read, in which pieces and at
//! what cost, with which queries, and the meaning of their results. `calls` paces and repeats,
//! `read` reads one piece, `aws` makes the calls.

mod aws;
mod calls;
mod group;
mod plan;
mod query;
mod read;
mod reading;

pub use aws::AwsLogs;
pub(crate) use aws::logs_error;
pub use calls::{Answer, Calls, LogLine, LogsApi, LogsError, QueryState, Row};
pub use group::{LogGroup, is_of_functions};
pub use plan::{Piece, Shape, Way, pieces};
pub(crate) use query::REPORTS_ALONE_PATTERN;
pub use query::{QUERY, REPORT_PATTERN};
pub use read::{PieceRead, Reader, Reading, Unread};
