//! Whose account a command means, and where: one spelling in every command that calls AWS.

use anyhow::{Context as _, bail};
use aws_config::{Region, SdkConfig};
use clap::Args;
use rightsizer_aws::config::Place;
use rightsizer_aws::errors::{NO_RESPONSE, is_unreachable};

use super::flags;

/// The profile and the region.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// AWS profile [default: `AWS_PROFILE`, else the default profile]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// AWS region [default: that of `--profile`, else `AWS_REGION`, else that of the default profile]
    #[arg(long, value_name = "REGION", value_parser = flags::region)]
    region: Option<String>,
}

/// The profile alone, for commands whose region comes from what they are given.
#[derive(Debug, Args)]
pub(super) struct ProfileArg {
    /// AWS profile [default: `AWS_PROFILE`, else the default profile]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl ProfileArg {
    /// Returns the place in this region, else in that of the environment.
    pub(super) fn place(&self, region: Option<&str>) -> Place {
        Place {
            profile: self.profile.clone(),
            region: region.map(str::to_owned),
        }
    }
}

impl PlaceArgs {
    /// Returns the place.
    pub(super) fn place(&self) -> Place {
        Place {
            profile: self.profile.clone(),
            region: self.region.clone(),
        }
    }

    /// Returns the profile that was named.
    pub(super) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns the region that was named.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Returns the configuration of clients, once there are credentials and a region.
    pub(super) async fn config(&self) -> anyhow::Result<SdkConfig> {
        let place = self.place();
        let config = place.config().await;
        place.want_credentials(&config).await?;
        // An empty AWS_REGION is none.
        let region = config.region().filter(|region| !region.as_ref().is_empty());
        region.context(
            "no region is set\nhint: give --region, or set AWS_REGION or the profile's region",
        )?;
        Ok(config)
    }

    /// Returns the configuration of clients in this region, once there are credentials.
    pub(super) async fn config_in(&self, region: &str) -> anyhow::Result<SdkConfig> {
        let place = self.place();
        let config = place.config().await;
        place.want_credentials(&config).await?;
        Ok(in_region(&config, region))
    }

    /// Returns a configuration for each region that is enabled for the account.
    pub(super) async fn everywhere(&self) -> anyhow::Result<Vec<SdkConfig>> {
        let place = self.place();
        let mut config = place.config().await;
        place.want_credentials(&config).await?;
        if config.region().is_none() {
            config = in_region(&config, "us-east-1");
        }
        let regions = rightsizer_aws::regions::enabled(&config).await;
        let regions = match regions {
            Ok(regions) => regions,
            Err(error) => {
                let why = error.to_string();
                let hint = "allow ec2:DescribeRegions, or run the command once for each --region";
                let hint = self.hint(&why, hint).await;
                bail!("cannot list the account's regions: {why}{hint}");
            }
        };
        Ok(regions
            .iter()
            .map(|name| in_region(&config, name))
            .collect())
    }

    /// Returns this hint about an error of a service, or a better one if the credentials, the clock or the network are
    /// the cause.
    pub(super) async fn hint(&self, error: &str, hint: &str) -> String {
        let advice = if is_unreachable(error) {
            Some(NO_RESPONSE.to_owned())
        } else {
            self.place().advice(error).await
        };
        format!("\nhint: {}", advice.as_deref().unwrap_or(hint))
    }
}

/// Returns the message of an error, and its hint if it has one.
pub(super) fn in_parts(error: &anyhow::Error) -> (String, Option<String>) {
    let text = format!("{error:#}");
    match text.split_once("\nhint: ") {
        Some((found, hint)) => (found.to_owned(), Some(hint.to_owned())),
        None => (text, None),
    }
}

/// The same credentials in another region.
fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    let region = Region::new(region.to_owned());
    config.to_builder().region(region).build()
}
