//! Making one snapshot: copy, check, compress, upload. The store's writer continues meanwhile.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rightsizer_records::Timestamp;
use rightsizer_store::{SCHEMA_VERSION, copy, inspect};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::bucket::Bucket;
use super::head::{Snapshot, snapshot_key};
use super::pack::{Packed, Part, pack};
use super::restore::{Watch, unwatched};

/// A part of an upload; S3 takes 10,000 of them, 160 GB.
const PART_BYTES: usize = 16 << 20;
/// Parts that wait for the network.
const WAITING: usize = 2;

/// What the next snapshot is called.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) lineage: String,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
}

/// A store that snapshots are made of.
#[derive(Debug)]
pub(super) struct Original {
    path: PathBuf,
    connection: Connection,
    /// The value of `PRAGMA data_version` when the last snapshot was made: it changes with every
    /// later write.
    made_at: Option<i64>,
}

impl Original {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            connection: inspect::connect(path)?,
            made_at: None,
        })
    }

    /// Makes a snapshot, unless nothing changed since the last one that counted.
    pub(super) async fn snapshot(
        mut self,
        bucket: Bucket,
        place: Place,
        now: Timestamp,
    ) -> (Self, anyhow::Result<Option<Snapshot>>) {
        let copied = tokio::task::spawn_blocking(move || {
            let copied = self.copy();
            (self, copied)
        });
        let (original, copied) = match copied.await {
            Ok(copied) => copied,
            // The thread's panic continues here.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let made = match copied {
            Ok(Some(copy)) => upload(copy, &bucket, place, now, unwatched())
                .await
                .map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        (original, made)
    }

    /// The last snapshot no longer counts, or never did: the next one is made in any case.
    pub(super) const fn forget(&mut self) {
        self.made_at = None;
    }

    fn copy(&mut self) -> anyhow::Result<Option<Copied>> {
        let version = "PRAGMA data_version";
        let version = self.connection.query_row(version, [], |row| row.get(0))?;
        if self.made_at == Some(version) {
            return Ok(None);
        }
        let mut file = self.path.clone().into_os_string();
        file.push(".snapshot");
        let copied = Copied {
            file: PathBuf::from(file),
        };
        copy::copy(&self.connection, &copied.file).context("the store could not be copied")?;
        self.made_at = Some(version);
        Ok(Some(copied))
    }
}

/// A copy beside the store, removed when it is not needed any more.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) file: PathBuf,
}

impl Drop for Copied {
    fn drop(&mut self) {
        // The next copy is made in its place.
        let _ = copy::remove(&self.file);
    }
}

/// Compresses a copy and writes it to the bucket as the snapshot at `place`, of the time `now`.
pub(super) async fn upload(
    copied: Copied,
    bucket: &Bucket,
    place: Place,
    now: Timestamp,
    watch: Watch,
) -> anyhow::Result<Snapshot> {
    let key = snapshot_key(&place.lineage, place.epoch, place.sequence);
    let (parts, waiting) = mpsc::channel(WAITING);
    let packing = tokio::task::spawn_blocking(move || -> anyhow::Result<(Packed, u64)> {
        let commands = inspect::applied_commands(&copied.file)?;
        let mut sent = 0;
        let send = |part: Part| {
            sent += part.bytes.len() as u64;
            watch(sent);
            let gone = |_| std::io::Error::other("the upload has ended");
            parts.blocking_send(part).map_err(gone)
        };
        Ok((pack(&copied.file, PART_BYTES, send)?, commands))
    });
    let uploaded = bucket.upload(&key, waiting).await;
    let packed = packing.await?;
    // If both failed, the upload failed first.
    uploaded.with_context(|| format!("cannot write {}/{key}", bucket.location()))?;
    let (packed, commands) = packed?;
    Ok(Snapshot {
        key,
        epoch: place.epoch,
        sequence: place.sequence,
        taken_at: now,
        bytes: packed.bytes,
        store_bytes: packed.store_bytes,
        blake3: packed.blake3,
        commands,
        schema: SCHEMA_VERSION,
    })
}
