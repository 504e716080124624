//! P6: how long a function would take at another size. CPU follows memory: one core at 1769 MB.
//!
//! Two figures, because they serve two purposes. *Expected* is what the best evidence says: it moves
//! the target. *Worst* is what cannot be excluded by that evidence: it limits an automatic step. What
//! was measured at a size beats both.

use rightsizer_records::{Megabytes, Millis};

use super::facts::{CpuUse, SizeFacts};

/// Lambda gives one core at this size, and in proportion above and below.
const ONE_CORE_MB: f64 = 1769.0;
/// Fewer invocations at a size than this are no measurement of it.
pub(super) const MEASURED_INVOCATIONS: u64 = 50;
/// Two measurements of one function's mean differ by so much for reasons that are not its size.
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
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::CpuTime => "cpu-time",
            Self::Slope(_) => "slope",
            Self::Unknown => "unknown",
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
    const fn all(factor: f64) -> Self {
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
    /// What the evidence says.
    pub expected: Factors,
    /// What the evidence cannot exclude.
    pub worst: Factors,
    /// Where `expected` comes from.
    pub basis: Basis,
}

/// How durations at `to` compare with those at the present size; `None` where nothing was measured
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
    /// `None` where nothing was measured at the present size.
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
        if let Some(used) = self.here.cpu.and_then(cores_used) {
            return (
                by_cpu(used, from, to),
                by_cpu_in_bursts(used, from, to),
                Basis::CpuTime,
            );
        }
        let larger = self
            .measured
            .iter()
            .find(|m| m.memory_mb > from && one_core(m.memory_mb) > one_core(from));
        match larger {
            Some(larger) => {
                let measured = mean_ms(self.here) / mean_ms(larger).max(0.001);
                let by = |measured| by_slope(measured, larger.memory_mb, from, to);
                let worst = by(measured * (1.0 + MEASURING_ERROR));
                (by(measured), worst, Basis::Slope(larger.memory_mb))
            }
            None => (1.0, one_core(from) / one_core(to), Basis::Unknown),
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

/// Cores in use on average; `None` where hardly anything was measured.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of two weeks, far below 2^52"
)]
fn cores_used(cpu: CpuUse) -> Option<f64> {
    (cpu.wall_ms >= 1000).then(|| cpu.cpu_ms as f64 / cpu.wall_ms as f64)
}

/// Cores that a size gives.
fn cores(size: Megabytes) -> f64 {
    f64::from(size.0) / ONE_CORE_MB
}

/// What one thread gets of them.
fn one_core(size: Megabytes) -> f64 {
    cores(size).min(1.0)
}

/// P6: the CPU share used ÷ the CPU share given, where that is more than one.
pub(super) fn by_cpu(used: f64, from: Megabytes, to: Megabytes) -> f64 {
    // More than it was given is a measuring error (the share of other processes, coarse ticks).
    let used = used.min(cores(from));
    (used / cores(to)).max(1.0)
}

/// The same where the CPU time comes in bursts that use all there is, between waiting: a burst takes
/// longer on a smaller share although the average share would do.
pub(super) fn by_cpu_in_bursts(used: f64, from: Megabytes, to: Megabytes) -> f64 {
    let used = used.min(cores(from));
    let given = |size| cores(size).min(used.max(1.0));
    1.0 + used * (1.0 / given(to) - 1.0 / given(from))
}

/// From how durations changed between a larger size and the present one: a duration is waiting plus CPU
/// time ÷ share, and two sizes tell the two apart.
pub(super) fn by_slope(measured: f64, larger: Megabytes, from: Megabytes, to: Megabytes) -> f64 {
    let all_cpu = one_core(larger) / one_core(from);
    let share_at_larger = ((measured - 1.0) / (all_cpu - 1.0)).clamp(0.0, 1.0);
    let slower = 1.0 + share_at_larger * (all_cpu - 1.0);
    let share = share_at_larger * all_cpu / slower;
    1.0 + share * (one_core(from) / one_core(to) - 1.0)
}
