//! What a run costs, before it is run.

use rightsizer_records::{Arch, Megabytes};

use super::plan::{Invocations, Plan};
use crate::price::Rates;

/// Lambda ends an init after this time, in milliseconds. It is billed beside the timeout of the invocation.
pub const LONGEST_INIT_MS: f64 = 10_000.0;
/// What an adaptive run costs on average, in invocations at the best size: `docs/POWER.md`, "Tuning by few
/// invocations".
const ADAPTIVE_COST: f64 = 26.0;

impl Plan {
    /// Returns the most that the run costs, in dollars: every invocation starts cold, has the longest init and runs
    /// into the timeout, and an adaptive run stays at the largest size. What processors and other services cost is not
    /// included.
    pub fn most_usd(&self, timeout_ms: f64, rates: &Rates, arch: Option<Arch>) -> f64 {
        let each = |size: &Megabytes| {
            let compute = rates.compute_usd(timeout_ms + LONGEST_INIT_MS, *size, arch);
            compute + rates.request_usd()
        };
        match self.invocations() {
            Invocations::Each(number) => {
                f64::from(number) * self.sizes().iter().map(each).sum::<f64>()
            }
            Invocations::Adaptive(_) => {
                #[expect(clippy::cast_precision_loss, reason = "a count of invocations")]
                let most = self.most_invocations() as f64;
                most * self.sizes().last().map_or(0.0, each)
            }
        }
    }

    /// Returns the expected cost in dollars, without starts, if `duration_ms` returns the expected duration at a size;
    /// `None` if it does not for one of them.
    pub fn expected_usd(
        &self,
        duration_ms: impl Fn(Megabytes) -> Option<f64>,
        rates: &Rates,
        arch: Option<Arch>,
    ) -> Option<f64> {
        let each = |size: &Megabytes| {
            let compute = rates.compute_usd(duration_ms(*size)?.ceil(), *size, arch);
            Some(compute + rates.request_usd())
        };
        let costs: Vec<f64> = self.sizes().iter().map(each).collect::<Option<_>>()?;
        Some(match self.invocations() {
            Invocations::Each(number) => f64::from(number) * costs.iter().sum::<f64>(),
            Invocations::Adaptive(effort) => {
                #[expect(clippy::cast_precision_loss, reason = "a count of invocations")]
                let most = effort.invocations as f64;
                most.min(ADAPTIVE_COST) * costs.into_iter().fold(f64::INFINITY, f64::min)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sampling::Effort;
    use super::super::Shares;
    use super::*;
    use crate::price::PriceTable;

    const GB_SECOND: f64 = 0.000_016_666_7;
    const REQUEST: f64 = 0.000_000_2;

    fn plan(invocations: Invocations) -> Plan {
        let sizes = [512, 1024].map(Megabytes);
        Plan::new(&sizes, invocations, Shares::single()).unwrap()
    }

    fn near(found: f64, wanted: f64) {
        assert!(
            (found / wanted - 1.0).abs() < 1e-9,
            "{found}, wanted {wanted}"
        );
    }

    /// A timeout of 20 s and an init of 10 s: 30 s at 0.5 and 1 GB are 45 GB-s, ten times, with 20 requests. An
    /// adaptive run makes at most 60 invocations at 1 GB, 1,800 GB-s.
    #[test]
    fn the_most_that_a_run_costs_by_hand() {
        let rates = PriceTable::default().rates(None);
        let each = plan(Invocations::Each(10)).most_usd(20_000.0, &rates, None);
        near(each, 450.0 * GB_SECOND + 20.0 * REQUEST);
        let adaptive = Invocations::Adaptive(Effort::default());
        let adaptive = plan(adaptive).most_usd(20_000.0, &rates, None);
        near(adaptive, 1800.0 * GB_SECOND + 60.0 * REQUEST);
    }

    /// 300 ms at 0.5 GB and 200 ms at 1 GB: 0.15 + 0.2 GB-s, ten times. An adaptive run costs 26 of the former.
    #[test]
    fn the_expected_cost_by_hand() {
        let rates = PriceTable::default().rates(None);
        let curve = |size: Megabytes| Some(if size.0 == 512 { 299.5 } else { 200.0 });
        let each = plan(Invocations::Each(10)).expected_usd(curve, &rates, None);
        near(each.unwrap(), 3.5 * GB_SECOND + 20.0 * REQUEST);
        let adaptive = plan(Invocations::Adaptive(Effort::default()));
        let adaptive = adaptive.expected_usd(curve, &rates, None).unwrap();
        near(adaptive, 26.0 * (0.15 * GB_SECOND + REQUEST));
        let unknown = plan(Invocations::Each(10)).expected_usd(|_| None, &rates, None);
        assert_eq!(unknown, None);
    }
}
