//! How invocations ended, if other lines than their reports show it: a runtime that was killed, or
//! a runtime whose own heap was full.
//!
//! The platform logs in a separate line that a runtime was killed, before or after the report of
//! that request; the report of an older log does not have it. If 90 % of the size or more was used,
//! it was killed for memory. Application output about memory raises nothing: a full heap only
//! explains a failure that the report or the platform shows.

use std::collections::VecDeque;
use std::rc::Rc;

use rightsizer_records::{EnvId, ErrorKind, Millis, Status, is_killed_for_memory};
use rightsizer_rules::evidence::{FunctionKey, Observation};

use super::failed_start::{self, FailedStarts};
use super::figures::Invocation;
use super::hints::Origin;

/// The number of requests and environments that are remembered, because lines of one request are
/// near each other.
const REMEMBERED: usize = 64;
/// A request id has 36 characters.
const MAX_ID: usize = 64;
/// An error type is the name of a class.
const MAX_TYPE: usize = 256;

/// The platform's line about a runtime that ended, after the request's id.
const ENDED: &str = "Error: Runtime exited";
/// What runtimes print when their heap is full.
const HEAP_FULL: [&str; 6] = [
    "JavaScript heap out of memory",
    "java.lang.OutOfMemoryError",
    "[ERROR] MemoryError",
    "System.OutOfMemoryException",
    "failed to allocate memory (NoMemoryError)",
    "\"MemoryError\"",
];

/// How an invocation ended, by what came before its report.
enum Ended {
    /// The platform reports that the runtime exited.
    Exited,
    /// With an error of this type (`platform.runtimeDone`).
    WithError(String),
}

/// What was read so far of one input.
#[derive(Default)]
pub(super) struct Endings {
    /// Requests of which it is known how they ended, and whose report has not come.
    ended: VecDeque<(String, Ended)>,
    /// Reports without a failure, near their size: the runtime may turn out to have ended.
    near: VecDeque<(String, Observation)>,
    /// Starts that failed, and whose report has not come.
    pub(super) starts: FailedStarts,
    /// Whose heap was full, and whose next failure that explains.
    full: VecDeque<(Rc<FunctionKey>, Option<EnvId>)>,
}

/// The request whose runtime ended, by a line of the platform.
pub(super) fn ended_request(text: &str) -> Option<&str> {
    let (id, rest) = text.strip_prefix("RequestId: ")?.split_once(' ')?;
    (rest.starts_with(ENDED) && id.len() <= MAX_ID).then_some(id)
}

/// Whether a runtime prints that its heap is full.
pub(super) fn is_heap_full(text: &str) -> bool {
    HEAP_FULL.iter().any(|words| text.contains(words))
}

/// Whether a line shows how an invocation or a start ended.
pub(super) fn is_ending(text: &str) -> bool {
    ended_request(text).is_some() || failed_start::parse(text).is_some() || is_heap_full(text)
}

/// The request that a `REPORT` line is of.
pub(super) fn request(report: &str) -> Option<&str> {
    let (_, rest) = report.split_once("RequestId:")?;
    rest.split_whitespace()
        .next()
        .filter(|id| id.len() <= MAX_ID)
}

pub(super) fn remember<T>(list: &mut VecDeque<T>, one: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(one);
}

fn forget<T>(list: &mut VecDeque<T>, is: impl FnMut(&T) -> bool) -> Option<T> {
    let at = list.iter().position(is)?;
    list.remove(at)
}

impl Endings {
    /// A runtime ended in this request. Returns its report, corrected, if that came before and
    /// showed no failure.
    pub(super) fn end(&mut self, id: &str) -> Option<Observation> {
        let Some((_, reported)) = forget(&mut self.near, |(near, _)| near == id) else {
            remember(&mut self.ended, (id.to_owned(), Ended::Exited));
            return None;
        };
        Some(Observation {
            status: Status::OutOfMemory,
            error: Some(ErrorKind::Crash),
            ..reported
        })
    }

    /// `platform.runtimeDone` has the type of a request's error, which its report may leave out.
    pub(super) fn fail(&mut self, id: &str, error_type: &str) {
        if id.len() <= MAX_ID && error_type.len() <= MAX_TYPE {
            let ended = Ended::WithError(error_type.to_owned());
            remember(&mut self.ended, (id.to_owned(), ended));
        }
    }

    /// A heap of this origin is full.
    pub(super) fn fill(&mut self, origin: &Origin) {
        remember(
            &mut self.full,
            (origin.function.clone(), origin.environment),
        );
    }

    /// The report of a request, with what earlier lines added.
    pub(super) fn explained(
        &mut self,
        id: Option<&str>,
        origin: &Origin,
        invocation: Invocation,
    ) -> Invocation {
        let mut invocation = invocation;
        let ended = id.and_then(|id| forget(&mut self.ended, |(ended, _)| ended == id));
        let memory = (invocation.max_used_mb, invocation.memory_mb);
        match ended.map(|(_, ended)| ended) {
            Some(Ended::Exited) if invocation.status != Status::OutOfMemory => {
                invocation.status = match invocation.status {
                    _ if is_killed_for_memory(memory.0, memory.1) => Status::OutOfMemory,
                    Status::Ok => Status::Error,
                    other => other,
                };
                invocation.error = invocation.error.or(Some(ErrorKind::Crash));
            }
            Some(Ended::WithError(kind))
                if invocation.error.is_none() && invocation.status != Status::Timeout =>
            {
                invocation.status = Status::classify(Some("error"), Some(&kind), Some(memory));
                invocation.error = Some(ErrorKind::of(&kind));
            }
            _ => {}
        }
        if invocation.status == Status::Error {
            let of = |(function, env): &(Rc<FunctionKey>, Option<EnvId>)| {
                *function == origin.function && *env == origin.environment
            };
            if forget(&mut self.full, of).is_some() {
                invocation.error = Some(ErrorKind::HeapLimit);
            }
        }
        invocation
    }

    /// Whether something is known of a report that has not come.
    pub(super) fn wait(&self) -> bool {
        !self.ended.is_empty() || !self.full.is_empty() || self.starts.wait()
    }

    /// Whether a line after the report may add to it.
    pub(super) fn may_turn_out(invocation: &Invocation) -> bool {
        invocation.status == Status::Ok
            && is_killed_for_memory(invocation.max_used_mb, invocation.memory_mb)
    }

    /// Remembers a report that [`Endings::may_turn_out`] to be of a runtime that ended.
    pub(super) fn watch(&mut self, id: &str, invocation: Observation) {
        let invocation = Observation {
            duration_ms: None::<Millis>,
            billed_ms: None,
            init_ms: None,
            restore_ms: None,
            ..invocation
        };
        remember(&mut self.near, (id.to_owned(), invocation));
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;
    use rightsizer_rules::evidence::{Evidence, Item};

    use crate::hints::tests::hints;
    use crate::read;

    /// Memory used, size and ending of the invocations in a text; the same for amendments.
    fn ended(text: &str) -> Vec<(u32, u32, Status, Option<ErrorKind>, bool)> {
        let mut seen = Vec::new();
        let mut sink = |item| {
            if let Item::Evidence {
                evidence: Evidence::Observation(invocation),
                ..
            } = item
            {
                let Megabytes(used) = invocation.max_used_mb.unwrap();
                seen.push((
                    used,
                    invocation.memory_mb.0,
                    invocation.status,
                    invocation.error,
                    invocation.amends,
                ));
            }
            Ok::<(), std::convert::Infallible>(())
        };
        read(text.as_bytes(), &hints(), &mut sink).unwrap();
        seen
    }

    const ENDED: &str =
        "RequestId: a-1 Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n";

    fn report(id: &str, used: u32, rest: &str) -> String {
        format!(
            "REPORT RequestId: {id}\tDuration: 12.5 ms\tBilled Duration: 13 ms\tMemory Size: 1000 MB\t\
             Max Memory Used: {used} MB\t{rest}\n"
        )
    }

    use super::{ErrorKind, Status};

    const OUT: (Status, Option<ErrorKind>) = (Status::OutOfMemory, Some(ErrorKind::Crash));

    #[test]
    fn a_runtime_that_was_killed_near_its_size_ran_out_of_memory() {
        let before = ended(&format!("{ENDED}{}", report("a-1", 900, "")));
        assert_eq!(before, [(900, 1000, OUT.0, OUT.1, false)]);
        // The other order: the report is passed on as it is, and then corrected.
        let after = ended(&format!("{}{ENDED}", report("a-1", 900, "")));
        assert_eq!(
            after,
            [
                (900, 1000, Status::Ok, None, false),
                (900, 1000, OUT.0, OUT.1, true)
            ]
        );
    }

    #[test]
    fn a_runtime_that_was_killed_with_room_crashed() {
        let invocation = ended(&format!("{ENDED}{}", report("a-1", 899, "")));
        assert_eq!(
            invocation,
            [(899, 1000, Status::Error, Some(ErrorKind::Crash), false)]
        );
        assert_eq!(
            ended(&format!("{}{ENDED}", report("a-1", 899, ""))).len(),
            1
        );
    }

    #[test]
    fn another_request_is_not_meant() {
        let invocation = ended(&format!("{ENDED}{}", report("b-2", 950, "")));
        assert_eq!(invocation, [(950, 1000, Status::Ok, None, false)]);
    }

    /// As the Telemetry API sends them; the report of a runtime that reports nothing itself has no
    /// type.
    #[test]
    fn the_error_type_of_runtime_done_is_the_report_s() {
        let invocation = |error_type: &str, used: u32| {
            let done = format!(
                r#"{{"type":"platform.runtimeDone","record":{{"requestId":"a-1","status":"error","errorType":"{error_type}"}}}}"#
            );
            let report = format!(
                r#"{{"type":"platform.report","record":{{"requestId":"a-1","status":"error","metrics":{{"durationMs":1.5,"billedDurationMs":2,"memorySizeMB":1000,"maxMemoryUsedMB":{used}}}}}}}"#
            );
            let batch = format!(r#"{{"functionName":"f","records":[{done},{report}]}}"#);
            let apart = ended(&format!("{done}\n{report}\n"));
            assert_eq!(ended(&batch), apart, "in a batch as apart");
            (apart[0].2, apart[0].3)
        };
        assert_eq!(invocation("Runtime.ExitError", 950), OUT);
        assert_eq!(
            invocation("Runtime.ExitError", 500),
            (Status::Error, Some(ErrorKind::Crash))
        );
        assert_eq!(
            invocation("java.lang.OutOfMemoryError", 500),
            (Status::Error, Some(ErrorKind::HeapLimit))
        );
    }

    /// What an application prints explains a failure, and raises nothing.
    #[test]
    fn a_full_heap_explains_the_next_failure_and_nothing_else() {
        let full =
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n";
        let failed = "Status: error\tError Type: Runtime.ExitError";
        let invocation = ended(&format!(
            "{full}{}{}",
            report("a-1", 500, failed),
            report("b-2", 500, failed)
        ));
        let kinds: Vec<_> = invocation
            .iter()
            .map(|invocation| (invocation.2, invocation.3))
            .collect();
        assert_eq!(
            kinds,
            [
                (Status::Error, Some(ErrorKind::HeapLimit)),
                (Status::Error, Some(ErrorKind::Crash))
            ]
        );
        let caught = ended(&format!("{full}{}", report("a-1", 990, "")));
        assert_eq!(caught, [(990, 1000, Status::Ok, None, false)]);
    }
}
