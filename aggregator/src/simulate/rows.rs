//! Reads CSV by the names of its header, in any order, plain or gzip. A bad row is refused with its line and the
//! reason; the others count.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use rightsizer_formats::gzip;

use super::row_error::RowError;

/// The longest line that is read.
pub(super) const MAX_LINE_BYTES: u64 = 64 * 1024;

/// A row that cannot be used.
#[derive(Debug)]
pub struct Refusal {
    /// Line number; the header is 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: RowError,
}

/// The reason for which a whole input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// It is empty.
    #[error("it is empty; expected a header with {0}, and rows")]
    Empty(String),
    /// A column is missing, or occurs twice.
    #[error(
        "{column} {fault} in the first line, {line:?}\nhint: the first line names the columns {wanted} once each; \
         others are ignored"
    )]
    Header {
        /// The required columns.
        wanted: String,
        /// The missing or repeated column.
        column: &'static str,
        /// What is wrong with it.
        fault: &'static str,
        /// The first line.
        line: String,
    },
}

/// The columns to read. Values are passed in this order.
pub(super) struct Columns {
    pub(super) required: &'static [&'static str],
    /// Columns that may be missing; their value is then `None`.
    pub(super) optional: &'static [&'static str],
}

impl Columns {
    /// Returns the names as "a, b and c".
    fn wanted(&self) -> String {
        match self.required {
            [] => String::new(),
            [only] => (*only).to_owned(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

/// Receives the values of one row; an error refuses the row.
pub(super) type Take<'a> = dyn FnMut(&[Option<&str>]) -> Result<(), RowError> + 'a;

/// Reads all of `input`; passes each row to `take` and each bad row to `refuse`.
pub(super) fn read_rows(
    input: impl BufRead,
    columns: &Columns,
    take: &mut Take<'_>,
    refuse: &mut dyn FnMut(Refusal),
) -> Result<(), TableError> {
    let (packed, whole) = gzip::sniff(input)?;
    if packed {
        let unpacked = BufReader::new(MultiGzDecoder::new(whole));
        read_lines(unpacked, columns, take, refuse)
    } else {
        read_lines(whole, columns, take, refuse)
    }
}

fn read_lines(
    mut input: impl BufRead,
    columns: &Columns,
    take: &mut Take<'_>,
    refuse: &mut dyn FnMut(Refusal),
) -> Result<(), TableError> {
    let mut line = Vec::new();
    if next_line(&mut input, &mut line)?.is_none() {
        return Err(TableError::Empty(columns.wanted()));
    }
    let header = Header::read(&String::from_utf8_lossy(&line), columns)?;
    for number in 2.. {
        let row = match next_line(&mut input, &mut line) {
            Ok(None) => break,
            Ok(Some(Length::Fits)) if line.trim_ascii().is_empty() => continue,
            Ok(Some(Length::Fits)) => header.row(&String::from_utf8_lossy(&line), take),
            Ok(Some(Length::TooLong)) => Err(RowError::TooLong),
            Err(error) => {
                refuse(Refusal {
                    line: number,
                    reason: RowError::Unreadable(error),
                });
                break;
            }
        };
        if let Err(reason) = row {
            refuse(Refusal {
                line: number,
                reason,
            });
        }
    }
    Ok(())
}

enum Length {
    Fits,
    TooLong,
}

/// Returns the next line up to the longest length that is read; `None` at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<Length>> {
    line.clear();
    let read = input
        .by_ref()
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") || (read as u64) < MAX_LINE_BYTES {
        return Ok(Some(Length::Fits));
    }
    while !input.fill_buf()?.is_empty() {
        let rest = input.fill_buf()?;
        let end = rest.iter().position(|b| *b == b'\n');
        let used = end.map_or(rest.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(Some(Length::TooLong))
}

/// The positions of the columns.
struct Header {
    places: Vec<Option<usize>>,
    width: usize,
}

impl Header {
    fn read(line: &str, columns: &Columns) -> Result<Self, TableError> {
        let fields = split(line.trim_start_matches('\u{feff}')).unwrap_or_default();
        let place = |name: &'static str, required: bool| {
            let fault = |fault| TableError::Header {
                wanted: columns.wanted(),
                column: name,
                fault,
                line: shortened(line),
            };
            let named = |field: &&String| field.trim().eq_ignore_ascii_case(name);
            let mut found = (0..).zip(&fields).filter(|(_, field)| named(field));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(fault("is more than once")),
                (Some((at, _)), None) => Ok(Some(at)),
                (None, _) if required => Err(fault("is not")),
                (None, _) => Ok(None),
            }
        };
        let required = columns.required.iter().map(|name| place(name, true));
        let optional = columns.optional.iter().map(|name| place(name, false));
        Ok(Self {
            places: required.chain(optional).collect::<Result<_, _>>()?,
            width: fields.len(),
        })
    }

    fn row(&self, line: &str, take: &mut Take<'_>) -> Result<(), RowError> {
        let fields = split(line).ok_or(RowError::OpenQuote)?;
        if fields.len() != self.width {
            return Err(RowError::Fields {
                fields: fields.len(),
                header: self.width,
            });
        }
        let value = |place: &Option<usize>| place.map(|at| fields[at].trim());
        let values: Vec<Option<&str>> = self.places.iter().map(value).collect();
        take(&values)
    }
}

/// Returns the fields of one line; `None` if a quote is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let line = line.trim_end_matches(['\r', '\n']);
    if !line.contains('"') {
        return Some(line.split(',').map(str::to_owned).collect());
    }
    if line.matches('"').count() % 2 == 1 {
        return None;
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(str::to_owned).collect())
}

/// Returns the beginning of a text, for a message.
pub(super) fn shortened(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
