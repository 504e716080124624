//! The result of the records of the stream that this process has seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More than are ever under way: what is forgotten is found out by reading the function.
const MOST: usize = 10_000;

/// Keeps deliveries by sequence number, as long as the process lives.
///
/// Lambda repeats all records after one that failed. Those with an outcome are not applied again,
/// so that a later change by someone else is not reverted. Lambda also does not report how often it
/// delivered a record, and moves it to the failure destination silently after the last time.
/// Counting deliveries allows an outcome before that.
#[derive(Debug)]
pub struct Deliveries {
    most: u32,
    seen: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It came so often and has to come again.
    Failed(u32),
    /// It was answered, and the answer is on the stream.
    Done,
}

impl Deliveries {
    /// A record is delivered once and then `retries` times more, as set in the event source
    /// mapping.
    pub fn with_retries(retries: u32) -> Self {
        Self {
            most: retries.saturating_add(1),
            seen: Mutex::default(),
        }
    }

    /// Notes a delivery that failed; whether it was the last one.
    pub(crate) fn failed(&self, sequence: &str) -> bool {
        let mut seen = self.seen();
        let times = match seen.get(sequence) {
            Some(Seen::Failed(times)) => times.saturating_add(1),
            _ => 1,
        };
        seen.insert(sequence.to_owned(), Seen::Failed(times));
        times >= self.most
    }

    /// Notes a record that is done with.
    pub(crate) fn done(&self, sequence: &str) {
        self.seen().insert(sequence.to_owned(), Seen::Done);
    }

    /// Whether a record is done with.
    pub(crate) fn is_done(&self, sequence: &str) -> bool {
        self.seen().get(sequence) == Some(&Seen::Done)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.clear();
        }
        seen
    }
}
