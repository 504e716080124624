//! The platform's `REPORT` line, in every variant it is found in: tabs or spaces, optional fields
//! in any order, the X-Ray part on the same or a second line, and lines cut off by a pipeline.
//!
//! Pure and total: any text gives figures or the reason why not. A line that is cut off is good as
//! long as both memory figures are whole, that is, followed by their unit: `Max Memory Used: 13`
//! may have been 134.

mod lexer;

use std::fmt;

use rightsizer_records::{ErrorKind, Millis, Status};

use self::lexer::{
    completed, cut_label, is_separator, label_at, skip_separators, skip_word, split_while, word,
};
use super::figures::{self, FigureError, Invocation};

/// How every `REPORT` line of the platform begins.
const START: &str = "REPORT RequestId:";
/// How the Serverless Framework's begin.
const SERVERLESS: &str = "END Duration:";

/// Why a `REPORT` line is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReportLineError {
    /// The line ends before the figures do.
    #[error("cut off: {0}")]
    CutOff(Missing),
    /// The line continues, but a figure is not there.
    #[error("{0}")]
    Absent(Missing),
    /// A figure in another unit than the platform's.
    #[error("wrong unit: {what} is in {found:?}, expected {wanted}")]
    WrongUnit {
        /// Which figure.
        what: &'static str,
        /// The unit found; empty if there is none.
        found: String,
        /// The unit the platform uses.
        wanted: &'static str,
    },
    /// A figure that is not a number, or not a whole one if only whole ones occur.
    #[error("{what} is not a number the platform writes: {found:?}")]
    NotANumber {
        /// Which figure.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// A negative or absurd figure.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// Two values for one figure: two lines were mixed.
    #[error("{0} is given twice with different figures")]
    Twice(&'static str),
    /// Not from the platform.
    #[error("printed by a local emulator, which reports used = size: no evidence")]
    Emulator,
}

/// Which memory figures are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The configured size.
    Size,
    /// The usage.
    Used,
    /// Both.
    Both,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "Memory Size is missing",
            Self::Used => "Max Memory Used is missing",
            Self::Both => "Memory Size and Max Memory Used are missing",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    RequestId,
    Duration,
    Billed,
    Size,
    Used,
    Init,
    Restore,
    BilledRestore,
    Status,
    ErrorType,
    Trace,
}

/// No label is the beginning of another one, so the first match is the only one.
const LABELS: [(&str, Label); 13] = [
    ("RequestId:", Label::RequestId),
    ("Duration:", Label::Duration),
    ("Billed Duration:", Label::Billed),
    ("Memory Size:", Label::Size),
    ("Max Memory Used:", Label::Used),
    ("Init Duration:", Label::Init),
    ("Restore Duration:", Label::Restore),
    ("Billed Restore Duration:", Label::BilledRestore),
    ("Status:", Label::Status),
    ("Error Type:", Label::ErrorType),
    ("XRAY TraceId:", Label::Trace),
    ("SegmentId:", Label::Trace),
    ("Sampled:", Label::Trace),
];

/// Words after `Status:`; one that is cut off at the end of the line stands for its whole.
const STATUSES: [&str; 4] = ["success", "failure", "error", "timeout"];
/// Error types that decide something, and so are also known by most of their letters.
const ERROR_TYPES: [&str; 2] = ["Runtime.OutOfMemory", "Runtime.ExitError"];
const ENOUGH_OF_ERROR_TYPE: usize = "Runtime.Ex".len();

/// Whether `text` begins like a `REPORT` line, whole or cut off.
pub(super) fn is_report(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("REPORT") else {
        return false;
    };
    let fields = skip_separators(rest);
    fields.len() < rest.len()
        && !fields.is_empty()
        && (label_at(fields).is_some() || cut_label(fields).is_some())
}

/// The first byte of the first report in `text`, after any other text: the platform's line, or the
/// one that version 3 of the Serverless Framework makes of it (`END Duration: … Max Memory Used:
/// …`).
pub(super) fn find(text: &str) -> Option<usize> {
    let begins = |at: &usize| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let starts = |word: &str| memchr::memmem::find_iter(text.as_bytes(), word).find(begins);
    starts(START).or_else(|| starts(SERVERLESS).filter(|_| text.contains("Max Memory Used:")))
}

/// The `REPORT` lines in a text that begins with one: writers that lose line breaks glue them.
pub(super) fn split_glued(text: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> = text
        .match_indices(START)
        .map(|(at, _)| at)
        .filter(|at| *at > 0 && !text[..*at].ends_with('_'))
        .collect();
    starts.insert(0, 0);
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &text[start..end])
}

/// Reads one `REPORT` line, from the word `REPORT` on.
pub(super) fn parse(text: &str) -> Result<Invocation, ReportLineError> {
    // Trimmed once: each word looks whether it is the last.
    let text = text.trim_end();
    let mut fields = Fields::default();
    let begin = text
        .strip_prefix("REPORT")
        .or_else(|| text.strip_prefix("END"));
    let mut rest = skip_separators(begin.unwrap_or(text));
    while !rest.is_empty() {
        rest = match (label_at(rest), cut_label(rest)) {
            (Some((label, value)), _) => fields.take(label, value)?,
            (None, Some(label)) => {
                if label == Label::Status {
                    fields.status = Some(String::new()); // only failures carry one
                }
                break;
            }
            (None, None) => skip_word(rest),
        };
        rest = skip_separators(rest);
    }
    fields.finish()
}

/// What a line about a start has.
pub(super) struct StartLine {
    pub(super) took: Millis,
    pub(super) status: String,
    /// It is of a restore, whatever the line's own name is.
    pub(super) restored: bool,
}

/// Reads the figures of a line about a start: `Init Duration`, `Phase`, `Status`. `None` if one is missing or unknown.
pub(super) fn start(text: &str) -> Option<StartLine> {
    let mut fields = Fields::default();
    let mut restored = false;
    let mut rest = skip_separators(text.trim_end());
    while !rest.is_empty() {
        rest = if let Some((label, value)) = label_at(rest) {
            fields.take(label, value).ok()?
        } else {
            restored |= rest.starts_with("Phase: restore");
            skip_word(rest)
        };
        rest = skip_separators(rest);
    }
    Some(StartLine {
        took: fields.init.or(fields.restore)?,
        status: fields.status?,
        restored,
    })
}

#[derive(Default)]
struct Fields {
    size: Option<u64>,
    used: Option<u64>,
    duration: Option<Millis>,
    billed: Option<Millis>,
    init: Option<Millis>,
    restore: Option<Millis>,
    billed_restore: Option<Millis>,
    status: Option<String>,
    error_type: Option<String>,
    /// Something that stands behind the memory figures was read.
    goes_on: bool,
    /// As an emulator writes it: a lost tab, or the init duration before the duration.
    odd_form: bool,
}

impl Fields {
    /// Reads the value of `label` at the start of `text`; gives what follows it.
    fn take<'a>(&mut self, label: Label, text: &'a str) -> Result<&'a str, ReportLineError> {
        let text = text.trim_start_matches([' ', '\t']);
        self.goes_on |= matches!(
            label,
            Label::Init | Label::Restore | Label::Status | Label::ErrorType | Label::Trace
        );
        self.odd_form |= label == Label::Init && self.duration.is_none();
        match label {
            Label::Size => self.megabytes(text, "Memory Size", |f| &mut f.size),
            Label::Used => self.megabytes(text, "Max Memory Used", |f| &mut f.used),
            Label::Duration => self.millis(text, "Duration", |f| &mut f.duration),
            Label::Billed => self.millis(text, "Billed Duration", |f| &mut f.billed),
            Label::Init => self.millis(text, "Init Duration", |f| &mut f.init),
            Label::Restore => self.millis(text, "Restore Duration", |f| &mut f.restore),
            Label::BilledRestore => {
                self.millis(text, "Billed Restore Duration", |f| &mut f.billed_restore)
            }
            Label::Status => {
                let (status, rest) = word(text);
                self.status = Some(completed(status, rest, &STATUSES, 1));
                Ok(rest)
            }
            Label::ErrorType => {
                let (found, rest) = word(text);
                let whole = completed(found, rest, &ERROR_TYPES, ENOUGH_OF_ERROR_TYPE);
                self.error_type = Some(whole).filter(|e| !e.is_empty());
                Ok(rest)
            }
            // A retry keeps its id, so the id does not distinguish invocations.
            Label::RequestId | Label::Trace => Ok(word(text).1),
        }
    }

    fn megabytes<'a>(
        &mut self,
        text: &'a str,
        what: &'static str,
        field: fn(&mut Self) -> &mut Option<u64>,
    ) -> Result<&'a str, ReportLineError> {
        let figure = quantity(text, what, "MB")?;
        if let Some(number) = figure.number {
            let mb = whole(number).ok_or_else(|| not_a_number(what, number))?;
            set(field(self), mb, what)?;
        }
        self.odd_form |= figure.glued;
        Ok(figure.rest)
    }

    fn millis<'a>(
        &mut self,
        text: &'a str,
        what: &'static str,
        field: fn(&mut Self) -> &mut Option<Millis>,
    ) -> Result<&'a str, ReportLineError> {
        let figure = quantity(text, what, "ms")?;
        if let Some(number) = figure.number {
            let ms: f64 = number.parse().map_err(|_| not_a_number(what, number))?;
            set(field(self), figures::duration(what, ms)?, what)?;
        }
        Ok(figure.rest)
    }

    fn finish(self) -> Result<Invocation, ReportLineError> {
        let missing = match (self.size, self.used) {
            (Some(size), Some(used)) => return self.with_memory(size, used),
            (Some(_), None) => Missing::Used,
            (None, Some(_)) => Missing::Size,
            (None, None) => Missing::Both,
        };
        Err(if self.goes_on || missing == Missing::Size {
            ReportLineError::Absent(missing)
        } else {
            ReportLineError::CutOff(missing)
        })
    }

    fn with_memory(self, size: u64, used: u64) -> Result<Invocation, ReportLineError> {
        let (memory_mb, max_used_mb) = figures::memory(size, used)?;
        if self.odd_form && size == used {
            return Err(ReportLineError::Emulator);
        }
        let status = Status::classify(
            self.status.as_deref(),
            self.error_type.as_deref(),
            Some((max_used_mb, memory_mb)),
        );
        Ok(Invocation {
            duration_ms: self.duration,
            billed_ms: self.billed,
            init_ms: self.init,
            restore_ms: self.restore,
            error: self.error_type.as_deref().map(ErrorKind::of),
            ..Invocation::of(memory_mb, max_used_mb, status)
        })
    }
}

/// A whole number, also written `512.0`.
fn whole(number: &str) -> Option<u64> {
    let digits = match number.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|b| b == b'0') && !zeros.is_empty() => digits,
        _ => number,
    };
    digits.parse().ok()
}

fn set<T: PartialEq>(
    field: &mut Option<T>,
    value: T,
    what: &'static str,
) -> Result<(), ReportLineError> {
    if field.as_ref().is_some_and(|before| *before != value) {
        return Err(ReportLineError::Twice(what));
    }
    *field = Some(value);
    Ok(())
}

fn not_a_number(what: &'static str, found: &str) -> ReportLineError {
    ReportLineError::NotANumber {
        what,
        found: found.chars().take(40).collect(),
    }
}

struct Quantity<'a> {
    /// `None` if the line is cut off inside the figure or its unit.
    number: Option<&'a str>,
    /// The next label follows the unit without a separator.
    glued: bool,
    rest: &'a str,
}

/// Reads a number and its unit at the start of `text`.
fn quantity<'a>(
    text: &'a str,
    what: &'static str,
    wanted: &'static str,
) -> Result<Quantity<'a>, ReportLineError> {
    let cut = |rest| Quantity {
        number: None,
        glued: false,
        rest,
    };
    let (number, after) = split_while(text, |c| !c.is_alphabetic() && !is_separator(c));
    let after = after.trim_start_matches([' ', '\t']);
    let (unit, rest) = split_while(after, char::is_alphabetic);
    let wrong_unit = |found: &str| {
        Err(ReportLineError::WrongUnit {
            what,
            found: found.chars().take(40).collect(),
            wanted,
        })
    };
    let labels_next =
        label_at(after).is_some() || (!after.is_empty() && cut_label(after).is_some());
    match unit.strip_prefix(wanted) {
        _ if number.is_empty() && !unit.is_empty() => Err(not_a_number(what, unit)),
        Some(_) if number.is_empty() => Err(not_a_number(what, "")),
        Some("") => Ok(Quantity {
            number: Some(number),
            glued: false,
            rest,
        }),
        Some(_) => {
            let rest = &after[wanted.len()..];
            if label_at(rest).is_none() && cut_label(rest).is_none() {
                return wrong_unit(unit);
            }
            Ok(Quantity {
                number: Some(number),
                glued: true,
                rest,
            })
        }
        None if labels_next && !wanted.starts_with(unit) => wrong_unit(""),
        None if wanted.starts_with(unit) => Ok(cut(rest)),
        None => wrong_unit(unit),
    }
}

#[cfg(test)]
#[path = "report_line_tests.rs"]
mod tests;
