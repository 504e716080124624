//! One connection to an HTTP server, with or without TLS.
//!
//! Connections are not kept: after a freeze a kept one is dead. A request leaves in one write, at
//! once: small writes that wait for each other cost 40 ms each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::response::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::endpoint::Endpoint;

/// Name resolution and TCP, without TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// An answer to 150 records takes 20 KB.
const MOST_ANSWER_BYTES: usize = 262_144;

/// One type for both kinds, so that the protocol is compiled once.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// An open connection; closed when dropped.
pub struct Connection {
    requests: SendRequest<Full<Bytes>>,
    driver: JoinHandle<hyper::Result<()>>,
}

impl Connection {
    /// Opens a connection; `tls` is needed if the endpoint uses TLS.
    pub async fn open(endpoint: &Endpoint, tls: Option<Arc<ClientConfig>>) -> anyhow::Result<Self> {
        let to = (endpoint.host.as_str(), endpoint.port);
        let socket = timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
        let socket = socket.context("no connection within a second")??;
        socket.set_nodelay(true)?;
        let socket: Box<dyn Socket> = if endpoint.tls {
            let config = tls.context("TLS is not set up")?;
            let name = ServerName::try_from(endpoint.host.clone())?;
            let stream = TlsConnector::from(config).connect(name, socket).await;
            Box::new(stream.context("no TLS")?)
        } else {
            Box::new(socket)
        };
        let (requests, driver) = handshake(TokioIo::new(socket)).await?;
        Ok(Self {
            requests,
            driver: tokio::spawn(driver),
        })
    }

    /// Sends a request and reads its whole answer. Waits as long as it takes.
    pub async fn send(&mut self, request: Request<Bytes>) -> anyhow::Result<(Parts, Bytes)> {
        let answer = self.requests.send_request(request.map(Full::new)).await;
        let (parts, body) = answer.map(Response::into_parts)?;
        let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await;
        let body = body.map_err(|e| anyhow!("the response ended early: {e}"))?;
        Ok((parts, body.to_bytes()))
    }

    /// Whether another request can be sent.
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

/// Whether a connection was not made because the other side's certificate is not to be trusted.
pub(crate) fn is_untrusted(error: &anyhow::Error) -> bool {
    let tls = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
        io.downcast_ref::<rustls::Error>().cloned()
    };
    let mut tls = error.chain().filter_map(tls);
    tls.any(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
