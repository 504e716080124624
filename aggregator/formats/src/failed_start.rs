//! Starts that failed. The platform reports them in lines of their own (`INIT_REPORT`, `RESTORE_REPORT`), or in events
//! (`platform.initReport`, `platform.restoreReport`). None of them has the memory size: that is in the report of the
//! invocation that waited for the start, which follows in the same log stream.

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;

use rightsizer_records::{EnvId, Millis, Timestamp};
use rightsizer_rules::evidence::FunctionKey;

use super::endings::remember;
use super::figures::Invocation;
use super::message::Spot;
use super::report_line;
use super::waiting_starts::WaitingStarts;

/// How the platform's lines about starts begin.
const INIT_LINE: &str = "INIT_REPORT ";
const RESTORE_LINE: &str = "RESTORE_REPORT ";
/// The types of its events about starts.
const INIT_EVENT: &str = "platform.initReport";
const RESTORE_EVENT: &str = "platform.restoreReport";

/// What started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Init,
    Restore,
}

/// A start that failed or timed out after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailedStart {
    pub(super) kind: Kind,
    pub(super) took: Millis,
}

/// A start that failed, and is to be counted at the size of the next report of its environment.
struct Waiting {
    function: Rc<FunctionKey>,
    environment: Option<EnvId>,
    counted: Counted,
}

/// The starts that failed in what was read so far of one input, and whose size is not known yet.
#[derive(Default)]
pub(super) struct FailedStarts {
    own: VecDeque<Waiting>,
    /// Those of other records of the same streams.
    others: Option<WaitingStarts>,
}

/// What is counted of a start that failed.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) start: FailedStart,
    pub(super) at: Option<Timestamp>,
    pub(super) event: Option<u64>,
}

impl Kind {
    /// What an event of this type is about.
    pub(super) fn of_event(kind: &str) -> Option<Self> {
        match kind {
            INIT_EVENT => Some(Self::Init),
            RESTORE_EVENT => Some(Self::Restore),
            _ => None,
        }
    }
}

/// Whether a start with this status failed. Starts of snapshots and of provisioned concurrency that succeeded have lines
/// without a status.
pub(super) fn has_failed(status: Option<&str>) -> bool {
    status.is_some_and(|status| status != "success")
}

/// The start that failed, by a line of the platform.
pub(super) fn parse(text: &str) -> Option<FailedStart> {
    let (kind, fields) = match text.strip_prefix(INIT_LINE) {
        Some(fields) => (Kind::Init, fields),
        None => (Kind::Restore, text.strip_prefix(RESTORE_LINE)?),
    };
    let found = report_line::start(fields)?;
    let kind = if found.restored { Kind::Restore } else { kind };
    has_failed(Some(&found.status)).then_some(FailedStart {
        kind,
        took: found.took,
    })
}

/// Whether it looks like an event about a start, as the platform writes it with JSON logging.
pub(super) fn is_event(text: &str) -> bool {
    text.starts_with('{')
        && (text.contains("\"platform.initReport\"") || text.contains("\"platform.restoreReport\""))
}

impl Counted {
    /// Whether it failed before a report at this time. A time that is missing excludes nothing.
    pub(super) fn is_before(&self, reported: Option<Timestamp>) -> bool {
        self.at
            .zip(reported)
            .is_none_or(|(failed, reported)| failed <= reported)
    }
}

impl FailedStarts {
    /// Continues with the starts that wait since other records of a stream.
    pub(super) fn since(&mut self, others: WaitingStarts) {
        self.others = Some(others);
    }

    /// Leaves what waits at the end of a record to the next ones. Without a log stream, another record shows nothing
    /// about it.
    pub(super) fn leave(&mut self) {
        let Some(others) = &self.others else { return };
        for waiting in self.own.drain(..) {
            if let Some(environment) = waiting.environment {
                others.keep((*waiting.function).clone(), environment, waiting.counted);
            }
        }
    }

    /// Whether one waits for a report that a later part of the input may have.
    pub(super) fn wait(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether one may have failed before a report of this environment.
    pub(super) fn may_have(&self, environment: Option<EnvId>) -> bool {
        let has = |others: &WaitingStarts| environment.is_some_and(|env| others.has(env));
        self.wait() || self.others.as_ref().is_some_and(has)
    }

    /// Keeps a start until the report of its environment.
    pub(super) fn keep(&mut self, spot: Spot<'_>, start: FailedStart) {
        remember(
            &mut self.own,
            Waiting {
                function: spot.origin.function.clone(),
                environment: spot.origin.environment,
                counted: Counted {
                    start,
                    at: spot.at,
                    event: spot.event,
                },
            },
        );
    }

    /// The starts that failed before a report of the environment of `spot`. If the report has the duration of one of them
    /// as that of its own start, it is left out there, so that it counts once.
    pub(super) fn before(&mut self, spot: Spot<'_>, report: &mut Invocation) -> Vec<Counted> {
        let Spot { origin, at, .. } = spot;
        let mut found = Vec::new();
        if let (Some(others), Some(environment)) = (&self.others, origin.environment) {
            found = others.take(&origin.function, environment, at);
        }
        let is_its_own = |waiting: &Waiting| {
            waiting.function == origin.function
                && waiting.environment == origin.environment
                && waiting.counted.is_before(at)
        };
        let (own, left) = take(&mut self.own).into_iter().partition(is_its_own);
        self.own = left;
        let own: VecDeque<Waiting> = own;
        found.extend(own.into_iter().map(|waiting| waiting.counted));
        for counted in &mut found {
            counted.at = counted.at.or(at);
        }
        for Counted { start, .. } in &found {
            let own = match start.kind {
                Kind::Init => &mut report.init_ms,
                Kind::Restore => &mut report.restore_ms,
            };
            own.take_if(|took| *took == start.took);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_rules::evidence::{Evidence, Item, Observation};

    use super::*;
    use crate::hints::tests::hints;
    use crate::read;

    #[test]
    fn a_line_shows_a_start_that_failed() {
        let of = |kind, ms| {
            let took = Millis::from_ms_f64(ms).unwrap();
            Some(FailedStart { kind, took })
        };
        for (line, wanted) in [
            (
                "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout",
                of(Kind::Init, 10_009.13),
            ),
            (
                "INIT_REPORT Init Duration: 4.87 ms  Phase: invoke   Status: error   Error Type: Runtime.ExitError",
                of(Kind::Init, 4.87),
            ),
            (
                "INIT_REPORT Init Duration: 700.5 ms\tPhase: restore\tStatus: timeout",
                of(Kind::Restore, 700.5),
            ),
            (
                "RESTORE_REPORT Restore Duration: 1236.04 ms Status: timeout",
                of(Kind::Restore, 1236.04),
            ),
            // What succeeded: a snapshot, and a restore.
            ("INIT_REPORT Init Duration: 9908.09 ms", None),
            (
                "INIT_REPORT Init Duration: 45000 ms Phase: invoke Status: success",
                None,
            ),
            ("RESTORE_REPORT Restore Duration: 398.97 ms", None),
            ("INIT_REPORT Phase: init Status: timeout", None),
            ("INIT_REPORT Init Duration: soon Status: timeout", None),
            ("my INIT_REPORT Init Duration: 10 ms Status: error", None),
        ] {
            assert_eq!(parse(line), wanted, "{line}");
        }
    }

    fn observations(text: &str) -> Vec<Observation> {
        let mut seen = Vec::new();
        let mut sink = |item| {
            if let Item::Evidence {
                evidence: Evidence::Observation(one),
                ..
            } = item
            {
                seen.push(one);
            }
            Ok::<(), ()>(())
        };
        read(text.as_bytes(), &hints(), &mut sink).unwrap();
        seen
    }

    /// Two attempts fail, each counts at the size of the report that follows. The report repeats one of their durations,
    /// which does not make a start that succeeded of it.
    #[test]
    fn starts_that_failed_have_the_size_of_the_report_that_follows() {
        let text = "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout\n\
            INIT_REPORT Init Duration: 3000.5 ms\tPhase: invoke\tStatus: timeout\n\
            REPORT RequestId: a\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 192 MB\tMax Memory Used: 90 MB\t\
            Init Duration: 10009.13 ms\tStatus: timeout\n\
            REPORT RequestId: b\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 256 MB\tMax Memory Used: 90 MB\t\
            Init Duration: 300.00 ms\n";
        let seen: Vec<(u32, bool, Option<Millis>)> = observations(text)
            .into_iter()
            .map(|one| (one.memory_mb.0, one.failed_start, one.init_ms))
            .collect();
        let ms = Millis::from_ms_f64;
        let wanted = [
            (192, true, ms(10_009.13)),
            (192, true, ms(3000.5)),
            (192, false, None),
            (256, false, ms(300.0)),
        ];
        assert_eq!(seen, wanted);
    }

    /// The report of another environment, by its stream, does not have its size.
    #[test]
    fn a_start_belongs_to_its_log_stream() {
        let event = |stream: &str, message: &str, second: i64| {
            serde_json::json!({"logStreamName": format!("2026/01/31/[7]{stream}"), "timestamp": 1_769_850_000_000 + second * 1000,
                "message": message})
        };
        let report = |mb: u32| {
            format!(
                "REPORT RequestId: {mb}\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: {mb} MB\tMax Memory Used: 90 MB"
            )
        };
        let text = serde_json::json!({"events": [
            event("aa", "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout", 0),
            event("bb", &report(512), 0),
            event("aa", &report(1024), 0),
            // The next report of its stream is older: a repeated delivery.
            event("bb", "INIT_REPORT Init Duration: 20.5 ms Status: error", 1),
            event("bb", &report(512), 0),
            event("cc", "RESTORE_REPORT Restore Duration: 1236.04 ms Status: error Error Type: Runtime.ExitError", 0),
        ]});
        let seen: Vec<(u32, bool)> = observations(&text.to_string())
            .into_iter()
            .map(|one| (one.memory_mb.0, one.failed_start))
            .collect();
        let wanted = [(512, false), (1024, true), (1024, false), (512, false)];
        assert_eq!(seen, wanted);
    }

    /// A subscription delivers the attempt in one record and the report in a later one. The report of another log
    /// stream between the two is not of this start, and a repeated delivery of the report finds it counted.
    #[test]
    fn a_start_waits_for_the_report_in_another_record() {
        let (waiting, mut seen) = (WaitingStarts::default(), Vec::new());
        let mut deliver = |stream: &str, message: &str| {
            let payload = serde_json::json!({"messageType": "DATA_MESSAGE", "owner": "123456789012",
                "logGroup": "/aws/lambda/checkout", "logStream": format!("2026/01/31/[7]{stream}"),
                "logEvents": [{"id": message, "timestamp": 1_769_850_000_000_i64, "message": message}]});
            let mut sink = |item| {
                if let Item::Evidence {
                    evidence: Evidence::Observation(one),
                    ..
                } = item
                {
                    let init = one.init_ms.map(Millis::ceil_ms);
                    seen.push((
                        one.memory_mb.0,
                        one.failed_start,
                        init,
                        one.event_id.is_some(),
                    ));
                }
                Ok::<(), ()>(())
            };
            let record = payload.to_string();
            crate::read_record(record.as_bytes(), &hints(), &waiting, &mut sink).unwrap();
        };
        let report = |mb: u32| {
            format!(
                "REPORT RequestId: {mb}\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: {mb} MB\tMax Memory Used: 90 MB\t\
                Init Duration: 10009.13 ms"
            )
        };
        deliver(
            "aa",
            "INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout",
        );
        deliver("bb", &report(512));
        deliver("aa", &report(1024));
        deliver("aa", &report(1024));
        let wanted = [
            (512, false, Some(10_010), true),
            (1024, true, Some(10_010), true),
            (1024, false, None, true),
            (1024, false, Some(10_010), true),
        ];
        assert_eq!(seen, wanted);
    }

    /// Forwarded by a subscriber of the Telemetry API.
    #[test]
    fn an_event_shows_a_start_that_failed() {
        let event = |kind: &str, status: &str, ms: f64| {
            serde_json::json!({"time": "2026-01-31T10:00:00.000Z", "type": kind, "record": {
                "initializationType": "on-demand", "phase": "init", "status": status, "metrics": {"durationMs": ms}}})
        };
        let report = serde_json::json!({"time": "2026-01-31T10:00:14.000Z", "type": "platform.report", "record": {
            "requestId": "a", "status": "success", "metrics": {"durationMs": 1.5, "billedDurationMs": 2,
            "memorySizeMB": 512, "maxMemoryUsedMB": 90}}});
        let batch = serde_json::json!({"functionName": "f", "records": [
            event("platform.initReport", "timeout", 10_000.5),
            event("platform.initReport", "success", 250.0),
            event("platform.restoreReport", "error", 12.0),
            report,
        ]});
        let seen: Vec<_> = observations(&batch.to_string())
            .into_iter()
            .map(|one| {
                (
                    one.failed_start,
                    one.init_ms,
                    one.restore_ms,
                    one.at.to_string(),
                )
            })
            .collect();
        let first = || "2026-01-31T10:00:00.000Z".to_owned();
        let wanted = [
            (true, Millis::from_ms_f64(10_000.5), None, first()),
            (true, None, Millis::from_ms_f64(12.0), first()),
            (false, None, None, "2026-01-31T10:00:14.000Z".to_owned()),
        ];
        assert_eq!(seen, wanted);
    }
}
