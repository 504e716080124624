//! What stands before a report in a line of text: a time, the log group and stream, labels, the marks
//! that tools put between them. Recognised by form, whichever tool wrote it; what has no known form is a
//! label, or the text of a log line that quotes a report.

use std::borrow::Cow;

use rightsizer_records::Day;
use rightsizer_rules::evidence::version_of_stream;

use super::facts::Facts;
use super::loose::brief;
use super::times;

/// Marks between the parts of a line.
const MARKS: [char; 8] = ['|', ',', ';', '>', ':', '-', '=', '\u{2502}'];
/// How loggers write how much a line matters.
const LEVELS: [&str; 10] = [
    "trace", "debug", "info", "notice", "warn", "warning", "error", "err", "critical", "fatal",
];
/// A longer word is not a name.
const MOST_BYTES: usize = 512;
/// As much of a text is shown in a reason.
const SHOWN_CHARS: usize = 40;

/// Why a report in a line of text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Quoted {
    #[error(
        "REPORT stands inside a line's own text, after {0:?}: only what the platform wrote itself counts"
    )]
    InText(String),
    #[error(
        "an application wrote this line: there is a log level or a request id before REPORT, and the \
         platform writes none"
    )]
    Logged,
    #[error("the time {0:?} before REPORT is not understood: write it as 2026-01-31T09:00:00Z")]
    Time(String),
}

impl Quoted {
    /// What stands inside of `text` before a report.
    pub(super) fn in_text(text: &str) -> Self {
        let end = text.trim_end();
        let shown = end
            .char_indices()
            .rev()
            .nth(SHOWN_CHARS)
            .map_or(0, |(at, _)| at);
        Self::InText(end.get(shown..).unwrap_or_default().to_owned())
    }
}

/// What stands before a message.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) facts: Facts,
    /// Something that neither CloudWatch nor its command line writes.
    pub(super) foreign: bool,
}

impl Surroundings {
    /// Whether they have anything that only a log export has.
    pub(super) const fn is_some(&self) -> bool {
        self.facts.at.is_some() || self.facts.stream.is_some() || self.facts.group.is_some()
    }

    /// Takes all that `text` begins with and that is known by its form; gives the rest.
    pub(super) fn leading(text: &str, today: Day) -> (Self, &str) {
        let mut found = Self::default();
        let mut rest = text;
        while let Some(behind) = found.known(rest, today) {
            rest = behind;
        }
        (found, rest.trim_start())
    }

    /// Reads all that stands before a report.
    pub(super) fn before(text: &str, today: Day) -> Result<Self, Quoted> {
        let mut found = Self::default();
        let spaced = spaced(text);
        let mut rest = &*spaced;
        loop {
            rest = match found.known(rest, today) {
                Some(behind) => behind,
                None if rest.trim().is_empty() => return Ok(found),
                None => found.unknown(rest.trim_start(), &spaced)?,
            };
        }
    }

    /// Takes the next part if its form is known; gives what follows.
    fn known<'a>(&mut self, text: &'a str, today: Day) -> Option<&'a str> {
        let text = text.trim_start();
        let first = text.chars().next()?;
        if let Some((at, behind)) = times::leading(text, today).filter(|_| !is_stream_first(text)) {
            self.facts.at = self.facts.at.or(Some(at));
            return Some(behind);
        }
        if first == '{' {
            return self.labels(text);
        }
        if first == '[' || first == '(' {
            let (inner, behind) = enclosed(text)?;
            let at = times::whole(inner, today)?;
            self.facts.at = self.facts.at.or(Some(at));
            return Some(behind);
        }
        if MARKS.contains(&first) {
            let behind = text.trim_start_matches(MARKS);
            // A quote begins the next part only right behind a mark.
            return Some(behind.strip_prefix(['"', '\'']).unwrap_or(behind));
        }
        let (word, behind) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        let plain = word.trim_end_matches([':', ',', '|']);
        let known = plain.len() <= MOST_BYTES && self.facts.by_form(plain);
        known.then_some(behind)
    }

    /// `{name="value", …}`, as Loki shows a stream.
    fn labels<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let (labels, behind) = text.strip_prefix('{')?.split_once('}')?;
        for label in labels.split(',') {
            let (name, value) = label.split_once('=')?;
            self.facts.take(name.trim(), value.trim().trim_matches('"'));
        }
        self.foreign = true;
        Some(behind)
    }

    /// Takes a part of unknown form as a label, unless it is the text of a log line.
    fn unknown<'a>(&mut self, text: &'a str, all: &str) -> Result<&'a str, Quoted> {
        let quoted = || Err(Quoted::in_text(all));
        let (label, behind) = match text.chars().next() {
            Some('"' | '\'' | '`' | '\u{201c}') if text.len() < all.len() => return quoted(),
            Some('[' | '(') => enclosed(text).unwrap_or((text, "")),
            _ => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
        };
        let level = label.trim_matches(['[', ']', '(', ')', ':', '|', ' ', ',']);
        if LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known)) || is_request(level) {
            return Err(Quoted::Logged);
        }
        if times::looks_like(level) && !level.bytes().all(|b| b.is_ascii_digit() || b == b':') {
            return Err(Quoted::Time(brief(level).into_owned()));
        }
        // `key="REPORT …`, as loggers write fields.
        if let Some((name, value)) = label.split_once('=').filter(|(name, _)| !name.is_empty()) {
            self.facts.take(name, value.trim_matches('"'));
            self.foreign = true;
            return Ok(behind);
        }
        let marked = label.ends_with([':', '|'])
            || behind.trim_start().starts_with(MARKS)
            || text.starts_with(['[', '(']);
        let word = label.chars().all(|c| c.is_alphabetic() || c == '\'');
        let ends_in_quote = label.ends_with(['"', '\'', '`']);
        // Behind a log stream a message begins, and the platform's begin with REPORT.
        let in_message = self.facts.stream.is_some() || self.facts.group.is_some();
        if in_message || ends_in_quote || (word && !marked) {
            return quoted();
        }
        self.foreign = true;
        let label = label.trim_matches(['[', ']', '(', ')', ':', '|', ' ']);
        if self.facts.label.is_none() && !label.is_empty() && label.len() <= MOST_BYTES {
            self.facts.label = Some(label.to_owned());
        }
        Ok(behind)
    }
}

/// Whether the next word is a log stream, which begins like a date.
fn is_stream_first(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.starts_with(|c: char| c.is_ascii_digit()) && version_of_stream(word).is_some()
}

/// `text` with a space before the commas and semicolons that part fields, and not those within a number.
fn spaced(text: &str) -> Cow<'_, str> {
    let parts = |at: usize| {
        let next = text.as_bytes().get(at + 1);
        !next.is_some_and(|b| b.is_ascii_digit() || b.is_ascii_whitespace())
    };
    let marks = || {
        text.match_indices([',', ';'])
            .map(|(at, _)| at)
            .filter(|at| parts(*at))
    };
    if marks().next().is_none() {
        return Cow::Borrowed(text);
    }
    let mut spaced = String::with_capacity(text.len() + 16);
    let mut from = 0;
    for at in marks() {
        spaced.push_str(text.get(from..at).unwrap_or_default());
        spaced.push(' ');
        from = at;
    }
    spaced.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(spaced)
}

/// What stands in the brackets that `text` begins with, and what follows them.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let close = if text.starts_with('[') { ']' } else { ')' };
    let (inner, behind) = text.get(1..)?.split_once(close)?;
    Some((inner.trim(), behind))
}

/// A request's id: five groups of hexadecimal digits.
fn is_request(word: &str) -> bool {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = || word.split('-');
    parts().count() == LENGTHS.len() && parts().zip(LENGTHS).all(|(p, n)| p.len() == n && hex(p))
}

/// `text` without terminal colours, which some tools also write into files.
pub(super) fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
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
    Cow::Owned(plain)
}
