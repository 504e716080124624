//! Where an HTTP request goes. Pure.

use hyper::Uri;

use crate::config::Target;

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

    /// AWS's own for this stream, by the rules of its SDKs: an ARN names the account, and outside
    /// of the isolated partitions every account has its own host.
    pub fn of_stream(target: &Target) -> Option<Self> {
        let region = &target.region;
        let (suffix, isolated) = match region {
            r if r.starts_with("cn-") => ("amazonaws.com.cn", false),
            r if r.starts_with("eusc-") => ("amazonaws.eu", false),
            r if r.starts_with("us-isob-") => ("sc2s.sgov.gov", true),
            r if r.starts_with("us-iso-") => ("c2s.ic.gov", true),
            _ => ("amazonaws.com", false),
        };
        let account = target.stream.strip_prefix("arn:");
        let account = account.and_then(|arn| arn.split(':').nth(3));
        let host = match account.filter(|account| !isolated && !account.is_empty()) {
            Some(account) => format!("{account}.data-kinesis"),
            None => "kinesis".to_owned(),
        };
        Self::parse(&format!("https://{host}.{region}.{suffix}/"))
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
    use crate::credentials::Source;

    fn of(stream: &str, region: &str) -> String {
        let target = Target {
            stream: stream.to_owned(),
            region: region.to_owned(),
            endpoint: None,
            ca_bundle: None,
            credentials: Source::Missing,
        };
        Endpoint::of_stream(&target).unwrap().url()
    }

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

    #[test]
    fn the_hosts_are_those_of_the_sdks() {
        assert_eq!(
            of("reports", "eu-central-1"),
            "https://kinesis.eu-central-1.amazonaws.com/"
        );
        assert_eq!(
            of("reports", "cn-north-1"),
            "https://kinesis.cn-north-1.amazonaws.com.cn/"
        );
        let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/reports";
        assert_eq!(
            of(arn, "us-east-1"),
            "https://123456789012.data-kinesis.us-east-1.amazonaws.com/"
        );
        let isolated = "arn:aws-iso:kinesis:us-iso-east-1:123456789012:stream/reports";
        assert_eq!(
            of(isolated, "us-iso-east-1"),
            "https://kinesis.us-iso-east-1.c2s.ic.gov/"
        );
    }
}
