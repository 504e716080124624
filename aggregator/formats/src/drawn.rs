//! Tables drawn with marks: Logs Insights copied as Markdown, with the words that the console puts
//! before it, and the console's ASCII table.

use super::facts::Facts;
use super::output::{Output, Stopped};
use super::table::{self, Header};

/// The first line of what the console copies.
const TITLE: &str = "CloudWatch Logs Insights";

/// The table that earlier lines began.
#[derive(Default)]
pub(super) struct Table {
    /// The console's words before its table are being read.
    preamble: bool,
    header: Option<Header>,
    /// Log group and region of the query.
    facts: Facts,
}

impl Table {
    /// Whether anything of a table was read.
    pub(super) const fn begun(&self) -> bool {
        self.preamble || self.header.is_some()
    }
}

/// Reads a line of a table; `None` if it is none.
pub(super) fn line(
    text: &str,
    number: u64,
    state: &mut Table,
    out: &mut Output,
) -> Option<Result<(), Stopped>> {
    let title = text.trim_matches(['*', '#', ' ']);
    if title == TITLE {
        *state = Table {
            preamble: true,
            ..Table::default()
        };
        return Some(out.ignore());
    }
    let drawn = |c: char| {
        matches!(
            c,
            '-' | '=' | '+' | '|' | ':' | ' ' | '\u{2500}'..='\u{257f}'
        )
    };
    if text.len() >= 3 && text.chars().all(drawn) {
        return Some(out.ignore());
    }
    let cells = cells(text);
    let columns = cells.as_ref().and_then(|cells| Header::of(cells));
    if let Some(header) = columns {
        state.preamble = false;
        state.header = Some(header);
        return Some(out.ignore());
    }
    if state.preamble {
        state.note(text);
        return Some(out.ignore());
    }
    let header = state.header.as_ref()?;
    let cells = cells?;
    if cells.len() != header.len() {
        // A message may hold the mark itself: then the report is found without its column.
        return None;
    }
    Some(table::row(
        header,
        &cells,
        &state.facts,
        (number, text),
        out,
    ))
}

impl Table {
    /// Takes note of `log-group-names: …` and `region: …`.
    fn note(&mut self, text: &str) {
        let Some((name, value)) = text.split_once(':') else {
            return;
        };
        let value = value.trim();
        match name.trim() {
            // Of several groups, none is the one of a row.
            "log-group-names" if !value.contains([',', ' ']) => {
                self.facts.take("logGroup", value);
            }
            "region" => self.facts.take("region", value),
            _ => {}
        }
    }
}

/// The cells of `| a | b |`.
fn cells(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix(['|', '\u{2502}'])?;
    let inner = inner.trim_end().strip_suffix(['|', '\u{2502}'])?;
    let cells = inner
        .split(['|', '\u{2502}'])
        .map(|cell| cell.trim().to_owned());
    Some(cells.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_cells() {
        assert_eq!(cells("| a |  b |").unwrap(), ["a", "b"]);
        assert_eq!(cells("| sort @timestamp"), None);
    }
}
