//! What evidence shows of a function itself: its newest size and version, and when it was seen.

use rightsizer_records::{Arch, Megabytes, Status, Timestamp};

use crate::evidence::Observation;

/// The facts in evidence about a function itself. Joining is commutative and associative, so what
/// is known in the end does not depend on the order or the split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Time of the oldest report.
    pub oldest: Timestamp,
    /// The facts of the newest report.
    pub newest: Newest,
    /// Architecture, if known.
    pub arch: Option<Arch>,
    /// Runtime, if known.
    pub runtime: Option<String>,
    /// When the environment that began last began, and its size: the size its version has, unless a
    /// change was applied since.
    pub started: Option<Newest>,
    /// When it ran out of memory last, and at which size.
    pub ran_out: Option<(Timestamp, Megabytes)>,
    /// When another version than the newest report's was last reported, or somewhat later: a hint
    /// that traffic may be on several. Only this depends on the order of joining.
    pub mixed: Option<Timestamp>,
}

/// The size in the newest report of some kind. A log line without a start may come from an old
/// environment: its size counts only if nothing better is known, or a day after that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Newest {
    /// Its time.
    pub at: Timestamp,
    /// The size of its environment.
    pub memory_mb: Megabytes,
    /// `$LATEST` or a published version's number.
    pub version: String,
}

impl Newest {
    /// The facts of an observation.
    pub(super) fn of(seen: &Observation) -> Self {
        Self {
            at: seen.at,
            memory_mb: seen.memory_mb,
            version: seen.version.to_string(),
        }
    }

    /// Whether an observation is newer.
    fn is_before(&self, seen: &Observation) -> bool {
        (self.at, self.memory_mb, self.version.as_str()) < (seen.at, seen.memory_mb, &*seen.version)
    }

    /// Takes in a newer observation.
    fn follow(&mut self, seen: &Observation) {
        (self.at, self.memory_mb) = (seen.at, seen.memory_mb);
        if self.version != *seen.version {
            self.version = seen.version.to_string();
        }
    }

    /// Merges an observation if it is newer than what is known.
    fn note(known: &mut Option<Self>, seen: &Observation) {
        match known {
            Some(known) if known.is_before(seen) => known.follow(seen),
            Some(_) => {}
            None => *known = Some(Self::of(seen)),
        }
    }

    /// Takes in another view.
    fn join(known: &mut Option<Self>, other: Option<&Self>) {
        if other > known.as_ref() {
            *known = other.cloned();
        }
    }
}

impl Sighting {
    /// Merges an observation: the same as joining its facts, without making them first.
    pub(super) fn see(&mut self, seen: &Observation) {
        self.oldest = self.oldest.min(seen.at);
        if seen.has_started() {
            Newest::note(&mut self.started, seen);
        }
        if seen.status == Status::OutOfMemory {
            self.ran_out = self.ran_out.max(Some((seen.at, seen.memory_mb)));
        }
        if self.newest.version != *seen.version {
            self.mixed = self.mixed.max(Some(self.newest.at.min(seen.at)));
        }
        if self.newest.is_before(seen) {
            self.newest.follow(seen);
            self.arch = seen.arch.or(self.arch);
        } else {
            self.arch = self.arch.or(seen.arch);
        }
    }

    /// Takes in another view.
    pub fn join(&mut self, other: &Self) {
        self.oldest = self.oldest.min(other.oldest);
        Newest::join(&mut self.started, other.started.as_ref());
        self.ran_out = self.ran_out.max(other.ran_out);
        self.mixed = self.mixed.max(other.mixed);
        if self.newest.version != other.newest.version {
            self.mixed = self.mixed.max(Some(self.newest.at.min(other.newest.at)));
        }
        if other.newest > self.newest {
            self.newest.clone_from(&other.newest);
            self.arch = other.arch.or(self.arch);
            if other.runtime.is_some() {
                self.runtime.clone_from(&other.runtime);
            }
        } else {
            self.arch = self.arch.or(other.arch);
            if self.runtime.is_none() {
                self.runtime.clone_from(&other.runtime);
            }
        }
    }
}
