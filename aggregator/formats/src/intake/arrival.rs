//! Limits the times in live evidence to the time of its arrival. A record that claims a later time would otherwise
//! count as newer than all reports until then.

use rightsizer_records::{Record, Reports, Timestamp};
use rightsizer_rules::evidence::Evidence;
use rightsizer_rules::window::FUTURE_TOLERANCE_MS;

/// Moves evidence that arrives at `now` back, so that its newest time is `now` at the latest. What is further
/// ahead than a clock may be stays as it is, and is refused (W5).
pub(super) fn no_later_than(evidence: &mut Evidence, now: Timestamp) {
    let newest = match &*evidence {
        Evidence::Observation(seen) => seen.at,
        Evidence::Record(record) => match &**record {
            Record::Reports(reports) => newest_of(reports),
            Record::Outcome(_)
            | Record::Recommendation(_)
            | Record::Proposal(_)
            | Record::Notice(_) => return,
        },
        Evidence::Comparison(_) => return,
    };
    let ahead = newest.as_ms() - now.as_ms();
    if !(1..=FUTURE_TOLERANCE_MS).contains(&ahead) {
        return;
    }
    match evidence {
        Evidence::Observation(seen) => seen.at = now,
        Evidence::Record(record) => {
            if let Record::Reports(reports) = &mut **record {
                reports.t0 = reports.t0.plus_ms(-ahead);
            }
        }
        Evidence::Comparison(_) => {}
    }
}

/// The newest time that a record names.
fn newest_of(record: &Reports) -> Timestamp {
    let rows = record.reports.iter();
    let newest = rows.map(|row| record.t0.plus_ms(row.at_ms)).max();
    newest.map_or(record.t0, |newest| newest.max(record.t0))
}
