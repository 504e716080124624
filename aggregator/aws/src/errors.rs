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

/// The hint for an error if no service responded.
pub const NO_RESPONSE: &str =
    "nothing responded: check the region, and that this machine can reach AWS";

/// Returns whether an error of the SDK, as text, means that no service responded.
pub fn is_unreachable(error: &str) -> bool {
    let words = [
        NO_CONNECTION,
        "io error",
        "dispatch failure",
        "client error (Connect)",
        "timeout occurred",
        "no response within",
    ];
    words.iter().any(|words| error.contains(words))
}

/// Returns whether an error of the SDK, as text, means that the session has ended, so that no other call can succeed.
pub fn has_expired(error: &str) -> bool {
    error.contains("ExpiredToken")
}

/// The SDK's text if no way to find credentials was set up. A list of all ways follows, on several lines.
pub(crate) const NO_KEYS: &str = "no credentials found in chain";

/// An SDK error as text, with the service's code if there is one.
pub fn words<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        (None, _) => brief(in_words(error)),
    }
}

/// The text of an error for which no credentials were found.
pub const NO_CREDENTIALS: &str = "no credentials for AWS were found";

/// How the text of an error begins if there was no connection.
const NO_CONNECTION: &str = "no connection";

/// What the layers below the SDK put before the reason, and what it means.
const LAYERS: [(&str, &str); 4] = [
    ("dispatch failure: io error: ", "io error: "),
    ("dispatch failure: timeout: ", ""),
    ("io error: client error (Connect): ", "no connection: "),
    (
        "dns error: failed to lookup address information: ",
        "the host's name is unknown: ",
    ),
];

/// Returns the text of an error without the SDK's list of all ways to find credentials, and without the names of its
/// layers.
pub(crate) fn brief(why: String) -> String {
    if why.contains(NO_KEYS) {
        return NO_CREDENTIALS.to_owned();
    }
    let shorter = |text: String, (layer, meaning): &(&str, &str)| text.replace(layer, meaning);
    LAYERS.iter().fold(why, shorter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_all_ways_to_find_credentials_is_left_out() {
        let list = "dispatch failure: other: the credential provider was not enabled: no credentials found in chain. \
                    Attempted:\n  Environment: x\n  Profile: y";
        assert_eq!(brief(list.to_owned()), NO_CREDENTIALS);
        assert_eq!(brief("timeout".to_owned()), "timeout");
    }

    #[test]
    fn the_layers_of_the_sdk_are_left_out() {
        let connect = "dispatch failure: io error: client error (Connect): ";
        for (more, short) in [
            (
                "tcp connect error: Connection refused (os error 111)",
                "no connection: tcp connect error: Connection refused (os error 111)",
            ),
            (
                "dns error: failed to lookup address information: Name or service not known",
                "no connection: the host's name is unknown: Name or service not known",
            ),
        ] {
            let brief = brief(format!("{connect}{more}"));
            assert_eq!(brief, short);
            assert!(is_unreachable(&brief));
        }
    }

    #[test]
    fn an_answer_of_a_service_is_not_silence() {
        assert!(is_unreachable(
            "io error: client error (Connect): tcp connect error"
        ));
        assert!(is_unreachable("HTTP connect timeout occurred after 3.1s"));
        assert!(is_unreachable("no response within 10s"));
        assert!(is_unreachable(&brief(
            "dispatch failure: io error: connection reset".to_owned()
        )));
        assert!(!is_unreachable("AccessDeniedException: not you"));
    }

    #[test]
    fn a_wait_is_a_number_of_seconds() {
        assert_eq!(retry_after(Some("2")), Some(Duration::from_secs(2)));
        for other in [None, Some("soon"), Some("-1")] {
            assert_eq!(retry_after(other), None);
        }
    }
}
