//! Sizes at which a function is faster for the same money, or for little more.

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

use super::drawn::Point;
use super::likelihood::{LEAST_SHARE, TICK_MS};
use super::used::SizeUse;
use super::workload::cores;

/// A size at which a function is faster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The size.
    pub memory_mb: Megabytes,
    /// Duration now ÷ duration there, expected.
    pub faster: f64,
    /// The same if the duration there is at the worse end of its interval.
    pub faster_at_least: f64,
    /// Dollars a month that it costs more; negative if it costs less.
    pub usd_more: f64,
}

/// What a function could have.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Offers {
    /// Speed for the same money or less.
    pub free: Option<Offer>,
    /// More speed for at most a tenth more money.
    pub cheap: Option<Offer>,
}

/// A size is only worth a change if the function is faster by this factor.
const WORTH_IT: f64 = 1.2;
/// Costs that differ by less are the same money.
const SAME: f64 = 1.005;
/// At most this factor of the money is little more.
const LITTLE_MORE: f64 = 1.10;
/// Of sizes whose durations differ by less, the smallest is offered.
const ALIKE: f64 = 1.03;

/// A function that uses less of its CPU is not offered anything. If it waits and computes in turn and uses the share ρ, it
/// takes `1 − ρ + ρ ÷ x` of its time at `x` times the size: [`WORTH_IT`] for [`LITTLE_MORE`] needs ρ ≥ 0.69. Overlap and
/// bursts need more. What the model still allows below that is measured: no offer of 4,000 was below 0.54.
const USES_LITTLE: f64 = 0.45;
/// Relative error, caused by the ticks in which CPU time is measured, above which it may hide that.
const TOO_COARSE: f64 = 0.2;

/// Returns whether a function at `now` may have an offer at all. Most have none, and a fleet's curves take long to
/// compute.
pub(crate) fn may_be_faster(now: Megabytes, sizes: &[SizeUse]) -> bool {
    let points = || sizes.iter().filter_map(SizeUse::point);
    if points().any(|point| point.memory_mb > now) {
        return true;
    }
    let Some(here) = points().find(|point| point.memory_mb == now) else {
        return true;
    };
    let Some(cpu_ms) = here.cpu_ms else {
        // CPU time at another size predicts larger ones too.
        return points().any(|point| point.cpu_ms.is_some());
    };
    let used = cpu_ms / here.p50_ms + LEAST_SHARE;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let samples = here.invocations.max(1) as f64;
    let error = TICK_MS / (here.p50_ms * used) / samples.sqrt();
    error > TOO_COARSE || used >= USES_LITTLE * cores(now).min(1.0)
}

/// Returns the offers among `points` for a function at `now`. A size counts only if the function itself was
/// measured, and if it is faster even at the worse end of its interval.
pub(super) fn offers(points: &[Point], now: &Point, safe_mb: Megabytes) -> Offers {
    let (Some(ms), Some(usd)) = (now.p50_ms, now.monthly_usd) else {
        return Offers::default();
    };
    let within = |most: f64| {
        let offered = points.iter().filter_map(|point| {
            let offer = Offer {
                memory_mb: point.memory_mb,
                faster: ms / point.p50_ms?,
                faster_at_least: ms / point.p50_high?,
                usd_more: point.monthly_usd? - usd,
            };
            let safe = point.memory_mb >= safe_mb && point.basis.is_own();
            let sure = offer.faster >= WORTH_IT && offer.faster_at_least > 1.0;
            (safe && sure && point.monthly_usd? <= usd * most).then_some(offer)
        });
        let offered: Vec<Offer> = offered.collect();
        let fastest = offered.iter().map(|offer| offer.faster).fold(0.0, f64::max);
        offered
            .into_iter()
            .find(|offer| offer.faster * ALIKE >= fastest)
    };
    let free = within(SAME);
    let before = free.map_or(1.0, |free| free.faster);
    Offers {
        free,
        cheap: within(LITTLE_MORE).filter(|cheap| cheap.faster >= before * WORTH_IT),
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Subject, draw};
    use super::super::prior::Prior;
    use super::super::used::tests::at;
    use super::*;
    use crate::price::PriceTable;

    fn with_cpu(memory_mb: u32, p50_ms: f64, cores_used: Option<f64>) -> SizeUse {
        SizeUse {
            cores_used,
            ..at(memory_mb, p50_ms)
        }
    }

    /// 1024 MB provide 0.579 cores. 0.2 of them and the 0.02 that no measurement excludes are 38 %, 0.25 are 47 %.
    #[test]
    fn a_function_that_mostly_waits_needs_no_curve() {
        let now = Megabytes(1024);
        let here = |cores| with_cpu(1024, 300.0, cores);
        let may = |sizes: &[SizeUse]| may_be_faster(now, sizes);
        assert!(!may(&[here(Some(0.2))]) && may(&[here(Some(0.25))]));
        // Nothing is known of its CPU time, and a smaller size promises nothing for larger ones.
        assert!(!may(&[here(None)]) && !may(&[with_cpu(512, 400.0, None), here(None)]));
        assert!(may(&[with_cpu(512, 400.0, Some(0.2)), here(None)]));
        // A larger size was measured.
        assert!(may(&[here(Some(0.2)), with_cpu(2048, 100.0, None)]));
    }

    /// A function that is left out would not have had an offer, and those that have one are not left out.
    #[test]
    fn what_is_left_out_has_no_offer() {
        let mut with_offers = 0;
        for now in [192, 320, 700, 1200, 2400] {
            for p50_ms in [5.0, 20.0, 150.0, 4000.0] {
                for share in (1..=19).step_by(2) {
                    let cores_used = f64::from(share) * 0.05 * cores(Megabytes(now));
                    let here = with_cpu(now, p50_ms, Some(cores_used));
                    // A smaller size took as much longer as its CPU is less, or hardly longer.
                    let smaller = |factor| with_cpu(now * 2 / 3, p50_ms * factor, None);
                    for sizes in [
                        vec![here.clone()],
                        vec![smaller(1.5), here.clone()],
                        vec![smaller(1.1), here],
                    ] {
                        let has_offers = offered(Megabytes(now), &sizes) != Offers::default();
                        with_offers += u32::from(has_offers);
                        let may = may_be_faster(Megabytes(now), &sizes);
                        assert!(may || !has_offers, "{sizes:?}");
                    }
                }
            }
        }
        assert!(with_offers > 25, "{with_offers}");
    }

    fn offered(now_mb: Megabytes, sizes: &[SizeUse]) -> Offers {
        let subject = Subject {
            version: &sizes[0].version,
            now_mb,
            before_mb: None,
            safe_mb: Megabytes(128),
            max_mb: Megabytes(10_240),
            sizes,
            elsewhere: &[],
            monthly_usd: Some(10.0),
            rates: PriceTable::default().rates(None),
            arch: None,
            weight: 0.5,
            speed_budget: 1.0,
        };
        draw("f", &subject, Prior::shipped()).unwrap().offers
    }
}
