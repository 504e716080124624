//! Keeps the store's log small, and warns while a reader of another program keeps it large.

use std::time::{Duration, Instant};

use rightsizer_store::{StoreError, WAL_KEPT, WAL_LARGE};
use tracing::warn;

use crate::pipeline::Pipeline;

/// How often the log is looked at, and how often it is tried to be emptied while readers hold it: each
/// try may keep the writer for a fifth of a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const TRY_EVERY: Duration = Duration::from_secs(10);
const WARN_EVERY: Duration = Duration::from_mins(10);

/// When that was done last.
#[derive(Debug, Default)]
pub(super) struct LogWatch {
    next_look: Option<Instant>,
    next_warning: Option<Instant>,
}

impl LogWatch {
    /// Looks at the log, if it is time to.
    pub(super) fn look_after(&mut self, pipeline: &mut Pipeline) -> Result<(), StoreError> {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return Ok(());
        }
        let bytes = pipeline.trim_wal()?;
        let pause = if bytes > WAL_KEPT {
            TRY_EVERY
        } else {
            LOOK_EVERY
        };
        self.next_look = Some(now + pause);
        if bytes > WAL_LARGE && self.next_warning.is_none_or(|next| now >= next) {
            self.next_warning = Some(now + WARN_EVERY);
            warn!(
                mb = bytes >> 20,
                "the store's log (its file -wal) grows because another program has been reading \
                 for a long time; stop it before the disk is full"
            );
        }
        Ok(())
    }
}
