//! Advice that costs nothing more: the timeout, the architecture, and provisioned concurrency. It is shown, and never
//! applied.

use rightsizer_records::{Arch, Megabytes};
use serde::{Deserialize, Serialize};

use super::coldstart::ColdStart;
use super::used::SizeUse;
use crate::price::Rates;

/// Advice on something besides memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Advice {
    /// The slowest invocations come near the timeout.
    TimeoutNear {
        /// 99th percentile of durations.
        p99_ms: f64,
        /// The timeout.
        timeout_ms: f64,
        /// A timeout that leaves room, or the longest of Lambda.
        better_ms: f64,
    },
    /// The timeout is so long that an invocation that hangs costs much more than any that works.
    TimeoutLong {
        /// 99th percentile of durations.
        p99_ms: f64,
        /// The timeout.
        timeout_ms: f64,
        /// A timeout that still leaves room.
        better_ms: f64,
    },
    /// The same durations on arm64 cost less. Whether the code runs there, and how fast, is not known.
    Arm64 {
        /// Dollars of a month that it would cost less with the same durations.
        saved_usd: f64,
        /// If it takes more than this many times as long on arm64, the change saves nothing.
        slower_at_most: f64,
    },
    /// Versions of both architectures ran at the same size.
    Architectures {
        /// The size.
        memory_mb: Megabytes,
        /// The newest version that ran on `x86_64`.
        x86_version: String,
        /// Median of its durations.
        x86_ms: f64,
        /// The newest version that ran on arm64.
        arm64_version: String,
        /// Median of its durations.
        arm64_ms: f64,
        /// Duration on arm64 ÷ duration on `x86_64`.
        times: f64,
        /// Cost of the duration of an invocation on arm64 ÷ that on `x86_64`.
        cost_times: f64,
    },
    /// Many invocations wait long for a start.
    Provisioned {
        /// The share of invocations that wait for a start.
        share: f64,
        /// 95th percentile of the wait.
        p95_ms: f64,
        /// Dollars of a month that provisioned concurrency adds, after what it saves.
        added_usd: f64,
    },
    /// Starts fail or time out.
    StartsFail {
        /// How many.
        failed: u64,
        /// Of how many, the successful ones included.
        attempts: u64,
        /// Median of how long they took until they failed.
        p50_ms: f64,
    },
}

/// The figures that the advice is based on.
#[derive(Debug, Clone, Copy)]
pub struct Advised<'a> {
    /// 99th percentile of durations at the present size, if known.
    pub p99_ms: Option<f64>,
    /// The timeout, if known.
    pub timeout_ms: Option<f64>,
    /// Share of the timeout that durations may take.
    pub timeout_share: f64,
    /// The architecture, if known.
    pub arch: Option<Arch>,
    /// Monthly cost, if known.
    pub monthly_usd: Option<f64>,
    /// Prices of the region.
    pub rates: Rates,
    /// What each version did at each size.
    pub sizes: &'a [SizeUse],
    /// Cold starts at the present size.
    pub starts: Option<&'a ColdStart>,
}

/// A timeout of this many times the 99th percentile leaves room.
const ROOM: f64 = 3.0;
/// A timeout of this many times it is long, if it is also longer than the default of Lambda, 3 s, by far.
const LONG: f64 = 30.0;
const LONG_MS: f64 = 30_000.0;
/// The longest timeout of Lambda.
const LONGEST_MS: f64 = 900_000.0;
/// Less than this a month is not worth another architecture, in dollars.
const WORTH_USD: f64 = 0.5;
/// Starts matter if this share of the invocations waits for one, for this long.
const COLD_SHARE: f64 = 0.02;
const COLD_MS: f64 = 1000.0;

/// Returns the advice for one function.
pub fn advice(of: &Advised<'_>) -> Vec<Advice> {
    let measured = architectures(of);
    [
        timeout(of),
        measured.or_else(|| arm64(of)),
        provisioned(of),
        failing(of),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn timeout(of: &Advised<'_>) -> Option<Advice> {
    let (p99_ms, timeout_ms) = (of.p99_ms?, of.timeout_ms?);
    // Timeouts are whole seconds.
    let better_ms = (p99_ms * ROOM / 1000.0).ceil() * 1000.0;
    let better_ms = better_ms.min(LONGEST_MS);
    if p99_ms > timeout_ms * of.timeout_share {
        Some(Advice::TimeoutNear {
            p99_ms,
            timeout_ms,
            better_ms,
        })
    } else if timeout_ms > LONG_MS && timeout_ms > p99_ms * LONG {
        Some(Advice::TimeoutLong {
            p99_ms,
            timeout_ms,
            better_ms,
        })
    } else {
        None
    }
}

fn arm64(of: &Advised<'_>) -> Option<Advice> {
    let (arch, usd) = (of.arch?, of.monthly_usd?);
    let (x86, arm64) = (of.rates.x86_gb_second, of.rates.arm64_gb_second);
    // Without a price there is no factor.
    if x86 <= 0.0 || arm64 <= 0.0 {
        return None;
    }
    let slower_at_most = x86 / arm64;
    let saved_usd = usd * of_durations(of) * (1.0 - 1.0 / slower_at_most);
    let worth_it = arch == Arch::X86_64 && saved_usd >= WORTH_USD;
    worth_it.then_some(Advice::Arm64 {
        saved_usd,
        slower_at_most,
    })
}

/// Returns the share of the cost that durations have; requests cost the same on both architectures.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn of_durations(of: &Advised<'_>) -> f64 {
    const MB_MS_PER_GB_SECOND: f64 = 1024.0 * 1000.0;
    let invocations: u64 = of.sizes.iter().map(|size| size.invocations).sum();
    let mb_ms = |size: &SizeUse| size.billed_ms as f64 * f64::from(size.memory_mb.0);
    let gb_seconds = of.sizes.iter().map(mb_ms).sum::<f64>() / MB_MS_PER_GB_SECOND;
    let durations = gb_seconds * of.rates.x86_gb_second;
    let requests = invocations as f64 / 1e6 * of.rates.million_requests;
    if durations > 0.0 {
        durations / (durations + requests)
    } else {
        1.0
    }
}

/// The newest versions of both architectures at the size at which both ran most often. They may differ in more than the
/// architecture.
fn architectures(of: &Advised<'_>) -> Option<Advice> {
    let newest = |memory_mb: Megabytes, arch: Arch| {
        let there = of.sizes.iter();
        let there = there.filter(|size| size.memory_mb == memory_mb && size.arch == Some(arch));
        let usual = there.filter_map(|size| Some((size, size.point()?)));
        usual.max_by_key(|(size, _)| (size.last_day, size.first_day))
    };
    let pairs = of.sizes.iter().filter_map(|size| {
        let x86 = newest(size.memory_mb, Arch::X86_64)?;
        let arm64 = newest(size.memory_mb, Arch::Arm64)?;
        Some((x86, arm64))
    });
    let ((x86, x86_point), (arm64, arm64_point)) =
        pairs.max_by_key(|((x86, _), (arm64, _))| x86.invocations.min(arm64.invocations))?;
    let times = arm64_point.p50_ms / x86_point.p50_ms;
    Some(Advice::Architectures {
        memory_mb: x86.memory_mb,
        x86_version: x86.version.clone(),
        x86_ms: x86_point.p50_ms,
        arm64_version: arm64.version.clone(),
        arm64_ms: arm64_point.p50_ms,
        times,
        cost_times: times * of.rates.arm64_gb_second
            / of.rates.x86_gb_second.max(f64::MIN_POSITIVE),
    })
}

fn provisioned(of: &Advised<'_>) -> Option<Advice> {
    let starts = of
        .starts
        .filter(|starts| starts.share >= COLD_SHARE && starts.p95_ms >= COLD_MS)?;
    Some(Advice::Provisioned {
        share: starts.share,
        p95_ms: starts.p95_ms,
        added_usd: starts.provisioned.monthly_usd - starts.provisioned.saved_usd,
    })
}

/// The kind of start that fails more often.
fn failing(of: &Advised<'_>) -> Option<Advice> {
    let starts = of.starts?;
    let kinds = [starts.failed_inits, starts.failed_restores];
    let most = kinds.into_iter().flatten().max_by_key(|kind| kind.count)?;
    let failed: u64 = kinds.into_iter().flatten().map(|kind| kind.count).sum();
    Some(Advice::StartsFail {
        failed,
        attempts: starts.starts.saturating_add(failed),
        p50_ms: most.p50_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::super::used::tests::at;
    use super::*;
    use crate::price::PriceTable;

    fn of(p99_ms: f64, timeout_ms: f64) -> Advised<'static> {
        Advised {
            p99_ms: Some(p99_ms),
            timeout_ms: Some(timeout_ms),
            timeout_share: 0.7,
            arch: None,
            monthly_usd: Some(10.0),
            rates: PriceTable::default().rates(None),
            sizes: &[],
            starts: None,
        }
    }

    /// 2,101 of 3,000 ms are above 70 %: 3 × 2.101 s is 7 s. 900 s are 450 times 2 s: 6 s would do. 10 s and 25 s
    /// are neither.
    #[test]
    fn a_timeout_may_be_near_or_long() {
        let better = |p99, timeout| match advice(&of(p99, timeout)).as_slice() {
            [Advice::TimeoutNear { better_ms, .. }] => ("near", *better_ms),
            [Advice::TimeoutLong { better_ms, .. }] => ("long", *better_ms),
            [] => ("fine", 0.0),
            other => panic!("{other:?}"),
        };
        assert_eq!(better(2101.0, 3000.0), ("near", 7000.0));
        assert_eq!(better(2099.0, 3000.0), ("fine", 0.0));
        assert_eq!(better(2000.0, 900_000.0), ("long", 6000.0));
        assert_eq!(better(2000.0, 60_000.0), ("fine", 0.0));
        assert_eq!(better(100.0, 30_000.0), ("fine", 0.0));
    }

    /// 2,400 s would leave room for 800 s, but Lambda has 900 s at most.
    #[test]
    fn no_timeout_is_advised_that_lambda_does_not_have() {
        let found = advice(&of(800_000.0, 900_000.0));
        let [Advice::TimeoutNear { better_ms, .. }] = found[..] else {
            panic!("{found:?}");
        };
        assert!((better_ms - 900_000.0).abs() < 1e-9);
    }

    /// 10,000,000 invocations of 10 ms at 1024 MB are 100,000 GB-s for $1.6667, and their requests cost $2.00: of $10 a
    /// month $4.5455 are for durations, of which arm64 saves a fifth.
    #[test]
    fn arm64_saves_nothing_of_the_requests() {
        let mut size = at(1024, 10.0);
        (size.invocations, size.billed_ms) = (10_000_000, 100_000_000);
        let found = advice(&Advised {
            arch: Some(Arch::X86_64),
            sizes: &[size],
            timeout_ms: None,
            ..of(100.0, 0.0)
        });
        let [Advice::Arm64 { saved_usd, .. }] = found[..] else {
            panic!("{found:?}");
        };
        assert!((saved_usd - 0.909_1).abs() < 1e-3, "{saved_usd}");
    }

    #[test]
    fn without_a_price_of_memory_arm64_is_not_advised() {
        let mut none = Advised {
            arch: Some(Arch::X86_64),
            timeout_ms: None,
            ..of(100.0, 0.0)
        };
        none.rates.arm64_gb_second = 0.0;
        assert_eq!(advice(&none), []);
        none.rates.x86_gb_second = 0.0;
        assert_eq!(advice(&none), []);
    }

    /// arm64 costs 20 % less: $2 of $10; it may take 1.25 times as long.
    #[test]
    fn arm64_is_advised_for_x86_alone() {
        let with = |arch| {
            advice(&Advised {
                arch,
                timeout_ms: None,
                ..of(100.0, 0.0)
            })
        };
        let [
            Advice::Arm64 {
                saved_usd,
                slower_at_most,
            },
        ] = with(Some(Arch::X86_64))[..]
        else {
            panic!("not advised");
        };
        assert!((saved_usd - 2.0).abs() < 1e-3 && (slower_at_most - 1.25).abs() < 1e-4);
        assert_eq!((with(Some(Arch::Arm64)), with(None)), (vec![], vec![]));
    }

    /// Of version 3 (`x86_64`) and 5 (arm64) at 512 MB, 200 and 180 ms: 0.9 times as long at 0.8 of the price. Version 4 is
    /// older, at 1024 MB less ran on arm64, and what is not known to have one architecture does not count.
    #[test]
    fn both_architectures_are_compared_where_a_function_has_both() {
        let size = |version: &str, arch, memory_mb, p50_ms, invocations, days_ago: i32| {
            let mut size = at(memory_mb, p50_ms);
            size.version = version.to_owned();
            size.arch = arch;
            size.invocations = invocations;
            size.last_day = size.last_day.plus(-days_ago);
            size
        };
        let (x86, arm) = (Some(Arch::X86_64), Some(Arch::Arm64));
        let sizes = [
            size("3", x86, 512, 200.0, 9_000, 5),
            size("3", x86, 1024, 100.0, 9_000, 5),
            size("4", arm, 512, 300.0, 9_000, 3),
            size("5", arm, 512, 180.0, 8_000, 0),
            size("5", arm, 1024, 300.0, 100, 0),
            size("$LATEST", None, 512, 1.0, 9_000, 0),
        ];
        let with = |sizes: &[SizeUse], arch| {
            advice(&Advised {
                arch,
                sizes,
                timeout_ms: None,
                ..of(100.0, 0.0)
            })
        };
        for arch in [x86, arm, None] {
            let [
                Advice::Architectures {
                    memory_mb: Megabytes(512),
                    x86_version,
                    arm64_version,
                    times,
                    cost_times,
                    ..
                },
            ] = &with(&sizes, arch)[..]
            else {
                panic!("{:?}", with(&sizes, arch));
            };
            assert_eq!((x86_version.as_str(), arm64_version.as_str()), ("3", "5"));
            assert!((times - 0.9).abs() < 1e-9 && (cost_times - 0.72).abs() < 1e-4);
        }
        // Of one architecture alone nothing is compared.
        let alone = with(&sizes[..2], x86);
        assert!(matches!(alone[..], [Advice::Arm64 { .. }]), "{alone:?}");
    }
}
