//! The notices that are due, with their text. Pure.

use rightsizer_page::text::{counted, range, short};
use rightsizer_records::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Week};
use super::sent::Sent;

/// Functions that a notice names; the others are counted.
const NAMED: usize = 10;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Digest,
    Rollback,
    Urgent,
    Breaker,
}

impl Kind {
    /// Its name, for programs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Rollback => "rollback",
            Self::Urgent => "urgent",
            Self::Breaker => "breaker",
        }
    }
}

/// A notice in plain text; each service writes it in its own form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notice {
    pub(super) kind: Kind,
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// Ids of the recommendations in it.
    pub(super) about: Vec<String>,
}

/// The notices that are due, the most urgent first.
pub(super) fn due(facts: &Facts, sent: &Sent, now: Timestamp) -> Vec<Notice> {
    let breaker = facts
        .breaker
        .as_deref()
        .filter(|why| sent.wants_breaker(why, now))
        .map(breaker);
    let digest = facts
        .week
        .as_ref()
        .filter(|week| week.totals.functions > 0)
        .map(digest);
    [
        urgent(facts, sent, now),
        breaker,
        rollback(facts, sent, now),
        digest,
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn urgent(facts: &Facts, sent: &Sent, now: Timestamp) -> Option<Notice> {
    let new: Vec<_> = facts
        .urgent
        .iter()
        .filter(|one| !sent.has_noted(&one.id))
        .collect();
    if new.is_empty() || !sent.wants_urgent(now) {
        return None;
    }
    let line = |one: &&rightsizer_store::UrgentIncrease| {
        format!(
            "{}: {} → {} MB",
            short(&one.function),
            one.from_mb.0,
            one.to_mb.0
        )
    };
    Some(Notice {
        kind: Kind::Urgent,
        title: format!(
            "{} ran out of memory and {} for your approval",
            counted(new.len(), "function"),
            if new.len() == 1 { "waits" } else { "wait" }
        ),
        lines: named(new.iter().map(line), new.len()),
        about: new.iter().map(|one| one.id.clone()).collect(),
    })
}

fn rollback(facts: &Facts, sent: &Sent, now: Timestamp) -> Option<Notice> {
    let new: Vec<_> = facts
        .rolled_back
        .iter()
        .filter(|one| !sent.has_noted(&one.id))
        .collect();
    if new.is_empty() || !sent.wants_rollbacks(now) {
        return None;
    }
    let line = |one: &&rightsizer_store::AppliedChange| {
        let why = one.reason.as_deref().unwrap_or("it did harm");
        format!(
            "{}: {} → {} MB was taken back: {why}",
            short(&one.function),
            one.from_mb.0,
            one.to_mb.0
        )
    };
    Some(Notice {
        kind: Kind::Rollback,
        title: format!(
            "{} rolled back",
            if new.len() == 1 {
                "1 change was".to_owned()
            } else {
                format!("{} changes were", new.len())
            }
        ),
        lines: named(new.iter().map(line), new.len()),
        about: new.iter().map(|one| one.id.clone()).collect(),
    })
}

fn breaker(why: &str) -> Notice {
    Notice {
        kind: Kind::Breaker,
        title: "The circuit breaker opened: automatic decreases are paused".to_owned(),
        lines: vec![
            why.to_owned(),
            "`rightsizer resume` ends the pause; increases are still sent.".to_owned(),
        ],
        about: Vec::new(),
    }
}

fn digest(week: &Week) -> Notice {
    let (saving, changes) = (week.totals.saving(), week.changes);
    Notice {
        kind: Kind::Digest,
        title: format!(
            "This week: {}, ${:.2} a month",
            counted(week.totals.functions, "function"),
            week.totals.bill
        ),
        lines: vec![
            format!(
                "Changed: {} ({} verified, {} rolled back), ${:.2} a month promised",
                changes.changed, changes.verified, changes.rolled_back, changes.promised_usd
            ),
            format!("Could still be saved: ${} a month", range(saving)),
            format!("At risk: {}", week.totals.at_risk),
            format!("Waiting for you: {}", week.waiting),
        ],
        about: Vec::new(),
    }
}

/// The first lines, and how many are left.
fn named(lines: impl Iterator<Item = String>, all: usize) -> Vec<String> {
    let mut named: Vec<String> = lines.take(NAMED).collect();
    if all > NAMED {
        named.push(format!("and {} more", all - NAMED));
    }
    named
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;
    use rightsizer_store::UrgentIncrease;

    use super::*;

    fn increase(id: &str) -> UrgentIncrease {
        UrgentIncrease {
            id: id.to_owned(),
            function: "arn:aws:lambda:eu-west-1:123456789012:function:checkout".to_owned(),
            from_mb: Megabytes(256),
            to_mb: Megabytes(356),
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// Those within a quarter of an hour share a notice, and each is in one notice only.
    #[test]
    fn urgent_increases_share_a_notice_and_are_sent_once() {
        let mut sent = Sent::default();
        let mut facts = Facts {
            urgent: (0..12).map(|n| increase(&n.to_string())).collect(),
            ..Facts::default()
        };
        let first = due(&facts, &sent, at("2026-03-02T10:00:00Z"));
        assert_eq!(first.len(), 1);
        assert_eq!(
            first[0].title,
            "12 functions ran out of memory and wait for your approval"
        );
        assert_eq!(
            (first[0].lines.len(), first[0].lines[10].as_str()),
            (11, "and 2 more")
        );
        assert_eq!(first[0].lines[0], "checkout: 256 → 356 MB");
        sent.note(&first[0], &facts, at("2026-03-02T10:00:00Z"));
        facts.urgent.push(increase("new"));
        assert!(
            due(&facts, &sent, at("2026-03-02T10:14:59Z")).is_empty(),
            "too soon"
        );
        let next = due(&facts, &sent, at("2026-03-02T10:15:00Z"));
        assert_eq!(
            next[0].title,
            "1 function ran out of memory and waits for your approval"
        );
    }

    #[test]
    fn a_breaker_is_sent_once_and_a_digest_weekly() {
        let mut sent = Sent::default();
        let mut facts = Facts {
            breaker: Some("since noon".to_owned()),
            ..Facts::default()
        };
        let notices = due(&facts, &sent, at("2026-03-02T10:00:00Z"));
        assert_eq!(notices[0].kind, Kind::Breaker);
        sent.note(&notices[0], &facts, at("2026-03-02T10:00:00Z"));
        assert!(
            due(&facts, &sent, at("2026-03-05T10:00:00Z")).is_empty(),
            "the same pause"
        );
        facts.breaker = Some("since today".to_owned());
        assert_eq!(due(&facts, &sent, at("2026-03-05T10:00:00Z")).len(), 1);
        let mut week = Week::default();
        week.totals.functions = 3;
        facts = Facts {
            week: Some(week),
            ..Facts::default()
        };
        let notices = due(&facts, &sent, at("2026-03-05T10:00:00Z"));
        assert_eq!(notices[0].title, "This week: 3 functions, $0.00 a month");
        sent.note(&notices[0], &facts, at("2026-03-05T10:00:00Z"));
        assert!(
            !sent.wants_digest(at("2026-03-11T23:00:00Z"))
                && sent.wants_digest(at("2026-03-12T00:00:00Z"))
        );
    }
}
