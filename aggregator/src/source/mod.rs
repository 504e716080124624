//! Where evidence comes from: files, and (in the shells beside) streams.
//!
//! Bytes in, [`Item`]s out. Nothing here knows the clock, the store or the policy.

mod cloudwatch;
mod csv_rows;
mod delivery;
mod document;
mod evidence;
mod figures;
pub(crate) mod gzip;
mod hints;
mod insights;
mod json;
mod json_scan;
pub mod kinesis;
mod lines;
pub mod logs;
mod message;
mod output;
mod owners;
mod piece;
mod quick;
mod read;
mod report;
mod report_line;
mod telemetry;
mod text;

pub use delivery::{Channel, Delivery, Inbox};
pub use evidence::{
    Evidence, FunctionKey, FunctionKeyError, Item, LATEST, Observation, environment_of_stream,
    function_of_stream, version_of_stream,
};
pub use hints::{Hints, Home};
pub use lines::{Counting, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES};
pub use output::Format;
pub use owners::Owners;
pub use piece::{PieceRead, Pieces, comes_in_pieces, read_piece, read_rest};
pub use read::{ReadError, Summary, read};
pub use report::{ImportReport, MAX_LISTED, Refusal};
