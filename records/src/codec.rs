//! Bytes to records and back. A record is input from a stranger: whatever the bytes are, the
//! decoder answers with a record whose numbers are in range, or with the reason why not.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::shown::is_hidden;
use crate::{MAX_ROWS, Megabytes, Mode, Outcome, Recommendation, Reports};

/// The version of the record formats this crate writes and reads.
pub const VERSION: u64 = 1;

/// The largest record Kinesis carries, and so the largest that is looked at.
pub const MAX_RECORD_BYTES: usize = 1_048_576;

/// Larger than any size Lambda has offered (managed instances: 32768 MB).
const MAX_MEMORY: Megabytes = Megabytes(65_536);
/// The furthest a row may lie from its record's `t0`: an environment lives for hours, not weeks.
const MAX_ROW_OFFSET_MS: i64 = 15 * 86_400_000;
/// Counts and totals beyond this are lies, and quarantined; sums of millions of them still fit.
pub const MAX_COUNT: u64 = 1_000_000_000_000;
/// Texts that only people read are short.
const MAX_TEXT: usize = 4096;

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
    check: fn(&T) -> Result<(), String>,
) -> Result<T, DecodeError> {
    let record: T = serde_json::from_slice(bytes).map_err(|e| DecodeError::Invalid {
        kind,
        why: e.to_string(),
    })?;
    check(&record).map_err(|why| DecodeError::Invalid { kind, why })?;
    Ok(record)
}

fn check_reports(r: &Reports) -> Result<(), String> {
    size("memory_mb", r.memory_mb)?;
    name("version", &r.version, 1, 64)?;
    name("runtime", r.runtime.as_deref().unwrap_or_default(), 0, 256)?;
    if r.reports.len() > MAX_ROWS {
        return Err(format!("{} rows, at most {MAX_ROWS}", r.reports.len()));
    }
    for (n, row) in r.reports.iter().enumerate() {
        if row.at_ms.unsigned_abs() > MAX_ROW_OFFSET_MS.unsigned_abs() {
            return Err(format!(
                "row {n} lies {} ms from t0, at most 15 days",
                row.at_ms
            ));
        }
        used("max_used_mb", row.max_used_mb).map_err(|why| format!("row {n}: {why}"))?;
    }
    for (row, error) in &r.errors {
        if *row >= r.reports.len() {
            return Err(format!("errors names row {row} of {}", r.reports.len()));
        }
        text("error type", error, 0, 256)?;
    }
    let folded = r.folded.unwrap_or_default();
    for (field, n) in [
        ("total", r.total),
        ("cpu_ms", r.cpu_ms.unwrap_or(0)),
        ("self_kib", r.self_kib.unwrap_or(0)),
        ("folded.count", folded.count),
        ("folded.failures", folded.failures),
        ("folded.timeouts", folded.timeouts),
        ("folded.ooms", folded.ooms),
        ("folded.billed_ms", folded.billed_ms),
        ("events_dropped", r.events_dropped),
    ] {
        if n > MAX_COUNT {
            return Err(format!("{field} is {n}, at most {MAX_COUNT}"));
        }
    }
    used("folded.max_used_mb", folded.max_used_mb)
}

fn check_recommendation(r: &Recommendation) -> Result<(), String> {
    name("id", &r.id, 1, 64)?;
    name("version", &r.version, 1, 64)?;
    name("policy", &r.policy, 1, 64)?;
    size("from_mb", r.from_mb)?;
    size("to_mb", r.to_mb)?;
    size("target_mb", r.target_mb)?;
    if r.reasons.len() > 64 {
        return Err(format!("{} reasons, at most 64", r.reasons.len()));
    }
    if r.mode == Mode::Approved && r.by.as_deref().unwrap_or_default().is_empty() {
        return Err("mode is approved, but by is missing".to_owned());
    }
    Ok(())
}

fn check_outcome(o: &Outcome) -> Result<(), String> {
    name("id", &o.id, 1, 64)?;
    name("reason", &o.reason, 0, 64)?;
    text("detail", &o.detail, 0, MAX_TEXT)?;
    size("from_mb", o.from_mb)?;
    size("to_mb", o.to_mb)
}

fn size(field: &str, mb: Megabytes) -> Result<(), String> {
    if (1..=MAX_MEMORY.0).contains(&mb.0) {
        return Ok(());
    }
    Err(format!(
        "{field} is {}, expected 1 to {}",
        mb.0, MAX_MEMORY.0
    ))
}

fn used(field: &str, mb: Option<Megabytes>) -> Result<(), String> {
    mb.map_or(Ok(()), |mb| size(field, Megabytes(mb.0.max(1))))
}

/// An identifier: a text that people read in tables, and so one that shows all there is of it.
fn name(field: &str, name: &str, least: usize, most: usize) -> Result<(), String> {
    text(field, name, least, most)?;
    match name.chars().find(|c| is_hidden(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "{field} has the hidden character {}",
            c.escape_unicode()
        )),
    }
}

fn text(field: &str, text: &str, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&text.len()) {
        return Ok(());
    }
    Err(format!(
        "{field} has {} bytes, expected {least} to {most}",
        text.len()
    ))
}
