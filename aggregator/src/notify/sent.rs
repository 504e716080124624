//! What was sent and what is on its way, in a file beside the store: a restart repeats nothing and loses nothing.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rightsizer_records::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::facts::Facts;
use super::notice::{Kind, Notice};
use super::outgoing::Outgoing;

/// The days between two digests.
const WEEK: i32 = 7;
/// Urgent increases within this time share a notice.
const COALESCED_MS: i64 = 15 * 60_000;

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    digest: Option<Day>,
    rollback: Option<Day>,
    breaker: Option<Day>,
    /// Time of the last notice of urgent increases, in ms.
    urgent_ms: i64,
    /// Ids of urgent increases and rollbacks that a notice was sent of.
    noted: BTreeSet<String>,
    /// The pause that a notice was sent of.
    pause: Option<String>,
    /// Notices that some receiver has not taken.
    pub(super) outgoing: Outgoing,
}

impl Sent {
    /// Reads what an earlier process sent.
    pub(super) fn load(store: &Path) -> Self {
        let text = std::fs::read_to_string(file(store)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes it down.
    pub(super) fn keep(&self, store: &Path) {
        let path = file(store);
        let write = || -> std::io::Result<()> {
            let text = serde_json::to_vec(self)?;
            if std::fs::read(&path).is_ok_and(|before| before == text) {
                return Ok(());
            }
            // A crash leaves the file as it was before or as it is now.
            let new = path.with_extension("notices.new");
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        };
        if let Err(error) = write() {
            warn!(
                "cannot write {}: after a restart notices may be repeated: {error}",
                path.display()
            );
        }
    }

    pub(super) fn wants_digest(&self, now: Timestamp) -> bool {
        self.digest
            .is_none_or(|day| day.number() + WEEK <= now.day().number())
    }

    pub(super) fn wants_rollbacks(&self, now: Timestamp) -> bool {
        self.rollback != Some(now.day())
    }

    pub(super) fn wants_urgent(&self, now: Timestamp) -> bool {
        now.as_ms() - self.urgent_ms >= COALESCED_MS
    }

    pub(super) fn wants_breaker(&self, why: &str, now: Timestamp) -> bool {
        self.breaker != Some(now.day()) && self.pause.as_deref() != Some(why)
    }

    /// Returns whether a notice of this increase or rollback was sent.
    pub(super) fn has_noted(&self, id: &str) -> bool {
        self.noted.contains(id)
    }

    /// Notes a notice that is sent from now on.
    pub(super) fn note(&mut self, notice: &Notice, facts: &Facts, now: Timestamp) {
        match notice.kind {
            Kind::Digest => self.digest = Some(now.day()),
            Kind::Rollback => self.rollback = Some(now.day()),
            Kind::Urgent => self.urgent_ms = now.as_ms(),
            Kind::Breaker => {
                self.breaker = Some(now.day());
                self.pause.clone_from(&facts.breaker);
            }
        }
        self.noted.extend(notice.about.iter().cloned());
        // An id that the store no longer lists cannot come again.
        let urgent = facts.urgent.iter().map(|one| &one.id);
        let current: BTreeSet<&String> = urgent
            .chain(facts.rolled_back.iter().map(|one| &one.id))
            .collect();
        self.noted.retain(|id| current.contains(id));
    }
}

fn file(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".notices");
    name.into()
}
