//! Sends a notice to every receiver.

use std::time::Duration;

use hyper::Method;
use rightsizer_aws::config::Place;
use rightsizer_aws::sns::Topic;
use serde_json::Value;
use tracing::warn;

use super::notice::Notice;
use super::settings::{Address, NotifySettings};
use super::wording;
use crate::http;

/// How long a receiver may take.
const WITHIN: Duration = Duration::from_secs(10);

/// A notice as one receiver wants it, with the page's address if it is known.
type Form = fn(&Notice, Option<&str>) -> Value;

/// The receivers.
pub(super) struct Posts {
    settings: NotifySettings,
    topic: Option<Topic>,
}

impl Posts {
    pub(super) async fn new(settings: &NotifySettings, place: &Place) -> Self {
        let topic = match &settings.sns {
            Some(arn) => Some(Topic::new(&place.config().await, arn)),
            None => None,
        };
        Self {
            settings: settings.clone(),
            topic,
        }
    }

    /// Sends it to all; returns whether any took it. A receiver that fails does not keep it from the others, and is not
    /// asked again: a second message to those that took it would be worse.
    pub(super) async fn send(&self, notice: &Notice) -> bool {
        let page = self.settings.page.as_deref();
        let forms: [(&str, Option<&Address>, Form); 3] = [
            ("slack", self.settings.slack.as_ref(), wording::slack),
            ("teams", self.settings.teams.as_ref(), wording::teams),
            ("webhook", self.settings.webhook.as_ref(), wording::webhook),
        ];
        let mut taken = false;
        for (name, address, form) in forms {
            if let Some(address) = address {
                taken |= posted(name, address, &form(notice, page)).await;
            }
        }
        if let Some(topic) = &self.topic {
            match topic
                .publish(&notice.title, &wording::plain(notice, page))
                .await
            {
                Ok(()) => taken = true,
                Err(error) => warn!("sns did not take a notice: {error}"),
            }
        }
        taken
    }
}

/// Posts to one address, which is not named in the log.
async fn posted(name: &str, address: &Address, body: &Value) -> bool {
    let sent = http::send(
        &Method::POST,
        address.secret(),
        body.to_string().into_bytes(),
        WITHIN,
    )
    .await;
    match sent {
        Ok(answer) if answer.status.is_success() => true,
        Ok(answer) => {
            warn!(
                "{name} did not take a notice: it responded with {}",
                answer.status
            );
            false
        }
        Err(error) => {
            warn!("{name} did not take a notice: {}", error.root_cause());
            false
        }
    }
}
