//! Follows JSON as its lines come in, without building anything: is it whole, does it go on, or is
//! it broken? And where could it be closed so that what is whole in it can still be read?

/// Deeper than any format here, and no deeper than the parser goes.
const MAX_DEPTH: usize = 120;
/// A list of entries lies in the document itself or in one of its fields.
const ENTRIES_DEPTH: usize = 2;

/// What is known after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All values are closed.
    Whole,
    /// A value goes on with the next line.
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

/// Where a document can be closed: behind its last whole entry.
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
}

impl Scan {
    /// The last place where the document can be closed, if it has whole entries.
    pub(super) const fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Follows one line (without its break).
    pub(super) fn feed(&mut self, line: &str) -> Progress {
        let whole = self.tokens(line.as_bytes());
        self.offset += line.len() + 1;
        match whole {
            None => Progress::Broken,
            Some(()) if self.stack.is_empty() => Progress::Whole,
            Some(()) => Progress::Open,
        }
    }

    fn tokens(&mut self, line: &[u8]) -> Option<()> {
        let mut at = 0;
        while let Some(byte) = line.get(at) {
            let start = at;
            at += 1;
            match byte {
                b' ' | b'\t' | b'\r' => {}
                b'{' | b'[' => self.open(*byte)?,
                b'}' | b']' => self.close(*byte, at)?,
                b',' | b':' => self.punctuation(*byte)?,
                b'"' => {
                    at = string_end(line, at)?;
                    self.string(at)?;
                }
                _ => {
                    at = scalar_end(line, start)?;
                    self.value_ends(at)?;
                }
            }
        }
        Some(())
    }

    fn expect(&self) -> Expect {
        self.expect.unwrap_or(Expect::Value)
    }

    fn open(&mut self, byte: u8) -> Option<()> {
        let fits = matches!(self.expect(), Expect::Value | Expect::ValueOrEnd);
        if !fits || self.stack.len() >= MAX_DEPTH {
            return None;
        }
        self.stack.push(byte);
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
        let opened = self.stack.pop()?;
        if !fits || closer(opened) != byte {
            return None;
        }
        self.expect = Some(Expect::Value);
        self.value_ends(at)
    }

    fn punctuation(&mut self, byte: u8) -> Option<()> {
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
        if self.stack.last() == Some(&b'[') && self.stack.len() <= ENTRIES_DEPTH {
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
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn scan(lines: &[&str]) -> (Progress, Scan) {
        let mut scan = Scan::default();
        let mut progress = Progress::Whole;
        for line in lines {
            progress = scan.feed(line);
        }
        (progress, scan)
    }

    #[test]
    fn a_document_is_followed_over_its_lines() {
        assert_eq!(
            scan(&["{", "\"a\": [", "1, {\"b\": \"}\\\"\"}", "]", "}"]).0,
            Progress::Whole
        );
        assert_eq!(scan(&["[]", "{}", "1"]).0, Progress::Whole);
        assert_eq!(scan(&["{", "\"a\": ["]).0, Progress::Open);
        for broken in [
            "{\"v\":1,\"kind\":\"rep",
            "{]",
            "[1 2]",
            "{1:2}",
            "[,]",
            "{\"a\" 1}",
            "]",
            "[}",
            "[1,]",
            "[NaN]",
            "[1.2.3]",
            "[\"\\x\"]",
            "[\"\\u12g4\"]",
        ] {
            assert_eq!(scan(&[broken]).0, Progress::Broken, "{broken}");
        }
        assert_eq!(scan(&["{\"a\":1,", "{\"a\":1}"]).0, Progress::Broken);
        assert_eq!(scan(&[&"[".repeat(5000)]).0, Progress::Broken);
    }

    #[test]
    fn a_cut_document_is_closed_behind_its_last_whole_entry() {
        let text = "{\"logGroup\": \"g\", \"events\": [{\"a\": [1, 2]}, {\"a\": [3";
        let (progress, scan) = scan(&[text]);
        assert_eq!(progress, Progress::Open);
        let closed = scan.cut().unwrap().close(text).unwrap();
        assert_eq!(
            closed,
            "{\"logGroup\": \"g\", \"events\": [{\"a\": [1, 2]}]}"
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,5}", inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_whole_and_its_beginnings_can_be_closed(value in json(), pretty: bool, cut in 0_usize..500) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let lines: Vec<&str> = text.split('\n').collect();
            prop_assert_eq!(scan(&lines).0, Progress::Whole);
            let begun: String = text.chars().take(cut).collect();
            let lines: Vec<&str> = begun.split('\n').collect();
            let (_, scan) = scan(&lines);
            if let Some(cut) = scan.cut() {
                let closed = cut.close(&begun).unwrap();
                prop_assert!(serde_json::from_str::<Value>(&closed).is_ok(), "{}", closed);
            }
        }

        #[test]
        fn any_text_is_answered(lines in prop::collection::vec("[\\[\\]{}\",:\\\\a1 ]{0,12}|.{0,12}", 0..6)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let _ = scan(&lines);
        }
    }
}
