//! Logs Insights' CSV: a header whose fields begin with `@`, and rows whose messages may go over
//! several lines.

use std::io::{self, BufRead};

use super::insights::Row;
use super::lines::{Line, Lines, MAX_LINE_BYTES};
use super::output::{Format, Output, Stopped};

/// A row that goes on for longer has a quote too many.
const MAX_ROW_LINES: usize = 1000;

/// The fields of a header, if `line` is one.
pub(super) fn header(line: &str) -> Option<Vec<String>> {
    let fields = split(line.trim_start_matches('\u{feff}'))?;
    let ours = line.contains(',') || fields.len() == 1;
    (ours && fields.iter().any(|f| f.starts_with('@') && f.len() > 1)).then_some(fields)
}

/// Reads all rows after the header.
pub(super) fn rows<R: BufRead>(
    header: &[String],
    lines: &mut Lines<R>,
    out: &mut Output,
) -> io::Result<Result<(), Stopped>> {
    out.format(Format::LogsInsights);
    while let Some(first) = lines.next()? {
        let number = first.number;
        let mut taken = vec![first];
        while !closed(&taken) && taken.len() < MAX_ROW_LINES && size(&taken) < MAX_LINE_BYTES {
            let Some(more) = lines.next()? else { break };
            taken.push(more);
        }
        let text = joined(&taken);
        let fields = split(&text).filter(|_| closed(&taken)).unwrap_or_default();
        let done = if text.trim().is_empty() {
            out.ignore()
        } else if fields.len() == header.len() {
            let mut row = Row::default();
            for (field, value) in header.iter().zip(&fields) {
                row.set(field, value);
            }
            row.read(number, &text, out)
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

fn why_not(fields: &[String], header: &[String]) -> String {
    match fields.len() {
        0 => "a quote is not closed".to_owned(),
        n => format!("row of {n} fields under a header of {}", header.len()),
    }
}

fn closed(lines: &[Line]) -> bool {
    let quotes = lines.iter().flat_map(|l| &l.bytes).filter(|b| **b == b'"');
    quotes.count().is_multiple_of(2)
}

fn size(lines: &[Line]) -> usize {
    lines.iter().map(|l| l.bytes.len()).sum()
}

fn joined(lines: &[Line]) -> String {
    let texts: Vec<_> = lines
        .iter()
        .map(|l| String::from_utf8_lossy(&l.bytes))
        .collect();
    texts.join("\n")
}

fn split(text: &str) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(str::to_owned).collect())
}
