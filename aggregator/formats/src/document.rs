//! JSON that begins on a line, over as many lines as it takes, and what of it can be kept where it is cut
//! off.

use std::io::BufRead;

use super::json::{self, Places};
use super::json_scan::{Cut, Progress, Scan};
use super::lines::{Line, Lines, MAX_DOCUMENT_BYTES};
use super::output::{Output, Stopped};
use super::quick;

/// Reads the JSON that begins on `first`, over as many lines as it takes.
pub(super) fn document<R: BufRead>(
    content: &str,
    first: &Line,
    lines: &mut Lines<R>,
    out: &mut Output,
) -> Result<(), Stopped> {
    if let Some(done) = quick::line(content, first.number, out) {
        return done;
    }
    if serde_json::from_str::<&serde_json::value::RawValue>(content).is_ok() {
        return json::value(content, &Places::new(content, first.number), 0, out);
    }
    let mut scan = Scan::default();
    let mut progress = scan.feed(content);
    let on_first = scan.cut().cloned();
    let mut text = content.to_owned();
    let mut taken = Vec::new();
    while progress == Progress::Open && text.len() < MAX_DOCUMENT_BYTES {
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
        let more = String::from_utf8_lossy(&line.bytes);
        progress = match line.skipped {
            0 => scan.feed(&more),
            _ => Progress::Broken, // a part of it is not here
        };
        if progress != Progress::Broken {
            text.push('\n');
            text.push_str(&more);
        }
        taken.push(line);
    }
    if progress == Progress::Whole {
        json::values(&text, &Places::new(&text, first.number), 0, out)
    } else if on_first.is_some() || scan.cut().is_none() {
        // The first line is cut off; the ones after it stand for themselves.
        lines.give_back(taken);
        incomplete(content, on_first.as_ref(), first.number, out)
    } else {
        // A document over several lines, cut off or damaged further down.
        let broken = (progress == Progress::Broken)
            .then(|| taken.pop())
            .flatten();
        lines.give_back(broken.into_iter().collect());
        incomplete(&text, scan.cut(), first.number, out)
    }
}

/// Reads the whole entries of a document that is cut off, and says so.
fn incomplete(text: &str, cut: Option<&Cut>, line: u64, out: &mut Output) -> Result<(), Stopped> {
    // Of a value that is no document of entries, a part is nothing: half a record is no record.
    let closed = cut.and_then(|cut| cut.close(text)).filter(|closed| {
        serde_json::from_str::<serde_json::Value>(closed)
            .is_ok_and(|v| v.get("v").is_none() && v.get("kind").is_none())
    });
    let Some(closed) = closed else {
        return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Err(e) if e.is_eof() => out.refuse(line, "cut off: the JSON does not end", text),
            _ => json::values(text, &Places::new(text, line), 0, out),
        };
    };
    let keep = cut.map_or(0, |cut| cut.keep);
    json::values(&closed, &Places::new(&closed, line), 0, out)?;
    let breaks = text.bytes().take(keep).filter(|b| *b == b'\n').count();
    out.refuse(
        line + breaks as u64,
        "cut off or damaged: the JSON does not go on from here; the entries before are kept",
        text.get(keep..).unwrap_or_default(),
    )
}
