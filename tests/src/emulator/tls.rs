//! TLS in front of a server that speaks none, under an authority made at run time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

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

fn identity() -> Result<(TlsAcceptor, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .context("the certificate made for the scenario is not taken")?;
    Ok((TlsAcceptor::from(Arc::new(server)), authority.pem()))
}
