//! News from the aggregator: the inventory, and review commands that change what is kept.

use rightsizer_records::{Day, Megabytes, News, Notice, Timestamp};

use super::FunctionState;

impl FunctionState {
    /// Takes in a notice; returns whether the function has to be decided.
    pub fn notice(&mut self, notice: &Notice) -> bool {
        match &notice.news {
            News::Listed(listing) => self.list(listing, notice.at),
            News::Gone => {
                self.unlist(notice.at);
                false
            }
            News::Cleared { through } => {
                self.review_clear(*through);
                false
            }
            News::Forgotten => {
                self.forget(notice.at);
                false
            }
            News::Due => self.seen.is_some(),
        }
    }

    /// Out-of-memory up to `day` no longer counts.
    pub fn clear(&mut self, day: Day) {
        self.cleared = self.cleared.max(Some(day));
    }

    /// A review command does the same, if a size ran out of memory and still counts.
    fn review_clear(&mut self, day: Day) {
        let counts = |on: &Day| self.cleared.is_none_or(|cleared| *on > cleared);
        let hidden = |mb: Megabytes| mb > Megabytes(0);
        let mut peaks = self.peaks.iter();
        if peaks.any(|(on, peak)| counts(on) && hidden(peak.censored_mb)) {
            self.clear(day);
        }
    }

    /// Deletes all but the inventory, which belongs to the account, and the ids of log events: a line that is delivered
    /// again is of what was forgotten. The same command again changes nothing, because evidence that came since is of
    /// the new function.
    pub fn forget(&mut self, at: Timestamp) {
        if self.forgotten >= Some(at) {
            return;
        }
        *self = Self {
            listed: self.listed.take(),
            closed: self.closed,
            events: std::mem::take(&mut self.events),
            forgotten: Some(at),
            ..Self::new(self.function.clone())
        };
    }
}
