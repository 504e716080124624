//! The range of each field of a record. A record is input from a stranger: a number or a text out of range is
//! refused with the field and the value.

use crate::reports::MAX_ROWS;
use crate::shown::is_hidden;
use crate::{Megabytes, Mode, News, Notice, Outcome, Proposal, Recommendation, Reports};

/// Texts that only people read are short.
const MAX_TEXT: usize = 4096;
/// Counts and totals beyond this are lies, and quarantined; sums of millions of them still fit.
pub const MAX_COUNT: u64 = 1_000_000_000_000;
/// The furthest a row may lie from its record's `t0`: an environment lives for hours, not weeks.
const MAX_ROW_OFFSET_MS: i64 = 15 * 86_400_000;
/// Larger than any size Lambda has offered (managed instances: 32768 MB).
const MAX_MEMORY: Megabytes = Megabytes(65_536);

/// A field that is out of range.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutOfRange {
    #[error("{0} rows, at most {MAX_ROWS}")]
    Rows(usize),
    #[error("row {row} lies {ms} ms from t0, at most 15 days")]
    Offset { row: usize, ms: i64 },
    #[error("row {row}: {why}")]
    Row { row: usize, why: Box<Self> },
    #[error("errors names row {row} of {of}")]
    ErrorRow { row: usize, of: usize },
    #[error("{field} is {n}, at most {MAX_COUNT}")]
    Count { field: &'static str, n: u64 },
    #[error("{0} reasons, at most 64")]
    Reasons(usize),
    #[error("id and to_mb go together")]
    HalfDecided,
    #[error("mode is approved, but by is missing")]
    NotSigned,
    #[error("{field} is {}, expected 1 to {}", mb.0, MAX_MEMORY.0)]
    Size { field: &'static str, mb: Megabytes },
    #[error("{field} has the hidden character {}", character.escape_unicode())]
    Hidden {
        field: &'static str,
        character: char,
    },
    #[error("{field} has {bytes} bytes, expected {least} to {most}")]
    Length {
        field: &'static str,
        bytes: usize,
        least: usize,
        most: usize,
    },
}

pub(crate) fn check_reports(r: &Reports) -> Result<(), OutOfRange> {
    size("memory_mb", r.memory_mb)?;
    name("version", &r.version, 1, 64)?;
    name("runtime", r.runtime.as_deref().unwrap_or_default(), 0, 256)?;
    if r.reports.len() > MAX_ROWS {
        return Err(OutOfRange::Rows(r.reports.len()));
    }
    for (n, row) in r.reports.iter().enumerate() {
        if row.at_ms.unsigned_abs() > MAX_ROW_OFFSET_MS.unsigned_abs() {
            return Err(OutOfRange::Offset {
                row: n,
                ms: row.at_ms,
            });
        }
        used("max_used_mb", row.max_used_mb).map_err(|why| OutOfRange::Row {
            row: n,
            why: Box::new(why),
        })?;
    }
    for (row, error) in &r.errors {
        if *row >= r.reports.len() {
            return Err(OutOfRange::ErrorRow {
                row: *row,
                of: r.reports.len(),
            });
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
            return Err(OutOfRange::Count { field, n });
        }
    }
    used("folded.max_used_mb", folded.max_used_mb)
}

pub(crate) fn check_recommendation(r: &Recommendation) -> Result<(), OutOfRange> {
    name("id", &r.id, 1, 64)?;
    name("version", &r.version, 1, 64)?;
    name("policy", &r.policy, 1, 64)?;
    size("from_mb", r.from_mb)?;
    size("to_mb", r.to_mb)?;
    size("target_mb", r.target_mb)?;
    if r.reasons.len() > 64 {
        return Err(OutOfRange::Reasons(r.reasons.len()));
    }
    if r.mode == Mode::Approved && r.by.as_deref().unwrap_or_default().is_empty() {
        return Err(OutOfRange::NotSigned);
    }
    Ok(())
}

pub(crate) fn check_outcome(o: &Outcome) -> Result<(), OutOfRange> {
    name("id", &o.id, 1, 64)?;
    name("reason", &o.reason, 0, 64)?;
    text("detail", &o.detail, 0, MAX_TEXT)?;
    size("from_mb", o.from_mb)?;
    size("to_mb", o.to_mb)
}

pub(crate) fn check_proposal(p: &Proposal) -> Result<(), OutOfRange> {
    name("function", &p.function, 1, 512)?;
    name("version", &p.version, 1, 64)?;
    size("current_mb", p.current_mb)?;
    used("peak_mb", Some(p.peak_mb))?;
    if let Some(d) = &p.decision {
        name("id", d.id.as_deref().unwrap_or_default(), 0, 64)?;
        name("policy", &d.policy, 1, 64)?;
        size("policy_mb", d.policy_mb)?;
        size("target_mb", d.target_mb)?;
        used("to_mb", d.to_mb)?;
        if d.id.is_some() != d.to_mb.is_some() {
            return Err(OutOfRange::HalfDecided);
        }
        if d.reasons.len() > 64 {
            return Err(OutOfRange::Reasons(d.reasons.len()));
        }
    }
    if let Some(v) = &p.verdict {
        name("verdict.id", &v.id, 1, 64)?;
        name("verdict.code", v.code.as_deref().unwrap_or_default(), 0, 64)?;
        text("verdict.why", &v.why, 0, MAX_TEXT)?;
    }
    Ok(())
}

pub(crate) fn check_notice(n: &Notice) -> Result<(), OutOfRange> {
    name("function", &n.function, 1, 512)?;
    let News::Listed(listed) = &n.news else {
        return Ok(());
    };
    size("memory_mb", listed.memory_mb)?;
    let code = listed.code_sha256.as_deref();
    name("code_sha256", code.unwrap_or_default(), 0, 64)?;
    let alarm = listed.alarm.as_deref();
    text("alarm", alarm.unwrap_or_default(), 0, MAX_TEXT)?;
    for (tag, value) in listed.tags.iter().flatten() {
        text("tag", tag, 1, 512)?;
        text("tag's value", value, 0, 1024)?;
    }
    Ok(())
}

fn size(field: &'static str, mb: Megabytes) -> Result<(), OutOfRange> {
    if (1..=MAX_MEMORY.0).contains(&mb.0) {
        return Ok(());
    }
    Err(OutOfRange::Size { field, mb })
}

fn used(field: &'static str, mb: Option<Megabytes>) -> Result<(), OutOfRange> {
    mb.map_or(Ok(()), |mb| size(field, Megabytes(mb.0.max(1))))
}

/// An identifier: a text that people read in tables, and so one that shows all there is of it.
fn name(field: &'static str, name: &str, least: usize, most: usize) -> Result<(), OutOfRange> {
    text(field, name, least, most)?;
    match name.chars().find(|c| is_hidden(*c)) {
        None => Ok(()),
        Some(character) => Err(OutOfRange::Hidden { field, character }),
    }
}

fn text(field: &'static str, text: &str, least: usize, most: usize) -> Result<(), OutOfRange> {
    if (least..=most).contains(&text.len()) {
        return Ok(());
    }
    Err(OutOfRange::Length {
        field,
        bytes: text.len(),
        least,
        most,
    })
}
