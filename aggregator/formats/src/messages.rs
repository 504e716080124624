//! Every reason of a refused entry that is not shown by the fixtures, as the user reads it.

use crate::budget::Overspent;
use crate::figures::FigureError;
use crate::surroundings::Quoted;

#[test]
fn every_reason_is_reviewed() {
    let overspent = [
        Overspent::Unpacked(4_194_304),
        Overspent::Entries(20_000),
        Overspent::Looks,
    ];
    let figures = [
        FigureError::Size(40_000),
        FigureError::UsedNothing,
        FigureError::Duration {
            what: "duration",
            ms: "-1".to_owned(),
        },
    ];
    let quoted = [
        Quoted::InText("got".to_owned()),
        Quoted::Logged,
        Quoted::Time("11/10/2026".to_owned()),
    ];
    let mut text: Vec<String> = overspent.iter().map(ToString::to_string).collect();
    text.extend(figures.iter().map(ToString::to_string));
    text.extend(quoted.iter().map(ToString::to_string));
    insta::assert_snapshot!(text.join("\n"));
}
