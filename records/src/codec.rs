//! Bytes to records and back. A record is input from a stranger: whatever the bytes are, the
//! decoder answers with a record whose numbers are in range, or with the reason why not.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::range::{
    OutOfRange, check_notice, check_outcome, check_proposal, check_recommendation, check_reports,
};
use crate::{Notice, Outcome, Proposal, Recommendation, Reports};

/// The version of the record formats this crate writes and reads.
pub const VERSION: u64 = 1;

/// The largest record Kinesis carries, and so the largest that is looked at.
pub const MAX_RECORD_BYTES: usize = 1_048_576;

/// One record of either stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// Extension → aggregator.
    Reports(Reports),
    /// Aggregator → updater.
    Recommendation(Recommendation),
    /// Updater → aggregator.
    Outcome(Outcome),
    /// Flink → aggregator.
    Proposal(Box<Proposal>),
    /// Aggregator → Flink.
    Notice(Notice),
}

/// Why bytes are not a record. The message has the field and the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Over [`MAX_RECORD_BYTES`].
    #[error("record of {0} bytes is larger than the 1 MiB a stream carries")]
    TooLarge(usize),
    /// Not a JSON object with `v` and `kind`.
    #[error("not a record: {0}")]
    NotARecord(String),
    /// Written by a later version.
    #[error("record version {0} is not known here (this is version 1): upgrade the aggregator")]
    UnknownVersion(u64),
    /// A kind this version does not know.
    #[error("record kind {0:?} is not known here")]
    UnknownKind(String),
    /// A field is missing, of the wrong type or out of range.
    #[error("bad {kind} record: {why}")]
    Invalid {
        /// The record's kind.
        kind: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// How [`encode`] begins a record of reports.
const REPORTS_1: &[u8] = br#"{"v":1,"kind":"reports","#;

#[derive(Deserialize)]
struct Envelope {
    v: u64,
    kind: String,
}

#[derive(Serialize)]
struct Versioned<'a> {
    v: u64,
    #[serde(flatten)]
    record: &'a Record,
    /// Who wrote it: the version that every binary of the workspace shows. For people who look at a
    /// record; nothing is decided by it, so no reader asks for it.
    release: &'static str,
}

/// Whether a record begins as [`encode`] begins one of reports: then nothing else is tried to read it.
pub fn begins_like_reports(bytes: &[u8]) -> bool {
    bytes.starts_with(REPORTS_1)
}

/// Reads one record from the bytes of a stream record or a line of a file.
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    // The first bytes of what our own encoder writes show the kind, without another pass.
    if bytes.starts_with(REPORTS_1) {
        return body("reports", bytes, check_reports).map(Record::Reports);
    }
    let envelope: Envelope =
        serde_json::from_slice(bytes).map_err(|e| DecodeError::NotARecord(e.to_string()))?;
    if envelope.v != VERSION {
        return Err(DecodeError::UnknownVersion(envelope.v));
    }
    match envelope.kind.as_str() {
        "reports" => body("reports", bytes, check_reports).map(Record::Reports),
        "recommendation" => {
            body("recommendation", bytes, check_recommendation).map(Record::Recommendation)
        }
        "outcome" => body("outcome", bytes, check_outcome).map(Record::Outcome),
        "proposal" => body("proposal", bytes, check_proposal)
            .map(|proposal| Record::Proposal(Box::new(proposal))),
        "notice" => body("notice", bytes, check_notice).map(Record::Notice),
        other => Err(DecodeError::UnknownKind(other.chars().take(64).collect())),
    }
}

/// Writes one record as a single JSON object without a line break.
pub fn encode(record: &Record) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "the records hold only maps with text keys and finite numbers, and a Vec takes all"
    )]
    serde_json::to_vec(&Versioned {
        v: VERSION,
        record,
        release: env!("CARGO_PKG_VERSION"),
    })
    .expect("a record is JSON")
}

fn body<T: DeserializeOwned>(
    kind: &'static str,
    bytes: &[u8],
    check: fn(&T) -> Result<(), OutOfRange>,
) -> Result<T, DecodeError> {
    let record: T = serde_json::from_slice(bytes).map_err(|e| DecodeError::Invalid {
        kind,
        why: e.to_string(),
    })?;
    check(&record).map_err(|why| DecodeError::Invalid {
        kind,
        why: why.to_string(),
    })?;
    Ok(record)
}
