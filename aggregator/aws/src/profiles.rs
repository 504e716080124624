//! The profiles of the AWS configuration: which one is chosen, and what its chain of source profiles has.
//!
//! Reads files, and makes no call.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aws_config::profile::{Profile, ProfileSet, load};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

/// The profile that is used if no other is named.
pub(crate) const DEFAULT: &str = "default";

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
    pub(crate) set: ProfileSet,
    pub(crate) chosen: String,
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
pub(crate) enum Base<'a> {
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

    pub(crate) fn profile(&self) -> Option<&Profile> {
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
    pub(crate) fn base(&self) -> Base<'_> {
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
    pub(crate) fn lacks(&self) -> Option<String> {
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
pub(crate) fn named(profile: &str) -> String {
    if profile == DEFAULT {
        String::new()
    } else {
        format!(" --profile {profile}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
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

    /// Chooses a profile of this configuration.
    pub(crate) async fn profiles(name: &str) -> Profiles {
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
