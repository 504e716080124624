//! A bounded memory of events already taken in. The Telemetry API delivers at least once.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use rightsizer_records::Timestamp;

/// Redelivery repeats recent batches; a batch holds at most 1000 events (`maxItems`), and three
/// events of each invocation are remembered. About 100 KB.
const REMEMBERED: usize = 4096;

/// Which events were taken in lately.
#[derive(Debug, Default)]
pub struct Seen {
    keys: HashSet<u64>,
    order: VecDeque<u64>,
}

/// The kinds of events that come once per invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// `platform.start`.
    Start,
    /// `platform.runtimeDone`.
    RuntimeDone,
    /// `platform.report`.
    Report,
}

impl Seen {
    /// Whether this event is new; it is remembered. An asynchronous retry keeps its request id, so
    /// the time belongs to the key.
    pub(crate) fn is_new(&mut self, step: Step, request_id: &str, at: Timestamp) -> bool {
        let mut hasher = DefaultHasher::new();
        (step, request_id, at).hash(&mut hasher);
        let key = hasher.finish();
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_is_new_once_and_the_memory_is_bounded() {
        let mut seen = Seen::default();
        let at = Timestamp::MIN;
        assert!(seen.is_new(Step::Start, "a", at));
        assert!(!seen.is_new(Step::Start, "a", at));
        assert!(seen.is_new(Step::Report, "a", at));
        assert!(seen.is_new(Step::Start, "a", at.plus_ms(1)));
        for n in 0..10_000 {
            seen.is_new(Step::Report, "b", at.plus_ms(n));
        }
        assert_eq!(
            (seen.keys.len(), seen.order.len()),
            (REMEMBERED, REMEMBERED)
        );
    }
}
