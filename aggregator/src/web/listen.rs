//! Connections: so many at once and no more, each with a bound on how long a request's head may
//! take, all let finish when it is time to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rightsizer_aws::stop::Stop;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::debug;

/// Connections served at once; more wait in the system's queue. Few enough to leave the store its
/// files where a process may open 1024.
const CONNECTIONS: usize = 512;
/// How long a client may take to send a request's head, and to begin with the next one.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long to wait when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until told to stop, and lets requests under way finish. Dropping it cuts them off.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: Stop,
) -> anyhow::Result<()> {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN);
    loop {
        let accepted = async {
            let permit = room.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = stopped.requested() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        let permit = permit.context("the connections' semaphore is closed")?;
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, or the client has gone already: neither ends the server.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection =
            http.serve_connection(io(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop(permit);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

fn io(stream: TcpStream) -> TokioIo<TcpStream> {
    // Answers are small, and the client waits for them.
    let _ = stream.set_nodelay(true);
    TokioIo::new(stream)
}
