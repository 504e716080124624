//! The texts of a fleet, each in memory once: functions share states, reasons and tags, and a fleet that is read again
//! shares nearly everything with the one that is shown meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use super::Entry;

#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// Begins with the texts of these functions.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut texts = Self(HashSet::with_capacity(entries.len()));
        for entry in entries {
            let own = [&entry.function, &entry.status, &entry.why];
            let options = [&entry.confidence, &entry.recommendation];
            let options = options.into_iter().flatten();
            for text in own.into_iter().chain(options).chain(entry.tags.iter()) {
                if !texts.0.contains(text) {
                    texts.0.insert(Arc::clone(text));
                }
            }
        }
        texts
    }

    /// Returns the text, the same one as before if it was asked for before.
    pub(super) fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }
}
