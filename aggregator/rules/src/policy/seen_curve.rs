//! The power curve of what a decision sees.

use rightsizer_records::{Arch, Day, Megabytes};

use super::evidence::FunctionEvidence;
use super::facts::{CpuUse, SizeFacts};
use super::settings::PolicySettings;
use crate::power::{Drawn, Durations, Offers, SizeUse, Subject, draw, may_be_faster};
use crate::price::Rates;

/// Returns larger sizes at which what a decision sees would be faster for the same or little more money; `None` if there
/// are none.
pub fn offers(
    seen: &FunctionEvidence,
    safe_mb: Megabytes,
    bill: (Option<f64>, Rates, Option<Arch>),
    settings: &PolicySettings,
) -> Option<Offers> {
    // With another prior, other functions may have an offer.
    let shipped = settings.power.own_prior.is_none();
    if shipped && !may_be_faster(seen.current_mb, &sizes(seen)) {
        return None;
    }
    let offers = drawn(seen, "", safe_mb, bill, settings)?.offers;
    (offers != Offers::default()).then_some(offers)
}

/// Returns the curve of what a decision sees: the monthly cost at the present size, prices, and architecture.
pub(super) fn drawn(
    seen: &FunctionEvidence,
    function: &str,
    safe_mb: Megabytes,
    (monthly_usd, rates, arch): (Option<f64>, Rates, Option<Arch>),
    settings: &PolicySettings,
) -> Option<Drawn> {
    let sizes = sizes(seen);
    let subject = Subject {
        version: "",
        now_mb: seen.current_mb,
        before_mb: seen.changes.before_mb,
        safe_mb,
        max_mb: seen.configured.most(settings),
        sizes: &sizes,
        elsewhere: &[],
        monthly_usd,
        rates,
        arch,
        weight: settings.power.weight,
        speed_budget: settings.power.speed_budget,
    };
    draw(function, &subject, settings.power.prior()).ok()
}

fn sizes(seen: &FunctionEvidence) -> Vec<SizeUse> {
    let days: (Day, Day) = (seen.window.from, seen.window.to);
    let size = |facts: &SizeFacts| {
        let health = seen
            .health
            .iter()
            .find(|health| health.memory_mb == facts.memory_mb);
        let (p50, p95) = (facts.p50.as_ms_f64(), facts.p95.as_ms_f64());
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of two weeks, far below 2^52"
        )]
        let mean_ms = facts.billed_ms as f64 / facts.invocations.max(1) as f64;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of two weeks, far below 2^52"
        )]
        let cores = |cpu: CpuUse| cpu.cpu_ms as f64 / cpu.wall_ms.max(1) as f64;
        SizeUse {
            version: String::new(),
            memory_mb: facts.memory_mb,
            first_day: days.0,
            last_day: days.1,
            invocations: facts.invocations,
            failures: health.map_or(0, |health| health.failures),
            timeouts: 0,
            ooms: 0,
            billed_ms: facts.billed_ms,
            durations: Some(Durations {
                count: facts.invocations,
                mean_ms,
                p50_ms: p50,
                p95_ms: p95,
                p99_ms: facts.p99.as_ms_f64(),
                // The 95 % quantile of a normal distribution is 1.645 deviations above its median.
                spread: (p95 / p50.max(f64::MIN_POSITIVE)).max(1.0).ln() / 1.645,
            }),
            cores_used: facts.cpu.filter(|cpu| cpu.wall_ms >= 1000).map(cores),
            used_mb: health
                .filter(|health| health.peak_mb.0 > 0)
                .map(|health| f64::from(health.peak_mb.0)),
            peak_mb: health.map_or(Megabytes(0), |health| health.peak_mb),
            starts: None,
            inits: None,
            restores: None,
            failed_inits: None,
            failed_restores: None,
            deployment: None,
            first_hours: None,
            firsts: None,
            hours_factor: facts.hours_factor,
            arch: None,
        }
    };
    seen.sizes.iter().map(size).collect()
}
