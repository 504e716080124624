//! Errors of the updater's settings as its log shows them.

use crate::Settings;

#[test]
fn every_message_is_reviewed() {
    let bad = [
        ("RIGHTSIZER_MODE", "on"),
        ("RIGHTSIZER_PAUSED", "maybe"),
        ("RIGHTSIZER_ACCEPT", "here"),
        ("RIGHTSIZER_MAX_MB", "much"),
    ];
    let text: Vec<String> = bad
        .into_iter()
        .map(|(bad, value)| {
            let variable = |name: &str| (name == bad).then(|| value.to_owned());
            Settings::read(variable).unwrap_err().to_string()
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}
