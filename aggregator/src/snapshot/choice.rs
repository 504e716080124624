//! Going back on purpose: the snapshot for a time, and the review commands after it. Pure.

use rightsizer_records::Timestamp;
use rightsizer_rules::commands::{Action, AppliedCommand};

use super::head::{Head, Snapshot};

/// Nothing to go back to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSnapshot {
    /// The first task has made none yet.
    #[error("there are no snapshots yet")]
    None,
    /// All are younger than the time that was asked for.
    #[error("there is no snapshot from {at} or before: the oldest is from {oldest}")]
    NoneSoOld {
        /// The time that was asked for.
        at: Timestamp,
        /// When the oldest was made.
        oldest: Timestamp,
    },
}

/// The newest snapshot that was made at `at` or before; without a time the one that the next task
/// begins with.
pub fn choose(head: &Head, at: Option<Timestamp>) -> Result<&Snapshot, NoSnapshot> {
    let Some(at) = at else {
        return head.snapshots.first().ok_or(NoSnapshot::None);
    };
    let old_enough = head.snapshots.iter().filter(|made| made.taken_at <= at);
    let chosen = old_enough.max_by_key(|made| (made.taken_at, made.sequence));
    chosen.ok_or_else(|| {
        let oldest = head.snapshots.iter().map(|made| made.taken_at).min();
        oldest.map_or(NoSnapshot::None, |oldest| NoSnapshot::NoneSoOld {
            at,
            oldest,
        })
    })
}

/// Review commands after a snapshot was made, which it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Later {
    /// The review commands that the head still has, the oldest first.
    pub commands: Vec<AppliedCommand>,
    /// How many more there were, before those.
    pub forgotten: u64,
}

impl Later {
    /// How many review commands are not in the snapshot.
    pub fn count(&self) -> u64 {
        self.forgotten + self.commands.len() as u64
    }

    /// The command that paused sending, if it is paused now by one that is not in the snapshot.
    pub fn pause(&self) -> Option<&AppliedCommand> {
        let stops = |command: &&AppliedCommand| command.command.action.is_stop();
        let last = self.commands.iter().rev().find(stops)?;
        Some(last).filter(|last| last.command.action == Action::Pause)
    }
}

/// Review commands after `snapshot` was made.
pub(crate) fn commands_after(head: &Head, snapshot: &Snapshot) -> Later {
    let after = |command: &&AppliedCommand| command.number > snapshot.commands;
    let commands: Vec<_> = head.commands.iter().filter(after).cloned().collect();
    let in_snapshots = head.snapshots.iter().map(|made| made.commands).max();
    let last = head
        .commands
        .last()
        .map(|command| command.number)
        .max(in_snapshots);
    let all = last.unwrap_or(0).saturating_sub(snapshot.commands);
    Later {
        forgotten: all.saturating_sub(commands.len() as u64),
        commands,
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_rules::commands::ReviewCommand;

    use super::super::head::Taker;
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn snapshot(sequence: u64, made: &str, commands: u64) -> Snapshot {
        Snapshot {
            key: format!("k{sequence}"),
            epoch: 1,
            sequence,
            taken_at: at(made),
            bytes: 1,
            store_bytes: 1,
            blake3: String::new(),
            commands,
            schema: 0,
        }
    }

    fn command(number: u64, action: Action) -> AppliedCommand {
        let (by, why) = ("ann".to_owned(), String::new());
        AppliedCommand {
            number,
            at: at("2026-03-02T11:30:00Z"),
            command: ReviewCommand { action, by, why },
        }
    }

    fn head() -> Head {
        let (holder, copy) = ("h".to_owned(), "c".to_owned());
        let mut head = Head::first("l".to_owned(), Taker { holder, copy });
        head.snapshots = vec![
            snapshot(3, "2026-03-02T12:00:00Z", 5),
            snapshot(2, "2026-03-02T11:00:00Z", 3),
            snapshot(1, "2026-03-01T23:55:00Z", 1),
        ];
        head.commands = vec![command(4, Action::Resume), command(5, Action::Pause)];
        head
    }

    #[test]
    fn a_time_means_the_newest_that_was_made_until_then() {
        let head = head();
        for (time, wanted) in [
            (None, 3),
            (Some("2026-03-05T00:00:00Z"), 3),
            (Some("2026-03-02T11:59:59.999Z"), 2),
            // The exact time in the list.
            (Some("2026-03-02T11:00:00Z"), 2),
            (Some("2026-03-02T10:59:59Z"), 1),
        ] {
            let chosen = choose(&head, time.map(at)).unwrap();
            assert_eq!(chosen.sequence, wanted, "{time:?}");
        }
        let (asked, oldest) = (at("2026-03-01T00:00:00Z"), at("2026-03-01T23:55:00Z"));
        assert_eq!(
            choose(&head, Some(asked)),
            Err(NoSnapshot::NoneSoOld { at: asked, oldest })
        );
        let mut empty = head;
        empty.snapshots.clear();
        for time in [None, Some(asked)] {
            assert_eq!(choose(&empty, time), Err(NoSnapshot::None));
        }
    }

    #[test]
    fn later_commands_are_listed_and_lost_ones_are_counted() {
        let head = head();
        let [newest, middle, oldest] = &head.snapshots[..] else {
            panic!("three are there");
        };
        assert_eq!(commands_after(&head, newest), Later::default());
        let later = commands_after(&head, middle);
        assert_eq!((later.commands.len(), later.forgotten), (2, 0));
        assert_eq!(later.pause(), Some(&head.commands[1]));
        // 2 and 3 are in the snapshots after it alone.
        let later = commands_after(&head, oldest);
        assert_eq!((later.count(), later.forgotten), (4, 2));
        let mut resumed = head.clone();
        resumed.commands.push(command(6, Action::Resume));
        assert_eq!(commands_after(&resumed, newest).pause(), None);
        let mut none_kept = head.clone();
        none_kept.commands.clear();
        assert_eq!(commands_after(&none_kept, oldest).forgotten, 4);
    }
}
