//! Growing delays after repeated failures; a lasting failure is logged.

use std::time::Duration;

use rightsizer_updater::Backoff;
use tracing::warn;

/// The first wait after a failure, and the longest after repeated ones.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// Throttling and cut connections are everyday: only what fails so often is worth a line.
const WORTH_SAYING: u32 = 3;

/// How often something failed since it last worked.
#[derive(Debug)]
pub(super) struct Pause {
    failures: u32,
    pauses: Backoff,
}

impl Default for Pause {
    fn default() -> Self {
        Self {
            failures: 0,
            pauses: Backoff::new(FIRST, LONGEST),
        }
    }
}

impl Pause {
    /// How long to wait after one more failure.
    pub(super) fn next(&mut self, what: &str, why: &impl std::fmt::Display) -> Duration {
        self.failures += 1;
        if self.failures == WORTH_SAYING {
            warn!("{what}: {why:#}; nothing is lost, retrying");
        }
        self.pauses.next().unwrap_or(LONGEST)
    }

    /// Whether it has failed so often that a person should know.
    pub(super) const fn is_long(&self) -> bool {
        self.failures >= WORTH_SAYING
    }

    /// It works.
    pub(super) fn over(&mut self) {
        *self = Self::default();
    }
}
