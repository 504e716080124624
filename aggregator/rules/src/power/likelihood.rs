//! The likelihood of measured sizes under each component, which is a shape with a level of noise.

use rightsizer_records::Megabytes;

use super::evidence::SizePoint;
use super::noise::NOISES;
use super::shape::{Shape, shapes};

/// Returns the number of components: shapes × levels of noise.
pub(super) fn components() -> usize {
    shapes().len() * NOISES.len()
}

/// Returns the indexes of a component's shape and noise in their tables.
pub(super) const fn parts(component: usize) -> (usize, usize) {
    (component / NOISES.len(), component % NOISES.len())
}

/// Returns the logarithms of durations minus those of a shape.
pub(super) fn residuals(points: &[SizePoint], shape: Shape) -> Vec<f64> {
    let residual = |point: &SizePoint| point.p50_ms.ln() - shape.ln_duration(point.memory_mb);
    points.iter().map(residual).collect()
}

/// Returns the logarithm of the likelihood of each component, up to a constant.
pub(super) fn ln_likelihoods(points: &[SizePoint]) -> Vec<f64> {
    let factors = NOISES.map(|noise| noise.factor(points));
    let volumes = factors
        .each_ref()
        .map(super::gaussian::Factor::half_ln_determinant);
    let mut all = Vec::with_capacity(components());
    let mut white = vec![0.0; points.len()];
    for shape in shapes() {
        let by_cpu = ln_cpu(points, *shape);
        let residuals = residuals(points, *shape);
        for (factor, volume) in factors.iter().zip(volumes) {
            white.copy_from_slice(&residuals);
            factor.whiten(&mut white);
            let squares: f64 = white.iter().map(|z| z * z).sum();
            all.push(by_cpu - squares / 2.0 - volume);
        }
    }
    all
}

/// Standard deviation of a measured CPU share from the model's, caused by other processes of the sandbox and
/// threads that wait for each other.
const CPU_ERROR: f64 = 0.1;
/// CPU time is measured in ticks of 10 ms.
pub(super) const TICK_MS: f64 = 10.0;
/// Shares of a core below this are treated alike.
pub(super) const LEAST_SHARE: f64 = 0.02;
/// Degrees of freedom of Student's t distribution, so that one outlier does not decide.
const FREEDOM: f64 = 3.0;

/// Returns the logarithm of the likelihood of the CPU time under a shape.
fn ln_cpu(points: &[SizePoint], shape: Shape) -> f64 {
    let of = |point: &SizePoint| {
        let used = point.cpu_ms? / point.p50_ms + LEAST_SHARE;
        let wanted = shape.cores_used(point.memory_mb) + LEAST_SHARE;
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let samples = point.invocations.max(1) as f64;
        let tick = TICK_MS / (point.p50_ms * used);
        let variance = CPU_ERROR * CPU_ERROR + tick * tick / samples;
        let off = (used / wanted).ln();
        let odds = off * off / (variance * FREEDOM);
        Some(-f64::midpoint(FREEDOM, 1.0) * odds.ln_1p())
    };
    points.iter().filter_map(of).sum()
}

/// Returns the smallest and the largest size; `None` if there are none.
pub(super) fn range(points: &[SizePoint]) -> Option<(Megabytes, Megabytes)> {
    let sizes = || points.iter().map(|point| point.memory_mb);
    Some((sizes().min()?, sizes().max()?))
}
