//! What Lambda compute costs: GB-seconds and requests, per architecture.
//!
//! Source: AWS Lambda pricing, first tier, most regions (x86 $0.0000166667 and arm64 $0.0000133334 a
//! GB-second, $0.20 a million requests). Overridable under `[price]` in `rightsizer.toml`.

use rightsizer_records::{Arch, Megabytes, Usd};
use serde::Deserialize;

/// Days of the month that costs are projected to.
const MONTH_DAYS: f64 = 30.0;

/// `[price]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceTable {
    /// Dollars a GB-second on x86.
    pub x86_gb_second: f64,
    /// Dollars a GB-second on arm64.
    pub arm64_gb_second: f64,
    /// Dollars a million requests.
    pub million_requests: f64,
}

impl Default for PriceTable {
    fn default() -> Self {
        Self {
            x86_gb_second: 0.000_016_666_7,
            arm64_gb_second: 0.000_013_333_4,
            million_requests: 0.20,
        }
    }
}

/// What a function was billed for over some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Billed milliseconds.
    pub billed_ms: u64,
    /// Requests.
    pub invocations: u64,
    /// Calendar days they spread over.
    pub days: u32,
}

impl PriceTable {
    /// Projected cost of a month of such usage at `size`, the billed time being the same at every
    /// size (the CPU rule, P6, will refine that). An unknown architecture is priced as x86, the
    /// dearer one.
    pub fn monthly(&self, usage: Usage, size: Megabytes, arch: Option<Arch>) -> Usd {
        if usage.days == 0 {
            return Usd::default();
        }
        let gb_second = match arch {
            Some(Arch::Arm64) => self.arm64_gb_second,
            _ => self.x86_gb_second,
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate in dollars")]
        let (billed_ms, requests) = (usage.billed_ms as f64, usage.invocations as f64);
        let gb_seconds = billed_ms / 1000.0 * f64::from(size.0) / 1024.0;
        let spent = gb_seconds * gb_second + requests / 1e6 * self.million_requests;
        Usd::from_f64(spent * MONTH_DAYS / f64::from(usage.days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 14 days, 1,400,000 requests of 100 ms = 140,000 s; at 1024 MB 140,000 GB-s.
    /// x86: 140,000 × 0.0000166667 = 2.333338, + 1.4 × 0.20 = 2.613338; × 30/14 = 5.60001.
    /// arm64: 140,000 × 0.0000133334 = 1.866676, + 0.28 = 2.146676; × 30/14 = 4.60002.
    #[test]
    fn a_month_by_hand() {
        let usage = Usage {
            billed_ms: 140_000_000,
            invocations: 1_400_000,
            days: 14,
        };
        let table = PriceTable::default();
        assert_eq!(
            table.monthly(usage, Megabytes(1024), None),
            Usd::from_f64(5.60001)
        );
        let arm = table.monthly(usage, Megabytes(1024), Some(Arch::Arm64));
        assert_eq!(arm, Usd::from_f64(4.60002));
        assert_eq!(
            table.monthly(Usage::default(), Megabytes(1024), None),
            Usd::default()
        );
    }
}
