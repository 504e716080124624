//! Lines of text: bare `REPORT` lines, and the output of `aws logs tail` and its like, which put
//! the time and the log stream before the message, in either order.

use rightsizer_records::Timestamp;

use super::cloudwatch;
use super::json;
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::report_line;

/// What the platform prints beside reports. None of it tells what was used.
const PLATFORM_LINES: [&str; 9] = [
    "START RequestId:",
    "END RequestId:",
    "INIT_START ",
    "RESTORE_START ",
    "EXTENSION\t",
    "EXTENSION ",
    "TELEMETRY\t",
    "TELEMETRY ",
    "XRAY TraceId:",
];

/// What earlier lines of the same input say about later ones.
#[derive(Default)]
pub(super) struct State {
    /// Lines have had a time before them: one without is the rest of an application's message.
    tail: bool,
}

impl State {
    /// Whether it changes how the next line is read.
    pub(super) const fn goes_on(&self) -> bool {
        self.tail
    }
}

/// Reads one line of text.
pub(super) fn line(
    text: &str,
    number: u64,
    state: &mut State,
    out: &mut Output,
) -> Result<(), Stopped> {
    let plain;
    let text = if text.contains('\u{1b}') {
        plain = without_colours(text);
        message::trim(&plain)
    } else {
        message::trim(text)
    };
    let origin = out.hints.unnamed();
    let spot = Spot {
        line: number,
        origin: &origin,
        at: None,
        event: None,
    };
    let prefix = Prefix::read(text);
    if report_line::is_report(text) {
        out.format(Format::ReportLines);
        message::reports(text, spot, out)
    } else if prefix.is_some() {
        out.format(Format::LogsTail);
        state.tail = true;
        let spot = Spot {
            origin: &out.hints.logged(prefix.group, prefix.stream, None),
            at: prefix.at,
            ..spot
        };
        message::read(prefix.rest, spot, out)
    } else if message::is_report_event(text) {
        out.format(Format::Telemetry);
        super::telemetry::event(text, spot, out)
    } else if text.starts_with('"') && is_quoted(text) {
        json::inner_line(text.trim_end_matches(','), number, out)
    } else if cloudwatch::is_packed(text) {
        cloudwatch::packed(text, number, 0, out)
    } else if is_no_evidence(text, state) {
        out.ignore()
    } else {
        out.refuse(number, why_not(text), text)
    }
}

fn is_no_evidence(text: &str, state: &State) -> bool {
    text.is_empty()
        || PLATFORM_LINES.iter().any(|start| text.starts_with(start))
        || (state.tail && !is_binary(text) && !text.contains("REPORT RequestId:"))
}

fn why_not(text: &str) -> &'static str {
    if is_binary(text) {
        "not text: binary data"
    } else if text.starts_with("INIT_REPORT") || text.starts_with("RESTORE_REPORT") {
        "reports an initialisation, which carries no memory figures"
    } else if text.contains("REPORT RequestId:") {
        "what stands before REPORT is neither a time nor a log stream"
    } else {
        "not a REPORT line"
    }
}

/// A message as `jq` leaves it, in quotes. Quotes inside of quotes are nobody's format.
fn is_quoted(text: &str) -> bool {
    serde_json::from_str::<String>(text.trim_end_matches(','))
        .is_ok_and(|inner| !inner.starts_with('"'))
}

fn is_binary(text: &str) -> bool {
    let odd =
        |c: &char| *c == char::REPLACEMENT_CHARACTER || (c.is_control() && !c.is_whitespace());
    text.chars().take(1000).filter(odd).count() * 20 > text.chars().take(1000).count()
}

/// What stands before a message.
#[derive(Default)]
struct Prefix<'a> {
    at: Option<Timestamp>,
    stream: Option<&'a str>,
    group: Option<&'a str>,
    rest: &'a str,
}

impl<'a> Prefix<'a> {
    fn read(text: &'a str) -> Self {
        let mut prefix = Self {
            rest: text,
            ..Self::default()
        };
        while prefix.take() {}
        prefix
    }

    const fn is_some(&self) -> bool {
        self.at.is_some() || self.stream.is_some() || self.group.is_some()
    }

    /// Takes the next word if it belongs to a prefix, each kind once.
    fn take(&mut self) -> bool {
        let Some((word, rest)) = self.rest.split_once([' ', '\t']) else {
            return false;
        };
        if self.at.is_none()
            && let Some((at, rest)) = time(word, rest)
        {
            self.at = Some(at);
            self.rest = rest.trim_start();
            return true;
        }
        if self.stream.is_none() && is_stream(word) {
            self.stream = Some(word);
        } else if self.group.is_none() && word.starts_with("/aws/") {
            self.group = Some(word);
        } else {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }
}

/// A time of one word (also in milliseconds since 1970), or of two: a date and a time of day.
fn time<'a>(word: &'a str, rest: &'a str) -> Option<(Timestamp, &'a str)> {
    const DATE: usize = "2026-01-31".len();
    if word.len() < DATE || !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return Some((Timestamp::from_ms(word.parse().ok()?)?, rest));
    }
    if word.len() > DATE {
        return Some((Timestamp::parse(word).ok()?, rest));
    }
    let (of_day, rest) = rest.split_once([' ', '\t'])?;
    let at = Timestamp::parse(&format!("{word} {of_day}")).ok()?;
    Some((at, rest))
}

/// Lambda's log streams look like `2023/06/02/[72]88ab…`, with or without a name before the `[`.
fn is_stream(word: &str) -> bool {
    rightsizer_rules::evidence::version_of_stream(word).is_some()
        && word.starts_with(|c: char| c.is_ascii_digit())
}

/// Without terminal colours, which some tools also write into files.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest
            .strip_prefix(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(rest);
    }
    plain.push_str(rest);
    plain
}
