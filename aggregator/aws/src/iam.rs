//! The two calls of IAM that the product makes: what may a role do, and who may take it on?

use std::time::Duration;

use aws_config::SdkConfig;
use rightsizer_records::Partition;

use crate::errors::is_throttled;
use crate::signed::{Call, CallFailure, Service, SignedClient, element};
use rightsizer_updater::retry;

/// The pauses before a call is repeated if IAM has no time.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];

/// IAM is one service for a partition, in one region of it.
/// Source: the endpoint rules of AWS's SDKs for IAM.
fn place(region: &str) -> (String, String) {
    let partition = Partition::of_region(region);
    let (host, region) = match partition.name {
        "aws" => ("iam.amazonaws.com".to_owned(), "us-east-1"),
        "aws-us-gov" => ("iam.us-gov.amazonaws.com".to_owned(), "us-gov-west-1"),
        name => {
            let home = match name {
                "aws-cn" => "cn-north-1",
                "aws-iso" => "us-iso-east-1",
                "aws-iso-b" => "us-isob-east-1",
                "aws-iso-e" => "eu-isoe-west-1",
                "aws-iso-f" => "us-isof-south-1",
                _ => "eusc-de-east-1",
            };
            (format!("iam.{home}.{}", partition.dns_suffix), home)
        }
    };
    (host, region.to_owned())
}

/// What IAM decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The policies allow it.
    Allowed,
    /// One of them denies it.
    ExplicitDeny,
    /// None of them allows it.
    ImplicitDeny,
}

/// IAM, by the caller's credentials.
#[derive(Debug)]
pub(crate) struct Iam(SignedClient);

impl Iam {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        let service = Service {
            id: "IAM",
            signing_name: "iam",
            place,
        };
        Self(SignedClient::new(config, service))
    }

    /// Whether the policies of `role` let it do `action` on `resource`; `None` if IAM gives no decision.
    pub(crate) async fn simulate_principal_policy(
        &self,
        role: &str,
        action: &str,
        resource: &str,
    ) -> Result<Option<Decision>, CallFailure> {
        let words = [
            ("Action", "SimulatePrincipalPolicy"),
            ("PolicySourceArn", role),
            ("ActionNames.member.1", action),
            ("ResourceArns.member.1", resource),
        ];
        let answer = self.ask(&words).await?;
        Ok(match element(&answer, "EvalDecision").as_deref() {
            Some("allowed") => Some(Decision::Allowed),
            Some("explicitDeny") => Some(Decision::ExplicitDeny),
            Some(_) => Some(Decision::ImplicitDeny),
            None => None,
        })
    }

    /// The trust policy of a role, given by its ARN, as IAM writes it: JSON, percent-encoded.
    pub(crate) async fn trust_of(&self, role: &str) -> Result<String, CallFailure> {
        let name = role.rsplit('/').next().unwrap_or(role);
        let answer = self
            .ask(&[("Action", "GetRole"), ("RoleName", name)])
            .await?;
        element(&answer, "AssumeRolePolicyDocument")
            .ok_or_else(|| CallFailure::Unclear("IAM returned no trust policy".to_owned()))
    }

    /// Makes a call, a few times if IAM has no time.
    async fn ask(&self, words: &[(&str, &str)]) -> Result<String, CallFailure> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", "2010-05-08")
            .extend_pairs(words)
            .finish();
        let call = || {
            self.0.call(Call {
                content_type: "application/x-www-form-urlencoded",
                target: None,
                body: body.clone(),
            })
        };
        retry(PAUSES, passes, call).await
    }
}

fn passes(error: &CallFailure) -> bool {
    error.code().is_none_or(|code| {
        is_throttled(code) || matches!(code, "ServiceFailure" | "ServiceUnavailable")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iam_has_one_home_in_each_partition() {
        for (region, host, home) in [
            ("eu-central-1", "iam.amazonaws.com", "us-east-1"),
            (
                "cn-northwest-1",
                "iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            ("us-gov-east-1", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            (
                "eusc-de-east-1",
                "iam.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
            ),
            (
                "us-iso-west-1",
                "iam.us-iso-east-1.c2s.ic.gov",
                "us-iso-east-1",
            ),
        ] {
            assert_eq!(place(region), (host.to_owned(), home.to_owned()));
        }
    }
}
