//! Reads one input of any of the formats, recognised by its content, in one pass.

mod summary;

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use rightsizer_rules::evidence::Item;

use super::budget::{Budget, Overspent};
use super::csv_rows;
use super::document::{self, document};
use super::foreign;
use super::gzip;
use super::hints::Hints;
use super::lines::{Line, Lines, MAX_DOCUMENT_BYTES, MAX_LINE_BYTES};
use super::message;
use super::output::{Format, Output, Stopped, Tally};
use super::text;
use super::waiting_starts::WaitingStarts;

pub use summary::Summary;
pub(super) use summary::summary;

/// As much of a record as is kept to be shown.
const BEGIN_BYTES: usize = 800;

/// Why reading stopped before the end of the input.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The input cannot be read on. What came before was passed on.
    #[error("cannot read on: {0}")]
    Input(#[source] io::Error),
    /// The sink failed.
    #[error(transparent)]
    Sink(E),
    /// It costs more than it may. What came before was passed on.
    #[error(transparent)]
    Overspent(Overspent),
}

/// Reads all of `input`, unpacking gzip, and passes every entry to `sink`.
///
/// Whatever the bytes are, this neither panics nor holds more than one document in memory
/// (256 MiB); bad entries are passed on as refused, and do not end the reading.
pub fn read<E>(
    input: impl BufRead,
    hints: &Hints,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<Summary, ReadError<E>> {
    read_and_watch(input, hints, &mut |_| {}, sink)
}

/// Reads all of `input` as [`read`] does, and passes what gzip unpacks to, to its end, to `watch`: a
/// content is the same content packed or not.
pub fn read_and_watch<E>(
    input: impl BufRead,
    hints: &Hints,
    watch: &mut dyn FnMut(&[u8]),
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<Summary, ReadError<E>> {
    let budget = Budget::unlimited(MAX_DOCUMENT_BYTES);
    let (tally, (lines, _)) = into_sink(hints, budget, sink, |out| unpacked(input, watch, out))?;
    Ok(summary(tally, lines, hints))
}

/// Shows what is read through it.
struct Watched<'w, R> {
    inner: R,
    watch: &'w mut dyn FnMut(&[u8]),
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        (self.watch)(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

/// What reading a record of a stream came to.
#[derive(Debug)]
pub struct RecordRead {
    /// The formats found.
    pub formats: Vec<Format>,
    /// How its content begins, unpacked.
    pub begin: String,
    /// Why the rest of it was not read, if it costs more than a record may.
    pub overspent: Option<Overspent>,
}

/// Reads a record of a stream, unpacking gzip, and passes its entries to `sink`.
///
/// Whatever the bytes are, this neither panics nor takes more memory and time than a record may: the
/// work it does is bounded by the record's own size. What came before the bound was passed on.
///
/// A start that failed waits in `waiting` if its report is not in this record.
pub fn read_record<E>(
    record: &[u8],
    hints: &Hints,
    waiting: &WaitingStarts,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<RecordRead, ReadError<E>> {
    let budget = Budget::of_record(record.len());
    let most = budget.unpacked_left();
    let mut unpacked = None;
    for _ in 0..MOST_PACKED {
        let packed = unpacked
            .as_ref()
            .map_or(record, |u: &gzip::Unpacked| &*u.bytes);
        if !packed.starts_with(&gzip::MAGIC) {
            break;
        }
        let Some(content) = gzip::unpack(packed, most) else {
            return Ok(RecordRead {
                formats: Vec::new(),
                begin: String::new(),
                overspent: Some(Overspent::Unpacked(most)),
            });
        };
        unpacked = Some(content);
    }
    let (content, damage) = match &unpacked {
        Some(unpacked) => (&*unpacked.bytes, unpacked.damage.as_ref()),
        None => (record, None),
    };
    let begin = content.get(..BEGIN_BYTES).unwrap_or(content);
    let begin = String::from_utf8_lossy(begin).into_owned();
    let mut formats = Vec::new();
    let body = |out: &mut Output| {
        let spent = out.spend(|budget| budget.unpack(content.len() as u64));
        out.endings.starts.since(waiting.clone());
        let done = match spent {
            Ok(()) => in_memory(content, damage, out)?,
            Err(stopped) => (0, Err(stopped)),
        };
        out.endings.starts.leave();
        formats = out.tally.formats.iter().copied().collect();
        Ok(done)
    };
    let overspent = match into_sink(hints, budget, sink, body) {
        Ok(_) => None,
        Err(ReadError::Overspent(why)) => Some(why),
        Err(error) => return Err(error),
    };
    Ok(RecordRead {
        formats,
        begin,
        overspent,
    })
}

/// Lets `body` write to `sink`, and distinguishes a failure of one from a failure of the other.
pub(super) fn into_sink<T, E>(
    hints: &Hints,
    budget: Budget,
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
    let mut out = Output::new(hints, budget, &mut stopping);
    let done = body(&mut out);
    let (tally, overspent) = (out.tally, out.overspent);
    match (failure, done) {
        (Some(failure), _) => Err(ReadError::Sink(failure)),
        (None, Ok(done)) => match overspent {
            Some(why) => Err(ReadError::Overspent(why)),
            None => Ok((tally, done)),
        },
        (None, Err(e)) => Err(ReadError::Input(e)),
    }
}

type Done = (u64, Result<(), Stopped>);

/// Gzip in gzip: no format is deeper.
const MOST_PACKED: usize = 3;

/// Reads an input that may be packed, more than once too, and shows `watch` what it unpacks to.
fn unpacked(
    input: impl BufRead,
    watch: &mut dyn FnMut(&[u8]),
    out: &mut Output,
) -> io::Result<Done> {
    let (packed, whole) = gzip::sniff(input)?;
    let mut state = text::State::default();
    if !packed {
        let mut lines = Lines::new(whole);
        let done = all(&mut lines, &mut state, out)?;
        return Ok((lines.read(), done));
    }
    let mut content: Box<dyn BufRead + '_> = Box::new(BufReader::new(MultiGzDecoder::new(whole)));
    for _ in 1..MOST_PACKED {
        // Damage in the first bytes comes again when they are read.
        let (packed, whole) = match gzip::sniff(content) {
            Ok(sniffed) => sniffed,
            Err(e) => {
                let why = damaged(&e).ok_or(e)?;
                return Ok((0, out.refuse(1, why, "")));
            }
        };
        content = Box::new(whole);
        if !packed {
            break;
        }
        content = Box::new(BufReader::new(MultiGzDecoder::new(content)));
    }
    let inner = content;
    let mut lines = Lines::new(BufReader::new(Watched { inner, watch }));
    match all(&mut lines, &mut state, out) {
        Ok(done) => {
            // Not all of it may have been looked at.
            let read = lines.read();
            let _ = io::copy(&mut lines.into_input(), &mut io::sink());
            Ok((read, done))
        }
        Err(e) => {
            let why = damaged(&e).ok_or(e)?;
            Ok((lines.read(), out.refuse(lines.read() + 1, why, "")))
        }
    }
}

/// Describes how gzip is damaged; `None` if something else is wrong.
fn damaged(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Some("the gzip file ends early; its content up to here was read")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Some("the gzip file is damaged from here on; its content up to here was read")
        }
        _ => None,
    }
}

/// Reads complete content. A document on one line is read in place.
fn in_memory(content: &[u8], damage: Option<&io::Error>, out: &mut Output) -> io::Result<Done> {
    let text = str::from_utf8(content).map(message::trim);
    let mut lines = Lines::new(content);
    let done = match text {
        Ok(text) if text.starts_with(['{', '[']) && !text.contains('\n') => {
            document::one_line(text, 1, out)
        }
        _ => all(&mut lines, &mut text::State::default(), out)?,
    };
    let done = done.and_then(|()| match damage {
        Some(error) => {
            let why = damaged(error).unwrap_or("the gzip file cannot be unpacked");
            out.refuse(lines.read() + 1, why, "")
        }
        None => Ok(()),
    });
    Ok((lines.read(), done))
}

/// Reads all lines.
pub(super) fn all<R: BufRead>(
    lines: &mut Lines<R>,
    state: &mut text::State,
    out: &mut Output,
) -> io::Result<Result<(), Stopped>> {
    let mut begun = !lines.at_start();
    while let Some(line) = lines.next()? {
        let Ok(content) = out.text(&line.bytes) else {
            return Ok(Err(Stopped));
        };
        let content = message::trim(&content);
        let first = !begun && !content.is_empty();
        begun |= first;
        let done = if line.skipped > 0 {
            out.refuse(line.number, too_long(&line), content)
        } else if let Some(why) = foreign::why_not(&line.bytes, content).filter(|_| first) {
            return Ok(out.refuse(line.number, why, content));
        } else if content.starts_with(['{', '['])
            && (out.live() || !text::begins_in_brackets(content))
        {
            document(content, &line, lines, out)
        } else if let Some(header) = head_line(content, first, out) {
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

/// The head line of a table, which only a file has, at its begin.
fn head_line(content: &str, first: bool, out: &Output) -> Option<csv_rows::Csv> {
    (first && !out.live())
        .then(|| csv_rows::header(content))
        .flatten()
}

fn too_long(line: &Line) -> String {
    format!(
        "line of {} bytes: at most {MAX_LINE_BYTES} are read, or {MAX_DOCUMENT_BYTES} if the input \
         begins with a JSON document",
        line.bytes.len() as u64 + line.skipped
    )
}
