//! The start: finds the newest store and restores it if needed; then acquires the lease, which
//! makes any other task stop.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rightsizer_aws::clock::now;
use rightsizer_aws::errors::NO_CREDENTIALS;
use rightsizer_records::Timestamp;
use rightsizer_store::{SCHEMA_VERSION, Store, StoreError};
use rightsizer_updater::retry;
use tracing::{info, warn};

use super::bucket::{Bucket, BucketError};
use super::head::{Head, HeadError, Retention, Snapshot, TAKEN_BACK_MS, Taker};
use super::held::{Held, Superseded, superseded};
use super::identity::{drawn, identity, set_identity};
use super::plan::{InBucket, LocalStore, Plan, known_as, plan};
use super::restore::{Unusable, beside, clear, fetch_patiently, place, unwatched};

/// How long a bucket that does not answer is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(2);
/// How often acquiring the lease is retried because the holder still writes.
const TAKING: usize = 10;

/// The head that was taken over for the newest store.
#[derive(Debug)]
pub struct Opened {
    /// The head as it was taken over.
    pub head: Head,
    pub(super) held: Held,
    /// Whether the store came from a snapshot: what was written since is on the streams.
    pub restored: bool,
    /// Whether another task may still be sending what it was about to.
    pub(super) contested: bool,
}

/// Opens the store at `path`, restored from `bucket` if that has a newer one, and acquires the
/// lease. It is opened as `holder`, and the lease is acquired as `taker`.
pub async fn open(
    bucket: Bucket,
    path: &Path,
    (holder, taker): (&str, &str),
    keep: Retention,
) -> anyhow::Result<(Store, Opened)> {
    let (planned, alone) = survey(&bucket).await?;
    let mut local = if path.exists() {
        Some(Store::open(path, holder)?)
    } else {
        None
    };
    let known = local.as_mut().map(identity).transpose()?;
    let here = bucket.location().to_string();
    let there = match &planned {
        Some(head) => InBucket::Head(head),
        None if alone => InBucket::SnapshotsAlone,
        None => InBucket::Nothing,
    };
    let plan = plan(&here, known.as_ref(), there)
        .with_context(|| format!("{} and {here}", path.display()))?;
    let drawn = [drawn()?, drawn()?];
    let identity = known_as(&plan, known.as_ref(), planned.as_ref(), drawn);
    let restored = matches!(plan, Plan::Restore(_));
    let mut store = match plan {
        Plan::KeepLocal => {
            info!("the store on the disk is the newest: no snapshot is restored");
            local.context("a store that is kept is there")?
        }
        Plan::Begin => {
            info!("there is no snapshot at {here} yet");
            let mut store = local.map_or_else(|| Store::open(path, holder), Ok)?;
            // Before the head is taken: should this process end in between, the file is known again.
            set_identity(&mut store, &identity)?;
            store
        }
        Plan::Restore(snapshots) => {
            drop(local);
            restore(&bucket, &snapshots, path, &identity).await?;
            Store::open(path, holder)?
        }
    };
    let (taken, tag) = take_over(&bucket, planned.as_ref(), &identity, taker).await?;
    let held = LocalStore {
        held_at: Some(here),
        ..identity
    };
    set_identity(&mut store, &held)?;
    warn_of_lost_commands(&mut store, &taken)?;
    info!(epoch = taken.epoch, "took over {}", bucket.location());
    let contested = planned.is_some_and(|before| before.may_still_send(&taken));
    let opened = Opened {
        head: taken.clone(),
        held: Held::new(bucket, taken, tag, keep),
        restored,
        contested,
    };
    Ok((store, opened))
}

/// The head, with its tag.
async fn head_of(bucket: &Bucket) -> anyhow::Result<Option<(Head, String)>> {
    let Some((bytes, tag)) = patiently(bucket, || bucket.head()).await? else {
        return Ok(None);
    };
    let head = Head::decode(&bytes).map_err(|error| not_ours(bucket, &error))?;
    Ok(Some((head, tag)))
}

/// The head, and whether there are snapshots without one.
async fn survey(bucket: &Bucket) -> anyhow::Result<(Option<Head>, bool)> {
    if let Some((head, _)) = head_of(bucket).await? {
        return Ok((Some(head), false));
    }
    let keys = patiently(bucket, || bucket.snapshot_keys()).await?;
    if keys.is_empty() {
        return Ok((None, false));
    }
    // Another task may have started here between the two calls.
    let head = head_of(bucket).await?;
    let alone = head.is_none();
    Ok((head.map(|(head, _)| head), alone))
}

/// Returns the result of a call, retried for a while if the bucket does not respond.
async fn patiently<T, F>(bucket: &Bucket, call: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, BucketError>>,
{
    let until = Instant::now() + PATIENCE;
    let mut logged = String::new();
    let may_pass = |error: &BucketError| {
        let again = error.may_pass() && Instant::now() < until;
        let why = error.to_string();
        // Each cause once, not at each attempt.
        if again && why != logged {
            warn!(
                "{} cannot be read yet ({why}); trying again for up to a minute",
                bucket.location()
            );
            logged = why;
        }
        again
    };
    let answer = retry(std::iter::repeat(PAUSE), may_pass, call).await;
    answer.map_err(|error| {
        anyhow!(
            "{} cannot be read, so the lease holder and the newest store are unknown ({error}). Not \
             started; the streams keep new records for their retention.\nhint: {}",
            bucket.location(),
            advice(&error)
        )
    })
}

fn not_ours(bucket: &Bucket, error: &HeadError) -> anyhow::Error {
    anyhow::anyhow!("{}/head.json: {error}", bucket.location())
}

/// What to do about an error of the bucket.
pub(crate) fn advice(error: &BucketError) -> &'static str {
    let why = error.to_string();
    match error {
        _ if why.contains(NO_CREDENTIALS) => {
            "give this process credentials for AWS (docs/SIGN-IN.md lists the ways)"
        }
        _ if why.contains("ExpiredToken") => {
            "the credentials have expired: sign in again, or get new ones where these came from"
        }
        BucketError::Denied(_) => {
            "allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on \
             PREFIX/* of the bucket, and s3:ListBucket on the bucket, in the role that runs `serve`"
        }
        BucketError::NoBucket(_) => "check the bucket's name, the account and AWS_REGION",
        _ => "check that this machine reaches S3, and that credentials and AWS_REGION are set",
    }
}

/// Restores the newest readable one of `snapshots`, with the identity `identity`.
async fn restore(
    bucket: &Bucket,
    snapshots: &[Snapshot],
    path: &Path,
    identity: &LocalStore,
) -> anyhow::Result<()> {
    let to = beside(path, ".restoring");
    let mut newer = None;
    for snapshot in snapshots {
        let name = format!("{}/{}", bucket.location(), snapshot.key);
        if snapshot.schema > SCHEMA_VERSION {
            warn!("{name} was made by a later version; trying the one before it");
            newer.get_or_insert(name);
            continue;
        }
        if let Some(newer) = newer.as_deref().filter(|_| !is_replayed(snapshot, now())) {
            bail!("{}", too_old(newer, &name, snapshot));
        }
        info!("restoring {name}, from {}", snapshot.taken_at);
        clear(&to);
        match fetch_patiently(bucket, snapshot, &to, &unwatched()).await {
            Ok(()) => {
                let replaced = place_as(&to, path, identity)?;
                let mb = snapshot.store_bytes >> 20;
                info!("restored {name} ({mb} MB); later records are read from the streams");
                if let Some(replaced) = replaced {
                    info!(
                        "the store on the disk is older; kept as {}",
                        replaced.display()
                    );
                }
                return Ok(());
            }
            Err(Unusable::Damaged(why)) => {
                warn!("{name} is damaged ({why}); trying the one before it");
            }
            Err(Unusable::OtherVersion(error @ StoreError::Newer { .. })) => {
                warn!("{name}: {error}; trying the one before it");
                newer.get_or_insert(name);
            }
            Err(Unusable::OtherVersion(error)) => bail!("{name}: {error}"),
            Err(Unusable::NotNow(error)) => {
                return Err(error.context(format!("{name} cannot be restored now")));
            }
        }
    }
    clear(&to);
    bail!(
        "no readable snapshot among {} in {}; refusing to start with an empty store\nhint: restore \
         an object version, or use a new prefix to start fresh",
        snapshots.len(),
        bucket.location()
    )
}

/// Whether the streams still have what came since a snapshot. They keep it for a day at least.
fn is_replayed(snapshot: &Snapshot, now: Timestamp) -> bool {
    now.as_ms() - snapshot.taken_at.as_ms() <= TAKEN_BACK_MS
}

fn too_old(newer: &str, name: &str, snapshot: &Snapshot) -> String {
    format!(
        "{newer} was made by a later version, and the newest snapshot that this version can read, {name}, \
         is of {}: the streams may have lost what came since. Start the later version again; or go back \
         on purpose, with rightsizer restore --at {} --into a new prefix",
        snapshot.taken_at, snapshot.taken_at
    )
}

/// Puts the restored file `from` in the place of `store`. It is named before: one that went by the name
/// of who made the snapshot would be taken for that one's, should this process end in between.
fn place_as(from: &Path, store: &Path, identity: &LocalStore) -> anyhow::Result<Option<PathBuf>> {
    set_identity(&mut Store::open(from, "rightsizer restore")?, identity)?;
    place(from, store)
}

/// Acquires the lease from the holder in `planned`. If another task acquired it meanwhile, this
/// fails.
async fn take_over(
    bucket: &Bucket,
    planned: Option<&Head>,
    identity: &LocalStore,
    holder: &str,
) -> anyhow::Result<(Head, String)> {
    let taker = Taker {
        holder: holder.to_owned(),
        copy: identity.copy.clone().unwrap_or_default(),
    };
    for _ in 0..TAKING {
        let (next, over) = match head_of(bucket).await? {
            // The answer to an earlier write was lost.
            Some((head, tag)) if is_taken(&head, planned, &taker) => return Ok((head, tag)),
            Some((head, tag)) if planned.is_some_and(|planned| head.epoch == planned.epoch) => {
                (head.taken_over(taker.clone()), Some(tag))
            }
            Some((head, _)) => return Err(superseded(bucket, &head).into()),
            None if planned.is_none() => {
                let lineage = identity.lineage.clone().unwrap_or_default();
                (Head::first(lineage, taker.clone()), None)
            }
            None => {
                let words = format!("{}/head.json is missing", bucket.location());
                return Err(Superseded(words).into());
            }
        };
        match bucket.put_head(next.encode()?, over.as_deref()).await {
            Ok(tag) => return Ok((next, tag)),
            Err(error @ (BucketError::Denied(_) | BucketError::NoBucket(_))) => {
                bail!(
                    "cannot acquire the lease at {}: {error}\nhint: {}",
                    bucket.location(),
                    advice(&error)
                )
            }
            Err(error) => warn!(
                "acquiring the lease at {}: {error}; trying again",
                bucket.location()
            ),
        }
    }
    bail!(
        "{} could not be taken over in {TAKING} attempts; nothing was started",
        bucket.location()
    )
}

fn is_taken(head: &Head, planned: Option<&Head>, taker: &Taker) -> bool {
    let epoch = planned.map_or(0, |planned| planned.epoch) + 1;
    head.epoch == epoch && head.copy == taker.copy && head.holder == taker.holder
}

/// An old snapshot may be older than the review commands that are kept.
fn warn_of_lost_commands(store: &mut Store, head: &Head) -> anyhow::Result<()> {
    let mut unit = store.begin()?;
    let known = unit.commands().carried_out()?;
    let newest = head
        .snapshots
        .iter()
        .map(|snapshot| snapshot.commands)
        .max();
    let kept_from = head.commands.first().map(|command| command.number - 1);
    let kept_from = kept_from.or(newest).unwrap_or(0);
    if kept_from > known {
        warn!(
            "review commands between this snapshot and a later one are lost ({} approvals, \
             rejections, holds or pauses): check `rightsizer list`",
            kept_from - known
        );
        unit.commands().set_carried_out(kept_from)?;
    }
    unit.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a process leaves that ends between the placing and the taking over.
    #[test]
    fn a_store_that_was_put_in_place_goes_by_its_own_name_from_the_first_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rightsizer.db");
        let named = |copy: &str| LocalStore {
            lineage: Some("l".to_owned()),
            copy: Some(copy.to_owned()),
            held_at: None,
        };
        let restoring = beside(&path, ".restoring");
        let mut snapshot = Store::open(&restoring, "a test").unwrap();
        set_identity(&mut snapshot, &named("of-the-lost-task")).unwrap();
        drop(snapshot);
        place_as(&restoring, &path, &named("own")).unwrap();
        let mut store = Store::open(&path, "a test").unwrap();
        assert_eq!(identity(&mut store).unwrap(), named("own"));
        assert!(!restoring.exists());
    }

    /// Commands 1 to 8 are lost with the snapshots that had them: the next one gets a new number.
    #[test]
    fn numbers_of_lost_words_are_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("rightsizer.db"), "a test").unwrap();
        let taker = Taker {
            holder: "h".to_owned(),
            copy: "c".to_owned(),
        };
        let snapshot = Snapshot {
            key: "k".to_owned(),
            epoch: 1,
            sequence: 1,
            taken_at: Timestamp::MIN,
            bytes: 0,
            store_bytes: 0,
            blake3: String::new(),
            commands: 8,
            schema: 0,
        };
        let mut head = Head::first("l".to_owned(), taker);
        head.snapshots.push(snapshot);
        warn_of_lost_commands(&mut store, &head).unwrap();
        let mut unit = store.begin().unwrap();
        assert_eq!(unit.commands().carried_out().unwrap(), 8);
    }
}
