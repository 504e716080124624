//! JSON that begins on a line, over as many lines as it takes, and what of it can be kept if it is
//! cut off.

use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::insights;
use super::json::{self, Places};
use super::json_scan::{Cut, Progress, Scan};
use super::lines::{Line, Lines};
use super::output::{Format, Output, Stopped};
use super::quick;

/// Reads JSON of which no line follows.
pub(super) fn one_line(content: &str, number: u64, out: &mut Output) -> Result<(), Stopped> {
    if let Some(done) = whole(content, number, out) {
        return done;
    }
    let mut scan = Scan::default();
    match scan.feed(content) {
        Progress::Whole => json::values(content, &Places::new(content, number), 0, out),
        Progress::Open | Progress::Broken => incomplete(content, scan.cut(), number, out),
    }
}

/// Reads a line that is one JSON value; `None` if it is not.
fn whole(content: &str, number: u64, out: &mut Output) -> Option<Result<(), Stopped>> {
    if let Some(done) = quick::line(content, number, out) {
        return Some(done);
    }
    serde_json::from_str::<&serde_json::value::RawValue>(content).ok()?;
    Some(json::value(content, &Places::new(content, number), 0, out))
}

/// Reads the JSON that begins on `first`, over as many lines as it takes.
pub(super) fn document<R: BufRead>(
    content: &str,
    first: &Line,
    lines: &mut Lines<R>,
    out: &mut Output,
) -> Result<(), Stopped> {
    if !first.goes_on
        && let Some(done) = whole(content, first.number, out)
    {
        return done;
    }
    let mut begun = Begun {
        text: content.to_owned(),
        scan: Scan::default(),
        line: first.number,
        parted: false,
    };
    let progress = begun.follow(first.goes_on);
    let on_first = begun.scan.cut().copied().filter(|_| !first.goes_on);
    let (progress, broken) = match progress {
        Progress::Open => begun.follow_lines(first.goes_on, lines, out)?,
        done => (done, None),
    };
    // What is given back below is looked at again.
    out.spend(|budget| budget.look(begun.text.len()))?;
    if progress == Progress::Whole {
        let Begun { text, line, .. } = begun;
        return json::values(&text, &Places::new(&text, line), 0, out);
    }
    if let Err(e) = lines.skip_line() {
        lines.fail_after_those(e);
    }
    lines.give_back(broken.into_iter().collect());
    let Begun {
        text,
        scan,
        line,
        parted,
    } = begun;
    if !parted && !first.goes_on && (on_first.is_some() || scan.cut().is_none()) {
        // The first line is cut off; the ones after it stand for themselves.
        if let Some(rest) = text.get(content.len() + 1..) {
            lines.give_back_text(rest.to_owned(), first.number + 1);
        }
        drop(text);
        incomplete(content, on_first.as_ref(), first.number, out)
    } else {
        // A long document, cut off or damaged further down.
        incomplete(&text, scan.cut(), line, out)
    }
}

/// So much of a document is read at once: of a longer one, its entries so far.
const PART_BYTES: usize = 4 << 20;

/// A document as far as it was read.
struct Begun {
    /// Its begin, and what was not read as entries yet.
    text: String,
    scan: Scan,
    /// The line that `text` begins on, less the line breaks that are not in it any more.
    line: u64,
    /// Entries were read already.
    parted: bool,
}

impl Begun {
    /// Follows as many lines as it takes; also gives the one that cannot follow.
    fn follow_lines<R: BufRead>(
        &mut self,
        mut goes_on: bool,
        lines: &mut Lines<R>,
        out: &mut Output,
    ) -> Result<(Progress, Option<Line>), Stopped> {
        let mut progress = Progress::Open;
        while progress == Progress::Open && self.text.len() < out.budget.document {
            self.give(out)?;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => {
                    lines.note_end_within();
                    break;
                }
                Err(e) => {
                    lines.fail_after_those(e);
                    break;
                }
            };
            let more = out.text(&line.bytes)?;
            let before = self.text.len();
            if !goes_on {
                self.text.push('\n');
            }
            self.text.push_str(&more);
            progress = match line.skipped {
                0 => self.follow(line.goes_on),
                _ => Progress::Broken, // a part of it is not here
            };
            if progress == Progress::Broken && !goes_on {
                // The lines before may be whole without it.
                self.text.truncate(before);
                return Ok((progress, Some(line)));
            }
            goes_on = line.goes_on;
        }
        Ok((progress, None))
    }

    /// Follows what was added.
    fn follow(&mut self, goes_on: bool) -> Progress {
        let line = self.text.get(self.scan.followed()..).unwrap_or_default();
        if goes_on {
            self.scan.feed_part(line)
        } else {
            self.scan.feed(line)
        }
    }

    /// Reads the entries of a long document so far. What comes live is short.
    fn give(&mut self, out: &mut Output) -> Result<(), Stopped> {
        if out.live() || self.text.len() < PART_BYTES {
            return Ok(());
        }
        // Fields of rows that are all in one list cannot be told apart without what is before them.
        if insights::begins_with_field(self.scan.entries(&self.text)) {
            return Ok(());
        }
        let Some((entries, removed)) = self.scan.part(&mut self.text) else {
            return Ok(());
        };
        json::values(&entries, &Places::new(&entries, self.line), 0, out)?;
        self.line += removed;
        self.parted = true;
        Ok(())
    }
}

/// The fields of a record of this product.
#[derive(Deserialize)]
struct Record {
    v: Option<IgnoredAny>,
    kind: Option<IgnoredAny>,
}

/// Whether `closed` is JSON other than a record: half a record is not evidence.
fn is_document(closed: &str) -> bool {
    if closed.trim_start().starts_with('{') {
        return serde_json::from_str::<Record>(closed)
            .is_ok_and(|record| record.v.is_none() && record.kind.is_none());
    }
    serde_json::from_str::<IgnoredAny>(closed).is_ok()
}

/// Reads the complete entries of a document that is cut off, and reports that.
fn incomplete(text: &str, cut: Option<&Cut>, line: u64, out: &mut Output) -> Result<(), Stopped> {
    // A part of a value that is not a list of entries is not evidence.
    let closed = cut.and_then(|cut| cut.close(text));
    let Some(closed) = closed.filter(|closed| is_document(closed)) else {
        return match serde_json::from_str::<IgnoredAny>(text) {
            Err(e) if e.is_eof() => {
                // Known by its fields, though its end is missing.
                if text.contains("\"logEvents\"") || text.contains("\"messageType\"") {
                    out.format(Format::Subscription);
                }
                out.refuse(line, "cut off: the JSON does not end", text)
            }
            _ => json::values(text, &Places::new(text, line), 0, out),
        };
    };
    let keep = cut.map_or(0, |cut| cut.keep);
    json::values(&closed, &Places::new(&closed, line), 0, out)?;
    let breaks = text.bytes().take(keep).filter(|b| *b == b'\n').count();
    out.refuse(
        line + breaks as u64,
        "cut off or damaged: the JSON is invalid from here on; the entries before are kept",
        text.get(keep..).unwrap_or_default(),
    )
}
