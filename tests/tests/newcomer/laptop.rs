//! A laptop on which people sign in, with its profiles, and the endpoints that its programs reach.

use std::fs;
use std::path::Path;
use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rightsizer_tests::aggregator::binary;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::endpoints::Endpoints;

const CONFIG: &str = r#"
[profile corp]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = reader
region = eu-west-1
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
[profile ended]
sso_session = ended
sso_account_id = 123456789012
sso_role_name = reader
[sso-session ended]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
[profile deploy]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = corp
[profile console]
login_session = arn:aws:iam::123456789012:user/a
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/a
[profile mfa-long]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = deploy
mfa_serial = arn:aws:iam::123456789012:mfa/a
external_id = partner-7
role_session_name = reviewer
duration_seconds = 3600
[profile deploy-by-keys]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = keys
[profile keys]
aws_access_key_id = KEYS
aws_secret_access_key = secret
[profile program]
credential_process = sh -c 'echo "{\"Version\": 1, \"AccessKeyId\": \"PROGRAM\", \"SecretAccessKey\": \"secret\"}"'
[profile broken-program]
credential_process = sh -c 'echo no such vault >&2; exit 3'
"#;

/// SHA-1 of `corp` and of `ended`: the names under which AWS's command line keeps their tokens.
const SSO_TOKENS: [(&str, &str, &str); 2] = [
    (
        "ee0bfd2552fbd840c02cc48b6e823320543c450f",
        "sso-token",
        "2099-01-01T00:00:00Z",
    ),
    (
        "ba92ed73c97b30bcc4639724ab6aa8ae87f92601",
        "sso-token",
        "2020-01-01T00:00:00Z",
    ),
];
/// SHA-256 of the ARN of the profile `console`.
const LOGIN: &str = "fb420f8060720f9dd88d913ec757c7a10dc4073068bcacb4d133f4469b7f8f7c";

/// A laptop: its home folder, and the endpoints that its programs reach.
pub(crate) struct Laptop {
    pub(crate) home: TempDir,
    pub(crate) endpoints: Endpoints,
}

pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Laptop {
    pub(crate) async fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        let aws = home.path().join(".aws");
        write(&aws.join("config"), CONFIG);
        for (name, token, until) in SSO_TOKENS {
            let text = format!(r#"{{"accessToken": "{token}", "expiresAt": "{until}"}}"#);
            write(&aws.join(format!("sso/cache/{name}.json")), &text);
        }
        Self {
            home,
            endpoints: Endpoints::start().await,
        }
    }

    /// A session of `aws login` that ends at this time.
    pub(crate) fn login_until(&self, until: &str) {
        let token = format!(
            r#"{{"accessToken": {{"accessKeyId": "LOGIN", "secretAccessKey": "secret", "sessionToken": "token",
            "accountId": "123456789012", "expiresAt": "{until}"}}, "tokenType": "aws_sigv4",
            "refreshToken": "refresh", "idToken": "id", "clientId": "arn:aws:signin:::devtools/same-device",
            "dpopKey": "{}"}}"#,
            session_key()
        );
        let cache = self.home.path().join(".aws/login/cache");
        write(&cache.join(format!("{LOGIN}.json")), &token);
    }

    /// Runs `import cloudwatch`.
    pub(crate) async fn import(
        &self,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let command = ["import", "cloudwatch", "--rate", "100"];
        let output = self.run(&[&command, arguments].concat(), more).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(anyhow::anyhow!(words))
        }
    }

    /// Runs a command with the store of the laptop, without a terminal.
    pub(crate) async fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Output {
        self.run_for("60", arguments, more).await
    }

    /// The same, ended after this number of seconds.
    pub(crate) async fn run_for(
        &self,
        seconds: &str,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> Output {
        let url = &self.endpoints.url;
        // Without a session of its own it would ask at the terminal that the tests run in.
        let mut command = Command::new("setsid");
        command
            .args(["--wait", "timeout", seconds])
            .arg(binary().unwrap());
        command.args(arguments);
        if arguments[0] != "restore" {
            command
                .arg("--store")
                .arg(self.home.path().join("store.db"));
        }
        command.env_clear().env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("AWS_ENDPOINT_URL", url);
        let is_region = |name: &str| ["AWS_REGION", "AWS_DEFAULT_REGION"].contains(&name);
        if more.iter().all(|(name, _)| !is_region(name)) {
            command.env("AWS_REGION", "eu-central-1");
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(more.iter().copied());
        command.output().await.unwrap()
    }

    /// What `doctor` finds wrong: the check, and what was found with what to do.
    pub(crate) async fn wrong(
        &self,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let arguments = [&["doctor", "-o", "json"], arguments].concat();
        let output = self.run(&arguments, more).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let wrong = findings.iter().filter(|found| found["verdict"] == "wrong");
        let text = |found: &Value, key: &str| found[key].as_str().unwrap().to_owned();
        let words = |found: &Value| format!("{}: {}", text(found, "found"), text(found, "do"));
        wrong
            .map(|found| (text(found, "check"), words(found)))
            .collect()
    }

    /// The keys with which services were called since the last time, each once.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys = std::mem::take(&mut self.endpoints.seen().keys);
        keys.sort();
        keys.dedup();
        keys
    }

    /// The regions in which services were called since the last time, each once.
    pub(crate) fn regions(&self) -> Vec<String> {
        let mut regions = std::mem::take(&mut self.endpoints.seen().regions);
        regions.sort();
        regions.dedup();
        regions
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.endpoints.seen().asked)
    }
}

/// A key as a session of `aws login` has it: the elliptic-curve key (SEC 1) that stands within one of PKCS #8.
fn session_key() -> String {
    let pkcs8 = rcgen::KeyPair::generate().unwrap().serialize_der();
    // A sequence that begins with version 1 and 32 bytes.
    let begin = [0x02, 0x01, 0x01, 0x04, 0x20];
    let at = pkcs8
        .windows(begin.len())
        .position(|bytes| bytes == begin)
        .unwrap();
    let text = BASE64_STANDARD.encode(&pkcs8[at - 2..]);
    let lines = text.as_bytes().chunks(64);
    let lines = lines.map(|line| std::str::from_utf8(line).unwrap());
    let text = lines.collect::<Vec<_>>().join("\\n");
    format!("-----BEGIN EC PRIVATE KEY-----\\n{text}\\n-----END EC PRIVATE KEY-----\\n")
}
