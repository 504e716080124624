//! Lines about the recommendations of a function, and what happened to each.

use rightsizer_store::HistoryEvent;
use serde::Deserialize;
use serde_json::Value;

/// A recommendation and its status.
pub(super) fn recommendation(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let back = entry["rollback_of"].as_str();
    let back = back.map_or_else(String::new, |id| format!(", takes back {id}"));
    format!(
        "{}  {} → {} MB  {}  {}{back}",
        text("decided_on"),
        entry["from_mb"],
        entry["to_mb"],
        text("status"),
        text("id")
    )
}

/// What happened to a recommendation: when, by whom, and why.
pub(super) fn events(entry: &Value) -> Vec<String> {
    let events = Vec::<HistoryEvent>::deserialize(&entry["life"]).unwrap_or_default();
    let line = |event: HistoryEvent| {
        let at = event.at.to_string();
        // To the second, in UTC.
        let at = at.get(..19).unwrap_or(&at).replace('T', " ");
        let why = if event.why.is_empty() {
            String::new()
        } else {
            format!(": {}", event.why)
        };
        format!("{at}  {} by {}{why}", event.what, event.by)
    };
    events.into_iter().map(line).collect()
}
