//! Log events as `aws logs filter-log-events` and `get-log-events` print them with `--output text`: the word EVENTS and
//! the fields in the order of their names, between tabs. A message ends in a line break, so its time is on the next
//! line.

use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::{first_64_bits, version_of_stream};
use rightsizer_rules::window::Mark;

use super::facts::Facts;
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};

const ROW: &str = "EVENTS\t";
/// Milliseconds since 1970 have 13 digits until 2286.
const TIME_DIGITS: usize = 13;
/// Ids of events have 56 digits.
const LEAST_ID_DIGITS: usize = 30;

/// What stands before the message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row<'a> {
    id: Option<&'a str>,
    /// When CloudWatch stored it, seconds after it was logged.
    stored: Option<Timestamp>,
    stream: Option<&'a str>,
    message: &'a str,
}

/// Reads a row; `None` if the line is none.
pub(super) fn line(text: &str, number: u64, out: &mut Output) -> Option<Result<(), Stopped>> {
    let row = row(text)?;
    out.format(Format::LogEvents);
    let facts = Facts {
        stream: row.stream.map(str::to_owned),
        ..Facts::default()
    };
    let origin = facts.origin(out.hints);
    let spot = Spot {
        event: row.id.map(|id| Mark::exported(first_64_bits(id))),
        ..Spot::new(number, &origin, row.stored)
    };
    Some(message::read(row.message, spot, out))
}

fn row(text: &str) -> Option<Row<'_>> {
    let mut rest = text.strip_prefix(ROW)?;
    let mut row = Row::default();
    if let Some((id, behind)) = rest.split_once('\t')
        && id.len() >= LEAST_ID_DIGITS
        && is_number(id)
    {
        (row.id, rest) = (Some(id), behind);
    }
    let (stored, behind) = rest.split_once('\t')?;
    row.stored = Some(time(stored)?);
    rest = behind;
    if let Some((stream, behind)) = rest.split_once('\t')
        && version_of_stream(stream).is_some()
    {
        (row.stream, rest) = (Some(stream), behind);
    }
    // A message without a line break is followed by its time.
    if let Some((message, logged)) = rest.rsplit_once('\t')
        && let Some(logged) = time(logged)
    {
        (row.stored, rest) = (Some(logged), message);
    }
    row.message = rest;
    Some(row)
}

fn time(text: &str) -> Option<Timestamp> {
    let ms = (text.len() == TIME_DIGITS && is_number(text)).then(|| text.parse().ok())??;
    Timestamp::from_ms(ms)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "38102123456789012345678901234567890123456789012345678900";
    const STREAM: &str = "2026/11/10/[$LATEST]8476a536e9f411e897392dfe598c3f00";

    #[test]
    fn both_commands_are_read() {
        let at = |ms| Timestamp::from_ms(ms);
        let filtered = format!("EVENTS\t{ID}\t1794304801000\t{STREAM}\tREPORT a\tb\t");
        let wanted = Row {
            id: Some(ID),
            stored: at(1_794_304_801_000),
            stream: Some(STREAM),
            message: "REPORT a\tb\t",
        };
        assert_eq!(row(&filtered), Some(wanted));
        let got = row("EVENTS\t1794304801000\t{\"a\":1}\t1794304800123").unwrap();
        assert_eq!((got.id, got.stream, got.message), (None, None, "{\"a\":1}"));
        assert_eq!(got.stored, at(1_794_304_800_123));
    }

    #[test]
    fn other_lines_are_not_rows() {
        for text in [
            "EVENTS 1794304801000 REPORT",
            "EVENTS\tREPORT RequestId: a",
            "EVENTS\t17943048\tREPORT",
            "events\t1794304801000\tREPORT",
        ] {
            assert_eq!(row(text), None, "{text}");
        }
    }
}
