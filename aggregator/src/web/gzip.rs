//! Compresses answers for clients that read gzip.

use std::io::Write as _;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Smaller answers are sent as they are.
const LEAST: usize = 1024;

/// Returns whether the client reads gzip: it names it, and not with the weight 0.
pub(super) fn is_read_by(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").map(str::parse::<f32>);
            weight == Some(Ok(0.0))
        });
        named && !refused
    })
}

/// Returns whether a body is large enough to gain by compression.
pub(super) const fn gains(body: &[u8]) -> bool {
    body.len() >= LEAST
}

/// Returns the body in gzip.
#[expect(
    clippy::expect_used,
    reason = "a vector takes everything that is written to it"
)]
pub(super) fn packed(body: &[u8], level: u32) -> Vec<u8> {
    let packed = Vec::with_capacity(body.len() / 8);
    let mut encoder = GzEncoder::new(packed, Compression::new(level));
    encoder.write_all(body).expect("it is written to memory");
    encoder.finish().expect("it is written to memory")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_client_that_names_gzip_gets_it() {
        let reads = |accepted: &str| {
            let mut request = HeaderMap::new();
            let value = HeaderValue::from_str(accepted).unwrap();
            request.insert(ACCEPT_ENCODING, value);
            is_read_by(&request)
        };
        assert!(!is_read_by(&HeaderMap::new()));
        for accepted in ["gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1"] {
            assert!(reads(accepted), "{accepted}");
        }
        for refused in ["", "identity", "gzip;q=0", "br, gzip; q=0.000", "gzipped"] {
            assert!(!reads(refused), "{refused}");
        }
    }
}
