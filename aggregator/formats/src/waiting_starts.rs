//! Starts that failed in one record of a stream, and whose report comes in another one: a log subscription delivers the
//! lines of a log stream in batches, which may end between the two.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use rightsizer_records::{EnvId, Timestamp};
use rightsizer_rules::evidence::FunctionKey;

use super::failed_start::Counted;

/// The most starts that wait. Beyond them the one that has waited longest is forgotten: no report came after it.
const MOST_WAITING: usize = 4096;

/// Starts that wait for the report of their log stream, shared by all who read records. They are kept in memory
/// only: one that waits when the program ends is not counted.
#[derive(Debug, Clone, Default)]
pub struct WaitingStarts(Arc<RwLock<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    by_environment: HashMap<EnvId, Vec<(FunctionKey, Counted)>>,
    /// The environment of each of them, the oldest first.
    order: VecDeque<EnvId>,
}

impl WaitingStarts {
    /// Whether a start of this environment waits.
    pub(super) fn has(&self, environment: EnvId) -> bool {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.by_environment.contains_key(&environment)
    }

    pub(super) fn keep(&self, function: FunctionKey, environment: EnvId, start: Counted) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.order.len() == MOST_WAITING {
            kept.forget_oldest();
        }
        kept.order.push_back(environment);
        let starts = kept.by_environment.entry(environment).or_default();
        starts.push((function, start));
    }

    /// Returns the starts of this environment that failed before a report at `reported`, which no longer wait.
    pub(super) fn take(
        &self,
        function: &FunctionKey,
        environment: EnvId,
        reported: Option<Timestamp>,
    ) -> Vec<Counted> {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(starts) = kept.by_environment.remove(&environment) else {
            return Vec::new();
        };
        let (taken, others): (Vec<_>, Vec<_>) = starts
            .into_iter()
            .partition(|(whose, start)| whose == function && start.is_before(reported));
        kept.order.retain(|waiting| *waiting != environment);
        for _ in &others {
            kept.order.push_back(environment);
        }
        if !others.is_empty() {
            kept.by_environment.insert(environment, others);
        }
        taken.into_iter().map(|(_, start)| start).collect()
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else {
            return;
        };
        if let Some(starts) = self.by_environment.get_mut(&oldest) {
            starts.remove(0);
            if starts.is_empty() {
                self.by_environment.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Millis;

    use super::super::failed_start::{FailedStart, Kind};
    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_ms(1_769_850_000_000 + second * 1000)
    }

    fn start(second: i64) -> Counted {
        Counted {
            start: FailedStart {
                kind: Kind::Init,
                took: Millis::from_ms(10_000),
            },
            at: at(second),
            event: None,
        }
    }

    #[test]
    fn what_waited_longest_is_forgotten() {
        let waiting = WaitingStarts::default();
        let function = FunctionKey::of_file("f");
        let most = MOST_WAITING as u64;
        for n in 0..most {
            waiting.keep(function.clone(), EnvId(n), start(0));
        }
        // One more of the second environment, and one too many.
        assert_eq!(waiting.take(&function, EnvId(7), None).len(), 1);
        waiting.keep(function.clone(), EnvId(1), start(0));
        waiting.keep(function.clone(), EnvId(most), start(0));
        let left = [0, 1, 2, 7, most].map(|n| waiting.take(&function, EnvId(n), None).len());
        assert_eq!(left, [0, 2, 1, 0, 1]);
    }

    #[test]
    fn a_start_waits_for_a_later_report_of_its_own_function() {
        let waiting = WaitingStarts::default();
        let (f, g) = (FunctionKey::of_file("f"), FunctionKey::of_file("g"));
        waiting.keep(f.clone(), EnvId(1), start(20));
        let take = |function, second: i64| waiting.take(function, EnvId(1), at(second)).len();
        assert_eq!((take(&g, 30), take(&f, 19)), (0, 0));
        assert!(waiting.has(EnvId(1)));
        assert_eq!((take(&f, 20), take(&f, 20)), (1, 0));
        assert!(!waiting.has(EnvId(1)));
    }
}
