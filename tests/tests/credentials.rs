//! If Lambda sets no keys (SnapStart), the extension requests them: late, with its token, and again
//! when the stream no longer accepts them.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use rightsizer_records::Timestamp;
use rightsizer_tests::emulator::{Environment, Exit, FunctionSpec, Invocation, Options, Reason};
use serde_json::json;
use tokio::net::TcpListener;

/// What the sandbox's endpoint gave, and what the stream was shown.
#[derive(Default)]
struct Seen {
    given: u32,
    over: Option<&'static str>,
    used: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

fn lock(seen: &Shared) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both on one port: `/keys` gives other keys each time, `/` takes records. Ends with the test.
async fn serve(seen: Shared) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new()
        .route("/keys", get(keys))
        .route("/", post(put_records))
        .with_state(seen);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn keys(State(seen): State<Shared>, headers: HeaderMap) -> (StatusCode, String) {
    if headers
        .get("authorization")
        .is_none_or(|token| token != "t0ken")
    {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    let mut seen = lock(&seen);
    let id = format!("key{}", seen.given);
    seen.given += 1;
    let body = json!({
        "AccessKeyId": id, "SecretAccessKey": "secret", "Token": format!("token of {id}"),
        "Expiration": "2099-01-01T00:00:00Z",
    });
    (StatusCode::OK, body.to_string())
}

async fn put_records(State(seen): State<Shared>, headers: HeaderMap) -> (StatusCode, String) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = header("authorization").unwrap_or_default();
    let id = signed.split("Credential=").nth(1);
    let id = id
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    let mut seen = lock(&seen);
    if header("x-amz-security-token") != Some(&format!("token of {id}")) {
        return (StatusCode::BAD_REQUEST, String::new());
    }
    seen.used.push(id.to_owned());
    if seen.over == Some(id) {
        let fault = json!({"__type": "ExpiredTokenException", "message": "it has expired"});
        return (StatusCode::BAD_REQUEST, fault.to_string());
    }
    let taken =
        json!({"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "s"}]});
    (StatusCode::OK, taken.to_string())
}

/// One invocation, then the end, with these variables in place of Lambda's keys.
async fn live(url: &str, variables: &[(&str, String)]) -> Result<Exit> {
    let none = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    let none = none.map(|name| (name.to_owned(), String::new()));
    let own = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let options = Options {
        env: none.into_iter().chain(own).collect(),
        ..Options::to("reports", url)
    };
    let mut spec = FunctionSpec::new("checkout", 1024);
    "snap-start".clone_into(&mut spec.init_type);
    let mut environment = Environment::start(spec, options).await?;
    let at = Timestamp::parse("2026-01-31T10:00:00Z")?;
    environment.invoke(Invocation::ok(at, 90, 40.0)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ensure!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    Ok(exit)
}

fn endpoint(url: &str) -> (&'static str, String) {
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/keys"))
}

#[tokio::test]
async fn keys_are_asked_for_and_sign_with_their_token() -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "t0ken\n")?;
    let path = file.path().display().to_string();
    for authorization in [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken".to_owned()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path),
    ] {
        let seen = Shared::default();
        let url = serve(Arc::clone(&seen)).await?;
        let exit = live(&url, &[endpoint(&url), authorization]).await?;
        assert_eq!(exit.log, "");
        let seen = lock(&seen);
        assert_eq!(
            (seen.given, seen.used.as_slice()),
            (1, &["key0".to_owned()][..])
        );
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_the_stream_refuses_are_replaced_at_once() -> Result<()> {
    let seen = Shared::default();
    lock(&seen).over = Some("key0");
    let url = serve(Arc::clone(&seen)).await?;
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken".to_owned());
    let exit = live(&url, &[endpoint(&url), token]).await?;
    assert_eq!(exit.log, "");
    assert_eq!(lock(&seen).used, ["key0", "key1"]);
    Ok(())
}

#[tokio::test]
async fn if_there_are_none_the_log_names_what_is_missing() -> Result<()> {
    let seen = Shared::default();
    let url = serve(Arc::clone(&seen)).await?;
    let wrong = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong".to_owned());
    for (variables, wanted) in [
        (vec![], "AWS_CONTAINER_CREDENTIALS_FULL_URI is set"),
        (vec![endpoint(&url), wrong], "it responded with 401"),
    ] {
        let exit = live(&url, &variables).await?;
        assert!(exit.log.contains(wanted), "{}", exit.log);
        assert!(exit.log.contains("1 are lost"), "{}", exit.log);
    }
    assert!(lock(&seen).used.is_empty());
    Ok(())
}
