//! How a profile of the AWS configuration signs in, and with which command a person signs in again.
//!
//! Decides by the profiles alone; makes no call.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aws_config::profile::{Profile, ProfileSet, load};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::errors::{NO_KEYS, NO_RESPONSE, is_unreachable};

/// The SDK's text for a profile that gives no credentials; the profile shows more.
const NOT_ENABLED: &str = "the credential provider was not enabled";

/// The profile that is used if no other is named.
const DEFAULT: &str = "default";

/// The keys of a profile by which it gives credentials without another profile.
const SOURCES: [&str; 7] = [
    "aws_access_key_id",
    "credential_process",
    "credential_source",
    "login_session",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// The profiles of the AWS configuration, one of them chosen.
#[derive(Debug)]
pub(crate) struct Profiles {
    set: ProfileSet,
    chosen: String,
}

/// A role that wants the code of a device before it is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MfaRole {
    /// The profile that names it.
    pub(crate) profile: String,
    /// The profile whose keys assume it.
    pub(crate) source: String,
    /// Its ARN.
    pub(crate) role: String,
    /// The device.
    pub(crate) serial: String,
    /// Its external id, if it wants one.
    pub(crate) external_id: Option<String>,
    /// The name of the session, if the profile gives one.
    pub(crate) session_name: Option<String>,
    /// The length of the session, if the profile sets it.
    pub(crate) seconds: Option<i32>,
}

/// What a chain of profiles ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base<'a> {
    /// A single sign-on, in this profile.
    Sso(&'a str),
    /// A session of `aws login`, in this profile.
    Login(&'a str),
    /// A program that prints keys.
    Process(&'a str),
    /// Keys, a token's file, or the role of the machine.
    Other,
}

impl Profiles {
    /// Reads them. The profile is the named one, else that of `AWS_PROFILE`, else `default`. Returns `None` if the
    /// files cannot be parsed; the SDK reports that when it reads them.
    pub(crate) async fn read(name: Option<&str>) -> Option<Self> {
        let name = name.map(|name| Cow::Owned(name.to_owned()));
        let files = EnvConfigFiles::default();
        let set = load(&Fs::real(), &Env::real(), &files, name).await.ok()?;
        Some(Self {
            chosen: set.selected_profile().to_owned(),
            set,
        })
    }

    fn profile(&self) -> Option<&Profile> {
        self.set.get_profile(&self.chosen)
    }

    /// Returns the role of the chosen profile if assuming it needs the code of a device.
    pub(crate) fn mfa_role(&self) -> Option<MfaRole> {
        let profile = self.profile()?;
        let text = |key| profile.get(key).map(str::to_owned);
        let source = text("source_profile").filter(|source| *source != self.chosen)?;
        Some(MfaRole {
            profile: self.chosen.clone(),
            source,
            role: text("role_arn")?,
            serial: text("mfa_serial")?,
            external_id: text("external_id"),
            session_name: text("role_session_name"),
            seconds: text("duration_seconds").and_then(|seconds| seconds.parse().ok()),
        })
    }

    /// Returns the last profile of the chain of `source_profile`s, by what it has.
    fn base(&self) -> Base<'_> {
        let mut seen = BTreeSet::new();
        let mut next = self.profile();
        while let Some(profile) = next {
            let name = profile.name();
            if !seen.insert(name) {
                break;
            }
            let source = profile.get("source_profile").filter(|of| *of != name);
            match source {
                Some(source) => next = self.set.get_profile(source),
                None => return base_of(profile),
            }
        }
        Base::Other
    }

    /// Returns what the chain of profiles lacks to give credentials, if its text shows that.
    fn lacks(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut profile = self.profile()?;
        loop {
            let name = profile.name();
            if !seen.insert(name) {
                return Some(format!(
                    "the source_profile of {name:?} leads back to itself: name a profile that has keys or a sign-in"
                ));
            }
            let source = profile.get("source_profile").filter(|of| *of != name);
            let Some(source) = source else {
                break;
            };
            let Some(next) = self.set.get_profile(source) else {
                return Some(format!(
                    "the source_profile of {name:?} is {source:?}, which does not exist"
                ));
            };
            profile = next;
        }
        let name = profile.name();
        if SOURCES.iter().any(|key| profile.get(key).is_some()) {
            return None;
        }
        if profile.get("role_arn").is_some() {
            return Some(format!(
                "the profile {name:?} has a role_arn and no source_profile: add the profile that may assume the role"
            ));
        }
        let of = named(name);
        Some(format!(
            "the profile {name:?} has neither keys nor a sign-in: `aws configure sso{of}`, `aws login{of}`, or `aws \
             configure{of}` for keys"
        ))
    }

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

fn base_of(profile: &Profile) -> Base<'_> {
    let has = |key| profile.get(key).is_some();
    match profile.name() {
        name if has("sso_session") || has("sso_start_url") => Base::Sso(name),
        name if has("login_session") => Base::Login(name),
        name if has("credential_process") => Base::Process(name),
        _ => Base::Other,
    }
}

/// Returns the option of AWS's command line that names this profile.
fn named(profile: &str) -> String {
    if profile == DEFAULT {
        String::new()
    } else {
        format!(" --profile {profile}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
[default]
region = eu-west-1
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = reader
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
[profile console]
login_session = arn:aws:iam::123456789012:user/a
[profile deploy]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = sso
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/a
duration_seconds = 3600
[profile keys]
aws_access_key_id = a
aws_secret_access_key = b
[profile program]
credential_process = /bin/false
[profile legacy]
sso_start_url = https://corp.awsapps.com/start
[profile self]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = self
mfa_serial = arn:aws:iam::123456789012:mfa/a
credential_process = /bin/false
[profile round]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = about
[profile about]
role_arn = arn:aws:iam::123456789012:role/b
source_profile = round
[profile bare]
region = eu-west-1
[profile rootless]
role_arn = arn:aws:iam::123456789012:role/a
[profile lost]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = nobody
";

    async fn profiles(name: &str) -> Profiles {
        let fs = Fs::from_slice(&[("/config", CONFIG)]);
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "/config"), ("HOME", "/")]);
        let name = Some(Cow::Owned(name.to_owned()));
        let set = load(&fs, &env, &EnvConfigFiles::default(), name)
            .await
            .unwrap();
        Profiles {
            chosen: set.selected_profile().to_owned(),
            set,
        }
    }

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

    #[test]
    fn the_default_profile_needs_no_option() {
        assert_eq!(named(DEFAULT), "");
        assert_eq!(named("corp"), " --profile corp");
    }

    #[tokio::test]
    async fn only_a_role_with_a_device_wants_its_code() {
        let role = profiles("mfa").await.mfa_role().unwrap();
        assert_eq!((role.source.as_str(), role.seconds), ("keys", Some(3600)));
        assert_eq!(role.serial, "arn:aws:iam::123456789012:mfa/a");
        for profile in ["sso", "deploy", "keys", "prod", "default", "self"] {
            assert_eq!(profiles(profile).await.mfa_role(), None, "{profile}");
        }
    }
}
