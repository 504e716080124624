//! Tests of `project`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-9, "{found}, wanted {wanted}");
}

const fn mb(size: u32) -> Megabytes {
    Megabytes(size)
}

/// 0.5 cores used at 1769 MB; 442.25 MB give a quarter: twice as long. More than it has been given (a
/// coarse tick) is taken as all of it.
#[test]
fn p6_the_cpu_share_used_by_the_share_given() {
    near(by_cpu(0.5, mb(1769), mb(885)), 1.0);
    near(by_cpu(0.5, mb(1769), mb(442)), 0.5 * 1769.0 / 442.0);
    near(by_cpu(9.0, mb(1000), mb(500)), 2.0);
    near(by_cpu(1.5, mb(3538), mb(1769)), 1.5);
}

/// Of 100 ms half was CPU time on a whole core; on half a core that is 50 + 50 ÷ 0.5 = 150.
#[test]
fn p6_bursts_take_longer_although_the_average_would_do() {
    near(by_cpu_in_bursts(0.5, mb(1769), mb(1769)), 1.0);
    near(by_cpu_in_bursts(0.5, mb(3538), mb(1769)), 1.25);
    let half = 1.0 + 0.5 * (1769.0 / 885.0 - 1.0);
    near(by_cpu_in_bursts(0.5, mb(1769), mb(885)), half);
}

/// A share s of the time at 1000 MB is CPU: at 500 (1 − s) + 2s of it. Measured 1.5, s = 0.5; at 500
/// two thirds are CPU, so 250 takes 1 + 2/3 times as long.
#[test]
fn p6_two_sizes_separate_waiting_from_computing() {
    near(by_slope(1.5, mb(1000), mb(500), mb(250)), 1.0 + 2.0 / 3.0);
    near(by_slope(1.0, mb(1000), mb(500), mb(250)), 1.0);
    near(by_slope(2.0, mb(1000), mb(500), mb(250)), 2.0);
    // 3538 and 2000 alike: one thread, or waiting. Below 1769 that thread may need it all.
    near(by_slope(1.0, mb(3538), mb(2000), mb(1769)), 1.0);
    near(by_slope(1.0, mb(3538), mb(2000), mb(1000)), 1.769);
}

struct Run {
    mb: Megabytes,
    ms: f64,
    used: u32,
    cores: Option<f64>,
}

fn sweeps() -> BTreeMap<String, Vec<Run>> {
    let mut sweeps: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    let lines = include_str!("../sweeps.csv")
        .lines()
        .filter(|l| !l.starts_with('#'));
    for line in lines.skip(1) {
        let cell: Vec<&str> = line.split(',').collect();
        sweeps.entry(cell[0].to_owned()).or_default().push(Run {
            mb: mb(cell[1].parse().unwrap()),
            ms: cell[2].parse().unwrap(),
            used: cell[3].parse().unwrap(),
            cores: cell[4].parse().ok(),
        });
    }
    sweeps
}

/// Projected ÷ measured for every step down by at most half to a size with P2's floor over what was used.
fn accuracy(
    name: &str,
    kind: &str,
    project: impl Fn(&[Run], usize, &Run) -> Option<f64>,
) -> (f64, f64) {
    let mut quotients = Vec::new();
    for runs in sweeps()
        .iter()
        .filter(|(n, _)| n.starts_with(kind))
        .map(|(_, r)| r)
    {
        for (n, from) in runs.iter().enumerate() {
            let fits = |to: &&Run| to.mb.0 * 2 >= from.mb.0 && to.mb.0 * 10 >= from.used * 11;
            for to in runs[..n].iter().filter(fits) {
                quotients.extend(project(runs, n, to).map(|p| p / (to.ms / from.ms)));
            }
        }
    }
    quotients.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "some hundred pairs")]
    let low = quotients.iter().filter(|q| **q < 0.9).count() as f64 / quotients.len() as f64;
    let at = |percent: usize| quotients[(quotients.len() - 1) * percent / 100];
    println!(
        "{name}: {} pairs, projected ÷ measured 5 % {:.2}, median {:.2}, 95 % {:.2}; over 10 % too low {:.1} %",
        quotients.len(),
        at(5),
        at(50),
        at(95),
        low * 100.0
    );
    (at(50), low)
}

/// Against measured sweeps; `cargo test -p rightsizer-rules p6_projections_hold -- --nocapture` prints
/// the table of docs/POLICIES.md.
#[test]
fn p6_projections_hold_against_measured_sweeps() {
    let slope = |error: f64| {
        move |runs: &[Run], n: usize, to: &Run| {
            let (from, larger) = (&runs[n], runs.get(n + 1)?);
            Some(by_slope(
                from.ms / larger.ms * error,
                larger.mb,
                from.mb,
                to.mb,
            ))
        }
    };
    let unknown = |runs: &[Run], n: usize, to: &Run| Some(cores(runs[n].mb) / cores(to.mb));
    let (_, low) = accuracy("io, nothing known, worst", "io-", unknown);
    assert!(low < 0.01);
    let (median, low) = accuracy("io, by slope, expected", "io-", slope(1.0));
    assert!(
        (0.95..1.05).contains(&median) && low < 0.06,
        "{median} {low}"
    );
    let (_, low) = accuracy("io, by slope, worst", "io-", slope(1.0 + MEASURING_ERROR));
    assert!(low < 0.02, "{low}");
    let by = |rule: fn(f64, Megabytes, Megabytes) -> f64| {
        move |runs: &[Run], n: usize, to: &Run| Some(rule(runs[n].cores?, runs[n].mb, to.mb))
    };
    let (median, low) = accuracy("cpu, by CPU time, expected", "cpu-", by(by_cpu));
    assert!(
        (0.95..1.05).contains(&median) && low < 0.25,
        "{median} {low}"
    );
    let worst = |used: f64, from, to| by_cpu_in_bursts(used * (1.0 + MEASURING_ERROR), from, to);
    let (_, low) = accuracy("cpu, by CPU time, worst", "cpu-", by(worst));
    assert!(low < 0.10, "{low}");
    let (_, low) = accuracy("cpu, nothing known, worst", "cpu-", unknown);
    assert!(low < 0.10, "{low}");
}

proptest! {
    /// No projection is faster with less memory, the worst is never better than the expected,
    /// and a smaller size is never faster than a larger one.
    #[test]
    fn p6_less_is_never_faster(
        used in 0.0_f64..7.0, measured in 0.5_f64..3.0, from in 129_u32..10_240, step in 1_u32..5000, a in 0.0_f64..1.0, b in 0.0_f64..1.0,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
        let size = |share: f64| mb(128 + (share * f64::from(from - 128)) as u32);
        let (small, large) = (size(a.min(b)), size(a.max(b)));
        let (from, larger) = (mb(from), mb(from + step));
        let eps = 1e-9;
        prop_assert!(by_cpu(used, from, small) + eps >= by_cpu(used, from, large));
        prop_assert!(by_cpu_in_bursts(used, from, small) + eps >= by_cpu_in_bursts(used, from, large));
        prop_assert!(by_cpu_in_bursts(used, from, small) + eps >= by_cpu(used, from, small));
        prop_assert!(by_slope(measured, larger, from, small) + eps >= by_slope(measured, larger, from, large));
        prop_assert!(by_slope(measured, larger, from, large) + eps >= 1.0);
        prop_assert!(by_slope(measured, larger, from, small) <= cores(from) / cores(small) + eps);
    }

    /// The same hours never make a projection, and so a size, better than what was measured.
    #[test]
    fn p6_matched_hours_only_make_it_worse(
        mean in proptest::array::uniform3(0.3_f64..3.0), tail in proptest::array::uniform3(0.3_f64..3.0),
        hours in proptest::array::uniform3(0.5_f64..2.0), cpu in 0_u64..600_000, has_cpu in any::<bool>(),
        to in 128_u32..1500,
    ) {
        let sizes = |matched: bool| {
            [0, 1, 2].map(|n| {
                let cpu = CpuUse { cpu_ms: cpu, wall_ms: 500_000 };
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds")]
                let billed_ms = (500_000.0 * mean[n]) as u64;
                SizeFacts {
                    billed_ms,
                    p95: Millis::from_ms_f64((200.0 * tail[n]).round()).unwrap(),
                    p99: Millis::from_ms_f64((400.0 * tail[n]).round()).unwrap(),
                    cpu: has_cpu.then_some(cpu),
                    hours_factor: matched.then_some(hours[n]),
                    ..super::super::case::size([512, 1500, 2048][n])
                }
            })
        };
        let projected = |matched| project(&sizes(matched), mb(1500), mb(to)).unwrap();
        let (measured, matched) = (projected(false), projected(true));
        let all = |factors: Factors| [factors.mean, factors.p95, factors.p99];
        for (measured, matched) in [(measured.expected, matched.expected), (measured.worst, matched.worst)] {
            for (measured, matched) in all(measured).into_iter().zip(all(matched)) {
                prop_assert!(matched + 1e-9 >= measured, "{matched} {measured}");
            }
        }
    }
}
