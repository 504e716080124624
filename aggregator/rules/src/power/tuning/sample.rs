//! One measured invocation.

use rightsizer_records::{Megabytes, Status};

/// What the report of one invocation shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The size.
    pub memory_mb: Megabytes,
    /// How it ended. An error that the run allows counts as `Ok`.
    pub status: Status,
    /// Duration of the handler, in milliseconds.
    pub duration_ms: f64,
    /// Billed duration, with what is billed for a restore, in milliseconds.
    pub billed_ms: f64,
    /// Duration of the init, in milliseconds; `None` in a warm environment.
    pub init_ms: Option<f64>,
    /// Duration of the restore from a snapshot, in milliseconds, if there was one.
    pub restore_ms: Option<f64>,
    /// Highest memory use of the environment so far.
    pub used_mb: Option<Megabytes>,
}

impl Sample {
    /// Returns the duration of the start, init or restore; `None` in a warm environment.
    pub fn start_ms(&self) -> Option<f64> {
        match (self.init_ms, self.restore_ms) {
            (None, None) => None,
            (init, restore) => Some(init.unwrap_or_default() + restore.unwrap_or_default()),
        }
    }

    /// Returns the billed milliseconds of the handler alone. Lambda rounds up to the next one.
    pub(super) const fn billed_warm_ms(&self) -> f64 {
        if self.init_ms.is_none() && self.restore_ms.is_none() {
            self.billed_ms
        } else {
            self.billed_ms.min(self.duration_ms.ceil())
        }
    }
}
