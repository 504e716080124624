//! The sizes and versions that a day of a function keeps apart (W2). A writer on the stream may claim any number
//! of them; those above the limits are added up in one row, so that a day stays small.

use std::collections::BTreeSet;

use rightsizer_records::Megabytes;

use super::day::{DayKey, DaySource};
use crate::evidence::LATEST;

/// Most sizes of a function with their own rows on a day; a function usually has one or two.
pub const MOST_SIZES: usize = 32;
/// Most versions with their own rows.
pub const MOST_VERSIONS: usize = 64;
/// The size under which the others are added up.
pub const OTHER_SIZES: Megabytes = Megabytes(0);
/// The version under which the others are added up.
pub(crate) const OTHER_VERSIONS: &str = "other";

/// The sizes and versions of a function on a day.
#[derive(Debug, Default)]
pub struct Crowding {
    sizes: BTreeSet<Megabytes>,
    versions: BTreeSet<String>,
}

impl Crowding {
    /// Adds a size and a version that the day has.
    pub fn note(&mut self, size: Megabytes, version: &str) {
        self.sizes.insert(size);
        if !self.versions.contains(version) {
            self.versions.insert(version.to_owned());
        }
    }

    /// Returns whether the size of `key` has a row of its own even if it is not the function's.
    pub fn has_room_for_size(&self, key: &DayKey) -> bool {
        self.sizes.contains(&key.memory_mb) || self.sizes.len() < MOST_SIZES || is_of_files(key)
    }

    /// Changes `key` to the key under which it is kept, and notes it. `own_size` is whether its size has a row of its
    /// own: there is room, or it is the function's. Returns whether the day is crowded.
    pub fn admit(&mut self, key: &mut DayKey, own_size: bool) -> bool {
        let own_version = self.versions.contains(&key.version)
            || self.versions.len() < MOST_VERSIONS
            || is_of_files(key)
            || key.version == LATEST;
        if !own_size {
            key.memory_mb = OTHER_SIZES;
        }
        if !own_version {
            OTHER_VERSIONS.clone_into(&mut key.version);
        }
        self.note(key.memory_mb, &key.version);
        !(own_size && own_version)
    }
}

/// Whether a person chose what is read.
const fn is_of_files(key: &DayKey) -> bool {
    matches!(
        key.source,
        DaySource::LogGroup(_) | DaySource::Import | DaySource::Wrapped
    )
}
