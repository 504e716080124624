//! TLS in front of a server that speaks none, under an authority made at run time.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::identity::identity;

/// A running terminator; ends when dropped.
pub struct Tls {
    address: SocketAddr,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Tls {
    /// Starts one in front of `upstream`, for the host name `localhost`.
    pub async fn start(upstream: &str) -> Result<Self> {
        let (acceptor, authority) = identity()?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("roots.pem"), authority)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let upstream = upstream.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    // A connection that breaks is the scenario's wish.
                    let _ = pass(acceptor, socket, upstream).await;
                });
            }
        });
        Ok(Self {
            address,
            folder,
            task,
        })
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// PEM file of its authority.
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(acceptor: TlsAcceptor, socket: TcpStream, upstream: String) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = acceptor.accept(socket).await?;
    let mut server = TcpStream::connect(upstream).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}
