//! Function by function: read, judge, write, and check the result, at a limited rate. Knows
//! no AWS type. After a stop, run it again: finished changes are recognised.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rightsizer_records::FunctionArn;
use rightsizer_rules::inventory::FunctionFacts;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::configuration::{Change, Configuration, LastUpdate};
use super::intent::Intent;
use super::plan::Plan;
use super::skip::{Skip, SkipCode};
use crate::throttle::{MayBeThrottled, Throttle};

/// Functions that are worked on at once: Lambda takes seconds for a change, and the rate is to be
/// kept anyway.
const AT_ONCE: usize = 32;
/// Waits before each look at a function.
const PAUSES: [u64; 6] = [0, 1, 2, 4, 8, 8];

/// Why a call did not do what it was to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Too many calls, ours or others'. Nothing was changed.
    #[error("throttled at every attempt")]
    Throttled {
        /// How long to wait, if the service requests it.
        retry_after: Option<Duration>,
    },
    /// The function is being changed, or was since it was read. Nothing was changed by this.
    #[error("{0}")]
    Busy(String),
    /// No clear answer: it may have been changed.
    #[error("{0}")]
    Unclear(String),
    /// Its code and layers would be too large. Nothing was changed.
    #[error("{0}")]
    TooLarge(String),
    /// Its code-signing configuration accepts no layer that its profiles did not sign. Nothing was changed.
    #[error("{0}")]
    NotSigned(String),
    /// No. Nothing was changed.
    #[error("{0}")]
    Refused(String),
}

impl MayBeThrottled for CallError {
    fn throttled(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } => Some(retry_after.unwrap_or_default()),
            _ => None,
        }
    }
}

/// Who reads and changes functions.
pub trait LayersApi: Sync {
    /// A function as it is now.
    fn read(
        &self,
        function: &FunctionArn,
    ) -> impl Future<Output = Result<Configuration, CallError>> + Send;

    /// Changes it, if it is still of this revision.
    fn write(
        &self,
        function: &FunctionArn,
        change: &Change,
        revision: Option<&str>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// A function could not be read, so nothing is planned for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be read: {0}")]
pub struct ReadError(#[source] pub CallError);

/// A function and what is to happen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The function.
    pub facts: FunctionFacts,
    /// Its role, if it was read.
    pub role: Option<String>,
    /// What to do, or the reason why that is unknown.
    pub plan: Result<Plan, ReadError>,
}

/// The result of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was changed, as Lambda confirmed.
    Changed,
    /// Lambda took the change and was still at it when patience ended.
    Accepted,
    /// It was left alone.
    Skipped(Skip),
    /// It could not be changed.
    Failed(String),
}

/// Plans all, and reads those for which the list is not enough; calls back after each.
pub async fn plan_all<A: LayersApi>(
    api: &A,
    reads: &Throttle,
    intent: &Intent,
    functions: Vec<FunctionFacts>,
    mut planned: impl FnMut(),
) -> Vec<Entry> {
    let one = |facts: FunctionFacts| async move {
        if let Some(skip) = intent.prejudge(&facts) {
            let plan = Ok(Plan::Skip(skip));
            let role = None;
            return Entry { facts, role, plan };
        }
        let read = reads.call(|| api.read(&facts.function)).await;
        Entry {
            role: read.as_ref().ok().map(|now| now.role.clone()),
            plan: match read {
                Ok(now) => Ok(intent.judge(&facts, &now)),
                Err(error) => Err(ReadError(error)),
            },
            facts,
        }
    };
    let mut plans = stream::iter(functions.into_iter().map(one)).buffered(AT_ONCE);
    let mut entries = Vec::new();
    while let Some(entry) = plans.next().await {
        planned();
        entries.push(entry);
    }
    entries
}

/// Applies the plan, and reads each function again; calls back with the result of each, by its
/// position. Once `stop` is cancelled, no further change is sent, and what was sent is finished.
pub async fn carry_out<A: LayersApi>(
    api: &A,
    (reads, writes): (&Throttle, &Throttle),
    intent: &Intent,
    functions: Vec<FunctionFacts>,
    stop: &CancellationToken,
    mut became: impl FnMut(usize, Done),
) {
    let one = |(n, facts): (usize, FunctionFacts)| async move {
        let sent = AtomicBool::new(false);
        let stopped = async {
            stop.cancelled().await;
            if sent.load(Ordering::Relaxed) {
                pending::<()>().await;
            }
        };
        // Most functions wait for their turn: these are not changed any more.
        let done = tokio::select! {
            biased;
            () = stopped => None,
            done = one(api, (reads, writes), intent, &facts, &sent) => Some(done),
        };
        (n, done)
    };
    let all = functions.into_iter().enumerate();
    let all = all.take_while(|_| !stop.is_cancelled()).map(one);
    let mut all = stream::iter(all).buffer_unordered(AT_ONCE);
    while let Some((n, done)) = all.next().await {
        if let Some(done) = done {
            became(n, done);
        }
    }
}

/// What is known of a change that was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Not,
    Unclear,
    Accepted,
}

async fn one<A: LayersApi>(
    api: &A,
    (reads, writes): (&Throttle, &Throttle),
    intent: &Intent,
    facts: &FunctionFacts,
    sent: &AtomicBool,
) -> Done {
    let mut asked = Asked::Not;
    let mut last = Done::Failed("it was not tried".to_owned());
    for pause in PAUSES {
        sleep(Duration::from_secs(pause)).await;
        let now = match reads.call(|| api.read(&facts.function)).await {
            Ok(now) => now,
            Err(CallError::Refused(why)) => return Done::Failed(why),
            Err(error) => {
                last = unread(asked, &error);
                continue;
            }
        };
        if let (true, LastUpdate::Failed(why)) = (asked == Asked::Accepted, &now.last_update) {
            return Done::Failed(format!(
                "Lambda accepted the change and could not make it: {why}"
            ));
        }
        let change = match intent.judge(facts, &now) {
            Plan::Change(change) => change,
            Plan::Skip(skip) => match after(asked, skip, &now) {
                Ok(done) => return done,
                Err(waiting) => {
                    last = waiting;
                    continue;
                }
            },
        };
        let revision = now.revision.as_deref();
        let written = writes.call(|| {
            sent.store(true, Ordering::Relaxed);
            api.write(&facts.function, &change, revision)
        });
        match written.await {
            Ok(()) => (asked, last) = (Asked::Accepted, Done::Accepted),
            Err(CallError::TooLarge(why)) => {
                return Done::Skipped(Skip::new(SkipCode::TooLarge, why));
            }
            Err(CallError::NotSigned(why)) => {
                return Done::Skipped(Skip::new(
                    SkipCode::CodeSigning,
                    format!(
                        "its code-signing configuration accepts only signed layers ({why}): sign the layer with one of its profiles, or subscribe its log group"
                    ),
                ));
            }
            Err(CallError::Busy(why)) => {
                last = Done::Skipped(Skip::new(SkipCode::UpdateInProgress, why));
            }
            Err(error @ CallError::Unclear(_)) => {
                asked = Asked::Unclear;
                last = unread(asked, &error);
            }
            Err(error) => return Done::Failed(error.to_string()),
        }
    }
    last
}

/// The meaning of a skip after a change was requested: that the change is there. An error means to
/// read again.
fn after(asked: Asked, skip: Skip, now: &Configuration) -> Result<Done, Done> {
    let there = matches!(skip.code, SkipCode::AlreadyAttached | SkipCode::NotAttached);
    match (asked, there, &now.last_update) {
        (Asked::Accepted | Asked::Unclear, true, LastUpdate::InProgress) => Err(Done::Accepted),
        (Asked::Accepted | Asked::Unclear, true, _) => Ok(Done::Changed),
        _ if skip.code == SkipCode::UpdateInProgress => Err(Done::Skipped(skip)),
        _ => Ok(Done::Skipped(skip)),
    }
}

fn unread(asked: Asked, error: &CallError) -> Done {
    match asked {
        Asked::Not => Done::Failed(error.to_string()),
        Asked::Accepted => Done::Accepted,
        Asked::Unclear => Done::Failed(format!(
            "a change was requested without a clear response ({error}): run the command again"
        )),
    }
}
