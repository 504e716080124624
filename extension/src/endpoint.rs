//! The address of an HTTP request. Pure.

use hyper::Uri;

/// A host to connect to, and the path that requests to it begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Begins with a slash.
    pub path: String,
    authority: String,
}

impl Endpoint {
    /// From `http://` or `https://`; `None` for anything else. What follows a `?` is not kept.
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let usual = if tls { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let host = uri.host().filter(|host| !host.is_empty())?;
        let authority = uri.authority()?.as_str();
        // A port beyond 65535 must not silently become the usual one.
        let names_port = authority.rsplit('@').next()? != host;
        if names_port && uri.port_u16().is_none() {
            return None;
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            tls,
            host: bare.to_owned(),
            port,
            path: uri.path().to_owned(),
            authority: if port == usual {
                host.to_owned()
            } else {
                format!("{host}:{port}")
            },
        })
    }

    /// The `Host` header: the port only where it is not the usual one.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The whole URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8750/t0ken").unwrap();
        assert_eq!((endpoint.tls, endpoint.port), (false, 8750));
        assert_eq!(endpoint.host, "127.0.0.1");
        assert_eq!(endpoint.authority(), "127.0.0.1:8750");
        assert_eq!(endpoint.path, "/t0ken");
        assert_eq!(endpoint.url(), "http://127.0.0.1:8750/t0ken");
        let usual = Endpoint::parse("https://example.com:443").unwrap();
        assert_eq!(usual.url(), "https://example.com/");
        let six = Endpoint::parse("https://[::1]:9/").unwrap();
        assert_eq!((six.host.as_str(), six.authority()), ("::1", "[::1]:9"));
        for bad in [
            "",
            "example.com",
            "ftp://x/",
            "https://",
            "http://a b/",
            "http://a:99999/",
            "http://a:/",
        ] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }
}
