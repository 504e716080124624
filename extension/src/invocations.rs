//! Invocations that have started and whose report has not come yet.
//!
//! Events arrive at least once, mostly but not always in order. A report closes its invocation; at
//! a failure there may be no time to wait for one, and what `runtimeDone` said makes the row.

use std::collections::VecDeque;

use rightsizer_records::{ReportRow, Status, Timestamp};

use crate::row::Row;
use crate::telemetry::{Report, RuntimeDone};

/// An environment runs one invocation at a time, a managed instance at most this many.
const MOST_OPEN: usize = 256;
/// How many reports are remembered, so that a late `start` of theirs opens nothing.
const MOST_REPORTED: usize = 256;

/// Why the environment is being shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Idle for long enough, or replaced. Nobody waits.
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
    done: Option<RuntimeDone>,
    given_up: bool,
}

/// How an invocation stood when its report came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// What the runtime had said: a report may lack the error type that `runtimeDone` carries.
    pub done: Option<RuntimeDone>,
    /// Whether a row was made of it already.
    pub given_up: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Invocations {
    open: VecDeque<Open>,
    reported: VecDeque<(String, Timestamp)>,
}

impl Invocations {
    /// `platform.start`.
    pub fn start(&mut self, request_id: String, at: Timestamp) {
        if self.was_reported(&request_id, at) {
            return;
        }
        match self.find(&request_id) {
            Some(open) if open.done.is_some() => open.since = at.min(open.since),
            Some(open) => open.since = at,
            None => self.push(Open {
                request_id,
                since: at,
                done: None,
                given_up: false,
            }),
        }
    }

    /// `platform.runtimeDone`.
    pub fn done(&mut self, done: RuntimeDone, at: Timestamp) {
        if self.was_reported(&done.request_id, at) {
            return;
        }
        if let Some(open) = self.find(&done.request_id) {
            open.done = Some(done);
            return;
        }
        self.push(Open {
            request_id: done.request_id.clone(),
            since: at,
            done: Some(done),
            given_up: false,
        });
    }

    /// `platform.report`: the invocation is over.
    pub fn reported(&mut self, report: &Report, at: Timestamp) -> Closed {
        self.reported.push_back((report.request_id.clone(), at));
        if self.reported.len() > MOST_REPORTED {
            self.reported.pop_front();
        }
        let is_it = |o: &Open| o.request_id == report.request_id && o.since <= at;
        let position = self.open.iter().position(is_it);
        let open = position.and_then(|n| self.open.remove(n));
        open.map_or_else(Closed::default, |open| Closed {
            done: open.done,
            given_up: open.given_up,
        })
    }

    /// Whether any invocation is waited for.
    pub fn any_open(&self) -> bool {
        self.open.iter().any(|open| !open.given_up)
    }

    /// Whether any invocation that is waited for is known to have ended, so that a row of it says
    /// how.
    pub fn any_done(&self) -> bool {
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

    fn find(&mut self, request_id: &str) -> Option<&mut Open> {
        self.open.iter_mut().find(|o| o.request_id == request_id)
    }

    fn push(&mut self, open: Open) {
        self.open.push_back(open);
        if self.open.len() > MOST_OPEN {
            self.open.pop_front();
        }
    }

    fn was_reported(&self, request_id: &str, at: Timestamp) -> bool {
        let mut reported = self.reported.iter();
        reported.any(|(id, reported_at)| id == request_id && *reported_at >= at)
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
