//! A bench: starts every copy at every size, round after round.

use std::collections::BTreeSet;

use rightsizer_aws::tune::{Ending, Reported};
use rightsizer_records::Megabytes;
use rightsizer_rules::power::bench::ColdSample;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::order::{BenchOrder, Copy};
use super::starter::Starter;
use crate::tune::StageError;

/// Groups of starts without a new environment that end the starts at a size.
const MOST_WARM_GROUPS: u32 = 3;
/// Invocations that fail, or without a clear answer, that end the starts of a copy.
const MOST_FAILURES: u32 = 3;

/// Why some starts are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A size is too small.
    #[error("{function} at {size}: {why}; this size was dropped")]
    Size {
        /// The function.
        function: String,
        /// The size.
        size: Megabytes,
        /// The reason.
        why: &'static str,
    },
    /// A copy cannot be started.
    #[error("{function}: {why}; its other starts were skipped")]
    Copy {
        /// The function.
        function: String,
        /// The reason.
        why: String,
    },
    /// The next starts could cost more than allowed.
    #[error("stopped before the starts could cost more than allowed")]
    Budget,
    /// The run was cancelled.
    #[error("stopped before its end")]
    Cancelled,
}

/// What a bench did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Benched {
    /// The starts.
    pub samples: Vec<ColdSample>,
    /// Invocations, those of warm environments and failed ones included.
    pub invocations: u64,
    /// What they cost, in dollars.
    pub spent_usd: f64,
    /// Why starts are missing.
    pub problems: Vec<Problem>,
}

/// Starts the copies as ordered. `started` is called with every start.
pub async fn run<S: Starter>(
    order: &BenchOrder,
    copies: &[Copy<S>],
    cancel: &CancellationToken,
    started: impl FnMut(&ColdSample),
) -> Benched {
    let mut run = Run {
        order,
        done: Benched::default(),
        left: BTreeSet::new(),
        started,
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => run.done.problems.push(Problem::Cancelled),
        () = run.rounds(copies) => {}
    }
    run.done
}

struct Run<'a, F> {
    order: &'a BenchOrder,
    done: Benched,
    /// Sizes of copies, by their places, at which nothing is started any more.
    left: BTreeSet<(usize, Megabytes)>,
    started: F,
}

/// What one group of starts brought.
#[derive(Debug, Default)]
struct Group {
    cold: u32,
    failures: u32,
    last: Option<String>,
    too_small: Option<&'static str>,
}

impl<F: FnMut(&ColdSample)> Run<'_, F> {
    async fn rounds<S: Starter>(&mut self, copies: &[Copy<S>]) {
        let begun = Instant::now();
        for round in 0..self.order.rounds {
            sleep_until(begun + self.order.every * round).await;
            for (at, copy) in copies.iter().enumerate() {
                for size in self.order.sizes.clone() {
                    let left = self.left.contains(&(at, size));
                    if !left && !self.size(at, copy, size, round).await {
                        return;
                    }
                }
            }
        }
    }

    /// Starts a copy at one size. Returns whether the bench goes on.
    async fn size<S: Starter>(
        &mut self,
        at: usize,
        copy: &Copy<S>,
        size: Megabytes,
        round: u32,
    ) -> bool {
        let (mut cold, mut warm_groups, mut failures) = (0, 0, 0);
        while cold < self.order.starts {
            let count = self.order.parallel.min(self.order.starts - cold).max(1);
            let most = f64::from(count) * copy.most_usd_each(size);
            if self.done.spent_usd + most > self.order.max_usd.unwrap_or(f64::INFINITY) {
                self.done.problems.push(Problem::Budget);
                return false;
            }
            let group = match copy.starter.start(size, &copy.payload, count).await {
                Ok(results) => self.note(copy, size, round, results),
                Err(error) => {
                    self.leave_copy(at, copy, error.to_string());
                    return true;
                }
            };
            cold += group.cold;
            failures += group.failures;
            warm_groups += u32::from(group.cold == 0);
            if let Some(why) = group.too_small {
                self.leave_size(at, copy, size, why);
                return true;
            }
            if failures >= MOST_FAILURES {
                self.leave_copy(at, copy, group.last.unwrap_or_default());
                return true;
            }
            if warm_groups >= MOST_WARM_GROUPS {
                self.leave_size(at, copy, size, "its environments were not new");
                return true;
            }
        }
        true
    }

    fn note<S>(
        &mut self,
        copy: &Copy<S>,
        size: Megabytes,
        round: u32,
        results: Vec<Result<Reported, StageError>>,
    ) -> Group {
        let mut group = Group::default();
        for result in results {
            self.done.invocations += 1;
            let reported = match result {
                Ok(reported) => reported,
                Err(error) => {
                    if matches!(error, StageError::Unclear(_)) {
                        self.done.spent_usd += copy.most_usd_each(size);
                    }
                    group.failures += 1;
                    group.last = Some(error.to_string());
                    continue;
                }
            };
            self.done.spent_usd += reported.billed.map_or_else(
                || copy.most_usd_each(size),
                |ms| copy.usd(ms.as_ms_f64(), size),
            );
            match &reported.ending {
                Ending::Done => group.cold += self.note_start(copy, size, round, &reported),
                Ending::OutOfMemory => group.too_small = Some("it ran out of memory"),
                Ending::TimedOut => group.too_small = Some("it ran into its timeout"),
                Ending::Failed { error, message } => {
                    group.failures += 1;
                    group.last = Some(format!("it failed: {error}: {message}"));
                }
            }
        }
        group
    }

    /// Notes the start of a report that has one; returns the number of starts.
    fn note_start<S>(
        &mut self,
        copy: &Copy<S>,
        size: Megabytes,
        round: u32,
        reported: &Reported,
    ) -> u32 {
        // A report of another size is not one of this start.
        let here = reported.memory_mb == Some(size);
        let start = reported.init.or(reported.restore);
        let figures = start.zip(reported.duration).filter(|_| here);
        let Some((start, handler)) = figures else {
            return 0;
        };
        let sample = ColdSample {
            tested: copy.tested.clone(),
            memory_mb: size,
            round,
            start_ms: start.as_ms_f64(),
            handler_ms: handler.as_ms_f64(),
        };
        (self.started)(&sample);
        self.done.samples.push(sample);
        1
    }

    /// Nothing is started at this size any more.
    fn leave_size<S>(&mut self, at: usize, copy: &Copy<S>, size: Megabytes, why: &'static str) {
        self.left.insert((at, size));
        self.done.problems.push(Problem::Size {
            function: copy.tested.function.clone(),
            size,
            why,
        });
    }

    /// Nothing is started of this copy any more.
    fn leave_copy<S>(&mut self, at: usize, copy: &Copy<S>, why: String) {
        let sizes = self.order.sizes.iter();
        self.left.extend(sizes.map(|size| (at, *size)));
        self.done.problems.push(Problem::Copy {
            function: copy.tested.function.clone(),
            why,
        });
    }
}
