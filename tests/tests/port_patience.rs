//! The port with clients that keep it waiting: health checks and puts of records still have a response within a
//! second.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use put_records::{client, put};
use rightsizer_records::{EnvId, Reports};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);
/// The server ends a connection whose answers are left unread for 15 seconds, once the system's buffers
/// are full of them.
const ENDS_WITHIN: Duration = Duration::from_secs(45);

/// A user's soft limit is often 1024, and each client here is a file. The server, started before, keeps that limit.
fn allow_as_many_files_as_may_be() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

struct Scene {
    serve: Aggregator,
    probes: u64,
    folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: PathBuf = folder.path().join("rightsizer.db");
        let log = folder.path().join("serve.log");
        let serve = Aggregator::start(&store, &["--clock", "event"], &[], Some(&log)).await;
        allow_as_many_files_as_may_be();
        let mut scene = Self {
            serve: serve.unwrap(),
            probes: 0,
            folder,
        };
        // The first requests take longer.
        scene.answers().await;
        scene
    }

    fn address(&self) -> &str {
        self.serve.endpoint().strip_prefix("http://").unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// Opens a connection and sends this.
    async fn sent(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Returns the durations of `/healthz` and of a put of one record, each on its own connection.
    async fn answers(&mut self) -> (Duration, Duration) {
        let began = Instant::now();
        let url = format!("{}/healthz", self.serve.endpoint());
        let asked = reqwest::Client::new().get(url).timeout(30 * SECOND).send();
        assert_eq!(asked.await.unwrap().status(), 200);
        let health = began.elapsed();
        self.probes += 1;
        let record = sample::bytes(Reports {
            env: EnvId(self.probes),
            ..sample::reports("fn").unwrap()
        });
        let began = Instant::now();
        put(&client(self.serve.endpoint()), vec![record])
            .await
            .unwrap();
        (health, began.elapsed())
    }

    async fn answers_within_a_second(&mut self, beside: &str) {
        let (health, put) = self.answers().await;
        println!("beside {beside}: /healthz {health:?}, put {put:?}");
        assert!(health < SECOND, "/healthz took {health:?} beside {beside}");
        assert!(put < SECOND, "a put took {put:?} beside {beside}");
    }
}

fn announced(bytes: usize) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: Kinesis_20131202.PutRecords\r\n\
         content-length: {bytes}\r\n\r\n"
    )
}

/// Writes until the other side stops reading, and then holds the connection until it is closed.
async fn flood(mut stream: TcpStream, request: &'static str) -> Duration {
    let many = request.repeat(1000);
    let began = Instant::now();
    while stream.write_all(many.as_bytes()).await.is_ok() {}
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_pipelined_requests_whose_answers_are_not_read() {
    let mut scene = Scene::new().await;
    let mut floods = JoinSet::new();
    for _ in 0..600 {
        let stream = scene.connect().await;
        floods.spawn(flood(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n",
        ));
    }
    tokio::time::sleep(2 * SECOND).await;
    scene.answers_within_a_second("600 floods").await;
    floods.shutdown().await;
    let stream = scene.connect().await;
    let one = flood(stream, "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let ended = tokio::time::timeout(ENDS_WITHIN, one).await;
    let ended = ended.expect("a connection whose answers are not read goes on for ever");
    println!("one that is not read lasted {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_bodies_that_are_announced_and_do_not_come() {
    let mut scene = Scene::new().await;
    for (connections, sent) in [(8, 1), (8, 100 << 10)] {
        let mut held = Vec::new();
        for _ in 0..connections {
            let text = announced(8 << 20) + &" ".repeat(sent);
            held.push(scene.sent(&text).await);
        }
        tokio::time::sleep(SECOND / 5).await;
        let beside = format!("{connections} bodies of 8 MiB of which {sent} bytes came");
        scene.answers_within_a_second(&beside).await;
        // A request that needs room waits until the connections that only hold it are closed.
        let began = Instant::now();
        let large = announced(1 << 20) + &" ".repeat(1 << 20);
        let mut stream = scene.sent(&large).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 400", "blanks are not a request");
        assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
        drop(held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_idle_connections() {
    let mut scene = Scene::new().await;
    let mut held = Vec::new();
    for _ in 0..600 {
        held.push(scene.connect().await);
    }
    scene.answers_within_a_second("600 idle connections").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_clients_that_read_and_write_byte_by_byte() {
    let mut scene = Scene::new().await;
    let mut slow = JoinSet::new();
    for n in 0..600 {
        let mut stream = scene.connect().await;
        let text = match n % 3 {
            0 => "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            1 => announced(4096) + &" ".repeat(4096),
            _ => format!("GET /{} HTTP/1.1\r\n", "x".repeat(4096)),
        };
        slow.spawn(async move {
            let at_once = if n % 3 == 0 { text.len() } else { 1 };
            for piece in text.as_bytes().chunks(at_once) {
                if stream.write_all(piece).await.is_err() {
                    return;
                }
                tokio::time::sleep(SECOND / 5).await;
            }
            while stream.read_u8().await.is_ok() {
                tokio::time::sleep(SECOND / 5).await;
            }
        });
    }
    tokio::time::sleep(2 * SECOND).await;
    for _ in 0..3 {
        scene.answers_within_a_second("600 slow clients").await;
    }
}

/// A reviewer's list of 5,000 functions has megabytes, more than the system's buffers hold.
#[tokio::test(flavor = "multi_thread")]
async fn beside_reviewers_who_read_large_answers_slowly() {
    let mut scene = Scene::new().await;
    for batch in 0..10 {
        let record = |n: u64| {
            sample::bytes(Reports {
                env: EnvId(n),
                ..sample::reports(&format!("function-{n}")).unwrap()
            })
        };
        let records = (batch * 500..(batch + 1) * 500).map(record);
        put(&client(scene.serve.endpoint()), records.collect())
            .await
            .unwrap();
    }
    let key = std::fs::read_to_string(scene.folder.path().join("rightsizer.db.key")).unwrap();
    let request =
        format!("GET /{key}/review HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut slow = JoinSet::new();
    for _ in 0..100 {
        let mut stream = scene.sent(&request).await;
        slow.spawn(async move {
            while stream.read_u8().await.is_ok() {
                tokio::time::sleep(SECOND / 5).await;
            }
        });
    }
    tokio::time::sleep(2 * SECOND).await;
    for _ in 0..3 {
        scene
            .answers_within_a_second("100 slow readers of a list of 5,000 functions")
            .await;
    }
    slow.shutdown().await;
    let whole = reqwest::get(format!("{}/{key}/review", scene.serve.endpoint())).await;
    let whole = whole.unwrap().bytes().await.unwrap();
    assert!(whole.len() > 1 << 20, "{} bytes", whole.len());
}

/// A malicious page in a browser uses another host name for this port.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_on_loopback_accepts_only_its_own_names() {
    let scene = Scene::new().await;
    let status = async |host: &str, path: &str| {
        let mut stream = scene.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer[9..12].parse::<u16>().unwrap()
    };
    let port = scene.address().rsplit_once(':').unwrap().1;
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(
            status(&format!("{host}:{port}"), "/healthz").await,
            200,
            "{host}"
        );
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1"] {
        for path in ["/healthz", "/metrics"] {
            assert_eq!(
                status(&format!("{host}:{port}"), path).await,
                421,
                "{host}{path}"
            );
        }
    }
    assert_eq!(
        status(scene.address(), "http://evil.example/metrics").await,
        421
    );
}
