//! Calls to CloudWatch Logs, at a limited rate, with retries. Knows no AWS type.

use std::future::Future;
use std::time::Duration;

use rightsizer_records::Timestamp;

use super::group::LogGroup;
use crate::Page;
use crate::throttle::{MayBeThrottled, Throttle};
use rightsizer_updater::retry;

/// Waits before a call without a clear answer is made again.
const UNCLEAR_PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// Waits while others' queries take all places there are: five minutes in all.
const BUSY_PAUSES: [u64; 8] = [1, 4, 10, 30, 60, 60, 60, 75];

/// Why a call did not do what it was to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// Too many calls, ours or others'.
    #[error("throttled at every attempt: {0}")]
    Throttled(String),
    /// As many queries run as may run at once.
    #[error("{0}")]
    Busy(String),
    /// Not allowed, or not known to this server.
    #[error("{0}")]
    Denied(String),
    /// The log group or the query is not there.
    #[error("{0}")]
    Missing(String),
    /// The service does not do this with these log groups.
    #[error("{0}")]
    Refused(String),
    /// No clear answer.
    #[error("{0}")]
    Unclear(String),
}

impl MayBeThrottled for LogsError {
    fn throttled(&self) -> Option<Duration> {
        matches!(self, Self::Throttled(_)).then_some(Duration::ZERO)
    }
}

/// How a query is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    /// It waits or runs.
    Running,
    /// It is answered.
    Complete,
    /// It ended without an answer, and another time may not.
    Failed,
    /// It took too long.
    TimedOut,
}

/// A row of an answer: names and values of its fields; those without a value may be missing.
pub type Row = Vec<(String, String)>;

/// What a query has answered so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How it is going.
    pub state: QueryState,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Bytes scanned, which are billed.
    pub scanned_bytes: u64,
}

/// A log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was logged.
    pub at: Option<Timestamp>,
    /// Name of its stream.
    pub stream: Option<String>,
    /// What was logged.
    pub message: String,
}

/// The service with the logs.
pub trait LogsApi: Send + Sync {
    /// A page of the log groups whose name begins so.
    fn groups(
        &self,
        prefix: &str,
        page: Option<String>,
    ) -> impl Future<Output = Result<Page<LogGroup>, LogsError>> + Send;

    /// Starts a query over these groups, from one time up to another, and returns its id.
    fn start(
        &self,
        query: &str,
        groups: &[&str],
        times: (Timestamp, Timestamp),
    ) -> impl Future<Output = Result<String, LogsError>> + Send;

    /// What a query has answered so far.
    fn answer(&self, id: &str) -> impl Future<Output = Result<Answer, LogsError>> + Send;

    /// A page of a group's events that a pattern fits, from one time up to another.
    fn filter(
        &self,
        group: &str,
        pattern: &str,
        times: (Timestamp, Timestamp),
        page: Option<String>,
    ) -> impl Future<Output = Result<Page<LogLine>, LogsError>> + Send;
}

/// Calls at an agreed pace.
#[derive(Debug)]
pub struct Calls<A> {
    api: A,
    throttle: Throttle,
}

impl<A> Calls<A> {
    /// The most calls a second.
    pub fn new(api: A, per_second: f64) -> Self {
        Self {
            api,
            throttle: Throttle::per_second(per_second),
        }
    }

    /// By whom the calls are made.
    pub const fn api(&self) -> &A {
        &self.api
    }

    /// Makes a call when it is its turn, and again if it was throttled or got no clear response.
    pub async fn call<T, F>(&self, make: impl Fn() -> F) -> Result<T, LogsError>
    where
        F: Future<Output = Result<T, LogsError>>,
    {
        let unclear = |error: &LogsError| matches!(error, LogsError::Unclear(_));
        retry(UNCLEAR_PAUSES, unclear, || self.throttle.call(&make)).await
    }
}

impl<A: LogsApi> Calls<A> {
    /// Every log group whose name begins so.
    pub async fn groups(&self, prefix: &str) -> Result<Vec<LogGroup>, LogsError> {
        let mut groups = Vec::new();
        let mut next = None;
        loop {
            let page = self.call(|| self.api.groups(prefix, next.clone())).await?;
            groups.extend(page.items);
            next = page.next;
            if next.is_none() {
                return Ok(groups);
            }
        }
    }

    pub(super) async fn start(
        &self,
        query: &str,
        groups: &[&str],
        times: (Timestamp, Timestamp),
    ) -> Result<String, LogsError> {
        let start = || self.call(|| self.api.start(query, groups, times));
        let busy = |error: &LogsError| matches!(error, LogsError::Busy(_));
        retry(BUSY_PAUSES.map(Duration::from_secs), busy, start).await
    }

    pub(super) async fn answer(&self, id: &str) -> Result<Answer, LogsError> {
        self.call(|| self.api.answer(id)).await
    }

    pub(super) async fn filter(
        &self,
        group: &str,
        pattern: &str,
        times: (Timestamp, Timestamp),
        page: Option<&str>,
    ) -> Result<Page<LogLine>, LogsError> {
        let page = page.map(str::to_owned);
        self.call(|| self.api.filter(group, pattern, times, page.clone()))
            .await
    }
}
