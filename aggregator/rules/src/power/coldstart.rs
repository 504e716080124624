//! Cold starts of a function: how often, how long, what they cost, and what provisioned concurrency would cost instead.
//! Pure; the evidence is the starts that reports have (init, or restore from a snapshot).

use rightsizer_records::{Arch, Megabytes};
use serde::{Deserialize, Serialize};

use super::start::{RESTORED_WITHIN_MS, start_bound};
use super::used::{Deployment, Durations, FirstHours, SizeUse};
use super::workload::{ONE_CORE, cores};
use crate::price::Rates;

/// Provisioned concurrency costs this share of the on-demand GB-second while it is configured, and the next one while
/// it computes (AWS Lambda pricing; equal for both architectures).
pub(super) const PROVISIONED: f64 = 0.25;
pub(super) const PROVISIONED_DURATION: f64 = 0.583_33;
const MONTH_DAYS: f64 = 30.0;
pub(super) const MONTH_SECONDS: f64 = MONTH_DAYS * 86_400.0;
const MB_PER_GB: f64 = 1024.0;
/// Fewer first invocations show no mean.
const LEAST_FIRSTS: u64 = 10;

/// What is known of a function beside its sizes.
#[derive(Debug, Clone, Copy)]
pub struct Started<'a> {
    /// What its versions did at each size.
    pub sizes: &'a [SizeUse],
    /// Its timeout, if known.
    pub timeout_ms: Option<f64>,
    /// The share of the timeout that a repeated start may take (P6).
    pub timeout_share: f64,
    /// Prices of its region.
    pub rates: Rates,
    /// Its architecture; if it is unknown, x86 is assumed.
    pub arch: Option<Arch>,
}

/// The starts of one version at one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColdStart {
    /// The version.
    pub version: String,
    /// The size.
    pub memory_mb: Megabytes,
    /// Invocations.
    pub invocations: u64,
    /// Those that waited for a start.
    pub starts: u64,
    /// The share of the invocations that waited for a start.
    pub share: f64,
    /// Median duration of a start.
    pub p50_ms: f64,
    /// 95th percentile of it.
    pub p95_ms: f64,
    /// Those by init; `None` if all were restores.
    #[serde(default)]
    pub inits: Option<StartsOfKind>,
    /// Those by a restore from a snapshot; `None` if there were none.
    #[serde(default)]
    pub restores: Option<StartsOfKind>,
    /// Init that failed or timed out, with how long it took until then. The platform repeats it within the first
    /// invocation, and an invocation is counted as usual.
    #[serde(default)]
    pub failed_inits: Option<StartsOfKind>,
    /// Restores that failed or timed out.
    #[serde(default)]
    pub failed_restores: Option<StartsOfKind>,
    /// The share of init in the billed time; `None` if all starts are restores, which are billed by size.
    pub billed_share: Option<f64>,
    /// Dollars of a month for init; `None` if all starts are restores.
    pub monthly_usd: Option<f64>,
    /// By how many milliseconds the first invocation of an environment takes longer than the others, beside its
    /// start; `None` if too few were seen.
    #[serde(default)]
    pub first_penalty_ms: Option<f64>,
    /// The starts on the day on which this version appeared, beside later ones.
    #[serde(default)]
    pub deployment: Option<Deployment>,
    /// The starts in the first hours after this version appeared, beside later ones.
    #[serde(default)]
    pub first_hours: Option<FirstHours>,
    /// The smallest size at which a repeated start would finish in time (P6); `None` if the timeout is unknown or no
    /// size is large enough.
    pub smallest_mb: Option<Megabytes>,
    /// Provisioned concurrency for it.
    pub provisioned: Provisioned,
}

/// Starts of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StartsOfKind {
    /// Number of them.
    pub count: u64,
    /// Median duration.
    pub p50_ms: f64,
    /// 95th percentile of it.
    pub p95_ms: f64,
}

impl StartsOfKind {
    const fn of(durations: Durations) -> Self {
        Self {
            count: durations.count,
            p50_ms: durations.p50_ms,
            p95_ms: durations.p95_ms,
        }
    }
}

/// Provisioned concurrency for the average number of busy environments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Provisioned {
    /// Environments: the average number of invocations at the same time, at least one. A peak needs more.
    pub environments: u64,
    /// Dollars of a month for keeping them.
    pub monthly_usd: f64,
    /// Dollars of a month that lower prices and starts without cost would save, if all invocations ran there.
    pub saved_usd: f64,
}

/// Returns the cold starts by version and size; sizes without a start are left out.
pub fn cold_starts(function: &Started<'_>) -> Vec<ColdStart> {
    let started = function.sizes.iter();
    started.filter_map(|size| of_size(size, function)).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and milliseconds far below 2^52"
)]
fn of_size(size: &SizeUse, function: &Started<'_>) -> Option<ColdStart> {
    let failed = size.failed_inits.or(size.failed_restores);
    let (count, p50_ms, p95_ms) = match (size.starts, failed) {
        (Some(starts), _) => (starts.count, starts.p50_ms, starts.p95_ms),
        (None, Some(_)) => (0, 0.0, 0.0),
        (None, None) => return None,
    };
    let gb = f64::from(size.memory_mb.0) / MB_PER_GB;
    let price = function.rates.gb_second(function.arch);
    let days = f64::from(size.last_day.number() - size.first_day.number() + 1);
    let monthly = |ms: f64| ms / 1000.0 * gb * MONTH_DAYS / days;
    // A server of an earlier version does not keep them apart.
    let unknown = size.starts.filter(|_| size.restores.is_none());
    let inits = size.inits.or(unknown);
    let init_ms = inits.map_or(0.0, |inits| inits.mean_ms * inits.count as f64);
    let busy_ms = size
        .durations
        .map_or(0.0, |d| d.mean_ms * size.invocations as f64);
    let init_usd = monthly(init_ms) * price;
    let at_once = busy_ms / (days * 86_400_000.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most some thousands"
    )]
    let environments = at_once.ceil().max(1.0) as u64;
    Some(ColdStart {
        version: size.version.clone(),
        memory_mb: size.memory_mb,
        invocations: size.invocations,
        starts: count,
        share: (count as f64 / size.invocations.max(1) as f64).min(1.0),
        p50_ms,
        p95_ms,
        inits: inits.map(StartsOfKind::of),
        restores: size.restores.map(StartsOfKind::of),
        failed_inits: size.failed_inits.map(StartsOfKind::of),
        failed_restores: size.failed_restores.map(StartsOfKind::of),
        billed_share: inits.map(|_| init_ms / (init_ms + busy_ms).max(f64::MIN_POSITIVE)),
        monthly_usd: inits.map(|_| init_usd),
        first_penalty_ms: first_penalty_ms(size),
        deployment: size.deployment,
        first_hours: size.first_hours,
        smallest_mb: smallest(inits, size, function),
        provisioned: Provisioned {
            environments,
            monthly_usd: environments as f64 * MONTH_SECONDS * gb * price * PROVISIONED,
            saved_usd: monthly(busy_ms) * price * (1.0 - PROVISIONED_DURATION) + init_usd,
        },
    })
}

/// The mean of first invocations − the mean of the others.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn first_penalty_ms(size: &SizeUse) -> Option<f64> {
    let (firsts, all) = (size.firsts?, size.durations?);
    let others = all.count.checked_sub(firsts.count)?;
    if firsts.count.min(others) < LEAST_FIRSTS {
        return None;
    }
    let sum = all.mean_ms * all.count as f64 - firsts.mean_ms * firsts.count as f64;
    Some(firsts.mean_ms - sum / others as f64)
}

/// P6's limits: a start that is repeated inside an invocation has the CPU of its size only, so at worst it takes
/// `init × 1769 ÷ size`. A restore has longer.
fn smallest(inits: Option<Durations>, size: &SizeUse, function: &Started<'_>) -> Option<Megabytes> {
    let of = |starts: Option<Durations>| starts.map(|starts| (starts.count, starts.p99_ms));
    let timeout_ms = function.timeout_ms?;
    let limits = [
        (
            start_bound(of(inits), of(size.failed_inits)),
            timeout_ms * function.timeout_share,
        ),
        (
            start_bound(of(size.restores), of(size.failed_restores)),
            timeout_ms.max(RESTORED_WITHIN_MS),
        ),
    ];
    let fits = |size: &u32| {
        let within = |(takes, most): &(Option<f64>, f64)| {
            takes.is_none_or(|ms| ms / cores(Megabytes(*size)) <= *most)
        };
        limits.iter().all(within)
    };
    (128..=ONE_CORE.0).find(fits).map(Megabytes)
}

#[cfg(test)]
mod tests {
    use super::super::used::Firsts;
    use super::super::used::tests::at;
    use super::*;
    use crate::price::PriceTable;

    /// 14,000 invocations of 110 ms on average in 14 days at 1024 MB, of which 140 waited 400 ms for a start.
    fn size() -> SizeUse {
        SizeUse {
            starts: Some(SLOW),
            inits: Some(SLOW),
            ..at(1024, 100.0)
        }
    }

    const SLOW: Durations = Durations {
        count: 140,
        mean_ms: 400.0,
        p50_ms: 390.0,
        p95_ms: 600.0,
        p99_ms: 800.0,
        spread: 0.1,
    };

    fn starts(change: impl Fn(&mut Started<'_>)) -> ColdStart {
        starts_of(size(), change)
    }

    fn starts_of(size: SizeUse, change: impl Fn(&mut Started<'_>)) -> ColdStart {
        let sizes = [size];
        let mut function = Started {
            sizes: &sizes,
            timeout_ms: Some(3000.0),
            timeout_share: 0.7,
            rates: PriceTable::default().rates(None),
            arch: None,
        };
        change(&mut function);
        cold_starts(&function).remove(0)
    }

    fn near(found: f64, wanted: f64) {
        assert!(
            (found / wanted - 1.0).abs() < 1e-3,
            "{found}, wanted {wanted}"
        );
    }

    /// Starts take 56 s of 1,596 s in 14 days: 3.51 %. A month has 120 GB-s of them, $0.0020.
    #[test]
    fn shares_and_costs_by_hand() {
        let found = starts(|_| {});
        near(found.share, 0.01);
        near(found.billed_share.unwrap(), 56.0 / 1596.0);
        near(found.monthly_usd.unwrap(), 120.0 * 0.000_016_666_7);
    }

    /// One environment of 1 GB for 2,592,000 s at a quarter of the price is $10.80. 3,300 GB-s of a month would cost
    /// 41.667 % less, $0.02292, and the starts nothing.
    #[test]
    fn provisioned_concurrency_by_hand() {
        let found = starts(|_| {}).provisioned;
        assert_eq!(found.environments, 1);
        near(found.monthly_usd, 10.80);
        near(found.saved_usd, 3300.0 * 0.000_016_666_7 * 0.416_67 + 0.002);
    }

    /// No report has a duration, so it is not known how many run at the same time: at least one does.
    #[test]
    fn one_environment_is_the_least() {
        let size = SizeUse {
            durations: None,
            ..size()
        };
        let found = starts_of(size, |_| {});
        assert_eq!(found.provisioned.environments, 1);
    }

    /// 14,000 invocations of 110 ms are 1,540,000 ms. 140 first ones of 523 ms are 73,220 of them, and leave
    /// 1,466,780 ms for the 13,860 others: 105.83 ms each, so the first ones take 417.17 ms longer. Nine are too few.
    #[test]
    fn the_first_invocation_is_compared_with_the_others() {
        let penalty = |count| {
            first_penalty_ms(&SizeUse {
                firsts: Some(Firsts {
                    count,
                    mean_ms: 523.0,
                }),
                ..size()
            })
        };
        near(penalty(140).unwrap(), 417.17);
        assert_eq!((penalty(9), penalty(13_995)), (None, None));
        assert_eq!(first_penalty_ms(&size()), None);
    }

    /// 800 ms of which one core was busy: within 2,100 ms they need 800 ÷ 2,100 of 1,769 MB, which is 673.9.
    #[test]
    fn the_smallest_size_in_which_a_start_is_repeated_in_time() {
        assert_eq!(starts(|_| {}).smallest_mb, Some(Megabytes(674)));
        assert_eq!(starts(|f| f.timeout_ms = Some(1000.0)).smallest_mb, None);
        assert_eq!(starts(|f| f.timeout_ms = None).smallest_mb, None);
    }

    /// 60 restores of 400 ms cost nothing. 80 starts by init of 400 ms are 32 s of 1,572 s.
    #[test]
    fn restores_are_not_billed_by_time() {
        let part = |count| Durations { count, ..SLOW };
        let of = |inits: Option<u64>, restores| {
            let size = SizeUse {
                inits: inits.map(part),
                restores: Some(part(restores)),
                ..size()
            };
            starts_of(size, |_| {})
        };
        let restores = of(None, 140);
        assert_eq!((restores.billed_share, restores.monthly_usd), (None, None));
        assert_eq!((restores.inits, restores.starts), (None, 140));
        near(
            restores.provisioned.saved_usd,
            3300.0 * 0.000_016_666_7 * 0.416_67,
        );
        let both = of(Some(80), 60);
        near(both.billed_share.unwrap(), 32.0 / 1572.0);
        let counts = (both.starts, both.inits.unwrap().count);
        assert_eq!((counts, both.restores.unwrap().count), ((140, 80), 60));
    }

    /// Two of 142 attempts timed out after 10 s: more than 2.1 s at any size. A size of which no start succeeded is listed.
    #[test]
    fn starts_that_failed_are_listed_and_bound_the_size() {
        let failed = Some(Durations {
            count: 2,
            p99_ms: 10_000.0,
            ..SLOW
        });
        let of = |starts| {
            let size = SizeUse {
                starts,
                inits: starts,
                failed_inits: failed,
                ..size()
            };
            starts_of(size, |_| {})
        };
        let found = of(Some(SLOW));
        assert_eq!((found.starts, found.failed_inits.unwrap().count), (140, 2));
        assert_eq!(found.smallest_mb, None);
        let never = of(None);
        assert_eq!(
            (never.starts, never.inits, never.monthly_usd),
            (0, None, None)
        );
        assert_eq!(never.failed_inits.unwrap().count, 2);
    }

    /// A restore of 800 ms has 130 s: it takes 11 s at 128 MB.
    #[test]
    fn restores_have_longer_than_the_timeout() {
        let restored = SizeUse {
            inits: None,
            restores: Some(SLOW),
            ..size()
        };
        let found = starts_of(restored, |_| {});
        assert_eq!(found.smallest_mb, Some(Megabytes(128)));
    }

    /// A server of an earlier version has one figure for both.
    #[test]
    fn starts_of_an_unknown_kind_are_taken_for_init() {
        let unknown = SizeUse {
            inits: None,
            ..size()
        };
        let found = starts_of(unknown, |_| {});
        assert_eq!(found, starts(|_| {}));
    }

    #[test]
    fn a_size_without_a_start_is_left_out() {
        let none = [at(1024, 100.0)];
        let function = Started {
            sizes: &none,
            timeout_ms: None,
            timeout_share: 0.7,
            rates: PriceTable::default().rates(None),
            arch: None,
        };
        assert_eq!(cold_starts(&function), []);
    }
}
