//! What TLS needs: the trusted roots, read at the first flush, never in init, and once.
//!
//! A system's list holds some 150 of them in 220 KB. They are read one by one: the whole list is
//! never in memory, and of each root only its name and key are kept.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The paths on Lambda's systems, and some others.
const SYSTEM: [&str; 3] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
];
/// There is one host to resume with, or two.
const SESSIONS: usize = 2;

/// A client that trusts the roots of `bundle`, or else of this system.
pub fn client(bundle: Option<&str>) -> anyhow::Result<Arc<ClientConfig>> {
    let found = || {
        SYSTEM
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
    };
    let path = bundle.or_else(found).context(
        "this system has no list of trusted certificates: set AWS_CA_BUNDLE to a PEM file",
    )?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(path)?)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

fn roots(path: &str) -> anyhow::Result<RootCertStore> {
    let unreadable = || format!("the trusted certificates in {path} cannot be read");
    let path = plain_file(path).with_context(unreadable)?;
    let pem = CertificateDer::pem_file_iter(path).with_context(unreadable)?;
    let mut roots = RootCertStore::empty();
    for certificate in pem.flatten() {
        // One that cannot be used may stand among many that can.
        let _ = roots.add(certificate);
    }
    ensure!(
        !roots.is_empty(),
        "{path} holds no trusted certificate: it must be a PEM file (AWS_CA_BUNDLE, SSL_CERT_FILE)"
    );
    Ok(roots)
}

/// The same path, if it is a file. Reading a pipe or a device might never end.
pub fn plain_file(path: &str) -> std::io::Result<&str> {
    if std::fs::metadata(path)?.is_file() {
        return Ok(path);
    }
    Err(std::io::Error::other("it is not a file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_missing_or_empty_is_named() {
        let missing = client(Some("/nonexistent/roots.pem")).unwrap_err();
        assert!(format!("{missing:#}").contains("/nonexistent/roots.pem"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let empty = client(file.path().to_str()).unwrap_err();
        assert!(format!("{empty:#}").contains("AWS_CA_BUNDLE"));
        let endless = client(Some("/dev/zero")).unwrap_err();
        assert!(format!("{endless:#}").contains("not a file"));
    }
}
