//! Follows JSON as its lines come in, without building anything: is it whole, does it go on, or is
//! it broken? And where could it be closed so that what is whole in it can still be read?

use std::ops::Range;

/// Deeper than any format here, and no deeper than the parser goes.
const MAX_DEPTH: usize = 120;
/// A list of entries lies so deep in the document, and in no other list.
const ENTRIES_DEPTH: usize = 4;

/// What is known after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All values are closed.
    Whole,
    /// A value continues with the next line.
    Open,
    /// This line cannot follow.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// The position after the last complete entry, at which the document can be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Bytes to keep, counted over all lines and their line breaks.
    pub(super) keep: usize,
    closers: [u8; ENTRIES_DEPTH],
    depth: usize,
}

impl Cut {
    /// `document` up to the cut, closed.
    pub(super) fn close(&self, document: &str) -> Option<String> {
        let closers = str::from_utf8(self.closers.get(..self.depth)?).ok()?;
        Some(format!("{}{closers}", document.get(..self.keep)?))
    }
}

#[derive(Default)]
pub(super) struct Scan {
    stack: Vec<u8>,
    expect: Option<Expect>,
    offset: usize,
    cut: Option<Cut>,
    /// The position at which the document can be split, so that the part before need not be kept.
    part: Option<Part>,
    /// The first byte of the value that is being read.
    value: usize,
    /// Behind the opening of its list of entries.
    list: Option<usize>,
    /// The entries of its earlier lists.
    earlier: Vec<Range<usize>>,
}

/// Between two entries of a document, or between two documents.
#[derive(Clone, Copy)]
struct Part {
    cut: Cut,
    /// The first byte of the next entry.
    next: usize,
}

impl Scan {
    /// The last place where the document can be closed, if it has whole entries.
    pub(super) const fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Follows one line (without its break).
    pub(super) fn feed(&mut self, line: &str) -> Progress {
        let whole = self.tokens(line.as_bytes(), false);
        self.offset += line.len() + 1;
        match whole {
            None => Progress::Broken,
            Some(_) if self.stack.is_empty() => Progress::Whole,
            Some(_) => Progress::Open,
        }
    }

    /// Follows a part of a line that continues, up to its last whole token: what is behind it comes
    /// again, with more.
    pub(super) fn feed_part(&mut self, part: &str) -> Progress {
        match self.tokens(part.as_bytes(), true) {
            None => Progress::Broken,
            Some(read) => {
                self.offset += read;
                Progress::Open
            }
        }
    }

    /// How many bytes of the document, with its line breaks, were followed.
    pub(super) const fn followed(&self) -> usize {
        self.offset
    }

    /// Parts `document` behind as many whole entries as it has: gives those as a document of their own,
    /// and leaves the rest, which begins as the document did. Also gives how many line breaks the rest
    /// lacks.
    pub(super) fn part(&mut self, document: &mut String) -> Option<(String, u64)> {
        let part = self.part.take()?;
        let whole = part.cut.close(document)?;
        let mut head = String::new();
        let mut from = self.value;
        if let Some(list) = self.list.filter(|_| part.cut.depth > 0) {
            for entries in self.earlier.drain(..) {
                head.push_str(document.get(from..entries.start)?);
                from = entries.end;
            }
            head.push_str(document.get(from..list)?);
        }
        let rest = document.get(part.next..)?;
        let shorter = part.next.checked_sub(head.len())?;
        let breaks = |text: &str| memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        let removed = breaks(document.get(..part.next)?).saturating_sub(breaks(&head));
        *document = format!("{head}{rest}");
        self.offset = self.offset.saturating_sub(shorter);
        self.cut = None;
        if part.cut.depth > 0 {
            self.value = 0;
            self.list = Some(head.len());
        } else {
            self.value = self.value.saturating_sub(shorter);
            self.list = self.list.map(|list| list.saturating_sub(shorter));
            for list in &mut self.earlier {
                *list = list.start.saturating_sub(shorter)..list.end.saturating_sub(shorter);
            }
        }
        Some((whole, removed))
    }

    /// What follows the opening of the list of entries.
    pub(super) fn entries<'a>(&self, document: &'a str) -> &'a str {
        self.list
            .and_then(|list| document.get(list..))
            .unwrap_or_default()
    }

    /// Follows the tokens of a line; gives how far they go, or `None` if they cannot follow.
    fn tokens(&mut self, line: &[u8], goes_on: bool) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = line.get(at) {
            let start = at;
            at += 1;
            match byte {
                b' ' | b'\t' | b'\r' => {}
                b'{' | b'[' => self.open(*byte, start)?,
                b'}' | b']' => self.close(*byte, at)?,
                b',' | b':' => self.punctuation(*byte, start)?,
                b'"' => {
                    match string_end(line, at) {
                        Some(end) => at = end,
                        None if goes_on && !line[at..].iter().any(|b| *b < b' ') => {
                            return Some(start);
                        }
                        None => return None,
                    }
                    self.string(at)?;
                }
                _ => {
                    at = match scalar_end(line, start) {
                        Some(end) if goes_on && end == line.len() => return Some(start),
                        end => end?,
                    };
                    self.value_ends(at)?;
                }
            }
        }
        Some(at)
    }

    fn expect(&self) -> Expect {
        self.expect.unwrap_or(Expect::Value)
    }

    fn open(&mut self, byte: u8, start: usize) -> Option<()> {
        let fits = matches!(self.expect(), Expect::Value | Expect::ValueOrEnd);
        if !fits || self.stack.len() >= MAX_DEPTH {
            return None;
        }
        if self.stack.is_empty() {
            self.value = self.offset + start;
            self.list = None;
            self.earlier.clear();
        }
        self.stack.push(byte);
        if self.in_entries() {
            self.list = Some(self.offset + start + 1);
        }
        self.expect = Some(match byte {
            b'{' => Expect::KeyOrEnd,
            _ => Expect::ValueOrEnd,
        });
        Some(())
    }

    fn close(&mut self, byte: u8, at: usize) -> Option<()> {
        let empty = match byte {
            b'}' => Expect::KeyOrEnd,
            _ => Expect::ValueOrEnd,
        };
        let fits = self.expect() == empty || self.expect() == Expect::CommaOrEnd;
        if byte == b']'
            && self.in_entries()
            && let Some(list) = self.list.take()
        {
            self.earlier.push(list..self.offset + at - 1);
        }
        let opened = self.stack.pop()?;
        if !fits || closer(opened) != byte {
            return None;
        }
        self.expect = Some(Expect::Value);
        self.value_ends(at)
    }

    /// Whether it is in a list of entries, and in none of the entries themselves.
    fn in_entries(&self) -> bool {
        let lists = self.stack.iter().filter(|opened| **opened == b'[');
        self.stack.len() <= ENTRIES_DEPTH && self.stack.last() == Some(&b'[') && lists.count() == 1
    }

    fn punctuation(&mut self, byte: u8, start: usize) -> Option<()> {
        if byte == b','
            && self.in_entries()
            && let Some(cut) = self.cut
        {
            let next = self.offset + start + 1;
            self.part = Some(Part { cut, next });
        }
        self.expect = Some(match (byte, self.expect(), self.stack.last()?) {
            (b',', Expect::CommaOrEnd, b'{') => Expect::Key,
            (b',', Expect::CommaOrEnd, _) | (b':', Expect::Colon, _) => Expect::Value,
            _ => return None,
        });
        Some(())
    }

    fn string(&mut self, at: usize) -> Option<()> {
        if matches!(self.expect(), Expect::Key | Expect::KeyOrEnd) {
            self.expect = Some(Expect::Colon);
            return Some(());
        }
        self.value_ends(at)
    }

    fn value_ends(&mut self, at: usize) -> Option<()> {
        if !matches!(self.expect(), Expect::Value | Expect::ValueOrEnd) {
            return None;
        }
        self.expect = (!self.stack.is_empty()).then_some(Expect::CommaOrEnd);
        if self.stack.is_empty() {
            let next = self.offset + at;
            let cut = Cut {
                keep: next,
                closers: [0; ENTRIES_DEPTH],
                depth: 0,
            };
            self.part = Some(Part { cut, next });
        }
        if self.in_entries() {
            let mut closers = [0; ENTRIES_DEPTH];
            let opened = self.stack.iter().rev();
            for (closing, opened) in closers.iter_mut().zip(opened) {
                *closing = closer(*opened);
            }
            self.cut = Some(Cut {
                keep: self.offset + at,
                closers,
                depth: self.stack.len(),
            });
        }
        Some(())
    }
}

const fn closer(opened: u8) -> u8 {
    match opened {
        b'{' => b'}',
        _ => b']',
    }
}

/// JSON has no line breaks inside strings: one that does not end on its line is broken.
fn string_end(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(line, at + 1)?,
            0..=0x1f => return None,
            _ => at += 1,
        }
    }
}

fn escape_end(line: &[u8], at: usize) -> Option<usize> {
    const HEX: usize = 4;
    match line.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = line.get(at + 1..=at + HEX)?;
            let valid = digits.iter().all(u8::is_ascii_hexdigit);
            valid.then_some(at + 1 + HEX)
        }
        _ => None,
    }
}

/// A number, `true`, `false` or `null`, exactly as the parser takes them: what is let through
/// here and refused there would cost the whole document.
fn scalar_end(line: &[u8], start: usize) -> Option<usize> {
    let in_scalar = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
    let length = line[start..].iter().take_while(|b| in_scalar(b)).count();
    let end = start + length;
    serde_json::from_slice::<serde::de::IgnoredAny>(&line[start..end]).ok()?;
    Some(end)
}

#[cfg(test)]
mod tests;
