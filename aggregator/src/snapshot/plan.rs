//! What a start does, by what is on the disk and what is in the bucket. Pure.

use super::head::{Head, Snapshot};

/// What the store on the disk says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LocalStore {
    /// The history that it belongs to, where it had snapshots before.
    pub(super) lineage: Option<String>,
    /// Its own name among the files of that history.
    pub(super) copy: Option<String>,
    /// Where it held the head last, if it ever did.
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
    /// Two histories, and nobody can say which is meant.
    #[error(
        "the store on the disk and the snapshots are of different histories: to go on with the \
         snapshots move the store away, to go on with the store give a prefix of its own"
    )]
    OtherHistory,
    /// There was something, and it is not there any more.
    #[error(
        "the store on the disk had snapshots here, and there is no head any more: if the bucket was \
         emptied on purpose give a new prefix, else bring head.json back"
    )]
    HeadGone,
}

/// What to do at the place `here`.
pub(super) fn plan(
    here: &str,
    local: Option<&LocalStore>,
    head: Option<&Head>,
) -> Result<Plan, Contradiction> {
    match (local, head) {
        (None, None) => Ok(Plan::Begin),
        // Given a new place, a store goes on there.
        (Some(local), None) if local.held_at.as_deref() != Some(here) => Ok(Plan::Begin),
        (Some(_), None) => Err(Contradiction::HeadGone),
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
            words: 0,
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
            assert_eq!(
                plan("here", disk.as_ref(), bucket.as_ref()),
                wanted,
                "{disk:?} {bucket:?}"
            );
        }
    }
}
