//! Credentials of a role that wants the code of a device: the SDK assumes roles without one only.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, SystemTime};

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_types::sdk_config::SharedHttpClient;
use rightsizer_updater::in_words;
use tokio::sync::Mutex;

use crate::profiles::MfaRole;

/// The code, for a program that has no terminal.
const VARIABLE: &str = "RIGHTSIZER_MFA_CODE";
/// Credentials are renewed this long before they end.
const EARLY: Duration = Duration::from_mins(5);

/// Assumes the role once, and keeps its credentials until they end: every client asks, and a code works once.
#[derive(Debug)]
pub(crate) struct MfaCredentials {
    role: MfaRole,
    source: ProfileFileCredentialsProvider,
    http: SharedHttpClient,
    region: Option<Region>,
    held: Mutex<Option<Credentials>>,
}

impl MfaCredentials {
    pub(crate) fn new(
        role: MfaRole,
        source: ProfileFileCredentialsProvider,
        http: SharedHttpClient,
        region: Option<Region>,
    ) -> Self {
        Self {
            role,
            source,
            http,
            region,
            held: Mutex::new(None),
        }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| lasts(held)) {
            return Ok(credentials.clone());
        }
        let keys = self.source.provide_credentials().await?;
        let (profile, serial) = (self.role.profile.clone(), self.role.serial.clone());
        let code = tokio::task::spawn_blocking(move || code(&profile, &serial)).await;
        let code = code.map_err(CredentialsError::provider_error)??;
        let credentials = self.assume(keys, code).await?;
        *held = Some(credentials.clone());
        Ok(credentials)
    }

    async fn assume(
        &self,
        keys: Credentials,
        code: String,
    ) -> Result<Credentials, CredentialsError> {
        let region = self.region.clone();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .region(region.unwrap_or_else(|| Region::from_static("us-east-1")))
            .credentials_provider(keys);
        let session = self.role.session_name.as_deref().unwrap_or("rightsizer");
        let answer = aws_sdk_sts::Client::new(&config.load().await)
            .assume_role()
            .role_arn(&self.role.role)
            .role_session_name(session)
            .serial_number(&self.role.serial)
            .token_code(code)
            .set_external_id(self.role.external_id.clone())
            .set_duration_seconds(self.role.seconds)
            .send()
            .await;
        let answer = answer.map_err(|error| {
            CredentialsError::provider_error(format!(
                "the role {} was not assumed: {}",
                self.role.role,
                in_words(&error)
            ))
        })?;
        let given = answer.credentials;
        let given =
            given.ok_or_else(|| CredentialsError::provider_error("STS returned no credentials"))?;
        Ok(of_session(given))
    }
}

fn of_session(given: aws_sdk_sts::types::Credentials) -> Credentials {
    Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        given.expiration.try_into().ok(),
        "AssumeRoleWithMfa",
    )
}

impl ProvideCredentials for MfaCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

fn lasts(credentials: &Credentials) -> bool {
    let until = credentials.expiry();
    until.is_none_or(|until| until > SystemTime::now() + EARLY)
}

/// Asks the person at the terminal, unless a variable has the code.
fn code(profile: &str, serial: &str) -> Result<String, CredentialsError> {
    if let Ok(code) = std::env::var(VARIABLE) {
        return Ok(code);
    }
    ask(serial).map_err(|error| {
        CredentialsError::provider_error(format!(
            "it needs a code of {serial}, and there is no terminal to ask for it ({error}). Set \
             {VARIABLE}, or run: eval \"$(aws configure export-credentials --profile {profile} \
             --format env)\" and leave out --profile"
        ))
    })
}

fn ask(serial: &str) -> std::io::Result<String> {
    let mut terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")?;
    write!(terminal, "Code of {serial}: ")?;
    let mut line = String::new();
    std::io::BufReader::new(terminal).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn until(end: SystemTime) -> Credentials {
        let given = aws_sdk_sts::types::Credentials::builder()
            .access_key_id("ROLE")
            .secret_access_key("secret")
            .session_token("token")
            .expiration(DateTime::from(end))
            .build();
        of_session(given.unwrap())
    }

    #[test]
    fn a_session_keeps_its_token_and_is_renewed_five_minutes_before_its_end() {
        let now = SystemTime::now();
        let minutes = |n| now + Duration::from_mins(n);
        assert_eq!(until(now).session_token(), Some("token"));
        // A minute for a slow machine.
        assert!(!lasts(&until(now)) && !lasts(&until(minutes(5))));
        assert!(lasts(&until(minutes(6))));
    }
}
