//! Environments restored from one snapshot.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use rightsizer_records::{InitType, Millis, Timestamp};
use rightsizer_tests::emulator::{
    Environment, Faults, FunctionSpec, Invocation, Options, Reason, Sink,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::stage::{SOON, distinct, ended_well, ok, start, sum_up};

#[tokio::test]
async fn a_restored_environment_says_so() -> Result<()> {
    let sink = Sink::start().await?;
    let mut spec = FunctionSpec::new("checkout", 1024);
    "snap-start".clone_into(&mut spec.init_type);
    let options = Options::to("reports", sink.endpoint());
    let mut environment = Environment::start(spec, options).await?;
    let first = Invocation {
        restore_ms: Some(220.5),
        ..ok(0, 90)
    };
    environment.invoke(first).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let record = &sink.reports()[0];
    assert_eq!(record.init, Some(InitType::SnapStart));
    assert_eq!(record.reports[0].init_ms, Millis::from_ms_f64(220.5));
    Ok(())
}

/// Within one process, since a clone cannot be made from outside: each `restoreStart` is the begin of
/// another environment.
#[tokio::test]
async fn each_restore_begins_an_environment_of_its_own() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    for n in 0..6 {
        let restored = Invocation {
            restore_ms: (n % 2 == 0).then_some(220.5),
            ..ok(n * 600, 100 + n as u32)
        };
        environment.invoke(restored).await?;
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("three restores", 6, sink.reports(), &[&exit])?;
    let records = distinct(sink.reports());
    let envs: HashSet<u64> = records.iter().map(|record| record.env.0).collect();
    assert_eq!(envs.len(), 3);
    for env in envs {
        let of_env = records.iter().filter(|record| record.env.0 == env);
        assert_eq!(of_env.map(|record| record.seq).min(), Some(0));
    }
    Ok(())
}

/// An endpoint for credentials as Lambda has it under SnapStart: every answer is other keys, good for
/// a moment only.
struct Container {
    url: String,
    token: String,
    task: JoinHandle<()>,
}

impl Container {
    async fn start(name: &'static str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/creds", listener.local_addr()?);
        let token = format!("token-of-{name}");
        let (wanted, answers) = (token.clone(), Arc::new(AtomicUsize::new(0)));
        let answer = move |headers: HeaderMap| async move {
            let given = headers.get("authorization").and_then(|v| v.to_str().ok());
            if given != Some(wanted.as_str()) {
                return (
                    StatusCode::FORBIDDEN,
                    Json(json!({"message": "no such token"})),
                );
            }
            let n = answers.fetch_add(1, Ordering::Relaxed);
            // Less than the five minutes that are kept in hand: the next send asks again.
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let ends =
                Timestamp::from_ms(now.as_millis() as i64 + 120_000).unwrap_or(Timestamp::MIN);
            let keys = json!({
                "AccessKeyId": format!("{name}{n}"), "SecretAccessKey": "secret", "Token": "session",
                "Expiration": ends.to_string(),
            });
            (StatusCode::OK, Json(keys))
        };
        let router = Router::new().route("/creds", get(answer));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, token, task })
    }

    fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &self.url),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &self.token),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Two environments of one SnapStart function. They are two processes with the same variables but
/// for the credentials, not two clones of one: what a clone shares is in the journal's own tests.
#[tokio::test]
async fn two_restored_environments_deliver_as_two_with_credentials_that_rotate() -> Result<()> {
    let sink = Sink::start().await?;
    let mut lives = Vec::new();
    for name in ["ONE", "TWO"] {
        let container = Container::start(name).await?;
        let mut spec = FunctionSpec::new("checkout", 1024);
        "snap-start".clone_into(&mut spec.init_type);
        let options = Options {
            env: container.variables(),
            ..Options::to("reports", sink.endpoint())
        };
        lives.push((Environment::start(spec, options).await?, container));
    }
    for n in 0..4 {
        for (environment, _) in &mut lives {
            let restored = Invocation {
                restore_ms: (n == 0).then_some(220.5),
                ..ok(n * 3600, 100)
            };
            let before = sink.calls();
            environment.invoke(restored).await?;
            // Each flush by itself, so that each asks for keys.
            let flushed = async {
                while n > 0 && sink.calls() == before {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(SOON, environment.linger(flushed)).await??;
        }
    }
    let mut exits = Vec::new();
    for (environment, container) in lives {
        exits.push(environment.shutdown(Reason::Spindown).await?);
        drop(container);
    }
    let exits: Vec<_> = exits.iter().collect();
    sum_up("two restored environments", 8, sink.reports(), &exits)?;
    let records = distinct(sink.reports());
    let envs: HashSet<u64> = records.iter().map(|record| record.env.0).collect();
    assert_eq!(envs.len(), 2);
    assert!(
        records
            .iter()
            .all(|record| record.init == Some(InitType::SnapStart))
    );
    let keys: HashSet<String> = sink.keys().into_iter().collect();
    for name in ["ONE", "TWO"] {
        let own = keys.iter().filter(|key| key.starts_with(name)).count();
        assert!(own >= 3, "keys did not rotate: {keys:?}");
    }
    Ok(())
}
