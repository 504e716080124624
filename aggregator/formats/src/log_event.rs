//! Events of a log group, as CloudWatch Logs returns them.

use std::fmt;

use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::Item;

use crate::Hints;
use crate::budget::Budget;
use crate::endings::Endings;
use crate::hints::Place;
use crate::lines::MAX_DOCUMENT_BYTES;
use crate::message::{self, Spot};
use crate::output::Output;

/// One event of a log group.
#[derive(Debug, Clone, Copy)]
pub struct LogEvent<'a> {
    /// Name of the log group.
    pub group: &'a str,
    /// Name of the log stream.
    pub stream: Option<&'a str>,
    /// The account that the group belongs to, if known.
    pub account: Option<&'a str>,
    /// When it was logged.
    pub at: Option<Timestamp>,
    /// What was logged.
    pub message: &'a str,
}

/// Reads log events one after the other: one may show how the invocation of another ended.
#[derive(Default)]
pub struct LogEvents {
    endings: Endings,
}

impl LogEvents {
    /// Reads the evidence in one log event. A message may hold several reports glued together.
    pub fn read(&mut self, event: &LogEvent<'_>, hints: &Hints) -> Vec<Item> {
        let place = Place {
            account: event.account,
            region: None,
        };
        let origin = hints.logged(Some(event.group), event.stream, place);
        let spot = Spot::new(0, &origin, event.at);
        let mut items = Vec::new();
        let mut sink = |item| {
            items.push(item);
            Ok(())
        };
        // This sink never stops the reading.
        let budget = Budget::unlimited(MAX_DOCUMENT_BYTES).live();
        let mut out = Output::new(hints, budget, &mut sink);
        out.endings = std::mem::take(&mut self.endings);
        let _ = message::read(event.message, spot, &mut out);
        self.endings = out.endings;
        items
    }
}

impl fmt::Debug for LogEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogEvents")
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Status;
    use rightsizer_rules::evidence::Evidence;

    use super::*;
    use crate::hints::tests::hints;

    /// An older log has the report first, and then the line with the reason why it was the last
    /// one.
    #[test]
    fn an_event_shows_how_the_invocation_of_another_ended() {
        let report = "REPORT RequestId: a-1\tDuration: 12.5 ms\tBilled Duration: 13 ms\t\
                      Memory Size: 1000 MB\tMax Memory Used: 950 MB";
        let ended = "RequestId: a-1 Error: Runtime exited with error: signal: killed";
        let mut events = LogEvents::default();
        let mut statuses = Vec::new();
        for message in [report, ended] {
            let event = LogEvent {
                group: "/aws/lambda/mailer",
                stream: Some("2026/11/23/[$LATEST]00aa"),
                account: None,
                at: None,
                message,
            };
            for item in events.read(&event, &hints()) {
                if let Item::Evidence {
                    evidence: Evidence::Observation(seen),
                    ..
                } = item
                {
                    statuses.push((seen.status, seen.amends));
                }
            }
        }
        assert_eq!(statuses, [(Status::Ok, false), (Status::OutOfMemory, true)]);
    }
}
