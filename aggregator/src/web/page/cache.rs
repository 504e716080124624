//! The whole fleet in memory, read again after something was committed. Reading a hundred thousand functions takes
//! a second, so such a fleet is read beside the requests, which get the one before.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rightsizer_page::Fleet;
use rightsizer_store::{Reader, StoreError, inspect};

/// A fleet that is read faster is read while the request waits.
const QUICK: Duration = Duration::from_millis(50);
/// A slow one is read at most this share of the time.
const REST: u32 = 5;
/// The present is part of the page: a week ends without a commit.
const OLDEST: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct FleetCache {
    store: PathBuf,
    cached: Mutex<Option<CachedFleet>>,
    /// Held while the fleet is read.
    reading: Mutex<()>,
    /// For the number of the newest commit.
    watch: Mutex<Option<Reader>>,
}

#[derive(Debug, Clone)]
struct CachedFleet {
    fleet: Arc<Fleet>,
    version: i64,
    at: Instant,
    took: Duration,
}

impl FleetCache {
    pub(super) fn new(store: PathBuf) -> Self {
        Self {
            store,
            cached: Mutex::default(),
            reading: Mutex::default(),
            watch: Mutex::default(),
        }
    }

    /// Returns a number that changes with every commit of another connection.
    fn version(&self) -> Result<i64, StoreError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match watch.take() {
            Some(reader) => reader,
            None => Reader::open(&self.store)?,
        };
        let version = reader.data_version()?;
        *watch = Some(reader);
        Ok(version)
    }

    /// Returns the fleet, not older than a moment.
    pub(super) fn fleet(self: &Arc<Self>) -> Result<Arc<Fleet>, StoreError> {
        let version = self.version()?;
        let Some(cached) = self.cached() else {
            return self.read(version);
        };
        if cached.version == version && cached.at.elapsed() < OLDEST {
            return Ok(cached.fleet);
        }
        if cached.took <= QUICK {
            return self.read(version);
        }
        if cached.at.elapsed() > cached.took * REST {
            let this = Arc::clone(self);
            // A failure is met again by the request that reads while it waits.
            std::thread::spawn(move || drop(this.read(version)));
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
        if self.cached().is_none() && self.reading.try_lock().is_ok() {
            let this = Arc::clone(self);
            std::thread::spawn(move || drop(this.fleet()));
        }
    }

    fn cached(&self) -> Option<CachedFleet> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.clone()
    }

    /// Reads the fleet, unless another thread has just done so for this version.
    fn read(&self, version: i64) -> Result<Arc<Fleet>, StoreError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = self
            .cached()
            .filter(|cached| cached.version == version && cached.at.elapsed() < OLDEST)
        {
            return Ok(cached.fleet);
        }
        let begun = Instant::now();
        let reader = Reader::open(&self.store)?;
        let stops = inspect::stops(&self.store)?;
        let fleet = Arc::new(Fleet::read(&reader, stops, rightsizer_aws::clock::now())?);
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
