//! The summary of `rightsizer import`: as JSON for programs, grouped by reason for people.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::output::Format;
use super::read::Summary;

/// The most refused entries that are listed one by one; the count is exact beyond it.
pub const MAX_LISTED: usize = 10_000;
/// Reasons and line numbers shown to a person.
const SHOWN_REASONS: usize = 10;
const SHOWN_LINES: usize = 5;
/// A note that more files than these have is shown once.
const FEW_FILES: usize = 3;
const SHOWN_SAMPLE: usize = 100;

/// What became of everything in one or more files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Entries looked at: `accepted + ignored + refused_count`.
    pub read: u64,
    /// Entries that are evidence.
    pub accepted: u64,
    /// Entries that are none and need not be, such as `START` lines.
    pub ignored: u64,
    /// Entries that cannot be used; at most [`MAX_LISTED`] of them.
    pub refused: Vec<Refusal>,
    /// How many could not be used, listed or not.
    pub refused_count: u64,
    /// The formats found.
    pub formats: Vec<Format>,
    /// What the user should know about how the files were understood.
    pub notes: Vec<String>,
}

/// One entry that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file as the user named it.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
    /// How the entry begins.
    pub sample: String,
}

impl ImportReport {
    /// Lists an entry that cannot be used; [`ImportReport::finish`] counts it.
    pub fn note(&mut self, refusal: Refusal) {
        if self.refused.len() < MAX_LISTED {
            self.refused.push(refusal);
        }
    }

    /// Adds what reading `file` came to.
    pub fn finish(&mut self, file: &str, summary: Summary) {
        self.read += summary.read;
        self.accepted += summary.accepted;
        self.ignored += summary.ignored;
        self.refused_count += summary.refused;
        self.formats.extend(summary.formats);
        self.formats.sort_unstable();
        self.formats.dedup();
        let notes = summary.notes.into_iter();
        self.notes
            .extend(notes.map(|note| format!("{file}: {note}")));
    }

    /// Adds the report of another file.
    pub fn absorb(&mut self, other: Self) {
        self.read += other.read;
        self.accepted += other.accepted;
        self.ignored += other.ignored;
        self.refused_count += other.refused_count;
        let room = MAX_LISTED.saturating_sub(self.refused.len());
        self.refused.extend(other.refused.into_iter().take(room));
        self.formats.extend(other.formats);
        self.formats.sort_unstable();
        self.formats.dedup();
        self.notes.extend(other.notes);
    }

    /// Whether anything is evidence, which is what decides the exit code.
    pub const fn any(&self) -> bool {
        self.accepted > 0
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "read {}: {} accepted, {} ignored (not evidence), {} refused",
            self.read, self.accepted, self.ignored, self.refused_count
        )?;
        for note in alike(&self.notes) {
            writeln!(f, "note: {}", shown(&note, usize::MAX))?;
        }
        let mut groups: BTreeMap<&str, Vec<&Refusal>> = BTreeMap::new();
        for refusal in &self.refused {
            groups.entry(&refusal.reason).or_default().push(refusal);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, refusals)| std::cmp::Reverse(refusals.len()));
        for (reason, refusals) in groups.iter().take(SHOWN_REASONS) {
            group(f, reason, refusals)?;
        }
        let hidden = groups.len().saturating_sub(SHOWN_REASONS);
        if hidden > 0 {
            writeln!(f, "and {hidden} other reasons: --json lists them all")?;
        }
        if self.refused_count > self.refused.len() as u64 {
            let listed = self.refused.len();
            writeln!(f, "only the first {listed} refused entries are listed")?;
        }
        Ok(())
    }
}

/// The notes, with one of those that many files have in common but for their figures.
fn alike(notes: &[String]) -> Vec<String> {
    let kind = |note: &String| -> String {
        let what = note
            .split_once(": ")
            .map_or(note.as_str(), |(_, what)| what);
        what.chars().filter(|c| !c.is_ascii_digit()).collect()
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for note in notes {
        *counts.entry(kind(note)).or_default() += 1;
    }
    let mut shown = Vec::new();
    for note in notes {
        match counts.get_mut(&kind(note)) {
            Some(count) if *count > FEW_FILES => {
                shown.push(format!("{note} (the same in {} other files)", *count - 1));
                *count = 0;
            }
            Some(0) | None => {}
            Some(_) => shown.push(note.clone()),
        }
    }
    shown
}

fn group(f: &mut fmt::Formatter<'_>, reason: &str, refusals: &[&Refusal]) -> fmt::Result {
    writeln!(
        f,
        "refused {}: {}",
        refusals.len(),
        shown(reason, usize::MAX)
    )?;
    let mut places: Vec<String> = Vec::new();
    let mut file = "";
    for refusal in refusals.iter().take(SHOWN_LINES) {
        if file == refusal.file {
            places.push(refusal.line.to_string());
        } else {
            file = &refusal.file;
            places.push(format!("{} line {}", shown(file, usize::MAX), refusal.line));
        }
    }
    let more = if refusals.len() > SHOWN_LINES {
        ", …"
    } else {
        ""
    };
    writeln!(f, "    {}{more}", places.join(", "))?;
    match refusals.first() {
        // Of what is no text, the beginning shows nothing.
        Some(first) if !first.sample.is_empty() && !first.sample.contains('\0') => {
            writeln!(f, "    such as: {}", shown(&first.sample, SHOWN_SAMPLE))
        }
        _ => Ok(()),
    }
}

/// `text` as it can be put on a terminal: shortened, and without anything that controls it.
fn shown(text: &str, most: usize) -> String {
    let short: String = text.chars().take(most).collect();
    let mut shown = rightsizer_records::shown::shown(&short).into_owned();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &str, line: u64, reason: &str, sample: &str) -> Refusal {
        Refusal {
            file: file.to_owned(),
            line,
            reason: reason.to_owned(),
            sample: sample.to_owned(),
        }
    }

    fn summary(accepted: u64, refused: u64) -> Summary {
        Summary {
            formats: vec![Format::ReportLines],
            lines: accepted + refused,
            read: accepted + refused,
            accepted,
            ignored: 0,
            refused,
            notes: vec!["a note".to_owned()],
        }
    }

    #[test]
    fn a_note_that_many_files_have_is_shown_once() {
        let mut notes = Vec::from(["a: 5 rows have no time", "b: an odd end"].map(str::to_owned));
        notes.extend((0..FEW_FILES).map(|n| format!("c{n}: 12 rows have no time")));
        let want = [
            "a: 5 rows have no time (the same in 3 other files)",
            "b: an odd end",
        ];
        assert_eq!(alike(&notes), want);
    }

    #[test]
    fn people_see_reasons_with_places_and_one_harmless_sample() {
        let mut report = ImportReport::default();
        for line in 3..10 {
            let sample = "REPORT \u{1b}[2J\u{202e}x";
            report.note(refused("a.log", line, "cut off", sample));
        }
        report.note(refused("b.log", 1, "other", &"y".repeat(150)));
        report.finish("a.log", summary(5, 7));
        report.finish("b.log", summary(0, 1));
        let text = report.to_string();
        assert_eq!(
            text,
            format!(
                "read 13: 5 accepted, 0 ignored (not evidence), 8 refused\n\
                 note: a.log: a note\n\
                 note: b.log: a note\n\
                 refused 7: cut off\n    a.log line 3, 4, 5, 6, 7, …\n    \
                 such as: REPORT \\u{{1b}}[2J\\u{{202e}}x\n\
                 refused 1: other\n    b.log line 1\n    such as: {}…\n",
                "y".repeat(100)
            )
        );
    }

    #[test]
    fn programs_get_every_refusal_up_to_a_bound_and_the_exact_count() {
        let mut report = ImportReport::default();
        let many = MAX_LISTED as u64 + 5;
        for line in 1..=many {
            report.note(refused("a.log", line, "cut off", "x"));
        }
        report.finish("a.log", summary(0, many));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["read"], many);
        assert_eq!(json["accepted"], 0);
        assert_eq!(json["refused_count"], many);
        assert_eq!(json["refused"].as_array().unwrap().len(), MAX_LISTED);
        assert_eq!(json["refused"][0]["line"], 1);
        assert_eq!(json["refused"][0]["reason"], "cut off");
        assert!(!report.any());
        assert!(report.to_string().contains("only the first 10000 refused"));
    }
}
