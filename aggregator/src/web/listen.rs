//! Connections: a bounded number, each with a bound on how long its client may keep the server
//! waiting, and on its age. All may finish when the server stops.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::patient::Patient;
use super::seats::{Held, Seats};

/// How long a client may take to send a request's head, and to begin with the next one.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// What is read ahead of a connection: a client that sends many requests and reads no answer is not
/// read any further.
const READ_AHEAD: usize = 64 << 10;
/// A connection ends with the request that it serves at this age; clients open another.
const MOST_AGE: Duration = Duration::from_mins(10);
/// How long to wait when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until a stop is requested, and lets open requests finish. Dropping it cuts them off.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let seats = Seats::default();
    let mut connections = JoinSet::new();
    let mut next = None;
    loop {
        let accepted = async {
            if next.is_none() {
                next = Some(listener.accept().await);
            }
            seats.take().await
        };
        let held = tokio::select! {
            () = stopped.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            held = accepted => held,
        };
        let Some(Ok((stream, _))) = next.take() else {
            // Out of file descriptors, or the client has gone already: neither ends the server.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections.spawn(connection(stream, held, router.clone(), stopped.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn connection(stream: TcpStream, held: Held, router: Router, stopped: CancellationToken) {
    let seat = held.seat.clone();
    let service = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        let seat = seat.clone();
        request.extensions_mut().insert(seat.clone());
        let answer = hyper::service::Service::call(&service, request);
        async move {
            let answer = answer.await;
            seat.is_answered();
            answer
        }
    });
    let io = TokioIo::new(Patient::new(stream, Arc::clone(&held.seat)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(READ_AHEAD)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut old = pin!(tokio::time::sleep(MOST_AGE));
    let mut ending = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!("a connection ended: {error}");
                }
                return;
            }
            () = held.seat.evicted() => return,
            () = stopped.cancelled(), if !ending => ending = true,
            () = old.as_mut(), if !ending => ending = true,
        }
        if ending {
            connection.as_mut().graceful_shutdown();
        }
    }
}
