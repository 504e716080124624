//! Lines of an input of any size in bounded memory, counted, and returned if a reader took more of
//! them than it could use.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// The longest line that is looked at.
pub const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;
/// The longest JSON document that is read as a whole. A longer one is read entry by entry, if it is a list
/// or has one.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 256 * 1024 * 1024;

/// One line without its line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    /// Bytes beyond the bound, which were skipped.
    pub(super) skipped: u64,
    /// It is the begin or the middle of a document's line, and the next line is the rest.
    pub(super) goes_on: bool,
}

/// What a reader took and could not use.
enum GivenBack {
    Line(Line),
    /// Lines from this number on, of which those before `at` were handed out again.
    Text {
        text: String,
        at: usize,
        number: u64,
    },
}

pub(super) struct Lines<R> {
    input: R,
    number: u64,
    given_back: VecDeque<GivenBack>,
    /// The rest of a document's line, as far as it was read.
    begun: Option<Vec<u8>>,
    /// Came behind the beginning of a line: that is handed out first.
    failure: Option<io::Error>,
    /// The input ended within a document.
    ended_within: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            given_back: VecDeque::new(),
            begun: None,
            failure: None,
            ended_within: false,
        }
    }

    /// What is left of the input.
    pub(super) fn into_input(self) -> R {
        self.input
    }

    /// Lines out of the middle of an input, the first of which is number `first`.
    pub(super) const fn from_line(input: R, first: u64) -> Self {
        let mut lines = Self::new(input);
        lines.number = first - 1;
        lines
    }

    /// Whether no line was read yet: what begins an input may be a head line.
    pub(super) const fn at_start(&self) -> bool {
        self.number == 0
    }

    /// Takes note that the input ended within a document.
    pub(super) const fn note_end_within(&mut self) {
        self.ended_within = true;
    }

    /// Whether the input ended within a document.
    pub(super) const fn ran_out(&self) -> bool {
        self.ended_within
    }

    /// How many lines were read from the input so far.
    pub(super) const fn read(&self) -> u64 {
        self.number
    }

    /// Hands these lines out again, before any other.
    pub(super) fn give_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.given_back.push_front(GivenBack::Line(line));
        }
    }

    /// Hands the lines of `text` out again, before any other; the first of them has this number.
    pub(super) fn give_back_text(&mut self, text: String, number: u64) {
        let at = 0;
        self.given_back
            .push_front(GivenBack::Text { text, at, number });
    }

    /// The next of what was given back.
    fn again(&mut self) -> Option<Line> {
        match self.given_back.pop_front()? {
            GivenBack::Line(line) => Some(line),
            GivenBack::Text { text, at, number } => {
                let rest = text.get(at..).unwrap_or_default();
                let end = memchr::memchr(b'\n', rest.as_bytes());
                let bytes = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                let line = Line {
                    number,
                    bytes: bytes.into(),
                    skipped: 0,
                    goes_on: false,
                };
                if let Some(end) = end {
                    self.given_back.push_front(GivenBack::Text {
                        at: at + end + 1,
                        number: number + 1,
                        text,
                    });
                }
                Some(line)
            }
        }
    }

    /// Fails with `failure` once all lines given back are handed out.
    pub(super) fn fail_after_those(&mut self, failure: io::Error) {
        self.failure = Some(failure);
    }

    /// Skips what is left of a line that continues.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        if self.begun.take().is_some() {
            self.input.skip_until(b'\n')?;
        }
        Ok(())
    }

    /// The next line, as much of it as is allowed. A document that opens the input may have a longer one:
    /// it comes in parts.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.again() {
            return Ok(Some(line));
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let begun = self.begun.take();
        let mut line = Line {
            number: self.number + u64::from(begun.is_none()),
            bytes: begun.unwrap_or_default(),
            skipped: 0,
            goes_on: false,
        };
        let ended = loop {
            match self.more_of(&mut line) {
                Ok(None) => {}
                Ok(Some(ended)) => break ended,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if line.bytes.is_empty() => return Err(e),
                Err(e) => {
                    self.failure = Some(e);
                    break true;
                }
            }
        };
        if !ended && line.bytes.is_empty() {
            return Ok(None);
        }
        self.number = line.number;
        if line.goes_on {
            // Between two values, most likely: no character is cut apart.
            let end = memchr::memrchr(b',', &line.bytes).map_or(line.bytes.len(), |at| at + 1);
            self.begun = Some(line.bytes.split_off(end));
            return Ok(Some(line));
        }
        if line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
        }
        Ok(Some(line))
    }

    /// Takes what is buffered; `Some` when the line is over, with whether anything ended it.
    fn more_of(&mut self, line: &mut Line) -> io::Result<Option<bool>> {
        let opens = |bytes: &[u8]| {
            let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
            matches!(first, Some(b'{' | b'['))
        };
        let chunk = self.input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(Some(false));
        }
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        let room = MAX_LINE_BYTES
            .saturating_sub(line.bytes.len())
            .min(part.len());
        // The parts of a document's line are all of the first one.
        if room < part.len() && line.number == 1 && (self.number == 1 || opens(&line.bytes)) {
            line.goes_on = true;
            line.bytes.extend_from_slice(&part[..room]);
            self.input.consume(room);
            return Ok(Some(true));
        }
        line.bytes.extend_from_slice(&part[..room]);
        line.skipped += (part.len() - room) as u64;
        let used = part.len() + usize::from(end.is_some());
        self.input.consume(used);
        Ok(end.map(|_| true))
    }
}

/// Counts the bytes that went through it, for a progress bar: wrap the file before buffering it.
pub struct Counting<R, F> {
    inner: R,
    total: u64,
    progress: F,
}

impl<R: Read, F: FnMut(u64)> Counting<R, F> {
    /// Calls `progress` with the total number of bytes after every read.
    pub const fn new(inner: R, progress: F) -> Self {
        Self {
            inner,
            total: 0,
            progress,
        }
    }
}

impl<R: Read, F: FnMut(u64)> Read for Counting<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.total += n as u64;
        (self.progress)(self.total);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn texts(input: &[u8], buffer: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, input));
        let mut texts = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            texts.push((line.number, String::from_utf8(line.bytes).unwrap()));
        }
        texts
    }

    #[test]
    fn lines_end_with_either_break_or_the_input() {
        for buffer in [1, 3, 100] {
            let want = ["a", "", "bc", "d"].map(str::to_owned);
            let got = texts(b"a\r\n\nbc\nd", buffer);
            assert_eq!(got, (1..).zip(want).collect::<Vec<_>>(), "{buffer}");
            assert_eq!(texts(b"a\n", buffer), [(1, "a".to_owned())]);
            assert_eq!(texts(b"", buffer), []);
        }
    }

    #[test]
    fn what_is_too_long_is_skipped_but_counted() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 10];
        input.extend_from_slice(b"\nnext");
        let mut lines = Lines::new(input.as_slice());
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.bytes.len(), line.skipped), (MAX_LINE_BYTES, 10));
        assert_eq!(lines.next().unwrap().unwrap().bytes, b"next");
    }

    #[test]
    fn lines_given_back_come_again_in_order() {
        let mut lines = Lines::new(&b"a\nb\nc"[..]);
        let taken = vec![
            lines.next().unwrap().unwrap(),
            lines.next().unwrap().unwrap(),
        ];
        lines.give_back(taken);
        let numbers: Vec<u64> = std::iter::from_fn(|| lines.next().unwrap())
            .map(|l| l.number)
            .collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(lines.read(), 3);
    }

    #[test]
    fn progress_is_reported() {
        let mut seen = Vec::new();
        let mut text = String::new();
        Counting::new(&b"abc"[..], |n| seen.push(n))
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!((text.as_str(), seen.last()), ("abc", Some(&3)));
    }
}
