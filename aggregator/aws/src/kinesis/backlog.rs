//! Whether every shard has been read to its newest record once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by the readers of one stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    listed: bool,
    behind: HashSet<String>,
    caught_up: HashSet<String>,
    announced: bool,
}

impl Backlog {
    /// These shards are not read to their end.
    pub(super) fn list(&self, open: impl Iterator<Item = String>) {
        let state = &mut *self.state();
        state.listed = true;
        let caught_up = &state.caught_up;
        state
            .behind
            .extend(open.filter(|shard| !caught_up.contains(shard)));
    }

    /// This shard was read to its newest record, or no longer exists. Returns true once, for the
    /// last one.
    pub(super) fn reached(&self, shard: &str) -> bool {
        let state = &mut *self.state();
        if !state.caught_up.contains(shard) {
            state.caught_up.insert(shard.to_owned());
        }
        state.behind.remove(shard);
        let now = state.listed && state.behind.is_empty() && !state.announced;
        state.announced |= now;
        now
    }

    /// Another stream begins.
    pub(super) fn forget(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
