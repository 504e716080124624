//! JSON answers. A long one has a tag of its content, is compressed if the client reads that, and is not sent again
//! to a client that has it.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, VARY,
};
use axum::http::{Response as Answer, StatusCode};
use axum::response::{IntoResponse, Response};
use rightsizer_records::shown::json;
use serde::Serialize;
use tracing::error;

use super::gzip;

/// The level of compression: keys repeat, so that the quickest makes a tenth of a list.
const LEVEL: u32 = 1;
/// The end of the tag of a compressed answer: the bytes are others than those of the same content as it is.
const PACKED: &str = "-gzip";

/// A value as text that may be printed on a terminal as it comes: no hidden character is in it as it is.
fn document(value: &impl Serialize) -> serde_json::Result<String> {
    let document = serde_json::to_string(value)?;
    Ok(match json(&document) {
        Cow::Borrowed(_) => document,
        Cow::Owned(shown) => shown,
    })
}

/// A short JSON answer.
pub(super) fn json_answer(status: StatusCode, value: &impl Serialize) -> Response {
    match document(value) {
        Ok(document) => {
            let kind = [(CONTENT_TYPE, "application/json")];
            (status, kind, document).into_response()
        }
        Err(error) => {
            error!("a response cannot be written as JSON: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What a client reads, and which contents it has.
#[derive(Debug)]
pub(super) struct Wanted {
    packed: bool,
    known: Vec<String>,
}

impl Wanted {
    pub(super) fn of(request: &HeaderMap) -> Self {
        let values = request.get_all(IF_NONE_MATCH).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        Self {
            packed: gzip::is_read_by(request),
            known: texts
                .flat_map(|text| text.split(','))
                .map(|tag| content_of(tag).to_owned())
                .collect(),
        }
    }

    /// A long JSON answer. It is written, hashed and compressed here, which takes a second for a large fleet: not for a
    /// thread that serves others.
    pub(super) fn answer(&self, value: &impl Serialize) -> serde_json::Result<Response> {
        let document = document(value)?;
        let content = blake3::hash(document.as_bytes()).to_hex();
        let known = self
            .known
            .iter()
            .any(|known| *known == *content || known == "*");
        let packed = self.packed && gzip::gains(document.as_bytes());
        let end = if packed { PACKED } else { "" };
        let mut answer = Answer::new(Body::empty());
        let headers = answer.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{content}{end}\"")) {
            headers.insert(ETAG, tag);
        }
        if known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(answer);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *answer.body_mut() = if packed {
            let encoding = HeaderValue::from_static("gzip");
            answer.headers_mut().insert(CONTENT_ENCODING, encoding);
            gzip::packed(document.as_bytes(), LEVEL).into()
        } else {
            document.into()
        };
        Ok(answer)
    }
}

/// The content's part of a tag: the answer need not be sent again because it would be compressed now. Caches on the way
/// may have marked the tag as weak.
fn content_of(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    tag.strip_suffix(PACKED).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::http::header::ACCEPT_ENCODING;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt as _;

    use super::*;

    async fn asked(headers: &[(axum::http::HeaderName, &str)]) -> (Response<()>, Vec<u8>) {
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.append(name, HeaderValue::from_str(value).unwrap());
        }
        let rows = vec!["a function with \u{202e}"; 200];
        let answer = Wanted::of(&request).answer(&rows).unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        (Response::from_parts(head, ()), body)
    }

    fn tag(answer: &Response<()>) -> String {
        answer.headers()[ETAG].to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_list_is_compressed_for_who_reads_that_and_has_the_same_content() {
        let (plain, text) = asked(&[]).await;
        let (packed, bytes) = asked(&[(ACCEPT_ENCODING, "gzip")]).await;
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        assert!(bytes.len() * 10 < text.len(), "{}", bytes.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(bytes.as_slice())
            .read_to_end(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, text);
        assert!(!String::from_utf8(text).unwrap().contains('\u{202e}'));
        for answer in [&plain, &packed] {
            assert_eq!(answer.headers()[VARY], "accept-encoding");
        }
        assert_ne!(tag(&plain), tag(&packed), "the bytes are others");
    }

    #[tokio::test]
    async fn what_a_client_has_is_not_sent_again_in_either_form() {
        let (plain, packed) = (
            tag(&asked(&[]).await.0),
            tag(&asked(&[(ACCEPT_ENCODING, "gzip")]).await.0),
        );
        let weak = format!("\"other\", W/{packed}");
        for known in [plain.as_str(), &packed, &weak, "*"] {
            for accepted in ["gzip", "identity"] {
                let headers = [(IF_NONE_MATCH, known), (ACCEPT_ENCODING, accepted)];
                let (answer, body) = asked(&headers).await;
                assert_eq!(
                    (answer.status(), body.len()),
                    (StatusCode::NOT_MODIFIED, 0),
                    "{known}"
                );
                let wanted = if accepted == "gzip" { &packed } else { &plain };
                assert_eq!(tag(&answer), *wanted);
            }
        }
        let (answer, _) = asked(&[(IF_NONE_MATCH, "\"other\"")]).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}
