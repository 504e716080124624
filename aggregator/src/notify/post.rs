//! Sends a notice to a receiver.

use std::time::Duration;

use hyper::{Method, StatusCode};
use rightsizer_aws::config::Place;
use rightsizer_aws::sns::Topic;
use serde_json::Value;

use super::notice::Notice;
use super::outgoing::Receiver;
use super::settings::{Address, NotifySettings};
use super::wording;
use crate::http;

/// How long a receiver may take.
const WITHIN: Duration = Duration::from_secs(10);

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

    /// Returns the receivers of the settings.
    pub(super) fn names(&self) -> Vec<Receiver> {
        let all = [
            (Receiver::Slack, self.settings.slack.is_some()),
            (Receiver::Teams, self.settings.teams.is_some()),
            (Receiver::Webhook, self.settings.webhook.is_some()),
            (Receiver::Sns, self.topic.is_some()),
        ];
        let set = all.into_iter().filter(|(_, is_set)| *is_set);
        set.map(|(receiver, _)| receiver).collect()
    }

    /// Sends the notice `id` to one receiver, once.
    pub(super) async fn send(
        &self,
        receiver: Receiver,
        id: &str,
        notice: &Notice,
    ) -> Result<(), NotTaken> {
        let page = self.settings.page.as_deref();
        let (address, body) = match receiver {
            Receiver::Slack => (&self.settings.slack, wording::slack(notice, page)),
            Receiver::Teams => (&self.settings.teams, wording::teams(notice, page)),
            Receiver::Webhook => (&self.settings.webhook, wording::webhook(id, notice, page)),
            Receiver::Sns => {
                let topic = self.topic.as_ref().ok_or(NotTaken::NotSet)?;
                let text = wording::plain(notice, page);
                let published = topic.publish(&notice.title, &text).await;
                return published.map_err(|error| NotTaken::Failed(error.to_string()));
            }
        };
        posted(address.as_ref().ok_or(NotTaken::NotSet)?, &body).await
    }
}

/// The reason for which a receiver did not take a notice, without its address.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("it responded with {0}")]
    Refused(StatusCode),
    #[error("{0}")]
    Failed(String),
    #[error("it is not in the settings")]
    NotSet,
}

/// Posts to one address.
async fn posted(address: &Address, body: &Value) -> Result<(), NotTaken> {
    let body = body.to_string().into_bytes();
    let sent = http::send(&Method::POST, address.secret(), body, WITHIN).await;
    match sent {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(NotTaken::Refused(answer.status)),
        Err(error) => Err(NotTaken::Failed(error.root_cause().to_string())),
    }
}
