//! Checks the `Host` of a request against DNS rebinding. On loopback the port needs no token, so a web page in a
//! browser on this machine could put records if its host name resolves to 127.0.0.1. The browser sends that name as
//! `Host`, so requests for unknown names are refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Port;
use super::seats::Seat;

/// Names under which a port on loopback may be asked.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    address: SocketAddr,
    named: Vec<String>,
}

impl Hosts {
    /// Those of a port at `address`, and `named` beside them.
    pub(crate) const fn new(address: SocketAddr, named: Vec<String>) -> Self {
        Self { address, named }
    }

    /// Whether `host`, with or without a port, is the name of a proxy before this port.
    pub(super) fn is_named(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let mut named = self.named.iter();
        named.any(|named| named.eq_ignore_ascii_case(name))
    }

    /// Whether requests for `host`, a name or an address with or without a port, are answered.
    pub(super) fn allows(&self, host: &str) -> bool {
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map(|(address, _)| address);
        let name = bracketed.unwrap_or_else(|| {
            if host.parse::<IpAddr>().is_ok() {
                return host;
            }
            let (name, port) = host.rsplit_once(':').unwrap_or((host, "0"));
            if port.bytes().all(|b| b.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Ok(address) = name.parse::<IpAddr>() {
            return address.to_canonical().is_loopback() || address == self.address.ip();
        }
        name == "localhost"
            || name.ends_with(".localhost")
            || self
                .named
                .iter()
                .any(|named| named.eq_ignore_ascii_case(&name))
    }
}

/// Refuses what was meant for another name, unless its path has a token: that, a page cannot know.
pub(super) async fn only_ours(State(port): State<Port>, request: Request, next: Next) -> Response {
    let hosts = &port.options.hosts;
    let first = request
        .uri()
        .path()
        .trim_start_matches('/')
        .split('/')
        .next();
    let guarded = hosts.address.ip().is_loopback() && port.options.token.is_none();
    let reviewer = first.is_some_and(|token| port.may_review(token));
    if reviewer && let Some(seat) = request.extensions().get::<Arc<Seat>>() {
        seat.is_served();
    }
    if !guarded || reviewer {
        return next.run(request).await;
    }
    let named = request.headers().get_all(HOST).iter();
    let strange = named
        .map(|host| host.to_str().unwrap_or("?"))
        .find(|host| !hosts.allows(host));
    let strange = strange.or_else(|| {
        let authority = request
            .uri()
            .authority()
            .map(axum::http::uri::Authority::as_str);
        authority.filter(|authority| !hosts.allows(authority))
    });
    if strange.is_none() {
        return next.run(request).await;
    }
    let why = "this port answers requests for localhost only; `--allow-host NAME` adds the name of a \
               proxy before it\n";
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_the_own_address_and_what_was_named_are_allowed() {
        let hosts = Hosts::new(
            "127.0.0.1:8750".parse().unwrap(),
            vec!["Sizes.example".into()],
        );
        for host in [
            "localhost",
            "localhost:8750",
            "LOCALHOST.",
            "a.localhost:1",
            "127.0.0.1:8750",
            "127.9.9.9",
            "[::1]:8750",
            "::1",
            "[::ffff:127.0.0.1]:80",
            "sizes.example:443",
        ] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8750",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example:8750",
            "127.0.0.1@evil.example",
            "10.0.0.1",
            "[2001:db8::1]:8750",
            "sizes.example.evil",
        ] {
            assert!(!hosts.allows(host), "{host}");
        }
        let bound = Hosts::new("[::1]:1".parse().unwrap(), vec![]);
        assert!(bound.allows("[::1]:1") && !bound.allows("sizes.example"));
    }
}
