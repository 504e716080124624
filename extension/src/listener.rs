//! The HTTP server the Telemetry API posts to. It reads events as they come and passes them on,
//! nothing else. What it holds is bounded, whoever posts whatever: a few connections (beyond that
//! the oldest is closed; the platform comes again), of each a read buffer and one event.
//!
//! It answers 200 whatever comes: any other answer brings the same batch again. It listens on all
//! addresses because `sandbox.localdomain` is not loopback inside Lambda.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::telemetry::{Posted, Reader};

/// The platform needs one or two.
const MOST_CONNECTIONS: usize = 8;
/// Of a connection. Events of a few hundred bytes come in pieces of this size.
const READ_BUFFER_BYTES: usize = 32_768;
/// Pieces that wait to be taken in; a slow reader makes the platform wait, and then drop and say so.
const MOST_WAITING: usize = 2;

/// A port that is served in the background.
#[derive(Debug)]
pub struct Listening {
    /// Where it is.
    pub port: u16,
    /// What is posted, in pieces.
    pub posted: mpsc::Receiver<Posted>,
    task: AbortHandle,
}

impl Listening {
    /// Gives the port back: file handles may be few, and `next` needs one.
    pub fn close(self) {
        self.task.abort();
    }
}

/// Binds any free port and serves it.
pub async fn listen() -> std::io::Result<Listening> {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await?;
    let port = listener.local_addr()?.port();
    let (pieces, posted) = mpsc::channel(MOST_WAITING);
    let task = tokio::spawn(serve(listener, pieces)).abort_handle();
    Ok(Listening { port, posted, task })
}

async fn serve(listener: TcpListener, pieces: mpsc::Sender<Posted>) {
    let mut connections = VecDeque::<AbortHandle>::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file handles: the function holds them, and may give some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MOST_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let pieces = pieces.clone();
        let service = service_fn(move |request| on_post(request, pieces.clone()));
        let mut http = http1::Builder::new();
        http.max_buf_size(READ_BUFFER_BYTES);
        let connection = http.serve_connection(TokioIo::new(socket), service);
        connections.push_back(tokio::spawn(connection).abort_handle());
    }
}

async fn on_post(
    request: Request<Incoming>,
    pieces: mpsc::Sender<Posted>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    let mut reader = Reader::default();
    // The receiver is gone only when this process ends.
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(bytes) = frame.data_ref() {
            let _ = pieces.send(reader.feed(bytes)).await;
        }
    }
    let _ = pieces.send(reader.finish()).await;
    Ok(Response::new(Empty::new()))
}
