//! The stream that records go to, and AWS's own address for it. Pure: it opens and resolves nothing.

use rightsizer_records::Partition;

use crate::credentials::Source;
use crate::endpoint::Endpoint;

/// A stream and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or ARN.
    pub stream: String,
    /// Region of the stream: that of its ARN, else the function's.
    pub region: String,
    /// Instead of AWS's own endpoint.
    pub endpoint: Option<String>,
    /// PEM file to trust instead of the system's roots (`AWS_CA_BUNDLE`, else `SSL_CERT_FILE`).
    pub ca_bundle: Option<String>,
    /// What signs.
    pub credentials: Source,
}

impl Target {
    /// Whether the stream is given by its ARN.
    pub(crate) fn is_arn(&self) -> bool {
        self.stream.starts_with("arn:")
    }

    /// AWS's own endpoint for this stream, by the rules of its SDKs: an ARN names the account, and
    /// outside of the isolated partitions every account has its own host.
    pub(crate) fn aws_endpoint(&self) -> Option<Endpoint> {
        let region = &self.region;
        let partition = Partition::of_region(region);
        let isolated = matches!(partition.name, "aws-iso" | "aws-iso-b");
        let account = self.stream.strip_prefix("arn:");
        let account = account.and_then(|arn| arn.split(':').nth(3));
        let host = match account.filter(|account| !isolated && !account.is_empty()) {
            Some(account) => format!("{account}.data-kinesis"),
            None => "kinesis".to_owned(),
        };
        Endpoint::parse(&format!(
            "https://{host}.{region}.{}/",
            partition.dns_suffix
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stream: &str, region: &str) -> String {
        let target = Target {
            stream: stream.to_owned(),
            region: region.to_owned(),
            endpoint: None,
            ca_bundle: None,
            credentials: Source::Missing,
        };
        target.aws_endpoint().unwrap().url()
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
        assert_eq!(
            of("reports", "eusc-de-east-1"),
            "https://kinesis.eusc-de-east-1.amazonaws.eu/"
        );
    }
}
