//! One event of a log group, as CloudWatch Logs returns it.

use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::Item;

use crate::Hints;
use crate::budget::Budget;
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

/// Reads the evidence in one log event. A message may hold several reports glued together.
pub fn read_log_event(event: &LogEvent<'_>, hints: &Hints) -> Vec<Item> {
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
    let _ = message::read(event.message, spot, &mut out);
    items
}
