//! The power curve of a function as people and programs see it: duration and monthly cost at each size, and the
//! best size for each objective.

use rightsizer_records::{Arch, Megabytes, Usd};
use serde::{Deserialize, Serialize};

use super::curve::{Basis, Model, PowerCurve};
use super::evidence::SizePoint;
use super::hours::HoursMatched;
use super::objective::{Bounds, Candidate, Objective, choose};
use super::offer::{Offers, offers};
use super::prior::Prior;
use super::used::SizeUse;
use crate::price::Rates;

/// Sizes at which every curve is drawn, besides those of the function: each step is a factor of about 1.4.
const LADDER: [u32; 18] = [
    128, 192, 256, 384, 512, 640, 768, 1024, 1280, 1536, 1769, 2048, 2560, 3008, 3538, 5307, 7076,
    10_240,
];
/// Days of a month.
const MONTH_DAYS: f64 = 30.0;
/// Invocations that a size measured by another tool counts as, and their spread: they had one payload.
const ELSEWHERE: (u64, f64) = (10, 0.3);

/// What is known of a function besides the model.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The version with the traffic.
    pub version: &'a str,
    /// Its size.
    pub now_mb: Megabytes,
    /// The size before its first change, whose cost the budget of `speed` refers to; `None`: the present size.
    pub before_mb: Option<Megabytes>,
    /// The smallest safe size (P1 to P6).
    pub safe_mb: Megabytes,
    /// The largest size that is considered.
    pub max_mb: Megabytes,
    /// What its versions did at each size.
    pub sizes: &'a [SizeUse],
    /// Sizes at which another tool ran it, with its mean durations.
    pub elsewhere: &'a [(Megabytes, f64)],
    /// Projected monthly cost at its size, if known.
    pub monthly_usd: Option<f64>,
    /// Prices of its region.
    pub rates: Rates,
    /// Its architecture; if it is unknown, x86 is assumed.
    pub arch: Option<Arch>,
    /// The weight of the cost in `balanced`.
    pub weight: f64,
    /// The budget of `speed`, as a share of the cost at `before_mb`.
    pub speed_budget: f64,
}

/// The curve of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// ARN, or `local:NAME`.
    pub function: String,
    /// The version that it is about.
    pub version: String,
    /// Invocations of a month.
    pub monthly_invocations: f64,
    /// Its size.
    pub now_mb: Megabytes,
    /// The smallest safe size.
    pub safe_mb: Megabytes,
    /// Sizes, ascending.
    pub points: Vec<Point>,
    /// The best size for each objective.
    pub best: Best,
    /// Sizes that were measured in production, ascending.
    pub known_sizes: Vec<Megabytes>,
    /// The sizes of which the hours are matched, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<HoursMatched>,
    /// The parameters of the curve.
    pub model: Model,
    /// Larger sizes that are worth their cost.
    pub offers: Offers,
}

impl Drawn {
    /// Returns why no size has an estimate; `None` if one has.
    pub fn refusal(&self) -> Option<&str> {
        let estimated = self.points.iter().any(|point| point.p50_ms.is_some());
        // The largest size is not refused for its memory, so its reason is that of the function.
        let reasons = self.points.iter().rev();
        let mut reasons = reasons.filter_map(|point| point.why.as_deref());
        reasons.next().filter(|_| !estimated)
    }
}

/// Duration and cost at one size. Without an estimate the numbers are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The size.
    pub memory_mb: Megabytes,
    /// Median duration.
    pub p50_ms: Option<f64>,
    /// 95th percentile of durations.
    pub p95_ms: Option<f64>,
    /// Lower end of the 90 % interval of `p50_ms`.
    pub p50_low: Option<f64>,
    /// Upper end of it.
    pub p50_high: Option<f64>,
    /// Lower end of the 90 % interval of `p95_ms`.
    pub p95_low: Option<f64>,
    /// Upper end of it.
    pub p95_high: Option<f64>,
    /// Cost of a month, in dollars.
    pub monthly_usd: Option<f64>,
    /// Lower end of its 90 % interval.
    pub usd_low: Option<f64>,
    /// Upper end of it.
    pub usd_high: Option<f64>,
    /// What it is based on.
    pub basis: Basis,
    /// The reason for which there is no estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The best size for each objective; `None` if no safe size has an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Best {
    /// The cheapest.
    pub cost: Option<Megabytes>,
    /// The best compromise.
    pub balanced: Option<Megabytes>,
    /// The fastest within the budget.
    pub speed: Option<Megabytes>,
}

/// The reason for which a function has no curve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCurve {
    /// No size has enough successful invocations.
    #[error(
        "version {version} has no size with at least 10 invocations of which fewer than a tenth failed"
    )]
    TooLittle {
        /// The version.
        version: String,
    },
}

/// Draws the curve of `function`.
///
/// # Errors
/// If nothing was measured.
pub fn draw(function: &str, subject: &Subject<'_>, prior: &Prior) -> Result<Drawn, NoCurve> {
    let measured = Measured::of(subject).ok_or_else(|| NoCurve::TooLittle {
        version: subject.version.to_owned(),
    })?;
    let nothing = || NoCurve::TooLittle {
        version: subject.version.to_owned(),
    };
    let curve = PowerCurve::fit(&measured.points, prior).ok_or_else(nothing)?;
    let bill = Bill::of(subject, &measured, &curve);
    let points: Vec<Point> = sizes(subject, &measured)
        .map(|size| measured.point(size, &curve, &bill))
        .collect();
    let at = |size| points.iter().find(|point| point.memory_mb == size);
    let here = at(subject.now_mb);
    let offers = here.map_or_else(Offers::default, |now| offers(&points, now, subject.safe_mb));
    let before = subject
        .before_mb
        .and_then(at)
        .filter(|before| before.monthly_usd.is_some());
    let budget_usd = before.or(here).and_then(|point| point.monthly_usd);
    let budget_usd = budget_usd.unwrap_or(f64::INFINITY);
    Ok(Drawn {
        function: function.to_owned(),
        version: subject.version.to_owned(),
        monthly_invocations: bill.invocations,
        now_mb: subject.now_mb,
        safe_mb: subject.safe_mb,
        best: best(&points, subject, budget_usd * subject.speed_budget),
        known_sizes: measured.own.clone(),
        hours: measured.hours,
        model: curve.model(),
        offers,
        points,
    })
}

/// The points to fit, and figures of the size that everything else is scaled from.
struct Measured {
    points: Vec<SizePoint>,
    /// Sizes measured in production.
    own: Vec<Megabytes>,
    hours: Vec<HoursMatched>,
    anchor: SizeUse,
}

impl Measured {
    fn of(subject: &Subject<'_>) -> Option<Self> {
        let own = subject
            .sizes
            .iter()
            .filter(|size| size.version == subject.version);
        let mut own: Vec<&SizeUse> = own.filter(|size| size.point().is_some()).collect();
        own.sort_unstable_by_key(|size| size.memory_mb);
        let anchor = own
            .iter()
            .max_by_key(|size| (size.memory_mb == subject.now_mb, size.invocations))?;
        let mut points: Vec<SizePoint> = own.iter().filter_map(|size| size.point()).collect();
        let elsewhere = borrowed(&points, subject.elsewhere);
        points.extend(elsewhere);
        points.sort_unstable_by_key(|point| point.memory_mb);
        Some(Self {
            anchor: (*anchor).clone(),
            own: own.iter().map(|size| size.memory_mb).collect(),
            hours: own
                .iter()
                .filter_map(|size| HoursMatched::of(size))
                .collect(),
            points,
        })
    }

    fn point(&self, size: Megabytes, curve: &PowerCurve, bill: &Bill) -> Point {
        let estimate = match curve.at(size) {
            Ok(estimate) => estimate,
            Err(refusal) => return Point::unknown(size, refusal.to_string()),
        };
        let basis = match estimate.basis {
            Basis::Measured if !self.own.contains(&size) => Basis::Between,
            basis => basis,
        };
        let tail = self.anchor.durations.map_or(1.0, |d| d.p95_ms / d.p50_ms);
        let usd = |ms: f64| bill.monthly_usd(size, ms);
        Point {
            memory_mb: size,
            p50_ms: Some(estimate.p50_ms),
            p95_ms: Some(estimate.p50_ms * tail),
            p50_low: Some(estimate.low_ms),
            p50_high: Some(estimate.high_ms),
            p95_low: Some(estimate.low_ms * tail),
            p95_high: Some(estimate.high_ms * tail),
            monthly_usd: Some(usd(estimate.p50_ms)),
            usd_low: Some(usd(estimate.low_ms)),
            usd_high: Some(usd(estimate.high_ms)),
            basis,
            why: None,
        }
    }
}

impl Point {
    const fn unknown(memory_mb: Megabytes, why: String) -> Self {
        Self {
            memory_mb,
            p50_ms: None,
            p95_ms: None,
            p50_low: None,
            p50_high: None,
            p95_low: None,
            p95_high: None,
            monthly_usd: None,
            usd_low: None,
            usd_high: None,
            basis: Basis::Unknown,
            why: Some(why),
        }
    }

    fn candidate(&self) -> Option<Candidate> {
        Some(Candidate {
            memory_mb: self.memory_mb,
            p50_ms: self.p50_ms?,
            monthly_usd: self.monthly_usd?,
        })
    }
}

/// Returns the sizes that another tool measured, except those of `own`, scaled to production's durations: another
/// payload takes another time, but its durations change with memory alike.
fn borrowed(own: &[SizePoint], elsewhere: &[(Megabytes, f64)]) -> Vec<SizePoint> {
    let octaves = |a: Megabytes, b: Megabytes| (f64::from(a.0) / f64::from(b.0)).log2().abs();
    let pairs = own
        .iter()
        .flat_map(|point| elsewhere.iter().map(move |other| (point, other)));
    let nearest = pairs
        .min_by(|(a, b), (c, d)| octaves(a.memory_mb, b.0).total_cmp(&octaves(c.memory_mb, d.0)));
    // Sizes more than half an octave apart do not show how the payloads compare.
    let Some((here, there)) = nearest.filter(|(a, b)| octaves(a.memory_mb, b.0) <= 0.5) else {
        return Vec::new();
    };
    let factor = here.p50_ms / there.1.max(f64::MIN_POSITIVE);
    let new = elsewhere
        .iter()
        .filter(|(size, ms)| *ms > 0.0 && own.iter().all(|p| p.memory_mb != *size));
    new.map(|(size, ms)| SizePoint {
        invocations: ELSEWHERE.0,
        spread: Some(ELSEWHERE.1),
        ..SizePoint::new(*size, ms * factor)
    })
    .collect()
}

/// Converts durations to monthly costs.
struct Bill {
    /// Invocations of a month.
    invocations: f64,
    /// Mean duration ÷ median duration.
    mean: f64,
    /// Milliseconds that are billed beside each invocation's own.
    beside_ms: f64,
    /// Dollars of a GB-second.
    gb_second: f64,
    /// Dollars of a month's requests.
    requests_usd: f64,
    /// Brings the cost at the present size to what `list` prints; 1 if memory costs nothing.
    scale: f64,
}

impl Bill {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn of(subject: &Subject<'_>, measured: &Measured, curve: &PowerCurve) -> Self {
        let days = subject.sizes.iter().map(|size| size.first_day).min();
        let days = days.zip(subject.sizes.iter().map(|size| size.last_day).max());
        let days = days.map_or(1.0, |(from, to)| f64::from(to.number() - from.number() + 1));
        let invocations: u64 = subject.sizes.iter().map(|size| size.invocations).sum();
        let monthly = invocations as f64 * MONTH_DAYS / days.max(1.0);
        let mut bill = Self {
            invocations: monthly,
            mean: measured
                .anchor
                .durations
                .map_or(1.0, |d| d.mean_ms / d.p50_ms),
            beside_ms: measured.anchor.billed_beside_ms(),
            gb_second: subject.rates.gb_second(subject.arch),
            requests_usd: monthly / 1e6 * subject.rates.million_requests,
            scale: 1.0,
        };
        let here = curve
            .at(subject.now_mb)
            .ok()
            .map(|now| bill.monthly_usd(subject.now_mb, now.p50_ms));
        if let (Some(listed), Some(here)) = (subject.monthly_usd, here)
            && listed > 0.0
            && here > 0.0
            && bill.gb_second > 0.0
        {
            bill.scale = listed / here;
        }
        bill
    }

    fn monthly_usd(&self, size: Megabytes, p50_ms: f64) -> f64 {
        let billed_s = self.invocations * (p50_ms * self.mean + self.beside_ms) / 1000.0;
        let compute = billed_s * f64::from(size.0) / 1024.0 * self.gb_second;
        let usd = (compute + self.requests_usd) * self.scale;
        Usd::from_f64(usd).as_f64()
    }
}

fn sizes(subject: &Subject<'_>, measured: &Measured) -> impl Iterator<Item = Megabytes> {
    let own = measured.points.iter().map(|point| point.memory_mb);
    let ladder = LADDER.into_iter().map(Megabytes);
    let bounds = [subject.now_mb, subject.safe_mb, subject.max_mb];
    let bounds = bounds.into_iter().chain(subject.before_mb);
    let mut all: Vec<Megabytes> = ladder.chain(own).chain(bounds).collect();
    let most = subject.max_mb.max(subject.now_mb);
    all.retain(|size| (128..=most.0).contains(&size.0));
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}

fn best(points: &[Point], subject: &Subject<'_>, budget_usd: f64) -> Best {
    let candidates: Vec<Candidate> = points.iter().filter_map(Point::candidate).collect();
    let bounds = Bounds {
        safe_mb: subject.safe_mb,
        weight: subject.weight,
        // Costs are rounded to a micro-dollar.
        budget_usd: budget_usd + 1e-6,
    };
    let best = |objective| choose(objective, &candidates, bounds);
    Best {
        cost: best(Objective::Cost),
        balanced: best(Objective::Balanced),
        speed: best(Objective::Speed),
    }
}

#[cfg(test)]
mod tests;
