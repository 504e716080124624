//! Reads one input of any of the formats, recognised by its content, in one pass.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;
use rightsizer_rules::evidence::Item;
use serde::Serialize;

use super::csv_rows;
use super::document::document;
use super::gzip;
use super::hints::Hints;
use super::lines::{Line, Lines, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES};
use super::message;
use super::output::{Format, Output, Stopped, Tally};
use super::text;

/// What reading an input came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The formats found.
    pub formats: Vec<Format>,
    /// Lines of the input, unpacked.
    pub lines: u64,
    /// Entries looked at: lines, or the events and rows within documents. Always the sum of the
    /// next three.
    pub read: u64,
    /// Entries that are evidence.
    pub accepted: u64,
    /// Entries that are none and need not be.
    pub ignored: u64,
    /// Entries that cannot be used.
    pub refused: u64,
    /// What the user should know about how the input was understood.
    pub notes: Vec<String>,
}

/// Why reading stopped before the end of the input.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The input cannot be read on. What came before was passed on.
    #[error("cannot read on: {0}")]
    Input(#[source] io::Error),
    /// The sink failed.
    #[error(transparent)]
    Sink(E),
}

/// Reads all of `input`, unpacking gzip, and passes every entry to `sink`.
///
/// Whatever the bytes are, this neither panics nor holds more than one document in memory
/// ([`MAX_DOCUMENT_BYTES`]); bad entries are passed on as refused, and do not end the reading.
pub fn read<E>(
    input: impl BufRead,
    hints: &Hints,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<Summary, ReadError<E>> {
    let (tally, (lines, _)) = into_sink(hints, sink, |out| unpacked(input, out))?;
    Ok(summary(tally, lines, hints))
}

/// Lets `body` put what it reads into `sink`, and tells a failure of the one from one of the other.
pub(super) fn into_sink<T, E>(
    hints: &Hints,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
    body: impl FnOnce(&mut Output) -> io::Result<T>,
) -> Result<(Tally, T), ReadError<E>> {
    let mut failure = None;
    let mut stopping = |item| {
        sink(item).map_err(|e| {
            failure = Some(e);
            Stopped
        })
    };
    let mut out = Output::new(hints, &mut stopping);
    let done = body(&mut out);
    let tally = out.tally;
    match (failure, done) {
        (Some(failure), _) => Err(ReadError::Sink(failure)),
        (None, Ok(done)) => Ok((tally, done)),
        (None, Err(e)) => Err(ReadError::Input(e)),
    }
}

type Done = (u64, Result<(), Stopped>);

fn unpacked(input: impl BufRead, out: &mut Output) -> io::Result<Done> {
    let (packed, whole) = gzip::sniff(input)?;
    let mut state = text::State::default();
    if !packed {
        let mut lines = Lines::new(whole);
        let done = all(&mut lines, &mut state, out)?;
        return Ok((lines.read(), done));
    }
    let mut lines = Lines::new(BufReader::new(MultiGzDecoder::new(whole)));
    match all(&mut lines, &mut state, out) {
        Ok(done) => Ok((lines.read(), done)),
        Err(e) => {
            let why = match e.kind() {
                io::ErrorKind::UnexpectedEof => {
                    "the gzip file ends early: what it held up to here was read"
                }
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    "the gzip file is damaged from here on: what it held up to here was read"
                }
                _ => return Err(e),
            };
            Ok((lines.read(), out.refuse(lines.read() + 1, why, "")))
        }
    }
}

/// Reads all lines.
pub(super) fn all<R: BufRead>(
    lines: &mut Lines<R>,
    state: &mut text::State,
    out: &mut Output,
) -> io::Result<Result<(), Stopped>> {
    let mut begun = !lines.at_start();
    while let Some(line) = lines.next()? {
        // The common case is checked much faster than the other is mended.
        let content = str::from_utf8(&line.bytes)
            .map_or_else(|_| String::from_utf8_lossy(&line.bytes), Cow::Borrowed);
        let content = message::trim(&content);
        let first = !begun && !content.is_empty();
        begun |= first;
        let done = if line.skipped > 0 {
            out.refuse(line.number, too_long(&line), content)
        } else if first && matches!(line.bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            let why = "the file is UTF-16 (as > in PowerShell writes it): save it as UTF-8";
            return Ok(out.refuse(line.number, why, content));
        } else if content.starts_with(['{', '[']) {
            document(content, &line, lines, out)
        } else if let Some(header) = first.then(|| csv_rows::header(content)).flatten() {
            return csv_rows::rows(&header, lines, out);
        } else {
            text::line(content, line.number, state, out)
        };
        if done.is_err() {
            return Ok(done);
        }
    }
    Ok(Ok(()))
}

fn too_long(line: &Line) -> String {
    format!(
        "line of {} bytes: only {MAX_LINE_BYTES} are looked at, or {MAX_DOCUMENT_BYTES} where the \
         input begins with a JSON document",
        line.bytes.len() as u64 + line.skipped
    )
}

impl Summary {
    /// The same, with so many refused that looked like evidence at first.
    #[must_use]
    pub fn refusing(mut self, more: u64) -> Self {
        self.accepted -= more;
        self.refused += more;
        self
    }
}

pub(super) fn summary(tally: Tally, lines: u64, hints: &Hints) -> Summary {
    Summary {
        notes: notes(&tally, hints),
        formats: tally.formats.into_iter().collect(),
        lines,
        read: tally.accepted + tally.ignored + tally.refused,
        accepted: tally.accepted,
        ignored: tally.ignored,
        refused: tally.refused,
    }
}

fn notes(tally: &Tally, hints: &Hints) -> Vec<String> {
    let mut notes = Vec::new();
    let undated = tally.undated;
    match hints.date {
        _ if undated == 0 => {}
        Some(day) => notes.push(format!(
            "{undated} reports carry no time: put on {day}, as --date says"
        )),
        None => notes.push(format!(
            "{undated} reports carry no time: all put on {}, the day the file was last changed; \
             give --date to change",
            hints.fallback_date
        )),
    }
    if tally.local > 0 {
        let missing = match hints.home {
            None => "account and region: give --function with an ARN, or --account and --region",
            Some(_) => "function: give --function",
        };
        notes.push(format!(
            "{} reports are kept as local:NAME, for they name no {missing}, to join them with other \
             evidence of the function",
            tally.local
        ));
    }
    if tally.no_memory > 0 {
        notes.push(format!(
            "{} reports carry no memory figures and were ignored: managed instances give none",
            tally.no_memory
        ));
    }
    if tally.empty_rows > 0 {
        notes.push(format!(
            "{} rows of Logs Insights have neither @message nor @maxMemoryUsed with @memorySize: \
             if they should count, add those to the query's fields",
            tally.empty_rows
        ));
    }
    if tally.accepted + tally.ignored + tally.refused == 0 {
        notes.push("nothing to read: the input is empty, or a document without entries".to_owned());
    }
    notes
}
