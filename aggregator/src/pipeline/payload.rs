//! What the bytes of one stream record hold: a record of ours, or one of the other accepted forms.

use rightsizer_records::{DecodeError, decode};

use crate::source::{Evidence, Item};

/// Reads one stream record. A form that is not a record of ours is tried as the file reader would.
pub(super) fn items(bytes: &[u8]) -> Vec<Item> {
    match decode(bytes) {
        Ok(record) => vec![Item::Evidence(Evidence::Record(Box::new(record)))],
        Err(error @ DecodeError::NotARecord(_)) => {
            vec![refused(error.to_string())]
        }
        Err(error) => vec![refused(error.to_string())],
    }
}

fn refused(reason: String) -> Item {
    Item::Refused {
        line: 1,
        reason,
        sample: String::new(),
    }
}
