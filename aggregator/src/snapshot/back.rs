//! An earlier snapshot taken out of the bucket on purpose: as a file, or as the beginning of a history
//! of its own at another place. What is at the place that it comes from is only read.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use rightsizer_store::Store;
use rightsizer_store::copy::room_for;
use rightsizer_store::inspect::{self, StoreLook};

use super::bucket::{Bucket, BucketError};
use super::head::{Edit, Head, Retention, Snapshot, Taker};
use super::identity::{drawn, set_identity};
use super::make::{Copied, Place, upload};
use super::plan::LocalStore;
use super::restore::{Unusable, Watch, beside, clear, fetch_patiently, place};

/// The one snapshot that a new history begins with.
const ALL: Retention = Retention { newest: 1, days: 0 };

/// Writes `snapshot` to the new file `to`, as a store of a history of its own: served at the place
/// that it comes from it is refused, for it is not what is newest there. Returns what it is.
pub(crate) async fn take_out(
    bucket: &Bucket,
    snapshot: &Snapshot,
    to: &Path,
    watch: &Watch,
) -> anyhow::Result<StoreLook> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    }
    for suffix in ["", "-wal", "-shm"] {
        let there = beside(to, suffix);
        ensure!(
            !there.exists(),
            "{} exists already; nothing is overwritten\nhint: give another name",
            there.display()
        );
    }
    let partial = beside(to, ".partial");
    let lineage = drawn()?;
    let done = unpack(bucket, snapshot, &partial, lineage, watch).await;
    let named = done.and_then(|()| {
        let looked = inspect::look(&partial)?;
        place(&partial, to)?;
        Ok(looked)
    });
    named.inspect_err(|_| clear(&partial))
}

/// Makes `snapshot` the beginning of a new history at the empty location `to`, through the file
/// `work`. Returns its entry there.
pub(crate) async fn begin_at(
    bucket: &Bucket,
    snapshot: &Snapshot,
    to: &Bucket,
    work: &Path,
    watches: (&Watch, Watch),
) -> anyhow::Result<Snapshot> {
    let lineage = drawn()?;
    let (down, up) = watches;
    let done = unpack(bucket, snapshot, work, lineage.clone(), down).await;
    done.inspect_err(|_| clear(work))?;
    let first = Place {
        lineage: lineage.clone(),
        epoch: 1,
        sequence: 1,
    };
    let file = work.to_owned();
    let made = upload(Copied { file }, to, first, snapshot.taken_at, up).await;
    clear(work);
    let made = made?;
    let taker = Taker {
        holder: "rightsizer restore".to_owned(),
        copy: drawn()?,
    };
    // Not released: the first task then waits until the previous lease holder can no longer send.
    let head = Head::first(lineage, taker);
    let head = head.edited(&Edit::Snapshot(made.clone()), ALL);
    enter(to, &head.context("a first snapshot is new")?).await?;
    Ok(made)
}

async fn unpack(
    bucket: &Bucket,
    snapshot: &Snapshot,
    to: &Path,
    lineage: String,
    watch: &Watch,
) -> anyhow::Result<()> {
    // Reported at once; a fetch would retry.
    room_for(snapshot.store_bytes, to)?;
    clear(to);
    let name = format!("{}/{}", bucket.location(), snapshot.key);
    match fetch_patiently(bucket, snapshot, to, watch).await {
        Ok(()) => {}
        Err(Unusable::Damaged(why)) => bail!(
            "{name} is damaged or gone ({why}); nothing was written\nhint: choose another snapshot \
             with --at; a versioned bucket still has the earlier object"
        ),
        Err(Unusable::OtherVersion(error)) => bail!("{name}: {error}"),
        Err(Unusable::NotNow(error)) => {
            return Err(error.context(format!("{name} cannot be read; nothing was written")));
        }
    }
    let own = LocalStore {
        lineage: Some(lineage),
        copy: Some(drawn()?),
        held_at: None,
    };
    set_identity(&mut Store::open(to, "rightsizer restore")?, &own)?;
    Ok(())
}

/// Writes the first head, if there is none.
async fn enter(to: &Bucket, head: &Head) -> anyhow::Result<()> {
    let Err(error) = to.put_head(head.encode()?, None).await else {
        return Ok(());
    };
    let here = to.location();
    if error.is_refusal() {
        return Err(refused(to, head, error).await);
    }
    // The answer may have been lost alone.
    let Ok(there) = to.head().await else {
        bail!(
            "it is unknown whether {here} was created ({error})\nhint: `rightsizer restore {here}` \
             shows it when the bucket responds"
        );
    };
    let there = there.map(|(bytes, _)| Head::decode(&bytes));
    if matches!(&there, Some(Ok(there)) if there.is_of(head)) {
        return Ok(());
    }
    // A write that may still be under way needs what it names.
    if there.is_some() || !matches!(error, BucketError::Unclear(_)) {
        for snapshot in &head.snapshots {
            // If it stays, no head names it, so it does no harm.
            let _ = to.delete(&snapshot.key).await;
        }
    }
    bail!(
        "{here} was not created ({error})\nhint: if the error is temporary, try again, with \
         another prefix if something is left there"
    )
}

/// Returns the error for a first head that was refused. What it names is removed, if that is not refused too.
async fn refused(to: &Bucket, head: &Head, error: BucketError) -> anyhow::Error {
    let here = to.location();
    let mut left = Vec::new();
    for snapshot in &head.snapshots {
        if to.delete(&snapshot.key).await.is_err() {
            left.push(format!("{here}/{}", snapshot.key));
        }
    }
    let hint = if left.is_empty() {
        String::new()
    } else {
        format!(
            "\nhint: {} is left: delete it, or give another prefix",
            left.join(", ")
        )
    };
    anyhow::Error::new(error).context(format!("{here} was not created{hint}"))
}
