//! The whole fleet in memory, read again after something was committed. Reading a hundred thousand functions takes
//! a second, so such a fleet is read beside the requests, which get the one before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rightsizer_page::Fleet;
use rightsizer_store::{Reader, StoreError, inspect};

use crate::settings::Settings;

/// A fleet that is read faster is read while the request waits.
const QUICK: Duration = Duration::from_millis(50);
/// A slow one is read at most this share of the time.
const REST: u32 = 5;
/// The present is part of the page: a week ends without a commit.
const OLDEST: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct FleetCache {
    store: PathBuf,
    settings: Arc<Settings>,
    cached: Mutex<Option<CachedFleet>>,
    /// Held while the fleet is read.
    reading: Mutex<()>,
    watch: Mutex<Watch>,
}

#[derive(Debug, Clone)]
struct CachedFleet {
    fleet: Arc<Fleet>,
    version: i64,
    at: Instant,
    took: Duration,
}

impl CachedFleet {
    /// Whether pages may show it if the newest commit has this number.
    fn is_new_enough(&self, version: i64) -> bool {
        self.version >= version && self.at.elapsed() < OLDEST
    }
}

/// Counts the commits of others.
#[derive(Debug, Default)]
struct Watch {
    reader: Option<Reader>,
    /// The reader's last answer. It means nothing to another reader.
    last: Option<i64>,
    commits: i64,
}

impl Watch {
    /// Returns a number that grows with every commit of another connection.
    fn version(&mut self, store: &Path) -> Result<i64, StoreError> {
        let reader = if let Some(reader) = self.reader.take() {
            reader
        } else {
            self.last = None;
            Reader::open(store)?
        };
        let version = reader.data_version()?;
        self.reader = Some(reader);
        if self.last.replace(version) != Some(version) {
            self.commits += 1;
        }
        Ok(self.commits)
    }
}

impl FleetCache {
    pub(super) fn new(store: PathBuf, settings: Arc<Settings>) -> Self {
        Self {
            store,
            settings,
            cached: Mutex::default(),
            reading: Mutex::default(),
            watch: Mutex::default(),
        }
    }

    fn version(&self) -> Result<i64, StoreError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.version(&self.store)
    }

    /// Returns the fleet, not older than a moment.
    pub(super) fn fleet(self: &Arc<Self>) -> Result<Arc<Fleet>, StoreError> {
        let version = self.version()?;
        let Some(cached) = self.cached() else {
            return self.read(version);
        };
        if cached.is_new_enough(version) {
            return Ok(cached.fleet);
        }
        if cached.took <= QUICK {
            return self.read(version);
        }
        if cached.at.elapsed() > cached.took * REST {
            self.read_beside(version);
        }
        Ok(cached.fleet)
    }

    /// Returns the number of the newest commit that pages show, and has newer ones read.
    pub(super) fn shown(self: &Arc<Self>) -> Result<i64, StoreError> {
        self.fleet()?;
        let cached = self.cached().map(|cached| cached.version);
        cached.map_or_else(|| self.version(), Ok)
    }

    /// Reads the fleet before the first visitor has signed in, once.
    pub(super) fn warm(self: &Arc<Self>) {
        if self.cached().is_none() {
            self.read_beside(0);
        }
    }

    /// Reads the fleet on a thread of its own, unless one reads already: many open pages ask at once, and the next
    /// question is a moment away. A failure is met again by a request that reads while it waits.
    fn read_beside(self: &Arc<Self>, version: i64) {
        if self.reading.try_lock().is_ok() {
            let this = Arc::clone(self);
            let thread = thread::Builder::new().name("fleet-reader".to_owned());
            drop(thread.spawn(move || drop(this.read(version))));
        }
    }

    fn cached(&self) -> Option<CachedFleet> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.clone()
    }

    /// Reads the fleet, unless another thread has just done so for this version or a newer one.
    fn read(&self, version: i64) -> Result<Arc<Fleet>, StoreError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = self.cached().filter(|cached| cached.is_new_enough(version)) {
            return Ok(cached.fleet);
        }
        // What was committed while this one waited for another is read as well.
        let version = self.version()?;
        let begun = Instant::now();
        let reader = Reader::open(&self.store)?.with_prices(&self.settings.price);
        let stops = inspect::stops(&self.store)?;
        let before = self.cached().map(|cached| cached.fleet);
        let now = rightsizer_aws::clock::now();
        let fleet = Arc::new(Fleet::read(&reader, stops, now, before.as_deref())?);
        let cached = CachedFleet {
            fleet: Arc::clone(&fleet),
            version,
            at: Instant::now(),
            took: begun.elapsed(),
        };
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(fleet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store, and a connection that commits to it.
    fn store() -> (tempfile::TempDir, Arc<FleetCache>, rusqlite::Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rightsizer.db");
        drop(rightsizer_store::Store::open(&path, "a test").unwrap());
        let writer = rusqlite::Connection::open(&path).unwrap();
        (
            folder,
            Arc::new(FleetCache::new(path, Arc::default())),
            writer,
        )
    }

    /// A row that is written again as it was is no commit.
    fn commit(writer: &rusqlite::Connection, by: &str) {
        let sql = "INSERT OR REPLACE INTO state VALUES ('paused', ?)";
        writer.execute(sql, [by]).unwrap();
    }

    /// Many pages ask at once after a commit. Each that waited for the first one's reading is answered by it, also if
    /// the commit that it asked for is not the newest any more.
    #[test]
    fn one_reading_answers_everyone_who_waited_for_it() {
        let (_folder, cache, writer) = store();
        let read = |version: i64| cache.read(version).unwrap();
        let first = read(cache.version().unwrap());
        let again = read(cache.version().unwrap());
        assert!(Arc::ptr_eq(&first, &again), "no commit");
        commit(&writer, "by Ada");
        let asked = cache.version().unwrap();
        commit(&writer, "by Grace");
        let newest = read(cache.version().unwrap());
        assert_eq!(newest.stops.paused.as_deref(), Some("by Grace"));
        assert!(Arc::ptr_eq(&newest, &read(asked)));
    }

    /// The numbers of two readers have nothing to do with each other.
    #[test]
    fn a_reader_that_is_opened_again_counts_as_a_commit() {
        let (_folder, cache, _writer) = store();
        let before = cache.version().unwrap();
        cache.watch.lock().unwrap().reader = None;
        assert_eq!(cache.version().unwrap(), before + 1);
        assert_eq!(cache.version().unwrap(), before + 1);
    }
}
