//! Credentials: which there are, and when they are too old. Pure: variables, answers and the time
//! are arguments.
//!
//! Lambda sets key variables, that end with the environment. Under SnapStart it cannot (the
//! process is cloned), and names an endpoint inside the sandbox instead, whose keys rotate.

use std::fmt;
use std::net::IpAddr;

use rightsizer_records::Timestamp;
use serde::Deserialize;

use crate::endpoint::Endpoint;

/// Keys are renewed when less than this is left of them.
const RENEW_BEFORE_MS: i64 = 5 * 60_000;
/// Hosts to which a token may be sent without TLS, in addition to loopback: AWS's container
/// endpoints.
const LINK_LOCAL: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// What signs a request. Its secrets are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: String,
    /// Session token.
    pub token: Option<String>,
    /// When they expire, if known.
    pub expires: Option<Timestamp>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({}, until {:?})", self.id, self.expires)
    }
}

impl Keys {
    /// Whether others should be asked for.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        self.ends_within(now, RENEW_BEFORE_MS)
    }

    /// Whether they are of no more use.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends_within(now, 0)
    }

    fn ends_within(&self, now: Timestamp, ms: i64) -> bool {
        self.expires
            .is_some_and(|expires| now.plus_ms(ms) >= expires)
    }
}

/// The source of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// They are given for the life of the environment.
    Fixed(Keys),
    /// They have to be requested.
    Container(Endpoint, Authorization),
    /// There are none.
    Missing,
}

/// What an endpoint for keys wants to see. Its secrets are not printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// Nothing.
    None,
    /// This.
    Token(String),
    /// What is in this file by then.
    File(String),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(_) => f.write_str("Token"),
            Self::File(path) => write!(f, "File({path})"),
        }
    }
}

impl Source {
    /// Reads the source from the variables. Returns a warning if they cannot be used.
    pub fn read(get: &impl Fn(&str) -> Option<String>, warnings: &mut Vec<String>) -> Self {
        let keys = get("AWS_ACCESS_KEY_ID").zip(get("AWS_SECRET_ACCESS_KEY"));
        if let Some((id, secret)) = keys {
            return Self::Fixed(Keys {
                id,
                secret,
                token: get("AWS_SESSION_TOKEN"),
                expires: None,
            });
        }
        let Some(url) = get("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
            return Self::Missing;
        };
        let Some(endpoint) = Endpoint::parse(&url).filter(is_trusted) else {
            warnings.push(format!(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is {url}, which is neither https:// nor on \
                 this machine: no credentials are requested from it, and nothing is reported."
            ));
            return Self::Missing;
        };
        let file = get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(Authorization::File);
        let token = get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Authorization::Token);
        Self::Container(endpoint, file.or(token).unwrap_or(Authorization::None))
    }
}

fn is_trusted(endpoint: &Endpoint) -> bool {
    let host = endpoint.host.as_str();
    let loopback = host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    endpoint.tls || loopback || host == "localhost" || LINK_LOCAL.contains(&host)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

/// The endpoint's response has no credentials. The error repeats nothing of it, because it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCredentials;

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a response without credentials")
    }
}

impl std::error::Error for NoCredentials {}

/// Reads the endpoint's response.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Keys, NoCredentials> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| NoCredentials)?;
    // With an end that cannot be read they serve until they are refused.
    let expires = answer.expiration.as_deref();
    let expires = expires.and_then(|end| Timestamp::parse(end).ok());
    Ok(Keys {
        id: answer.access_key_id,
        secret: answer.secret_access_key,
        token: answer.token,
        expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Source, Vec<String>) {
        let get = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut warnings = Vec::new();
        let source = Source::read(&get, &mut warnings);
        (source, warnings)
    }

    const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

    #[test]
    fn keys_come_first_then_the_endpoint() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            (URI, "http://127.0.0.1:1/"),
        ];
        let (source, _) = read(&keys);
        assert!(matches!(&source, Source::Fixed(keys) if keys.id == "id" && keys.token.is_none()));
        assert!(!format!("{source:?}").contains("secret"));
        // The keys of a role are worth nothing without their token.
        let (source, _) = read(&[&keys[..], &[("AWS_SESSION_TOKEN", "t0ken")]].concat());
        assert!(matches!(&source, Source::Fixed(keys) if keys.token.as_deref() == Some("t0ken")));
        let (source, _) = read(&[
            (URI, "http://127.0.0.1:9001/2021-04-23/credentials"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken"),
        ]);
        let Source::Container(endpoint, authorization) = source else {
            panic!("not asked for")
        };
        assert_eq!(endpoint.path, "/2021-04-23/credentials");
        assert_eq!(authorization, Authorization::Token("t0ken".to_owned()));
        let (source, _) = read(&[
            (URI, "http://127.0.0.1:9001/2021-04-23/credentials"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
        ]);
        // As in the SDKs, the file, which is renewed.
        let file = Authorization::File("/token".to_owned());
        assert!(matches!(&source, Source::Container(_, found) if *found == file));
        assert_eq!(read(&[]), (Source::Missing, Vec::new()));
    }

    #[test]
    fn a_token_is_not_sent_unencrypted_to_another_host() {
        for url in [
            "http://example.com/",
            "http://10.0.0.1/",
            "ftp://localhost/",
        ] {
            let (source, warnings) = read(&[(URI, url)]);
            assert_eq!((source, warnings.len()), (Source::Missing, 1), "{url}");
        }
        for url in [
            "http://localhost/",
            "http://[::1]/",
            "http://169.254.170.2/",
            "https://example.com/",
        ] {
            assert!(
                matches!(read(&[(URI, url)]).0, Source::Container(..)),
                "{url}"
            );
        }
    }

    #[test]
    fn keys_are_renewed_before_they_end() {
        let body = br#"{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2026-01-31T10:00:00Z"}"#;
        let keys = parse_answer(body).unwrap();
        let end = keys.expires.unwrap();
        // Five minutes are 300,000 ms.
        assert!(!keys.is_stale(end.plus_ms(-300_001)) && keys.is_stale(end.plus_ms(-300_000)));
        assert!(!keys.is_over(end.plus_ms(-1)) && keys.is_over(end));
        let endless = br#"{"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}"#;
        assert_eq!(parse_answer(endless).unwrap().expires, None);
        for bad in [&b""[..], b"{}", br#"{"AccessKeyId":"a"}"#, b"\xff"] {
            assert!(parse_answer(bad).is_err());
        }
    }
}
