//! Notices on their way: which receivers have not taken which notice yet, and when each is asked again. Pure; part of
//! the file beside the store.

use std::time::Duration;

use rightsizer_records::Timestamp;
use serde::{Deserialize, Serialize};

use super::notice::Notice;

/// The wait before the second attempt; it doubles with each further one.
const FIRST_WAIT_MS: i64 = 2000;
/// The longest wait.
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// A notice that was not taken for this long is dropped: the page shows what it was about.
const KEPT_MS: i64 = 86_400_000;

/// A service that takes notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Receiver {
    Slack,
    Teams,
    Webhook,
    Sns,
}

impl Receiver {
    /// Its name in the settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Webhook => "webhook",
            Self::Sns => "sns",
        }
    }
}

/// All notices on their way, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Outgoing(Vec<Letter>);

/// A notice and the receivers that have not taken it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Letter {
    id: String,
    since_ms: i64,
    notice: Notice,
    left: Vec<Left>,
}

/// A receiver that has not taken a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    receiver: Receiver,
    attempts: u32,
    next_ms: i64,
}

impl Outgoing {
    /// Adds a notice for these receivers, to be sent at once.
    pub(super) fn add(&mut self, notice: Notice, receivers: Vec<Receiver>, now: Timestamp) {
        let at = now.as_ms();
        let left = receivers.into_iter().map(|receiver| Left {
            receiver,
            attempts: 0,
            next_ms: at,
        });
        self.0.push(Letter {
            id: format!("{}-{at}", notice.kind.name()),
            since_ms: at,
            notice,
            left: left.collect(),
        });
    }

    /// Forgets receivers that are no longer in the settings.
    pub(super) fn keep_only(&mut self, receivers: &[Receiver]) {
        for letter in &mut self.0 {
            letter
                .left
                .retain(|left| receivers.contains(&left.receiver));
        }
        self.clean();
    }

    /// Returns what is to be sent by now: ids of notices with a receiver each.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(String, Receiver)> {
        let letters = self.0.iter();
        let left = letters.flat_map(|letter| letter.left.iter().map(move |left| (letter, left)));
        let due = left.filter(|(_, left)| left.next_ms <= now.as_ms());
        due.map(|(letter, left)| (letter.id.clone(), left.receiver))
            .collect()
    }

    pub(super) fn notice(&self, id: &str) -> Option<&Notice> {
        let letter = self.0.iter().find(|letter| letter.id == id);
        letter.map(|letter| &letter.notice)
    }

    /// Notes that a receiver has taken a notice.
    pub(super) fn taken(&mut self, id: &str, receiver: Receiver) {
        if let Some(letter) = self.0.iter_mut().find(|letter| letter.id == id) {
            letter.left.retain(|left| left.receiver != receiver);
        }
        self.clean();
    }

    /// Notes that a receiver has not taken a notice. Returns the wait before the next attempt; `None` if there is none.
    pub(super) fn failed(
        &mut self,
        id: &str,
        receiver: Receiver,
        now: Timestamp,
    ) -> Option<Duration> {
        let letter = self.0.iter_mut().find(|letter| letter.id == id)?;
        if now.as_ms() - letter.since_ms >= KEPT_MS {
            self.taken(id, receiver);
            return None;
        }
        let left = letter
            .left
            .iter_mut()
            .find(|left| left.receiver == receiver)?;
        let wait = LONGEST_WAIT_MS.min(FIRST_WAIT_MS << left.attempts.min(16));
        left.attempts += 1;
        left.next_ms = now.as_ms() + wait;
        u64::try_from(wait).ok().map(Duration::from_millis)
    }

    /// Returns how long nothing is to be sent; `None` if nothing is on its way.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let left = self.0.iter().flat_map(|letter| &letter.left);
        let next = left.map(|left| left.next_ms).min()?;
        Some(Duration::from_millis(
            u64::try_from(next - now.as_ms()).unwrap_or(0),
        ))
    }

    fn clean(&mut self) {
        self.0.retain(|letter| !letter.left.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::super::notice::Kind;
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000 + ms).unwrap()
    }

    fn one() -> Outgoing {
        let notice = Notice {
            kind: Kind::Digest,
            title: "This week".to_owned(),
            lines: Vec::new(),
            about: Vec::new(),
        };
        let mut outgoing = Outgoing::default();
        outgoing.add(notice, vec![Receiver::Slack, Receiver::Teams], at(0));
        outgoing
    }

    /// Waits of 2, 4, 8, … s, at most an hour; what is left after a day is dropped.
    #[test]
    fn only_a_receiver_that_failed_is_asked_again_later_and_later() {
        let mut outgoing = one();
        let id = outgoing.due(at(0))[0].0.clone();
        assert_eq!(outgoing.due(at(0)).len(), 2);
        outgoing.taken(&id, Receiver::Teams);
        assert_eq!(
            outgoing.failed(&id, Receiver::Slack, at(0)),
            Some(Duration::from_secs(2))
        );
        assert_eq!(outgoing.due(at(1999)), []);
        assert_eq!(outgoing.wait(at(500)), Some(Duration::from_millis(1500)));
        assert_eq!(outgoing.due(at(2000)), [(id.clone(), Receiver::Slack)]);
        assert_eq!(
            outgoing.failed(&id, Receiver::Slack, at(2000)),
            Some(Duration::from_secs(4))
        );
        for _ in 0..20 {
            outgoing.failed(&id, Receiver::Slack, at(6000));
        }
        assert_eq!(outgoing.wait(at(6000)), Some(Duration::from_hours(1)));
        assert_eq!(outgoing.failed(&id, Receiver::Slack, at(KEPT_MS)), None);
        assert_eq!(outgoing, Outgoing::default());
    }

    #[test]
    fn a_receiver_that_was_removed_from_the_settings_is_forgotten() {
        let mut outgoing = one();
        outgoing.keep_only(&[Receiver::Teams]);
        assert_eq!(outgoing.due(at(0)).len(), 1);
        outgoing.keep_only(&[]);
        assert_eq!(outgoing.wait(at(0)), None);
    }
}
