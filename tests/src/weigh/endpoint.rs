//! A stream endpoint behind TLS that takes every `PutRecords`, under an authority made at run time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rightsizer_records::{Record, decode};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::identity::identity;

/// The paths at which systems keep their trusted roots. A real sender reads them all, so they are
/// in the bundle.
const SYSTEM_ROOTS: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// One record that was taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Size of the record's data.
    pub bytes: usize,
    /// Reports in it; 0 if its format is not known here.
    pub reports: usize,
}

/// A running endpoint; ends when dropped.
pub struct Endpoint {
    /// Its URL.
    pub url: String,
    /// PEM file: the system's roots and the authority of this endpoint.
    pub bundle: PathBuf,
    /// How many roots are in it.
    pub roots: usize,
    taken: Arc<Mutex<Vec<Taken>>>,
    calls: watch::Sender<usize>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    taken: Arc<Mutex<Vec<Taken>>>,
    calls: watch::Sender<usize>,
}

impl Endpoint {
    /// Starts one on a free port; its bundle is put into `folder`.
    pub async fn start(folder: &Path) -> Result<Self> {
        let (acceptor, authority) = identity()?;
        let system = SYSTEM_ROOTS
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        let pem = format!("{}\n{authority}", system.unwrap_or_default());
        let bundle = folder.join("roots.pem");
        std::fs::write(&bundle, &pem)?;
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("https://localhost:{}", tcp.local_addr()?.port());
        let shared = Shared {
            taken: Arc::default(),
            calls: watch::Sender::new(0),
        };
        let router = Router::new().fallback(take).with_state(shared.clone());
        let task = tokio::spawn(async move {
            // Ends with the measurement.
            let _ = axum::serve(Tls { tcp, acceptor }, router).await;
        });
        Ok(Self {
            url,
            bundle,
            roots: pem.matches("BEGIN CERTIFICATE").count(),
            taken: shared.taken,
            calls: shared.calls,
            task,
        })
    }

    /// Calls answered so far; a receiver to wait on.
    pub fn calls(&self) -> watch::Receiver<usize> {
        self.calls.subscribe()
    }

    /// Forgets what was taken, and returns it.
    pub fn drain(&self) -> Vec<Taken> {
        std::mem::take(&mut lock(&self.taken))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(taken: &Mutex<Vec<Taken>>) -> MutexGuard<'_, Vec<Taken>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((socket, from)) = self.tcp.accept().await else {
                continue;
            };
            let _ = socket.set_nodelay(true);
            if let Ok(stream) = self.acceptor.accept(socket).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

async fn take(State(shared): State<Shared>, body: Bytes) -> Json<Value> {
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let records = call["Records"].as_array().cloned().unwrap_or_default();
    let mut answers = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let data = BASE64_STANDARD.decode(record["Data"].as_str().unwrap_or_default());
        let data = data.unwrap_or_default();
        let reports = match decode(&data) {
            Ok(Record::Reports(reports)) => reports.reports.len(),
            _ => 0,
        };
        lock(&shared.taken).push(Taken {
            bytes: data.len(),
            reports,
        });
        answers.push(json!({"SequenceNumber": n.to_string(), "ShardId": "shardId-000000000000"}));
    }
    shared.calls.send_modify(|calls| *calls += 1);
    Json(json!({"FailedRecordCount": 0, "Records": answers}))
}
