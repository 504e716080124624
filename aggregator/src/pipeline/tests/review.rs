//! What an approval does.

use rightsizer_records::Mode;
use rightsizer_rules::commands::{Action, Done, Refused, ReviewCommand};

use super::*;

impl Case {
    pub(super) fn review(&mut self, action: Action) -> Result<Done, Refused> {
        let command = ReviewCommand {
            action,
            by: "on-call".into(),
            why: "seen the graphs".into(),
        };
        let now = self.now;
        self.pipeline().review(&command, now).unwrap()
    }
}

/// The tags of a stack's function arrive after its evidence: with the next decision it is not sent by
/// itself any more, not even out of memory. A person's word still sends it.
#[test]
fn a_function_of_a_stack_is_changed_only_with_an_approval() {
    let mut case = Case::new();
    let tags: Tags = [(
        rightsizer_records::tags::STACK_TAG.to_owned(),
        "shop".to_owned(),
    )]
    .into();
    case.fortnight("checkout", 1024, &[200; 14]);
    case.fortnight("plain", 1024, &[200; 14]);
    assert_eq!(case.outbox().len(), 2);
    case.know_tagged("checkout", "code", "2026-05-15T11:00:00Z", tags);
    for name in ["checkout", "plain"] {
        let mut ran_out = reports(name, 100, "2026-05-15T12:00:00Z", 1024, 1024, 1);
        ran_out.reports[0].status = Status::OutOfMemory;
        case.report(ran_out);
    }
    let line = case.line("checkout");
    assert!(line.urgent && line.to_mb > Some(1024), "{line:?}");
    assert!(
        line.reasons
            .iter()
            .any(|reason| matches!(reason, Reason::StackOwned))
    );
    assert_eq!(case.outbox(), [case.line("plain").recommendation.unwrap()]);
    let what = "checkout".to_owned();
    case.review(Action::Approve { what }).unwrap();
    assert_eq!(case.outbox().len(), 2);
}

/// Its need has changed and its code has not: a person may clear what ran out in March.
#[test]
fn p3_a_person_lets_a_function_go_below_the_size_that_ran_out() {
    let mut case = Case::new();
    let mut out = reports("f", 500, "2026-03-01T10:00:00Z", 512, 512, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    case.fortnight("f", 1024, &[200; 14]);
    // 1.2 × 512
    assert_eq!(case.line("f").to_mb, Some(615));
    let what = "f".to_owned();
    let done = case.review(Action::Clear { what }).unwrap();
    assert!(done.message.starts_with("cleared: "), "{}", done.message);
    case.restart();
    case.report(reports("f", 101, "2026-05-16T10:00:00Z", 1024, 200, 1));
    assert_eq!(case.line("f").to_mb, Some(300));
    // What runs out after that counts.
    let mut out = reports("f", 102, "2026-05-16T11:00:00Z", 1024, 1024, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    assert!(case.line("f").to_mb > Some(1024));
}

/// The power curve begins after the day of the last clearing, so one without a reason would hide it.
#[test]
fn a_function_that_never_ran_out_has_nothing_to_clear() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let what = "f".to_owned();
    let done = case.review(Action::Clear { what }).unwrap();
    assert!(
        done.message.starts_with("nothing to clear: "),
        "{}",
        done.message
    );
}

/// Until it is sent, an approval can be taken back. The recommendation then waits for a person, and its record
/// names no reviewer.
#[test]
fn an_approval_can_be_taken_back_until_it_is_sent() {
    let mut case = Case::new();
    case.report(reports("f", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    let what = || "f".to_owned();
    let nothing = case.review(Action::Unapprove { what: what() }).unwrap_err();
    assert!(
        matches!(nothing, Refused::NothingApproved { .. }),
        "{nothing}"
    );
    case.review(Action::Approve { what: what() }).unwrap();
    assert_eq!(
        (case.line("f").status.as_str(), case.outbox().len()),
        ("approved", 1)
    );
    case.review(Action::Unapprove { what: what() }).unwrap();
    assert_eq!(
        (case.line("f").status.as_str(), case.outbox().len()),
        ("open", 0)
    );
    let named = "SELECT count(*) FROM recommendations WHERE record LIKE '%on-call%' OR reviewed_by IS NOT NULL";
    assert_eq!(case.count(named), 0);
    case.review(Action::Approve { what: what() }).unwrap();
    assert_eq!(case.sent_names(), ["f"]);
    let sent = case.review(Action::Unapprove { what: what() }).unwrap_err();
    assert!(sent.to_string().contains("its last one is sent"), "{sent}");
}

/// A young function's decrease is not automatic: it waits for an approval.
#[test]
fn an_approved_recommendation_is_sent_with_who_approved_it() {
    let mut case = Case::new();
    case.report(reports("young", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    assert!(case.outbox().is_empty());
    let done = case
        .review(Action::Approve {
            what: "young".into(),
        })
        .unwrap();
    assert!(
        done.message.contains("from 1024 to 300 MB"),
        "{}",
        done.message
    );
    let now = case.now;
    let record = case
        .pipeline()
        .outbox(Outgoing::All, 1, now)
        .unwrap()
        .entries
        .remove(0)
        .record;
    let Ok(Record::Recommendation(sent)) = rightsizer_records::decode(&record) else {
        panic!("{}", String::from_utf8_lossy(&record))
    };
    assert_eq!(
        (sent.mode, sent.by.as_deref()),
        (Mode::Approved, Some("on-call"))
    );
    let again = case.review(Action::Approve {
        what: "young".into(),
    });
    assert!(
        matches!(again, Err(Refused::NothingOpen { .. })),
        "{again:?}"
    );
    assert!(matches!(
        case.review(Action::Approve {
            what: "nobody".into()
        }),
        Err(Refused::NotFound(_))
    ));
}

#[test]
fn a_rejected_decrease_is_not_proposed_again_for_14_days() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.review(Action::Reject { what: "f".into() }).unwrap();
    case.report(reports("f", 100, "2026-05-16T12:00:00Z", 1024, 200, 1));
    assert_eq!(case.line("f").status, "rejected");
    case.now = case.now.plus_ms(15 * 86_400_000);
    case.report(reports("f", 101, "2026-05-17T12:00:00Z", 1024, 200, 1));
    assert_eq!(case.line("f").status, "open");
}

#[test]
fn a_hold_stops_decreases_and_no_increase_and_a_pause_stops_all() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.review(Action::Hold {
        what: "f".into(),
        days: 7,
    })
    .unwrap();
    assert!(case.outbox().is_empty());
    let mut out = reports("f", 100, "2026-05-15T11:00:00Z", 1024, 1024, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    assert_eq!(
        case.outbox().len(),
        1,
        "nothing ever delays an increase (P5)"
    );
    case.review(Action::Pause).unwrap();
    assert!(case.outbox().is_empty());
    assert!(
        case.review(Action::Resume)
            .unwrap()
            .message
            .contains("by on-call")
    );
    assert_eq!(case.outbox().len(), 1);
    assert_eq!(
        case.review(Action::Hold {
            what: "f".into(),
            days: 0
        }),
        Err(Refused::BadDays(0))
    );
}

/// Approved at one point, paused for two days, resumed: the yes still holds, and a decision that would
/// go a little further does not undo it.
#[test]
fn an_approval_outlives_a_pause_and_a_small_change_of_the_number() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.review(Action::Pause).unwrap();
    case.review(Action::Approve { what: "f".into() }).unwrap();
    case.now = case.now.plus_ms(2 * 86_400_000);
    case.report(reports("f", 100, "2026-05-16T11:00:00Z", 1024, 190, 1));
    case.report(reports("f", 101, "2026-05-17T11:00:00Z", 1024, 180, 1));
    assert_eq!(case.line("f").status, "approved");
    case.review(Action::Resume).unwrap();
    assert_eq!(case.outbox().len(), 1);
}
