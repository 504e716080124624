//! The page's own rules about requests.

use axum::http::HeaderValue;

use super::*;

fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host).unwrap());
    if let Some(origin) = origin {
        headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    headers
}

#[test]
fn only_the_own_origin_may_change_anything() {
    let hosts = Hosts::new(
        "127.0.0.1:8750".parse().unwrap(),
        vec!["sizes.example".to_owned()],
    );
    let own = |host: &str, origin| is_own_origin(&headers(host, origin), host, &hosts);
    assert!(own("localhost:8750", Some("http://localhost:8750")));
    assert!(own("localhost:8750", None), "not a browser");
    assert!(
        own("localhost:8750", Some("https://sizes.example")),
        "a proxy passes its own name on"
    );
    for foreign in [
        "http://localhost:3000",
        "http://evil.example",
        "null",
        "file://",
        "http://127.0.0.1:8750",
    ] {
        assert!(!own("localhost:8750", Some(foreign)), "{foreign}");
    }
}

#[test]
fn a_request_has_one_host() {
    let mut two = headers("localhost", None);
    two.append(HOST, HeaderValue::from_static("evil.example"));
    assert_eq!(host(&two), None);
    assert_eq!(host(&headers("localhost:1", None)), Some("localhost:1"));
}
