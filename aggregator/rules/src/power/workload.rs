//! The model of durations over sizes. The power curve fits it, and P6's projections are its two extremes.

use rightsizer_records::Megabytes;
pub(super) use rightsizer_records::limits::ONE_VCPU as ONE_CORE;

/// Returns the cores that a size provides.
pub fn cores(size: Megabytes) -> f64 {
    f64::from(size.0) / f64::from(ONE_CORE.0)
}

/// One invocation: its waiting time, its CPU time, and the cores it can use.
///
/// `T(m) = W + C ÷ min(m ÷ 1769, k)` if it waits and computes in turn. Two parameters refine this form:
///
/// - *overlap* `p`: if waiting and computing overlap, they take `(Wᵖ + (C ÷ share)ᵖ)^(1/p)`. 1 means one after
///   the other, ∞ the longer of the two.
/// - *burst* `b`: the CPU share is a quota per period of about 20 ms. A computation shorter than the quota
///   runs at full speed, and a longer one is throttled only after its quota. With a share `s < 1` it takes
///   `C × (1 + (1 − s) × max(0, 1 ÷ s − b))`, where `b` is the length of a period ÷ that of a computation. 0 means
///   one long computation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Waiting, W.
    pub wait_ms: f64,
    /// CPU time, C.
    pub cpu_ms: f64,
    /// Cores that it can use at the same time, k.
    pub cores: f64,
    /// Degree to which waiting and computing overlap, p ≥ 1.
    pub overlap: f64,
    /// Period ÷ length of one computation, b ≥ 0.
    pub burst: f64,
}

impl Workload {
    /// Returns a workload that waits and computes in turn, in one long computation.
    pub const fn serial(wait_ms: f64, cpu_ms: f64, cores: f64) -> Self {
        Self {
            wait_ms,
            cpu_ms,
            cores,
            overlap: 1.0,
            burst: 0.0,
        }
    }

    /// Returns the duration at `size`, in milliseconds.
    pub fn duration_ms(&self, size: Megabytes) -> f64 {
        let computing = self.cpu_ms * self.stretch(cores(size));
        let (a, b) = (self.wait_ms, computing);
        match self.overlap {
            ..=1.0 => a + b,
            // Powers took a tenth of a curve, and the model's shapes have 1, 2 and 4.
            2.0 => (a * a + b * b).sqrt(),
            4.0 => (a * a * a * a + b * b * b * b).sqrt().sqrt(),
            f64::INFINITY => a.max(b),
            overlap => (a.powf(overlap) + b.powf(overlap)).powf(1.0 / overlap),
        }
    }

    /// Returns the factor by which a computation takes longer on `share` cores than on one.
    fn stretch(&self, share: f64) -> f64 {
        let used = share.min(self.cores);
        if self.burst > 0.0 && used < 1.0 {
            1.0 + (1.0 - used) * (1.0 / used - self.burst).max(0.0)
        } else {
            1.0 / used
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9, "{found}, wanted {wanted}");
    }

    /// 100 ms of waiting and 40 ms of CPU time on at most two cores: 100 + 40 at 1769 MB, 100 + 80 at half of it,
    /// 100 + 20 at twice the size and above.
    #[test]
    fn waits_and_computes_in_turn() {
        let work = Workload::serial(100.0, 40.0, 2.0);
        for (size, wanted) in [(1769, 140.0), (3538, 120.0), (10_240, 120.0)] {
            near(work.duration_ms(Megabytes(size)), wanted);
        }
        near(
            work.duration_ms(Megabytes(885)),
            100.0 + 40.0 * 1769.0 / 885.0,
        );
    }

    /// 30 ms of waiting and 40 ms of CPU time: with full overlap the longer of both, 40; with p = 2 the root of
    /// 900 + 1600, which is 50.
    #[test]
    fn overlaps_waiting_and_computing() {
        let at = |overlap| Workload {
            overlap,
            ..Workload::serial(30.0, 40.0, 1.0)
        };
        near(at(f64::INFINITY).duration_ms(Megabytes(1769)), 40.0);
        near(at(2.0).duration_ms(Megabytes(1769)), 50.0);
        near(at(1.0).duration_ms(Megabytes(1769)), 70.0);
    }

    /// 10 ms of CPU time in bursts of a quarter of a period (b = 4): a quarter of a core fits the quota, so they
    /// are not throttled. An eighth (221.125 MB) takes 10 × (1 + 7/8 × (8 − 4)) = 45 instead of 80.
    #[test]
    fn runs_short_computations_at_full_speed() {
        let work = Workload {
            burst: 4.0,
            ..Workload::serial(0.0, 10.0, 1.0)
        };
        near(work.duration_ms(Megabytes(443)), 10.0);
        near(work.cpu_ms * work.stretch(0.125), 45.0);
    }

    proptest! {
        #[test]
        fn more_memory_is_never_slower(
            wait in 0.0_f64..1e4, cpu in 0.0_f64..1e4, cores in 1.0_f64..6.0, overlap in 1.0_f64..5.0, burst in 0.0_f64..8.0,
            small in 128_u32..10_240, more in 0_u32..5000,
        ) {
            let work = Workload { wait_ms: wait, cpu_ms: cpu, cores, overlap, burst };
            let (less, more) = (work.duration_ms(Megabytes(small)), work.duration_ms(Megabytes(small + more)));
            prop_assert!(more <= less * (1.0 + 1e-9), "{less} {more}");
        }
    }
}
