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

/// The words for one, or for several.
const fn by<'w>(number: u64, one: &'w str, several: &'w str) -> &'w str {
    if number == 1 { one } else { several }
}

fn notes(tally: &Tally, hints: &Hints) -> Vec<String> {
    let mut notes = Vec::new();
    let undated = tally.undated;
    match hints.date {
        _ if undated == 0 => {}
        Some(day) => notes.push(format!(
            "{undated} {} for {day}, from --date",
            by(
                undated,
                "report has no time: it counts",
                "reports have no time: they count"
            )
        )),
        None => notes.push(format!(
            "{undated} {} for {}, the day the file was last changed; --date sets another day",
            by(
                undated,
                "report has no time: it counts",
                "reports have no time: they count"
            ),
            hints.fallback_date
        )),
    }
    if tally.stream_days > 0 {
        notes.push(format!(
            "{} {} for the day in the name of its log stream",
            tally.stream_days,
            by(
                tally.stream_days,
                "report has no time: it counts",
                "reports have no time: each counts"
            )
        ));
    }
    notes.extend(notes_of_figures(tally, hints));
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

/// Notes about figures and names that were taken in another way than they are written.
fn notes_of_figures(tally: &Tally, hints: &Hints) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.rounded > 0 {
        notes.push(format!(
            "{} {} memory figures that a spreadsheet rounded (1.02E+09 of 1024 MB): sizes are off by up to 0.5 %; \
             import the file as it was exported",
            tally.rounded,
            by(tally.rounded, "row has", "rows have")
        ));
    }
    if tally.local > 0 {
        notes.push(match hints.home {
            None => format!(
                "{} {} is listed as local:NAME; `rightsizer adopt` adds both",
                tally.local,
                by(
                    tally.local,
                    "report does not name account and region, so its function",
                    "reports do not name account and region, so their function"
                )
            ),
            Some(_) => format!(
                "{} {} listed as local:FILE; --function names it",
                tally.local,
                by(
                    tally.local,
                    "report names no function, so it is",
                    "reports name no function, so they are"
                )
            ),
        });
    }
    notes
}

/// Notes about what other tools found out: it counts in another way than people may think.
fn notes_of_comparisons(tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.measured > 0 {
        notes.push(format!(
            "{} {} no decision",
            tally.measured,
            by(
                tally.measured,
                "result of Lambda Power Tuning: `rightsizer show FUNCTION` shows it; it contains no memory \
                 use, so it changes",
                "results of Lambda Power Tuning: `rightsizer show FUNCTION` shows them; they contain no \
                 memory use, so they change"
            )
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
            "{} {} no decision",
            tally.advised,
            by(
                tally.advised,
                "recommendation of Compute Optimizer: `rightsizer list` shows it beside its own; it changes",
                "recommendations of Compute Optimizer: `rightsizer list` shows them beside its own; they change"
            )
        ));
    }
    notes
}

/// Notes about what was ignored and might have been meant to count.
fn notes_of_ignored(tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.no_memory > 0 {
        notes.push(format!(
            "{} {} ignored: managed instances report none",
            tally.no_memory,
            by(
                tally.no_memory,
                "report has no memory figures and was",
                "reports have no memory figures and were"
            )
        ));
    }
    if tally.empty_rows > 0 {
        notes.push(format!(
            "{} {}, add these fields to the query",
            tally.empty_rows,
            by(
                tally.empty_rows,
                "row of Logs Insights has neither @message nor @maxMemoryUsed with @memorySize: to count it",
                "rows of Logs Insights have neither @message nor @maxMemoryUsed with @memorySize: to count them"
            )
        ));
    }
    if tally.replicas > 0 {
        notes.push(format!(
            "{} {} ignored: a replica has the size of its function in us-east-1",
            tally.replicas,
            by(
                tally.replicas,
                "report is of a Lambda@Edge replica (/aws/lambda/us-east-1.NAME) and was",
                "reports are of Lambda@Edge replicas (/aws/lambda/us-east-1.NAME) and were"
            )
        ));
    }
    if tally.unadvised > 0 {
        notes.push(format!(
            "{} {} ignored",
            tally.unadvised,
            by(
                tally.unadvised,
                "row of Compute Optimizer is of another resource than a function, or without a finding, and was",
                "rows of Compute Optimizer are of other resources than functions, or without a finding, and were"
            )
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Day;

    use super::*;
    use crate::hints::tests::hints;

    /// Every note with its number, for this number of each kind.
    fn all(number: u64, hints: &Hints) -> Vec<String> {
        let tally = Tally {
            accepted: number,
            undated: number,
            stream_days: number,
            rounded: number,
            local: number,
            measured: number,
            advised: number,
            no_memory: number,
            empty_rows: number,
            replicas: number,
            unadvised: number,
            ..Tally::default()
        };
        notes(&tally, hints)
    }

    /// Read aloud: one is not several.
    #[test]
    fn one_and_several_have_their_own_words() {
        let mut hints = hints();
        let one = all(1, &hints);
        let several = all(5, &hints);
        hints.date = Some(Day::parse("2026-03-01").unwrap());
        let dated = [all(1, &hints).remove(0), all(5, &hints).remove(0)];
        insta::assert_snapshot!([one, several, dated.to_vec()].concat().join("\n"));
    }
}
