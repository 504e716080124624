//! An older store reaches the state of the lost one, through the streams and the review commands.

use super::*;
use rightsizer_rules::commands::{Action, AppliedCommand, ReviewCommand};

impl Case {
    /// The records of what waits to be sent, as the stream would carry them.
    fn sent_records(&mut self) -> Vec<Vec<u8>> {
        let now = self.now;
        let entries = self
            .pipeline()
            .outbox(Outgoing::All, 100, now)
            .unwrap()
            .entries;
        entries.into_iter().map(|entry| entry.record).collect()
    }

    fn carry_out(&mut self, action: Action) -> AppliedCommand {
        let command = ReviewCommand {
            action,
            by: "on-call".into(),
            why: String::new(),
        };
        let now = self.now;
        let (_, carried) = self.pipeline().carry_out(&command, now).unwrap().unwrap();
        carried
    }

    fn carry_out_again(&mut self, words: &[AppliedCommand]) {
        self.pipeline().carry_out_again(words).unwrap();
    }

    fn history(&self, name: &str) -> Vec<(String, String)> {
        let reader = Reader::open(&self.path()).unwrap();
        let detail = reader.detail(self.line(name)).unwrap();
        let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
        let entries = detail.history.iter();
        entries
            .map(|entry| (text(entry, "id"), text(entry, "status")))
            .collect()
    }
}

/// The lost store sent a decrease to 300 that this one never decided: it knows a peak more. What
/// was applied is known anyway, and taken back when it runs out.
#[test]
fn changes_sent_by_a_lost_store_are_learned_from_the_stream_and_judged() {
    let mut lost = Case::new();
    lost.fortnight("f", 1024, &[200; 14]);
    let (record, id) = (lost.sent_records().remove(0), lost.send_all().remove(0));

    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    case.report(reports("f", 100, "2026-05-15T11:00:00Z", 1024, 280, 1));
    assert!(!case.outbox().contains(&id), "it decides otherwise");
    case.deliver(vec![record], Channel::Decisions);
    case.answer(&id, "f", OutcomeStatus::Applied, 1024, 300);
    assert_eq!(case.line("f").current_mb, 300);
    let mut out = reports("f", 2000, "2026-05-15T12:00:00Z", 300, 300, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    let line = case.line("f");
    assert_eq!((line.to_mb, line.urgent), (Some(1024), true), "{line:?}");
}

#[test]
fn what_is_on_the_stream_is_not_sent_again() {
    let mut case = Case::new();
    case.fortnight("f", 1024, &[200; 14]);
    let (records, id) = (case.sent_records(), case.outbox().remove(0));
    for _ in 0..2 {
        case.deliver(records.clone(), Channel::Decisions);
        assert_eq!(case.outbox(), [""; 0]);
        assert_eq!(case.history("f"), [(id.clone(), "sent".to_owned())]);
    }
}

/// The id is a hash of its content: an invented one was not decided here.
#[test]
fn a_made_up_recommendation_on_the_stream_is_none_of_ours() {
    let mut lost = Case::new();
    lost.fortnight("f", 1024, &[200; 14]);
    let record = String::from_utf8(lost.sent_records().remove(0)).unwrap();
    let made_up = record.replace("\"to_mb\":300", "\"to_mb\":128");
    assert_ne!(record, made_up);
    let mut case = Case::new();
    case.report(reports("f", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    let before = case.history("f");
    let id = lost.outbox().remove(0);
    case.deliver(vec![made_up.into_bytes()], Channel::Decisions);
    assert_eq!(case.history("f"), before);
    assert!(before.iter().all(|(known, _)| *known != id));
}

#[test]
fn words_are_carried_out_again_once_and_on_what_they_were_about() {
    let mut first = Case::new();
    let mut copy = Case::new();
    for case in [&mut first, &mut copy] {
        case.report(reports("young", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    }
    let what = "young".to_owned();
    let words = [
        first.carry_out(Action::Approve { what: what.clone() }),
        first.carry_out(Action::Hold { what, days: 3 }),
        first.carry_out(Action::Pause),
    ];
    assert_eq!(words.each_ref().map(|command| command.number), [1, 2, 3]);
    copy.carry_out_again(&words[..1]);
    assert_eq!(
        copy.outbox(),
        first.history("young")[..1]
            .iter()
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>()
    );
    copy.carry_out_again(&words);
    assert_eq!(copy.outbox(), [""; 0], "paused");
    copy.carry_out(Action::Resume);
    // The pause is known, and does not come back.
    copy.carry_out_again(&words);
    assert_eq!(copy.outbox(), [""; 0], "held");
    copy.carry_out(Action::Release {
        what: "young".to_owned(),
    });
    assert_eq!(copy.outbox().len(), 1);
}

/// The function is newer than the copy: the command waits for it, also over a restart.
#[test]
fn a_command_about_something_unknown_waits_for_the_streams() {
    let mut first = Case::new();
    first.report(reports("young", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    let approved = first.carry_out(Action::Approve {
        what: "young".to_owned(),
    });

    let mut copy = Case::new();
    copy.carry_out_again(std::slice::from_ref(&approved));
    copy.restart();
    copy.report(reports("young", 1, "2026-05-01T10:00:00Z", 1024, 200, 10));
    assert_eq!(copy.outbox(), [""; 0]);
    assert_eq!(copy.pipeline().settle_commands().unwrap(), []);
    assert_eq!(copy.outbox(), first.outbox());

    let mut other = Case::new();
    other.carry_out_again(std::slice::from_ref(&approved));
    assert_eq!(other.pipeline().settle_commands().unwrap(), [approved]);
    assert_eq!(
        other.pipeline().settle_commands().unwrap(),
        [],
        "reported once"
    );
}

/// It was released while the hold still waited: the hold is the older command, and is not applied
/// again.
#[test]
fn a_newer_command_replaces_a_waiting_one() {
    let what = "young".to_owned();
    let mut first = Case::new();
    let young = || reports("young", 1, "2026-05-01T10:00:00Z", 1024, 200, 10);
    first.report(young());
    let held = first.carry_out(Action::Hold {
        what: what.clone(),
        days: 3,
    });
    let released = AppliedCommand {
        number: 2,
        command: ReviewCommand {
            action: Action::Release { what: what.clone() },
            ..held.command.clone()
        },
        ..held.clone()
    };
    for by_replay in [false, true] {
        let mut copy = Case::new();
        copy.carry_out_again(std::slice::from_ref(&held));
        copy.report(young());
        if by_replay {
            copy.carry_out_again(std::slice::from_ref(&released));
        } else {
            copy.carry_out(released.command.action.clone());
        }
        assert_eq!(copy.pipeline().settle_commands().unwrap(), []);
        copy.carry_out(Action::Approve { what: what.clone() });
        assert_eq!(copy.outbox().len(), 1, "held again ({by_replay})");
    }
}

#[test]
fn increases_can_be_asked_for_alone() {
    let mut case = Case::new();
    case.fortnight("shrinks", 1024, &[200; 14]);
    let mut out = reports("grows", 1, "2026-05-15T11:00:00Z", 256, 256, 1);
    out.reports[0].status = Status::OutOfMemory;
    case.report(out);
    let now = case.now;
    let mut names = |which| {
        let entries = case.pipeline().outbox(which, 100, now).unwrap().entries;
        let names = entries.into_iter().map(|entry| entry.function);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(Outgoing::All).len(), 2);
    assert_eq!(names(Outgoing::Increases), [arn("grows").as_str()]);
}
