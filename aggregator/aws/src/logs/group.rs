//! A log group, and how much of it some days are.

use rightsizer_records::{FunctionArn, Timestamp};

/// A log group as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Its ARN, without `:*`.
    pub arn: String,
    /// Bytes that it holds.
    pub stored_bytes: u64,
    /// When it was created, if known.
    pub created: Option<Timestamp>,
    /// The number of days after which events are deleted; `None`: never.
    pub retention_days: Option<u32>,
    /// Whether only its destination can read its class.
    pub delivery_only: bool,
}

impl LogGroup {
    /// About how many bytes `days` days of it are: what it holds, spread over its life or its retention.
    pub(crate) fn bytes_of(&self, days: u32, now: Timestamp) -> u64 {
        let age = self.created.map(|created| {
            let ms = now.as_ms().saturating_sub(created.as_ms()).max(0);
            u64::try_from(ms / 86_400_000).unwrap_or(0) + 1
        });
        let retention = self.retention_days.map(u64::from);
        let held = age.into_iter().chain(retention).min().unwrap_or(1).max(1);
        let share = u128::from(self.stored_bytes) * u128::from(days) / u128::from(held);
        u64::try_from(share)
            .unwrap_or(u64::MAX)
            .min(self.stored_bytes)
    }

    /// Account and region, as its ARN has them.
    pub fn place(&self) -> Option<(&str, &str)> {
        let mut parts = self.arn.split(':').skip(3);
        let region = parts.next()?;
        let account = parts.next()?;
        // Text that cannot be in a function's ARN is not an account or a region.
        FunctionArn::new("aws", region, account, "f").ok()?;
        Some((account, region))
    }
}

/// Whether functions log to a group of this name by default. Copies of edge functions
/// (`/aws/lambda/us-east-1.NAME`) do so too, but they cannot be changed in their region.
pub fn is_of_functions(name: &str) -> bool {
    name.strip_prefix("/aws/lambda/")
        .is_some_and(|name| !name.is_empty() && !name.contains(['/', '.']))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::logs) fn group(name: &str, stored_bytes: u64) -> LogGroup {
        LogGroup {
            name: name.to_owned(),
            arn: format!("arn:aws:logs:eu-central-1:123456789012:log-group:{name}"),
            stored_bytes,
            created: None,
            retention_days: Some(14),
            delivery_only: false,
        }
    }

    /// 140 bytes over 14 days of retention: 10 a day; 5 days old: 28 a day.
    #[test]
    fn what_it_holds_is_spread_over_the_days_it_can_hold() {
        let now = Timestamp::parse("2026-02-01T12:00:00Z").unwrap();
        let mut group = group("/aws/lambda/f", 140);
        assert_eq!(group.bytes_of(7, now), 70);
        assert_eq!(group.bytes_of(60, now), 140);
        group.created = Some(now.plus_ms(-4 * 86_400_000));
        assert_eq!(group.bytes_of(2, now), 56);
        (group.created, group.retention_days) = (None, None);
        assert_eq!(group.bytes_of(1, now), 140, "its age is unknown");
        assert_eq!(group.place(), Some(("123456789012", "eu-central-1")));
    }

    #[test]
    fn a_functions_group_is_known_by_its_name() {
        assert!(is_of_functions("/aws/lambda/checkout"));
        for name in [
            "/aws/lambda/",
            "/aws/lambda/us-east-1.edge",
            "/aws/apigateway/x",
            "x",
        ] {
            assert!(!is_of_functions(name), "{name}");
        }
    }
}
