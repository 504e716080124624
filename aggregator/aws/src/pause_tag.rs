//! The updater's stop switch: a tag on its own function, for what was sent already. Pausing sets it
//! and resuming takes it off, from wherever the command is applied.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_lambda::config::Region;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use rightsizer_records::tags::PAUSED_TAG;
use rightsizer_records::{FunctionArn, Timestamp};
use rightsizer_rules::commands::{Action, ReviewCommand, Switched};
use serde::Deserialize;

use crate::config::Place;
use crate::errors::words;

/// A person waits for it, and the sending has stopped by then.
const WITHIN: Duration = Duration::from_secs(10);
/// The most characters of a tag's value.
const VALUE_CHARS: usize = 256;

/// `[updater]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpdaterSettings {
    /// The updater's own function.
    pub function: Option<FunctionArn>,
}

/// The updater's tags could not be read, for the service's reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TagUnread(pub String);

/// The switch of one updater.
#[derive(Debug, Clone)]
pub struct UpdaterSwitch {
    updater: FunctionArn,
    lambda: aws_sdk_lambda::Client,
}

impl UpdaterSwitch {
    /// Of this function, by the credentials of `place`.
    pub async fn of(updater: FunctionArn, place: &Place) -> Self {
        Self::with(updater, &place.config().await)
    }

    /// Of this function, by the credentials of `config`.
    pub fn with(updater: FunctionArn, config: &SdkConfig) -> Self {
        let region = Region::new(updater.region().to_owned());
        let timeouts = TimeoutConfig::builder().operation_timeout(WITHIN);
        let config = aws_sdk_lambda::config::Builder::from(config)
            .region(region)
            .timeout_config(timeouts.build());
        Self {
            lambda: aws_sdk_lambda::Client::from_conf(config.build()),
            updater,
        }
    }

    /// Sets or removes it for `command`, at `now`; `None` if the command is about something else.
    pub async fn turn(&self, command: &ReviewCommand, now: Timestamp) -> Option<Switched> {
        let arn = self.updater.as_str();
        let refused = match command.action {
            Action::Pause => {
                let value = tag_value(command, now);
                let request = self.lambda.tag_resource().resource(arn);
                let answer = request.tags(PAUSED_TAG, value).send().await;
                answer.err().map(|e| words(&e))
            }
            Action::Resume => {
                let request = self.lambda.untag_resource().resource(arn);
                let answer = request.tag_keys(PAUSED_TAG).send().await;
                answer.err().map(|e| words(&e))
            }
            _ => return None,
        };
        Some(match refused {
            None => Switched::Done(self.updater.clone()),
            Some(why) => self.failed(why, command, now),
        })
    }

    /// Returns the failure of `command` at `now` for this reason.
    pub fn failed(&self, why: String, command: &ReviewCommand, now: Timestamp) -> Switched {
        Switched::Failed {
            updater: self.updater.clone(),
            why,
            by_hand: by_hand(&self.updater, command, now),
        }
    }

    /// Reads the tag's value; `None` if it is not set.
    ///
    /// # Errors
    /// If Lambda refuses to list the function's tags, or does not respond.
    pub async fn value(&self) -> Result<Option<String>, TagUnread> {
        let request = self.lambda.list_tags().resource(self.updater.as_str());
        let answer = request.send().await.map_err(|e| TagUnread(words(&e)))?;
        let value = answer.tags().and_then(|tags| tags.get(PAUSED_TAG));
        Ok(value.cloned())
    }
}

/// Who stopped it, when and why, in the characters that a tag takes, and that need no quoting in the
/// command below.
fn tag_value(command: &ReviewCommand, now: Timestamp) -> String {
    let mut value = format!("by {} at {now}", command.by);
    if !command.why.is_empty() {
        value.push_str(&format!(": {}", command.why));
    }
    let plain = |c: char| c.is_alphanumeric() || " +-._:/@".contains(c);
    let plain = value.chars().map(|c| if plain(c) { c } else { '_' });
    plain
        .take(VALUE_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn by_hand(updater: &FunctionArn, command: &ReviewCommand, now: Timestamp) -> String {
    let place = format!("--region {} --resource {updater}", updater.region());
    match command.action {
        Action::Resume => format!("aws lambda untag-resource {place} --tag-keys {PAUSED_TAG}"),
        _ => format!(
            "aws lambda tag-resource {place} --tags '{PAUSED_TAG}={}'",
            tag_value(command, now)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(action: Action, why: &str) -> ReviewCommand {
        ReviewCommand {
            action,
            by: "O'Brien".to_owned(),
            why: why.to_owned(),
        }
    }

    fn updater() -> FunctionArn {
        FunctionArn::new("aws", "eu-central-1", "123456789012", "rightsizer-updater").unwrap()
    }

    #[test]
    fn the_command_for_a_person_can_be_pasted_into_a_shell() {
        let now = Timestamp::parse("2026-03-01T03:00:00Z").unwrap();
        let stop = by_hand(
            &updater(),
            &command(Action::Pause, "errors, 5 % = too many"),
            now,
        );
        assert_eq!(
            stop,
            "aws lambda tag-resource --region eu-central-1 --resource \
             arn:aws:lambda:eu-central-1:123456789012:function:rightsizer-updater \
             --tags 'rightsizer:paused=by O_Brien at 2026-03-01T03:00:00.000Z: errors_ 5 _ _ too many'"
        );
        let go_on = by_hand(&updater(), &command(Action::Resume, ""), now);
        assert!(go_on.ends_with("--tag-keys rightsizer:paused"), "{go_on}");
    }

    #[test]
    fn a_tag_takes_256_characters() {
        let now = Timestamp::parse("2026-03-01T03:00:00Z").unwrap();
        let value = tag_value(&command(Action::Pause, &"long ".repeat(200)), now);
        assert!(value.len() > 250 && value.chars().count() <= VALUE_CHARS);
    }
}
