//! Answers of the page: headers, compression, files.

use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rightsizer_page::{SCRIPT, STYLE};

use super::super::gzip;

/// Nothing inline, nothing from elsewhere, no frame, forms only to this server.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The level of compression: pages are small.
const LEVEL: u32 = 5;

/// Sets the headers that protect a page, and `no-store` unless the page has a rule for caches.
pub(super) fn protect(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer` browsers would send the origin `null` with forms.
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// A page, compressed if the browser can read that.
pub(super) fn page(status: StatusCode, request: &HeaderMap, page: String) -> Response {
    compressed(
        status,
        request,
        "text/html; charset=utf-8",
        page.into_bytes(),
    )
}

fn compressed(
    status: StatusCode,
    request: &HeaderMap,
    kind: &'static str,
    body: Vec<u8>,
) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if !gzip::is_read_by(request) || !gzip::gains(&body) {
        return (status, headers, body).into_response();
    }
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    (status, headers, gzip::packed(&body, LEVEL)).into_response()
}

/// Style and script, under names that change with them.
pub(super) async fn asset(Path(file): Path<String>, request: HeaderMap) -> Response {
    let wanted = format!("/ui/{file}");
    let known = [&*STYLE, &*SCRIPT]
        .into_iter()
        .find(|asset| asset.path == wanted);
    let Some(asset) = known else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = compressed(StatusCode::OK, &request, asset.kind, asset.text.into());
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}
