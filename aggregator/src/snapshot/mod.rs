//! Snapshots of the store in S3, for a task that loses its disk when it stops. They are made while
//! it serves and restored by the next one, and the head is a lease that only one of two tasks can
//! hold. `head`, `plan`, `settings`, `location` and `pack` are pure or touch files alone; `bucket`
//! calls S3; `held` holds the head, `start` acquires it, `keeper` keeps it while serving.
//! docs/BACKUP.md describes the behaviour, docs/COST.md the cost.

mod back;
mod bucket;
mod choice;
mod handle;
mod head;
mod held;
mod identity;
mod lease_holder;
mod location;
mod make;
mod pack;
mod plan;
mod restore;
mod settings;
mod start;
mod status;

pub(crate) use back::{begin_at, take_out};
pub use bucket::{Bucket, BucketError};
pub(crate) use choice::commands_after;
pub use choice::{Later, NoSnapshot, choose};
pub use handle::LeaseHandle;
pub use head::{Head, HeadError, Snapshot};
pub use held::Superseded;
pub use lease_holder::LeaseHolder;
pub use location::Location;
pub use pack::{Packed, Part, Unpacker, pack};
pub use plan::Contradiction;
pub use restore::{Unusable, Watch};
pub use settings::{MINUTES, SnapshotSettings};
pub(crate) use start::advice;
pub use start::{Opened, open};
pub use status::{SnapshotHealth, SnapshotStatus};

#[cfg(test)]
mod tests {
    use rightsizer_records::Timestamp;

    use super::bucket::BucketError;
    use super::choice::NoSnapshot;
    use super::head::HeadError;
    use super::held::Superseded;
    use super::plan::Contradiction;

    /// Why a start or a restore is refused, as the user reads it.
    #[test]
    fn every_message_is_reviewed() {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let old = NoSnapshot::NoneSoOld {
            at: time("2026-01-01T00:00:00Z"),
            oldest: time("2026-01-31T00:00:00Z"),
        };
        let text = [
            BucketError::Changed("412".into()).to_string(),
            BucketError::Missing("404".into()).to_string(),
            BucketError::NoBucket("404".into()).to_string(),
            NoSnapshot::None.to_string(),
            old.to_string(),
            HeadError::Newer(2).to_string(),
            HeadError::Unreadable("expected value".into()).to_string(),
            Superseded("epoch 8 is decided by task b".into()).to_string(),
            Contradiction::OtherHistory.to_string(),
            Contradiction::HeadGone.to_string(),
        ];
        insta::assert_snapshot!(text.join("\n\n"));
    }
}
