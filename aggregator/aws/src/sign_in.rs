//! What the failure of a sign-in means, and with which command a person signs in again.
//!
//! Decides by the profiles and the text of the failure; makes no call.

use std::collections::BTreeSet;

use crate::errors::{NO_KEYS, NO_RESPONSE, is_unreachable};
use crate::profiles::{Base, DEFAULT, Profiles, named};

/// The SDK's text for a profile that gives no credentials; the profile shows more.
const NOT_ENABLED: &str = "the credential provider was not enabled";

impl Profiles {
    /// Returns the command with which a person signs in again, if there is one.
    pub(crate) fn again(&self) -> Option<String> {
        match self.base() {
            Base::Sso(of) => Some(format!("aws sso login{}", named(of))),
            Base::Login(of) => Some(format!("aws login{}", named(of))),
            Base::Process(_) | Base::Other => None,
        }
    }

    /// Returns what to do about a failure that a new sign-in does not end, by the words of the service.
    fn advice(&self, why: &str) -> Option<String> {
        let text = |key| self.profile().and_then(|profile| profile.get(key));
        if is_unreachable(why) {
            return Some(NO_RESPONSE.to_owned());
        }
        if why.contains("sts:AssumeRole") {
            let role = text("role_arn").unwrap_or("the role");
            return Some(format!(
                "allow sts:AssumeRole on {role} to the credentials that it names, and have the role's trust policy \
                 name them too"
            ));
        }
        if why.contains("MultiFactorAuthentication failed") {
            return Some("each code works once: wait for the next one of the device".to_owned());
        }
        let of = match self.base() {
            Base::Sso(of) => of,
            Base::Other => return ended_keys(why).map(str::to_owned),
            Base::Login(_) | Base::Process(_) => return None,
        };
        let of = self.set.get_profile(of)?;
        why.contains("ForbiddenException").then(|| {
            format!(
                "you may not use the role {} in the account {}: check both in the profile {:?}, or ask for access",
                of.get("sso_role_name").unwrap_or_default(),
                of.get("sso_account_id").unwrap_or_default(),
                of.name()
            )
        })
    }

    /// Returns what the failure of a sign-in means, and what to do about it.
    pub(crate) fn explain(&self, why: &str) -> String {
        let chosen = &self.chosen;
        if self.profile().is_none() && chosen != DEFAULT {
            let names: BTreeSet<&str> = self.set.profiles().collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() {
                "there are none: `aws configure` makes one".to_owned()
            } else {
                format!("there are {names}")
            };
            return format!(
                "there is no profile {chosen:?} in the AWS configuration\nhint: {names}"
            );
        }
        let advice = self.advice(why);
        let why = cause(why);
        let failed =
            format!("the profile {chosen:?} gives no credentials, so no call was made{why}");
        if let Some(advice) = advice {
            return format!("{failed}\nhint: {advice}");
        }
        if let Some(command) = self.again() {
            return format!("{failed}\nhint: sign in again: {command}");
        }
        match self.base() {
            Base::Process(of) => format!(
                "{failed}\nhint: run the credential_process of the profile {of:?} by itself to see what it prints"
            ),
            _ if self.profile().is_some() => match self.lacks() {
                Some(lacks) => format!("{failed}\nhint: {lacks}"),
                None => failed,
            },
            _ => format!(
                "no credentials for AWS were found, so no call was made{why}\nhint: name a profile \
                 with --profile or AWS_PROFILE, or sign in: `aws configure sso`, `aws login`, or `aws \
                 configure`. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY work too"
            ),
        }
    }
}

/// Returns what to do if a service refused long-lived keys.
fn ended_keys(why: &str) -> Option<&'static str> {
    if why.contains("ExpiredToken") {
        Some("the keys of the profile, or of its source, have expired: put new ones there")
    } else if why.contains("InvalidClientTokenId") {
        Some(
            "AWS does not know the keys of the profile, or of its source: they were deleted, or belong to another \
             partition",
        )
    } else {
        None
    }
}

/// The cause as it continues a sentence: the SDK's list of all ways that it tried is left out, for none was set up, and
/// of a service's error, which the SDK prints as a structure, its code and message are taken.
fn cause(why: &str) -> String {
    if why.contains(NO_KEYS) || why == NOT_ENABLED {
        return String::new();
    }
    let line = why.lines().next().unwrap_or_default();
    if let Some((_, error)) = line.split_once("Error { code: \"")
        && let Some((code, rest)) = error.split_once("\", message: \"")
    {
        let message = rest.split_once("\", ").or_else(|| rest.rsplit_once('"'));
        return format!(": {code}: {}", message.map_or(rest, |(message, _)| message));
    }
    format!(": {}", line.trim_end_matches([' ', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::tests::profiles;

    #[test]
    fn a_cause_is_one_line_and_no_list_of_the_sdk() {
        let list = "the credential provider was not enabled: no credentials found in chain. Attempted:\n  Profile: x";
        assert_eq!(cause(list), "");
        assert_eq!(cause(NOT_ENABLED), "");
        let process = "external process exited with code exit status: 1. Stderr: \nbad";
        let want = ": external process exited with code exit status: 1. Stderr";
        assert_eq!(cause(process), want);
        let service = "service error: unhandled error (AccessDenied): Error { code: \"AccessDenied\", message: \
                       \"not \\\"you\\\"\", aws_request_id: \"1\" }";
        assert_eq!(cause(service), ": AccessDenied: not \\\"you\\\"");
        let last = "unhandled error (Busy): Error { code: \"Busy\", message: \"later\" }";
        assert_eq!(cause(last), ": Busy: later");
    }

    #[tokio::test]
    async fn a_failure_that_a_new_sign_in_does_not_end_has_other_advice() {
        for (profile, why, hint) in [
            (
                "deploy",
                "AccessDenied: User: a is not authorized to perform: sts:AssumeRole on resource: b",
                "hint: allow sts:AssumeRole on arn:aws:iam::123456789012:role/deploy ",
            ),
            (
                "sso",
                "ForbiddenException: No access",
                "hint: you may not use the role reader in the account 123456789012: check both in the profile \"sso\"",
            ),
            (
                "mfa",
                "ExpiredToken: over",
                "hint: the keys of the profile, or of its source, have expired",
            ),
            (
                "mfa",
                "InvalidClientTokenId: gone",
                "hint: AWS does not know the keys",
            ),
            (
                "mfa",
                "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code.",
                "hint: each code works once",
            ),
            (
                "sso",
                "dispatch failure: io error",
                "hint: nothing responded",
            ),
        ] {
            let explained = profiles(profile).await.explain(why);
            assert!(explained.contains(hint), "{profile}: {explained}");
            assert!(!explained.contains("sign in again"), "{explained}");
        }
    }

    #[tokio::test]
    async fn each_way_to_sign_in_has_its_command() {
        for (profile, hint) in [
            ("sso", "\nhint: sign in again: aws sso login --profile sso"),
            // The role itself has no session: its source does.
            (
                "deploy",
                "\nhint: sign in again: aws sso login --profile sso",
            ),
            (
                "console",
                "\nhint: sign in again: aws login --profile console",
            ),
            (
                "legacy",
                "\nhint: sign in again: aws sso login --profile legacy",
            ),
            ("program", "credential_process of the profile \"program\""),
            // A role that its own profile assumes.
            ("self", "credential_process of the profile \"self\""),
            (
                "prod",
                "there is no profile \"prod\" in the AWS configuration\nhint: there are about, bare, console, default",
            ),
            ("keys", "gives no credentials, so no call was made: refused"),
            (
                "round",
                "so no call was made: refused\nhint: the source_profile of \"round\" leads back to itself",
            ),
            (
                "bare",
                "\nhint: the profile \"bare\" has neither keys nor a sign-in: `aws configure sso --profile bare`, `aws \
                 login --profile bare`, or `aws configure --profile bare` for keys",
            ),
            (
                "default",
                "\nhint: the profile \"default\" has neither keys nor a sign-in: `aws configure sso`,",
            ),
            (
                "rootless",
                "\nhint: the profile \"rootless\" has a role_arn and no source_profile",
            ),
            (
                "lost",
                "\nhint: the source_profile of \"lost\" is \"nobody\", which does not exist",
            ),
        ] {
            let explained = profiles(profile).await.explain("refused");
            assert!(explained.contains(hint), "{profile}: {explained}");
        }
    }
}
