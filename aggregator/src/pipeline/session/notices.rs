//! What another engine has to know: it waits in the store until the decisions stream has it.

use rightsizer_records::{News, Notice};
use rightsizer_rules::inventory::InventoryUpdate;
use rightsizer_store::{FunctionId, StoreError};

use super::Session;

impl Session<'_> {
    /// Notices what a refresh of the inventory changes, before it is merged.
    pub(super) fn notice_listed(&self, update: &InventoryUpdate) -> Result<(), StoreError> {
        for facts in &update.functions {
            let listing = facts.listing(update.with_alarms);
            let function = facts.function.as_str();
            let notices = self.unit.notices();
            if notices.is_news(function, &listing, update.seen_at)? {
                notices.add(Notice {
                    function: function.to_owned(),
                    at: update.seen_at,
                    news: News::Listed(Box::new(listing)),
                })?;
            }
        }
        Ok(())
    }

    /// Notices that functions have to be decided again.
    pub(super) fn notice_due(&self, due: &[FunctionId]) -> Result<(), StoreError> {
        for id in due {
            if let Some(function) = self.unit.notices().name(*id)? {
                self.unit.notices().add(Notice {
                    function,
                    at: self.now,
                    news: News::Due,
                })?;
            }
        }
        Ok(())
    }
}
