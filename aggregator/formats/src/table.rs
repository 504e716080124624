//! Rows of log lines under a head line: CSV of the CloudWatch console and of log platforms, and drawn
//! tables. A column is known by its name, a value by its form.

use rightsizer_rules::evidence::first_64_bits;
use rightsizer_rules::window::Mark;

use super::facts::{self, Facts};
use super::insights::Row;
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::{optimizer, report_line, text, wrapped};

/// The meaning of the rows under a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Rows of Logs Insights.
    Insights,
    /// Log events as CloudWatch names their fields.
    CloudWatch,
    /// Log lines of another tool.
    Wrapped,
    /// Recommendations of Compute Optimizer.
    ComputeOptimizer,
}

/// The names of the columns.
#[derive(Debug, Clone)]
pub(super) struct Header {
    names: Vec<String>,
    kind: Kind,
}

impl Header {
    /// `names` as a head line; `None` if they are none.
    pub(super) fn of(names: &[String]) -> Option<Self> {
        let kind = kind(names).filter(|_| names.iter().all(|name| is_name(name)))?;
        Some(Self {
            names: names.to_vec(),
            kind,
        })
    }

    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }
}

fn kind(names: &[String]) -> Option<Kind> {
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    if has(&["@message", "@maxMemoryUsed", "@memorySize"]) {
        return Some(Kind::Insights);
    }
    let begins = |begin: &str| names.iter().any(|name| name.starts_with(begin));
    let options = ["memorySizeRecommendationOptions", "recommendationOptions_"];
    if options.into_iter().any(begins) || has(&["currentMemorySize", "finding"]) {
        return Some(Kind::ComputeOptimizer);
    }
    let message = names.iter().any(|name| facts::is_message(name));
    let other = names.iter().any(|name| Facts::knows(name));
    if message && other {
        const OWN: [&str; 6] = [
            "timestamp",
            "message",
            "logStreamName",
            "logGroupName",
            "ingestionTime",
            "eventId",
        ];
        let own = names.iter().all(|name| OWN.contains(&name.as_str()));
        return Some(if own { Kind::CloudWatch } else { Kind::Wrapped });
    }
    let insights = |name: &String| {
        let plain = facts::plain_name(name);
        (name.starts_with('@') && name.len() > 1)
            || plain.contains("maxmemoryused")
            || plain.contains("memorysize")
    };
    names.iter().any(insights).then_some(Kind::Insights)
}

/// Whether a cell can be a column's name.
fn is_name(cell: &str) -> bool {
    const MOST_BYTES: usize = 100;
    cell.len() <= MOST_BYTES && !cell.contains(['{', '}', ':', '=', '"', '\n', '\t'])
}

/// Reads one row, which stands on a line and reads `text`; `outer` is what is known of all rows.
pub(super) fn row(
    header: &Header,
    cells: &[String],
    outer: &Facts,
    (number, text): (u64, &str),
    out: &mut Output,
) -> Result<(), Stopped> {
    match header.kind {
        Kind::Insights => {
            out.format(Format::LogsInsights);
            let mut row = Row::of(outer);
            for (field, value) in header.names.iter().zip(cells) {
                row.set(field, value);
            }
            row.read(number, text, out)
        }
        Kind::ComputeOptimizer => optimizer::row(&header.names, cells, (number, text), out),
        Kind::CloudWatch | Kind::Wrapped => log_line(header, cells, outer, (number, text), out),
    }
}

fn log_line(
    header: &Header,
    cells: &[String],
    outer: &Facts,
    (number, text): (u64, &str),
    out: &mut Output,
) -> Result<(), Stopped> {
    let mut found = Facts::default();
    let mut messages: Vec<&str> = Vec::new();
    for (name, cell) in header.names.iter().zip(cells) {
        if wrapped::may_hold_report(cell) {
            if !messages.contains(&cell.as_str()) {
                messages.push(cell);
            }
        } else {
            found.take(name, cell);
        }
    }
    let found = found.or(outer);
    if messages.is_empty() {
        return out.ignore();
    }
    if header.kind == Kind::Wrapped {
        for message in messages {
            wrapped::text(message, number, &found, out)?;
        }
        return Ok(());
    }
    out.format(Format::LogTable);
    let at = match found.time() {
        Ok(at) => at,
        Err(bad) => return out.refuse(number, text::unread_time(bad), text),
    };
    let origin = found.origin(out.hints);
    let named = header.names.iter().zip(cells);
    let id = named
        .clone()
        .find(|(name, cell)| *name == "eventId" && !cell.is_empty());
    let event = id.map(|(_, id)| Mark::exported(first_64_bits(id)));
    messages.into_iter().try_for_each(|message| {
        let spot = Spot {
            event,
            ..Spot::new(number, &origin, at)
        };
        message::read(message, spot, out)
    })
}

/// Whether a first line may be a head line: it names columns, and holds no report.
pub(super) fn may_be_header(line: &str) -> bool {
    report_line::find(line).is_none()
}
