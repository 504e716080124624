//! Reads whether a function can be invoked and whether its last change succeeded; `ListFunctions` returns neither. It
//! must not know what to do about it.

use aws_config::SdkConfig;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::types::{
    FunctionConfiguration, LastUpdateStatus, LastUpdateStatusReasonCode, State, StateReasonCode,
};

use crate::config::without_retries;
use crate::fleet::{CallError, call_error};
use crate::throttle::Throttle;

/// What Lambda reports of `$LATEST` of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It can be invoked, and its last change succeeded.
    Good,
    /// Lambda still prepares it, or its last change.
    Changing,
    /// Its last change failed for this reason. It runs as before.
    ChangeFailed(String),
    /// Invocations fail for this reason.
    Failed(String),
    /// Lambda has freed its resources, because it was not invoked for long.
    Idle,
    /// A state in which it cannot be invoked, such as `Deactivated`, and the reason.
    Other(String),
}

/// Reads the conditions of functions of one account and region.
#[derive(Debug)]
pub struct Conditions {
    lambda: aws_sdk_lambda::Client,
    pace: Throttle,
}

impl Conditions {
    /// With this configuration's credentials and region, and at most `per_second` calls of `GetFunction`.
    pub fn new(config: &SdkConfig, per_second: f64) -> Self {
        Self {
            lambda: aws_sdk_lambda::Client::new(&without_retries(config)),
            pace: Throttle::per_second(per_second),
        }
    }

    /// Returns the condition of a function, given its name or ARN; `None` if it does not exist (any more).
    ///
    /// # Errors
    /// If the call is refused.
    pub async fn of(&self, function: &str) -> Result<Option<Condition>, CallError> {
        let answer = self.pace.call(|| async {
            let answer = self.lambda.get_function().function_name(function).send();
            match answer.await {
                Ok(answer) => Ok(Some(answer)),
                Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
                Err(error) => Err(call_error(&error)),
            }
        });
        let answer = answer.await?;
        Ok(answer.map(|answer| answer.configuration().map_or(Condition::Good, condition)))
    }
}

fn condition(of: &FunctionConfiguration) -> Condition {
    let why = reason(
        of.state_reason(),
        of.state_reason_code().map(StateReasonCode::as_str),
    );
    match of.state() {
        Some(State::Failed) => return Condition::Failed(why),
        Some(State::Pending) => return Condition::Changing,
        Some(State::Inactive) => return Condition::Idle,
        Some(State::Active) | None => {}
        Some(other) => return Condition::Other(format!("{}: {why}", other.as_str())),
    }
    match of.last_update_status() {
        Some(LastUpdateStatus::Failed) => Condition::ChangeFailed(reason(
            of.last_update_status_reason(),
            of.last_update_status_reason_code()
                .map(LastUpdateStatusReasonCode::as_str),
        )),
        Some(LastUpdateStatus::InProgress) => Condition::Changing,
        _ => Condition::Good,
    }
}

/// Lambda's sentence, with its code.
fn reason(words: Option<&str>, code: Option<&str>) -> String {
    match (words, code) {
        (Some(words), Some(code)) => format!("{words} ({code})"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Lambda gives no reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_more_than_a_change() {
        let of = |state: State, update: LastUpdateStatus| {
            let function = FunctionConfiguration::builder()
                .state(state)
                .last_update_status(update)
                .last_update_status_reason("The key is disabled.")
                .last_update_status_reason_code(LastUpdateStatusReasonCode::DisabledKmsKey);
            condition(&function.build())
        };
        let words = "The key is disabled. (DisabledKMSKey)".to_owned();
        let none = "Lambda gives no reason".to_owned();
        for (state, update, wanted) in [
            (State::Active, LastUpdateStatus::Successful, Condition::Good),
            (
                State::Active,
                LastUpdateStatus::InProgress,
                Condition::Changing,
            ),
            (
                State::Active,
                LastUpdateStatus::Failed,
                Condition::ChangeFailed(words),
            ),
            (
                State::Pending,
                LastUpdateStatus::Successful,
                Condition::Changing,
            ),
            (
                State::Inactive,
                LastUpdateStatus::Successful,
                Condition::Idle,
            ),
            (
                State::Failed,
                LastUpdateStatus::Failed,
                Condition::Failed(none.clone()),
            ),
            (
                State::Deactivated,
                LastUpdateStatus::Successful,
                Condition::Other(format!("Deactivated: {none}")),
            ),
            (
                State::from("New"),
                LastUpdateStatus::Successful,
                Condition::Other(format!("New: {none}")),
            ),
        ] {
            assert_eq!(of(state.clone(), update), wanted, "{state:?}");
        }
        assert_eq!(
            condition(&FunctionConfiguration::builder().build()),
            Condition::Good
        );
    }
}
