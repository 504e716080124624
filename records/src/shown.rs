//! Text from outside, on its way to a terminal, a log, a file or a page.
//!
//! A writer of reports chooses some of this text. Characters that control a terminal, hide text, or
//! change its direction never reach an output as they are: [`shown`] is the one function for all
//! of them, and the others here are [`shown`] for one format.

use std::borrow::Cow;

/// Whether a character shows nothing and does something: control characters, escapes, line and
/// paragraph separators, marks that turn the direction of text, and everything of no width.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether there is a hidden character in `text`.
pub fn has_hidden(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// A text from outside as it may be put on a line: what is hidden is written out, as `\u{202e}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden, |c, to| to.extend(c.escape_default()))
}

/// The same for a text of several lines: its line breaks and tabs stay.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, hidden_in_lines, |c, to| to.extend(c.escape_default()))
}

/// A text from outside in a cell of a Markdown table: no link, no markup, no second cell.
pub fn markdown(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    let text = shown(text);
    for (at, c) in text.char_indices() {
        match c {
            '\\' | '|' | '`' | '[' | ']' | '*' | '~' => cell.extend(['\\', c]),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            // Addresses become links by themselves.
            '@' => cell.push_str("&#64;"),
            ':' if text[at..].starts_with("://") => cell.push_str("&#58;"),
            '.' if ends_with_www(&text[..at]) => cell.push_str("&#46;"),
            other => cell.push(other),
        }
    }
    cell
}

/// JSON as it may be put on a terminal: the same document, in which no hidden character stands as it is.
pub fn json(document: &str) -> Cow<'_, str> {
    // Outside of texts a document has none but line breaks.
    escaped(document, hidden_in_lines, |c, to| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            to.push_str(&format!("\\u{unit:04x}"));
        }
    })
}

const fn hidden_in_lines(c: char) -> bool {
    is_hidden(c) && !matches!(c, '\n' | '\t')
}

fn ends_with_www(text: &str) -> bool {
    let last = text.len().checked_sub(3).and_then(|at| text.get(at..));
    last.is_some_and(|last| last.eq_ignore_ascii_case("www"))
}

fn escaped(
    text: &str,
    hidden: fn(char) -> bool,
    write: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut to = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) {
            write(c, &mut to);
        } else {
            to.push(c);
        }
    }
    Cow::Owned(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_written_out() {
        for (text, wanted) in [
            ("plain ünïcode 漢字 × \u{a0}", "plain ünïcode 漢字 × \u{a0}"),
            ("\u{1b}]0;x\u{7}\u{9b}2J", "\\u{1b}]0;x\\u{7}\\u{9b}2J"),
            ("a\r\n\tb", "a\\r\\n\\tb"),
            (
                "\u{202e}gnp.exe\u{2066}\u{200b}",
                "\\u{202e}gnp.exe\\u{2066}\\u{200b}",
            ),
            ("\u{2028}\u{e0041}", "\\u{2028}\\u{e0041}"),
        ] {
            assert_eq!(shown(text), wanted);
            assert!(!has_hidden(&shown(text)));
        }
        assert_eq!(shown_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }

    #[test]
    fn a_cell_of_markdown_has_no_markup() {
        for (text, wanted) in [
            ("local:a|b|c", "local:a\\|b\\|c"),
            ("<script>", "&lt;script&gt;"),
            (
                "[x](javascript:alert`1`)",
                "\\[x\\](javascript:alert\\`1\\`)",
            ),
            ("a\nb", "a\\\\nb"),
            (
                "https://evil www.evil me@evil",
                "https&#58;//evil www&#46;evil me&#64;evil",
            ),
            ("my_function-1.x", "my_function-1.x"),
        ] {
            assert_eq!(markdown(text), wanted);
        }
    }

    #[test]
    fn json_stays_the_same_document() {
        let value = serde_json::json!({"a": "\u{202e}\u{9b}\u{e0041}\u{7f}b\n\u{1b}"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let encoded = json(&text);
        assert!(!encoded.chars().any(hidden_in_lines), "{encoded}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&encoded).unwrap(),
            value
        );
    }
}
