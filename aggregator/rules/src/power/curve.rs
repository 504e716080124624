//! The power curve of one function: its expected duration at each size, with an interval.

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

use super::evidence::{SizePoint, starved};
use super::gaussian::Factor;
use super::likelihood::{ln_likelihoods, parts, range, residuals};
use super::mixture::{Part, merged, quantile};
use super::noise::NOISES;
use super::prior::Prior;
use super::shape::{Shape, shapes};
use super::workload::{ONE_CORE, Workload};

/// The measurements that an estimate is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Measured at exactly this size.
    Measured,
    /// Measured at a smaller and at a larger size.
    Between,
    /// Measured at other sizes, with the CPU time there.
    Cpu,
    /// Measured at other sizes; the prior of similar functions fills the gap.
    Prior,
    /// Nothing: there is no estimate.
    Unknown,
}

impl Basis {
    /// Returns whether the function itself was measured well enough for a promise. A prior only moves
    /// expectations.
    pub(crate) const fn is_own(self) -> bool {
        matches!(self, Self::Measured | Self::Between | Self::Cpu)
    }
}

/// The parameters of a curve, averaged over the shapes that explain the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Waiting time, W.
    pub wait_ms: f64,
    /// CPU time, C.
    pub cpu_ms: f64,
    /// Cores that it can use, k.
    pub cores: f64,
}

/// An expected duration at one size, with a 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Median duration, in milliseconds.
    pub p50_ms: f64,
    /// Lower end of the interval: the 5 % quantile, in milliseconds.
    pub low_ms: f64,
    /// Upper end of the interval: the 95 % quantile, in milliseconds.
    pub high_ms: f64,
    /// The measurements it is based on.
    pub basis: Basis,
}

/// The reason for which a size has no estimate.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The function uses too much memory for this size.
    #[error(
        "it uses {used_mb:.0} MB, so it would lack memory there and slow down beyond any model"
    )]
    Starved {
        /// Memory in use, in MB.
        used_mb: f64,
    },
    /// A larger size took at least ten times as long as a smaller one.
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

/// The fitted durations of a function over memory.
pub struct PowerCurve {
    points: Vec<SizePoint>,
    factors: Vec<Factor>,
    likely: Vec<Likely>,
    range: (Megabytes, Megabytes),
    contradiction: Option<Refusal>,
}

/// Components whose weight relative to the largest is below this are left out.
const NEGLIGIBLE: f64 = 1e-3;
/// A larger size that takes this many times as long as a smaller one did different work.
const CONTRADICTS: f64 = 10.0;

impl PowerCurve {
    /// Fits `points`, one for each size; `None` if there are none.
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

    /// Returns the estimated duration at `size`.
    ///
    /// # Errors
    /// If the function would lack memory there, or if its measured sizes contradict each other.
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
        let p50_ms = measured.map_or_else(|| at(0.5), |point| point.p50_ms);
        Ok(Estimate {
            p50_ms,
            // What was measured may be far from what the model expects of another measurement there.
            low_ms: at(0.05).min(p50_ms),
            high_ms: at(0.95).max(p50_ms),
            basis,
        })
    }

    /// Returns the parameters: the duration on one core, divided by the expected share of CPU time.
    pub(crate) fn model(&self) -> Model {
        let mean = |of: fn(&Workload) -> f64| -> f64 {
            let weighted = self
                .likely
                .iter()
                .map(|part| part.weight * of(&part.shape.0));
            weighted.sum()
        };
        let whole = quantile(&self.mixture(ONE_CORE), 0.5).exp();
        let computing = mean(|work| work.cpu_ms);
        Model {
            wait_ms: whole * (1.0 - computing),
            cpu_ms: whole * computing,
            cores: mean(|work| work.cores),
        }
    }

    /// Returns the memory that an invocation needs. Memory used is a high-water mark of the environment, which
    /// another invocation may have raised, so the minimum of the sizes is the best estimate.
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

    /// Returns the distribution of the logarithm of a new measurement at `size`.
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
        // The components of one shape follow each other.
        let mut last: Option<(Shape, f64)> = None;
        let part = |likely: &Likely| {
            let (towards, deviation) = &from_points[likely.noise];
            let moved: f64 = towards.iter().zip(&likely.white).map(|(a, b)| a * b).sum();
            let known = last.filter(|(shape, _)| *shape == likely.shape);
            let (_, ln) = *last
                .insert(known.unwrap_or_else(|| (likely.shape, likely.shape.ln_duration(size))));
            Part {
                weight: likely.weight,
                mean: ln + moved,
                deviation: *deviation,
            }
        };
        merged(self.likely.iter().map(part).collect())
    }
}

/// Finds two sizes that cannot be the same work: more memory never makes it ten times as slow.
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

    /// 100 ms of waiting and 40 ms of CPU time take 653 ms at 128 MB, 376 at 256 and 169 at 1024. At 512 they
    /// take 100 + 40 × 3.455 = 238.2, and 140 from 1769 on.
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

    /// 1000 ms at 885 MB, which is half a core. If all of it is used, 442 MB take twice as long; if none is
    /// used, they take as long.
    #[test]
    fn the_cpu_time_of_one_size_predicts_the_others() {
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
    fn a_measured_size_keeps_its_measured_duration() {
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

    /// 200 MB in use fill 90 % of 222 MB, but not of 223 MB.
    /// 300 ms at 1024 MB between 100 ms at 512 MB and 50 ms at 2048 MB are noise for the model, which expects less there.
    #[test]
    fn the_interval_of_a_measured_size_contains_its_duration() {
        let at = |size, ms| SizePoint::new(Megabytes(size), ms);
        for middle in [6.0, 20.0, 300.0, 900.0] {
            let curve = curve(&[at(512, 100.0), at(1024, middle), at(2048, 50.0)]);
            for size in [512, 1024, 2048] {
                let found = curve.at(Megabytes(size)).unwrap();
                assert!(
                    found.low_ms <= found.p50_ms && found.p50_ms <= found.high_ms,
                    "{size}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_size_without_enough_memory_is_refused() {
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
        /// For any measurements, every estimate is a finite time within its interval.
        #[test]
        fn estimates_lie_in_their_intervals(
            a in 0.5_f64..1e5, b in 0.5_f64..1e5, small in 128_u32..5000, more in 1_u32..5000, at in 128_u32..10_240, cpu in 0.0_f64..1e4,
        ) {
            let mut known = [SizePoint::new(Megabytes(small), a), SizePoint::new(Megabytes(small + more), b)];
            known[0].cpu_ms = Some(cpu);
            if let Ok(found) = curve(&known).at(Megabytes(at)) {
                prop_assert!(found.low_ms > 0.0 && found.high_ms.is_finite());
                prop_assert!(found.low_ms < found.high_ms);
                prop_assert!(found.low_ms <= found.p50_ms && found.p50_ms <= found.high_ms);
            }
        }
    }
}
