//! The parts of a `REPORT` line: labels, words and what separates them, whole or cut off.

use super::{LABELS, Label};

/// The label at the start of `text`, and what follows it.
pub(super) fn label_at(text: &str) -> Option<(Label, &str)> {
    LABELS
        .iter()
        .find_map(|(name, label)| Some((*label, text.strip_prefix(name)?)))
}

/// The label that `text`, to its end, is the beginning of. If there are several, any of them.
pub(super) fn cut_label(text: &str) -> Option<Label> {
    let text = text.trim_end();
    let mut candidates = LABELS
        .iter()
        .filter(|(name, _)| !text.is_empty() && name.starts_with(text));
    let (_, first) = candidates.next()?;
    // "S" may begin SegmentId as well: only an unambiguous beginning shows that a status follows.
    match candidates.next() {
        Some((_, other)) if *first == Label::Status => Some(*other),
        _ => Some(*first),
    }
}

/// `found`, or, if the line ends with it, the one word of `known` that it begins.
pub(super) fn completed(found: &str, rest: &str, known: &[&str], at_least: usize) -> String {
    let at_end = skip_separators(rest).is_empty();
    let whole = known
        .iter()
        .find(|word| at_end && found.len() >= at_least && word.starts_with(found));
    whole.map_or(found, |word| *word).to_owned()
}

/// Splits off the text up to the next separator or literal escape such as `\n`; nothing if a label
/// follows at once.
pub(super) fn word(text: &str) -> (&str, &str) {
    if label_at(text).is_some() {
        return ("", text);
    }
    split_while(text, |c| !is_separator(c))
}

pub(super) fn skip_word(text: &str) -> &str {
    let rest = split_while(text, |c| !is_separator(c)).1;
    if rest.len() == text.len() {
        let mut chars = text.chars();
        chars.next();
        return chars.as_str();
    }
    rest
}

pub(super) fn split_while(text: &str, take: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !take(c)).unwrap_or(text.len()))
}

/// A backslash begins a literal `\n` or `\t` left by a writer that escaped the line.
pub(super) const fn is_separator(c: char) -> bool {
    matches!(c, '|' | '\\' | '\0' | '"') || c.is_ascii_whitespace()
}

pub(super) fn skip_separators(text: &str) -> &str {
    let mut rest = text;
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(is_separator_outside_escapes);
        for escape in ["\\n", "\\t", "\\r", "\\"] {
            rest = rest.strip_prefix(escape).unwrap_or(rest);
        }
        if rest.len() == before {
            return rest;
        }
    }
}

const fn is_separator_outside_escapes(c: char) -> bool {
    c != '\\' && is_separator(c)
}
