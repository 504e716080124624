//! What is not needed any more is deleted at a day's close.

use rightsizer_records::Day;

use super::error::StoreError;
use super::unit::Unit;
use crate::window::{DETAIL_DAYS, PEAK_MEMORY_DAYS};

impl Unit<'_> {
    /// Deletes details and deduplication marks older than 60 days, and peaks, outcomes and ended
    /// recommendations older than 400, counted back from the last closed day. 60 days are far
    /// beyond what an environment lives and what a stream with the usual retention can replay.
    pub fn retain(&self, closed: Day) -> Result<(), StoreError> {
        let details = closed.plus(-DETAIL_DAYS);
        let peaks = closed.plus(-PEAK_MEMORY_DAYS);
        self.tx
            .execute("DELETE FROM days WHERE day < ?", [details.number()])?;
        self.tx.execute(
            "DELETE FROM environments WHERE last_ms < ?",
            [details.start().as_ms()],
        )?;
        self.tx
            .execute("DELETE FROM peaks WHERE day < ?", [peaks.number()])?;
        self.tx.execute(
            "DELETE FROM outcomes WHERE at_ms < ?",
            [peaks.start().as_ms()],
        )?;
        self.tx.execute(
            "DELETE FROM recommendations
             WHERE day < ? AND status NOT IN ('open', 'approved', 'sent')",
            [peaks.number()],
        )?;
        Ok(())
    }
}
