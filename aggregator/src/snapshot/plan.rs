//! Decides what a start does with the store on the disk and the snapshots in the bucket. Pure.

use super::head::{Head, Snapshot};

/// The identity of the store on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LocalStore {
    /// The history that it belongs to, if it had snapshots before.
    pub(super) lineage: Option<String>,
    /// Its own name among the files of that history.
    pub(super) copy: Option<String>,
    /// The location at which it last held the head, if any.
    pub(super) held_at: Option<String>,
}

/// What to do with the store on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing is there: begin, or go on with what has no snapshots yet.
    Begin,
    /// The file on the disk is the one that was written last: nothing is newer.
    KeepLocal,
    /// Restore the first of these that is whole, the newest first.
    Restore(Vec<Snapshot>),
}

/// Why nothing is started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Two histories, and it is unknown which one is intended.
    #[error(
        "the store on the disk and the snapshots belong to different histories\nhint: to continue \
         with the snapshots, move the store away; to continue with the store, use another prefix"
    )]
    OtherHistory,
    /// There was something, and it is not there any more.
    #[error(
        "the prefix has snapshots but no head.json, so it is unknown which is the newest\nhint: \
         restore head.json (a versioned bucket has it); to start empty, or with the store on the \
         disk, use a new prefix"
    )]
    HeadGone,
}

/// What is in the bucket.
#[derive(Debug, Clone, Copy)]
pub(super) enum InBucket<'h> {
    /// Nothing at all.
    Nothing,
    /// Snapshots without a head.
    SnapshotsAlone,
    /// A head.
    Head(&'h Head),
}

/// What to do at the place `here`.
pub(super) fn plan(
    here: &str,
    local: Option<&LocalStore>,
    bucket: InBucket<'_>,
) -> Result<Plan, Contradiction> {
    let head = match bucket {
        InBucket::Nothing => None,
        // `serve` writes a head before any snapshot; `restore` was cut off, or the head is gone.
        InBucket::SnapshotsAlone => return Err(Contradiction::HeadGone),
        InBucket::Head(head) => Some(head),
    };
    match (local, head) {
        (Some(local), None) if local.held_at.as_deref() == Some(here) => {
            Err(Contradiction::HeadGone)
        }
        // Given a new place, a store continues there.
        (_, None) => Ok(Plan::Begin),
        // Its first task was lost before its first snapshot.
        (None, Some(head)) if head.snapshots.is_empty() => Ok(Plan::Begin),
        (None, Some(head)) => Ok(Plan::Restore(head.snapshots.clone())),
        (Some(local), Some(head)) => {
            if local.lineage.as_ref() != Some(&head.lineage) {
                return Err(Contradiction::OtherHistory);
            }
            if local.copy.as_ref() == Some(&head.copy) || head.snapshots.is_empty() {
                return Ok(Plan::KeepLocal);
            }
            Ok(Plan::Restore(head.snapshots.clone()))
        }
    }
}

/// The identity of the store while `plan` is applied, until it holds the lease: lineage and copy
/// are those just `drawn` if it is a new file, restored or at a new location.
pub(super) fn known_as(
    plan: &Plan,
    local: Option<&LocalStore>,
    head: Option<&Head>,
    drawn: [String; 2],
) -> LocalStore {
    let [lineage, copy] = drawn;
    let same = local.filter(|local| match plan {
        Plan::Begin => local.held_at.is_none(),
        Plan::KeepLocal => true,
        Plan::Restore(_) => false,
    });
    let of_head = head.map(|head| head.lineage.clone());
    let of_same = || same.and_then(|same| same.lineage.clone());
    LocalStore {
        lineage: Some(of_head.or_else(of_same).unwrap_or(lineage)),
        copy: Some(same.and_then(|same| same.copy.clone()).unwrap_or(copy)),
        held_at: None,
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Timestamp;

    use super::super::head::{Edit, Retention, Taker};
    use super::*;

    fn local(lineage: &str, copy: &str) -> LocalStore {
        LocalStore {
            lineage: Some(lineage.to_owned()),
            copy: Some(copy.to_owned()),
            held_at: Some("here".to_owned()),
        }
    }

    fn head(copy: &str) -> Head {
        let taker = Taker {
            holder: copy.to_owned(),
            copy: copy.to_owned(),
        };
        Head::first("l".to_owned(), taker)
    }

    fn with_snapshot(head: &Head) -> Head {
        let snapshot = Snapshot {
            key: "k".to_owned(),
            epoch: 1,
            sequence: 1,
            taken_at: Timestamp::MIN,
            bytes: 0,
            store_bytes: 0,
            blake3: String::new(),
            commands: 0,
            schema: 0,
        };
        let keep = Retention { newest: 1, days: 0 };
        head.edited(&Edit::Snapshot(snapshot), keep).unwrap()
    }

    #[test]
    fn a_start_takes_whatever_is_newest_and_never_begins_over_evidence() {
        let had = with_snapshot(&head("a"));
        let restore = Plan::Restore(had.snapshots.clone());
        let young = LocalStore::default();
        let moved = LocalStore {
            held_at: Some("elsewhere".to_owned()),
            ..local("l", "a")
        };
        for (disk, bucket, wanted) in [
            (None, None, Ok(Plan::Begin)),
            (Some(young.clone()), None, Ok(Plan::Begin)),
            (Some(moved), None, Ok(Plan::Begin)),
            (None, Some(head("a")), Ok(Plan::Begin)),
            (None, Some(had.clone()), Ok(restore.clone())),
            // Restarted on its own disk.
            (
                Some(local("l", "a")),
                Some(had.clone()),
                Ok(Plan::KeepLocal),
            ),
            // Another one wrote since.
            (Some(local("l", "b")), Some(had.clone()), Ok(restore)),
            (Some(local("l", "b")), Some(head("a")), Ok(Plan::KeepLocal)),
            (
                Some(local("x", "a")),
                Some(had.clone()),
                Err(Contradiction::OtherHistory),
            ),
            (Some(young), Some(had), Err(Contradiction::OtherHistory)),
            (Some(local("l", "a")), None, Err(Contradiction::HeadGone)),
        ] {
            let bucket = bucket.as_ref().map_or(InBucket::Nothing, InBucket::Head);
            let done = plan("here", disk.as_ref(), bucket);
            assert_eq!(done, wanted, "{disk:?} {bucket:?}");
        }
    }

    /// Whatever is on the disk: where snapshots are and no head, nothing is started.
    #[test]
    fn snapshots_without_a_head_are_not_overwritten() {
        let moved = LocalStore {
            held_at: Some("elsewhere".to_owned()),
            ..local("l", "a")
        };
        for disk in [None, Some(LocalStore::default()), Some(moved)] {
            let done = plan("here", disk.as_ref(), InBucket::SnapshotsAlone);
            assert_eq!(done, Err(Contradiction::HeadGone), "{disk:?}");
        }
    }

    /// A file that was restored, or continues at a new place, is never taken for the one before.
    #[test]
    fn a_store_that_becomes_another_gets_a_name_of_its_own() {
        let had = with_snapshot(&head("a"));
        let restore = Plan::Restore(had.snapshots.clone());
        let unconfirmed = LocalStore {
            held_at: None,
            ..local("l", "a")
        };
        for (plan, disk, head, wanted) in [
            (Plan::Begin, None, None, ["new", "new-copy"]),
            // It ended before it held the head.
            (Plan::Begin, Some(unconfirmed), None, ["l", "a"]),
            // At a new place.
            (
                Plan::Begin,
                Some(local("l", "a")),
                None,
                ["new", "new-copy"],
            ),
            (Plan::Begin, None, Some(head("a")), ["l", "new-copy"]),
            (
                Plan::KeepLocal,
                Some(local("l", "a")),
                Some(had.clone()),
                ["l", "a"],
            ),
            (restore, Some(local("l", "b")), Some(had), ["l", "new-copy"]),
        ] {
            let drawn = ["new", "new-copy"].map(str::to_owned);
            let known = known_as(&plan, disk.as_ref(), head.as_ref(), drawn);
            assert_eq!(known.held_at, None);
            let known = [known.lineage.unwrap(), known.copy.unwrap()];
            assert_eq!(known, wanted, "{plan:?} {disk:?}");
        }
    }
}
