//! Reads every format of evidence about Lambda invocations: bytes in, [`Item`]s out.
//!
//! Telemetry events, `REPORT` lines, CloudWatch Logs payloads, Logs Insights results and this
//! product's own records are recognised by their content, gzip or not; `docs/WIRE.md` lists them.
//! This crate must not know where the bytes come from, what time it is, or how the evidence is
//! used.
//!
//! [`Item`]: rightsizer_rules::evidence::Item

mod aws_text;
mod budget;
mod cloudwatch;
mod csv_rows;
mod delivery;
mod document;
mod drawn;
mod endings;
mod facts;
mod failed_start;
mod figures;
mod foreign;
pub mod gzip;
mod hints;
mod insights;
mod insights_extension;
pub mod intake;
mod json;
mod json_scan;
mod lines;
mod log_event;
mod loose;
mod message;
#[cfg(test)]
mod messages;
mod optimizer;
mod output;
mod piece;
pub mod power_tuning;
mod quick;
mod read;
mod report;
mod report_line;
mod shape;
pub mod states;
mod surroundings;
mod table;
mod telemetry;
mod text;
mod times;
pub mod tuning;
mod waiting_starts;
mod wrapped;

pub use budget::Overspent;
pub use delivery::{Channel, Delivery};
pub use figures::memory as plausible_memory;
pub use hints::Hints;
pub use insights::megabytes as megabytes_of_bytes;
pub use lines::{Counting, MAX_LINE_BYTES};
pub use log_event::{LogEvent, LogEvents};
pub use output::Format;
pub use piece::{PieceRead, Pieces, comes_in_pieces, read_piece, read_rest};
pub use read::{ReadError, RecordRead, Summary, read, read_and_watch, read_record};
pub use report::{ImportReport, MAX_LISTED, Refusal};
pub use waiting_starts::WaitingStarts;
