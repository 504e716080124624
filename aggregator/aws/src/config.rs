//! Clients of AWS, with the TLS provider chosen explicitly.

use std::time::Duration;

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_kinesis::config::ProvideCredentials as _;
use rightsizer_updater::{http_client, in_words};

use crate::clock::DateListener;
use crate::mfa::MfaCredentials;
use crate::profiles::Profiles;

/// Whose account is meant, and where. What is chosen here wins over keys and region of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The profile of the AWS configuration; without one, the environment decides.
    pub profile: Option<String>,
    /// The region; without one, that of the profile, else that of the environment.
    pub region: Option<String>,
}

impl Place {
    /// Returns what every client is made from: credentials, region, and endpoints of the environment, such as
    /// `AWS_ENDPOINT_URL_KINESIS`.
    pub async fn config(&self) -> SdkConfig {
        let http = http_client();
        // Without these a connection that died silently would stall its shard for good.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(10))
            .build();
        let mut config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .http_client(http.clone())
            .timeout_config(timeouts);
        let mut region = self.region.clone().map(Region::new);
        let by = |region: &Option<Region>| {
            let by = ProviderConfig::without_region();
            // Roles and sessions of `aws login` are asked for in a region too.
            let of_environment = || {
                let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
                let mut named = named.filter_map(|name| std::env::var(name).ok());
                named.next().map(Region::new)
            };
            let region = region.clone().or_else(of_environment);
            by.with_http_client(http.clone()).with_region(region)
        };
        let keys = |profile: &str, region: &Option<Region>| {
            let keys = ProfileFileCredentialsProvider::builder().configure(&by(region));
            keys.profile_name(profile).build()
        };
        if let Some(profile) = &self.profile {
            if region.is_none() {
                let of_profile = ProfileFileRegionProvider::builder().profile_name(profile);
                region = of_profile.build().region().await;
            }
            let keys = keys(profile, &region);
            config = config.profile_name(profile).credentials_provider(keys);
        }
        // As in every tool of AWS, keys of the environment win over a profile that is not named here.
        if (self.profile.is_some() || std::env::var_os("AWS_ACCESS_KEY_ID").is_none())
            && let Some(role) = Profiles::read(self.profile.as_deref())
                .await
                .and_then(|profiles| profiles.mfa_role())
        {
            let source = keys(&role.source, &region);
            let mfa = MfaCredentials::new(role, source, http.clone(), region.clone());
            config = config.credentials_provider(mfa);
        }
        if let Some(region) = region {
            config = config.region(region);
        }
        config.load().await
    }

    /// Checks that there are credentials, because otherwise every call would fail with its own message.
    ///
    /// # Errors
    /// If there are none, with what to do.
    pub async fn want_credentials(&self, config: &SdkConfig) -> anyhow::Result<()> {
        let provider = config.credentials_provider();
        let provider =
            provider.ok_or_else(|| anyhow::anyhow!("this program uses no credentials"))?;
        let Err(error) = provider.provide_credentials().await else {
            return Ok(());
        };
        let why = in_words(&error);
        Err(match Profiles::read(self.profile.as_deref()).await {
            Some(profiles) => anyhow::anyhow!(profiles.explain(&why)),
            None => {
                anyhow::anyhow!("no credentials for AWS were found, so no call was made: {why}")
            }
        })
    }

    /// Returns what to do about an error of a call, if it is about the credentials themselves or this machine's clock.
    pub async fn advice(&self, error: &str) -> Option<String> {
        if CLOCK.iter().any(|words| error.contains(words)) {
            return Some(
                "this machine's clock is wrong: set it; AWS accepts a difference of five minutes"
                    .to_owned(),
            );
        }
        let (_, advice) = CREDENTIALS.iter().find(|(code, _)| error.contains(code))?;
        let again = match Profiles::read(self.profile.as_deref()).await {
            Some(profiles) => profiles.again(),
            None => None,
        };
        Some(match again {
            Some(command) => format!("{advice}: {command}"),
            None => format!("{advice}; get new ones where these came from"),
        })
    }

    /// Returns a client for this stream, by name or ARN. Its responses carry the time, see [`crate::clock`].
    pub async fn kinesis(&self, stream: &str) -> aws_sdk_kinesis::Client {
        let config = crate::kinesis::client_config(&self.config().await, stream);
        aws_sdk_kinesis::Client::from_conf(config.interceptor(DateListener).build())
    }
}

/// The same for clients whose calls are paced and repeated by the caller, and not by the SDK.
pub(crate) fn without_retries(config: &SdkConfig) -> SdkConfig {
    let once = RetryConfig::disabled();
    config.to_builder().retry_config(once).build()
}

/// Words with which services refuse a request whose time is too far from theirs.
const CLOCK: [&str; 3] = [
    "Signature expired",
    "Signature not yet current",
    "RequestTimeTooSkewed",
];

/// Returns whether the error of a call is about the credentials themselves or this machine's clock: then nothing was
/// done, and trying again does not help.
pub fn is_of_credentials(error: &str) -> bool {
    let codes = CREDENTIALS.iter().map(|(code, _)| *code);
    CLOCK
        .into_iter()
        .chain(codes)
        .any(|words| error.contains(words))
}

/// The codes with which services refuse credentials, and what they mean.
/// Source: AWS's lists of common errors.
const CREDENTIALS: [(&str, &str); 8] = [
    ("ExpiredToken", "the credentials have expired"),
    ("RequestExpired", "the credentials have expired"),
    (
        "UnrecognizedClient",
        "AWS does not know these credentials in this region",
    ),
    (
        "InvalidClientTokenId",
        "AWS does not know these credentials in this region",
    ),
    ("InvalidAccessKeyId", "AWS does not know these credentials"),
    // EC2's.
    ("AuthFailure", "AWS does not know these credentials"),
    (
        "InvalidSignature",
        "the secret key does not belong to the access key",
    ),
    (
        "SignatureDoesNotMatch",
        "the secret key does not belong to the access key",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_that_is_not_about_permissions_has_its_own_advice() {
        let place = Place {
            profile: Some("of-no-file".to_owned()),
            region: None,
        };
        for (error, hint) in [
            (
                "InvalidSignatureException: Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
                Some("this machine's clock is wrong"),
            ),
            (
                "InvalidSignatureException: The request signature we calculated",
                Some("the secret key does not"),
            ),
            ("SignatureDoesNotMatch: x", Some("the secret key does not")),
            ("ExpiredToken: x", Some("the credentials have expired")),
            (
                "UnrecognizedClientException: x",
                Some("AWS does not know these credentials"),
            ),
            (
                "AuthFailure: AWS was not able to validate the provided access credentials",
                Some("AWS does not know these credentials"),
            ),
            ("AccessDeniedException: x", None),
            ("dispatch failure: io error", None),
        ] {
            let advice = place.advice(error).await;
            assert_eq!(advice.is_some(), hint.is_some(), "{error}: {advice:?}");
            let begins = advice.is_none_or(|advice| advice.starts_with(hint.unwrap_or_default()));
            assert!(begins, "{error}");
        }
    }
}
