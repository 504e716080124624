//! Applies recommendations: in rounds of read, check, write, and reports the outcome of each.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rightsizer_records::{ApiFault, Outcome, Recommendation, SkipCode, Timestamp};

use crate::check::{LATEST, judge_unread};
use crate::control_plane::CALL_WITHIN;
use crate::end::{End, Step};
use crate::order::by_function;
use crate::rate::Backoff;
use crate::retry::retry_after;
use crate::{ApiError, Clock, ControlPlane, PauseSwitch, RetryLater, Settings};

/// A change is not started without the time to make it and to find out its result.
const WRITE_WITHIN: Duration = Duration::from_secs(12);
/// Waits between rounds while something is in the way: a change of memory takes Lambda seconds.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
/// How often a call that was answered 429 is made again.
const THROTTLED_TRIES: usize = 6;
/// Functions that are worked on at once: one that is slow keeps no other waiting. The rate of calls
/// is the control plane's.
const AT_ONCE: usize = 16;

/// Applies recommendations through a control plane.
#[derive(Debug, Clone)]
pub struct Updater<C, P, K> {
    pub(crate) control_plane: C,
    pub(crate) pause: P,
    pub(crate) clock: K,
    pub(crate) settings: Settings,
    until: Option<Timestamp>,
}

/// What a recommendation has done so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// A change of memory was made.
    pub(crate) written: bool,
    /// A change was asked for and got no clear answer, and the function was not read since.
    pub(crate) unclear: bool,
}

impl<C: ControlPlane, P: PauseSwitch, K: Clock> Updater<C, P, K> {
    /// An updater over `control_plane` that asks `pause` before every change and takes the time
    /// from `clock`.
    pub fn new(control_plane: C, pause: P, clock: K, settings: Settings) -> Self {
        Self {
            control_plane,
            pause,
            clock,
            settings,
            until: None,
        }
    }

    /// Begins nothing that could not be finished by then.
    #[must_use]
    pub fn until(self, until: Timestamp) -> Self {
        Self {
            until: Some(until),
            ..self
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Applies many recommendations and hands over the answer to each as it is known, with its
    /// position. Increases go first; those of one function keep their order; a function that waits
    /// keeps no other waiting.
    ///
    /// To stop, drop the future: what was under way is found out by applying the same again.
    pub async fn apply_all(
        &self,
        recs: &[Recommendation],
        mut answered: impl FnMut(usize, Result<Outcome, RetryLater>),
    ) {
        let lanes = by_function(recs);
        let lanes = lanes.into_iter().map(|lane| self.apply_lane(recs, lane));
        let mut answers = stream::iter(lanes).buffer_unordered(AT_ONCE);
        while let Some(lane) = answers.next().await {
            for (position, answer) in lane {
                answered(position, answer);
            }
        }
    }

    /// Applies one recommendation. Safe to call again with the same one: what is there already is
    /// answered `applied` and not written again.
    ///
    /// # Errors
    /// [`RetryLater`] when trying again makes sense.
    pub async fn apply(&self, rec: &Recommendation) -> Result<Outcome, RetryLater> {
        self.apply_before(rec, &[]).await
    }

    /// The recommendations of one function, in order.
    async fn apply_lane(
        &self,
        recs: &[Recommendation],
        lane: Vec<usize>,
    ) -> Vec<(usize, Result<Outcome, RetryLater>)> {
        let lane: Vec<(usize, &Recommendation)> = lane
            .into_iter()
            .filter_map(|position| Some((position, recs.get(position)?)))
            .collect();
        let mut answers = Vec::new();
        for (n, (position, rec)) in lane.iter().enumerate() {
            let behind = lane.get(n + 1..).unwrap_or_default();
            let newer: Vec<_> = behind.iter().map(|(_, rec)| *rec).collect();
            answers.push((*position, self.apply_before(rec, &newer).await));
        }
        answers
    }

    /// Applies `rec`, to which the `newer` ones of the same function come next.
    async fn apply_before(
        &self,
        rec: &Recommendation,
        newer: &[&Recommendation],
    ) -> Result<Outcome, RetryLater> {
        if let Err((code, detail)) = judge_unread(rec, &self.settings) {
            return Ok(End::skipped(code, detail).outcome(rec, self.now()));
        }
        let mut done = Done::default();
        let end = self.rounds(rec, newer, &mut done).await;
        end.map(|end| end.outcome(rec, self.now()))
            .map_err(|error| RetryLater {
                function: rec.function.to_string(),
                error,
                unclear: done.unclear,
            })
    }

    async fn rounds(
        &self,
        rec: &Recommendation,
        newer: &[&Recommendation],
        done: &mut Done,
    ) -> Result<End, ApiError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let step = if rec.version == LATEST {
                self.latest(rec, newer, done).await
            } else {
                self.published(rec, newer, done).await
            };
            let end = match step {
                Step::End(end) => return Ok(end),
                // Waited for already, as long as requested or as time allowed.
                Step::Wait(Err(e))
                    if matches!(e.fault, ApiFault::OutOfTime | ApiFault::Throttled) =>
                {
                    return Err(e);
                }
                Step::Next(end) => Ok(end),
                Step::Wait(end) => end,
            };
            match pauses.next() {
                Some(pause) if self.time_for(pause + CALL_WITHIN) => self.clock.wait(pause).await,
                _ => return end,
            }
        }
    }

    /// Returns whether `how_long` is left.
    pub(crate) fn time_for(&self, how_long: Duration) -> bool {
        let ms = i64::try_from(how_long.as_millis()).unwrap_or(i64::MAX);
        self.until
            .is_none_or(|until| self.now().as_ms().saturating_add(ms) <= until.as_ms())
    }

    /// Makes a call, and again when the service wanted it later and there is time.
    pub(crate) async fn call<T, F>(&self, make: impl Fn() -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        let mut pauses =
            Backoff::new(Duration::from_secs(1), Duration::MAX).take(THROTTLED_TRIES - 1);
        let pause = |e: &ApiError| {
            let throttled = e.fault == ApiFault::Throttled;
            let pause = throttled.then(|| pauses.next()).flatten()?;
            let pause = e.retry_after.unwrap_or(pause);
            self.time_for(pause + CALL_WITHIN).then_some(pause)
        };
        let call = || async {
            if self.time_for(CALL_WITHIN) {
                make().await
            } else {
                Err(out_of_time())
            }
        };
        retry_after(pause, |pause| self.clock.wait(pause), call).await
    }

    /// Whether a change may begin: nothing is paused and there is time. Else what to do instead.
    pub(crate) async fn may_write(&self) -> Result<(), Step> {
        match self.call(|| self.pause.paused()).await {
            Ok(None) => {}
            Ok(Some(why)) => {
                return Err(Step::End(End::skipped(
                    SkipCode::Paused,
                    format!("everything is paused: {why}"),
                )));
            }
            Err(e) => return Err(pause_unknown(&e)),
        }
        if self.time_for(WRITE_WITHIN) {
            Ok(())
        } else {
            Err(Step::Wait(Err(out_of_time())))
        }
    }
}

/// It is unknown whether everything is paused, so nothing is changed.
fn pause_unknown(e: &ApiError) -> Step {
    match Step::of_fault(e.clone()) {
        Step::Wait(Err(e)) => Step::Wait(Err(e)),
        _ => Step::End(End::skipped(
            SkipCode::Paused,
            format!("the pause tag could not be read, so nothing is changed: {e}"),
        )),
    }
}

fn out_of_time() -> ApiError {
    ApiError {
        fault: ApiFault::OutOfTime,
        message: "too little of the invocation's time is left".to_owned(),
        retry_after: None,
    }
}

/// Refuses `rec` if the function already has the size of a newer recommendation of the batch: `rec` would undo it.
pub(crate) fn superseded(
    rec: &Recommendation,
    newer: &[&Recommendation],
    memory: rightsizer_records::Megabytes,
) -> Result<(), (SkipCode, String)> {
    let wants = |newer: &&&Recommendation| newer.version == rec.version && newer.to_mb == memory;
    match newer.iter().find(wants) {
        Some(newer) => Err((
            SkipCode::Superseded,
            format!(
                "the function has {memory} already, the size of the newer recommendation {}",
                newer.id
            ),
        )),
        None => Ok(()),
    }
}
