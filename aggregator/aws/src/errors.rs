//! Errors of AWS: as one line for a person, and what all services mean by some of them.

use std::time::Duration;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use rightsizer_updater::in_words;

/// Whether a service's code means that the caller made too many calls.
pub(crate) fn is_throttled(code: &str) -> bool {
    matches!(
        code,
        "Throttling" | "ThrottlingException" | "ThrottledException" | "TooManyRequestsException"
    )
}

/// Reads the header `Retry-After`, in seconds.
pub(crate) fn retry_after(seconds: Option<&str>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?.parse().ok()?).ok()
}

/// An SDK error as text, with the service's code if there is one.
pub fn words<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        (None, _) => in_words(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_of_seconds() {
        assert_eq!(retry_after(Some("2")), Some(Duration::from_secs(2)));
        for other in [None, Some("soon"), Some("-1")] {
            assert_eq!(retry_after(other), None);
        }
    }
}
