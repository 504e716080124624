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

/// Writes the same to standard error: notes and errors, which are not part of the result.
pub(super) fn note(text: Arguments<'_>) {
    // If standard error is closed, the note cannot be reported.
    let _ = writeln!(io::stderr(), "{}", shown_lines(&text.to_string()));
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
    let causes: Vec<&str> = causes
        .map(|(part, text)| part.map_or(text.as_str(), |(what, _)| what))
        .collect();
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
    fn hints_stand_after_all_causes() {
        let refused = anyhow::anyhow!("refused");
        let error = refused.context("cannot listen on :80\nhint: --listen ADDRESS");
        let text = "error: cannot listen on :80: refused\nhint: --listen ADDRESS";
        assert_eq!(with_hints(&error), text);
    }
}
