//! A run: invokes until the order is fulfilled, the sampler has learnt enough, or something stops it.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rightsizer_aws::tune::{Ending, Reported};
use rightsizer_records::{Megabytes, Millis, Status};
use rightsizer_rules::power::tuning::{Invocations, Sample};
use rightsizer_rules::power::{Effort, Prior, Sampler, SizePoint, Tuned};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::order::Order;
use super::stage::{Stage, StageError};

/// Invocations without a clear answer, or without a report, that end a run.
const MOST_UNCLEAR: u64 = 3;
/// The first invocation of an environment is slow beyond its start, so it counts only if this number in a row was cold.
const COLD_IN_A_ROW: u32 = 3;

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stop {
    /// The function fails.
    #[error(
        "the function failed at {memory_mb} with {error}{}; the failures are not counted as results",
        if .message.is_empty() { String::new() } else { format!(" ({message})") }
    )]
    Failing {
        /// At which size.
        memory_mb: Megabytes,
        /// The type of the last error.
        error: String,
        /// Its message.
        message: String,
    },
    /// The next invocation could cost more than is allowed.
    #[error("the next invocation could cost more than the ${max_usd} that --max-usd allows")]
    Budget {
        /// What is allowed.
        max_usd: f64,
    },
    /// A person stopped it.
    #[error("it was interrupted")]
    Cancelled,
    /// An invocation was not possible.
    #[error(transparent)]
    Stage(StageError),
    /// Invocations end without a report.
    #[error(
        "{MOST_UNCLEAR} invocations had no report in their log, so their durations are \
             unknown"
    )]
    NoReports,
    /// Every size ran out of memory or of time.
    #[error("every size ran out of memory or into the timeout of the function")]
    NoSizeLeft,
}

/// What a run measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The invocations with a report.
    pub samples: Vec<Sample>,
    /// All invocations, those without a report included.
    pub invocations: u64,
    /// What they cost, in dollars; of those without a report, the most that they can have cost.
    pub spent_usd: f64,
    /// Failed invocations by the type of their error.
    pub errors: BTreeMap<String, u64>,
    /// Invocations without a report or without a clear answer.
    pub unclear: u64,
    /// The best size that the sampler found; `None` without one.
    pub sampled: Option<Megabytes>,
    /// What the sampler has learnt of each size.
    pub tuned: Vec<Tuned>,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stop>,
}

impl Measured {
    /// Returns the result of a run that was interrupted before its first invocation.
    pub fn cancelled() -> Self {
        Self {
            stopped: Some(Stop::Cancelled),
            ..Self::default()
        }
    }
}

/// A run on a stage.
#[derive(Debug)]
pub struct Run<'a, S> {
    order: &'a Order,
    stage: &'a S,
    cancel: &'a CancellationToken,
    /// Invocations at each size so far.
    made: BTreeMap<Megabytes, u32>,
    measured: Measured,
}

impl<'a, S: Stage> Run<'a, S> {
    /// Prepares a run of `order`, which `cancel` ends.
    pub fn new(order: &'a Order, stage: &'a S, cancel: &'a CancellationToken) -> Self {
        Self {
            order,
            stage,
            cancel,
            made: BTreeMap::new(),
            measured: Measured::default(),
        }
    }

    /// Runs, with what production has shown and what other functions have taught; `invoked` is called after each
    /// invocation.
    pub async fn run(
        mut self,
        production: &[SizePoint],
        prior: &Prior,
        mut invoked: impl FnMut(),
    ) -> Measured {
        match self.order.plan.invocations() {
            Invocations::Each(number) => self.each(number, &mut invoked).await,
            Invocations::Adaptive(effort) => {
                self.adaptively(effort, production, prior, &mut invoked)
                    .await;
            }
        }
        self.measured
    }

    /// From the largest size down, because a size that runs out is larger than those that would run out too.
    async fn each(&mut self, number: u32, invoked: &mut impl FnMut()) {
        let sizes: Vec<Megabytes> = self.order.plan.sizes().iter().rev().copied().collect();
        for size in sizes {
            let mut left = number;
            while left > 0 && self.measured.stopped.is_none() {
                let together = left.min(self.order.parallel.max(1));
                left -= together;
                self.together(size, together, invoked).await;
                if self.harmed(size) {
                    if self.none_fits() {
                        self.stop(Stop::NoSizeLeft);
                    }
                    return;
                }
            }
            if self.measured.stopped.is_some() {
                return;
            }
        }
    }

    /// Whether an invocation at this size ran out of memory or of time.
    fn harmed(&self, size: Megabytes) -> bool {
        let here = self.measured.samples.iter().filter(|s| s.memory_mb == size);
        here.into_iter()
            .any(|s| matches!(s.status, Status::OutOfMemory | Status::Timeout))
    }

    fn none_fits(&self) -> bool {
        let mut samples = self.measured.samples.iter();
        !samples.any(|sample| sample.status == Status::Ok)
    }

    async fn adaptively(
        &mut self,
        effort: Effort,
        production: &[SizePoint],
        prior: &Prior,
        invoked: &mut impl FnMut(),
    ) {
        let (order, sizes) = (self.order, self.order.plan.sizes());
        let mut sampler = Sampler::new(sizes, production, prior, order.strategy, effort);
        let mut cold = 0;
        // The sampler counts only what it was given; the plan promises a bound for all.
        while self.measured.stopped.is_none() && self.measured.invocations < effort.invocations {
            let Some(size) = sampler.next().or_else(|| self.unconfirmed(&sampler)) else {
                break;
            };
            let before = self.measured.samples.len();
            self.together(size, 1, invoked).await;
            let Some(sample) = self.measured.samples.get(before) else {
                continue;
            };
            match sample.status {
                Status::OutOfMemory | Status::Timeout => sampler.refuse_up_to(size),
                Status::Error => {}
                Status::Ok => {
                    let start = sample.start_ms();
                    cold = if start.is_some() { cold + 1 } else { 0 };
                    if order.cold_only {
                        sampler.add(size, sample.duration_ms + start.unwrap_or_default());
                    } else if start.is_none() || cold >= COLD_IN_A_ROW {
                        sampler.add(size, sample.duration_ms);
                    }
                }
            }
            if sampler.best().is_none() {
                self.stop(Stop::NoSizeLeft);
            }
        }
        self.measured.sampled = sampler.best();
        self.measured.tuned = sampler.tuned();
    }

    /// Returns the size that seems the best, as long as no invocation there has returned: a size is never chosen by the
    /// curve alone.
    fn unconfirmed(&self, sampler: &Sampler<'_>) -> Option<Megabytes> {
        let best = sampler.best()?;
        let mut samples = self.measured.samples.iter();
        let confirmed = samples.any(|s| s.memory_mb == best && s.status == Status::Ok);
        (!confirmed).then_some(best)
    }

    /// Invokes `count` times at the same time, and notes the results.
    async fn together(&mut self, size: Megabytes, count: u32, invoked: &mut impl FnMut()) {
        let most = f64::from(count) * self.order.most_usd_each(size);
        let max_usd = self.order.max_usd.unwrap_or(f64::INFINITY);
        if self.measured.spent_usd + most > max_usd {
            return self.stop(Stop::Budget { max_usd });
        }
        let first = *self.made.get(&size).unwrap_or(&0);
        self.made.insert(size, first + count);
        let calls = (first..first + count).map(|n| {
            let payload = self.order.payloads.get(self.order.plan.payload(n));
            let payload = payload.map_or("null", String::as_str);
            self.stage.invoke(size, payload, self.order.cold_only)
        });
        let results = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return self.stop(Stop::Cancelled),
            results = join_all(calls) => results,
        };
        for result in results {
            self.note(size, result);
            invoked();
        }
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => self.stop(Stop::Cancelled),
            () = sleep(self.order.pause) => {}
        }
    }

    fn note(&mut self, size: Megabytes, result: Result<Reported, StageError>) {
        match result {
            Ok(reported) => {
                self.measured.invocations += 1;
                self.note_report(size, &reported);
            }
            Err(StageError::Unclear(why)) => {
                self.measured.invocations += 1;
                self.measured.spent_usd += self.order.most_usd_each(size);
                self.measured.unclear += 1;
                if self.measured.unclear >= MOST_UNCLEAR {
                    self.stop(Stop::Stage(StageError::Unclear(why)));
                }
            }
            Err(error) => self.stop(Stop::Stage(error)),
        }
    }

    fn note_report(&mut self, size: Megabytes, reported: &Reported) {
        let figures = reported.duration.zip(reported.billed);
        // A report of another size is not one of this invocation.
        let figures = figures.filter(|_| reported.memory_mb == Some(size));
        let status = self.status(reported);
        if let Some((duration, billed)) = figures {
            let sample = Sample {
                memory_mb: size,
                status,
                duration_ms: duration.as_ms_f64(),
                billed_ms: billed.as_ms_f64(),
                init_ms: reported.init.map(Millis::as_ms_f64),
                restore_ms: reported.restore.map(Millis::as_ms_f64),
                used_mb: reported.max_used_mb,
            };
            let (rates, arch) = (self.order.rates, Some(self.order.arch));
            let compute = rates.compute_usd(sample.billed_ms, size, arch);
            self.measured.spent_usd += compute + rates.request_usd();
            self.measured.samples.push(sample);
        } else {
            self.measured.spent_usd += self.order.most_usd_each(size);
            self.measured.unclear += 1;
            if self.measured.unclear >= MOST_UNCLEAR {
                self.stop(Stop::NoReports);
            }
        }
        if let (Status::Error, Ending::Failed { error, message }) = (status, &reported.ending) {
            *self.measured.errors.entry(error.clone()).or_default() += 1;
            if self.measured.errors.values().sum::<u64>() > self.order.allowed_errors {
                self.stop(Stop::Failing {
                    memory_mb: size,
                    error: error.clone(),
                    message: message.clone(),
                });
            }
        }
    }

    fn status(&self, reported: &Reported) -> Status {
        match &reported.ending {
            Ending::Done => Status::Ok,
            Ending::OutOfMemory => Status::OutOfMemory,
            Ending::TimedOut => Status::Timeout,
            Ending::Failed { error, .. } if self.order.allowed_exceptions.contains(error) => {
                Status::Ok
            }
            Ending::Failed { .. } => Status::Error,
        }
    }

    /// The first reason counts.
    fn stop(&mut self, why: Stop) {
        self.measured.stopped.get_or_insert(why);
    }
}
