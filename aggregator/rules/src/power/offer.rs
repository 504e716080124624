//! Sizes at which a function is faster for the same money, or for little more.

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

use super::drawn::Point;

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
