//! The journal: one line for each function that is finished, so that a run that was ended continues with the others.
//!
//! Lines are only appended. A last line that was cut off by a crash counts as not written.

use std::collections::BTreeMap;

use rightsizer_rules::power::tuning::TunedFunction;
use serde::{Deserialize, Serialize};

/// How a function ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finished {
    /// It was tuned.
    Tuned(TunedFunction),
    /// It could not be, for this reason.
    Failed(String),
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The function, as the list names it.
    pub function: String,
    /// What it was run with: its payloads and the options. A result of another run does not count.
    pub fingerprint: String,
    /// How it ended.
    #[serde(flatten)]
    pub finished: Finished,
}

/// What is done already.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Journal {
    entries: BTreeMap<String, Entry>,
    /// Lines that are not an entry, such as a last one that was cut off.
    pub unreadable: usize,
}

impl Entry {
    /// Returns the line with its end.
    ///
    /// # Errors
    /// If a figure is not a number.
    pub fn line(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

impl Journal {
    /// Reads a journal; of two entries of a function the later counts.
    pub fn read(text: &str) -> Self {
        let mut journal = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Entry>(line) {
                Ok(entry) => {
                    journal.entries.insert(entry.function.clone(), entry);
                }
                Err(_) => journal.unreadable += 1,
            }
        }
        journal
    }

    /// Returns the result of a function that was tuned in the same way. One that failed is tried again.
    pub fn tuned(&self, function: &str, fingerprint: &str) -> Option<&TunedFunction> {
        let entry = self.entries.get(function);
        match &entry
            .filter(|entry| entry.fingerprint == fingerprint)?
            .finished
        {
            Finished::Tuned(tuned) => Some(tuned),
            Finished::Failed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::*;

    fn entry(function: &str, finished: Option<u64>) -> Entry {
        let tuned = |invocations| TunedFunction {
            function: format!("arn:{function}"),
            now_mb: Megabytes(512),
            curve_mb: None,
            tuned_mb: Megabytes(1024),
            sizes: Vec::new(),
            monthly_invocations: None,
            invocations,
            spent_usd: 0.01,
        };
        Entry {
            function: function.to_owned(),
            fingerprint: "ab12".to_owned(),
            finished: finished.map_or_else(
                || Finished::Failed("it has no role".to_owned()),
                |invocations| Finished::Tuned(tuned(invocations)),
            ),
        }
    }

    #[test]
    fn a_run_continues_behind_its_last_whole_line() {
        let lines = [
            entry("a", Some(20)),
            entry("b", None),
            entry("a", Some(30)),
            entry("c", Some(9)),
        ];
        let lines: Vec<String> = lines.iter().map(|entry| entry.line().unwrap()).collect();
        let whole = lines.concat();
        let journal = Journal::read(&whole[..whole.len() - 5]);
        assert_eq!(journal.unreadable, 1);
        let invocations = |function| journal.tuned(function, "ab12").map(|t| t.invocations);
        assert_eq!(invocations("a"), Some(30));
        assert_eq!((invocations("b"), invocations("c")), (None, None));
        assert_eq!(
            Journal::read(&whole)
                .tuned("c", "ab12")
                .unwrap()
                .invocations,
            9
        );
    }

    #[test]
    fn a_result_of_other_options_does_not_count() {
        let journal = Journal::read(&entry("a", Some(20)).line().unwrap());
        assert!(journal.tuned("a", "other").is_none());
    }
}
