//! How a line, or an entry, is added to a block as its writer would have.

use super::document::Document;
use super::node::{Kind, Node, Style};

/// Text to be put in one place, around the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Insertion {
    pub(super) at: usize,
    pub(super) before: String,
    pub(super) after: String,
}

/// Why there is no place for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("it is unknown whether the module takes memory_size")]
    UnknownModule,
    #[error("it has no attribute on a line of its own")]
    NoLine,
    #[error("its block is empty")]
    EmptyBlock,
    #[error("its first key is not alone on its line")]
    NotAlone,
    #[error("other places use its block too")]
    SharedBlock,
}

/// The line ending of a text at a place: that of its line, else the file's first.
pub(super) fn line_ending(text: &str, at: usize) -> &'static str {
    let here = text.get(at..).unwrap_or_default();
    let line = here.split_inclusive('\n').next().unwrap_or_default();
    let line = if line.ends_with('\n') {
        line
    } else {
        text.split_inclusive('\n').next().unwrap_or_default()
    };
    if line.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// The end of a place's line, before its line ending.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + line.strip_suffix('\r').unwrap_or(line).len()
}

/// The text of a place's line before it.
pub(super) fn before_on_line(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default()
}

/// Returns the position for `key` in a map without it: after the first of `companions` that has a
/// line of its own, else before the map's first entry.
pub(super) fn entry(
    document: &Document<'_>,
    map: &Node,
    key: &str,
    companions: &[&str],
) -> Result<Insertion, NoPlace> {
    let entries = map.entries().unwrap_or_default();
    let Some((first, _)) = entries.first() else {
        return Err(NoPlace::EmptyBlock);
    };
    let flow = document.text.get(map.span.start..).unwrap_or_default();
    if flow.starts_with('{') {
        return Ok(in_braces(document, entries, key));
    }
    let indent = before_on_line(document.text, first.span.start);
    if !indent.chars().all(|c| c == ' ') {
        return Err(NoPlace::NotAlone);
    }
    let line = |at| (indent, line_ending(document.text, at));
    let companion = companions.iter().find_map(|name| {
        let (_, value) = entries
            .iter()
            .find(|(key, _)| key.as_text() == Some(name))?;
        is_one_line(document, value).then_some(value)
    });
    Ok(if let Some(value) = companion {
        let (indent, end) = line(value.span.start);
        Insertion {
            at: end_of_line(document.text, value.span.end),
            before: format!("{end}{indent}{key}: "),
            after: String::new(),
        }
    } else {
        let (indent, end) = line(first.span.start);
        Insertion {
            at: first.span.start,
            before: format!("{key}: "),
            after: format!("{end}{indent}"),
        }
    })
}

/// Whether a value ends on the line that it begins on.
fn is_one_line(document: &Document<'_>, value: &Node) -> bool {
    let written = document.text.get(value.span.clone());
    let scalar = matches!(&value.kind, Kind::Scalar { style, .. } if *style != Style::Block);
    scalar && written.is_some_and(|text| !text.is_empty() && !text.contains('\n'))
}

/// Before the first entry in braces, spaced as that one is.
pub(super) fn in_braces(document: &Document<'_>, entries: &[(Node, Node)], key: &str) -> Insertion {
    let text = document.text;
    let Some((first, value)) = entries.first() else {
        return Insertion {
            at: 0,
            before: String::new(),
            after: String::new(),
        };
    };
    let quoted = text.get(first.span.clone()).unwrap_or_default();
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''));
    let quote = quote.map_or_else(String::new, String::from);
    let colon = text.get(first.span.end..value.span.start);
    let spaced = colon.is_none_or(|colon| colon.ends_with(char::is_whitespace));
    let line = before_on_line(text, first.span.start);
    let gap = if line.chars().all(char::is_whitespace) && line.len() < first.span.start {
        format!("{}{line}", line_ending(text, first.span.start))
    } else if spaced {
        " ".to_owned()
    } else {
        String::new()
    };
    Insertion {
        at: first.span.start,
        before: format!("{quote}{key}{quote}:{}", if spaced { " " } else { "" }),
        after: format!(",{gap}"),
    }
}
