//! Errors of a selection as the user reads them.

use super::super::{LayerVersion, SelectionError};

#[test]
fn every_message_is_reviewed() {
    let layer = "arn:aws:lambda:eu-central-1:123456789012:layer:x";
    let layer = layer.parse::<LayerVersion>().unwrap_err();
    let all = [
        SelectionError::NoTag("team".into()),
        SelectionError::NoName {
            line: 3,
            text: "a b".into(),
        },
        SelectionError::Empty,
        SelectionError::TagsUnknown,
    ];
    let mut text: Vec<String> = all.iter().map(ToString::to_string).collect();
    text.push(layer.to_string());
    insta::assert_snapshot!(text.join("\n"));
}
