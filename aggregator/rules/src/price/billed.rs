//! What the dollars of a decision are made of.

use rightsizer_records::{Arch, Megabytes, Usd};

use super::{Rates, Usage};

/// What the dollars of a decision are made of: other prices give other dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Billed {
    /// What was billed at the present size.
    pub usage: Usage,
    /// Billed milliseconds expected at the recommended size, for the same requests.
    pub ms_after: u64,
    /// The size when it was decided.
    pub from_mb: Megabytes,
    /// The recommended size; `None` if nothing should change.
    pub to_mb: Option<Megabytes>,
    /// The architecture when it was decided, if it was known.
    pub arch: Option<Arch>,
}

impl Billed {
    /// The usage of a function at `from_mb`, whose durations change by `factor` (P6) at `to_mb`.
    pub(crate) fn new(
        usage: Usage,
        arch: Option<Arch>,
        from_mb: Megabytes,
        (to_mb, factor): (Option<Megabytes>, f64),
    ) -> Self {
        let after = to_mb.map_or(usage, |_| usage.at(factor));
        Self {
            usage,
            ms_after: after.billed_ms,
            from_mb,
            to_mb,
            arch,
        }
    }

    /// What a month costs before and after the change.
    pub fn monthly(&self, rates: &Rates) -> (Usd, Usd) {
        let before = rates.monthly(self.usage, self.from_mb, self.arch);
        let after = Usage {
            billed_ms: self.ms_after,
            ..self.usage
        };
        let after = self
            .to_mb
            .map_or(before, |to| rates.monthly(after, to, self.arch));
        (before, after)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PriceTable;
    use super::*;

    const USAGE: Usage = Usage {
        billed_ms: 140_000_000,
        invocations: 1_400_000,
        days: 14,
    };

    /// 140,000 s at 1024 MB are 140,000 GB-s; twice as long at 256 MB they are 70,000. With requests for nothing a
    /// month costs 140,000 × 0.00001 × 30/14 = 3, and half of it.
    #[test]
    fn other_prices_give_other_dollars_for_the_same_use() {
        let to = (Some(Megabytes(256)), 2.0);
        let billed = Billed::new(USAGE, None, Megabytes(1024), to);
        let own: PriceTable =
            toml::from_str("x86_gb_second = 0.00001\nmillion_requests = 0").unwrap();
        let (before, after) = billed.monthly(&own.rates(None));
        assert_eq!(before, Usd::from_f64(3.0));
        assert_eq!(after, Usd::from_f64(1.5));
        let stays = Billed::new(USAGE, None, Megabytes(1024), (None, 2.0));
        assert_eq!(stays.monthly(&own.rates(None)), (before, before));
    }
}
