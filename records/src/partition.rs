//! AWS's partitions: which regions belong to which, and under which domain their services are found.
//! Source: `partitions.json` of AWS's SDKs (botocore).

/// A partition of AWS: regions that share accounts and a DNS suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its name in ARNs, such as `aws-cn`.
    pub name: &'static str,
    /// The domain of its services' hosts, such as `amazonaws.com.cn`.
    pub dns_suffix: &'static str,
}

/// Partitions by the prefix of their regions' names. Regions with none of them are in `aws`.
const BY_PREFIX: [(&str, Partition); 7] = [
    ("cn-", of("aws-cn", "amazonaws.com.cn")),
    ("us-gov-", of("aws-us-gov", "amazonaws.com")),
    ("us-iso-", of("aws-iso", "c2s.ic.gov")),
    ("us-isob-", of("aws-iso-b", "sc2s.sgov.gov")),
    ("eu-isoe-", of("aws-iso-e", "cloud.adc-e.uk")),
    ("us-isof-", of("aws-iso-f", "csp.hci.ic.gov")),
    ("eusc-", of("aws-eusc", "amazonaws.eu")),
];

const COMMERCIAL: Partition = of("aws", "amazonaws.com");

const fn of(name: &'static str, dns_suffix: &'static str) -> Partition {
    Partition { name, dns_suffix }
}

impl Partition {
    /// The partition that a region belongs to.
    pub fn of_region(region: &str) -> Self {
        BY_PREFIX
            .into_iter()
            .find(|(prefix, _)| region.starts_with(prefix))
            .map_or(COMMERCIAL, |(_, partition)| partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_in_the_partition_of_its_prefix() {
        for (region, name, dns_suffix) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("us-east-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
            ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ] {
            let partition = Partition::of_region(region);
            assert_eq!((partition.name, partition.dns_suffix), (name, dns_suffix));
        }
    }
}
