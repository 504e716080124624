//! An applied command: kept beside a snapshot of the store, so that an older store can be brought to the same state.

use rightsizer_records::Timestamp;
use serde::{Deserialize, Serialize};

use super::ReviewCommand;

/// An applied command with its target resolved: a recommendation by its id, a function by its full
/// name. No stream repeats it, so it is saved separately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedCommand {
    /// Its place among all that were applied on this store, from 1 on.
    pub number: u64,
    /// When that was.
    pub at: Timestamp,
    /// The command.
    #[serde(flatten)]
    pub command: ReviewCommand,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Action;

    #[test]
    fn it_crosses_json_as_it_is() {
        let carried = AppliedCommand {
            number: 7,
            at: Timestamp::parse("2026-03-01T10:00:00.5Z").unwrap(),
            command: ReviewCommand {
                action: Action::Hold {
                    what: "checkout".to_owned(),
                    days: 3,
                },
                by: "ann".to_owned(),
                why: "sale".to_owned(),
            },
        };
        let text = serde_json::to_string(&carried).unwrap();
        insta::assert_snapshot!(text, @r#"{"number":7,"at":"2026-03-01T10:00:00.500Z","action":"hold","what":"checkout","days":3,"by":"ann","why":"sale"}"#);
        assert_eq!(
            serde_json::from_str::<AppliedCommand>(&text).unwrap(),
            carried
        );
    }
}
