//! The rules in a closed loop: functions whose durations are known at every size, decided day after
//! day in `auto`, each step made, verified and measured. At which size do they end, and do they
//! ever oscillate?

use proptest::prelude::*;
use rightsizer_records::{Megabytes, Millis, Timestamp};

use super::case::Case;
use super::facts::{CpuUse, SizeChange, SizeFacts};

/// A function that waits and computes: `computing_ms` on one whole core, by `threads` threads.
#[derive(Debug, Clone, Copy)]
struct Function {
    waiting_ms: f64,
    computing_ms: f64,
    threads: f64,
    /// Whether the layer reports its CPU time.
    has_cpu: bool,
}

impl Function {
    /// How long an invocation takes at a size.
    fn ms(&self, size: u32) -> f64 {
        let cores = (f64::from(size) / 1769.0).min(self.threads);
        self.waiting_ms + self.computing_ms / cores
    }

    /// 10,000 invocations at a size; p95 is twice the mean, p99 three times.
    fn measured(&self, size: u32) -> SizeFacts {
        let millis = |ms: f64| Millis::from_ms_f64(ms).unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "milliseconds"
        )]
        let whole = |ms: f64| ms.round() as u64;
        let ms = self.ms(size);
        let cpu = CpuUse {
            cpu_ms: whole(self.computing_ms * 10_000.0),
            wall_ms: whole(ms * 10_000.0),
        };
        SizeFacts {
            memory_mb: Megabytes(size),
            invocations: 10_000,
            billed_ms: whole(ms * 10_000.0),
            p50: millis(ms),
            p95: millis(2.0 * ms),
            p99: millis(3.0 * ms),
            cpu: self.has_cpu.then_some(cpu),
            hours_factor: None,
        }
    }

    /// The sizes that it is given from `size` on, at most 60 days; only the last `window` of them are still
    /// in evidence.
    fn steered(&self, size: u32, peak: u32, window: usize) -> Vec<u32> {
        let mut sizes = vec![size];
        for _ in 0..60 {
            let now = *sizes.last().unwrap();
            let mut case = Case::new(now, &[peak; 14]);
            let mut seen = sizes[sizes.len().saturating_sub(window)..].to_vec();
            seen.sort_unstable();
            seen.dedup();
            case.0.sizes = seen.iter().map(|size| self.measured(*size)).collect();
            if sizes.len() > 1 {
                case.0.changes.baseline_p95 = Some(self.measured(size).p95);
                case.0.changes.last = Some(SizeChange {
                    at: Timestamp::parse("2026-01-30T00:00:00Z").unwrap(),
                    from_mb: Megabytes(sizes[sizes.len() - 2]),
                    to_mb: Megabytes(now),
                    verified: true,
                    invocations: 10_000,
                });
            }
            match case.step() {
                (Some(to), true) => sizes.push(to),
                _ => break,
            }
        }
        sizes
    }
}

/// What only waits ends at the policy's size, 200 + 100, with or without CPU time.
#[test]
fn p6_a_waiting_function_is_steered_all_the_way() {
    for has_cpu in [true, false] {
        let waits = Function {
            waiting_ms: 100.0,
            computing_ms: 0.0,
            threads: 1.0,
            has_cpu,
        };
        let sizes = waits.steered(1024, 200, 14);
        assert_eq!(sizes.last(), Some(&300), "{sizes:?}");
        assert!(sizes.len() <= 8, "{sizes:?}");
    }
}

/// What computes all the time stays: nothing would be saved. One thread comes down to its core.
#[test]
fn p6_a_computing_function_is_not_changed() {
    let computes = Function {
        waiting_ms: 0.0,
        computing_ms: 100.0,
        threads: 1.0,
        has_cpu: true,
    };
    assert_eq!(computes.steered(1024, 200, 14), [1024]);
    let sizes = computes.steered(3008, 200, 14);
    let last = *sizes.last().unwrap();
    assert!((1769..=1960).contains(&last), "{sizes:?}");
}

proptest! {
    /// Whatever the function is: sizes only fall (but to what it needs), it comes to rest, no step is beyond half, and in the end it
    /// is within the tolerance of what it was at first, however many steps it took and however short the
    /// memory of them.
    #[test]
    fn p6_steering_rests_within_the_tolerance(
        waiting_ms in 0.0_f64..500.0, computing_ms in 0.1_f64..200.0, threads in 1.0_f64..6.0,
        has_cpu: bool, size in 129_u32..10_240, peak in 20_u32..5000, window in 1_usize..14,
    ) {
        let function = Function { waiting_ms, computing_ms, threads, has_cpu };
        let sizes = function.steered(size, peak, window);
        prop_assert!(sizes.len() < 40, "{:?}", sizes);
        for pair in sizes.windows(2) {
            let wanted = (peak + 100).max((peak * 11).div_ceil(10));
            prop_assert!(pair[1] < pair[0] || pair[1] == wanted, "{:?}", sizes);
            prop_assert!(pair[1] * 2 >= pair[0], "{:?}", sizes);
        }
        let last = *sizes.last().unwrap();
        let slower = function.ms(last) / function.ms(size);
        prop_assert!(slower <= 1.26, "{slower} after {:?}", sizes);
    }
}
