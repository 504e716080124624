//! Invocations that have started and whose report has not come yet.
//!
//! Events arrive at least once, mostly but not always in order, and the clock that stamps them may
//! step at any moment. So the request id decides what belongs together: each invocation has one
//! `start`, one `runtimeDone` and one report, whatever their times. Times only choose between
//! attempts of the same request, since an asynchronous retry keeps its id.
//!
//! A report closes its invocation. After a failure there may be no time to wait for one; the row is
//! then based on `runtimeDone`.

use std::collections::VecDeque;

use rightsizer_records::{ReportRow, Status, Timestamp};

use crate::row::Row;
use crate::telemetry::{Report, RuntimeDone};

/// An environment runs one invocation at a time, a managed instance at most this many.
const MOST_OPEN: usize = 256;
/// How many reports are remembered, so that a late event of theirs opens nothing.
const MOST_REPORTED: usize = 256;
/// A `start` that arrives after a report of its request, and is later than it by more than this, is
/// a retry: Lambda makes the first one a minute after the failure. One within this is late, and the
/// clock was put back.
const RETRY_AFTER_MS: i64 = 30_000;

/// Why the environment is being shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Idle for long enough, or replaced. Nothing waits for the end.
    Spindown,
    /// An invocation ran into its timeout: its caller is waiting.
    Timeout,
    /// The runtime or an extension ended: the caller is waiting.
    Failure,
}

impl ShutdownReason {
    /// From the platform's word, which comes in upper or lower case; unknown words count as idle.
    pub fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "timeout" => Self::Timeout,
            "failure" => Self::Failure,
            _ => Self::Spindown,
        }
    }

    const fn status(self) -> Option<&'static str> {
        match self {
            Self::Spindown => None,
            Self::Timeout => Some("timeout"),
            Self::Failure => Some("failure"),
        }
    }
}

#[derive(Debug)]
struct Open {
    request_id: String,
    since: Timestamp,
    started: bool,
    done: Option<RuntimeDone>,
    given_up: bool,
}

/// An invocation whose report has come, and which of its events came before it.
#[derive(Debug)]
struct Reported {
    request_id: String,
    at: Timestamp,
    started: bool,
    done: bool,
}

impl Reported {
    /// Whether an event of this time may be one of this invocation.
    fn may_have(&self, request_id: &str, at: Timestamp) -> bool {
        self.request_id == request_id && at <= self.at.plus_ms(RETRY_AFTER_MS)
    }
}

/// How an invocation stood when its report came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// The result in `runtimeDone`: a report may lack the error type that it has.
    pub done: Option<RuntimeDone>,
    /// Whether a row was made of it already.
    pub given_up: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Invocations {
    open: VecDeque<Open>,
    reported: VecDeque<Reported>,
}

impl Invocations {
    /// `platform.start`. Returns whether it begins an invocation that is not over yet.
    pub fn start(&mut self, request_id: String, at: Timestamp) -> bool {
        let is_retry = |of: Timestamp| at > of.plus_ms(RETRY_AFTER_MS);
        let unstarted = |open: &&mut Open| {
            open.request_id == request_id && !open.started && !is_retry(open.since)
        };
        if let Some(open) = self.open.iter_mut().find(unstarted) {
            // Its `runtimeDone` was faster.
            open.started = true;
            open.since = at;
            return true;
        }
        let mut reported = self.reported.iter_mut();
        let its_own = |r: &&mut Reported| !r.started && r.may_have(&request_id, at);
        if let Some(over) = reported.find(its_own) {
            over.started = true;
            return false;
        }
        self.push(Open {
            request_id,
            since: at,
            started: true,
            done: None,
            given_up: false,
        });
        true
    }

    /// `platform.runtimeDone`.
    pub fn done(&mut self, done: RuntimeDone, at: Timestamp) {
        let id = &done.request_id;
        let running = self.position(id, at, |open| open.done.is_none());
        let began_before = running.is_some_and(|n| self.open[n].since <= at);
        let mut reported = self.reported.iter_mut();
        let its_own = |r: &&mut Reported| !r.done && r.may_have(id, at);
        if !began_before && let Some(over) = reported.find(its_own) {
            over.done = true;
            return;
        }
        if let Some(n) = running.or_else(|| self.position(id, at, |_| true)) {
            self.open[n].done = Some(done);
            return;
        }
        self.push(Open {
            request_id: done.request_id.clone(),
            since: at,
            started: false,
            done: Some(done),
            given_up: false,
        });
    }

    /// `platform.report`: the invocation is over.
    pub fn reported(&mut self, report: &Report, at: Timestamp) -> Closed {
        let position = self.position(&report.request_id, at, |_| true);
        let open = position.and_then(|n| self.open.remove(n));
        self.reported.push_back(Reported {
            request_id: report.request_id.clone(),
            at,
            started: open.as_ref().is_some_and(|open| open.started),
            done: open.as_ref().is_some_and(|open| open.done.is_some()),
        });
        if self.reported.len() > MOST_REPORTED {
            self.reported.pop_front();
        }
        open.map_or_else(Closed::default, |open| Closed {
            done: open.done,
            given_up: open.given_up,
        })
    }

    /// Whether any invocation is waited for.
    pub(crate) fn any_open(&self) -> bool {
        self.open.iter().any(|open| !open.given_up)
    }

    /// Whether any open invocation is known to have ended, so that its row has an ending.
    pub(crate) fn any_done(&self) -> bool {
        let mut open = self.open.iter();
        open.any(|open| !open.given_up && open.done.is_some())
    }

    /// Gives up waiting: what is known of each open invocation, as rows that a report may still
    /// complete. Rows lack a memory size.
    pub fn give_up(&mut self, reason: ShutdownReason) -> Vec<Row> {
        let open = self.open.iter_mut().filter(|open| !open.given_up);
        let row = |open: &mut Open| {
            open.given_up = true;
            row_of(open, reason)
        };
        open.map(row).collect()
    }

    /// The attempt at this request that an event of this time belongs to: the last that began
    /// before it, or the first if the clock was set back since.
    fn position(
        &self,
        request_id: &str,
        at: Timestamp,
        fits: impl Fn(&Open) -> bool,
    ) -> Option<usize> {
        let is_it = |open: &Open| open.request_id == request_id && fits(open);
        let before = self.open.iter().rposition(|o| is_it(o) && o.since <= at);
        before.or_else(|| self.open.iter().position(is_it))
    }

    fn push(&mut self, open: Open) {
        self.open.push_back(open);
        if self.open.len() > MOST_OPEN {
            self.open.pop_front();
        }
    }
}

fn row_of(open: &Open, reason: ShutdownReason) -> Row {
    let done = open.done.clone().unwrap_or_default();
    let status = done.status.as_deref().or(reason.status());
    Row {
        at: open.since,
        memory_mb: None,
        awaits: Some(open.request_id.clone()),
        row: ReportRow {
            duration_ms: done.duration_ms,
            status: Status::classify(status, done.error_type.as_deref(), None),
            ..ReportRow::default()
        },
        error: done.error_type,
    }
}
