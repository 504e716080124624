//! Standard output for all commands. A reader that closes early (`rightsizer list | head`) is not
//! an error of the command; a broken connection still is.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use rightsizer_records::shown::shown_lines;

/// Whether the reader of standard output has closed. Recorded here, because a broken pipe may also
/// belong to a connection.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Standard output, for this thread alone. It escapes every character that would control the terminal,
/// hide, or change the direction of a line, because some of the text comes from outside. JSON is escaped
/// in its own way before, by [`super::write_json`].
pub(super) struct Out {
    to: StdoutLock<'static>,
    /// The beginning of a character whose end has not been written yet.
    begun: Vec<u8>,
}

pub(super) fn stdout() -> Out {
    Out {
        to: io::stdout().lock(),
        begun: Vec::new(),
    }
}

/// Prints a text of one or more lines, in which no character from outside controls the terminal.
/// `println!` would panic if the reader has closed.
pub(super) fn line(text: Arguments<'_>) -> io::Result<()> {
    writeln!(stdout(), "{}", shown_lines(&text.to_string()))
}

/// Prints the same, broken between words if it is longer than a line of the terminal.
pub(super) fn prose(text: Arguments<'_>) -> io::Result<()> {
    stdout().write_prose(&format!("{text}\n"))
}

/// Writes the same to standard error: notes and errors, which are not part of the result.
pub(super) fn note(text: Arguments<'_>) {
    let text = shown_lines(&text.to_string()).into_owned();
    let text =
        room(&console::Term::stderr()).map_or_else(|| text.clone(), |width| fitted(&text, width));
    // If standard error is closed, the note cannot be reported.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Returns the characters in a line of standard output: `COLUMNS`, or the terminal's. `None` if lines may have
/// any length.
pub(super) fn width() -> Option<usize> {
    room(&console::Term::stdout())
}

fn room(term: &console::Term) -> Option<usize> {
    let set = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let found = || term.size_checked().map(|(_, columns)| usize::from(columns));
    set.or_else(found).filter(|width| *width > 0)
}

/// Returns the text with the lines that continue a long one indented.
pub(super) fn hanging(text: &str, indent: &str) -> String {
    width().map_or_else(|| text.to_owned(), |width| hung(text, indent, width))
}

/// The same for lines of this width.
pub(super) fn hung(text: &str, indent: &str, width: usize) -> String {
    let options = words(width).subsequent_indent(indent);
    let lines = text.split('\n').map(|line| textwrap::fill(line, &options));
    lines.collect::<Vec<_>>().join("\n")
}

/// Broken at spaces alone: a name that is longer than a line stays whole.
fn words<'a>(width: usize) -> textwrap::Options<'a> {
    textwrap::Options::new(width)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false)
}

/// The text with its long lines broken between words. What a person may copy stays in one piece: indented lines,
/// hints, and tables.
fn fitted(text: &str, width: usize) -> String {
    let options = words(width);
    let lines = text.split('\n').map(|line| {
        let copied = line.starts_with(' ') || line.starts_with("hint:") || line.contains("   ");
        if copied {
            line.to_owned()
        } else {
            textwrap::fill(line, &options)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Prints an error with its causes on one line, and what to do on the lines after it.
pub(super) fn failure(error: &anyhow::Error) {
    note(format_args!("{}", with_hints(error)));
}

/// `error: WHAT: CAUSE`, then the hints of both: a message may carry one behind [`HINT`].
fn with_hints(error: &anyhow::Error) -> String {
    let texts: Vec<String> = error.chain().map(ToString::to_string).collect();
    let parts: Vec<_> = texts.iter().map(|text| text.split_once(HINT)).collect();
    let causes = parts.iter().zip(&texts);
    let mut causes: Vec<&str> = causes
        .map(|(part, text)| part.map_or(text.as_str(), |(what, _)| what))
        .collect();
    // An error that wraps another one may have its words.
    causes.dedup();
    let mut text = format!("error: {}", causes.join(": "));
    for (_, hint) in parts.iter().flatten() {
        text.push_str(HINT);
        text.push_str(hint);
    }
    text
}

/// What stands between a message and what to do about it.
const HINT: &str = "\nhint: ";

/// Whether the reader has closed.
pub(super) fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

fn noted<T>(written: io::Result<T>) -> io::Result<T> {
    written.inspect_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            CLOSED.store(true, Ordering::Relaxed);
        }
    })
}

impl Out {
    /// Writes text of whole lines, broken between words if they are longer than the terminal's.
    pub(super) fn write_prose(&mut self, text: &str) -> io::Result<()> {
        let text = width().map_or_else(|| text.to_owned(), |width| fitted(text, width));
        self.write_all(text.as_bytes())
    }

    /// Writes text whose escape sequences are our own: texts from outside in it are escaped already.
    pub(super) fn write_styled(&mut self, text: &str) -> io::Result<()> {
        noted(self.to.write_all(text.as_bytes()))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = harmless(&mut self.begun, bytes);
        noted(self.to.write_all(text.as_bytes()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(self.to.flush())
    }
}

/// Returns `begun` and `bytes` as text that may be printed. What may be the beginning of a
/// character is left in `begun`; bytes that are not text become U+FFFD.
fn harmless(begun: &mut Vec<u8>, bytes: &[u8]) -> String {
    begun.extend_from_slice(bytes);
    let whole = std::mem::take(begun);
    let mut rest = whole.as_slice();
    let mut text = String::with_capacity(rest.len());
    for chunk in whole.utf8_chunks() {
        for (n, lines) in chunk.valid().split("\r\n").enumerate() {
            text.push_str(if n > 0 { "\r\n" } else { "" });
            text.push_str(&shown_lines(lines));
        }
        let invalid = chunk.invalid();
        rest = &rest[chunk.valid().len() + invalid.len()..];
        let unfinished = str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if rest.is_empty() && unfinished {
            begun.extend_from_slice(invalid);
        } else if !invalid.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the pieces in which it is written.
    #[test]
    fn a_cause_with_the_same_words_is_printed_once() {
        let twice = anyhow::anyhow!("Is a directory").context("Is a directory");
        let text = with_hints(&twice.context("runs.csv"));
        assert_eq!(text, "error: runs.csv: Is a directory");
    }

    #[test]
    fn no_character_of_what_is_printed_steers_the_terminal() {
        let text = "é €\n\u{1b}[2J \u{202e}x \u{9b}\t𝕩\rb";
        let want = "é €\n\\u{1b}[2J \\u{202e}x \\u{9b}\t𝕩\\rb";
        for size in 1..=text.len() {
            let mut begun = Vec::new();
            let pieces = text.as_bytes().chunks(size);
            let printed: String = pieces.map(|piece| harmless(&mut begun, piece)).collect();
            assert_eq!(printed, want, "in pieces of {size}");
            assert!(begun.is_empty());
        }
        let mut begun = Vec::new();
        assert_eq!(harmless(&mut begun, b"a\r\n\tb\r\n"), "a\r\n\tb\r\n");
        assert_eq!(harmless(&mut begun, b"a\xff\xc3("), "a\u{fffd}\u{fffd}(");
    }

    #[test]
    fn long_lines_are_broken_between_words_and_what_is_copied_is_not() {
        let text = "one two three four\nhint: run this long command\n  an indented command\nA    B    a table\nan-endless-name x";
        let want = "one two\nthree four\nhint: run this long command\n  an indented command\nA    B    a table\nan-endless-name\nx";
        assert_eq!(fitted(text, 10), want);
        assert_eq!(fitted("one\n", 10), "one\n");
    }

    #[test]
    fn hints_stand_after_all_causes() {
        let refused = anyhow::anyhow!("refused");
        let error = refused.context("cannot listen on :80\nhint: --listen ADDRESS");
        let text = "error: cannot listen on :80: refused\nhint: --listen ADDRESS";
        assert_eq!(with_hints(&error), text);
    }
}
