//! Errors of the AWS SDK as one line for a person.

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

/// An SDK error as text, with the service's code if there is one.
pub fn words<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        _ => rightsizer_updater::in_words(error),
    }
}
