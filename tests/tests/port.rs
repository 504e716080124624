//! The port of `rightsizer serve` with unauthorized clients, reviewers and faulty clients.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use put_records::{client, put};
use rightsizer_records::{EnvId, Reports};
use rightsizer_store::{Reader, ReviewRow};
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::sample;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WRITERS: &str = "writers-token";
const REVIEWERS: &str = "reviewers-token";

fn store(folder: &TempDir) -> PathBuf {
    folder.path().join("rightsizer.db")
}

async fn serve(folder: &TempDir, more: &[&str]) -> Aggregator {
    let log = folder.path().join("serve.log");
    let arguments = [&["--clock", "event"], more].concat();
    Aggregator::start(&store(folder), &arguments, &[], Some(&log))
        .await
        .unwrap()
}

fn record(env: u64) -> Vec<u8> {
    let reports = sample::reports("fn").unwrap();
    sample::bytes(Reports {
        env: EnvId(env),
        ..reports
    })
}

fn line(folder: &TempDir) -> ReviewRow {
    let reader = Reader::open(&store(folder)).unwrap();
    reader.review().unwrap().remove(0)
}

fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

async fn post(url: &str, body: &Value) -> (u16, Value) {
    let answer = reqwest::Client::new().post(url).json(body).send().await;
    let answer = answer.unwrap();
    (
        answer.status().as_u16(),
        answer.json().await.unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_records_cannot_approve() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = ["--token", WRITERS, "--review-token", REVIEWERS];
    let serve = serve(&folder, &tokens).await;
    let at = |token: &str| format!("{}/{token}", serve.endpoint());
    put(&client(&at(WRITERS)), vec![record(0)]).await.unwrap();
    assert!(put(&client(&at(REVIEWERS)), vec![record(1)]).await.is_err());
    assert!(
        put(&client(serve.endpoint()), vec![record(1)])
            .await
            .is_err()
    );
    let word = json!({"action": "approve", "what": "fn", "by": "somebody"});
    for wrong in [at(WRITERS), at("guess"), serve.endpoint().to_owned()] {
        let (status, answer) = post(&format!("{wrong}/review"), &word).await;
        assert_eq!(status, 403, "{wrong}");
        assert!(answer["error"].as_str().unwrap().contains("--review-token"));
        let read = reqwest::get(format!("{wrong}/review")).await.unwrap();
        assert_eq!(read.status(), 403);
    }
    assert_eq!(line(&folder).status, "open");
    let (status, answer) = post(&format!("{}/review", at(REVIEWERS)), &word).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(line(&folder).status, "approved");
    // It cannot send an outcome of a recommendation either.
    let outcomes = async |token: &str| {
        let request = client(&at(token)).put_records().stream_name("decisions");
        let entry = PutRecordsRequestEntry::builder().data(Blob::new("{}"));
        let entry = entry.partition_key("k").build().unwrap();
        request.records(entry).send().await
    };
    assert!(outcomes(WRITERS).await.is_err());
    outcomes(REVIEWERS).await.unwrap();
    assert!(serve.stop().await.unwrap().success());
}

/// Without a token, a process that reaches the port is not a reviewer; a user who can read the file beside the store
/// is.
#[tokio::test(flavor = "multi_thread")]
async fn reaching_the_port_is_not_enough_to_review() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    put(&client(serve.endpoint()), vec![record(0)])
        .await
        .unwrap();
    let word = json!({"action": "approve", "what": "fn", "by": "somebody"});
    let (status, _) = post(&format!("{}/review", serve.endpoint()), &word).await;
    assert_eq!(status, 403);
    let path = store(&folder);
    let path = path.to_str().unwrap();
    let approve = ["approve", "fn", "--by", "me", "--store", path];
    let done = rightsizer(&approve).await.unwrap();
    assert!(done.status.success(), "{}", text(&done));
    std::fs::remove_file(folder.path().join("rightsizer.db.key")).unwrap();
    let refused = rightsizer(&approve).await.unwrap();
    assert!(
        text(&refused).contains("reviewers' key"),
        "{}",
        text(&refused)
    );
    assert!(serve.stop().await.unwrap().success());
}

/// The same commands have the same output from another machine, with an address and a token.
#[tokio::test(flavor = "multi_thread")]
async fn review_works_from_another_machine_as_it_does_here() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = ["--token", WRITERS, "--review-token", REVIEWERS];
    let serve = serve(&folder, &tokens).await;
    let writer = format!("{}/{WRITERS}", serve.endpoint());
    put(&client(&writer), vec![record(0)]).await.unwrap();
    let url = format!("{}/{REVIEWERS}", serve.endpoint());
    let path = store(&folder);
    let (here, there) = (["--store", path.to_str().unwrap()], ["--server", &url]);
    for read in [
        &["list"][..],
        &["list", "--json"],
        &["show", "fn"],
        &["show", "fn", "--json"],
    ] {
        let local = rightsizer(&[read, &here].concat()).await.unwrap();
        let remote = rightsizer(&[read, &there].concat()).await.unwrap();
        assert!(
            local.status.success() && remote.status.success(),
            "{}",
            text(&remote)
        );
        assert_eq!(text(&local), text(&remote), "{read:?}");
    }
    let by = ["--by", "on-call", "--why", "because"];
    for (word, answer) in [
        (&["hold", "fn", "--days", "3"][..], "held"),
        (&["release", "fn"], "released"),
        (&["pause"], "paused"),
        (&["resume"], "resumed"),
        (&["reject", "fn"], "rejected"),
    ] {
        let done = rightsizer(&[word, &by, &there].concat()).await.unwrap();
        assert!(done.status.success(), "{word:?}: {}", text(&done));
        assert!(text(&done).contains(answer), "{word:?}: {}", text(&done));
    }
    for (refused, why) in [
        (&["approve", "fn"][..], "no open recommendation"),
        (&["approve", "nobody"], "no function \"nobody\""),
        (&["reject", "fnn"], "hint: did you mean \"fn\"?"),
    ] {
        let done = rightsizer(&[refused, &by, &there].concat()).await.unwrap();
        assert_eq!(done.status.code(), Some(1));
        assert!(text(&done).contains(why), "{}", text(&done));
    }
    let missing = rightsizer(&[&["show", "nobody"][..], &there].concat())
        .await
        .unwrap();
    assert!(
        text(&missing).contains("no function or recommendation"),
        "{}",
        text(&missing)
    );
    assert!(serve.stop().await.unwrap().success());
    let gone = rightsizer(&[&["list"][..], &there].concat()).await.unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone).contains("does not respond"), "{}", text(&gone));
    assert!(!text(&gone).contains(REVIEWERS), "a token is not for a log");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_shows_strangers_little_and_its_owner_all() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &["--token", WRITERS, "--review-token", REVIEWERS]).await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", serve.endpoint()))
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap_or_default(),
        )
    };
    assert_eq!(get("/healthz").await, (200, json!({"status": "ok"})));
    assert_eq!(get("/guess/healthz").await.0, 403);
    assert_eq!(get("/metrics").await.0, 403);
    assert_eq!(get(&format!("/{WRITERS}/metrics")).await.0, 200);
    let until = Instant::now() + Duration::from_secs(30);
    let health = loop {
        let (status, health) = get(&format!("/{REVIEWERS}/healthz")).await;
        assert_eq!(status, 200);
        if !health["last_commit"].is_null() {
            break health;
        }
        assert!(Instant::now() < until, "{health}");
    };
    assert_eq!(health["writer_alive"], true);
    assert_eq!(health["paused"], Value::Null);
    let word = json!({"action": "pause", "by": "on-call", "why": "change freeze"});
    post(&format!("{}/{REVIEWERS}/review", serve.endpoint()), &word).await;
    let (_, health) = get(&format!("/{REVIEWERS}/healthz")).await;
    assert!(
        health["paused"].as_str().unwrap().contains("on-call"),
        "{health}"
    );
    assert!(serve.stop().await.unwrap().success());
}

/// Sends raw bytes and reads the response until the server closes or has answered.
async fn raw(serve: &Aggregator, head: &str, body: &[u8]) -> String {
    let address = serve.endpoint().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may have answered and closed before all of it is written.
    let _ = stream.write_all(body).await;
    let mut answer = [0; 512];
    let n = stream.read(&mut answer).await.unwrap_or(0);
    String::from_utf8_lossy(&answer[..n]).into_owned()
}

const TARGET: &str = "x-amz-target: Kinesis_20131202.PutRecords";

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_body_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &["--token", WRITERS]).await;
    let head = |path: &str, length: u64| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{TARGET}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    // The body is announced but not sent; a server that waited for it would wait forever.
    let answer = raw(&serve, &head(&format!("/{WRITERS}"), 1 << 40), b"").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = raw(&serve, &head("/guess", 1 << 20), b"").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // The body is not announced.
    let chunked = format!(
        "POST /{WRITERS} HTTP/1.1\r\nhost: localhost\r\n{TARGET}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut chunks = Vec::new();
    for _ in 0..9 {
        chunks.extend_from_slice(b"100000\r\n");
        chunks.extend_from_slice(&vec![b' '; 1 << 20]);
        chunks.extend_from_slice(b"\r\n");
    }
    let answer = raw(&serve, &chunked, &chunks).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") || answer.is_empty(),
        "{answer}"
    );
    put(
        &client(&format!("{}/{WRITERS}", serve.endpoint())),
        vec![record(0)],
    )
    .await
    .unwrap();
    assert!(serve.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    let request = |body: &str| {
        let length = body.len();
        format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\n{TARGET}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "{\"Records\":[]}",
        "{\"Records\":[{\"Data\":\"?\"}]}",
        "\u{0}",
        &"[".repeat(100_000),
    ] {
        let answer = raw(&serve, &request(body), b"").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    for head in [
        "GET /a/b/c HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "PUT /a/b/c HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        let answer = raw(&serve, head, b"").await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    }
    raw(&serve, "\u{16}\u{3}\u{1}not HTTP at all\r\n\r\n", b"").await;
    put(&client(serve.endpoint()), vec![record(0)])
        .await
        .unwrap();
    assert!(serve.stop().await.unwrap().success());
}

/// The quarantine is bounded in bytes and rows, for any names and values that a sender writes.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_quarantine_keeps_of_a_request_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    let url = serve.endpoint().to_owned();
    let http = reqwest::Client::new();
    let send = async |stream: &str, data: &[u8], count: usize| {
        let entry = json!({ "Data": STANDARD.encode(data), "PartitionKey": "k" });
        let body = json!({ "StreamName": stream, "Records": vec![entry; count] });
        let request = http
            .post(&url)
            .header("x-amz-target", "Kinesis_20131202.PutRecords");
        request.json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(&"s".repeat(1 << 20), b"nonsense", 500).await, 200);
    assert_eq!(send("two\nlines", b"nonsense", 1).await, 400);
    let words = "\u{e000}".repeat(300_000);
    let odd = format!("{{\"v\":1,\"kind\":\"reports\",\"total\":\"{words}\"}}");
    assert_eq!(send("reports", odd.as_bytes(), 1).await, 200);
    assert!(serve.stop().await.unwrap().success());
    let store = rusqlite::Connection::open(store(&folder)).unwrap();
    let sql = "SELECT count(*), max(length(origin)), max(length(reason)), \
               max(length(CAST(sample AS BLOB))) FROM quarantine";
    let (rows, origin, reason, sample): (i64, i64, i64, i64) = store
        .query_row(sql, [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
        })
        .unwrap();
    assert_eq!(rows, 501);
    assert!(
        origin <= 200 && reason <= 600 && sample <= 4096,
        "{origin} {reason} {sample}"
    );
    let log = std::fs::metadata(folder.path().join("serve.log"))
        .unwrap()
        .len();
    assert!(log < 64 << 10, "the log has {log} bytes");
}

/// Hundreds of clients that connect and send nothing, or begin and never end, do not block others
/// and do not delay a stop.
#[tokio::test(flavor = "multi_thread")]
async fn idle_and_half_open_connections_are_borne() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    let address = serve.endpoint().strip_prefix("http://").unwrap().to_owned();
    let mut held = Vec::new();
    for n in 0..400 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let begun: &[u8] = match n % 3 {
            0 => b"",
            1 => b"POST / HTTP/1.1\r\nhost:",
            _ => b"POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: Kinesis_20131202.PutRecords\r\ncontent-length: 100\r\n\r\nhalf",
        };
        stream.write_all(begun).await.unwrap();
        held.push(stream);
    }
    put(&client(serve.endpoint()), vec![record(0)])
        .await
        .unwrap();
    let stopping = Instant::now();
    assert!(serve.stop().await.unwrap().success());
    assert!(
        stopping.elapsed() < Duration::from_secs(15),
        "{:?}",
        stopping.elapsed()
    );
    drop(held);
    assert_eq!(line(&folder).seen, 1);
}

/// If it is stopped while many clients send, it exits with 0 and keeps everything that it acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let serve = serve(&folder, &[]).await;
    let answered = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..16)
        .map(|sender| {
            let kinesis = client(serve.endpoint());
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                for n in 0.. {
                    let record = record(sender << 32 | n);
                    if put(&kinesis, vec![record]).await.is_err() {
                        return;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(30);
    while answered.load(Ordering::Relaxed) < 500 {
        assert!(Instant::now() < until, "{answered:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(serve.stop().await.unwrap().success());
    for sender in senders {
        sender.await.unwrap();
    }
    let (seen, answered) = (line(&folder).seen, answered.load(Ordering::Relaxed));
    assert!(seen >= answered, "{answered} answered, {seen} stored");
    assert!(
        seen <= answered + 16,
        "{answered} answered, {seen} stored: one a sender may be unanswered"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_flags_are_bad_usage_with_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(&folder);
    let path = path.to_str().unwrap();
    for (flags, wanted) in [
        (&["--listen", "0.0.0.0:0"][..], "--token"),
        (&["--listen", "nowhere"], "ADDRESS"),
        (&["--source", "kafka:reports"], "kinesis:NAME"),
        (&["--source", "kinesis:"], "kinesis:NAME"),
        (&["--emit", "decisions"], "kinesis:NAME"),
        (&["--from", "latest"], "--source kinesis:NAME"),
        (
            &["--from", "yesterday", "--source", "kinesis:a"],
            "2026-03-01",
        ),
        (&["--from", "2199-01-01", "--source", "kinesis:a"], "future"),
        (&["--token", "short"], "8 to 256"),
        (&["--token", "with/slash"], "8 to 256"),
        (
            &["--token", WRITERS, "--review-token", WRITERS],
            "could approve",
        ),
        (&["--accept", "everybody"], "ACCOUNT/REGION"),
        (&["--clock", "sundial"], "event"),
        (&["--inventory", "excel"], "lambda"),
        (&["--log-format", "xml"], "json"),
    ] {
        let refused = rightsizer(&[&["serve", "--store", path], flags].concat())
            .await
            .unwrap();
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{flags:?}: {}",
            text(&refused)
        );
        assert!(
            text(&refused).contains(wanted),
            "{flags:?}: {}",
            text(&refused)
        );
    }
    assert!(!store(&folder).exists(), "bad usage makes no store");
}
