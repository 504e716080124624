//! The transition table: each row is a status, each column an event.

use super::*;

/// The events of the columns of [`TABLE`], by two letters.
const COLUMNS: [(&str, Event); 20] = [
    ("da", Event::DecidedAgain),
    ("dd", Event::DecidedWhenDue),
    ("ap", Event::Approved),
    ("ad", Event::ApprovalDue),
    ("ua", Event::Unapproved),
    ("rj", Event::Rejected),
    ("su", Event::Superseded),
    ("wi", Event::Withdrawn),
    ("wp", Event::WithdrawnForPeak),
    ("ex", Event::Expired),
    ("se", Event::Sent),
    ("oa", Event::Outcome(OutcomeStatus::Applied)),
    ("os", Event::Outcome(OutcomeStatus::Skipped)),
    ("of", Event::Outcome(OutcomeStatus::Failed)),
    ("or", Event::Outcome(OutcomeStatus::RolledBack)),
    ("lp", Event::LeftToAPerson),
    ("ol", Event::OutcomeLost),
    ("ve", Event::Verified),
    ("re", Event::Reverted),
    ("tb", Event::TakenBack),
];

/// The resulting status by its letter in [`LETTERS`]; `.` if nothing changes.
const TABLE: &str = "
                 da dd ap ad ua rj su wi wp ex se oa os of or lp ol ve re tb
    open         O  .  A  .  .  R  S  W  W  E  s  a  k  f  b  .  .  .  .  .
    approved     .  .  .  .  O  .  S  W  W  E  s  a  k  f  b  .  .  .  .  .
    rejected     .  .  .  .  .  .  .  .  .  .  .  a  k  f  b  .  .  .  .  .
    superseded   O  .  .  .  .  .  .  .  .  .  .  a  k  f  b  .  .  .  .  .
    withdrawn    O  .  .  .  .  .  .  .  .  .  .  a  k  f  b  .  .  .  .  .
    expired      .  .  .  .  .  .  .  .  .  .  .  a  k  f  b  .  .  .  .  .
    sent         .  .  .  .  .  .  S  .  W  E  .  a  k  f  b  O  f  .  .  .
    applied      .  .  .  .  .  .  .  .  .  .  .  .  .  .  b  .  .  v  r  b
    skipped      .  O  .  A  .  .  .  .  .  .  .  a  k  f  b  .  .  .  .  .
    failed       .  O  .  A  .  .  .  .  .  .  .  a  k  f  b  O  .  .  .  .
    verified     .  .  .  .  .  .  .  .  .  .  .  a  .  .  b  .  .  .  .  .
    rolled-back  .  .  .  .  .  .  .  .  .  .  .  a  .  .  b  .  .  .  .  .
    reverted     .  .  .  .  .  .  .  .  .  .  .  a  .  .  b  .  .  .  .  .";

const LETTERS: [(&str, Status); 13] = [
    ("O", Status::Open),
    ("A", Status::Approved),
    ("R", Status::Rejected),
    ("S", Status::Superseded),
    ("W", Status::Withdrawn),
    ("E", Status::Expired),
    ("s", Status::Sent),
    ("a", Status::Applied),
    ("k", Status::Skipped),
    ("f", Status::Failed),
    ("v", Status::Verified),
    ("b", Status::RolledBack),
    ("r", Status::Reverted),
];

#[test]
fn the_table_has_each_status_with_each_event_and_every_pair_leads_where_it_shows() {
    let mut lines = TABLE.trim().lines();
    let columns: Vec<Event> = lines.next().map_or(Vec::new(), |head| {
        let event = |column| COLUMNS.iter().find(|(name, _)| *name == column).unwrap().1;
        head.split_whitespace().map(event).collect()
    });
    assert_eq!(columns, Event::ALL);
    let mut statuses = Vec::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let status = Status::from_name(cells.next().unwrap()).unwrap();
        statuses.push(status);
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), Event::ALL.len(), "{line}");
        for (event, cell) in Event::ALL.into_iter().zip(cells) {
            let wanted = LETTERS.iter().find(|(letter, _)| *letter == cell);
            let wanted = wanted.map(|(_, status)| *status);
            assert_eq!(next(status, event), wanted, "{status:?}, {event:?}");
        }
    }
    assert_eq!(statuses, Status::ALL);
}

#[test]
fn each_event_happens_somewhere_and_leads_to_one_status() {
    for event in Event::ALL {
        let targets: Vec<Status> = event.sources().filter_map(|s| next(s, event)).collect();
        assert!(!targets.is_empty(), "{event:?}");
        assert!(targets.iter().all(|to| *to == event.target()), "{event:?}");
    }
}

/// Verdicts and retries change only a recommendation's status; no event reopens a verified one.
#[test]
fn a_verdict_only_changes_by_the_updaters_outcome() {
    for status in [Status::Verified, Status::RolledBack, Status::Reverted] {
        for event in Event::ALL {
            let by_outcome = matches!(event, Event::Outcome(_));
            assert!(
                next(status, event).is_none() || by_outcome,
                "{status:?}, {event:?}"
            );
        }
    }
}

#[test]
fn names_come_back() {
    for status in Status::ALL {
        assert_eq!(Status::from_name(status.name()), Some(status));
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(json, format!("\"{}\"", status.name()));
    }
    assert_eq!(Status::from_name("unknown"), None);
}
