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

/// What every client is made from: credentials, region and endpoints of the environment, as
/// `AWS_ENDPOINT_URL_KINESIS`.
pub async fn aws_config() -> SdkConfig {
    aws_config_of(None, None).await
}

/// The same with a profile and a region of the user's own choice: whose account is meant, and where, is what
/// was asked for, whatever keys and region the environment has.
pub async fn aws_config_of(profile: Option<&str>, region: Option<&str>) -> SdkConfig {
    let http = http_client();
    // Without these a connection that died silently would stall its shard for good.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    let mut config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .http_client(http.clone())
        .timeout_config(timeouts);
    let mut region = region.map(|region| Region::new(region.to_owned()));
    if let Some(profile) = profile {
        if region.is_none() {
            let of_profile = ProfileFileRegionProvider::builder().profile_name(profile);
            region = of_profile.build().region().await;
        }
        let by = ProviderConfig::without_region();
        let by = by.with_http_client(http).with_region(region.clone());
        let keys = ProfileFileCredentialsProvider::builder().configure(&by);
        config = config
            .profile_name(profile)
            .credentials_provider(keys.profile_name(profile).build());
    }
    if let Some(region) = region {
        config = config.region(region);
    }
    config.load().await
}

/// The same for clients whose calls are paced and repeated by the caller, and not by the SDK.
pub(crate) fn without_retries(config: &SdkConfig) -> SdkConfig {
    let once = RetryConfig::disabled();
    config.to_builder().retry_config(once).build()
}

/// Checks that there are credentials, because otherwise every call would fail with its own
/// message.
///
/// # Errors
/// If there are none, with what to do.
pub async fn want_credentials(config: &SdkConfig, profile: Option<&str>) -> anyhow::Result<()> {
    let provider = config.credentials_provider();
    let provider = provider.ok_or_else(|| anyhow::anyhow!("this program uses no credentials"))?;
    provider.provide_credentials().await.map_err(|error| {
        let place = profile.map_or_else(String::new, |name| format!(" in the profile {name:?}"));
        anyhow::anyhow!(
            "no credentials for AWS were found{place}, so no call was made: set AWS_ACCESS_KEY_ID \
             and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/config that has keys, a role \
             or a credential_process. After a single sign-on: eval \"$(aws configure \
             export-credentials --format env)\". ({})",
            in_words(&error)
        )
    })?;
    Ok(())
}

/// A Kinesis client from the environment. Its responses carry the time, see [`crate::clock`].
pub async fn kinesis_client() -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::config::Builder::from(&aws_config().await);
    aws_sdk_kinesis::Client::from_conf(config.interceptor(DateListener).build())
}
