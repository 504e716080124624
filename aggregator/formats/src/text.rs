//! Lines of text: bare `REPORT` lines, and what tools print: a time, a log group, a log stream or a label
//! before the message, or the rows of a drawn table.

use rightsizer_records::Timestamp;
use serde::de::IgnoredAny;

use super::aws_text;
use super::cloudwatch;
use super::drawn::{self, Table};
use super::endings;
use super::json;
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::power_tuning;
use super::report_line;
use super::surroundings::{Surroundings, without_colours};
use super::times;

/// What the platform prints beside reports. None of it shows what was used.
const PLATFORM_LINES: [&str; 11] = [
    "START RequestId:",
    "END RequestId:",
    "INIT_START ",
    "INIT_REPORT ",
    "RESTORE_START ",
    "RESTORE_REPORT ",
    "EXTENSION\t",
    "EXTENSION ",
    "TELEMETRY\t",
    "TELEMETRY ",
    "XRAY TraceId:",
];

/// What earlier lines of the same input mean for later ones.
#[derive(Default)]
pub(super) struct State {
    /// Lines have had a time before them: one without is the rest of an application's message.
    tail: bool,
    /// A drawn table, or the words before one.
    table: Table,
}

impl State {
    /// Whether it changes how the next line is read.
    pub(super) const fn goes_on(&self) -> bool {
        self.tail || self.table.begun()
    }
}

/// Reads one line of text.
pub(super) fn line(
    text: &str,
    number: u64,
    state: &mut State,
    out: &mut Output,
) -> Result<(), Stopped> {
    let plain = without_colours(text);
    let text = message::trim(&plain);
    if !text.is_empty() {
        out.before = None;
    }
    if report_line::is_report(text) {
        out.format(Format::ReportLines);
        let origin = out.hints.unnamed();
        message::reports(text, Spot::new(number, &origin, None), out)
    } else if message::is_report_event(text) {
        out.format(Format::Telemetry);
        let origin = out.hints.unnamed();
        super::telemetry::event(text, Spot::new(number, &origin, None), out)
    } else if text.starts_with('"') && is_quoted(text) {
        json::inner_line(text.trim_end_matches(','), number, out)
    } else if cloudwatch::is_packed(text) {
        cloudwatch::packed(text, number, 0, out)
    } else if out.live() {
        other(text, number, state, out)
    } else if let Some(done) = power_tuning::link(text, number, out) {
        done
    } else if let Some(done) = drawn::line(text, number, &mut state.table, out) {
        done
    } else if let Some(done) = aws_text::line(text, number, out) {
        state.tail = true;
        done
    } else if let Some(at) = report_line::find(text) {
        with_report(text, at, number, state, out)
    } else {
        with_prefix(text, number, state, out)
    }
}

/// Reads a line that holds a report, whatever stands before it.
fn with_report(
    text: &str,
    at: usize,
    number: u64,
    state: &mut State,
    out: &mut Output,
) -> Result<(), Stopped> {
    let (outside, rest) = Surroundings::leading(text, out.hints.fallback_date);
    if rest.starts_with('{') && serde_json::from_str::<IgnoredAny>(rest).is_ok() {
        state.tail = true;
        return json::within_line(rest, number, &outside.facts, out);
    }
    let (before, report) = text.split_at(at);
    let found = match Surroundings::before(before, out.hints.fallback_date) {
        Ok(found) => found,
        Err(why) => return out.refuse(number, why.to_string(), text),
    };
    state.tail |= found.is_some() || found.foreign;
    out.format(match (found.foreign, found.is_some()) {
        (true, _) => Format::Wrapped,
        (false, true) => Format::LogsTail,
        (false, false) => Format::ReportLines,
    });
    let origin = found.facts.origin(out.hints);
    let time = found.facts.time().ok().flatten();
    let day = found.facts.day_of_stream().filter(|_| time.is_none());
    out.tally.stream_days += u64::from(day.is_some());
    let spot = Spot {
        wrapped: found.foreign,
        ..Spot::new(number, &origin, time.or(day))
    };
    message::reports(report, spot, out)
}

/// Reads a line of a log export that is not a report, or anything else.
fn with_prefix(
    text: &str,
    number: u64,
    state: &mut State,
    out: &mut Output,
) -> Result<(), Stopped> {
    let (found, rest) = Surroundings::leading(text, out.hints.fallback_date);
    if !found.is_some() && endings::is_ending(text) {
        let origin = out.hints.unnamed();
        return message::read(text, Spot::new(number, &origin, None), out);
    }
    if !found.is_some() {
        return other(text, number, state, out);
    }
    state.tail = true;
    out.format(Format::LogsTail);
    let at = found.facts.time().ok().flatten();
    if rest.starts_with('{') && !message::is_report_event(rest) {
        return json::within_line(rest, number, &found.facts, out);
    }
    if rest.is_empty() {
        out.before = Some(found.facts);
        return out.ignore();
    }
    let origin = found.facts.origin(out.hints);
    let spot = Spot {
        wrapped: found.foreign,
        ..Spot::new(number, &origin, at)
    };
    message::read(rest, spot, out)
}

/// Whether a line begins with a time, labels or a name in brackets, and is not JSON.
pub(super) fn begins_in_brackets(line: &str) -> bool {
    if let Some(inner) = line.strip_prefix('{') {
        // {name="value"}
        let named = inner
            .trim_start()
            .starts_with(|c: char| c.is_alphabetic() || c == '_');
        return named
            && inner
                .split('}')
                .next()
                .is_some_and(|labels| labels.contains('='));
    }
    let Some((inner, behind)) = line.strip_prefix('[').and_then(|l| l.split_once(']')) else {
        return false;
    };
    let behind = behind.trim_start();
    if behind.is_empty() || inner.contains(['"', '{', '[']) {
        return false;
    }
    // A list may be followed by another one, a time by anything.
    !behind.starts_with([',', ']', '}', '[', '{'])
        || times::whole(inner, Timestamp::MIN.day()).is_some()
}

/// Reads a line that is neither a report nor of a log export.
fn other(text: &str, number: u64, state: &State, out: &mut Output) -> Result<(), Stopped> {
    if is_no_evidence(text, state) {
        return out.ignore();
    }
    let why = if is_binary(text) {
        "not text: binary data"
    } else {
        "not a REPORT line"
    };
    out.refuse(number, why, text)
}

/// Whether a line is what the platform prints beside reports.
pub(super) fn is_platform_line(text: &str) -> bool {
    PLATFORM_LINES.iter().any(|start| text.starts_with(start))
        || matches!(text, "START" | "END")
        // Whatever a tool puts before it.
        || text.contains("START RequestId:")
        || text.contains("END RequestId:")
}

fn is_no_evidence(text: &str, state: &State) -> bool {
    text.is_empty() || is_platform_line(text) || (state.tail && !is_binary(text))
}

/// Why a time that stands beside a report keeps it from being used.
pub(super) fn unread_time(time: &str) -> String {
    format!(
        "the time {time:?} beside the report is not understood: write it as 2026-01-31T09:00:00Z"
    )
}

/// A message in quotes, as `jq` writes it. No format has quotes inside of quotes.
fn is_quoted(text: &str) -> bool {
    serde_json::from_str::<String>(text.trim_end_matches(','))
        .is_ok_and(|inner| !inner.starts_with('"'))
}

fn is_binary(text: &str) -> bool {
    let odd =
        |c: &char| *c == char::REPLACEMENT_CHARACTER || (c.is_control() && !c.is_whitespace());
    text.chars().take(1000).filter(odd).count() * 20 > text.chars().take(1000).count()
}
