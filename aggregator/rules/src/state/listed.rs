//! The function as the control plane describes it, as far as the rules need it.

use rightsizer_records::{Arch, Listing, Megabytes, Millis, Timestamp};

use super::FunctionState;
use crate::inventory::Tags;
use crate::policy::{Configured, PolicySettings};

/// The function's facts in the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Configured memory.
    pub memory_mb: Megabytes,
    /// The seconds after which an invocation is ended.
    pub timeout_s: u32,
    /// Its processor.
    pub arch: Arch,
    /// Base64 of the SHA-256 of its code.
    pub code_sha256: Option<String>,
    /// `None` if they could never be read.
    pub tags: Option<Tags>,
    /// Whether its logs hold reports of failures alone.
    pub failures_only: bool,
    /// Whether its environments are restored from a snapshot.
    pub snap_start: bool,
    /// When its code or configuration was last changed.
    pub modified: Option<Timestamp>,
    /// An alarm on it that is in `ALARM`.
    pub alarm: Option<String>,
    /// When it was read.
    pub seen_at: Timestamp,
    /// Since when a refresh does not find it.
    pub gone_at: Option<Timestamp>,
}

impl Listed {
    /// When it was read, unless the function is gone.
    pub(super) fn listed_at(&self) -> Option<Timestamp> {
        Some(self.seen_at).filter(|_| self.gone_at.is_none())
    }

    pub(super) fn configured(&self, settings: &PolicySettings) -> Configured {
        let timeout = Millis::from_ms(u64::from(self.timeout_s) * 1000);
        let tags = self.tags.iter().flatten();
        let tags = tags.map(|(name, value)| (name.as_str(), value.as_str()));
        Configured::read(Some(timeout), tags, &settings.pipeline_tags)
    }
}

impl FunctionState {
    /// Takes in what a refresh of the inventory at `seen_at` found. Tags that could not be read stay as they are, and
    /// so does an alarm if alarms were not read. An older refresh than the one that is known changes nothing. If the code changed, the function is judged afresh (P3). Returns
    /// whether its size changed, so that it has to be decided.
    pub fn list(&mut self, facts: &Listing, seen_at: Timestamp) -> bool {
        if self
            .listed
            .as_ref()
            .is_some_and(|known| known.seen_at > seen_at)
        {
            return false;
        }
        let before = self.listed.take();
        let resized = before
            .as_ref()
            .is_some_and(|before| before.memory_mb != facts.memory_mb);
        if let Some(before) = &before
            && let (Some(old), Some(new)) = (&before.code_sha256, &facts.code_sha256)
            && old != new
        {
            self.clear(before.seen_at.day().plus(-1));
            self.baseline_p95 = None;
        }
        let (code, tags, alarm) =
            before.map_or((None, None, None), |b| (b.code_sha256, b.tags, b.alarm));
        self.listed = Some(Listed {
            memory_mb: facts.memory_mb,
            timeout_s: facts.timeout_s,
            arch: facts.arch,
            code_sha256: facts.code_sha256.clone().or(code),
            tags: facts.tags.clone().or(tags),
            failures_only: facts.failures_only,
            snap_start: facts.snap_start,
            modified: facts.modified,
            alarm: if facts.alarms_read {
                facts.alarm.clone()
            } else {
                alarm
            },
            seen_at,
            gone_at: None,
        });
        resized && self.seen.is_some()
    }

    /// A complete refresh at `seen_at` did not find the function.
    pub(crate) fn unlist(&mut self, seen_at: Timestamp) {
        if let Some(listed) = &mut self.listed
            && listed.seen_at < seen_at
        {
            listed.gone_at.get_or_insert(seen_at);
        }
    }
}
