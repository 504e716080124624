//! What Lambda compute costs: GB-seconds and requests, per architecture and region.
//!
//! The table is one file, `prices.toml` beside this one, built in. `[price]` in `rightsizer.toml` has
//! the same form and goes before it: a price given there without a region is that of every region it
//! does not name.

mod billed;
mod table;

use rightsizer_records::{Arch, Megabytes, Usd};

pub use billed::Billed;
pub use table::{PriceError, PriceTable, Rates};

/// Days of the month that costs are projected to.
const MONTH_DAYS: f64 = 30.0;

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

impl Usage {
    /// The same requests if each takes `factor` times as long (P6: `projection.expected.mean`).
    #[must_use]
    pub(crate) fn at(self, factor: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an estimate in milliseconds")]
        let billed_ms = self.billed_ms as f64;
        self.billed(billed_ms * factor)
    }

    fn billed(self, ms: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate in milliseconds; a cast saturates"
        )]
        let billed_ms = ms.round() as u64;
        Self { billed_ms, ..self }
    }
}

impl Rates {
    /// Projected cost of a month of such usage at `size`. An unknown architecture is priced as x86,
    /// the dearer one.
    pub(crate) fn monthly(&self, usage: Usage, size: Megabytes, arch: Option<Arch>) -> Usd {
        if usage.days == 0 {
            return Usd::default();
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate in dollars")]
        let (billed_ms, requests) = (usage.billed_ms as f64, usage.invocations as f64);
        let spent = self.compute_usd(billed_ms, size, arch) + requests * self.request_usd();
        Usd::from_f64(spent * MONTH_DAYS / f64::from(usage.days))
    }

    /// Dollars for billed milliseconds at `size`, without requests. An unknown architecture is priced as x86.
    pub fn compute_usd(&self, billed_ms: f64, size: Megabytes, arch: Option<Arch>) -> f64 {
        billed_ms / 1000.0 * f64::from(size.0) / 1024.0 * self.gb_second(arch)
    }

    /// Dollars for a GB-second. An unknown architecture is priced as x86.
    pub const fn gb_second(&self, arch: Option<Arch>) -> f64 {
        match arch {
            Some(Arch::Arm64) => self.arm64_gb_second,
            _ => self.x86_gb_second,
        }
    }

    /// Dollars for one request.
    pub fn request_usd(&self) -> f64 {
        self.million_requests / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage {
        billed_ms: 140_000_000,
        invocations: 1_400_000,
        days: 14,
    };

    /// 14 days, 1,400,000 requests of 100 ms = 140,000 s; at 1024 MB 140,000 GB-s.
    /// x86: 140,000 × 0.0000166667 = 2.333338, + 1.4 × 0.20 = 2.613338; × 30/14 = 5.60001.
    /// arm64: 140,000 × 0.0000133334 = 1.866676, + 0.28 = 2.146676; × 30/14 = 4.60002.
    #[test]
    fn a_month_by_hand() {
        let rates = PriceTable::default().rates(None);
        let x86 = rates.monthly(USAGE, Megabytes(1024), None);
        assert_eq!(x86, Usd::from_f64(5.60001));
        let arm = rates.monthly(USAGE, Megabytes(1024), Some(Arch::Arm64));
        assert_eq!(arm, Usd::from_f64(4.60002));
        let nothing = rates.monthly(Usage::default(), Megabytes(1024), None);
        assert_eq!(nothing, Usd::default());
    }

    /// A quarter of the memory, twice the time: half the GB-seconds, 2.333338 ÷ 2 = 1.166669, + 0.28 =
    /// 1.446669; × 30/14 = 3.100005.
    #[test]
    fn p6_a_slower_function_is_billed_for_longer() {
        let slower = PriceTable::default()
            .rates(None)
            .monthly(USAGE.at(2.0), Megabytes(256), None);
        assert_eq!(slower, Usd::from_f64(3.100_005));
    }

    /// 140,000 × 0.0000195172 = 2.732408, + 1.4 × 0.23 = 3.054408; × 30/14 = 6.54516.
    #[test]
    fn a_region_with_higher_prices_costs_more() {
        let rates = PriceTable::default().rates(Some("eu-south-1"));
        let month = rates.monthly(USAGE, Megabytes(1024), Some(Arch::X86_64));
        assert_eq!(month, Usd::from_f64(6.54516));
    }
}
