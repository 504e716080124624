//! A notice in the form of each service. Names come from outside: in none of them can they be a link, a mention or
//! markup.

use rightsizer_records::shown::shown;
use serde_json::{Value, json};

use super::notice::Notice;

/// Slack's `mrkdwn`: only these three characters can begin a link or a mention.
pub(super) fn slack(notice: &Notice, page: Option<&str>) -> Value {
    let escape = |text: &str| {
        let text = shown(text)
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        // Without a character of markup beside a letter there is no emphasis; plain text fields have none at all.
        text.replace(['*', '_', '~', '`'], "·")
    };
    let lines: Vec<String> = notice
        .lines
        .iter()
        .map(|line| format!("• {}", escape(line)))
        .collect();
    let mut text = lines.join("\n");
    if let Some(page) = page {
        text.push_str(&format!("\n<{page}|Open the page>"));
    }
    json!({
        "text": escape(&notice.title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "emoji": false, "text": shown(&notice.title).chars().take(150).collect::<String>()}},
            {"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text": text}},
        ],
    })
}

/// An adaptive card, as workflows of Teams take it. Its text blocks read Markdown.
pub(super) fn teams(notice: &Notice, page: Option<&str>) -> Value {
    let escape = |text: &str| {
        let mut escaped = String::new();
        for c in shown(text).chars() {
            if "\\`*_{}[]()<>#+-!|~".contains(c) {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        // An address would become a link by itself.
        escaped.replace("://", ":\u{200a}//")
    };
    let block = |text: String, weight: &str| json!({"type": "TextBlock", "wrap": true, "weight": weight, "text": text});
    let mut body = vec![block(escape(&notice.title), "Bolder")];
    body.extend(
        notice
            .lines
            .iter()
            .map(|line| block(escape(line), "Default")),
    );
    let actions: Vec<Value> = page
        .into_iter()
        .map(|page| json!({"type": "Action.OpenUrl", "title": "Open the page", "url": page}))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions,
            },
        }],
    })
}

/// For programs, which recognise a repeated notice by its id.
pub(super) fn webhook(id: &str, notice: &Notice, page: Option<&str>) -> Value {
    json!({
        "id": id,
        "kind": notice.kind.name(),
        "title": shown(&notice.title),
        "lines": notice.lines.iter().map(|line| shown(line).into_owned()).collect::<Vec<_>>(),
        "page": page,
    })
}

/// Plain text, as SNS mails it.
pub(super) fn plain(notice: &Notice, page: Option<&str>) -> String {
    let mut text = shown(&notice.title).into_owned();
    for line in &notice.lines {
        text.push_str(&format!("\n- {}", shown(line)));
    }
    if let Some(page) = page {
        text.push_str(&format!("\n\n{page}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::notice::Kind;
    use super::*;

    fn notice() -> Notice {
        Notice {
            kind: Kind::Urgent,
            title: "<!channel> & *all*".to_owned(),
            lines: vec!["[x](https://evil.example) <https://evil.example|y> \u{202e}z".to_owned()],
            about: Vec::new(),
        }
    }

    #[test]
    fn a_name_is_text_in_every_service() {
        let slack = slack(&notice(), None);
        assert_eq!(slack["text"], "&lt;!channel&gt; &amp; ·all·");
        let text = slack["blocks"][1]["text"]["text"].as_str().unwrap();
        assert!(!text.contains('<') && text.contains("\\u{202e}z"), "{text}");
        let teams = teams(&notice(), Some("https://sizes.example")).to_string();
        assert!(
            !teams.contains("](https") && !teams.contains("https://evil"),
            "{teams}"
        );
        assert!(teams.contains("https://sizes.example"));
        let webhook = webhook("urgent-1", &notice(), None);
        assert_eq!(
            (webhook["kind"].as_str(), webhook["title"].as_str()),
            (Some("urgent"), Some("<!channel> & *all*"))
        );
        assert!(plain(&notice(), None).contains("\\u{202e}z"));
    }
}
