//! How often a record of the stream has come, as far as this process has seen it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More than are ever under way: what is forgotten only loses its last-try outcome.
const MOST: usize = 10_000;

/// Counts deliveries by sequence number. Lambda does not say how often a record came, and hands it
/// to the failure destination without a word after the last time: who counts can say so before.
#[derive(Debug)]
pub struct Deliveries {
    most: u32,
    failed: Mutex<HashMap<String, u32>>,
}

impl Deliveries {
    /// A record is delivered once and then `retries` times more, as the event source mapping says.
    pub fn with_retries(retries: u32) -> Self {
        Self {
            most: retries.saturating_add(1),
            failed: Mutex::default(),
        }
    }

    /// Notes a delivery that failed; whether it was the last one.
    pub(crate) fn failed(&self, sequence: &str) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST {
            failed.clear();
        }
        let times = failed.entry(sequence.to_owned()).or_default();
        *times += 1;
        *times >= self.most
    }

    /// Forgets a record that is done with.
    pub(crate) fn done(&self, sequence: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.remove(sequence);
    }
}
