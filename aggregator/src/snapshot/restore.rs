//! Bringing a snapshot back to the disk. A file gets the store's name only when it is whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rightsizer_store::copy::room_for;
use rightsizer_store::inspect;
use rightsizer_store::{Store, StoreError};
use rightsizer_updater::retry;
use tokio::sync::mpsc;
use tracing::warn;

use super::bucket::{Bucket, BucketError};
use super::head::Snapshot;
use super::pack::{Packed, Unpacker};

/// How often an interrupted download is restarted, and after how long.
const PAUSES: [Duration; 2] = [Duration::from_secs(2); 2];

/// Called with the number of bytes of a snapshot moved so far.
pub type Watch = Arc<dyn Fn(u64) + Send + Sync>;

/// No progress is shown.
pub(super) fn unwatched() -> Watch {
    Arc::new(|_| ())
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not what was written: an older one may be.
    #[error("{0}")]
    Damaged(String),
    /// This program does not know its schema. If it is of a later version, a snapshot from before the upgrade
    /// may do.
    #[error("{0}")]
    OtherVersion(StoreError),
    /// The disk or the network: the snapshot may be whole.
    #[error("{0:#}")]
    NotNow(anyhow::Error),
}

/// Writes `snapshot` to the new file `to`, and checks that it is what was written and a whole store.
async fn fetch(
    bucket: &Bucket,
    snapshot: &Snapshot,
    to: &Path,
    watch: &Watch,
) -> Result<(), Unusable> {
    room_for(snapshot.store_bytes, to).map_err(Unusable::NotNow)?;
    let got = download(bucket, snapshot, to, watch).await?;
    let wanted = Packed {
        bytes: snapshot.bytes,
        store_bytes: snapshot.store_bytes,
        blake3: snapshot.blake3.clone(),
    };
    if got != wanted {
        let words = "its content is not what was written".to_owned();
        return Err(Unusable::Damaged(words));
    }
    let file = to.to_owned();
    let checked = tokio::task::spawn_blocking(move || check(&file));
    checked.await.map_err(|e| Unusable::NotNow(e.into()))?
}

/// The same as [`fetch`], restarted if it was interrupted.
pub(super) async fn fetch_patiently(
    bucket: &Bucket,
    snapshot: &Snapshot,
    to: &Path,
    watch: &Watch,
) -> Result<(), Unusable> {
    let may_pass = |why: &Unusable| {
        let Unusable::NotNow(error) = why else {
            return false;
        };
        if error.downcast_ref().is_some_and(BucketError::is_refusal) {
            return false;
        }
        warn!("{} did not arrive ({error:#}); trying again", snapshot.key);
        true
    };
    let fetch = || fetch(bucket, snapshot, to, watch);
    retry(PAUSES, may_pass, fetch).await
}

async fn download(
    bucket: &Bucket,
    snapshot: &Snapshot,
    to: &Path,
    watch: &Watch,
) -> Result<Packed, Unusable> {
    let answer = match bucket.download(&snapshot.key).await {
        Ok(answer) => answer,
        Err(BucketError::Missing(why)) => return Err(Unusable::Damaged(why)),
        Err(error) => return Err(Unusable::NotNow(error.into())),
    };
    let mut body = answer.body;
    let (bytes, mut arriving) = mpsc::channel::<Vec<u8>>(8);
    let file = to.to_owned();
    let unpacking = tokio::task::spawn_blocking(move || -> std::io::Result<Packed> {
        let mut unpacker = Unpacker::new(&file)?;
        while let Some(chunk) = arriving.blocking_recv() {
            unpacker.take(&chunk)?;
        }
        unpacker.finish()
    });
    let (mut broken, mut arrived) = (None, 0);
    while let Some(chunk) = body.next().await {
        match chunk {
            // If the receiver is gone, its error is reported below.
            Ok(chunk) => {
                arrived += chunk.len() as u64;
                watch(arrived);
                if bytes.send(chunk.to_vec()).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    drop(bytes);
    let unpacked = unpacking.await.map_err(|e| Unusable::NotNow(e.into()))?;
    if let Some(error) = broken {
        let error = anyhow::Error::from(error).context("its bytes stopped arriving");
        return Err(Unusable::NotNow(error));
    }
    unpacked.map_err(|error| match error.raw_os_error() {
        Some(_) => Unusable::NotNow(error.into()),
        None => Unusable::Damaged(error.to_string()),
    })
}

/// Whether a file is a whole store of a version that this program knows.
fn check(file: &Path) -> Result<(), Unusable> {
    match Store::open(file, "rightsizer restore") {
        Ok(store) => drop(store),
        Err(error @ (StoreError::Newer { .. } | StoreError::BeforeRelease { .. })) => {
            return Err(Unusable::OtherVersion(error));
        }
        Err(error) => return Err(Unusable::Damaged(error.to_string())),
    }
    let look = inspect::look(file).map_err(|error| Unusable::Damaged(error.to_string()))?;
    if look.damage.is_empty() {
        return Ok(());
    }
    Err(Unusable::Damaged(look.damage.join("; ")))
}

/// The file that a store's name, with this behind it, is of.
pub(super) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What SQLite and this program keep beside a store.
const BESIDE: [&str; 3] = ["-wal", "-shm", ".lock"];

/// Puts the whole store `from` in the place of `store`. What is there is kept, under another name.
pub(super) fn place(from: &Path, store: &Path) -> anyhow::Result<Option<PathBuf>> {
    let replaced = store.exists().then(|| beside(store, ".replaced"));
    if let Some(aside) = &replaced {
        for suffix in ["", "-wal", "-shm"] {
            let (old, new) = (beside(store, suffix), beside(aside, suffix));
            rightsizer_store::copy::remove(&new)?;
            if old.exists() {
                std::fs::rename(&old, &new)
                    .with_context(|| format!("cannot move {} away", old.display()))?;
            }
        }
    }
    std::fs::rename(from, store)
        .with_context(|| format!("cannot put the restored store at {}", store.display()))?;
    for suffix in BESIDE {
        rightsizer_store::copy::remove(&beside(from, suffix))?;
    }
    Ok(replaced)
}

/// Removes what a restore that came to nothing left.
pub(super) fn clear(from: &Path) {
    for suffix in [""].into_iter().chain(BESIDE) {
        // The next restore is made in its place.
        let _ = rightsizer_store::copy::remove(&beside(from, suffix));
    }
}
