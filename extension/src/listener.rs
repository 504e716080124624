//! The HTTP server the Telemetry API posts to. It reads bodies and passes them on, nothing else.
//!
//! It answers 200 whatever comes: any other answer brings the same batch again. It listens on all
//! addresses because `sandbox.localdomain` is not loopback inside Lambda.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::{BodyExt as _, Collected, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A body reaches twice the 262,144 bytes asked for, plus metadata.
const MOST_BODY_BYTES: usize = 1_048_576;
/// Bodies that wait to be read; a slow reader makes the platform wait, and then drop and say so.
const MOST_WAITING: usize = 4;

/// A POST's body; empty where it could not be read.
pub type Body = Bytes;

/// Binds any free port and serves it in the background. Answers the port and the bodies.
pub async fn listen() -> std::io::Result<(u16, mpsc::Receiver<Body>)> {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await?;
    let port = listener.local_addr()?.port();
    let (bodies, received) = mpsc::channel(MOST_WAITING);
    tokio::spawn(serve(listener, bodies));
    Ok((port, received))
}

async fn serve(listener: TcpListener, bodies: mpsc::Sender<Body>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // Out of file handles: the function holds them, and may give some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let bodies = bodies.clone();
        let service = service_fn(move |request| on_post(request, bodies.clone()));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        tokio::spawn(connection);
    }
}

async fn on_post(
    request: Request<Incoming>,
    bodies: mpsc::Sender<Body>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let body = Limited::new(request.into_body(), MOST_BODY_BYTES);
    let body = body.collect().await.map(Collected::to_bytes);
    // The reader is gone only when this process ends.
    let _ = bodies.send(body.unwrap_or_default()).await;
    Ok(Response::new(Empty::new()))
}
