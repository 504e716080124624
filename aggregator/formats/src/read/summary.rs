//! What reading an input came to: its counts, and notes for the person who imported it.

use serde::Serialize;

use crate::hints::Hints;
use crate::output::{Format, Tally};

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

impl Summary {
    /// The same, with the number of refused entries that looked like evidence at first.
    #[must_use]
    pub fn refusing(mut self, more: u64) -> Self {
        self.accepted -= more;
        self.refused += more;
        self
    }
}

pub(crate) fn summary(tally: Tally, lines: u64, hints: &Hints) -> Summary {
    Summary {
        notes: notes(&tally, hints),
        read: tally.entries(),
        formats: tally.formats.into_iter().collect(),
        lines,
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
            "{undated} reports have no time: they count for {day}, from --date"
        )),
        None => notes.push(format!(
            "{undated} reports have no time: they count for {}, the day the file was last \
             changed; --date sets another day",
            hints.fallback_date
        )),
    }
    if tally.stream_days > 0 {
        notes.push(format!(
            "{} reports have no time: each counts for the day in the name of its log stream",
            tally.stream_days
        ));
    }
    if tally.rounded > 0 {
        notes.push(format!(
            "{} rows have memory figures that a spreadsheet rounded (1.02E+09 of 1024 MB): sizes are off by up to \
             0.5 %; import the file as it was exported",
            tally.rounded
        ));
    }
    if tally.local > 0 {
        notes.push(match hints.home {
            None => format!(
                "{} reports do not name account and region, so their function is listed as local:NAME; \
                 `rightsizer adopt` adds both",
                tally.local
            ),
            Some(_) => format!(
                "{} reports name no function, so they are listed as local:FILE; --function names it",
                tally.local
            ),
        });
    }
    notes.extend(notes_of_comparisons(tally));
    notes.extend(notes_of_ignored(tally));
    if tally.entries() == 0 {
        notes.push(
            "nothing to read: the input is empty, or a document without entries. Functions that log \
             JSON write no REPORT lines: export them with --filter-pattern '\"platform.report\"'"
                .to_owned(),
        );
    }
    notes
}

/// Notes about what other tools found out: it counts in another way than people may think.
fn notes_of_comparisons(tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.measured > 0 {
        notes.push(format!(
            "{} results of Lambda Power Tuning: `rightsizer show FUNCTION` shows them; they \
             contain no memory use, so they change no decision",
            tally.measured
        ));
    }
    if tally.unread_links > 0 {
        notes.push(format!(
            "the chart's link in {} of them cannot be read, so only the sizes beside it were kept",
            tally.unread_links
        ));
    }
    if tally.advised > 0 {
        notes.push(format!(
            "{} recommendations of Compute Optimizer: `rightsizer list` shows them beside its \
             own; they change no decision",
            tally.advised
        ));
    }
    notes
}

/// Notes about what was ignored and might have been meant to count.
fn notes_of_ignored(tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.no_memory > 0 {
        notes.push(format!(
            "{} reports have no memory figures and were ignored: managed instances report none",
            tally.no_memory
        ));
    }
    if tally.empty_rows > 0 {
        notes.push(format!(
            "{} rows of Logs Insights have neither @message nor @maxMemoryUsed with @memorySize: \
             to count them, add these fields to the query",
            tally.empty_rows
        ));
    }
    if tally.replicas > 0 {
        notes.push(format!(
            "{} reports are of Lambda@Edge replicas (/aws/lambda/us-east-1.NAME) and were ignored: a \
             replica has the size of its function in us-east-1",
            tally.replicas
        ));
    }
    if tally.unadvised > 0 {
        notes.push(format!(
            "{} rows of Compute Optimizer are of other resources than functions, or without a finding, and \
             were ignored",
            tally.unadvised
        ));
    }
    notes
}
