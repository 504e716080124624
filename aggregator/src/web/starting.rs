//! The port while the store is opened or restored. It answers health checks alone, so that a restore of minutes is not
//! taken for a server that hangs.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// The longest a connection is kept, and the most at once. It takes the clients that the port takes later.
const WITHIN: Duration = Duration::from_secs(5);
const MOST: usize = 64;

/// Answers while it lives. Its connections end with it.
#[derive(Debug)]
pub(crate) struct Starting(JoinHandle<()>);

impl Starting {
    /// Answers on the port of `listener`, which accepts nothing meanwhile; returns the listener for the time after.
    pub(crate) fn on(listener: TcpListener) -> std::io::Result<(Self, TcpListener)> {
        let listener = listener.into_std()?;
        let (now, later) = (listener.try_clone()?, listener);
        let now = TcpListener::from_std(now)?;
        Ok((
            Self(tokio::spawn(answer_all(now))),
            TcpListener::from_std(later)?,
        ))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn answer_all(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(timeout(WITHIN, connection(stream)));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request)));
    let mut http = http1::Builder::new();
    // A connection that is kept would not reach the server that comes after this one.
    let served = http
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who hung up has no answer to miss.
    let _ = served.await;
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    // With or without a token in the path: the answer shows no more than an accepted connection does.
    let is_health = request.uri().path().ends_with("/healthz");
    let mut response = Response::new(Full::from(r#"{"status":"starting"}"#));
    if !is_health {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert("retry-after", hyper::header::HeaderValue::from_static("5"));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn health_is_answered_until_the_server_takes_over() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (starting, listener) = Starting::on(listener).unwrap();
        for path in ["/healthz", "/t0ken/healthz"] {
            let answer = ask(address, path).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(answer.ends_with(r#"{"status":"starting"}"#), "{answer}");
        }
        let answer = ask(address, "/review").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(starting);
        tokio::task::yield_now().await;
        let (accepted, connected) = tokio::join!(listener.accept(), TcpStream::connect(address));
        assert_eq!(
            accepted.unwrap().1,
            connected.unwrap().local_addr().unwrap()
        );
    }
}
