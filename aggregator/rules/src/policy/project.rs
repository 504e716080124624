//! P6: how long a function would take at another size. CPU follows memory: one core at 1769 MB.
//!
//! Two figures, because they serve two purposes. *Expected* follows from the best evidence and
//! moves the target. *Worst* is what that evidence cannot exclude and limits an automatic step. A
//! measurement at a size takes precedence over both.

use rightsizer_records::limits::ONE_VCPU;
use rightsizer_records::{DurationBasis, Megabytes, Millis};

use super::facts::{CpuUse, SizeFacts};
use crate::power::Workload;
pub(super) use crate::power::cores;

/// Fewer invocations at a size than this are not a measurement.
pub(super) const MEASURED_INVOCATIONS: u64 = 50;
/// Two measurements of one function differ by so much for reasons that are not its size; and a sandbox
/// that computes all the time shows so much less CPU time than it was given.
const MEASURING_ERROR: f64 = 0.05;

/// What a projection rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Measured at this very size.
    Measured,
    /// The CPU time spent at the present size.
    CpuTime,
    /// How durations changed between the present size and this larger one.
    Slope(Megabytes),
    /// Nothing: the function may need all the CPU it has, or none of it.
    Unknown,
}

impl Basis {
    /// As reasons have it.
    pub(super) const fn shown(self) -> DurationBasis {
        match self {
            Self::Measured => DurationBasis::Measured,
            Self::CpuTime => DurationBasis::CpuTime,
            Self::Slope(_) => DurationBasis::Slope,
            Self::Unknown => DurationBasis::Unknown,
        }
    }
}

/// Durations at another size ÷ durations at the present one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// Of the mean, and so of what is billed.
    pub mean: f64,
    /// Of the 95th percentile.
    pub p95: f64,
    /// Of the 99th percentile.
    pub p99: f64,
}

impl Factors {
    pub(super) const fn all(factor: f64) -> Self {
        Self {
            mean: factor,
            p95: factor,
            p99: factor,
        }
    }

    fn each(self, other: Self, choose: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            mean: choose(self.mean, other.mean),
            p95: choose(self.p95, other.p95),
            p99: choose(self.p99, other.p99),
        }
    }
}

/// A projection to one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// The projection from the evidence.
    pub expected: Factors,
    /// What the evidence cannot exclude.
    pub worst: Factors,
    /// The basis of `expected`.
    pub basis: Basis,
}

/// How durations at `to` compare with those at the present size; `None` if nothing was measured
/// there. An increase is not projected to make anything faster.
pub fn project(sizes: &[SizeFacts], present: Megabytes, to: Megabytes) -> Option<Projection> {
    Some(Projector::new(sizes, present)?.to(to.min(present)))
}

/// Projects the durations at the present size to others.
pub(super) struct Projector<'a> {
    here: &'a SizeFacts,
    measured: Vec<&'a SizeFacts>,
}

impl<'a> Projector<'a> {
    /// `None` if nothing was measured at the present size.
    pub(super) fn new(sizes: &'a [SizeFacts], present: Megabytes) -> Option<Self> {
        let here = sizes
            .iter()
            .find(|size| size.memory_mb == present && size.invocations > 0)?;
        let enough = |size: &&SizeFacts| size.invocations >= MEASURED_INVOCATIONS;
        Some(Self {
            here,
            measured: sizes.iter().filter(enough).collect(),
        })
    }

    /// The measurements that everything is projected from.
    pub(super) const fn here(&self) -> &SizeFacts {
        self.here
    }

    /// The larger sizes that were measured.
    pub(super) fn larger(&self) -> impl Iterator<Item = &SizeFacts> {
        let here = self.here.memory_mb;
        self.measured
            .iter()
            .copied()
            .filter(move |m| m.memory_mb > here)
    }

    /// To `size`, at or below the present one.
    pub(super) fn to(&self, size: Megabytes) -> Projection {
        let (expected, worst, basis) = self.model(size);
        let below = self.measured.iter().rfind(|m| m.memory_mb <= size);
        let above = self
            .measured
            .iter()
            .find(|m| m.memory_mb >= size && m.memory_mb < self.here.memory_mb);
        let measured = below.is_some_and(|m| m.memory_mb == size);
        // Durations fall as the size grows: what is between two measured sizes is between theirs.
        let bound = |factor: f64| {
            let mut factors = Factors::all(factor);
            if let Some(below) = below {
                factors = factors.each(self.factors_of(below), f64::min);
            }
            above.map_or(factors, |above| {
                factors.each(self.factors_of(above), f64::max)
            })
        };
        Projection {
            expected: bound(expected),
            worst: bound(worst),
            basis: if measured { Basis::Measured } else { basis },
        }
    }

    fn factors_of(&self, other: &SizeFacts) -> Factors {
        let quotient = |a: Millis, b: Millis| a.as_ms_f64() / b.as_ms_f64().max(0.001);
        Factors {
            mean: mean_ms(other) / mean_ms(self.here).max(0.001),
            p95: quotient(other.p95, self.here.p95),
            p99: quotient(other.p99, self.here.p99),
        }
    }

    fn model(&self, to: Megabytes) -> (f64, f64, Basis) {
        let from = self.here.memory_mb;
        let larger = self.measured.iter().find(|m| m.memory_mb > from);
        let slope = larger.map(|larger| {
            let measured = mean_ms(self.here) / mean_ms(larger).max(0.001);
            let by = |measured| by_slope(measured, larger.memory_mb, from, to);
            (by(measured), by(measured * (1.0 + MEASURING_ERROR)), larger)
        });
        // Above one core a function may need as many as it has threads: a measurement above proves
        // nothing about smaller sizes.
        let from_slope = slope
            .filter(|_| cores(from) < 1.0)
            .map(|(_, worst, _)| worst);
        match (self.here.cpu.and_then(cores_used), slope) {
            (Some(used), _) => {
                let most = used * (1.0 + MEASURING_ERROR);
                // Two measured sizes show whether there are bursts.
                let worst = from_slope.map_or_else(
                    || by_cpu_in_bursts(most, from, to),
                    |worst| worst.max(by_cpu(most, from, to)),
                );
                (by_cpu(used, from, to), worst, Basis::CpuTime)
            }
            (None, Some((expected, _, larger))) => {
                let worst = from_slope.unwrap_or(cores(from) / cores(to));
                (expected, worst, Basis::Slope(larger.memory_mb))
            }
            (None, None) => (1.0, cores(from) / cores(to), Basis::Unknown),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of two weeks, far below 2^52"
)]
fn mean_ms(size: &SizeFacts) -> f64 {
    size.billed_ms as f64 / size.invocations.max(1) as f64
}

/// Cores in use on average; `None` if hardly anything was measured.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of two weeks, far below 2^52"
)]
fn cores_used(cpu: CpuUse) -> Option<f64> {
    (cpu.wall_ms >= 1000).then(|| cpu.cpu_ms as f64 / cpu.wall_ms as f64)
}

/// P6: the CPU share used ÷ the CPU share given, if that is more than one. In the power model it is the end
/// at which waiting and computing overlap completely.
pub(super) fn by_cpu(used: f64, from: Megabytes, to: Megabytes) -> f64 {
    // More than it was given is a measuring error (the share of other processes, coarse ticks).
    let used = used.min(cores(from));
    let work = Workload {
        overlap: f64::INFINITY,
        ..Workload::serial(1.0, used, f64::INFINITY)
    };
    work.duration_ms(to)
}

/// The same if the CPU time comes in bursts that use all there is, between waiting: a burst takes
/// longer on a smaller share although the average share would do. Of several threads, above one
/// core, too.
/// In the power model it is the end without overlap.
pub(super) fn by_cpu_in_bursts(used: f64, from: Megabytes, to: Megabytes) -> f64 {
    let used = used.min(cores(from));
    Workload::serial(1.0 - used / cores(from), used, f64::INFINITY).duration_ms(to)
}

/// From how durations changed between a larger size and the present one: a duration is waiting plus
/// CPU time ÷ share, and two sizes separate the two. Sizes above one core only show the effect of
/// several threads: below one core one thread may need all of it. In the power model it is the end without
/// overlap, as [`by_cpu_in_bursts`].
pub(super) fn by_slope(measured: f64, larger: Megabytes, from: Megabytes, to: Megabytes) -> f64 {
    let below_one = from < ONE_VCPU;
    // One thread gains nothing from a second core.
    let larger = if below_one {
        larger.min(ONE_VCPU)
    } else {
        larger
    };
    let all_cpu = cores(larger) / cores(from);
    if all_cpu <= 1.0 {
        return cores(from) / cores(to);
    }
    // Of 1 ms at the larger size, this is CPU time ÷ share.
    let computing = ((measured - 1.0) / (all_cpu - 1.0)).clamp(0.0, 1.0);
    let work = Workload::serial(1.0 - computing, computing * cores(larger), f64::INFINITY);
    let known = if below_one { to } else { to.max(ONE_VCPU) };
    work.duration_ms(known) / work.duration_ms(from) * (cores(known) / cores(to))
}

#[cfg(test)]
mod tests {
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
        let lines = include_str!("sweeps.csv")
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

    /// Against measured sweeps; `cargo nextest run -p rightsizer p6_projections_hold --no-capture` prints
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
        let worst =
            |used: f64, from, to| by_cpu_in_bursts(used * (1.0 + MEASURING_ERROR), from, to);
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
    }
}
