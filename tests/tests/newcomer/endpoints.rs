//! Every endpoint that gives credentials, and services that note with which key they are called.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;
use tokio::net::TcpListener;

/// Keys that are worth nothing without the token that came with them.
const OF_SESSIONS: [&str; 6] = ["SSO", "ROLE", "WEB", "LOGIN", "CONTAINER", "INSTANCE"];

/// Keys end in this year.
const UNTIL: &str = "2099-01-01T00:00:00Z";

/// The header in which the instance's metadata service sends the life of its token.
const TTL: [(&str, &str); 1] = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];

/// What came in, and how services answer.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Access keys with which services were called. Keys of a session that came without its token are marked.
    pub(crate) keys: Vec<String>,
    /// The regions for which the calls of services were signed.
    pub(crate) regions: Vec<String>,
    /// Method, path, body and region of every call of an endpoint that gives credentials.
    pub(crate) asked: Vec<String>,
    /// The code with which services refuse every call.
    pub(crate) refusal: Option<&'static str>,
    /// The code and message with which STS refuses every role.
    pub(crate) no_role: Option<(&'static str, &'static str)>,
    /// The portal gives no credentials of this role.
    pub(crate) no_access: bool,
}

/// The endpoints, on one port of this machine; gone when the test ends.
pub(crate) struct Endpoints {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Endpoints {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(seen): State<Arc<Mutex<Seen>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let body = String::from_utf8_lossy(&body).into_owned();
    let token = [
        "x-amz-sso_bearer_token",
        "authorization",
        "x-aws-ec2-metadata-token",
    ];
    let token = token
        .iter()
        .find_map(|name| header(name))
        .unwrap_or_default();
    // KEY/DATE/REGION/SERVICE/aws4_request
    let scope = token.split("Credential=").nth(1).unwrap_or_default();
    let scope: Vec<&str> = scope.split('/').collect();
    let region = scope.get(2).copied().unwrap_or_default().to_owned();
    let credentials = match uri.path() {
        "/federation/credentials" if token == "sso-token" && seen.no_access => Some((
            403,
            json!({"__type": "ForbiddenException", "message": "No access"}).to_string(),
        )),
        "/federation/credentials" if token == "sso-token" => Some(sso()),
        "/federation/credentials" => Some((
            401,
            json!({"message": "Session token not found or invalid"}).to_string(),
        )),
        "/container" if token == "t0ken" => Some(keys("CONTAINER")),
        "/latest/api/token" => Some((200, "imds".to_owned())),
        "/latest/meta-data/iam/security-credentials/" if token == "imds" => {
            Some((200, "machine".to_owned()))
        }
        "/latest/meta-data/iam/security-credentials/machine" if token == "imds" => Some(keys("INSTANCE")),
        "/v1/token" => Some((
            400,
            json!({"__type": "AccessDeniedException", "error": "TOKEN_EXPIRED", "message": "expired"}).to_string(),
        )),
        "/" => sts(&body, seen.no_role),
        _ => None,
    };
    if let Some((status, text)) = credentials {
        seen.asked
            .push(format!("{method} {uri} {body} in {region}"));
        return (StatusCode::from_u16(status).unwrap(), TTL, text);
    }
    if let Some(key) = scope.first().filter(|_| scope.len() > 1) {
        let whole = !OF_SESSIONS.contains(key) || header("x-amz-security-token") == Some("token");
        let without = if whole { "" } else { " without its token" };
        seen.keys.push(format!("{key}{without}"));
        seen.regions.push(region);
    }
    let (status, text) = of_service(seen.refusal, uri.path());
    (status, TTL, text)
}

/// What the services answer, if the credentials are there: nothing, or a refusal.
fn of_service(refusal: Option<&str>, path: &str) -> (StatusCode, String) {
    match refusal {
        // The bucket of the tests: S3 answers in XML.
        Some(code) if path.starts_with("/evidence") => (
            StatusCode::BAD_REQUEST,
            format!("<Error><Code>{code}</Code><Message>refused</Message></Error>"),
        ),
        Some(code) => {
            let words = json!({"__type": code, "message": "refused"});
            (StatusCode::FORBIDDEN, words.to_string())
        }
        None => (StatusCode::OK, "{}".to_owned()),
    }
}

type Answer = Option<(u16, String)>;

fn keys(id: &str) -> (u16, String) {
    let keys = json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2020-01-01T00:00:00Z",
        "AccessKeyId": id, "SecretAccessKey": "secret", "Token": "token", "Expiration": UNTIL,
    });
    (200, keys.to_string())
}

fn sso() -> (u16, String) {
    let keys = json!({"roleCredentials": {
        "accessKeyId": "SSO", "secretAccessKey": "secret", "sessionToken": "token",
        "expiration": 4_070_908_800_000_u64,
    }});
    (200, keys.to_string())
}

/// The two ways of STS to take on a role; a role with a device wants the code 123456.
fn sts(body: &str, refused: Option<(&str, &str)>) -> Answer {
    let (action, id) = if body.contains("Action=AssumeRoleWithWebIdentity&") {
        ("AssumeRoleWithWebIdentity", "WEB")
    } else if body.contains("Action=AssumeRole&") {
        ("AssumeRole", "ROLE")
    } else {
        return None;
    };
    if let Some((code, message)) = refused {
        let error = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        return Some((403, error));
    }
    if body.contains("SerialNumber") && !body.contains("TokenCode=123456") {
        let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>MultiFactorAuthentication \
                       failed with invalid MFA one time pass code.</Message></Error></ErrorResponse>";
        return Some((403, refused.to_owned()));
    }
    Some((
        200,
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
             <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>{UNTIL}</Expiration></Credentials>\
             <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>\
             <AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
        ),
    ))
}
