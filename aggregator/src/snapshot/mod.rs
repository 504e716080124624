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
mod keeper;
mod location;
mod make;
mod pack;
mod plan;
mod restore;
mod settings;
mod start;
mod status;

pub use back::{begin_at, take_out};
pub use bucket::{Bucket, BucketError};
pub use choice::{Later, NoSnapshot, choose, said_after};
pub use handle::KeeperHandle;
pub use head::{Head, HeadError, Snapshot};
pub use held::Superseded;
pub use keeper::Keeper;
pub use location::Location;
pub use pack::{Packed, Part, Unpacker, pack};
pub use plan::Contradiction;
pub use restore::{Unusable, Watch};
pub use settings::{MINUTES, SnapshotSettings};
pub(crate) use start::advice;
pub use start::{Opened, open};
pub use status::{SnapshotHealth, SnapshotStatus};
