//! The head: one small object with the lease, the list of snapshots, and the review commands since.
//! Every change of it is a write that fails if another task changed it meanwhile, so two tasks can
//! never both hold the lease. Pure: it knows no bucket and no clock.

use rightsizer_records::Timestamp;
use rightsizer_rules::commands::AppliedCommand;
use serde::{Deserialize, Serialize};

/// The version that this program writes and reads.
const VERSION: u32 = 1;

/// What is in `head.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    v: u32,
    /// Drawn with the first head, to recognise stores of another history.
    pub lineage: String,
    /// Counts how often the lease was acquired. The task with the highest epoch decides; all others
    /// stop.
    pub epoch: u64,
    /// Counts the writes.
    revision: u64,
    /// Who holds the epoch, for people.
    pub holder: String,
    /// The file that the holder writes to: the same file need not be restored.
    pub copy: String,
    /// Whether the holder has ended, and everything that it had is in its last snapshot.
    pub released: bool,
    /// The newest first.
    pub snapshots: Vec<Snapshot>,
    /// Review commands, the oldest first, from before the oldest snapshot that a start may use
    /// automatically.
    #[serde(rename = "words")]
    pub commands: Vec<AppliedCommand>,
}

/// A snapshot of the store, as it stood between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its object, below the prefix. Never written twice.
    pub key: String,
    /// The epoch in which it was made.
    pub epoch: u64,
    /// Counted up over all epochs.
    pub sequence: u64,
    /// When the store was copied.
    pub taken_at: Timestamp,
    /// Bytes of the object.
    pub bytes: u64,
    /// Bytes of the store.
    pub store_bytes: u64,
    /// BLAKE3 of the object's bytes, in hex.
    pub blake3: String,
    /// How many commands were applied in it.
    #[serde(rename = "words")]
    pub commands: u64,
    /// The schema of the store in it; 0 if its maker did not write that down.
    #[serde(default)]
    pub schema: i64,
}

/// Who takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taker {
    /// For people.
    pub holder: String,
    /// The file it will write to.
    pub copy: String,
}

/// A change of the head by who holds its epoch. Made twice, it is made once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Adds a review command.
    Commands(Vec<AppliedCommand>),
    /// This snapshot is there.
    Snapshot(Snapshot),
    /// The holder has ended.
    Release,
}

/// How long the newest snapshot of another schema stays: so long every stream keeps what came since, so a
/// version that an upgrade is taken back to begins there and loses nothing.
pub(super) const TAKEN_BACK_MS: i64 = 24 * 60 * 60 * 1000;

/// Which snapshots stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The number of newest snapshots to keep.
    pub newest: usize,
    /// The number of days of which the last snapshot is kept.
    pub days: usize,
}

/// A head that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Written by a later version.
    #[error(
        "it has version {0}, but this program only knows version {VERSION}: upgrade the program"
    )]
    Newer(u32),
    /// No head at all.
    #[error("it cannot be read ({0})")]
    Unreadable(String),
}

impl Head {
    /// The first head of a place where nothing is yet.
    pub fn first(lineage: String, taker: Taker) -> Self {
        Self {
            v: VERSION,
            lineage,
            epoch: 1,
            revision: 1,
            holder: taker.holder,
            copy: taker.copy,
            released: false,
            snapshots: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// Reads the object.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let unreadable = |e: serde_json::Error| HeadError::Unreadable(e.to_string());
        let Version { v } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if v > VERSION {
            return Err(HeadError::Newer(v));
        }
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    /// The object's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, HeadError> {
        serde_json::to_vec_pretty(self).map_err(|e| HeadError::Unreadable(e.to_string()))
    }

    /// The head in which `taker` has taken over.
    #[must_use]
    pub(crate) fn taken_over(&self, taker: Taker) -> Self {
        Self {
            epoch: self.epoch + 1,
            revision: self.revision + 1,
            holder: taker.holder,
            copy: taker.copy,
            released: false,
            ..self.clone()
        }
    }

    /// Whether both were written by the same holder: then a write whose answer was lost may be what
    /// stands there.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        (&self.lineage, self.epoch, &self.copy) == (&other.lineage, other.epoch, &other.copy)
    }

    /// Whether its holder may still be sending after `taken` acquired the lease: not if it recorded
    /// that it had stopped, and not if it was this same store.
    pub(crate) fn may_still_send(&self, taken: &Self) -> bool {
        !self.released && self.copy != taken.copy
    }

    /// The head with `edit` applied; `None` if it is already.
    #[must_use]
    pub(crate) fn edited(&self, edit: &Edit, keep: Retention) -> Option<Self> {
        let mut head = self.clone();
        match edit {
            Edit::Commands(commands) => {
                // They come in the order in which their senders were done, which is not theirs.
                let stored = head.commands_stored(keep);
                let known: Vec<u64> = head.commands.iter().map(|command| command.number).collect();
                let new = |command: &&AppliedCommand| {
                    command.number > stored && !known.contains(&command.number)
                };
                head.commands.extend(commands.iter().filter(new).cloned());
                head.commands.sort_by_key(|command| command.number);
            }
            Edit::Snapshot(snapshot) => {
                if head.snapshots.iter().all(|known| known.key != snapshot.key) {
                    head.snapshots.insert(0, snapshot.clone());
                    head.retain(keep);
                }
            }
            Edit::Release => head.released = true,
        }
        if head == *self {
            return None;
        }
        head.revision += 1;
        Some(head)
    }

    /// The sequence number of the next snapshot.
    pub(crate) fn next_sequence(&self) -> u64 {
        let newest = self.snapshots.iter().map(|snapshot| snapshot.sequence);
        newest.max().unwrap_or(0) + 1
    }

    fn retain(&mut self, keep: Retention) {
        let mut days = Vec::new();
        let mut place = 0;
        let others = self.newest_of_others();
        self.snapshots.retain(|snapshot| {
            let day = snapshot.taken_at.day();
            let last_of_day = !days.contains(&day) && days.len() < keep.days;
            if last_of_day {
                days.push(day);
            }
            place += 1;
            place <= keep.newest || last_of_day || others.contains(&snapshot.sequence)
        });
        let stored = self.commands_stored(keep);
        self.commands.retain(|command| command.number > stored);
    }

    /// Up to this number the review commands are in every snapshot that a start may go back to by itself.
    fn commands_stored(&self, keep: Retention) -> u64 {
        let others = self.newest_of_others();
        let others = self
            .snapshots
            .iter()
            .filter(|snapshot| others.contains(&snapshot.sequence));
        let newest = self.snapshots.iter().take(keep.newest).chain(others);
        newest.map(|snapshot| snapshot.commands).min().unwrap_or(0)
    }

    /// The newest snapshot of each schema but the newest snapshot's, while an upgrade may be taken back to
    /// it; by their sequence numbers.
    fn newest_of_others(&self) -> Vec<u64> {
        let Some(newest) = self.snapshots.first() else {
            return Vec::new();
        };
        let mut seen = vec![newest.schema];
        let mut others = Vec::new();
        for snapshot in &self.snapshots {
            let age = newest.taken_at.as_ms() - snapshot.taken_at.as_ms();
            if !seen.contains(&snapshot.schema) {
                seen.push(snapshot.schema);
                others.extend((age <= TAKEN_BACK_MS).then_some(snapshot.sequence));
            }
        }
        others
    }
}

/// Objects that no head will ever name: of uploads that were cut off, and of snapshots that were let go
/// of. What a newer epoch made is left alone, and so is what may be under way, or is of another history.
pub(super) fn left_over<'k>(head: &Head, keys: impl Iterator<Item = &'k str>) -> Vec<&'k str> {
    let next = head.next_sequence();
    let gone = |key: &&str| {
        let Some((epoch, sequence)) = place_of(&head.lineage, key) else {
            return false;
        };
        let past = epoch < head.epoch || (epoch == head.epoch && sequence < next);
        past && head.snapshots.iter().all(|known| known.key != *key)
    };
    keys.filter(gone).collect()
}

/// The key of a snapshot: its epoch is its writer's alone, so no two ever write the same.
pub(super) fn snapshot_key(lineage: &str, epoch: u64, sequence: u64) -> String {
    format!("snapshots/{lineage}/{epoch:010}-{sequence:010}.db.zst")
}

fn place_of(lineage: &str, key: &str) -> Option<(u64, u64)> {
    let name = key.strip_prefix("snapshots/")?.strip_prefix(lineage)?;
    let name = name.strip_prefix('/')?.strip_suffix(".db.zst")?;
    let (epoch, sequence) = name.split_once('-')?;
    Some((epoch.parse().ok()?, sequence.parse().ok()?))
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
