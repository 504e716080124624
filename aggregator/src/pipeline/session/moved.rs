//! Functions that come back from another engine.

use rightsizer_rules::state::FunctionState;
use rightsizer_rules::window::DayClock;
use rightsizer_store::{StateArrived, StoreError};

use super::Session;

impl Session<'_> {
    /// Takes in the state of a function, and the days that were closed for it; returns whether it was news.
    pub(crate) fn take_state(&mut self, state: FunctionState) -> Result<bool, StoreError> {
        let closed = state.closed().max(self.clock.last_closed());
        let newest = state.newest().max(self.clock.newest_event());
        let arrived = self.unit.arrivals().take(state)?;
        self.clock = DayClock::new(self.clock.mode(), newest, closed);
        Ok(arrived == StateArrived::Taken)
    }
}
