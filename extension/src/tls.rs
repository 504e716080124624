//! What TLS needs: the trusted roots, read at the first flush, never in init, and once.
//!
//! A system's list holds some 150 of them in 220 KB. They are read one by one: the whole list is
//! never in memory, and of each root only its name and key are kept.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The paths on Lambda's systems, and some others.
const SYSTEM: [&str; 3] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
];
/// Read at a time; the default takes four times as many calls.
const READ_BYTES: usize = 32_768;
/// A system's list has 0.2 MB; what follows this length is not read.
const MOST_BYTES: u64 = 8_000_000;
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
    let pem = BufReader::with_capacity(
        READ_BYTES,
        File::open(path).with_context(unreadable)?.take(MOST_BYTES),
    );
    let mut roots = RootCertStore::empty();
    each_certificate(pem, |certificate| {
        // One that cannot be used may stand among many that can.
        let _ = roots.add(certificate.into());
    })
    .with_context(unreadable)?;
    ensure!(
        !roots.is_empty(),
        "{path} holds no trusted certificate: it must be a PEM file (AWS_CA_BUNDLE, SSL_CERT_FILE)"
    );
    Ok(roots)
}

/// Decodes the certificates of a PEM file (RFC 7468), one after the other.
///
/// `rustls` has a reader of its own, which decodes in constant time, because it reads private keys
/// too. These are public, and decoding them so was half of what this process did in all its life.
fn each_certificate(mut pem: impl BufRead, mut found: impl FnMut(&[u8])) -> std::io::Result<()> {
    let (mut line, mut text, mut der) = (Vec::new(), Vec::new(), Vec::new());
    let mut within = false;
    loop {
        line.clear();
        if pem.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        match line.trim_ascii() {
            b"-----BEGIN CERTIFICATE-----" => {
                within = true;
                text.clear();
            }
            b"-----END CERTIFICATE-----" if within => {
                within = false;
                der.clear();
                if BASE64_STANDARD.decode_vec(&text, &mut der).is_ok() {
                    found(&der);
                }
            }
            part if within => text.extend_from_slice(part),
            _ => {}
        }
    }
}

/// The same path, if it is a file. Reading a pipe or a device might never end.
pub(crate) fn plain_file(path: &str) -> std::io::Result<&str> {
    if std::fs::metadata(path)?.is_file() {
        return Ok(path);
    }
    Err(std::io::Error::other("it is not a file"))
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;

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

    #[test]
    fn every_certificate_is_found_whatever_stands_around_it() {
        let pem = "a comment\r\n-----BEGIN CERTIFICATE-----\r\nAQID\r\nBAU=\r\n\
            -----END CERTIFICATE-----\r\n\n-----BEGIN PRIVATE KEY-----\nCAgI\n-----END PRIVATE KEY-----\n\
            -----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n BgcI \n-----END CERTIFICATE-----\n\
            -----BEGIN CERTIFICATE-----\nCQkJ\n";
        let mut found = Vec::new();
        each_certificate(pem.as_bytes(), |der| found.push(der.to_vec())).unwrap();
        assert_eq!(found, [vec![1, 2, 3, 4, 5], vec![6, 7, 8]]);
    }

    #[test]
    fn the_list_of_this_system_is_read_as_rustls_reads_it() {
        let path = SYSTEM
            .iter()
            .find(|path| std::path::Path::new(path).exists());
        let path = path.expect("this system trusts no certificate");
        let mut expected = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).unwrap().flatten() {
            let _ = expected.add(certificate);
        }
        assert_eq!(roots(path).unwrap().roots, expected.roots);
        assert!(expected.len() > 50);
    }
}
