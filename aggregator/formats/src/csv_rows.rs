//! CSV: a head line that names columns, and rows whose messages may go over several lines. Fields lie
//! between commas, semicolons or tabs.

use std::io::{self, BufRead};

use csv_core::ReadFieldResult;

use super::facts::Facts;
use super::lines::{Line, Lines, MAX_LINE_BYTES};
use super::output::{Output, Stopped};
use super::table::{self, Header};

/// A row that continues for longer has a quote too many.
const MAX_ROW_LINES: usize = 1000;

/// A head line, and what lies between its fields.
pub(super) struct Csv {
    header: Header,
    delimiter: u8,
}

/// The head line that `line` is; `None` if it is none.
pub(super) fn header(line: &str) -> Option<Csv> {
    if line.len() > MAX_HEADER_BYTES || line.starts_with('|') || !table::may_be_header(line) {
        return None;
    }
    let line = line.trim_start_matches('\u{feff}');
    let of = |delimiter| Some((split(line, usize::MAX, delimiter)?, delimiter));
    let candidates = DELIMITERS.into_iter().filter_map(of);
    let (names, delimiter) = candidates.max_by_key(|(names, d)| (names.len(), *d == b','))?;
    let ours = names.len() > 1 || names.iter().all(|name| !name.contains(char::is_whitespace));
    let header = Header::of(&names).filter(|_| ours)?;
    Some(Csv { header, delimiter })
}

/// The separator of fields. A spreadsheet writes semicolons if its numbers have commas.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// A longer line is not a header, and a row is read for this number of fields more than its header
/// has.
const MAX_HEADER_BYTES: usize = 64 << 10;
const MORE_FIELDS: usize = 16;
/// As much of a field is copied at a time.
const FIELD_STEP: usize = 4096;

/// Reads all rows after the header.
pub(super) fn rows<R: BufRead>(
    csv: &Csv,
    lines: &mut Lines<R>,
    out: &mut Output,
) -> io::Result<Result<(), Stopped>> {
    let header = &csv.header;
    while let Some(first) = lines.next()? {
        let number = first.number;
        let (mut closed, mut size) = (is_even(&first), first.bytes.len());
        let mut taken = vec![first];
        while !closed && taken.len() < MAX_ROW_LINES && size < MAX_LINE_BYTES {
            let Some(more) = lines.next()? else { break };
            closed = closed == is_even(&more);
            size += more.bytes.len();
            taken.push(more);
        }
        if out.spend(|budget| budget.look(size)).is_err() {
            return Ok(Err(Stopped));
        }
        let text = joined(&taken);
        let most = header.len() + MORE_FIELDS;
        let fields = split(&text, most, csv.delimiter)
            .filter(|_| closed)
            .unwrap_or_default();
        let done = if text.trim().is_empty() {
            out.ignore()
        } else if fields.len() == header.len() {
            table::row(header, &fields, &Facts::default(), (number, &text), out)
        } else {
            // Only this line is lost: what was taken for the rest of it may be rows.
            lines.give_back(taken.split_off(1));
            out.refuse(number, why_not(&fields, header), &text)
        };
        if done.is_err() {
            return Ok(done);
        }
    }
    Ok(Ok(()))
}

fn why_not(fields: &[String], header: &Header) -> String {
    match fields.len() {
        0 => "a quote is not closed".to_owned(),
        n => format!("row of {n} fields under a header of {}", header.len()),
    }
}

/// Whether every quote on the line is closed, if the line began outside of any.
fn is_even(line: &Line) -> bool {
    memchr::memchr_iter(b'"', &line.bytes)
        .count()
        .is_multiple_of(2)
}

fn joined(lines: &[Line]) -> String {
    let texts: Vec<_> = lines
        .iter()
        .map(|l| String::from_utf8_lossy(&l.bytes))
        .collect();
    texts.join("\n")
}

/// The fields of a row, or enough of them to show that there are more than `most`.
fn split(text: &str, most: usize, delimiter: u8) -> Option<Vec<String>> {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let mut fields = Vec::new();
    let (mut input, mut field) = (text.as_bytes(), Vec::new());
    let mut room = vec![0; FIELD_STEP.min(text.len() + 1)];
    loop {
        let (result, read, wrote) = reader.read_field(input, &mut room);
        input = input.get(read..)?;
        field.extend_from_slice(room.get(..wrote)?);
        match result {
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::Field { record_end } => {
                fields.push(String::from_utf8(std::mem::take(&mut field)).ok()?);
                if record_end || fields.len() > most {
                    return Some(fields);
                }
            }
            ReadFieldResult::End => return (!fields.is_empty()).then_some(fields),
        }
    }
}
