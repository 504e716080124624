//! How the changes that were applied add up to how the present size came to be.

use rightsizer_records::{Megabytes, Timestamp};

use crate::lifecycle::Status;
use crate::policy::{Changes, SizeChange};

/// A recommendation that changed the function's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedChange {
    /// When, by the window's clock.
    pub at: Timestamp,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size that it asked for.
    pub to_mb: Megabytes,
    /// What became of it.
    pub status: Status,
    /// Whether no person approved it.
    pub automatic: bool,
}

/// The applied and pending recommendations of a function.
#[derive(Debug, Clone, Copy, Default)]
pub struct History {
    /// Those that changed its size.
    pub changes: Changes,
    /// The largest size that was sent and has no outcome yet.
    pub pending_mb: Option<Megabytes>,
}

impl History {
    /// Adds a change; the oldest comes first.
    pub fn apply(&mut self, change: AppliedChange) {
        let kept = change.status != Status::RolledBack;
        let (from_mb, to_mb) = (change.from_mb, change.to_mb);
        let size = SizeChange {
            at: change.at,
            from_mb: if kept { from_mb } else { to_mb },
            to_mb: if kept { to_mb } else { from_mb },
            verified: change.status == Status::Verified,
            invocations: 0,
        };
        self.follow(size, change.status, change.automatic);
    }

    fn follow(&mut self, change: SizeChange, status: Status, automatic: bool) {
        let changes = &mut self.changes;
        changes.last = Some(change);
        changes.before_mb.get_or_insert(change.from_mb);
        if change.verified {
            changes.verify(change.to_mb);
        } else if status == Status::Applied && change.to_mb > change.from_mb {
            if automatic {
                changes.verified_mb.get_or_insert(change.from_mb);
                changes.increases += 1;
            } else {
                // A person is responsible for it.
                changes.increases = 0;
            }
        }
    }
}

impl Changes {
    /// Records that the size `mb` was verified.
    pub(super) const fn verify(&mut self, mb: Megabytes) {
        self.verified_mb = Some(mb);
        self.increases = 0;
    }
}
