//! P6: how long a function would take at another size. CPU follows memory: one core at 1769 MB.
//!
//! Two figures, because they serve two purposes. *Expected* follows from the best evidence and
//! moves the target. *Worst* is what that evidence cannot exclude and limits an automatic step. A
//! measurement at a size takes precedence over both. Two measured sizes ran at different hours: what is projected is the
//! worse of the durations as they were measured and as they are at the same hours, so that matching the hours never
//! makes a size look safer than it was measured.

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
        let hours = slower_by_hours(other, self.here);
        Factors {
            mean: mean_ms(other) / mean_ms(self.here).max(0.001) * hours,
            p95: quotient(other.p95, self.here.p95) * hours,
            p99: quotient(other.p99, self.here.p99) * hours,
        }
    }

    fn model(&self, to: Megabytes) -> (f64, f64, Basis) {
        let from = self.here.memory_mb;
        let larger = self.measured.iter().find(|m| m.memory_mb > from);
        let slope = larger.map(|larger| {
            let hours = slower_by_hours(self.here, larger);
            let measured = mean_ms(self.here) / mean_ms(larger).max(0.001) * hours;
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

/// Returns by which factor the durations at `smaller` ÷ those at `larger` rise if both run at the same hours; 1 if they
/// fall, or if the hours are not known.
fn slower_by_hours(smaller: &SizeFacts, larger: &SizeFacts) -> f64 {
    let factors = smaller.hours_factor.zip(larger.hours_factor);
    factors.map_or(1.0, |(smaller, larger)| (smaller / larger).max(1.0))
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
mod tests;
