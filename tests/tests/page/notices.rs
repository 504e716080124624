//! Notices, each kind to each kind of receiver, over real HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path as Part, State};
use axum::http::StatusCode;
use rightsizer_tests::aggregator::Aggregator;
use rusqlite::{Connection, params};

use crate::scene;

/// Bodies by the last part of the path, in the order in which they came.
type Taken = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// A receiver of everything. Teams responds to the first request of each notice with an error, and an address that
/// ends with `closed` to every request.
async fn receiver() -> (String, Taken) {
    let taken = Taken::default();
    let take = async |State(taken): State<Taken>, Part(name): Part<String>, body: String| {
        let mut taken = taken.lock().unwrap();
        let bodies = taken.entry(name.clone()).or_default();
        let first = !bodies.contains(&body);
        bodies.push(body);
        if name.ends_with("closed") || (name == "teams-secret" && first) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    };
    let router = Router::new()
        .route("/{name}", axum::routing::post(take))
        .with_state(Arc::clone(&taken));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, taken)
}

async fn serve(folder: &Path, address: &str, log: &Path) -> Aggregator {
    let config = folder.join("rightsizer.toml");
    let settings = format!(
        "[notify]\nslack = \"env:SLACK\"\nteams = \"{address}/teams-secret\"\nwebhook = \"{address}/webhook-secret\"\n\
         sns = \"arn:aws:sns:eu-west-1:123456789012:sizes\"\npage = \"https://sizes.example\"\n"
    );
    std::fs::write(&config, settings).unwrap();
    let environment = [
        ("SLACK", format!("{address}/slack-secret")),
        ("AWS_ENDPOINT_URL_SNS", format!("{address}/sns")),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let arguments = ["--clock", "event", "--config", config.to_str().unwrap()];
    let store = folder.join("rightsizer.db");
    Aggregator::start(&store, &arguments, &environment, Some(log))
        .await
        .unwrap()
}

/// The kinds that the webhook got.
fn kinds(taken: &Taken) -> Vec<String> {
    let taken = taken.lock().unwrap();
    let bodies = taken.get("webhook-secret").cloned().unwrap_or_default();
    let kind = |body: &String| {
        serde_json::from_str::<serde_json::Value>(body).unwrap()["kind"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    bodies.iter().map(kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn each_kind_reaches_each_receiver_once() {
    let folder = tempfile::tempdir().unwrap();
    scene::make(folder.path()).await;
    let store = Connection::open(folder.path().join("rightsizer.db")).unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let closed = "UPDATE recommendations SET closed_ms = ?, closed_reason = 'slower <!channel>' WHERE status = 'rolled-back'";
    assert_eq!(store.execute(closed, params![now - 60_000]).unwrap(), 1);
    let paused = "INSERT OR REPLACE INTO state VALUES ('auto_paused', 'since noon: 2 rollbacks within 24 hours')";
    store.execute(paused, []).unwrap();
    // As if the function were only observed: the increase waits for a person.
    let waits = "UPDATE recommendations SET auto = 0 WHERE urgent AND status = 'open'";
    assert!(store.execute(waits, []).unwrap() > 0);
    drop(store);
    let (address, taken) = receiver().await;
    let log = folder.path().join("serve.log");
    let server = serve(folder.path(), &address, &log).await;
    let until = Instant::now() + Duration::from_secs(30);
    let count = |name: &str| taken.lock().unwrap().get(name).map_or(0, Vec::len);
    while count("webhook-secret") < 4 || count("sns") < 4 || count("teams-secret") < 8 {
        assert!(Instant::now() < until, "{:#?}", taken.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(kinds(&taken), ["urgent", "breaker", "rollback", "digest"]);
    {
        let taken = taken.lock().unwrap();
        for (name, wanted) in [
            (
                "slack-secret",
                [
                    "search-webhook",
                    "circuit breaker",
                    "slower &lt;!channel&gt;",
                    "This week",
                ],
            ),
            (
                "teams-secret",
                [
                    "search\\\\-webhook",
                    "circuit breaker",
                    "slower \\\\<\\\\!channel\\\\>",
                    "This week",
                ],
            ),
            (
                "webhook-secret",
                [
                    "search-webhook",
                    "2 rollbacks",
                    "slower <!channel>",
                    "Waiting for you",
                ],
            ),
            (
                "sns",
                [
                    "search-webhook",
                    "Subject=The+circuit+breaker",
                    "slower+%3C%21channel%3E",
                    "Waiting+for+you",
                ],
            ),
        ] {
            let mut bodies = taken[name].clone();
            if name == "teams-secret" {
                // Each once in vain and once more, no other.
                bodies.truncate(4);
                let mut repeated = taken[name][4..].to_vec();
                let mut first = bodies.clone();
                repeated.sort();
                first.sort();
                assert_eq!(repeated, first);
            }
            assert_eq!(bodies.len(), 4, "{name}: {bodies:#?}");
            for (body, words) in bodies.iter().zip(wanted) {
                assert!(body.contains(words), "{words} is not in {name}'s {body}");
            }
        }
    }
    server.stop().await.unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("teams did not take a notice") && !text.contains("-secret"),
        "{text}"
    );

    // No notice is repeated after a restart.
    let server = serve(folder.path(), &address, &log).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.stop().await.unwrap();
    assert_eq!((count("webhook-secret"), count("teams-secret")), (4, 8));
}

/// A notice that was not taken before a restart is sent after it, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_on_its_way_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    scene::make(folder.path()).await;
    let (address, taken) = receiver().await;
    let count = |name: &str| taken.lock().unwrap().get(name).map_or(0, Vec::len);
    let store = folder.path().join("rightsizer.db");
    let (config, log) = (
        folder.path().join("notices.toml"),
        folder.path().join("serve.log"),
    );
    let serve = async |path: &str| {
        std::fs::write(
            &config,
            format!("[notify]\nwebhook = \"{address}/{path}\"\n"),
        )
        .unwrap();
        let arguments = ["--clock", "event", "--config", config.to_str().unwrap()];
        let server = Aggregator::start(&store, &arguments, &[], Some(&log)).await;
        server.unwrap()
    };
    let arrived = async |name: &str, number: usize| {
        let until = Instant::now() + Duration::from_secs(30);
        while count(name) < number {
            assert!(Instant::now() < until, "{:#?}", taken.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Asked at once and after two seconds; killed, as a crash would.
    let server = serve("closed").await;
    arrived("closed", 2).await;
    server.kill().await.unwrap();
    let server = serve("open").await;
    arrived("open", 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(server.stop().await.unwrap().success());
    assert_eq!(count("open"), 1, "{:#?}", taken.lock().unwrap());
    let taken = taken.lock().unwrap();
    assert_eq!(
        taken["open"][0], taken["closed"][0],
        "the same id and the same text"
    );
    assert!(!std::fs::read_to_string(&log).unwrap().contains("closed"));
}
