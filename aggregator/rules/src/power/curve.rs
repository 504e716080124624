//! The power curve of one function: how long it takes at each size, with an interval.

use rightsizer_records::Megabytes;

use super::evidence::{SizePoint, starved};
use super::gaussian::Factor;
use super::likelihood::{ln_likelihoods, parts, range, residuals};
use super::mixture::{Part, merged, quantile};
use super::noise::NOISES;
use super::prior::Prior;
use super::shape::{Shape, shapes};

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Measured at this very size.
    Measured,
    /// Measured at a smaller and at a larger size.
    Between,
    /// Measured at other sizes, and the CPU time there.
    Cpu,
    /// Measured at other sizes; how functions like it behave fills in.
    Prior,
}

/// A duration at one size: expected, and an interval of 90 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Median duration, in milliseconds.
    pub p50_ms: f64,
    /// The interval's lower end: 5 % lie below.
    pub low_ms: f64,
    /// Its upper end.
    pub high_ms: f64,
    /// What it rests on.
    pub basis: Basis,
}

/// Why a size is not estimated.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The function uses so much that it would lack memory there.
    #[error(
        "it uses {used_mb:.0} MB, so it would lack memory there and slow down beyond any model"
    )]
    Starved {
        /// Memory in use.
        used_mb: f64,
    },
    /// A larger size took ten times as long as a smaller one, or longer.
    #[error("{large} took over ten times as long as {small}: these are not the same work")]
    Contradiction {
        /// The faster, smaller size.
        small: Megabytes,
        /// The slower, larger one.
        large: Megabytes,
    },
}

/// A component that explains the measured sizes.
struct Likely {
    shape: Shape,
    noise: usize,
    weight: f64,
    /// Whitened residuals of the measured sizes.
    white: Vec<f64>,
}

/// What is known of a function's durations over memory.
pub struct PowerCurve {
    points: Vec<SizePoint>,
    factors: Vec<Factor>,
    likely: Vec<Likely>,
    range: (Megabytes, Megabytes),
    contradiction: Option<Refusal>,
}

/// Components this much less likely than the likeliest are left out.
const NEGLIGIBLE: f64 = 1e-3;
/// A larger size that takes so many times as long as a smaller one did other work.
const CONTRADICTS: f64 = 10.0;

impl PowerCurve {
    /// Fits `points`, one a size; `None` without any.
    pub fn fit(points: &[SizePoint], prior: &Prior) -> Option<Self> {
        let range = range(points)?;
        let factors: Vec<Factor> = NOISES.iter().map(|noise| noise.factor(points)).collect();
        let lns = ln_likelihoods(points);
        let best = lns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let posterior = lns.iter().zip(prior.weights());
        let posterior: Vec<f64> = posterior.map(|(ln, w)| (ln - best).exp() * w).collect();
        let least = posterior.iter().copied().fold(0.0, f64::max) * NEGLIGIBLE;
        let kept = |weight: &f64| *weight > 0.0 && *weight >= least;
        let total: f64 = posterior.iter().filter(|w| kept(w)).sum();
        let likely = posterior.iter().enumerate().filter(|(_, w)| kept(w));
        let likely = likely.map(|(component, weight)| {
            let (shape, noise) = parts(component);
            let shape = shapes()[shape];
            let mut white = residuals(points, shape);
            factors[noise].whiten(&mut white);
            Likely {
                shape,
                noise,
                weight: weight / total,
                white,
            }
        });
        Some(Self {
            likely: likely.collect(),
            factors,
            points: points.to_vec(),
            range,
            contradiction: contradiction(points),
        })
    }

    /// How long it takes at `size`.
    ///
    /// # Errors
    /// If the function would lack memory there, or its sizes contradict each other.
    pub fn at(&self, size: Megabytes) -> Result<Estimate, Refusal> {
        if let Some(contradiction) = self.contradiction {
            return Err(contradiction);
        }
        let basis = self.basis(size);
        if let Some(used_mb) = self.used_mb()
            && basis != Basis::Measured
            && starved(used_mb, size)
        {
            return Err(Refusal::Starved { used_mb });
        }
        let mixture = self.mixture(size);
        let at = |q| quantile(&mixture, q).exp();
        let measured = self.points.iter().find(|point| point.memory_mb == size);
        Ok(Estimate {
            p50_ms: measured.map_or_else(|| at(0.5), |point| point.p50_ms),
            low_ms: at(0.05),
            high_ms: at(0.95),
            basis,
        })
    }

    /// What an invocation needs. Memory used is a high-water mark of an environment, and so may be that of
    /// another invocation: the least of them is the nearest.
    fn used_mb(&self) -> Option<f64> {
        let used = self.points.iter().filter_map(|point| point.used_mb);
        used.min_by(f64::total_cmp)
    }

    fn basis(&self, size: Megabytes) -> Basis {
        let (smallest, largest) = self.range;
        if self.points.iter().any(|point| point.memory_mb == size) {
            Basis::Measured
        } else if smallest < size && size < largest {
            Basis::Between
        } else if self.points.iter().any(|point| point.cpu_ms.is_some()) {
            Basis::Cpu
        } else {
            Basis::Prior
        }
    }

    /// The logarithm of the duration at `size`, as measured there once more.
    fn mixture(&self, size: Megabytes) -> Vec<Part> {
        let from_points: Vec<(Vec<f64>, f64)> = NOISES
            .iter()
            .zip(&self.factors)
            .map(|(noise, factor)| {
                let shared = |point: &SizePoint| noise.shared(point.memory_mb, size);
                let mut towards: Vec<f64> = self.points.iter().map(shared).collect();
                factor.whiten(&mut towards);
                let explained: f64 = towards.iter().map(|x| x * x).sum();
                let left = (noise.shared(size, size) - explained).max(0.0);
                (towards, (left + noise.each * noise.each).sqrt())
            })
            .collect();
        let part = |likely: &Likely| {
            let (towards, deviation) = &from_points[likely.noise];
            let moved: f64 = towards.iter().zip(&likely.white).map(|(a, b)| a * b).sum();
            Part {
                weight: likely.weight,
                mean: likely.shape.ln_duration(size) + moved,
                deviation: *deviation,
            }
        };
        merged(self.likely.iter().map(part).collect())
    }
}

/// More memory never makes the same work ten times as slow.
fn contradiction(points: &[SizePoint]) -> Option<Refusal> {
    let pairs = points
        .iter()
        .flat_map(|a| points.iter().map(move |b| (a, b)));
    let mut odd = pairs.filter(|(small, large)| {
        small.memory_mb < large.memory_mb && large.p50_ms >= CONTRADICTS * small.p50_ms
    });
    odd.next().map(|(small, large)| Refusal::Contradiction {
        small: small.memory_mb,
        large: large.memory_mb,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Workload;
    use super::*;

    fn points(work: Workload, sizes: &[u32]) -> Vec<SizePoint> {
        let at = |size: &u32| SizePoint::new(Megabytes(*size), work.duration_ms(Megabytes(*size)));
        sizes.iter().map(at).collect()
    }

    fn curve(points: &[SizePoint]) -> PowerCurve {
        PowerCurve::fit(points, &Prior::flat()).unwrap()
    }

    fn p50(curve: &PowerCurve, size: u32) -> f64 {
        curve.at(Megabytes(size)).unwrap().p50_ms
    }

    /// 100 ms of waiting and 40 of CPU: 653 ms at 128 MB, 376 at 256, 169 at 1024. At 512 it is 100 + 40 × 3.455
    /// = 238.2, and at 1769 and above 140.
    #[test]
    fn a_workload_is_found_from_three_sizes() {
        let curve = curve(&points(
            Workload::serial(100.0, 40.0, 1.0),
            &[128, 256, 1024],
        ));
        for (size, wanted, off) in [(512, 238.2, 0.05), (1769, 140.0, 0.15), (3008, 140.0, 0.15)] {
            let found = p50(&curve, size);
            assert!((found / wanted - 1.0).abs() < off, "{size}: {found}");
        }
    }

    /// 1000 ms at 885 MB, half a core. All of it used: twice as long at 442. None: as long.
    #[test]
    fn the_cpu_time_of_one_size_tells_the_others() {
        for (cpu_ms, wanted, off) in [(500.0, 2000.0, 0.15), (5.0, 1000.0, 0.05)] {
            let curve = curve(&[SizePoint {
                cpu_ms: Some(cpu_ms),
                ..SizePoint::new(Megabytes(885), 1000.0)
            }]);
            let estimate = curve.at(Megabytes(442)).unwrap();
            assert_eq!(estimate.basis, Basis::Cpu);
            let found = estimate.p50_ms;
            assert!(
                (found / wanted - 1.0).abs() < off,
                "{found}, wanted {wanted}"
            );
        }
    }

    #[test]
    fn what_was_measured_is_what_is_expected() {
        let known = points(Workload::serial(100.0, 40.0, 1.0), &[256, 1024]);
        let curve = curve(&known);
        let here = curve.at(Megabytes(256)).unwrap();
        assert_eq!(
            (here.p50_ms, here.basis),
            (known[0].p50_ms, Basis::Measured)
        );
        assert_eq!(curve.at(Megabytes(512)).unwrap().basis, Basis::Between);
        assert_eq!(curve.at(Megabytes(2048)).unwrap().basis, Basis::Prior);
    }

    /// 200 MB used: 222 MB are 90 % full, 223 are not.
    #[test]
    fn nothing_is_extrapolated_to_where_memory_lacks() {
        let curve = curve(&[SizePoint {
            used_mb: Some(200.0),
            ..SizePoint::new(Megabytes(512), 100.0)
        }]);
        let refused = curve.at(Megabytes(222));
        assert_eq!(refused, Err(Refusal::Starved { used_mb: 200.0 }));
        assert!(curve.at(Megabytes(223)).is_ok());
    }

    #[test]
    fn sizes_that_contradict_each_other_are_refused() {
        let at = |size, ms| SizePoint::new(Megabytes(size), ms);
        let odd = curve(&[at(512, 20.0), at(1024, 200.0)]);
        let wanted = Refusal::Contradiction {
            small: Megabytes(512),
            large: Megabytes(1024),
        };
        assert_eq!(odd.at(Megabytes(2048)), Err(wanted));
        assert!(
            curve(&[at(512, 20.0), at(1024, 199.0)])
                .at(Megabytes(2048))
                .is_ok()
        );
        assert!(
            curve(&[at(512, 200.0), at(1024, 2.0)])
                .at(Megabytes(2048))
                .is_ok()
        );
    }

    proptest! {
        /// Whatever was measured, every estimate is a finite time within its interval.
        #[test]
        fn estimates_lie_in_their_intervals(
            a in 0.5_f64..1e5, b in 0.5_f64..1e5, small in 128_u32..5000, more in 1_u32..5000, at in 128_u32..10_240, cpu in 0.0_f64..1e4,
        ) {
            let mut known = [SizePoint::new(Megabytes(small), a), SizePoint::new(Megabytes(small + more), b)];
            known[0].cpu_ms = Some(cpu);
            if let Ok(found) = curve(&known).at(Megabytes(at)) {
                prop_assert!(found.low_ms > 0.0 && found.high_ms.is_finite());
                prop_assert!(found.low_ms < found.high_ms);
                if found.basis != Basis::Measured {
                    prop_assert!(found.low_ms <= found.p50_ms && found.p50_ms <= found.high_ms);
                }
            }
        }
    }
}
